//! Rotates Linkerd's trust anchor and identity issuer through Git.
//!
//! Data flows one way: [`source`] reads bytes into [`document`]s, [`mesh`] is what they say, [`check`] judges it,
//! [`rotation`] plans, [`verify`] judges anybody's change, [`render`] turns a step into documents, [`report`] prints. [`states`]
//! holds every bundle and certificate that may be in use, [`pki`] the one trust relation, [`linkerd`] its names.

pub mod check;
pub mod cli;
pub mod command;
pub mod diff;
pub mod document;
pub mod linkerd;
pub mod mesh;
pub mod output;
pub mod pki;
pub mod render;
pub mod report;
pub mod rotation;
pub mod source;
pub mod states;
pub mod step;
pub mod verify;

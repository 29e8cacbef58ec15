//! Rotates Linkerd's trust anchor and identity issuer through Git.
//!
//! Data flows one way: [`source`] reads bytes into [`document`]s, [`mesh`] is what they say, [`check`] judges it,
//! [`rotation`] plans, [`render`] turns a step into documents, [`report`] prints. [`pki`] holds the one trust relation.

pub mod check;
pub mod cli;
pub mod command;
pub mod diff;
pub mod document;
pub mod mesh;
pub mod output;
pub mod pki;
pub mod render;
pub mod report;
pub mod rotation;
pub mod source;

//! Every check of `linkerd check`'s identity categories and of ours, failing and passing, with its exact text.

mod advice;
pub(crate) mod builder;
mod identity;
mod own_bundle;
mod own_cert_manager;
mod own_issuer;
mod own_proxies;
mod real;
mod report;

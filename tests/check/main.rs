//! Every check of `linkerd check`'s identity categories and of ours, failing and passing, with its exact text.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod advice;
mod builder;
mod identity;
#[path = "../mesh_support/mod.rs"]
mod mesh_support;
mod own_bundle;
mod own_cert_manager;
mod own_issuer;
mod own_proxies;
mod real;
mod report;

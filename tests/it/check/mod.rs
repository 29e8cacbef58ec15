//! Every check of `linkerd check`'s identity categories and of ours, failing and passing: ours by code and evidence, Linkerd's in
//! its exact words.

mod advice;
mod identity;
mod own_bundle;
mod own_cert_manager;
mod own_issuer;
mod own_proxies;
mod real;
mod report;

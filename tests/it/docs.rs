//! What is generated into `docs/` is current.
//!
//! `UPDATE_DOCS=1 cargo test --test it docs` writes it anew.

use std::fs;

use l5d_rotate::report::findings::explained_markdown;

/// A generated file is what it should be.
fn is_current(name: &str, text: &str) {
    let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "docs/{name} is not current: UPDATE_DOCS=1 cargo test --test it docs");
}

/// Neither tells: while identity was unreachable, or refused by TLS, real proxies counted no failed refresh and stayed ready.
#[test]
fn no_text_relies_on_what_does_not_tell_of_a_failed_renewal() {
    let text = explained_markdown() + &fs::read_to_string("README.md").unwrap();
    for name in ["cert_refreshes_total", "refreshes_total", "/ready", "4191"] {
        assert!(!text.contains(name), "{name}");
    }
}

#[test]
fn the_findings_are_those_that_explain_shows() {
    is_current("findings.md", &explained_markdown());
}

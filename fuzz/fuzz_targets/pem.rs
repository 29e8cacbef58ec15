//! The text of a bundle under both sets of rules; the form that a snapshot keeps has the same certificates.
#![no_main]

use l5d_rotate::pki::pem::certificates_alone;
use l5d_rotate::pki::{BundleText, Rules};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let kept = certificates_alone(text);
    assert_eq!(certificates_alone(&kept), kept);
    let [before, after] = [text, &kept].map(BundleText::read);
    for rules in [Rules::Proxy, Rules::Controller] {
        assert_eq!(before.as_read_by(rules).ok(), after.as_read_by(rules).ok());
    }
});

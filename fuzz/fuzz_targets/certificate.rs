//! DER as a certificate.
#![no_main]

use l5d_rotate::pki::{Certificate, IssuerChain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    let Ok(certificate) = Certificate::from_der(der) else { return };
    let chain = IssuerChain::from_pem(&certificate.to_pem()).expect("what is printed is read");
    assert_eq!(chain.issuer, certificate);
});

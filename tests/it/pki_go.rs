//! The controller's rules are Go's: its PEM reader, its parser, its verification, and its very words.

use std::collections::BTreeMap;

use l5d_rotate::pki::{KeyEncoding, Rules, accepts, pem};

use crate::sizes;
use crate::support::pki::go::{self, Oracle};
use crate::support::pki::random::{self, Dice, Keys};
use crate::support::pki::{anchor, identity, now, real_pem};

#[test]
fn random_chains_are_judged_as_go_judges_them_in_the_same_words() {
    let Some(oracle) = Oracle::build("random_chains_are_judged_as_go_judges_them_in_the_same_words") else {
        return;
    };
    let keys = Keys::new();
    let cases: Vec<_> = (0..sizes::of(600, 3000)).map(|seed| random::case(&keys, seed)).collect();
    let answers = oracle
        .ask(&cases.iter().map(|case| go::verify(&case.anchors, &case.chain, now())).collect::<Vec<_>>());
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for (case, answer) in cases.iter().zip(answers) {
        let ours = accepts(&case.anchors, &case.chain, &identity(), now(), Rules::Controller);
        let ours = ours.err().map(|refusal| refusal.go_text()).unwrap_or_default();
        assert_eq!(ours, answer.error, "{}", case.description);
        *told.entry(answer.error.chars().take(48).collect()).or_default() += 1;
    }
    // The cases are worth asking: many are accepted, and every kind of refusal occurs.
    assert!(told.get("").is_some_and(|accepted| *accepted * 10 > cases.len()), "{told:#?}");
    for kind in [
        "x509: certificate has expired",
        "x509: certificate signed by unknown authority",
        "x509: certificate specifies an incompatible key",
        "x509: too many intermediates",
        "x509: a root or intermediate certificate is not ",
        "x509: unhandled critical extension",
        "failed to verify issuer certificate: it must be ",
    ] {
        assert!(told.keys().any(|text| text.starts_with(kind)), "{kind}: {told:#?}");
    }
}

#[test]
fn pem_texts_are_read_as_go_reads_them() {
    let Some(oracle) = Oracle::build("pem_texts_are_read_as_go_reads_them") else { return };
    let mut texts = pem_texts();
    texts.extend(real_pem("pem_texts_are_read_as_go_reads_them").into_iter().map(|(_, text)| text));
    let answers = oracle.ask(&texts.iter().map(|text| go::pem(text)).collect::<Vec<_>>());
    let mut read = 0;
    for (text, answer) in texts.iter().zip(answers) {
        match pem::read_as_controller(text) {
            Ok(certificates) => {
                read += 1;
                let ours: Vec<_> = certificates.iter().map(|found| found.fingerprint().to_string()).collect();
                assert_eq!(Some(ours), answer.certificates, "{text:?} {}", answer.error);
            }
            Err(defect) => assert_ne!(answer.error, "", "{text:?} {defect}"),
        }
    }
    assert!(read > texts.len() / 5, "{read} of {} texts were read", texts.len());
}

/// Three bits of its public key are not used: OpenSSL passes over that, Go shifts the key, and finds none.
const SHIFTED_KEY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBbjCCARWgAwIBAgIUYVZDvi7QxTgtnmCrE93HKdXsSREwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEcm9vdDAeFw0yNjAxMDEwMDAwMDBaFw0yNzAxMDEwMDAwMDBa
MBMxETAPBgNVBAMMCGlkZW50aXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgME
ajsRNy/b3ytWza7WRttl69SlVG1HAqd9/oVDK9Tm8Du+cmvYvtbK9SNceuUajqXA
hfzexPg5Cb2F/1duma+8WKNLMEkwEwYDVR0jBAwwCoAIBGuMcM6D9uowDgYDVR0P
AQH/BAQDAgEGMBEGA1UdDgQKBAgEajsRNy/b3zAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0cAMEQCIGnsowToUsE09KU5/qLOOPrWvnglDv7wgBh0InK0cFFZ
AiBEQAdAe3qpl7gRJD8I2EQkGzmf7wdOl5d9R3i5cNzMWA==
-----END CERTIFICATE-----
";

#[test]
fn unused_bits_of_a_key_are_shifted_out_as_in_go() {
    let defect = pem::read_as_controller(SHIFTED_KEY).unwrap_err().to_string();
    assert!(defect.contains("invalid uncompressed public key"), "{defect}");
}

#[test]
fn mutated_certificates_are_parsed_as_go_parses_them() {
    let Some(oracle) = Oracle::build("mutated_certificates_are_parsed_as_go_parses_them") else { return };
    let keys = Keys::new();
    let dice = &mut Dice(7);
    let mut ders: Vec<Vec<u8>> = (0..sizes::of(600, 4000))
        .map(|seed| {
            let mut der = random::case(&keys, seed % 200).chain.issuer.der().to_vec();
            let place = dice.roll(der.len());
            der[place] = der[place].wrapping_add(u8::try_from(1 + dice.roll(255)).unwrap());
            der
        })
        .collect();
    ders.push(pem::read_as_proxy(SHIFTED_KEY).unwrap()[0].der().to_vec());
    let answers = oracle.ask(&ders.iter().map(|der| go::parse(der)).collect::<Vec<_>>());
    let (mut differ, mut refused) = (Vec::new(), 0);
    for (der, answer) in ders.iter().zip(answers) {
        let block = pem::block("CERTIFICATE", der);
        let ours = pem::read_as_controller(&block);
        // Go parses a few that our own parser does not: there we refuse in our own name rather than guess.
        let not_ours = |defect: &pem::Defect| defect.to_string().contains("not an X.509 certificate");
        if ours.is_ok() != answer.error.is_empty() && !ours.as_ref().is_err_and(not_ours) {
            differ.push(format!("go: {:?} ours: {:?}\n{block}", answer.error, ours.as_ref().err()));
        }
        refused += usize::from(ours.is_err());
    }
    assert!(differ.is_empty(), "{} differ\n{}", differ.len(), differ.join("\n"));
    assert!(
        refused * 4 > ders.len() && refused * 8 < ders.len() * 7,
        "{refused} of {} were refused",
        ders.len()
    );
}

#[test]
fn keys_in_both_encodings_are_the_certificates_in_go() {
    let Some(oracle) = Oracle::build("keys_in_both_encodings_are_the_certificates_in_go") else { return };
    let (root, other) = (anchor("root"), anchor("other"));
    let mut questions = Vec::new();
    for encoding in [KeyEncoding::Sec1, KeyEncoding::Pkcs8] {
        let text = root.key.to_pem(encoding).unwrap();
        questions.extend([go::key(&text, &root.certificate), go::key(&text, &other.certificate)]);
    }
    let answers: Vec<_> = oracle.ask(&questions).into_iter().map(|answer| answer.error).collect();
    let mismatch = "tls: private key does not match public key";
    assert_eq!(answers, ["", mismatch, "", mismatch]);
}

/// Two good bundles put through every small damage that people do to text.
fn pem_texts() -> Vec<String> {
    let (old, new) = (anchor("old"), anchor("new"));
    let (old, new) = (old.certificate.to_pem(), new.certificate.to_pem());
    let pieces = [
        "\n",
        " ",
        "\t",
        "\r\n",
        "\r",
        "# comment\n",
        "-----BEGIN CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\n",
        "-----BEGIN X-----\n-----END X-----\n",
        "-----END X-----\n",
        "Proc-Type: 4\n",
        "Proc-Type: 4\n\n",
        "=",
        "A",
        ":",
        "-----",
        "-",
        "\u{feff}",
        "é",
        "-----BEGIN ",
        "\n-----END ",
    ];
    let dice = &mut Dice(1);
    let mut texts =
        vec![String::new(), "\n".into(), format!("{old}{new}"), format!("{old}{new}").trim_end().into()];
    for _ in 0..sizes::of(1000, 6000) {
        let mut text = [old.clone(), format!("{old}{new}"), format!("{new}\n{old}")][dice.roll(3)].clone();
        for _ in 0..1 + dice.roll(2) {
            // Half of the damage is done at the edges of lines, where it happens.
            let edges: Vec<_> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
            let mut at = if dice.roll(2) == 0 && !edges.is_empty() {
                *dice.pick(&edges)
            } else {
                dice.roll(text.len() + 1)
            };
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match dice.roll(4) {
                0 => text.truncate(at),
                1 => {
                    let mut end = (at + 1 + dice.roll(30)).min(text.len());
                    while !text.is_char_boundary(end) {
                        end += 1;
                    }
                    text.replace_range(at..end, "");
                }
                _ => text.insert_str(at, pieces[dice.roll(pieces.len())]),
            }
        }
        texts.push(text);
    }
    texts
}

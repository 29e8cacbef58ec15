//! PEM texts as people leave them: what each reader makes of them, and that every departure is named.

use std::sync::LazyLock;

use l5d_rotate::pki::pem::{self, Defect, DefectKind as Kind, Outcome};
use l5d_rotate::pki::{Bundle, BundleText, Certificate, IssuerChain, Rules};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::sizes;
use crate::support::pki::{anchor, issuer, real_pem};

static OLD: LazyLock<Certificate> = LazyLock::new(|| anchor("old").certificate);
static NEW: LazyLock<Certificate> = LazyLock::new(|| anchor("new").certificate);

/// A row: a text, what is wrong with it, and how many certificates proxy and controller read (`None`: they refuse).
type Row = (&'static str, String, Vec<(usize, &'static str)>, Option<usize>, Option<usize>);

fn rows() -> Vec<Row> {
    let (old, new) = (OLD.to_pem(), NEW.to_pem());
    let lines = old.lines().count();
    let both = format!("{old}{new}");
    let end_entity = rcgen::generate_simple_self_signed(["end-entity".to_owned()]).unwrap();
    let end_entity = pem::block("CERTIFICATE", end_entity.cert.der());
    let key = pem::block("PRIVATE KEY", b"secret");
    let broken_der = pem::block("CERTIFICATE", &OLD.der()[..100]);
    let indented: String = new.lines().map(|line| format!("    {line}\n")).collect();
    vec![
        ("strict", both.clone(), vec![], Some(2), Some(2)),
        ("no final newline", both.trim_end().into(), vec![], Some(2), Some(2)),
        ("empty", String::new(), vec![(1, "Empty")], None, None),
        ("blank", "\n \n".into(), vec![(1, "Empty")], None, None),
        ("no certificate", "hello\n".into(), vec![(1, "NoCertificate"), (1, "TextAtEnd")], None, None),
        ("byte order mark", format!("\u{feff}{both}"), vec![(1, "ByteOrderMark")], Some(1), Some(1)),
        ("CRLF", both.replace('\n', "\r\n"), vec![(1, "CarriageReturn")], Some(2), Some(2)),
        ("blank line between", format!("{old}\n{new}"), vec![(lines + 1, "BlankLine")], Some(2), Some(2)),
        ("comment between", format!("{old}# new\n{new}"), vec![(lines + 1, "Comment")], Some(2), Some(2)),
        ("comment first", format!("# old\n{old}"), vec![(1, "Comment")], Some(1), Some(1)),
        ("blank line at the end", format!("{old}\n"), vec![(lines + 1, "BlankLineAtEnd")], Some(1), None),
        ("blanks at the end", format!("{old}  \n"), vec![(lines + 1, "TextAtEnd")], Some(1), None),
        ("comment at the end", format!("{old}# end\n"), vec![(lines + 1, "TextAtEnd")], Some(1), None),
        ("foreign block", format!("{old}{key}{new}"), vec![(lines + 1, "ForeignBlock")], Some(2), Some(1)),
        ("only a foreign block", key, vec![(1, "ForeignBlock"), (1, "NoCertificate")], None, None),
        ("glued", both.replacen("-----\n-----", "----------", 1), vec![(lines, "Glued")], Some(1), None),
        ("indented", format!("{old}{indented}"), vec![(lines + 1, "Indented")], Some(1), None),
        ("indented first", format!("{indented}{old}"), vec![(1, "Indented")], Some(1), Some(1)),
        (
            "no END",
            format!("{}{new}", old.replace("-----END CERTIFICATE-----\n", "")),
            vec![(1, "MissingEnd")],
            None,
            Some(1),
        ),
        (
            "no END at all",
            old.replace("-----END CERTIFICATE-----\n", ""),
            vec![(1, "MissingEnd")],
            None,
            None,
        ),
        (
            "no BEGIN",
            format!("{old}-----END CERTIFICATE-----\n{new}"),
            vec![(lines + 1, "StrayEnd")],
            Some(2),
            Some(2),
        ),
        (
            "headers",
            old.replacen('\n', "\nProc-Type: 4,ENCRYPTED\n\n", 1),
            vec![(2, "Headers"), (3, "BlankLineInBlock")],
            None,
            Some(1),
        ),
        ("not base64", old.replacen("\nMII", "\nM!I", 1), vec![(2, "Base64")], None, None),
        (
            "no padding",
            pem::block("CERTIFICATE", b"1").replace('=', ""),
            vec![(1, "LooseBase64")],
            None,
            None,
        ),
        (
            "no certificate's DER",
            format!("{old}{broken_der}"),
            vec![(lines + 1, "NotACertificate")],
            Some(1),
            None,
        ),
        ("twice", format!("{old}{old}"), vec![(lines + 1, "Duplicate")], Some(2), Some(2)),
        ("no CA", end_entity, vec![(1, "NotACa")], Some(1), Some(1)),
        ("tab after BEGIN", old.replacen("-----\n", "-----\t\n", 1), vec![(1, "TrailingTab")], None, Some(1)),
        (
            "space after BEGIN",
            old.replacen("-----\n", "----- \n", 1),
            vec![(1, "TrailingBlanks")],
            Some(1),
            Some(1),
        ),
        (
            "tab after END",
            old.replace("-----END CERTIFICATE-----", "-----END CERTIFICATE-----\t"),
            vec![(lines, "TrailingBlanks")],
            Some(1),
            Some(1),
        ),
        ("too large", old.repeat(200), vec![], Some(200), Some(200)),
    ]
}

fn name(defect: &Defect) -> String {
    format!("{:?}", defect.kind).split([' ', '{']).next().unwrap().to_owned()
}

#[test]
fn every_departure_is_named_with_its_line_and_read_as_said() {
    for (name_of_row, text, expected, proxy, controller) in rows() {
        let found = pem::defects(&text);
        if name_of_row == "too large" {
            assert!(matches!(found[0].kind, Kind::TooLarge { bytes } if bytes == text.len()));
        } else {
            let told: Vec<_> = found.iter().map(|defect| (defect.line, name(defect))).collect();
            assert_eq!(
                told,
                expected.iter().map(|(line, name)| (*line, (*name).to_owned())).collect::<Vec<_>>(),
                "{name_of_row}"
            );
        }
        let count = |read: Result<Vec<Certificate>, Defect>| read.ok().map(|certificates| certificates.len());
        assert_eq!(count(pem::read_as_proxy(&text)), proxy, "{name_of_row}: proxy");
        assert_eq!(count(pem::read_as_controller(&text)), controller, "{name_of_row}: controller");
        // A reader that refuses does so for a defect that is in the list.
        for refused in
            [pem::read_as_proxy(&text).err(), pem::read_as_controller(&text).err()].into_iter().flatten()
        {
            assert!(found.contains(&refused), "{name_of_row}: {refused}");
        }
    }
}

#[test]
fn linkerds_own_files_are_read_alike_by_both_readers() {
    let files = real_pem("linkerds_own_files_are_read_alike_by_both_readers");
    for (file, text) in files.iter().filter(|(file, _)| !file.contains("key")) {
        let proxy = pem::read_as_proxy(text).unwrap();
        assert_eq!(proxy, pem::read_as_controller(text).unwrap(), "{file}");
        assert!(!proxy.is_empty(), "{file}");
    }
    for (file, text) in files.iter().filter(|(file, _)| file.contains("key")) {
        let certificate = files.iter().find(|(other, _)| *other == file.replace("key", "crt")).unwrap();
        let issuer = IssuerChain::from_pem(&certificate.1).unwrap().issuer;
        assert!(l5d_rotate::pki::PrivateKey::from_pem(text).unwrap().matches(&issuer), "{file}");
    }
}

#[test]
fn an_issuer_file_is_the_issuer_and_then_its_intermediates() {
    let root = anchor("root");
    let issuer = issuer(&root).certificate;
    let chain = IssuerChain::from_pem(&format!("{}{}", issuer.to_pem(), root.certificate.to_pem())).unwrap();
    assert_eq!((&chain.issuer, &chain.intermediates[..]), (&issuer, &[root.certificate][..]));
    assert_eq!(IssuerChain::from_pem(&chain.to_pem()), Ok(chain));
    let error = IssuerChain::from_pem(&format!("{}\n", issuer.to_pem())).unwrap_err();
    assert!(error.to_string().contains("blank line after the last block"), "{error}");
}

#[test]
fn a_bundles_text_answers_for_each_reader() {
    let text = BundleText::read(format!("{}\n", OLD.to_pem()));
    assert!(text.as_read_by(Rules::Proxy).unwrap().contains(&OLD));
    assert_eq!(text.as_read_by(Rules::Controller).unwrap_err().kind, Kind::BlankLineAtEnd);
}

#[test]
fn a_certificate_that_never_expires_is_read() {
    let mut params = rcgen::CertificateParams::default();
    params.not_after = time::OffsetDateTime::from_unix_timestamp(253_402_300_799).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let certificate = Certificate::from_der(der.der()).unwrap();
    assert_eq!(certificate.facts().not_after, jiff::Timestamp::MAX);
    assert_eq!(pem::defects(&certificate.to_pem()), []);
}

/// Pieces from which texts are put together: whole certificates, marks, and what gets between them.
fn piece() -> impl Strategy<Value = String> {
    let old = OLD.to_pem();
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let body = old.trim_start_matches(begin).trim_end().trim_end_matches(end).to_owned();
    prop_oneof![
        4 => prop_oneof![Just(old), Just(NEW.to_pem())],
        1 => Just(body),
        3 => prop::sample::select(vec![
            "\n", " ", "\t", "\r\n", "\r", "# text\n", "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "-----BEGIN KEY-----\n", "-----END KEY-----\n",
            "Proc-Type: 4,ENCRYPTED\n\n", "MIIB\n", "=", "==\n", ":", "-----", "\u{feff}", "\u{e9}", "-----BEGIN ", "-----END ",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..6).prop_map(|pieces| pieces.concat())
}

/// A good bundle with a few characters changed.
fn damaged() -> impl Strategy<Value = String> {
    let change = (
        any::<prop::sample::Index>(),
        prop::option::of(prop::sample::select(b"\n\r \t-=:A!B".to_vec())),
        any::<bool>(),
    );
    (1..3usize, prop::collection::vec(change, 1..4)).prop_map(|(count, changes)| {
        let mut text = format!("{}{}", OLD.to_pem(), NEW.to_pem()).into_bytes();
        text.truncate(text.len() / 2 * count);
        for (place, byte, insert) in changes {
            let place = place.index(text.len());
            match byte {
                Some(byte) if insert => text.insert(place, byte),
                Some(byte) => text[place] = byte,
                None => drop(text.remove(place)),
            }
        }
        String::from_utf8(text).unwrap()
    })
}

fn holds(text: &str) -> Result<(), TestCaseError> {
    let defects = pem::defects(text);
    let (proxy, controller) = (pem::read_as_proxy(text), pem::read_as_controller(text));
    let worst = |of: fn(&Defect) -> Outcome| defects.iter().map(of).max().unwrap_or(Outcome::Reads);
    let by_proxy = worst(|defect| defect.kind.effect().proxy);
    let by_controller = worst(|defect| defect.kind.effect().controller);
    // What is said to be read is read, and all of it: where no reader minds, both read the same.
    if by_proxy == Outcome::Reads {
        prop_assert!(proxy.is_ok(), "{text:?}: {proxy:?} {defects:?}");
    }
    if by_controller == Outcome::Reads {
        prop_assert!(controller.is_ok(), "{text:?}: {controller:?} {defects:?}");
    }
    if by_proxy == Outcome::Reads && by_controller == Outcome::Reads {
        prop_assert_eq!(&proxy, &controller, "{:?}", text);
    }
    // Who refuses, refuses by a name from the list.
    for refused in [proxy.err(), controller.err()].into_iter().flatten() {
        prop_assert!(defects.contains(&refused), "{text:?}: {refused:?} {defects:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: sizes::of(500, 2000),
        rng_seed: RngSeed::Fixed(2026),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn readers_and_violations_agree_on_any_text(text in text()) {
        holds(&text)?;
    }

    #[test]
    fn readers_and_violations_agree_on_damaged_bundles(text in damaged()) {
        holds(&text)?;
    }

    #[test]
    fn a_bundle_written_is_the_bundle_read(count in 1..8usize) {
        let anchors: Vec<_> = (0..count).map(|place| if place % 2 == 0 { OLD.clone() } else { NEW.clone() }).collect();
        let bundle = Bundle::new(anchors).unwrap();
        let text = BundleText::read(bundle.to_pem());
        prop_assert_eq!(text.defects(), &[]);
        prop_assert_eq!(text.as_read_by(Rules::Proxy), Ok(&bundle));
        prop_assert_eq!(text.as_read_by(Rules::Controller), Ok(&bundle));
    }
}

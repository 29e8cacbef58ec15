//! A PEM text without whatever is no certificate in it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::pki::Certificate;

/// Takes base64 in whatever form one of the readers takes it.
const LOOSE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The most that a label may have to be kept.
const LABEL: usize = 32;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// The text with its certificates as they are; every other letter in it is replaced by one that says nothing, so that line ends,
/// marks and what is wrong with them stay.
#[must_use]
pub fn certificates_alone(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut inside = false;
    while let Some(line) = rest.split_inclusive('\n').next() {
        rest = &rest[line.len()..];
        let (masked, open) = masked(line, inside);
        kept.push_str(&masked);
        inside = open;
        if line.trim_end().ends_with(BEGIN)
            && let Some(length) = certificate(rest)
        {
            kept.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    kept
}

/// The length of the lines that come first, where they are the contents of a certificate's block.
fn certificate(rest: &str) -> Option<usize> {
    let length = rest.find("-----")?;
    let contents = &rest[..length];
    let base64: String = contents.split_whitespace().collect();
    let der = LOOSE.decode(base64).ok()?;
    Certificate::from_der(&der).ok()?;
    Some(contents.rfind('\n')? + 1)
}

/// A line with its letters replaced, and whether a block is open after it.
fn masked(line: &str, mut inside: bool) -> (String, bool) {
    let mut parts = Vec::new();
    for (at, part) in line.split("-----").enumerate() {
        let label = part.strip_prefix("BEGIN ").or_else(|| part.strip_prefix("END "));
        let Some(label) = label.filter(|_| at > 0) else {
            parts.push(part.chars().map(|letter| mask(letter, inside)).collect());
            continue;
        };
        let word = &part[..part.len() - label.len()];
        inside = word == "BEGIN ";
        let (label, line_end) = label.split_at(label.trim_end().len());
        let label = if is_label(label) { label.to_owned() } else { "X".repeat(label.len()) };
        parts.push(format!("{word}{label}{line_end}"));
    }
    (parts.join("-----"), inside)
}

/// Is it what stands in a mark, and short enough to be no secret?
fn is_label(label: &str) -> bool {
    let is_of_a_word = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == ' ';
    label.len() <= LABEL && label.chars().all(is_of_a_word)
}

fn mask(letter: char, inside: bool) -> String {
    match letter {
        ' ' | '\t' | '\r' | '\n' | '-' | ':' | '=' | '\u{feff}' => letter.to_string(),
        'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/' if inside => "A".to_owned(),
        // No letter of base64, and as long as it was.
        _ if inside => "~".repeat(letter.len_utf8()),
        _ => "x".repeat(letter.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{BundleText, Rules};

    fn anchor() -> String {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_bundle_stays_as_it_is() {
        let [one, other] = [anchor(), anchor()];
        for text in
            [one.clone(), format!("{one}{other}"), one.replace('\n', "\r\n"), String::new(), "\n\n".into()]
        {
            assert_eq!(certificates_alone(&text), text);
        }
    }

    #[test]
    fn everything_else_goes_and_the_defects_stay() {
        let anchor = anchor();
        let key = "MIGHAgEAMBMGByqGSM49";
        for text in [
            format!("{anchor}# password: {key}\n"),
            format!("{key}\n{anchor}"),
            format!("{anchor}-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n{anchor}"),
            format!("-----BEGIN CERTIFICATE-----\n{key}\n-----END CERTIFICATE-----\n{anchor}"),
            format!("-----BEGIN CERTIFICATE-----\n{key}é\n-----END CERTIFICATE-----\n{anchor}"),
            format!("-----BEGIN CERTIFICATE-----\n{key}\n{anchor}"),
            format!("-----BEGIN A----------END A-----{key}\n{anchor}"),
            format!("-----BEGIN CERTIFICATE-----\nX: {key}\n-----END CERTIFICATE-----\n{anchor}"),
            format!("{key}{anchor}"),
            format!("END \n{key}\n{anchor}"),
            format!("-----BEGIN {key}\n{anchor}"),
            format!("{anchor}-----BEGIN A {key}é\n"),
            format!("{anchor}-----BEGIN {key}{key}{key}-----\n"),
        ] {
            let kept = certificates_alone(&text);
            assert!(!kept.contains(key) && kept.len() == text.len(), "{kept}");
            assert_eq!(certificates_alone(&kept), kept);
            let [before, after] = [&text, &kept].map(|text| BundleText::read(text.as_str()));
            let kinds = |text: &BundleText| {
                let defects = text.defects().iter();
                defects.map(|defect| (defect.line, std::mem::discriminant(&defect.kind))).collect::<Vec<_>>()
            };
            assert_eq!(kinds(&before), kinds(&after), "{text}{kept}");
            for rules in [Rules::Proxy, Rules::Controller] {
                assert_eq!(before.as_read_by(rules).ok(), after.as_read_by(rules).ok(), "{text}{kept}");
            }
        }
    }
}

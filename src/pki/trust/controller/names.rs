//! Distinguished and alternative names, as strictly as Go's `crypto/x509` reads them.

use super::certificate::Error;
use super::constraints::Names;
use super::uri;
use crate::pki::der::{Reader, SEQUENCE, SET, UTF8_STRING};
use crate::printable::escaped;

const NUMERIC_STRING: u8 = 18;
const PRINTABLE_STRING: u8 = 19;
const T61_STRING: u8 = 20;
const IA5_STRING: u8 = 22;
const BMP_STRING: u8 = 30;

/// The last common name of a distinguished name, else its first organization; for people, so hidden characters are escaped.
pub(super) fn parse(contents: &[u8]) -> Result<Option<String>, Error> {
    let (mut common_name, mut organization) = (None, None);
    let mut sets = Reader(contents);
    while !sets.is_empty() {
        let mut set = sets.nested(SET).ok_or("x509: invalid RDNSequence")?;
        while !set.is_empty() {
            let mut attribute = set.nested(SEQUENCE).ok_or("x509: invalid RDNSequence: invalid attribute")?;
            let kind = attribute.oid().ok_or("x509: invalid RDNSequence: invalid attribute type")?;
            let value = attribute.any().ok_or("x509: invalid RDNSequence: invalid attribute value")?;
            let text = string(value.tag, value.contents)
                .ok_or("x509: invalid RDNSequence: invalid attribute value")?;
            match kind {
                [0x55, 4, 3] => common_name = Some(text),
                [0x55, 4, 10] if organization.is_none() => organization = Some(text),
                _ => {}
            }
        }
    }
    let name = common_name.filter(|name| !name.is_empty()).or(organization);
    Ok(name.map(|name| escaped(&name).into_owned()))
}

fn string(tag: u8, value: &[u8]) -> Option<String> {
    let ascii = |allowed: fn(&u8) -> bool| {
        value.iter().all(allowed).then(|| String::from_utf8_lossy(value).into_owned())
    };
    match tag {
        UTF8_STRING => String::from_utf8(value.to_vec()).ok(),
        PRINTABLE_STRING => ascii(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(byte)),
        IA5_STRING => ascii(u8::is_ascii),
        NUMERIC_STRING => ascii(|byte| byte.is_ascii_digit() || *byte == b' '),
        T61_STRING => Some(value.iter().map(|byte| char::from(*byte)).collect()),
        BMP_STRING => bmp(value),
        _ => None,
    }
}

fn bmp(value: &[u8]) -> Option<String> {
    let (pairs, []) = value.as_chunks::<2>() else { return None };
    let units = pairs.strip_suffix(&[[0, 0]]).unwrap_or(pairs).iter().map(|pair| u16::from_be_bytes(*pair));
    let forbidden = |unit: u16| matches!(unit, 0xfffe | 0xffff | 0xfdd0..=0xfdef);
    units.map(|unit| char::from_u32(unit.into()).filter(|_| !forbidden(unit))).collect()
}

/// The subject alternative name (RFC 5280 4.2.1.6).
pub(super) fn alternative(value: &[u8]) -> Result<Names, Error> {
    let mut list = Reader(value).nested(SEQUENCE).ok_or("x509: invalid subject alternative names")?;
    let mut names = Names::default();
    while !list.is_empty() {
        let name = list.any().ok_or("x509: invalid subject alternative name")?;
        let text = || ia5(name.contents);
        match name.tag ^ 0x80 {
            1 => names.emails.push(text().ok_or("x509: SAN rfc822Name is malformed")?),
            2 => names.dns.push(text().ok_or("x509: SAN dNSName is malformed")?),
            6 => {
                let uri = text().ok_or("x509: SAN uniformResourceIdentifier is malformed")?;
                let host = uri::host(&uri).ok_or("x509: cannot parse URI")?;
                if !domain_is_valid(host, false) {
                    return Err("x509: cannot parse URI: invalid domain");
                }
                names.uris.push(uri);
            }
            7 if matches!(name.contents.len(), 4 | 16) => names.ips.push(name.contents.to_vec()),
            7 => return Err("x509: cannot parse IP address"),
            _ => {}
        }
    }
    Ok(names)
}

/// The text of an IA5String.
pub(super) fn ia5(bytes: &[u8]) -> Option<String> {
    bytes.is_ascii().then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// Go's `matchHostnames`: labels without regard to case, the first of a pattern may be `*`.
pub(super) fn covers(pattern: &str, host: &str) -> bool {
    let labels = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let (pattern, host) = (labels(pattern), labels(host));
    let below = |name: &str| name.split_once('.').map(|(_, rest)| rest.to_owned());
    let wild = pattern.starts_with("*.") && below(&pattern) == below(&host);
    !host.is_empty() && (pattern == host || wild)
}

/// Go's `domainNameValid`: printable ASCII in labels that are not empty, no dot at the end.
pub(super) fn domain_is_valid(name: &str, constraint: bool) -> bool {
    let labels = if constraint { name.strip_prefix('.').unwrap_or(name) } else { name };
    name.is_empty()
        || !name.ends_with('.')
            && labels.bytes().all(|byte| (33..=126).contains(&byte))
            && labels.split('.').all(|label| !label.is_empty())
}

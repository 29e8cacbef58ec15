//! A certificate as Go's `crypto/x509` parses it (`parser.go` of Go 1.26): what it refuses and what it keeps.

use std::borrow::Cow;

use jiff::Timestamp;

use super::algorithm::{Algorithm, Key};
use super::constraints::{Constraints, Names};
use super::names;
use crate::pki::der::{
    BOOLEAN, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, UTC_TIME, context,
    context_constructed,
};

/// Go's parse error, in its own words.
pub(super) type Error = &'static str;

/// The parts of a certificate that Go's verification looks at.
pub(super) struct GoCertificate<'a> {
    pub(super) der: &'a [u8],
    pub(super) tbs: &'a [u8],
    pub(super) signature: Cow<'a, [u8]>,
    pub(super) version: u64,
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) spki: &'a [u8],
    pub(super) key: Key<'a>,
    pub(super) algorithm: Algorithm,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// The name that Go's error texts give it.
    pub(super) name: String,
    /// The issuer's common name or organization.
    pub(super) issuer_name: String,
    pub(super) extensions: Extensions<'a>,
}

/// What the extensions say; the default is a certificate without any.
#[derive(Default)]
pub(super) struct Extensions<'a> {
    pub(super) basic_constraints: Option<BasicConstraints>,
    /// The bits of the key usage; 0 where the extension is missing.
    pub(super) key_usage: u16,
    /// Contents of the extended key usages' identifiers; empty where the extension is missing.
    pub(super) usages: Vec<&'a [u8]>,
    pub(super) subject_alt_name: Option<&'a [u8]>,
    pub(super) names: Names,
    pub(super) constraints: Option<Constraints>,
    pub(super) subject_key_id: &'a [u8],
    pub(super) authority_key_id: &'a [u8],
    pub(super) unhandled_critical: bool,
    /// It constrains or maps certificate policies.
    pub(super) policies: bool,
}

#[derive(Clone, Copy)]
pub(super) struct BasicConstraints {
    pub(super) is_ca: bool,
    pub(super) path_len: Option<u64>,
}

/// keyCertSign in [`Extensions::key_usage`].
pub(super) const CERT_SIGN: u16 = 1 << 5;

impl GoCertificate<'_> {
    pub(super) fn has_names(&self) -> bool {
        self.extensions.subject_alt_name.is_some()
    }

    pub(super) fn is_ca(&self) -> bool {
        self.extensions.basic_constraints.is_some_and(|constraints| constraints.is_ca)
    }
}

/// `x509.ParseCertificate`.
pub(super) fn parse(der: &[u8]) -> Result<GoCertificate<'_>, Error> {
    const MALFORMED: Error = "x509: malformed certificate";
    let mut outer = Reader(der);
    let mut certificate = outer.nested(SEQUENCE).ok_or(MALFORMED)?;
    let tbs = certificate.element(SEQUENCE).ok_or("x509: malformed tbs certificate")?;
    let mut fields = Reader(tbs.contents);
    let version = version(&mut fields)?;
    let serial = fields.integer().ok_or("x509: malformed serial number")?;
    if serial[0] & 0x80 != 0 {
        return Err("x509: negative serial number");
    }
    let inner = fields.read(SEQUENCE).ok_or("x509: malformed signature algorithm identifier")?;
    let signed_with = certificate.read(SEQUENCE).ok_or("x509: malformed algorithm identifier")?;
    if inner != signed_with {
        return Err("x509: inner and outer signature algorithm identifiers don't match");
    }
    let algorithm = Algorithm::parse(inner)?;
    let issuer = fields.element(SEQUENCE).ok_or("x509: malformed issuer")?;
    let issuer_name = names::parse(issuer.contents)?.unwrap_or_else(|| "(no common name)".to_owned());
    let mut validity = fields.nested(SEQUENCE).ok_or("x509: malformed validity")?;
    let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
    let subject = fields.element(SEQUENCE).ok_or("x509: malformed issuer")?;
    let name = names::parse(subject.contents)?.unwrap_or_else(|| format!("serial:{}", decimal(serial)));
    let spki = fields.element(SEQUENCE).ok_or("x509: malformed spki")?;
    let key = Key::parse(spki.contents)?;
    let extensions = if version == 1 { Extensions::default() } else { after_key(&mut fields, version)? };
    let signature = certificate.right_aligned().ok_or("x509: malformed signature")?;
    if !outer.is_empty() {
        return Err("x509: trailing data");
    }
    Ok(GoCertificate {
        der,
        tbs: tbs.whole,
        signature,
        version,
        issuer: issuer.whole,
        subject: subject.whole,
        spki: spki.whole,
        key,
        algorithm,
        not_before,
        not_after,
        name,
        issuer_name,
        extensions,
    })
}

fn version(fields: &mut Reader<'_>) -> Result<u64, Error> {
    const MALFORMED: Error = "x509: malformed version";
    let version = match fields.optional(context_constructed(0)).ok_or(MALFORMED)? {
        None => 0,
        Some(contents) => {
            let mut reader = Reader(contents);
            reader.unsigned().filter(|_| reader.is_empty()).ok_or(MALFORMED)?
        }
    };
    if version > 2 { Err("x509: invalid version") } else { Ok(version + 1) }
}

fn time(reader: &mut Reader<'_>) -> Result<Timestamp, Error> {
    let element = reader.any().ok_or("x509: unsupported time format")?;
    let (digits, error) = match element.tag {
        UTC_TIME => (2, "x509: malformed UTCTime"),
        GENERALIZED_TIME => (4, "x509: malformed GeneralizedTime"),
        _ => return Err("x509: unsupported time format"),
    };
    instant(element.contents, digits).ok_or(error)
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`. An instant that no clock can express becomes the last that one can.
fn instant(text: &[u8], year_digits: usize) -> Option<Timestamp> {
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let (year, rest) = digits.split_at_checked(year_digits).filter(|(_, rest)| rest.len() == 10)?;
    let number =
        |digits: &[u8]| digits.iter().fold(0i16, |value, digit| value * 10 + i16::from(digit - b'0'));
    let year = match number(year) {
        year @ 0..50 if year_digits == 2 => 2000 + year,
        year if year_digits == 2 => 1900 + year,
        year => year,
    };
    let part = |at: usize| i8::try_from(number(&rest[at..at + 2])).unwrap_or(i8::MAX);
    let civil = jiff::civil::DateTime::new(year, part(0), part(2), part(4), part(6), part(8), 0).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp()))
}

fn after_key<'a>(fields: &mut Reader<'a>, version: u64) -> Result<Extensions<'a>, Error> {
    const MALFORMED: Error = "x509: malformed extensions";
    fields.optional(context(1)).ok_or("x509: malformed issuerUniqueID")?;
    fields.optional(context(2)).ok_or("x509: malformed subjectUniqueID")?;
    let mut extensions = Extensions::default();
    if version != 3 {
        return Ok(extensions);
    }
    let Some(contents) = fields.optional(context_constructed(3)).ok_or(MALFORMED)? else {
        return Ok(extensions);
    };
    let mut list = Reader(contents).nested(SEQUENCE).ok_or(MALFORMED)?;
    let mut parsed = Vec::new();
    while !list.is_empty() {
        let extension = extension(list.nested(SEQUENCE).ok_or("x509: malformed extension")?)?;
        if parsed.iter().any(|seen: &Extension<'_>| seen.id == extension.id) {
            return Err("x509: certificate contains duplicate extension");
        }
        parsed.push(extension);
    }
    parsed.iter().try_for_each(|extension| extensions.take(extension))?;
    Ok(extensions)
}

struct Extension<'a> {
    id: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

fn extension(mut fields: Reader<'_>) -> Result<Extension<'_>, Error> {
    let id = fields.oid().ok_or("x509: malformed extension OID field")?;
    let critical = if fields.peek(BOOLEAN) {
        fields.boolean().ok_or("x509: malformed extension critical field")?
    } else {
        false
    };
    let value = fields.read(OCTET_STRING).ok_or("x509: malformed extension value field")?;
    Ok(Extension { id, critical, value })
}

/// authorityInfoAccess (RFC 5280 4.2.2.1).
const AUTHORITY_INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];

impl<'a> Extensions<'a> {
    fn take(&mut self, extension: &Extension<'a>) -> Result<(), Error> {
        let &Extension { id, critical, value } = extension;
        let mut handled = true;
        match id {
            [0x55, 0x1d, 14] => self.subject_key_id = subject_key_id(value, critical)?,
            [0x55, 0x1d, 15] => self.key_usage = key_usage(value).ok_or("x509: invalid key usage")?,
            [0x55, 0x1d, 17] => {
                self.names = names::alternative(value)?;
                self.subject_alt_name = Some(value);
                handled = !self.names.is_empty();
            }
            [0x55, 0x1d, 19] => {
                let constraints = basic_constraints(value).ok_or("x509: invalid basic constraints")?;
                self.basic_constraints = Some(constraints);
            }
            [0x55, 0x1d, 30] => {
                let (constraints, understood) = Constraints::parse(value)?;
                self.constraints = Some(constraints);
                handled = understood;
            }
            [0x55, 0x1d, 31] => distribution_points(value).ok_or("x509: invalid CRL distribution points")?,
            [0x55, 0x1d, 32] => policies(value).ok_or("x509: invalid certificate policies")?,
            [0x55, 0x1d, 33] => {
                policy_mappings(value).ok_or("x509: invalid policy mappings extension")?;
                self.policies = true;
            }
            [0x55, 0x1d, 36] => {
                policy_constraints(value).ok_or("x509: invalid policy constraints extension")?;
                self.policies = true;
            }
            [0x55, 0x1d, 35] => self.authority_key_id = authority_key_id(value, critical)?,
            [0x55, 0x1d, 37] => self.usages = usages(value).ok_or("x509: invalid extended key usages")?,
            [0x55, 0x1d, 54] => {
                Reader(value).integer().ok_or("x509: invalid inhibit any policy extension")?;
            }
            _ if id == AUTHORITY_INFO_ACCESS && critical => {
                return Err("x509: authority info access incorrectly marked critical");
            }
            _ => handled = id == AUTHORITY_INFO_ACCESS,
        }
        self.unhandled_critical |= critical && !handled;
        Ok(())
    }
}

fn key_usage(value: &[u8]) -> Option<u16> {
    let (bytes, _) = Reader(value).bits()?;
    let bit = |place: usize| bytes.get(place / 8).is_some_and(|byte| byte & (0x80 >> (place % 8)) != 0);
    Some((0..9).filter(|place| bit(*place)).fold(0, |usage, place| usage | 1 << place))
}

fn basic_constraints(value: &[u8]) -> Option<BasicConstraints> {
    let mut fields = Reader(value).nested(SEQUENCE)?;
    let is_ca = fields.peek(BOOLEAN).then(|| fields.boolean());
    let is_ca = is_ca.unwrap_or(Some(false))?;
    let path_len = fields.peek(INTEGER).then(|| fields.unsigned());
    let path_len = match path_len {
        Some(length) => Some(length.filter(|length| i64::try_from(*length).is_ok())?),
        None => None,
    };
    Some(BasicConstraints { is_ca, path_len })
}

fn subject_key_id(value: &[u8], critical: bool) -> Result<&[u8], Error> {
    if critical {
        return Err("x509: subject key identifier incorrectly marked critical");
    }
    Reader(value).read(OCTET_STRING).ok_or("x509: invalid subject key identifier")
}

fn authority_key_id(value: &[u8], critical: bool) -> Result<&[u8], Error> {
    if critical {
        return Err("x509: authority key identifier incorrectly marked critical");
    }
    let id = Reader(value).nested(SEQUENCE).and_then(|mut fields| fields.optional(context(0)));
    Ok(id.ok_or("x509: invalid authority key identifier")?.unwrap_or_default())
}

fn usages(value: &[u8]) -> Option<Vec<&[u8]>> {
    let mut list = Reader(value).nested(SEQUENCE)?;
    let mut usages = Vec::new();
    while !list.is_empty() {
        usages.push(list.oid()?);
    }
    Some(usages)
}

fn distribution_points(value: &[u8]) -> Option<()> {
    let mut list = Reader(value).nested(SEQUENCE)?;
    while !list.is_empty() {
        let name = list.nested(SEQUENCE)?.optional(context_constructed(0))?;
        let mut full = match name {
            Some(name) => Reader(name).nested(context_constructed(0))?,
            None => continue,
        };
        while full.peek(context(6)) {
            full.read(context(6))?;
        }
    }
    Some(())
}

fn policies(value: &[u8]) -> Option<()> {
    let mut list = Reader(value).nested(SEQUENCE)?;
    let mut seen = Vec::new();
    while !list.is_empty() {
        let policy = list.nested(SEQUENCE)?.read(OID)?;
        if policy.is_empty() || seen.contains(&policy) {
            return None;
        }
        seen.push(policy);
    }
    Some(())
}

fn policy_mappings(value: &[u8]) -> Option<()> {
    let mut list = Reader(value).nested(SEQUENCE)?;
    while !list.is_empty() {
        let mut pair = list.nested(SEQUENCE)?;
        pair.read(OID)?;
        pair.read(OID)?;
    }
    Some(())
}

fn policy_constraints(value: &[u8]) -> Option<()> {
    let mut fields = Reader(value).nested(SEQUENCE)?;
    fields.optional(context(0))?;
    fields.optional(context(1))?;
    Some(())
}

/// The decimal form of an integer that is not negative.
fn decimal(bytes: &[u8]) -> String {
    let mut digits = vec![0u8];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = u8::try_from(value % 10).unwrap_or(0);
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or(0));
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

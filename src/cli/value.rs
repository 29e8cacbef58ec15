//! Durations, instants and names as people type them.

use std::ffi::OsStr;
use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use crate::finding::Fact;

/// How long a certificate is valid: calendar units count as a calendar does.
#[derive(Debug, Clone, Copy)]
pub struct Lifetime(Span);

impl Lifetime {
    /// The instant this long after `start`, in UTC; `None` past the end of time.
    #[must_use]
    pub fn after(&self, start: Timestamp) -> Option<Timestamp> {
        start.to_zoned(TimeZone::UTC).checked_add(self.0).ok().map(|zoned| zoned.timestamp())
    }
}

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span: Span =
            text.parse().map_err(|_| format!("`{text}` is not a duration such as 10y, 365d or 8760h"))?;
        if !span.is_positive() {
            return Err(format!("`{text}` is not in the future"));
        }
        Ok(Self(span))
    }
}

/// The group of an `issuerRef` that names none.
const CERT_MANAGER: &str = "cert-manager.io";

/// What `issuerRef` names: an Issuer or ClusterIssuer of cert-manager, or an issuer of another group, as kubectl writes it.
#[derive(Debug, Clone)]
pub struct Signer {
    /// `Issuer`, `ClusterIssuer`, or such as `AWSPCAClusterIssuer`.
    pub kind: String,
    /// Its API group, where that is not cert-manager's own.
    pub group: Option<String>,
    /// Its name.
    pub name: String,
}

impl FromStr for Signer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "`{text}` is not a name such as ClusterIssuer/linkerd-2027 or, of another API group, \
                 AWSPCAClusterIssuer.awspca.cert-manager.io/linkerd-2027"
            )
        };
        let (kind, name) = text.split_once('/').ok_or_else(wrong)?;
        let (kind, group) = match kind.split_once('.') {
            Some((kind, group)) => (kind, Some(without_version(group))),
            None => (kind, None),
        };
        let is_kind = kind.starts_with(|first: char| first.is_ascii_uppercase())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_own = group.is_none_or(|group| group == CERT_MANAGER);
        if is_own && !["ClusterIssuer", "Issuer"].contains(&kind)
            || !is_kind
            || !is_subdomain(name)
            || !group.is_none_or(|group| group.contains('.') && is_subdomain(group))
        {
            return Err(wrong());
        }
        let group = group.filter(|_| !is_own).map(str::to_owned);
        Ok(Self { kind: kind.to_owned(), group, name: name.to_owned() })
    }
}

/// A group without the version that kubectl lets stand before it (`KIND.VERSION.GROUP`); `issuerRef` has none.
fn without_version(group: &str) -> &str {
    match group.split_once('.') {
        Some((version, group))
            if version.starts_with('v') && version[1..].starts_with(|first: char| first.is_ascii_digit()) =>
        {
            group
        }
        _ => group,
    }
}

/// A DNS subdomain, as Kubernetes asks for it (RFC 1123).
fn is_subdomain(name: &str) -> bool {
    let is_part = |part: &str| {
        let inner =
            part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        inner && !part.is_empty() && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_part)
}

/// A length of time, days counted as 24 hours.
pub(super) fn duration(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("`{text}` is not a duration such as 60d or 720h");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    if length.is_negative() { Err(format!("`{text}` is negative")) } else { Ok(length) }
}

/// The time between two looks at a cluster, which shall not be kept busy by them.
pub(super) fn interval(text: &str) -> Result<SignedDuration, String> {
    match duration(text)? {
        length if length < SignedDuration::from_secs(5) => Err(format!("`{text}` is less than 5s")),
        length => Ok(length),
    }
}

/// An instant, or the midnight in UTC that begins a date.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    text.parse()
        .or_else(|_| text.parse::<Date>().and_then(midnight))
        .map_err(|_| format!("`{text}` is not a time such as 2026-11-23T02:00:00Z or 2026-11-23"))
}

/// The code of a finding. One that is wrong is answered with those like it, and not with all there are.
#[derive(Debug, Clone)]
pub(super) struct Code;

impl TypedValueParser for Code {
    type Value = String;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        PossibleValuesParser::new(Fact::codes()).parse_ref(cmd, arg, value).map_err(|mut error| {
            error.remove(ContextKind::ValidValue);
            if error.get(ContextKind::SuggestedValue).is_none() {
                let all = "`kubectl l5d-rotate explain` lists all codes".into();
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![all]));
            }
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Fact::codes().into_iter().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkerd;

    #[test]
    fn ten_years_are_ten_calendar_years() {
        let start: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        let end = "10y".parse::<Lifetime>().unwrap().after(start).unwrap();
        assert_eq!(end.to_string(), "2036-11-23T02:00:00Z");
    }

    #[test]
    fn durations_need_a_unit_and_a_direction() {
        assert!("3650".parse::<Lifetime>().is_err());
        assert!("-1d".parse::<Lifetime>().is_err());
        assert!(duration("-60d").is_err());
        assert_eq!(duration(linkerd::EXPIRY_THRESHOLD_TYPED).unwrap(), linkerd::EXPIRY_THRESHOLD);
    }

    #[test]
    fn a_date_is_its_midnight_in_utc() {
        assert_eq!(instant("2026-11-23").unwrap().to_string(), "2026-11-23T00:00:00Z");
        assert!(instant("tomorrow").is_err());
    }
}

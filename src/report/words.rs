//! Times, counts and colours as people read them.

use anstyle::Style;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::cli::DataFormat;
use crate::document::yaml;

/// An instant with its distance from `at`: `2027-01-01 02:00 UTC (in 39 days)`.
#[must_use]
pub fn when(instant: Timestamp, at: Timestamp) -> String {
    let date = instant.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string();
    let seconds = instant.as_second() - at.as_second();
    let distance = match seconds.abs() {
        s if s < 60 => return format!("{date} (now)"),
        s if s < 120 => format!("{s} seconds"),
        s if s < 2 * 3600 => format!("{} minutes", s / 60),
        s if s < 2 * 86400 => format!("{} hours", s / 3600),
        s if s < 2 * 365 * 86400 => format!("{} days", s / 86400),
        s => format!("{} years", s / (365 * 86400)),
    };
    if seconds < 0 { format!("{date} ({distance} ago)") } else { format!("{date} (in {distance})") }
}

/// A number of things: `1 proxy`, `1,204 proxies`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if number == 1 { one } else { many })
}

/// Text in a style; the escape codes are taken out again where nobody sees colour.
#[must_use]
pub fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A value as JSON or YAML, where one of them was asked for.
#[must_use]
pub fn as_data<T: Serialize + ?Sized>(format: DataFormat, value: &T) -> Option<String> {
    // Reports are trees of strings, numbers and lists: such a value always has a JSON form.
    let tree = serde_json::to_value(value).unwrap_or_default();
    match format {
        DataFormat::Text => None,
        DataFormat::Json => Some(format!("{tree:#}\n")),
        DataFormat::Yaml => Some(yaml::write(&tree)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_tell_how_far_they_are() {
        let at: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        let of = |text: &str| when(text.parse().unwrap(), at);
        assert_eq!(of("2026-11-23T02:00:00Z"), "2026-11-23 02:00 UTC (now)");
        assert_eq!(of("2026-11-23T02:01:30Z"), "2026-11-23 02:01 UTC (in 90 seconds)");
        assert_eq!(of("2026-11-22T01:00:00Z"), "2026-11-22 01:00 UTC (25 hours ago)");
        assert_eq!(of("2027-01-01T02:00:00Z"), "2027-01-01 02:00 UTC (in 39 days)");
        assert_eq!(of("2036-11-23T02:00:00Z"), "2036-11-23 02:00 UTC (in 10 years)");
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(count(1, "proxy", "proxies"), "1 proxy");
        assert_eq!(count(1_204_000, "proxy", "proxies"), "1,204,000 proxies");
    }
}

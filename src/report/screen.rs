//! Instants as people read them: in their own time zone, with UTC beside it.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// The instant that a report is of, and the time zone of who reads it.
#[derive(Debug, Clone)]
pub struct Screen {
    /// The instant.
    pub at: Timestamp,
    /// The zone; where it agrees with UTC, UTC alone is shown.
    pub zone: TimeZone,
    /// In columns.
    pub width: usize,
}

/// What is shown of the seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seconds {
    Never,
    UnlessZero,
}

/// The width of a screen that does not tell it, in columns.
pub const WIDTH: usize = 80;

impl Screen {
    /// A clock that shows UTC alone: what programs read is the same everywhere.
    #[must_use]
    pub const fn utc(at: Timestamp) -> Self {
        Self { at, zone: TimeZone::UTC, width: WIDTH }
    }

    /// An instant to the minute with its distance: `2027-01-01 03:00 CET (02:00Z, in 39 days)`.
    #[must_use]
    pub fn when(&self, instant: Timestamp) -> String {
        self.with_distance(instant, Seconds::Never)
    }

    /// The day of an instant.
    #[must_use]
    pub fn date(&self, instant: Timestamp) -> String {
        instant.to_zoned(self.zone.clone()).strftime("%Y-%m-%d").to_string()
    }

    /// The same to the second, for an instant that is waited for.
    #[must_use]
    pub fn exactly(&self, instant: Timestamp) -> String {
        self.with_distance(instant, Seconds::UnlessZero)
    }

    /// The instant of the screen itself, to the second.
    #[must_use]
    pub fn exactly_at(&self) -> String {
        let second = Timestamp::from_second(self.at.as_second()).unwrap_or(self.at);
        second.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// An instant without its distance, for what is read later: `2027-01-01 03:00 CET (02:00Z)`.
    #[must_use]
    pub fn plain(&self, instant: Timestamp) -> String {
        match shown(instant, &self.zone, Seconds::UnlessZero) {
            (local, Some(utc)) => format!("{local} ({utc})"),
            (utc, None) => utc,
        }
    }

    /// How far an instant is away: `in 39 days`, `4 hours ago`.
    #[must_use]
    pub fn distance(&self, instant: Timestamp) -> String {
        distance(instant, self.at)
    }

    /// Text in lines between words; the marks in `first` may be coloured, and stand in as many columns as `rest`.
    #[must_use]
    pub fn wrapped(&self, text: &str, first: &str, rest: &str) -> String {
        let (mut out, mut width) = (first.to_owned(), rest.chars().count());
        let mut fresh = true;
        for word in text.split(' ') {
            let length = word.chars().count();
            if !fresh && width + 1 + length > self.width {
                out.push_str(&format!("\n{rest}"));
                (width, fresh) = (rest.chars().count(), true);
            }
            if !fresh {
                out.push(' ');
                width += 1;
            }
            out.push_str(word);
            (width, fresh) = (width + length, false);
        }
        out.push('\n');
        out
    }

    fn with_distance(&self, instant: Timestamp, seconds: Seconds) -> String {
        let distance = distance(instant, self.at);
        match shown(instant, &self.zone, seconds) {
            (local, Some(utc)) => format!("{local} ({utc}, {distance})"),
            (utc, None) => format!("{utc} ({distance})"),
        }
    }
}

/// An instant in a zone, and in UTC where that is something else: there the date stands only where it is another one.
fn shown(instant: Timestamp, zone: &TimeZone, seconds: Seconds) -> (String, Option<String>) {
    let (local, utc) = (instant.to_zoned(zone.clone()), instant.to_zoned(TimeZone::UTC));
    let time = match seconds {
        Seconds::UnlessZero if instant.subsec_nanosecond() != 0 || utc.second() != 0 => "%H:%M:%S%.f",
        Seconds::UnlessZero | Seconds::Never => "%H:%M",
    };
    let written = |zoned: &Zoned, format: &str| zoned.strftime(format).to_string();
    if local.offset().is_zero() {
        return (written(&utc, &format!("%Y-%m-%d {time} UTC")), None);
    }
    let date = if local.date() == utc.date() { "" } else { "%Y-%m-%d " };
    (written(&local, &format!("%Y-%m-%d {time} %Z")), Some(written(&utc, &format!("{date}{time}Z"))))
}

/// `in 39 days`, `2 years ago`, `now`.
fn distance(instant: Timestamp, at: Timestamp) -> String {
    let seconds = instant.as_second() - at.as_second();
    let distance = match seconds.abs() {
        s if s < 60 => return "now".to_owned(),
        s if s < 120 => format!("{s} seconds"),
        s if s < 2 * 3600 => format!("{} minutes", s / 60),
        s if s < 2 * 86400 => format!("{} hours", s / 3600),
        s if s < 2 * 365 * 86400 => format!("{} days", s / 86400),
        s => format!("{} years", s / (365 * 86400)),
    };
    if seconds < 0 { format!("{distance} ago") } else { format!("in {distance}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central European time by its rule, so that no database of zones is needed.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";

    fn clock(zone: &str) -> Screen {
        let zone = if zone.is_empty() { TimeZone::UTC } else { TimeZone::posix(zone).unwrap() };
        Screen { at: "2026-11-23T02:00:00Z".parse().unwrap(), zone, width: WIDTH }
    }

    fn when(zone: &str, instant: &str) -> String {
        clock(zone).when(instant.parse().unwrap())
    }

    #[test]
    fn instants_tell_how_far_they_are() {
        assert_eq!(when("", "2026-11-23T02:00:00Z"), "2026-11-23 02:00 UTC (now)");
        assert_eq!(when("", "2026-11-23T02:01:30Z"), "2026-11-23 02:01 UTC (in 90 seconds)");
        assert_eq!(when("", "2026-11-22T01:00:00Z"), "2026-11-22 01:00 UTC (25 hours ago)");
        assert_eq!(when("", "2027-01-01T02:00:00Z"), "2027-01-01 02:00 UTC (in 39 days)");
        assert_eq!(when("", "2036-11-23T02:00:00Z"), "2036-11-23 02:00 UTC (in 10 years)");
    }

    #[test]
    fn utc_stands_beside_the_readers_time_with_its_date_where_that_is_another() {
        assert_eq!(when(BERLIN, "2026-11-24T02:00:00Z"), "2026-11-24 03:00 CET (02:00Z, in 24 hours)");
        assert_eq!(
            when(BERLIN, "2026-11-23T23:30:00Z"),
            "2026-11-24 00:30 CET (2026-11-23 23:30Z, in 21 hours)"
        );
        assert_eq!(
            when(NEW_YORK, "2026-11-24T02:00:00Z"),
            "2026-11-23 21:00 EST (2026-11-24 02:00Z, in 24 hours)"
        );
    }

    #[test]
    fn the_offset_is_that_of_the_instant_and_not_of_now() {
        assert_eq!(when(BERLIN, "2027-07-01T12:00:00Z"), "2027-07-01 14:00 CEST (12:00Z, in 220 days)");
        // The hour that the clocks show twice.
        assert_eq!(when(BERLIN, "2026-10-25T00:30:00Z"), "2026-10-25 02:30 CEST (00:30Z, 29 days ago)");
        assert_eq!(when(BERLIN, "2026-10-25T01:30:00Z"), "2026-10-25 02:30 CET (01:30Z, 29 days ago)");
    }

    #[test]
    fn a_zone_that_agrees_with_utc_is_not_said_twice() {
        let london = "GMT0BST,M3.5.0/1,M10.5.0";
        assert_eq!(when(london, "2026-11-24T02:00:00Z"), "2026-11-24 02:00 UTC (in 24 hours)");
        assert_eq!(when(london, "2027-07-01T12:00:00Z"), "2027-07-01 13:00 BST (12:00Z, in 220 days)");
    }

    #[test]
    fn what_is_read_later_tells_no_distance() {
        let plain = |zone, instant: &str| clock(zone).plain(instant.parse().unwrap());
        assert_eq!(plain("", "2026-11-24T02:00:20Z"), "2026-11-24 02:00:20 UTC");
        assert_eq!(plain(BERLIN, "2026-11-24T02:00:00Z"), "2026-11-24 03:00 CET (02:00Z)");
    }

    #[test]
    fn an_instant_that_is_waited_for_has_its_seconds() {
        let exactly = |zone, instant: &str| clock(zone).exactly(instant.parse().unwrap());
        assert_eq!(exactly("", "2026-11-24T02:00:20Z"), "2026-11-24 02:00:20 UTC (in 24 hours)");
        assert_eq!(exactly("", "2026-11-24T02:00:00Z"), "2026-11-24 02:00 UTC (in 24 hours)");
        assert_eq!(
            exactly(BERLIN, "2026-11-24T02:00:20Z"),
            "2026-11-24 03:00:20 CET (02:00:20Z, in 24 hours)"
        );
    }
}

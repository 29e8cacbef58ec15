//! Times as Kubernetes and Go write them.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// When an object's data last changed, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeTime {
    /// The latest `managedFields` entry that wrote `data`.
    At(Timestamp),
    /// Not before the object was created; `managedFields` are missing (kubectl strips them unless told otherwise).
    Since(Timestamp),
    /// Nothing tells.
    Unknown,
}

/// How long a kubelet may take to bring a changed Secret or ConfigMap into a volume of a running pod: its sync period of a
/// minute, and its cache of the object for another (Kubernetes, "Mounted ConfigMaps are updated automatically").
pub const KUBELET_LAG_SECONDS: i64 = 120;

/// When a volume of a pod that was there before surely shows what changed then: what starts until then may read what was there
/// before.
pub(super) fn mounted_by(changed: Timestamp) -> Timestamp {
    changed.checked_add(SignedDuration::from_secs(KUBELET_LAG_SECONDS)).unwrap_or(Timestamp::MAX)
}

/// How long after a change a pod may be created and still be given what was there before: its kubelet fetches what a new pod
/// refers to, or follows it by a watch (`pkg/kubelet/util/manager` in Kubernetes).
pub const WATCH_LAG_SECONDS: i64 = 10;

/// Until when a pod may be created, and be given what was there before a change then.
pub(super) fn given_by(changed: Timestamp) -> Timestamp {
    changed.checked_add(SignedDuration::from_secs(WATCH_LAG_SECONDS)).unwrap_or(Timestamp::MAX)
}

/// How long a replaced pod may go on answering after the container of its successor has started: until that is ready, and then
/// its grace period (30 s by Kubernetes' default).
const HANDOVER_SECONDS: i64 = 120;

/// When the pods surely have gone that those which started then replace.
#[must_use]
pub fn handed_over(started: Timestamp) -> Timestamp {
    started.checked_add(SignedDuration::from_secs(HANDOVER_SECONDS)).unwrap_or(Timestamp::MAX)
}

/// A duration in Go's notation: `24h0m0s`, `86400s`, `1.5h` (Go's `time.ParseDuration`); never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub SignedDuration);

/// The text is not a duration as Go writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration such as 24h0m0s")]
pub struct NotADuration(pub String);

impl GoDuration {
    /// A duration of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(SignedDuration::from_secs(seconds))
    }
}

impl FromStr for GoDuration {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotADuration(text.to_owned());
        let mut rest = text;
        let mut seconds = 0.0_f64;
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let (value, tail) = rest.split_at(number);
            let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let scale = match &tail[..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return Err(wrong()),
            };
            seconds += value.parse::<f64>().map_err(|_| wrong())? * scale;
            rest = &tail[unit..];
        }
        if text.is_empty() {
            return Err(wrong());
        }
        SignedDuration::try_from_secs_f64(seconds).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let fraction = format!(".{:09}", self.0.subsec_nanos());
        let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
        match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
            (0, 0, s) => write!(f, "{s}{fraction}s"),
            (0, m, s) => write!(f, "{m}m{s}{fraction}s"),
            (h, m, s) => write!(f, "{h}h{m}m{s}{fraction}s"),
        }
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them_and_written_so_that_nothing_is_lost() {
        for (text, written) in [
            ("24h0m0s", "24h0m0s"),
            ("86400s", "24h0m0s"),
            ("1.5h", "1h30m0s"),
            ("20s", "20s"),
            ("1m", "1m0s"),
            ("1500ms", "1.5s"),
            ("1m0.25s", "1m0.25s"),
            ("0s", "0s"),
        ] {
            let duration: GoDuration = text.parse().unwrap();
            assert_eq!(duration.to_string(), written);
            assert_eq!(written.parse(), Ok(duration));
        }
        for wrong in ["", "1", "h", "1d", "-1h", "1h 2m", "1.h.", "24"] {
            assert_eq!(wrong.parse::<GoDuration>(), Err(NotADuration(wrong.to_owned())));
        }
    }
}

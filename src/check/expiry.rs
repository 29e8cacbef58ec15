//! When an end is near, in absolute time and in shares of a lifetime.

use jiff::{SignedDuration, Timestamp};

use crate::pki::Certificate;

/// How much longer the certificate is valid; negative when it is over.
pub(super) fn remaining(certificate: &Certificate, at: Timestamp) -> SignedDuration {
    at.duration_until(certificate.facts().not_after)
}

/// How long the certificate is valid in all.
pub(super) fn lifetime(certificate: &Certificate) -> SignedDuration {
    certificate.facts().not_before.duration_until(certificate.facts().not_after)
}

/// Does the certificate end within `threshold`? One whose whole lifetime is shorter than that is judged by its share:
/// it is near its end in the last third, when whatever renews it should have done so.
pub(super) fn is_near(certificate: &Certificate, at: Timestamp, threshold: SignedDuration) -> bool {
    let lifetime = lifetime(certificate);
    let left = remaining(certificate, at);
    if lifetime < threshold { left < lifetime / 3 } else { left < threshold }
}

/// A duration as people say it: `12 days`, `16 hours`, `5 minutes`.
pub(super) fn in_words(duration: SignedDuration) -> String {
    let minutes = duration.as_mins();
    let (count, unit) = match minutes {
        m if m >= 48 * 60 => (m / (24 * 60), "days"),
        m if m >= 120 => (m / 60, "hours"),
        m => (m.max(0), "minutes"),
    };
    if count == 1 { format!("1 {}", unit.trim_end_matches('s')) } else { format!("{count} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_the_largest_unit_that_has_two() {
        let said = [90, 119 * 60, 120 * 60, 47 * 3600, 48 * 3600, 60 * 86400, -5]
            .map(|seconds| in_words(SignedDuration::from_secs(seconds)));
        assert_eq!(
            said,
            ["1 minute", "119 minutes", "2 hours", "47 hours", "2 days", "60 days", "0 minutes"]
        );
    }
}

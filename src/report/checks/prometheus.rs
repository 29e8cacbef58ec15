//! Check results as metrics: Prometheus' text format, which node_exporter's textfile collector and a push gateway take.

use std::collections::{BTreeMap, BTreeSet};

use super::success;
use crate::check::{Checked, InForce};
use crate::finding::{CertificateRole, Severity};
use crate::mesh::Mesh;
use crate::report::Screen;
use crate::report::status::{classes, distinct};

/// The metrics, each with what it is and its samples.
#[must_use]
pub fn prometheus(mesh: &Mesh, checks: &[Checked], screen: &Screen) -> String {
    let plane = &mesh.control_plane;
    let of = [("linkerd_namespace", plane.namespace.clone()), ("trust_domain", plane.trust_domain.clone())];
    let mut out = Metrics { of: of.to_vec(), text: String::new() };
    let seconds = screen.at.as_second();
    out.family(
        "l5d_rotate_check_timestamp_seconds",
        "When the mesh was looked at, in seconds since 1970.",
        &[(Vec::new(), seconds)],
    );
    let passed = i64::from(success(checks));
    out.family(
        "l5d_rotate_check_success",
        "1 where no check found an error, else 0.",
        &[(Vec::new(), passed)],
    );
    out.family(
        "l5d_rotate_certificate_expiry_timestamp_seconds",
        "When a certificate in force expires, in seconds since 1970.",
        &certificates(mesh),
    );
    out.family(
        "l5d_rotate_findings",
        "What the checks found, by code and severity; `kubectl l5d-rotate explain CODE` tells more.",
        &found(checks),
    );
    out.family(
        "l5d_rotate_proxies",
        "Running proxies by the trust bundle that they hold, seen from the published one.",
        &proxies(mesh),
    );
    out.text
}

type Labels = Vec<(&'static str, String)>;

fn certificates(mesh: &Mesh) -> Vec<(Labels, i64)> {
    let mut samples = Vec::new();
    for (role, certificate) in InForce::of(mesh).certificates {
        let role = match role {
            CertificateRole::TrustAnchor => "trust-anchor",
            CertificateRole::Issuer => "issuer",
            CertificateRole::Intermediate => "intermediate",
        };
        let labels = vec![
            ("role", role.to_owned()),
            ("name", certificate.name().to_owned()),
            ("fingerprint", certificate.fingerprint().to_string()),
        ];
        samples.push((labels, certificate.facts().not_after.as_second()));
    }
    samples
}

/// How often each code was found; each severity is there, so that an alert sees a zero and not nothing.
fn found(checks: &[Checked]) -> Vec<(Labels, i64)> {
    let mut counts: BTreeMap<(Severity, &str), i64> = BTreeMap::new();
    for found in distinct(checks) {
        *counts.entry((found.finding.severity, found.finding.code())).or_default() += 1;
    }
    for severity in [Severity::Error, Severity::Wait, Severity::Unknown, Severity::Warning, Severity::Note] {
        if !counts.keys().any(|(known, _)| *known == severity) {
            counts.insert((severity, ""), 0);
        }
    }
    let labels =
        |severity, code: &str| vec![("severity", word(severity).to_owned()), ("code", code.to_owned())];
    counts.into_iter().map(|((severity, code), count)| (labels(severity, code), count)).collect()
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Wait => "wait",
        Severity::Unknown => "unknown",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn proxies(mesh: &Mesh) -> Vec<(Labels, i64)> {
    let mut samples = Vec::new();
    for class in classes(mesh, None) {
        let bundle = class.bundle.map(|bundle| bundle.to_string()).unwrap_or_default();
        let labels = vec![("holds", class.holds.word().to_owned()), ("bundle", bundle)];
        samples.push((labels, i64::try_from(class.proxies).unwrap_or(i64::MAX)));
    }
    samples
}

struct Metrics {
    /// The labels of every sample: which mesh.
    of: Labels,
    text: String,
}

impl Metrics {
    /// A gauge; no two samples have the same labels.
    fn family(&mut self, name: &str, help: &str, samples: &[(Labels, i64)]) {
        self.text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        let mut told = BTreeSet::new();
        for (labels, value) in samples {
            let all = self.of.iter().chain(labels);
            let all: Vec<_> = all.map(|(key, text)| format!("{key}=\"{}\"", escaped(text))).collect();
            let labels = all.join(",");
            if told.insert(labels.clone()) {
                self.text.push_str(&format!("{name}{{{labels}}} {value}\n"));
            }
        }
    }
}

/// The value of a label, as the format has it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_ends_where_it_should() {
        assert_eq!(escaped("a\"} 1\n# HELP \\"), "a\\\"} 1\\n# HELP \\\\");
    }

    #[test]
    fn no_two_samples_have_the_same_labels() {
        let mut metrics = Metrics { of: vec![("a", "b".to_owned())], text: String::new() };
        let sample = (vec![("c", "d".to_owned())], 1);
        metrics.family("m", "What.", &[sample.clone(), sample]);
        assert_eq!(metrics.text, "# HELP m What.\n# TYPE m gauge\nm{a=\"b\",c=\"d\"} 1\n");
    }
}

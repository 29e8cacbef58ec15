//! The comment above a document: what it is, for which step, and the certificates in it.

use super::{Current, Edit, Rendered};
use crate::mesh::Mesh;
use crate::pki::Certificate;
use crate::printable::escaped;
use crate::rotation::{Direction, Phase, PhaseSpec, PlannedStep, Record};

/// What the heads of a step's documents have in common.
pub(super) struct Heads {
    /// Which step of which rotation.
    step: String,
    /// What a restart is for.
    aim: String,
}

impl Heads {
    pub(super) fn new(planned: &PlannedStep, mesh: &Mesh, record: &Record) -> Self {
        let step = format!("step {} of the rotation started {}", planned.step, record.started);
        Self {
            step: match record.direction {
                Direction::Forward => step,
                Direction::Rollback => format!("rollback of {step}"),
            },
            aim: aim(planned.step.phase, mesh, record),
        }
    }

    /// The lines, without the `#`. What comes from outside (names in certificates, notes) cannot begin a line of its own.
    pub(super) fn of(&self, item: &Rendered) -> Vec<String> {
        let mut lines = vec![format!("{}: {}", item.object, item.head.join("; ")), self.step.clone()];
        if matches!(item.current, Current::New(_)) && item.whole.is_none() {
            lines.push(
                "built new (it was not in the input, or is encrypted): other fields it may have are not known"
                    .to_owned(),
            );
        }
        if item.key.is_some() {
            lines.push(
                "HOLDS A PRIVATE KEY: never commit it in plain text; encrypt or seal it first".to_owned(),
            );
        }
        if item.edits.iter().any(|edit| matches!(edit, Edit::ReleaseAnnotation { .. })) {
            lines.push(
                "where the chart is a dependency of another one, these values stand below its name"
                    .to_owned(),
            );
        }
        if item
            .edits
            .iter()
            .any(|edit| matches!(edit, Edit::TemplateAnnotation { .. } | Edit::ReleaseAnnotation { .. }))
        {
            lines.push(self.aim.clone());
        }
        lines.extend(item.certificates.after.iter().flat_map(described));
        lines.iter().map(|line| one_line(line)).collect()
    }
}

/// What a restart is for.
fn aim(phase: Phase, mesh: &Mesh, record: &Record) -> String {
    let name =
        |certificate: &Certificate| format!("{} {}", certificate.name(), certificate.fingerprint().short());
    let phases = record.phases();
    let chain = phases.iter().find(|spec| spec.phase == phase).and_then(PhaseSpec::swapped_in);
    if let Some(chain) = chain {
        return format!("for the issuer {}", name(&chain.issuer));
    }
    let bundle = record.bundle_for(phase, mesh);
    let anchors: Vec<_> = bundle.anchors().iter().map(name).collect();
    format!("for the trust bundle {}: {}", bundle.fingerprint().short(), anchors.join(", "))
}

/// A certificate in four lines.
pub(crate) fn described(certificate: &Certificate) -> [String; 4] {
    let facts = certificate.facts();
    [
        format!("certificate {}", facts.subject),
        format!("  issuer {}", facts.issuer),
        format!("  valid {} to {}", facts.not_before, facts.not_after),
        format!("  sha256 {}", certificate.fingerprint()),
    ]
    .map(|line| one_line(&line))
}

/// A text without anything that a YAML reader takes for the end of a line, or a terminal for a command.
pub(crate) fn one_line(text: &str) -> String {
    escaped(&text.replace(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'], " ")).into_owned()
}

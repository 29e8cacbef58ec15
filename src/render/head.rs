//! The comment above a document: what it is, for which step, and the certificates in it.

use std::collections::HashMap;

use super::{Current, Edit, Rendered};
use crate::document::ObjectRef;
use crate::mesh::{Mesh, Owner};
use crate::pki::Certificate;
use crate::rotation::{Direction, Note, Phase, PhaseSpec, PlannedStep, Record};

/// What the heads of a step's documents have in common.
pub(super) struct Heads<'a> {
    /// Which step of which rotation.
    step: String,
    /// What a restart is for.
    aim: String,
    /// Who would put an object back, and where to make the change instead.
    owned: HashMap<&'a ObjectRef, (&'a Owner, &'a str)>,
}

impl<'a> Heads<'a> {
    pub(super) fn new(planned: &'a PlannedStep, mesh: &Mesh, record: &Record) -> Self {
        let owned = planned.notes.iter().filter_map(|note| match note {
            Note::Owned { object, owner, instead } => Some((object, (owner, instead.as_str()))),
            _ => None,
        });
        Self {
            step: match record.direction {
                Direction::Forward => {
                    format!("step {} of the rotation started {}", planned.step, record.started)
                }
                Direction::Rollback => {
                    format!(
                        "the way back of step {} of the rotation started {}",
                        planned.step, record.started
                    )
                }
            },
            aim: aim(planned.step.phase, mesh, record),
            owned: owned.collect(),
        }
    }

    /// The lines, without the `#`. What comes from outside (names in certificates, notes) cannot begin a line of its own.
    pub(super) fn of(&self, item: &Rendered) -> Vec<String> {
        let mut lines = vec![format!("{}: {}", item.object, item.head.join("; ")), self.step.clone()];
        if let Current::New(_) = item.current {
            lines.push(
                "built new (it was not in the input, or is encrypted): other fields it may have are not known"
                    .to_owned(),
            );
        }
        if item.secret {
            lines.push(
                "HOLDS A PRIVATE KEY: never commit it in plain text; encrypt or seal it first".to_owned(),
            );
        }
        if let Some((owner, instead)) = self.owned.get(&item.object) {
            lines.push(format!("{owner} would put this back; change there instead: {instead}"));
        }
        if item.edits.iter().any(|edit| matches!(edit, Edit::TemplateAnnotation { .. })) {
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
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect()
}

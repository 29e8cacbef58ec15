//! The changes of a step turned into edits of objects, per era and scheme.

use super::draft::Draft;
use super::head::Heads;
use super::{RenderError, Rendered, issuer, managed, template, trust};
use crate::mesh::Mesh;
use crate::pki::PrivateKey;
use crate::rotation::{Change, PlannedStep, Record};

/// The documents of a step, ordered by namespace, kind and name. `key` is the new issuer's; without it a step that needs it
/// is an error.
///
/// # Errors
/// An object that must be patched and was not observed, or a text in it that cannot be edited.
pub fn render(
    step: &PlannedStep,
    mesh: &Mesh,
    record: &Record,
    key: Option<&PrivateKey>,
) -> Result<Vec<Rendered>, RenderError> {
    let mut draft = Draft::new(mesh, step.step);
    for change in &step.changes {
        match change {
            Change::Publish(bundle) => trust::publish(&mut draft, bundle)?,
            Change::Swap { chain, anchors } => issuer::swap(&mut draft, chain, anchors, key)?,
            Change::Managed(change) => managed::change(&mut draft, change)?,
            Change::ControlPlane { workload, bundle, annotation } => {
                template::control_plane(&mut draft, *workload, bundle, annotation)?;
            }
            Change::Restart { workload, annotation } => template::restart(&mut draft, *workload, annotation),
        }
    }
    let mut rendered = draft.finish();
    let heads = Heads::new(step, mesh, record);
    rendered.iter_mut().for_each(|item| item.head = heads.of(item));
    Ok(rendered)
}

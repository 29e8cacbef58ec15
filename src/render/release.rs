//! Restarts of what a Flux HelmRelease renders, as patches of the HelmRelease.

use super::draft::Draft;
use super::head::Heads;
use super::{Current, Edit, Rendered};
use crate::document::ObjectRef;
use crate::finding::{Fact, Instead, PodAnnotationPlace, StepFact};
use crate::mesh::Mesh;
use crate::rotation::{PlannedStep, Record};

pub(super) const HELM_RELEASE: &str = "HelmRelease";

/// A patch for each HelmRelease whose chart annotates pods that a step restarts: beside it a patch of the workload is of no effect.
#[must_use]
pub fn releases(step: &PlannedStep, mesh: &Mesh, record: &Record) -> Vec<Rendered> {
    let mut draft = Draft::new(mesh, step.step);
    for note in &step.notes {
        let Fact::Step(StepFact::ManagedObject { object, instead, .. }) = &note.fact else { continue };
        let Instead::FluxPodAnnotation {
            name,
            namespace,
            annotation,
            place: PodAnnotationPlace::Value { value: chart_value, also },
        } = instead
        else {
            continue;
        };
        let release = ObjectRef::new("helm.toolkit.fluxcd.io/v2", HELM_RELEASE, namespace, name);
        let names: Vec<&str> =
            std::iter::once(object).chain(also).map(|object| object.name.as_str()).collect();
        let item = draft.item(release, Current::Unseen, &format!("restarts {}", names.join(", ")));
        let (key, value) = (annotation.key, annotation.value.clone());
        let edit = Edit::ReleaseAnnotation { chart_value, key, value };
        if !item.edits.contains(&edit) {
            item.edits.push(edit);
        }
    }
    let mut rendered = draft.finish();
    let heads = Heads::new(step, mesh, record);
    rendered.iter_mut().for_each(|item| item.head = heads.of(item));
    rendered
}

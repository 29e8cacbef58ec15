//! A plan as data.

use std::path::Path;

use serde_json::{Value, json};

use super::manual::acts;
use super::notes::in_directory;
use crate::finding::Finding;
use crate::mesh::Mesh;
use crate::pki::Bundle;
use crate::report::Screen;
use crate::report::findings;
use crate::report::next::UnderWay;
use crate::rotation::{Change, PlannedStep, Standing, StepState};

/// The plan as data: everything that the text tells, with codes and fields.
#[must_use]
pub fn plan_json(under_way: &UnderWay<'_>, mesh: &Mesh, screen: &Screen) -> Value {
    let UnderWay { dir, record, plan } = under_way;
    let next = match plan.standing {
        Standing::At(step) => json!(step),
        Standing::Finished => Value::Null,
    };
    json!({
        "dir": dir.display().to_string(),
        "namespace": record.namespace,
        "trustDomain": record.trust_domain,
        "started": record.started,
        "strategy": record.strategy,
        "direction": record.direction,
        "newAnchor": record.anchor().map(|anchor| anchor.fingerprint()),
        "newIssuer": record.issuer.issuer.fingerprint(),
        "next": next,
        "steps": plan.steps.iter().map(|planned| step(planned, mesh, dir, screen)).collect::<Vec<_>>(),
    })
}

fn step(planned: &PlannedStep, mesh: &Mesh, dir: &Path, screen: &Screen) -> Value {
    let one = |finding: &Finding| {
        let mut value = findings::json(finding, screen);
        for key in ["text", "todo"] {
            let text = value[key].as_str().map(|text| in_directory(text, dir));
            value[key] = json!(text);
        }
        value
    };
    let all = |of: &[Finding]| of.iter().map(one).collect::<Vec<_>>();
    let state = match &planned.state {
        StepState::Done => json!({"code": "done"}),
        StepState::Pending { done, of } => json!({"code": "pending", "done": done, "of": of}),
        StepState::Unknown(why) => json!({"code": "unknown", "why": findings::json(why, screen)}),
    };
    let manual = planned.manual.iter().map(|manual| {
        let mut value = json!(manual);
        value["text"] = json!(acts(manual));
        value
    });
    json!({
        "step": planned.step,
        "state": state,
        "merged": planned.is_merged(mesh),
        "changes": planned.changes.iter().map(|one| change(one, mesh)).collect::<Vec<_>>(),
        "blocked": all(&planned.blocked),
        "confirmed": all(&planned.confirmed),
        "manual": manual.collect::<Vec<_>>(),
        "again": planned.again,
        "notes": all(&planned.notes),
    })
}

fn change(change: &Change, mesh: &Mesh) -> Value {
    let fingerprints = |bundle: &Bundle| json!(bundle.fingerprints());
    match change {
        Change::Publish(bundle) => json!({"publish": fingerprints(bundle)}),
        Change::Swap { chain, .. } => json!({"issuer": chain.issuer.fingerprint()}),
        Change::ControlPlane { workload, annotation, .. } | Change::Restart { workload, annotation } => {
            json!({
                "restart": mesh.workload(*workload).object,
                "annotation": {annotation.key: annotation.value},
            })
        }
    }
}

//! A plan as data.

use std::path::Path;

use serde_json::{Value, json};

use super::manual::acts;
use super::notes::in_directory;
use super::table::{Readiness, restarting};
use crate::finding::Finding;
use crate::mesh::Mesh;
use crate::pki::{Bundle, Certificate};
use crate::report::Screen;
use crate::report::findings;
use crate::report::next::{Next, UnderWay};
use crate::rotation::{Change, PlannedStep, Standing, Step, StepState};

/// The plan as data: everything that the text tells, with codes and fields.
#[must_use]
pub fn plan_json(under_way: &UnderWay<'_>, mesh: &Mesh, arguments: &str, screen: &Screen) -> Value {
    let UnderWay { dir, record, plan, .. } = under_way;
    let proxies = mesh.proxies_by_workload();
    let mut before: Option<Step> = None;
    let steps = plan.steps.iter().map(|planned| {
        let mut value = step(planned, mesh, dir, screen);
        let readiness = Readiness::of(planned);
        value["readiness"] = json!(readiness);
        value["after"] = json!(before.replace(planned.step).filter(|_| readiness == Readiness::After));
        value["restarts"] = json!(restarting(planned, &proxies, mesh));
        value
    });
    let standing = match plan.standing {
        Standing::At(step) => json!(step),
        Standing::Finished => Value::Null,
    };
    json!({
        "schema": "l5d-rotate/plan/v1",
        "dir": dir.display().to_string(),
        "namespace": record.namespace,
        "trustDomain": record.trust_domain,
        "started": record.started,
        "strategy": record.strategy,
        "direction": record.direction,
        "newAnchor": record.anchor().map(|anchor| anchor.fingerprint()),
        "newIssuer": record.issuer.issuer.fingerprint(),
        "crossExpires": record.cross.as_ref().map(|cross| cross.facts().not_after),
        "standing": standing,
        "steps": steps.collect::<Vec<_>>(),
        "next": Next::of(under_way, mesh, &Screen::utc(screen.at)).reading(arguments),
    })
}

fn step(planned: &PlannedStep, mesh: &Mesh, dir: &Path, screen: &Screen) -> Value {
    let one = |finding: &Finding| {
        let mut value = findings::json(finding, screen);
        let texts = value.as_object_mut().into_iter().flatten();
        for (_, text) in texts.filter(|(key, _)| ["text", "items", "todo"].contains(&key.as_str())) {
            named(text, dir);
        }
        value
    };
    let all = |of: &[Finding]| of.iter().map(one).collect::<Vec<_>>();
    let state = match &planned.state {
        StepState::Done => json!({"code": "done"}),
        StepState::Pending { done, of } => json!({"code": "pending", "done": done, "of": of}),
        StepState::Unknown(why) => json!({"code": "unknown", "why": one(why)}),
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

/// Writes the rotation directory by name into a text, or into each of a list.
fn named(text: &mut Value, dir: &Path) {
    match text {
        Value::String(text) => *text = in_directory(text, dir),
        Value::Array(texts) => texts.iter_mut().for_each(|text| named(text, dir)),
        _ => {}
    }
}

fn change(change: &Change, mesh: &Mesh) -> Value {
    let fingerprints = |bundle: &Bundle| json!(bundle.fingerprints());
    match change {
        Change::Publish(bundle) => json!({"publish": fingerprints(bundle)}),
        Change::Swap { chain, .. } => {
            let intermediates: Vec<_> = chain.intermediates.iter().map(Certificate::fingerprint).collect();
            json!({"issuer": chain.issuer.fingerprint(), "intermediates": intermediates})
        }
        Change::Managed(change) => json!({"managed": change}),
        Change::ControlPlane { workload, annotation, .. } | Change::Restart { workload, annotation } => {
            json!({
                "restart": mesh.workload(*workload).object,
                "annotation": {annotation.key: annotation.value},
            })
        }
    }
}

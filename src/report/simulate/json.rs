//! A simulated rotation as data.

use serde_json::{Value, json};

use super::words::{break_text, does, label, verdict_text};
use crate::mesh::Mesh;
use crate::pki::{Certificate, Rules};
use crate::rotation::Restarted;
use crate::rotation::simulate::{Act, Break, Holder, Moment, SimulatedStep, Simulation, Verdict, When};
use crate::states::Invariant;

/// The simulation with everything in it; workloads are told by `mesh`.
#[must_use]
pub fn simulation_json(simulation: &Simulation, mesh: &Mesh) -> Value {
    let classes = &simulation.classes;
    let fingerprints =
        |all: &[Certificate]| all.iter().map(|one| json!(one.fingerprint())).collect::<Vec<_>>();
    json!({
        "verdict": verdict(&simulation.verdict()),
        "says": verdict_text(simulation),
        "order": simulation.order,
        "leafLife": simulation.workload_certificate_lifetime,
        "bundles": classes.bundles().iter()
            .map(|bundle| json!({"name": classes.bundle_name(bundle), "anchors": fingerprints(bundle.anchors())}))
            .collect::<Vec<_>>(),
        "issuers": classes.issuers().iter()
            .map(|chain| json!({
                "name": classes.issuer_name(chain),
                "issuer": chain.issuer.fingerprint(),
                "intermediates": fingerprints(&chain.intermediates),
            }))
            .collect::<Vec<_>>(),
        "now": moment(&simulation.start, None, simulation, mesh),
        "steps": simulation.steps.iter().map(|one| step(one, simulation, mesh)).collect::<Vec<_>>(),
        "unseen": simulation.unseen,
    })
}

fn verdict(verdict: &Verdict<'_>) -> Value {
    match verdict {
        Verdict::Safe => json!({"is": "safe"}),
        Verdict::Breaks(step, when, _) => {
            json!({"is": "breaks", "step": step.step.to_string(), "when": when_word(*when)})
        }
        Verdict::Broken(_) => json!({"is": "broken"}),
        Verdict::MayBreak(..) | Verdict::Unknown => json!({"is": "unknown"}),
    }
}

const fn when_word(when: When) -> &'static str {
    match when {
        When::Before => "before",
        When::During => "during",
        When::After => "after",
        When::Expired => "leavesRunOut",
    }
}

fn step(step: &SimulatedStep, simulation: &Simulation, mesh: &Mesh) -> Value {
    let act = match &step.act {
        Act::Publish(_) => "publish",
        Act::Swap(_) => "swap",
        Act::Restart(Restarted::ControlPlane) => "restartControlPlane",
        Act::Restart(Restarted::DataPlane) => "restartDataPlane",
        Act::Restart(Restarted::Identity) => "restartIdentity",
        Act::Restart(Restarted::AllButIdentity) => "restartAllButIdentity",
        Act::Wait => "wait",
    };
    json!({
        "step": step.step.to_string(),
        "act": act,
        "does": does(&step.act, simulation),
        "done": step.moments.is_empty(),
        "moments": step.moments.iter()
            .map(|one| moment(one, Some(&step.act), simulation, mesh))
            .collect::<Vec<_>>(),
    })
}

fn moment(moment: &Moment, act: Option<&Act>, simulation: &Simulation, mesh: &Mesh) -> Value {
    let classes = &simulation.classes;
    let bundle = |held: &Holder| holder(held, classes.bundle_name(&classes.bundles()[held.class]), mesh);
    let issuer = |held: &Holder| holder(held, classes.issuer_name(&classes.issuers()[held.class]), mesh);
    let row = |row: &crate::rotation::simulate::Row| {
        let mut row_json = bundle(&row.holder);
        row_json["accepts"] = json!(row.accepts);
        row_json
    };
    json!({
        "when": when_word(moment.when),
        "label": act.map_or_else(|| "now".to_owned(), |act| label(moment.when, act, simulation)),
        "bundles": moment.rows.iter().map(row).collect::<Vec<_>>(),
        "leaves": moment.columns.iter().map(issuer).collect::<Vec<_>>(),
        "broken": moment.broken.iter()
            .map(|broken| json!({
                "invariant": invariant(broken),
                "bundle": broken.bundle.as_ref().map(bundle),
                "issuer": broken.issuer.as_ref().map(issuer),
                "rules": match broken.rules { Rules::Proxy => "proxy", Rules::Controller => "controller" },
                "refusal": broken.refusal.to_string(),
                "certain": broken.certain,
                "atOnce": broken.at_once,
                "says": break_text(broken, simulation),
            }))
            .collect::<Vec<_>>(),
    })
}

const fn invariant(broken: &Break) -> &'static str {
    match broken.invariant {
        Invariant::ControllerStarts => "S1",
        Invariant::EveryPair => "S2",
        Invariant::EveryRenewal => "S3",
        Invariant::ControllerSigns => "S4",
    }
}

fn holder(holder: &Holder, name: String, mesh: &Mesh) -> Value {
    json!({
        "class": holder.class,
        "name": name,
        "count": holder.count,
        "exact": holder.exact,
        "certain": holder.certain,
        "sample": holder.sample,
        "workloads": holder.workloads.iter().map(|id| mesh.workload(*id).object.to_string()).collect::<Vec<_>>(),
    })
}

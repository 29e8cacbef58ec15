//! A simulated rotation as data.

use serde_json::{Value, json};

use super::words::{break_text, does, label, verdict_text};
use crate::finding::{CertificateRef, Finding, Party, Pods, Rejection, Severity, TrustFact};
use crate::mesh::Mesh;
use crate::pki::{Certificate, IssuerChain, Rules};
use crate::report::{Screen, findings};
use crate::rotation::Restarted;
use crate::rotation::simulate::{Act, Break, Holder, Moment, Row, SimulatedStep, Simulation, Verdict, When};

/// A simulation, the mesh whose workloads it names, and the instant that it is of.
struct View<'a> {
    simulation: &'a Simulation,
    mesh: &'a Mesh,
    screen: Screen,
}

/// The simulation with everything in it; workloads are told by `mesh`.
#[must_use]
pub fn simulation_json(simulation: &Simulation, mesh: &Mesh, screen: &Screen) -> Value {
    let classes = &simulation.classes;
    let view = View { simulation, mesh, screen: Screen::utc(screen.at) };
    let fingerprints =
        |all: &[Certificate]| all.iter().map(|one| json!(one.fingerprint())).collect::<Vec<_>>();
    let unseen = |fact: &_| {
        let finding = Finding::new(Severity::Unknown, Clone::clone(fact));
        findings::json(&finding, &view.screen)
    };
    json!({
        "schema": "l5d-rotate/simulate/v1",
        "verdict": verdict(&simulation.verdict()),
        "text": verdict_text(simulation, &view.screen),
        "order": simulation.order,
        "workloadCertificateLifetime": simulation.workload_certificate_lifetime,
        "anchors": classes.anchors()
            .map(|(name, anchor)| json!({"name": name, "fingerprint": anchor}))
            .collect::<Vec<_>>(),
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
        "now": view.moment(&simulation.start, None),
        "steps": simulation.steps.iter().map(|one| view.step(one)).collect::<Vec<_>>(),
        "unseen": simulation.unseen.iter().map(unseen).collect::<Vec<_>>(),
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
        When::Later => "later",
    }
}

impl View<'_> {
    fn step(&self, step: &SimulatedStep) -> Value {
        let act = match &step.act {
            Act::Publish(_) => "publish",
            Act::Swap(_) => "swap",
            Act::Sign(_) => "sign",
            Act::Restart(Restarted::ControlPlane) => "restart-control-plane",
            Act::Restart(Restarted::DataPlane) => "restart-data-plane",
            Act::Restart(Restarted::Identity) => "restart-identity",
            Act::Restart(Restarted::AllButIdentity) => "restart-all-but-identity",
            Act::Wait => "wait",
            Act::Remove => "remove",
        };
        json!({
            "step": step.step.to_string(),
            "act": act,
            "does": does(&step.act, self.simulation),
            "done": step.moments.is_empty(),
            "moments": step.moments.iter().map(|one| self.moment(one, Some(&step.act))).collect::<Vec<_>>(),
        })
    }

    fn moment(&self, moment: &Moment, act: Option<&Act>) -> Value {
        let row = |row: &Row| {
            let mut row_json = self.bundle(&row.holder);
            row_json["accepts"] = json!(row.accepts);
            row_json
        };
        json!({
            "when": when_word(moment.when),
            "label": act.map_or_else(|| "now".to_owned(), |act| label(moment.when, act, self.simulation)),
            "bundles": moment.rows.iter().map(row).collect::<Vec<_>>(),
            "presented": moment.columns.iter().map(|held| self.issuer(held)).collect::<Vec<_>>(),
            "violations": moment.violations.iter().map(|one| self.violation(one)).collect::<Vec<_>>(),
        })
    }

    /// What breaks, as a finding, beside whose bundle and issuer it is.
    fn violation(&self, violation: &Break) -> Value {
        let classes = &self.simulation.classes;
        let anchors = |held: &Holder| {
            classes.bundles()[held.class].anchors().iter().map(CertificateRef::from).collect()
        };
        let chain = |held: &Holder| {
            let chain: &IssuerChain = &classes.issuers()[held.class];
            chain.certificates().map(CertificateRef::from).collect()
        };
        let (bundle, issuer) = (violation.bundle.as_ref(), violation.issuer.as_ref());
        let rejection = Rejection {
            verifier: self.party(bundle, bundle.map(anchors)),
            presenter: self.party(issuer, issuer.map(chain)),
            refusal: violation.refusal.clone(),
            certain: violation.certain,
            until: None,
            order: None,
        };
        let fact = TrustFact::of(violation.invariant, rejection);
        let severity = if violation.certain { Severity::Error } else { Severity::Unknown };
        // A finding is strings, numbers and lists of them: such a value always has a JSON form.
        let mut value = serde_json::to_value(Finding::new(severity, fact)).unwrap_or_default();
        value["bundle"] = json!(bundle.map(|held| self.bundle(held)));
        value["issuer"] = json!(issuer.map(|held| self.issuer(held)));
        value["rules"] = json!(match violation.rules {
            Rules::Proxy => "proxy",
            Rules::Controller => "controller",
        });
        value["atOnce"] = json!(violation.at_once);
        value["text"] = json!(break_text(violation, None, self.simulation, &self.screen));
        value
    }

    fn party(&self, holder: Option<&Holder>, certificates: Option<Vec<CertificateRef>>) -> Party {
        let pods = holder.map(|holder| Pods {
            count: holder.count,
            sample: holder.sample.clone(),
            workloads: holder.workloads.iter().map(|id| self.mesh.workload(*id).object.clone()).collect(),
        });
        Party { certificates: certificates.unwrap_or_default(), pods: pods.unwrap_or_default() }
    }

    fn bundle(&self, held: &Holder) -> Value {
        let classes = &self.simulation.classes;
        self.holder(held, classes.bundle_name(&classes.bundles()[held.class]))
    }

    fn issuer(&self, held: &Holder) -> Value {
        let classes = &self.simulation.classes;
        self.holder(held, classes.issuer_name(&classes.issuers()[held.class]))
    }

    fn holder(&self, holder: &Holder, name: String) -> Value {
        let workload = |id: &_| self.mesh.workload(*id).object.to_string();
        json!({
            "class": holder.class,
            "name": name,
            "count": holder.count,
            "exact": holder.exact,
            "certain": holder.certain,
            "sample": holder.sample,
            "workloads": holder.workloads.iter().map(workload).collect::<Vec<_>>(),
        })
    }
}

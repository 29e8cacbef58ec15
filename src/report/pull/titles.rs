//! What a step does, for a title and for a reader.

use crate::rotation::{Direction, Phase, Plan, Record, Stage, Step, Strategy};

/// The words that a reader needs.
pub(in crate::report) const GLOSSARY: &str = "\
- **Trust anchor**: the root CA certificate. A proxy accepts another proxy when its certificate leads to a trust anchor that it was \
given. Proxies are given their trust anchors when they start, and keep them until they restart.
- **Trust bundle**: the trust anchors that are handed out to proxies, in a ConfigMap.
- **Issuer**: the CA certificate with which Linkerd's identity controller signs. It is signed by a trust anchor, and stands with its \
private key in Secret linkerd-identity-issuer.
- **Workload certificate**: the certificate of one proxy, signed by the issuer. Proxies renew it while they run.
- **Why so many steps**: as long as one proxy does not know the new trust anchor, nothing may be signed by it; and as long as one \
workload certificate leads to the old one, it must not go.
";

/// `Step 4 of 9: new issuer`.
pub(in crate::report) fn numbered(plan: &Plan, step: Step, record: &Record) -> String {
    let place = plan.steps.iter().position(|planned| planned.step == step).unwrap_or_default() + 1;
    let rollback = if record.direction == Direction::Rollback { "Rollback step" } else { "Step" };
    format!("{rollback} {place} of {}: {}", plan.steps.len(), title(step, record))
}

/// What merging a step does, in a few words.
pub(in crate::report) fn title(step: Step, record: &Record) -> &'static str {
    match (record.direction, step.stage) {
        (Direction::Forward, Stage::Signer) => "new trust anchor behind the Issuer",
        (Direction::Rollback, Stage::Signer) => "old trust anchor behind the Issuer",
        (_, Stage::Objects) if record.keeps_signer() => "old trust anchor's Certificate removed",
        (Direction::Forward, Stage::Trust | Stage::Issuer) => forward(step.phase, record.strategy),
        (Direction::Rollback, Stage::Trust | Stage::Issuer) => rollback(step.phase, record.strategy),
        (_, Stage::ControlPlane) if step.phase == Phase::Issuer || step.phase == Phase::RemoveCross => {
            "restart of the identity controller"
        }
        (_, Stage::ControlPlane) => "restart of the control plane",
        (_, Stage::DataPlane) if step.phase == Phase::Issuer => "new workload certificates everywhere",
        (_, Stage::DataPlane) => "restart of the meshed workloads",
        (_, Stage::Objects) => "old trust anchor's Certificate and Issuer removed",
    }
}

const fn forward(phase: Phase, strategy: Strategy) -> &'static str {
    match (phase, strategy) {
        (Phase::Bundle, Strategy::Recover) => "new trust anchor",
        (Phase::Bundle, _) => "new trust anchor beside the old one",
        (Phase::Issuer, _) => "new issuer",
        (Phase::Prune, Strategy::CrossSigned) => "new trust anchor in place of the old one",
        (Phase::Prune, _) => "old trust anchor removed",
        (Phase::RemoveCross, _) => "cross certificate removed",
        (Phase::RemoveOld, _) => "old trust anchor's Certificate and Issuer removed",
    }
}

const fn rollback(phase: Phase, strategy: Strategy) -> &'static str {
    match (phase, strategy) {
        (Phase::Bundle, _) => "new trust anchor removed",
        (Phase::Issuer, _) => "old issuer back",
        (Phase::Prune, Strategy::CrossSigned) => "old trust anchor in place of the new one",
        (Phase::Prune, _) => "old trust anchor back beside the new one",
        (Phase::RemoveCross, _) => "cross certificate back",
        (Phase::RemoveOld, _) => "old trust anchor's Certificate and Issuer back",
    }
}

/// What a step does and why, in a sentence or two.
pub(in crate::report) fn what_it_does(step: Step, record: &Record) -> String {
    let which = match record.direction {
        Direction::Forward => "new",
        Direction::Rollback => "old",
    };
    match (step.stage, step.phase) {
        (Stage::Trust, _) => {
            "This changes which trust anchors are handed out. Running proxies keep those that they started with: the next steps \
             restart them."
                .to_owned()
        }
        (Stage::Signer, _) => format!(
            "From now on the Issuer signs with the {which} trust anchor whatever cert-manager issues by it. That alone issues nothing: the \
             next step has the issuer issued anew, unless cert-manager renews it before. Every proxy that was seen accepts what it \
             will sign."
        ),
        (Stage::Objects, _) if record.keeps_signer() => {
            "This removes the Certificate of the old trust anchor. Nothing trusts it any more; its Secret, with the private key, \
             stays in the cluster until somebody deletes it."
                .to_owned()
        }
        (Stage::Issuer, Phase::RemoveCross) => {
            "This changes what stands behind the issuer in its Secret. The issuer itself stays.".to_owned()
        }
        (Stage::Issuer, _) if record.strategy == Strategy::Recover => {
            "From now on Linkerd's identity controller signs with the new issuer. Proxies work again when they have restarted: \
             that is what the next steps do."
                .to_owned()
        }
        (Stage::Issuer, _) => format!(
            "From now on Linkerd's identity controller signs with the {which} issuer. Every proxy that was seen accepts what it \
             signs, and still accepts what the other one signed."
        ),
        (Stage::Objects, _) => {
            "This removes the Certificate and the Issuer of the old trust anchor. Nothing trusts it any more; its Secret, with the \
             private key, stays in the cluster until somebody deletes it."
                .to_owned()
        }
        (Stage::ControlPlane, Phase::Issuer | Phase::RemoveCross) => {
            "The identity controller reads the issuer's Secret anew when it starts: after this step every certificate that it signs \
             is of that issuer."
                .to_owned()
        }
        (Stage::ControlPlane, _) => {
            "The control plane restarts, and reads the trust anchors that are handed out now.".to_owned()
        }
        (Stage::DataPlane, Phase::Issuer) => format!(
            "After this step every workload certificate is of the {which} issuer. Proxies get a new one when they restart, and renew \
             it by themselves, too."
        ),
        (Stage::DataPlane, _) => {
            "Meshed workloads restart, and their proxies are given the trust anchors that are handed out now."
                .to_owned()
        }
    }
}

//! The standing invariants (S1 to S7 of Linkerd's identity) as far as a step could break them.

use jiff::Timestamp;

use super::blocker::{unknown, unsafe_because};
use super::state::no_pods;
use super::view::View;
use super::{Blocker, Confirmation, Phase, Severity, Stage, Step};
use crate::mesh::{CertManagerCertificate, ChangeTime};
use crate::pki::{Bundle, Certificate, IssuerChain, Refusal, Rules, accepts};
use crate::rotation::objects;
use crate::rotation::worlds::{Broken, Holding, Invariant};

/// Why proxies with this bundle refuse leaves of the record's issuer once it is swapped (S2, S3).
pub(super) fn refusal_of_swap(view: &View<'_>, bundle: &Bundle) -> Option<Refusal> {
    let (after, broken) = view.swapped_worlds();
    let of_bundle = |one: &&Broken| {
        let held = one.bundle.and_then(|at| after.bundles.get(at));
        held.is_some_and(|held| held.what.same_set(bundle))
    };
    let of_swap = |one: &&Broken| {
        let leaf =
            one.chain.filter(|_| one.invariant == Invariant::EveryPair).and_then(|at| after.leaves.get(at));
        leaf.is_some_and(|leaf| leaf.what == view.record.issuer)
    };
    broken.iter().filter(of_bundle).find(of_swap).map(|one| one.refusal.clone())
}

/// S2 and S3 for `prune`: no proxy may still present a leaf, and no identity controller sign with an issuer, that whoever
/// starts with the new anchor alone refuses (linkerd2#4287).
pub(super) fn prune_breaks_no_pair(view: &View<'_>, step: Step) -> Vec<Blocker> {
    if (step.phase, step.stage) != (Phase::Prune, Stage::Trust) {
        return Vec::new();
    }
    let pruned = view.record.anchors_of(Phase::Prune);
    let after = view.worlds().publishing(&pruned);
    let broken = after.broken(view.at);
    let of_pruned = |one: &&Broken| {
        one.bundle.and_then(|at| after.bundles.get(at)).is_some_and(|held| held.what.same_set(&pruned))
    };
    let told = |one: &Broken| match one.invariant {
        Invariant::EveryPair => {
            let leaf = after.leaves.get(one.chain?)?;
            let subject = format!(
                "{} present a leaf of `{}`",
                holders(leaf, "proxy", "proxies"),
                leaf.what.issuer.name()
            );
            let end =
                leaf.until.map_or_else(String::new, |end| format!(", or wait until it has run out at {end}"));
            Some(refused(view, one, leaf, &subject, &format!("restart them{end}")))
        }
        Invariant::EveryRenewal => {
            let replica = after.controllers.get(one.chain?)?;
            let holders = holders(replica, "identity controller", "identity controllers");
            let verb = if replica.count == 1 && replica.certain { "signs" } else { "sign" };
            let subject = format!("{holders} {verb} with `{}`", replica.what.1.issuer.name());
            Some(refused(view, one, replica, &subject, "restart the identity controller"))
        }
        Invariant::ControllerStarts | Invariant::ControllerSigns => None,
    };
    broken.iter().filter(of_pruned).filter_map(told).collect()
}

/// The blocker of a class whose leaves would be refused.
fn refused<T>(view: &View<'_>, one: &Broken, class: &Holding<T>, subject: &str, act: &str) -> Blocker {
    let timed = matches!(view.secret_changed(), ChangeTime::At(_));
    let severity = match (one.certain, class.count > 0 && timed) {
        (true, _) => Severity::Unsafe,
        (false, true) => Severity::Wait,
        (false, false) => Severity::Unknown,
    };
    let reason =
        format!("{subject}, which whoever starts with the new anchor alone refuses: {}; {act}", one.refusal);
    Blocker { severity, reason, confirm: None, after: None, over: false }
}

/// `3 proxies (ns/pod, …) may still`.
fn holders<T>(class: &Holding<T>, one: &str, many: &str) -> String {
    let may = if class.certain { "" } else { " may still" };
    match (class.count, class.sample.first()) {
        (0, _) | (_, None) => format!("{many} that were not seen{may}"),
        (1, Some(pod)) => format!("1 {one} ({pod}){may}"),
        (count, Some(pod)) => format!("{count} {many} ({pod}, …){may}"),
    }
}

/// S5: nothing is published or issued that some node's clock may take to begin in the future.
pub(super) fn material_has_begun(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let IssuerChain { issuer, intermediates } = &view.record.issuer;
    let certificates: Vec<&Certificate> = match step.stage {
        Stage::Trust => view.record.anchor().into_iter().collect(),
        Stage::Issuer => std::iter::once(issuer).chain(intermediates).collect(),
        Stage::ControlPlane | Stage::DataPlane => return Vec::new(),
    };
    let skew = view.mesh.control_plane.clock_skew.0;
    let begin = |certificate: &&Certificate| {
        certificate.facts().not_before.checked_add(skew).unwrap_or(Timestamp::MAX)
    };
    let latest =
        certificates.into_iter().max_by_key(begin).filter(|certificate| begin(certificate) > view.at);
    latest
        .map(|certificate| {
            wait(format!(
                "`{}` is valid from {} only: wait until {}, when every clock within the allowed skew agrees",
                certificate.name(),
                certificate.facts().not_before,
                begin(&certificate)
            ))
        })
        .into_iter()
        .collect()
}

/// No step of a rotation whose own certificates are over brings a mesh any further.
pub(super) fn material_is_not_over(view: &View<'_>, _: Step) -> Vec<Blocker> {
    let IssuerChain { issuer, intermediates } = &view.record.issuer;
    let certificates = view.record.anchor().into_iter().chain([issuer]).chain(intermediates);
    let told = |over: &Certificate| {
        unsafe_because(format!(
            "this rotation's `{}` expired on {}: start a new rotation in another directory",
            over.name(),
            over.facts().not_after
        ))
    };
    certificates.filter(|certificate| certificate.is_expired_at(view.at)).map(told).collect()
}

/// S6: what the next Helm or CLI upgrade publishes again accepts the new issuer.
pub(super) fn change_outlives_upgrade(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let (mesh, era) = (view.mesh, view.mesh.control_plane.era);
    if step.stage != Stage::Issuer || mesh.control_plane.external_ca || era.trust_home() == era.config_home()
    {
        return Vec::new();
    }
    let copy = mesh.trust.config.as_option().and_then(|copy| copy.as_read_by(Rules::Controller).ok());
    copy.and_then(|copy| accepts(copy, &view.record.issuer, &mesh.identity_name(), view.at, Rules::Controller).err())
        .map(|reason| {
            wait(format!(
                "{} still holds other anchors, which the next Helm or CLI upgrade publishes again, and which do not accept the \
                 new issuer: {reason}; put the published anchors into the value identityTrustAnchorsPEM first",
                objects::config_map(mesh)
            ))
        })
        .into_iter()
        .collect()
}

/// S6: cert-manager does not renew anchor or issuer while the step is taken up, which is within a leaf's life. While anchors
/// are only added, an issuer that the old one renews is accepted as before: the anchor's renewal alone matters. An issuer that
/// is renewed every day never leaves that much time, so a human says that it is suspended.
pub(super) fn change_outlives_renewal(view: &View<'_>, step: Step) -> Vec<Blocker> {
    if !matches!(step.stage, Stage::Trust | Stage::Issuer) {
        return Vec::new();
    }
    let end = view.at.checked_add(view.leaf_life()).unwrap_or(Timestamp::MAX);
    let matters = |found: &&CertManagerCertificate| {
        step.phase != Phase::Bundle || !found.writes_issuer(&view.mesh.control_plane.namespace)
    };
    let confirm = Confirmation::RenewalSuspended;
    let told = |found: &CertManagerCertificate| {
        let due = found.renewal_time.filter(|due| *due <= end)?;
        let reason = format!(
            "cert-manager renews {} at {due}, before {end}, when this step is taken up for sure: let it renew first, or suspend it \
             until the rotation is finished and confirm it with --confirm {confirm}",
            found.object
        );
        Some(Blocker {
            severity: Severity::Unknown,
            reason,
            confirm: Some(confirm),
            after: None,
            over: false,
        })
    };
    view.mesh.certificates.iter().filter(matters).filter_map(told).collect()
}

/// S7: without a proxy injector pods that restart come up without a proxy, or not at all.
pub(super) fn restart_needs_injector(view: &View<'_>, step: Step) -> Vec<Blocker> {
    if step.stage != Stage::DataPlane {
        return Vec::new();
    }
    if let Some(why) = no_pods(view) {
        return vec![unknown(format!("whether the proxy injector runs cannot be told: {why}"))];
    }
    let running =
        view.replicas(&["proxy-injector"]).any(|replica| replica.started.is_some_and(|at| at <= view.at));
    if running {
        return Vec::new();
    }
    vec![wait(format!(
        "no proxy injector is running in namespace {}: pods that restart now come up without a proxy, or not at all; bring \
         it up first",
        view.mesh.control_plane.namespace
    ))]
}

/// Proxies outside the cluster are ready for the step; nothing here shows them.
pub(super) fn external_workloads_follow(view: &View<'_>, step: Step) -> Vec<Blocker> {
    outside(
        step,
        Confirmation::ExternalWorkloads,
        "the proxies of ExternalWorkloads",
        &view.mesh.external_workloads,
    )
}

/// Linked clusters share the trust: theirs must be as far; nothing here shows them.
pub(super) fn linked_clusters_follow(view: &View<'_>, step: Step) -> Vec<Blocker> {
    outside(step, Confirmation::LinkedClusters, "the proxies of linked clusters", &view.mesh.links)
}

fn outside(step: Step, confirm: Confirmation, who: &str, names: &[String]) -> Vec<Blocker> {
    let need = match (step.phase, step.stage) {
        (_, Stage::Issuer) => "hold the new anchor",
        (Phase::Prune, Stage::Trust) => "have leafs of the new issuer",
        _ => return Vec::new(),
    };
    let reason = format!(
        "{who} {need} ({}): nothing here shows it; confirm it with --confirm {confirm}",
        names.join(", ")
    );
    let blocker =
        Blocker { severity: Severity::Unknown, reason, confirm: Some(confirm), after: None, over: false };
    if names.is_empty() { Vec::new() } else { vec![blocker] }
}

const fn wait(reason: String) -> Blocker {
    Blocker { severity: Severity::Wait, reason, confirm: None, after: None, over: false }
}

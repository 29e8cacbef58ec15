//! The standing invariants (S1 to S7 of Linkerd's identity) as far as a step could break them.

use jiff::Timestamp;

use super::state::{no_pods, reads_mounted_bundle};
use super::view::View;
use super::{Blocker, Phase, PhaseSpec, Severity, Stage, Step};
use crate::mesh::{CertManagerCertificate, Change, handed_over};
use crate::pki::{Bundle, Certificate, IssuerChain, Refusal, Rules, accepts};
use crate::rotation::record::cross_ends_too_soon;
use crate::rotation::{Confirmation, Direction};
use crate::states::{Holding, Invariant, States, Violation};

/// Why proxies with this bundle refuse leaves of a phase's issuer once it is swapped in (S2, S3).
pub(super) fn refusal_of_swap(view: &View<'_>, spec: &PhaseSpec, bundle: &Bundle) -> Option<Refusal> {
    let (after, broken) = view.swapped_states(spec)?;
    let of_bundle = |one: &&Violation| {
        let held = one.bundle.and_then(|at| after.bundles.get(at));
        held.is_some_and(|held| held.what.same_set(bundle))
    };
    let of_swap = |one: &&Violation| {
        let leaf = one
            .chain
            .filter(|_| one.invariant == Invariant::EveryPair)
            .and_then(|at| after.presented.get(at));
        leaf.is_some_and(|leaf| Some(&leaf.what) == spec.swapped_in())
    };
    broken.iter().filter(of_bundle).find(of_swap).map(|one| one.refusal.clone())
}

/// S3: an identity controller that restarts signs with whatever issuer the Secret holds, be it one that it skipped until then.
/// Where none can sign any more, nothing is lost by it.
pub(super) fn restart_activates_no_issuer(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let restarted = view.spec(step).restarts(step.stage).filter(|_| step.stage == Stage::ControlPlane);
    let Some(restarted) = restarted.filter(|_| !view.recovers()) else { return Vec::new() };
    let now = view.states();
    let before = now.broken(view.at);
    if before.iter().any(|one| one.certain && one.invariant == Invariant::ControllerSigns) {
        return Vec::new();
    }
    let after = now.restarted(|id| restarted.has(view.mesh.workload(id)));
    let renewals = |one: &&Violation| one.certain && one.invariant == Invariant::EveryRenewal;
    let sides = |states: &'_ States, one: &Violation| {
        let held = states.bundles.get(one.bundle?)?.clone();
        Some((held, states.controllers.get(one.chain?)?.what.1.clone()))
    };
    let known: Vec<_> = before.iter().filter(renewals).filter_map(|one| sides(now, one)).collect();
    let told = |one: &Violation| {
        let (held, chain) = sides(&after, one)?;
        let is_new = !known.iter().any(|(old, signs)| old.what.same_set(&held.what) && *signs == chain);
        is_new.then(|| {
            Blocker::unsafe_because(format!(
                "an identity controller that restarts takes up the issuer `{}` in {}, and {} would refuse their next leaf: {}; \
                 put back the issuer that signs now, until they hold its anchor",
                chain.issuer.name(),
                view.mesh.issuer_secret(),
                holders(&held, "proxy", "proxies"),
                one.refusal
            ))
        })
    };
    after.broken(view.at).iter().filter(renewals).filter_map(told).collect()
}

/// S2 and S3 where anchors go: no proxy may still present a leaf, and no identity controller sign with an issuer, that whoever
/// starts with those that stay refuses (linkerd2#4287).
pub(super) fn drop_breaks_no_pair(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let Some(spec) = view.dropping(step).filter(|_| !view.recovers()) else { return Vec::new() };
    let after = view.states().publishing(&spec.bundle);
    let broken = after.broken(view.at);
    let of_pruned = |one: &&Violation| {
        one.bundle.and_then(|at| after.bundles.get(at)).is_some_and(|held| held.what.same_set(&spec.bundle))
    };
    let told = |one: &Violation| match one.invariant {
        Invariant::EveryPair => {
            let leaf = after.presented.get(one.chain?)?;
            let subject = format!(
                "{} present a leaf of `{}`",
                holders(leaf, "proxy", "proxies"),
                leaf.what.issuer.name()
            );
            let end =
                leaf.until.map_or_else(String::new, |end| format!(", or wait until it has run out at {end}"));
            Some(refused(view, spec, one, leaf, &subject, &format!("restart them{end}")))
        }
        Invariant::EveryRenewal => {
            let replica = after.controllers.get(one.chain?)?;
            let holders = holders(replica, "identity controller", "identity controllers");
            let verb = if replica.count == 1 && replica.certain { "signs" } else { "sign" };
            let subject = format!("{holders} {verb} with `{}`", replica.what.1.issuer.name());
            Some(refused(view, spec, one, replica, &subject, "restart the identity controller"))
        }
        Invariant::ControllerStarts | Invariant::ControllerSigns => None,
    };
    broken.iter().filter(of_pruned).filter_map(told).collect()
}

/// The blocker of a class whose leaves would be refused.
fn refused<T>(
    view: &View<'_>,
    spec: &PhaseSpec,
    one: &Violation,
    class: &Holding<T>,
    subject: &str,
    act: &str,
) -> Blocker {
    let timed = view.issuer.is_dated();
    let severity = match (one.certain, class.count > 0 && timed) {
        (true, _) => Severity::Unsafe,
        (false, true) => Severity::Wait,
        (false, false) => Severity::Unknown,
    };
    let anchors = spec.anchors_name();
    let reason =
        format!("{subject}, which whoever starts with {anchors} alone refuses: {}; {act}", one.refusal);
    Blocker::of(severity, reason)
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
    let certificates: Vec<&Certificate> = match step.stage {
        Stage::Trust => view.record.anchor().into_iter().collect(),
        Stage::Issuer => {
            view.spec(step).swapped_in().into_iter().flat_map(IssuerChain::certificates).collect()
        }
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
            Blocker::wait(format!(
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
pub(super) fn material_has_not_expired(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let record = view.record;
    let (anchors, chain, whose, act): (Vec<_>, _, _, _) = match record.direction {
        Direction::Forward => {
            let crossing = record.cross.iter().filter(|_| step.phase != Phase::RemoveCross);
            let anchors = record.anchor().into_iter().chain(crossing).collect();
            (anchors, Some(&record.issuer), "this rotation's", "start a new rotation in another directory")
        }
        Direction::Rollback => {
            let anchors = record.old.anchors().iter().collect();
            let chain = view.spec(step).swapped_in();
            (anchors, chain, "going back has stopped being safe: the old", "go on with the rotation instead")
        }
    };
    let told = |over: &Certificate| {
        Blocker::unsafe_because(format!(
            "{whose} `{}` expired on {}: {act}",
            over.name(),
            over.facts().not_after
        ))
    };
    let certificates = anchors.into_iter().chain(chain.into_iter().flat_map(IssuerChain::certificates));
    certificates.filter(|certificate| certificate.is_expired_at(view.at)).map(told).collect()
}

/// A cross certificate that is put in place must last until it is done with, as `start` asks of it: it caps every leaf.
pub(super) fn crossing_lasts(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let record = view.record;
    let crosses = |cross: &&Certificate| {
        step.stage == Stage::Issuer
            && view.spec(step).swapped_in() == Some(&record.crossed())
            && !cross.is_expired_at(view.at)
    };
    let ends_too_soon = |cross: &&Certificate| cross_ends_too_soon(view.mesh, view.at, cross);
    let act = match record.direction {
        Direction::Forward => "start a new rotation with --strategy staged in another directory",
        Direction::Rollback => "go on with the rotation instead",
    };
    let told = |cross: &Certificate| {
        Blocker::unsafe_because(format!(
            "the cross certificate caps every leaf and ends on {}, less than two leafs' lives from now: {act}",
            cross.facts().not_after
        ))
    };
    record.cross.iter().filter(crosses).filter(ends_too_soon).map(told).collect()
}

/// An anchor that has ended and left the bundle does not come back: `linkerd check` fails on it, and nothing needs it. So it is
/// with a rotation that another, such as a recovery, has superseded.
pub(super) fn no_expired_anchor_comes_back(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let published = view.mesh.trust.published.as_option().filter(|_| step.stage == Stage::Trust);
    let Some(published) = published.filter(|_| view.record.direction == Direction::Forward) else {
        return Vec::new();
    };
    let is_there = |anchor: &Certificate| published.readings().any(|bundle| bundle.contains(anchor));
    let bundle = view.record.bundle_for(step.phase, view.mesh);
    let back = bundle.anchors().iter().filter(|one| one.is_expired_at(view.at) && !is_there(one));
    let told = |one: &Certificate| {
        Blocker::unsafe_because(format!(
            "it would publish the anchor `{}` again, which expired on {} and is not published any more: another rotation has \
             superseded this one; archive it",
            one.name(),
            one.facts().not_after
        ))
    };
    back.map(told).collect()
}

/// S6: what the next Helm or CLI upgrade publishes again accepts the new issuer.
pub(super) fn change_outlives_upgrade(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let (mesh, era) = (view.mesh, view.mesh.control_plane.era);
    if step.stage != Stage::Issuer || mesh.control_plane.external_ca || era.trust_home() == era.config_home()
    {
        return Vec::new();
    }
    let spec = view.spec(step);
    let copy = mesh.trust.config.as_option().and_then(|copy| copy.as_read_by(Rules::Controller).ok());
    copy.zip(spec.swapped_in())
        .and_then(|(copy, chain)| accepts(copy, chain, &mesh.identity_name(), view.at, Rules::Controller).err())
        .map(|reason| {
            let issuer = spec.issuer_name();
            Blocker::wait(format!(
                "{} still holds other anchors, which the next Helm or CLI upgrade publishes again, and which do not accept \
                 {issuer}: {reason}; put the published anchors into the value identityTrustAnchorsPEM first",
                mesh.linkerd_config()
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
    let end = view.at.checked_add(view.workload_certificate_lifetime()).unwrap_or(Timestamp::MAX);
    let matters = |found: &&CertManagerCertificate| {
        step.stage == Stage::Issuer
            || view.spec(step).drops
            || !found.writes_issuer(&view.mesh.control_plane.namespace)
    };
    let confirm = Confirmation::RenewalSuspended;
    let told = |found: &CertManagerCertificate| {
        let due = found.renewal_time.filter(|due| *due <= end)?;
        let reason = format!(
            "cert-manager renews {} at {due}, before {end}, when this step is taken up for sure: let it renew first, or suspend it \
             until the rotation is finished and confirm it with --confirm {confirm}",
            found.object
        );
        Some(Blocker::to_confirm(reason, confirm))
    };
    view.mesh.certificates.iter().filter(matters).filter_map(told).collect()
}

/// What reads mounted files when it starts must not start before every kubelet shows them: it would have to start once more, and
/// the annotation that its template then carries restarts nothing again.
pub(super) fn restart_finds_what_changed(view: &View<'_>, step: Step) -> Vec<Blocker> {
    if step.stage != Stage::ControlPlane {
        return Vec::new();
    }
    let spec = view.spec(step);
    let secret = spec.swapped_in().map(|_| (view.issuer, view.mesh.issuer_secret()));
    let reads = spec.swapped_in().is_none() && reads_mounted_bundle(view) || spec.restarts_for_bundle;
    let bundle = reads.then(|| (view.bundle, view.mesh.bundle_home()));
    let told = |(change, object): (Change, _)| match change.shown {
        Some(shown) if view.at <= shown => Some(Blocker::wait(format!(
            "{object} has only just changed: until {shown} a kubelet may still have it mounted as it was, and what restarts now \
             may have to restart again"
        ))),
        _ => None,
    };
    secret.into_iter().chain(bundle).filter_map(told).collect()
}

/// Who restarts for a new leaf must not ask an identity controller that is on its way out: it would have to restart once more.
pub(super) fn restart_asks_the_new_controllers(view: &View<'_>, step: Step) -> Vec<Blocker> {
    if step.stage != Stage::DataPlane || view.spec(step).swapped_in().is_none() {
        return Vec::new();
    }
    let gone = view.signs_since().map(handed_over).filter(|gone| view.at <= *gone);
    let told = |gone| {
        format!(
            "the identity controller has only just restarted: until {gone} one that was replaced may still sign"
        )
    };
    gone.map(|gone| Blocker::wait(told(gone))).into_iter().collect()
}

/// S7: without a proxy injector pods that restart come up without a proxy, or not at all.
pub(super) fn restart_needs_injector(view: &View<'_>, step: Step) -> Vec<Blocker> {
    if step.stage != Stage::DataPlane {
        return Vec::new();
    }
    if let Some(why) = no_pods(view) {
        return vec![Blocker::unknown(format!("whether the proxy injector runs cannot be told: {why}"))];
    }
    let running = view
        .replicas(&[crate::linkerd::INJECTOR_CONTAINER])
        .any(|replica| replica.started.is_some_and(|at| at <= view.at));
    if running {
        return Vec::new();
    }
    vec![Blocker::wait(format!(
        "no proxy injector is running in namespace {}: pods that restart now come up without a proxy, or not at all; bring \
         it up first",
        view.mesh.control_plane.namespace
    ))]
}

/// Proxies outside the cluster are ready for the step; nothing here shows them.
pub(super) fn external_workloads_follow(view: &View<'_>, step: Step) -> Vec<Blocker> {
    outside(
        view,
        step,
        Confirmation::ExternalWorkloads,
        "the proxies of ExternalWorkloads",
        &view.mesh.external_workloads,
    )
}

/// Linked clusters share the trust: theirs must be as far; nothing here shows them.
pub(super) fn linked_clusters_follow(view: &View<'_>, step: Step) -> Vec<Blocker> {
    outside(view, step, Confirmation::LinkedClusters, "the proxies of linked clusters", &view.mesh.links)
}

fn outside(view: &View<'_>, step: Step, confirm: Confirmation, who: &str, names: &[String]) -> Vec<Blocker> {
    let Some(need) = view.need_outside(step).filter(|_| !view.recovers()) else { return Vec::new() };
    let reason = format!(
        "{who} {need} ({}): nothing here shows it; confirm it with --confirm {confirm}",
        names.join(", ")
    );
    if names.is_empty() { Vec::new() } else { vec![Blocker::to_confirm(reason, confirm)] }
}

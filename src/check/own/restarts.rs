//! Whether what reads trust material at its start has started since it changed.

use jiff::{SignedDuration, Timestamp};

use crate::check::Outcome;
use crate::check::case::{Case, changed};
use crate::check::rule::{Judged, Rule, Stop, listed, warning};
use crate::mesh::Replica;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "control-plane-restarted",
        description: "control plane started after the trust bundle last changed",
        judge: control_plane_restarted,
    },
    Rule {
        code: "identity-loaded-issuer",
        description: "identity controller started after the issuer last changed",
        judge: identity_loaded_issuer,
    },
];

/// The injector reads its mounted bundle for each pod; the kubelet has renewed the mount by then.
const MOUNT_LAG: SignedDuration = SignedDuration::from_mins(2);

fn control_plane_restarted(case: &Case<'_>) -> Judged {
    if !case.mesh.control_plane.era.control_plane_by_reference() {
        return Err(Stop::NotApplicable);
    }
    case.proxies()?;
    let changed = case.bundle_changed()?;
    let mounted = changed.saturating_add(MOUNT_LAG).unwrap_or(Timestamp::MAX) <= case.at();
    let holds_old = |replica: &Replica| match replica.container.as_str() {
        "proxy-injector" => !mounted,
        _ => true,
    };
    let head = format!(
        "anchors are read at the start only; what started before {} changed on {changed} does not know the \
         new ones: restart it (phase bundle, step 2; `kubectl rollout restart -n {} deploy`)",
        case.bundle_name(),
        case.mesh.control_plane.namespace
    );
    judge_starts(case, changed, holds_old, |items| Ok(warning(listed(&head, items))))
}

/// That a running controller took up a changed Secret cannot be seen in objects: it may have missed it.
fn identity_loaded_issuer(case: &Case<'_>) -> Judged {
    case.proxies()?;
    let name = case.secret_name();
    let changed = changed(case.issuer_in_secret()?.changed, &name)?;
    let namespace = &case.mesh.control_plane.namespace;
    let identity = |replica: &Replica| replica.container == "identity";
    judge_starts(case, changed, identity, |items| {
        if !case.mesh.control_plane.era.reloads_issuer() {
            let head = format!(
                "Linkerd 2.6 reads the issuer at the start only, and {name} changed on {changed}; restart \
                 it (`kubectl rollout restart -n {namespace} deploy/linkerd-identity`)"
            );
            return Ok(warning(listed(&head, items)));
        }
        let head = format!(
            "{name} changed on {changed}, and a running identity controller may miss that; look for its \
             event IssuerUpdated (`kubectl get events -n {namespace} --field-selector \
             reason=IssuerUpdated`) or restart it"
        );
        Err(Stop::Unknown(listed(&head, items)))
    })
}

/// Judges by the containers that started at or before `changed`; a start that is not known is not taken for a late one.
fn judge_starts(
    case: &Case<'_>,
    changed: Timestamp,
    concerns: impl Fn(&Replica) -> bool,
    early: impl FnOnce(Vec<String>) -> Judged,
) -> Judged {
    let namespace = &case.mesh.control_plane.namespace;
    let named = |replica: &Replica| format!("{namespace}/{} ({})", replica.pod, replica.container);
    let replicas: Vec<_> =
        case.mesh.control_plane.replicas.iter().filter(|replica| concerns(replica)).collect();
    let since = |replica: &Replica| replica.started.filter(|started| *started <= changed);
    let stale =
        replicas.iter().filter_map(|replica| Some(format!("{} since {}", named(replica), since(replica)?)));
    let stale: Vec<_> = stale.collect();
    if !stale.is_empty() {
        return early(stale);
    }
    if replicas.is_empty() {
        return Err(Stop::Unknown(format!(
            "the input holds no running control-plane container in {namespace}"
        )));
    }
    let silent: Vec<_> =
        replicas.iter().filter(|replica| replica.started.is_none()).map(|replica| named(replica)).collect();
    if silent.is_empty() {
        return Ok(Outcome::Success);
    }
    Err(Stop::Unknown(listed("these containers do not tell when they started", silent)))
}

//! Whether what reads trust material at its start has started since it changed.

use jiff::Timestamp;

use crate::check::Outcome;
use crate::check::case::{Case, changed};
use crate::check::rule::{Judged, Rule, Stop, listed, warning};
use crate::mesh::{KUBELET_LAG_SECONDS, Replica};

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

fn control_plane_restarted(case: &Case<'_>) -> Judged {
    if !case.mesh.control_plane.era.control_plane_by_reference() {
        return Err(Stop::NotApplicable);
    }
    case.proxies()?;
    let changed = case.bundle_changed()?;
    let home = case.mesh.control_plane.era.trust_home().config_map();
    let change = Change::of(case, ("ConfigMap", home), case.bundle_name(), changed);
    // The injector reads its mounted bundle for each pod: once the kubelet has renewed the mount, its start is no matter.
    let holds_old = |replica: &Replica| match replica.container.as_str() {
        "proxy-injector" => case.at() <= change.mounted,
        _ => true,
    };
    let head = format!(
        "anchors are read at the start only; what started before {} changed on {changed} does not know the \
         new ones: restart it (phase bundle, step 2; `kubectl rollout restart -n {} deploy`)",
        change.object, case.mesh.control_plane.namespace
    );
    judge_starts(case, &change, holds_old, |items| Ok(warning(listed(&head, items))))
}

/// That a running controller took up a changed Secret cannot be seen in objects: it may have missed it.
fn identity_loaded_issuer(case: &Case<'_>) -> Judged {
    case.proxies()?;
    let name = case.secret_name();
    let changed = changed(case.issuer_in_secret()?.changed, &name)?;
    let change = Change::of(case, ("Secret", "linkerd-identity-issuer"), name.clone(), changed);
    let namespace = &case.mesh.control_plane.namespace;
    let identity = |replica: &Replica| replica.container == "identity";
    judge_starts(case, &change, identity, |items| {
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

/// The last change of an object that the control plane mounts.
struct Change {
    object: String,
    at: Timestamp,
    /// Since when volumes surely show it.
    mounted: Timestamp,
}

impl Change {
    fn of(case: &Case<'_>, (kind, name): (&str, &str), object: String, at: Timestamp) -> Self {
        Self { object, at, mounted: case.mesh.mounted_since(kind, name, at) }
    }
}

/// Judges by the containers that started at or before a change. A start that is not known is not taken for a late one,
/// nor is one of a container that reads a mounted volume within the kubelet's lag.
fn judge_starts(
    case: &Case<'_>,
    change: &Change,
    concerns: impl Fn(&Replica) -> bool,
    early: impl FnOnce(Vec<String>) -> Judged,
) -> Judged {
    let namespace = &case.mesh.control_plane.namespace;
    let named = |replica: &Replica| format!("{namespace}/{} ({})", replica.pod, replica.container);
    let replicas: Vec<_> =
        case.mesh.control_plane.replicas.iter().filter(|replica| concerns(replica)).collect();
    let that_started = |when: &dyn Fn(&Replica, Timestamp) -> bool| -> Vec<String> {
        let since = |replica: &Replica| replica.started.filter(|started| when(replica, *started));
        let told = |replica: &&Replica| Some(format!("{} since {}", named(replica), since(replica)?));
        replicas.iter().filter_map(told).collect()
    };
    let stale = that_started(&|_, started| started <= change.at);
    if !stale.is_empty() {
        return early(stale);
    }
    if replicas.is_empty() {
        return Err(Stop::Unknown(format!(
            "the input holds no running control-plane container in {namespace}"
        )));
    }
    let soon = that_started(&|replica, started| reads_mount(replica) && started <= change.mounted);
    if !soon.is_empty() {
        let Change { object, at: changed, .. } = change;
        let head = format!(
            "these containers started within {KUBELET_LAG_SECONDS} s after {object} changed on {changed}, while a kubelet may \
             still have had it mounted as it was; restart them once more"
        );
        return Err(Stop::Unknown(listed(&head, soon)));
    }
    let silent: Vec<_> =
        replicas.iter().filter(|replica| replica.started.is_none()).map(|replica| named(replica)).collect();
    if silent.is_empty() {
        return Ok(Outcome::Success);
    }
    Err(Stop::Unknown(listed("these containers do not tell when they started", silent)))
}

/// Bundle and issuer are files of volumes to these; a proxy has the bundle in its environment, made of the ConfigMap itself.
fn reads_mount(replica: &Replica) -> bool {
    matches!(replica.container.as_str(), "identity" | "proxy-injector")
}

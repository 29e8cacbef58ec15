//! Whether what reads trust material at its start has started since it changed.

use crate::check::case::{Case, changed_at};
use crate::check::{Judged, Outcome, Rule, Stop, warning};
use crate::document::ObjectRef;
use crate::finding::{CheckFact, Container, Fact, Finding, InputFact, Opens, Severity};
use crate::linkerd;
use crate::mesh::{Change, Mesh, Plane, Read, Replica};

pub(super) const RULES: &[Rule] = &[
    Rule { code: "control-plane-restarted", object: Some(Mesh::bundle_home), judge: control_plane_restarted },
    Rule { code: "identity-loaded-issuer", object: Some(Mesh::issuer_secret), judge: identity_loaded_issuer },
];

fn control_plane_restarted(case: &Case<'_>) -> Judged {
    if !case.mesh.control_plane.era.control_plane_by_reference() {
        return Err(Stop::NotApplicable);
    }
    case.proxies()?;
    case.published()?;
    let (object, change) = (case.mesh.bundle_home(), case.mesh.bundle_change());
    let changed = changed_at(change, &object)?;
    // The injector reads its mounted bundle for each pod: once the kubelet has renewed the mount, its start is no matter.
    let mount_is_renewed = change.shown.is_some_and(|shown| case.at() > shown);
    let concerns = |replica: &Replica| replica.container != linkerd::INJECTOR_CONTAINER || !mount_is_renewed;
    match started(case, change, concerns)? {
        Started::After => Ok(Outcome::Success),
        Started::Before(containers) => {
            let restart = control_plane_workloads(case, &containers);
            let fact = CheckFact::ControlPlaneNotRestarted { object, changed, containers };
            Ok(restarted_by(warning(fact), restart))
        }
        Started::Perhaps(containers) => unproven(case, containers, |containers| CheckFact::RestartUnproven {
            object,
            changed,
            containers,
        }),
    }
}

/// That a running controller has loaded a changed Secret cannot be seen in objects: it may have missed it.
fn identity_loaded_issuer(case: &Case<'_>) -> Judged {
    case.proxies()?;
    case.issuer_in_secret()?;
    let (object, change) = (case.mesh.issuer_secret(), case.mesh.issuer_change());
    let changed = changed_at(change, &object)?;
    let concerns = |replica: &Replica| replica.container == linkerd::IDENTITY_CONTAINER;
    match started(case, change, concerns)? {
        Started::After => Ok(Outcome::Success),
        Started::Before(containers) if case.mesh.control_plane.era.reloads_issuer() => {
            unproven(case, containers, |containers| CheckFact::IssuerReloadUnproven {
                object,
                changed,
                containers,
            })
        }
        Started::Before(containers) => {
            let restart = control_plane_workloads(case, &containers);
            let fact = CheckFact::IssuerNotLoaded { object, changed, containers };
            Ok(restarted_by(warning(fact), restart))
        }
        Started::Perhaps(containers) => unproven(case, containers, |containers| CheckFact::RestartUnproven {
            object,
            changed,
            containers,
        }),
    }
}

/// When containers started, seen from a change.
enum Started {
    /// All of them after it.
    After,
    /// These before it.
    Before(Vec<Container>),
    /// Of these it is not known.
    Perhaps(Vec<Container>),
}

fn started(case: &Case<'_>, change: Change, concerns: impl Fn(&Replica) -> bool) -> Result<Started, Stop> {
    let plane = &case.mesh.control_plane;
    let replicas: Vec<_> = plane.replicas.iter().filter(|replica| concerns(replica)).collect();
    if replicas.is_empty() {
        let namespace = plane.namespace.clone();
        return Err(Stop::unknown(InputFact::ControlPlaneNotSeen { namespace }));
    }
    let (mut before, mut perhaps) = (Vec::new(), Vec::new());
    for replica in replicas {
        let container = Container {
            pod: format!("{}/{}", plane.namespace, replica.pod),
            container: replica.container.clone(),
            started: replica.started,
            doubt: None,
        };
        match change.by_replica(replica, case.at()) {
            Read::Before => before.push(container),
            Read::Perhaps(doubt) => perhaps.push(Container { doubt: Some(doubt), ..container }),
            Read::After => {}
        }
    }
    if !before.is_empty() {
        return Ok(Started::Before(before));
    }
    Ok(if perhaps.is_empty() { Started::After } else { Started::Perhaps(perhaps) })
}

fn unproven<F: Into<Fact>>(
    case: &Case<'_>,
    containers: Vec<Container>,
    fact: impl FnOnce(Vec<Container>) -> F,
) -> Judged {
    let restart = control_plane_workloads(case, &containers);
    Ok(restarted_by(Outcome::found(Finding::new(Severity::Unknown, fact(containers))), restart))
}

fn restarted_by(outcome: Outcome, workloads: Vec<ObjectRef>) -> Outcome {
    match outcome {
        Outcome::Found(finding) if !workloads.is_empty() => {
            Outcome::found(finding.opened_by(Opens::Restart(workloads)))
        }
        outcome => outcome,
    }
}

/// The observed workloads of the control plane that these containers run in.
fn control_plane_workloads(case: &Case<'_>, containers: &[Container]) -> Vec<ObjectRef> {
    let component = |replica: &Replica, name: &str| name == format!("linkerd-{}", replica.component);
    let concerned = |name: &str| {
        case.mesh.control_plane.replicas.iter().filter(|replica| component(replica, name)).any(|replica| {
            containers.iter().any(|container| container.pod.ends_with(&format!("/{}", replica.pod)))
        })
    };
    let workloads = case.mesh.workloads.iter().filter(|workload| workload.plane == Plane::Control);
    workloads.map(|workload| &workload.object).filter(|object| concerned(&object.name)).cloned().collect()
}

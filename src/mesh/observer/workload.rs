//! Workloads as their manifests have them.

use serde_json::Value;

use super::injection::Intent;
use super::kept::Kept;
use super::key::Key;
use super::tree::{is_true, items, label, number, text};
use crate::document::{Document, ObjectRef, Origin};
use crate::mesh::pod::OwnerReference;
use crate::mesh::{Obstacle, Owner, Template};

/// A workload's manifest.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) object: ObjectRef,
    pub(super) origin: Origin,
    pub(super) owners: Vec<Owner>,
    /// `linkerd.io/control-plane-component`.
    pub(super) component: Option<String>,
    pub(super) replicas: Option<u32>,
    /// How many pods it has, where its status says.
    pub(super) promised: Option<u32>,
    pub(super) obstacles: Vec<Obstacle>,
    /// What its template wants; a Rollout may take another object's.
    pub(super) intent: Option<Intent>,
    /// The whole object, where it was asked for.
    pub(super) kept: Option<Kept>,
}

/// When a manifest's own fields are in the way of a restart, by kind.
type Rule = (&'static [&'static str], fn(&Value) -> Option<Obstacle>);

const RULES: &[Rule] = &[
    (&["DaemonSet", "StatefulSet"], |spec| {
        (text(spec, "/updateStrategy/type") == Some("OnDelete")).then_some(Obstacle::OnDelete)
    }),
    (&["StatefulSet"], |spec| {
        let partition = number(spec, "/updateStrategy/rollingUpdate/partition")?;
        (partition > 0).then_some(Obstacle::Partition(partition))
    }),
    (&["Deployment", "Rollout"], |spec| is_true(spec, "/paused").then_some(Obstacle::Paused)),
    (&["Pod"], |_| Some(Obstacle::BarePod)),
    (&["Job"], |_| Some(Obstacle::RunningJob)),
    (&["CronJob"], |_| Some(Obstacle::NextRun)),
    (&["Rollout"], |_| Some(Obstacle::ArgoRollout)),
    (&["Rollout"], |spec| awaits_promotion(spec).then_some(Obstacle::Promotion)),
    (&["ReplicaSet", "ReplicationController"], |_| Some(Obstacle::BareReplicas)),
    (&["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout"], |spec| {
        (number(spec, "/replicas") == Some(0)).then_some(Obstacle::ZeroReplicas)
    }),
];

/// Does an Argo Rollout stop on its way until somebody promotes it (`pkg/apis/rollouts/v1alpha1/types.go`)?
fn awaits_promotion(spec: &Value) -> bool {
    let stops = |step: &Value| step.get("pause").is_some_and(|pause| pause.get("duration").is_none());
    items(spec, "/strategy/canary/steps").iter().any(stops)
        || spec.pointer("/strategy/blueGreen/autoPromotionEnabled") == Some(&Value::Bool(false))
}

/// What is in the way of a restart; of a workload that only its pods tell of, `spec` is null.
pub(super) fn obstacles(key: &Key, spec: &Value) -> Vec<Obstacle> {
    if key.is_foreign() {
        return vec![Obstacle::UnknownOwner];
    }
    RULES
        .iter()
        .filter(|(kinds, _)| kinds.contains(&key.kind.as_str()))
        .filter_map(|(_, rule)| rule(spec))
        .collect()
}

impl Seen {
    /// Reads a workload's manifest; `None` for a patch of one, which has no containers.
    pub(super) fn new(object: ObjectRef, document: Document, keep_all: bool) -> Option<Self> {
        let tree = &document.tree;
        let template = match object.kind.as_str() {
            "Pod" => Some(tree),
            "CronJob" => tree.pointer("/spec/jobTemplate/spec/template"),
            _ => tree.pointer("/spec/template"),
        };
        let intent =
            template.filter(|template| !items(template, "/spec/containers").is_empty()).map(Intent::of);
        if intent.is_none() && tree.pointer("/spec/workloadRef").is_none() {
            return None;
        }
        let component = |tree| label(tree, "linkerd.io/control-plane-component").map(str::to_owned);
        let component = component(tree).or_else(|| template.and_then(component));
        let spec = tree.get("spec").unwrap_or(&Value::Null);
        Some(Self {
            owners: Owner::all_of(tree),
            replicas: number(spec, "/replicas"),
            promised: promised(tree),
            obstacles: obstacles(&Key::of(&object), spec),
            intent,
            origin: document.origin.clone(),
            kept: (keep_all || component.is_some()).then(|| Kept::new(object.clone(), document)),
            component,
            object,
        })
    }

    /// The template as the mesh holds it.
    pub(super) fn template(&self) -> Option<Template> {
        self.intent.as_ref().map(|intent| Template { annotations: intent.annotations.clone() })
    }
}

/// The pods that a workload has by its status, done ones left aside. Of a DaemonSet only those that are ready: a node counts as
/// scheduled while its pod is one that has failed (`updateDaemonSetStatus` in Kubernetes).
fn promised(tree: &Value) -> Option<u32> {
    let fields = ["/status/replicas", "/status/readyReplicas", "/status/numberReady"];
    fields.into_iter().filter_map(|field| number(tree, field)).max()
}

/// What controls an object that may be a part of a workload: a ReplicaSet's Deployment, a Job's CronJob.
pub(super) fn parent(tree: &Value, namespace: &str) -> Option<Key> {
    if !["ReplicaSet", "Job", "ReplicationController"].contains(&text(tree, "/kind")?) {
        return None;
    }
    let references = items(tree, "/metadata/ownerReferences");
    let controller =
        references.iter().find(|reference| is_true(reference, "/controller")).or(references.first())?;
    let field = |pointer| text(controller, pointer).unwrap_or_default();
    Some(Key::new(field("/apiVersion"), field("/kind"), namespace, field("/name")))
}

/// Is it a Job that is done, or what a Deployment left of an earlier rollout? Neither has pods that could be restarted.
pub(super) fn is_idle(tree: &Value) -> bool {
    let finished = |condition: &Value| {
        matches!(text(condition, "/type"), Some("Complete" | "Failed"))
            && text(condition, "/status") == Some("True")
    };
    match text(tree, "/kind") {
        Some("Job") => items(tree, "/status/conditions").iter().any(finished),
        Some("ReplicaSet") => {
            number(tree, "/spec/replicas") == Some(0) && !items(tree, "/metadata/ownerReferences").is_empty()
        }
        _ => false,
    }
}

/// The controller among a pod's owner references.
pub(super) fn controller(references: &[OwnerReference]) -> Option<&OwnerReference> {
    references.iter().find(|reference| reference.controller == Some(true)).or(references.first())
}

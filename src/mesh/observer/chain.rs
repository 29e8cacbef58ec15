//! From a pod up to the workload that would be changed to restart it.

use std::collections::BTreeMap;

use super::key::Key;
use super::workload::{Seen, controller};
use crate::mesh::pod::PodMetadata;

/// The injector's labels of a pod's owner, the topmost owner first (`pkg/k8s/labels.go`).
const LABELS: [(&str, &str); 7] = [
    ("linkerd.io/proxy-cronjob", "CronJob"),
    ("linkerd.io/proxy-deployment", "Deployment"),
    ("linkerd.io/proxy-statefulset", "StatefulSet"),
    ("linkerd.io/proxy-daemonset", "DaemonSet"),
    ("linkerd.io/proxy-job", "Job"),
    ("linkerd.io/proxy-replicaset", "ReplicaSet"),
    ("linkerd.io/proxy-replicationcontroller", "ReplicationController"),
];

/// The labels whose value ends the names of ReplicaSets, and who puts them there.
const HASHES: [(&str, &str); 2] =
    [("rollouts-pod-template-hash", "Rollout"), ("pod-template-hash", "Deployment")];

/// No chain of owners is longer than this; one that is goes in a circle.
const LONGEST: usize = 8;

/// Everything a pod says of its owners.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    /// Its controller, by `metadata.ownerReferences`; without one the pod itself.
    direct: Key,
    /// By the injector's label.
    labelled: Option<Key>,
    /// By the name of the ReplicaSet without its hash.
    hashed: Option<Key>,
}

impl Claim {
    pub(super) fn of(pod: &PodMetadata) -> Self {
        let direct = controller(&pod.owner_references).map(|owner| Key::referenced(owner, &pod.namespace));
        let known = |kind, name: &str| Key::known(kind, &pod.namespace, name);
        let labelled = LABELS.iter().find_map(|(label, kind)| Some(known(kind, pod.labels.get(*label)?)));
        let name = match &direct {
            Some(owner) if owner.kind == "ReplicaSet" => Some(owner.name.as_str()),
            Some(_) => None,
            // A pod's name has five random characters after the ReplicaSet's.
            None => pod.name.rsplit_once('-').map(|(name, _)| name),
        };
        let hashed = HASHES.iter().find_map(|(label, kind)| {
            let stem = name?.strip_suffix(pod.labels.get(*label)?.as_str())?.strip_suffix('-')?;
            Some(known(kind, stem))
        });
        match direct {
            Some(direct) => Self { direct, labelled, hashed },
            None => Self {
                direct: labelled
                    .clone()
                    .or_else(|| hashed.clone())
                    .unwrap_or_else(|| known("Pod", &pod.name)),
                labelled,
                hashed,
            },
        }
    }

    /// Is it of a pod in this namespace?
    pub(super) fn is_in(&self, namespace: &str) -> bool {
        self.direct.namespace == namespace
    }

    /// The workload at the end of the chain: by the objects in the input where they tell, else by the injector's label, else
    /// by the ReplicaSet's name.
    pub(super) fn resolve(&self, parents: &BTreeMap<Key, Key>, workloads: &BTreeMap<Key, Seen>) -> Key {
        let above = std::iter::successors(Some(&self.direct), |key| parents.get(key));
        let key = above.take(LONGEST).last().unwrap_or(&self.direct);
        if workloads.contains_key(key) || key != &self.direct {
            return key.clone();
        }
        let above = |kinds: [&str; 2]| {
            [&self.labelled, &self.hashed]
                .into_iter()
                .flatten()
                .find(|key| kinds.contains(&key.kind.as_str()))
                .cloned()
        };
        match key.kind.as_str() {
            "ReplicaSet" => above(["Deployment", "Rollout"]),
            "Job" => above(["CronJob", "CronJob"]).or_else(|| cron_job(key, workloads)),
            _ => None,
        }
        .unwrap_or_else(|| key.clone())
    }
}

/// The CronJob in the input whose name a Job's begins with: a CronJob's Jobs are called `NAME-MINUTES`.
fn cron_job(job: &Key, workloads: &BTreeMap<Key, Seen>) -> Option<Key> {
    let (stem, minutes) = job.name.rsplit_once('-')?;
    let key = Key::known("CronJob", &job.namespace, stem);
    (minutes.bytes().all(|byte| byte.is_ascii_digit()) && workloads.contains_key(&key)).then_some(key)
}

//! Pods, counted by what tells their proxies apart as they go by; none of them is kept.

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use jiff::Timestamp;

use super::chain::Claim;
use crate::document::Origin;
use crate::linkerd;
use crate::mesh::pod::{ConfigMapKey, Container, ContainerStatus, Pod, PodMetadata, ValueFrom};
use crate::mesh::{Made, Replica, Starts};

/// The containers of the control plane that read trust material when they start.
const READERS: [&str; 3] =
    [linkerd::IDENTITY_CONTAINER, linkerd::INJECTOR_CONTAINER, linkerd::PROXY_CONTAINER];

/// How many pod names of a group are kept.
const SAMPLE: usize = 5;

/// Every proxy that was seen, grouped.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    /// Each literal bundle's text once, with its place in the order of appearance.
    texts: HashMap<String, usize>,
    pub(super) groups: HashMap<Group, Tally>,
    /// Containers of pods with `linkerd.io/control-plane-component`, by the pod's namespace.
    pub(super) replicas: BTreeSet<(String, Replica)>,
    /// Do pods of a component carry `linkerd.io/trust-root-sha256`? By their namespaces.
    pub(super) hashed: BTreeSet<String>,
    /// The pods without a proxy that were seen, by whose they are.
    pub(super) without: HashMap<Claim, Bare>,
    /// Pods by the hash of their name.
    names: HashSet<u64>,
    /// Pods by the hash of their name and of what is counted of them: one that is in the input twice counts once, and where the
    /// two differ both count, whichever comes first.
    seen: HashSet<u64>,
}

/// What tells the proxies of one group from others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub(super) claim: Claim,
    /// `linkerd.io/control-plane-ns`, where the pod has it.
    pub(super) control_plane: Option<String>,
    /// Does the pod have `linkerd.io/control-plane-component`?
    pub(super) component: bool,
    pub(super) held: Held,
    /// Of those that hold the bundle by reference; nothing follows from it for others.
    pub(super) made: Made,
    /// Did `linkerd inject --manual` make the pod, by its own account?
    pub(super) by_cli: bool,
}

/// How a proxy came by its bundle; literal ones by their place in the order of appearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Held {
    Literal(usize),
    ByReference,
    Nothing,
}

/// What is counted of a group.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) starts: Starts,
    /// Pods, each once, in whatever forms it is in the input.
    pub(super) pods: u64,
    pub(super) sample: BTreeSet<String>,
    /// The first origin by order, so that the order of reading does not matter.
    pub(super) origin: Origin,
}

/// What is counted of pods without a proxy.
#[derive(Debug, Clone, Default)]
pub(super) struct Bare {
    pub(super) count: u64,
    pub(super) sample: BTreeSet<String>,
}

impl Tally {
    /// Takes in what another group counted.
    pub(super) fn merge(&mut self, other: Self) {
        for (at, count) in other.starts.at {
            *self.starts.at.entry(at).or_default() += count;
        }
        self.starts.unknown += other.starts.unknown;
        other.sample.iter().for_each(|name| add_name(&mut self.sample, name));
        self.pods += other.pods;
        self.origin = std::mem::take(&mut self.origin).min(other.origin);
    }
}

impl Bare {
    /// Takes in what was counted under another claim.
    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        other.sample.iter().for_each(|name| add_name(&mut self.sample, name));
    }
}

/// Keeps a name among the first few by order.
fn add_name(sample: &mut BTreeSet<String>, name: &str) {
    if sample.len() < SAMPLE || sample.last().is_some_and(|last| name < last.as_str()) {
        sample.insert(name.to_owned());
    }
    if sample.len() > SAMPLE {
        sample.pop_last();
    }
}

impl Proxies {
    /// Counts a pod that is not done.
    pub(super) fn see(&mut self, origin: &Origin, pod: &Pod) {
        self.replicas(pod);
        let metadata = &pod.metadata;
        let first = self.names.insert(hash(&(&metadata.namespace, &metadata.name)));
        let Some((proxy, statuses)) = proxy(pod) else { return self.without(metadata, first) };
        let held = self.held(metadata, proxy);
        let group = Group {
            claim: Claim::of(metadata),
            control_plane: metadata.labels.get("linkerd.io/control-plane-ns").cloned(),
            component: metadata.labels.contains_key("linkerd.io/control-plane-component"),
            held,
            made: if held == Held::ByReference { made(metadata) } else { Made::default() },
            by_cli: metadata
                .annotations
                .get("linkerd.io/created-by")
                .is_some_and(|by| by.starts_with("linkerd/cli")),
        };
        let started = started(statuses, linkerd::PROXY_CONTAINER);
        if !self.is_new(metadata, &group, started) {
            return;
        }
        let tally =
            self.groups.entry(group).or_insert_with(|| Tally { origin: origin.clone(), ..Tally::default() });
        tally.starts.add(started);
        tally.pods += u64::from(first);
        if *origin < tally.origin {
            tally.origin = origin.clone();
        }
        add_name(&mut tally.sample, &metadata.name);
    }

    fn without(&mut self, pod: &PodMetadata, first: bool) {
        if first {
            let bare = self.without.entry(Claim::of(pod)).or_default();
            bare.count += 1;
            add_name(&mut bare.sample, &pod.name);
        }
    }

    fn is_new(&mut self, pod: &PodMetadata, group: &Group, started: Option<Timestamp>) -> bool {
        self.seen.insert(hash(&(&pod.namespace, &pod.name, group, started)))
    }

    fn held(&mut self, pod: &PodMetadata, proxy: &Container) -> Held {
        let Some(variable) = proxy.env.iter().rfind(|variable| variable.name == linkerd::TRUST_ANCHORS_ENV)
        else {
            return Held::Nothing;
        };
        let text = match (&variable.value, &variable.value_from) {
            (None, Some(from)) if is_published(pod, from) => return Held::ByReference,
            (None, Some(from)) => Cow::Owned(elsewhere(pod, from)),
            (value, _) => Cow::Borrowed(value.as_deref().unwrap_or_default()),
        };
        if let Some(id) = self.texts.get(&*text) {
            return Held::Literal(*id);
        }
        let id = self.texts.len();
        self.texts.insert(text.into_owned(), id);
        Held::Literal(id)
    }

    fn replicas(&mut self, pod: &Pod) {
        let metadata = &pod.metadata;
        let Some(component) = metadata.labels.get("linkerd.io/control-plane-component") else { return };
        if metadata.annotations.contains_key(linkerd::TRUST_ROOT_ANNOTATION) {
            self.hashed.insert(metadata.namespace.clone());
        }
        let (spec, status) = (&pod.spec, &pod.status);
        for (containers, statuses) in [
            (&spec.containers, &status.container_statuses),
            (&spec.init_containers, &status.init_container_statuses),
        ] {
            let reads = |container: &&Container| READERS.contains(&container.name.as_str());
            for container in containers.iter().filter(reads) {
                if is_idle_injector(statuses, &container.name) {
                    continue;
                }
                let replica = Replica {
                    pod: metadata.name.clone(),
                    component: component.clone(),
                    container: container.name.clone(),
                    started: started(statuses, &container.name),
                    made: made(metadata),
                };
                self.replicas.insert((metadata.namespace.clone(), replica));
            }
        }
    }

    /// The texts in the order of their places.
    pub(super) fn texts(&mut self) -> Vec<String> {
        let mut texts: Vec<(String, usize)> = self.texts.drain().collect();
        texts.sort_by_key(|(_, id)| *id);
        texts.into_iter().map(|(text, _)| text).collect()
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Is it the published bundle? A ConfigMap is referred to in the pod's own namespace, so only the control plane's pods can.
fn is_published(pod: &PodMetadata, from: &ValueFrom) -> bool {
    let at_home = pod.labels.get("linkerd.io/control-plane-ns").map_or_else(
        || pod.labels.contains_key("linkerd.io/control-plane-component"),
        |home| *home == pod.namespace,
    );
    let published = |of: &ConfigMapKey| of.name == linkerd::TRUST_ROOTS && of.key == "ca-bundle.crt";
    at_home && from.config_map_key_ref.as_ref().is_some_and(published)
}

/// What stands for a bundle that is not in the input: a text without a certificate, which nobody can read.
fn elsewhere(pod: &PodMetadata, from: &ValueFrom) -> String {
    match &from.config_map_key_ref {
        Some(ConfigMapKey { name, key }) => {
            format!("the key {key:?} of ConfigMap {:?}", format!("{}/{name}", pod.namespace))
        }
        None => "from no ConfigMap".to_owned(),
    }
}

/// The proxy's container, a native sidecar's too, with the statuses among which its own is.
fn proxy(pod: &Pod) -> Option<(&Container, &[ContainerStatus])> {
    let find = |containers: &'_ [Container]| {
        containers.iter().position(|container| container.name == linkerd::PROXY_CONTAINER)
    };
    let (spec, status) = (&pod.spec, &pod.status);
    find(&spec.containers).map(|at| (&spec.containers[at], status.container_statuses.as_slice())).or_else(
        || {
            let at = find(&spec.init_containers)?;
            Some((&spec.init_containers[at], status.init_container_statuses.as_slice()))
        },
    )
}

/// Is it an injector that no Service hands requests to? It gives no pod a bundle, whenever it started.
fn is_idle_injector(statuses: &[ContainerStatus], name: &str) -> bool {
    name == linkerd::INJECTOR_CONTAINER
        && statuses.iter().any(|status| status.name == name && status.ready == Some(false))
}

/// How a pod was made; a mark that is no hash is none.
fn made(pod: &PodMetadata) -> Made {
    let mark = pod.annotations.get(linkerd::TRUST_ROOT_ANNOTATION);
    Made { created: pod.creation_timestamp, trust_root: mark.and_then(|mark| mark.parse().ok()) }
}

/// When a running container started; its pod may be older.
fn started(statuses: &[ContainerStatus], name: &str) -> Option<Timestamp> {
    statuses.iter().find(|status| status.name == name)?.state.running.as_ref()?.started_at
}

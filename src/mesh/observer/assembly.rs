//! Workloads and the proxies in their pods, brought together and numbered.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::injection::Namespaces;
use super::key::Key;
use super::missing::{Count, missing};
use super::proxies::{Bare, Group, Held as HeldText, Proxies, Tally};
use super::workload::{self, Seen};
use crate::document::Origin;
use crate::mesh::{
    BundleId, Held, Injection, Made, Manifest, Obstacle, Plane, ProxyGroup, Unmeshed, Unread, Workload,
    WorkloadId,
};
use crate::pki::BundleText;

/// What the mesh holds of workloads and proxies.
pub(super) struct Assembly {
    pub(super) bundles: Vec<BundleText>,
    pub(super) proxies: Vec<ProxyGroup>,
    pub(super) unmeshed: Vec<Unmeshed>,
    pub(super) workloads: Vec<Workload>,
    pub(super) manifests: Vec<Manifest>,
    /// Why the pods in the input cannot be all.
    pub(super) missing: Option<Unread>,
}

/// The proxies of one workload: what its own manifest may not tell.
#[derive(Default)]
struct Pods {
    control: bool,
    by_cli: bool,
    origin: Option<Origin>,
    groups: BTreeMap<(HeldText, Made), Tally>,
}

/// Brings together what belongs to the control plane in `namespace`.
pub(super) fn assemble(
    mut proxies: Proxies,
    mut seen: BTreeMap<Key, Seen>,
    parents: &BTreeMap<Key, Key>,
    namespaces: &Namespaces,
    namespace: &str,
) -> Assembly {
    let texts = proxies.texts();
    let mut without_proxy: BTreeMap<Key, Bare> = BTreeMap::new();
    for (claim, bare) in &proxies.without {
        without_proxy.entry(claim.resolve(parents, &seen)).or_default().merge(bare);
    }
    let counted = counted(&proxies, parents, &seen);
    let mut pods = by_workload(proxies, parents, &seen, namespace);
    seen.retain(|key, seen| pods.contains_key(key) || is_meshed(seen, namespaces, namespace));
    let keys: BTreeSet<Key> = seen.keys().chain(pods.keys()).cloned().collect();
    let (ids, bundles) = number_bundles(texts, pods.values());

    let mut assembly = Assembly {
        bundles,
        proxies: Vec::new(),
        unmeshed: Vec::new(),
        workloads: Vec::new(),
        manifests: Vec::new(),
        missing: None,
    };
    let mut counts = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        let (seen, pods) = (seen.remove(key), pods.remove(key).unwrap_or_default());
        let workload = workload(key, seen.as_ref(), &pods, namespace);
        let asks = seen.as_ref().is_some_and(|seen| is_meshed(seen, namespaces, namespace));
        if let Some(Bare { count, sample }) = without_proxy.get(key).filter(|_| asks) {
            let sample = sample.iter().cloned().collect();
            assembly.unmeshed.push(Unmeshed { workload: WorkloadId(at), count: *count, sample });
        }
        counts.push(Count {
            seen: counted.get(key).copied().unwrap_or_default(),
            promised: seen.as_ref().and_then(|seen| seen.promised).unwrap_or_default(),
            without_proxy: without_proxy.contains_key(key),
        });
        let kept = seen.and_then(|seen| seen.kept);
        assembly.manifests.extend(kept.map(|kept| kept.manifest(&workload.object.namespace)));
        for ((held, made), tally) in pods.groups {
            assembly.proxies.push(ProxyGroup {
                workload: WorkloadId(at),
                plane: workload.plane,
                held: match held {
                    HeldText::Literal(text) => Held::Literal(ids[&text]),
                    HeldText::ByReference => Held::ByReference,
                    HeldText::Nothing => Held::Nothing,
                },
                injection: workload.injection,
                starts: tally.starts,
                made,
                sample: tally.sample.into_iter().collect(),
            });
        }
        assembly.workloads.push(workload);
    }
    assembly.proxies.sort_by_key(|group| (group.workload, group.held, group.made));
    assembly.missing = missing(&assembly.workloads, &assembly.proxies, &counts);
    assembly
}

/// Pods by their workload, with a proxy of whatever control plane or none.
fn counted(
    proxies: &Proxies,
    parents: &BTreeMap<Key, Key>,
    seen: &BTreeMap<Key, Seen>,
) -> BTreeMap<Key, u64> {
    let groups = proxies.groups.iter().map(|(group, tally)| (&group.claim, tally.pods));
    let without = proxies.without.iter().map(|(claim, bare)| (claim, bare.count));
    let mut counted = BTreeMap::new();
    for (claim, count) in groups.chain(without) {
        *counted.entry(claim.resolve(parents, seen)).or_default() += count;
    }
    counted
}

/// This control plane's proxies by the workload at the end of each chain of owners.
fn by_workload(
    proxies: Proxies,
    parents: &BTreeMap<Key, Key>,
    seen: &BTreeMap<Key, Seen>,
    namespace: &str,
) -> BTreeMap<Key, Pods> {
    let mut workloads: BTreeMap<Key, Pods> = BTreeMap::new();
    let ours = |group: &Group| group.control_plane.as_deref().is_none_or(|other| other == namespace);
    for (group, tally) in proxies.groups.into_iter().filter(|(group, _)| ours(group)) {
        let key = group.claim.resolve(parents, seen);
        let control = group.component && key.namespace == namespace;
        let pods = workloads.entry(key).or_default();
        pods.control |= control;
        pods.by_cli |= group.by_cli;
        pods.origin = Some(match pods.origin.take() {
            Some(origin) => origin.min(tally.origin.clone()),
            None => tally.origin.clone(),
        });
        match pods.groups.entry((group.held, group.made)) {
            Entry::Vacant(entry) => _ = entry.insert(tally),
            Entry::Occupied(mut entry) => entry.get_mut().merge(tally),
        }
    }
    workloads
}

/// Is a workload part of this mesh by its own manifest?
fn is_meshed(seen: &Seen, namespaces: &Namespaces, namespace: &str) -> bool {
    seen.intent.as_ref().is_some_and(|intent| {
        intent.is_meshed(namespaces, &seen.object.namespace)
            && intent.control_plane.as_deref().is_none_or(|other| other == namespace)
    })
}

/// Bundles that some proxy holds, sorted by their texts.
fn number_bundles<'a>(
    texts: Vec<String>,
    pods: impl Iterator<Item = &'a Pods>,
) -> (BTreeMap<usize, BundleId>, Vec<BundleText>) {
    let groups: BTreeSet<HeldText> =
        pods.flat_map(|pods| pods.groups.keys().map(|(held, _)| *held)).collect();
    let is_held = |(text, _): &(usize, String)| groups.contains(&HeldText::Literal(*text));
    let mut held: Vec<(usize, String)> = texts.into_iter().enumerate().filter(is_held).collect();
    held.sort_by(|(_, one), (_, other)| one.cmp(other));
    let ids = held.iter().enumerate().map(|(at, (text, _))| (*text, BundleId(at))).collect();
    (ids, held.into_iter().map(|(_, text)| BundleText::read(text)).collect())
}

fn workload(key: &Key, seen: Option<&Seen>, pods: &Pods, namespace: &str) -> Workload {
    let intent = seen.and_then(|seen| seen.intent.as_ref());
    let component = seen.is_some_and(|seen| seen.component.is_some()) && key.namespace == namespace;
    let injection = match intent.map(|intent| intent.has_proxy) {
        _ if pods.control || component => Injection::ControlPlane,
        // `linkerd inject` also marks templates without a proxy, so the mark counts only where no template is seen.
        None if pods.by_cli => Injection::Manual,
        Some(true) => Injection::Manual,
        None | Some(false) => Injection::Webhook,
    };
    let mut obstacles =
        seen.map_or_else(|| workload::obstacles(key, &Value::Null), |seen| seen.obstacles.clone());
    if injection == Injection::Manual {
        obstacles.push(Obstacle::ManualInjection);
    }
    obstacles.sort();
    Workload {
        object: seen.map_or_else(|| key.object(), |seen| seen.object.clone()),
        plane: if injection == Injection::ControlPlane { Plane::Control } else { Plane::Data },
        injection,
        template: seen.and_then(Seen::template),
        replicas: seen.and_then(|seen| seen.replicas),
        obstacles,
        owners: seen.map(|seen| seen.owners.clone()).unwrap_or_default(),
        origin: seen.map(|seen| seen.origin.clone()).or_else(|| pods.origin.clone()).unwrap_or_default(),
    }
}

//! Deployment units: what belongs to one cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::open::{Open, Why};
use super::path::is_within;
use super::root::Root;
use super::trap::Trap;
use crate::document::{Document, Origin};

/// What a repository deploys to one cluster.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// Its directory; empty where the repository has one unit.
    pub(super) name: String,
    /// Does it declare a control plane, or the trust of one?
    pub(super) is_mesh: bool,
    pub(super) objects: Vec<Document>,
    pub(super) declared: Vec<Document>,
    /// Objects of which what another program makes is among those declared.
    pub(super) rendered: Vec<Document>,
    pub(super) open: Vec<Open>,
    pub(super) traps: Vec<Trap>,
    /// How engines deploy it.
    pub(super) deployment: Vec<Open>,
    /// Files of which it is known what comes out of them.
    pub(super) files: BTreeSet<String>,
    /// Files with the objects of engines that deploy it.
    pub(super) engines: BTreeSet<String>,
    /// What is not known to come out of files that could reach trust material.
    pub(super) failed: Vec<(Origin, Why, BTreeSet<String>)>,
}

/// The directories of the clusters.
///
/// Two definitions of the same object of a control plane are of two clusters. Seen from the repository's root, directories
/// that do not contradict each other belong together; where they do, each is looked at by itself.
pub(super) fn names(roots: &[Root]) -> Vec<String> {
    let seeds: Vec<(String, BTreeSet<(String, String)>)> = roots
        .iter()
        .map(|root| (root.position.clone(), root.core()))
        .filter(|(_, core)| !core.is_empty())
        .collect();
    let all: Vec<usize> = (0..seeds.len()).collect();
    groups(&seeds, &all, 0)
}

/// Brings together what belongs to one cluster of these.
pub(super) fn units(roots: Vec<Root>, names: &[String], is_about_trust: impl Fn(&Root) -> bool) -> Vec<Unit> {
    let mut units: BTreeMap<String, Unit> = BTreeMap::new();
    let single = names.len() <= 1;
    for root in roots {
        // The nearest unit around it; what belongs to no cluster alone is judged by itself.
        let around =
            names.iter().filter(|name| is_within(name, &root.position)).max_by_key(|name| name.len());
        let name = match around {
            _ if single => String::new(),
            Some(name) => name.clone(),
            None => root.position.clone(),
        };
        let about_trust = is_about_trust(&root);
        let unit = units.entry(name.clone()).or_insert_with(|| Unit { name, ..Unit::default() });
        unit.add(root, about_trust);
    }
    units.into_values().collect()
}

impl Unit {
    fn add(&mut self, root: Root, about_trust: bool) {
        self.is_mesh |= !root.core().is_empty();
        if about_trust || !root.declared.is_empty() {
            self.traps.extend(root.traps);
            self.deployment.extend(root.deployment);
        }
        self.deployment.extend(root.behind);
        self.engines.extend(root.by.clone());
        self.objects.extend(root.objects);
        self.declared.extend(root.declared);
        self.rendered.extend(root.rendered);
        self.open.extend(root.open);
        match root.failed {
            Some((origin, why)) if about_trust => {
                self.failed.push((origin, why, root.files.into_iter().chain(root.by).collect()));
            }
            Some(_) => {}
            None => self.files.extend(root.files),
        }
    }
}

/// The directories of the units: seeds that contradict each other are taken apart by the names in their positions.
fn groups(seeds: &[(String, BTreeSet<(String, String)>)], of: &[usize], depth: usize) -> Vec<String> {
    let parts = |at: &usize| seeds[*at].0.split('/').filter(|part| !part.is_empty());
    let mut seen = BTreeSet::new();
    let agree = of.iter().all(|at| seeds[*at].1.iter().all(|core| seen.insert(core)));
    let Some(first) = of.first() else { return Vec::new() };
    // At the end of their positions, what contradicts itself is an error of the input.
    if agree || of.iter().all(|at| parts(at).count() <= depth) {
        return vec![parts(first).take(depth).collect::<Vec<_>>().join("/")];
    }
    let mut below: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for at in of {
        below.entry(parts(at).nth(depth).unwrap_or_default()).or_default().push(*at);
    }
    below.into_values().flat_map(|part| groups(seeds, &part, depth + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn root(position: &str, names: &[&str]) -> Root {
        let object = |name: &&str| Document {
            origin: Origin::default(),
            tree: json!({"kind": "ConfigMap", "metadata": {"name": name}}),
        };
        Root { position: position.to_owned(), objects: names.iter().map(object).collect(), ..Root::default() }
    }

    fn named(roots: Vec<Root>) -> Vec<String> {
        let names = names(&roots);
        units(roots, &names, |_| false).into_iter().map(|unit| unit.name).collect()
    }

    const ROOTS: &str = "linkerd-identity-trust-roots";
    const CONFIG: &str = "linkerd-config";

    #[test]
    fn directories_that_do_not_contradict_each_other_are_one_cluster() {
        assert_eq!(named(vec![root("linkerd", &[ROOTS, CONFIG]), root("apps/shop", &["x"])]), [""]);
        assert_eq!(named(vec![root("a/certs", &[ROOTS]), root("b/control-plane", &[CONFIG])]), [""]);
    }

    #[test]
    fn a_second_definition_is_another_cluster_and_takes_what_is_beside_it() {
        let roots = vec![
            root("clusters/dev/linkerd", &[ROOTS, CONFIG]),
            root("clusters/prod/certs", &[ROOTS]),
            root("clusters/prod/control-plane", &[CONFIG]),
            root("clusters/prod/shop", &["x"]),
            root("shared", &["y"]),
        ];
        assert_eq!(named(roots), ["clusters/dev", "clusters/prod", "shared"]);
    }
}

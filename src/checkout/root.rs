//! What is deployed together: what an engine deploys from a directory, a kustomization of its own, or plain manifests.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Value, json};

use super::application_set::{self, Made};
use super::at;
use super::build::{self, Built, build, generated};
use super::declared;
use super::engine::{self, Deployed};
use super::file::{KUSTOMIZATION, Parsed, is_manifest, parse};
use super::kustomization::{self, Reach};
use super::net;
use super::open::{Open, Why};
use super::place::Places;
use super::side::{Side, directory_of};
use super::trap::{Trap, traps};
use crate::document::{Document, Origin, mentions, text_at};
use crate::linkerd;
use crate::pki::Fingerprint;

/// Something that is deployed as one.
#[derive(Debug, Default)]
pub(super) struct Root {
    /// Where it is declared: units are told apart by it.
    pub(super) position: String,
    pub(super) objects: Vec<Document>,
    /// Objects that charts make of declared values.
    pub(super) declared: Vec<Document>,
    /// Objects of which what another program makes is among those declared.
    pub(super) rendered: Vec<Document>,
    pub(super) open: Vec<Open>,
    /// The files that it is made of.
    pub(super) files: BTreeSet<String>,
    /// How the engine deploys it: another answer is another deployment.
    pub(super) deployment: Vec<Open>,
    /// What controllers in the cluster make trust material of.
    pub(super) behind: Vec<Open>,
    /// What keeps a change of it from having an effect.
    pub(super) traps: Vec<Trap>,
    /// The file of the engine's object that deploys it.
    pub(super) by: Option<String>,
    /// Why it is not known what comes out of it.
    pub(super) failed: Option<(Origin, Why)>,
}

/// What was read and built, once for both sides where it is the same.
#[derive(Default)]
pub(super) struct Cache {
    parsed: RefCell<BTreeMap<String, Rc<Parsed>>>,
    /// By what goes into a build.
    built: RefCell<BTreeMap<String, Built>>,
    /// Is what has nothing to do with Linkerd's trust built as well?
    complete: bool,
}

impl Cache {
    /// For who needs every object that is deployed.
    pub(super) fn complete() -> Self {
        Self { complete: true, ..Self::default() }
    }
}

/// One side, with what its files say.
pub(super) struct Reading<'a> {
    pub(super) side: &'a Side,
    pub(super) places: &'a Places,
    cache: &'a Cache,
    pub(super) parsed: BTreeMap<String, Rc<Parsed>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(side: &'a Side, places: &'a Places, cache: &'a Cache) -> Self {
        let mut parsed = BTreeMap::new();
        for name in side.names().filter(|name| is_manifest(name) && places.has(name)) {
            let known = cache.parsed.borrow().get(name).filter(|_| side.is_same(name)).cloned();
            let read = known.unwrap_or_else(|| Rc::new(parse(side, name, &places.name(name))));
            if side.is_same(name) {
                cache.parsed.borrow_mut().insert(name.to_owned(), Rc::clone(&read));
            }
            parsed.insert(name.to_owned(), read);
        }
        Self { side, places, cache, parsed }
    }

    /// Everything that is deployed from the files.
    pub(super) fn roots(&self) -> Vec<Root> {
        let mut set_open = Vec::new();
        let mut roots: Vec<Root> = Vec::new();
        for (name, document) in self.objects() {
            let made = if document.tree["kind"] == "ApplicationSet" {
                application_set::applications(document, self.side)
            } else {
                Made { applications: vec![document.clone()], ..Made::default() }
            };
            set_open.extend(made.open);
            for one in made.applications.iter().flat_map(|one| engine::deployed(one, self.side)) {
                let mut root = self.deployed(name, &one);
                root.files.extend(made.files.iter().cloned());
                roots.push(root);
            }
        }
        let claimed: BTreeSet<String> = roots.iter().flat_map(|root| root.files.iter().cloned()).collect();
        let mut reaches = Vec::new();
        for directory in kustomization::directories(self.side) {
            let reach = Reach::of(self.side, &directory);
            reaches.push((directory, reach));
        }
        let referred: BTreeSet<&String> =
            reaches.iter().flat_map(|(_, reach)| reach.directories.iter().skip(1)).collect();
        let mut taken = claimed.clone();
        for (directory, reach) in &reaches {
            let Some(file) = kustomization::of(self.side, directory) else { continue };
            taken.extend(reach.files.iter().cloned());
            if !self.places.has(&file) || claimed.contains(&file) {
                continue;
            }
            let is_component = self.side.text(&file).is_some_and(|text| text.contains("kind: Component"));
            if !referred.contains(directory) && !is_component {
                let mut root = self.built(directory, directory.clone(), &json!({}), reach);
                // Whoever deploys it names it, and is not seen.
                let origin = build::origin(directory, &|name: &str| self.places.name(name));
                root.deployment.push(Open::new(&origin, Why::Redeployed, &json!([directory])));
                roots.push(root);
            }
        }
        roots.extend(self.plain(&taken));
        declared::put(self, &mut roots);
        if let Some(first) = roots.first_mut() {
            first.open.extend(set_open);
        }
        roots
    }

    /// Does an object stand in a file as it is?
    pub(super) fn holds(&self, document: &Document) -> bool {
        self.objects().any(|(_, one)| one.tree == document.tree)
    }

    fn objects(&self) -> impl Iterator<Item = (&str, &Document)> {
        self.parsed.iter().flat_map(|(name, parsed)| parsed.objects.iter().map(|one| (name.as_str(), one)))
    }

    /// What an engine deploys from a directory; two clusters may deploy the same one.
    fn deployed(&self, by: &str, deployed: &Deployed) -> Root {
        let Deployed { directory, edits, destination, .. } = deployed;
        let stem = by.rsplit_once('.').map_or(by, |(stem, _)| stem);
        let name = text_at(&deployed.by.tree, "/metadata/name");
        let position = [destination.as_str(), stem, name]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>();
        let position = position.join("/");
        let mut root = if kustomization::of(self.side, directory).is_some() {
            let mut reach = Reach::of(self.side, directory);
            engine::components(deployed).iter().for_each(|component| reach.add(self.side, component));
            self.built(directory, position, edits, &reach)
        } else {
            let files =
                self.side.below(directory).filter(|name| is_manifest(name) && engine::covers(deployed, name));
            let files: BTreeSet<String> = files.map(str::to_owned).collect();
            let nested =
                files.iter().any(|name| KUSTOMIZATION.iter().any(|file| name.ends_with(&format!("/{file}"))));
            if nested || edits.as_object().is_some_and(|edits| !edits.is_empty()) {
                let (mut tree, reach) = generated(self.side, directory, &files);
                for (field, value) in edits.as_object().into_iter().flatten() {
                    tree[field] = value.clone();
                }
                self.built(directory, position, &tree, &reach)
            } else {
                self.of_files(position, &files)
            }
        };
        root.by = Some(by.to_owned());
        root.traps = traps(&deployed.by);
        root.deployment.push(engine::deployment(&deployed.by));
        root.deployment.extend(self.source(deployed));
        root.deployment.extend(self.substituted(deployed));
        let is_trust = |document: &Document| core(&document.tree).is_some();
        let reaches = match &deployed.open {
            Some(Why::Substituted) => {
                root.objects.iter().any(|one| is_trust(one) && mentions(&one.tree, &["${"]))
            }
            Some(_) => root.objects.iter().any(is_trust),
            None => false,
        };
        if let Some(why) = deployed.open.clone().filter(|_| reaches) {
            root.failed = Some((deployed.by.origin.clone(), why));
        }
        root
    }

    /// The object that tells Flux where the files come from, and which of them.
    fn source(&self, deployed: &Deployed) -> Option<Open> {
        let reference = deployed.by.tree.pointer("/spec/sourceRef")?;
        let is = |one: &&Document| {
            one.tree["kind"] == reference["kind"] && one.tree["metadata"]["name"] == reference["name"]
        };
        self.objects().map(|(_, one)| one).find(is).map(engine::deployment)
    }

    /// Objects with the variables that Flux replaces in what is deployed.
    fn substituted(&self, deployed: &Deployed) -> Vec<Open> {
        let from = deployed.by.tree.pointer("/spec/postBuild/substituteFrom");
        let names: Vec<&str> = kustomization::list(from).filter_map(|one| one["name"].as_str()).collect();
        let is_named =
            |one: &&Document| one.tree["metadata"]["name"].as_str().is_some_and(|name| names.contains(&name));
        let found = self.objects().map(|(_, one)| one).filter(is_named);
        found.map(|one| Open::new(&one.origin, Why::Substituted, &one.tree)).collect()
    }

    fn built(&self, directory: &str, position: String, edits: &Value, reach: &Reach) -> Root {
        let place = |name: &str| self.places.name(name);
        let built = self.build(directory, edits, reach);
        let mut root = Root {
            position,
            objects: built.objects,
            open: built.open,
            deployment: built.deployment,
            files: reach.files.clone(),
            ..Root::default()
        };
        for document in &mut root.objects {
            self.with_line(document);
        }
        if built.failed.is_some() {
            root.files.extend(self.side.below(directory).map(str::to_owned));
        }
        root.failed = built.failed.map(|why| (build::origin(directory, &place), why));
        root
    }

    /// The same files are built once, and what is the same on both sides not at all where it has nothing to do with Linkerd's trust.
    fn build(&self, directory: &str, edits: &Value, reach: &Reach) -> Built {
        let reaches = |name: &String| self.side.text(name).is_some_and(|text| net::names_linkerd(&text));
        // A patch may reach an engine's object, which need not name Linkerd.
        let is_patched = ["patches", "components"].iter().any(|field| edits.get(*field).is_some());
        let is_same = !reach.files.is_empty() && reach.files.iter().all(|name| self.side.is_same(name));
        if is_same && !self.cache.complete && !is_patched && !reach.files.iter().any(reaches) {
            return Built::default();
        }
        let key = self.key(directory, edits, reach);
        let known = self.cache.built.borrow().get(&key).cloned();
        known.unwrap_or_else(|| {
            let built = build(self.side, directory, edits, reach, &|name: &str| self.places.name(name));
            self.cache.built.borrow_mut().insert(key, built.clone());
            built
        })
    }

    /// What tells one build from another: the directory, what an engine adds to it, and of the files that differ what they hold.
    fn key(&self, directory: &str, edits: &Value, reach: &Reach) -> String {
        let held = |name: &String| self.side.read(name).map(|bytes| Fingerprint::digest(&bytes).to_string());
        let differing = reach.files.iter().filter(|name| !self.side.is_same(name));
        let differing: Vec<_> = differing.map(|name| (name, held(name))).collect();
        json!([directory, edits, reach.elsewhere, differing]).to_string()
    }

    /// The line of an object that Kustomize has taken from a file.
    fn with_line(&self, document: &mut Document) {
        let same = |one: &&Document| {
            one.tree["kind"] == document.tree["kind"]
                && one.tree["metadata"]["name"] == document.tree["metadata"]["name"]
        };
        let of = |(name, parsed): (&String, &Rc<Parsed>)| {
            (self.places.name(name) == document.origin.source)
                .then(|| parsed.objects.iter().find(same).map(|one| one.origin.clone()))
                .flatten()
        };
        if let Some(origin) = self.parsed.iter().find_map(of) {
            document.origin = origin;
        }
    }

    fn of_files(&self, position: String, files: &BTreeSet<String>) -> Root {
        let mut root = Root { position, ..Root::default() };
        for name in files {
            // An engine may deploy more than was asked for.
            let parsed = self.parsed.get(name).cloned();
            let parsed = parsed.unwrap_or_else(|| Rc::new(parse(self.side, name, &self.places.name(name))));
            root.objects.extend(parsed.objects.iter().cloned());
            if parsed.is_passed_over {
                let origin = at(&self.places.name(name), 1);
                root.deployment.push(Open::new(&origin, Why::Redeployed, &json!([name])));
            }
            // What follows a fault is not known.
            if parsed.broken.is_none() {
                root.files.insert(name.clone());
            }
        }
        root
    }

    /// Manifests that neither an engine nor a kustomization claims, directory by directory.
    fn plain(&self, claimed: &BTreeSet<String>) -> Vec<Root> {
        let mut directories: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (name, parsed) in &self.parsed {
            // Beside a kustomization nothing is deployed that it does not name.
            let is_orphan = kustomization::of(self.side, directory_of(name)).is_some();
            if !claimed.contains(name) && !parsed.objects.is_empty() && !is_orphan {
                directories.entry(directory_of(name)).or_default().insert(name.clone());
            }
        }
        directories
            .into_iter()
            .map(|(directory, files)| self.of_files(directory.to_owned(), &files))
            .collect()
    }
}

impl Root {
    /// The objects that make it a control plane, or the trust of one.
    pub(super) fn core(&self) -> BTreeSet<(String, String)> {
        self.objects.iter().chain(&self.declared).filter_map(|document| core(&document.tree)).collect()
    }

    /// Could anything in it reach trust material?
    pub(super) fn is_about_trust(&self, side: &Side) -> bool {
        !self.core().is_empty()
            || self.files.iter().any(|name| side.text(name).is_some_and(|text| net::names_trust(&text)))
    }
}

/// Kind and name of an object that only one control plane has.
pub(super) fn core(tree: &Value) -> Option<(String, String)> {
    let text = |pointer: &str| tree.pointer(pointer).and_then(Value::as_str);
    let (kind, name) = (text("/kind")?, text("/metadata/name")?);
    let is_core = match kind {
        "ConfigMap" => [linkerd::TRUST_ROOTS, linkerd::CONFIG].contains(&name),
        "Secret" | "SealedSecret" | "ExternalSecret" => name == linkerd::ISSUER_SECRET,
        "Deployment" => name == linkerd::IDENTITY && tree.pointer("/spec/template/spec").is_some(),
        _ => false,
    };
    is_core.then(|| (kind.to_owned(), name.to_owned()))
}

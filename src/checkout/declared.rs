//! What roots declare instead of objects: releases of charts, files of values, Bundles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::annotated::PostRenderers;
use super::application_set::{self, Made};
use super::behind::Behind;
use super::chart::Chart;
use super::engine;
use super::net;
use super::open::{Open, Why};
use super::release::{self, Release, Sources};
use super::root::{Reading, Root, core};
use super::side::{Side, directory_of};
use super::trap::traps;
use super::unexplained;
use super::values;
use crate::document::{Document, Origin, decoded};
use crate::linkerd;
use crate::mesh::VALUES_FILE;

/// What was read for the sake of a release: it stands for nothing by itself.
#[derive(Default)]
struct Used {
    files: BTreeSet<String>,
    /// ConfigMaps and Secrets, by kind and name.
    objects: BTreeSet<(String, String)>,
}

/// Puts what comes of them in the place of releases, adds files of values that nothing refers to, and tells where trust
/// material stands.
pub(super) fn put(reading: &Reading<'_>, roots: &mut Vec<Root>) {
    let mut used = Used::default();
    let all: Vec<&Document> = roots.iter().flat_map(|root| &root.objects).collect();
    let behind = Behind::of(&all);
    releases(reading, roots, &mut used);
    for root in roots.iter_mut() {
        root.behind = root.objects.iter().filter_map(|one| behind.open(one)).collect();
        bundle(root);
        root.traps.extend(root.objects.iter().filter(|one| core(&one.tree).is_some()).flat_map(traps));
        root.open.extend(root.objects.iter().filter_map(|one| unexplained::object(one, &used.objects)));
    }
    value_files(reading, roots, &used.files);
    for root in roots.iter_mut() {
        for document in root.objects.iter_mut().chain(&mut root.declared) {
            if let Some(origin) = place(reading, &root.files, document) {
                let file = document
                    .tree
                    .pointer_mut("/metadata/annotations")
                    .and_then(|all| all.get_mut(VALUES_FILE));
                if let Some(file) = file {
                    *file = origin.source.as_str().into();
                }
                document.origin = origin;
            }
        }
    }
}

fn releases(reading: &Reading<'_>, roots: &mut Vec<Root>, used: &mut Used) {
    let all: Vec<Document> = roots.iter().flat_map(|root| root.objects.iter().cloned()).collect();
    let mut of_applications = Vec::new();
    for root in roots.iter_mut() {
        let (found, others): (Vec<_>, Vec<_>) =
            root.objects.drain(..).partition(|one| release::is_one(&one.tree));
        let (engines, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|one| engine::is_engine(&one.tree));
        root.objects = others;
        root.open.extend(engines.iter().filter_map(|one| not_followed(reading, one)));
        root.open.extend(engines.iter().filter(|one| !reading.holds(one)).map(changed_on_the_way));
        if found.is_empty() {
            continue;
        }
        // What stands in the same root is found first.
        let near: Vec<Document> = root.objects.iter().chain(&all).cloned().collect();
        let sources = Sources { side: reading.side, objects: &near };
        for document in &found {
            let made = released(document, &sources);
            if made.is_empty() {
                PostRenderers::of(&document.tree).annotate(&mut root.declared, document);
                root.open.extend(not_followed(reading, document));
            }
            for (application, release) in made {
                used.objects.extend(release.used.iter().cloned());
                used.files.extend(release.files.iter().cloned());
                match application {
                    // Each goes to a cluster of its own choice.
                    Some(application) => of_applications.push(application_root(root, &application, release)),
                    None => root.take(document, release),
                }
            }
        }
    }
    roots.extend(of_applications);
}

/// An engine's object that a kustomization makes otherwise than it stands in a file: what it deploys was read from the file.
fn changed_on_the_way(document: &Document) -> Open {
    Open::new(&document.origin, Why::Patched, &document.tree["spec"])
}

/// What deploys a directory that is not here, and says something of trust material itself.
fn not_followed(reading: &Reading<'_>, document: &Document) -> Option<Open> {
    let is_followed = !engine::deployed(document, reading.side).is_empty();
    let is_about_trust = net::names_trust(&document.tree.to_string());
    let said = || net::weighty(&net::narrowed(&document.tree));
    (!is_followed && is_about_trust).then(|| Open::new(&document.origin, Why::Unexplained, &said()))
}

/// The releases of an object, with the Application that each is of.
fn released(document: &Document, sources: &Sources<'_>) -> Vec<(Option<Document>, Release)> {
    let Made { applications, files, .. } = match document.tree["kind"].as_str() {
        Some("ApplicationSet") => application_set::applications(document, sources.side),
        Some("Application") => Made { applications: vec![document.clone()], ..Made::default() },
        _ => return release::of(document, sources).into_iter().map(|release| (None, release)).collect(),
    };
    let mut found = Vec::new();
    for application in &applications {
        for mut release in release::of(application, sources) {
            release.files.extend(files.iter().cloned());
            found.push((Some(application.clone()), release));
        }
    }
    found
}

fn application_root(of: &Root, application: &Document, release: Release) -> Root {
    let name = application.tree["metadata"]["name"].as_str().unwrap_or_default();
    let position =
        [of.position.as_str(), name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let mut root = Root { position: position.join("/"), ..Root::default() };
    root.take(application, release);
    root
}

impl Root {
    fn take(&mut self, document: &Document, release: Release) {
        self.traps.extend(traps(document));
        if engine::is_deployment(&document.tree) {
            self.deployment.push(engine::deployment(document));
        }
        self.declared.extend(release.objects);
        self.open.extend(release.open);
        self.deployment.extend(release.deployment);
        self.files.extend(release.files);
    }
}

/// A Bundle of trust-manager whose certificates stand in it.
fn bundle(root: &mut Root) {
    let of_config = |document: &Document| {
        let is_config = document.tree["metadata"]["name"] == linkerd::CONFIG;
        document
            .tree
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
            .filter(|_| is_config)
            .map(str::to_owned)
    };
    let namespace = root.objects.iter().chain(&root.declared).find_map(of_config);
    let namespace = namespace.unwrap_or_else(|| "linkerd".to_owned());
    let (mut others, mut rendered) = (Vec::new(), Vec::new());
    for document in root.objects.drain(..) {
        match release::of_bundle(&document, &namespace) {
            Some(made) => {
                let mut rest = document.tree["spec"].clone();
                if let Some(rest) = rest.as_object_mut() {
                    rest.shift_remove("sources");
                }
                root.deployment.push(Open::new(&document.origin, Why::Redeployed, &rest));
                root.declared.push(made);
                rendered.push(document);
            }
            None => others.push(document),
        }
    }
    (root.objects, root.rendered) = (others, rendered);
}

/// Files of values that no release names: each is one of a pipeline that is not seen. `values.yaml` stands below the others of
/// its directory.
fn value_files(reading: &Reading<'_>, roots: &mut Vec<Root>, used: &BTreeSet<String>) {
    let sources = Sources { side: reading.side, objects: &[] };
    let is_free = |name: &str| {
        !used.contains(name)
            && !name.ends_with("Chart.yaml")
            && !roots.iter().any(|root| root.files.contains(name))
    };
    let mut directories: BTreeMap<&str, Vec<(&str, &Document)>> = BTreeMap::new();
    for (name, parsed) in reading.parsed.iter().filter(|(name, _)| is_free(name)) {
        let values = parsed.values.iter().map(|values| (name.as_str(), values));
        directories.entry(directory_of(name)).or_default().extend(values);
    }
    let mut found = Vec::new();
    for (directory, all) in &directories {
        let is_base =
            |name: &str| ["values.yaml", "values.yml"].contains(&name.rsplit('/').next().unwrap_or(name));
        let chart = chart_around(reading.side, directory);
        let own = all.iter().find(|(name, _)| is_base(name));
        let base = own.copied().or_else(|| values_of(reading, chart.as_deref()?));
        let below = base.map(|(_, document)| &document.tree);
        // Beside values of Linkerd's chart, a file of values is one of an environment.
        let is_layer = |name: &str| {
            let file = name.rsplit('/').next().unwrap_or(name);
            file.starts_with("values") && below.is_some_and(|below| Chart::of("", "", below).is_some())
        };
        let is_declared = |name: &str, values: &Document| {
            is_layer(name) || release::of_values(values, None, chart.clone(), &sources).is_some()
        };
        let several = all.iter().any(|(name, values)| !is_base(name) && is_declared(name, values));
        for (name, values) in
            all.iter().filter(|(name, values)| is_declared(name, values) && !(several && is_base(name)))
        {
            let Some(made) = release::of_values(values, below, chart.clone(), &sources) else {
                continue;
            };
            let stem = name.rsplit_once('.').map_or(*name, |(stem, _)| stem);
            let Release { objects: declared, open, deployment, mut files, .. } = made;
            files.extend([Some(*name), base.map(|(name, _)| name)].into_iter().flatten().map(str::to_owned));
            found.push(Root {
                position: stem.to_owned(),
                declared,
                open,
                deployment,
                files,
                ..Root::default()
            });
        }
    }
    roots.extend(found);
}

/// The chart that a directory is in.
fn chart_around(side: &Side, directory: &str) -> Option<String> {
    let mut around = directory;
    while !around.is_empty() {
        if side.has(&format!("{around}/Chart.yaml")) {
            return Some(around.to_owned());
        }
        around = directory_of(around);
    }
    None
}

/// A chart's own values.
fn values_of<'a>(reading: &'a Reading<'_>, chart: &str) -> Option<(&'a str, &'a Document)> {
    let (name, parsed) = reading.parsed.get_key_value(&format!("{chart}/values.yaml"))?;
    Some((name, parsed.values.first()?))
}

/// Where the last certificate of an object with trust material stands: often in another file than what declares the object.
fn place(reading: &Reading<'_>, files: &BTreeSet<String>, document: &Document) -> Option<Origin> {
    core(&document.tree)?;
    let data = document.tree.get("data")?;
    let text = |key: &str| data.get(key).and_then(Value::as_str);
    let encoded = ["crt.pem", "tls.crt"].into_iter().find_map(text);
    let decoded = encoded.and_then(decoded).and_then(|bytes| String::from_utf8(bytes).ok());
    let values =
        || values::parse(text("values")?)?.get("identityTrustAnchorsPEM")?.as_str().map(str::to_owned);
    let copied = if document.tree["metadata"]["name"] == linkerd::CONFIG { values() } else { None };
    let pem = text("ca-bundle.crt").or(decoded.as_deref()).or(copied.as_deref())?;
    let last = pem.lines().rev().map(str::trim).find(|line| line.len() > 40 && !line.contains("-----"))?;
    let line = |side: &Side, name: &String| {
        let text = side.text(name)?;
        let at = text.lines().position(|line| line.contains(last))?;
        let begin =
            text.lines().take(at).collect::<Vec<_>>().iter().rposition(|line| line.contains("-----BEGIN"));
        Some((name.clone(), begin.unwrap_or(at) + 1))
    };
    let (name, line) = files.iter().find_map(|name| line(reading.side, name))?;
    Some(Origin { source: reading.places.name(&name), document: 1, item: 0, line })
}

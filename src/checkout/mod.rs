//! A repository as what it deploys, cluster by cluster.

mod annotated;
mod application_set;
mod behind;
mod build;
mod chart;
mod declared;
mod engine;
mod file;
mod kustomization;
mod net;
mod open;
mod path;
mod place;
mod related;
mod release;
mod repository;
mod root;
mod script;
mod side;
mod template;
mod terraform;
mod trap;
mod unexplained;
mod unit;
mod values;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::document::{Document, DocumentError, Origin};
use crate::source::{Proposal, SourceError, git};

pub use file::{Skip, is_kustomization};
pub use open::{Open, Why};
pub use repository::Repository;
pub use trap::{NoEffect, Trap};

use place::Places;
use release::Sources;
use root::{Cache, Reading, Root};
use side::{Side, Sides};
use unit::{Unit, units};

/// What to read of a repository.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Files and directories of one repository, or of none.
    pub paths: Vec<PathBuf>,
    /// Are a directory's subdirectories read too?
    pub recursive: bool,
    /// Patterns of what is passed over, as in `.gitignore`.
    pub excluded: Vec<String>,
}

/// What a repository deploys.
#[derive(Debug)]
pub struct Checkout {
    /// By cluster.
    pub units: Vec<Declared>,
    /// Files in which a cluster shows itself: `kubectl get -o json`, a snapshot.
    pub dumps: Vec<PathBuf>,
    /// Files that are no Kubernetes objects.
    pub skipped: Vec<(String, Skip)>,
    /// Manifests that Git does not track, and that were not read for that.
    pub untracked: Vec<String>,
}

/// What a repository deploys to one cluster.
#[derive(Debug)]
pub struct Declared {
    /// The cluster's directory; empty where the repository deploys to one cluster.
    pub name: String,
    /// Its objects.
    pub documents: Vec<Document>,
    /// Does it declare a control plane, or the trust of one?
    pub is_mesh: bool,
    /// What could reach its trust material and is not understood.
    pub open: Vec<Open>,
    /// The files that it is made of, by their path from the repository's root.
    pub files: BTreeSet<String>,
    /// Files with the objects of engines that deploy it.
    pub engines: BTreeSet<String>,
}

/// What a change does to one cluster.
#[derive(Debug)]
pub struct Change {
    /// The cluster's directory; empty where the repository deploys to one cluster.
    pub name: String,
    /// Is a control plane, or the trust of one, declared before or after it?
    pub is_mesh: bool,
    /// Its objects before the change; `None` where there was no such cluster.
    pub before: Option<Proposal>,
    /// Its objects after the change.
    pub after: Option<Proposal>,
    /// What changes, could reach its trust material, and is not understood.
    pub open: Vec<Open>,
    /// What keeps a change of its trust material from having an effect.
    pub traps: Vec<Trap>,
}

/// Reads what a repository deploys now.
///
/// # Errors
/// When files cannot be read, or one that names trust material is broken.
pub fn read(request: &Request) -> Result<Checkout, SourceError> {
    Repository::open(request)?.read()
}

/// Reads what a repository's working tree changes against one of its commits.
///
/// # Errors
/// As [`read`]; also when `git` is not there, or does not know the commit.
pub fn since(request: &Request, revision: &str) -> Result<Vec<Change>, SourceError> {
    let sides = Sides::since(first(request), revision)?;
    let places = request.places(sides.after.root());
    let cache = Cache::default();
    let before = Reading::new(&sides.before, &places, &cache);
    let after = Reading::new(&sides.after, &places, &cache);
    let [old, new] = [before.roots(), after.roots()];
    let names = [&old, &new].map(|roots| unit::names(roots));
    // A cluster that comes, or goes, does not make another one of those that are there.
    let [of_old, of_new] = match names[0].len().cmp(&names[1].len()) {
        Ordering::Less => [&names[1], &names[1]],
        Ordering::Equal => [&names[0], &names[1]],
        Ordering::Greater => [&names[0], &names[0]],
    };
    let mut changes = paired(before.units(old, of_old), after.units(new, of_new));
    let units = || changes.iter().flat_map(|(_, old, new)| old.iter().chain(new));
    // What a unit cannot build is told of the unit.
    let told = units().flat_map(|unit| unit.failed.iter().flat_map(|(_, _, files)| files));
    let explained = units().flat_map(|unit| &unit.files).chain(told).cloned().collect();
    let mut unexplained = unexplained::files(&sides, &places, &explained);
    let single = changes.len() == 1;
    if changes.is_empty() {
        changes.push((String::new(), None, None));
    }
    let mut found = Vec::new();
    for (name, old, new) in changes {
        let mut open = unexplained::open(&old, &new, &sides.changed);
        // What belongs to no unit is shown at each: it could be of any.
        let (here, others): (Vec<_>, Vec<_>) =
            unexplained.into_iter().partition(|(file, _)| single || path::is_within(&name, file));
        unexplained = others;
        open.extend(here.into_iter().map(|(_, open)| open));
        let name = if name.is_empty() { name } else { places.name(&name) };
        let traps =
            new.iter().flat_map(|unit| &unit.traps).filter(|trap| holds(trap, &sides)).cloned().collect();
        let is_mesh = old.iter().chain(&new).any(|unit| unit.is_mesh);
        let [before, after] = [old, new].map(|unit| unit.map(Unit::proposal));
        found.push(Change { name, is_mesh, before, after, open, traps });
    }
    if !unexplained.is_empty() {
        let open = unexplained.into_iter().map(|(_, open)| open).collect();
        found.push(Change {
            name: String::new(),
            is_mesh: false,
            before: None,
            after: None,
            open,
            traps: Vec::new(),
        });
    }
    Ok(found)
}

/// Puts what charts make of them in the place of a proposal's releases; what of their values is not told is returned.
pub fn render_releases(proposal: &mut Proposal) -> Vec<Open> {
    let side = Side::default();
    let near = proposal.documents().to_vec();
    let sources = Sources { side: &side, objects: &near };
    let mut open = Vec::new();
    for document in proposal.take_releases() {
        let releases = release::of(&document, &sources);
        if releases.is_empty() {
            proposal.see(document);
        }
        for release in releases {
            release.objects.into_iter().for_each(|document| proposal.declare(document));
            open.extend(release.open);
        }
    }
    open
}

/// Is the path a directory, or a file that Git tracks or has tracked, rather than a dump or a snapshot beside a repository?
#[must_use]
pub fn is_part_of_one(path: &Path) -> bool {
    if path.is_dir() || !path.exists() {
        return true;
    }
    let Ok(Some(root)) = git::top_level(path) else { return false };
    let places = Places::new(&root, &[path.to_owned()], false, &[]);
    let is_snapshot = || std::fs::read_to_string(path).is_ok_and(|text| text.contains(SNAPSHOT_KIND_LINE));
    git::tracked(&root).is_ok_and(|files| files.keys().any(|name| places.has(name))) && !is_snapshot()
}

/// What a snapshot's file says of itself.
const SNAPSHOT_KIND_LINE: &str = "kind: Snapshot\n";

fn first(request: &Request) -> &Path {
    request.paths.first().map_or(Path::new("."), PathBuf::as_path)
}

impl Request {
    fn places(&self, root: &Path) -> Places {
        Places::new(root, &self.paths, self.recursive, &self.excluded)
    }
}

impl Reading<'_> {
    fn units(&self, roots: Vec<Root>, names: &[String]) -> Vec<Unit> {
        units(roots, names, |root| root.is_about_trust(self.side))
    }

    /// What is wrong with a file that names trust material.
    fn broken(&self) -> Option<DocumentError> {
        let names = |name: &str| self.side.text(name).is_some_and(|text| net::names_trust(&text));
        self.parsed.iter().find_map(|(name, parsed)| parsed.broken.clone().filter(|_| names(name)))
    }
}

/// Of a chart's version it takes both sides to tell whether it stays.
fn holds(trap: &Trap, sides: &Sides) -> bool {
    let NoEffect::ChartVersionUnchanged(directory) = &trap.because else { return true };
    let Some(directory) = sides.after.of_root(directory) else { return false };
    let file = format!("{directory}/Chart.yaml");
    let version = |side: &Side| {
        let text = side.text(&file)?;
        Some(values::parse(&text)?.get("version")?.clone())
    };
    sides.changed.iter().any(|name| path::is_within(&directory, name))
        && version(&sides.before) == version(&sides.after)
}

/// Units of both sides by their names. One that is alone on each side is the same, whatever its name.
fn paired(old: Vec<Unit>, new: Vec<Unit>) -> Vec<(String, Option<Unit>, Option<Unit>)> {
    let mut all: BTreeMap<String, (Option<Unit>, Option<Unit>)> = BTreeMap::new();
    for unit in old {
        let name = unit.name.clone();
        all.entry(name).or_default().0 = Some(unit);
    }
    for unit in new {
        let name = unit.name.clone();
        all.entry(name).or_default().1 = Some(unit);
    }
    let gone: Vec<String> =
        all.iter().filter(|(_, (_, new))| new.is_none()).map(|(name, _)| name.clone()).collect();
    let come: Vec<String> =
        all.iter().filter(|(_, (old, _))| old.is_none()).map(|(name, _)| name.clone()).collect();
    if let ([gone], [come]) = (&*gone, &*come)
        && let Some((old, _)) = all.remove(gone)
        && let Some(pair) = all.get_mut(come)
    {
        pair.0 = old;
    }
    all.into_iter().map(|(name, (old, new))| (name, old, new)).collect()
}

impl Unit {
    fn proposal(self) -> Proposal {
        let mut proposal = Proposal::default();
        self.objects.into_iter().for_each(|document| proposal.add(document));
        self.rendered.into_iter().for_each(|document| proposal.add_rendered(document));
        self.declared.into_iter().for_each(|document| proposal.declare(document));
        proposal
    }

    fn declared(mut self, places: &Places) -> Result<Declared, SourceError> {
        let name = if self.name.is_empty() { String::new() } else { places.name(&self.name) };
        let mut open = std::mem::take(&mut self.open);
        for (origin, why, _) in &self.failed {
            open.push(Open::new(origin, why.clone(), &serde_json::Value::Null));
        }
        let is_mesh = self.is_mesh;
        let failed = self.failed.iter().flat_map(|(_, _, files)| files.iter().cloned());
        let files = self.files.iter().cloned().chain(failed).collect();
        let engines = std::mem::take(&mut self.engines);
        let pods: Vec<_> = self.objects.iter().filter(|one| one.tree["kind"] == "Pod").cloned().collect();
        let mut documents = self.proposal().into_documents()?;
        documents.extend(pods);
        Ok(Declared { name, documents, is_mesh, open, files, engines })
    }
}

/// A place in a file.
fn at(file: &str, line: usize) -> Origin {
    Origin { source: file.to_owned(), document: 1, item: 0, line }
}

//! The files of one side of a change: the working tree, or one of its commits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::path::{is_within, join};
use crate::source::SourceError;
use crate::source::git::{self, Mode};

/// How much of a file is read, in bytes: no manifest, and no chart's values, come near it.
const LIMIT: u64 = 16 << 20;
/// How many symbolic links are followed from one name.
const LINKS: usize = 8;

/// All files of one side, by their path from the root. Only what is tracked belongs to it, where there is a Git repository.
#[derive(Debug, Clone, Default)]
pub(super) struct Side {
    root: PathBuf,
    /// The directory that was asked for, from the root.
    base: String,
    files: BTreeMap<String, Mode>,
    /// What another commit than the working tree has in these files.
    other: Rc<BTreeMap<String, Vec<u8>>>,
    /// Files that are the same on both sides.
    same: Rc<BTreeSet<String>>,
}

/// Two sides of a change, and the files that differ.
#[derive(Debug)]
pub(super) struct Sides {
    pub(super) before: Side,
    pub(super) after: Side,
    pub(super) changed: BTreeSet<String>,
}

impl Side {
    /// The working tree that `directory` is part of; of a directory that is part of none, its files.
    pub(super) fn working_tree(directory: &Path) -> Result<Self, SourceError> {
        let tracked = match git::top_level(directory)? {
            Some(root) => Some((git::tracked(&root)?, root)),
            None => None,
        };
        let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let base = |root: &Path| {
            let within = whole(directory).strip_prefix(whole(root)).map(Path::to_owned).unwrap_or_default();
            within.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
        };
        // A directory of which Git tracks nothing is beside the repository: a dump, or what was just rendered.
        let is_part = |root: &Path, files: &BTreeMap<String, Mode>| {
            files.keys().any(|name| is_within(&base(root), name))
        };
        let (root, base, files) = match tracked {
            Some((files, root)) if is_part(&root, &files) => {
                let base = if directory.is_dir() { base(&root) } else { String::new() };
                (root, base, files)
            }
            _ => {
                let root = directory.to_owned();
                let mut files = BTreeMap::new();
                walk(&root, "", &mut files)?;
                (root, String::new(), files)
            }
        };
        Ok(Self { other: Rc::new(held(&root, &files)?), root, base, files, same: Rc::default() })
    }

    /// The same, compared with itself: every file is the same on both sides.
    pub(super) fn with_all_the_same(self) -> Self {
        Self { same: Rc::new(self.files.keys().cloned().collect()), ..self }
    }

    /// The same with other contents of some files.
    pub(super) fn with(&self, contents: BTreeMap<String, Vec<u8>>) -> Self {
        let mut same = (*self.same).clone();
        same.retain(|name| !contents.contains_key(name));
        Self { other: Rc::new(contents), same: Rc::new(same), ..self.clone() }
    }

    /// A path that an engine's object names from the repository's root. Where that is not there, the directory that was asked for
    /// may be a copy of a repository.
    pub(super) fn of_root(&self, path: &str) -> Option<String> {
        let is_there = |name: &String| self.has(name) || self.has_directory(name);
        let plain = join("", path)?;
        if is_there(&plain) {
            return Some(plain);
        }
        Some(join(&self.base, path).filter(is_there).unwrap_or(plain))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// The files below a directory, by their path from the root.
    pub(super) fn below<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = &'a str> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let first = self.files.range(prefix.clone()..);
        first.map(|(name, _)| name.as_str()).take_while(move |name| name.starts_with(&prefix))
    }

    pub(super) fn has_directory(&self, directory: &str) -> bool {
        self.below(directory).next().is_some()
    }

    /// Is the file the same on the other side?
    pub(super) fn is_same(&self, name: &str) -> bool {
        self.same.contains(name)
    }

    /// The content of a file; of a symbolic link, of what it leads to inside of the repository.
    pub(super) fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.bytes(&self.target(name)?)
    }

    /// The file that a name stands for, links followed.
    fn target(&self, name: &str) -> Option<String> {
        let mut name = name.to_owned();
        for _ in 0..LINKS {
            match self.files.get(&name)? {
                Mode::File => return Some(name),
                Mode::Link => name = join(directory_of(&name), &self.link(&name)?)?,
            }
        }
        None
    }

    pub(super) fn is_link(&self, name: &str) -> bool {
        self.files.get(name) == Some(&Mode::Link)
    }

    /// How many bytes a file has.
    pub(super) fn size(&self, name: &str) -> u64 {
        match self.other.get(name) {
            Some(bytes) => bytes.len() as u64,
            None => fs::metadata(self.root.join(name)).map_or(0, |metadata| metadata.len()),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.read(name).and_then(|bytes| String::from_utf8(bytes).ok())
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        if let Some(bytes) = self.other.get(name) {
            return Some(bytes.clone());
        }
        let file = fs::File::open(self.root.join(name)).ok()?;
        let mut bytes = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= LIMIT).then_some(bytes)
    }

    fn link(&self, name: &str) -> Option<String> {
        match self.other.get(name) {
            Some(target) => String::from_utf8(target.clone()).ok(),
            None => fs::read_link(self.root.join(name)).ok()?.to_str().map(str::to_owned),
        }
    }
}

impl Sides {
    /// The working tree that `directory` is part of against one of its commits.
    pub(super) fn since(directory: &Path, revision: &str) -> Result<Self, SourceError> {
        let commit = git::commit(directory, revision)?;
        let mut after = Side::working_tree(directory)?;
        let root = after.root.clone();
        let tree = git::tree(&root, &commit)?;
        let mut changed = git::changed(&root, &commit)?;
        let old: Vec<(&str, &str)> = changed
            .iter()
            .filter_map(|name| tree.get_key_value(name))
            .map(|(name, (_, blob))| (name.as_str(), blob.as_str()))
            .collect();
        let other = Rc::new(git::contents(&root, &old)?);
        let files: BTreeMap<String, Mode> = tree.into_iter().map(|(name, (mode, _))| (name, mode)).collect();
        let same: BTreeSet<String> = files.keys().filter(|name| !changed.contains(*name)).cloned().collect();
        let is_there =
            |name: &String| root.join(name).symlink_metadata().is_ok() || after.other.contains_key(name);
        let gone: Vec<String> =
            after.files.keys().filter(|name| !same.contains(*name) && !is_there(name)).cloned().collect();
        gone.iter().for_each(|name| _ = after.files.remove(name));
        let before = Side { root, base: after.base.clone(), files, other, same: Rc::default() };
        // A link changes with what it leads to.
        let leads = |name: &String| {
            before.target(name) != after.target(name)
                || before.target(name).is_some_and(|to| changed.contains(&to))
        };
        let links: Vec<String> =
            same.iter().filter(|name| before.is_link(name) && leads(name)).cloned().collect();
        changed.extend(links.iter().cloned());
        let same: Rc<BTreeSet<String>> =
            Rc::new(same.into_iter().filter(|name| !links.contains(name)).collect());
        after.same = Rc::clone(&same);
        Ok(Self { before: Side { same, ..before }, after, changed })
    }
}

/// What the index has of files that Git commits from there. Of a sparse checkout only texts are read: it may leave out a lot.
fn held(root: &Path, files: &BTreeMap<String, Mode>) -> Result<BTreeMap<String, Vec<u8>>, SourceError> {
    const TEXTS: [&str; 12] = [
        ".yaml",
        ".yml",
        ".json",
        ".crt",
        ".pem",
        ".key",
        ".env",
        ".tf",
        ".tfvars",
        ".tpl",
        "Kustomization",
        ".properties",
    ];
    // Without a repository there is no index.
    let Ok(mut all) = git::held(root) else { return Ok(BTreeMap::new()) };
    all.retain(|(name, _)| {
        let is_text = TEXTS.iter().any(|end| name.ends_with(end));
        files.contains_key(name) && (is_text || root.join(name).symlink_metadata().is_ok())
    });
    let asked: Vec<(&str, &str)> = all.iter().map(|(name, blob)| (name.as_str(), blob.as_str())).collect();
    git::contents(root, &asked)
}

/// The directory of a path; empty for the root.
pub(super) fn directory_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn walk(root: &Path, directory: &str, files: &mut BTreeMap<String, Mode>) -> Result<(), SourceError> {
    let place = root.join(directory);
    let unreadable = |error| SourceError::Unreadable { place: place.display().to_string(), error };
    for entry in fs::read_dir(&place).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let path = if directory.is_empty() { name.clone() } else { format!("{directory}/{name}") };
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() && name != ".git" {
            walk(root, &path, files)?;
        } else if kind.is_symlink() {
            files.insert(path, Mode::Link);
        } else if kind.is_file() {
            files.insert(path, Mode::File);
        }
    }
    Ok(())
}

//! A repository that can be read again as it would be with other contents of its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::file;
use super::place::Places;
use super::root::{Cache, Reading};
use super::side::Side;
use super::unexplained;
use super::unit::{self, Unit};
use super::{Checkout, Request, first};
use crate::document::Origin;
use crate::source::{SourceError, git};

/// A repository's tracked files, as they are or as an edit makes them.
pub struct Repository {
    /// As it was asked for.
    asked: PathBuf,
    side: Side,
    places: Places,
    /// Shared with what it is with other contents: what stays the same is parsed and built once.
    cache: Rc<Cache>,
}

impl Repository {
    /// Opens the repository that the paths are part of; nothing is parsed yet.
    ///
    /// # Errors
    /// When its files cannot be listed.
    pub fn open(request: &Request) -> Result<Self, SourceError> {
        let side = Side::working_tree(first(request))?.with_all_the_same();
        let places = request.places(side.root());
        let asked = first(request).to_owned();
        Ok(Self { asked, side, places, cache: Rc::new(Cache::complete()) })
    }

    /// The same with other contents of some files, by their path from the root. Nothing is written.
    #[must_use]
    pub fn with(&self, contents: BTreeMap<String, Vec<u8>>) -> Self {
        Self {
            asked: self.asked.clone(),
            side: self.side.with(contents),
            places: self.places.clone(),
            cache: Rc::clone(&self.cache),
        }
    }

    /// What it deploys.
    ///
    /// # Errors
    /// When files cannot be read, or one that names trust material is broken.
    pub fn read(&self) -> Result<Checkout, SourceError> {
        let reading = Reading::new(&self.side, &self.places, &self.cache);
        if let Some(error) = reading.broken() {
            return Err(error.into());
        }
        let dumps = reading.parsed.iter().filter(|(_, parsed)| parsed.is_dump);
        let dumps = dumps.map(|(name, _)| PathBuf::from(self.place(name))).collect();
        let skipped = reading.parsed.iter();
        let skipped =
            skipped.filter_map(|(name, parsed)| Some((self.place(name), parsed.skipped?))).collect();
        let roots = reading.roots();
        let names = unit::names(&roots);
        let mut units = reading.units(roots, &names);
        if !units.iter().any(|unit| unit.is_mesh) {
            let open = unexplained::everywhere(&self.side, &self.places, &units);
            if units.is_empty() {
                units.push(Unit::default());
            }
            units[0].open.extend(open);
        }
        let units = units.into_iter().map(|unit| unit.declared(&self.places)).collect::<Result<_, _>>()?;
        Ok(Checkout { units, dumps, skipped, untracked: self.untracked() })
    }

    /// Manifests that Git does not track.
    fn untracked(&self) -> Vec<String> {
        let names = git::untracked(self.side.root()).unwrap_or_default();
        let is_left =
            |name: &&String| file::is_manifest(name) && self.places.has(name) && !self.side.has(name);
        names.iter().filter(is_left).map(|name| self.place(name)).collect()
    }

    /// The directory, or the first of several, as it was asked for.
    #[must_use]
    pub fn asked(&self) -> &Path {
        &self.asked
    }

    /// Its files that were asked for, by their path from the root.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.side.names().filter(|name| self.places.has_sibling(name))
    }

    /// The text of a file; `None` where it is none, or a symbolic link.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        if self.side.is_link(name) { None } else { self.side.text(name) }
    }

    /// The file that something was read from.
    #[must_use]
    pub fn name(&self, origin: &Origin) -> Option<&str> {
        self.names().find(|name| self.place(name) == origin.source)
    }

    /// What messages call a file.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        self.places.name(name)
    }

    /// Where a file is on disk.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.side.root().join(name)
    }

    /// The directory that paths are from.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.side.root().to_owned()
    }
}

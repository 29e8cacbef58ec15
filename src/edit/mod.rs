//! A step as an edit of the repository's own files, proven by reading the repository again.
//!
//! Certificates and keys are found in its files by what they are, in whatever notation they stand there; restarts are set in the
//! manifest, or beside the chart's values. What is written is what the repository, read with the edits, declares to be the step.

mod encoded;
mod external;
mod field;
mod folded;
mod json;
mod keys;
mod objects;
mod pem;
mod proof;
mod restart;
mod sealed;
mod swap;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;
use zeroize::Zeroizing;

use crate::checkout::{Declared, Repository};
use crate::document::{Document, ObjectRef, Origin};
use crate::linkerd;
use crate::pki::Certificate;
use crate::render::Rendered;
use crate::source::SourceError;
use proof::{Meaning, meaning};
use work::Work;

pub use external::{Entry, External, Store};
pub use keys::{PlainKey, plain_keys};
pub use sealed::{Encryption, Plain};

/// A step in the files of a repository.
#[derive(Default)]
pub struct Edited {
    /// The files that change; none where the repository declares the step already.
    pub files: Vec<EditedFile>,
    /// What the repository does not hold, or not in a way that can be edited.
    pub left: Vec<Left>,
    /// Of what External Secrets makes the issuer's Secret, where the step changes that and the repository does not hold it.
    pub external: Option<External>,
}

/// A file that changes.
pub struct EditedFile {
    /// Its path from the repository's root.
    pub name: String,
    /// What messages call it.
    pub place: String,
    /// Where it is on disk.
    pub path: PathBuf,
    /// What it holds.
    pub before: Zeroizing<String>,
    /// What it shall hold.
    pub after: Zeroizing<String>,
    /// What changes, in the order of lines.
    pub changes: Vec<EditedLine>,
}

impl EditedFile {
    /// Will the file hold a private key in plain text?
    #[must_use]
    pub fn has_private_key(&self) -> bool {
        !pem::key_lines(&self.after).is_empty()
    }

    /// Will the file hold a private key in plain text that it does not hold yet?
    #[must_use]
    pub fn brings_private_key(&self) -> bool {
        let [before, after] = [&self.before, &self.after].map(|text| pem::keys(text));
        !after.is_subset(&before)
    }

    /// The private keys in plain text that it will hold.
    #[must_use]
    pub fn plain_keys(&self) -> Vec<PlainKey> {
        keys::in_text(&self.place, &self.after)
    }

    /// The lines, from 0, that hold a private key: in the file as it was, and as it shall be.
    #[must_use]
    pub fn key_lines(&self) -> [Vec<Range<usize>>; 2] {
        [&self.before, &self.after].map(|text| pem::key_lines(text))
    }
}

/// A change in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedLine {
    /// The line, from 1, in the file as it was.
    pub line: usize,
    /// What changes there.
    pub what: What,
}

/// What changes at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// These certificates come and go.
    Certificates {
        /// Those that come.
        added: Vec<Certificate>,
        /// Those that go.
        removed: Vec<Certificate>,
    },
    /// The issuer's private key.
    Key,
    /// The issuer and its private key, encrypted.
    Sealed,
    /// An annotation of an object.
    Annotation {
        /// Which object.
        object: ObjectRef,
        /// The annotation.
        key: String,
        /// Its value.
        value: String,
    },
    /// A field of an object of cert-manager or trust-manager.
    Field {
        /// Which object.
        object: ObjectRef,
        /// The field's path.
        field: String,
        /// Its new value, where that is a text.
        value: Option<String>,
    },
    /// An object that comes.
    Added {
        /// Which.
        object: ObjectRef,
    },
    /// An object that goes.
    Removed {
        /// Which.
        object: ObjectRef,
    },
}

/// Where trust material stands in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What messages call the file.
    pub place: String,
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub holds: Holds,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The trust bundle, or a copy of it.
    Bundle,
    /// The issuer's certificates, or a copy of them.
    Issuer,
    /// The issuer's Secret, encrypted.
    Sealed(Encryption),
}

/// An object of a step that is not as it shall be after the edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Which.
    pub object: ObjectRef,
    /// Does the step change trust material in it, rather than restart it?
    pub is_trust: bool,
    /// Why.
    pub why: Why,
}

/// Why an object is not edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The repository does not declare it.
    NotDeclared,
    /// It is encrypted in the repository.
    Encrypted,
    /// No edit of the files that it is made of makes it what it shall be, and nothing else.
    NotProven,
}

/// Why there is no edit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The repository cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It declares no control plane, or not this one.
    #[error("{place}: no control plane is declared there that is understood")]
    NoControlPlane {
        /// The repository, or the unit of it.
        place: String,
    },
    /// A file that was named holds nothing that the step replaces.
    #[error("{place}: holds none of the certificates that this step replaces, or is not tracked by Git")]
    NothingThere {
        /// The file.
        place: String,
    },
    /// It declares several control planes.
    #[error("this repository declares several clusters")]
    Several(Vec<String>),
}

/// How a chart makes a workload.
#[derive(Debug, Default)]
pub struct Maker {
    /// The value of Linkerd's chart that annotates the pods of a Deployment of the control plane.
    pub chart_value: Option<&'static str>,
    /// Namespace and name of the Flux HelmRelease.
    pub release: Option<[String; 2]>,
}

/// What a repository declares for one cluster.
pub struct Target<'a> {
    repository: &'a Repository,
    unit: String,
    documents: Vec<Document>,
    files: BTreeSet<String>,
    /// Files with the objects of engines that deploy it.
    engines: BTreeSet<String>,
    /// What it declares for other clusters.
    others: Vec<(String, Meaning)>,
}

impl<'a> Target<'a> {
    /// The only cluster of a repository, or the one that is called so.
    ///
    /// # Errors
    /// When the repository cannot be read, or it is not told which of its clusters is meant.
    pub fn find(repository: &'a Repository, unit: Option<&str>) -> Result<Self, EditError> {
        let (here, others) = chosen(repository.read()?.units, unit, repository)?;
        let others = others.iter().map(|unit| (unit.name.clone(), meaning(&unit.documents))).collect();
        let Declared { name: unit, documents, files, engines, .. } = here;
        Ok(Self { repository, unit, documents, files, engines, others })
    }

    /// The cluster's objects, as they are declared.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Where it declares an object: what messages call the file, and the line.
    #[must_use]
    pub fn place_of(&self, object: &ObjectRef) -> Option<(String, usize)> {
        let origin = &work::declared(&self.documents, object)?.origin;
        Some((origin.source.clone(), origin.line))
    }

    /// Where it holds the trust bundle and the issuer that are in force.
    #[must_use]
    pub fn places(&self, bundle: &[Certificate], issuer: &[Certificate]) -> Vec<Place> {
        let mut found = Vec::new();
        for name in self.repository.names().filter(|name| self.files.contains(*name)) {
            let Some(text) = self.repository.text(name) else { continue };
            let place = self.repository.place(name);
            for (holds, certificates) in [(Holds::Bundle, bundle), (Holds::Issuer, issuer)] {
                let lines =
                    if certificates.is_empty() { Vec::new() } else { pem::lines_of(&text, certificates) };
                found.extend(lines.into_iter().map(|line| Place { place: place.clone(), line, holds }));
            }
        }
        if let Some((document, encryption)) = self.encrypted(linkerd::ISSUER_SECRET) {
            let (place, line) = (document.origin.source.clone(), document.origin.line);
            found.push(Place { place, line, holds: Holds::Sealed(encryption) });
        }
        found
    }

    /// The files as they must be for the repository to declare what `step` renders. Nothing is written.
    ///
    /// `beside` names for each object that the step brings the one behind which it is written; `maker` tells how a chart makes a
    /// workload.
    pub fn edit(
        &self,
        step: &[Rendered],
        beside: &[(ObjectRef, ObjectRef)],
        maker: impl Fn(&ObjectRef) -> Maker,
    ) -> Edited {
        let mut work = Work::begin(self, step);
        work.swap();
        work.objects(beside);
        work.restart(maker);
        let mut edited = work.finish();
        let is_left = |rendered: &&Rendered| edited.left.iter().any(|left| left.object == rendered.object);
        let secret = step.iter().filter(is_left).find_map(sealed::names);
        edited.external = secret.and_then(|names| self.external(names));
        edited
    }
}

/// The same in files that somebody names: their certificates and keys are swapped, and what is deployed of them is not read.
///
/// # Errors
/// A file that holds nothing of what the step replaces.
pub fn edit_files(
    repository: &Repository,
    files: &[PathBuf],
    step: &[Rendered],
) -> Result<Edited, EditError> {
    let observed = |rendered: &Rendered| Document { origin: Origin::default(), tree: rendered.observed() };
    let swaps = work::swaps(&step.iter().map(observed).collect::<Vec<_>>(), step);
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut edited = Edited::default();
    for file in files {
        let nothing = || EditError::NothingThere { place: file.display().to_string() };
        let name = repository.names().find(|name| real(&repository.path(name)) == real(file));
        let name = name.ok_or_else(nothing)?.to_owned();
        let before = Zeroizing::new(repository.text(&name).ok_or_else(nothing)?);
        let (after, places) = swap::swap(&before, &swaps);
        if places.is_empty() || !proof::only_meant(&before, &after, &swaps, &[]) {
            return Err(nothing());
        }
        let changes = places.iter().map(|place| work::line(place, &swaps)).collect();
        let (place, path) = (repository.place(&name), repository.path(&name));
        edited.files.push(EditedFile { name, place, path, before, after, changes });
    }
    let restarts = step.iter().filter(|rendered| !work::is_trust(&rendered.object));
    let left = |rendered: &Rendered| Left {
        object: rendered.object.clone(),
        is_trust: false,
        why: Why::NotDeclared,
    };
    edited.left.extend(restarts.map(left));
    Ok(edited)
}

/// The cluster that is meant, and the others.
fn chosen(
    units: Vec<Declared>,
    asked: Option<&str>,
    repository: &Repository,
) -> Result<(Declared, Vec<Declared>), EditError> {
    let plain = |name: &str| name.trim_start_matches("./").trim_end_matches('/').to_owned();
    let is_meant =
        |unit: &Declared| unit.is_mesh && asked.is_none_or(|asked| plain(asked) == plain(&unit.name));
    let (mut meant, others): (Vec<_>, Vec<_>) = units.into_iter().partition(is_meant);
    match (meant.pop(), meant.is_empty()) {
        (Some(unit), true) => Ok((unit, others)),
        (Some(unit), false) => {
            Err(EditError::Several(meant.into_iter().chain([unit]).map(|unit| unit.name).collect()))
        }
        (None, _) => {
            let place = asked.map_or_else(|| repository.asked().display().to_string(), str::to_owned);
            Err(EditError::NoControlPlane { place })
        }
    }
}

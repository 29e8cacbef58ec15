//! Where bytes come from: files, directories, standard input, or the cluster through the user's kubectl.

#[cfg(test)]
pub(crate) use cluster::asked;
mod ahead;
mod cluster;
mod error;
mod files;
pub mod git;
mod intake;
mod json;
mod kubectl;
mod object;
mod progress;
mod proposal;
mod scan;
mod sealed;
mod skim;
mod snapshot;
#[cfg(test)]
mod tests;
mod text;
mod timed;
mod unrendered;

use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::document::{Document, Origin};
use crate::limits;
use crate::mesh::{Gap, GoDuration, Interest, Mesh, MeshError, Observer, Pod};
use intake::Intake;

pub use error::{Contradiction, SourceError};
pub use progress::Progress;
pub use proposal::Proposal;
pub use sealed::{Sealed, SealedChange};
pub use snapshot::SNAPSHOT_KIND;
use snapshot::SNAPSHOT_VERSION;
pub use snapshot::snapshot;
pub use unrendered::{Renderer, Unjudged, Unrendered};

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Files, directories and standard input; without any the cluster is read.
    pub inputs: Vec<Input>,
    /// Objects that were read already, where a repository was.
    pub documents: Option<Vec<Document>>,
    /// What such a repository does not tell.
    pub gaps: Vec<Gap>,
    /// Are a directory's subdirectories read too?
    pub recursive: bool,
    /// How the cluster is reached.
    pub cluster: Cluster,
    /// The control plane's namespace; unset, it is the only one that has a control plane.
    pub linkerd_namespace: Option<String>,
    /// Is the whole manifest of each meshed workload kept (for whole objects and diffs)?
    pub keep_workloads: bool,
    /// Where it is counted what has been read.
    pub progress: Arc<Progress>,
}

impl Request {
    /// Is it read from files, rather than from the cluster?
    fn is_of_files(&self) -> bool {
        !self.inputs.is_empty() || self.documents.is_some()
    }
}

/// One place to read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file, or a directory's `*.yaml`, `*.yml` and `*.json`.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

/// How the cluster is reached: kubectl's own connection flags, handed on to it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are kubectl's flags")]
pub struct Cluster {
    /// The kubectl to run; a bare name is looked up in `PATH`.
    pub kubectl: PathBuf,
    pub context: Option<String>,
    pub kubeconfig: Option<PathBuf>,
    pub cluster: Option<String>,
    pub user: Option<String>,
    pub impersonate: Option<String>,
    pub impersonate_groups: Vec<String>,
    /// As kubectl takes it: `30s`, `1m`, or plain seconds.
    pub request_timeout: Option<String>,
    /// Only this namespace's data plane is read.
    pub namespace: Option<String>,
    /// How long kubectl may take for one answer, where `request_timeout` does not tell.
    pub answer: Duration,
    /// How many pages a list may have.
    pub pages: usize,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            kubectl: "kubectl".into(),
            context: None,
            kubeconfig: None,
            cluster: None,
            user: None,
            impersonate: None,
            impersonate_groups: Vec::new(),
            request_timeout: None,
            namespace: None,
            answer: limits::ANSWER,
            pages: limits::PAGES,
        }
    }
}

impl Cluster {
    /// How long kubectl may take for one answer; `None` where `request_timeout` is 0, which is kubectl's word for no limit.
    fn patience(&self) -> Option<Duration> {
        let Some(asked) = &self.request_timeout else { return Some(self.answer) };
        // kubectl takes a number alone as seconds. What it does not understand it refuses itself.
        let asked: Option<GoDuration> = asked.parse().or_else(|_| format!("{asked}s").parse()).ok();
        let Some(GoDuration(asked)) = asked else { return Some(self.answer) };
        if asked.is_zero() {
            return None;
        }
        Some(asked.unsigned_abs().saturating_add(limits::BESIDE_REQUEST))
    }
}

/// Takes in what is read. A clone is a checkpoint: when a list has to be read again, it is what the list's start goes back to.
pub trait Sink: Clone + Sync {
    /// What is done with objects of this kind.
    fn interest(&self, api_version: &str, kind: &str) -> Interest;
    /// Takes in an object.
    ///
    /// # Errors
    /// When a field that matters is not what it must be.
    fn object(&mut self, document: Document) -> Result<(), MeshError>;
    /// Takes in a pod.
    fn pod(&mut self, origin: &Origin, pod: Pod);
    /// Pods were asked for, and the answer is complete.
    fn pods_were_read(&mut self);
    /// Secrets were asked for by name, and one that was not given does not exist.
    fn secrets_were_read(&mut self) {}
    /// Something could not be read.
    fn gap(&mut self, gap: Gap);
    /// Does it take in changes, several of one object, rather than objects as they are?
    fn takes_changes(&self) -> bool {
        false
    }
}

impl Sink for Observer {
    fn interest(&self, api_version: &str, kind: &str) -> Interest {
        Self::interest(api_version, kind)
    }

    fn object(&mut self, document: Document) -> Result<(), MeshError> {
        self.object(document)
    }

    fn pod(&mut self, origin: &Origin, pod: Pod) {
        self.pod(origin, pod);
    }

    fn pods_were_read(&mut self) {
        self.pods_were_read();
    }

    fn secrets_were_read(&mut self) {
        self.secrets_were_read();
    }

    fn gap(&mut self, gap: Gap) {
        self.gap(gap);
    }
}

/// What was read: a sink that has taken everything in, or a mesh that somebody took a snapshot of.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one, and it is taken apart at once")]
pub enum Observed<S> {
    /// Objects and pods.
    Objects(S),
    /// A snapshot.
    Snapshot(Mesh),
}

/// Reads a mesh.
///
/// # Errors
/// When an input cannot be read or understood, or is not a mesh; what a cluster refuses to show is a gap, not an error.
pub fn read(request: &Request) -> Result<Mesh, SourceError> {
    let mesh = match observe(request, Observer::new(request.keep_workloads))? {
        Observed::Snapshot(mesh) => mesh,
        Observed::Objects(observer) => finished(observer, request)?,
    };
    Ok(limited(mesh, request))
}

fn finished(observer: Observer, request: &Request) -> Result<Mesh, SourceError> {
    let given = request.linkerd_namespace.as_deref();
    observer.finish(given).map_err(|error| match error {
        MeshError::NoControlPlane if !request.is_of_files() => {
            SourceError::NoControlPlane { namespace: given.map(str::to_owned) }
        }
        error => error.into(),
    })
}

fn limited(mesh: Mesh, request: &Request) -> Mesh {
    match &request.cluster.namespace {
        Some(namespace) => mesh.limited_to(namespace),
        None => mesh,
    }
}

/// Reads a mesh, and what beside it another program would have to render; a snapshot does not tell the latter.
///
/// # Errors
/// As [`read`].
pub fn read_beside(request: &Request) -> Result<(Mesh, Unrendered), SourceError> {
    let beside =
        Beside { observer: Observer::new(request.keep_workloads), unrendered: Unrendered::default() };
    let (mesh, unrendered) = match observe(request, beside)? {
        Observed::Snapshot(mesh) => (mesh, Unrendered::default()),
        Observed::Objects(Beside { observer, unrendered }) => (finished(observer, request)?, unrendered),
    };
    Ok((limited(mesh, request), unrendered))
}

/// An observer that keeps what it cannot judge.
#[derive(Debug, Clone)]
struct Beside {
    observer: Observer,
    unrendered: Unrendered,
}

impl Sink for Beside {
    fn interest(&self, api_version: &str, kind: &str) -> Interest {
        match Observer::interest(api_version, kind) {
            Interest::None => Unrendered::interest(kind),
            interest => interest,
        }
    }

    fn object(&mut self, document: Document) -> Result<(), MeshError> {
        self.unrendered.see(&document);
        self.observer.object(document)
    }

    fn pod(&mut self, origin: &Origin, pod: Pod) {
        self.observer.pod(origin, pod);
    }

    fn pods_were_read(&mut self) {
        self.observer.pods_were_read();
    }

    fn secrets_were_read(&mut self) {
        self.observer.secrets_were_read();
    }

    fn gap(&mut self, gap: Gap) {
        self.observer.gap(gap);
    }
}

/// Reads into any sink.
///
/// # Errors
/// As [`read`].
pub fn observe<S: Sink>(request: &Request, sink: S) -> Result<Observed<S>, SourceError> {
    let intake = Intake::new(sink, Arc::clone(&request.progress));
    if !request.is_of_files() {
        return Ok(Observed::Objects(cluster::read(request, intake)?.into_sink()));
    }
    files::read(request, intake)?.finish()
}

/// Reads one text of unknown length and format; `name` is what errors call it.
///
/// # Errors
/// As [`read`]; also when a list in it tells its items' kind only after them, as it cannot be read twice.
pub fn observe_reader<S: Sink>(reader: impl Read, name: &str, sink: S) -> Result<Observed<S>, SourceError> {
    let mut intake = Intake::new(sink, Arc::default());
    files::read_text(BufReader::with_capacity(files::BUFFER, reader), name, None, &mut intake)?;
    intake.finish()
}

//! Why nothing could be read.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::document::{DocumentError, ObjectRef, Origin};
use crate::limits;
use crate::mesh::{Gap, MeshError};

/// Why an input or a cluster could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A text is not what it should be.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// What was read makes no mesh.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// The cluster has no control plane where it was looked for.
    #[error(
        "no Linkerd control plane in namespace {}",
        namespace.as_deref().unwrap_or("linkerd, and no identity controller in another one")
    )]
    NoControlPlane {
        /// The namespace that was given.
        namespace: Option<String>,
    },
    /// An object has a field that is not what it must be.
    #[error("{origin}: {error}")]
    Object {
        /// Where the object was read.
        origin: Origin,
        /// The field and what was found.
        error: MeshError,
    },
    /// A Pod has a field that is not what it must be.
    #[error("{origin}: {field}: {reason}")]
    Field {
        /// Where the Pod was read.
        origin: Origin,
        /// The field.
        field: String,
        /// What was found.
        reason: String,
    },
    /// A file or directory could not be read.
    #[error("{place}: {error}")]
    Unreadable {
        /// The path, or `stdin`.
        place: String,
        /// What the system says.
        error: io::Error,
    },
    /// A directory has no file of the kinds that are read.
    #[error("{place}: no *.yaml, *.yml or *.json in this directory")]
    EmptyDirectory {
        /// The directory.
        place: String,
        /// Would `-R` find more?
        subdirectories: bool,
    },
    /// There is no object in the inputs.
    #[error("{place}: no Kubernetes object in it")]
    NoObjects {
        /// The inputs.
        place: String,
    },
    /// The text is not UTF-8.
    #[error("{place}:{line}: not UTF-8 text{}", if *utf16 { " but UTF-16" } else { "" })]
    Encoding {
        /// The path, or `stdin`.
        place: String,
        /// The line.
        line: usize,
        /// Does it begin as UTF-16 does?
        utf16: bool,
    },
    /// The file is compressed.
    #[error("{place}: a gzip file")]
    Compressed {
        /// The path, or `stdin`.
        place: String,
    },
    /// Standard input was named more than once.
    #[error("standard input (`-f -`) is named more than once")]
    StdinTwice,
    /// The kind of a list's items stands after them, in a text that cannot be read twice.
    #[error(
        "{origin}: the list says that it is a {kind} only after its items, which have no kind of their own"
    )]
    LateKind {
        /// The list.
        origin: Origin,
        /// Its kind.
        kind: String,
    },
    /// A snapshot and other objects.
    #[error("{origin}: a snapshot is the whole picture and cannot be read together with other objects")]
    SnapshotNotAlone {
        /// The snapshot, or what stands beside it.
        origin: Origin,
    },
    /// A snapshot of a version that is not known.
    #[error(
        "{origin}: a snapshot of version `{version}`, but this program reads `{}`",
        super::SNAPSHOT_VERSION
    )]
    SnapshotVersion {
        /// The snapshot.
        origin: Origin,
        /// Its `apiVersion`.
        version: String,
    },
    /// A snapshot that does not hold a mesh.
    #[error("{origin}: the snapshot is damaged: {reason}")]
    SnapshotDamaged {
        /// The snapshot.
        origin: Origin,
        /// What was found.
        reason: String,
    },
    /// Two documents say different things of one object.
    #[error(transparent)]
    Contradiction(#[from] Box<Contradiction>),
    /// git is not there.
    #[error("`git` was not found")]
    NoGit,
    /// git does not give what was asked for.
    #[error("{place}: git: {said}")]
    Git {
        /// The directory it was asked in.
        place: String,
        /// git's words.
        said: String,
    },
    /// The checkout does not know the revision.
    #[error("{place}: git knows no commit `{revision}` here")]
    GitRevision {
        /// The directory it was asked in.
        place: String,
        /// The revision.
        revision: String,
    },
    /// A snapshot among the files of a commit.
    #[error("{place}: a snapshot is the whole picture, not one of a commit's manifests")]
    GitSnapshot {
        /// The file and the revision.
        place: String,
    },
    /// kubectl is not there.
    #[error("`{kubectl}` was not found")]
    NoKubectl {
        /// What was looked for.
        kubectl: PathBuf,
    },
    /// kubectl could not be started.
    #[error("`{kubectl}` could not be started: {error}")]
    Start {
        /// The program.
        kubectl: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The kubeconfig does not have what was asked for.
    #[error("kubectl finds no way to the cluster: {said}")]
    Configuration {
        /// kubectl's words.
        said: String,
    },
    /// The cluster does not answer.
    #[error("the cluster cannot be reached: {said}")]
    Unreachable {
        /// kubectl's words.
        said: String,
    },
    /// The cluster does not know the user.
    #[error("the cluster does not accept the credentials: {said}")]
    Unauthorized {
        /// kubectl's words.
        said: String,
    },
    /// The user may read nothing of what is needed.
    #[error("the cluster shows nothing of Linkerd to this user: {}", .gaps.iter().map(Gap::asked).collect::<Vec<_>>().join(", "))]
    NothingReadable {
        /// What was refused.
        gaps: Vec<Gap>,
    },
    /// The API server's answer is an error that is not about permission or absence.
    #[error("GET {path}: {said}")]
    Server {
        /// The API path.
        path: String,
        /// kubectl's words.
        said: String,
    },
    /// The answer ended, or kubectl did, before the answer was complete.
    #[error("GET {path}: broken off: {said}")]
    BrokenOff {
        /// The API path.
        path: String,
        /// kubectl's words, or how it ended.
        said: String,
    },
    /// The answer is not what an API server gives.
    #[error("GET {path}: not an API server's answer: {reason}")]
    Garbage {
        /// The API path.
        path: String,
        /// What was found.
        reason: String,
    },
    /// kubectl gives no answer.
    #[error("GET {path}: kubectl has not given the whole answer within {} seconds", after.as_secs())]
    Hanging {
        /// The API path.
        path: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// A list does not come to its end.
    #[error("GET {path}: the list has more than {pages} pages")]
    Endless {
        /// The API path.
        path: String,
        /// How many were read.
        pages: usize,
    },
    /// A list is sent round in a circle.
    #[error("GET {path}: a page of the list names itself as the next one")]
    Circle {
        /// The API path.
        path: String,
    },
    /// A value of a JSON text is longer than any object is.
    #[error("{place}:{line}: one value of the JSON is longer than {} MiB", limits::JSON_VALUE >> 20)]
    LongValue {
        /// The path, `stdin`, or the API path.
        place: String,
        /// The line on which it begins.
        line: usize,
    },
    /// A YAML text is longer than what is held.
    #[error("{place}: the YAML is longer than {} MiB", limits::YAML >> 20)]
    LongText {
        /// The path, or `stdin`.
        place: String,
    },
    /// The file holds bytes that no text has.
    #[error("{place}:{line}: the YAML cannot be read: a control character (a zero byte) stands in the text")]
    NoText {
        /// The path, or `stdin`.
        place: String,
        /// The line.
        line: usize,
    },
    /// A list expired while it was read, again and again.
    #[error("GET {path}: the list expired {times} times before it was read to its end")]
    Expired {
        /// The API path.
        path: String,
        /// How often.
        times: usize,
    },
}

/// Two documents that say different things of one object.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{object} stands twice, with different content: {one} and {other}")]
pub struct Contradiction {
    /// The object.
    pub object: ObjectRef,
    /// One of the places.
    pub one: Origin,
    /// The other place.
    pub other: Origin,
}

/// An API path as a POSIX shell takes it: `&` and `?` mean something there.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', "'\\''"))
}

impl SourceError {
    /// A field that could not be decoded.
    pub(super) fn field(origin: &Origin, field: &str, error: &serde_json::Error) -> Self {
        Self::Field { origin: origin.clone(), field: field.to_owned(), reason: error.to_string() }
    }

    /// The next thing to do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Document(error) => error.help().to_owned(),
            Self::Mesh(error) | Self::Object { error, .. } => error.help(),
            Self::NoControlPlane { .. } => {
                "name its namespace with --linkerd-namespace, and the cluster with --context".to_owned()
            }
            Self::Field { .. } => "compare it with `kubectl explain pod`".to_owned(),
            Self::Unreadable { error, .. } => match error.kind() {
                io::ErrorKind::NotFound => "check the path; `-f -` reads standard input".to_owned(),
                _ => "check the path and its permissions".to_owned(),
            },
            Self::EmptyDirectory { subdirectories: true, .. } => "its subdirectories are read with -R".to_owned(),
            Self::EmptyDirectory { .. } => "name the directory that holds the manifests or the dump".to_owned(),
            Self::NoObjects { .. } => {
                "give it manifests (`linkerd install`, `helm template`) or a dump (`kubectl get … -A -o json`)".to_owned()
            }
            Self::Encoding { utf16: true, .. } => {
                "PowerShell's `>` writes UTF-16: use `| Out-File -Encoding utf8 FILE`".to_owned()
            }
            Self::Encoding { .. } => "save it as UTF-8".to_owned(),
            Self::Compressed { place } => format!("gunzip -c {place} | kubectl l5d-rotate … -f -"),
            Self::StdinTwice => "name it once".to_owned(),
            Self::LateKind { .. } => "save it to a file and name that with -f: a file can be read twice".to_owned(),
            Self::SnapshotNotAlone { .. } => "name the snapshot alone with -f".to_owned(),
            Self::SnapshotVersion { .. } => "take it again with this version of l5d-rotate, or read it with its own".to_owned(),
            Self::SnapshotDamaged { .. } => "take it again: `kubectl l5d-rotate snapshot`".to_owned(),
            Self::Contradiction(_) => {
                "give one of them: the objects of one cluster, as they are applied; --exclude leaves files out of a directory".to_owned()
            }
            Self::NoGit => "install git or put it into PATH; or give both sides as files: -f CURRENT --proposed PROPOSED".to_owned(),
            Self::Git { .. } => "name files or a directory of a Git checkout with -f".to_owned(),
            Self::GitRevision { .. } => {
                "fetch it first (a CI checkout is often shallow: `git fetch origin main`), and name it as Git does".to_owned()
            }
            Self::GitSnapshot { .. } => "read the snapshot with -f and the checkout with --proposed".to_owned(),
            Self::NoKubectl { .. } => {
                "install kubectl or put it into PATH; or read files with -f, which needs no kubectl".to_owned()
            }
            Self::Start { .. } => "see that it can be run".to_owned(),
            Self::Configuration { .. } => "see `kubectl config get-contexts`, and check --context and --kubeconfig".to_owned(),
            Self::Unreachable { .. } => "see whether `kubectl version` answers; without a cluster, read files with -f".to_owned(),
            Self::Unauthorized { .. } => "log in again; `kubectl auth whoami` says as whom kubectl goes".to_owned(),
            Self::NothingReadable { .. } => {
                "`kubectl l5d-rotate rbac` prints the role that reading needs; a control plane outside of namespace linkerd \
                 is named with --linkerd-namespace"
                    .to_owned()
            }
            Self::Server { .. } | Self::BrokenOff { .. } | Self::Expired { .. } => "run it again".to_owned(),
            Self::Hanging { path, .. } => {
                format!("see whether `kubectl get --raw {}` answers; --request-timeout allows more time", quoted(path))
            }
            Self::Endless { .. } | Self::Circle { .. } => {
                "read one namespace with --namespace, or a dump with -f; see what stands between kubectl and the API server"
                    .to_owned()
            }
            Self::LongValue { .. } => "see where it came from: no Kubernetes object is that long".to_owned(),
            Self::LongText { .. } => "give it as JSON (`-o json`), which is read piece by piece".to_owned(),
            Self::NoText { .. } => "name a file with YAML or JSON in it".to_owned(),
            Self::Garbage { .. } => "see what stands between kubectl and the API server: a proxy, a login page".to_owned(),
        })
    }
}

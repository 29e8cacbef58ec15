//! The user's kubectl, asked for one API path at a time.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use super::files::BUFFER;
use super::intake::Intake;
use super::{Cluster, Sink, SourceError, json};

/// What the API server answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was read; `continue` of a list that goes on.
    Read(Option<String>),
    /// This user may not read it.
    Forbidden(String),
    /// It does not exist, or its kind does not.
    Absent,
    /// The list's `continue` is too old.
    Expired,
}

/// A running `kubectl get --raw`.
#[derive(Debug)]
pub(super) struct Running {
    path: String,
    child: Kept,
    stdout: ChildStdout,
    stderr: JoinHandle<String>,
}

/// A process that does not outlive the one who wants its answer.
#[derive(Debug)]
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        // Both fail where it has ended, and that is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Cluster {
    /// Starts `kubectl get --raw PATH`: nothing else is ever run.
    pub(super) fn get(&self, path: String) -> Result<Running, SourceError> {
        let mut command = Command::new(&self.kubectl);
        command.args(["get", "--raw", &path]).args(self.flags());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => SourceError::NoKubectl { kubectl: self.kubectl.clone() },
            _ => SourceError::Start { kubectl: self.kubectl.clone(), error },
        };
        let mut child = command.spawn().map_err(start)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(start(io::ErrorKind::BrokenPipe.into()));
        };
        let child = Kept(child);
        Ok(Running { path, child, stdout, stderr: std::thread::spawn(move || first_of(stderr)) })
    }

    fn flags(&self) -> Vec<OsString> {
        let flags = [
            ("--kubeconfig=", self.kubeconfig.as_ref().map(|path| path.as_os_str())),
            ("--context=", self.context.as_ref().map(OsStr::new)),
            ("--cluster=", self.cluster.as_ref().map(OsStr::new)),
            ("--user=", self.user.as_ref().map(OsStr::new)),
            ("--as=", self.impersonate.as_ref().map(OsStr::new)),
            ("--request-timeout=", self.request_timeout.as_ref().map(OsStr::new)),
        ];
        let groups = self.impersonate_groups.iter().map(|group| ("--as-group=", Some(OsStr::new(group))));
        flags
            .into_iter()
            .chain(groups)
            .filter_map(|(flag, value)| Some([OsStr::new(flag), value?].into_iter().collect()))
            .collect()
    }
}

impl Running {
    /// Decodes the answer while it comes in; it counts once kubectl has ended well.
    pub(super) fn read<S: Sink>(self, intake: &mut Intake<S>) -> Result<Answer, SourceError> {
        let Self { path, mut child, stdout, stderr } = self;
        let decoded = json::read(BufReader::with_capacity(BUFFER, stdout), &path, None, intake);
        // The reader is gone: a kubectl that still writes ends with a broken pipe.
        let status = child
            .0
            .wait()
            .map_err(|error| SourceError::BrokenOff { path: path.clone(), said: error.to_string() })?;
        let said = stderr.join().unwrap_or_default();
        match decoded {
            Ok(outcome) if status.success() && outcome.documents > 0 => Ok(Answer::Read(outcome.more)),
            Ok(_) if status.success() => Err(SourceError::Garbage { path, reason: "nothing".to_owned() }),
            Err(SourceError::Document(error)) if status.success() => {
                Err(SourceError::Garbage { path, reason: error.reason })
            }
            Err(error @ (SourceError::Object { .. } | SourceError::Field { .. })) => Err(error),
            Ok(_) | Err(_) => refusal(path, &said, &status.to_string()),
        }
    }
}

/// What kubectl's words on standard error mean (`k8s.io/kubectl/pkg/cmd/util/helpers.go`, `StandardErrorMessage`).
fn refusal(path: String, said: &str, status: &str) -> Result<Answer, SourceError> {
    let said = said.trim();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let line =
        || said.lines().filter(|line| !line.starts_with("Warning:")).take(3).collect::<Vec<_>>().join("; ");
    if has(&["(Forbidden)"]) {
        return Ok(Answer::Forbidden(line()));
    }
    if has(&["(NotFound)", "(MethodNotAllowed)"]) {
        return Ok(Answer::Absent);
    }
    if has(&["(Expired)", "(Gone)", "status code 410"]) {
        return Ok(Answer::Expired);
    }
    Err(if has(&["(Unauthorized)"]) {
        SourceError::Unauthorized { said: line() }
    } else if has(&["Unable to connect to the server", "The connection to the server"]) {
        SourceError::Unreachable { said: line() }
    } else if has(&["Error from server"]) {
        SourceError::Server { path, said: line() }
    } else if has(&[
        "does not exist",
        "no such file",
        "error loading config",
        "invalid configuration",
        "unknown flag",
    ]) {
        SourceError::Configuration { said: line() }
    } else {
        let said = if said.is_empty() { format!("kubectl ended with {status}") } else { line() };
        SourceError::BrokenOff { path, said }
    })
}

/// The beginning of what a process says; the rest is read and dropped, lest the process waits for a reader.
fn first_of(mut stderr: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = stderr.by_ref().take(16 * 1024).read_to_end(&mut bytes);
    let _ = io::copy(&mut stderr, &mut io::sink());
    String::from_utf8_lossy(&bytes).into_owned()
}

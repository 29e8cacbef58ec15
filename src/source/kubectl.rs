//! The user's kubectl, asked for one API path at a time.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufReader, Read};
use std::process::{ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::files::BUFFER;
use super::intake::Intake;
use super::timed::Timed;
use super::{Cluster, Sink, SourceError, json};
use crate::process::Child;

/// How many pieces of an answer are taken from kubectl before they are wanted.
const READ_AHEAD: usize = 2;
/// As many as most answers have, each what a pipe holds: 16 MiB.
const WHOLE_ANSWER: usize = 256;

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
    child: Child,
    stdout: Timed,
    ended: Receiver<Ended>,
    patience: Option<Duration>,
}

/// What kubectl said on standard error, and how it ended.
type Ended = (String, io::Result<ExitStatus>);

impl Cluster {
    /// Starts `kubectl get --raw PATH`: nothing else is ever run.
    pub(super) fn get(&self, path: String) -> Result<Running, SourceError> {
        self.start(path, READ_AHEAD)
    }

    /// The same for an answer that others are read before: the API server, which ends an answer that nobody takes for a minute,
    /// is not kept waiting.
    pub(super) fn ahead(&self, path: String) -> Result<Running, SourceError> {
        self.start(path, WHOLE_ANSWER)
    }

    fn start(&self, path: String, pieces: usize) -> Result<Running, SourceError> {
        let mut command = Command::new(&self.kubectl);
        command.args(["get", "--raw", &path]).args(self.flags());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => SourceError::NoKubectl { kubectl: self.kubectl.clone() },
            _ => SourceError::Start { kubectl: self.kubectl.clone(), error },
        };
        let child = Child::start(&mut command).map_err(start)?;
        let (Some(stdout), Some(stderr)) = (child.stdout(), child.stderr()) else {
            return Err(start(io::ErrorKind::BrokenPipe.into()));
        };
        let ended = ended(&child, stderr);
        Ok(Running { path, child, stdout: Timed::new(stdout, pieces), ended, patience: self.patience() })
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

/// Reads what the process says until it ends, beside whoever reads its answer.
fn ended(child: &Child, stderr: ChildStderr) -> Receiver<Ended> {
    let (sender, receiver) = channel();
    let wait = child.waiter();
    std::thread::spawn(move || {
        let said = first_of(stderr);
        // Nobody listens any more where the answer was given up.
        let _ = sender.send((said, wait()));
    });
    receiver
}

impl Running {
    /// Decodes the answer while it comes in; it counts once kubectl has ended well.
    pub(super) fn read<S: Sink>(self, intake: &mut Intake<S>) -> Result<Answer, SourceError> {
        self.read_page(intake, &mut |_| ())
    }

    /// The same of a page; `names` is told of the next one as soon as it is known.
    pub(super) fn read_page<S: Sink>(
        self,
        intake: &mut Intake<S>,
        names: &mut dyn FnMut(&str),
    ) -> Result<Answer, SourceError> {
        let Self { path, child, mut stdout, ended, patience } = self;
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        let hangs = || SourceError::Hanging { path: path.clone(), after: patience.unwrap_or_default() };
        stdout.until(deadline);
        let decoded = json::read_page(BufReader::with_capacity(BUFFER, stdout), &path, intake, names);
        match decoded {
            Err(SourceError::Unreadable { error, .. }) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(hangs());
            }
            Err(error @ SourceError::LongValue { .. }) => return Err(error),
            _ => {}
        }
        // The reader is gone: a kubectl that still writes ends with a broken pipe.
        let waited = match deadline {
            None => ended.recv().ok(),
            Some(deadline) => ended.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok(),
        };
        let (said, status) = waited.ok_or_else(hangs)?;
        drop(child);
        let status =
            status.map_err(|error| SourceError::BrokenOff { path: path.clone(), said: error.to_string() })?;
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

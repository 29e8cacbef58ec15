//! A program that was started.

use std::io::{self, Read as _, Write as _};
use std::process::{ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::Arc;

use shared_child::SharedChild;

use super::begun;

/// A program that does not outlive the one who wants its answer.
#[derive(Debug)]
pub struct Child(Arc<SharedChild>);

impl Child {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut begun = begun();
        let child = Arc::new(SharedChild::spawn(command)?);
        begun.children.push(Arc::clone(&child));
        Ok(Self(child))
    }

    /// Its standard output, once, where that is a pipe.
    #[must_use]
    pub fn stdout(&self) -> Option<ChildStdout> {
        self.0.take_stdout()
    }

    /// Its standard error, once, where that is a pipe.
    #[must_use]
    pub fn stderr(&self) -> Option<ChildStderr> {
        self.0.take_stderr()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        self.0.wait()
    }

    /// Waits for it without keeping it: who does so in another thread leaves ending it to this one.
    pub fn waiter(&self) -> impl FnOnce() -> io::Result<ExitStatus> + Send + use<> {
        let child = Arc::clone(&self.0);
        move || child.wait()
    }
}

/// What a program answered that was given something to read.
#[derive(Debug)]
pub struct Answer {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub out: Vec<u8>,
    /// Its standard error.
    pub said: String,
}

/// Runs a program whose standard streams are pipes, with `input` to read.
///
/// # Errors
/// When it cannot be started, or does not answer.
pub fn piped(command: &mut Command, input: &[u8]) -> io::Result<Answer> {
    let child = Child::start(command)?;
    let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
    let mut stdin = child.0.take_stdin().ok_or_else(broken)?;
    let (mut stdout, mut stderr) = (child.stdout().ok_or_else(broken)?, child.stderr().ok_or_else(broken)?);
    let (mut out, mut said) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        // A program may end before it has read everything.
        scope.spawn(move || stdin.write_all(input));
        let errors = scope.spawn(move || stderr.read_to_end(&mut said).map(|_| said));
        stdout.read_to_end(&mut out)?;
        let said = errors.join().unwrap_or_else(|_| Err(broken()))?;
        let said = String::from_utf8_lossy(&said).into_owned();
        Ok(Answer { status: child.wait()?, out, said })
    })
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail where it has ended, and that is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
        begun().children.retain(|child| !Arc::ptr_eq(child, &self.0));
    }
}

/// Asks them to end, and ends those that do not.
#[cfg(unix)]
pub(super) fn end(children: &[Arc<SharedChild>]) {
    use std::time::Duration;

    use shared_child::unix::SharedChildExt as _;

    /// How often they are looked at, and how many times.
    const TURN: Duration = Duration::from_millis(10);
    const TURNS: usize = 50;

    for child in children {
        let _ = child.send_signal(signal_hook::consts::SIGTERM);
    }
    let run = |child: &Arc<SharedChild>| matches!(child.try_wait(), Ok(None));
    for _ in 0..TURNS {
        if !children.iter().any(run) {
            return;
        }
        std::thread::sleep(TURN);
    }
    for child in children {
        let _ = child.kill();
    }
}

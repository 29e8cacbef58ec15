//! A program that was started.

use std::io;
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

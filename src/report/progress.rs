//! One line on a terminal's standard error while something takes long; it is gone when that is done.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::WIDTH;
use super::words::count;

/// What is done sooner shows no line.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is looked at.
const TURN: Duration = Duration::from_millis(200);

/// A line that is shown until this value is dropped.
#[derive(Debug)]
pub struct Progress {
    shown: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Shows what `text` says of the time that has passed, again and again; nothing where standard error is no terminal.
    pub fn show(text: impl Fn(Duration) -> String + Send + 'static) -> Self {
        if !io::stderr().is_terminal() {
            return Self { shown: None };
        }
        let (sender, done) = channel();
        let begun = Instant::now();
        let thread = std::thread::spawn(move || {
            let mut line = Line::default();
            let mut pause = PATIENCE;
            while done.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                line.write(&text(begun.elapsed()));
                pause = TURN;
            }
            line.write("");
        });
        Self { shown: Some((sender, thread)) }
    }

    /// Shows how much of a mesh has been read, as `pods` tells it.
    pub fn of_reading(pods: impl Fn() -> u64 + Send + 'static) -> Self {
        Self::show(move |passed| {
            let pods = match pods() {
                0 => String::new(),
                pods => format!("{}, ", count(pods, "pod", "pods")),
            };
            format!("reading: {pods}{} s", passed.as_secs())
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let Some((sender, thread)) = self.shown.take() else { return };
        drop(sender);
        // A line that could not be shown is nothing to tell of.
        let _ = thread.join();
    }
}

/// What stands on the line. It is written over with blanks, for which no terminal needs to know an escape code.
#[derive(Debug, Default)]
struct Line(String);

impl Line {
    fn write(&mut self, text: &str) {
        let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| width.0.into());
        // The last column is left free: some terminals begin a new line there.
        let text: String = text.chars().take(width.saturating_sub(1)).collect();
        if text == self.0 {
            return;
        }
        let rest = self.0.chars().count().saturating_sub(text.chars().count());
        let back = if text.is_empty() { "\r" } else { "" };
        let mut stderr = io::stderr().lock();
        // Where it is not shown, nothing is lost.
        let _ = write!(stderr, "\r{text}{:rest$}{back}", "").and_then(|()| stderr.flush());
        self.0 = text;
    }
}

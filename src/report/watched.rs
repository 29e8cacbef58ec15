//! A screen that is shown again and again: on a terminal in its own place, elsewhere where it says something new.

use std::io::{self, Write as _};

use anstream::{AutoStream, ColorChoice};
use jiff::SignedDuration;

use super::Screen;
use super::words::seconds;
use crate::printable::screened;

/// What was shown last, and how.
#[derive(Debug)]
pub struct Watched {
    terminal: bool,
    color: ColorChoice,
    interval: SignedDuration,
    before: String,
}

impl Watched {
    /// Nothing was shown yet.
    #[must_use]
    pub const fn new(terminal: bool, color: ColorChoice, interval: SignedDuration) -> Self {
        Self { terminal, color, interval, before: String::new() }
    }

    /// Shows the screen as it is now.
    ///
    /// # Errors
    /// Those of standard output; a broken pipe, too, where nobody reads it any more.
    pub fn show(&mut self, text: &str, screen: &Screen) -> io::Result<()> {
        let (text, at) = (screened(text), screen.exactly_at());
        if self.terminal {
            let every = seconds(self.interval);
            let shown = format!("{text}\nSeen at {at}, and again every {every}; Ctrl-C ends it\n");
            // Not the whole terminal is cleared: what stood on it before stays, and so does the last screen.
            let up = rows(&self.before, screen.width);
            if up > 0 {
                write!(io::stdout(), "\r\u{1b}[{up}A\u{1b}[J")?;
            }
            self.write(&shown)?;
            self.before = shown;
        } else if text != self.before {
            let gap = if self.before.is_empty() { "" } else { "\n" };
            self.write(&format!("{gap}Seen at {at}\n\n{text}"))?;
            self.before = text.into_owned();
        }
        Ok(())
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut stdout = AutoStream::new(io::stdout(), self.color);
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

/// How many rows of a terminal a text takes.
fn rows(text: &str, width: usize) -> usize {
    let plain = anstream::adapter::strip_str(text).to_string();
    plain.lines().map(|line| line.chars().count().div_ceil(width.max(1)).max(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_as_many_rows_as_it_is_wide_and_colours_take_none() {
        assert_eq!(rows("", 80), 0);
        assert_eq!(rows("a\n\nb\n", 80), 3);
        assert_eq!(rows(&format!("{}\n{}\n", "x".repeat(80), "x".repeat(81)), 80), 3);
        assert_eq!(rows(&format!("\u{1b}[31m{}\u{1b}[0m\n", "x".repeat(80)), 80), 1);
    }
}

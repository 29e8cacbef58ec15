//! `kubectl l5d-rotate`: start, and the exit code.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use l5d_rotate::cli::{Cli, Color};
use l5d_rotate::command::{self, Environment};
use l5d_rotate::process;
use l5d_rotate::report::{self, ColorChoice};

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn width() -> usize {
    terminal_size::terminal_size().map_or(report::WIDTH, |(width, _)| width.0.into())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let color = match cli.display.color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time zone")]
    let zone = jiff::tz::TimeZone::system();
    let environment = Environment {
        now: clock(),
        clock,
        zone,
        width,
        terminal: std::io::stdout().is_terminal(),
        color,
        rotation_dir: std::env::var_os("L5D_ROTATE_DIR").map(Into::into),
        external_diff: std::env::var("KUBECTL_EXTERNAL_DIFF").ok().filter(|program| !program.is_empty()),
    };
    // Without them a signal ends the program at once, as it does everywhere else.
    let _ = process::end_on_signals();
    let response = command::run(&cli, &environment)
        .unwrap_or_else(|failure| report::failure(&failure.to_string(), failure.help(), failure.exit()));
    report::print(&response, color)
}

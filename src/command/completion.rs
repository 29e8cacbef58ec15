//! Completion scripts: for shells, and for kubectl, which completes plugins by asking a program of theirs.

use clap::{Command, CommandFactory as _};
use clap_complete::Generator;
use clap_complete::aot::Shell as ClapShell;

use crate::cli::{Cli, Shell};

/// The file that kubectl runs: a dash in a plugin's name is an underscore in its files'.
const BINARY: &str = "kubectl-l5d_rotate";

/// The plugin itself is asked, not `kubectl l5d-rotate`: kubectl has found it on PATH already, and one start is quicker
/// than two. `--` keeps the words being completed from being read as flags of `__complete`.
const KUBECTL: &str = r#"#!/bin/sh
# kubectl 1.26 and later run this to complete `kubectl l5d-rotate ...`, where it is executable and on PATH under the name
# kubectl_complete-l5d_rotate; beside the plugin is a good place:
#   script="$(dirname "$(command -v kubectl-l5d_rotate)")/kubectl_complete-l5d_rotate"
#   kubectl l5d-rotate completion kubectl > "$script" && chmod +x "$script"
exec kubectl-l5d_rotate __complete -- "$@"
"#;

/// The script that teaches `shell` to complete.
///
/// kubectl's makes `kubectl l5d-rotate` complete wherever kubectl does; a shell's completes `kubectl-l5d_rotate`.
#[must_use]
pub fn script(shell: Shell) -> String {
    let generator = match shell {
        Shell::Bash => ClapShell::Bash,
        Shell::Zsh => ClapShell::Zsh,
        Shell::Fish => ClapShell::Fish,
        Shell::Powershell => ClapShell::PowerShell,
        Shell::Elvish => ClapShell::Elvish,
        Shell::Kubectl => return KUBECTL.to_owned(),
    };
    let mut command = visible();
    command.set_bin_name(BINARY);
    command.build();
    let mut script = Vec::new();
    generator.generate(&command, &mut script);
    // Its states for bash go by two names where the binary's has a dash (clap-rs/clap#6421).
    String::from_utf8_lossy(&script).replace("kubectl__subcmd__l5d_rotate", "kubectl__l5d_rotate")
}

/// The command without what it hides, which clap's generators would offer.
fn visible() -> Command {
    let command = Cli::command();
    Command::new(BINARY)
        .disable_help_subcommand(true)
        .args(command.get_arguments().filter(|arg| !arg.is_hide_set()).cloned())
        .subcommands(command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned())
}

//! How tests run the program: in an environment that is the same on every machine and for every user.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

pub(crate) const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-l5d_rotate");

/// What is passed on: where other programs are found, where temporary files go, and where a coverage run writes.
const PASSED_ON: [&str; 3] = ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"];

/// The program, with none of the user's settings: neither a time zone and a language, nor a home and a kubeconfig.
pub(crate) fn plugin() -> Command {
    other(PLUGIN)
}

/// A shell for a line in which `kubectl l5d-rotate` and `"$PLUGIN"` are the program.
pub(crate) fn shell(line: &str) -> Command {
    let mut shell = other("sh");
    shell.args(["-c", &format!("kubectl() {{ shift; \"$PLUGIN\" \"$@\"; }}; {line}")]).env("PLUGIN", PLUGIN);
    shell
}

/// Another program, in the same environment: one that runs ours.
pub(crate) fn other(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // The work tree that the tests run in has rotations of its own.
    command.env("TZ", "UTC").env("LC_ALL", "C.UTF-8").env("L5D_ROTATE_DIR", "");
    command
}

/// Writes a program for `sh`. A shell writes it: where this process had the file open, another test's child could hold it open
/// while the program is started, which the system refuses (`ETXTBSY`).
pub(crate) fn write_script(path: &Path, text: &str) {
    let script = format!("#!/bin/sh\n{text}\n");
    let written = other("sh")
        .args(["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\"", path.to_str().unwrap(), &script])
        .status()
        .unwrap();
    assert!(written.success(), "{}", path.display());
}

/// What a program printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

impl Ran {
    /// Refused or not ready: nothing is printed that could be committed, and it says why.
    #[track_caller]
    pub(crate) fn refuses(&self, code: i32, why: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        // Lines are wrapped between words.
        let said = self.err.split_whitespace().collect::<Vec<_>>().join(" ");
        for why in why {
            assert!(said.contains(why), "`{why}` is not in: {}", self.err);
        }
    }
}

/// Are these programs here? If not, says that the test is skipped, by name.
pub(crate) fn has(test: &str, programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_here = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    for program in programs {
        if !is_here(program) {
            println!("skipped: {test}: no {program}");
            return false;
        }
    }
    true
}

/// Has nobody asked for test data to be written? If so, says that the test is skipped, by name.
pub(crate) fn writes_nothing(test: &str) -> bool {
    let writes = std::env::var_os("UPDATE_TESTDATA").is_some();
    if !writes {
        println!("skipped: {test}: no UPDATE_TESTDATA");
    }
    !writes
}

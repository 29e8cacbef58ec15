//! A Secret through the user's own sealing program, in a pipe: its plain text touches no disk.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::document::{self, text_at};
use crate::process;

/// A program that encrypts Secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealer {
    words: Vec<String>,
    kind: Kind,
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `sops`: a file whole, by the rules of the nearest `.sops.yaml`.
    Sops,
    /// `kubeseal`: a Secret, or one of its values.
    Kubeseal,
    /// Another: a Secret on standard input, the ciphertext on standard output, `{}` for the file's path.
    Other,
}

/// To whom a sealed value belongs (`pkg/apis/sealedsecrets/v1alpha1` of sealed-secrets).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The Secret's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// `strict`, `namespace-wide` or `cluster-wide`.
    pub scope: &'static str,
}

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The program could not be run.
    #[error("{program}: {error}")]
    Start {
        /// As it was called.
        program: String,
        /// What the operating system said.
        error: io::Error,
    },
    /// It did not seal.
    #[error("{program} did not seal: {said}")]
    Failed {
        /// As it was called.
        program: String,
        /// What it said.
        said: String,
    },
    /// What it gave back shows the private key.
    #[error("{program} left the private key in plain text")]
    Plain {
        /// As it was called.
        program: String,
    },
    /// A SealedSecret's values are sealed by `kubeseal`.
    #[error("{program} does not seal a value of a SealedSecret")]
    NotKubeseal {
        /// As it was called.
        program: String,
    },
}

impl SealError {
    /// The next thing to do.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Start { .. } => "install it, or name another program with --seal",
            Self::Failed { .. } => {
                "run it manually to see more; --seal takes its arguments as well: --seal 'kubeseal --cert FILE'"
            }
            Self::Plain { .. } => {
                "nothing was written; see that the rule of .sops.yaml for this file encrypts `data` and `stringData`"
            }
            Self::NotKubeseal { .. } => "say --seal kubeseal, with its arguments where it needs some",
        }
    }
}

impl Sealer {
    /// A command line, split at blanks.
    #[must_use]
    pub fn new(command: &str) -> Self {
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let program = words.first().map(PathBuf::from).unwrap_or_default();
        let kind = match program.file_stem().and_then(OsStr::to_str) {
            Some("sops") => Kind::Sops,
            Some("kubeseal") => Kind::Kubeseal,
            _ => Kind::Other,
        };
        Self { words, kind }
    }

    /// A Secret as YAML, sealed: for a file at `path`, or for standard output.
    ///
    /// # Errors
    /// When the program does not seal, or leaves `key` readable.
    pub fn whole(&self, secret: &str, key: &str, path: Option<&Path>) -> Result<String, SealError> {
        let path = path.map_or_else(|| PathBuf::from("linkerd-identity-issuer.yaml"), Path::to_owned);
        let mut command = self.command();
        match self.kind {
            Kind::Sops => {
                command.args(["encrypt", "--input-type=yaml", "--output-type=yaml", "--filename-override"]);
                command.arg(&path).args(&self.words[1..]);
            }
            Kind::Kubeseal => {
                command.args(["--format=yaml"]).args(&self.words[1..]);
            }
            Kind::Other => {
                let path = path.display().to_string();
                command.args(self.words.iter().skip(1).map(|word| word.replace("{}", &path)));
            }
        }
        // The nearest .sops.yaml is looked for from here upward.
        if let Some(parent) = path.parent().filter(|parent| parent.is_dir()) {
            command.current_dir(parent);
        }
        let sealed = self.run(command, secret)?;
        if shows(&sealed, key) {
            return Err(SealError::Plain { program: self.program() });
        }
        Ok(sealed)
    }

    /// One value of a SealedSecret.
    ///
    /// # Errors
    /// When the program does not seal.
    pub fn value(&self, plain: &str, of: &Owner) -> Result<String, SealError> {
        if self.kind != Kind::Kubeseal {
            return Err(SealError::NotKubeseal { program: self.program() });
        }
        let mut command = self.command();
        command.args(["--raw", "--from-file=/dev/stdin", "--name", &of.name, "--namespace", &of.namespace]);
        command.args(["--scope", of.scope]).args(&self.words[1..]);
        Ok(self.run(command, plain)?.trim().to_owned())
    }

    fn program(&self) -> String {
        self.words.first().cloned().unwrap_or_default()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, mut command: Command, input: &str) -> Result<String, SealError> {
        let start = |error| SealError::Start { program: self.program(), error };
        let answer = process::piped(&mut command, input.as_bytes()).map_err(start)?;
        let failed = |said: &str| SealError::Failed { program: self.program(), said: said.trim().to_owned() };
        if !answer.status.success() {
            return Err(failed(&answer.said));
        }
        match String::from_utf8(answer.out) {
            Ok(sealed) if !sealed.trim().is_empty() => Ok(sealed),
            _ => Err(failed("it gave back nothing that is text")),
        }
    }
}

/// Is a line of the private key, or of its base64, in a text?
fn shows(sealed: &str, key: &str) -> bool {
    let plain = key.lines().any(|line| line.len() > 40 && sealed.contains(line));
    let mut of_values = document::parse(sealed, "sealed").into_iter().flatten();
    let decoded = |text: &str| {
        document::decoded(text).and_then(|bytes| String::from_utf8(bytes).ok()).map(Zeroizing::new)
    };
    plain
        || of_values.any(|one| {
            let keys = ["key.pem", "tls.key"].map(|name| format!("/data/{name}"));
            keys.iter()
                .any(|at| decoded(text_at(&one.tree, at)).is_some_and(|text| text.contains("PRIVATE KEY")))
        })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_key_is_seen_in_what_was_not_sealed() {
        let line = "a".repeat(64);
        let key = format!("-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n");
        let data = format!("data:\n  tls.key: {}\n", STANDARD.encode(&key));
        let head = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\n";
        assert!(shows(&format!("x: |\n  {line}\n"), &key));
        assert!(shows(&format!("{head}{data}"), &key));
        assert!(!shows(&format!("{head}data:\n  tls.key: ENC[AES256_GCM,data:x]\n"), &key));
    }

    #[test]
    fn a_program_is_told_by_its_name() {
        for (command, kind) in [
            ("sops", Kind::Sops),
            ("/opt/bin/kubeseal --cert x", Kind::Kubeseal),
            ("./seal.sh {}", Kind::Other),
        ] {
            assert_eq!(Sealer::new(command).kind, kind);
        }
    }
}

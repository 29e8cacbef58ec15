//! Go itself, asked through the oracle beside this file.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use l5d_rotate::pki::{Bundle, Certificate, IssuerChain};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::runner;

#[derive(Debug, Deserialize)]
pub struct Answer {
    pub error: String,
    pub certificates: Option<Vec<String>>,
}

pub struct Oracle(tempfile::TempDir);

impl Oracle {
    /// Builds the oracle. `None` where there is no Go.
    pub fn build(test: &str) -> Option<Self> {
        if !runner::has(test, &["go"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new("go")
            .args(["build", "-o"])
            .arg(folder.path().join("oracle"))
            .arg(".")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle"))
            .env("GOFLAGS", "-buildvcs=false")
            .env("GOTOOLCHAIN", "local")
            .status()
            .unwrap();
        assert!(status.success(), "the oracle does not build");
        Some(Self(folder))
    }

    /// One answer a question, in order.
    pub fn ask(&self, questions: &[Value]) -> Vec<Answer> {
        let mut process = Command::new(self.0.path().join("oracle"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        let text: String = questions.iter().map(|question| format!("{question}\n")).collect();
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
        let output = process.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success());
        let answers: Vec<Answer> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(answers.len(), questions.len());
        answers
    }
}

pub fn pem(text: &str) -> Value {
    json!({"Op": "pem", "Text": text})
}

pub fn parse(der: &[u8]) -> Value {
    json!({"Op": "parse", "Certificate": STANDARD.encode(der)})
}

pub fn key(text: &str, certificate: &Certificate) -> Value {
    json!({"Op": "key", "Text": text, "Certificate": der(certificate)})
}

pub fn verify(anchors: &Bundle, chain: &IssuerChain, at: Timestamp) -> Value {
    json!({
        "Op": "verify",
        "Issuer": der(&chain.issuer),
        "Roots": anchors.anchors().iter().map(der).collect::<Vec<_>>(),
        "Intermediates": chain.intermediates.iter().map(der).collect::<Vec<_>>(),
        "At": at.to_string(),
    })
}

fn der(certificate: &Certificate) -> String {
    STANDARD.encode(certificate.der())
}

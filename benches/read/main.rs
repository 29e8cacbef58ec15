#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]
//! How long it takes, and how much memory, to read the dump of a big mesh and to judge it.
//!
//! `cargo bench --bench read` times our reading of a dump of 100,000 pods, a bare skip-parse of the same, and `jq` pulling
//! the same bundles out, and as much of YAML beside `yq`; then the program's own `simulate` and `verify` over the same dump, over
//! 3,000 bundles of which no two are the same, and in a checkout of 2,000 files.
//! `cargo bench --bench read -- generate json|yaml PODS FILE` writes such a dump, and `-- judge FILE` judges one; `-- checkout`,
//! `-- distinct 3000 FILE` and `-- bundles FILE`, and `-- yaml FILE` do the others alone.

mod checkout;
mod dump;
mod judge;

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use l5d_rotate::source::{self, Input, Request};
use serde::Deserialize;

const PODS: usize = 100_000;
const YAML_PODS: usize = 5_000;
const DISTINCT: usize = 3_000;
const ANCHORS: &str = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let asked: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match asked[..] {
        ["generate", format, pods, file] => generate(format, pods.parse().unwrap(), Path::new(file)),
        ["read", file] => read(file),
        ["skip", file] => skip(file),
        ["distinct", pods, file] => distinct(pods.parse().unwrap(), Path::new(file)),
        ["bundles", file] => judge::bundles(tempfile::tempdir().unwrap().path(), Path::new(file)),
        ["checkout"] => checkout::compare(tempfile::tempdir().unwrap().path()),
        ["yaml", file] => compare_yaml(&std::env::current_exe().unwrap(), Path::new(file)),
        ["judge", file] => judge::compare(tempfile::tempdir().unwrap().path(), Path::new(file)),
        [] if std::env::args().any(|argument| argument == "--bench") => compare(),
        _ => println!("skipped: read: run it with `cargo bench --bench read`"),
    }
}

fn generate(format: &str, pods: usize, file: &Path) {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file).unwrap());
    match format {
        "yaml" => dump::yaml(&mut out, pods),
        _ => dump::json(&mut out, pods),
    }
    .and_then(|()| out.flush())
    .unwrap();
}

fn distinct(pods: usize, file: &Path) {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file).unwrap());
    dump::distinct(&mut out, pods).and_then(|()| out.flush()).unwrap();
}

fn read(file: &str) {
    let request = Request { inputs: vec![Input::Path(file.into())], ..Request::default() };
    let mesh = source::read(&request).unwrap();
    let pods: u64 = mesh.proxies.iter().map(|group| group.count()).sum();
    let (bundles, workloads) = (mesh.bundles.len(), mesh.workloads.len());
    println!("{bundles} bundles, held by {pods} proxies of {workloads} workloads");
}

fn skip(file: &str) {
    let reader = BufReader::with_capacity(1 << 20, File::open(file).unwrap());
    serde::de::IgnoredAny::deserialize(&mut serde_json::Deserializer::from_reader(reader)).unwrap();
    println!("well-formed");
}

fn compare() {
    let dir = tempfile::tempdir().unwrap();
    let [json, yaml] = ["pods.json", "pods.yaml"].map(|name| dir.path().join(name));
    let [me, json_file] =
        [std::env::current_exe().unwrap(), json.clone()].map(|path| path.to_str().unwrap().to_owned());
    generate("json", PODS, &json);
    generate("yaml", YAML_PODS, &yaml);
    println!(
        "{PODS} pods in {} MB of JSON, {YAML_PODS} pods in {} MB of YAML",
        megabytes(&json),
        megabytes(&yaml)
    );
    let skip = measure("skip-parse", Command::new(&me).args(["skip", &json_file]));
    let ours = measure("l5d-rotate", Command::new(&me).args(["read", &json_file]));
    let filter = format!(
        r#"reduce (.items[] | select(.kind == "Pod") | .spec | (.containers + (.initContainers // []))[] | select(.name == "linkerd-proxy") | .env[] | select(.name == "{ANCHORS}") | .value) as $b ({{}}; .[$b] += 1) | [.[]]"#
    );
    let jq = measure("jq", Command::new("jq").args(["-c", &filter, &json_file]));
    if let (Some(skip), Some(ours)) = (skip, ours) {
        println!("l5d-rotate takes {:.2} of a skip-parse", ours.as_secs_f64() / skip.as_secs_f64());
        if let Some(jq) = jq {
            println!("l5d-rotate takes 1/{:.1} of jq", jq.as_secs_f64() / ours.as_secs_f64());
        }
    }
    compare_yaml(Path::new(&me), &yaml);
    judge::compare(dir.path(), &json);
    let bundles = dir.path().join("bundles.json");
    distinct(DISTINCT, &bundles);
    println!("{DISTINCT} pods with as many bundles in {} MB of JSON", megabytes(&bundles));
    judge::bundles(dir.path(), &bundles);
    checkout::compare(dir.path());
}

/// Our reading of YAML, and `yq` counting the bundles in it (by a filter that every kind of it has).
fn compare_yaml(me: &Path, yaml: &Path) {
    let ours = measure("l5d-rotate, YAML", Command::new(me).arg("read").arg(yaml));
    let filter = format!(
        r#"[.items[] | select(.kind == "Pod") | .spec.containers[] | select(.name == "linkerd-proxy") | .env[] | select(.name == "{ANCHORS}") | .value] | unique | length"#
    );
    let yq = measure("yq", Command::new("yq").arg(&filter).arg(yaml));
    if let (Some(ours), Some(yq)) = (ours, yq) {
        println!("l5d-rotate takes 1/{:.0} of yq", yq.as_secs_f64() / ours.as_secs_f64());
    }
}

fn megabytes(file: &Path) -> u64 {
    fs::metadata(file).unwrap().len() / 1_000_000
}

/// Runs a program, and says how it was: its time where it did what it was for.
fn measure(name: &str, command: &mut Command) -> Option<Duration> {
    let Some(run) = run(command) else {
        println!("skipped: {name}: not there");
        return None;
    };
    println!("{name:18} {run}   {}", run.said.trim());
    (run.code == Some(0)).then_some(run.took)
}

/// A program that has run.
struct Run {
    took: Duration,
    /// The peak of its resident memory in KiB, where the system tells it.
    peak: Option<u64>,
    code: Option<i32>,
    said: String,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mebibytes = |kibibytes: u64| format!("{:.1}", kibibytes as f64 / 1024.0);
        let peak = self.peak.map_or_else(|| "?".to_owned(), mebibytes);
        write!(f, "{:7.2} s {peak:>9} MiB", self.took.as_secs_f64())
    }
}

fn run(command: &mut Command) -> Option<Run> {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().ok()?;
    let mut out = child.stdout.take().unwrap();
    let said = std::thread::spawn(move || std::io::read_to_string(&mut out).unwrap());
    let (status, mut peak) = (format!("/proc/{}/status", child.id()), None);
    let ended = loop {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = line.or(peak);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = start.elapsed();
    Some(Run { took, peak, code: ended.code(), said: said.join().unwrap() })
}

//! What judging costs beside reading.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Run, run};

/// The program, built as the benchmark is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-l5d_rotate");
/// A day after the last pod of a dump started.
pub(crate) const AT: &str = "2026-03-21T00:00:00Z";
/// Of so many runs the fastest counts: it is the one that the rest of the machine disturbed least.
const RUNS: usize = 5;
/// The commits that are verified: the first adds an anchor, the second restarts every workload.
const STEPS: [(&str, &str); 4] = [("bundle", "1"), ("bundle", "3"), ("issuer", "1"), ("prune", "1")];

/// The same of pods that hold a bundle each that nobody else holds: the whole screen of `status`, and the commit that restarts all of them.
pub(crate) fn bundles(dir: &Path, dump: &Path) {
    let commit = dir.join("both.yaml");
    let restarts: String = (0..super::dump::WORKLOADS).map(restart).collect();
    fs::write(&commit, restarts).unwrap();
    let of = |arguments: &str| {
        let mut program = Command::new(PROGRAM);
        program.args(arguments.split(' ')).args(["-f", dump.to_str().unwrap(), "--at", AT]);
        program.stderr(Stdio::null());
        program
    };
    let verify = of(&format!("verify --proposed {}", commit.display()));
    print(vec![
        ("read".into(), of("snapshot")),
        ("status".into(), of("status")),
        ("check".into(), of("check")),
        ("verify".into(), verify),
    ]);
}

fn restart(index: usize) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web-{index}, namespace: shop}}\nspec: {{template: {{metadata: \
         {{annotations: {{kubectl.kubernetes.io/restartedAt: now}}}}}}}}\n"
    )
}

/// Reading a dump alone, as `snapshot` does; simulating the rotation that was started over it, and verifying commits of it, which read the dump
/// once; verifying a second dump against it, which reads two; and the same over a snapshot of it, which is judging alone.
pub(crate) fn compare(dir: &Path, dump: &Path) {
    let [dump, rotation, snapshot] = [dump, &dir.join("rotation"), &dir.join("snapshot.yaml")]
        .map(|path| path.to_str().unwrap().to_owned());
    let judge = |arguments: &str, current: &str| {
        let mut program = Command::new(PROGRAM);
        program
            .env("TZ", "UTC")
            .args(arguments.split(' '))
            .args(["-f", current, "--dir", &rotation, "--at", AT]);
        program.stderr(Stdio::null());
        program
    };
    let read = |current: &str| {
        let mut program = Command::new(PROGRAM);
        program.args(["snapshot", "-f", current]);
        program
    };
    fs::write(&snapshot, read(&dump).output().unwrap().stdout).unwrap();
    assert!(judge("start", &snapshot).output().unwrap().status.success(), "a rotation over the snapshot");

    let mut commands =
        vec![("read".to_owned(), read(&dump)), ("simulate".to_owned(), judge("simulate", &dump))];
    for (phase, step) in STEPS {
        let commit = dir.join(format!("{phase}-{step}.yaml"));
        let rendered = judge(&format!("render {phase} --step {step} --force"), &snapshot).output().unwrap();
        fs::write(&commit, rendered.stdout).unwrap();
        let verify = judge(&format!("verify --proposed {}", commit.display()), &dump);
        commands.push((format!("verify {phase}/{step}"), verify));
    }
    commands.push(("verify, two dumps".to_owned(), judge(&format!("verify --proposed {dump}"), &dump)));
    commands.push(("snapshot: read".to_owned(), read(&snapshot)));
    commands.push(("snapshot: simulate".to_owned(), judge("simulate", &snapshot)));
    let commit = dir.join("bundle-1.yaml");
    commands.push((
        "snapshot: verify".to_owned(),
        judge(&format!("verify --proposed {}", commit.display()), &snapshot),
    ));
    print(commands);
}

pub(crate) fn print(mut commands: Vec<(String, Command)>) {
    let mut best: Vec<Option<Run>> = commands.iter().map(|_| None).collect();
    for _ in 0..RUNS {
        for ((_, command), best) in commands.iter_mut().zip(&mut best) {
            let run = run(command).unwrap();
            if best.as_ref().is_none_or(|best| run.took < best.took) {
                *best = Some(run);
            }
        }
    }
    let reading = best[0].as_ref().map_or(Duration::ZERO, |read| read.took);
    for ((name, _), run) in commands.iter().zip(best.iter().flatten()) {
        let ratio = run.took.as_secs_f64() / reading.as_secs_f64();
        let said: String = run.said.lines().next().unwrap_or_default().chars().take(60).collect();
        println!("{name:18} {run} {ratio:6.3} of reading   exit {}: {said}", run.code.unwrap());
    }
}

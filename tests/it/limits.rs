//! What costs more than it may: each limit is met, named, and nothing is taken for fine.

#![cfg(unix)]

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use l5d_rotate::limits;
use l5d_rotate::mesh::Observer;
use l5d_rotate::source::{self, Request, SourceError};

use crate::cluster::{Cluster, Load, NOW};
use crate::runner;
use crate::sizes;
use crate::support::pki::anchor;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A kubectl that is this script; its third argument is the API path.
    fn kubectl(&self, script: &str) -> PathBuf {
        fs::create_dir_all(self.path("bin")).unwrap();
        runner::write_script(&self.path("bin/kubectl"), script);
        self.path("bin/kubectl")
    }

    /// Runs the program with no more than 2 GB of memory to address.
    fn run(&self, arguments: &str) -> Output {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut shell = runner::shell(&format!("ulimit -v 2000000; exec \"$PLUGIN\" {arguments}"));
        shell.current_dir(self.path("")).env("PATH", path).output().unwrap()
    }

    fn refused(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {said}");
        assert!(said.contains("help: "), "{said}");
        said
    }

    /// What reading a cluster gives.
    fn read(&self, cluster: source::Cluster) -> SourceError {
        let request = Request { cluster, ..Request::default() };
        source::observe(&request, Observer::new(false)).map(drop).expect_err("there is no such cluster")
    }
}

#[test]
fn aliases_are_counted_by_what_they_repeat() {
    let desk = Desk::new();
    let long = "x".repeat(200_000);
    desk.put("long.yaml", format!("a: &a {long}\nb:\n{}", "- *a\n".repeat(40_000)));
    assert!(
        desk.refused("-f long.yaml")
            .contains("long.yaml:1: the YAML cannot be read: aliases make the document grow")
    );
    // Each document has no budget of its own.
    let document = format!("a: &a {}\nb: [{}]\n---\n", "x".repeat(2000), "*a, ".repeat(400));
    desk.put("many.yaml", document.repeat(200));
    assert!(desk.refused("-f many.yaml").contains("aliases make the document grow by more than 16 MiB"));
    // Few aliases are as good as none.
    desk.put("few.yaml", format!("{document}{}", Cluster::new().dump_yaml()));
    let output = desk.run(&format!("status -f few.yaml --at {NOW}"));
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "long"]
fn a_text_without_aliases_is_never_too_much() {
    for part in ["{a,b},", "~,", "\"\\L\\L\\L\","] {
        let text = format!("kind: A\na: [{}]\n", part.repeat(300_000));
        l5d_rotate::document::parse(&text, "text").unwrap_or_else(|error| panic!("{part}: {error}"));
    }
}

#[test]
fn brackets_without_an_end_are_refused_before_the_parser_meets_them() {
    let desk = Desk::new();
    for (name, text) in [
        ("list.yaml", format!("a: {}", "[".repeat(1_000_000))),
        ("map.yaml", format!("a: {}", "{a: ".repeat(300_000))),
        ("item.yaml", format!("kind: List\nitems:\n- a: {}\n", "[".repeat(1_000_000))),
    ] {
        desk.put(name, text);
        let said = desk.refused(&format!("-f {name}"));
        assert!(said.contains("more than 512 `[` and `{` are open at once"), "{said}");
    }
    desk.put("deep.yaml", format!("a: {}{}", "[".repeat(500), "]".repeat(500)));
    assert!(desk.refused("-f deep.yaml").contains("it is nested deeper than 128 levels"));
}

#[test]
fn a_device_without_an_end_is_no_text() {
    let desk = Desk::new();
    assert!(
        desk.refused("-f /dev/zero")
            .contains("/dev/zero:1: the YAML cannot be read: a control character (a zero byte)")
    );
    desk.put("some.yaml", "a: b\nc: \0\n");
    assert!(
        desk.refused("-f some.yaml")
            .contains("some.yaml:2: the YAML cannot be read: a control character (a zero byte)")
    );
    assert!(desk.refused("inspect /dev/zero").contains("/dev/zero: is larger than 16 MiB"));
    desk.put("cluster.yaml", Cluster::new().dump_yaml());
    fs::create_dir(desk.path("rotation")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", desk.path("rotation/rotation.yaml")).unwrap();
    let said = desk.refused("plan --dir rotation -f cluster.yaml");
    assert!(said.contains("rotation/rotation.yaml: is larger than 16 MiB"), "{said}");
}

#[test]
fn a_json_value_that_is_longer_than_any_object_is_not_held() {
    let desk = Desk::new();
    let endless = "tr '\\0' a </dev/zero";
    desk.kubectl(&format!("printf '{{\"kind\":\"'; {endless}"));
    assert!(desk.refused("status").contains("one value of the JSON is longer than 32 MiB"));
    desk.kubectl(&format!("printf '{{\"kind\":\"PodList\",\"items\":[{{\"a\":\"'; {endless}"));
    assert!(desk.refused("status").contains("one value of the JSON is longer than 32 MiB"));
}

#[test]
fn a_list_without_an_end_is_not_read_for_ever() {
    let desk = Desk::new();
    let list = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"%s"},"items":[]}"#;
    let kubectl = desk.kubectl(&format!("printf '{list}' same"));
    let circle = desk.read(source::Cluster { kubectl: kubectl.clone(), ..source::Cluster::default() });
    assert!(matches!(circle, SourceError::Circle { .. }), "{circle:?}");
    desk.kubectl(&format!("echo >>{0}; printf '{list}' \"$(wc -l <{0})\"", desk.path("count").display()));
    let cluster = source::Cluster { kubectl, pages: 20, ..source::Cluster::default() };
    let endless = desk.read(cluster);
    assert!(matches!(endless, SourceError::Endless { pages: 20, .. }), "{endless:?}");
    assert!(endless.to_string().contains("more than 20 pages") && endless.help().is_some());
}

#[test]
fn a_kubectl_that_hangs_is_not_waited_for() {
    let desk = Desk::new();
    let after = Duration::from_millis(300);
    for hangs in [
        "exec sleep 600",
        // What it has started keeps its output open.
        "sleep 5",
        "printf '{\"kind\":'; exec sleep 600",
        // The answer is whole, and it does not end.
        "echo '{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"}'; exec >&-; exec sleep 600",
    ] {
        let kubectl = desk.kubectl(&format!("echo $$ >>{}; {hangs}", desk.path("pids").display()));
        let error = desk.read(source::Cluster { kubectl, answer: after, ..source::Cluster::default() });
        assert!(
            matches!(&error, SourceError::Hanging { after: waited, .. } if *waited == after),
            "{hangs}: {error:?}"
        );
        assert!(error.help().unwrap().contains("--request-timeout"));
        let pids = fs::read_to_string(desk.path("pids")).unwrap();
        let runs = |pid: &str| runner::other("kill").args(["-0", pid]).output().unwrap().status.success();
        assert!(!pids.lines().any(runs), "{hangs}");
    }
}

/// What a big bundle is made of, and what is said of it once.
const LINES: [(&str, &str); 5] = [
    ("-----BEGIN CERTIFICATE-----\n", "missing-end"),
    ("-----BEGIN A----------END A-----\n", "glued"),
    ("\n", "blank-line"),
    ("x \n", "trailing-blanks"),
    ("-----BEGIN P-----\n-----END P-----\n", "foreign-block"),
];

#[test]
#[ignore = "long"]
fn of_a_broken_bundle_only_the_first_defects_of_a_kind_are_listed() {
    let desk = Desk::new();
    let size = sizes::of(1 << 16, 1 << 20);
    for (line, kind) in LINES {
        let mut broken = Cluster::new();
        broken.bundle = line.repeat(size / line.len()) + &broken.bundle;
        desk.put("cluster.json", broken.dump());
        for verb in ["check", "check -o json", "inspect", "status", "status -o json"] {
            let output = desk.run(&format!("{verb} -f cluster.json --at {NOW}"));
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.code().is_some_and(|code| code < 2), "{verb}, {kind}: {:?}", output.status);
            assert!(said.len() < 100_000, "{verb}, {kind}: {}", said.len());
            if verb == "check -o json" {
                assert!(said.matches(&format!("\"{kind}\"")).count() <= 3 * limits::DEFECTS, "{kind}");
                assert!(said.contains("more defects of these kinds are not listed"), "{kind}: {said}");
            }
        }
    }
}

#[test]
fn of_many_bundles_the_screen_names_those_that_most_proxies_hold() {
    let desk = Desk::new();
    let mut cluster = Cluster::new();
    let load = cluster.workloads.iter().find(|load| load.name == "checkout").unwrap().clone();
    for index in 0..50 {
        let held = anchor(&format!("root.{index}.example")).certificate.to_pem();
        let name = format!("checkout-{index}").leak();
        let replicas = if index == 17 { 9 } else { 4 };
        cluster.workloads.push(Load { name, replicas, held: held.trim_end().to_owned(), ..load.clone() });
    }
    desk.put("cluster.json", cluster.dump());
    let said = |arguments: &str| {
        let output = desk.run(&format!("status -f cluster.json --at {NOW} {arguments}"));
        String::from_utf8(output.stdout).unwrap()
    };
    let (screen, wide) = (said(""), said("-o wide"));
    let named = |text: &str| (0..50).filter(|index| text.contains(&format!("root.{index}.example "))).count();
    assert_eq!((named(&screen), named(&wide)), (8, 50), "{screen}");
    assert!(screen.contains("root.17.example"), "{screen}");
    assert!(screen.contains("168  42 more bundles: -o wide names all"), "{screen}");
}

#[test]
fn a_private_key_is_found_behind_any_number_of_other_blocks() {
    let desk = Desk::new();
    let mut broken = Cluster::new();
    let other = "-----BEGIN P-----\n-----END P-----\n".repeat(500);
    let key = "-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----\n";
    broken.bundle = format!("{other}{key}{}", broken.bundle);
    desk.put("cluster.json", broken.dump());
    let said = desk.run(&format!("check -o json -f cluster.json --at {NOW}")).stdout;
    assert!(String::from_utf8(said).unwrap().contains("private-key-published"));
}

#[test]
fn the_limits_are_those_that_are_promised() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/SECURITY.md");
    let promised = fs::read_to_string(path).unwrap();
    for row in [
        format!("held as a whole | {} MiB", limits::YAML >> 20),
        format!("documents of a YAML text | {} MiB", limits::ALIASES >> 20),
        format!("open at once in YAML | {};", limits::NESTING),
        format!("an object of a list: {} MiB", limits::JSON_VALUE >> 20),
        format!("or of a rotation | {} MiB", limits::FILE >> 20),
        format!("are listed | {} of each kind", limits::DEFECTS),
        format!(
            "answer of kubectl | {} seconds, or {} more",
            limits::ANSWER.as_secs(),
            limits::BESIDE_REQUEST.as_secs()
        ),
        format!("500 objects each | {},", limits::PAGES),
    ] {
        assert!(promised.contains(&row), "{row}");
    }
}

#[test]
fn errors_of_yaml_name_the_limits_that_hold() {
    let parse = |text: &str| l5d_rotate::document::parse(text, "text").unwrap_err().to_string();
    let long = "x".repeat(limits::ALIASES / 4);
    assert!(
        parse(&format!("a: &a {long}\nb: [{}]\n", "*a, ".repeat(200)))
            .contains(&format!("{} MiB", limits::ALIASES >> 20))
    );
    assert!(parse(&"[".repeat(limits::NESTING + 1)).contains(&format!("more than {} `[`", limits::NESTING)));
}

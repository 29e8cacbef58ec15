//! A repository of several clusters: `plan` shows each, and a rotation is of the one that it was started for.

use std::process::Output;

use serde_json::{Value, json};

use crate::cluster::{Cluster, NOW};
use crate::layouts::{Declared, Files, Repository};
use crate::runner;
use crate::schemas::fits;
use crate::support::reviewer::{bundle, new_anchor};
use crate::verify_repositories::{below, layout};

struct Desk {
    repository: Repository,
    beside: tempfile::TempDir,
}

impl Desk {
    fn new(files: &Files) -> Option<Self> {
        let Some(repository) = Repository::new() else {
            println!("skipped: several_clusters: no git");
            return None;
        };
        repository.write(files);
        repository.commit();
        Some(Self { repository, beside: tempfile::tempdir().unwrap() })
    }

    fn run(&self, line: &str) -> Output {
        let dir = self.beside.path().join("rotation");
        let line = line.replace("DIR", dir.to_str().unwrap());
        let mut plugin = runner::plugin();
        plugin.current_dir(self.repository.home.path()).args(line.split_whitespace());
        plugin.args(["-f", ".", "-R", "--at", NOW]).output().unwrap()
    }

    fn out(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &str) -> Value {
        let output = self.run(line);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{line}: {}", said(&output)))
    }
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

fn clusters(eu: &Cluster, us: &Cluster) -> Files {
    let of = |name: &str, cluster: &Cluster| {
        below(&format!("clusters/{name}"), layout("a file an object", &Declared::of(cluster)))
    };
    [of("eu", eu), of("us", us)].concat()
}

#[test]
fn before_start_each_cluster_has_a_plan_of_its_own() {
    let Some(desk) = Desk::new(&clusters(&Cluster::new(), &Cluster::new())) else { return };
    let text = desk.out("plan");
    let [eu, us] = ["clusters/eu", "clusters/us"].map(|unit| text.find(&format!("{unit}\nA rotation of")));
    assert!(eu.unwrap() < us.unwrap(), "{text}");
    assert!(text.contains("start --dir rotation -f . --unit clusters/us -R"), "{text}");
    assert_eq!(desk.out("plan --unit clusters/us").matches("A rotation of").count(), 1);
    let tree = desk.json("plan -o json");
    let units: Vec<&Value> = tree["units"].as_array().unwrap().iter().map(|one| &one["unit"]).collect();
    assert_eq!(units, ["clusters/eu", "clusters/us"]);
    let first = &tree["units"][0]["steps"][0];
    assert_eq!(first["changes"][0]["publish"][1], "new");
    assert_eq!(tree, desk.json("plan -o json"), "what is minted for a preview is not called by name");
    assert_eq!(desk.out("plan -o yaml").matches("unit: clusters/").count(), 2);
    let markdown = desk.out("plan -o markdown");
    assert!(
        markdown.starts_with("## clusters/eu\n\nA rotation of ") && markdown.contains("\n## clusters/us\n")
    );
    assert_eq!(markdown, desk.out("plan -o markdown"));
    let names = desk.run("plan -o name");
    assert!(names.status.code() == Some(2) && said(&names).contains("--unit: clusters/eu, clusters/us"));
}

#[test]
fn the_worst_answer_is_the_exit_code_and_keeps_no_other_from_being_shown() {
    let [eu, us] = [Cluster::new(), Cluster::new()];
    let files: Files = clusters(&eu, &us)
        .into_iter()
        .map(|(name, text)| {
            if name.ends_with("us/linkerd/0.yaml") {
                (name, text.replace("CERTIFICATE-----", "CERT-----"))
            } else {
                (name, text)
            }
        })
        .collect();
    let Some(desk) = Desk::new(&files) else { return };
    let output = desk.run("plan");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("clusters/eu\nA rotation of") && text.contains("clusters/us\nerror: "), "{text}");
    let tree = desk.json("plan -o json");
    fits("plan", &tree);
    assert!(
        tree["units"][0]["steps"].is_array() && tree["units"][1]["error"]["what"].is_string(),
        "{tree:#}"
    );
}

#[test]
fn a_rotation_is_over_the_cluster_that_it_was_started_for() {
    let [eu, us] = [Cluster::new(), Cluster::new()];
    let Some(desk) = Desk::new(&clusters(&eu, &us)) else { return };
    desk.out("start --dir DIR --unit clusters/us");
    for line in ["plan --dir DIR", "next --dir DIR", "render bundle --step 1 --dir DIR"] {
        desk.out(line);
    }
    // No pods are seen.
    assert_eq!(desk.run("simulate --dir DIR").status.code(), Some(3));
    assert!(desk.out("plan --dir DIR").contains("-f . --unit clusters/us -R"));
    let published = desk.json("status --dir DIR -o json")["bundle"]["certificates"].clone();
    assert_eq!(published[0]["fingerprint"], json!(us.anchor.certificate.fingerprint().to_string()));
    assert!(said(&desk.run("diff bundle --step 1 --dir DIR")).contains("trust-roots"));
    let edited = desk.out("next --in . --dir DIR");
    assert!(edited.contains("clusters/us/linkerd/0.yaml") && !edited.contains("clusters/eu"), "{edited}");
    // The next one begins with the new anchor beside the old one.
    let standing = desk.json("plan --dir DIR -o json")["standing"].clone();
    assert_eq!(standing, json!("bundle/2-control-plane"));
    // The same where what runs is read from elsewhere.
    desk.repository.write(&clusters(&eu, &us));
    let dump = desk.beside.path().join("dump.json");
    std::fs::write(&dump, us.dump()).unwrap();
    let mut next = runner::plugin();
    next.current_dir(desk.repository.home.path()).args(["next", "--in", ".", "--at", NOW]);
    next.arg("--dir").arg(desk.beside.path().join("rotation")).arg("-f").arg(&dump);
    let edited = said(&next.output().unwrap());
    assert!(edited.contains("clusters/us/linkerd/0.yaml") && !edited.contains("clusters/eu"), "{edited}");
}

#[test]
fn a_rotation_of_another_cluster_has_no_part_in_a_verdict() {
    let [eu, us] = [Cluster::new(), Cluster::new()];
    let Some(desk) = Desk::new(&clusters(&eu, &us)) else { return };
    desk.out("start --dir DIR --unit clusters/us");
    let both = Declared { bundle: bundle(&[&eu.anchor, &new_anchor()]), ..Declared::of(&eu) };
    let mut files = below("clusters/eu", layout("a file an object", &both));
    files.extend(below("clusters/us", layout("a file an object", &Declared::of(&us))));
    desk.repository.write(&files);
    let [alone, beside] =
        ["", " --dir DIR"].map(|dir| desk.json(&format!("verify --git-base HEAD -o json{dir}")));
    assert_eq!(alone["verdict"], "safe");
    assert_eq!(alone["units"][0], beside["units"][0]);
}

#[test]
fn between_two_clusters_with_the_same_anchor_nothing_is_guessed() {
    let one = Cluster::new();
    let Some(desk) = Desk::new(&clusters(&one, &one)) else { return };
    desk.out("start --dir DIR --unit clusters/us");
    for line in ["plan --dir DIR", "status --dir DIR", "simulate --dir DIR"] {
        let output = desk.run(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(said(&output).contains("--unit: clusters/eu, clusters/us"), "{}", said(&output));
    }
    desk.out("plan --dir DIR --unit clusters/us");
    let other = Desk::new(&clusters(&Cluster::new(), &Cluster::new())).unwrap();
    std::fs::rename(desk.beside.path().join("rotation"), other.beside.path().join("rotation")).unwrap();
    let output = other.run("plan --dir DIR");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("publishes an anchor of this rotation"), "{}", said(&output));
}

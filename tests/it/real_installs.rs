//! Linkerd's own rendered installs of four versions, through the program itself, with kubectl as the judge.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use l5d_rotate::document::{self, yaml};
use serde_json::Value;

use crate::runner;
use crate::sizes;

/// Versions, the era that each is of, and how many objects its bundle phase changes.
const INSTALLS: [(&str, &str, usize); 4] =
    [("2.8.1", "2.7-2.8", 10), ("2.10.2", "2.10", 6), ("2.12.6", "2.12+", 5), ("2.20", "2.12+", 5)];

const AT: &str = "2026-11-23T02:00:00Z";

/// A checkout with one install in it, and a rotation of that.
struct Checkout {
    dir: tempfile::TempDir,
    version: &'static str,
    objects: Vec<Value>,
}

impl Checkout {
    fn of(test: &str, version: &'static str) -> Option<Self> {
        let folder: PathBuf = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/real/install").into();
        if !folder.exists() {
            println!("skipped: {test}: no ../shared/real");
            return None;
        }
        let text = fs::read_to_string(folder.join(format!("{version}.yaml"))).unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("base")).unwrap();
        let documents = document::parse(&text, version).unwrap();
        let objects: Vec<Value> =
            documents.into_iter().map(|document| document.tree).filter(Value::is_object).collect();
        fs::write(dir.path().join("base/install.yaml"), text).unwrap();
        Some(Self { dir, version, objects })
    }

    fn run(&self, arguments: &str) -> Output {
        runner::plugin()
            .current_dir(self.dir.path())
            .args(arguments.split_whitespace())
            .args(["-f", "base", "--at", AT])
            .output()
            .unwrap()
    }

    fn out(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {arguments}: {stderr}", self.version);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The documents that a phase renders in a form. Without pods no precondition about them is known to be met.
    fn rendered(&self, phase: &str, form: &str) -> Vec<Value> {
        let text = self.out(&format!("render {phase} -o {form} --force --dir rotation"));
        let documents = text.strip_prefix("---\n").unwrap().split("\n---\n");
        documents.map(|document| serde_yaml::from_str(&format!("{document}\n")).unwrap()).collect()
    }

    /// The object of the install with the name of this one.
    fn original(&self, object: &Value) -> &Value {
        self.objects.iter().find(|original| name(original) == name(object)).unwrap()
    }
}

fn name(object: &Value) -> String {
    format!("{} {}/{}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"])
}

/// kubectl leaves out fields that are null, as the API server does.
fn without_nulls(tree: &Value) -> Value {
    match tree {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

fn kubectl(arguments: &[&str]) -> String {
    let output = Command::new("kubectl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Each install in its checkout, with a rotation begun.
fn checkouts(test: &str) -> Vec<Checkout> {
    let checkouts: Vec<_> = INSTALLS
        .iter()
        .step_by(sizes::of(3, 1))
        .filter_map(|(version, ..)| Checkout::of(test, version))
        .collect();
    checkouts.iter().for_each(|checkout| _ = checkout.out("start --dir rotation"));
    checkouts
}

#[test]
fn every_install_is_read_judged_and_planned() {
    const NAME: &str = "every_install_is_read_judged_and_planned";
    for checkout in checkouts(NAME) {
        let (_, era, changes) = INSTALLS.iter().find(|(version, ..)| *version == checkout.version).unwrap();
        let status: Value = serde_json::from_str(&checkout.out("status -o json --dir rotation")).unwrap();
        assert_eq!(status["linkerd"]["era"], *era, "{}", checkout.version);
        assert_eq!(status["linkerd"]["installedBy"], "the linkerd CLI");
        let found = |severity: &str| {
            let findings = status["findings"].as_array().unwrap();
            findings.iter().filter(|finding| finding["severity"] == severity).count()
        };
        assert_eq!(found("error"), 0, "{}", checkout.version);
        assert_eq!(checkout.run("check").status.code(), Some(0), "{}", checkout.version);
        // Manifests show no proxies: what is not seen is not taken as fine.
        assert_ne!(found("unknown"), 0);
        assert_eq!(checkout.run("check --fail-on warning").status.code(), Some(1));
        let plan: Value = serde_json::from_str(&checkout.out("plan -o json --dir rotation")).unwrap();
        assert_eq!(plan["standing"], "bundle/1-trust", "{}", checkout.version);
        assert_eq!(plan["steps"].as_array().unwrap().len(), 9);
        assert_eq!(checkout.rendered("bundle", "patch").len(), *changes, "{}", checkout.version);
        // The issuer before the bundle would be an outage.
        let refused = checkout.run("render issuer --step 1 --dir rotation");
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(4), 0), "{}", checkout.version);
        let snapshot = checkout.out("snapshot");
        assert!(!snapshot.contains("PRIVATE KEY"), "{}", checkout.version);
    }
}

#[test]
#[ignore = "long"]
fn patches_of_every_install_give_what_the_object_form_prints_when_kubectl_applies_them() {
    const NAME: &str = "patches_of_every_install_give_what_the_object_form_prints_when_kubectl_applies_them";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    for checkout in checkouts(NAME) {
        for phase in ["bundle", "issuer", "prune"].into_iter().take(sizes::of(2, 3)) {
            let objects = checkout.rendered(phase, "object");
            for (kind, form) in [("strategic", "patch"), ("json", "json-patch")] {
                let patches = checkout.rendered(phase, form);
                assert_eq!(patches.len(), objects.len());
                for (patch, object) in patches.iter().zip(&objects) {
                    let [before, change] =
                        ["before.json", "change.yaml"].map(|name| checkout.dir.path().join(name));
                    fs::write(&before, checkout.original(object).to_string()).unwrap();
                    fs::write(&change, yaml::write(patch)).unwrap();
                    let after = kubectl(&[
                        "patch",
                        "--local",
                        "-o=json",
                        &format!("--type={kind}"),
                        &format!("-f={}", before.display()),
                        &format!("--patch-file={}", change.display()),
                    ]);
                    let after: Value = serde_json::from_str(&after).unwrap();
                    assert_eq!(
                        without_nulls(&after),
                        without_nulls(object),
                        "{} {phase} {form}",
                        checkout.version
                    );
                }
            }
        }
    }
}

#[test]
fn an_overlay_over_every_install_takes_a_step_with_one_line() {
    const NAME: &str = "an_overlay_over_every_install_takes_a_step_with_one_line";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    for checkout in checkouts(NAME) {
        for form in ["patch", "json-patch"] {
            checkout.out(&format!("render bundle -o {form} --force --out steps --dir rotation"));
            fs::write(checkout.dir.path().join("base/kustomization.yaml"), "resources: [install.yaml]\n")
                .unwrap();
            fs::create_dir_all(checkout.dir.path().join("overlay")).unwrap();
            let overlay = "resources: [../base]\ncomponents: [../steps/bundle/1-trust, ../steps/bundle/2-control-plane]\n";
            fs::write(checkout.dir.path().join("overlay/kustomization.yaml"), overlay).unwrap();
            let built = kubectl(&["kustomize", checkout.dir.path().join("overlay").to_str().unwrap()]);
            fs::remove_file(checkout.dir.path().join("base/kustomization.yaml")).unwrap();
            let built: Vec<Value> =
                document::parse(&built, "built").unwrap().into_iter().map(|document| document.tree).collect();
            let changed = checkout.rendered("bundle", "object");
            for original in &checkout.objects {
                let expected =
                    changed.iter().find(|object| name(object) == name(original)).unwrap_or(original);
                let found = built.iter().find(|object| name(object) == name(original));
                assert_eq!(
                    found.map(without_nulls),
                    Some(without_nulls(expected)),
                    "{} {form} {}",
                    checkout.version,
                    name(original)
                );
            }
        }
    }
}

#[test]
fn a_diff_of_every_install_shows_certificates_and_no_key() {
    const NAME: &str = "a_diff_of_every_install_shows_certificates_and_no_key";
    for checkout in checkouts(NAME) {
        let key = fs::read_to_string(checkout.dir.path().join("rotation/issuer.key")).unwrap();
        for phase in ["bundle", "issuer", "prune"] {
            let output = checkout.run(&format!("diff {phase} --dir rotation"));
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(1), "{} {phase}", checkout.version);
            assert!(text.contains("\n# + CN="), "{} {phase}", checkout.version);
            assert!(!text.contains(key.lines().nth(1).unwrap()), "{} {phase}", checkout.version);
        }
    }
}

#[test]
fn values_of_a_real_install_are_read_as_what_its_chart_made_of_them() {
    const NAME: &str = "values_of_a_real_install_are_read_as_what_its_chart_made_of_them";
    for version in ["2.12.6", "2.20"] {
        let Some(checkout) = Checkout::of(NAME, version) else { return };
        let config =
            checkout.objects.iter().find(|object| object["metadata"]["name"] == "linkerd-config").unwrap();
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("values.yaml"), config["data"]["values"].as_str().unwrap()).unwrap();
        let status = |arguments: &[&str], directory: &std::path::Path| -> Value {
            let output = runner::plugin()
                .current_dir(directory)
                .args(["status", "-o", "json", "--at", AT])
                .args(arguments)
                .output()
                .unwrap();
            serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
        };
        let rendered = status(&["-f", "base/install.yaml"], checkout.dir.path());
        let declared = status(&["-f", ".", "-R"], home.path());
        for field in ["bundle", "issuer"] {
            assert_eq!(
                declared[field]["certificates"], rendered[field]["certificates"],
                "{version}: {field}"
            );
        }
        for field in ["era", "trustDomain"] {
            assert_eq!(declared["linkerd"][field], rendered["linkerd"][field], "{version}: {field}");
        }
    }
}

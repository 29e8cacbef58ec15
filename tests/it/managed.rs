//! Rotations where cert-manager and trust-manager make the certificates, through the program itself.

use crate::cluster;
use crate::runner;

use std::fs;
use std::process::Output;

use cluster::Cluster;
use jiff::SignedDuration;
use l5d_rotate::document;
use l5d_rotate::pki::{BundleText, Certificate, Rules};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A user with such a cluster, a shell and a rotation directory.
pub(crate) struct User {
    pub(crate) home: TempDir,
    pub(crate) cluster: Cluster,
}

impl User {
    fn new() -> Self {
        Self::of(Cluster::by_cert_manager())
    }

    pub(crate) fn of(cluster: Cluster) -> Self {
        Self { home: tempfile::tempdir().unwrap(), cluster }
    }

    pub(crate) fn run(&self, arguments: &str) -> Output {
        fs::write(self.home.path().join("dump.json"), self.cluster.dump()).unwrap();
        runner::plugin()
            .current_dir(self.home.path())
            .args(arguments.split_whitespace())
            .args(["-f", "dump.json", "--at", &self.cluster.now.to_string()])
            .output()
            .unwrap()
    }

    pub(crate) fn out(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {:?}\n{stderr}", output.status.code());
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn anchors(&self) -> Vec<Certificate> {
        let bundle = BundleText::read(self.cluster.bundle.as_str());
        bundle.as_read_by(Rules::Controller).unwrap().anchors().to_vec()
    }

    pub(crate) fn standing(&self, direction: &str) -> String {
        let plan: Value =
            serde_json::from_str(&self.out(&format!("plan --dir rotation{direction} -o json"))).unwrap();
        plan["standing"].as_str().unwrap_or("finished").to_owned()
    }

    /// What `verify` says of documents: its exit code, and the codes of what it found.
    pub(crate) fn verified(&self, documents: &str) -> (i32, Vec<String>) {
        fs::write(self.home.path().join("proposed.yaml"), documents).unwrap();
        let dir = if self.home.path().join("rotation").exists() { " --dir rotation" } else { "" };
        let output = self.run(&format!("verify --proposed proposed.yaml -o json{dir}"));
        let told: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let findings =
            told["units"][0]["findings"].as_array().or(told["findings"].as_array()).unwrap().clone();
        let codes = findings.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect();
        (output.status.code().unwrap(), codes)
    }

    pub(crate) fn merge(&mut self, text: &str) {
        for document in document::parse(text, "step").unwrap() {
            self.cluster.apply(&document.tree);
        }
    }

    /// Renders the next step, has it judged, and merges it; `false` where there is nothing to merge now.
    pub(crate) fn step(&mut self, standing: &str, direction: &str) -> bool {
        let form = if standing.starts_with("remove-old") { "patch" } else { "object" };
        let next = self.run(&format!("next --dir rotation{direction} -o {form}"));
        if !next.status.success() {
            return false;
        }
        let text = String::from_utf8(next.stdout).unwrap();
        if direction.is_empty() {
            let (code, found) = self.verified(&text);
            assert_eq!(code, 0, "{standing}: {found:?}");
        }
        self.merge(&text);
        true
    }

    /// Follows `next` to the end, and tells the commits that it took.
    pub(crate) fn rotate(&mut self, direction: &str) -> Vec<String> {
        let mut taken = Vec::new();
        for _ in 0..200 {
            let standing = self.standing(direction);
            if standing == "finished" {
                return taken;
            }
            if self.step(&standing, direction) {
                taken.push(standing);
            } else {
                self.cluster.all_manually();
                self.cluster.wait(SignedDuration::from_mins(55));
            }
            self.cluster.wait(SignedDuration::from_mins(5));
        }
        panic!("it does not finish: {taken:?}\n{}", self.out(&format!("plan --dir rotation{direction}")));
    }

    pub(crate) fn object(&self, kind: &str, name: &str) -> Value {
        let objects = &self.cluster.controllers.as_ref().unwrap().objects;
        let is_it = |one: &&Value| one["kind"] == kind && one["metadata"]["name"] == name;
        objects.iter().find(is_it).unwrap().clone()
    }
}

pub(crate) const COMMITS: [&str; 9] = [
    "bundle/1-trust",
    "bundle/2-control-plane",
    "bundle/3-data-plane",
    "issuer/1-issuer",
    "issuer/2-control-plane",
    "prune/1-trust",
    "prune/2-control-plane",
    "prune/3-data-plane",
    "remove-old/1-objects",
];

#[test]
fn the_guides_setup_is_rotated_in_nine_commits_and_no_secret_is_copied() {
    let mut user = User::new();
    let old = user.anchors();
    let started = user.out("start --dir rotation");
    assert!(started.contains("over cert-manager's objects"), "{started}");
    assert!(!fs::exists(user.home.path().join("rotation/issuer.key")).unwrap());
    assert_eq!(user.rotate(""), COMMITS);
    let new = user.anchors();
    assert_eq!(new.len(), 1);
    assert_ne!(new, old);
    // What follows it is an ordinary mesh: nothing is wrong, and the next rotation has names of its own.
    let status: Value = serde_json::from_str(&user.out("status -o json")).unwrap();
    assert!(
        status["checks"].as_array().into_iter().flatten().all(|one| one["severity"] != "error"),
        "{status:#}"
    );
    user.cluster.wait(SignedDuration::from_hours(24 * 30));
    let again = user.out("start --dir again");
    assert!(again.contains("linkerd-trust-anchor-20261224"), "{again}");
}

#[test]
fn an_issuer_that_is_renewed_every_day_restarts_nothing_again() {
    let mut user = User::new();
    user.out("start --dir rotation");
    for commit in &COMMITS[..5] {
        while user.standing("") != *commit {
            user.cluster.all_manually();
            user.cluster.wait(SignedDuration::from_mins(10));
        }
        assert!(user.step(commit, ""), "{commit}");
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    // The record tells since when the new anchor signs; without it each renewal would ask for one more restart.
    user.run("next --dir rotation");
    for _ in 0..3 {
        user.cluster.wait(SignedDuration::from_hours(30));
        assert_eq!(user.standing(""), "prune/1-trust");
    }
}

#[test]
fn it_is_rolled_back_from_each_step_that_keeps_the_old_anchor() {
    for merged in [1, 3, 4, 5, 6, 8] {
        let mut user = User::new();
        let old = user.anchors();
        user.out("start --dir rotation");
        for commit in &COMMITS[..merged] {
            for _ in 0..60 {
                if user.standing("") == *commit && user.step(commit, "") {
                    break;
                }
                user.cluster.all_manually();
                user.cluster.wait(SignedDuration::from_mins(55));
            }
            user.cluster.wait(SignedDuration::from_mins(5));
        }
        user.rotate(" --rollback");
        assert_eq!(user.anchors(), old, "after {merged} commits");
        let issuer = user.object("Certificate", "linkerd-identity-issuer");
        assert_eq!(issuer["spec"]["issuerRef"]["name"], "linkerd-identity-issuer", "after {merged} commits");
    }
}

#[test]
fn the_guides_own_way_is_continued_where_it_stands() {
    // `cmctl renew` of the anchor, then of the issuer too.
    for renewed in [&["linkerd-trust-anchor"][..], &["linkerd-trust-anchor", "linkerd-identity-issuer"]] {
        let mut user = User::new();
        let old = user.anchors();
        let now = user.cluster.now;
        for name in renewed {
            user.cluster.controllers.as_mut().unwrap().renew(name, now);
        }
        user.cluster.wait(SignedDuration::from_mins(10));
        assert_eq!(user.anchors().len(), 2);
        let started = user.out("start --dir rotation");
        assert!(started.contains("beside the old one already"), "{started}");
        if renewed.len() == 1 {
            let taken = user.rotate("");
            assert!(!taken.contains(&"remove-old/1-objects".to_owned()), "{taken:?}");
            assert_eq!(user.anchors().len(), 1);
            assert_ne!(user.anchors(), old);
        } else {
            // Issued by an anchor that proxies do not hold: that is seen, and no step is taken over it.
            let plan: Value = serde_json::from_str(&user.out("plan --dir rotation -o json")).unwrap();
            assert_eq!(plan["steps"][3]["state"]["code"], "done", "{plan:#}");
        }
    }
}

/// A change of one object, and what `verify` says of it.
fn changed(user: &User, kind: &str, name: &str, pointer: &str, value: Value) -> (i32, Vec<String>) {
    let mut object = user.object(kind, name);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    user.verified(&object.to_string())
}

#[test]
fn a_change_of_their_objects_is_judged_by_the_certificates_that_come_of_it() {
    let user = User::new();
    let anchor = |pointer, value| changed(&user, "Certificate", "linkerd-trust-anchor", pointer, value);
    let issuer = |pointer, value| changed(&user, "Certificate", "linkerd-identity-issuer", pointer, value);
    let fine: (i32, Vec<String>) = (0, Vec::new());
    // What cert-manager does not compare, and the same written otherwise.
    assert_eq!(anchor("/spec/renewBefore", json!("1h")), fine);
    assert_eq!(anchor("/spec/duration", json!("8760h")), fine);
    assert_eq!(anchor("/spec/secretTemplate", json!({"labels": {"team": "mesh"}})), fine);
    assert_eq!(anchor("/metadata/labels", json!({"team": "mesh"})), fine);
    assert_eq!(issuer("/spec/renewBefore", json!("24h30m")), fine);
    // A longer life of the issuer has it signed once more by the same anchor.
    assert_eq!(issuer("/spec/duration", json!("72h")).0, 0);
    let unsafe_for = |found: (i32, Vec<String>), code: &str| {
        assert_eq!(found.0, 4, "{code}: {found:?}");
        assert!(found.1.iter().any(|one| one == code), "{code}: {found:?}");
    };
    // What makes it issue the anchor again.
    for (pointer, value) in [
        ("/spec/commonName", json!("root.2027")),
        ("/spec/duration", json!("87600h")),
        ("/spec/renewBefore", json!("8700h")),
        ("/spec/privateKey/algorithm", json!("RSA")),
        ("/spec/issuerRef/name", json!("another")),
        ("/spec/secretName", json!("linkerd-trust-anchor-2")),
    ] {
        let found = anchor(pointer, value);
        // Of another Secret the Issuer knows nothing: it signs with the one that stays.
        if pointer != "/spec/secretName" {
            unsafe_for(found, "signed-by-new-anchor");
        }
    }
    unsafe_for(issuer("/spec/issuerRef/name", json!("not-there")), "signer-gone");
    let another = issuer("/spec/issuerRef", json!({"kind": "Issuer", "name": "linkerd-trust-root-issuer"}));
    unsafe_for(another, "signer-gone");
    let bundle = |sources| changed(&user, "Bundle", "linkerd-identity-trust-roots", "/spec/sources", sources);
    let secret = |name: &str| json!({"secret": {"name": name, "key": "tls.crt"}});
    let pinned = json!({"inLine": user.cluster.bundle});
    // The anchor in use stays: by its Secret, or as text.
    assert_eq!(bundle(json!([secret("linkerd-trust-anchor")])), fine);
    assert_eq!(bundle(json!([pinned])), fine);
    assert_eq!(bundle(json!([secret("linkerd-previous-anchor")])).0, 3);
    let damaged = json!({"inLine": user.cluster.bundle.replace("-----END", "----END")});
    assert_eq!(bundle(json!([damaged])).0, 4);
    // What else decides about the ConfigMap, or about what kind of issuer there is, is not known.
    let of_bundle = |pointer, value| changed(&user, "Bundle", "linkerd-identity-trust-roots", pointer, value);
    assert_eq!(of_bundle("/spec/target/configMap/key", json!("other.crt")).0, 3);
    assert_eq!(of_bundle("/spec/target/namespaceSelector", json!({"matchLabels": {"a": "b"}})).0, 3);
    assert_eq!(bundle(json!([{"secret": {"name": "linkerd-trust-anchor", "key": "other.crt"}}])).0, 3);
    assert_eq!(issuer("/spec/isCA", json!(false)).0, 3);
    assert_eq!(issuer("/spec/privateKey/algorithm", json!("Ed25519")).0, 3);
    assert_eq!(issuer("/spec/duration", json!("2h")).0, 3);
    unsafe_for(issuer("/spec/secretName", json!("another")), "issuer-not-renewed");
    let vault = json!({"vault": {"server": "https://vault", "path": "pki/root/sign-intermediate"}});
    assert_eq!(changed(&user, "ClusterIssuer", "linkerd-identity-issuer", "/spec", vault).0, 3);
    // One that was there all the time, and has nothing to do with the mesh.
    let mut elsewhere = User::new();
    elsewhere
        .cluster
        .controllers
        .as_mut()
        .unwrap()
        .apply(&json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
        "metadata": {"name": "company"}, "spec": {"vault": {"server": "https://vault", "path": "pki"}}}));
    let found = changed(
        &elsewhere,
        "Certificate",
        "linkerd-identity-issuer",
        "/spec/issuerRef/name",
        json!("company"),
    );
    assert_eq!(found.0, 3, "{found:?}");
    let gone = |kind: &str, name: &str| {
        let mut object = user.object(kind, name);
        object["$patch"] = json!("delete");
        user.verified(&object.to_string()).0
    };
    assert_eq!(gone("Certificate", "linkerd-trust-anchor"), 3);
    assert_eq!(gone("ClusterIssuer", "linkerd-identity-issuer"), 4);
    assert_eq!(gone("Certificate", "linkerd-identity-issuer"), 4);
    assert_eq!(gone("Bundle", "linkerd-identity-trust-roots"), 4);
    let other = cluster::controllers::Controllers::stranger();
    let found = bundle(json!([{ "inLine": other }]));
    assert_eq!(found.0, 4, "{found:?}");
}

#[test]
fn an_anchor_that_is_issued_once_more_on_the_way_holds_up_the_issuer() {
    let mut user = User::new();
    user.out("start --dir rotation");
    for commit in &COMMITS[..3] {
        while user.standing("") != *commit || !user.step(commit, "") {
            user.cluster.all_manually();
            user.cluster.wait(SignedDuration::from_mins(10));
        }
        user.cluster.all_manually();
        user.cluster.wait(SignedDuration::from_mins(10));
    }
    assert_eq!(user.standing(""), "issuer/1-issuer");
    let now = user.cluster.now;
    user.cluster.controllers.as_mut().unwrap().renew("linkerd-trust-anchor-20261123", now);
    user.cluster.wait(SignedDuration::from_mins(5));
    let refused = user.run("next --dir rotation");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(said.contains("anchor-reissued"), "{said}");
    // As it says: another rotation begins with what is published, and does not take the old anchor for the new one.
    fs::rename(user.home.path().join("rotation"), user.home.path().join("left")).unwrap();
    let again = user.out("start --dir rotation");
    assert!(again.contains("linkerd-trust-anchor-20261123-2"), "{again}");
    let taken = user.rotate("");
    assert_eq!(taken.last().map(String::as_str), Some("remove-old/1-objects"));
    assert_eq!(user.anchors().len(), 1);
}

#[test]
fn each_step_is_a_component_that_kustomize_builds() {
    let user = User::new();
    let testdata = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cert-manager");
    let objects = ["Certificate", "ClusterIssuer", "Bundle"].iter().flat_map(|kind| {
        user.cluster.controllers.as_ref().unwrap().objects.iter().filter(move |one| one["kind"] == *kind)
    });
    let base: String = objects.map(|one| format!("---\n{one}\n")).collect();
    fs::write(user.home.path().join("base.yaml"), base).unwrap();
    for (step, has) in [
        (
            "bundle --step 1",
            &["name: linkerd-trust-anchor-20261123\n", "inLine: |", "renewBefore: 1h0m0s"][..],
        ),
        ("issuer --step 1", &["    name: linkerd-identity-issuer-20261123\n"]),
        (
            "prune --step 1",
            &["  sources:\n  - secret:\n      key: tls.crt\n      name: linkerd-trust-anchor-20261123\n"],
        ),
        ("remove-old --step 1", &[]),
    ] {
        let out = user.home.path().join("out");
        let rendered = runner::plugin()
            .args(["render", "--force", "--at", "2026-11-23T02:05:00Z", "--out"])
            .arg(&out)
            .args(step.split(' '))
            .arg("-f")
            .arg(testdata.join("cluster.yaml"))
            .arg("--dir")
            .arg(testdata.join("rotation"))
            .output()
            .unwrap();
        assert!(rendered.status.success(), "{step}: {}", String::from_utf8_lossy(&rendered.stderr));
        let phase = step.split(' ').next().unwrap();
        let directory = fs::read_dir(out.join(phase)).unwrap().next().unwrap().unwrap().file_name();
        let kustomization =
            format!("resources: [base.yaml]\ncomponents: [out/{phase}/{}]\n", directory.to_str().unwrap());
        fs::write(user.home.path().join("kustomization.yaml"), kustomization).unwrap();
        let built =
            runner::other("kubectl").current_dir(user.home.path()).args(["kustomize", "."]).output().unwrap();
        let text = String::from_utf8(built.stdout).unwrap();
        assert!(built.status.success(), "{step}: {}", String::from_utf8_lossy(&built.stderr));
        assert!(has.iter().all(|part| text.contains(part)), "{step}: {text}");
        let is_there = text.contains("  name: linkerd-trust-anchor\n  namespace");
        assert_eq!(is_there, phase != "remove-old", "{step}: {text}");
    }
}

#[test]
fn a_step_that_is_taken_too_early_is_unsafe() {
    let mut user = User::new();
    user.out("start --dir rotation");
    let standing = user.standing("");
    assert!(user.step(&standing, ""));
    user.cluster.wait(SignedDuration::from_mins(5));
    user.run("next --dir rotation");
    let issuer = user.out("render issuer --step 1 --force --dir rotation");
    let (code, found) = user.verified(&issuer);
    assert_eq!(code, 4, "{found:?}");
    let prune = user.out("render prune --step 1 --force --dir rotation");
    let (code, found) = user.verified(&prune);
    assert_eq!(code, 4, "{found:?}");
}

#[test]
#[ignore = "writes testdata"]
fn testdata_of_cert_manager_is_written() {
    let mut user = User::new();
    user.out("start --dir rotation");
    user.step("bundle/1-trust", "");
    user.cluster.wait(SignedDuration::from_mins(5));
    user.out("next --dir rotation");
    let testdata = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cert-manager");
    fs::create_dir_all(testdata.join("rotation")).unwrap();
    fs::write(testdata.join("cluster.yaml"), user.cluster.dump_yaml()).unwrap();
    for entry in fs::read_dir(user.home.path().join("rotation")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, testdata.join("rotation").join(path.file_name().unwrap())).unwrap();
    }
}

/// The repository that such a mesh is deployed from.
pub(crate) struct Git {
    pub(crate) user: User,
    deployed: Vec<Value>,
}

pub(crate) const ANCHOR: &str = "# The root of trust. Renewed by hand, see the runbook.
apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: linkerd-trust-root-issuer
  namespace: cert-manager
spec:
  selfSigned: {}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: linkerd-trust-anchor
  namespace: cert-manager
spec:
  issuerRef: {kind: Issuer, name: linkerd-trust-root-issuer}
  secretName: linkerd-trust-anchor
  isCA: true
  commonName: root.linkerd.cluster.local
  duration: 8760h0m0s
  renewBefore: 7320h0m0s # sixty days after it was made
  privateKey:
    rotationPolicy: Always
    algorithm: ECDSA
";

const ISSUER: &str = "apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata:
  name: linkerd-identity-issuer
spec:
  ca:
    secretName: linkerd-trust-anchor
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: linkerd-identity-issuer
  namespace: linkerd
spec:
  issuerRef:
    kind: ClusterIssuer
    name: linkerd-identity-issuer   # signs with the anchor
  secretName: linkerd-identity-issuer
  isCA: true
  commonName: identity.linkerd.cluster.local
  duration: 48h0m0s
  renewBefore: 25h0m0s
  privateKey: {rotationPolicy: Always, algorithm: ECDSA}
";

const BUNDLE: &str = "apiVersion: trust.cert-manager.io/v1alpha1
kind: Bundle
metadata:
  name: linkerd-identity-trust-roots
spec:
  sources:
  # the anchor of today
  - secret:
      name: linkerd-trust-anchor
      key: tls.crt
  - secret: {name: linkerd-previous-anchor, key: tls.crt}
  target:
    configMap:
      key: ca-bundle.crt
    namespaceSelector:
      matchLabels:
        linkerd.io/is-control-plane: \"true\"
";

impl Git {
    pub(crate) fn new() -> Self {
        Self::of(User::new(), ANCHOR, BUNDLE)
    }

    /// The same with other files of the anchor and the Bundle.
    pub(crate) fn of(user: User, anchor: &str, bundle: &str) -> Self {
        let repository = user.home.path().join("repository");
        fs::create_dir_all(repository.join("mesh")).unwrap();
        fs::create_dir_all(repository.join("apps")).unwrap();
        let is_deployed = |one: &&Value| {
            ["Deployment", "StatefulSet", "DaemonSet", "Namespace"].contains(&one["kind"].as_str().unwrap())
                || one["metadata"]["name"] == "linkerd-config"
        };
        let items = user.cluster.items();
        let written = |of: &dyn Fn(&Value) -> bool| {
            let mut out = String::new();
            for one in items.iter().filter(is_deployed).filter(|one| of(one)) {
                let mut one = one.clone();
                one.as_object_mut().unwrap().shift_remove("status");
                out += &format!("---\n{}", l5d_rotate::document::yaml::write(&one));
            }
            out
        };
        let is_core =
            |one: &Value| one["metadata"]["namespace"] == "linkerd" || one["metadata"]["name"] == "linkerd";
        fs::write(repository.join("mesh/control-plane.yaml"), written(&is_core)).unwrap();
        fs::write(repository.join("apps/apps.yaml"), written(&|one| !is_core(one))).unwrap();
        for (name, text) in [("anchor", anchor), ("issuer", ISSUER), ("bundle", bundle)] {
            fs::write(repository.join(format!("mesh/{name}.yaml")), text).unwrap();
        }
        let mut git = Self { user, deployed: Vec::new() };
        git.git(&["init", "-q"]);
        git.commit();
        git.deployed = git.declared();
        git
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = runner::other("git")
            .current_dir(self.user.home.path().join("repository"))
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", "change"]);
    }

    pub(crate) fn run(&self, arguments: &str) -> Output {
        fs::write(self.user.home.path().join("dump.json"), self.user.cluster.dump()).unwrap();
        runner::plugin()
            .current_dir(self.user.home.path().join("repository"))
            .args(arguments.split_whitespace())
            .args(["-f", "../dump.json", "--at", &self.user.cluster.now.to_string()])
            .output()
            .unwrap()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.user.home.path().join("repository").join(name)).unwrap()
    }

    fn declared(&self) -> Vec<Value> {
        let names = [
            "mesh/control-plane.yaml",
            "apps/apps.yaml",
            "mesh/anchor.yaml",
            "mesh/issuer.yaml",
            "mesh/bundle.yaml",
        ];
        let all = names.iter().flat_map(|name| document::parse(&self.text(name), name).unwrap());
        all.map(|document| document.tree).collect()
    }

    /// What a GitOps engine does with what is merged: it applies what has changed, and prunes what is gone.
    pub(crate) fn deploy(&mut self) {
        let declared = self.declared();
        let name = |one: &Value| {
            (one["kind"].clone(), one["metadata"]["namespace"].clone(), one["metadata"]["name"].clone())
        };
        for object in declared.iter().filter(|one| one["kind"] != "Namespace" && !self.deployed.contains(one))
        {
            self.user.cluster.apply(object);
        }
        for gone in self.deployed.iter().filter(|one| !declared.iter().any(|known| name(known) == name(one)))
        {
            let mut gone = gone.clone();
            gone["$patch"] = json!("delete");
            self.user.cluster.apply(&gone);
        }
        self.deployed = declared;
    }
}

#[test]
fn each_step_is_an_edit_of_the_users_own_files() {
    let mut git = Git::new();
    assert_eq!(steps_by_edits(&mut git, "start --dir rotation --in .", "", &[]), COMMITS);
    assert_eq!(git.user.anchors().len(), 1);
    // Every byte that a step does not mean has stayed.
    assert!(git.text("mesh/anchor.yaml").starts_with("# The root of trust."));
    let issuer = git.text("mesh/issuer.yaml");
    assert!(
        issuer.contains("    name: linkerd-identity-issuer-20261123   # signs with the anchor\n"),
        "{issuer}"
    );
    let bundle = git.text("mesh/bundle.yaml");
    let expected = BUNDLE.replace("linkerd-trust-anchor", "linkerd-trust-anchor-20261123");
    let previous = "  - secret: {name: linkerd-previous-anchor, key: tls.crt}\n";
    println!("{bundle}");
    assert_eq!(serde_yaml_tree(&bundle), serde_yaml_tree(&expected.replace(previous, "")));
}

/// A whole rotation in which each step edits the files, is judged as a commit, and is deployed from there; the steps that were
/// commits. Of some the verdict is unknown.
pub(crate) fn steps_by_edits(git: &mut Git, start: &str, confirmed: &str, unknown: &[&str]) -> Vec<String> {
    let started = git.run(start);
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    let told = String::from_utf8(started.stdout).unwrap();
    assert!(told.contains("mesh/issuer.yaml:9  Certificate linkerd/linkerd-identity-issuer\n"), "{told}");
    git.commit();
    let (mut taken, mut last) = (Vec::new(), String::new());
    for _ in 0..120 {
        let plan: Value = serde_json::from_slice(&git.run("plan --dir rotation -o json").stdout).unwrap();
        let Some(standing) = plan["standing"].as_str().map(str::to_owned) else { return taken };
        let next = git.run(&format!("next --in . --dir rotation{confirmed}"));
        let said = String::from_utf8_lossy(&next.stderr).into_owned();
        if next.status.success() {
            let judged = git.run("verify --git-base HEAD -f . -R --dir rotation");
            let told = [judged.stdout, judged.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
            let told = told.concat();
            // Nobody sees in Git whether what is removed is needed by others.
            let expected = if unknown.contains(&standing.as_str()) { 3 } else { 0 };
            assert_eq!(judged.status.code(), Some(expected), "{standing}: {told}");
            git.commit();
            git.deploy();
            taken.push(standing);
        } else {
            assert_eq!(next.status.code(), Some(3), "{standing}: {said}");
            last = said;
            git.user.cluster.all_manually();
            git.user.cluster.wait(SignedDuration::from_mins(55));
        }
        git.user.cluster.wait(SignedDuration::from_mins(5));
    }
    panic!("it does not finish after {taken:?}: {last}");
}

fn serde_yaml_tree(text: &str) -> Value {
    document::parse(text, "file").unwrap().pop().unwrap().tree
}

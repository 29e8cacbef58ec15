//! A user whose certificates cert-manager and trust-manager make, and the repository that such a mesh is deployed from.

use std::fs;

use jiff::SignedDuration;
use l5d_rotate::document;
use l5d_rotate::pki::{AnchorRequest, Authority, mint_anchor};
use serde_json::{Value, json};

use crate::cluster::{Cluster, at};
use crate::runner::{self, Ran};
use crate::support::user::User;

/// The steps of such a rotation, each a commit.
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

/// A rotation to an anchor from outside, whose certificate is in new.pem.
pub(crate) const START_OUTSIDE: &str =
    "start --dir rotation --anchor new.pem --signer ClusterIssuer/company-2027";
/// Nothing that is read tells what its signer signs with.
pub(crate) const CONFIRMED: &str = " --confirm signer-of-anchor";

pub(crate) fn anchor(name: &str) -> Authority {
    anchor_until(name, "2036-01-01T00:00:00Z")
}

pub(crate) fn anchor_until(name: &str, not_after: &str) -> Authority {
    let (not_before, not_after) = (at("2026-01-01T00:00:00Z"), at(not_after));
    mint_anchor(&AnchorRequest { common_name: name.to_owned(), not_before, not_after }).unwrap()
}

/// Somebody brings the Issuer that signs below the new anchor.
pub(crate) fn bring_signer(user: &mut User, new: Authority) {
    let controllers = user.cluster.controllers.as_mut().unwrap();
    controllers.bring("company-2027", new);
    controllers.apply(&json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
        "metadata": {"name": "company-2027"}, "spec": {"ca": {"secretName": "company-2027"}}}));
}

impl User {
    /// Over a mesh whose certificates cert-manager makes.
    pub(crate) fn by_cert_manager() -> Self {
        Self::over(Cluster::by_cert_manager())
    }

    /// The step that is next, such as `bundle/1-trust`; `finished` where there is none.
    pub(crate) fn standing(&self, direction: &str) -> String {
        let plan: Value =
            serde_json::from_str(&self.out(&format!("plan --dir rotation{direction} -o json"))).unwrap();
        plan["standing"].as_str().unwrap_or("finished").to_owned()
    }

    /// What `verify` says of documents: its exit code, and the codes of what it found.
    pub(crate) fn verified(&self, documents: &str) -> (i32, Vec<String>) {
        self.put("proposed.yaml", documents);
        let dir = if self.home.path().join("rotation").exists() { " --dir rotation" } else { "" };
        let ran = self.run(&format!("verify --proposed proposed.yaml -o json{dir}"));
        let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err));
        let findings =
            told["units"][0]["findings"].as_array().or(told["findings"].as_array()).unwrap().clone();
        let codes = findings.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect();
        (ran.code, codes)
    }

    /// Renders the next step, has it judged, and merges it; `false` where there is nothing to merge now.
    pub(crate) fn step(&mut self, standing: &str, direction: &str) -> bool {
        let form = if standing.starts_with("remove-old") { "patch" } else { "object" };
        let next = self.run(&format!("next --dir rotation{direction} -o {form}"));
        if next.code != 0 {
            return false;
        }
        if direction.is_empty() {
            let (code, found) = self.verified(&next.out);
            assert_eq!(code, 0, "{standing}: {found:?}");
        }
        self.apply(&next.out);
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

    /// Follows `next` until this step is next.
    pub(crate) fn until(&mut self, step: &str) {
        for _ in 0..60 {
            if self.standing("") == step {
                return;
            }
            let next = self.run("next --dir rotation -o object");
            if next.code == 0 {
                self.apply(&next.out);
            } else {
                self.cluster.all_manually();
                self.cluster.wait(SignedDuration::from_mins(55));
            }
            self.cluster.wait(SignedDuration::from_mins(5));
        }
        panic!("{step} is not reached: {}", self.out("plan --dir rotation"));
    }

    pub(crate) fn object(&self, kind: &str, name: &str) -> Value {
        let objects = &self.cluster.controllers.as_ref().unwrap().objects;
        let is_it = |one: &&Value| one["kind"] == kind && one["metadata"]["name"] == name;
        objects.iter().find(is_it).unwrap().clone()
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

pub(crate) const BUNDLE: &str = "apiVersion: trust.cert-manager.io/v1alpha1
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
        Self::of(User::by_cert_manager(), ANCHOR, BUNDLE)
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

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.user.print();
        let mut plugin = runner::plugin();
        plugin.current_dir(self.user.home.path().join("repository")).args(arguments.split_whitespace());
        plugin.args(["-f", "../dump.json", "--at", &self.user.cluster.now.to_string()]);
        runner::run(&mut plugin)
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

/// A whole rotation in which each step edits the files, is judged as a commit, and is deployed from there; the steps that were
/// commits. Of some the verdict is unknown.
pub(crate) fn steps_by_edits(git: &mut Git, start: &str, confirmed: &str, unknown: &[&str]) -> Vec<String> {
    let started = git.run(start);
    assert_eq!(started.code, 0, "{}", started.err);
    let told = started.out;
    assert!(told.contains("mesh/issuer.yaml:9  Certificate linkerd/linkerd-identity-issuer\n"), "{told}");
    git.commit();
    let (mut taken, mut last) = (Vec::new(), String::new());
    for _ in 0..120 {
        let plan: Value = serde_json::from_str(&git.run("plan --dir rotation -o json").out).unwrap();
        let Some(standing) = plan["standing"].as_str().map(str::to_owned) else { return taken };
        let next = git.run(&format!("next --in . --dir rotation{confirmed}"));
        if next.code == 0 {
            let judged = git.run("verify --git-base HEAD -f . -R --dir rotation");
            // Nobody sees in Git whether what is removed is needed by others.
            let expected = if unknown.contains(&standing.as_str()) { 3 } else { 0 };
            assert_eq!(judged.code, expected, "{standing}: {judged:?}");
            git.commit();
            git.deploy();
            taken.push(standing);
        } else {
            assert_eq!(next.code, 3, "{standing}: {}", next.err);
            last = next.err;
            git.user.cluster.all_manually();
            git.user.cluster.wait(SignedDuration::from_mins(55));
        }
        git.user.cluster.wait(SignedDuration::from_mins(5));
    }
    panic!("it does not finish after {taken:?}: {last}");
}

//! A whole rotation with `--in` in each repository of `testdata/checkouts/`: nine commits that `verify` calls safe, and two steps back.
//! What a repository does not hold is done elsewhere, and counted.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::pki::{BundleText, Rules};
use serde_json::{Value, json};

use crate::checkouts::{Material, SHAPES};
use crate::cluster::Cluster;
use crate::layouts::deployed::{Made, workloads};
use crate::layouts::desk::{Desk, SEALER};
use crate::layouts::{Files, text};
use crate::runner;
use crate::sizes;

/// What is particular to a rotation in a repository.
struct Case {
    shape: &'static str,
    unit: Option<&'static str>,
    /// Where the cluster's own workloads are declared, and what deploys them.
    workloads: fn(&str) -> Files,
    made: Made,
    /// The commits, and the edits that are made elsewhere.
    counts: (usize, usize),
    /// What is made elsewhere, and why.
    why: &'static str,
}

fn files(all: &[(&str, &str)]) -> Files {
    all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const CASES: [Case; 4] = [
    Case {
        shape: "kustomize",
        unit: None,
        workloads: |all| {
            files(&[
                (
                    "apps/kustomization.yaml",
                    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- all.yaml\n",
                ),
                ("apps/all.yaml", all),
            ])
        },
        made: Made::ByManifests,
        counts: (9, 0),
        why: "",
    },
    Case {
        shape: "helm",
        unit: None,
        workloads: |all| files(&[("apps/all.yaml", all)]),
        made: Made::ByChart,
        counts: (8, 1),
        why: "the issuer's Secret is not in Git",
    },
    Case {
        shape: "flux",
        unit: Some("clusters/production"),
        workloads: |all| {
            files(&[
                (
                    "clusters/production/apps.yaml",
                    "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: apps\n  namespace: flux-system\nspec:\n  interval: 10m\n  path: ./teams/production\n  prune: true\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n",
                ),
                ("teams/production/all.yaml", all),
            ])
        },
        made: Made::ByChart,
        counts: (8, 1),
        why: "cert-manager makes the issuer of a signer that is not in Git",
    },
    Case {
        shape: "argocd",
        unit: Some("applicationsets/linkerd-eu"),
        workloads: |_| Vec::new(),
        made: Made::ByChart,
        counts: (6, 4),
        why: "neither the issuer's Secret nor the applications are in Git",
    },
];

/// Repositories in which no rotation of this kind is taken, and why.
const OTHERS: [(&str, &str); 2] = [
    ("cert-manager", "cert-manager mints: tests/it/managed.rs takes its rotations"),
    (
        "terraform",
        "only Terraform tells what becomes of its file: `verify` says unknown, and `--target` edits it",
    ),
];

/// What somebody does who was told: puts the issuer's Secret into the cluster, or restarts the applications.
fn by_hand(cluster: &mut Cluster, rotation: &Path, told: &str) {
    if !told.contains("Secret linkerd/linkerd-identity-issuer") {
        return cluster.deploy();
    }
    let file = |name: &str| STANDARD.encode(fs::read_to_string(rotation.join(name)).unwrap());
    let data = json!({"tls.crt": file("issuer.pem"), "tls.key": file("issuer.key")});
    let metadata = json!({"name": "linkerd-identity-issuer", "namespace": "linkerd"});
    cluster.apply(&json!({"kind": "Secret", "metadata": metadata, "data": data}));
}

/// A rotation in one repository, and its first two steps back; what went wrong.
fn rotate(case: &Case) -> Result<(), String> {
    let cluster = Cluster::with_brought_issuer();
    let material =
        Material { anchors: format!("{}\n", cluster.bundle), others: format!("{}\n", Cluster::new().bundle) };
    let (_, shape) = SHAPES.iter().find(|(name, _)| *name == case.shape).unwrap();
    let mut files = shape(&material);
    files.extend((case.workloads)(&text(&workloads(&cluster, case.made))));
    for (_, text) in files.iter_mut().filter(|(name, _)| name.ends_with("sealed-issuer.yaml")) {
        seal(text, &cluster);
    }
    let old = cluster.bundle.clone();
    let mut desk = Desk::over(cluster, &files, case.unit).ok_or("no git")?;
    let sealer = desk.beside.path().join("kubeseal");
    runner::write_script(&sealer, SEALER);
    desk.way.extend(["--seal".to_owned(), sealer.to_str().unwrap().to_owned()]);
    desk.verify.push("--accept-annotated");
    desk.elsewhere = Some(by_hand);
    let taken = desk.rotate()?;
    if (taken.len(), desk.manual) != case.counts {
        return Err(format!("{} commits, {} elsewhere: {taken:#?}", taken.len(), desk.manual));
    }
    let anchors = BundleText::read(desk.cluster.bundle.as_str());
    let is_one = anchors.as_read_by(Rules::Controller).is_ok_and(|bundle| bundle.anchors().len() == 1);
    if !is_one || desk.cluster.bundle == old {
        return Err(format!("{} is published", desk.cluster.bundle));
    }
    let key = desk.at("old.key");
    let mut back = 0;
    while back < 2 {
        back += usize::from(desk.step(&["--rollback", "--issuer-key", &key])?.is_some());
    }
    Ok(())
}

/// The issuer of the cluster in a SealedSecret, as the stand-in for `kubeseal` seals.
fn seal(file: &mut String, cluster: &Cluster) {
    let mut tree = l5d_rotate::document::parse(file, "t").unwrap().remove(0).tree;
    let sealed = |text: &str| Value::from(format!("Ag{}", STANDARD.encode(text)));
    tree["spec"]["encryptedData"] =
        json!({"tls.crt": sealed(&cluster.issuer), "tls.key": sealed(&cluster.issuer_key)});
    tree["metadata"]["annotations"] = json!({"l5d-rotate/issuer-certificate": cluster.issuer});
    *file = text(&[tree]);
}

#[test]
#[ignore = "long"]
fn a_rotation_is_edited_into_each_repository_and_two_steps_back() {
    const TEST: &str = "a_rotation_is_edited_into_each_repository_and_two_steps_back";
    if !runner::has(TEST, &["kubectl"]) {
        return;
    }
    let named: Vec<&str> =
        CASES.iter().map(|case| case.shape).chain(OTHERS.iter().map(|(name, _)| *name)).collect();
    assert!(SHAPES.iter().all(|(name, _)| named.contains(name)), "{named:?}");
    OTHERS.iter().for_each(|(name, why)| println!("{name}: not taken: {why}"));
    let mut wrong = Vec::new();
    for case in CASES.iter().take(sizes::of(1, CASES.len())) {
        let (commits, manual) = case.counts;
        let why = if case.why.is_empty() { String::new() } else { format!(" ({})", case.why) };
        println!("{}: {commits} commits, {manual} edits elsewhere{why}", case.shape);
        if let Err(why) = rotate(case) {
            wrong.push(format!("{}: {why}", case.shape));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

//! Repositories as people keep them (`testdata/checkouts/`), and what `status` and `verify` say of each and of two pull requests:
//! one that adds the new anchor, and one that puts it in the old one's place.
//!
//! `UPDATE_GOLDEN=1 cargo test --test it checkouts` writes both anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cluster::NOW;
use crate::golden;
use crate::layouts::{Files, Repository};
use crate::runner;

/// What differs between the pull requests.
pub(crate) struct Material {
    pub(crate) anchors: String,
    /// The anchors of the other cluster, where there is one.
    pub(crate) others: String,
}

/// A kind of repository.
pub(crate) type Shape = (&'static str, fn(&Material) -> Files);

pub(crate) const SHAPES: [Shape; 6] = [
    ("flux", flux),
    ("argocd", argocd),
    ("kustomize", kustomize),
    ("helm", helm),
    ("cert-manager", cert_manager),
    ("terraform", terraform),
];

fn files(all: &[(&str, &str)]) -> Files {
    all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

/// Two clusters of Flux: an overlay each, in which the anchors stand inline; cert-manager makes the issuer.
fn flux(it: &Material) -> Files {
    let entry = |cluster: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: infrastructure\n  namespace: flux-system\nspec:\n  interval: 10m\n  path: ./infrastructure/{cluster}\n  prune: true\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n"
        )
    };
    let overlay = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- ../base\npatches:\n- path: linkerd.yaml\n";
    let values = |anchors: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: linkerd-control-plane\n  namespace: linkerd\nspec:\n  values:\n    identityTrustAnchorsPEM: |\n{}",
            indented(anchors, 6)
        )
    };
    let mut all = files(&[
        (
            "infrastructure/base/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- namespace.yaml\n- repository.yaml\n- linkerd.yaml\n- issuer.yaml\n",
        ),
        (
            "infrastructure/base/namespace.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: linkerd\n  annotations:\n    linkerd.io/inject: disabled\n",
        ),
        (
            "infrastructure/base/repository.yaml",
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: linkerd-edge\n  namespace: linkerd\nspec:\n  interval: 1h\n  url: https://helm.linkerd.io/edge\n",
        ),
        (
            "infrastructure/base/linkerd.yaml",
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: linkerd-control-plane\n  namespace: linkerd\nspec:\n  interval: 5m\n  chart:\n    spec:\n      chart: linkerd-control-plane\n      version: 2025.4.4\n      sourceRef:\n        kind: HelmRepository\n        name: linkerd-edge\n  values:\n    identity:\n      issuer:\n        scheme: kubernetes.io/tls\n",
        ),
        (
            "infrastructure/base/issuer.yaml",
            "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata:\n  name: linkerd-identity-issuer\n  namespace: linkerd\nspec:\n  secretName: linkerd-identity-issuer\n  isCA: true\n  duration: 48h\n  renewBefore: 25h\n  commonName: identity.linkerd.cluster.local\n  dnsNames:\n  - identity.linkerd.cluster.local\n  privateKey:\n    algorithm: ECDSA\n    rotationPolicy: Always\n  issuerRef:\n    kind: Issuer\n    name: linkerd-trust-anchor\n",
        ),
        (
            "apps/shop.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  selector:\n    matchLabels:\n      app: web\n  template:\n    metadata:\n      annotations:\n        linkerd.io/inject: enabled\n      labels:\n        app: web\n    spec:\n      containers:\n      - name: web\n        image: registry.example.com/web:1.4.0\n",
        ),
    ]);
    for (cluster, anchors) in [("production", &it.anchors), ("staging", &it.others)] {
        all.push((format!("clusters/{cluster}/infrastructure.yaml"), entry(cluster)));
        all.push((format!("infrastructure/{cluster}/kustomization.yaml"), overlay.to_owned()));
        all.push((format!("infrastructure/{cluster}/linkerd.yaml"), values(anchors)));
    }
    all
}

/// An ApplicationSet with a file of values for each cluster.
fn argocd(it: &Material) -> Files {
    let set = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata:\n  name: linkerd\n  namespace: argocd\nspec:\n  generators:\n  - list:\n      elements:\n      - cluster: eu\n      - cluster: us\n  template:\n    metadata:\n      name: 'linkerd-{{cluster}}'\n    spec:\n      project: platform\n      destination:\n        name: '{{cluster}}'\n        namespace: linkerd\n      sources:\n      - repoURL: https://helm.linkerd.io/edge\n        chart: linkerd-control-plane\n        targetRevision: 2025.4.4\n        helm:\n          valueFiles:\n          - $values/environments/{{cluster}}/linkerd.yaml\n          fileParameters:\n          - name: identityTrustAnchorsPEM\n            path: $values/environments/{{cluster}}/ca.crt\n      - repoURL: https://git.example.com/platform\n        targetRevision: main\n        ref: values\n";
    let values = "identity:\n  issuer:\n    scheme: kubernetes.io/tls\ncontrollerReplicas: 3\n";
    files(&[
        ("applicationsets/linkerd.yaml", set),
        ("environments/eu/linkerd.yaml", values),
        ("environments/eu/ca.crt", &it.anchors),
        ("environments/us/linkerd.yaml", values),
        ("environments/us/ca.crt", &it.others),
    ])
}

/// Rendered manifests with an overlay: the bundle is made by a generator, of a file.
fn kustomize(it: &Material) -> Files {
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: linkerd-config\n  namespace: linkerd\ndata:\n  linkerd-crds-chart-version: linkerd-crds-1.0.0-edge\n  values: |\n    clusterDomain: cluster.local\n    identity:\n      externalCA: true\n      issuer:\n        scheme: kubernetes.io/tls\n    identityTrustDomain: cluster.local\n    linkerdVersion: edge-25.4.4\n";
    files(&[
        (
            "base/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- config.yaml\n",
        ),
        ("base/config.yaml", config),
        (
            "overlays/production/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: linkerd\nresources:\n- ../../base\n- sealed-issuer.yaml\nconfigMapGenerator:\n- name: linkerd-identity-trust-roots\n  files:\n  - ca-bundle.crt\ngeneratorOptions:\n  disableNameSuffixHash: true\n",
        ),
        ("overlays/production/ca-bundle.crt", &it.anchors),
        (
            "overlays/production/sealed-issuer.yaml",
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: linkerd-identity-issuer\n  namespace: linkerd\nspec:\n  encryptedData:\n    tls.crt: AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq\n    tls.key: AgCtr0fYoYSVpbTT0RF2hVhKEUxMOd0w\n",
        ),
    ])
}

/// An umbrella chart that a pipeline installs with a file of values for each environment.
fn helm(it: &Material) -> Files {
    files(&[
        (
            "platform/Chart.yaml",
            "apiVersion: v2\nname: platform\nversion: 3.2.0\ndependencies:\n- name: linkerd-control-plane\n  alias: mesh\n  version: 2025.4.4\n  repository: https://helm.linkerd.io/edge\n- name: ingress-nginx\n  version: 4.12.1\n  repository: https://kubernetes.github.io/ingress-nginx\n",
        ),
        (
            "platform/templates/quota.yaml",
            "{{- range .Values.teams }}\napiVersion: v1\nkind: ResourceQuota\nmetadata:\n  name: {{ .name }}\n{{- end }}\n",
        ),
        (
            "platform/values.yaml",
            "mesh:\n  identity:\n    issuer:\n      scheme: kubernetes.io/tls\nteams: []\n",
        ),
        (
            "platform/values-production.yaml",
            &format!(
                "mesh:\n  identityTrustAnchorsPEM: |\n{}teams:\n- name: shop\n",
                indented(&it.anchors, 4)
            ),
        ),
        ("Makefile", "upgrade:\n\thelm upgrade platform platform -f platform/values-production.yaml\n"),
    ])
}

/// cert-manager and trust-manager: the bundle is a Bundle's, with the anchor in Git.
fn cert_manager(it: &Material) -> Files {
    files(&[
        (
            "linkerd/release.yaml",
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: linkerd-control-plane\n  namespace: linkerd\nspec:\n  interval: 5m\n  chart:\n    spec:\n      chart: linkerd-control-plane\n      sourceRef:\n        kind: HelmRepository\n        name: linkerd-edge\n  values:\n    identity:\n      externalCA: true\n      issuer:\n        scheme: kubernetes.io/tls\n",
        ),
        (
            "linkerd/bundle.yaml",
            &format!(
                "apiVersion: trust.cert-manager.io/v1alpha1\nkind: Bundle\nmetadata:\n  name: linkerd-identity-trust-roots\nspec:\n  sources:\n  - inLine: |\n{}  target:\n    configMap:\n      key: ca-bundle.crt\n",
                indented(&it.anchors, 6)
            ),
        ),
        (
            "linkerd/issuer.yaml",
            "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata:\n  name: linkerd-identity-issuer\n  namespace: linkerd\nspec:\n  secretName: linkerd-identity-issuer\n  isCA: true\n  duration: 48h\n  renewBefore: 25h\n  commonName: identity.linkerd.cluster.local\n  privateKey:\n    algorithm: ECDSA\n    rotationPolicy: Always\n  issuerRef:\n    kind: ClusterIssuer\n    name: linkerd-identity-issuer\n",
        ),
    ])
}

/// Terraform reads the anchors out of a file: which values come of it only Terraform can tell.
fn terraform(it: &Material) -> Files {
    files(&[
        (
            "linkerd.tf",
            "resource \"helm_release\" \"linkerd\" {\n  name       = \"linkerd-control-plane\"\n  namespace  = \"linkerd\"\n  repository = \"https://helm.linkerd.io/edge\"\n  chart      = \"linkerd-control-plane\"\n  version    = \"2025.4.4\"\n\n  set {\n    name  = \"identityTrustAnchorsPEM\"\n    value = file(\"${path.module}/ca.crt\")\n  }\n}\n",
        ),
        ("ca.crt", &it.anchors),
    ])
}

fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

fn material(file: &str) -> Material {
    let read = |file: &str| fs::read_to_string(testdata("rotation").join(file)).unwrap();
    Material { anchors: read(file), others: read("old-anchors.pem") }
}

const UPDATE: &str = "UPDATE_GOLDEN";

#[test]
fn the_repositories_are_those_that_are_judged() {
    for (name, shape) in SHAPES {
        for (file, text) in shape(&material("old-anchors.pem")) {
            let path = testdata("checkouts").join(name).join(file);
            if std::env::var_os(UPDATE).is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &text).unwrap();
            }
            assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "{}", path.display());
        }
    }
}

/// What a command says in the repository, and its exit code.
fn said(repository: &Repository, line: &str) -> String {
    let output = runner::plugin()
        .current_dir(repository.home.path())
        .args(line.split(' ').skip(2))
        .args(["--at", NOW])
        .env("COLUMNS", "80")
        .output()
        .unwrap();
    let mut seen = format!("$ {line}\n{}", String::from_utf8(output.stdout).unwrap());
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        seen.push_str(format!("2> {line}").trim_end());
        seen.push('\n');
    }
    seen + &format!("exit {}\n", output.status.code().unwrap())
}

#[test]
fn each_repository_and_two_pull_requests_in_it_read_as_their_golden_files() {
    if !runner::has("checkouts", &["git", "kubectl"]) {
        return;
    }
    let repository = Repository::new().unwrap();
    let mut differing = Vec::new();
    for (name, shape) in SHAPES {
        repository.write(&shape(&material("old-anchors.pem")));
        repository.commit();
        let mut seen = said(&repository, "kubectl l5d-rotate status -f . -R");
        let unit = ["clusters/production", "applicationsets/linkerd-eu"]
            .into_iter()
            .find(|unit| seen.contains(*unit));
        let unit = unit.map_or_else(String::new, |unit| format!(" --unit {unit}"));
        if !unit.is_empty() {
            seen.push_str("\n# what a rotation would be\n");
            seen.push_str(&said(&repository, "kubectl l5d-rotate plan -f . -R"));
        }
        let home = tempfile::tempdir().unwrap();
        let rotation = home.path().join("rotation");
        let rotation = rotation.to_str().unwrap();
        let start = said(&repository, &format!("kubectl l5d-rotate start --dir {rotation} -f . -R{unit}"));
        seen.push_str("\n# the first step of a rotation\n");
        let next = if start.ends_with("exit 0\n") {
            said(&repository, &format!("kubectl l5d-rotate next --dir {rotation} -f . -R{unit}"))
        } else {
            start
        };
        // Documents hold certificates that were just minted.
        let next = match next.split_once("---\n") {
            Some((head, _)) => format!("{head}(documents)\nexit 0\n"),
            None => next,
        };
        seen.push_str(&next.replace(rotation, "rotation"));
        for (request, file) in
            [("adds the new anchor", "trust-bundle.pem"), ("replaces the old anchor", "anchor.pem")]
        {
            repository.write(&shape(&material(file)));
            seen.push_str(&format!("\n# a pull request {request}\n"));
            seen.push_str(&said(&repository, "kubectl l5d-rotate verify --git-base main -f . -R"));
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/it/golden/checkouts")
            .join(name)
            .with_extension("txt");
        if std::env::var_os(UPDATE).is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &seen).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if expected != seen {
            differing.push(format!("{name}\n{}", golden::differences(&expected, &seen)));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

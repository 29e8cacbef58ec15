//! `verify --git-base` on what real repositories hold besides: several clusters, other engines' files, what nobody refers to.

use std::fs;

use l5d_rotate::pki::Authority;
use serde_json::{Value, json};

use crate::cluster::{Cluster, NOW};
use crate::layouts::{Declared, Files, RENDERED, Repository, VALUES, text};
use crate::runner;
use crate::support::reviewer::{bundle, codes, new_anchor, trust_roots};

/// A repository, the mesh that it declares, and an anchor that is not published.
pub struct Scene {
    pub repository: Repository,
    pub cluster: Cluster,
    pub new: Authority,
}

pub fn scene() -> Option<Scene> {
    if !runner::has("verify_repositories", &["git", "kubectl"]) {
        return None;
    }
    Some(Scene { repository: Repository::new()?, cluster: Cluster::new(), new: new_anchor() })
}

pub fn files(all: &[(&str, String)]) -> Files {
    all.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect()
}

pub fn layout(name: &str, declared: &Declared) -> Files {
    let found = RENDERED.iter().chain(VALUES).find(|(layout, _)| *layout == name).unwrap();
    (found.1)(declared)
}

pub fn below(directory: &str, files: Files) -> Files {
    files.into_iter().map(|(name, text)| (format!("{directory}/{name}"), text)).collect()
}

pub fn kustomization(fields: &Value) -> String {
    let mut tree = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"});
    tree.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    text(&[tree])
}

impl Scene {
    pub fn now(&self) -> Declared {
        Declared::of(&self.cluster)
    }

    /// The same with other anchors: both, or only the new one.
    pub fn with_both(&self) -> Declared {
        Declared { bundle: bundle(&[&self.cluster.anchor, &self.new]), ..self.now() }
    }

    pub fn with_new(&self) -> Declared {
        Declared { bundle: bundle(&[&self.new]), ..self.now() }
    }

    pub fn base(&self, files: &Files) {
        self.repository.write(files);
        self.repository.commit();
    }

    /// The verdict on these files in the place of those of the base, and the codes of its findings.
    pub fn after(&self, files: &Files) -> (String, Vec<String>) {
        self.repository.write(files);
        let (verdict, tree, _) = self.repository.verify(&["-f", ".", "-R"]);
        if tree.is_null() {
            return (verdict, Vec::new());
        }
        (verdict, codes(&tree).into_iter().map(str::to_owned).collect())
    }

    pub fn verdict(&self, files: &Files) -> String {
        self.after(files).0
    }
}

#[test]
#[ignore = "long"]
fn overlays_of_one_base_are_clusters_of_their_own() {
    let Some(scene) = scene() else { return };
    let of = |dev: &Declared, prod: &Declared| {
        let overlay = |name: &str, it: &Declared| {
            files(&[
                (
                    &format!("overlays/{name}/kustomization.yaml"),
                    kustomization(&json!({"resources": ["../../base"], "patches": [{"path": "trust.yaml"}]})),
                ),
                (&format!("overlays/{name}/trust.yaml"), text(&[trust_roots(&it.bundle)])),
            ])
        };
        let base = files(&[
            ("base/kustomization.yaml", kustomization(&json!({"resources": ["all.yaml"]}))),
            ("base/all.yaml", text(&prod.objects())),
        ]);
        [base, overlay("dev", dev), overlay("prod", prod)].concat()
    };
    scene.base(&of(&scene.now(), &scene.now()));
    assert_eq!(scene.verdict(&of(&scene.now(), &Declared { replicas: 4, ..scene.now() })), "not-about-trust");
    assert_eq!(scene.verdict(&of(&scene.with_both(), &scene.now())), "safe");
    scene.repository.write(&of(&scene.with_new(), &scene.now()));
    let (verdict, tree, code) = scene.repository.verify(&["-f", ".", "-R"]);
    assert_eq!((verdict.as_str(), &tree["unit"], code), ("unsafe", &json!("overlays/dev"), 4), "{tree:#}");
    let units = tree["units"].as_array().unwrap();
    assert_eq!(units[1]["unit"], "overlays/prod");
    assert_eq!(units[1]["verdict"], "not-about-trust", "{tree:#}");
}

#[test]
fn a_secret_behind_an_issuer_of_cert_manager_counts_whatever_its_name() {
    let Some(scene) = scene() else { return };
    let sealed = |name: &str, data: &str| {
        json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
            "metadata": {"name": name, "namespace": "cert-manager"}, "spec": {"encryptedData": {"tls.crt": data}}})
    };
    let certificate = |name: &str, secret: &str, kind: &str, issuer: &str| {
        json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": name, "namespace": "cert-manager"},
            "spec": {"secretName": secret, "isCA": true, "issuerRef": {"kind": kind, "name": issuer}}})
    };
    let of = |root: &str, database: &str, secret_name: &str| {
        let mut own =
            certificate("linkerd-identity-issuer", "linkerd-identity-issuer", "ClusterIssuer", "mesh");
        own["metadata"]["namespace"] = "linkerd".into();
        let issuer = json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "mesh"},
            "spec": {"ca": {"secretName": "company-root"}}});
        let chain = [
            own,
            issuer,
            certificate("root", secret_name, "Issuer", "selfsigned"),
            sealed("company-root", root),
            sealed("database", database),
        ];
        let mut objects = scene.now().objects();
        objects.remove(1);
        files(&[("linkerd.yaml", text(&objects)), ("certificates.yaml", text(&chain))])
    };
    scene.base(&of("a", "a", "company-root"));
    assert_eq!(scene.verdict(&of("a", "b", "company-root")), "not-about-trust");
    assert_eq!(
        scene.after(&of("b", "a", "company-root")),
        ("unknown".to_owned(), vec!["not-rendered".to_owned()])
    );
    assert_eq!(scene.after(&of("a", "a", "other-root")).0, "unknown");
}

#[test]
fn what_nothing_explains_is_unknown_where_it_is_about_trust() {
    let Some(scene) = scene() else { return };
    let base = layout("one file", &scene.now());
    scene.base(&base);
    let certificate = scene.new.certificate.to_pem();
    let remote = kustomization(&json!({"resources": ["https://git.example.test/linkerd?ref=2"]}));
    for (name, content) in [
        ("environments/prod.tfvars", format!("anchors = <<EOT\n{certificate}EOT\n")),
        ("scripts/upgrade.sh", "helm upgrade linkerd --set-file identityTrustAnchorsPEM=ca.crt\n".to_owned()),
        ("mesh/.argocd-source-linkerd.yaml", "helm:\n  parameters:\n  - name: identityTrustAnchorsPEM\n    value: x\n".to_owned()),
        ("ca.crt", certificate.clone()),
        ("broken.yaml", "identityTrustAnchorsPEM: [\n}\n".to_owned()),
        ("component/kustomization.yaml", "kind: Component\npatches:\n- patch: |-\n    metadata:\n      name: linkerd-identity-trust-roots\n".to_owned()),
        (
            "flux.yaml",
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: x\nspec:\n  path: ./elsewhere\n  patches:\n  - patch: |-\n      metadata:\n        name: linkerd-identity-trust-roots\n".to_owned(),
        ),
        ("remote/kustomization.yaml", remote + "# linkerd-identity-trust-roots\n"),
    ] {
        let mut all = base.clone();
        all.push((name.to_owned(), content));
        assert_eq!(scene.after(&all), ("unknown".to_owned(), vec!["not-understood".to_owned()]), "{name}");
    }
}

#[test]
fn the_files_of_a_rotation_are_not_deployed() {
    let Some(scene) = scene() else { return };
    let base = layout("one file", &scene.now());
    scene.base(&base);
    let output = runner::plugin()
        .current_dir(scene.repository.home.path())
        .args(["start", "-f", ".", "-R", "--dir", "rotation", "--at", NOW])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(scene.repository.git(&["add", "-A"]));
    let (verdict, tree, _) = scene.repository.verify(&["-f", ".", "-R"]);
    assert_eq!(verdict, "not-about-trust", "{tree:#}");
}

#[test]
fn a_cluster_that_comes_or_goes_is_unknown_and_one_that_moves_is_not_about_trust() {
    let Some(scene) = scene() else { return };
    let of = |names: &[&str]| -> Files {
        names.iter().flat_map(|name| below(name, layout("one file", &scene.now()))).collect()
    };
    scene.base(&of(&["clusters/a"]));
    assert_eq!(scene.verdict(&of(&["clusters/b"])), "not-about-trust");
    let mut second = of(&["clusters/a", "clusters/b"]);
    assert_eq!(scene.after(&second).0, "unknown");
    second[0].1 = second[0].1.replace("BEGIN", "XEGIN");
    // The one that was there is judged all the same.
    assert_eq!(scene.after(&second).0, "unsafe");
    scene.base(&of(&["clusters/a", "clusters/b"]));
    let once = ("unknown".to_owned(), vec!["control-plane-declared-once".to_owned()]);
    assert_eq!(scene.after(&of(&["clusters/a", "clusters/b", "clusters/c"])), once);
    assert_eq!(scene.verdict(&of(&["clusters/a"])), "unknown");
}

#[test]
fn a_value_set_by_path_ends_at_a_comma_as_helm_ends_it() {
    let Some(scene) = scene() else { return };
    let of =
        |bundle: String| layout("a HelmRelease with values set by path", &Declared { bundle, ..scene.now() });
    scene.base(&of(scene.now().bundle));
    assert_eq!(scene.verdict(&of(format!("# CN=root, O=example\n{}", scene.now().bundle))), "unsafe");
}

#[test]
fn values_that_only_the_cluster_can_decrypt_are_unknown_where_they_change() {
    let Some(scene) = scene() else { return };
    let of = |data: &str, interval: &str| {
        let release = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "linkerd", "namespace": "linkerd"}, "spec": {"interval": interval,
                "chart": {"spec": {"chart": "linkerd-control-plane"}},
                "valuesFrom": [{"kind": "Secret", "name": "linkerd-values"}],
                "values": {"identityTrustAnchorsPEM": scene.now().bundle}}});
        let sealed = json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
            "metadata": {"name": "linkerd-values", "namespace": "linkerd"}, "spec": {"encryptedData": {"values.yaml": data}}});
        files(&[("release.yaml", text(&[release])), ("sealed.yaml", text(&[sealed]))])
    };
    scene.base(&of("a", "5m"));
    assert_eq!(scene.verdict(&of("a", "9m")), "not-about-trust");
    assert_eq!(scene.after(&of("b", "5m")), ("unknown".to_owned(), vec!["not-understood".to_owned()]));
}

#[test]
fn manifests_that_git_does_not_track_are_named_and_what_is_excluded_is_not_read() {
    let Some(scene) = scene() else { return };
    scene.base(&layout("a file an object", &scene.now()));
    let home = scene.repository.home.path();
    fs::write(home.join("linkerd/9.yaml"), text(&[trust_roots(&scene.with_new().bundle)])).unwrap();
    let run = |arguments: &[&str]| {
        let output = runner::plugin()
            .current_dir(home)
            .args(arguments)
            .args(["-f", ".", "-R", "--at", NOW])
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(&["status"]);
    assert!(
        code == Some(0) && said.contains("1 manifest is not in Git and not read (linkerd/9.yaml)"),
        "{said}"
    );
    assert!(scene.repository.git(&["add", "-A"]));
    let (code, said) = run(&["status"]);
    assert!(
        code == Some(2) && said.contains("stands twice, with different content: linkerd/0.yaml"),
        "{said}"
    );
    let (code, said) = run(&["status", "--exclude", "9.yaml"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

#[test]
fn what_git_commits_counts_where_it_passes_over_the_working_tree() {
    let Some(scene) = scene() else { return };
    let of = |it: &Declared| layout("one file", it);
    for flag in ["--assume-unchanged", "--skip-worktree"] {
        let unflag = flag.replace("--", "--no-");
        scene.base(&of(&scene.now()));
        scene.repository.add(&of(&scene.with_new()));
        assert!(scene.repository.git(&["add", "-A"]));
        assert!(scene.repository.git(&["update-index", flag, "linkerd.yaml"]));
        // The working tree has again what the base has: committed is what the index has.
        let home = scene.repository.home.path();
        fs::write(home.join("linkerd.yaml"), &of(&scene.now())[0].1).unwrap();
        let (verdict, tree, _) = scene.repository.verify(&["-f", ".", "-R"]);
        assert_eq!(verdict, "unsafe", "{flag}: {tree:#}");
        fs::remove_file(home.join("linkerd.yaml")).unwrap();
        let (verdict, tree, _) = scene.repository.verify(&["-f", ".", "-R"]);
        assert_eq!(verdict, "unsafe", "{flag}, not there: {tree:#}");
        assert!(scene.repository.git(&["update-index", &unflag, "linkerd.yaml"]));
        scene.base(&of(&scene.now()));
        assert!(scene.repository.git(&["update-index", flag, "linkerd.yaml"]));
        fs::write(home.join("linkerd.yaml"), &of(&scene.with_new())[0].1).unwrap();
        let (verdict, tree, _) = scene.repository.verify(&["-f", ".", "-R"]);
        assert_eq!(verdict, "not-about-trust", "{flag}: {tree:#}");
        assert!(scene.repository.git(&["update-index", &unflag, "linkerd.yaml"]));
    }
}

#[cfg(unix)]
#[test]
fn links_and_names_of_any_bytes_are_part_of_a_repository() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let Some(scene) = scene() else { return };
    let home = scene.repository.home.path();
    let linked = |it: &Declared| below("shared", layout("one file", it));
    scene.base(&linked(&scene.now()));
    fs::create_dir(home.join("prod")).unwrap();
    std::os::unix::fs::symlink("../shared/linkerd.yaml", home.join("prod/linkerd.yaml")).unwrap();
    scene.repository.commit();
    scene.repository.add(&linked(&scene.with_new()));
    let (verdict, tree, _) = scene.repository.verify(&["-f", "prod", "-R"]);
    assert_eq!(verdict, "unsafe", "{tree:#}");
    scene.repository.commit();
    fs::write(home.join(OsStr::from_bytes(b"ca-\xff.crt")), scene.new.certificate.to_pem()).unwrap();
    assert!(scene.repository.git(&["add", "-A"]));
    let (verdict, tree, _) = scene.repository.verify(&["-f", ".", "-R"]);
    assert_eq!(verdict, "unknown", "{tree:#}");
}

#[test]
fn without_kubectl_a_kustomization_about_trust_is_unknown_and_another_is_none_of_its_business() {
    let Some(scene) = scene() else { return };
    let of = |it: &Declared, shop: u64| {
        let mut all = below("mesh", layout("base and overlay", it));
        all.push(("shop/kustomization.yaml".to_owned(), kustomization(&json!({"resources": ["shop.yaml"]}))));
        all.push((
            "shop/shop.yaml".to_owned(),
            text(&Declared { replicas: shop, ..scene.now() }.objects()[3..]),
        ));
        all
    };
    let tools = tempfile::tempdir().unwrap();
    let git = runner::other("sh").args(["-c", "command -v git"]).output().unwrap();
    fs::write(
        tools.path().join("git"),
        format!("#!/bin/sh\nexec {} \"$@\"\n", String::from_utf8(git.stdout).unwrap().trim()),
    )
    .unwrap();
    let shell = runner::other("chmod").arg("755").arg(tools.path().join("git")).status().unwrap();
    assert!(shell.success());
    let verdict = || {
        let output = runner::plugin()
            .current_dir(scene.repository.home.path())
            .env("PATH", tools.path())
            .args(["verify", "--git-base", "HEAD", "-f", ".", "-R", "-o", "json", "--at", NOW])
            .output()
            .unwrap();
        let tree: Value = serde_json::from_slice(&output.stdout).unwrap();
        (tree["verdict"].as_str().unwrap().to_owned(), tree["findings"][0]["evidence"]["why"].clone())
    };
    scene.base(&of(&scene.now(), 1));
    scene.repository.write(&of(&scene.now(), 2));
    assert_eq!(verdict(), ("not-about-trust".to_owned(), Value::Null));
    scene.repository.write(&of(&scene.with_new(), 1));
    assert_eq!(verdict(), ("unknown".to_owned(), json!("no-kubectl")));
}

/// A change of these files is never taken for green: name, base, and what the change does to it.
type NeverGreen = (&'static str, Files, fn(&mut Files));

/// Replaces a text in a file, which must be there.
pub fn edit(files: &mut Files, name: &str, from: &str, to: &str) {
    let file = files.iter_mut().find(|(file, _)| file == name).unwrap();
    assert!(file.1.contains(from), "{name}: {from}");
    file.1 = file.1.replace(from, to);
}

fn never_green(scene: &Scene) -> Vec<NeverGreen> {
    let now = scene.now();
    let release = || layout("a HelmRelease", &now);
    let flux = |spec: Value| {
        let mut all =
            json!({"path": "./mesh", "sourceRef": {"kind": "GitRepository", "name": "flux-system"}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let object = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "mesh", "namespace": "flux-system"}, "spec": all});
        [files(&[("flux.yaml", text(&[object]))]), below("mesh", layout("one file", &now))].concat()
    };
    let mut by_secret = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "mesh", "namespace": "linkerd"},
        "spec": {"chart": {"spec": {"chart": "linkerd-control-plane"}}, "values": now.values(),
            "valuesFrom": [{"kind": "Secret", "name": "o", "valuesKey": "ca", "targetPath": "identityTrustAnchorsPEM"}]}});
    by_secret["spec"]["values"].as_object_mut().unwrap().remove("identityTrustAnchorsPEM");
    let external = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "q", "namespace": "linkerd"},
        "spec": {"target": {"name": "o"}, "data": [{"secretKey": "ca", "remoteRef": {"key": "k", "version": "1"}}]}});
    let mut encrypted = now.objects();
    encrypted[1]["stringData"] = json!({"crt.pem": now.issuer, "key.pem": "ENC[a]"});
    encrypted[1].as_object_mut().unwrap().remove("data");
    encrypted[1]["sops"] = json!({"mac": "x"});
    let comma = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "r", "namespace": "linkerd"}, "data": {"r": "2"}});
    let mut by_path = release();
    edit(
        &mut by_path,
        "linkerd.yaml",
        "  values:",
        "  valuesFrom:\n  - kind: ConfigMap\n    name: r\n    valuesKey: r\n    targetPath: controllerManagerReplicas\n  values:",
    );
    by_path.extend(files(&[("r.yaml", text(&[comma]))]));
    vec![
        ("another chart", release(), |it| edit(it, "linkerd.yaml", "chart: linkerd-control-plane", "chart: podinfo")),
        ("another namespace", release(), |it| edit(it, "linkerd.yaml", "interval: 5m", "interval: 5m\n  targetNamespace: mesh")),
        ("another cluster", release(), |it| edit(it, "linkerd.yaml", "interval: 5m", "interval: 5m\n  kubeConfig:\n    secretRef:\n      name: x")),
        ("another source", flux(json!({})), |it| edit(it, "flux.yaml", "name: flux-system", "name: other")),
        ("a prefix", flux(json!({})), |it| edit(it, "flux.yaml", "path:", "namePrefix: zz-\n  path:")),
        ("no deployment any more", flux(json!({})), |it| it.retain(|(name, _)| name != "flux.yaml")),
        ("an ignored directory", flux(json!({})), |it| it.push((".sourceignore".to_owned(), "/mesh\n".to_owned()))),
        ("a kustomization that names it no more", layout("a kustomization", &now), |it| {
            edit(it, "linkerd/kustomization.yaml", "- all.yaml", "- other.yaml");
            it.push(("linkerd/other.yaml".to_owned(), "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n".to_owned()));
        }),
        ("a kustomization that is empty", layout("a kustomization", &now), |it| it.iter_mut().filter(|(name, _)| name.ends_with("kustomization.yaml")).for_each(|(_, text)| text.clear())),
        ("a Secret of another name than its operator's object", files(&[("release.yaml", text(&[by_secret])), ("external.yaml", text(&[external]))]), |it| edit(it, "external.yaml", "version: \"1\"", "version: \"2\"")),
        ("an encrypted key alone", files(&[("all.yaml", text(&encrypted))]), |it| edit(it, "all.yaml", "ENC[a]", "ENC[b]")),
        ("what follows a comma", by_path, |it| edit(it, "r.yaml", "r: \"2\"", "r: 2,identityTrustDomain=other")),
        ("the values of an environment", files(&[("mesh/values.yaml", text(&[now.values()])), ("mesh/values-prod.yaml", "controllerReplicas: 2\n".to_owned())]), |it| {
            edit(it, "mesh/values-prod.yaml", "controllerReplicas: 2", "identityTrustDomain: other");
        }),
        ("the alias of a dependency", layout("values of an umbrella chart", &now), |it| edit(it, "platform/Chart.yaml", "alias: mesh", "alias: other")),
        ("linkerd-config", layout("a file an object", &now), |it| it.retain(|(name, _)| name != "linkerd/2.yaml")),
        ("another namespace of plain objects", layout("a kustomization", &now), |it| edit(it, "linkerd/kustomization.yaml", "resources:", "namespace: other\nresources:")),
        ("a value of helmfile", files(&[("helmfile.yaml", "releases:\n- chart: linkerd/linkerd-control-plane\n  values:\n  - identityTrustDomain: a\n".to_owned())]), |it| {
            edit(it, "helmfile.yaml", "Domain: a", "Domain: b");
        }),
        ("a file that Terraform reads", files(&[
            ("main.tf", "resource \"helm_release\" \"l\" {\n  chart = \"linkerd-control-plane\"\n  set { name = \"identityTrustAnchorsPEM\"\n value = var.anchors }\n}\n".to_owned()),
            ("prod.tfvars", "anchors = \"a\"\n".to_owned()),
        ]), |it| edit(it, "prod.tfvars", "\"a\"", "\"b\"")),
    ]
}

#[test]
#[ignore = "long"]
fn what_could_reach_trust_is_never_taken_for_green() {
    let Some(scene) = scene() else { return };
    let mut wrong = Vec::new();
    for (name, base, change) in never_green(&scene) {
        scene.base(&base);
        let mut changed = base;
        change(&mut changed);
        let (verdict, codes) = scene.after(&changed);
        if !["unknown", "unsafe"].contains(&verdict.as_str()) {
            wrong.push(format!("{name}: {verdict} {codes:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

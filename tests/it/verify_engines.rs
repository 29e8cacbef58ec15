//! What Flux, Argo CD and ApplicationSets do with a repository, where `verify` judges a change of it.

use serde_json::json;

use crate::layouts::{Declared, text};
use crate::verify_repositories::{below, files, kustomization, layout, scene};

#[test]
fn clusters_of_flux_are_told_by_who_deploys_what() {
    let Some(scene) = scene() else { return };
    let flux = |cluster: &str| {
        json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "linkerd", "namespace": "flux-system"},
            "spec": {"path": format!("./infrastructure/{cluster}"), "sourceRef": {"kind": "GitRepository", "name": "flux-system"}}})
    };
    let of = |dev: &Declared, prod: &Declared| {
        let mut all = files(&[
            ("clusters/dev/linkerd.yaml", text(&[flux("dev")])),
            ("clusters/prod/linkerd.yaml", text(&[flux("prod")])),
        ]);
        all.extend(below("infrastructure/dev", layout("one file", dev)));
        all.extend(below("infrastructure/prod", layout("a HelmRelease", prod)));
        all
    };
    scene.base(&of(&scene.now(), &scene.now()));
    scene.repository.write(&of(&scene.now(), &scene.with_new()));
    let (verdict, tree, _) = scene.repository.verify(&["-f", ".", "-R"]);
    assert_eq!((verdict.as_str(), &tree["unit"]), ("unsafe", &json!("clusters/prod")), "{tree:#}");
}

#[test]
fn what_flux_substitutes_in_trust_material_is_unknown() {
    let Some(scene) = scene() else { return };
    let of = |anchors: &str, interval: &str| {
        let flux = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "linkerd", "namespace": "flux-system"},
            "spec": {"path": "./linkerd", "interval": interval, "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
                "postBuild": {"substitute": {"anchors": anchors}}}});
        let declared = Declared { bundle: "${anchors}".to_owned(), ..scene.now() };
        [files(&[("flux.yaml", text(&[flux]))]), below("linkerd", layout("one file", &declared))].concat()
    };
    scene.base(&of("a", "5m"));
    assert_eq!(scene.verdict(&of("a", "5m")), "not-about-trust");
    assert_eq!(scene.after(&of("b", "5m")), ("unknown".to_owned(), vec!["not-understood".to_owned()]));
}

#[test]
fn an_engines_interval_and_other_peoples_changes_are_not_about_trust() {
    let Some(scene) = scene() else { return };
    let of = |interval: &str, base: &str, chart: &str, page: &str| {
        let other =
            kustomization(&json!({"resources": [format!("https://git.example.test/rollouts?ref={base}")]}));
        let release = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "ingress"},
            "spec": {"chart": {"spec": {"chart": "ingress-nginx", "version": chart}}, "values": {"tls": "x"}}});
        let mut all = layout("a HelmRelease", &scene.now());
        all[0].1 = all[0].1.replace("interval: 5m", &format!("interval: {interval}"));
        all.extend(files(&[
            ("rollouts/kustomization.yaml", other),
            ("ingress.yaml", text(&[release])),
            ("README.md", format!("# {page}\n\n{}\n", scene.new.certificate.to_pem())),
            ("charts/x/Chart.yaml", "apiVersion: v2\nname: x\nversion: 0.1.0\n".to_owned()),
            ("charts/x/templates/all.yaml", format!("{{{{ if .x }}}}\nkind: {page}\n{{{{ end }}}}\n")),
            ("stack.yaml", format!("Resources:\n  Bucket: !Ref {page}\n")),
            ("dashboard.json", format!("[1, \"{page}\"]")),
            ("broken.yaml", format!("a: [\n{page}: }}\n")),
        ]));
        all
    };
    scene.base(&of("5m", "1", "1", "one"));
    for changed in [
        of("9m", "1", "1", "one"),
        of("5m", "2", "1", "one"),
        of("5m", "1", "2", "one"),
        of("5m", "1", "1", "two"),
    ] {
        assert_eq!(scene.after(&changed), ("not-about-trust".to_owned(), Vec::new()));
    }
}

#[test]
fn an_application_set_whose_generator_asks_the_clusters_is_unknown_where_its_values_change() {
    let Some(scene) = scene() else { return };
    let of = |anchors: &str, replicas: u64| {
        let set = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "linkerd"},
            "spec": {"generators": [{"clusters": {}}], "template": {"metadata": {"name": "{{name}}-linkerd"}, "spec": {
                "destination": {"namespace": "linkerd", "server": "{{server}}"}, "source": {"chart": "linkerd-control-plane",
                    "helm": {"valuesObject": {"identityTrustAnchorsPEM": anchors, "controllerReplicas": replicas}}}}}}});
        files(&[("set.yaml", text(&[set]))])
    };
    scene.base(&of(&scene.now().bundle, 1));
    assert_eq!(
        scene.after(&of(&scene.with_both().bundle, 1)),
        ("unknown".to_owned(), vec!["not-understood".to_owned()])
    );
}

#[test]
fn a_change_that_the_engine_will_not_make_says_so() {
    let Some(scene) = scene() else { return };
    let chart = |version: &str| format!("apiVersion: v2\nname: mesh\nversion: {version}\n");
    let release = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "mesh", "namespace": "linkerd"},
        "spec": {"chart": {"spec": {"chart": "./charts/mesh", "sourceRef": {"kind": "GitRepository", "name": "flux-system"}}}}});
    let umbrella = |it: &Declared, version: &str| {
        files(&[
            ("release.yaml", text(std::slice::from_ref(&release))),
            ("charts/mesh/Chart.yaml", chart(version)),
            ("charts/mesh/values.yaml", text(&[json!({"linkerd-control-plane": it.values()})])),
        ])
    };
    let trap = vec!["change-without-effect".to_owned()];
    scene.base(&umbrella(&scene.now(), "1.0.0"));
    assert_eq!(scene.after(&umbrella(&scene.with_both(), "1.0.0")), ("safe".to_owned(), trap.clone()));
    assert_eq!(scene.after(&umbrella(&scene.with_both(), "1.0.1")), ("safe".to_owned(), Vec::new()));
    let once = |it: &Declared| {
        let mut objects = it.objects();
        objects[0]["metadata"]["annotations"] = json!({"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"});
        objects[2] = it.objects()[2].clone();
        files(&[("all.yaml", text(&objects))])
    };
    scene.base(&once(&scene.now()));
    assert_eq!(scene.after(&once(&scene.with_both())), ("safe".to_owned(), trap));
    assert_eq!(
        scene.after(&once(&Declared { replicas: 2, ..scene.now() })),
        ("not-about-trust".to_owned(), Vec::new())
    );
}

#[test]
fn what_argo_cd_reads_over_an_application_counts() {
    let Some(scene) = scene() else { return };
    let of = |anchors: &str| {
        let application = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "mesh", "namespace": "argocd"},
            "spec": {"destination": {"namespace": "linkerd"}, "source": {"path": "charts/mesh", "helm": {"valueFiles": ["values.yaml"]}}}});
        let over = json!({"helm": {"parameters": [{"name": "linkerd-control-plane.identityTrustAnchorsPEM", "value": anchors}]}});
        files(&[
            ("apps/mesh.yaml", text(&[application])),
            ("charts/mesh/Chart.yaml", "apiVersion: v2\nname: mesh\nversion: 1.0.0\n".to_owned()),
            ("charts/mesh/values.yaml", text(&[json!({"linkerd-control-plane": scene.now().values()})])),
            ("charts/mesh/.argocd-source-mesh.yaml", text(&[over])),
        ])
    };
    scene.base(&of(&scene.now().bundle));
    assert_eq!(scene.verdict(&of(&scene.with_both().bundle)), "safe");
    assert_eq!(scene.verdict(&of(&scene.with_new().bundle)), "unsafe");
}

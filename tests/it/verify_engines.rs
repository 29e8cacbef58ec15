//! What Flux, Argo CD and ApplicationSets do with a repository, where `verify` judges a change of it.

use serde_json::{Value, json};

use crate::layouts::{Declared, text};
use crate::verify_reach::{application, helm_release, judge, object, row, with};
use crate::verify_repositories::{below, edit, files, kustomization, layout, scene};

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

#[test]
#[ignore = "long"]
fn what_engines_make_applications_of() {
    let Some(scene) = scene() else { return };
    let set = |generators: Value, helm: Value| {
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "linkerd"},
            "spec": {"syncPolicy": {"preserveResourcesOnDeletion": false}, "generators": generators, "template": {"metadata": {"name": "{{cluster}}-linkerd"}, "spec": {
                "destination": {"namespace": "linkerd", "server": "{{server}}"}, "source": {"chart": "linkerd-control-plane", "targetRevision": "1", "helm": helm}}}}})
    };
    let now = scene.now();
    let own = set(
        json!([{"list": {"elements": [{"cluster": "a", "server": "s"}], "template": {"metadata": {}, "spec": {"source": {"helm": {"parameters": [{"name": "identityTrustDomain", "value": "one"}]}}}}}}]),
        json!({"valuesObject": now.values()}),
    );
    let by_files = set(
        json!([{"git": {"files": [{"path": "clusters/*/config.json"}]}}]),
        json!({"valuesObject": now.values(), "parameters": [{"name": "proxy.additionalEnv[0].name", "value": "{{env}}"}, {"name": "proxy.additionalEnv[0].value", "value": "one"}]}),
    );
    let by_matrix = set(
        json!([{"matrix": {"generators": [{"git": {"files": [{"path": "clusters/**/config.json"}]}}, {"list": {"elements": [{"x": "y"}]}}]}}]),
        json!({"valuesObject": now.values(), "parameters": [{"name": "identity.additionalEnv[0].name", "value": "{{env}}"}]}),
    );
    let cluster = || {
        (
            "clusters/a/config.json",
            "{\n  \"cluster\": \"a\", \"server\": \"s\",\n  \"env\": \"one\",\n  \"version\": \"1\"\n}\n"
                .to_owned(),
        )
    };
    let parameters = |name: &str, value: &str| {
        let helm = json!({"valuesObject": now.values(), "parameters": [{"name": "proxy.additionalEnv[0].name", "value": name}, {"name": "proxy.additionalEnv[0].value", "value": value}, {"name": "proxy.image.version", "value": "1"}]});
        files(&[(
            "linkerd.yaml",
            text(&[application("linkerd", json!({"chart": "linkerd-control-plane", "helm": helm}))]),
        )])
    };
    let flux = |name: &str, path: &str, more: Value| {
        let mut spec = json!({"path": path, "interval": "5m", "sourceRef": {"kind": "GitRepository", "name": "flux-system"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": name, "namespace": "flux-system"}, "spec": spec})
    };
    let patched = [
        files(&[
            ("clusters/a.yaml", text(&[flux("apps", "./apps", json!({"patches": [{"target": {"kind": "Kustomization", "name": "mesh"}, "patch": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: mesh\nspec:\n  targetNamespace: one\n"}]}))])),
            ("apps/mesh.yaml", text(&[flux("mesh", "./mesh", json!({}))])),
        ]),
        below("mesh", layout("one file", &now)),
    ]
    .concat();
    let directory = [
        files(&[("apps/mesh.yaml", text(&[application("mesh", json!({"path": "mesh"}))]))]),
        below("mesh", layout("one file", &now)),
        files(&[("mesh/shop.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\n".to_owned())]),
    ]
    .concat();
    let oci = |url: &str| {
        object(
            "source.toolkit.fluxcd.io/v1",
            "OCIRepository",
            "mesh",
            json!({"spec": {"interval": "5m", "url": url, "ref": {"tag": "1"}}}),
        )
    };
    let by_oci = files(&[
        (
            "release.yaml",
            text(&[helm_release(
                "mesh",
                json!({"chartRef": {"kind": "OCIRepository", "name": "mesh"}, "values": now.values()}),
            )]),
        ),
        ("source.yaml", text(&[oci("oci://one.example/charts/linkerd-control-plane")])),
    ]);
    let by_repository = with(
        layout("a HelmRelease", &now),
        &[(
            "source.yaml",
            text(&[object(
                "source.toolkit.fluxcd.io/v1",
                "HelmRepository",
                "linkerd",
                json!({"spec": {"interval": "5m", "url": "https://one.example"}}),
            )]),
        )],
    );
    let sealed = files(&[
        (
            "release.yaml",
            text(&[helm_release(
                "mesh",
                json!({"interval": "5m", "chart": {"spec": {"chart": "platform"}}, "values": {"linkerd-control-plane": now.values()},
                    "valuesFrom": [{"kind": "Secret", "name": "roots", "valuesKey": "ca.crt", "targetPath": "linkerd-control-plane.identityTrustAnchorsPEM"}]}),
            )]),
        ),
        (
            "sealed.yaml",
            text(&[object(
                "bitnami.com/v1alpha1",
                "SealedSecret",
                "roots",
                json!({"spec": {"encryptedData": {"ca.crt": "AgB1"}}}),
            )]),
        ),
    ]);
    let charts = files(&[(
        "mesh/kustomization.yaml",
        kustomization(
            &json!({"helmCharts": [{"name": "linkerd-control-plane", "repo": "https://one.example", "version": "1", "namespace": "linkerd", "valuesInline": now.values()}]}),
        ),
    )]);
    judge(
        &scene,
        vec![
            row(
                "a template of a generator",
                files(&[("set.yaml", text(&[own]))]),
                |it| edit(it, "set.yaml", "value: one", "value: two"),
                |it| {
                    edit(
                        it,
                        "set.yaml",
                        "preserveResourcesOnDeletion: false",
                        "preserveResourcesOnDeletion: true",
                    )
                },
            ),
            row(
                "a file of a generator",
                with(files(&[("set.yaml", text(&[by_files]))]), &[cluster()]),
                |it| edit(it, "clusters/a/config.json", "one", "two"),
                |it| edit(it, "clusters/a/config.json", "\"1\"", "\"2\""),
            ),
            row(
                "a file of a nested generator",
                with(files(&[("set.yaml", text(&[by_matrix]))]), &[cluster()]),
                |it| edit(it, "clusters/a/config.json", "one", "two"),
                |it| edit(it, "clusters/a/config.json", "\"1\"", "\"2\""),
            ),
            row(
                "the name of a variable",
                parameters("A", "x"),
                |it| edit(it, "linkerd.yaml", "value: A", "value: B"),
                |it| edit(it, "linkerd.yaml", "value: \"1\"", "value: \"2\""),
            ),
            row(
                "the value of a variable",
                parameters("A", "x"),
                |it| edit(it, "linkerd.yaml", "value: x", "value: y"),
                |it| edit(it, "linkerd.yaml", "value: \"1\"", "value: \"2\""),
            ),
            row(
                "a patch of another engine's object",
                patched,
                |it| edit(it, "clusters/a.yaml", "targetNamespace: one", "targetNamespace: two"),
                |it| edit(it, "clusters/a.yaml", "interval: 5m", "interval: 9m"),
            ),
            row(
                "a file that Argo CD passes over",
                directory,
                |it| {
                    edit(
                        it,
                        "mesh/linkerd.yaml",
                        "apiVersion: v1\nkind: Secret",
                        "# +argocd:skip-file-rendering\napiVersion: v1\nkind: Secret",
                    )
                },
                |it| edit(it, "mesh/shop.yaml", "apiVersion", "# +argocd:skip-file-rendering\napiVersion"),
            ),
            row(
                "another registry",
                by_oci,
                |it| edit(it, "source.yaml", "one.example", "two.example"),
                |it| edit(it, "source.yaml", "tag: \"1\"", "tag: \"2\""),
            ),
            row(
                "another repository",
                by_repository,
                |it| edit(it, "source.yaml", "one.example", "two.example"),
                |it| edit(it, "source.yaml", "interval: 5m", "interval: 9m"),
            ),
            row(
                "a sealed value of an umbrella chart",
                sealed,
                |it| edit(it, "sealed.yaml", "AgB1", "AgB2"),
                |it| edit(it, "release.yaml", "interval: 5m", "interval: 9m"),
            ),
            row(
                "another repository of a kustomization's chart",
                charts,
                |it| edit(it, "mesh/kustomization.yaml", "one.example", "two.example"),
                |it| edit(it, "mesh/kustomization.yaml", "version: \"1\"", "version: \"2\""),
            ),
        ],
    );
}

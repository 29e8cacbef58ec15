//! `verify --git-base` on what other tools than GitOps engines install a mesh by: Terraform, helmfile, kpt and the like.

use crate::verify_reach::{judge, row, with};
use crate::verify_repositories::{edit, files, layout, scene};

#[test]
#[ignore = "long"]
fn what_other_tools_make_a_mesh_of() {
    let Some(scene) = scene() else { return };
    let now = scene.now();
    let mesh = || layout("one file", &now);
    let helm_tf = "resource \"helm_release\" \"linkerd\" {\n  name  = \"mesh\"\n  chart = \"linkerd-control-plane\"\n  set {\n    name  = \"identityTrustAnchorsPEM\"\n    value = tls_self_signed_cert.root.cert_pem\n  }\n}\n";
    let pki_tf = "resource \"tls_private_key\" \"root\" {\n  algorithm = \"ECDSA\"\n}\n\nresource \"tls_self_signed_cert\" \"root\" {\n  private_key_pem       = tls_private_key.root.private_key_pem\n  validity_period_hours = 87600\n}\n";
    let bucket_tf = "resource \"aws_s3_bucket\" \"shop\" {\n  bucket = \"one\"\n}\n";
    let module_tf = "module \"mesh\" {\n  source = \"../../modules/mesh\"\n  root   = var.root\n}\n";
    let in_module = || {
        with(
            mesh(),
            &[
                ("modules/mesh/main.tf", helm_tf.replace("tls_self_signed_cert.root.cert_pem", "var.root")),
                ("live/prod/main.tf", module_tf.to_owned()),
                ("live/prod/terraform.tfvars", "root = \"one\"\nregion = \"eu\"\n".to_owned()),
            ],
        )
    };
    let terraform = || {
        with(
            mesh(),
            &[
                ("infra/linkerd.tf", helm_tf.to_owned()),
                ("infra/pki.tf", pki_tf.to_owned()),
                ("infra/bucket.tf", bucket_tf.to_owned()),
            ],
        )
    };
    let program = "import * as k8s from '@pulumi/kubernetes';\nconst config = new pulumi.Config();\nconst root = config.require('meshRoot');\nnew k8s.helm.v3.Release('mesh', { chart: 'linkerd-control-plane', values: { identityTrustAnchorsPEM: root } });\n";
    let skaffold = "apiVersion: skaffold/v4beta6\nkind: Config\ndeploy:\n  helm:\n    releases:\n    - name: mesh\n      remoteChart: linkerd-control-plane\n      setValues:\n        identity.issuer.scheme: one\n        disableIdentity: a\n    - name: shop\n      remoteChart: shop\n      setValues:\n        color: red\n";
    let fleet = "defaultNamespace: linkerd\nhelm:\n  chart: linkerd-control-plane\n  version: \"1\"\ntargetCustomizations:\n- name: prod\n  helm:\n    values:\n      identity:\n        issuer:\n          scheme: linkerd.io/tls\n";
    let helmfile = "releases:\n- name: mesh\n  chart: linkerd/linkerd-control-plane\n  version: \"1\"\n  values:\n  - identity:\n      issuer:\n        scheme: linkerd.io/tls\n  - mesh/prod.yaml\n- name: shop\n  chart: shop/shop\n  values:\n  - color: red\n";
    let prod = "identity:\n  issuer:\n    scheme: linkerd.io/tls\ncontrollerReplicas: 1\n";
    let ytt = "#@ load(\"@ytt:data\", \"data\")\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: linkerd-identity-trust-roots\n  namespace: linkerd\ndata:\n  ca-bundle.crt: #@ data.values.root\n";
    let kptfile = "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata:\n  name: mesh\npipeline:\n  mutators:\n  - image: gcr.io/kpt-fn/apply-setters:v0.2\n    configMap:\n      root: one\n";
    let setters = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: setters\n  namespace: linkerd\n  annotations:\n    config.kubernetes.io/local-config: \"true\"\ndata:\n  root: one\n  replicas: \"1\"\n";
    let kpt_roots = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: linkerd-identity-trust-roots\n  namespace: linkerd\ndata:\n  ca-bundle.crt: one # kpt-set: ${root}\n";
    judge(
        &scene,
        vec![
            row(
                "a certificate of Terraform",
                terraform(),
                |it| edit(it, "infra/pki.tf", "87600", "87601"),
                |it| edit(it, "infra/bucket.tf", "one", "two"),
            ),
            row(
                "a key of Terraform",
                terraform(),
                |it| edit(it, "infra/pki.tf", "ECDSA", "RSA"),
                |it| {
                    it.push((
                        "infra/other.tf".to_owned(),
                        "resource \"aws_s3_bucket\" \"new\" {\n  bucket = \"new\"\n}\n".to_owned(),
                    ))
                },
            ),
            row(
                "a variable of a module",
                in_module(),
                |it| edit(it, "live/prod/terraform.tfvars", "one", "two"),
                |it| edit(it, "live/prod/terraform.tfvars", "eu", "us"),
            ),
            row(
                "an argument of a module",
                in_module(),
                |it| edit(it, "live/prod/main.tf", "var.root", "var.other"),
                |it| {
                    it.push((
                        "live/prod/shop.tf".to_owned(),
                        "module \"shop\" {\n  source = \"../../modules/shop\"\n}\n".to_owned(),
                    ))
                },
            ),
            row(
                "a configuration of Pulumi",
                with(
                    mesh(),
                    &[
                        ("infra/Pulumi.yaml", "name: infra\nruntime: nodejs\n".to_owned()),
                        (
                            "infra/Pulumi.prod.yaml",
                            "config:\n  infra:meshRoot: one\n  infra:region: eu\n".to_owned(),
                        ),
                        ("infra/index.ts", program.to_owned()),
                    ],
                ),
                |it| edit(it, "infra/Pulumi.prod.yaml", "one", "two"),
                |it| edit(it, "infra/Pulumi.prod.yaml", "eu", "us"),
            ),
            row(
                "a value of Skaffold",
                with(mesh(), &[("skaffold.yaml", skaffold.to_owned())]),
                |it| edit(it, "skaffold.yaml", "disableIdentity: a", "disableIdentity: b"),
                |it| edit(it, "skaffold.yaml", "red", "blue"),
            ),
            row(
                "a customization of Fleet",
                with(mesh(), &[("mesh/fleet.yaml", fleet.to_owned())]),
                |it| edit(it, "mesh/fleet.yaml", "linkerd.io/tls", "kubernetes.io/tls"),
                |it| edit(it, "mesh/fleet.yaml", "version: \"1\"", "version: \"2\""),
            ),
            row(
                "a scheme in helmfile",
                with(mesh(), &[("helmfile.yaml", helmfile.to_owned()), ("mesh/prod.yaml", prod.to_owned())]),
                |it| edit(it, "helmfile.yaml", "linkerd.io/tls", "kubernetes.io/tls"),
                |it| edit(it, "helmfile.yaml", "- name: shop", "- name: new\n  chart: new/new\n- name: shop"),
            ),
            row(
                "a scheme in a file of helmfile",
                with(mesh(), &[("helmfile.yaml", helmfile.to_owned()), ("mesh/prod.yaml", prod.to_owned())]),
                |it| edit(it, "mesh/prod.yaml", "linkerd.io/tls", "kubernetes.io/tls"),
                |it| edit(it, "mesh/prod.yaml", "Replicas: 1", "Replicas: 2"),
            ),
            row("a command of a Makefile", with(mesh(), &[("Makefile", "mesh:\n\thelm upgrade mesh linkerd/linkerd-control-plane \\\n\t\t--set disableIdentity=false\n\nshop:\n\thelm upgrade shop shop\n".to_owned())]), |it| edit(it, "Makefile", "=false", "=true"), |it| edit(it, "Makefile", "upgrade shop shop", "upgrade shop store")),
        row("a module that a program imports", with(mesh(), &[("infra/index.ts", program.replace("config.require('meshRoot')", "roots.mesh").replace("const config", "import roots from './roots';\nconst config")), ("infra/roots.ts", "export default { mesh: 'one' };\n".to_owned()), ("infra/shop.ts", "export default { color: 'red' };\n".to_owned())]), |it| edit(it, "infra/roots.ts", "one", "two"), |it| edit(it, "infra/shop.ts", "red", "blue")),
        row("a substitution of a pipeline", files(&[("mesh/roots.yaml", kpt_roots.replace("one # kpt-set: ${root}", "${ROOTS}")), ("mesh/prod.env", "ROOTS=one\nCOLOR=red\n".to_owned())]), |it| edit(it, "mesh/prod.env", "one", "two"), |it| edit(it, "mesh/prod.env", "red", "blue")),
        row(
                "a value of ytt",
                with(
                    mesh()[..0].to_vec(),
                    &[
                        ("config/roots.yaml", ytt.to_owned()),
                        (
                            "config/values.yaml",
                            "#@data/values\n---\nroot: one\nshop:\n  image: shop:1\n  color: red\n"
                                .to_owned(),
                        ),
                    ],
                ),
                |it| edit(it, "config/values.yaml", "root: one", "root: two"),
                |it| edit(it, "config/values.yaml", "red", "blue"),
            ),
            row(
                "a setter of kpt",
                files(&[("mesh/Kptfile", kptfile.to_owned()), ("mesh/roots.yaml", kpt_roots.to_owned())]),
                |it| edit(it, "mesh/Kptfile", "root: one", "root: two"),
                |it| edit(it, "mesh/Kptfile", "v0.2", "v0.3"),
            ),
            row(
                "a setter of kpt in a ConfigMap",
                files(&[
                    (
                        "mesh/Kptfile",
                        kptfile.replace("configMap:\n      root: one", "configPath: setters.yaml"),
                    ),
                    ("mesh/setters.yaml", setters.to_owned()),
                    ("mesh/roots.yaml", kpt_roots.to_owned()),
                ]),
                |it| edit(it, "mesh/setters.yaml", "root: one", "root: two"),
                |it| edit(it, "mesh/setters.yaml", "replicas: \"1\"", "replicas: \"2\""),
            ),
        ],
    );
}

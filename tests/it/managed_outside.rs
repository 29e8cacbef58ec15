//! Rotations under cert-manager to an anchor whose key is kept outside of the cluster.

use std::fs;

use jiff::SignedDuration;
use l5d_rotate::pki::Authority;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::runner::Ran;
use crate::support::managed::{COMMITS, CONFIRMED, Git, START_OUTSIDE, anchor, bring_signer, steps_by_edits};
use crate::support::user::User;

/// A mesh below an anchor from outside, the new one's certificate in new.pem, and its authority.
fn user() -> (User, Authority) {
    let user = User::over(Cluster::by_cert_manager_below(anchor("company 2026")));
    let new = anchor("company 2027");
    user.put("new.pem", &new.certificate.to_pem());
    (user, new)
}

#[test]
#[ignore = "long"]
fn an_anchor_from_outside_comes_as_its_certificate_alone() {
    let (mut user, new) = user();
    let Ran { code, err: refused, .. } = user.run("start --dir rotation");
    assert_eq!(code, 2, "{refused}");
    assert!(refused.contains("--anchor FILE --signer KIND[.GROUP]/NAME"), "{refused}");
    let started = user.out(START_OUTSIDE);
    assert!(started.contains("ClusterIssuer company-2027"), "{started}");
    let files: Vec<_> = fs::read_dir(user.home.path().join("rotation")).unwrap().collect();
    assert!(
        !files.iter().any(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "key"))
    );

    user.until("issuer/1-issuer");
    let certificate = new.certificate.clone();
    assert!(user.anchors().contains(&certificate) && user.anchors().len() == 2);
    // The Issuer may come later; nothing tells what it signs with, and a human does.
    let Ran { code, err: missing, .. } = user.run("next --dir rotation");
    assert!(code == 4 && missing.contains("signer-missing"), "{missing}");
    bring_signer(&mut user, new);
    let Ran { code, err: unknown, .. } = user.run("next --dir rotation");
    assert!(code == 3 && unknown.contains("signer-not-shown"), "{unknown}");
    let issuer = user.out("next --dir rotation --confirm signer-of-anchor -o object");
    let (code, found) = user.verified(&issuer);
    assert_eq!((code, found.contains(&"signer-not-known".to_owned())), (3, true), "{found:?}");

    let taken = user.rotate(CONFIRMED);
    assert_eq!(taken, COMMITS[3..8]);
    assert_eq!(user.anchors(), [certificate]);
    let issuer = user.object("Certificate", "linkerd-identity-issuer");
    assert_eq!(issuer["spec"]["issuerRef"]["name"], "company-2027");
    // What signed before stays the user's to remove.
    user.object("ClusterIssuer", "linkerd-identity-issuer");
}

#[test]
#[ignore = "long"]
fn it_is_rolled_back_to_the_anchor_that_was() {
    let (mut user, new) = user();
    let old = user.anchors();
    let sources = user.object("Bundle", "linkerd-identity-trust-roots")["spec"]["sources"].clone();
    user.out(START_OUTSIDE);
    bring_signer(&mut user, new);
    user.until("issuer/1-issuer");
    let issuer = user.out("next --dir rotation --confirm signer-of-anchor -o object");
    user.apply(&issuer);
    user.cluster.wait(SignedDuration::from_mins(5));
    let Ran { code, err: unknown, .. } = user.run("next --dir rotation --rollback");
    assert!(code == 3 && unknown.contains("signer-not-shown"), "{unknown}");
    user.rotate(&format!(" --rollback{CONFIRMED}"));
    assert_eq!(user.anchors(), old);
    let issuer = user.object("Certificate", "linkerd-identity-issuer");
    assert_eq!(issuer["spec"]["issuerRef"]["name"], "linkerd-identity-issuer");
    assert_eq!(user.object("Bundle", "linkerd-identity-trust-roots")["spec"]["sources"], sources);
}

/// The guide's own setup, left for an anchor from outside: what made the old one goes in the end.
#[test]
#[ignore = "long"]
fn the_guides_anchor_is_replaced_by_one_from_outside() {
    let mut user = User::by_cert_manager();
    let new = anchor("company 2027");
    let certificate = new.certificate.clone();
    user.put("new.pem", &certificate.to_pem());
    bring_signer(&mut user, new);
    user.out(START_OUTSIDE);
    assert_eq!(user.rotate(CONFIRMED), COMMITS);
    assert_eq!(user.anchors(), [certificate]);
}

#[test]
fn an_issuer_that_signs_elsewhere_is_replaced_by_its_kind_too() {
    let (mut user, new) = user();
    let vault = json!({"vault": {"server": "https://vault.example", "path": "pki/root/sign-intermediate"}});
    let controllers = user.cluster.controllers.as_mut().unwrap();
    for one in &mut controllers.objects {
        if one["kind"] == "ClusterIssuer" {
            one["spec"] = vault.clone();
        }
    }
    bring_signer(&mut user, new);
    user.out("start --dir rotation --anchor new.pem --signer Issuer/company-2027");
    let step = user.out("render issuer --step 1 --force --dir rotation -o json-patch");
    for expected in [
        "op: replace\n  path: /spec/issuerRef/name\n  value: company-2027\n",
        "op: replace\n  path: /spec/issuerRef/kind\n  value: Issuer\n",
    ] {
        assert!(step.contains(expected), "{step}");
    }
}

#[test]
fn what_is_there_already_is_no_new_anchor() {
    let (user, _) = user();
    let present: Value =
        user.object("Bundle", "linkerd-identity-trust-roots")["spec"]["sources"][0]["inLine"].clone();
    user.put("old.pem", present.as_str().unwrap());
    for (flags, what) in [
        ("--anchor old.pem --signer ClusterIssuer/company-2027", "anchor "),
        (
            "--anchor new.pem --signer ClusterIssuer/linkerd-identity-issuer",
            "ClusterIssuer linkerd-identity-issuer",
        ),
    ] {
        let Ran { code, err: refused, .. } = user.run(&format!("start --dir rotation {flags}"));
        assert_eq!(code, 2, "{refused}");
        assert!(refused.contains(what) && refused.contains("is the present one"), "{refused}");
    }
    for wrong in [
        "company",
        "Secret/company",
        "Issuer/",
        "Issuer/Company",
        "StepClusterIssuer/company",
        "StepClusterIssuer.cert-manager.io/company",
        "stepclusterissuer.certmanager.step.sm/company",
        "StepClusterIssuer.step/company",
        "StepClusterIssuer.certmanager..sm/company",
    ] {
        let Ran { code, err: _, .. } =
            user.run(&format!("start --dir rotation --anchor new.pem --signer {wrong}"));
        assert_eq!(code, 2, "{wrong}");
    }
}

/// Nothing of an issuer of another group is read: its group, kind and name are written, and a human answers for it.
#[test]
#[ignore = "long"]
fn an_issuer_of_another_group_signs_below_the_new_anchor() {
    let (mut user, new) = user();
    let certificate = new.certificate.clone();
    let old = user.anchors();
    let controllers = user.cluster.controllers.as_mut().unwrap();
    controllers.bring("aws", new);
    controllers.apply(&json!({"apiVersion": "awspca.cert-manager.io/v1beta1", "kind": "AWSPCAClusterIssuer",
        "metadata": {"name": "company-2027"}, "spec": {"arn": "aws"}}));
    let signer = "AWSPCAClusterIssuer.awspca.cert-manager.io/company-2027";
    let started = user.out(&format!("start --dir rotation --anchor new.pem --signer {signer}"));
    assert!(started.contains("AWSPCAClusterIssuer company-2027"), "{started}");
    user.until("issuer/1-issuer");
    let Ran { code, err: unknown, .. } = user.run("next --dir rotation");
    assert!(code == 3 && unknown.contains("signer-not-shown"), "{unknown}");
    let issuer = user.out("next --dir rotation --confirm signer-of-anchor -o object");
    let (code, found) = user.verified(&issuer);
    assert_eq!((code, found.contains(&"signer-not-known".to_owned())), (3, true), "{found:?}");
    assert_eq!(user.rotate(CONFIRMED), COMMITS[3..8]);
    assert_eq!(user.anchors(), [certificate]);
    let reference = user.object("Certificate", "linkerd-identity-issuer")["spec"]["issuerRef"].clone();
    let expected =
        json!({"kind": "AWSPCAClusterIssuer", "group": "awspca.cert-manager.io", "name": "company-2027"});
    assert_eq!(reference, expected);
    user.rotate(&format!(" --rollback{CONFIRMED}"));
    assert_eq!(user.anchors(), old);
    let reference = user.object("Certificate", "linkerd-identity-issuer")["spec"]["issuerRef"].clone();
    assert_eq!(
        (&reference["kind"], &reference["name"]),
        (&json!("ClusterIssuer"), &json!("linkerd-identity-issuer"))
    );
    assert!(
        ["", "cert-manager.io"].contains(&reference["group"].as_str().unwrap_or_default()),
        "{reference}"
    );
}

/// The whole of it through the user's own files.
#[test]
#[ignore = "long"]
fn each_step_to_an_anchor_from_outside_is_an_edit_of_the_users_own_files() {
    let (user, new) = user();
    let present =
        user.object("Bundle", "linkerd-identity-trust-roots")["spec"]["sources"][0]["inLine"].clone();
    let pem: String = present.as_str().unwrap().lines().map(|line| format!("      {line}\n")).collect();
    let bundle = format!(
        "apiVersion: trust.cert-manager.io/v1alpha1\nkind: Bundle\nmetadata:\n  name: linkerd-identity-trust-roots\nspec:\n  sources:\n  \
         # the company's root\n  - inLine: |\n{pem}  target:\n    configMap:\n      key: ca-bundle.crt\n    namespaceSelector:\n      \
         matchLabels:\n        linkerd.io/is-control-plane: \"true\"\n"
    );
    let signer = "# brought by the PKI team\napiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata:\n  name: company-2027\nspec:\n  \
                  ca:\n    secretName: company-2027\n";
    let certificate = new.certificate.clone();
    let mut git = Git::of(user, signer, &bundle);
    bring_signer(&mut git.user, new);
    fs::copy(git.user.home.path().join("new.pem"), git.user.home.path().join("repository/new.pem")).unwrap();
    let taken = steps_by_edits(&mut git, &format!("{START_OUTSIDE} --in ."), CONFIRMED, &["issuer/1-issuer"]);
    assert_eq!(taken, COMMITS[..8]);
    assert_eq!(git.user.anchors(), std::slice::from_ref(&certificate));
    let bundle = git.text("mesh/bundle.yaml");
    let line = certificate.to_pem().lines().nth(1).unwrap().to_owned();
    assert!(bundle.contains(&line) && bundle.matches("BEGIN CERTIFICATE").count() == 1, "{bundle}");
    assert!(git.text("mesh/issuer.yaml").contains("    name: company-2027   # signs with the anchor\n"));
    assert!(git.text("mesh/anchor.yaml").starts_with("# brought by the PKI team\n"));
}

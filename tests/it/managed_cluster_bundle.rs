//! Rotations under trust-manager where a ClusterBundle publishes the anchors, and ClusterBundles that are not understood.

use l5d_rotate::pki::{BundleText, Rules};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::runner::Ran;
use crate::support::managed::{
    ANCHOR, COMMITS, CONFIRMED, Git, START_OUTSIDE, anchor, bring_signer, steps_by_edits,
};
use crate::support::user::User;

const NAME: &str = "linkerd-identity-trust-roots";

const BUNDLE: &str = "apiVersion: trust-manager.io/v1alpha2
kind: ClusterBundle
metadata:
  name: linkerd-identity-trust-roots
spec:
  sourceRefs:
  # the anchor of today
  - kind: Secret
    name: linkerd-trust-anchor
    key: tls.crt
  - {kind: Secret, name: linkerd-previous-anchor, key: tls.crt}
  target:
    configMap:
      data:
      - key: ca-bundle.crt # PEM
    namespaceSelector:
      matchLabels:
        linkerd.io/is-control-plane: \"true\"
";

fn held(pem: &Value) -> usize {
    let text = BundleText::read(pem.as_str().unwrap().to_owned());
    text.as_read_by(Rules::Controller).unwrap().anchors().len()
}

/// A screen without its line breaks.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
#[ignore = "long"]
fn a_cluster_bundle_is_edited_as_a_bundle_is() {
    let mut git = Git::of(User::over(Cluster::by_cluster_bundle(None)), ANCHOR, BUNDLE);
    assert_eq!(steps_by_edits(&mut git, "start --dir rotation --in .", "", &[]), COMMITS);
    assert_eq!(git.user.anchors().len(), 1);
    let text = git.text("mesh/bundle.yaml");
    assert!(text.contains("name: linkerd-trust-anchor-20261123\n") && text.contains("# PEM\n"), "{text}");
    assert!(!text.contains("inLineCAs") && !text.contains("previous"), "{text}");
}

#[test]
#[ignore = "long"]
fn the_pem_of_a_cluster_bundle_is_one_text() {
    let mut user = User::over(Cluster::by_cluster_bundle(Some(anchor("company 2026"))));
    let new = anchor("company 2027");
    user.put("new.pem", &new.certificate.to_pem());
    let old = user.anchors();
    let before = user.object("ClusterBundle", NAME);
    user.out(START_OUTSIDE);
    bring_signer(&mut user, new);
    user.until("bundle/2-control-plane");
    let both = user.object("ClusterBundle", NAME);
    assert_eq!(held(&both["spec"]["inLineCAs"]), 2);
    assert!(both["spec"].get("sourceRefs").is_none(), "{both}");
    user.rotate(" --rollback");
    assert_eq!(user.anchors(), old);
    let after = user.object("ClusterBundle", NAME);
    assert_eq!(held(&after["spec"]["inLineCAs"]), 1, "{after}");
    assert_eq!(after["spec"]["target"], before["spec"]["target"]);
    assert_eq!(user.rotate(CONFIRMED).last().unwrap(), "prune/3-data-plane");
    assert_ne!(user.anchors(), old);
}

#[test]
#[ignore = "long"]
fn a_cluster_bundle_is_rolled_back_to_the_secret_that_was() {
    let mut user = User::over(Cluster::by_cluster_bundle(None));
    let old = user.anchors();
    user.out("start --dir rotation");
    user.until("issuer/2-control-plane");
    assert_eq!(held(&user.object("ClusterBundle", NAME)["spec"]["inLineCAs"]), 1);
    user.rotate(" --rollback");
    assert_eq!(user.anchors(), old);
    let spec = user.object("ClusterBundle", NAME)["spec"].clone();
    assert!(spec.get("inLineCAs").is_none_or(Value::is_null), "{spec}");
    assert!(spec["sourceRefs"].to_string().contains("\"linkerd-trust-anchor\""), "{spec}");
}

/// What a ClusterBundle says beside names and PEM is not read: no rotation begins over it, and no change of it is safe.
#[test]
fn a_cluster_bundle_that_is_not_understood_is_never_green() {
    let edits: [fn(&mut Value); 7] = [
        |one| {
            one["spec"]["sourceRefs"][0] =
                json!({"kind": "Secret", "selector": {"matchLabels": {"a": "b"}}, "key": "tls.crt"})
        },
        |one| one["spec"]["sourceRefs"][0]["key"] = json!("*.crt"),
        |one| one["spec"]["sourceRefs"][0]["kind"] = json!("ClusterTrustBundle"),
        |one| one["spec"]["defaultCAs"] = json!({"provider": "System"}),
        |one| one["spec"]["excluded"] = json!(["a"]),
        |one| one["spec"]["inLineCAs"] = json!("-----BEGIN CERTIFICATE-----\nMIIB"),
        |one| one["apiVersion"] = json!("trust-manager.io/v1"),
    ];
    for (place, edit) in edits.into_iter().enumerate() {
        let mut user = User::over(Cluster::by_cluster_bundle(None));
        let mut changed = user.object("ClusterBundle", NAME);
        edit(&mut changed);
        let (code, found) = user.verified(&changed.to_string());
        assert!(code == 3 || code == 4, "{place}: {code} {found:?}");
        for one in &mut user.cluster.controllers.as_mut().unwrap().objects {
            if one["kind"] == "ClusterBundle" {
                edit(one);
            }
        }
        let Ran { code, err: refused, .. } = user.run("start --dir rotation");
        assert_eq!(code, 2, "{place}: {refused}");
        assert!(refused.contains("ClusterBundle linkerd-identity-trust-roots"), "{place}: {refused}");
        assert!(in_one_line(&user.out("status")).contains("what is not read here"), "{place}");
    }
}

#[test]
fn a_bundle_and_a_cluster_bundle_of_one_name_are_not_understood() {
    let mut user = User::over(Cluster::by_cluster_bundle(None));
    let sources = json!([{"secret": {"name": "linkerd-trust-anchor", "key": "tls.crt"}}]);
    let bundle = json!({"apiVersion": "trust.cert-manager.io/v1alpha1", "kind": "Bundle", "metadata": {"name": NAME},
        "spec": {"sources": sources, "target": {"configMap": {"key": "ca-bundle.crt"}}}});
    // Somebody who brings the other one: nobody tells which of them writes last.
    assert_eq!(user.verified(&bundle.to_string()).0, 3);
    user.cluster.controllers.as_mut().unwrap().objects.push(bundle);
    let Ran { code, err: refused, .. } = user.run("start --dir rotation");
    assert!(code == 2 && refused.contains("keep one"), "{refused}");
}

#[test]
fn what_publishes_by_a_cluster_bundle_is_told_and_kept_in_a_snapshot() {
    let user = User::over(Cluster::by_cluster_bundle(None));
    let status = in_one_line(&user.out("status"));
    assert!(
        status.contains("ClusterBundle linkerd-identity-trust-roots of Secret linkerd-trust-anchor"),
        "{status}"
    );
    let snapshot = user.out("snapshot");
    user.put("snapshot.yaml", &snapshot);
    let output = crate::runner::plugin()
        .current_dir(user.home.path())
        .args(["status", "-f", "snapshot.yaml", "--at", &user.cluster.now.to_string()])
        .output()
        .unwrap();
    let again = in_one_line(&String::from_utf8(output.stdout).unwrap());
    assert!(
        again.contains("ClusterBundle linkerd-identity-trust-roots of Secret linkerd-trust-anchor"),
        "{again}"
    );
    let json = user.json("status");
    assert_eq!(json["certManager"]["bundle"]["object"]["kind"], "ClusterBundle");
}

/// What is changed in it is judged by the anchors that stay.
#[test]
fn a_change_of_a_cluster_bundle_is_judged_by_what_comes_of_it() {
    let user = User::over(Cluster::by_cluster_bundle(None));
    let mut change = user.object("ClusterBundle", NAME);
    change["spec"]["sourceRefs"] =
        json!([{"kind": "Secret", "name": "linkerd-trust-anchor", "key": "tls.crt"}]);
    assert_eq!(user.verified(&change.to_string()), (0, Vec::new()));
    change["spec"]["sourceRefs"] = Value::Null;
    change["spec"]["inLineCAs"] = json!(user.cluster.bundle);
    assert_eq!(user.verified(&change.to_string()).0, 0);
    change["spec"]["inLineCAs"] = json!(anchor("stranger").certificate.to_pem());
    assert_eq!(user.verified(&change.to_string()).0, 4);
    let mut target = user.object("ClusterBundle", NAME);
    target["spec"]["target"]["configMap"]["data"][0]["key"] = json!("other.crt");
    assert_eq!(user.verified(&target.to_string()).0, 3);
    let mut gone = user.object("ClusterBundle", NAME);
    gone["$patch"] = json!("delete");
    assert_eq!(user.verified(&gone.to_string()).0, 4);
}

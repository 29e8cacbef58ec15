//! An encrypted issuer is judged by the certificate in the annotation beside it: what that one breaks is unsafe, and what it does not
//! break is safe on a condition, which somebody may accept.

use std::fs;

use serde_json::{Value, json};

use crate::cluster::{Cluster, at, issuer};
use crate::layouts::{Declared, Repository, text};
use crate::support::reviewer::{bundle, codes, issuer_of, new_anchor};

/// How the issuer is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    SealedSecret,
    Sops,
}

const KINDS: [Kind; 2] = [Kind::SealedSecret, Kind::Sops];

/// The ciphertext of certificate and key, and the certificate in the annotation.
type Issuer<'a> = ([&'a str; 2], Option<&'a str>);

fn encrypted(kind: Kind, ([certificate, key], annotated): Issuer<'_>) -> Value {
    let mut metadata = json!({"name": "linkerd-identity-issuer", "namespace": "linkerd"});
    if let Some(annotated) = annotated {
        metadata["annotations"] = json!({"l5d-rotate/issuer-certificate": annotated});
    }
    let values = |certificate: String, key: String| json!({"crt.pem": certificate, "key.pem": key});
    match kind {
        Kind::SealedSecret => {
            let spec = json!({"encryptedData": values(certificate.to_owned(), key.to_owned())});
            json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": metadata, "spec": spec})
        }
        Kind::Sops => {
            let encrypted = |text: &str| format!("ENC[AES256_GCM,data:{text},iv:x,tag:x,type:str]");
            let data = values(encrypted(certificate), encrypted(key));
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data,
                "sops": {"mac": certificate}})
        }
    }
}

/// A repository with an encrypted issuer, and the cluster that runs what it declares.
struct Desk {
    repository: Repository,
    beside: tempfile::TempDir,
    cluster: Cluster,
    kind: Kind,
}

impl Desk {
    fn new(kind: Kind) -> Option<Self> {
        let Some(repository) = Repository::new() else {
            println!("skipped: verify_sealed: no git");
            return None;
        };
        let desk = Self { repository, beside: tempfile::tempdir().unwrap(), cluster: Cluster::new(), kind };
        fs::write(desk.dump(), desk.cluster.dump()).unwrap();
        Some(desk)
    }

    fn dump(&self) -> String {
        self.beside.path().join("dump.json").to_str().unwrap().to_owned()
    }

    /// What the repository declares with this bundle and this issuer.
    fn write(&self, bundle: &str, sealed: Value) {
        let mut objects = Declared { bundle: bundle.to_owned(), ..Declared::of(&self.cluster) }.objects();
        objects[1] = sealed;
        self.repository.write(&vec![("linkerd/all.yaml".to_owned(), text(&objects))]);
    }

    fn base(&self, issuer: Issuer<'_>) {
        self.write(&self.cluster.bundle, encrypted(self.kind, issuer));
        self.repository.commit();
    }

    /// The verdict on another issuer, beside what runs or without it; and the finding that is told of the ciphertext.
    fn judged(&self, sealed: Value, more: &[&str]) -> (String, i32, Value, Value) {
        self.write(&self.cluster.bundle, sealed);
        self.verdict(more)
    }

    fn verdict(&self, more: &[&str]) -> (String, i32, Value, Value) {
        let (verdict, tree, code) = self.repository.verify(&[&["-f", ".", "-R"], more].concat());
        let is_told = |finding: &&Value| {
            ["sealed-as-annotated", "annotation-unproven"].contains(&finding["code"].as_str().unwrap())
        };
        let told = tree["findings"].as_array().and_then(|all| all.iter().find(is_told)).cloned();
        (verdict, code, told.unwrap_or_default(), tree)
    }

    fn old(&self) -> &str {
        &self.cluster.issuer
    }

    /// Another issuer of the published anchor.
    fn good(&self) -> String {
        issuer(&self.cluster.anchor, at("2026-12-27T09:00:00Z")).certificate.to_pem()
    }
}

/// An issuer of an anchor that nobody holds.
fn bad() -> String {
    issuer_of(&new_anchor()).certificate.to_pem()
}

#[test]
fn a_good_claim_is_safe_on_a_condition_which_may_be_accepted() {
    for kind in KINDS {
        let Some(desk) = Desk::new(kind) else { return };
        let (good, dump) = (desk.good(), desk.dump());
        // Whether or not the issuer before was annotated: what runs is known.
        for before in [Some(desk.old()), None] {
            desk.base((["a", "b"], before));
            let sealed = encrypted(kind, (["c", "d"], Some(&good)));
            let (verdict, code, told, tree) = desk.judged(sealed.clone(), &["-f", &dump]);
            assert_eq!((verdict.as_str(), code), ("unknown", 3), "{kind:?} {tree:#}");
            assert_eq!(told["evidence"]["isAll"], true, "{tree:#}");
            assert!(told["text"].as_str().unwrap().starts_with("Safe, if the ciphertext of "), "{told}");
            let (verdict, code, told, tree) = desk.judged(sealed, &["-f", &dump, "--accept-annotated"]);
            assert_eq!((verdict.as_str(), code), ("safe", 0), "{kind:?} {tree:#}");
            assert_eq!(
                (&told["code"], &told["severity"]),
                (&json!("sealed-as-annotated"), &json!("warning"))
            );
            assert!(told["text"].as_str().unwrap().starts_with("Accepted: "), "{told}");
        }
    }
}

#[test]
fn a_bad_claim_is_unsafe_with_its_reasons_accepted_or_not() {
    for kind in KINDS {
        let Some(desk) = Desk::new(kind) else { return };
        let (bad, dump) = (bad(), desk.dump());
        desk.base((["a", "b"], Some(desk.old())));
        let sealed = encrypted(kind, (["c", "d"], Some(&bad)));
        for more in [&["-f", &dump][..], &["-f", &dump, "--accept-annotated"], &[], &["--accept-annotated"]] {
            let (verdict, code, told, tree) = desk.judged(sealed.clone(), more);
            assert_eq!((verdict.as_str(), code), ("unsafe", 4), "{kind:?} {more:?} {tree:#}");
            assert_eq!(told["code"], "sealed-as-annotated", "{tree:#}");
            assert!(codes(&tree).contains(&"identity-fails-to-start"), "{tree:#}");
        }
    }
}

#[test]
#[ignore = "long"]
fn an_annotation_that_does_not_fit_its_ciphertext_is_unknown_by_name() {
    for kind in KINDS {
        let Some(desk) = Desk::new(kind) else { return };
        let (good, dump) = (desk.good(), desk.dump());
        let old = desk.old().to_owned();
        let other_words = format!("# the same\n{old}");
        desk.base((["a", "b"], Some(&old)));
        let cases: [(Issuer<'_>, &str); 6] = [
            ((["c", "d"], Some(&old)), "same-annotation"),
            ((["c", "d"], Some(&other_words)), "same-annotation"),
            ((["a", "b"], Some(&good)), "same-ciphertext"),
            ((["c", "b"], Some(&good)), "in-part"),
            ((["a", "d"], Some(&good)), "in-part"),
            ((["c", "d"], Some("x")), "unreadable"),
        ];
        for (issuer, because) in cases {
            for more in [&["-f", &dump][..], &["-f", &dump, "--accept-annotated"], &["--accept-annotated"]] {
                let (verdict, code, told, tree) = desk.judged(encrypted(kind, issuer), more);
                assert_eq!((verdict.as_str(), code), ("unknown", 3), "{kind:?} {because} {more:?} {tree:#}");
                assert_eq!(told["code"], "annotation-unproven", "{kind:?} {because} {tree:#}");
                let reason = &told["evidence"]["because"];
                assert!(*reason == because || reason.get(because).is_some(), "{kind:?} {because} {told}");
            }
        }
    }
}

#[test]
fn what_says_nothing_or_changes_in_more_than_its_ciphertext_stays_unknown() {
    let Some(desk) = Desk::new(Kind::SealedSecret) else { return };
    let (good, dump) = (desk.good(), desk.dump());
    desk.base((["a", "b"], Some(desk.old())));
    let fine = encrypted(Kind::SealedSecret, (["c", "d"], Some(&good)));
    let mut templated = fine.clone();
    templated["spec"]["template"] = json!({"data": {"crt.pem": "{{ .other }}"}});
    let mut without_key = fine.clone();
    without_key["spec"]["encryptedData"].as_object_mut().unwrap().remove("key.pem");
    let mut of_another_scope = fine.clone();
    of_another_scope["metadata"]["annotations"]["sealedsecrets.bitnami.com/cluster-wide"] = json!("true");
    let unsaid = encrypted(Kind::SealedSecret, (["c", "d"], None));
    for sealed in [unsaid, templated, without_key, of_another_scope] {
        let (verdict, code, told, tree) = desk.judged(sealed, &["-f", &dump, "--accept-annotated"]);
        assert_eq!((verdict.as_str(), code), ("unknown", 3), "{tree:#}");
        assert!(told.is_null() && codes(&tree).contains(&"not-rendered"), "{tree:#}");
    }
}

#[test]
fn a_change_beside_an_encrypted_issuer_is_judged_by_its_annotation_as_well() {
    for kind in KINDS {
        let Some(desk) = Desk::new(kind) else { return };
        let new = new_anchor();
        let issuer = encrypted(kind, (["a", "b"], Some(desk.old())));
        desk.base((["a", "b"], Some(desk.old())));
        // Nobody but the annotation tells that the issuer is of the anchor that goes.
        desk.write(&bundle(&[&new]), issuer.clone());
        let (verdict, code, told, tree) = desk.verdict(&[]);
        assert_eq!((verdict.as_str(), code), ("unsafe", 4), "{kind:?} {tree:#}");
        assert_eq!(told["code"], "sealed-as-annotated", "{tree:#}");
        // Where what runs shows it, the annotation is not asked.
        let (verdict, _, told, tree) = desk.verdict(&["-f", &desk.dump()]);
        assert!(verdict == "unsafe" && told.is_null(), "{kind:?} {tree:#}");
        desk.write(&bundle(&[&desk.cluster.anchor, &new]), issuer);
        let (verdict, code, told, tree) = desk.verdict(&["-f", &desk.dump()]);
        assert_eq!((verdict.as_str(), code), ("safe", 0), "{kind:?} {tree:#}");
        assert!(told.is_null(), "{tree:#}");
    }
}

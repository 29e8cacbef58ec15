//! The Bundle of a managed rotation under the real trust-manager: what it publishes is what was said before. cert-manager is
//! played, its objects are held to its own definitions.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use l5d_rotate::pki::{BundleText, KeyEncoding, Rules};
use serde_json::{Value, json};

use super::desk::{Desk, GIVEN};
use super::servers::{self, Servers};
use super::{install, rotate_beside};
use crate::cluster::Cluster;
use crate::cluster::controllers::Controllers;
use crate::support::managed::COMMITS;

const ROOTS: &str = "configmap linkerd-identity-trust-roots -n linkerd";
const BUNDLE: &str = "bundle.trust.cert-manager.io linkerd-identity-trust-roots";

/// Linkerd's guide in a real cluster.
struct Guide {
    desk: Desk,
    controllers: Controllers,
    now: Timestamp,
}

impl Guide {
    fn new(test: &str) -> Option<Self> {
        let programs = servers::trust_manager(test)?;
        let mut servers = Servers::start(test)?;
        let now = Timestamp::from_second(super::now().as_second()).unwrap();
        let mut cluster = Cluster::by_cert_manager_at(now);
        let (mut objects, workloads) = install::declared(&cluster);
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager"}}));
        for one in objects
            .iter_mut()
            .filter(|one| one["kind"] == "Namespace" && one["metadata"]["name"] == "linkerd")
        {
            one["metadata"]["labels"]["linkerd.io/is-control-plane"] = "true".into();
        }
        for definition in fs::read_dir(&programs).unwrap().map(|entry| entry.unwrap().path()) {
            if definition.extension().is_some_and(|extension| extension == "yaml") {
                servers.admin(&["apply", "--server-side", "-f", definition.to_str().unwrap()]);
            }
        }
        servers.admin(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
        servers.run_trust_manager(&programs);
        let desk = Desk::empty(servers, &cluster);
        let mut guide = Self { desk, controllers: cluster.controllers.take().unwrap(), now };
        guide.desk.declared = objects;
        guide.desk.apply();
        guide.follow();
        guide.desk.eventually("the bundle is published", |desk| {
            desk.kubectl("admin", &format!("get {ROOTS}")).status.success()
        });
        guide.desk.start(workloads);
        Some(guide)
    }

    /// Does what cert-manager does: it reads its objects, and writes Secrets, requests and times.
    fn follow(&mut self) {
        play(&mut self.controllers, &self.desk, self.now);
    }

    /// Makes the Bundle one of these sources; the exit code of `verify`, what it says will be published, and what then is.
    fn publish(&self, sources: &Value) -> (i32, BTreeSet<String>, BTreeSet<String>) {
        let desk = &self.desk;
        let mut bundle = desk.get(BUNDLE);
        bundle["spec"]["sources"] = sources.clone();
        bundle["metadata"] = json!({"name": "linkerd-identity-trust-roots"});
        bundle.as_object_mut().unwrap().remove("status");
        fs::write(desk.path("bundle.json"), bundle.to_string()).unwrap();
        let judged = desk.run("verify --proposed bundle.json -o json");
        let told: Value = serde_json::from_str(&judged.out).unwrap_or_else(|_| panic!("{}", judged.err));
        let names = |pointer: &str| -> BTreeSet<String> {
            let all = told.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
            all.map(|one| one["fingerprint"].as_str().unwrap().to_owned()).collect()
        };
        let mut predicted = published(desk);
        predicted.retain(|one| !names("/changes/bundle/removed").contains(one));
        predicted.extend(names("/changes/bundle/added"));
        desk.admin(
            "apply --server-side --force-conflicts --field-manager=kustomize-controller -f bundle.json",
        );
        desk.eventually("trust-manager has seen it", |desk| {
            let now = desk.get(BUNDLE);
            now["status"]["conditions"][0]["observedGeneration"] == now["metadata"]["generation"]
        });
        (judged.code, predicted, published(desk))
    }

    fn reason(&self) -> String {
        self.desk.get(BUNDLE)["status"]["conditions"][0]["reason"].as_str().unwrap().to_owned()
    }
}

fn play(controllers: &mut Controllers, desk: &Desk, now: Timestamp) {
    controllers.objects =
        desk.get("certificates,issuers,clusterissuers -A")["items"].as_array().unwrap().clone();
    controllers.reconcile(now);
    let mut objects = Vec::new();
    for ((namespace, name), made) in &controllers.secrets {
        let encoded = |text: &str| STANDARD.encode(text);
        let annotations = match &made.of {
            Some((certificate, _)) => json!({"cert-manager.io/certificate-name": certificate}),
            None => json!({}),
        };
        let key = made.authority.key.to_pem(KeyEncoding::Sec1).unwrap();
        objects.push(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
            "data": {"tls.crt": encoded(&made.authority.certificate.to_pem()), "tls.key": encoded(&key), "ca.crt": encoded(&made.ca.to_pem())},
        }));
    }
    let printed = controllers.printed();
    for request in printed.iter().filter(|one| one["kind"] == "CertificateRequest") {
        let mut request = request.clone();
        request["spec"] = json!({"issuerRef": {"name": "played"}, "request": STANDARD.encode("played")});
        objects.push(request);
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(desk.path("made.json"), list.to_string()).unwrap();
    desk.admin("apply --server-side --force-conflicts --field-manager=cert-manager-certificates-issuing -f made.json");
    for one in printed.iter().filter(|one| one["status"].is_object()) {
        let mut status = one["status"].clone();
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            let reason = condition["type"].clone();
            condition.as_object_mut().unwrap().entry("reason").or_insert(reason);
            condition["lastTransitionTime"] = json!(now);
        }
        fs::write(desk.path("status.json"), json!({ "status": status }).to_string()).unwrap();
        let [kind, name, namespace] = [&one["kind"], &one["metadata"]["name"], &one["metadata"]["namespace"]]
            .map(|text| text.as_str().unwrap());
        desk.admin(&format!(
            "patch {kind} {name} -n {namespace} --subresource=status --type=merge --patch-file=status.json"
        ));
    }
}

/// The fingerprints of what the ConfigMap holds.
fn published(desk: &Desk) -> BTreeSet<String> {
    let roots = desk.get(ROOTS);
    let text = BundleText::read(roots["data"]["ca-bundle.crt"].as_str().unwrap());
    let held = text.as_read_by(Rules::Controller).unwrap();
    held.anchors().iter().map(|one| one.fingerprint().to_string()).collect()
}

#[test]
fn trust_manager_publishes_what_verify_says_of_each_change_of_its_sources() {
    const NAME: &str = "trust_manager_publishes_what_verify_says_of_each_change_of_its_sources";
    let Some(mut guide) = Guide::new(NAME) else { return };
    let secret = |name: &str| json!({"secret": {"name": name, "key": "tls.crt"}});
    let (old, previous) = (secret("linkerd-trust-anchor"), secret("linkerd-previous-anchor"));
    let pem = guide.desk.get(ROOTS)["data"]["ca-bundle.crt"].as_str().unwrap().to_owned();
    let pinned = json!({ "inLine": pem });
    let first = published(&guide.desk);
    assert_eq!(first.len(), 1);
    let same = |found: (i32, BTreeSet<String>, BTreeSet<String>), expected: &BTreeSet<String>| {
        assert_eq!((found.0, &found.1), (0, expected), "what verify says");
        assert_eq!(found.2, *expected, "what trust-manager does");
    };

    // The same anchor by its Secret and as PEM is one.
    same(guide.publish(&json!([old, previous, pinned])), &first);
    same(guide.publish(&json!([pinned])), &first);

    // A source that is missing freezes the Bundle, whatever else changes, and what is published stays.
    let absent = secret("linkerd-trust-anchor-2");
    same(guide.publish(&json!([old, previous, pinned, absent])), &first);
    assert_eq!(guide.reason(), "SourceNotFound");

    // It is published as soon as cert-manager has made it.
    let mut certificate = guide.desk.get("certificate linkerd-trust-anchor -n cert-manager");
    certificate["metadata"] = json!({"name": "linkerd-trust-anchor-2", "namespace": "cert-manager"});
    certificate["spec"]["secretName"] = "linkerd-trust-anchor-2".into();
    fs::write(guide.desk.path("new.json"), certificate.to_string()).unwrap();
    guide.desk.admin("apply --server-side --field-manager=kustomize-controller -f new.json");
    guide.follow();
    guide.desk.eventually("both anchors are published", |desk| published(desk).len() == 2);
    assert_eq!(guide.reason(), "Synced");
    let both = published(&guide.desk);
    same(guide.publish(&json!([absent, pinned])), &both);

    // What trust-manager passes over in silence takes an anchor away: it is no reading of ours.
    let damaged = json!({"inLine": pem.replace("-----END", "----END")});
    let (code, _, real) = guide.publish(&json!([absent, damaged]));
    assert_eq!(guide.reason(), "Synced");
    assert_eq!((code, real.len()), (4, 1), "the old anchor has gone without a word");
    // What started meanwhile holds the new anchor alone, as far as anybody knows.
    let (code, predicted, real) = guide.publish(&json!([absent, pinned]));
    assert_eq!((code, &predicted, &real), (3, &both, &both));
    // Where nothing is left, it keeps what it has.
    let (code, _, real) = guide.publish(&json!([{"inLine": "not a certificate"}]));
    assert_eq!((code, real), (4, both.clone()));
    assert_eq!(guide.reason(), "SourceNotFound");

    // The new anchor alone, under an issuer of the old one: unsafe, and told exactly.
    let (code, predicted, real) = guide.publish(&json!([absent]));
    assert_eq!(code, 4);
    assert_eq!(predicted, real);
    assert_eq!(real, both.difference(&first).cloned().collect());
}

#[test]
fn a_managed_rotation_finishes_under_trust_manager() {
    let Some(guide) = Guide::new("a_managed_rotation_finishes_under_trust_manager") else { return };
    let Guide { mut desk, mut controllers, now } = guide;
    let before = published(&desk);
    desk.ahead = SignedDuration::from_secs(1);
    desk.out("start --dir rotation");
    let taken = rotate_beside(&mut desk, "", |desk, step| {
        if step == "remove-old/1-objects" {
            // What a GitOps engine prunes.
            desk.admin("delete certificate linkerd-trust-anchor -n cert-manager");
            desk.admin("delete clusterissuer linkerd-identity-issuer");
        }
        play(&mut controllers, desk, now);
        let sources = desk.get(BUNDLE)["spec"]["sources"].as_array().unwrap().len();
        let expected = if sources == 1 { 1 } else { 2 };
        desk.eventually("trust-manager publishes its sources", |desk| published(desk).len() == expected);
        if step.ends_with("-trust") || step.ends_with("-issuer") {
            std::thread::sleep(GIVEN);
        }
    });
    assert_eq!(taken, COMMITS);
    let after = published(&desk);
    assert!(after.len() == 1 && after != before);
    desk.out("check");
    desk.only_reads();
}

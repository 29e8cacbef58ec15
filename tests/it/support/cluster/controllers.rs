//! cert-manager and trust-manager as far as their source tells what they do: a mock, as neither runs in a test of this size.
//!
//! When a Certificate is issued anew: `internal/controller/certificates/policies` of cert-manager. What a Bundle publishes:
//! `pkg/bundle` of trust-manager (held against the real one by `real_cluster`).

use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use l5d_rotate::mesh::GoDuration;
use l5d_rotate::pki::{
    AnchorRequest, Authority, BundleText, Certificate, IssuerRequest, KeyEncoding, Rules, mint_anchor,
    mint_issuer,
};
use serde_json::{Value, json};

use super::{Cluster, Load, NOW, at, fleet};

/// Namespace and name.
type Key = (String, String);

/// Both controllers, and what they have made.
#[derive(Default)]
pub(crate) struct Controllers {
    /// Certificates, Issuers, ClusterIssuers and the Bundle.
    pub(crate) objects: Vec<Value>,
    pub(crate) secrets: BTreeMap<Key, Made>,
    /// No approver approves anything.
    pub(crate) holds_back: bool,
    /// By Certificate: the revision of the latest request, what it asked for, and what was issued.
    requests: BTreeMap<Key, (u64, Value, Option<Certificate>)>,
}

/// A Secret with a certificate.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) authority: Rc<Authority>,
    pub(crate) ca: Certificate,
    /// Annotations of cert-manager; none on a copy that somebody made.
    pub(crate) of: Option<(String, Value)>,
}

fn text<'a>(tree: &'a Value, pointer: &str) -> &'a str {
    tree.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn key(tree: &Value) -> Key {
    (text(tree, "/metadata/namespace").to_owned(), text(tree, "/metadata/name").to_owned())
}

fn duration(tree: &Value, pointer: &str) -> Option<SignedDuration> {
    Some(text(tree, pointer).parse::<GoDuration>().ok()?.0)
}

impl Controllers {
    /// The objects of Linkerd's guide.
    pub(crate) fn of_the_guide() -> Self {
        let certificate = |namespace: &str, name: &str, spec: Value| {
            json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
                "metadata": {"name": name, "namespace": namespace, "generation": 1}, "spec": spec})
        };
        let bundle = json!({
            "apiVersion": "trust.cert-manager.io/v1alpha1", "kind": "Bundle", "metadata": {"name": "linkerd-identity-trust-roots"},
            "spec": {
                "sources": [
                    {"secret": {"name": "linkerd-trust-anchor", "key": "tls.crt"}},
                    {"secret": {"name": "linkerd-previous-anchor", "key": "tls.crt"}},
                ],
                "target": {"configMap": {"key": "ca-bundle.crt"},
                    "namespaceSelector": {"matchLabels": {"linkerd.io/is-control-plane": "true"}}},
            },
        });
        let objects = vec![
            json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer",
                "metadata": {"name": "linkerd-trust-root-issuer", "namespace": "cert-manager"}, "spec": {"selfSigned": {}}}),
            certificate(
                "cert-manager",
                "linkerd-trust-anchor",
                json!({
                    "issuerRef": {"kind": "Issuer", "name": "linkerd-trust-root-issuer"},
                    "secretName": "linkerd-trust-anchor", "isCA": true, "commonName": "root.linkerd.cluster.local",
                    "duration": "8760h0m0s", "renewBefore": "7320h0m0s", "privateKey": {"rotationPolicy": "Always", "algorithm": "ECDSA"},
                }),
            ),
            json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
                "metadata": {"name": "linkerd-identity-issuer"}, "spec": {"ca": {"secretName": "linkerd-trust-anchor"}}}),
            certificate(
                "linkerd",
                "linkerd-identity-issuer",
                json!({
                    "issuerRef": {"kind": "ClusterIssuer", "name": "linkerd-identity-issuer"},
                    "secretName": "linkerd-identity-issuer", "isCA": true, "commonName": "identity.linkerd.cluster.local",
                    "duration": "48h0m0s", "renewBefore": "25h0m0s", "privateKey": {"rotationPolicy": "Always", "algorithm": "ECDSA"},
                }),
            ),
            bundle,
        ];
        Self { objects, ..Self::default() }
    }

    /// The guide's, but for the anchor: its key comes from outside, into a Secret that no Certificate makes, and its certificate stands
    /// in the Bundle.
    pub(crate) fn of_outside(anchor: Authority) -> Self {
        let mut controllers = Self::of_the_guide();
        controllers.objects.retain(|one| key(one).0 != "cert-manager");
        for one in &mut controllers.objects {
            if one["kind"] == "Bundle" {
                one["spec"]["sources"] = json!([{"inLine": anchor.certificate.to_pem()}]);
            }
        }
        controllers.bring("linkerd-trust-anchor", anchor);
        controllers
    }

    /// The same with a ClusterBundle in the place of the Bundle (`ConvertTo` in trust-manager's `pkg/apis/trust/v1alpha1`).
    pub(crate) fn with_cluster_bundle(mut self) -> Self {
        let bundle = self.objects.iter_mut().find(|one| one["kind"] == "Bundle").unwrap();
        let mut references = Vec::new();
        let mut text = String::new();
        for source in bundle["spec"]["sources"].as_array().unwrap() {
            match source["inLine"].as_str() {
                Some(pem) => text += pem,
                None => references.push(json!({
                    "kind": "Secret", "name": source["secret"]["name"], "key": source["secret"]["key"]})),
            }
        }
        let selector = bundle["spec"]["target"]["namespaceSelector"].clone();
        let mut spec = json!({"target": {"configMap": {"data": [{"key": "ca-bundle.crt"}]}, "namespaceSelector": selector}});
        if !references.is_empty() {
            spec["sourceRefs"] = json!(references);
        }
        if !text.is_empty() {
            spec["inLineCAs"] = json!(text);
        }
        *bundle = json!({"apiVersion": "trust-manager.io/v1alpha2", "kind": "ClusterBundle",
            "metadata": {"name": "linkerd-identity-trust-roots"}, "spec": spec});
        self
    }

    /// Somebody brings a CA into a Secret.
    pub(crate) fn bring(&mut self, secret: &str, anchor: Authority) {
        let ca = anchor.certificate.clone();
        let made = Made { authority: Rc::new(anchor), ca, of: None };
        self.secrets.insert(("cert-manager".to_owned(), secret.to_owned()), made);
    }

    /// An anchor that nobody knows.
    pub(crate) fn stranger() -> String {
        let (not_before, not_after) = (at("2026-10-05T08:00:00Z"), at("2027-10-05T08:00:00Z"));
        let request = AnchorRequest { common_name: "stranger".to_owned(), not_before, not_after };
        mint_anchor(&request).unwrap().certificate.to_pem()
    }

    /// Takes an object, or a patch that deletes one.
    pub(crate) fn apply(&mut self, object: &Value) {
        let is_it = |known: &Value| known["kind"] == object["kind"] && key(known) == key(object);
        let known = self.objects.iter().position(is_it);
        match (known, text(object, "/$patch")) {
            (Some(known), "delete") => drop(self.objects.remove(known)),
            (Some(known), _) => {
                let generation = self.objects[known]["metadata"]["generation"].as_u64();
                let grows = u64::from(self.objects[known]["spec"] != object["spec"]);
                self.objects[known] = object.clone();
                self.objects[known]["metadata"]["generation"] = json!(generation.unwrap_or(1) + grows);
            }
            (None, _) => {
                self.objects.push(object.clone());
                self.objects.last_mut().unwrap()["metadata"]["generation"] = json!(1);
            }
        }
    }

    /// Copies a Secret by hand, as the guide has it.
    pub(crate) fn copy(&mut self, from: &str, to: &str) {
        let of = |name: &str| ("cert-manager".to_owned(), name.to_owned());
        let made = self.secrets.get(&of(from)).cloned().unwrap();
        self.secrets.insert(of(to), Made { of: None, ..made });
    }

    /// `cmctl renew`.
    pub(crate) fn renew(&mut self, name: &str, now: Timestamp) {
        let certificate = self.objects.iter().find(|one| one["kind"] == "Certificate" && key(one).1 == name);
        let certificate = certificate.unwrap().clone();
        assert!(self.issue(&certificate, now));
    }

    /// Everything that either of them does by itself at this time.
    pub(crate) fn reconcile(&mut self, now: Timestamp) {
        loop {
            let certificates = self.objects.iter().filter(|one| one["kind"] == "Certificate");
            let due: Vec<Value> = certificates.filter(|one| self.is_due(one, now)).cloned().collect();
            if !due.iter().any(|certificate| self.issue(certificate, now)) {
                return;
            }
        }
    }

    /// How many hours until they do something by themselves.
    fn idle(&self, now: Timestamp) -> SignedDuration {
        let due = |certificate: &Value| {
            let secret = (key(certificate).0, text(certificate, "/spec/secretName").to_owned());
            self.renewal(certificate, &self.secrets.get(&secret)?.authority.certificate)
        };
        let certificates = self.objects.iter().filter(|one| one["kind"] == "Certificate");
        let seconds = certificates.filter_map(due).min().map_or(0, |due| now.duration_until(due).as_secs());
        SignedDuration::from_hours((seconds + 3599).div_euclid(3600).max(1))
    }

    /// The chain of policies, in order.
    fn is_due(&self, certificate: &Value, now: Timestamp) -> bool {
        let (namespace, name) = key(certificate);
        let secret = (namespace.clone(), text(certificate, "/spec/secretName").to_owned());
        let Some(made) = self.secrets.get(&secret) else { return true };
        let Some((of, issuer)) = &made.of else { return true };
        let asked = self.requests.get(&(namespace, name.clone())).map(|(_, asked, _)| asked);
        *of != name
            || *issuer != certificate["spec"]["issuerRef"]
            || asked.is_some_and(|asked| *asked != request(certificate))
            || self.renewal(certificate, &made.authority.certificate).is_some_and(|due| due <= now)
    }

    /// `pkg/util/pki/renewaltime.go`.
    fn renewal(&self, certificate: &Value, issued: &Certificate) -> Option<Timestamp> {
        if text(certificate, "/spec/renewal/policy") == "Disabled" {
            return None;
        }
        let facts = issued.facts();
        let life = facts.not_before.duration_until(facts.not_after);
        let before = duration(certificate, "/spec/renewBefore").filter(|before| *before < life);
        Some(facts.not_after - before.unwrap_or(life / 3))
    }

    /// Issues a Certificate; `false` where its request has to wait.
    fn issue(&mut self, certificate: &Value, now: Timestamp) -> bool {
        let (namespace, name) = key(certificate);
        let revision = self.requests.get(&(namespace.clone(), name.clone())).map_or(1, |(last, ..)| last + 1);
        let issued = self.signed(certificate, now);
        let asked =
            (revision, request(certificate), issued.as_ref().map(|made| made.authority.certificate.clone()));
        let Some(made) = issued.filter(|_| !self.holds_back) else { return false };
        self.requests.insert((namespace.clone(), name), asked);
        self.secrets.insert((namespace, text(certificate, "/spec/secretName").to_owned()), made);
        true
    }

    fn signed(&self, certificate: &Value, now: Timestamp) -> Option<Made> {
        let (namespace, name) = key(certificate);
        let reference = &certificate["spec"]["issuerRef"];
        let issuer = self.objects.iter().find(|one| {
            let is_near = text(one, "/kind").contains("ClusterIssuer") || key(one).0 == namespace;
            one["kind"] == reference["kind"] && one["metadata"]["name"] == reference["name"] && is_near
        })?;
        let common_name = text(certificate, "/spec/commonName").to_owned();
        let not_after = now + duration(certificate, "/spec/duration").unwrap();
        let of = Some((name, reference.clone()));
        if issuer["spec"].get("selfSigned").is_some() {
            let request = AnchorRequest { common_name, not_before: now, not_after };
            let authority = Rc::new(mint_anchor(&request).unwrap());
            return Some(Made { ca: authority.certificate.clone(), authority, of });
        }
        let home = if text(issuer, "/kind").contains("ClusterIssuer") { "cert-manager" } else { &namespace };
        // What an issuer of another group signs with is outside of the cluster.
        let named = ["/spec/ca/secretName", "/spec/arn"].map(|pointer| text(issuer, pointer)).concat();
        let ca = self.secrets.get(&(home.to_owned(), named))?;
        let request = IssuerRequest { common_name, dns_names: Vec::new(), not_before: now, not_after };
        let authority = Rc::new(mint_issuer(&request, &ca.authority).unwrap());
        Some(Made { authority, ca: ca.authority.certificate.clone(), of })
    }

    /// What the Bundle publishes; `None` while a source is missing, and it keeps what it has.
    pub(crate) fn published(&self) -> Option<String> {
        let is_bundle = |one: &&Value| one["kind"] == "Bundle" || one["kind"] == "ClusterBundle";
        let bundle = self.objects.iter().find(is_bundle)?;
        let mut held: Vec<Certificate> = Vec::new();
        for (in_line, secret) in sources(bundle) {
            let pem = match in_line {
                Some(pem) => pem,
                None => {
                    self.secrets.get(&("cert-manager".to_owned(), secret))?.authority.certificate.to_pem()
                }
            };
            let read = BundleText::read(pem);
            held.extend(read.as_read_by(Rules::Controller).ok()?.anchors().iter().cloned());
        }
        held.sort_by_key(|one| one.fingerprint().to_string());
        held.dedup();
        Some(held.iter().map(Certificate::to_pem).collect::<String>().trim_end().to_owned())
    }

    /// The issuer's Secret.
    pub(crate) fn issuer(&self) -> &Made {
        &self.secrets[&("linkerd".to_owned(), "linkerd-identity-issuer".to_owned())]
    }

    /// Objects as `kubectl get` prints them, requests among them. The CA's Secrets are none of those that are read.
    pub(crate) fn printed(&self) -> Vec<Value> {
        let mut all = self.objects.clone();
        for certificate in all.iter_mut().filter(|one| one["kind"] == "Certificate") {
            let secret = (key(certificate).0, text(certificate, "/spec/secretName").to_owned());
            let Some(made) = self.secrets.get(&secret) else { continue };
            let facts = made.authority.certificate.facts();
            certificate["status"] = json!({"notBefore": facts.not_before, "notAfter": facts.not_after});
            if let Some(due) = self.renewal(certificate, &made.authority.certificate) {
                certificate["status"]["renewalTime"] = json!(due);
            }
        }
        for ((namespace, name), (revision, _, issued)) in &self.requests {
            let Some(issued) = issued else { continue };
            all.push(json!({
                "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
                "metadata": {"name": format!("{name}-{revision}"), "namespace": namespace, "annotations": {
                    "cert-manager.io/certificate-name": name, "cert-manager.io/certificate-revision": revision.to_string()}},
                "status": {"certificate": STANDARD.encode(issued.to_pem()),
                    "conditions": [{"type": "Approved", "status": "True"}, {"type": "Ready", "status": "True", "reason": "Issued"}]},
            }));
        }
        all
    }
}

/// PEM of a Bundle or a ClusterBundle, or the name of a Secret.
fn sources(bundle: &Value) -> Vec<(Option<String>, String)> {
    let list = |pointer: &str| bundle.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let own = list("/spec/sources").into_iter().map(|source| {
        (source["inLine"].as_str().map(str::to_owned), text(&source, "/secret/name").to_owned())
    });
    let references =
        list("/spec/sourceRefs").into_iter().map(|source| (None, text(&source, "/name").to_owned()));
    let text = bundle["spec"]["inLineCAs"].as_str().map(|pem| (Some(pem.to_owned()), String::new()));
    own.chain(references).chain(text).collect()
}

/// What a request asks for, of all that is compared (`RequestMatchesSpec`).
fn request(certificate: &Value) -> Value {
    ["commonName", "isCA", "duration", "issuerRef"]
        .iter()
        .map(|field| certificate["spec"][*field].clone())
        .collect()
}

impl Cluster {
    /// The mesh of Linkerd's guide for cert-manager and trust-manager, seven weeks after it was made: the anchor renews itself in
    /// eleven days, the issuer every day.
    pub(crate) fn by_cert_manager() -> Self {
        Self::made_by(Controllers::of_the_guide(), fleet::small)
    }

    /// With a ClusterBundle; with an anchor from outside, where one is given.
    pub(crate) fn by_cluster_bundle(anchor: Option<Authority>) -> Self {
        let controllers = anchor.map_or_else(Controllers::of_the_guide, Controllers::of_outside);
        Self::made_by(controllers.with_cluster_bundle(), fleet::small)
    }

    pub(crate) fn made_by(controllers: Controllers, loads: fn(&str) -> Vec<Load>) -> Self {
        Self::made_between(controllers, loads, [at("2026-10-05T08:00:00Z"), at(NOW)])
    }

    /// The same with an anchor from outside.
    pub(crate) fn by_cert_manager_below(anchor: Authority) -> Self {
        Self::made_by(Controllers::of_outside(anchor), fleet::small)
    }

    /// The same for a test in which time is not its own.
    pub(crate) fn by_cert_manager_at(now: Timestamp) -> Self {
        Self::made_between(Controllers::of_the_guide(), fleet::small, [now; 2])
    }

    fn made_between(
        mut controllers: Controllers,
        loads: fn(&str) -> Vec<Load>,
        [begun, now]: [Timestamp; 2],
    ) -> Self {
        let mut cluster = Self::made(loads);
        controllers.reconcile(begun);
        let has_text = |one: &Value| {
            one["spec"]["sources"][0].get("inLine").is_some() || one["spec"].get("inLineCAs").is_some()
        };
        if !controllers.objects.iter().any(has_text) {
            controllers.copy("linkerd-trust-anchor", "linkerd-previous-anchor");
        }
        cluster.now = begun;
        cluster.controllers = Some(controllers);
        cluster.follow();
        let bundle = cluster.bundle.clone();
        cluster.workloads = loads(&bundle);
        while cluster.now < now {
            let idle = cluster.controllers.as_ref().unwrap().idle(cluster.now);
            cluster.wait(idle.min(cluster.now.duration_until(now)));
        }
        cluster
    }

    /// Lets both controllers do what they do, and the mesh have what they made.
    pub(crate) fn follow(&mut self) {
        let Some(controllers) = &mut self.controllers else { return };
        controllers.reconcile(self.now);
        if let Some(published) = controllers.published().filter(|published| *published != self.bundle) {
            (self.bundle, self.bundle_changed) = (published, self.now);
        }
        let issuer = controllers.issuer();
        let pem = issuer.authority.certificate.to_pem();
        if pem.trim_end() != self.issuer {
            self.issuer = pem.trim_end().to_owned();
            self.issuer_key = issuer.authority.key.to_pem(KeyEncoding::Sec1).unwrap().to_string();
            self.issuer_changed = self.now;
        }
    }
}

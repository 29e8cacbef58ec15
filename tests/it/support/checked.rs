//! A healthy mesh of 2.12 or later, put together in memory, and what the checks find in it.

use jiff::{SignedDuration, Timestamp};
use l5d_rotate::check::{Checked, Options, run};
use l5d_rotate::document::ObjectRef;
use l5d_rotate::finding::{AnchorRef, CertificateRef, Fact, Finding, Severity, TrustFact};
use l5d_rotate::mesh::{
    BundleId, ChangeTime, Era, Held, Injection, Known, Made, Mesh, Plane, ProxyGroup, Replica, Scheme,
    Starts, Workload, WorkloadId,
};
use l5d_rotate::pki::{Authority, BundleText, Certificate, IssuerChain, Refusal};

pub(crate) use super::mesh::{issuer_of as secret, published};
pub(crate) use super::pki::at;
use super::{mesh, pki};

/// The instant that everything is evaluated as of.
pub(crate) fn now() -> Timestamp {
    at("2026-06-01")
}

pub(crate) fn options() -> Options {
    Options { at: now(), expiry_threshold: SignedDuration::from_hours(60 * 24) }
}

pub(crate) fn anchor(name: &str, not_before: &str, not_after: &str) -> Authority {
    pki::anchor_within(name, at(not_before), at(not_after))
}

pub(crate) fn issuer(anchor: &Authority, not_before: &str, not_after: &str) -> Authority {
    pki::issuer_within(anchor, at(not_before), at(not_after))
}

/// An anchor that is good for years.
pub(crate) fn root(name: &str) -> Authority {
    pki::anchor(name)
}

/// An issuer that is good for half a year.
pub(crate) fn good_issuer(anchor: &Authority) -> Authority {
    issuer(anchor, "2026-01-02", "2026-12-31")
}

pub(crate) fn pem(authorities: &[&Authority]) -> String {
    authorities.iter().map(|authority| authority.certificate.to_pem()).collect()
}

pub(crate) fn text(authorities: &[&Authority]) -> BundleText {
    BundleText::read(pem(authorities))
}

pub(crate) fn chain(issuer: &Certificate) -> IssuerChain {
    pki::chain(issuer, &[])
}

/// Everything as it should be: bundle, copy, issuer, a restarted control plane and one workload with two proxies.
pub(crate) fn mesh(anchors: &[&Authority], issuer: &Authority) -> Mesh {
    let replica = |component: &str, container: &str| Replica {
        pod: format!("linkerd-{component}-0"),
        component: component.into(),
        container: container.into(),
        started: Some(at("2026-02-01T00:10:00Z")),
        made: Made::default(),
    };
    let mut mesh = mesh::bare(Era::V2_12, Scheme::Linkerd);
    mesh.control_plane.version = Some("stable-2.14.10".into());
    mesh.control_plane.replicas = vec![
        replica("identity", "identity"),
        replica("identity", "linkerd-proxy"),
        replica("proxy-injector", "proxy-injector"),
    ];
    mesh.trust = mesh::trust(Era::V2_12, &text(anchors), ChangeTime::At(at("2026-02-01")));
    mesh.issuer = Known::Is(mesh::issuer(chain(&issuer.certificate), ChangeTime::At(at("2026-02-01"))));
    mesh.pods = Known::Is(());
    proxies(&mut mesh, "web", text(anchors), &["web-1", "web-2"], 2);
    let identity =
        workload(&mut mesh, "linkerd", "linkerd-identity", Plane::Control, Injection::ControlPlane);
    group(&mut mesh, identity, Held::ByReference, &["linkerd-identity-0"], 1);
    mesh
}

pub(crate) fn workload(
    mesh: &mut Mesh,
    namespace: &str,
    name: &str,
    plane: Plane,
    injection: Injection,
) -> WorkloadId {
    let object = ObjectRef::new("apps/v1", "Deployment", namespace, name);
    mesh.workloads.push(mesh::workload(object, plane, injection));
    WorkloadId(mesh.workloads.len() - 1)
}

pub(crate) fn group(mesh: &mut Mesh, workload: WorkloadId, held: Held, sample: &[&str], count: u64) {
    let mut starts = Starts::default();
    (0..count).for_each(|_| starts.add(Some(at("2026-02-01T00:20:00Z"))));
    let Workload { plane, injection, .. } = mesh.workloads[workload.0];
    let sample = sample.iter().map(|pod| (*pod).to_owned()).collect();
    let made = Made::default();
    mesh.proxies.push(ProxyGroup { workload, plane, held, injection, starts, made, sample });
}

/// A Deployment in `emojivoto` whose proxies hold this bundle.
pub(crate) fn proxies(mesh: &mut Mesh, name: &str, held: BundleText, sample: &[&str], count: u64) {
    mesh.bundles.push(held);
    let id = BundleId(mesh.bundles.len() - 1);
    let workload = workload(mesh, "emojivoto", name, Plane::Data, Injection::Webhook);
    group(mesh, workload, Held::Literal(id), sample, count);
}

/// The Secret as an external issuer has it.
pub(crate) fn external(mesh: &mut Mesh, ca: Option<BundleText>) {
    mesh.control_plane.scheme = Scheme::Kubernetes;
    let issuer = secret(mesh);
    issuer.keys = vec!["tls.crt".into(), "tls.key".into()];
    if ca.is_some() {
        issuer.keys.insert(0, "ca.crt".into());
    }
    issuer.ca = ca;
}

pub(crate) fn check(mesh: &Mesh, code: &str) -> Option<Checked> {
    run(mesh, options()).into_iter().find(|check| check.code == code)
}

/// What a check finds, where it does not pass.
pub(crate) type Found = Option<(Severity, Fact)>;

/// What a check finds that passes.
pub(crate) const PASSES: Found = None;

pub(crate) fn outcome(mesh: &Mesh, code: &str) -> Found {
    let check = check(mesh, code).unwrap_or_else(|| panic!("{code} does not apply"));
    check.finding().map(|finding| (finding.severity, finding.fact.clone()))
}

/// The whole finding of a check that does not pass.
pub(crate) fn finding(mesh: &Mesh, code: &str) -> Finding {
    check(mesh, code).and_then(|check| check.finding().cloned()).unwrap_or_else(|| panic!("{code} passes"))
}

/// Why an identity controller that starts now fails, by the check of that.
pub(crate) fn why_identity_fails(mesh: &Mesh) -> Refusal {
    match finding(mesh, "issuer-accepted-by-bundle").fact {
        Fact::Trust(TrustFact::IdentityFailsToStart(rejection)) => rejection.refusal,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn error(fact: impl Into<Fact>) -> Found {
    Some((Severity::Error, fact.into()))
}

pub(crate) fn warning(fact: impl Into<Fact>) -> Found {
    Some((Severity::Warning, fact.into()))
}

pub(crate) fn unknown(fact: impl Into<Fact>) -> Found {
    Some((Severity::Unknown, fact.into()))
}

/// The codes of all checks that do not pass.
pub(crate) fn not_passed(mesh: &Mesh) -> Vec<&'static str> {
    run(mesh, options()).iter().filter(|check| check.finding().is_some()).map(|check| check.code).collect()
}

pub(crate) fn secret_ref() -> ObjectRef {
    ObjectRef::new("v1", "Secret", "linkerd", "linkerd-identity-issuer")
}

pub(crate) fn config_ref() -> ObjectRef {
    ObjectRef::new("v1", "ConfigMap", "linkerd", "linkerd-config")
}

pub(crate) fn bundle_ref() -> ObjectRef {
    ObjectRef::new("v1", "ConfigMap", "linkerd", "linkerd-identity-trust-roots")
}

pub(crate) fn deployment(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef::new("apps/v1", "Deployment", namespace, name)
}

pub(crate) fn certificate(authority: &Authority) -> CertificateRef {
    (&authority.certificate).into()
}

pub(crate) fn anchors(authorities: &[&Authority]) -> Vec<AnchorRef> {
    authorities.iter().map(|authority| (&authority.certificate).into()).collect()
}

/// Why an issuer is refused whose anchor none of the bundle has the name of.
pub(crate) fn no_anchor(issuer: &str) -> Refusal {
    let certificate = "identity.linkerd.cluster.local".to_owned();
    Refusal::UnknownIssuer { certificate, issuer: issuer.to_owned(), candidate: None }
}

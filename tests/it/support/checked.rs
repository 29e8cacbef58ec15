//! A healthy mesh of 2.12 or later, put together in memory, and what the checks find in it.

use jiff::{SignedDuration, Timestamp};
use l5d_rotate::check::{Checked, Options, run};
use l5d_rotate::document::{ObjectRef, Origin};
use l5d_rotate::finding::{AnchorRef, CertificateRef, Fact, Finding, Severity, TrustFact};
use l5d_rotate::mesh::{
    BundleId, ChangeTime, ControlPlane, Era, GoDuration, Held, Injection, Issuer, KeyState, Known, Made,
    Mesh, Plane, ProxyGroup, Published, Replica, Scheme, Starts, Trust, TrustHome, Workload, WorkloadId,
};
use l5d_rotate::pki::{
    AnchorRequest, Authority, BundleText, Certificate, IssuerChain, IssuerRequest, Refusal, mint_anchor,
    mint_issuer,
};

pub(crate) fn at(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    text.parse().unwrap()
}

/// The instant that everything is evaluated as of.
pub(crate) fn now() -> Timestamp {
    at("2026-06-01")
}

pub(crate) fn options() -> Options {
    Options { at: now(), expiry_threshold: SignedDuration::from_hours(60 * 24) }
}

pub(crate) fn anchor(name: &str, not_before: &str, not_after: &str) -> Authority {
    let request =
        AnchorRequest { common_name: name.into(), not_before: at(not_before), not_after: at(not_after) };
    mint_anchor(&request).unwrap()
}

pub(crate) fn issuer(anchor: &Authority, not_before: &str, not_after: &str) -> Authority {
    let request = IssuerRequest {
        common_name: "identity.linkerd.cluster.local".into(),
        dns_names: vec![],
        not_before: at(not_before),
        not_after: at(not_after),
    };
    mint_issuer(&request, anchor).unwrap()
}

/// An anchor that is good for years.
pub(crate) fn root(name: &str) -> Authority {
    anchor(name, "2026-01-01", "2036-01-01")
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
    IssuerChain { issuer: issuer.clone(), intermediates: vec![] }
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
    let mut mesh = Mesh {
        control_plane: ControlPlane {
            namespace: "linkerd".into(),
            version: Some("stable-2.14.10".into()),
            era: Era::V2_12,
            installer: None,
            trust_domain: "cluster.local".into(),
            issuance_lifetime: GoDuration::from_secs(86_400),
            clock_skew: GoDuration::from_secs(20),
            scheme: Scheme::Linkerd,
            external_ca: false,
            replicas: vec![
                replica("identity", "identity"),
                replica("identity", "linkerd-proxy"),
                replica("proxy-injector", "proxy-injector"),
            ],
            is_restart_confirmed: false,
        },
        trust: Trust {
            published: Known::Is(Published {
                home: TrustHome::TrustRoots,
                text: text(anchors),
                changed: ChangeTime::At(at("2026-02-01")),
            }),
            config: Known::Is(text(anchors)),
            identity: None,
        },
        issuer: Known::Is(Issuer {
            from_secret: true,
            keys: vec!["crt.pem".into(), "key.pem".into()],
            secret_type: Some("Opaque".into()),
            chain: Ok(chain(&issuer.certificate)),
            key: KeyState::Matches,
            ca: None,
            changed: ChangeTime::At(at("2026-02-01")),
        }),
        bundles: vec![],
        proxies: vec![],
        workloads: vec![],
        manifests: vec![],
        certificates: vec![],
        certificate_issuers: vec![],
        trust_bundle: None,
        external_workloads: vec![],
        links: vec![],
        pods: Known::Is(()),
        only: None,
        unmeshed: vec![],
        gaps: vec![],
    };
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
    mesh.workloads.push(Workload {
        object: ObjectRef::new("apps/v1", "Deployment", namespace, name),
        plane,
        injection,
        template: None,
        replicas: None,
        obstacles: vec![],
        owners: vec![],
        origin: Origin::default(),
    });
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

pub(crate) fn published(mesh: &mut Mesh) -> &mut Published {
    match &mut mesh.trust.published {
        Known::Is(published) => published,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn secret(mesh: &mut Mesh) -> &mut Issuer {
    match &mut mesh.issuer {
        Known::Is(issuer) => issuer,
        other => panic!("{other:?}"),
    }
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

//! A `Mesh` in memory, from nothing: what the builders beside it begin with.

use l5d_rotate::document::{ObjectRef, Origin};
use l5d_rotate::mesh::{
    CertManagerCertificate, ChangeTime, ControlPlane, Era, GoDuration, Injection, Issuer, KeyState, Known,
    Mesh, Plane, Published, Scheme, Trust, Workload,
};
use l5d_rotate::pki::{BundleText, IssuerChain};

/// A control plane of an era in namespace linkerd, of which nothing else is known.
pub fn bare(era: Era, scheme: Scheme) -> Mesh {
    Mesh {
        control_plane: ControlPlane {
            namespace: "linkerd".into(),
            version: None,
            era,
            installer: None,
            trust_domain: "cluster.local".into(),
            issuance_lifetime: GoDuration::from_secs(86_400),
            clock_skew: GoDuration::from_secs(20),
            scheme,
            external_ca: false,
            replicas: vec![],
            is_restart_confirmed: false,
        },
        trust: Trust { published: Known::Absent, config: Known::Absent, identity: None },
        issuer: Known::Absent,
        bundles: vec![],
        proxies: vec![],
        workloads: vec![],
        manifests: vec![],
        certificates: vec![],
        certificate_issuers: vec![],
        trust_bundle: None,
        external_workloads: vec![],
        links: vec![],
        pods: Known::Absent,
        only: None,
        unmeshed: vec![],
        gaps: vec![],
    }
}

/// A bundle as it is published, and its copy in linkerd-config.
pub fn trust(era: Era, text: &BundleText, changed: ChangeTime) -> Trust {
    let published = Published { home: era.trust_home(), text: text.clone(), changed };
    Trust { published: Known::Is(published), config: Known::Is(text.clone()), identity: None }
}

/// An issuer in a Secret of Linkerd's own scheme, with its key.
pub fn issuer(chain: IssuerChain, changed: ChangeTime) -> Issuer {
    Issuer {
        from_secret: true,
        keys: vec!["crt.pem".into(), "key.pem".into()],
        secret_type: Some("Opaque".into()),
        chain: Ok(chain),
        key: KeyState::Matches,
        ca: None,
        changed,
    }
}

pub fn workload(object: ObjectRef, plane: Plane, injection: Injection) -> Workload {
    Workload {
        object,
        plane,
        injection,
        template: None,
        replicas: None,
        obstacles: vec![],
        owners: vec![],
        origin: Origin::default(),
    }
}

pub fn published(mesh: &mut Mesh) -> &mut Published {
    match &mut mesh.trust.published {
        Known::Is(published) => published,
        other => panic!("{other:?}"),
    }
}

pub fn issuer_of(mesh: &mut Mesh) -> &mut Issuer {
    match &mut mesh.issuer {
        Known::Is(issuer) => issuer,
        other => panic!("{other:?}"),
    }
}

/// A Certificate of a CA, of which nothing is told but its name: its Secret has the same.
pub fn certificate(namespace: &str, name: &str) -> CertManagerCertificate {
    CertManagerCertificate {
        object: ObjectRef::new("cert-manager.io/v1", "Certificate", namespace, name),
        secret: name.into(),
        is_ca: true,
        duration: None,
        renew_before: None,
        rotation_policy: None,
        renewal_time: None,
        signer: None,
        renewal_disabled: false,
        generation: None,
        request: None,
        requested: None,
        last_failure: None,
        failed_attempts: None,
    }
}

//! A mesh made of everything that was observed.

use std::collections::{BTreeMap, BTreeSet};

use super::assembly::{Assembly, assemble};
use super::certificates::Relevant;
use super::config::Config;
use super::evidence::{Witnesses, era};
use super::identity::Identity;
use super::issuer;
use super::kept::Kept;
use super::proxies::Held;
use super::settings::{Settings, installer};
use super::trust::Places;
use super::{MeshError, Observer};
use crate::linkerd;
use crate::mesh::era::{Era, Scheme};
use crate::mesh::{
    CertManagerCertificate, ControlPlane, Issuer, Known, Manifest, Mesh, Owner, Replica, Trust, Unread,
};

/// Brings everything together.
pub(super) fn finish(mut observer: Observer, asked: Option<&str>) -> Result<Mesh, MeshError> {
    let namespace = observer.control_plane(asked)?;
    let secret = of_namespace(&mut observer.issuers, &namespace);
    let overrides = of_namespace(&mut observer.overrides, &namespace);
    let mut manifests: Vec<Manifest> = secret
        .iter()
        .map(|secret| &secret.kept)
        .chain(&overrides)
        .map(|kept| kept.manifest(&namespace))
        .collect();
    let (control_plane, trust, issuer) =
        observer.identity_of(&namespace, secret, overrides.is_some(), &mut manifests)?;

    let has_bundle = observer.certificates.has_bundle();
    let Relevant { certificates, issuers, bundle, manifests: of_certificates } =
        observer.certificates.relevant(&namespace);
    let Assembly { bundles, proxies, unmeshed, workloads, manifests: of_workloads, missing } =
        assemble(observer.proxies, observer.workloads, &observer.parents, &observer.namespaces, &namespace);
    let pods = match observer.gaps.any("pods") {
        Some(why) => Known::Unknown(why.clone()),
        None if observer.pods_were_read => Known::Is(()),
        None if observer.has_pods => missing.map_or(Known::Is(()), Known::Unknown),
        None => Known::Absent,
    };
    manifests.extend(of_workloads);
    manifests.extend(of_certificates);
    manifests.iter_mut().for_each(|manifest| add_owners(manifest, &certificates, has_bundle));
    manifests.sort_by(|one, other| place(one).cmp(&place(other)));
    Ok(Mesh {
        control_plane,
        trust,
        issuer,
        bundles,
        proxies,
        unmeshed,
        workloads,
        manifests,
        certificates,
        certificate_issuers: issuers,
        trust_bundle: bundle,
        only: None,
        external_workloads: observer.external_workloads.into_iter().collect(),
        links: observer.links.into_iter().collect(),
        pods,
        gaps: observer.gaps.into_sorted(),
    })
}

impl Observer {
    /// The control plane's namespace. trust-manager may copy the ConfigMap of the anchors into every namespace, so that one
    /// counts only where nothing else is found, or where it is asked for.
    fn control_plane(&self, asked: Option<&str>) -> Result<String, MeshError> {
        let controllers = self
            .workloads
            .values()
            .filter(|seen| seen.object.kind == "Deployment" && seen.component.as_deref() == Some("identity"))
            .map(|seen| &seen.object.namespace);
        let pods =
            self.proxies.replicas.iter().filter(|(_, pod)| pod.component == "identity").map(|(of, _)| of);
        let config_maps = |wanted: &'static str| {
            self.config_maps.keys().filter(move |(name, _)| name == wanted).map(|(_, namespace)| namespace)
        };
        let default = |namespace: &String| match namespace.as_str() {
            "" => "linkerd".to_owned(),
            named => named.to_owned(),
        };
        let mut found: BTreeSet<String> =
            controllers.chain(pods).chain(config_maps(linkerd::CONFIG)).map(default).collect();
        if found.is_empty() || asked.is_some_and(|asked| !found.contains(asked)) {
            found.extend(config_maps(linkerd::TRUST_ROOTS).map(default));
        }
        let found: Vec<String> = found.into_iter().collect();
        match (asked, &*found) {
            (_, []) => Err(if self.gaps.is_empty() {
                MeshError::NoControlPlane
            } else {
                MeshError::Unreadable { gaps: self.gaps.clone().into_sorted() }
            }),
            (Some(asked), _) if found.iter().any(|namespace| namespace == asked) => Ok(asked.to_owned()),
            (Some(asked), _) => Err(MeshError::NotThere { asked: asked.to_owned(), found }),
            (None, [one]) => Ok(one.clone()),
            (None, _) => Err(MeshError::SeveralControlPlanes { namespaces: found }),
        }
    }

    /// Everything about the control plane itself; the ConfigMaps that tell it are added to `manifests`.
    fn identity_of(
        &self,
        namespace: &str,
        secret: Option<issuer::Seen>,
        by_cli: bool,
        manifests: &mut Vec<Manifest>,
    ) -> Result<(ControlPlane, Trust, Known<Issuer>), MeshError> {
        let config = self.find_config_map(linkerd::CONFIG, namespace).map(Config::read).transpose()?;
        let trust_roots = self.find_config_map(linkerd::TRUST_ROOTS, namespace);
        let identity = self.identity(namespace);
        let (config, identity) = (config.as_ref(), identity.as_ref());
        let told = [identity.map(|identity| identity.kept), config.map(|config| config.kept), trust_roots];
        let told: Vec<&Kept> = told.into_iter().flatten().collect();
        manifests.extend(
            told.iter().filter(|kept| kept.object.kind == "ConfigMap").map(|kept| kept.manifest(namespace)),
        );

        let by_reference = self.holds_by_reference(namespace);
        let hashed_pods = self.proxies.hashed.contains(namespace);
        let era = era(&Witnesses { config, identity, trust_roots, by_reference, hashed_pods }, namespace)?;
        let places = Places { namespace, config, identity, trust_roots, gaps: &self.gaps };
        let settings = Settings { identity, config };
        let scheme = scheme(&settings, secret.as_ref());
        let control_plane = ControlPlane {
            namespace: namespace.to_owned(),
            version: settings.version(&told),
            era,
            installer: installer(&told, by_cli),
            trust_domain: settings.trust_domain(),
            issuance_lifetime: settings.issuance_lifetime(),
            clock_skew: settings.clock_skew(),
            scheme,
            external_ca: places.external_ca(self.certificates.has_bundle()),
            replicas: self.replicas(namespace),
            is_restart_confirmed: false,
        };
        let issuer = self.issuer(secret, config, namespace, (scheme, era))?;
        Ok((control_plane, places.trust(era)?, issuer))
    }

    /// One of the control plane's ConfigMaps; a manifest may leave the namespace open.
    fn find_config_map(&self, name: &str, namespace: &str) -> Option<&Kept> {
        let of = |namespace: &str| self.config_maps.get(&(name.to_owned(), namespace.to_owned()));
        of(namespace).or_else(|| of(""))
    }

    fn identity(&self, namespace: &str) -> Option<Identity<'_>> {
        let controllers = self.workloads.values().filter(|seen| {
            seen.object.kind == "Deployment"
                && seen.component.as_deref() == Some("identity")
                && [namespace, ""].contains(&seen.object.namespace.as_str())
        });
        controllers.filter_map(|seen| seen.kept.as_ref()).find_map(Identity::read)
    }

    /// Does some control-plane proxy have its bundle from the ConfigMap?
    fn holds_by_reference(&self, namespace: &str) -> bool {
        self.proxies
            .groups
            .keys()
            .any(|group| group.component && group.claim.is_in(namespace) && group.held == Held::ByReference)
    }

    fn replicas(&self, namespace: &str) -> Vec<Replica> {
        self.proxies
            .replicas
            .iter()
            .filter(|(of, _)| of == namespace)
            .map(|(_, replica)| replica.clone())
            .collect()
    }

    fn issuer(
        &self,
        secret: Option<issuer::Seen>,
        config: Option<&Config<'_>>,
        namespace: &str,
        (scheme, era): (Scheme, Era),
    ) -> Result<Known<Issuer>, MeshError> {
        if let Some(secret) = secret {
            return secret.issuer(scheme, era).map(Known::Is);
        }
        if let Some(source) = self.sources.get(namespace).or_else(|| self.sources.get("")) {
            return Ok(issuer::elsewhere(source));
        }
        let unread = if self.secrets_were_read { None } else { Some(&Unread::NoSecret) };
        let Some(why) = self.gaps.why("secrets", namespace, linkerd::ISSUER_SECRET).or(unread) else {
            return Ok(Known::Absent);
        };
        Ok(config.and_then(issuer::copied).map_or_else(|| Known::Unknown(why.clone()), Known::Is))
    }
}

/// The controller's own argument, else the configuration, else what the Secret has.
fn scheme(settings: &Settings<'_>, secret: Option<&issuer::Seen>) -> Scheme {
    let only = |secret: &issuer::Seen| Scheme::ALL.into_iter().find(|scheme| secret.only_has(*scheme));
    settings.scheme().or_else(|| secret.and_then(only)).unwrap_or(Scheme::Linkerd)
}

/// What belongs to the control plane's namespace; a manifest may leave the namespace open.
fn of_namespace<T>(all: &mut BTreeMap<String, T>, namespace: &str) -> Option<T> {
    all.remove(namespace).or_else(|| all.remove(""))
}

/// Owners that the object itself does not name yet, because its maker has only been read and has not run.
fn add_owners(manifest: &mut Manifest, certificates: &[CertManagerCertificate], bundle: bool) {
    let object = &manifest.object;
    let owner = match (object.kind.as_str(), object.name.as_str()) {
        ("Secret", linkerd::ISSUER_SECRET) => certificates
            .iter()
            .find(|certificate| {
                certificate.secret == linkerd::ISSUER_SECRET
                    && certificate.object.namespace == object.namespace
            })
            .map(|certificate| Owner::CertManager { certificate: certificate.object.name.clone() }),
        ("ConfigMap", linkerd::TRUST_ROOTS) => {
            bundle.then(|| Owner::TrustManager { bundle: linkerd::TRUST_ROOTS.to_owned() })
        }
        _ => None,
    };
    if let Some(owner) = owner
        && !manifest.owners.contains(&owner)
    {
        manifest.owners.insert(0, owner);
    }
}

fn place(manifest: &Manifest) -> (&str, &str, &str) {
    let object = &manifest.object;
    (&object.namespace, &object.kind, &object.name)
}

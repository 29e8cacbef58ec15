//! Where the trust material of a mesh stands, and who owns it.

use std::fmt;

use serde::Serialize;

use super::{Mesh, Owner, ProxyGroup, Published, REDACTED, TrustHome};
use crate::document::ObjectRef;
use crate::linkerd;
use crate::pki::{Bundle, IssuerChain, Rules};

/// Object and field of the published bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BundlePlace {
    pub object: ObjectRef,
    pub field: &'static str,
}

impl fmt::Display for BundlePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.object, self.field)
    }
}

impl Mesh {
    /// Does the issuer's Secret have a private key that the input does not show, as dumps and snapshots of this program's do not?
    #[must_use]
    pub fn key_was_taken_out(&self) -> bool {
        let object = self.issuer_secret();
        let manifest = self.manifest(&object.kind, &object.namespace, &object.name);
        let (_, key) = self.control_plane.scheme.keys();
        let value = manifest.and_then(|manifest| manifest.tree.get("data")?.get(key)?.as_str());
        value == Some(REDACTED)
    }

    /// The issuer Secret.
    #[must_use]
    pub fn issuer_secret(&self) -> ObjectRef {
        self.core("Secret", linkerd::ISSUER_SECRET)
    }

    /// The ConfigMap that the published bundle stands in.
    #[must_use]
    pub fn bundle_home(&self) -> ObjectRef {
        self.core("ConfigMap", self.trust_home().config_map())
    }

    /// The ConfigMap with Linkerd's settings: the bundle's copy, or the bundle itself up to 2.10.
    #[must_use]
    pub fn linkerd_config(&self) -> ObjectRef {
        self.core("ConfigMap", linkerd::CONFIG)
    }

    /// Object and field of the published bundle.
    #[must_use]
    pub fn bundle_place(&self) -> BundlePlace {
        BundlePlace { object: self.bundle_home(), field: self.trust_home().field() }
    }

    /// Who would put an object of the control plane back; where the object was not observed, whoever installed Linkerd.
    #[must_use]
    pub fn owners_of(&self, object: &ObjectRef) -> Vec<Owner> {
        match self.manifest(&object.kind, &object.namespace, &object.name) {
            Some(manifest) => manifest.owners.clone(),
            None => self.control_plane.installer.iter().cloned().collect(),
        }
    }

    /// Three pods of these groups, the first by name, as `namespace/pod`.
    pub fn sample<'a>(&self, groups: impl Iterator<Item = &'a ProxyGroup>) -> Vec<String> {
        let pods = groups.flat_map(|group| {
            let namespace = &self.workload(group.workload).object.namespace;
            group.sample.iter().map(move |pod| format!("{namespace}/{pod}"))
        });
        let mut pods: Vec<_> = pods.take(100).collect();
        pods.sort();
        pods.truncate(3);
        pods
    }

    /// The chain in the issuer Secret, where it is known; the copy of its certificate in `linkerd-config` does not count.
    #[must_use]
    pub fn secret_chain(&self) -> Option<&IssuerChain> {
        let issuer = self.issuer.as_option()?;
        if issuer.from_secret { issuer.chain.as_ref().ok() } else { None }
    }

    fn trust_home(&self) -> TrustHome {
        let published = self.trust.published.as_option();
        published.map_or_else(|| self.control_plane.era.trust_home(), |published| published.home)
    }

    fn core(&self, kind: &str, name: &str) -> ObjectRef {
        ObjectRef::new("v1", kind, &self.control_plane.namespace, name)
    }
}

impl Published {
    /// What each of Linkerd's two readers gets from the text.
    pub fn readings(&self) -> impl Iterator<Item = &Bundle> {
        [Rules::Controller, Rules::Proxy].into_iter().filter_map(|rules| self.text.as_read_by(rules).ok())
    }

    /// Does it hold for what either reader gets, neither refusing the text?
    pub fn both_readings(&self, holds: impl Fn(&Bundle) -> bool) -> bool {
        [Rules::Controller, Rules::Proxy]
            .into_iter()
            .all(|rules| self.text.as_read_by(rules).is_ok_and(&holds))
    }
}

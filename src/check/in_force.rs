//! The certificates that the mesh works with.

use jiff::Timestamp;

use crate::finding::CertificateRole;
use crate::mesh::Mesh;
use crate::pki::{Bundle, Certificate, Rules};

/// The certificates that are published or in the issuer's Secret.
#[derive(Debug, Default)]
pub struct InForce<'a> {
    /// Each once, the trust anchors first.
    pub certificates: Vec<(CertificateRole, &'a Certificate)>,
    /// Were the bundle and the issuer's Secret both read?
    pub is_complete: bool,
}

impl<'a> InForce<'a> {
    /// Those of a mesh.
    #[must_use]
    pub fn of(mesh: &'a Mesh) -> Self {
        let published = mesh.trust.published.as_option();
        let chain = mesh.secret_chain();
        let is_read = published.is_some_and(|published| {
            [Rules::Controller, Rules::Proxy]
                .into_iter()
                .all(|rules| published.text.as_read_by(rules).is_ok())
        });
        let mut all = Self { certificates: Vec::new(), is_complete: is_read && chain.is_some() };
        for anchor in published.iter().flat_map(|published| published.readings()).flat_map(Bundle::anchors) {
            all.add(CertificateRole::TrustAnchor, anchor);
        }
        // Without the Secret, the copy of its certificate tells more than nothing.
        let issuer = mesh.issuer.as_option().and_then(|issuer| issuer.chain.as_ref().ok());
        if let Some(chain) = issuer {
            all.add(CertificateRole::Issuer, &chain.issuer);
            chain.intermediates.iter().for_each(|one| all.add(CertificateRole::Intermediate, one));
        }
        all
    }

    /// Those that are not valid any more at an instant.
    #[must_use]
    pub fn expired_at(&self, instant: Timestamp) -> Vec<(CertificateRole, &'a Certificate)> {
        let has_expired = |(_, one): &&(CertificateRole, &'a Certificate)| one.is_expired_at(instant);
        self.certificates.iter().filter(has_expired).copied().collect()
    }

    fn add(&mut self, role: CertificateRole, certificate: &'a Certificate) {
        let is_it = |(known, one): &(CertificateRole, &Certificate)| *known == role && *one == certificate;
        if !self.certificates.iter().any(is_it) {
            self.certificates.push((role, certificate));
        }
    }
}

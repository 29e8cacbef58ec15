//! The bundles and issuers of a rotation, by names that people use.

use crate::pki::{Bundle, Certificate, Fingerprint, IssuerChain};
use crate::rotation::Record;

/// Every bundle and issuer that occurs, in the order in which they were met.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    old: Vec<Fingerprint>,
    new: Option<Fingerprint>,
    old_issuer: Option<IssuerChain>,
    new_issuer: IssuerChain,
    with_cross: Option<IssuerChain>,
    bundles: Vec<Bundle>,
    issuers: Vec<IssuerChain>,
}

impl Classes {
    pub(super) fn new(record: &Record) -> Self {
        Self {
            old: record.old.anchors().iter().map(Certificate::fingerprint).collect(),
            new: record.anchor().map(Certificate::fingerprint),
            old_issuer: record.old_issuer.clone(),
            new_issuer: record.issuer.clone(),
            with_cross: record.cross.is_some().then(|| record.chain_with_cross()),
            bundles: Vec::new(),
            issuers: Vec::new(),
        }
    }

    /// The bundles; a class is an index into them. Two of the same anchors are one, whatever their order.
    #[must_use]
    pub fn bundles(&self) -> &[Bundle] {
        &self.bundles
    }

    /// The issuers with their intermediates; a class is an index into them.
    #[must_use]
    pub fn issuers(&self) -> &[IssuerChain] {
        &self.issuers
    }

    /// The rotation's anchors by the names that bundles are called with.
    pub fn anchors(&self) -> impl Iterator<Item = (&'static str, Fingerprint)> {
        self.old.iter().map(|old| ("old", *old)).chain(self.new.map(|new| ("new", new)))
    }

    pub(super) fn bundle(&mut self, bundle: &Bundle) -> usize {
        let known = self.bundles.iter().position(|known| known.same_set(bundle));
        known.unwrap_or_else(|| {
            self.bundles.push(bundle.clone());
            self.bundles.len() - 1
        })
    }

    pub(super) fn issuer(&mut self, chain: &IssuerChain) -> usize {
        let known = self.issuers.iter().position(|known| known == chain);
        known.unwrap_or_else(|| {
            self.issuers.push(chain.clone());
            self.issuers.len() - 1
        })
    }

    /// The place of a bundle among others: those with old anchors first, those with the new one last.
    pub(super) fn bundle_rank(&self, class: usize) -> (bool, bool, usize) {
        let held = self.bundles[class].fingerprints();
        let has_old = self.old.iter().any(|old| held.contains(old));
        (self.new.is_some_and(|new| held.contains(&new)), !has_old, class)
    }

    /// The place of an issuer among others: the new one last.
    pub(super) fn issuer_rank(&self, class: usize) -> (bool, bool, usize) {
        let chain = &self.issuers[class];
        (*chain == self.new_issuer, self.has_cross(chain), class)
    }

    /// `{old}`, `{old,new}`, `{new}`; `old` stands for all anchors that the rotation found, any other anchor for itself.
    #[must_use]
    pub fn bundle_name(&self, bundle: &Bundle) -> String {
        let held = bundle.fingerprints();
        let all_old = self.old.iter().all(|old| held.contains(old));
        let name = |fingerprint: &Fingerprint| match fingerprint {
            _ if Some(*fingerprint) == self.new => "new".to_owned(),
            _ if all_old && self.old.contains(fingerprint) => "old".to_owned(),
            other => other.short(),
        };
        let mut names: Vec<_> = held.iter().map(name).collect();
        let rank = |name: &str| ["old", "new"].iter().position(|known| *known == name).unwrap_or(2);
        names.sort_by_key(|name| rank(name));
        names.dedup();
        if names.len() > 4 {
            let more = names.split_off(3).len();
            names.push(format!("+{more} more"));
        }
        format!("{{{}}}", names.join(","))
    }

    /// Is it the new issuer with its cross certificate?
    #[must_use]
    pub fn has_cross(&self, chain: &IssuerChain) -> bool {
        self.with_cross.as_ref() == Some(chain)
    }

    /// `new issuer`, `new+cross` (with its cross certificate), `old issuer` (the one that the rotation found, or where it found none the only other), else the
    /// issuer's fingerprint.
    #[must_use]
    pub fn issuer_name(&self, chain: &IssuerChain) -> String {
        let is_ours = |known: &&IssuerChain| **known == self.new_issuer || self.has_cross(known);
        let is_only_other = || self.issuers.iter().filter(|known| !is_ours(known)).count() == 1;
        match &self.old_issuer {
            _ if *chain == self.new_issuer => "new issuer".to_owned(),
            _ if self.has_cross(chain) => "new+cross".to_owned(),
            Some(old) if chain == old => "old issuer".to_owned(),
            None if is_only_other() => "old issuer".to_owned(),
            _ => format!("issuer {}", chain.issuer.fingerprint().short()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{AnchorRequest, Authority, IssuerRequest, mint_anchor, mint_issuer};
    use crate::rotation::{Scope, Strategy};

    fn root(name: &str) -> Authority {
        let [not_before, not_after] =
            ["2026-01-01T00:00:00Z", "2036-01-01T00:00:00Z"].map(|t| t.parse().unwrap());
        mint_anchor(&AnchorRequest { common_name: name.into(), not_before, not_after }).unwrap()
    }

    fn issuer(anchor: &Authority) -> IssuerChain {
        let [not_before, not_after] =
            ["2026-01-02T00:00:00Z", "2027-01-01T00:00:00Z"].map(|t| t.parse().unwrap());
        let (common_name, dns_names) = ("identity.linkerd.cluster.local".into(), vec![]);
        let request = IssuerRequest { common_name, dns_names, not_before, not_after };
        IssuerChain { issuer: mint_issuer(&request, anchor).unwrap().certificate, intermediates: vec![] }
    }

    fn bundle(anchors: &[&Authority]) -> Bundle {
        Bundle::new(anchors.iter().map(|anchor| anchor.certificate.clone())).unwrap()
    }

    #[test]
    fn bundles_are_named_by_what_they_hold_of_the_rotation() {
        let [a, b, new, other] = ["a", "b", "new", "other"].map(root);
        let classes = Classes::new(&Record {
            started: "2026-06-01T00:00:00Z".parse().unwrap(),
            namespace: "linkerd".into(),
            trust_domain: "cluster.local".into(),
            strategy: Strategy::Staged,
            old: bundle(&[&a, &b]),
            scope: Scope::Full { anchor: new.certificate.clone() },
            old_issuer: None,
            issuer: issuer(&new),
            cross: None,
            managed: None,
            direction: Default::default(),
        });
        let name = |anchors: &[&Authority]| classes.bundle_name(&bundle(anchors));
        assert_eq!(name(&[&a, &b]), "{old}");
        assert_eq!(name(&[&new, &b, &a]), "{old,new}");
        assert_eq!(name(&[&new]), "{new}");
        let short = |anchor: &Authority| anchor.certificate.fingerprint().short();
        assert_eq!(name(&[&a, &new]), format!("{{new,{}}}", short(&a)));
        assert_eq!(name(&[&b, &other, &a, &new]), format!("{{old,new,{}}}", short(&other)));
        let [c, d] = ["c", "d"].map(root);
        assert!(name(&[&a, &b, &new, &other, &c, &d]).ends_with(",+2 more}"));
    }

    #[test]
    fn an_issuer_is_the_old_one_only_where_there_is_one_other() {
        let [old, new, other] = ["old", "new", "other"].map(root);
        let (old_issuer, new_issuer, third) = (issuer(&old), issuer(&new), issuer(&other));
        let mut classes = Classes::new(&Record {
            started: "2026-06-01T00:00:00Z".parse().unwrap(),
            namespace: "linkerd".into(),
            trust_domain: "cluster.local".into(),
            strategy: Strategy::Staged,
            old: bundle(&[&old]),
            scope: Scope::Full { anchor: new.certificate },
            old_issuer: None,
            issuer: new_issuer.clone(),
            cross: None,
            managed: None,
            direction: Default::default(),
        });
        assert_eq!(
            (classes.issuer(&old_issuer), classes.issuer(&new_issuer), classes.issuer(&old_issuer)),
            (0, 1, 0)
        );
        assert_eq!(classes.issuer_name(&new_issuer), "new issuer");
        assert_eq!(classes.issuer_name(&old_issuer), "old issuer");
        classes.issuer(&third);
        assert_eq!(
            classes.issuer_name(&old_issuer),
            format!("issuer {}", old_issuer.issuer.fingerprint().short())
        );
        assert_eq!(classes.issuer_name(&new_issuer), "new issuer");
    }
}

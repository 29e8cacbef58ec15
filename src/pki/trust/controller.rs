//! The identity controller's rules: Go's `x509.Certificate.Verify` of the issuer (`verify.go` of Go 1.26).

mod algorithm;
mod certificate;
mod constraints;
mod names;
mod uri;

use jiff::Timestamp;

use self::algorithm::Checked;
use self::certificate::{CERT_SIGN, GoCertificate, parse};
use super::{Candidate, Identity, Refusal, Usage};
use crate::pki::{Bundle, Certificate, IssuerChain};

/// serverAuth and anyExtendedKeyUsage, as contents of identifiers.
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0];

/// How many candidates Go tries in one verification.
const MAX_CHECKS: usize = 100;

/// Would the identity controller with these anchors take this issuer, and `linkerd check` find it well?
pub(super) fn accepts(
    anchors: &Bundle,
    chain: &IssuerChain,
    identity: &Identity,
    at: Timestamp,
) -> Result<(), Refusal> {
    let issuer = go(&chain.issuer)?;
    let roots = anchors.anchors().iter().map(go).collect::<Result<Vec<_>, _>>()?;
    let mut intermediates: Vec<GoCertificate<'_>> = Vec::new();
    for certificate in &chain.intermediates {
        let certificate = go(certificate)?;
        if !intermediates.iter().any(|known| known.der == certificate.der) {
            intermediates.push(certificate);
        }
    }
    let mut verification = Verification { roots: &roots, intermediates: &intermediates, at, checks: 0 };
    verification.is_valid(&issuer, Place::EndEntity, &[])?;
    if let Some(wanted) = &identity.issuer {
        bears(&chain.issuer, wanted)?;
    }
    verification.verify(&issuer)?;
    // Linkerd's own check after Go's (`pkg/tls/creds_watcher.go`, 2.11 and later).
    if !identity.takes_any_issuer && !issuer.is_ca() {
        return Err(Refusal::IssuerNotACa { certificate: issuer.name });
    }
    Ok(())
}

/// Go's `VerifyHostname`, with the rule of the common name as in Go 1.14, which those versions were built with.
fn bears(issuer: &Certificate, wanted: &str) -> Result<(), Refusal> {
    let facts = issuer.facts();
    let common_name = facts.common_name.iter().filter(|_| !go(issuer).is_ok_and(|it| it.has_names()));
    if facts.dns_names.iter().chain(common_name).any(|name| names::covers(name, wanted)) {
        return Ok(());
    }
    let (certificate, names) = (issuer.name().to_owned(), facts.dns_names.clone());
    Err(Refusal::IssuerName { certificate, wanted: wanted.to_owned(), names })
}

fn go(certificate: &Certificate) -> Result<GoCertificate<'_>, Refusal> {
    parse(certificate.der()).map_err(|reason| Refusal::Malformed {
        certificate: certificate.name().to_owned(),
        detail: reason.to_owned(),
    })
}

/// Is its signature by its own key?
pub(super) fn signs_itself(certificate: &Certificate) -> bool {
    let signed = |it: GoCertificate<'_>| it.key.check(it.algorithm, it.tbs, &it.signature) == Checked::Good;
    go(certificate).is_ok_and(signed)
}

/// Does Go parse it?
pub(super) fn parses(der: &[u8]) -> Result<(), &'static str> {
    parse(der).map(drop)
}

type Chain<'a> = Vec<&'a GoCertificate<'a>>;

struct Verification<'a> {
    roots: &'a [GoCertificate<'a>],
    intermediates: &'a [GoCertificate<'a>],
    at: Timestamp,
    checks: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    EndEntity,
    Intermediate,
    Root,
}

impl<'a> Verification<'a> {
    /// The chains of an end-entity certificate that is valid itself.
    fn verify(&mut self, issuer: &'a GoCertificate<'a>) -> Result<(), Refusal> {
        let chains = if self.roots.iter().any(|root| root.der == issuer.der) {
            vec![vec![issuer]]
        } else {
            self.build(&vec![issuer])?
        };
        let mut refusals = Vec::new();
        for chain in &chains {
            match usable(chain) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusals.push(refusal),
            }
        }
        // Go reports name constraints before anything else that made it drop a chain.
        let constraint =
            refusals.iter().position(|refusal| matches!(refusal, Refusal::NameConstraint { .. }));
        Err(refusals.swap_remove(constraint.unwrap_or(0)))
    }

    /// Every chain from the last certificate of `chain` to a root (Go's `buildChains`).
    ///
    /// As in Go, the last failure of a candidate that did sign is the answer; else the first candidate that did not is
    /// only a hint.
    fn build(&mut self, chain: &Chain<'a>) -> Result<Vec<Chain<'a>>, Refusal> {
        let (roots, intermediates) = (self.roots, self.intermediates);
        let child = chain[chain.len() - 1];
        let (mut chains, mut hint, mut passed_over, mut failed) = (Vec::new(), None, None, None);
        let candidate = |parent: &GoCertificate<'_>, because: Refusal| Candidate {
            name: parent.name.clone(),
            because: Box::new(because),
        };
        let parents = (potential_parents(child, roots).map(|parent| (Place::Root, parent)))
            .chain(potential_parents(child, intermediates).map(|parent| (Place::Intermediate, parent)));
        for (place, parent) in parents {
            self.checks += 1;
            if self.checks > MAX_CHECKS {
                failed = Some(Refusal::TooManyChecks);
            }
            if failed == Some(Refusal::TooManyChecks) {
                break;
            }
            if !parent.key.known {
                continue;
            }
            if already_in(chain, parent) {
                let certificate = child.name.clone();
                passed_over.get_or_insert_with(|| candidate(parent, Refusal::SameNameAndKey { certificate }));
                continue;
            }
            if let Err(refusal) = check_signature(child, parent) {
                hint.get_or_insert_with(|| candidate(parent, refusal));
                continue;
            }
            let longer: Chain<'a> = chain.iter().copied().chain([parent]).collect();
            let found = self.is_valid(parent, place, chain).and_then(|()| match place {
                Place::Root => Ok(vec![longer]),
                _ => self.build(&longer),
            });
            failed = found.map(|found| chains.extend(found)).err();
        }
        if !chains.is_empty() {
            return Ok(chains);
        }
        let candidate = hint.or(passed_over);
        let (certificate, issuer) = (child.name.clone(), child.issuer_name.clone());
        Err(failed.unwrap_or(Refusal::UnknownIssuer { certificate, issuer, candidate }))
    }

    /// Go's `isValid`.
    fn is_valid(
        &self,
        of: &GoCertificate<'_>,
        place: Place,
        below: &[&GoCertificate<'_>],
    ) -> Result<(), Refusal> {
        let certificate = of.name.clone();
        if of.extensions.unhandled_critical {
            return Err(Refusal::CriticalExtension { certificate });
        }
        if self.at < of.not_before {
            return Err(Refusal::NotYetValid { certificate, not_before: of.not_before, at: self.at });
        }
        if self.at > of.not_after {
            return Err(Refusal::Expired { certificate, not_after: of.not_after, at: self.at });
        }
        if place == Place::Intermediate && !of.is_ca() {
            return Err(Refusal::NotACa { certificate });
        }
        let limit = of.extensions.basic_constraints.and_then(|constraints| constraints.path_len);
        let intermediates = u64::try_from(below.len()).unwrap_or(u64::MAX).saturating_sub(1);
        if limit.is_some_and(|limit| !below.is_empty() && intermediates > limit) {
            return Err(Refusal::PathTooLong { certificate });
        }
        Ok(())
    }
}

/// Certificates whose subject is the child's issuer; those first whose key identifiers agree, last those that differ.
fn potential_parents<'a>(
    child: &GoCertificate<'_>,
    pool: &'a [GoCertificate<'a>],
) -> impl Iterator<Item = &'a GoCertificate<'a>> {
    let wanted = child.extensions.authority_key_id;
    let mut found: Vec<_> = pool.iter().filter(|parent| parent.subject == child.issuer).collect();
    found.sort_by_key(|parent| match parent.extensions.subject_key_id {
        id if id == wanted => 0,
        id if id.is_empty() != wanted.is_empty() => 1,
        _ => 2,
    });
    found.into_iter()
}

/// Go's `alreadyInChain`: the same name, key and alternative names, whatever else differs.
fn already_in(chain: &Chain<'_>, candidate: &GoCertificate<'_>) -> bool {
    let names = candidate.extensions.subject_alt_name;
    for known in
        chain.iter().filter(|known| known.subject == candidate.subject && known.spki == candidate.spki)
    {
        match (names, known.extensions.subject_alt_name) {
            (None, None) => return true,
            (None, _) | (_, None) => return false,
            (ours, theirs) if ours == theirs => return true,
            _ => {}
        }
    }
    false
}

/// Go's `CheckSignatureFrom`.
fn check_signature(child: &GoCertificate<'_>, parent: &GoCertificate<'_>) -> Result<(), Refusal> {
    let constraints = parent.extensions.basic_constraints;
    let forbidden = constraints.map_or(parent.version == 3, |constraints| !constraints.is_ca);
    let usage = parent.extensions.key_usage;
    if forbidden || usage != 0 && usage & CERT_SIGN == 0 {
        return Err(Refusal::MayNotSign { certificate: parent.name.clone(), is_ca: !forbidden });
    }
    let (certificate, key) = (child.name.clone(), parent.key.kind);
    match parent.key.check(child.algorithm, child.tbs, &child.signature) {
        Checked::Good => Ok(()),
        Checked::Bad => Err(Refusal::SignatureMismatch { certificate, key }),
        Checked::WrongKind(algorithm) => Err(Refusal::WrongKindOfKey { certificate, algorithm, key }),
        Checked::Insecure(algorithm) => Err(Refusal::InsecureAlgorithm { certificate, algorithm }),
        Checked::Unsupported => Err(Refusal::UnsupportedAlgorithm { certificate }),
    }
}

/// What Go asks of a whole chain: policies, extended key usages from the root down, name constraints.
fn usable(chain: &Chain<'_>) -> Result<(), Refusal> {
    let (_, below_root) = chain.split_last().unwrap_or((&chain[0], &[]));
    if let Some(found) = below_root.iter().find(|certificate| certificate.extensions.policies) {
        return Err(Refusal::Policies { certificate: found.name.clone() });
    }
    let serves = |certificate: &&&GoCertificate<'_>| {
        let usages = &certificate.extensions.usages;
        usages.is_empty() || usages.iter().any(|usage| *usage == ANY_USAGE || *usage == SERVER_AUTH)
    };
    if let Some(found) = chain.iter().rev().find(|certificate| !serves(certificate)) {
        return Err(Refusal::ExtendedKeyUsage { certificate: found.name.clone(), usage: Usage::Server });
    }
    for (place, certificate) in chain.iter().enumerate() {
        if certificate.extensions.subject_alt_name.is_none() {
            continue;
        }
        for above in &chain[place + 1..] {
            let Some(constraints) = &above.extensions.constraints else { continue };
            constraints
                .check(&certificate.extensions.names)
                .map_err(|detail| Refusal::NameConstraint { certificate: above.name.clone(), detail })?;
        }
    }
    Ok(())
}

//! The rotation record as files, and back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::Deserialize;
use serde_json::{Value, json};

use super::managed::WrittenManaged;
use super::{Managed, Record, RecordError, Scope, Strategy};
use crate::document::yaml::write_stream;
use crate::pki::{Bundle, Certificate, Fingerprint, IssuerChain, pem};
use crate::rotation::{Direction, Phase};

/// The record itself.
pub const RECORD_FILE: &str = "rotation.yaml";
/// The anchors that were published when the rotation was started.
pub const OLD_ANCHORS_FILE: &str = "old-anchors.pem";
/// The issuer that was in the Secret when the rotation was started, with its intermediates.
pub const OLD_ISSUER_FILE: &str = "old-issuer.pem";
/// The new anchor.
pub const ANCHOR_FILE: &str = "anchor.pem";
/// The new issuer and its intermediates; without the cross certificate.
pub const ISSUER_FILE: &str = "issuer.pem";
/// The new issuer, its intermediates and the cross certificate: what phase `issuer` of a cross-signed rotation puts in place.
pub const ISSUER_CHAIN_FILE: &str = "issuer-chain.pem";
/// Old anchors and the new one: what phase `bundle` publishes.
pub const TRUST_BUNDLE_FILE: &str = "trust-bundle.pem";
/// The new anchor's private key. Not part of the record.
pub const ANCHOR_KEY_FILE: &str = "anchor.key";
/// The new issuer's private key. Not part of the record.
pub const ISSUER_KEY_FILE: &str = "issuer.key";

const API_VERSION: &str = "l5d-rotate/v1";
const KIND: &str = "Rotation";
const FULL: &str = "full";
const ISSUER_ONLY: &str = "issuer-only";

/// `rotation.yaml` as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    started: Timestamp,
    linkerd_namespace: String,
    trust_domain: String,
    strategy: String,
    scope: String,
    cert_manager: Option<WrittenManaged>,
    certificates: BTreeMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    sha256: Fingerprint,
    subject: String,
    not_after: Timestamp,
}

impl Record {
    /// The files of the record by name, ready to be written: the certificates, then `rotation.yaml`, so that a directory that
    /// was half written lacks it. No private key is among them.
    #[must_use]
    pub fn to_files(&self) -> Vec<(&'static str, String)> {
        let certificates = self.certificate_files();
        let pem = |held: &[&Certificate]| held.iter().map(|certificate| certificate.to_pem()).collect();
        let record = self.to_yaml(&certificates);
        certificates.iter().map(|(file, held)| (*file, pem(held))).chain([(RECORD_FILE, record)]).collect()
    }

    /// Reads a record back from its files, given by a function from name to content.
    ///
    /// # Errors
    /// A file that is missing, unreadable as what it should be, or not the one that `rotation.yaml` was written with.
    pub fn from_files(read: impl Fn(&str) -> Option<String>) -> Result<Self, RecordError> {
        let written = Written::read(&read(RECORD_FILE).ok_or_else(|| missing(RECORD_FILE))?)?;
        let malformed = |finding| RecordError::Malformed { finding };
        let full = match written.scope.as_str() {
            FULL => true,
            ISSUER_ONLY => false,
            other => {
                return Err(malformed(format!("scope `{other}` is not known ({FULL}, {ISSUER_ONLY})")));
            }
        };
        if !full && written.certificates.contains_key(ANCHOR_FILE) {
            return Err(malformed(format!(
                "scope `{ISSUER_ONLY}` has no {ANCHOR_FILE}, and `certificates` lists one"
            )));
        }
        let strategy: Strategy =
            written.strategy.parse().map_err(|error| malformed(format!("strategy {error}")))?;
        if !full && matches!(strategy, Strategy::CrossSigned | Strategy::Managed) {
            return Err(malformed(format!("scope `{ISSUER_ONLY}` has no strategy `{strategy}`")));
        }
        let load = |file: &str| written.load(file, &read);
        let old = bundle(OLD_ANCHORS_FILE, load(OLD_ANCHORS_FILE)?)?;
        let managed = written.managed(strategy, &old)?;
        let scope = match full {
            true if managed.is_some() && !written.certificates.contains_key(ANCHOR_FILE) => Scope::Awaited,
            true => Scope::Full { anchor: only(ANCHOR_FILE, load(ANCHOR_FILE)?)? },
            false => Scope::IssuerOnly,
        };
        // Where the issuer's Secret could not be read, there is none.
        let old_issuer = written
            .certificates
            .contains_key(OLD_ISSUER_FILE)
            .then(|| chain(OLD_ISSUER_FILE, load(OLD_ISSUER_FILE)?))
            .transpose()?;
        let issuer = match &managed {
            Some(managed) => IssuerChain::alone(managed.old_anchor.clone()),
            None => chain(ISSUER_FILE, load(ISSUER_FILE)?)?,
        };
        let cross = (strategy == Strategy::CrossSigned)
            .then(|| crossing(&issuer, load(ISSUER_CHAIN_FILE)?))
            .transpose()?;
        let Written { started, linkerd_namespace: namespace, trust_domain, .. } = &written;
        let [namespace, trust_domain] = [namespace, trust_domain].map(Clone::clone);
        let record = Self {
            started: *started,
            namespace,
            trust_domain,
            strategy,
            old,
            scope,
            old_issuer,
            issuer,
            cross,
            managed,
            direction: Direction::Forward,
        };
        if record.publishes_both() {
            record.holds_trust_bundle(load(TRUST_BUNDLE_FILE)?)?;
        }
        Ok(record)
    }

    /// The file that holds a bundle of this rotation: the old anchors, the new one, or both.
    pub(in crate::rotation) fn bundle_file(&self, bundle: &Bundle) -> &'static str {
        match self.anchor() {
            Some(anchor) if bundle.same_set(&Bundle::of(anchor)) => ANCHOR_FILE,
            _ if bundle.same_set(&self.old) => OLD_ANCHORS_FILE,
            _ => TRUST_BUNDLE_FILE,
        }
    }

    /// The file that holds an issuer of this rotation with what stands behind it.
    #[must_use]
    pub fn issuer_file(&self, chain: &IssuerChain) -> &'static str {
        match self.cross {
            _ if self.old_issuer.as_ref() == Some(chain) => OLD_ISSUER_FILE,
            Some(_) if *chain == self.chain_with_cross() => ISSUER_CHAIN_FILE,
            _ => ISSUER_FILE,
        }
    }

    /// Each certificate file with what it holds.
    fn certificate_files(&self) -> Vec<(&'static str, Vec<&Certificate>)> {
        let old: Vec<_> = self.old.anchors().iter().collect();
        let mut files = vec![(OLD_ANCHORS_FILE, old.clone())];
        if let Some(anchor) = self.anchor() {
            let new = (!self.old.contains(anchor)).then_some(anchor);
            files.push((ANCHOR_FILE, vec![anchor]));
            if self.publishes_both() {
                files.push((TRUST_BUNDLE_FILE, old.into_iter().chain(new).collect()));
            }
        }
        if self.managed.is_some() {
            return files;
        }
        files.extend(self.old_issuer.as_ref().map(|old| (OLD_ISSUER_FILE, old.certificates().collect())));
        files.push((ISSUER_FILE, self.issuer.certificates().collect()));
        files.extend(self.cross.as_ref().map(|cross| {
            let issuer = self.issuer.certificates();
            (ISSUER_CHAIN_FILE, issuer.chain([cross]).collect())
        }));
        files
    }

    /// Are old anchors and the new one published together in its phases?
    fn publishes_both(&self) -> bool {
        self.anchor().is_some()
            && matches!(self.strategy, Strategy::Staged | Strategy::Patient | Strategy::Managed)
    }

    fn to_yaml(&self, certificates: &[(&'static str, Vec<&Certificate>)]) -> String {
        let entry = |certificate: &&Certificate| {
            json!({
                "subject": certificate.facts().subject,
                "notAfter": instant(certificate.facts().not_after),
                "sha256": certificate.fingerprint().to_string(),
            })
        };
        let files: serde_json::Map<_, _> = certificates
            .iter()
            .map(|(file, held)| ((*file).to_owned(), Value::from_iter(held.iter().map(entry))))
            .collect();
        let mut tree = json!({
            "apiVersion": API_VERSION,
            "kind": KIND,
            "started": instant(self.started),
            "linkerdNamespace": self.namespace,
            "trustDomain": self.trust_domain,
            "strategy": self.strategy.to_string(),
            "scope": if self.scope == Scope::IssuerOnly { ISSUER_ONLY } else { FULL },
            "certificates": files,
        });
        if let Some(managed) = &self.managed {
            tree["certManager"] = json!(WrittenManaged::from(managed));
        }
        write_stream(&[(self.head(), tree)])
    }

    fn head(&self) -> Vec<String> {
        let what = match self.scope {
            Scope::Full { .. } | Scope::Awaited => "trust anchor and identity issuer",
            Scope::IssuerOnly => "identity issuer",
        };
        let mut head = vec![
            format!("Rotation of Linkerd's {what}, control plane in namespace `{}`.", self.namespace),
            "Written by `kubectl l5d-rotate start`; commit it with the .pem files beside it. No private key is in them."
                .to_owned(),
            "`certificates` names what each file holds, in order: a file that holds anything else is refused.".to_owned(),
        ];
        if self.cross.is_some() {
            head.push(format!(
                "{ISSUER_CHAIN_FILE} holds {ISSUER_FILE} and the cross certificate, the new anchor signed by an old one's key: \
                 what phase `issuer` puts in place, until phase `remove-cross`."
            ));
        }
        if self.awaits_anchor() {
            head.push(format!(
                "cert-manager mints the new anchor: `next` writes {ANCHOR_FILE} once it shows in the cluster."
            ));
        }
        if self.publishes_both() {
            head.push(format!(
                "{TRUST_BUNDLE_FILE} holds {OLD_ANCHORS_FILE} and {ANCHOR_FILE}: what phase `bundle` publishes."
            ));
        }
        head
    }

    fn holds_trust_bundle(&self, held: Vec<Certificate>) -> Result<(), RecordError> {
        let same = bundle(TRUST_BUNDLE_FILE, held)?.same_set(&self.anchors_of(Phase::Bundle));
        same.then_some(()).ok_or_else(|| RecordError::Edited {
            file: TRUST_BUNDLE_FILE.to_owned(),
            finding: format!("it is not {OLD_ANCHORS_FILE} and {ANCHOR_FILE} together"),
        })
    }
}

impl Written {
    fn read(text: &str) -> Result<Self, RecordError> {
        let malformed = |finding: String| RecordError::Malformed { finding };
        // Through a tree first: a key that stands twice is refused, and a foreign file is called foreign.
        let mut tree: serde_yaml::Value = serde_yaml::from_str(text)
            .map_err(|error| malformed(format!("not one YAML document: {error}")))?;
        for (field, expected) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            let found = tree.as_mapping_mut().and_then(|map| map.remove(field));
            let found = found.as_ref().and_then(serde_yaml::Value::as_str).unwrap_or_default();
            if found != expected {
                return Err(RecordError::Foreign { field, found: found.to_owned(), expected });
            }
        }
        serde_yaml::from_value(tree).map_err(|error| malformed(format!("not a rotation record: {error}")))
    }

    /// The objects of cert-manager, which a rotation of strategy `managed` has.
    fn managed(&self, strategy: Strategy, old: &Bundle) -> Result<Option<Managed>, RecordError> {
        let malformed = |finding: &str| RecordError::Malformed { finding: finding.to_owned() };
        match (&self.cert_manager, strategy) {
            (None, Strategy::Managed) => Err(malformed("strategy `managed` needs `certManager`")),
            (Some(_), Strategy::Managed) => {
                let managed = self.cert_manager.as_ref().and_then(|written| written.read(old));
                let none = || malformed(&format!("`certManager.oldAnchor` is none of {OLD_ANCHORS_FILE}"));
                managed.ok_or_else(none).map(Some)
            }
            (Some(_), _) => Err(malformed("`certManager` belongs to strategy `managed`")),
            (None, _) => Ok(None),
        }
    }

    /// The certificates of a file, proven to be those that the record names.
    fn load(
        &self,
        file: &str,
        read: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<Certificate>, RecordError> {
        let entries = self.certificates.get(file).ok_or_else(|| RecordError::Malformed {
            finding: format!("`certificates` does not name {file}"),
        })?;
        let text = read(file).ok_or_else(|| missing(file))?;
        let held = pem::read_as_controller(&text)
            .map_err(|error| RecordError::Unreadable { file: file.to_owned(), finding: error.to_string() })?;
        let named: Vec<_> = entries.iter().map(|entry| entry.sha256).collect();
        let found: Vec<_> = held.iter().map(Certificate::fingerprint).collect();
        match difference(&named, &found) {
            Some(finding) => Err(RecordError::Edited { file: file.to_owned(), finding }),
            None => Ok(held),
        }
        .and_then(|held| told_truly(file, entries, held))
    }
}

/// What the record tells its reader of a certificate must be what the certificate says.
fn told_truly(
    file: &str,
    entries: &[Entry],
    held: Vec<Certificate>,
) -> Result<Vec<Certificate>, RecordError> {
    let differs = |(entry, certificate): &(&Entry, &Certificate)| {
        let facts = certificate.facts();
        entry.subject != facts.subject || entry.not_after != facts.not_after
    };
    match entries.iter().zip(&held).find(differs) {
        Some((entry, _)) => Err(RecordError::Malformed {
            finding: format!(
                "subject or notAfter of {} in {file} is not what the certificate says",
                entry.sha256.short()
            ),
        }),
        None => Ok(held),
    }
}

fn difference(named: &[Fingerprint], found: &[Fingerprint]) -> Option<String> {
    let lacking = named.iter().filter(|one| !found.contains(one)).map(|one| format!("lacks {}", one.short()));
    let added =
        found.iter().filter(|one| !named.contains(one)).map(|one| format!("also holds {}", one.short()));
    let told: Vec<_> = lacking.chain(added).collect();
    match (named == found, told.is_empty()) {
        (true, _) => None,
        (false, true) => Some("its certificates stand in another order, or more than once".to_owned()),
        (false, false) => Some(told.join(", ")),
    }
}

fn missing(file: &str) -> RecordError {
    RecordError::Missing { file: file.to_owned() }
}

fn unreadable(file: &str, finding: &str) -> RecordError {
    RecordError::Unreadable { file: file.to_owned(), finding: finding.to_owned() }
}

fn bundle(file: &str, held: Vec<Certificate>) -> Result<Bundle, RecordError> {
    Bundle::new(held).ok_or_else(|| unreadable(file, "no certificate in it"))
}

fn only(file: &str, held: Vec<Certificate>) -> Result<Certificate, RecordError> {
    let count = held.len();
    let [one] = <[Certificate; 1]>::try_from(held)
        .map_err(|_| unreadable(file, &format!("{count} certificates instead of one")))?;
    Ok(one)
}

/// The cross certificate: what stands after the issuer and its intermediates.
fn crossing(issuer: &IssuerChain, held: Vec<Certificate>) -> Result<Certificate, RecordError> {
    let own = issuer.certificates().count();
    let starts_so = held.iter().take(own).eq(issuer.certificates());
    match <[Certificate; 1]>::try_from(held.into_iter().skip(own).collect::<Vec<_>>()) {
        Ok([cross]) if starts_so => Ok(cross),
        _ => Err(RecordError::Edited {
            file: ISSUER_CHAIN_FILE.to_owned(),
            finding: format!("it is not {ISSUER_FILE} and one cross certificate"),
        }),
    }
}

fn chain(file: &str, held: Vec<Certificate>) -> Result<IssuerChain, RecordError> {
    let mut held = held.into_iter();
    let issuer = held.next().ok_or_else(|| unreadable(file, "no certificate in it"))?;
    Ok(IssuerChain { issuer, intermediates: held.collect() })
}

/// RFC 3339 in whole seconds.
fn instant(time: Timestamp) -> String {
    DateTimePrinter::new().precision(Some(0)).timestamp_to_string(&time)
}

//! Secret `linkerd-identity-issuer`: its certificates, and of its key only whether it fits.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use super::config::{Config, ISSUER_CERTIFICATE};
use super::kept::Kept;
use super::tree::{entry, map, text};
use crate::document::{Document, ObjectRef};
use crate::mesh::era::{Era, Scheme};
use crate::mesh::{ChangeTime, Issuer, KeyState, Known, MeshError, NoChain, REDACTED};
use crate::pki::{BundleText, IssuerChain, PrivateKey};

/// The Secret as it was seen.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The Secret without its key.
    pub(super) kept: Kept,
    keys: Vec<String>,
    secret_type: Option<String>,
    /// What each scheme would find, in the order of [`Scheme::ALL`].
    pairs: [Pair; 2],
    ca: Result<Option<BundleText>, String>,
}

/// A certificate chain and what its key is to it.
#[derive(Debug, Clone)]
struct Pair {
    chain: Result<IssuerChain, NoChain>,
    key: KeyState,
    /// Is the key PKCS#8?
    pkcs8: bool,
}

/// A value of the Secret; dropped, it is wiped.
type Text = Zeroizing<String>;

impl Seen {
    /// Looks at a Secret; its key is looked at here and nowhere else.
    pub(super) fn new(object: ObjectRef, document: Document) -> Self {
        let tree = &document.tree;
        let mut keys: Vec<String> = ["/data", "/stringData"]
            .iter()
            .filter_map(|at| map(tree, at))
            .flat_map(|map| map.keys().cloned())
            .collect();
        keys.sort();
        keys.dedup();
        let ca = if is_encrypted(tree) { Ok(None) } else { value(tree, "ca.crt").transpose() };
        Self {
            pairs: Scheme::ALL.map(|scheme| pair(tree, scheme, &keys)),
            ca: ca.map(|text| text.map(|text| BundleText::read(text.as_str()))),
            secret_type: text(tree, "/type").map(str::to_owned),
            kept: Kept::new(object, document),
            keys,
        }
    }

    /// The issuer that an identity controller of this scheme and era gets out of it.
    pub(super) fn issuer(self, scheme: Scheme, era: Era) -> Result<Issuer, MeshError> {
        let Self { kept, keys, secret_type, pairs: [linkerd, kubernetes], ca } = self;
        let Pair { chain, key, pkcs8 } = if scheme == Scheme::Linkerd { linkerd } else { kubernetes };
        let ca = ca.map_err(|why| kept.fault("data.ca.crt", why))?;
        let key = if pkcs8 && era.needs_sec1_key() {
            KeyState::Unreadable(format!("it is PKCS#8 (`PRIVATE KEY`), which Linkerd {era} does not read"))
        } else {
            key
        };
        Ok(Issuer { from_secret: true, keys, secret_type, chain, key, ca, changed: kept.changed })
    }

    /// Does it have the certificate of this scheme and not that of the other?
    pub(super) fn only_has(&self, scheme: Scheme) -> bool {
        let has = |wanted: Scheme| self.keys.iter().any(|key| key == wanted.keys().0);
        Scheme::ALL.iter().all(|other| has(*other) == (*other == scheme))
    }
}

/// The issuer as `linkerd-config` copies it, for where the Secret may not be read.
pub(super) fn copied(config: &Config<'_>) -> Option<Issuer> {
    let chain = IssuerChain::from_pem(config.text(&ISSUER_CERTIFICATE)?);
    let chain = chain.map_err(|error| NoChain::Unreadable(error.to_string()));
    Some(Issuer {
        from_secret: false,
        keys: Vec::new(),
        secret_type: None,
        chain,
        key: KeyState::NotSeen,
        ca: None,
        changed: ChangeTime::Unknown,
    })
}

/// An issuer that is in the input only as something that another controller turns into the Secret.
pub(super) fn elsewhere(source: &str) -> Known<Issuer> {
    Known::Is(Issuer {
        from_secret: true,
        keys: Vec::new(),
        secret_type: None,
        chain: Err(NoChain::MadeOf(source.to_owned())),
        key: KeyState::NotSeen,
        ca: None,
        changed: ChangeTime::Unknown,
    })
}

fn pair(tree: &Value, scheme: Scheme, keys: &[String]) -> Pair {
    let (certificate, key) = scheme.keys();
    let chain = match value(tree, certificate) {
        _ if is_encrypted(tree) => Err(NoChain::Encrypted),
        Some(Ok(pem)) => IssuerChain::from_pem(&pem)
            .map_err(|error| NoChain::Unreadable(format!("{certificate}: {error}"))),
        Some(Err(why)) => Err(NoChain::Unreadable(format!("{certificate} {why}"))),
        None => Err(NoChain::Unreadable(format!(
            "there is no {certificate} (scheme {scheme}); the Secret has {}",
            listed(keys)
        ))),
    };
    let pem = value(tree, key);
    let pkcs8 = matches!(&pem, Some(Ok(pem)) if pem.contains("-----BEGIN PRIVATE KEY-----"));
    let key = match pem {
        _ if is_encrypted(tree) => KeyState::NotSeen,
        None => KeyState::Missing,
        Some(Ok(pem)) if pem.is_empty() => KeyState::Missing,
        Some(Ok(pem)) => key_state(&pem, &chain),
        Some(Err(why)) => KeyState::Unreadable(format!("{key} {why}")),
    };
    Pair { chain, key, pkcs8 }
}

/// The identity controller reads the first PEM block only (`DecodePEMKey` in Linkerd's `pkg/tls/codec.go`).
fn key_state(pem: &Text, chain: &Result<IssuerChain, NoChain>) -> KeyState {
    if pem.as_str() == REDACTED {
        return KeyState::NotSeen;
    }
    let (key, before) = match PrivateKey::from_pem_behind(pem) {
        Ok(found) => found,
        Err(error) => return KeyState::Unreadable(error.to_string()),
    };
    if let Some(label) = before {
        return KeyState::Unreadable(format!(
            "a block {label} stands before it, which Linkerd does not pass over"
        ));
    }
    match chain {
        Err(_) => KeyState::NotSeen,
        Ok(chain) if key.matches(&chain.issuer) => KeyState::Matches,
        Ok(_) => KeyState::Mismatch,
    }
}

/// A value of a Secret: `stringData` goes before `data`, as the API server merges them. Encoded lines may be broken, as Go's
/// decoder allows.
fn value(tree: &Value, key: &str) -> Option<Result<Text, String>> {
    if let Some(plain) = entry(tree, "/stringData", key) {
        return Some(Ok(Zeroizing::new(plain.to_owned())));
    }
    let encoded = map(tree, "/data")?.get(key)?;
    let Some(encoded) = encoded.as_str() else {
        return Some(Err("is not text".to_owned()));
    };
    let encoded: Cow<'_, str> = if encoded.contains(['\r', '\n']) {
        encoded.replace(['\r', '\n'], "").into()
    } else {
        encoded.into()
    };
    let encoded = Zeroizing::new(encoded.into_owned());
    if encoded.as_str() == REDACTED {
        return Some(Ok(encoded));
    }
    let decoded = match STANDARD.decode(encoded.as_bytes()) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|error| {
            Zeroizing::new(error.into_bytes());
            "is not text once decoded from base64".to_owned()
        }),
        Err(_) => Err(format!("is not base64: {}", place(&encoded))),
    };
    Some(decoded.map(Zeroizing::new))
}

/// Where base64 breaks off, without a byte of what stands there: it may be a key.
fn place(encoded: &str) -> String {
    let foreign = |character: char| !(character.is_ascii_alphanumeric() || "+/=".contains(character));
    match encoded.chars().position(foreign) {
        Some(at) => format!("character {} is none of its alphabet", at + 1),
        None => format!("its {} characters do not come out even", encoded.len()),
    }
}

/// Is it a Secret that SOPS encrypted?
fn is_encrypted(tree: &Value) -> bool {
    let enc = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("ENC["));
    tree.get("sops").is_some()
        || ["/data", "/stringData"].iter().filter_map(|at| map(tree, at)).any(|map| map.values().any(enc))
}

fn listed(keys: &[String]) -> String {
    if keys.is_empty() { "no data".to_owned() } else { keys.join(", ") }
}

//! Private keys: read, matched against a certificate, written, and wiped; never shown.

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::pem::go::{self, Block};
use super::{Certificate, Curve, KeyKind};

/// A private key. It has no `Debug`, no `Display` and no serde: it leaves only by [`PrivateKey::to_pem`] and a signature.
///
/// It lives in AWS-LC's own memory, which is wiped when freed.
pub struct PrivateKey(Pair);

enum Pair {
    Ec(Curve, EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

/// The curves of which this program reads keys, each with the algorithm that Go signs certificates with.
const CURVES: [(Curve, &EcdsaSigningAlgorithm); 3] = [
    (Curve::P256, &ECDSA_P256_SHA256_ASN1_SIGNING),
    (Curve::P384, &ECDSA_P384_SHA384_ASN1_SIGNING),
    (Curve::P521, &ECDSA_P521_SHA512_ASN1_SIGNING),
];

/// How a private key is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEncoding {
    /// `EC PRIVATE KEY`: the only form that Linkerd up to 2.8 reads (`pkg/tls/codec.go` at stable-2.8.1).
    Sec1,
    /// `PRIVATE KEY`.
    Pkcs8,
}

/// Why a private key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A passphrase protects the key.
    #[error("the private key is encrypted")]
    Encrypted,
    /// There is no PEM block in the text.
    #[error("no private key found: the text holds no PEM block")]
    NotPem,
    /// There are PEM blocks, none of them a private key.
    #[error("no private key found: the text holds a `{0}` block")]
    NoKey(String),
    /// The block says that it is a key, and is none that can be read.
    #[error("the `{0}` block holds no private key that can be read")]
    Malformed(String),
    /// A key on another curve or of another algorithm.
    #[error("the private key is of a kind that Linkerd's certificates cannot be signed with: {0}")]
    Unsupported(String),
    /// SEC1 was asked of a key that is not an EC key.
    #[error("only an EC key can be written as `EC PRIVATE KEY`, and this is an {0} key")]
    NotEc(KeyKind),
    /// The cryptographic library failed.
    #[error("the cryptographic library failed to {0}")]
    Library(&'static str),
}

impl KeyError {
    /// The next thing to do.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Encrypted => Some(
                "decrypt it into a file that only you can read: `(umask 077; openssl pkey -in ENCRYPTED.key -out PLAIN.key)`, \
                 and remove that file afterwards",
            ),
            Self::NotPem => Some(
                "pass the PEM file of the key; `openssl pkey -inform DER -in KEY.der` turns DER into PEM",
            ),
            Self::NoKey(_) => Some("pass the file of the private key, not that of the certificate"),
            Self::Malformed(_) => Some("`openssl pkey -in KEY -noout` tells whether the file is whole"),
            Self::Unsupported(_) => {
                Some("use an ECDSA key on P-256 (what Linkerd wants), P-384 or P-521, or an RSA key")
            }
            Self::NotEc(_) => Some("write it as PKCS#8"),
            Self::Library(_) => None,
        }
    }
}

impl PrivateKey {
    /// A fresh P-256 key.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map(|pair| Self(Pair::Ec(Curve::P256, pair)))
            .map_err(|_| KeyError::Library("make a key"))
    }

    /// Reads the first key of a PEM text: `EC PRIVATE KEY`, `PRIVATE KEY` or `RSA PRIVATE KEY`; an `EC PARAMETERS` block
    /// before it is passed over, as is anything else that is no key.
    ///
    /// # Errors
    /// No key, an encrypted key, or one of a kind that cannot sign for Linkerd.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_pem_behind(text).map(|(key, _)| key)
    }

    /// The same, with the label of the first block that stands before the key: `DecodePEMKey` looks at no other
    /// (`pkg/tls/codec.go`).
    ///
    /// # Errors
    /// As [`Self::from_pem`].
    pub fn from_pem_behind(text: &str) -> Result<(Self, Option<String>), KeyError> {
        let (mut at, mut passed) = (0, None);
        while let Some((block, next)) = go::decode(text.as_bytes(), at) {
            let label = String::from_utf8_lossy(block.label).into_owned();
            if label.ends_with("PRIVATE KEY") {
                return Ok((Self::from_block(&block, label)?, passed));
            }
            passed.get_or_insert(label);
            at = next;
        }
        Err(passed.map_or(KeyError::NotPem, KeyError::NoKey))
    }

    fn from_block(block: &Block<'_>, label: String) -> Result<Self, KeyError> {
        let der = &block.contents;
        let encrypted = block.headers.iter().any(|header| header.ends_with(b"ENCRYPTED"));
        match &*label {
            _ if encrypted => Err(KeyError::Encrypted),
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
            "EC PRIVATE KEY" => ec(|curve| EcdsaKeyPair::from_private_key_der(curve, der))
                .ok_or_else(|| unsupported_or_malformed(der, label)),
            "RSA PRIVATE KEY" => rsa::KeyPair::from_der(der)
                .map(|pair| Self(Pair::Rsa(pair)))
                .map_err(|_| KeyError::Malformed(label)),
            "PRIVATE KEY" => ec(|curve| EcdsaKeyPair::from_pkcs8(curve, der))
                .or_else(|| rsa::KeyPair::from_pkcs8(der).ok().map(|pair| Self(Pair::Rsa(pair))))
                .ok_or_else(|| unsupported_or_malformed(der, label)),
            _ => Err(KeyError::Unsupported(label)),
        }
    }

    /// What kind of key it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match &self.0 {
            Pair::Ec(curve, _) => KeyKind::Ec(*curve),
            Pair::Rsa(pair) => KeyKind::Rsa(pair.public_modulus_len() * 8),
        }
    }

    /// Is this the key that `certificate` certifies?
    #[must_use]
    pub fn matches(&self, certificate: &Certificate) -> bool {
        self.public_key() == certificate.public_key()
    }

    /// The key as PEM, wiped from memory when dropped.
    ///
    /// # Errors
    /// [`KeyEncoding::Sec1`] of a key that is not an EC key.
    pub fn to_pem(&self, encoding: KeyEncoding) -> Result<Zeroizing<String>, KeyError> {
        let failed = |_| KeyError::Library("write the key");
        match (&self.0, encoding) {
            (Pair::Ec(_, pair), KeyEncoding::Sec1) => {
                let der: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().map_err(failed)?;
                Ok(secret_block("EC PRIVATE KEY", der.as_ref()))
            }
            (Pair::Ec(_, pair), KeyEncoding::Pkcs8) => {
                Ok(secret_block("PRIVATE KEY", pair.to_pkcs8v1().map_err(failed)?.as_ref()))
            }
            (Pair::Rsa(pair), KeyEncoding::Pkcs8) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                Ok(secret_block("PRIVATE KEY", der.as_ref()))
            }
            (Pair::Rsa(_), KeyEncoding::Sec1) => Err(KeyError::NotEc(self.kind())),
        }
    }
}

impl rcgen::PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        self.public_key()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match &self.0 {
            Pair::Ec(Curve::P384, _) => &rcgen::PKCS_ECDSA_P384_SHA384,
            Pair::Ec(Curve::P521, _) => &rcgen::PKCS_ECDSA_P521_SHA512,
            Pair::Ec(..) => &rcgen::PKCS_ECDSA_P256_SHA256,
            Pair::Rsa(_) => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

impl rcgen::SigningKey for PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let failed = |_| rcgen::Error::RemoteKeyError;
        match &self.0 {
            Pair::Ec(_, pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(failed),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl PrivateKey {
    /// The contents of the public key's bit string.
    pub(in crate::pki) fn public_key(&self) -> &[u8] {
        match &self.0 {
            Pair::Ec(_, pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        }
    }
}

fn ec<E>(read: impl Fn(&'static EcdsaSigningAlgorithm) -> Result<EcdsaKeyPair, E>) -> Option<PrivateKey> {
    CURVES
        .iter()
        .find_map(|(curve, algorithm)| read(algorithm).ok().map(|pair| PrivateKey(Pair::Ec(*curve, pair))))
}

/// A key that was not read: one of another kind, or none at all.
fn unsupported_or_malformed(der: &[u8], label: String) -> KeyError {
    use super::der::{INTEGER, Reader, SEQUENCE};
    let readable = Reader(der)
        .nested(SEQUENCE)
        .is_some_and(|mut fields| fields.read(INTEGER).is_some() && fields.any().is_some());
    if Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).is_ok() {
        KeyError::Unsupported("Ed25519".to_owned())
    } else if readable {
        KeyError::Unsupported(format!("another curve or algorithm in the `{label}` block"))
    } else {
        KeyError::Malformed(label)
    }
}

/// [`super::pem::block`] for secrets: no copy is left behind.
fn secret_block(label: &str, der: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(4 * der.len().div_ceil(3)));
    STANDARD.encode_string(der, &mut text);
    let mut out = Zeroizing::new(String::with_capacity(text.len() + text.len() / 64 + 2 * label.len() + 40));
    out.push_str("-----BEGIN ");
    out.push_str(label);
    out.push_str("-----\n");
    for at in (0..text.len()).step_by(64) {
        out.push_str(&text[at..text.len().min(at + 64)]);
        out.push('\n');
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

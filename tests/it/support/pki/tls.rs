//! Mutual TLS 1.3 as the proxy configures it, in memory.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use l5d_rotate::pki::{Authority, Bundle, Certificate, IssuerChain, KeyEncoding};
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};
use webpki::aws_lc_rs as algorithms;

use super::IDENTITY;

/// As in linkerd2-proxy's `linkerd/rustls/src/crypto.rs`.
static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        algorithms::ECDSA_P256_SHA256,
        algorithms::ECDSA_P256_SHA384,
        algorithms::ECDSA_P384_SHA256,
        algorithms::ECDSA_P384_SHA384,
        algorithms::ECDSA_P521_SHA256,
        algorithms::ECDSA_P521_SHA384,
        algorithms::ECDSA_P521_SHA512,
        algorithms::ED25519,
        algorithms::RSA_PKCS1_2048_8192_SHA256,
        algorithms::RSA_PKCS1_2048_8192_SHA384,
        algorithms::RSA_PKCS1_2048_8192_SHA512,
        algorithms::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        algorithms::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        algorithms::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    mapping: &[(SignatureScheme::ECDSA_NISTP256_SHA256, &[algorithms::ECDSA_P256_SHA256])],
};

#[derive(Debug)]
struct At(Timestamp);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.as_second().try_into().unwrap())))
    }
}

/// The proxy checks the chain first and the name by itself (linkerd2-proxy's `linkerd/meshtls/src/creds/verify.rs`).
#[derive(Debug)]
struct ChainOnly(Arc<RootCertStore>);

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let end_entity = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&end_entity, &self.0, intermediates, now, ALGORITHMS.all)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}

/// A proxy's identity: its workload certificate with what the identity controller sends along, and its key.
pub struct Proxy {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Proxy {
    /// A workload certificate as Linkerd's `pkg/tls/ca.go` makes it, signed with the issuer's key.
    pub fn new(chain: &IssuerChain, signer: &KeyPair) -> Self {
        Self::issued(chain, signer, &KeyPair::generate().unwrap(), None)
    }

    /// The same for a key that is there already, with a workload certificate that begins and expires at these instants.
    pub fn issued(
        chain: &IssuerChain,
        signer: &KeyPair,
        key: &KeyPair,
        window: Option<(Timestamp, Timestamp)>,
    ) -> Self {
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name = DistinguishedName::new();
        if let Some(name) = &chain.issuer.facts().common_name {
            issuer.distinguished_name.push(DnType::CommonName, common_name(&chain.issuer, name));
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, IDENTITY);
        params.subject_alt_names = vec![SanType::DnsName(Ia5String::try_from(IDENTITY).unwrap())];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        if let Some((from, until)) = window {
            let since = |at: Timestamp| Duration::from_secs(at.as_second().try_into().unwrap());
            params.not_before = date_time_ymd(1970, 1, 1) + since(from);
            params.not_after = date_time_ymd(1970, 1, 1) + since(until);
        }
        let certificate = params.signed_by(key, &Issuer::from_params(&issuer, signer)).unwrap();
        let certificates = std::iter::once(&chain.issuer).chain(&chain.intermediates);
        Self {
            chain: std::iter::once(certificate.der().clone())
                .chain(certificates.map(|found| found.der().clone()))
                .collect(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }
}

/// rcgen writes a name in the string type that the issuer's certificate has it in.
fn common_name(issuer: &Certificate, name: &str) -> rcgen::DnValue {
    let utf8 = issuer
        .der()
        .windows(2 + name.len())
        .any(|window| window[0] == 0x0c && &window[2..] == name.as_bytes());
    if utf8 {
        rcgen::DnValue::Utf8String(name.into())
    } else {
        rcgen::DnValue::PrintableString(name.try_into().unwrap())
    }
}

fn roots(anchors: &Bundle) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(anchors.anchors().iter().map(|anchor| anchor.der().clone()));
    Arc::new(roots)
}

/// Would a proxy with these anchors take this for its own new workload certificate (`Store::validate` of the proxy)?
pub fn validates(anchors: &Bundle, proxy: &Proxy, at: Timestamp) -> bool {
    let now = At(at).current_time().unwrap();
    let (own, rest) = proxy.chain.split_first().unwrap();
    let name = ServerName::try_from(IDENTITY).unwrap();
    ChainOnly(roots(anchors)).verify_server_cert(own, rest, &name, &[], now).is_ok()
}

/// One proxy calling another, each with its anchors.
pub fn handshake(
    (client_anchors, caller): (&Bundle, &Proxy),
    (server_anchors, called): (&Bundle, &Proxy),
    at: Timestamp,
) -> Result<(), Error> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.signature_verification_algorithms = ALGORITHMS;
    let provider: Arc<CryptoProvider> = Arc::new(provider);
    let clients = WebPkiClientVerifier::builder_with_provider(roots(server_anchors), provider.clone())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let server = ServerConfig::builder_with_details(provider.clone(), Arc::new(At(at)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(called.chain.clone(), called.key.clone_key())
        .unwrap();
    let client = ClientConfig::builder_with_details(provider, Arc::new(At(at)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ChainOnly(roots(client_anchors))))
        .with_client_auth_cert(caller.chain.clone(), caller.key.clone_key())
        .unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let mut client =
        ClientConnection::new(Arc::new(client), ServerName::try_from(IDENTITY).unwrap()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        feed(&bytes, |read| server.read_tls(read).map(drop))?;
        server.process_new_packets()?;
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        feed(&bytes, |read| client.read_tls(read).map(drop))?;
        client.process_new_packets()?;
    }
    assert!(server.peer_certificates().is_some(), "the client showed no certificate");
    Ok(())
}

fn feed(mut bytes: &[u8], mut read: impl FnMut(&mut dyn io::Read) -> io::Result<()>) -> Result<(), Error> {
    while !bytes.is_empty() {
        read(&mut bytes).unwrap();
    }
    Ok(())
}

pub fn key_pair(authority: &Authority) -> KeyPair {
    KeyPair::from_pem(&authority.key.to_pem(KeyEncoding::Pkcs8).unwrap()).unwrap()
}

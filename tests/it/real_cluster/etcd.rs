//! Pods that are copied in etcd, past the API server: controllers and kubelets would take half an hour to start as many.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

/// How many objects one request writes; etcd takes 128, and 1.5 MiB.
const AT_ONCE: usize = 50;

pub(crate) struct Etcd {
    port: u16,
    config: Arc<ClientConfig>,
}

impl Etcd {
    /// The one that listens there, with the certificates in a directory.
    pub(crate) fn new(port: u16, dir: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(dir.join("ca.pem")).unwrap()).unwrap();
        let own = CertificateDer::from_pem_file(dir.join("tls.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(dir.join("tls.key")).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![own], key);
        Self { port, config: Arc::new(config.unwrap()) }
    }

    /// Asks its JSON gateway, by HTTP/1.0, so that nothing comes in chunks.
    fn ask(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let client =
            ClientConnection::new(Arc::clone(&self.config), "127.0.0.1".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(client, TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        write!(stream, "POST {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        // It ends as HTTP/1.0 ends: whether it was whole, its JSON tells.
        let _ = stream.read_to_string(&mut answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().next().unwrap().ends_with("200 OK"), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Copies each pod of a namespace so often, under names and UIDs of the same length; `uids` by name.
    pub(crate) fn copy_pods(&self, namespace: &str, uids: &[(String, String)], times: usize) {
        let mut puts = Vec::new();
        for (name, uid) in uids {
            let key = format!("/registry/pods/{namespace}/{name}");
            let found = self.ask("/v3/kv/range", &json!({"key": STANDARD.encode(&key)}));
            let pod = STANDARD.decode(found["kvs"][0]["value"].as_str().unwrap()).unwrap();
            for copy in 1..=times {
                let renamed = format!("{}{copy:05}", &name[..name.len() - 5]);
                let mut value = pod.clone();
                overwrite(&mut value, name, &renamed);
                overwrite(&mut value, uid, &format!("{copy:08}{}", &uid[8..]));
                let key = STANDARD.encode(format!("/registry/pods/{namespace}/{renamed}"));
                puts.push(json!({"requestPut": {"key": key, "value": STANDARD.encode(value)}}));
            }
        }
        for puts in puts.chunks(AT_ONCE) {
            self.ask("/v3/kv/txn", &json!({"success": puts}));
        }
    }
}

/// Writes a text over another one of the same length wherever that stands.
fn overwrite(bytes: &mut [u8], old: &str, new: &str) {
    let places: Vec<_> = memmem::find_iter(bytes, old).collect();
    assert!(!places.is_empty() && old.len() == new.len(), "{old}");
    for place in places {
        bytes[place..place + new.len()].copy_from_slice(new.as_bytes());
    }
}

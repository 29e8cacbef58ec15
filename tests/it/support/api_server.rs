//! An API server on the loopback: it answers as a closure says, and writes down what it is asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::json;

/// What the server does with a request.
pub enum Reply {
    Json(serde_json::Value),
    /// A `Status` of this code, reason and message.
    Status(u16, &'static str, &'static str),
    /// Bytes that are no JSON.
    Text(&'static str),
    /// A body that ends before its announced length.
    Cut(String),
}

pub struct Server {
    pub address: String,
    /// Method and target of each request, and what its headers say of impersonation.
    pub seen: Arc<Mutex<Vec<String>>>,
    dir: tempfile::TempDir,
}

impl Server {
    pub fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, reply) = (Arc::clone(&seen), Arc::new(reply));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, reply) = (Arc::clone(&log), Arc::clone(&reply));
                std::thread::spawn(move || serve(&stream, &log, &*reply));
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let server = Self { address, seen, dir };
        std::fs::write(server.kubeconfig(), server.config()).unwrap();
        server
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    pub fn config(&self) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{}", self.address)}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}, {"name": "other", "context": {"cluster": "test", "user": "test"}}],
            "users": [{"name": "test", "user": {"token": "abc"}}]
        })
        .to_string()
    }

    /// The targets that were asked for and contain `part`, in order.
    pub fn targets(&self, part: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let targets = seen
            .iter()
            .filter_map(|request| request.split(' ').nth(1))
            .filter(|target| target.contains(part));
        targets.map(str::to_owned).collect()
    }
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<String>>, reply: &dyn Fn(&str) -> Reply) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let headers: Vec<String> =
        lines.take_while(|line| !line.is_empty()).filter(|line| line.starts_with("Impersonate")).collect();
    log.lock()
        .unwrap()
        .push([first.trim_end_matches(" HTTP/1.1"), &headers.join(" ")].join(" ").trim_end().to_owned());
    let status = |code: u16, reason, message| {
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code});
        (code, status.to_string(), 0)
    };
    let (code, body, missing) = match reply(first.split(' ').nth(1).unwrap_or_default()) {
        Reply::Json(value) => (200, value.to_string(), 0),
        Reply::Status(code, reason, message) => status(code, reason, message),
        Reply::Text(text) => (200, text.to_owned(), 0),
        Reply::Cut(text) => (200, text, 1000),
    };
    let length = body.len() + missing;
    let head = format!(
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = { stream }.write_all((head + &body).as_bytes());
}

/// What a server answers `/apis`: the groups of these versions, with those that every server has.
pub fn groups(versions: &[&str]) -> Reply {
    let mut groups: BTreeMap<&str, Vec<serde_json::Value>> = BTreeMap::new();
    for version in versions.iter().chain(&["apps/v1", "batch/v1"]) {
        if let Some((group, version)) = version.split_once('/') {
            groups.entry(group).or_default().push(json!({"version": version}));
        }
    }
    let groups: Vec<_> =
        groups.into_iter().map(|(name, versions)| json!({"name": name, "versions": versions})).collect();
    Reply::Json(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

pub const NOT_FOUND: Reply =
    Reply::Status(404, "NotFound", "the server could not find the requested resource");
pub const EXPIRED: Reply = Reply::Status(410, "Expired", "The provided continue parameter is too old");

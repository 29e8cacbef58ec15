//! A real API server with its etcd and its controllers, kwok as the kubelet of its one node, and trust-manager where a test asks
//! for it: on the loopback, with TLS, and ended with this value.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use super::counter::Counter;
use super::etcd::Etcd;
use crate::runner;

/// Where the programs are; `.ci/cluster` builds them.
const PROGRAMS: &str = "L5D_ROTATE_TEST_CLUSTER";

/// Where trust-manager is; `.ci/trust-manager` builds it.
const TRUST_MANAGER: &str = "L5D_ROTATE_TEST_TRUST_MANAGER";

/// How long a cluster may take to start.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that ends when its standard input does: with this process, however that ends.
const UNTIL_CLOSED: &str = r#""$0" "$@" </dev/null & cat >/dev/null; kill -9 $!; wait"#;

/// Controllers that a rollout needs, and those that delete.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,\
                           job-controller,cronjob-controller,namespace-controller,garbage-collector-controller";

/// What admin does, and the controllers that are it, nobody asks about.
const POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n\
                      rules: [{level: None, users: [admin]}, {level: Metadata}]\n";

/// kwok's own stages but for the one that ends the pods of a Job at once: a run is under way until a test ends it.
const STAGES: &str = include_str!("stages.yaml");

/// The directory with trust-manager and the definitions of its objects and cert-manager's; `None`, and a line that says so, where
/// it is not to be had.
pub(crate) fn trust_manager(test: &str) -> Option<PathBuf> {
    let programs = std::env::var_os(TRUST_MANAGER);
    if programs.is_none() {
        println!(
            "skipped: {test}: no {TRUST_MANAGER}, the directory that `.ci/trust-manager` builds it into"
        );
    }
    programs.map(PathBuf::from)
}

pub(crate) struct Servers {
    programs: PathBuf,
    dir: tempfile::TempDir,
    address: String,
    etcd: u16,
    children: Vec<(String, Child)>,
}

impl Servers {
    /// A cluster without any object; `None`, and a line that says so, where it cannot be had.
    pub(crate) fn start(test: &str) -> Option<Self> {
        Self::start_with(test, &[])
    }

    /// The same with more flags of the API server.
    pub(crate) fn start_with(test: &str, flags: &[&str]) -> Option<Self> {
        let Some(programs) = std::env::var_os(PROGRAMS) else {
            println!(
                "skipped: {test}: no {PROGRAMS}, the directory that `.ci/cluster` builds an API server into"
            );
            return None;
        };
        if !runner::has(test, &["kubectl"]) {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let [client, peer, api] = free_ports();
        let address = format!("https://127.0.0.1:{api}");
        let mut servers =
            Self { programs: programs.into(), dir, address, etcd: client, children: Vec::new() };
        servers.write_files();
        servers.etcd(client, peer);
        servers.api_server(client, api, flags);
        servers.wait();
        servers.run(
            "kube-controller-manager",
            &[
                "--kubeconfig=admin".into(),
                format!("--controllers={CONTROLLERS}"),
                "--leader-elect=false".into(),
                "--secure-port=0".into(),
            ],
        );
        servers.run(
            "kwok",
            &["--kubeconfig=admin", "--config=stages.yaml", "--manage-all-nodes"].map(String::from),
        );
        Some(servers)
    }

    /// A kubeconfig: `admin` may do everything, `jane` what she is granted.
    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.dir.path().join(user)
    }

    /// Counts what a user's kubeconfig makes the API server answer, from now on.
    pub(crate) fn count(&self, user: &str) -> Counter {
        let counter = Counter::start(self.address.trim_start_matches("https://"));
        let config = fs::read_to_string(self.kubeconfig(user)).unwrap();
        let through = config.replace(&self.address, &format!("https://{}", counter.address));
        fs::write(self.kubeconfig(user), through).unwrap();
        counter
    }

    /// Runs kubectl as somebody who may do everything.
    pub(crate) fn admin(&self, arguments: &[&str]) {
        let mut kubectl = runner::other("kubectl");
        kubectl.current_dir(self.dir.path()).env("HOME", self.dir.path()).arg("--kubeconfig=admin");
        let output = kubectl.args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments:?}: {said}");
    }

    /// What a user did, oldest first: entries of the API server's audit log.
    pub(crate) fn done_by(&self, user: &str) -> Vec<Value> {
        let log = fs::read_to_string(self.dir.path().join("audit.log")).unwrap();
        let entries = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries.filter(|entry| entry["user"]["username"] == user).collect()
    }

    fn write_files(&self) {
        let dir = self.dir.path();
        let authority = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&authority).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let served =
            CertificateParams::new(names).unwrap().signed_by(&key, &Issuer::new(params, authority)).unwrap();
        private(&dir.join("tls.key"), &key.serialize_pem());
        let accounts = KeyPair::generate().unwrap();
        private(&dir.join("accounts.key"), &accounts.serialize_pem());
        private(&dir.join("accounts.pub"), &accounts.public_key_pem());
        let mut tokens = String::new();
        for (user, groups) in [("admin", "system:masters"), ("jane", "readers")] {
            // Whoever can look into the directory could take the key as well: only this user can.
            let token = l5d_rotate::pki::Fingerprint::digest(KeyPair::generate().unwrap().serialized_der())
                .to_string();
            tokens += &format!("{token},{user},{user},{groups}\n");
            private(&self.kubeconfig(user), &self.config(user, &token));
        }
        private(&dir.join("tokens.csv"), &tokens);
        for (name, text) in [
            ("ca.pem", ca.pem()),
            ("tls.pem", served.pem()),
            ("policy.yaml", POLICY.into()),
            ("stages.yaml", STAGES.into()),
        ] {
            fs::write(dir.join(name), text).unwrap();
        }
    }

    fn config(&self, user: &str, token: &str) -> String {
        let ca = self.dir.path().join("ca.pem");
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.address, "certificate-authority": ca}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "users": [{"name": user, "user": {"token": token}}],
        })
        .to_string()
    }

    fn etcd(&mut self, client: u16, peer: u16) {
        let mut flags = vec![
            "--data-dir=etcd".to_owned(),
            "--log-level=error".into(),
            "--unsafe-no-fsync".into(),
            format!("--initial-cluster=default=https://127.0.0.1:{peer}"),
        ];
        for (flag, port) in [
            ("listen-client-urls", client),
            ("advertise-client-urls", client),
            ("listen-peer-urls", peer),
            ("initial-advertise-peer-urls", peer),
        ] {
            flags.push(format!("--{flag}=https://127.0.0.1:{port}"));
        }
        for to in ["", "peer-"] {
            flags.push(format!("--{to}cert-file=tls.pem"));
            flags.push(format!("--{to}key-file=tls.key"));
            flags.push(format!("--{to}trusted-ca-file=ca.pem"));
            flags.push(format!("--{to}client-cert-auth"));
        }
        self.run("etcd", &flags);
    }

    fn api_server(&mut self, client: u16, port: u16, more: &[&str]) {
        let mut flags = vec![
            format!("--etcd-servers=https://127.0.0.1:{client}"),
            "--etcd-cafile=ca.pem".into(),
            "--etcd-certfile=tls.pem".into(),
            "--etcd-keyfile=tls.key".into(),
            "--bind-address=127.0.0.1".into(),
            "--advertise-address=127.0.0.1".into(),
            "--endpoint-reconciler-type=none".into(),
            format!("--secure-port={port}"),
            "--tls-cert-file=tls.pem".into(),
            "--tls-private-key-file=tls.key".into(),
            "--token-auth-file=tokens.csv".into(),
            "--authorization-mode=RBAC".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            "--service-account-key-file=accounts.pub".into(),
            "--service-account-signing-key-file=accounts.key".into(),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            // Pods run as accounts that nobody made, and no controller takes the taint of a new node away.
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition".into(),
            // The injector is one: see `install`.
            "--feature-gates=MutatingAdmissionPolicy=true".into(),
            "--runtime-config=admissionregistration.k8s.io/v1alpha1=true".into(),
            "--audit-policy-file=policy.yaml".into(),
            "--audit-log-path=audit.log".into(),
            "--audit-log-mode=blocking".into(),
        ];
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        self.run("kube-apiserver", &flags);
    }

    /// Runs trust-manager as somebody who may do everything. Nobody asks its webhook.
    pub(crate) fn run_trust_manager(&mut self, programs: &Path) {
        let webhook = self.dir.path().join("webhook");
        fs::create_dir(&webhook).unwrap();
        for (from, to) in [("tls.pem", "tls.crt"), ("tls.key", "tls.key")] {
            fs::copy(self.dir.path().join(from), webhook.join(to)).unwrap();
        }
        let [port] = free_ports();
        let flags = [
            "--kubeconfig=admin".to_owned(),
            "--trust-namespace=cert-manager".into(),
            "--leader-elect=false".into(),
            "--metrics-port=0".into(),
            "--readiness-probe-port=0".into(),
            "--webhook-certificate-dir=webhook".into(),
            "--webhook-host=127.0.0.1".into(),
            format!("--webhook-port={port}"),
        ];
        let cluster = std::mem::replace(&mut self.programs, programs.to_owned());
        self.run("trust-manager", &flags);
        self.programs = cluster;
    }

    fn run(&mut self, program: &str, flags: &[String]) {
        let log = fs::File::create(self.dir.path().join(format!("{program}.log"))).unwrap();
        let child = runner::other("sh")
            .args(["-c", UNTIL_CLOSED])
            .arg(self.programs.join(program))
            .args(flags)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.children.push((program.to_owned(), child.unwrap()));
    }

    /// Ends the controllers: nobody minds any more how many pods a workload has.
    pub(crate) fn end_controllers(&mut self) {
        let (ended, left) =
            self.children.drain(..).partition(|(program, _)| program == "kube-controller-manager");
        self.children = left;
        let ended: Vec<(String, Child)> = ended;
        ended.into_iter().for_each(|(_, child)| end(child));
    }

    pub(crate) fn etcd_itself(&self) -> Etcd {
        Etcd::new(self.etcd, self.dir.path())
    }

    fn wait(&self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut kubectl = runner::other("kubectl");
            kubectl.current_dir(self.dir.path()).env("HOME", self.dir.path());
            kubectl.args(["get", "--raw", "/readyz", "--kubeconfig=admin"]);
            if kubectl.output().unwrap().status.success() {
                return;
            }
            assert!(Instant::now() < until, "the cluster does not start: {}", self.logs());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The last lines of each program.
    fn logs(&self) -> String {
        let mut said = String::new();
        for program in ["etcd", "kube-apiserver", "kube-controller-manager", "kwok", "trust-manager"] {
            let log = fs::read_to_string(self.dir.path().join(format!("{program}.log"))).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            said += &format!("\n{program}:\n{}", lines[lines.len().saturating_sub(10)..].join("\n"));
        }
        said
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.logs());
        }
        // Those that were started last first: none of them looks for one that is gone.
        self.children.drain(..).rev().for_each(|(_, child)| end(child));
    }
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    // It fails where it was waited for, and that is what is wanted.
    let _ = child.wait();
}

fn private(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

/// Ports that nothing listens on now.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

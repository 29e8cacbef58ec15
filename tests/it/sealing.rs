//! The issuer's Secret through real `sops` and real `kubeseal`, and opened again with their own keys.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cluster::{self, Cluster};
use crate::layouts::{Declared, Repository, text};
use crate::runner;

/// A repository with an encrypted issuer, and a rotation of the issuer alone.
struct Desk {
    repository: Repository,
    beside: tempfile::TempDir,
    cluster: Cluster,
}

/// Are these programs here? A test that needs one which is not says so.
fn has(test: &str, programs: &[&str]) -> bool {
    let is_missing = |program: &&&str| {
        !Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success()
    };
    match programs.iter().find(is_missing) {
        Some(missing) => {
            println!("skipped: {test}: no {missing}");
            false
        }
        None => true,
    }
}

impl Desk {
    fn new() -> Self {
        let (cluster, beside) = (Cluster::new(), tempfile::tempdir().unwrap());
        fs::write(beside.path().join("anchor.pem"), cluster.anchor.certificate.to_pem()).unwrap();
        fs::write(beside.path().join("anchor.key"), cluster::pem(&cluster.anchor.key)).unwrap();
        let repository = Repository::new().expect("git");
        let mut objects = Declared::of(&cluster).objects();
        objects.remove(1);
        repository.write(&vec![("linkerd/all.yaml".to_owned(), text(&objects))]);
        let desk = Self { repository, beside, cluster };
        let [anchor, key] = ["anchor.pem", "anchor.key"].map(|name| desk.at(name));
        let started = desk.run(&[
            "start",
            "--dir",
            &desk.at("rotation"),
            "--issuer-only",
            "--anchor",
            &anchor,
            "--anchor-key",
            &key,
        ]);
        assert!(started.status.success(), "{started:?}");
        desk
    }

    fn at(&self, name: &str) -> String {
        self.beside.path().join(name).to_str().unwrap().to_owned()
    }

    fn secret(&self) -> Value {
        Declared::of(&self.cluster).objects().remove(1)
    }

    fn home(&self) -> &Path {
        self.repository.home.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        fs::write(self.at("dump.json"), self.cluster.dump()).unwrap();
        let mut command = runner::plugin();
        command.current_dir(self.home()).args(arguments);
        command.args(["-f", &self.at("dump.json"), "--at", &self.cluster.now.to_string()]);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn new_key(&self) -> String {
        fs::read_to_string(self.at("rotation/issuer.key")).unwrap()
    }

    /// Does any file of the repository hold the new key, plainly or in base64?
    fn shows_key(&self) -> bool {
        let key = self.new_key();
        let line = key.lines().find(|line| line.len() > 40).unwrap();
        let encoded = STANDARD.encode(key.trim_end());
        let grep = |what: &str| {
            runner::other("grep")
                .current_dir(self.home())
                .args(["-rqF", what, "."])
                .status()
                .unwrap()
                .success()
        };
        grep(line) || grep(&encoded[..200])
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A repository whose Secret is a file of SOPS, for a key of age.
fn with_sops() -> Desk {
    let desk = Desk::new();
    let key = output(
        runner::other("age-keygen")
            .args(["-o", &desk.at("age.txt")])
            .current_dir(desk.home())
            .stdout(std::process::Stdio::piped()),
    );
    assert!(key.is_empty());
    let recipient = output(runner::other("age-keygen").args(["-y", &desk.at("age.txt")]));
    let rules = format!(
        "creation_rules:\n- path_regex: linkerd/.*\n  encrypted_regex: ^(data|stringData)$\n  age: {recipient}"
    );
    fs::write(desk.home().join(".sops.yaml"), rules).unwrap();
    let mut secret = desk.secret();
    secret["metadata"]["labels"] = json!({"team": "platform"});
    fs::write(desk.home().join("linkerd/issuer.yaml"), text(&[secret])).unwrap();
    output(runner::other("sops").current_dir(desk.home()).args([
        "encrypt",
        "--in-place",
        "linkerd/issuer.yaml",
    ]));
    desk.repository.commit();
    desk
}

#[test]
fn a_file_of_sops_is_made_anew_and_opens_with_its_key() {
    if !has("a_file_of_sops_is_made_anew_and_opens_with_its_key", &["sops", "age-keygen"]) {
        return;
    }
    let desk = with_sops();
    let next = desk.run(&["next", "--in", ".", "--dir", &desk.at("rotation")]);
    assert!(next.status.success(), "{}", said(&next));
    assert!(said(&next).contains("linkerd/issuer.yaml"), "{}", said(&next));
    assert!(!desk.shows_key());
    let opened = output(
        runner::other("sops")
            .current_dir(desk.home())
            .env("SOPS_AGE_KEY_FILE", desk.at("age.txt"))
            .args(["decrypt", "linkerd/issuer.yaml"]),
    );
    let secret = l5d_rotate::document::parse(&opened, "opened").unwrap().remove(0).tree;
    let value = |key: &str| {
        String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()).unwrap()
    };
    assert_eq!(value("key.pem").trim(), desk.new_key().trim());
    let certificate = fs::read_to_string(desk.at("rotation/issuer.pem")).unwrap();
    assert_eq!(value("crt.pem").trim(), certificate.trim());
    assert_eq!(secret["metadata"]["labels"]["team"], "platform");
    let beside = secret["metadata"]["annotations"]["l5d-rotate/issuer-certificate"].as_str().unwrap();
    assert_eq!(beside.trim(), certificate.trim());
}

#[test]
fn a_rule_that_would_leave_the_key_readable_is_refused() {
    if !has("a_rule_that_would_leave_the_key_readable_is_refused", &["sops", "age-keygen"]) {
        return;
    }
    let desk = with_sops();
    let rules = fs::read_to_string(desk.home().join(".sops.yaml")).unwrap();
    fs::write(desk.home().join(".sops.yaml"), rules.replace("^(data|stringData)$", "^nothing$")).unwrap();
    desk.repository.commit();
    let next = desk.run(&["next", "--in", ".", "--dir", &desk.at("rotation")]);
    assert_eq!(next.status.code(), Some(2), "{}", said(&next));
    assert!(said(&next).contains("plain text"), "{}", said(&next));
    assert!(!desk.shows_key());
}

#[test]
fn values_of_a_sealed_secret_are_sealed_one_by_one_and_open_with_the_controllers_key() {
    const TEST: &str = "values_of_a_sealed_secret_are_sealed_one_by_one_and_open_with_the_controllers_key";
    if !has(TEST, &["kubeseal", "openssl"]) {
        return;
    }
    let desk = Desk::new();
    let [key, certificate] = ["controller.key", "controller.crt"].map(|name| desk.at(name));
    output(
        runner::other("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=sealed"])
            .args(["-keyout", &key, "-out", &certificate, "-days", "3650"]),
    );
    fs::write(desk.at("secret.yaml"), text(&[desk.secret()])).unwrap();
    let sealed = output(runner::other("kubeseal").args([
        "--cert",
        &certificate,
        "-o",
        "yaml",
        "-f",
        &desk.at("secret.yaml"),
    ]));
    fs::write(
        desk.home().join("linkerd/issuer.yaml"),
        format!("# kept by platform\n{}", sealed.trim_start_matches("---\n")),
    )
    .unwrap();
    desk.repository.commit();
    let seal = format!("kubeseal --cert {certificate}");
    let next = desk.run(&["next", "--in", ".", "--dir", &desk.at("rotation"), "--seal", &seal]);
    assert!(next.status.success(), "{}", said(&next));
    assert!(!desk.shows_key());
    let after = fs::read_to_string(desk.home().join("linkerd/issuer.yaml")).unwrap();
    assert!(after.starts_with("# kept by platform\n"), "{after}");
    let lines = |text: &str| text.lines().count();
    let certificate = lines(&fs::read_to_string(desk.at("rotation/issuer.pem")).unwrap());
    assert_eq!(
        lines(&after),
        lines(&sealed.replace("---\n", "")) + 3 + certificate,
        "a comment, and an annotation more with its lines: {after}"
    );
    let opened = output(
        runner::other("kubeseal")
            .args(["--recovery-unseal", "--recovery-private-key", &key, "-f"])
            .arg(desk.home().join("linkerd/issuer.yaml")),
    );
    let secret: Value = serde_json::from_str(&opened).unwrap();
    let value = |key: &str| {
        String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()).unwrap()
    };
    assert_eq!(value("key.pem").trim(), desk.new_key().trim());
    assert_eq!(value("crt.pem").trim(), fs::read_to_string(desk.at("rotation/issuer.pem")).unwrap().trim());
}

#[test]
fn a_sealed_secret_in_the_file_of_other_objects_leaves_their_edit_as_it_is() {
    const TEST: &str = "a_sealed_secret_in_the_file_of_other_objects_leaves_their_edit_as_it_is";
    let desk = Desk::new();
    let sealed = json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"name": "linkerd-identity-issuer", "namespace": "linkerd"},
        "spec": {"encryptedData": {"crt.pem": "AgBy", "key.pem": "AgCt"}}});
    let mut objects = Declared::of(&desk.cluster).objects();
    objects[1] = sealed;
    fs::write(desk.home().join("linkerd/all.yaml"), text(&objects)).unwrap();
    desk.repository.commit();
    // What it seals makes no difference here.
    let script = desk.beside.path().join("kubeseal");
    runner::write_script(&script, "cat >/dev/null; echo AgNEW");
    let next =
        desk.run(&["next", "--in", ".", "--dir", &desk.at("rotation"), "--seal", script.to_str().unwrap()]);
    assert!(next.status.success(), "{}", said(&next));
    let after = fs::read_to_string(desk.home().join("linkerd/all.yaml")).unwrap();
    let documents = l5d_rotate::document::parse(&after, TEST).unwrap();
    let of = |kind: &str, name: &str| {
        let is_it = |tree: &&Value| tree["kind"] == kind && tree["metadata"]["name"] == name;
        documents.iter().map(|one| &one.tree).find(is_it).unwrap()
    };
    assert_eq!(of("SealedSecret", "linkerd-identity-issuer")["spec"]["encryptedData"]["key.pem"], "AgNEW");
    let values = of("ConfigMap", "linkerd-config")["data"]["values"].as_str().unwrap();
    let certificate = fs::read_to_string(desk.at("rotation/issuer.pem")).unwrap();
    let line = certificate.lines().nth(3).unwrap();
    assert!(values.contains(line), "the copy of the issuer's certificate is edited as well: {values}");
}

#[test]
fn the_secret_alone_is_printed_for_a_pipe_and_sealed_on_the_way() {
    const TEST: &str = "the_secret_alone_is_printed_for_a_pipe_and_sealed_on_the_way";
    let desk = Desk::new();
    let dir = desk.at("rotation");
    let render = ["render", "issuer", "--step", "1", "--dir", &dir, "--only", "secret"];
    let alone = output(&mut desk.command(&render));
    let documents = l5d_rotate::document::parse(&alone, TEST).unwrap();
    assert_eq!(
        documents.iter().map(|one| one.tree["kind"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Secret"]
    );
    // Any program will do that reads a Secret, and gives back something else.
    let script = desk.beside.path().join("seal.sh");
    runner::write_script(&script, "sed -n 's/^kind: Secret/kind: Sealed/p'");
    let sealed = output(desk.command(&render).args(["--seal", script.to_str().unwrap()]));
    assert_eq!(sealed.trim(), "---\nkind: Sealed");
    runner::write_script(&script, "cat");
    let plain = desk.command(&render).args(["--seal", script.to_str().unwrap()]).output().unwrap();
    assert_eq!(plain.status.code(), Some(2), "{}", said(&plain));
    assert!(plain.stdout.is_empty());
    runner::write_script(&script, "echo no key for you >&2; exit 4");
    let failed = desk.command(&render).args(["--seal", script.to_str().unwrap()]).output().unwrap();
    assert!(failed.status.code() == Some(2) && said(&failed).contains("no key for you"), "{}", said(&failed));
}

#[test]
fn without_its_program_an_encrypted_secret_is_left_and_nothing_is_written() {
    let desk = Desk::new();
    let sealed = json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"name": "linkerd-identity-issuer", "namespace": "linkerd"},
        "spec": {"encryptedData": {"crt.pem": "AgBy", "key.pem": "AgCt"}}});
    fs::write(desk.home().join("linkerd/issuer.yaml"), text(&[sealed])).unwrap();
    desk.repository.commit();
    let next = desk.run(&["next", "--in", ".", "--dir", &desk.at("rotation"), "--seal", "no-such-kubeseal"]);
    assert_eq!(next.status.code(), Some(2), "{}", said(&next));
    let status = output(runner::other("git").current_dir(desk.home()).args(["status", "--porcelain"]));
    assert_eq!(status, "");
}

/// An ExternalSecret with what its data say, and the store that it reads.
fn with_external(desk: &Desk, reference: &dyn Fn(&str) -> Value, provider: Value) {
    let data = ["crt.pem", "key.pem"].map(|key| json!({"secretKey": key, "remoteRef": reference(key)}));
    let external = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "issuer", "namespace": "linkerd"},
        "spec": {"refreshInterval": "1h", "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
            "target": {"name": "linkerd-identity-issuer"}, "data": data}});
    let store = json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": {"name": "vault"}, "spec": {"provider": provider}});
    fs::write(desk.home().join("linkerd/issuer.yaml"), text(&[external])).unwrap();
    fs::create_dir_all(desk.home().join("stores")).unwrap();
    fs::write(desk.home().join("stores/vault.yaml"), text(&[store])).unwrap();
    desk.repository.commit();
}

#[test]
fn of_what_external_secrets_makes_the_command_for_its_store_is_printed_without_the_key() {
    let desk = Desk::new();
    // No copy of the issuer's certificate: the store alone has it.
    let mut objects = Declared::of(&desk.cluster).objects();
    objects.remove(1);
    let values = objects[1]["data"]["values"].as_str().unwrap().to_owned();
    objects[1]["data"]["values"] = json!(values.split("  issuer:\n").next().unwrap());
    fs::write(desk.home().join("linkerd/all.yaml"), text(&objects)).unwrap();
    let part = |key: &str| json!({"key": "mesh/issuer", "property": key, "version": "3"});
    with_external(
        &desk,
        &part,
        json!({"vault": {"path": "kv", "version": "v2", "server": "https://vault.example.test"}}),
    );
    let dir = desk.at("rotation");
    let next = desk.run(&["next", "--in", ".", "--dir", &dir]);
    assert_eq!(next.status.code(), Some(3), "{}", said(&next));
    let command =
        format!("vault kv patch -mount=kv mesh/issuer crt.pem=@{dir}/issuer.pem key.pem=@{dir}/issuer.key\n");
    assert!(said(&next).contains(&command), "{}", said(&next));
    let file = fs::read_to_string(desk.home().join("linkerd/issuer.yaml")).unwrap();
    for (line, _) in file.lines().enumerate().filter(|(_, line)| line.contains("version:")) {
        assert!(said(&next).contains(&format!("issuer.yaml:{}, now 3", line + 1)), "{}", said(&next));
    }
    let pinned = desk.run(&["next", "--in", ".", "--dir", &dir, "--store-version", "4"]);
    assert!(pinned.status.success(), "{}", said(&pinned));
    assert!(
        said(&pinned).contains("remoteRef.version of ExternalSecret linkerd/issuer: 4"),
        "{}",
        said(&pinned)
    );
    let after = fs::read_to_string(desk.home().join("linkerd/issuer.yaml")).unwrap();
    assert_eq!(after, file.replace("version: \"3\"", "version: \"4\""));
    assert_eq!(after.matches("version: \"4\"").count(), 2);
    // One of them alone would make no pair: in a list of one line it cannot be set, and two versions are not one.
    let of_key =
        "  - secretKey: key.pem\n    remoteRef: {key: mesh/issuer, property: key.pem, version: \"3\"}\n";
    let of_older_key = "  - secretKey: key.pem\n    remoteRef:\n      key: mesh/issuer\n      property: key.pem\n      version: \"2\"\n";
    let head = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: issuer\n  namespace: linkerd\nspec:\n  \
                secretStoreRef:\n    kind: ClusterSecretStore\n    name: vault\n  target:\n    name: linkerd-identity-issuer\n  data:\n  \
                - secretKey: crt.pem\n    remoteRef:\n      key: mesh/issuer\n      property: crt.pem\n      version: \"3\"\n";
    for of_key in [of_key, of_older_key] {
        let file = format!("{head}{of_key}");
        fs::write(desk.home().join("linkerd/issuer.yaml"), &file).unwrap();
        desk.repository.commit();
        let refused = desk.run(&["next", "--in", ".", "--dir", &dir, "--store-version", "4"]);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert_eq!(fs::read_to_string(desk.home().join("linkerd/issuer.yaml")).unwrap(), file);
    }
    let key = desk.new_key();
    assert!(key.lines().all(|line| line.len() < 40 || !said(&next).contains(line)));
    let whole = |key: &str| json!({"key": format!("issuer-{}", &key[..3])});
    with_external(&desk, &whole, json!({"gcpsm": {"projectID": "mesh"}}));
    let next = desk.run(&["next", "--in", ".", "--dir", &dir]);
    let unpinned = desk.run(&["next", "--in", ".", "--dir", &dir, "--store-version", "4"]);
    assert!(
        unpinned.status.code() == Some(2) && said(&unpinned).contains("no version is pinned"),
        "{}",
        said(&unpinned)
    );
    let command =
        format!("gcloud secrets versions add issuer-key --project=mesh --data-file={dir}/issuer.key\n");
    assert!(next.status.code() == Some(3) && said(&next).contains(&command), "{}", said(&next));
    with_external(&desk, &whole, json!({"doppler": {}}));
    let next = desk.run(&["next", "--in", ".", "--dir", &dir]);
    assert!(
        said(&next).contains("does not tell of") && said(&next).contains("issuer-crt"),
        "{}",
        said(&next)
    );
}

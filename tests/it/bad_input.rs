//! Bad input through the program itself: the place is named and the next thing to do, the exit code is 2, and nothing is
//! left half-written or lost.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::mesh::REDACTED;

use crate::cluster::{Cluster, NOW, at};
use crate::runner;
use crate::sizes;

/// A directory with the small cluster's dump in it, and the rotation of the committed test data.
struct Desk {
    dir: tempfile::TempDir,
    dump: String,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap(), dump: Cluster::new().dump_yaml() };
        desk.put("cluster.yaml", fs::read(testdata("cluster.yaml")).unwrap());
        fs::create_dir(desk.path("rotation")).unwrap();
        for entry in fs::read_dir(testdata("rotation")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, desk.path("rotation").join(path.file_name().unwrap())).unwrap();
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// The dump with one text replaced, which must be in it.
    fn edited(&self, old: &str, new: &str) -> String {
        assert!(self.dump.contains(old), "{old}");
        self.dump.replacen(old, new, 1)
    }

    /// Runs the line in a shell in which `l5d` is the program.
    fn sh(&self, line: &str) -> Output {
        let output = runner::shell(&line.replace("l5d ", "\"$PLUGIN\" "))
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        assert!(!stderr.contains("panicked"), "{line}: {stderr}");
        output
    }

    /// The error that the line ends in: exit code 2, nothing on standard output, a help line.
    fn refused(&self, line: &str) -> String {
        let output = self.sh(line);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {stderr}");
        assert!(output.stdout.is_empty(), "{line}");
        assert!(stderr.starts_with("error: "), "{line}: {stderr}");
        assert!(stderr.contains("\nhelp:  "), "no next step: {line}: {stderr}");
        stderr
    }

    /// Everything below the directory, with its content.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut directories = vec![self.dir.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path)
                } else {
                    files.push((path.clone(), fs::read(path).unwrap()))
                }
            }
        }
        files.sort();
        files
    }
}

fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

#[test]
fn a_text_that_is_no_manifest_is_refused_by_place_and_finding() {
    let desk = Desk::new();
    let laughs: String = (1..12)
        .map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(",")))
        .collect();
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty.yaml", Vec::new(), "empty.yaml: no Kubernetes object in it"),
        ("blank.yaml", vec![b'\n'; sizes::of(2, 32) << 20], "blank.yaml: no Kubernetes object in it"),
        ("bytes.yaml", (0..=255).collect(), "bytes.yaml:"),
        ("nul.yaml", b"a: b\0c\n".to_vec(), "nul.yaml:1: the YAML cannot be read: a control character"),
        ("utf16.yaml", "\u{feff}a: b".encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16"),
        ("gz.yaml", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "gz.yaml: a gzip file"),
        ("tab.yaml", b"apiVersion: v1\nkind: ConfigMap\n\tmetadata: {}\n".to_vec(), "tab.yaml:3"),
        ("twice.yaml", b"apiVersion: v1\nkind: A\nkind: B\n".to_vec(), "the key `kind` stands here twice"),
        ("alias.yaml", b"a: &a [*a]\n".to_vec(), "alias.yaml:1: the YAML cannot be read"),
        ("laughs.yaml", format!("a0: &a0 [x]\n{laughs}").into_bytes(), "aliases make the document grow"),
        ("deep.yaml", "[".repeat(100_000).into_bytes(), "deeper than 128 levels"),
        ("deep.json", "{\"a\":".repeat(100_000).into_bytes(), "deep.json:1: the JSON cannot be read"),
        ("text.yaml", b"hello\n".to_vec(), "text.yaml:1: the document is a text"),
        ("list.yaml", b"- a\n- b\n".to_vec(), "list.yaml:1"),
        (
            "service.yaml",
            b"apiVersion: v1\nkind: Service\nmetadata: {name: a}\n".to_vec(),
            "no Linkerd control plane",
        ),
    ];
    for (name, content, finding) in cases {
        desk.put(name, content);
        let said = desk.refused(&format!("l5d status -f {name}"));
        assert!(said.contains(finding), "{name}: {said}");
    }
}

#[test]
fn a_truncated_dump_is_never_taken_for_the_whole() {
    let desk = Desk::new();
    let json = Cluster::new().dump();
    let snapshot = fs::read_to_string(testdata("stages/1-bundle-published.yaml")).unwrap();
    // The last line of a List dump may be cut within its `metadata`: everything that counts is there then.
    for (name, text, whole_from) in [
        ("cut.yaml", &desk.dump, desk.dump.rfind("kind: List").unwrap() + "kind: List".len()),
        ("cut.json", &json, json.trim_end().len()),
        ("snapshot.yaml", &snapshot, snapshot.trim_end().len()),
    ] {
        let cuts = (1..40).step_by(sizes::of(4, 1)).map(|part| text.len() * part / 40);
        for cut in
            cuts.chain([whole_from - 1, whole_from - 5, whole_from - 30]).filter(|cut| *cut < whole_from)
        {
            desk.put(name, &text.as_bytes()[..cut]);
            desk.refused(&format!("l5d check -f {name} --at {NOW}"));
        }
    }
}

#[test]
fn objects_that_contradict_are_refused_by_name() {
    let desk = Desk::new();
    let second = desk.dump.replace("namespace: linkerd\n", "namespace: other\n");
    let cases = [
        (
            format!("{}---\n{second}", desk.dump),
            "2 Linkerd control planes in the input, in the namespaces linkerd, other",
        ),
        (desk.edited("    values: |", "    global: '{}'\n    values: |"), "objects of two Linkerd versions"),
        (desk.edited("    ca-bundle.crt: ", "    ca.crt: "), "data has no `ca-bundle.crt`"),
        (desk.edited("    values: |", "    value: |"), "data has neither `values`"),
        (
            desk.edited("clusterDomain: cluster.local", "clusterDomain: [cluster.local"),
            "data.values cannot be read",
        ),
    ];
    for (dump, finding) in cases {
        desk.put("dump.yaml", &dump);
        let said = desk.refused(&format!("l5d start --dir new -f dump.yaml --at {NOW}"));
        assert!(said.contains(finding), "{said}");
        assert!(!desk.path("new").exists(), "{said}");
    }
    // Five Namespaces stand before it.
    desk.put("dump.yaml", desk.edited("    ca-bundle.crt: ", "    ca.crt: "));
    let said = desk.refused("l5d -f dump.yaml");
    assert!(said.contains(" (item 6): ConfigMap linkerd/linkerd-identity-trust-roots: "), "{said}");
}

#[test]
fn trust_material_that_cannot_be_read_is_a_finding_of_check_and_stops_start() {
    let desk = Desk::new();
    let bundle = desk.dump.find("ca-bundle.crt: |-\n").unwrap() + "ca-bundle.crt: |-\n".len();
    let insert = |text: &str| [&desk.dump[..bundle], text, &desk.dump[bundle..]].concat();
    let parameters =
        "      -----BEGIN EC PARAMETERS-----\n      BggqhkjOPQMBBw==\n      -----END EC PARAMETERS-----\n";
    let broken = "      -----BEGIN CERTIFICATE-----\n      AAAA\n      -----END CERTIFICATE-----\n";
    for (dump, finding) in [(insert(parameters), "EC PARAMETERS"), (insert(broken), "not a certificate")] {
        desk.put("dump.yaml", dump);
        let check = desk.sh(&format!("l5d check -o short -f dump.yaml --at {NOW}"));
        let said = String::from_utf8(check.stdout).unwrap();
        assert_eq!(check.status.code(), Some(1), "{said}");
        assert!(said.contains("× trust bundle is strict PEM") && said.contains(finding), "{said}");
    }
    // Where no reader gets an anchor out of it, there is nothing that the old proxies would go on trusting.
    let pem = &desk.dump[bundle..bundle + desk.dump[bundle..].find("-----END").unwrap()];
    desk.put(
        "dump.yaml",
        desk.dump.replacen(pem, "      -----BEGIN CERTIFICATE-----\n      AAAA\n      ", 1),
    );
    let said = desk.refused(&format!("l5d start --dir new -f dump.yaml --at {NOW}"));
    assert!(
        said.contains("ConfigMap linkerd/linkerd-identity-trust-roots (data.\"ca-bundle.crt\")"),
        "{said}"
    );
    assert!(!desk.path("new").exists());
}

#[test]
fn a_secret_that_is_not_base64_is_a_finding_and_shows_nothing_of_it() {
    let desk = Desk::new();
    for (key, place) in [("crt.pem", "crt.pem is not base64"), ("key.pem", "key.pem is not base64")] {
        let encoded = desk.dump.split_once(&format!("{key}: ")).unwrap().1.lines().next().unwrap().to_owned();
        desk.put("dump.yaml", desk.dump.replacen(&encoded, "U0VDUkVU~U0VDUkVU", 1));
        let check = desk.sh(&format!("l5d check -o short -f dump.yaml --at {NOW}"));
        let said = String::from_utf8(check.stdout).unwrap();
        assert_eq!(check.status.code(), Some(1), "{said}");
        assert!(said.contains(place), "{key}: {said}");
        assert!(!said.contains("SECRET") && !said.contains("U0VDUkVU"), "{said}");
    }
    assert_eq!(STANDARD.encode("SECRET"), "U0VDUkVU");
    assert!(desk.dump.contains(&STANDARD.encode(REDACTED)));
}

#[test]
fn certificates_without_a_common_name_are_told_apart_all_the_way() {
    let desk = Desk::new();
    let mut nameless = Cluster::new();
    let anchor = l5d_rotate::pki::Certificate::from_der(&nameless_anchor()).unwrap();
    nameless.bundle = format!("{}\n{}", nameless.bundle, anchor.to_pem().trim_end());
    desk.put("dump.yaml", nameless.dump_yaml());
    let run = |line: &str| {
        let output = desk.sh(&format!("{line} -f dump.yaml --at {NOW}"));
        assert!(output.status.code().is_some_and(|code| code < 2), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let short = anchor.fingerprint().short().to_string();
    assert!(run("l5d status").contains(&short));
    assert!(run("l5d inspect").contains(&anchor.fingerprint().to_string()));
    run("l5d check");
    run("l5d start --dir new");
    assert!(run("l5d render bundle --step 1 --dir new").contains(&anchor.fingerprint().to_string()));
    assert!(run("l5d diff bundle --step 1 --dir new").contains(&anchor.fingerprint().to_string()));
}

/// A self-signed CA whose subject is an organisation only.
fn nameless_anchor() -> Vec<u8> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_before =
        time::OffsetDateTime::from_unix_timestamp(at("2026-01-01T00:00:00Z").as_second()).unwrap();
    params.not_after =
        time::OffsetDateTime::from_unix_timestamp(at("2030-01-01T00:00:00Z").as_second()).unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn what_cannot_be_opened_is_named() {
    let desk = Desk::new();
    fs::create_dir(desk.path("empty")).unwrap();
    fs::create_dir(desk.path("empty/below")).unwrap();
    for (line, finding) in [
        ("l5d -f nowhere.yaml", "nowhere.yaml: "),
        ("l5d -f empty", "empty: no *.yaml, *.yml or *.json in this directory"),
        ("l5d -f cluster.yaml -f - -f -", "more than once"),
        ("l5d inspect nowhere.pem", "nowhere.pem: "),
        ("l5d inspect /dev/zero", "/dev/zero: is larger than 16 MiB"),
        ("l5d inspect empty", "empty: "),
        ("l5d plan --dir nowhere -f cluster.yaml", "nowhere: there is no such directory"),
        ("l5d plan --dir cluster.yaml -f cluster.yaml", "cluster.yaml: "),
        ("l5d start --dir cluster.yaml -f cluster.yaml", "cluster.yaml: "),
        ("l5d snapshot --out empty -f cluster.yaml", "empty: exists already"),
        ("l5d snapshot --out cluster.yaml/x -f cluster.yaml", "cluster.yaml: "),
    ] {
        let before = desk.files();
        let said = desk.refused(&format!("{line} </dev/null"));
        assert!(said.contains(finding), "{line}: {said}");
        assert!(desk.files() == before, "{line}");
    }
}

#[test]
fn a_directory_that_may_not_be_read_is_named() {
    let desk = Desk::new();
    fs::create_dir(desk.path("closed")).unwrap();
    fs::set_permissions(desk.path("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(desk.path("closed")).is_ok() {
        println!("skipped: a_directory_that_may_not_be_read_is_named: this user may read everything");
        return;
    }
    for line in ["l5d -f closed", "l5d -f . -R", "l5d plan --dir closed -f cluster.yaml"] {
        let said = desk.refused(line);
        assert!(said.contains("closed") && said.contains("ermission denied"), "{line}: {said}");
    }
    fs::set_permissions(desk.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
}

/// A file of a rotation, what becomes of it, and what is said then.
type Damage = (&'static str, fn(&str) -> Option<Vec<u8>>, &'static str);

const DAMAGE: &[Damage] = &[
    ("rotation.yaml", |_| None, "rotation.yaml is missing"),
    ("rotation.yaml", |_| Some(Vec::new()), "rotation.yaml: "),
    ("rotation.yaml", |text| Some(text.as_bytes()[..text.len() / 2].to_vec()), "rotation.yaml: "),
    ("rotation.yaml", |_| Some(b"x: *a\n".to_vec()), "rotation.yaml: "),
    ("rotation.yaml", |text| Some(text.replace("rotate/v1", "rotate/v9").into()), "`l5d-rotate/v9`"),
    ("rotation.yaml", |text| Some(text.replace(": staged", ": quick").into()), "`quick`"),
    (
        "rotation.yaml",
        |text| Some(text.replace("Namespace: linkerd", "Namespace: l5d").into()),
        "control plane `l5d`",
    ),
    ("anchor.pem", |_| None, "anchor.pem is missing"),
    ("issuer.pem", |_| None, "issuer.pem is missing"),
    ("old-anchors.pem", |_| None, "old-anchors.pem is missing"),
    ("issuer.pem", |_| Some(Vec::new()), "issuer.pem"),
    ("issuer.pem", |text| Some(text.as_bytes()[..300].to_vec()), "issuer.pem: line 1: no END line"),
    ("anchor.pem", |_| Some(vec![0xff, 0xfe, 0]), "rotation/anchor.pem: stream did not contain valid UTF-8"),
    ("trust-bundle.pem", |text| Some([text, text].concat().into()), "trust-bundle.pem"),
    (
        "anchor.pem",
        |_| Some(fs::read(testdata("rotation/old-anchors.pem")).unwrap()),
        "anchor.pem was changed since rotation.yaml was written",
    ),
    (
        "old-anchors.pem",
        |_| Some(fs::read(testdata("rotation/anchor.pem")).unwrap()),
        "old-anchors.pem was changed since rotation.yaml was written",
    ),
];

#[test]
fn a_rotation_directory_that_was_edited_or_half_written_is_refused_by_file() {
    for (file, damage, finding) in DAMAGE {
        let desk = Desk::new();
        let path = desk.path("rotation").join(file);
        let text = fs::read_to_string(&path).unwrap();
        match damage(&text) {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        for verb in ["status", "plan", "render bundle", "diff bundle"] {
            let said = desk.refused(&format!("l5d {verb} --dir rotation -f cluster.yaml --at {NOW}"));
            assert!(said.contains(finding), "{verb}, {file}: {said}");
        }
    }
}

#[test]
fn a_full_disk_leaves_no_rotation_begun_and_no_file_cut() {
    let desk = Desk::new();
    let before = desk.files();
    // Files may not grow beyond half a KiB or one: no certificate fits, a key does.
    let full = "trap '' XFSZ; ulimit -f 1; exec";
    let arguments = format!("-f cluster.yaml --at {NOW}");
    for line in [
        format!("{full} l5d start --dir new {arguments}"),
        format!("{full} l5d start --dir rotation/new {arguments}"),
        format!("{full} l5d snapshot --out mesh.yaml {arguments}"),
    ] {
        let said = desk.refused(&line);
        assert!(said.contains("nothing was left half-written"), "{said}");
        assert!(desk.files() == before, "{line}");
    }
    assert!(!desk.path("new").exists());
}

#[test]
fn rendering_onto_a_full_disk_keeps_what_was_rendered_before() {
    let desk = Desk::new();
    let render = format!("l5d render bundle --step 1 --out out --dir rotation -f cluster.yaml --at {NOW}");
    assert!(desk.sh(&render).status.success());
    let before = desk.files();
    desk.refused(&format!("trap '' XFSZ; ulimit -f 1; exec {render}"));
    assert!(desk.files() == before);
}

#[test]
fn a_start_that_was_killed_midway_is_no_rotation_and_is_called_so() {
    let desk = Desk::new();
    let killed = desk.sh(&format!("ulimit -f 1; exec l5d start --dir new -f cluster.yaml --at {NOW}"));
    assert_eq!(killed.status.code(), None, "{killed:?}");
    assert!(!desk.path("new/rotation.yaml").exists());
    let left = desk.files();
    let said = desk.refused(&format!("l5d status --dir new -f cluster.yaml --at {NOW}"));
    assert!(said.contains("new: rotation.yaml is missing"), "{said}");
    let said = desk.refused(&format!("l5d start --dir new -f cluster.yaml --at {NOW}"));
    assert!(said.contains("what an interrupted start left behind may be deleted"), "{said}");
    assert!(desk.files() == left);
}

#[test]
fn output_that_is_lost_is_no_success() {
    if !Path::new("/dev/full").exists() {
        println!("skipped: output_that_is_lost_is_no_success: no /dev/full");
        return;
    }
    let desk = Desk::new();
    for verb in ["status", "check", "render bundle --step 1 --dir rotation", "snapshot"] {
        let said = desk.refused(&format!("l5d {verb} -f cluster.yaml --at {NOW} >/dev/full"));
        assert!(said.contains("standard output: No space left on device"), "{verb}: {said}");
    }
    // Nobody reads on: that is the reader's good right.
    let output = desk.sh(&format!("l5d snapshot -f cluster.yaml --at {NOW} | head -n 1"));
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_dump_with_windows_line_ends_and_a_byte_order_mark_reads_the_same() {
    let desk = Desk::new();
    let text = fs::read_to_string(desk.path("cluster.yaml")).unwrap();
    desk.put("windows.yaml", format!("\u{feff}{}", text.replace('\n', "\r\n")));
    let [one, other] =
        ["cluster.yaml", "windows.yaml"].map(|file| desk.sh(&format!("l5d status -f {file} --at {NOW}")));
    // The next command names the file that was read.
    let said = |output: std::process::Output, file: &str| {
        String::from_utf8(output.stdout).unwrap().replace(&format!(" -f {file}"), "")
    };
    assert_eq!(said(one, "cluster.yaml"), said(other, "windows.yaml"));
}

#[test]
fn an_issuer_is_not_called_shortened_by_a_fraction_of_a_second() {
    let desk = Desk::new();
    let start = |lifetime: &str| {
        let dir = format!("rotation-{lifetime}");
        let output = runner::plugin()
            .current_dir(desk.dir.path())
            .args(["start", "--dir", &dir, "-f", "cluster.yaml", "--at", "2026-11-23T02:00:00.5Z"])
            .args(["--issuer-lifetime", lifetime])
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(start("1y"), "");
    assert!(start("20y").contains("expires with its anchor"));
}

#[test]
fn a_start_before_the_epoch_says_so_and_writes_nothing() {
    let desk = Desk::new();
    for at in
        ["1969-12-31T23:00:00Z", "1970-01-01T00:09:59Z", "0001-01-01T00:00:00Z", "-009999-01-02T01:59:59Z"]
    {
        let said = desk.refused(&format!("l5d start --dir new -f cluster.yaml --at={at}"));
        assert!(said.contains("proxies know no time before 1970") && said.contains("--at"), "{said}");
        assert!(!desk.path("new").exists());
    }
}

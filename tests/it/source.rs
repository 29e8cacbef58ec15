//! What files, directories and standard input give.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use l5d_rotate::source::{Input, Observed, Request, SourceError, observe, observe_reader};
use proptest::prelude::*;

use crate::sizes;
use crate::support::recorder::Recorder;

const POD: &str = r#"{"metadata":{"name":"a","namespace":"x"},"spec":{"containers":[{"name":"c"}]},"status":{"phase":"Running"}}"#;

fn lines(observed: Observed<Recorder>) -> Vec<String> {
    match observed {
        Observed::Objects(recorder) => recorder.0,
        Observed::Snapshot(_) => vec!["snapshot".to_owned()],
    }
}

/// What a text gives that can be read once only.
fn once(text: &str) -> Result<Vec<String>, SourceError> {
    observe_reader(text.as_bytes(), "dump", Recorder::default()).map(lines)
}

fn fault(text: &str) -> String {
    once(text).unwrap_err().to_string()
}

fn files(paths: &[&Path], recursive: bool) -> Result<Vec<String>, SourceError> {
    let inputs = paths.iter().map(|path| Input::Path(path.to_path_buf())).collect();
    observe(&Request { inputs, recursive, ..Request::default() }, Recorder::default()).map(lines)
}

/// A Pod as a list of mixed kinds has it.
fn pod(name: &str) -> String {
    POD.replacen('{', r#"{"apiVersion":"v1","kind":"Pod","#, 1).replace(r#""a""#, &format!("{name:?}"))
}

#[test]
fn the_items_of_every_kind_of_list_are_taken_in() {
    let a = "pod x/a (1, Running) at dump:1 (item 1)";
    // As the API server sends it, as kubectl prints it, and as `jq` leaves it.
    let raw = format!(
        r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":[{POD}]}}"#
    );
    assert_eq!(once(&raw).unwrap(), [a, "pods were read"]);
    assert_eq!(once(&format!(r#"{{"apiVersion":"v1","items":[{}],"kind":"List"}}"#, pod("a"))).unwrap(), [a]);
    assert_eq!(once(&format!("[{}]", pod("a"))).unwrap(), [a]);
    let two = once(&format!("{}\n{}", pod("a"), pod("b"))).unwrap();
    assert_eq!(two, ["pod x/a (1, Running) at dump:1", "pod x/b (1, Running) at dump:2 (document 2)"]);
    let nested = format!(r#"{{"kind":"List","apiVersion":"v1","items":[{raw},{}]}}"#, pod("b"));
    assert_eq!(once(&nested).unwrap(), [a, "pod x/b (1, Running) at dump:1 (item 2)"]);
}

#[test]
fn keys_in_any_order_give_the_same() {
    let last = r#"{"status":{"phase":"Running","x":null},"metadata":{"name":"a","namespace":"x","labels":null},"spec":{"containers":[{"name":"c"}]},"kind":"Pod","apiVersion":"v1"}"#;
    assert_eq!(once(last).unwrap(), ["pod x/a (1, Running) at dump:1"]);
    let object = r#"{"data":{},"metadata":{"name":"n"},"kind":"ConfigMap","apiVersion":"v1"}"#;
    assert_eq!(once(object).unwrap(), ["object v1 ConfigMap n at dump:1"]);
}

#[test]
fn objects_of_no_interest_are_passed_over() {
    let text = r#"{"kind":"List","apiVersion":"v1","items":[{"kind":"Service","apiVersion":"v1","spec":{"a":[1,{"b":2}]}},{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"x"}}]}"#;
    assert_eq!(once(text).unwrap(), ["object v1 Secret x/s at dump:1 (item 2)"]);
    assert_eq!(
        once(r#"{"kind":"ServiceList","apiVersion":"v1","items":[{"a":1}]} {"name":"no object"}"#).unwrap(),
        [""; 0]
    );
}

#[test]
fn a_list_that_names_its_kind_last_is_read_twice_where_it_can_be() {
    let text = format!(
        r#"{} {{"apiVersion":"v1","items":[{POD},{POD}],"kind":"PodList"}} {}"#,
        pod("first"),
        pod("last")
    );
    assert!(matches!(once(&text), Err(SourceError::LateKind { kind, .. }) if kind == "PodList"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pods.json");
    fs::write(&file, &text).unwrap();
    let names: Vec<_> =
        files(&[&file], false).unwrap().iter().map(|line| line[..7].trim().to_owned()).collect();
    assert_eq!(names, ["pod x/f", "pod x/a", "pod x/a", "pod x/l", "pods we"]);
}

#[test]
fn items_without_a_kind_that_nothing_tells_are_a_fault() {
    for text in [
        format!(r#"{{"apiVersion":"v1","items":[{POD}],"kind":"List"}}"#),
        format!(r#"{{"apiVersion":"v1","kind":"List","items":[{POD}]}}"#),
        format!(r#"{{"apiVersion":"v1","items":[{},{POD}],"kind":"PodList"}}"#, pod("a")),
        format!("[{POD}]"),
    ] {
        assert!(fault(&text).contains("an item with a `kind` should stand here"), "{}", fault(&text));
    }
}

#[test]
fn a_text_longer_than_any_window_is_read_the_same() {
    let mut text = "{\n\"apiVersion\": \"v1\",\n\"items\": [".to_owned();
    let mut expected = Vec::new();
    for index in 0..3000_usize {
        let line = 3 + index;
        let filler = "x\\n".repeat(if index == 1500 { 2 << 20 } else { index * 7 % 800 });
        let comma = if index > 0 { "," } else { "" };
        text += &format!(
            "{comma}{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"number\":1{index},\"metadata\":{{\n\"name\":\"{index}\",\"annotations\":{{\"a\":\"{filler}\"}}}}}}"
        );
        expected.push(format!("pod /{index} (0, ) at dump:{line} (item {})", index + 1));
    }
    text += "],\n\"kind\": \"List\"}\n";
    assert_eq!(once(&text).unwrap(), expected);
    struct Drops<'a>(&'a [u8]);
    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(4099);
            self.0.read(&mut buffer[..length])
        }
    }
    assert_eq!(
        observe_reader(Drops(text.as_bytes()), "dump", Recorder::default()).map(lines).unwrap(),
        expected
    );
    assert!(fault(&text[..text.len() - 20]).contains("the JSON is cut short"));
}

#[test]
fn a_dump_that_is_cut_short_says_so_and_where() {
    let text = format!("{{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[\n{POD},\n{POD}]}}");
    for length in 1..text.len() {
        let fault = fault(&text[..length]);
        assert!(
            fault.starts_with("dump:") && fault.contains("the JSON is cut short at column"),
            "{length}: {fault}"
        );
    }
    assert_eq!(fault(&text[..text.len() - 4]), "dump:3: the JSON is cut short at column 105 in item 2");
}

#[test]
fn a_field_of_the_wrong_type_is_named_by_its_place() {
    let text =
        r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}},{"metadata":{"name":5}}]}"#;
    let said = "dump:1: the JSON cannot be read: invalid type: integer `5`, expected a string at column 92 in item 2";
    assert_eq!(fault(text), said);
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {x: [1]}}\n";
    assert!(fault(yaml).starts_with("dump:1: the Pod: "), "{}", fault(yaml));
    let refused = "a: 1\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: refused}\n";
    assert_eq!(fault(refused), "dump:3 (document 2): no Linkerd control plane in the input");
}

#[test]
fn yaml_and_json_give_the_same() {
    let yaml = "# dump\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a, namespace: x, labels: }\n  spec: {containers: [{name: c, env: null}]}\n  status: {phase: Running}\n";
    assert_eq!(once(yaml).unwrap(), ["pod x/a (1, Running) at dump:6 (item 1)"]);
    assert_eq!(
        once("\u{feff}apiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n").unwrap(),
        ["object v1 Namespace ns at dump:1"]
    );
    assert_eq!(once(&format!("\u{feff}\n {}", pod("a"))).unwrap(), ["pod x/a (1, Running) at dump:2"]);
}

#[test]
fn one_page_of_a_longer_list_is_a_gap() {
    let text =
        format!(r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"continue":"abc"}},"items":[{POD}]}}"#);
    assert_eq!(once(&text).unwrap()[1..], ["gap pods: dump holds one page of a longer list"]);
}

#[test]
fn texts_that_are_no_text_say_what_they_are() {
    let of = |bytes: &[u8]| observe_reader(bytes, "dump", Recorder::default()).map(lines).unwrap_err();
    assert_eq!(of(b"\xff\xfea\0").to_string(), "dump:1: not UTF-8 text but UTF-16");
    assert_eq!(of(b"a: 1\nb: \xc3\x28\n").to_string(), "dump:2: not UTF-8 text");
    assert_eq!(of(b"\x1f\x8b\x08").to_string(), "dump: a gzip file");
    let error = of(b"{\"kind\": \"List\"");
    assert_eq!(error.help().unwrap(), "make it again, and see that the disk is not full");
}

#[test]
fn a_reader_that_fails_is_told_from_a_text_that_ends() {
    struct Violation;
    impl Read for Violation {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("pulled out"))
        }
    }
    for start in ["{\"kind\":", "a: 1\n"] {
        let error =
            observe_reader(start.as_bytes().chain(Violation), "dump", Recorder::default()).unwrap_err();
        assert!(matches!(error, SourceError::Unreadable { .. }), "{error}");
    }
}

#[test]
fn a_directory_gives_its_manifests_sorted_and_below_only_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let object = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    for (path, name) in
        [("b.yml", "b"), ("a.yaml", "a"), ("c.json.txt", "no"), ("sub/d.yaml", "d"), (".git/e.yaml", "no")]
    {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, object(name)).unwrap();
    }
    fs::write(dir.path().join("c.json"), pod("c")).unwrap();
    let names = |recursive, paths: &[&Path]| -> Vec<String> {
        let lines = files(paths, recursive).unwrap();
        lines
            .iter()
            .map(|line| line.split(" at ").next().unwrap().rsplit(' ').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(false, &[dir.path()]), ["a", "b", "Running)"]);
    assert_eq!(names(true, &[dir.path()]), ["a", "b", "Running)", "d"]);
    // Named twice, read once.
    assert_eq!(
        names(true, &[&dir.path().join("b.yml"), dir.path(), &dir.path().join("sub")]),
        ["b", "a", "Running)", "d"]
    );
}

#[cfg(unix)]
#[test]
fn symbolic_links_neither_loop_nor_count_twice() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.json"), pod("a")).unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("a.json"), dir.path().join("b.json")).unwrap();
    assert_eq!(files(&[dir.path()], true).unwrap().len(), 1);
    std::os::unix::fs::symlink(dir.path().join("nowhere"), dir.path().join("c.yaml")).unwrap();
    assert!(files(&[dir.path()], true).unwrap_err().to_string().contains("c.yaml"));
}

#[test]
fn what_cannot_be_found_is_named_with_the_next_thing_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let help = |error: SourceError| {
        (error.to_string().replace(&*dir.path().to_string_lossy(), "DIR"), error.help().unwrap())
    };
    let (said, next) = help(files(&[&dir.path().join("no.yaml")], false).unwrap_err());
    assert!(said.starts_with("DIR/no.yaml: No such file"), "{said}");
    assert!(next.contains("check the path"));
    let (said, next) = help(files(&[dir.path()], false).unwrap_err());
    assert_eq!(
        (&*said, &*next),
        (
            "DIR: no *.yaml, *.yml or *.json in this directory",
            "name the directory that holds the manifests or the dump"
        )
    );
    fs::create_dir(dir.path().join("sub")).unwrap();
    assert!(help(files(&[dir.path()], false).unwrap_err()).1.contains("-R"));
    fs::write(dir.path().join("empty.yaml"), "# nothing\n---\n").unwrap();
    assert_eq!(help(files(&[dir.path()], false).unwrap_err()).0, "DIR: no Kubernetes object in it");
    let twice = Request { inputs: vec![Input::Stdin, Input::Stdin], ..Request::default() };
    assert!(matches!(observe(&twice, Recorder::default()), Err(SourceError::StdinTwice)));
}

#[cfg(unix)]
#[test]
fn a_directory_that_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::write(dir.path().join("a.json"), pod("a")).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&closed).is_ok() {
        println!("skipped: a_directory_that_may_not_be_read_is_named: this user may read everything");
        return;
    }
    assert!(files(&[dir.path()], true).unwrap_err().to_string().contains("closed: Permission denied"));
}

#[test]
fn a_snapshot_stands_alone_and_is_of_a_known_version() {
    let snapshot = |version: &str| format!("apiVersion: {version}\nkind: Snapshot\nmesh: {{}}\n");
    assert_eq!(
        fault(&snapshot("l5d-rotate/v9")),
        "dump:1: a snapshot of version `l5d-rotate/v9`, but this program reads `l5d-rotate/v1`"
    );
    assert!(fault(&snapshot("l5d-rotate/v1")).starts_with("dump:1: the snapshot is damaged: missing field"));
    let json = r#"{"kind":"Snapshot","mesh":{},"apiVersion":"l5d-rotate/v1"}"#;
    assert!(fault(json).starts_with("dump:1: the snapshot is damaged"), "{}", fault(json));
    // Somebody else's Snapshot is an object like any other.
    assert_eq!(once("apiVersion: snapshot.storage.k8s.io/v1\nkind: Snapshot\n").unwrap(), [""; 0]);
}

#[test]
fn a_snapshot_gives_back_the_mesh_it_was_taken_of() {
    let dir = tempfile::tempdir().unwrap();
    let (install, copy) = (dir.path().join("install.yaml"), dir.path().join("snapshot.yaml"));
    fs::write(&install, INSTALL).unwrap();
    let read = |paths: &[&Path]| {
        let inputs = paths.iter().map(|path| Input::Path(path.to_path_buf())).collect();
        l5d_rotate::source::read(&Request { inputs, ..Request::default() })
    };
    let mesh = read(&[&install]).unwrap();
    let tree = l5d_rotate::source::snapshot(&mesh);
    for text in [l5d_rotate::document::yaml::write(&tree), tree.to_string()] {
        fs::write(&copy, text).unwrap();
        assert_eq!(read(&[&copy]).unwrap(), mesh);
        for order in [[&*copy, &*install], [&*install, &*copy]] {
            assert!(matches!(read(&order), Err(SourceError::SnapshotNotAlone { .. })));
        }
    }
}

const INSTALL: &str = r"apiVersion: v1
kind: ConfigMap
metadata: {name: linkerd-config, namespace: linkerd}
data:
  linkerd-crds-chart-version: linkerd-crds-1.0.0
  values: |
    identityTrustDomain: cluster.local
    linkerdVersion: edge-25.4.4
---
apiVersion: v1
kind: ConfigMap
metadata: {name: linkerd-identity-trust-roots, namespace: linkerd}
data: {ca-bundle.crt: not a certificate}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: linkerd-identity
  namespace: linkerd
  labels: {linkerd.io/control-plane-component: identity, linkerd.io/control-plane-ns: linkerd}
spec:
  template:
    spec:
      containers: [{name: identity, args: [identity, -identity-scheme=linkerd.io/tls]}]
      volumes: [{name: trust-roots, configMap: {name: linkerd-identity-trust-roots}}]
";

proptest! {
    #![proptest_config(ProptestConfig { cases: sizes::of(400, 3000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_stream_panic(text in r#"[\[{](\{|\}|\[|\]|,|:|"kind"|"items"|"metadata"|"PodList"|"List"|"Pod"|"v1"|"apiVersion"|1|null| |\n){0,40}"#) {
        let _ = once(&text);
    }
}

#[test]
fn real_installs_are_read() {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/real/install"));
    if !dir.is_dir() {
        println!("skipped: real_installs_are_read: no ../shared/real");
        return;
    }
    let always = ["v1 ConfigMap linkerd/linkerd-config", "apps/v1 Deployment linkerd/linkerd-identity"];
    let later = ["v1 ConfigMap linkerd/linkerd-identity-trust-roots"];
    for (file, expected) in [("2.8.1", &[][..]), ("2.10.2", &[]), ("2.12.6", &later), ("2.20", &later)] {
        let lines = files(&[&dir.join(format!("{file}.yaml"))], false).unwrap();
        for object in always.iter().chain(expected) {
            assert!(
                lines.iter().any(|line| line.starts_with(&format!("object {object} at"))),
                "{file}: {object}"
            );
        }
    }
}

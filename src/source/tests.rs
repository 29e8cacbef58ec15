//! What is shortened, or decoded before its turn, gives the same as what is decoded in order, as it stands: objects, faults and lines.

use std::sync::Arc;

use proptest::prelude::*;

use super::intake::Intake;
use super::object::Kind;
use super::{Progress, Sink, ahead, json, skim};
use crate::document::{Document, Origin};
use crate::mesh::{Gap, Interest, MeshError, Pod};

/// A pod with every field that is decoded, and others.
const POD: &str = r#"{
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "annotations": {"a/b": "c \u003c d", "e": "\"f\\"},
                "creationTimestamp": "2026-03-19T02:38:00Z",
                "deletionTimestamp": "2026-03-19T02:39:00Z",
                "finalizers": [],
                "labels": {"app": "web"},
                "managedFields": [{"fieldsV1": {"f:metadata": {"f:labels": {".": {}}}}, "time": null, "x": [1, -2, 0, 15, true, false]}],
                "name": "web-1",
                "namespace": "shop",
                "ownerReferences": [{"apiVersion": "apps/v1", "controller": true, "kind": "ReplicaSet", "name": "web", "uid": "1"}]
            },
            "spec": {
                "containers": [
                    {
                        "env": [
                            {"name": "_pod_ns", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                            {"name": "PLAIN", "value": "a\tb\nc"},
                            {"name": "NOTHING"},
                            {"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": "-----BEGIN\n", "valueFrom": {"configMapKeyRef": {"name": "n", "key": "k", "optional": true}}}
                        ],
                        "image": "proxy:1",
                        "name": "linkerd-proxy"
                    }
                ],
                "hostNetwork": true,
                "initContainers": [{"name": "init", "env": [{"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": "x", "valueFrom": {"configMapKeyRef": {"name": "n", "key": "k"}}}]}],
                "tolerations": [{"key": "a", "tolerationSeconds": 300}]
            },
            "status": {
                "conditions": [{"lastProbeTime": null, "status": "True"}],
                "containerStatuses": [{"name": "linkerd-proxy", "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "2026-03-19T02:38:00Z"}}}],
                "initContainerStatuses": [{"name": "init", "ready": true, "state": {"running": {"startedAt": "2026-03-19T02:38:00Z"}}}],
                "phase": "Running"
            }
        }"#;

/// Of its second container.
const ENVIRONMENT: &str = r#"[{"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": "x", "valueFrom": {"configMapKeyRef": {"name": "n", "key": "k"}}}]"#;

fn wants(_: &str, kind: &str) -> Interest {
    match kind {
        "Pod" => Interest::Pod,
        "ConfigMap" => Interest::Object,
        _ => Interest::None,
    }
}

/// What a text is decoded to, or what is wrong with it and where; and how long it is.
fn said(text: &[u8], shortens: bool) -> String {
    let decode = if shortens { ahead::one } else { ahead::whole };
    format!("{:?}", decode(text, &Kind::default(), &wants))
}

#[test]
fn a_shortened_pod_has_every_field_that_is_decoded() {
    let short =
        skim::shortened(POD.as_bytes(), &Kind::default(), &wants, &mut skim::Before::default()).unwrap();
    assert!(short.whole == POD.len() && short.kept.len() < POD.len() / 2, "{}", short.kept.len());
    let whole = said(POD.as_bytes(), false);
    assert_eq!(said(POD.as_bytes(), true), whole);
    let pod: Pod = serde_json::from_str(POD).unwrap();
    let pod = format!("{pod:?}");
    for empty in ["None", "[]", "{}", "\"\"", "false"] {
        assert!(!pod.contains(empty), "a field of Pod is not in the text above: {pod}");
    }
}

#[test]
fn what_was_read_under_another_kind_counts_as_it_was_read() {
    let text = POD.replacen("\"status\"", "\"kind\": \"ConfigMap\", \"status\"", 1);
    let whole = said(text.as_bytes(), false);
    assert!(whole.contains("ConfigMap"), "{whole}");
    assert_eq!(said(text.as_bytes(), true), whole);
}

#[test]
fn what_a_decoder_refuses_is_not_passed_over_where_nobody_reads_it() {
    for (good, bad) in [
        ("\"value\": \"a\\tb\\nc\"", "\"value\": 5"),
        ("\"value\": \"a\\tb\\nc\"", "\"value\": \"\\ud800\""),
        ("\"value\": \"a\\tb\\nc\"", "\"value\": \"a\", \"value\": \"b\""),
        ("{\"name\": \"NOTHING\"}", "{\"name\": \"NOTHING\", \"name\": \"TWICE\"}"),
        ("{\"name\": \"NOTHING\"}", "{\"name\": null}"),
        ("\"hostNetwork\": true", "\"hostNetwork\": true, \"hostNetwork\": true"),
        ("\"finalizers\": []", "\"finalizers\": [01]"),
        ("\"finalizers\": []", "\"finalizers\": [\"\\x\"]"),
        ("\"finalizers\": []", "\"finalizers\": [,]"),
        ("\"finalizers\": []", "\"finalizers\": [nul]"),
        ("\"finalizers\": []", "\"\\ud800\": []"),
        ("\"phase\": \"Running\"", "\"phase\": \"Run\nning\""),
    ] {
        let text = POD.replacen(good, bad, 1);
        assert_ne!(text, POD, "{good}");
        let whole = said(text.as_bytes(), false);
        assert!(whole.contains("Err("), "{bad}: {whole}");
        assert_eq!(said(text.as_bytes(), true), whole, "{bad}");
    }
}

/// Writes down what it is given.
#[derive(Clone, Default)]
struct Lines(Vec<String>);

impl Sink for Lines {
    fn interest(&self, api_version: &str, kind: &str) -> Interest {
        wants(api_version, kind)
    }

    fn object(&mut self, document: Document) -> Result<(), MeshError> {
        self.0.push(format!("{document:?}"));
        Ok(())
    }

    fn pod(&mut self, origin: &Origin, pod: Pod) {
        self.0.push(format!("{origin} {pod:?}"));
    }

    fn pods_were_read(&mut self) {}

    fn gap(&mut self, _: Gap) {}
}

/// What a text gives, up to its fault.
fn read(text: &[u8], looks_ahead: bool) -> (Vec<String>, String) {
    let mut intake = Intake::new(Lines::default(), Arc::new(Progress::default()));
    let outcome = if looks_ahead {
        json::read(text, "dump", None, &mut intake)
    } else {
        json::read_one_by_one(text, "dump", None, &mut intake)
    };
    (intake.into_sink().0, format!("{outcome:?}"))
}

/// A list of pods, most of them like the one before; some have one value less or one more, be it another's.
fn list(pods: usize, between: &str) -> String {
    let pods: Vec<_> = (0..pods)
        .map(|pod| {
            let text = POD.replace("web-1", &format!("web-{pod}"));
            match pod % 7 {
                2 => text.replace("\"finalizers\": [],", ""),
                3 => text.replace("\"hostNetwork\"", &format!("\"env\": {ENVIRONMENT}, \"hostNetwork\"")),
                5 => text.replace("\"hostNetwork\"", "\"overhead\": [], \"hostNetwork\""),
                6 => text.replace(ENVIRONMENT, "[]"),
                _ => text,
            }
        })
        .collect();
    let items = pods.join(between);
    format!(
        "{{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n        {items}\n    ],\n    \"kind\": \"List\"\n}}\n"
    )
}

#[test]
fn a_long_list_is_the_same_decoded_ahead() {
    for between in [",\n        ", ",", " , "] {
        let text = list(1200, between);
        let ahead = read(text.as_bytes(), true);
        assert!(ahead.0.len() == 1200 && ahead == read(text.as_bytes(), false));
    }
}

/// A text with a few bytes that are others, more or fewer.
fn broken(text: &str, at: &[(prop::sample::Index, Option<u8>, bool)]) -> Vec<u8> {
    let mut text = text.as_bytes().to_vec();
    for (place, byte, replaces) in at {
        let place = place.index(text.len());
        match byte {
            Some(byte) if *replaces => text[place] = *byte,
            Some(byte) => text.insert(place, *byte),
            None => _ = text.remove(place),
        }
    }
    text
}

fn faults() -> impl Strategy<Value = Vec<(prop::sample::Index, Option<u8>, bool)>> {
    let signs = prop::sample::select(b"{}[]:,\"\\ \n0-.eutn\x01\x80\xff".to_vec());
    prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(signs), any::<bool>()), 0..4)
}

fn cases(number: u32) -> ProptestConfig {
    let full = std::env::var_os("L5D_ROTATE_TEST_FULL").is_some();
    let cases = if full { 20 * number } else { number };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn any_object_is_decoded_as_it_stands(faults in faults(), kind in prop::sample::select(vec!["Pod", "Service", "ConfigMap", "PodList"])) {
        let text = broken(&POD.replace("\"Pod\"", &format!("{kind:?}")), &faults);
        prop_assert_eq!(said(&text, true), said(&text, false));
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn any_list_is_read_as_it_stands(faults in faults(), between in prop::sample::select(vec![",\n        ", ","])) {
        let text = broken(&list(30, between), &faults);
        prop_assert_eq!(read(&text, true), read(&text, false));
    }
}

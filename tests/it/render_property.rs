//! Random workloads: every form of random edits gives one object, for the library and for the real kubectl.

use l5d_rotate::document::{ObjectRef, yaml};
use l5d_rotate::render::{Certificates, Current, Edit, Form, Rendered, directory};
use l5d_rotate::rotation::{Phase, Stage};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::runner;
use crate::support::render::{kubectl, planned, step};
use crate::support::sizes;

const KEYS: [&str; 5] = ["a", "on", "l5d-rotate/trust-bundle", "linkerd.io/inject", "x.y/z~1"];
const VALUES: [&str; 7] = ["", "yes", "1_000", "a\nb\n", "- x: {y}", "two  \n\nlines", "é\u{2028}"];
const NAMES: [&str; 4] = ["linkerd-proxy", "identity", "y", "main"];
const VARIABLES: [&str; 5] = ["A", "N", "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "on", "_pod_ns"];

fn value() -> impl Strategy<Value = String> {
    prop::sample::select(&VALUES[..]).prop_map(str::to_owned)
}

fn annotations() -> impl Strategy<Value = Option<Value>> {
    let map = prop::collection::btree_map(prop::sample::select(&KEYS[..]), value(), 0..4);
    prop::option::of(map.prop_map(|map| json!(map)))
}

/// Distinct names in random order.
fn some(names: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(names, 0..=names.len()).prop_shuffle()
}

fn variable(name: &'static str) -> impl Strategy<Value = Value> {
    (value(), any::<bool>()).prop_map(move |(value, literal)| {
        if literal {
            json!({ "name": name, "value": value })
        } else {
            json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } })
        }
    })
}

fn container(name: &'static str) -> impl Strategy<Value = Value> {
    let env = some(&VARIABLES).prop_flat_map(|names| names.into_iter().map(variable).collect::<Vec<_>>());
    let args = prop::collection::vec(value(), 0..4);
    (env, args).prop_map(move |(env, args)| {
        let mut container = json!({ "name": name, "image": "image:1", "ports": [{ "containerPort": 80 }] });
        if !env.is_empty() {
            container["env"] = env.into();
        }
        if !args.is_empty() {
            container["args"] = args.into();
        }
        container
    })
}

fn containers() -> impl Strategy<Value = Vec<Value>> {
    some(&NAMES).prop_flat_map(|names| names.into_iter().map(container).collect::<Vec<_>>())
}

fn deployment() -> impl Strategy<Value = Value> {
    (annotations(), containers(), containers()).prop_map(|(annotations, init, containers)| {
        let mut metadata = json!({ "labels": { "app": "web" } });
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "n" },
            "spec": { "template": { "metadata": metadata, "spec": {
                "initContainers": init, "containers": containers,
            } } },
        })
    })
}

/// Every edit that could be made to a deployment.
fn possible(tree: &Value, value: &str) -> Vec<Edit> {
    let value = || value.to_owned();
    let annotation = |key: &&str| Edit::TemplateAnnotation { key: (*key).to_owned(), value: value() };
    let mut edits: Vec<_> = KEYS.iter().map(annotation).collect();
    for (list, init) in [("initContainers", true), ("containers", false)] {
        for container in tree["spec"]["template"]["spec"][list].as_array().unwrap() {
            let name = || container["name"].as_str().unwrap().to_owned();
            for variable in
                container["env"].as_array().into_iter().flatten().filter(|entry| entry["value"].is_string())
            {
                let variable = variable["name"].as_str().unwrap().to_owned();
                edits.push(Edit::Env { container: name(), init, name: variable, value: value() });
            }
            let arguments = container["args"].as_array().into_iter().flatten().enumerate().filter(|_| !init);
            edits.extend(arguments.map(|(index, _)| Edit::Argument {
                container: name(),
                index,
                value: value(),
            }));
        }
    }
    edits
}

fn edited() -> impl Strategy<Value = (Value, Vec<Edit>)> {
    let edits = |tree: Value| {
        let all = VALUES.iter().flat_map(|value| possible(&tree, value)).collect::<Vec<_>>();
        let edits = prop::collection::vec(prop::sample::select(all), 1..6);
        (Just(tree), edits)
    };
    deployment().prop_flat_map(edits)
}

fn rendered((tree, edits): (Value, Vec<Edit>)) -> Rendered {
    Rendered {
        object: ObjectRef::of(&tree).unwrap(),
        step: step(Phase::Bundle, Stage::ControlPlane),
        head: vec!["a head".to_owned()],
        current: Current::Whole(tree),
        edits,
        certificates: Certificates::default(),
        key: None,
        whole: None,
        key_in_place: false,
    }
}

fn runner(cases: u32) -> TestRunner {
    let seed = proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(Config { cases, failure_persistence: None, ..Config::default() }, seed)
}

fn current(item: &Rendered) -> &Value {
    item.current.tree().unwrap()
}

#[test]
fn a_json_patch_makes_the_whole_object() {
    let check = |item: Rendered| {
        let operations = item.document(Form::JsonPatch).unwrap();
        // A `test` for `null` says that nothing is there: RFC 6902 leaves it open, kubectl and Kustomize read it so.
        let absent = |operation: &&Value| operation["op"] == "test" && operation["value"].is_null();
        let operations = operations.as_array().unwrap();
        for operation in operations.iter().filter(absent) {
            prop_assert!(current(&item).pointer(operation["path"].as_str().unwrap()).is_none());
        }
        let rest: Vec<_> = operations.iter().filter(|operation| !absent(operation)).cloned().collect();
        let patch: json_patch::Patch = serde_json::from_value(rest.into()).unwrap();
        let mut tree = current(&item).clone();
        json_patch::patch(&mut tree, &patch).unwrap();
        prop_assert_eq!(tree, item.document(Form::Object).unwrap());
        Ok(())
    };
    runner(512).run(&edited(), |edited| check(rendered(edited))).unwrap();
}

#[test]
fn kubectl_makes_the_same_object_of_random_edits() {
    if !runner::has("kubectl_makes_the_same_object_of_random_edits", &["kubectl"]) {
        return;
    }
    let check = |item: Rendered| {
        let object = item.document(Form::Object).unwrap();
        for (kind, form) in [("strategic", Form::Patch), ("json", Form::JsonPatch)] {
            let text = yaml::write_stream(&[(item.head.clone(), item.document(form).unwrap())]);
            prop_assert_eq!(
                kubectl::patch(kind, current(&item), &text).unwrap(),
                object.clone(),
                "{:?}",
                form
            );
        }
        Ok(())
    };
    runner(sizes::of(12, 48)).run(&edited(), |edited| check(rendered(edited))).unwrap();
}

#[test]
fn kustomize_makes_the_same_objects_of_random_edits() {
    if !runner::has("kustomize_makes_the_same_objects_of_random_edits", &["kubectl"]) {
        return;
    }
    let mut runner = runner(1);
    let items: Vec<_> = (0..60)
        .map(|number| {
            let (mut tree, edits) = edited().new_tree(&mut runner).unwrap().current();
            tree["metadata"]["name"] = json!(format!("web-{number:02}"));
            rendered((tree, edits))
        })
        .collect();
    let objects: Vec<_> = items.iter().map(|item| current(item).clone()).collect();
    let wanted: Vec<_> = items.iter().map(|item| item.document(Form::Object).unwrap()).collect();
    let planned = planned(step(Phase::Bundle, Stage::ControlPlane), vec![]);
    for form in [Form::Patch, Form::JsonPatch] {
        let files = directory(&planned, &items, form, &[]).unwrap();
        let built = kubectl::overlay(&objects, &files, "components", &["bundle/2-control-plane"]).unwrap();
        for (built, wanted) in built.iter().zip(&wanted) {
            assert_eq!(built, wanted, "{form:?}");
        }
        assert_eq!(built.len(), wanted.len());
    }
}

#[test]
fn an_edit_changes_its_own_field_and_no_other() {
    let check = |item: Rendered| {
        let (before, after) = (current(&item).clone(), item.document(Form::Object).unwrap());
        let differences = json_patch::diff(&before, &after);
        prop_assert!(differences.0.len() <= item.edits.len());
        Ok(())
    };
    runner(256).run(&edited(), |edited| check(rendered(edited))).unwrap();
}

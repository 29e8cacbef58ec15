//! A step's directory gives, through `kubectl kustomize`, the objects that the whole form holds.

use std::collections::BTreeMap;
use std::path::Path;

use l5d_rotate::document::ObjectRef;
use l5d_rotate::mesh::{Era, Scheme};
use l5d_rotate::render::{Current, File, Form, Rendered, directory};
use l5d_rotate::rotation::{Phase, PlannedStep, Stage};
use serde_json::{Value, json};

use crate::runner;
use crate::sizes;
use crate::support::render::install::{ERAS, Install};
use crate::support::render::kubectl::overlay;
use crate::support::render::{Rotation, kubectl, planned, step, written};

fn by_name(objects: impl IntoIterator<Item = Value>) -> BTreeMap<ObjectRef, Value> {
    objects.into_iter().map(|tree| (ObjectRef::of(&tree).unwrap(), tree)).collect()
}

/// The install's objects with what a step makes of them.
fn expected(rotation: &Rotation, rendered: &[Rendered]) -> BTreeMap<ObjectRef, Value> {
    let mut objects = by_name(rotation.install.mesh.manifests.iter().map(|manifest| manifest.tree.clone()));
    objects.extend(by_name(rendered.iter().map(|item| written(item, Form::Object))));
    objects
}

fn objects(rotation: &Rotation) -> Vec<Value> {
    rotation.install.mesh.manifests.iter().map(|manifest| manifest.tree.clone()).collect()
}

fn at(step: &PlannedStep) -> String {
    step.step.to_string()
}

#[test]
#[ignore = "long"]
fn an_overlay_with_a_step_gives_the_whole_objects_in_every_era() {
    if !runner::has("an_overlay_with_a_step_gives_the_whole_objects_in_every_era", &["kubectl"]) {
        return;
    }
    for era in ERAS.into_iter().step_by(sizes::of(5, 1)) {
        let rotation = Rotation::over(|old| Install::new(era, Scheme::Kubernetes, old));
        for step in rotation.distinct_steps() {
            let rendered = rotation.render(&step);
            for form in [Form::Patch, Form::JsonPatch] {
                let files = directory(&step, &rendered, form, &[]).unwrap();
                let built = overlay(&objects(&rotation), &files, "components", &[&at(&step)]).unwrap();
                assert_eq!(by_name(built), expected(&rotation, &rendered), "{era:?} {} {form:?}", step.step);
            }
            let files = directory(&step, &rendered, Form::Object, &[]).unwrap();
            let built = overlay(&[], &files, "resources", &[&at(&step)]).unwrap();
            let whole = rendered.iter().map(|item| written(item, Form::Object));
            assert_eq!(by_name(built), by_name(whole), "{era:?} {}", step.step);
        }
    }
}

#[test]
fn a_namespace_takes_its_own_part_of_a_step() {
    if !runner::has("a_namespace_takes_its_own_part_of_a_step", &["kubectl"]) {
        return;
    }
    let rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    let step = rotation.step(step(Phase::Bundle, Stage::DataPlane));
    let rendered = rotation.render(&step);
    let files = directory(&step, &rendered, Form::Patch, &[]).unwrap();
    let in_namespace = |tree: &Value| tree["metadata"]["namespace"] == "emojivoto";
    let web: Vec<_> = objects(&rotation).into_iter().filter(in_namespace).collect();
    let mut whole = expected(&rotation, &rendered);
    whole.retain(|object, _| object.namespace == "emojivoto");
    for taken in [at(&step), format!("{}/emojivoto", at(&step))] {
        let built = overlay(&web, &files, "components", &[&taken]).unwrap();
        assert_eq!(by_name(built), whole, "{taken}: objects of other namespaces are passed over");
        assert_ne!(whole.values().collect::<Vec<_>>(), web.iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_target_is_one_object_and_no_other() {
    if !runner::has("a_target_is_one_object_and_no_other", &["kubectl"]) {
        return;
    }
    let rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    let step = rotation.step(step(Phase::Bundle, Stage::DataPlane));
    let rendered = rotation.render(&step);
    let files = directory(&step, &rendered, Form::Patch, &[]).unwrap();
    // `authors.v1` read as a pattern would also mean `authors-v1`.
    let other = |namespace: &str, kind: &str, name: &str| {
        let mut tree = objects(&rotation).pop().unwrap();
        tree["metadata"] = json!({ "name": name, "namespace": namespace });
        tree["kind"] = json!(kind);
        tree
    };
    let others = vec![
        other("books", "StatefulSet", "authors-v1"),
        other("books", "StatefulSet", "my-authors.v1"),
        other("books", "Deployment", "authors.v1"),
        other("books2", "StatefulSet", "authors.v1"),
    ];
    let built = overlay(&others, &files, "components", &[&at(&step)]).unwrap();
    assert_eq!(by_name(built), by_name(others));
}

#[test]
fn an_overlay_whose_base_sets_the_namespace_takes_a_step() {
    if !runner::has("an_overlay_whose_base_sets_the_namespace_takes_a_step", &["kubectl"]) {
        return;
    }
    let rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    let step = rotation.step(step(Phase::Bundle, Stage::DataPlane));
    let rendered = rotation.render(&step);
    let web = rendered.iter().find(|item| item.object.name == "web").unwrap();
    let mut open = web.current.tree().unwrap().clone();
    open["metadata"].as_object_mut().unwrap().remove("namespace");
    let mut files: Vec<_> = directory(&step, &rendered, Form::Patch, &[]).unwrap();
    let mut add = |path: &str, content: String| {
        files.push(File { path: path.into(), content: content.into(), secret: false })
    };
    add("base/web.json", open.to_string());
    add("base/kustomization.yaml", "resources: [web.json]\nnamespace: emojivoto\n".to_owned());
    add("overlay/kustomization.yaml", format!("resources: [../base]\ncomponents: [../{}]\n", at(&step)));
    assert_eq!(kubectl::built(&files, "overlay").unwrap(), [web.document(Form::Object).unwrap()]);
}

/// Kustomize sets an overlay's own namespace after its components: until then the objects have none, or `default`.
#[test]
fn an_overlay_that_sets_the_namespace_itself_takes_a_step() {
    if !runner::has("an_overlay_that_sets_the_namespace_itself_takes_a_step", &["kubectl"]) {
        return;
    }
    let rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    for (phase, stage, namespace) in [
        (Phase::Bundle, Stage::Trust, "linkerd"),
        (Phase::Bundle, Stage::ControlPlane, "linkerd"),
        (Phase::Bundle, Stage::DataPlane, "emojivoto"),
    ] {
        let step = rotation.step(step(phase, stage));
        let rendered = rotation.render(&step);
        let here: Vec<_> = rendered.iter().filter(|item| item.object.namespace == namespace).collect();
        let open = here.iter().map(|item| {
            let mut tree = item.current.tree().unwrap().clone();
            tree["metadata"].as_object_mut().unwrap().remove("namespace");
            tree
        });
        let stream: Vec<_> = open.map(|tree| (vec![], tree)).collect();
        for form in [Form::Patch, Form::JsonPatch] {
            let mut files = directory(&step, &rendered, form, &[]).unwrap();
            let mut add = |path: &str, content: String| {
                files.push(File { path: path.into(), content: content.into(), secret: false })
            };
            add("overlay/objects.yaml", l5d_rotate::document::yaml::write_stream(&stream));
            let taken = format!("{}/{namespace}", at(&step));
            add(
                "overlay/kustomization.yaml",
                format!("resources: [objects.yaml]\ncomponents: [../{taken}]\nnamespace: {namespace}\n"),
            );
            let built = by_name(kubectl::built(&files, "overlay").unwrap());
            let whole = by_name(here.iter().map(|item| written(item, Form::Object)));
            assert_eq!(built, whole, "{} {form:?}", step.step);
        }
    }
}

#[test]
fn steps_follow_each_other_in_one_overlay() {
    if !runner::has("steps_follow_each_other_in_one_overlay", &["kubectl"]) {
        return;
    }
    let rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    let mut expected = by_name(objects(&rotation));
    let (mut files, mut taken) = (vec![], vec![]);
    for step in rotation.steps() {
        let rendered = rotation.render(&step);
        files.extend(directory(&step, &rendered, Form::Patch, &[]).unwrap());
        taken.push(at(&step));
        for item in rendered {
            let document = item.written(Form::Patch).unwrap();
            let object = expected.get_mut(&item.object).unwrap();
            *object = kubectl::patch("strategic", object, &document).unwrap();
        }
    }
    let taken: Vec<_> = taken.iter().map(String::as_str).collect();
    assert_eq!(by_name(overlay(&objects(&rotation), &files, "components", &taken).unwrap()), expected);
}

#[test]
fn an_empty_step_builds_and_says_why() {
    let rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    let step = planned(step(Phase::Issuer, Stage::DataPlane), vec![]);
    let notes = ["workload certificates expire\ninstead".to_owned()];
    for form in [Form::Patch, Form::JsonPatch, Form::Object] {
        let files = directory(&step, &[], form, &notes).unwrap();
        let [file] = files.as_slice() else { panic!("one file") };
        assert_eq!(file.path, Path::new("issuer/3-data-plane/kustomization.yaml"));
        assert!(file.content.contains("# workload certificates expire instead\n"), "{}", *file.content);
        if runner::has("an_empty_step_builds_and_says_why", &["kubectl"]) {
            let field = if form == Form::Object { "resources" } else { "components" };
            let built = overlay(&objects(&rotation), &files, field, &[&at(&step)]).unwrap();
            assert_eq!(by_name(built), by_name(objects(&rotation)), "{form:?}");
        }
    }
}

#[test]
fn only_the_file_with_the_key_is_secret() {
    let rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    let step = rotation.step(step(Phase::Issuer, Stage::Issuer));
    for form in [Form::Patch, Form::JsonPatch, Form::Object] {
        let files = directory(&step, &rotation.render(&step), form, &[]).unwrap();
        let secret: Vec<_> =
            files.iter().filter(|file| file.secret).map(|file| file.path.to_str().unwrap()).collect();
        assert_eq!(secret, ["issuer/1-issuer/linkerd/secret-linkerd-identity-issuer.yaml"]);
    }
}

#[test]
fn a_name_that_leads_out_of_the_directory_is_refused() {
    let rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    let step = rotation.step(step(Phase::Bundle, Stage::DataPlane));
    let item = rotation.render(&step).remove(0);
    for (namespace, name) in
        [("..", "web"), ("a/b", "web"), ("books", "../../web"), ("books", "a..b"), ("books", "A\\b")]
    {
        let object = ObjectRef::new("apps/v1", "Deployment", namespace, name);
        let item = Rendered { object, current: Current::Unseen, ..item.clone() };
        assert!(directory(&step, &[item], Form::Patch, &[]).is_err(), "{namespace} {name}");
    }
}

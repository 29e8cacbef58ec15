//! Real installs of four versions go through every step in every form.

use l5d_rotate::diff::diff;
use l5d_rotate::document::{embedded, parse, yaml};
use l5d_rotate::mesh::{Era, Scheme};
use l5d_rotate::pki::Fingerprint;
use l5d_rotate::render::{Current, Form, Rendered, directory};
use l5d_rotate::rotation::{Phase, Stage};
use serde_json::Value;

use crate::runner;
use crate::sizes;
use crate::support::render::install::Install;
use crate::support::render::{Rotation, kubectl, step, written};

const VERSIONS: [(&str, Era); 4] =
    [("2.8.1", Era::V2_7), ("2.10.2", Era::V2_10), ("2.12.6", Era::V2_12), ("2.20", Era::V2_12)];

/// The parts of a real install that a rotation touches; `None`, said by name, where it is not there.
fn real(test: &str, version: &str, era: Era) -> Option<Rotation> {
    let path = format!("{}/../shared/real/install/{version}.yaml", env!("CARGO_MANIFEST_DIR"));
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: {test}: no ../shared/real");
        return None;
    };
    let documents = parse(&text, version).unwrap();
    let ours = |tree: &Value| {
        let name = tree["metadata"]["name"].as_str().unwrap_or_default();
        let material = ["linkerd-config", "linkerd-identity-trust-roots", "linkerd-identity-issuer"];
        let kind = tree["kind"].as_str().unwrap_or_default();
        kind == "Deployment" || (["ConfigMap", "Secret"].contains(&kind) && material.contains(&name))
    };
    let objects = documents.into_iter().map(|document| document.tree).filter(ours).collect();
    Some(Rotation::over(|_| Install::of(era, Scheme::Linkerd, objects)))
}

fn current(item: &Rendered) -> &Value {
    match &item.current {
        Current::Whole(tree) => tree,
        _ => panic!("{} was kept whole", item.object),
    }
}

#[test]
#[ignore = "long"]
fn kubectl_and_the_whole_form_agree_on_real_installs() {
    const NAME: &str = "kubectl_and_the_whole_form_agree_on_real_installs";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    for (version, era) in VERSIONS.into_iter().step_by(sizes::of(3, 1)) {
        let Some(rotation) = real(NAME, version, era) else { return };
        for step in rotation.record.steps().into_iter().filter(|step| step.stage != Stage::DataPlane) {
            let rendered = rotation.render(&rotation.step(step));
            assert!(!rendered.is_empty(), "{version} {step}");
            for item in &rendered {
                let object = item.document(Form::Object).unwrap();
                for (kind, form) in [("strategic", Form::Patch), ("json", Form::JsonPatch)] {
                    let text = yaml::write_stream(&[(item.head.clone(), item.document(form).unwrap())]);
                    let patched = kubectl::patch(kind, current(item), &text).unwrap();
                    assert_eq!(patched, object, "{version} {step} {} {form:?}", item.object);
                }
            }
        }
    }
}

#[test]
#[ignore = "long"]
fn kustomize_builds_real_installs_with_every_step() {
    const NAME: &str = "kustomize_builds_real_installs_with_every_step";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    for (version, era) in VERSIONS.into_iter().step_by(sizes::of(3, 1)) {
        let Some(rotation) = real(NAME, version, era) else { return };
        for step in rotation.record.steps().into_iter().filter(|step| step.stage != Stage::DataPlane) {
            let planned = rotation.step(step);
            let rendered = rotation.render(&planned);
            let objects: Vec<_> = rendered.iter().map(|item| current(item).clone()).collect();
            let wanted: Vec<_> = rendered.iter().map(|item| written(item, Form::Object)).collect();
            for form in [Form::Patch, Form::JsonPatch] {
                let files = directory(&planned, &rendered, form, &[]).unwrap();
                let built = kubectl::overlay(&objects, &files, "components", &[&step.to_string()]).unwrap();
                assert_eq!(sorted(built), sorted(wanted.clone()), "{version} {step} {form:?}");
            }
        }
    }
}

fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    let name = |tree: &Value| format!("{}/{}", tree["kind"], tree["metadata"]["name"]);
    objects.sort_by_key(name);
    objects
}

#[test]
fn the_hash_annotation_follows_the_rule_that_real_installs_follow() {
    for (version, era) in VERSIONS.into_iter().filter(|(_, era)| *era == Era::V2_12) {
        let Some(rotation) =
            real("the_hash_annotation_follows_the_rule_that_real_installs_follow", version, era)
        else {
            return;
        };
        let mesh = &rotation.install.mesh;
        let pointer = "/spec/template/metadata/annotations/linkerd.io~1trust-root-sha256";
        let found =
            mesh.manifests.iter().filter_map(|manifest| manifest.tree.pointer(pointer)).collect::<Vec<_>>();
        assert_eq!(found.len(), 3, "{version}");
        let text = mesh.trust.config.as_option().unwrap().text();
        assert!(found.iter().all(|hash| **hash == Fingerprint::digest(text.as_bytes()).to_string()));

        let published = rotation.render(&rotation.step(step(Phase::Bundle, Stage::Trust)));
        let config = published.iter().find(|item| item.object.name == "linkerd-config").unwrap();
        let config = config.document(Form::Object).unwrap();
        let text = config["data"]["values"].as_str().unwrap();
        let text = embedded::get_scalar(text, &["identityTrustAnchorsPEM"]).unwrap().unwrap();
        let restarted = rotation.render(&rotation.step(step(Phase::Bundle, Stage::ControlPlane)));
        let with_hash = restarted.iter().filter(|item| current(item).pointer(pointer).is_some());
        for item in with_hash {
            let after = item.document(Form::Object).unwrap();
            assert_eq!(*after.pointer(pointer).unwrap(), Fingerprint::digest(text.as_bytes()).to_string());
        }
    }
}

#[test]
fn every_literal_copy_of_the_bundle_follows_it() {
    for (version, era) in VERSIONS.into_iter().filter(|(_, era)| *era < Era::V2_11) {
        let Some(rotation) = real("every_literal_copy_of_the_bundle_follows_it", version, era) else {
            return;
        };
        let rendered = rotation.render(&rotation.step(step(Phase::Bundle, Stage::ControlPlane)));
        let both = rotation.both().to_pem();
        for item in &rendered {
            let containers = item.document(Form::Object).unwrap();
            let containers =
                containers.pointer("/spec/template/spec/containers").unwrap().as_array().unwrap().clone();
            let proxy = containers.iter().filter(|container| container["name"] == "linkerd-proxy");
            let values = proxy
                .flat_map(|container| container["env"].as_array().unwrap())
                .filter(|entry| entry["name"] == "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS");
            let values: Vec<_> = values.map(|entry| entry["value"].as_str().unwrap()).collect();
            assert_eq!(values, [both.as_str()], "{version} {}", item.object);
        }
    }
}

#[test]
fn nothing_but_the_trust_material_changes_in_a_real_install() {
    for (version, era) in VERSIONS {
        let Some(rotation) = real("nothing_but_the_trust_material_changes_in_a_real_install", version, era)
        else {
            return;
        };
        for object in diff(&rotation.render(&rotation.step(step(Phase::Bundle, Stage::Trust)))).unwrap() {
            let text = anstream::adapter::strip_str(&object.text).to_string();
            let changed: Vec<_> = text.lines().skip(2).filter(|line| line.starts_with(['+', '-'])).collect();
            assert!(!changed.is_empty(), "{version} {}", object.object);
            if !changed.iter().any(|line| line.contains("trustAnchorsPem")) {
                let pem = |line: &&&str| line[1..].trim().len() <= 64;
                assert!(changed.iter().all(|line| pem(&line)), "{version} {}: {text}", object.object);
            }
            assert_eq!(object.certificates.len(), 3, "{version}: the install's, the old and the new anchor");
        }
    }
}

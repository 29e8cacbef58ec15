//! What the observer sees and the plan asks for can be rendered, for every version at hand.

use std::collections::BTreeSet;

use l5d_rotate::document::{ObjectRef, parse};
use l5d_rotate::mesh::{Interest, Mesh, Observer};
use l5d_rotate::render::{Form, directory, render};
use l5d_rotate::rotation::{Phase, Plan, Record, RestartAnnotation, Stage, plan};

use crate::support::pki::Pair;
use crate::support::render::{mint, record, start};

fn read(name: &str) -> Option<String> {
    std::fs::read_to_string(format!("{}/../shared/real/{name}", env!("CARGO_MANIFEST_DIR"))).ok()
}

fn observe(texts: &[String], keep: bool) -> Mesh {
    let mut observer = Observer::new(keep);
    for document in texts.iter().flat_map(|text| parse(text, "input").unwrap()) {
        let Some(object) = ObjectRef::of(&document.tree) else { continue };
        if Observer::interest(&object.api_version, &object.kind) == Interest::Object {
            observer.object(document).unwrap();
        }
    }
    observer.finish(None).unwrap()
}

fn planned(mesh: &Mesh, new: &Pair) -> (Record, Plan) {
    let published = mesh.trust.published.as_option().unwrap();
    let old = published.text.as_read_by(l5d_rotate::pki::Rules::Proxy).unwrap().clone();
    let record = Record {
        namespace: mesh.control_plane.namespace.clone(),
        trust_domain: mesh.control_plane.trust_domain.clone(),
        ..record(old, new)
    };
    let plan = plan(&record, mesh, RestartAnnotation::Content, &BTreeSet::new(), start()).unwrap();
    (record, plan)
}

#[test]
fn every_planned_step_of_a_real_install_renders_in_every_form() {
    for (version, homes) in [("2.8.1", 1), ("2.10.2", 1), ("2.12.6", 2), ("2.20", 2)] {
        let files = [format!("install/{version}.yaml"), "inject/emojivoto-deployment-2.20.yaml".to_owned()];
        let Some(texts) = files.iter().map(|file| read(file)).collect::<Option<Vec<_>>>() else {
            eprintln!(
                "skipped: every_planned_step_of_a_real_install_renders_in_every_form: no ../shared/real"
            );
            return;
        };
        let (mesh, new) = (observe(&texts, true), mint("new"));
        let (record, plan) = planned(&mesh, &new);
        let mut objects = 0;
        for step in &plan.steps {
            let rendered = render(step, &mesh, &record, Some(&new.issuer.key)).unwrap();
            for form in [Form::Patch, Form::JsonPatch, Form::Object] {
                let files = directory(step, &rendered, form, &[]).unwrap();
                assert!(files.len() > rendered.len(), "{version} {}", step.step);
            }
            objects += rendered.len();
        }
        assert!(objects >= 3, "{version}: {objects}");
        let trust = &plan.steps[0];
        assert_eq!((trust.step.phase, trust.step.stage), (Phase::Bundle, Stage::Trust));
        assert_eq!(render(trust, &mesh, &record, None).unwrap().len(), homes, "{version}");
    }
}

#[test]
fn what_was_not_kept_whole_still_gives_both_patches() {
    let Some(texts) = ["install/2.20.yaml", "inject/emojivoto-deployment-2.20.yaml"]
        .iter()
        .map(|file| read(file))
        .collect::<Option<Vec<_>>>()
    else {
        println!("skipped: what_was_not_kept_whole_still_gives_both_patches: no ../shared/real");
        return;
    };
    let new = mint("new");
    let [whole, part] = [true, false].map(|keep| {
        let mesh = observe(&texts, keep);
        let (record, plan) = planned(&mesh, &new);
        plan.steps
            .iter()
            .flat_map(|step| render(step, &mesh, &record, Some(&new.issuer.key)).unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(whole.len(), part.len());
    for (whole, part) in whole.iter().zip(&part) {
        for form in [Form::Patch, Form::JsonPatch] {
            assert_eq!(
                whole.document(form).unwrap(),
                part.document(form).unwrap(),
                "{} {form:?}",
                whole.object
            );
        }
        assert_eq!(whole.head, part.head);
    }
}

//! Every form of every step in every era gives one and the same object when kubectl applies it.

use l5d_rotate::document::yaml;
use l5d_rotate::render::{Current, Form, Rendered};
use serde_json::Value;

use crate::runner;
use crate::sizes;
use crate::support::render::install::{ERAS, Install, SCHEMES};
use crate::support::render::{Rotation, kubectl};

fn current(item: &Rendered) -> &Value {
    match &item.current {
        Current::Whole(tree) => tree,
        _ => panic!("{} was kept whole", item.object),
    }
}

/// The text as it goes to a file or to stdout.
fn text(item: &Rendered, form: Form) -> String {
    yaml::write_stream(&[(item.head.clone(), item.document(form).unwrap())])
}

#[test]
#[ignore = "long"]
fn kubectl_makes_the_same_object_of_every_form() {
    if !runner::has("kubectl_makes_the_same_object_of_every_form", &["kubectl"]) {
        return;
    }
    let mut objects = 0;
    let all = ERAS.into_iter().flat_map(|era| SCHEMES.map(|scheme| (era, scheme)));
    for (era, scheme) in all.step_by(sizes::of(5, 1)) {
        let rotation = Rotation::over(|old| Install::new(era, scheme, old));
        for step in rotation.distinct_steps() {
            for item in rotation.render(&step) {
                let object = item.document(Form::Object).unwrap();
                for (kind, form) in [("strategic", Form::Patch), ("json", Form::JsonPatch)] {
                    let patched = kubectl::patch(kind, current(&item), &text(&item, form)).unwrap();
                    assert_eq!(patched, object, "{era:?} {} {} {form:?}", step.step, item.object);
                }
                objects += 1;
            }
        }
    }
    assert!(objects > sizes::of(20, 80), "{objects}");
}

#[test]
fn a_json_patch_refuses_an_object_that_changed_since() {
    if !runner::has("a_json_patch_refuses_an_object_that_changed_since", &["kubectl"]) {
        return;
    }
    let rotation = Rotation::over(|old| Install::new(ERAS[5], SCHEMES[0], old));
    let mut refused = 0;
    for step in rotation.steps() {
        for item in rotation.render(&step) {
            let after = item.document(Form::Object).unwrap();
            if after == *current(&item) {
                continue;
            }
            let error = kubectl::patch("json", &after, &text(&item, Form::JsonPatch));
            let guarded = item.document(Form::JsonPatch).unwrap().to_string().contains(r#""op":"test""#);
            assert_eq!(error.is_err(), guarded, "{} {}", step.step, item.object);
            refused += usize::from(guarded);
        }
    }
    assert!(refused > 3, "{refused}");
}

//! The diff shows what changes, certificates as people read them, and never a private key.

use anstream::adapter::strip_str;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::diff::{Fate, ObjectDiff, diff, external};
use l5d_rotate::document::yaml;
use l5d_rotate::mesh::{Era, Scheme};
use l5d_rotate::pki::KeyEncoding;
use l5d_rotate::render::{Current, Form, Rendered, directory, masked};
use l5d_rotate::rotation::{Phase, Stage};
use serde_json::json;

use crate::support::render::install::{ERAS, Install, SCHEMES};
use crate::support::render::{Rotation, step};

fn plain(object: &ObjectDiff) -> String {
    strip_str(&object.text).to_string()
}

/// Pieces of text in which the new issuer's key would show: of its secret number (the rest of a key is public), in both
/// encodings, as PEM and as base64 of it.
fn traces(rotation: &Rotation) -> Vec<String> {
    let mut traces = vec!["PRIVATE KEY-----".to_owned()];
    // In SEC1 the number starts at byte 7 of the DER, in PKCS#8 at byte 36: on the first and on the second line.
    for (encoding, line, from) in [(KeyEncoding::Sec1, 1, 12), (KeyEncoding::Pkcs8, 2, 2)] {
        let pem = &rotation.new.issuer.key.to_pem(encoding).unwrap();
        let piece = &pem.lines().nth(line).unwrap()[from..from + 20];
        let at = pem.find(piece).unwrap();
        let encoded = STANDARD.encode(pem.as_bytes());
        traces.push(encoded[at.div_ceil(3) * 4..(at + piece.len()) / 3 * 4].to_owned());
        traces.push(piece.to_owned());
    }
    traces
}

fn assert_hides(rotation: &Rotation, text: &str, what: &str) {
    for trace in traces(rotation) {
        assert!(!text.contains(&trace), "{what}: {text}");
    }
}

#[test]
fn no_private_key_is_in_a_diff_a_head_or_a_terminal() {
    for (era, scheme) in ERAS.into_iter().flat_map(|era| SCHEMES.map(|scheme| (era, scheme))) {
        let rotation = Rotation::over(|old| Install::new(era, scheme, old));
        let swap = rotation.step(step(Phase::Issuer, Stage::Issuer));
        let rendered = rotation.render(&swap);
        for object in diff(&rendered).unwrap() {
            assert_hides(&rotation, &plain(&object), "diff");
        }
        for sides in external(&rendered).unwrap() {
            assert_hides(&rotation, &format!("{}{}", sides.live.unwrap(), sides.merged), "external diff");
        }
        let mut held = 0;
        for (item, form) in rendered
            .iter()
            .flat_map(|item| [Form::Patch, Form::JsonPatch, Form::Object].map(|form| (item, form)))
        {
            assert_hides(&rotation, &item.head.join("\n"), "head");
            let document = item.document(form).unwrap();
            assert_hides(&rotation, &yaml::write(&document), "document");
            assert!(!yaml::write(&masked(&document)).contains("l5d-rotate-private-key"), "terminal");
            assert_hides(&rotation, &format!("{:?}", item.edits), "debug");
            let written = item.written(form).unwrap();
            held += usize::from(traces(&rotation).iter().any(|trace| written.contains(trace)));
        }
        assert_eq!(held, 3, "the Secret itself holds the key in each form, or nothing is shown here");
    }
}

#[test]
fn a_key_in_a_text_is_masked_and_the_rest_of_the_text_is_not() {
    let rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    let pem = &rotation.new.issuer.key.to_pem(KeyEncoding::Pkcs8).unwrap();
    let encoded = STANDARD.encode(pem.as_bytes());
    let tree = json!({
        "kind": "ConfigMap",
        "data": { "values": format!("a: 1\nkeyPEM: |\n{}b: 2\n", pem.replace('\n', "\n  ")), "c": format!("x={encoded}") },
        "list": [format!("--key={encoded} --more"), rotation.new.anchor.certificate.to_pem()],
    });
    let masked = masked(&tree);
    assert_hides(&rotation, &masked.to_string(), "terminal");
    assert_eq!(masked["data"]["c"], "x=***");
    assert_eq!(masked["list"][0], "--key=*** --more");
    assert_eq!(masked["list"][1], tree["list"][1]);
    let values = masked["data"]["values"].as_str().unwrap();
    assert!(values.starts_with("a: 1\nkeyPEM: |\n***") && values.ends_with("b: 2\n"), "{values}");
}

#[test]
fn the_issuer_is_shown_as_a_certificate_and_its_key_as_before_and_after() {
    for scheme in SCHEMES {
        let rotation = Rotation::over(|old| Install::new(Era::V2_12, scheme, old));
        let swap = rotation.step(step(Phase::Issuer, Stage::Issuer));
        let diffs = diff(&rotation.render(&swap)).unwrap();
        let secret = diffs.iter().find(|object| object.object.kind == "Secret").unwrap();
        let text = plain(secret);
        let (certificate, key) = scheme.keys();
        for line in [
            "--- current/Secret linkerd/linkerd-identity-issuer".to_owned(),
            "+++ issuer/1-issuer/Secret linkerd/linkerd-identity-issuer".to_owned(),
            format!("   {certificate}: |"),
            "-      issuer CN=old.root.linkerd.cluster.local".to_owned(),
            "+      issuer CN=new.root.linkerd.cluster.local".to_owned(),
            format!("-  {key}: \"*** (before)\""),
            format!("+  {key}: \"*** (after)\""),
            format!("+      sha256 {}", rotation.new.issuer.certificate.fingerprint()),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let fates: Vec<_> = secret.certificates.iter().map(|change| change.fate).collect();
        match scheme {
            Scheme::Linkerd => assert_eq!(fates, [Fate::Removed, Fate::Added]),
            Scheme::Kubernetes => assert_eq!(fates, [Fate::Removed, Fate::Kept, Fate::Added, Fate::Added]),
        }
    }
}

/// The install after a step.
fn after(mut rotation: Rotation, stage: (Phase, Stage)) -> Rotation {
    let rendered = rotation.render(&rotation.step(step(stage.0, stage.1)));
    let mesh = &rotation.install.mesh;
    let (era, scheme) = (mesh.control_plane.era, mesh.control_plane.scheme);
    let objects = mesh.manifests.iter().map(|manifest| {
        let item = rendered.iter().find(|item| item.object == manifest.object);
        item.map_or_else(|| manifest.tree.clone(), |item| item.document(Form::Object).unwrap())
    });
    rotation.install = Install::of(era, scheme, objects.collect());
    rotation
}

#[test]
fn a_step_that_is_done_renders_the_same_patch_and_an_empty_diff() {
    for (era, scheme) in ERAS.into_iter().flat_map(|era| SCHEMES.map(|scheme| (era, scheme))) {
        for stage in
            [(Phase::Bundle, Stage::Trust), (Phase::Issuer, Stage::Issuer), (Phase::Bundle, Stage::DataPlane)]
        {
            let before = Rotation::over(|old| Install::new(era, scheme, old));
            let planned = before.step(step(stage.0, stage.1));
            let patches = |rendered: Vec<Rendered>| -> Vec<_> {
                rendered.iter().map(|item| item.document(Form::Patch).unwrap()).collect()
            };
            let first = patches(before.render(&planned));
            let done = after(before, stage);
            let again = done.render(&planned);
            let diffs = diff(&again).unwrap();
            assert!(
                diffs.iter().all(|object| object.text.is_empty()),
                "{era:?} {scheme:?} {stage:?}: {diffs:?}"
            );
            assert!(
                diffs.iter().flat_map(|object| &object.certificates).all(|change| change.fate == Fate::Kept)
            );
            assert_eq!(patches(again), first, "{era:?} {scheme:?} {stage:?}");
        }
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for era in ERAS {
        let rotation = Rotation::over(|old| Install::new(era, Scheme::Kubernetes, old));
        for step in rotation.steps() {
            for form in [Form::Patch, Form::JsonPatch, Form::Object] {
                let bytes = || {
                    let files = directory(&step, &rotation.render(&step), form, &[]).unwrap();
                    files.into_iter().map(|file| (file.path, file.content)).collect::<Vec<_>>()
                };
                assert_eq!(bytes(), bytes());
            }
        }
    }
}

#[test]
fn base64_in_arguments_is_shown_as_certificates() {
    let rotation = Rotation::over(|old| Install::new(Era::V2_9, Scheme::Linkerd, old));
    let rendered = rotation.render(&rotation.step(step(Phase::Bundle, Stage::ControlPlane)));
    let sides = external(&rendered).unwrap().remove(1);
    let [old, new] = [&rotation.old, &rotation.new].map(|pair| pair.anchor.certificate.fingerprint());
    let (live, merged) = (sides.live.unwrap(), sides.merged);
    assert_eq!(sides.name, "apps.v1.Deployment.linkerd.linkerd-identity");
    let argument = format!("          -identity-trust-anchors-pem=\n          certificate {}", "CN=old.root");
    assert!(live.contains(&argument) && merged.contains(&argument), "{merged}");
    assert!(
        merged.contains(&format!("sha256 {old}")) && merged.contains(&format!("sha256 {new}")),
        "{merged}"
    );
    assert!(live.contains(&format!("sha256 {old}")) && !live.contains(&format!("sha256 {new}")), "{live}");
    assert!(!merged.contains("LS0tLS1CRUdJTi"), "{merged}");
}

#[test]
fn a_workload_known_by_its_pods_alone_is_shown_as_far_as_it_is_known() {
    let mut rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    rotation.install.mesh.manifests.retain(|manifest| manifest.object.namespace == "linkerd");
    rotation.install.mesh.workloads.last_mut().unwrap().template = None;
    let rendered = rotation.render(&rotation.step(step(Phase::Bundle, Stage::DataPlane)));
    assert!(
        matches!(rendered[0].current, Current::Unseen) && matches!(rendered[1].current, Current::Part(_))
    );
    let diffs = diff(&rendered).unwrap();
    let text = plain(&diffs[1]);
    assert!(
        text.contains("\n         linkerd.io/inject: enabled\n+        l5d-rotate/trust-bundle: "),
        "{text}"
    );
    assert!(plain(&diffs[0]).contains("+        l5d-rotate/trust-bundle: "), "{}", plain(&diffs[0]));
    assert!(rendered[0].document(Form::JsonPatch).is_err());
    assert!(rendered[1].document(Form::JsonPatch).is_ok());
    assert!(
        rendered
            .iter()
            .all(|item| item.document(Form::Patch).is_ok() && item.document(Form::Object).is_err())
    );
}

#[test]
fn external_diffs_get_the_file_names_of_kubectl() {
    let rotation = Rotation::over(|old| Install::new(Era::V2_12, Scheme::Linkerd, old));
    let names = |phase, stage| -> Vec<String> {
        external(&rotation.render(&rotation.step(step(phase, stage))))
            .unwrap()
            .into_iter()
            .map(|sides| sides.name)
            .collect()
    };
    assert_eq!(
        names(Phase::Bundle, Stage::Trust),
        ["v1.ConfigMap.linkerd.linkerd-config", "v1.ConfigMap.linkerd.linkerd-identity-trust-roots"]
    );
    assert_eq!(
        names(Phase::Bundle, Stage::DataPlane),
        ["apps.v1.StatefulSet.books.authors.v1", "apps.v1.Deployment.emojivoto.web"]
    );
}

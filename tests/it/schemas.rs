//! What `-o json` prints fits its JSON Schema in `docs/schemas/`.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::cluster::{Cluster, NOW};
use crate::runner;
use crate::simulate_orders::merge;
use crate::sizes;
use crate::support::manifests::{control_plane, mint};
use crate::support::reviewer::{Reviewer, bundle, issuer_of, new_anchor, secret_of, trust_roots};
use crate::support::user::User;

/// The schemas refer to each other by these addresses; none of them is fetched.
const HOME: &str = "https://l5d-rotate.dev/schemas";

/// The verbs whose JSON has a schema.
const VERBS: [&str; 8] = ["check", "explain", "inspect", "plan", "recover", "simulate", "status", "verify"];

/// A compiled schema.
struct Schema {
    name: String,
    all: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn of(name: &str) -> Self {
        let (mut all, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        for name in VERBS.into_iter().chain(["finding"]) {
            let path = format!("{}/docs/schemas/{name}.v1.json", env!("CARGO_MANIFEST_DIR"));
            let schema = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            compiler.add_resource(&format!("{HOME}/{name}.v1.json"), schema).unwrap();
        }
        let index = compiler.compile(&format!("{HOME}/{name}.v1.json"), &mut all).unwrap();
        Self { name: name.to_owned(), all, index }
    }

    #[track_caller]
    fn fits(&self, document: &Value) {
        if let Err(error) = self.all.validate(document, self.index) {
            panic!("{}: {error:#}\n{document:#}", self.name);
        }
    }

    /// Each object of a document refuses one more member, but those whose members are free: evidence, reasons, annotations.
    fn refuses_more(&self, document: &Value) {
        let mut pointers = Vec::new();
        objects(document, String::new(), &mut pointers);
        let mut seen = BTreeSet::new();
        for pointer in pointers {
            // One item of a list is like the others.
            let shape: Vec<_> =
                pointer.split('/').filter(|part| part.parse::<usize>().is_err()).map(str::to_owned).collect();
            if !seen.insert(shape) {
                continue;
            }
            let mut changed = document.clone();
            changed.pointer_mut(&pointer).unwrap()["more"] = json!(1);
            let found = self.all.validate(&changed, self.index);
            assert!(found.is_err(), "{}: `{pointer}` may have another member", self.name);
        }
    }
}

/// The places of all objects whose members a schema names.
fn objects(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(pointer.clone());
            let free = |key: &str| ["evidence", "refusal", "annotation"].contains(&key);
            for (key, member) in members.iter().filter(|(key, _)| !free(key)) {
                objects(member, format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                objects(item, format!("{pointer}/{place}"), found);
            }
        }
        _ => {}
    }
}

/// Holds a document against the schema of its name.
#[track_caller]
pub fn fits(name: &str, document: &Value) {
    Schema::of(name).fits(document);
}

/// What a command prints as JSON, whatever it makes of it.
#[track_caller]
fn json_of(directory: &Path, arguments: &str) -> Value {
    let arguments = format!("{arguments} -o json");
    let output = runner::plugin().current_dir(directory).args(arguments.split_whitespace()).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// After everything in the test data but the new certificates has expired.
const EXPIRED: &str = "2026-12-29T02:00:00Z";

/// When all steps of the rotation in the test data were done.
const FINISHED: &str = "2026-11-23T08:30:00Z";

/// All clusters in a directory of the test data, as they are and when they have expired.
fn meshes(directory: &str) -> Vec<String> {
    let at = if directory == "stages" { FINISHED } else { NOW };
    let root = repository().join("testdata").join(directory);
    let names = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files = names.filter(|name| name.ends_with(".yaml"));
    files
        .flat_map(|file| [at, EXPIRED].map(|at| format!("-f testdata/{directory}/{file} --at {at}")))
        .collect()
}

/// What the verbs that need no rotation say of every mesh of the test data.
#[test]
fn whatever_a_mesh_is_like_its_json_fits_its_schema() {
    let healthy = [meshes("."), meshes("stages")].concat().into_iter().step_by(sizes::of(3, 1));
    let inputs: Vec<_> = healthy.chain(meshes("sick")).collect();
    for verb in ["status", "check", "recover", "inspect"] {
        let schema = Schema::of(verb);
        inputs.iter().for_each(|input| schema.fits(&json_of(repository(), &format!("{verb} {input}"))));
    }
}

#[test]
fn a_mesh_of_each_era_fits_its_schemas() {
    let home = tempfile::tempdir().unwrap();
    let pki = mint("root");
    for era in ["2.6", "2.8", "2.9", "2.10", "2.11", "2.12"] {
        fs::write(home.path().join("mesh.yaml"), control_plane(era, &pki)).unwrap();
        for verb in ["status", "check", "recover", "inspect"] {
            fits(verb, &json_of(home.path(), &format!("{verb} -f mesh.yaml --at {NOW}")));
        }
        fits("plan", &json_of(home.path(), &format!("plan --strategy patient -f mesh.yaml --at {NOW}")));
    }
}

#[test]
fn a_plan_of_a_rotation_that_is_not_begun_fits_its_schema() {
    let plan = Schema::of("plan");
    for input in ["cluster.yaml", "cert-manager/cluster.yaml", "checkouts/flux -R", "checkouts/argocd -R"] {
        let input = format!("plan --strategy staged -f testdata/{input} --at {NOW}");
        plan.fits(&json_of(repository(), &input));
    }
}

#[test]
fn a_plan_fits_its_schema_at_each_stage_and_in_a_rollback() {
    let [plan, status] = ["plan", "status"].map(Schema::of);
    for input in [meshes("."), meshes("stages")].concat().iter().step_by(sizes::of(3, 1)) {
        for arguments in ["", "--rollback", "--confirm all-pods-seen --confirm control-plane-restarted"] {
            let arguments = format!("--dir testdata/rotation {arguments} {input}");
            plan.fits(&json_of(repository(), &format!("plan {arguments}")));
            status.fits(&json_of(repository(), &format!("status {arguments}")));
        }
    }
}

/// What each verb says of a cluster as it is.
fn all_fit(user: &User) {
    let input = format!("-f dump.json --at {}", user.cluster.now);
    user.print();
    read_fit(user.home.path(), &input);
}

fn read_fit(home: &Path, input: &str) {
    for verb in ["plan", "status", "simulate"] {
        fits(verb, &json_of(home, &format!("{verb} --dir rotation {input}")));
    }
    for verb in ["check", "recover", "inspect"] {
        fits(verb, &json_of(home, &format!("{verb} {input}")));
    }
}

/// Steps that are blocked, and steps that are under way, with everything in the mesh that makes rotations hard.
#[test]
#[ignore = "long"]
fn a_rotation_fits_its_schemas_step_by_step() {
    let mut user = User::started(Cluster::realistic(), "");
    for step in ["", "bundle --step 1", "bundle --step 2 --force", "bundle --step 3 --force"] {
        if !step.is_empty() {
            merge(&mut user, step);
        }
        all_fit(&user);
    }
    user.cluster.wait(SignedDuration::from_hours(24 * 60));
    all_fit(&user);
}

#[test]
fn every_strategy_fits_its_schemas() {
    for arguments in [
        "--strategy patient",
        "--old-anchor-key anchor.key",
        "--issuer-only --anchor anchor.pem --anchor-key anchor.key",
    ] {
        all_fit(&User::started(Cluster::new(), arguments));
    }
}

#[test]
fn a_recovery_fits_its_schemas() {
    const PAST: &str = "2026-11-22T21:04:11Z";
    for (cluster, arguments) in [
        (Cluster::expiring(PAST, PAST), ""),
        (Cluster::expiring("2027-12-28T09:00:00Z", PAST), "--anchor anchor.pem --anchor-key anchor.key"),
    ] {
        let user = User::over(cluster);
        user.hold_anchor();
        user.out(&format!("recover --dir rotation {arguments}"));
        all_fit(&user);
    }
}

/// Whatever is missing in a dump is unknown, or not there.
#[test]
fn less_that_is_known_fits_the_schemas() {
    let user = User::started(Cluster::realistic(), "");
    let keep = |kept: &dyn Fn(&Value) -> bool| {
        let items: Vec<_> = user.cluster.items().into_iter().filter(|item| kept(item)).collect();
        json!({"apiVersion": "v1", "kind": "List", "items": items})
    };
    let mut undated = keep(&|_| true);
    for item in undated["items"].as_array_mut().unwrap() {
        let metadata = item["metadata"].as_object_mut().unwrap();
        metadata.remove("managedFields");
        metadata.remove("creationTimestamp");
    }
    let without = |kind: &'static str| keep(&move |item| item["kind"] != kind);
    for dump in [without("Pod"), without("Secret"), undated] {
        user.put("dump.json", &dump.to_string());
        read_fit(user.home.path(), &format!("-f dump.json --at {NOW}"));
    }
}

#[test]
fn an_inspected_file_fits_its_schema() {
    let home = tempfile::tempdir().unwrap();
    let cluster = Cluster::new();
    fs::write(home.path().join("key.pem"), crate::cluster::pem(&cluster.anchor.key)).unwrap();
    fs::write(home.path().join("secret.yaml"), secret_of(&issuer_of(&cluster.anchor)).to_string()).unwrap();
    fs::write(home.path().join("blank.pem"), format!("\n\n{}\n\n\n", cluster.bundle)).unwrap();
    fits("inspect", &json_of(home.path(), "inspect key.pem secret.yaml blank.pem"));
}

#[test]
fn explanations_fit_their_schema() {
    let schema = Schema::of("explain");
    let all = json_of(repository(), "explain");
    schema.fits(&all);
    assert!(all.as_array().unwrap().len() > 50);
    let one = json_of(repository(), "explain step-order");
    schema.fits(&one);
    assert_eq!(one["schema"], "l5d-rotate/explain/v1");
}

#[test]
fn verdicts_fit_their_schema() {
    let reviewer = Reviewer::new();
    let new = new_anchor();
    for objects in [
        vec![trust_roots(&bundle(&[&new]))],
        vec![trust_roots(&bundle(&[&reviewer.cluster.anchor, &new])), secret_of(&issuer_of(&new))],
        vec![secret_of(&issuer_of(&reviewer.cluster.anchor))],
    ] {
        fits("verify", &reviewer.verdict(&objects).0);
    }
    // Of what another program renders, and of an object that has nothing to do with trust.
    for objects in [
        json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "linkerd-identity-issuer", "namespace": "linkerd"}, "spec": {"encryptedData": {}}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "shop"}, "data": {"a": "b"}}),
    ] {
        let found = reviewer.verdict(&[objects]).0;
        fits("verify", &found);
        assert_ne!(found["verdict"], "safe", "{found:#}");
    }
}

#[test]
fn simulations_fit_their_schema() {
    let user = User::started(Cluster::new(), "");
    for arguments in ["", "--order issuer,bundle,prune"] {
        fits("simulate", &user.json(&format!("simulate --dir rotation {arguments}")));
    }
}

/// A reader of `linkerd check -o json` finds what it knows, and one more member.
#[test]
fn linkerds_tree_stays_as_it_is() {
    let found = json_of(repository(), &format!("check -f testdata/cluster.yaml --at {NOW}"));
    let members: Vec<_> = found.as_object().unwrap().keys().collect();
    assert_eq!(members, ["success", "categories", "findings"]);
}

#[test]
fn a_schema_refuses_what_it_does_not_know() {
    let sick = format!("-f testdata/sick/expired-anchor-of-a-valid-issuer.yaml --at {NOW}");
    let rotation = format!("--dir testdata/rotation -f testdata/stages/4-issuer-swapped.yaml --at {NOW}");
    let user = User::started(Cluster::new(), "");
    let reviewer = Reviewer::new();
    let documents = [
        ("check", json_of(repository(), &format!("check {sick}"))),
        ("explain", json_of(repository(), "explain step-order")),
        ("explain", json_of(repository(), "explain")),
        ("inspect", json_of(repository(), &format!("inspect {sick}"))),
        ("plan", json_of(repository(), &format!("plan {rotation}"))),
        ("plan", json_of(repository(), &format!("plan --rollback {rotation}"))),
        ("recover", json_of(repository(), &format!("recover {sick}"))),
        ("simulate", user.json("simulate --dir rotation --order issuer,bundle,prune")),
        ("status", json_of(repository(), &format!("status {sick}"))),
        ("status", json_of(repository(), &format!("status {rotation}"))),
        (
            "status",
            json_of(&repository().join("testdata/checkouts/argocd"), &format!("status -f . -R --at {NOW}")),
        ),
        ("verify", reviewer.verdict(&[trust_roots(&bundle(&[&new_anchor()]))]).0),
    ];
    for (name, document) in documents {
        let schema = Schema::of(name);
        schema.fits(&document);
        schema.refuses_more(&document);
        // Linkerd's tree names none, nor does a list.
        if let (Value::Object(members), true) = (&document, name != "check") {
            assert_eq!(members["schema"], format!("l5d-rotate/{name}/v1"));
        }
    }
    let finding = json!({"severity": "error", "code": "x", "text": "x", "todo": "", "more": 1});
    assert!(catch_unwind(|| fits("finding", &finding)).is_err());
}

/// `finding` is the only schema that no verb has.
#[test]
fn every_schema_is_of_a_verb_and_tested_here() {
    let found = fs::read_dir(repository().join("docs/schemas")).unwrap();
    let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<_> = names.filter(|name| name != "README.md").collect();
    let known = VERBS.into_iter().chain(["finding"]).map(|name| format!("{name}.v1.json")).collect();
    assert_eq!(names, known);
}

/// Words of a screen that are none of the facts on it: headings, labels, how an instant, a count or a change is said.
const FRAME: &str = "Application CODE Commit ConfigMap Deployments Expires Findings Installed Next Notes Proxies Remedy Secret \
                     Stands Still Strategy UTC ago an anchor and are before bundle by cert-manager changed commit days domain expires explain \
                     held hold hours its itself kubectl makes minutes more namespace namespaces next now of old proxies published renews restarts \
                     signed started state step steps tells the them they trust-manager what where workloads works years";

/// A text without its line breaks and quotes.
fn unwrapped(text: &str) -> String {
    text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(unwrapped(text)),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        _ => {}
    }
}

/// The words of a screen that stand in no sentence and no name of its JSON, and are no number.
fn missing(screen: &str, document: &Value) -> BTreeSet<String> {
    let mut all = Vec::new();
    strings(document, &mut all);
    let (names, texts): (Vec<_>, Vec<_>) = all.into_iter().partition(|text| text.split(' ').count() < 3);
    let mut sentences: Vec<_> = texts.iter().flat_map(|text| text.split(". ")).collect();
    sentences.sort_by_key(|sentence| std::cmp::Reverse(sentence.len()));
    let mut rest = unwrapped(screen);
    for sentence in sentences {
        rest = rest.replace(sentence.trim_end_matches(['.', ':']), " ");
    }
    let names = names.join(" ").to_lowercase();
    let frame: BTreeSet<_> = FRAME.split_whitespace().collect();
    let words = rest.split([' ', '/']).map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    words
        .filter(|word| !word.is_empty() && !word.contains(|c: char| c.is_ascii_digit()))
        .filter(|word| !names.contains(&word.to_lowercase()) && !frame.contains(word))
        .map(str::to_owned)
        .collect()
}

/// Whoever reads the JSON knows what whoever reads the screen knows.
#[test]
#[ignore = "long"]
fn what_a_screen_shows_is_in_its_json() {
    let mut found = BTreeSet::new();
    let mut compare = |arguments: &str| {
        let run =
            runner::plugin().current_dir(repository()).args(arguments.split_whitespace()).output().unwrap();
        let screen = String::from_utf8(run.stdout).unwrap();
        for word in missing(&screen, &json_of(repository(), arguments)) {
            found.insert((arguments.split(' ').next().unwrap().to_owned(), word));
        }
    };
    let every = sizes::of(3, 1);
    for input in [meshes("."), meshes("stages")].concat().iter().step_by(every) {
        compare(&format!("plan --dir testdata/rotation {input}"));
        compare(&format!("plan --dir testdata/rotation --rollback {input}"));
        compare(&format!("status --dir testdata/rotation {input}"));
    }
    for input in [meshes("."), meshes("stages"), meshes("sick")].concat().iter().step_by(every) {
        compare(&format!("status {input}"));
        compare(&format!("recover {input}"));
    }
    assert!(found.is_empty(), "{found:?}");
}

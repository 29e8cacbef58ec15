//! What `-o json` prints fits its JSON Schema in `docs/schemas/`.

use boon::{Compiler, Schemas};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::simulate_support::User;
use crate::verify_support::{Reviewer, bundle, issuer_of, new_anchor, secret_of, trust_roots};

/// The schemas refer to each other by these addresses; none of them is fetched.
const HOME: &str = "https://l5d-rotate.dev/schemas";
const NAMES: [&str; 3] = ["finding", "simulate", "verify"];

/// Holds a document against the schema of its name.
pub fn fits(name: &str, document: &Value) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    for name in NAMES {
        let path = format!("{}/docs/schemas/{name}.v1.json", env!("CARGO_MANIFEST_DIR"));
        let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        compiler.add_resource(&format!("{HOME}/{name}.v1.json"), schema).unwrap();
    }
    let schema = compiler.compile(&format!("{HOME}/{name}.v1.json"), &mut schemas).unwrap();
    if let Err(error) = schemas.validate(document, schema) {
        panic!("{name}: {error:#}\n{document:#}");
    }
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
}

#[test]
fn simulations_fit_their_schema() {
    let user = User::started(Cluster::new(), "");
    for arguments in ["", "--order issuer,bundle,prune"] {
        fits("simulate", &user.json(arguments));
    }
}

#[test]
fn a_schema_refuses_what_it_does_not_know() {
    let finding = serde_json::json!({"severity": "error", "code": "x", "text": "x", "todo": "", "more": 1});
    assert!(std::panic::catch_unwind(|| fits("finding", &finding)).is_err());
}

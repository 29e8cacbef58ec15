//! As much of a runner of GitHub Actions as the examples need: steps, `if`, expressions, outputs, and the composite action of this project.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::{Forge, said};

/// What expressions find, by name.
pub(crate) type Context = BTreeMap<String, String>;

/// How a job ended: its exit code, and all that it said.
pub(crate) struct Ended {
    pub(crate) exit: i32,
    pub(crate) said: String,
}

/// An example, or the action.
pub(crate) fn workflow(path: &str) -> Value {
    let text = fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// Runs a workflow's only job in `work`.
pub(crate) fn run(forge: &Forge, path: &str, context: &Context) -> Ended {
    let workflow = workflow(path);
    assert_eq!(workflow["defaults"]["run"]["shell"], "bash", "steps run with pipefail");
    let jobs = workflow["jobs"].as_object().unwrap();
    assert_eq!(jobs.len(), 1);
    let job = jobs.values().next().unwrap();
    let mut runner = Runner { forge, path: String::new(), said: String::new(), exit: 0 };
    runner.steps(&job["steps"], &mut context.clone());
    Ended { exit: runner.exit, said: runner.said }
}

struct Runner<'a> {
    forge: &'a Forge,
    /// What steps have put before PATH.
    path: String,
    said: String,
    exit: i32,
}

impl Runner<'_> {
    fn steps(&mut self, steps: &Value, context: &mut Context) {
        for step in steps.as_array().unwrap() {
            if step["if"].as_str().is_some_and(|condition| evaluate(condition, context) != "true") {
                continue;
            }
            match step["uses"].as_str() {
                None => self.script(step, context),
                Some(uses) if uses.starts_with("l5d-rotate/") => {
                    let action = workflow("action.yml");
                    let mut inside = context.clone();
                    for (name, input) in action["inputs"].as_object().unwrap() {
                        let given = &step["with"][name];
                        let value = if given.is_null() { &input["default"] } else { given };
                        assert!(value.is_string(), "input {name} has no value");
                        // What users replace by the checksum of the archive that they take.
                        let value = match value.as_str().unwrap() {
                            zeros if zeros.len() == 64 => context["checksum"].clone(),
                            text => filled(text, context),
                        };
                        inside.insert(format!("inputs.{name}"), value);
                    }
                    self.steps(&action["runs"]["steps"], &mut inside);
                }
                // The test has checked out, and what is uploaded is kept for a later job.
                Some(uses) if uses.starts_with("actions/checkout@") => {}
                Some(uses) if uses.starts_with("actions/upload-artifact@") => {
                    let from = filled(step["with"]["path"].as_str().unwrap(), context);
                    fs::copy(from, self.forge.at("forge/mesh.yaml")).unwrap();
                }
                Some(other) => panic!("{other}"),
            }
            if self.exit != 0 {
                return;
            }
        }
    }

    fn script(&mut self, step: &Value, context: &mut Context) {
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "what others wrote would be run: {script}");
        let temp = self.forge.at("temp");
        let files = ["path", "output", "summary"].map(|name| temp.join(name));
        files.iter().for_each(|file| fs::write(file, "").unwrap());
        let mut environment: Vec<(String, String)> = [
            ("RUNNER_OS", "Linux"),
            ("RUNNER_ARCH", "X64"),
            ("RUNNER_TEMP", temp.to_str().unwrap()),
            ("GITHUB_REPOSITORY", "shop/infra"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_RUN_ID", "9"),
            ("GITHUB_PATH", files[0].to_str().unwrap()),
            ("GITHUB_OUTPUT", files[1].to_str().unwrap()),
            ("GITHUB_STEP_SUMMARY", files[2].to_str().unwrap()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            environment.push((name.clone(), filled(value.as_str().unwrap(), context)));
        }
        // No waiting in a test.
        environment
            .iter_mut()
            .filter(|(name, _)| name == "WAIT")
            .for_each(|(_, value)| *value = "0s".to_owned());
        let output = self.forge.script(script, &environment, &self.path);
        self.said.push_str(&said(&output));
        self.exit = output.status.code().unwrap();
        for line in fs::read_to_string(&files[0]).unwrap().lines() {
            self.path = format!("{line}:{}", self.path);
        }
        if let Some(id) = step["id"].as_str() {
            for line in fs::read_to_string(&files[1]).unwrap().lines() {
                let (name, value) = line.split_once('=').unwrap();
                context.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
            }
        }
    }
}

/// A text with its expressions filled in.
fn filled(text: &str, context: &Context) -> String {
    let Some((before, rest)) = text.split_once("${{") else { return text.to_owned() };
    let (expression, after) = rest.split_once("}}").expect("an expression ends");
    format!("{before}{}{}", evaluate(expression, context), filled(after, context))
}

/// `a || b`, `a && b`, `a == b`, `a != b`, names and texts: what the examples use.
fn evaluate(expression: &str, context: &Context) -> String {
    let expression = expression.trim();
    if let Some((left, right)) = expression.split_once("||") {
        let left = evaluate(left, context);
        return if left.is_empty() || left == "false" { evaluate(right, context) } else { left };
    }
    if let Some((left, right)) = expression.split_once("&&") {
        let left = evaluate(left, context);
        return if left.is_empty() || left == "false" { left } else { evaluate(right, context) };
    }
    for (operator, is_equal) in [("==", true), ("!=", false)] {
        if let Some((left, right)) = expression.split_once(operator) {
            return ((evaluate(left, context) == evaluate(right, context)) == is_equal).to_string();
        }
    }
    if let Some(text) = expression.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        return text.to_owned();
    }
    match context.get(expression) {
        Some(value) => value.clone(),
        // As GitHub has it: outputs of a step that did not run, and secrets that are not set, are empty.
        None if expression.starts_with("steps.") || expression.starts_with("secrets.") => String::new(),
        None => panic!("{expression} is not known"),
    }
}

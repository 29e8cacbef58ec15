//! Scripts and pipelines: what of them installs or changes Linkerd, and what gives a variable to that.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::file::is_manifest;
use super::net;
use super::related::key;
use super::side::directory_of;
use crate::document;

/// Does a file run commands, rather than describe what shall be there?
pub(super) fn is_script(name: &str, text: &str) -> bool {
    const NAMES: [&str; 12] = [
        "makefile",
        "gnumakefile",
        "justfile",
        ".justfile",
        "jenkinsfile",
        "taskfile.yml",
        "taskfile.yaml",
        "azure-pipelines.yml",
        "bitbucket-pipelines.yml",
        ".drone.yml",
        "buildspec.yml",
        "cloudbuild.yaml",
    ];
    const ENDS: [&str; 7] = [".sh", ".bash", ".zsh", ".ps1", ".mk", ".groovy", ".gitlab-ci.yml"];
    const DIRECTORIES: [&str; 4] = [".github/workflows/", ".github/actions/", ".circleci/", ".gitlab/"];
    let name = name.to_lowercase();
    let file = name.rsplit('/').next().unwrap_or(&name);
    NAMES.contains(&file)
        || ENDS.iter().any(|end| name.ends_with(end))
        || DIRECTORIES.iter().any(|directory| name.starts_with(directory))
        || text.starts_with("#!")
}

/// The commands and steps that are about Linkerd, and what gives their variables a value, line by line; `holders` are files
/// that name trust material.
pub(super) fn lines(name: &str, text: &str, holders: &[String]) -> Vec<String> {
    let documents = if is_manifest(name) { document::parse(text, name).ok() } else { None };
    let parts = match documents {
        Some(documents) => {
            let mut found = Vec::new();
            documents.iter().for_each(|document| steps(&document.tree, &mut found));
            found
        }
        None => commands(text),
    };
    let mut counts: Vec<bool> = parts.iter().map(|part| is_about_linkerd(part, holders)).collect();
    loop {
        let counted = parts.iter().zip(&counts).filter(|(_, counts)| **counts);
        let words: BTreeSet<String> = counted.flat_map(|(part, _)| variables(part)).collect();
        let gives =
            |at: &usize| !counts[*at] && given_by(&parts[*at]).is_some_and(|name| words.contains(name));
        let more: Vec<usize> = (0..parts.len()).filter(gives).collect();
        if more.is_empty() {
            break;
        }
        more.into_iter().for_each(|at| counts[at] = true);
    }
    let counted = parts.iter().zip(counts).filter(|(_, counts)| *counts);
    counted.flat_map(|(part, _)| net::significant(part)).map(str::to_owned).collect()
}

/// The commands of a script, each with the lines on which it goes on.
fn commands(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut goes_on = false;
    let mut until: Option<String> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        match found.last_mut() {
            Some(command) if goes_on || until.is_some() => *command = format!("{command}\n{line}"),
            _ => found.push(line.to_owned()),
        }
        if until.as_deref() == Some(trimmed) {
            (until, goes_on) = (None, false);
        } else if until.is_none() {
            until = heredoc(trimmed);
            goes_on = ["\\", "&&", "|", "`"].iter().any(|end| trimmed.ends_with(end));
        }
    }
    found
}

/// The word that ends the text which a command is given with `<<`.
fn heredoc(line: &str) -> Option<String> {
    let rest = line.split_once("<<")?.1.trim_start_matches(['-', '~', ' ', '"', '\'']);
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// The steps and jobs of a pipeline, and each of its variables.
fn steps(tree: &Value, found: &mut Vec<String>) {
    match tree {
        Value::Array(items) => items.iter().for_each(|item| steps(item, found)),
        Value::Object(map) => {
            found.push(own(map).join("\n"));
            for (key, value) in map {
                match value.as_object().filter(|_| is_variables(key)) {
                    Some(all) => {
                        found.extend(all.iter().map(|(name, value)| format!("{name}: {}", plain(value))))
                    }
                    None => steps(value, found),
                }
            }
        }
        _ => {}
    }
}

/// What a step or a job says itself, without those in it; its title and the version of an action are of no concern.
fn own(map: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in map.iter().filter(|(key, _)| *key != "name" && !is_variables(key)) {
        match value {
            Value::Object(inner) if ["with", "inputs", "params"].contains(&key.as_str()) => {
                found.extend(own(inner))
            }
            Value::Array(items) => found.extend(
                items.iter().filter(|item| !item.is_object()).map(|item| format!("{key}: {}", plain(item))),
            ),
            Value::Object(_) => {}
            one if key == "uses" => {
                found.push(format!("{key}: {}", plain(one).split('@').next().unwrap_or_default()));
            }
            one => found.push(format!("{key}: {}", plain(one))),
        }
    }
    found
}

fn is_variables(key: &str) -> bool {
    ["env", "variables", "environment", "vars"].contains(&key)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Does a command install Linkerd, change it, or name a file that does?
fn is_about_linkerd(command: &str, holders: &[String]) -> bool {
    const FLAGS: [&str; 6] = [
        "--identity-trust-",
        "--identity-issuer-",
        "--identity-external-",
        "--identity-issuance-lifetime",
        "--identity-clock-skew",
        "--disable-identity",
    ];
    const WRITES: [&str; 14] = [
        "install",
        "upgrade",
        "uninstall",
        "prune",
        "delete",
        "patch",
        "replace",
        "apply",
        "edit",
        "rollback",
        "create",
        "scale",
        "set",
        "destroy",
    ];
    let tokens: Vec<&str> = command
        .split(|c: char| !c.is_alphanumeric() && !['-', '_', '.', '/'].contains(&c))
        .filter(|token| !token.is_empty())
        .collect();
    let has = |all: &[&str]| tokens.iter().any(|token| all.contains(token));
    let by_cli = tokens.windows(2).any(|pair| pair[0] == "linkerd" && WRITES[..4].contains(&pair[1]));
    // Its extensions have no part in trust.
    let is_extension = |at: usize| {
        tokens.get(at + 1).is_some_and(|next| ["viz", "multicluster", "jaeger", "smi"].contains(next))
    };
    let is_home = tokens.iter().enumerate().any(|(at, token)| *token == "linkerd" && !is_extension(at));
    let by_others = is_home && has(&["kubectl", "helm", "oc"]) && has(&WRITES);
    let names = |holder: &String| {
        let file = holder.rsplit('/').next().unwrap_or(holder);
        let is_telling = !["values.yaml", "values.yml", "kustomization.yaml", "Chart.yaml"].contains(&file);
        let path =
            |token: &&str| token.trim_start_matches("./").trim_end_matches('/') == directory_of(holder);
        command.contains(holder.as_str())
            || (is_telling && tokens.iter().any(|token| token.rsplit('/').next() == Some(file)))
            || (has(&["helm"]) && !directory_of(holder).is_empty() && tokens.iter().any(path))
    };
    net::names_trust(command)
        || net::names_chart(command)
        || FLAGS.iter().any(|flag| command.contains(flag))
        || by_cli
        || by_others
        || holders.iter().any(names)
}

/// The variables that a text uses: `$NAME`, `${NAME}`, `$(NAME)`, `${{ env.NAME }}`.
pub(super) fn variables(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in text.split('$').skip(1) {
        let rest = rest.trim_start_matches(['{', '(', ' ']);
        let rest =
            ["env.", "vars.", "inputs."].iter().find_map(|from| rest.strip_prefix(from)).unwrap_or(rest);
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.len() > 1 && !net::is_harmless(&name) {
            found.insert(name);
        }
    }
    found
}

/// The variable that a command gives a value.
fn given_by(command: &str) -> Option<&str> {
    let line = command.trim_start();
    if let Some(rest) = line.strip_prefix("for ") {
        return rest.split_whitespace().next();
    }
    let line =
        ["local ", "readonly ", "declare "].iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line);
    key(line).map(|name| name.trim_end_matches(['?', '+', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_script_what_is_about_linkerd_counts_with_its_variables() {
        let text = "#!/bin/sh\nPKI=./pki\nCOLOR=red\nlinkerd upgrade \\\n  --identity-issuer-key-file $PKI/issuer.key\nhelm upgrade shop shop --set color=$COLOR\n";
        assert_eq!(
            lines("deploy.sh", text, &[]),
            ["PKI=./pki", "linkerd upgrade \\", "--identity-issuer-key-file $PKI/issuer.key"]
        );
        assert_eq!(
            lines("deploy.sh", "linkerd viz install\nlinkerd check\nkubectl get pods -n linkerd\n", &[]),
            [""; 0]
        );
        assert_eq!(lines("deploy.sh", "kubectl delete ns linkerd\n", &[]).len(), 1);
    }

    #[test]
    fn a_text_that_a_command_is_given_belongs_to_it() {
        let found = commands("helm upgrade x -f - <<EOF\na: 1\nEOF\necho\n");
        assert_eq!(found, ["helm upgrade x -f - <<EOF\na: 1\nEOF", "echo"]);
    }

    #[test]
    fn of_a_pipeline_a_step_counts_without_the_version_of_an_action() {
        let text = "env:\n  ROOT: one\n  COLOR: red\njobs:\n  deploy:\n    steps:\n    - uses: actions/checkout@v4\n    - name: x\n      run: helm upgrade linkerd-control-plane -f ${{ env.ROOT }}\n";
        let found = lines(".github/workflows/a.yml", text, &[]);
        assert_eq!(found, ["ROOT: one", "run: helm upgrade linkerd-control-plane -f ${{ env.ROOT }}"]);
    }

    #[test]
    fn a_file_that_names_trust_material_makes_a_command_count() {
        let of = |text: &str, holder: &str| !lines("Makefile", text, &[holder.to_owned()]).is_empty();
        assert!(of("x:\n\thelm upgrade platform ./platform -f prod.yaml\n", "env/prod.yaml"));
        assert!(of("x:\n\thelm upgrade platform ./platform\n", "platform/values.yaml"));
        assert!(!of("x:\n\thelm upgrade shop ./shop -f shop/values.yaml\n", "platform/values.yaml"));
    }
}

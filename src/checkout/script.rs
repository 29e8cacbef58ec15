//! Scripts and pipelines: what of them installs or changes Linkerd, and what gives a variable to that.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::file::is_manifest;
use super::net;
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
    let mut givers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, part) in parts.iter().enumerate() {
        for name in given_by(part) {
            givers.entry(name).or_default().push(at);
        }
    }
    let mut counts = vec![false; parts.len()];
    let mut next: Vec<usize> = (0..parts.len()).filter(|at| is_about_linkerd(&parts[*at], holders)).collect();
    while let Some(at) = next.pop() {
        if counts[at] {
            continue;
        }
        counts[at] = true;
        for name in variables(&parts[at]) {
            next.extend(givers.remove(name.as_str()).unwrap_or_default());
        }
    }
    let counted = parts.iter().zip(counts).filter(|(_, counts)| *counts);
    let says = |line: &&str| !net::significant(command_of(line)).is_empty();
    counted.flat_map(|(part, _)| part.lines().map(str::trim).filter(says)).map(str::to_owned).collect()
}

/// A line without the variables that it sets for its command: `VERSION=1 linkerd upgrade` is about more than a version.
fn command_of(line: &str) -> &str {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(is_of_name);
    let sets = |word: &str| word.split_once('=').is_some_and(|(name, _)| is_name(name));
    let mut rest = line.trim();
    while let Some((word, more)) = rest.split_once(char::is_whitespace)
        && sets(word)
    {
        rest = more.trim_start();
    }
    rest
}

/// The commands of a script, each with the lines on which it goes on.
fn commands(text: &str) -> Vec<String> {
    let last: BTreeMap<&str, usize> = text.lines().map(str::trim).zip(0..).collect();
    let mut found: Vec<String> = Vec::new();
    let mut goes_on = false;
    let mut until: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        match found.last_mut() {
            Some(command) if goes_on || until.is_some() => {
                command.push('\n');
                command.push_str(line);
            }
            _ => found.push(line.to_owned()),
        }
        if until.as_deref() == Some(trimmed) {
            (until, goes_on) = (None, false);
        } else if until.is_none() {
            // What no line ends is a shift of bits.
            until = heredoc(trimmed).filter(|word| last.get(word.as_str()).is_some_and(|end| *end > at));
            goes_on = ["\\", "&&", "|", "`"].iter().any(|end| trimmed.ends_with(end));
        }
    }
    found
}

/// The word that ends the text which a command is given with `<<`.
fn heredoc(line: &str) -> Option<String> {
    let rest = line.split_once("<<")?.1.trim_start_matches(['-', '~', ' ', '"', '\'', '\\']);
    let ends = |c: char| c.is_whitespace() || ['"', '\'', ';', '|', '&', ')', '<', '>'].contains(&c);
    let word = rest.split(ends).next()?;
    (!word.is_empty()).then(|| word.to_owned())
}

/// The steps and jobs of a pipeline, and each of its variables.
fn steps(tree: &Value, found: &mut Vec<String>) {
    match tree {
        Value::Array(items) => items.iter().for_each(|item| steps(item, found)),
        Value::Object(map) => {
            found.push(own(map).join("\n"));
            for (key, value) in map {
                match value {
                    Value::Object(all) if is_variables(key) => {
                        found.extend(all.iter().map(|(name, value)| format!("{name}: {}", plain(value))));
                    }
                    Value::Array(all) if is_variables(key) => found.extend(all.iter().map(variable)),
                    _ => steps(value, found),
                }
            }
        }
        _ => {}
    }
}

/// An item of a list of variables, as Azure Pipelines and Tekton have them.
fn variable(item: &Value) -> String {
    match (item["name"].as_str(), item.get("value")) {
        (Some(name), Some(value)) => format!("{name}: {}", plain(value)),
        _ => plain(item),
    }
}

/// What a step or a job says itself, without those in it; its title and the version of an action are of no concern.
fn own(map: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in map.iter().filter(|(key, _)| *key != "name" && !is_variables(key)) {
        match value {
            Value::Object(inner) if ["with", "inputs", "params"].contains(&key.as_str()) => {
                found.extend(own(inner));
                found.extend(inner.get("name").map(|name| format!("name: {}", plain(name))));
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
    // Flags may stand between the program and what it is to do.
    let does = |behind: &[&str]| {
        let verb = behind.iter().position(|token| WRITES[..4].contains(token));
        verb == Some(0) || verb.is_some() && behind[0].starts_with('-')
    };
    let is_cli = |token: &str| token.rsplit('/').next() == Some("linkerd");
    let by_cli = tokens.iter().enumerate().any(|(at, token)| {
        let behind = &tokens[at + 1..];
        is_cli(token) && does(&behind[..behind.len().min(6)])
    });
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

/// The variables that a text uses: `$NAME`, `${NAME}`, `$(NAME)`, `$env:NAME`, `${{ env.NAME }}`, `{{.NAME}}`.
pub(super) fn variables(text: &str) -> BTreeSet<String> {
    /// What stands before a name, and is none.
    const CONTEXTS: [&str; 13] = [
        "env",
        "github",
        "inputs",
        "jobs",
        "matrix",
        "needs",
        "parameters",
        "params",
        "pipeline",
        "secrets",
        "steps",
        "variables",
        "vars",
    ];
    let mut found = BTreeSet::new();
    for rest in text.split('$').skip(1).chain(text.split("{{").skip(1)) {
        let rest = rest.trim_start_matches(['{', '(', '[', ' ', '-', '.']);
        let rest = rest.strip_prefix("env:").unwrap_or(rest);
        let path =
            rest.split(|c: char| !is_of_name(c) && !['.', '-'].contains(&c)).next().unwrap_or_default();
        let mut parts = path.split('.');
        let first = parts.next().unwrap_or_default();
        let name = if CONTEXTS.contains(&first) { parts.next_back().unwrap_or(first) } else { first };
        let name = if name == first { name.split('-').next().unwrap_or(name) } else { name };
        if name.len() > 1 && !net::is_harmless(name) {
            found.insert(name.to_owned());
        }
    }
    found
}

const fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The variables that a text gives a value: `NAME=`, `NAME :=`, `NAME: `, `for NAME in`, `read NAME`.
fn given_by(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let mut before: Vec<&str> = line.split('=').flat_map(|part| part.split(": ")).collect();
        before.pop();
        for part in before {
            let part = part.trim_end_matches([' ', ':', '?', '+', '"', '\'']);
            found.extend(part.rsplit(|c: char| !is_of_name(c) && c != '-').next());
        }
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "for" => found.extend(words.next()),
                "read" => found.extend(words.by_ref().map(|word| word.trim_end_matches(';'))),
                _ => {}
            }
        }
    }
    found
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

    #[test]
    fn what_gives_a_variable_counts_however_that_is_written() {
        let use_it = "linkerd upgrade --identity-issuer-key-file";
        for (name, text) in [
            ("a.sh", format!("true &&\nPKI=./old\n{use_it} $PKI/k\n")),
            ("a.sh", format!("[ -n \"$PKI\" ] || PKI=./old\n{use_it} $PKI/k\n")),
            ("a.sh", format!("declare -x PKI=./old\n{use_it} $PKI/k\n")),
            ("a.sh", format!("A=1 PKI=./old; export A PKI\n{use_it} $PKI/k\n")),
            ("a.sh", format!(": \"${{PKI:=./old}}\"\n{use_it} $PKI/k\n")),
            ("a.sh", format!("read -r ENV PKI <./old\n{use_it} $PKI/k\n")),
            ("a.sh", format!("x=$((1 << y))\nPKI=./old\n{use_it} $PKI/k\n")),
            ("a.sh", format!("cat <<'END-1'\nx\nEND-1\nPKI=./old\n{use_it} $PKI/k\n")),
            ("a.ps1", format!("$PKI = './old'\n{use_it} $PKI/k\n")),
            ("a.ps1", format!("$env:PKI = './old'\n{use_it} $env:PKI/k\n")),
            ("Jenkinsfile", format!("def pki = './old'\nsh \"{use_it} ${{pki}}/k\"\n")),
            ("justfile", format!("pki := \"./old\"\nup:\n  {use_it} {{{{pki}}}}/k\n")),
            ("Makefile", format!("PKI ?= ./old\nup:\n\t{use_it} $(PKI)/k\n")),
            (
                "Taskfile.yml",
                format!("vars:\n  PKI: ./old\ntasks:\n  up:\n    cmds: ['{use_it} {{{{.PKI}}}}/k']\n"),
            ),
            (
                "azure-pipelines.yml",
                format!("variables:\n- name: PKI\n  value: ./old\nsteps:\n- script: {use_it} $(PKI)/k\n"),
            ),
            (
                ".github/workflows/a.yml",
                format!(
                    "strategy:\n  matrix:\n    pki: [./old]\nsteps:\n- run: {use_it} ${{{{ matrix.pki }}}}/k\n"
                ),
            ),
            (
                ".github/workflows/a.yml",
                format!(
                    "steps:\n- run: echo \"dir=./old\" >>$GITHUB_OUTPUT\n- run: {use_it} ${{{{ steps.pki.outputs.dir }}}}/k\n"
                ),
            ),
        ] {
            let (old, new) = (lines(name, &text, &[]), lines(name, &text.replace("./old", "./new"), &[]));
            assert_ne!(old, new, "{name}: {text}");
        }
    }

    #[test]
    fn what_stands_beside_a_version_counts() {
        let flag = "--identity-trust-anchors-file";
        for text in [
            format!("LINKERD2_VERSION=stable-2.14 linkerd upgrade {flag} old.crt\n"),
            format!("VERSION=1; linkerd --context prod upgrade {flag} old.crt\n"),
        ] {
            assert_ne!(lines("a.sh", &text, &[]), lines("a.sh", &text.replace("old", "new"), &[]), "{text}");
        }
        assert_eq!(lines("a.sh", "VERSION=1\nlinkerd upgrade --set x=$VERSION\n", &[]).len(), 1);
        for text in ["/usr/bin/linkerd install\n", "linkerd --context prod upgrade >out\n"] {
            assert_eq!(lines("a.sh", text, &[]).len(), 1, "{text}");
        }
        let action = "steps:\n- uses: some/helm@v1\n  with: {name: linkerd-control-plane}\n";
        assert_eq!(lines(".github/workflows/a.yml", action, &[]).len(), 2);
    }

    #[test]
    fn a_script_of_many_lines_is_read_in_a_moment() {
        let chain: String = (0..60_000).map(|at| format!("A{at}=$A{}\n", at + 1)).collect();
        let text = format!("linkerd upgrade $A0\n{chain}cat <<EOF\n{}EOF\n", "x\n".repeat(60_000));
        assert_eq!(lines("a.sh", &text, &[]).len(), 60_001);
        lines("a.sh", &": ".repeat(200_000), &[]);
    }
}

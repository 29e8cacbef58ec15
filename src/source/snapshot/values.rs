//! The variables that `linkerd-config` gives every proxy: `proxy.additionalEnv` and its like.

use serde_json::Value;

use super::allowed::is_own;
use crate::document;
use crate::mesh::REDACTED;

/// The lists of the chart's values that hold variables.
const LISTS: [&str; 2] = ["additionalEnv", "experimentalEnv"];

/// The chart's values without the values of variables that are not Linkerd's; of a text in which they cannot be told apart,
/// nothing is kept.
pub(super) fn without_variables(text: &str) -> String {
    let Some(mut wanted) = read(text) else {
        return if LISTS.iter().any(|list| text.contains(list)) {
            REDACTED.to_owned()
        } else {
            text.to_owned()
        };
    };
    let mut hidden = Vec::new();
    hide(&mut wanted, &mut hidden);
    if hidden.is_empty() {
        return text.to_owned();
    }
    let lines = text.split_inclusive('\n').map(|line| {
        let (begin, value) = line.split_once("value:").unwrap_or_default();
        let is_hidden = hidden.iter().any(|hidden| value.trim().trim_matches(['"', '\'']) == hidden);
        if begin.trim_start_matches([' ', '-']).is_empty() && is_hidden {
            format!("{begin}value: \"{REDACTED}\"\n")
        } else {
            line.to_owned()
        }
    });
    let kept: String = lines.collect();
    if read(&kept).as_ref() == Some(&wanted) { kept } else { REDACTED.to_owned() }
}

fn read(text: &str) -> Option<Value> {
    let mut documents = document::parse(text, "values").ok()?;
    documents.pop().filter(|_| documents.is_empty()).map(|document| document.tree)
}

/// Replaces the values of variables that are not Linkerd's, and lists them.
fn hide(tree: &mut Value, hidden: &mut Vec<String>) {
    match tree {
        Value::Object(map) => {
            for (key, value) in map {
                if LISTS.contains(&key.as_str()) {
                    value
                        .as_array_mut()
                        .into_iter()
                        .flatten()
                        .for_each(|variable| hide_variable(variable, hidden));
                } else {
                    hide(value, hidden);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, hidden)),
        _ => {}
    }
}

fn hide_variable(variable: &mut Value, hidden: &mut Vec<String>) {
    if variable["name"].as_str().is_some_and(is_own) {
        return;
    }
    let Some(value) = variable.get_mut("value").filter(|value| **value != REDACTED) else { return };
    hidden.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    *value = REDACTED.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_values_of_foreign_variables_go() {
        let text = "proxy:\n  additionalEnv:\n  - name: TOKEN\n    value: \"hunter2\"\n  - name: LINKERD2_PROXY_LOG\n    \
                    value: debug\n  # why\n  logLevel: warn\nvalue: hunter3\n";
        let kept = without_variables(text);
        assert_eq!(kept, text.replace("\"hunter2\"", &format!("\"{REDACTED}\"")));
        assert_eq!(without_variables(&kept), kept);
        assert_eq!(without_variables("a: 1 # b\n"), "a: 1 # b\n");
    }

    #[test]
    fn a_text_in_which_they_cannot_be_told_apart_goes_whole() {
        for text in [
            "proxy: {additionalEnv: [{name: TOKEN, value: hunter2}]}\n",
            "proxy:\n  additionalEnv:\n  - name: TOKEN\n    value: |\n      hunter2\n",
            "proxy: [\nadditionalEnv: hunter2\n",
        ] {
            assert_eq!(without_variables(text), REDACTED, "{text}");
        }
    }
}

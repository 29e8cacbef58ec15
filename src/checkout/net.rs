//! Files that nothing explains: the lines of them that could reach trust material.

use serde_json::{Map, Value};

use crate::linkerd;

/// What names trust material.
const NAMES: [&str; 18] = [
    linkerd::TRUST_ROOTS,
    linkerd::ISSUER_SECRET,
    "linkerd-config",
    "linkerd-trust-anchor",
    "linkerd-trust-root-issuer",
    "linkerd-previous-anchor",
    "dentityTrustAnchorsPEM",
    "TrustAnchorsPEM",
    "crtPEM",
    "keyPEM",
    "CrtPEM",
    "identity.issuer",
    "identityTrustDomain",
    "issuanceLifetime",
    "clockSkewAllowance",
    "identity.externalCA",
    "externalCA",
    "IDENTITY_TRUST_ANCHORS",
];
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
/// The same in base64, for the three places at which a text may begin in its groups.
const BEGIN_BASE64: &str = "LS0tLS1CRUdJTi";

/// Does a text name trust material, or hold a certificate?
pub(super) fn is_about_trust(text: &str) -> bool {
    text.contains(BEGIN) || text.contains(BEGIN_BASE64) || names_trust(text)
}

pub(super) fn names_trust(text: &str) -> bool {
    NAMES.iter().any(|name| text.contains(name))
}

/// Does a text name the chart of a control plane?
pub(super) fn names_chart(text: &str) -> bool {
    ["linkerd-control-plane", "linkerd-enterprise-control-plane", "linkerd2"]
        .iter()
        .any(|name| text.contains(name))
}

/// What is of no concern to trust whatever it says.
const HARMLESS: [&str; 9] = [
    "version",
    "replicas",
    "image",
    "tag",
    "timeout",
    "interval",
    "description",
    "targetrevision",
    "revision",
];

/// Is a key that of a version, a count or the like?
pub(super) fn is_harmless(key: &str) -> bool {
    let key = key.to_lowercase();
    HARMLESS.iter().any(|word| key.ends_with(word))
}

/// A tree without what is of no concern to trust whatever it says.
pub(super) fn weighty(tree: &Value) -> Value {
    match tree {
        Value::Array(items) => items.iter().map(weighty).collect(),
        Value::Object(map) => {
            let mut kept = Map::new();
            for (key, value) in map.iter().filter(|(key, _)| !is_harmless(key)) {
                kept.insert(key.clone(), weighty(value));
            }
            kept.into()
        }
        other => other.clone(),
    }
}

/// A tree without what is installed beside Linkerd: of a list of releases in which some are Linkerd's, the others are left out.
pub(super) fn narrowed(tree: &Value) -> Value {
    match tree {
        Value::Array(items) => {
            let is_one = items.iter().any(installs);
            let is_other = |item: &&Value| {
                is_one && ["name", "chart"].iter().any(|key| item.get(*key).is_some()) && !installs(item)
            };
            items.iter().filter(|item| !is_other(item)).map(narrowed).collect()
        }
        Value::Object(map) => {
            let kept = map.iter().map(|(key, value)| (key.clone(), narrowed(value)));
            kept.collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Does an item of a list install a control plane, or name where one comes from?
fn installs(item: &Value) -> bool {
    let url = ["url", "repoURL"].iter().find_map(|key| item.get(*key)?.as_str());
    url.is_some_and(|url| url.contains("linkerd")) || names_chart(&item.to_string())
}

/// The lines of a text but for those that are of no concern to trust whatever they say: versions, counts, comments.
pub(super) fn significant(text: &str) -> Vec<&str> {
    let is_passed_over = |line: &str| {
        // A line may say more than what its first key is of.
        let says_more = || line.split_once(',').is_some_and(|(_, rest)| rest.contains([':', '=']));
        let key = line.trim_start_matches(['-', ' ', '"', '\'']).to_lowercase();
        let name: String = key.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        key.is_empty()
            || ["#", "//"].iter().any(|mark| key.starts_with(mark))
            || (is_harmless(&name) && !says_more())
    };
    text.lines().map(str::trim).filter(|line| !is_passed_over(line)).collect()
}

/// Of the parts of a text between empty lines, those that name Linkerd's chart.
pub(super) fn paragraphs(text: &str) -> Vec<&str> {
    text.split("\n\n").filter(|part| names_chart(part)).flat_map(significant).collect()
}

/// Could a text have to do with a control plane or its trust?
pub(super) fn names_linkerd(text: &str) -> bool {
    const CHARTS: [&str; 4] = ["linkerd-control-plane", "linkerd-enterprise", "linkerd2", linkerd::IDENTITY];
    is_about_trust(text) || CHARTS.iter().any(|name| text.contains(name))
}

/// The lines of a text that name trust material or hold certificates.
pub(super) fn lines(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let begins = line.contains(BEGIN);
        if inside || begins || line.contains(BEGIN_BASE64) || names_trust(line) {
            found.push(line);
        }
        inside = (inside || begins) && !line.contains(END);
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_list_of_releases_only_linkerds_count() {
        let mesh = json!({"name": "mesh", "chart": "linkerd/linkerd-control-plane", "set": [{"name": "a", "value": "b"}]});
        let tree = json!({"releases": [mesh, {"name": "shop", "chart": "shop"}], "environments": [{"name": "prod"}]});
        assert_eq!(narrowed(&tree), json!({"releases": [mesh], "environments": [{"name": "prod"}]}));
        let generators = json!([{"git": {"files": []}}, {"list": {"elements": [mesh]}}]);
        assert_eq!(narrowed(&generators), generators);
    }

    #[test]
    fn of_a_file_only_the_lines_about_trust_count() {
        let text = "version = 1\nset { name = \"identityTrustAnchorsPEM\" }\nx = <<EOF\n-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\nEOF\nimage = 3\n";
        assert_eq!(lines(text).len(), 4);
        assert!(is_about_trust(text) && !is_about_trust("image: shop:1"));
    }
}

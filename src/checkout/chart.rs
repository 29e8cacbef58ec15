//! What Linkerd's charts make of values, as far as it is trust material.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::document::{Document, Origin};
use crate::linkerd;
use crate::mesh::{Era, Scheme, VALUES_BELOW};
use crate::pki::Fingerprint;

/// A chart that installs a control plane, with the place of its values within the release's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chart {
    era: Era,
    /// The name or alias under which an umbrella chart hands values to it; empty for the chart itself.
    prefix: String,
}

/// Values that only Linkerd's charts have, whatever the chart is called.
const KEYS: [&str; 2] = ["/identityTrustAnchorsPEM", "/identity/issuer"];

impl Chart {
    /// The chart of this name and version, or the one within it to which the values are handed; `None` where neither is
    /// Linkerd's.
    pub(super) fn of(name: &str, version: &str, values: &Value) -> Option<Self> {
        let name = name.rsplit('/').next().unwrap_or(name);
        let own = |era| Some(Self { era, prefix: String::new() });
        match name {
            "linkerd-control-plane" | "linkerd-enterprise-control-plane" => return own(Era::V2_12),
            "linkerd2" => return own(era_of_linkerd2(version, values)),
            _ => {}
        }
        if has_keys(values) {
            return own(Era::V2_12);
        }
        let (prefix, _) = values.as_object()?.iter().find(|(key, part)| {
            key.as_str() == "linkerd-control-plane" || (key.as_str() != "global" && has_keys(part))
        })?;
        Some(Self { era: Era::V2_12, prefix: prefix.clone() })
    }

    /// The chart that an umbrella chart depends on, if it is Linkerd's.
    pub(super) fn of_dependency(dependency: &Value) -> Option<Self> {
        let text = |key: &str| dependency[key].as_str().unwrap_or_default();
        let name = text("name");
        let chart = Self::of(name, text("version"), &Value::Null)?;
        let alias = if text("alias").is_empty() { name } else { text("alias") };
        Some(Self { prefix: alias.to_owned(), ..chart })
    }

    /// The values that reach the chart.
    pub(super) fn values<'a>(&self, all: &'a Value) -> &'a Value {
        if self.prefix.is_empty() { all } else { &all[&self.prefix] }
    }

    /// The objects with trust material that the chart makes, and what it writes into pod templates for their sake.
    ///
    /// `marks` are the labels and annotations by which its owner is told.
    pub(super) fn objects(
        &self,
        all: &Value,
        namespace: &str,
        marks: &Value,
        origin: &Origin,
    ) -> Vec<Document> {
        let values = self.values(all);
        let maker = Maker { values, era: self.era, namespace };
        let trees = [maker.trust_roots(), maker.issuer(), maker.config()].into_iter().flatten();
        let trees = trees.chain(maker.restarts());
        let marked = |mut tree: Value| {
            for (field, mark) in marks.as_object().into_iter().flatten() {
                tree["metadata"][field] = mark.clone();
            }
            if !self.prefix.is_empty() && tree.pointer("/metadata/annotations").is_some() {
                tree["metadata"]["annotations"][VALUES_BELOW] = self.prefix.as_str().into();
            }
            Document { origin: origin.clone(), tree }
        };
        trees.map(marked).collect()
    }
}

fn has_keys(values: &Value) -> bool {
    KEYS.iter().any(|key| values.pointer(key).is_some())
}

/// `linkerd2` was the chart's name up to 2.11.
fn era_of_linkerd2(version: &str, values: &Value) -> Era {
    if values.pointer("/global/identityTrustAnchorsPEM").is_some() {
        return Era::V2_9;
    }
    match version.split('.').take(2).collect::<Vec<_>>().as_slice() {
        ["2", "6"] => Era::V2_6,
        ["2", "7" | "8"] => Era::V2_7,
        ["2", "9"] => Era::V2_9,
        ["2", "10"] => Era::V2_10,
        _ => Era::V2_11,
    }
}

struct Maker<'a> {
    values: &'a Value,
    era: Era,
    namespace: &'a str,
}

impl Maker<'_> {
    fn text(&self, pointer: &str) -> Option<&str> {
        self.values.pointer(pointer).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    }

    fn anchors(&self) -> Option<&str> {
        self.text("/identityTrustAnchorsPEM").or_else(|| self.text("/global/identityTrustAnchorsPEM"))
    }

    fn scheme(&self) -> &str {
        self.text("/identity/issuer/scheme").unwrap_or("linkerd.io/tls")
    }

    fn has_external_ca(&self) -> bool {
        self.values.pointer("/identity/externalCA") == Some(&Value::Bool(true))
    }

    fn object(&self, kind: &str, name: &str, data: Value) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": self.namespace}, "data": data})
    }

    /// `templates/identity.yaml`: trimmed, and left out where something else makes it.
    fn trust_roots(&self) -> Option<Value> {
        let anchors = self.anchors().filter(|_| self.era >= Era::V2_11 && !self.has_external_ca())?;
        Some(self.object("ConfigMap", linkerd::TRUST_ROOTS, json!({"ca-bundle.crt": anchors.trim()})))
    }

    /// `templates/identity.yaml`: only for the scheme linkerd.io/tls.
    fn issuer(&self) -> Option<Value> {
        let of = |pointer| Some(STANDARD.encode(self.text(pointer)?.trim()));
        if Scheme::of(self.scheme()) != Scheme::Linkerd {
            return None;
        }
        let (certificate, key) = (of("/identity/issuer/tls/crtPEM"), of("/identity/issuer/tls/keyPEM"));
        let texts =
            ["/identity/issuer/tls/crtPEM", "/identity/issuer/tls/keyPEM"].map(|pointer| self.text(pointer));
        let is_encrypted = texts.into_iter().flatten().any(|text| text.starts_with("ENC["));
        let mut data = Map::new();
        data.insert("crt.pem".to_owned(), certificate?.into());
        if let Some(key) = key {
            data.insert("key.pem".to_owned(), key.into());
        }
        let mut secret = self.object("Secret", linkerd::ISSUER_SECRET, data.into());
        if is_encrypted {
            secret["sops"] = json!({});
        }
        Some(secret)
    }

    /// `templates/config.yaml`: the values, of which those about identity are kept here.
    fn config(&self) -> Option<Value> {
        if self.era < Era::V2_9 {
            return None;
        }
        let text = |pointer: &str, default: &str| self.text(pointer).unwrap_or(default).to_owned();
        let cluster_domain = text("/clusterDomain", "cluster.local");
        let mut values = json!({
            "clusterDomain": cluster_domain,
            "identityTrustDomain": text("/identityTrustDomain", &cluster_domain),
            "identity": {
                "externalCA": self.has_external_ca(),
                "issuer": {
                    "scheme": self.scheme(),
                    "issuanceLifetime": text("/identity/issuer/issuanceLifetime", "24h0m0s"),
                    "clockSkewAllowance": text("/identity/issuer/clockSkewAllowance", "20s"),
                    "tls": {"crtPEM": self.text("/identity/issuer/tls/crtPEM").unwrap_or_default()},
                },
            },
        });
        if let Some(anchors) = self.anchors() {
            values["identityTrustAnchorsPEM"] = anchors.into();
        }
        for key in ["additionalEnv", "experimentalEnv"] {
            if let Some(value) = self.values.pointer(&format!("/identity/{key}")) {
                values["identity"][key] = value.clone();
            }
        }
        for key in ["linkerdVersion", "proxy", "disableIdentity"] {
            if let Some(value) = self.values.get(key) {
                values[key] = value.clone();
            }
        }
        if self.era == Era::V2_9 {
            values["identity"]["externalCA"].take();
            let global = values.clone();
            values = json!({"global": global, "identity": values["identity"]});
        }
        let mut data = json!({"values": values.to_string()});
        if self.era >= Era::V2_12 {
            data["linkerd-crds-chart-version"] = "".into();
        }
        Some(self.object("ConfigMap", linkerd::CONFIG, data))
    }

    /// `charts/partials/templates/_metadata.tpl`: the hash of the value as it is, and the pods' annotations. Those of components
    /// count since edge-25.1.1, and the injector's template takes those of the identity controller.
    fn restarts(&self) -> Vec<Value> {
        const COMPONENTS: [(&str, &str); 3] = [
            (linkerd::IDENTITY, "identity"),
            (linkerd::DESTINATION, "destinationController"),
            (linkerd::PROXY_INJECTOR, "identity"),
        ];
        let annotations = |pointer: &str| self.values.pointer(pointer).and_then(Value::as_object).cloned();
        let template = |(name, component): (&str, &str)| {
            let mut all = annotations("/podAnnotations").unwrap_or_default();
            all.extend(annotations(&format!("/{component}/podAnnotations")).unwrap_or_default());
            if self.era >= Era::V2_12 && (self.anchors().is_some() || self.has_external_ca()) {
                let hash = Fingerprint::digest(self.anchors().unwrap_or_default().as_bytes());
                all.insert(linkerd::TRUST_ROOT_ANNOTATION.to_owned(), hash.to_string().into());
            }
            let metadata = json!({"name": name, "namespace": self.namespace});
            (!all.is_empty()).then(|| {
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                    "spec": {"template": {"metadata": {"annotations": all}}}})
            })
        };
        COMPONENTS.into_iter().filter_map(template).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(values: &Value) -> Vec<String> {
        let chart = Chart::of("linkerd-control-plane", "", values).unwrap();
        let made = chart.objects(values, "linkerd", &json!({}), &Origin::default());
        made.iter().map(|document| document.tree["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// templates/proxy-injector.yaml of edge-26.8.3 reads `identity.podAnnotations`; nothing reads `proxyInjector.podAnnotations`.
    #[test]
    fn the_injector_takes_the_pod_annotations_of_the_identity_controller() {
        let annotations = |text: &str| json!({"podAnnotations": {"restart": text}});
        let values = json!({
            "identity": annotations("identity"), "destinationController": annotations("destination"),
            "proxyInjector": annotations("injector"),
        });
        let chart = Chart::of("linkerd-control-plane", "", &values).unwrap();
        let made = chart.objects(&values, "linkerd", &json!({}), &Origin::default());
        let restarted = |name: &str| {
            let found = made.iter().find(|document| document.tree["metadata"]["name"] == name).unwrap();
            found.tree["spec"]["template"]["metadata"]["annotations"]["restart"].clone()
        };
        let names = [linkerd::IDENTITY, linkerd::DESTINATION, linkerd::PROXY_INJECTOR];
        assert_eq!(names.map(restarted), ["identity", "destination", "identity"]);
    }

    #[test]
    fn a_chart_makes_the_objects_that_its_values_ask_for() {
        let all = ["linkerd-identity-trust-roots", "linkerd-identity-issuer", "linkerd-config"];
        let pods = ["linkerd-identity", "linkerd-destination", "linkerd-proxy-injector"];
        let tls = json!({"crtPEM": "c", "keyPEM": "k"});
        let values = json!({"identityTrustAnchorsPEM": "a", "identity": {"issuer": {"tls": tls}}});
        assert_eq!(names(&values), [&all[..], &pods].concat());
        let external =
            json!({"identity": {"externalCA": true, "issuer": {"scheme": "kubernetes.io/tls", "tls": tls}}});
        assert_eq!(names(&external), [&all[2..], &pods].concat());
    }

    #[test]
    fn a_chart_is_told_by_its_name_or_by_the_values_that_only_linkerds_has() {
        let values = json!({"linkerd": {"identityTrustAnchorsPEM": "a"}, "ingress": {"enabled": true}});
        assert_eq!(Chart::of("platform", "1", &values).unwrap().prefix, "linkerd");
        assert_eq!(Chart::of("platform", "1", &json!({"identity": {"create": true}})), None);
        assert_eq!(
            Chart::of("oci://registry.example/linkerd-control-plane", "1", &json!({})).unwrap().prefix,
            ""
        );
        assert_eq!(Chart::of("linkerd2", "2.10.2", &json!({})).unwrap().era, Era::V2_10);
    }
}

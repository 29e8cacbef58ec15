//! Would the proxy injector mesh the pods of a template?

use crate::linkerd;
use std::collections::BTreeMap;

use serde_json::Value;

use super::tree::{annotation, is_true, items, label, map, text};

/// The annotation that asks for a proxy, on a namespace or a template.
const INJECT: &str = "linkerd.io/inject";

/// Containers beside which the injector adds no proxy (`HasExistingSidecars` in Linkerd's `pkg/healthcheck/sidecar.go`).
const SIDECARS: [&str; 4] = [linkerd::PROXY_CONTAINER, "linkerd-init", "istio-proxy", "istio-init"];

/// Labels of pods that the webhook's `objectSelector` leaves out.
const EXCLUDED: [&str; 2] = ["linkerd.io/control-plane-component", "linkerd.io/cni-resource"];

/// Namespaces that the webhook's `namespaceSelector` leaves out by name.
const EXCLUDED_NAMESPACES: [&str; 2] = ["kube-system", "cert-manager"];

/// What a pod template says of its proxy.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    /// `metadata.annotations`; `None` where there are none.
    pub(super) annotations: Option<BTreeMap<String, String>>,
    /// Is the proxy part of it?
    pub(super) has_proxy: bool,
    /// `linkerd.io/control-plane-ns`, which templates with a proxy have.
    pub(super) control_plane: Option<String>,
    /// Does the injector pass it over, whatever its annotations?
    excluded: bool,
}

impl Intent {
    /// Reads a pod template, or a Pod.
    pub(super) fn of(template: &Value) -> Self {
        let names: Vec<&str> = ["/spec/containers", "/spec/initContainers"]
            .iter()
            .flat_map(|list| items(template, list))
            .filter_map(|container| text(container, "/name"))
            .collect();
        let written = |(key, value): (&String, &Value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (key.clone(), value)
        };
        Self {
            annotations: map(template, "/metadata/annotations").map(|all| all.iter().map(written).collect()),
            has_proxy: names.contains(&linkerd::PROXY_CONTAINER),
            control_plane: label(template, "linkerd.io/control-plane-ns").map(str::to_owned),
            excluded: is_true(template, "/spec/hostNetwork")
                || EXCLUDED.iter().any(|key| label(template, key).is_some())
                || names.iter().any(|name| SIDECARS.contains(name)),
        }
    }

    /// Would pods of this template get a proxy in this namespace, by the injector or because it is part of it?
    pub(super) fn is_meshed(&self, namespaces: &Namespaces, namespace: &str) -> bool {
        let own = self.annotations.as_ref().and_then(|all| all.get(INJECT)).map(String::as_str);
        self.has_proxy || (!self.excluded && namespaces.injects(namespace, own))
    }
}

/// What namespaces say of injection, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Namespaces(BTreeMap<String, Namespace>);

#[derive(Debug, Clone)]
struct Namespace {
    inject: Option<String>,
    without_webhooks: bool,
}

impl Namespaces {
    /// Reads a Namespace.
    pub(super) fn see(&mut self, tree: &Value) {
        if let Some(name) = text(tree, "/metadata/name") {
            let namespace = Namespace {
                inject: annotation(tree, INJECT).map(str::to_owned),
                without_webhooks: label(tree, "config.linkerd.io/admission-webhooks") == Some("disabled"),
            };
            self.0.insert(name.to_owned(), namespace);
        }
    }

    /// Does the injector act on a pod in this namespace that asks for it itself, or not at all?
    fn injects(&self, namespace: &str, own: Option<&str>) -> bool {
        let seen = self.0.get(namespace);
        let asked = own.or(seen.and_then(|seen| seen.inject.as_deref()));
        matches!(asked, Some("enabled" | "ingress"))
            && !EXCLUDED_NAMESPACES.contains(&namespace)
            && !seen.is_some_and(|seen| seen.without_webhooks)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meshed(namespace: Value, template: Value) -> bool {
        let mut namespaces = Namespaces::default();
        namespaces.see(&namespace);
        let name = text(&namespace, "/metadata/name").unwrap();
        Intent::of(&template).is_meshed(&namespaces, name)
    }

    fn namespace(inject: Option<&str>) -> Value {
        json!({"metadata": {"name": "ns", "annotations": inject.map(|value| json!({INJECT: value}))}})
    }

    fn template(inject: Option<&str>) -> Value {
        json!({"metadata": {"annotations": inject.map(|value| json!({INJECT: value}))},
            "spec": {"containers": [{"name": "app"}]}})
    }

    #[test]
    fn a_template_goes_before_its_namespace() {
        for (of_namespace, of_template, expected) in [
            (None, None, false),
            (Some("enabled"), None, true),
            (Some("ingress"), None, true),
            (Some("disabled"), None, false),
            (Some("enabled"), Some("disabled"), false),
            (Some("disabled"), Some("enabled"), true),
            (None, Some("ingress"), true),
            (None, Some("true"), false),
        ] {
            assert_eq!(
                meshed(namespace(of_namespace), template(of_template)),
                expected,
                "{of_namespace:?} {of_template:?}"
            );
        }
    }

    #[test]
    fn what_the_webhook_leaves_out_is_not_meshed() {
        let mut host = template(Some("enabled"));
        host["spec"]["hostNetwork"] = true.into();
        let mut istio = template(Some("enabled"));
        istio["spec"]["containers"][0]["name"] = "istio-proxy".into();
        let mut cni = template(Some("enabled"));
        cni["metadata"]["labels"] = json!({"linkerd.io/cni-resource": "true"});
        for left_out in [host, istio, cni] {
            assert!(!meshed(namespace(None), left_out.clone()), "{left_out}");
        }
        let off = json!({"metadata": {"name": "ns", "labels": {"config.linkerd.io/admission-webhooks": "disabled"}}});
        assert!(!meshed(off, template(Some("enabled"))));
        let system = json!({"metadata": {"name": "kube-system"}});
        assert!(!meshed(system, template(Some("enabled"))));
    }

    #[test]
    fn a_proxy_in_the_template_needs_no_injector() {
        let mut native = template(Some("disabled"));
        native["spec"]["initContainers"] =
            json!([{"name": linkerd::PROXY_CONTAINER, "restartPolicy": "Always"}]);
        assert!(meshed(namespace(None), native));
    }
}

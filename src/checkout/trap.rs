//! Changes in Git that have no effect in the cluster.

use serde::Serialize;
use serde_json::Value;

use super::kustomization::{list, strings};
use crate::document::{Document, ObjectRef, Origin, text_at};
use crate::linkerd;

/// Something in the repository that keeps a change from having an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// Where it stands.
    pub origin: Origin,
    /// The object that says it.
    pub object: ObjectRef,
    /// What it says.
    pub because: NoEffect,
}

/// Why a change in Git has no effect in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoEffect {
    /// Flux: `spec.suspend`.
    Suspended,
    /// Flux: annotation `kustomize.toolkit.fluxcd.io/reconcile: disabled` (kustomize-controller, `kustomization_controller.go`).
    ReconcileDisabled,
    /// Flux: annotation `kustomize.toolkit.fluxcd.io/ssa: IfNotPresent` or `Ignore`, which is applied at most once.
    AppliedOnce,
    /// Argo CD: `RespectIgnoreDifferences=true` with a rule for the data of the object: the live value is kept
    /// (`controller/sync.go`).
    DifferencesRespected,
    /// Flux: a chart of this directory out of Git is packed anew only when the version in its Chart.yaml changes
    /// (source-controller, `builder_local.go`; `reconcileStrategy: ChartVersion` is the default).
    ChartVersionUnchanged(String),
}

/// How each is told.
const RULES: [fn(&Value) -> Option<NoEffect>; 5] =
    [suspended, reconcile_disabled, applied_once, differences_respected, chart_version];

/// What an object with trust material, or one that deploys it, says against its own change.
pub(super) fn traps(document: &Document) -> Vec<Trap> {
    let Some(object) = ObjectRef::of(&document.tree) else { return Vec::new() };
    let trap = |because| Trap { origin: document.origin.clone(), object: object.clone(), because };
    RULES.iter().filter_map(|rule| rule(&document.tree)).map(trap).collect()
}

fn suspended(tree: &Value) -> Option<NoEffect> {
    let is_flux = text_at(tree, "/apiVersion").contains(".toolkit.fluxcd.io/");
    (is_flux && tree.pointer("/spec/suspend") == Some(&Value::Bool(true))).then_some(NoEffect::Suspended)
}

fn annotation<'a>(tree: &'a Value, key: &str) -> &'a str {
    tree.pointer("/metadata/annotations").and_then(|all| all.get(key)?.as_str()).unwrap_or_default()
}

fn reconcile_disabled(tree: &Value) -> Option<NoEffect> {
    let is = annotation(tree, "kustomize.toolkit.fluxcd.io/reconcile") == "disabled";
    is.then_some(NoEffect::ReconcileDisabled)
}

fn applied_once(tree: &Value) -> Option<NoEffect> {
    let is = ["IfNotPresent", "Ignore"].contains(&annotation(tree, "kustomize.toolkit.fluxcd.io/ssa"));
    is.then_some(NoEffect::AppliedOnce)
}

fn differences_respected(tree: &Value) -> Option<NoEffect> {
    let options = strings(tree.pointer("/spec/syncPolicy/syncOptions"));
    if !options.into_iter().any(|option| option == "RespectIgnoreDifferences=true") {
        return None;
    }
    let names = [linkerd::TRUST_ROOTS, linkerd::ISSUER_SECRET, linkerd::CONFIG];
    let of_data = |rule: &&Value| {
        let name = text_at(rule, "/name");
        let pointers = strings(rule.get("jsonPointers")).any(|pointer| pointer.starts_with("/data"));
        let paths = strings(rule.get("jqPathExpressions")).any(|path| path.starts_with(".data"));
        ["ConfigMap", "Secret", "*"].contains(&text_at(rule, "/kind"))
            && (name.is_empty() || name.contains('*') || names.contains(&name))
            && (pointers || paths)
    };
    list(tree.pointer("/spec/ignoreDifferences")).find(of_data).map(|_| NoEffect::DifferencesRespected)
}

fn chart_version(tree: &Value) -> Option<NoEffect> {
    let spec = tree.pointer("/spec/chart/spec")?;
    let from_git = ["GitRepository", "Bucket"].contains(&text_at(spec, "/sourceRef/kind"));
    let chart = super::path::join("", text_at(spec, "/chart"))?;
    (from_git && text_at(spec, "/reconcileStrategy") != "Revision")
        .then_some(NoEffect::ChartVersionUnchanged(chart))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_trap_is_told_by_its_own_mark() {
        let flux = |spec: Value| json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "x"}, "spec": spec});
        let map = |key: &str, value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "annotations": {key: value}}});
        let rule = |name: &str| {
            json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "x"}, "spec": {
                "syncPolicy": {"syncOptions": ["RespectIgnoreDifferences=true"]},
                "ignoreDifferences": [{"kind": "Secret", "name": name, "jsonPointers": ["/data"]}]}})
        };
        let chart = |strategy: &str| {
            flux(
                json!({"chart": {"spec": {"chart": "./charts/mesh", "reconcileStrategy": strategy, "sourceRef": {"kind": "GitRepository"}}}}),
            )
        };
        for (tree, because) in [
            (flux(json!({"suspend": true})), Some(NoEffect::Suspended)),
            (flux(json!({"suspend": false})), None),
            (map("kustomize.toolkit.fluxcd.io/reconcile", "disabled"), Some(NoEffect::ReconcileDisabled)),
            (map("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent"), Some(NoEffect::AppliedOnce)),
            (map("kustomize.toolkit.fluxcd.io/ssa", "Merge"), None),
            (rule("linkerd-identity-issuer"), Some(NoEffect::DifferencesRespected)),
            (rule("linkerd-proxy-injector-k8s-tls"), None),
            (chart("ChartVersion"), Some(NoEffect::ChartVersionUnchanged("charts/mesh".to_owned()))),
            (chart("Revision"), None),
        ] {
            let found = traps(&Document { origin: Origin::default(), tree: tree.clone() });
            assert_eq!(found.first().map(|trap| trap.because.clone()), because, "{tree}");
        }
    }
}

//! Who made an object and would put it back after a change.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::cert_manager::{CERT_MANAGER_GROUP, CLUSTER_BUNDLE_GROUP, TRUST_MANAGER_GROUP};
use super::observer::tree::{annotation, items, label, text};
use crate::printable::escaped;

/// An owner of a live object, told by labels, annotations and owner references.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Owner {
    /// cert-manager renews it from a `Certificate`.
    CertManager {
        /// Name of the Certificate.
        certificate: String,
    },
    /// trust-manager writes it from a `Bundle`.
    TrustManager {
        /// Name of the Bundle.
        bundle: String,
    },
    /// External Secrets writes it from an `ExternalSecret`.
    ExternalSecrets {
        /// Name of the ExternalSecret.
        name: String,
    },
    /// The Sealed Secrets controller unseals it from a `SealedSecret`.
    SealedSecrets {
        /// Name of the SealedSecret.
        name: String,
    },
    /// A chart renders it from values that a file of the repository declares.
    ChartValues {
        /// The file.
        file: String,
        /// The name or alias below which an umbrella chart's values reach Linkerd's; empty for Linkerd's own.
        below: String,
    },
    /// A Helm release renders it.
    Helm {
        /// Release name; empty where only Linkerd's own annotation tells.
        release: String,
        /// Release namespace.
        namespace: String,
    },
    /// `linkerd upgrade` renders it from the Secret `linkerd-config-overrides`.
    LinkerdCli,
    /// Argo CD applies it.
    ArgoCd {
        /// Application name (`argocd.argoproj.io/tracking-id` or instance label).
        application: String,
    },
    /// A Flux `Kustomization` applies it.
    FluxKustomization {
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// A Flux `HelmRelease` renders it.
    FluxHelmRelease {
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
}

/// How each owner is told, strongest first: controllers that write the object anew by themselves, then GitOps engines, then
/// what a manual upgrade renders.
const RULES: [fn(&Value) -> Option<Owner>; 10] = [
    cert_manager,
    trust_manager,
    external_secrets,
    sealed_secrets,
    chart_values,
    flux_helm_release,
    flux_kustomization,
    argo_cd,
    helm,
    linkerd_cli,
];

impl Owner {
    /// Everybody who would put the object back, strongest first.
    #[must_use]
    pub fn all_of(tree: &Value) -> Vec<Self> {
        RULES.iter().filter_map(|rule| rule(tree)).collect()
    }

    /// Does it apply the object from Git or a release, rather than compute it?
    #[must_use]
    pub const fn is_gitops_engine(&self) -> bool {
        matches!(self, Self::ArgoCd { .. } | Self::FluxKustomization { .. } | Self::FluxHelmRelease { .. })
    }
}

/// A name out of an annotation, which may hold anything.
fn told(name: &str) -> String {
    escaped(name).into_owned()
}

fn cert_manager(tree: &Value) -> Option<Owner> {
    let certificate = annotation(tree, "cert-manager.io/certificate-name")
        .or_else(|| referenced(tree, CERT_MANAGER_GROUP, "Certificate"))?;
    Some(Owner::CertManager { certificate: told(certificate) })
}

fn trust_manager(tree: &Value) -> Option<Owner> {
    let bundle = label(tree, "trust.cert-manager.io/bundle")
        .or_else(|| label(tree, "trust-manager.io/bundle"))
        .or_else(|| referenced(tree, TRUST_MANAGER_GROUP, "Bundle"))
        .or_else(|| referenced(tree, CLUSTER_BUNDLE_GROUP, "ClusterBundle"))?;
    Some(Owner::TrustManager { bundle: told(bundle) })
}

fn external_secrets(tree: &Value) -> Option<Owner> {
    let marked = label(tree, "reconcile.external-secrets.io/managed").is_some()
        || annotation(tree, "reconcile.external-secrets.io/data-hash").is_some();
    let name =
        referenced(tree, "external-secrets.io", "ExternalSecret").or_else(|| own_name(tree, marked))?;
    Some(Owner::ExternalSecrets { name: told(name) })
}

fn sealed_secrets(tree: &Value) -> Option<Owner> {
    let marked = annotation(tree, "sealedsecrets.bitnami.com/managed") == Some("true");
    let name = referenced(tree, "bitnami.com", "SealedSecret").or_else(|| own_name(tree, marked))?;
    Some(Owner::SealedSecrets { name: told(name) })
}

/// Marks that this program gives to objects that it makes of declared values.
pub const VALUES_FILE: &str = "l5d-rotate/values-file";
/// See [`VALUES_FILE`].
pub const VALUES_BELOW: &str = "l5d-rotate/values-below";

fn chart_values(tree: &Value) -> Option<Owner> {
    let below = annotation(tree, VALUES_BELOW).unwrap_or_default();
    Some(Owner::ChartValues { file: told(annotation(tree, VALUES_FILE)?), below: told(below) })
}

fn flux_helm_release(tree: &Value) -> Option<Owner> {
    let [name, namespace] =
        ["name", "namespace"].map(|key| label(tree, &format!("helm.toolkit.fluxcd.io/{key}")));
    Some(Owner::FluxHelmRelease { name: told(name?), namespace: told(namespace.unwrap_or_default()) })
}

fn flux_kustomization(tree: &Value) -> Option<Owner> {
    let [name, namespace] =
        ["name", "namespace"].map(|key| label(tree, &format!("kustomize.toolkit.fluxcd.io/{key}")));
    Some(Owner::FluxKustomization { name: told(name?), namespace: told(namespace.unwrap_or_default()) })
}

/// The tracking id reads `APPLICATION:GROUP/KIND:NAMESPACE/NAME`.
fn argo_cd(tree: &Value) -> Option<Owner> {
    const INSTANCE: &str = "argocd.argoproj.io/instance";
    let tracked = annotation(tree, "argocd.argoproj.io/tracking-id")
        .and_then(|id| id.split_once(':'))
        .map(|(name, _)| name);
    let application = tracked.or_else(|| label(tree, INSTANCE)).or_else(|| annotation(tree, INSTANCE))?;
    Some(Owner::ArgoCd { application: told(application) })
}

/// `meta.helm.sh/*` of Helm 3.2 and later, its label, or what Linkerd's charts say of themselves.
fn helm(tree: &Value) -> Option<Owner> {
    let [release, namespace] = ["name", "namespace"]
        .map(|key| annotation(tree, &format!("meta.helm.sh/release-{key}")).unwrap_or_default());
    let is_helm = !release.is_empty()
        || label(tree, "app.kubernetes.io/managed-by") == Some("Helm")
        || created_by(tree, "linkerd/helm");
    is_helm.then(|| Owner::Helm { release: told(release), namespace: told(namespace) })
}

/// Not of pods: there it says that `linkerd inject` was run manually.
fn linkerd_cli(tree: &Value) -> Option<Owner> {
    let overrides = text(tree, "/metadata/name") == Some("linkerd-config-overrides");
    (text(tree, "/kind") != Some("Pod") && (overrides || created_by(tree, "linkerd/cli")))
        .then_some(Owner::LinkerdCli)
}

fn created_by(tree: &Value, who: &str) -> bool {
    annotation(tree, "linkerd.io/created-by").is_some_and(|by| by.starts_with(who))
}

/// The name in the owner reference to a kind of a group.
fn referenced<'a>(tree: &'a Value, group: &str, kind: &str) -> Option<&'a str> {
    let is_it = |reference: &&Value| {
        let version = text(reference, "/apiVersion").unwrap_or_default();
        version.split('/').next() == Some(group) && text(reference, "/kind") == Some(kind)
    };
    items(tree, "/metadata/ownerReferences").iter().find(is_it).and_then(|reference| text(reference, "/name"))
}

/// These controllers' objects share the name of what they write, where nothing says otherwise.
fn own_name(tree: &Value, marked: bool) -> Option<&str> {
    marked.then(|| text(tree, "/metadata/name")).flatten()
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertManager { certificate } => write!(f, "cert-manager Certificate {certificate}"),
            Self::TrustManager { bundle } => write!(f, "trust-manager Bundle {bundle}"),
            Self::ExternalSecrets { name } => write!(f, "ExternalSecret {name}"),
            Self::SealedSecrets { name } => write!(f, "SealedSecret {name}"),
            Self::ChartValues { file, .. } => write!(f, "the chart values in {file}"),
            Self::Helm { release, .. } if release.is_empty() => f.write_str("Helm"),
            Self::Helm { release, namespace } => write!(f, "Helm release {namespace}/{release}"),
            Self::LinkerdCli => f.write_str("the linkerd CLI"),
            Self::ArgoCd { application } => write!(f, "Argo CD Application {application}"),
            Self::FluxKustomization { name, namespace } => write!(f, "Flux Kustomization {namespace}/{name}"),
            Self::FluxHelmRelease { name, namespace } => write!(f, "Flux HelmRelease {namespace}/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owners(metadata: Value) -> Vec<String> {
        Owner::all_of(&json!({"kind": "Secret", "metadata": metadata})).iter().map(Owner::to_string).collect()
    }

    #[test]
    fn each_owner_is_told_by_its_own_mark() {
        let told = [
            (json!({"annotations": {"cert-manager.io/certificate-name": "a"}}), "cert-manager Certificate a"),
            (json!({"labels": {"trust.cert-manager.io/bundle": "b"}}), "trust-manager Bundle b"),
            (
                json!({"ownerReferences": [{"apiVersion": "trust.cert-manager.io/v1alpha1", "kind": "Bundle", "name": "b"}]}),
                "trust-manager Bundle b",
            ),
            (
                json!({"ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "c"}]}),
                "ExternalSecret c",
            ),
            (
                json!({"ownerReferences": [{"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": "d"}]}),
                "SealedSecret d",
            ),
            (
                json!({"name": "e", "annotations": {"sealedsecrets.bitnami.com/managed": "true"}}),
                "SealedSecret e",
            ),
            (
                json!({"labels": {"helm.toolkit.fluxcd.io/name": "f", "helm.toolkit.fluxcd.io/namespace": "ns"}}),
                "Flux HelmRelease ns/f",
            ),
            (
                json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "g", "kustomize.toolkit.fluxcd.io/namespace": "ns"}}),
                "Flux Kustomization ns/g",
            ),
            (json!({"labels": {"argocd.argoproj.io/instance": "h"}}), "Argo CD Application h"),
            (
                json!({"annotations": {"argocd.argoproj.io/tracking-id": "h:apps/Deployment:ns/web"}}),
                "Argo CD Application h",
            ),
            (
                json!({"annotations": {"meta.helm.sh/release-name": "i", "meta.helm.sh/release-namespace": "ns"}}),
                "Helm release ns/i",
            ),
            (json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}), "Helm"),
            (json!({"annotations": {"linkerd.io/created-by": "linkerd/helm edge-25.4.4"}}), "Helm"),
            (
                json!({"annotations": {"linkerd.io/created-by": "linkerd/cli stable-2.14.10"}}),
                "the linkerd CLI",
            ),
            (json!({"name": "linkerd-config-overrides"}), "the linkerd CLI"),
        ];
        for (metadata, owner) in told {
            assert_eq!(owners(metadata.clone()), [owner], "{metadata}");
        }
    }

    #[test]
    fn who_writes_by_itself_comes_before_who_renders() {
        let metadata = json!({
            "labels": {"app.kubernetes.io/managed-by": "Helm", "helm.toolkit.fluxcd.io/name": "linkerd",
                "helm.toolkit.fluxcd.io/namespace": "flux-system"},
            "annotations": {"meta.helm.sh/release-name": "linkerd", "meta.helm.sh/release-namespace": "linkerd",
                "cert-manager.io/certificate-name": "linkerd-identity-issuer"},
        });
        assert_eq!(
            owners(metadata),
            [
                "cert-manager Certificate linkerd-identity-issuer",
                "Flux HelmRelease flux-system/linkerd",
                "Helm release linkerd/linkerd",
            ]
        );
    }

    #[test]
    fn an_instance_label_of_a_chart_is_not_argo_cd_and_a_pod_is_not_rendered_by_the_cli() {
        assert!(owners(json!({"labels": {"app.kubernetes.io/instance": "web"}})).is_empty());
        let pod =
            json!({"kind": "Pod", "metadata": {"annotations": {"linkerd.io/created-by": "linkerd/cli x"}}});
        assert!(Owner::all_of(&pod).is_empty());
    }
}

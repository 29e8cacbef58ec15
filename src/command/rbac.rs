//! What reading a cluster needs to be allowed.

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::document::yaml;
use crate::linkerd;
use crate::mesh::{CERT_MANAGER_GROUP, CLUSTER_BUNDLE_GROUP, TRUST_MANAGER_GROUP};

const NAME: &str = "l5d-rotate-reader";

/// One rule of a role, and what it is for.
struct Grant {
    group: &'static str,
    resources: &'static [&'static str],
    /// Objects that are read one by one; without any, all are listed.
    names: &'static [&'static str],
    /// What is unknown where this is not granted; `None` where nothing can be said without it.
    unknown_without: Option<&'static str>,
}

const CLUSTER: &[Grant] = &[
    Grant { group: "", resources: &["pods"], names: &[], unknown_without: None },
    Grant {
        group: "",
        resources: &["namespaces"],
        names: &[],
        unknown_without: Some(
            "where proxies are injected by a namespace's annotation, and which are extensions",
        ),
    },
    Grant {
        group: "apps",
        resources: &["deployments", "statefulsets", "daemonsets", "replicasets"],
        names: &[],
        unknown_without: Some("which workload a pod belongs to, so that no restart can be rendered for it"),
    },
    Grant {
        group: "batch",
        resources: &["jobs", "cronjobs"],
        names: &[],
        unknown_without: Some("which running pods are jobs, that no restart reaches"),
    },
    Grant {
        group: "",
        resources: &["replicationcontrollers"],
        names: &[],
        unknown_without: Some("whether a pod without another owner belongs to one"),
    },
    Grant {
        group: "argoproj.io",
        resources: &["rollouts"],
        names: &[],
        unknown_without: Some("the Argo Rollouts, and how to restart them"),
    },
    Grant {
        group: CERT_MANAGER_GROUP,
        resources: &["certificates", "certificaterequests", "issuers", "clusterissuers"],
        names: &[],
        unknown_without: Some("whether cert-manager renews the issuer by itself, and when"),
    },
    Grant {
        group: TRUST_MANAGER_GROUP,
        resources: &["bundles"],
        names: &[],
        unknown_without: Some("whether trust-manager writes the trust bundle"),
    },
    Grant {
        group: CLUSTER_BUNDLE_GROUP,
        resources: &["clusterbundles"],
        names: &[],
        unknown_without: Some("whether a ClusterBundle of trust-manager writes the trust bundle"),
    },
    Grant {
        group: "multicluster.linkerd.io",
        resources: &["links"],
        names: &[],
        unknown_without: Some("the linked clusters, whose proxies need the new anchor as well"),
    },
    Grant {
        group: "workload.linkerd.io",
        resources: &["externalworkloads"],
        names: &[],
        unknown_without: Some("the proxies outside the cluster"),
    },
];

const CONTROL_PLANE: &[Grant] = &[
    Grant {
        group: "",
        resources: &["configmaps"],
        names: &[linkerd::CONFIG, linkerd::TRUST_ROOTS],
        unknown_without: None,
    },
    Grant {
        group: "",
        resources: &["secrets"],
        names: &[linkerd::ISSUER_SECRET],
        unknown_without: Some(
            "the issuer in use; linkerd-config shows that of the last install or upgrade \
             (the Secret holds the issuer's private key too, which is neither kept nor shown)",
        ),
    },
    Grant {
        group: "",
        resources: &["secrets"],
        names: &[linkerd::CONFIG_OVERRIDES],
        unknown_without: Some("whether `linkerd upgrade` would bring the old certificates back"),
    },
    Grant {
        group: "external-secrets.io",
        resources: &["externalsecrets"],
        names: &[],
        unknown_without: Some("whether External Secrets writes the issuer"),
    },
    Grant {
        group: "bitnami.com",
        resources: &["sealedsecrets"],
        names: &[],
        unknown_without: Some("whether the issuer is unsealed from Git"),
    },
];

/// A `ClusterRole` and, in `namespace` (the control plane's), a `Role`: all that reading a live mesh needs, each rule
/// `get` or `list`. The comments above them say which rules may be left out, and what is unknown then.
///
/// The resources are those of Linkerd's control plane chart, its extensions, and what owns pods or certificates.
#[must_use]
pub fn manifest(namespace: &str) -> String {
    yaml::write_stream(&roles(namespace))
}

/// The roles, each with its head.
fn roles(namespace: &str) -> Vec<(Vec<String>, Value)> {
    let cluster = ClusterRole {
        metadata: metadata(None),
        rules: Some(CLUSTER.iter().map(rule).collect()),
        ..ClusterRole::default()
    };
    let role =
        Role { metadata: metadata(Some(namespace)), rules: Some(CONTROL_PLANE.iter().map(rule).collect()) };
    let bind = format!("kubectl create clusterrolebinding {NAME} --clusterrole={NAME} --user=USER");
    let bind_role = format!("kubectl create rolebinding {NAME} -n {namespace} --role={NAME} --user=USER");
    vec![(head(&bind, CLUSTER), tree(&cluster)), (head(&bind_role, CONTROL_PLANE), tree(&role))]
}

fn metadata(namespace: Option<&str>) -> ObjectMeta {
    let namespace = namespace.map(str::to_owned);
    ObjectMeta { name: Some(NAME.to_owned()), namespace, ..ObjectMeta::default() }
}

fn rule(grant: &Grant) -> PolicyRule {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let verb = if grant.names.is_empty() { "list" } else { "get" };
    PolicyRule {
        api_groups: Some(owned(&[grant.group])),
        resources: Some(owned(grant.resources)),
        resource_names: (!grant.names.is_empty()).then(|| owned(grant.names)),
        verbs: owned(&[verb]),
        ..PolicyRule::default()
    }
}

fn head(bind: &str, grants: &[Grant]) -> Vec<String> {
    let optional = grants.iter().filter_map(|grant| {
        let what = if grant.names.is_empty() { grant.resources } else { grant.names };
        Some(format!("  {}: {}", what.join(", "), grant.unknown_without?))
    });
    let start = [format!("Bind it: {bind}"), "May be left out, and what is unknown then:".to_owned()];
    start.into_iter().chain(optional).collect()
}

#[expect(clippy::expect_used, reason = "strings and lists of strings have JSON")]
fn tree(object: &impl serde::Serialize) -> Value {
    serde_json::to_value(object).expect("an object of strings")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_reading_is_asked_for_and_secrets_only_by_name() {
        for (_, role) in roles("linkerd") {
            for rule in role["rules"].as_array().unwrap() {
                let verbs = rule["verbs"].as_array().unwrap();
                assert!(verbs.iter().all(|verb| verb == "get" || verb == "list"), "{rule}");
                assert!(rule["resources"][0] != "secrets" || rule["resourceNames"].is_array(), "{rule}");
                assert!(!rule.to_string().contains('*'), "{rule}");
            }
        }
    }

    #[test]
    fn the_roles_grant_what_a_cluster_is_asked_for_and_nothing_more() {
        let resources =
            |grant: &'static Grant| grant.resources.iter().map(|resource| (grant.group, *resource));
        let granted: std::collections::BTreeSet<_> =
            CLUSTER.iter().chain(CONTROL_PLANE).flat_map(resources).collect();
        assert_eq!(granted, crate::source::asked());
    }

    #[test]
    fn the_role_is_in_the_control_planes_namespace_and_the_cluster_role_in_none() {
        let roles = roles("mesh");
        assert_eq!(
            (&roles[0].1["kind"], &roles[0].1["metadata"]["namespace"]),
            (&"ClusterRole".into(), &Value::Null)
        );
        assert_eq!(
            (&roles[1].1["kind"], &roles[1].1["metadata"]["namespace"]),
            (&"Role".into(), &"mesh".into())
        );
    }

    #[test]
    fn the_head_says_what_is_unknown_without_each_optional_rule() {
        let [(cluster, _), (role, _)] = roles("linkerd").try_into().unwrap();
        assert!(cluster.iter().any(|line| line.starts_with("  namespaces: ")));
        assert!(role.iter().any(|line| line.starts_with("  linkerd-config-overrides: ")));
        assert!(!cluster.iter().any(|line| line.starts_with("  pods")), "pods may not be left out");
    }
}

//! What is not known, in words.

use super::{Explanation, Words, listed, named, pods};
use crate::finding::InputFact;
use crate::mesh::Gap;
use crate::report::Screen;

pub(super) fn words(fact: &InputFact, screen: &Screen) -> Words {
    let (what, todo) = match fact {
        InputFact::ObjectAbsent { object } => {
            (format!("{object} does not exist, or is not in the input."), "")
        }
        InputFact::IssuerUnreadable { object, said } => {
            (format!("The issuer in {object} cannot be read: {said}."), "")
        }
        InputFact::IssuerKeyNotSeen { secret } => (
            format!("The private key in {secret} was not looked at."),
            "Read the cluster: the key is compared with the certificate, and not kept.",
        ),
        InputFact::ControlPlaneNotSeen { namespace } => (
            format!("The input holds no running container of the control plane in namespace {namespace}."),
            "Read the cluster, or add the output of `kubectl get pods -A -o json`.",
        ),
        InputFact::ExternalWorkloadsUnseen { names } => {
            (format!("Proxies of ExternalWorkloads were not seen: {}.", listed(names)), "")
        }
        InputFact::LinkedClustersUnseen { links } => {
            (format!("Proxies of linked clusters were not seen: {}.", listed(links)), "")
        }
        InputFact::InputIncomplete { gaps, only_namespace } => return incomplete(gaps, only_namespace),
        InputFact::ObjectUnknown { object, why } => {
            (format!("{object} is not known: {why}."), "Give it in the input, or the right to read it.")
        }
        InputFact::PodsNotGiven => (
            "The input holds no pods.".to_owned(),
            "Read the cluster, or add the output of `kubectl get pods -A -o json`.",
        ),
        InputFact::PodsUnknown { why } => (
            format!("Pods are not known: {why}."),
            "`kubectl l5d-rotate rbac` prints the permissions that reading needs.",
        ),
        InputFact::OneNamespace { namespace } => (
            format!("Only namespace {namespace} was looked at."),
            "Leave --namespace away to see every proxy.",
        ),
        InputFact::ChangeTimeUnknown { object } => (
            format!("The input does not say when {object} last changed."),
            "Read the cluster, or dump it with `kubectl get -o yaml --show-managed-fields`.",
        ),
        InputFact::NotRead(gap) => (
            format!("Not read: {gap}."),
            "`kubectl l5d-rotate rbac` prints the permissions that reading needs.",
        ),
        InputFact::BundleNotKnown { place } => (
            format!("The published bundle in {place} is not known."),
            "Give the ConfigMap in the input, or the right to read it.",
        ),
        InputFact::HeldBundleUnreadable { pods: held, defect } => (
            format!("The bundle of {} cannot be read: {defect}.", pods(held, "proxy", "proxies")),
            "Restart them, so that they are given the published bundle.",
        ),
        InputFact::EarlierBundleNotKnown { place } => (
            format!("What {place} held before its last change is not known, and some proxies may hold it."),
            "Name the rotation with --dir, which knows it; or restart these proxies.",
        ),
        InputFact::IssuerNotKnown { object } => (
            format!("The issuer in {object} is not known."),
            "Give the Secret in the input, or the right to read it.",
        ),
        InputFact::EarlierIssuerNotKnown { object } => (
            format!(
                "Which issuer was in {object} before is not known, and workload certificates that it signed may be in use."
            ),
            "Name the rotation with --dir, which knows it.",
        ),
        InputFact::IdentityControllersNotSeen => (
            "Which bundle and issuer the identity controllers have loaded is not known.".to_owned(),
            "Read the cluster, or add the pods of the control plane to the input.",
        ),
        InputFact::TrustBundleUnreadable { place, defect: Some(defect) } => {
            (format!("The trust bundle in {place} cannot be read: {defect}."), "")
        }
        InputFact::TrustBundleUnreadable { place, defect: None } => {
            (format!("The trust bundle in {place} cannot be read."), "")
        }
        InputFact::IssuerCopyOnly { object, copy, issuer, expires } => (
            format!(
                "{object} was not read. The copy in {copy}, {}, expires {}, but it shows the last render only.",
                named(issuer),
                screen.when(*expires)
            ),
            "Give the Secret in the input, or the right to read it.",
        ),
        InputFact::ChangePerhapsNotLoaded { object, pods } => (
            format!(
                "Identity controllers may not have loaded the last change of {object}: {}. What they use may have expired.",
                listed(pods)
            ),
            "Restart them, if what is published now is good.",
        ),
    };
    Words { what, todo: todo.to_owned(), ..Words::default() }
}

fn incomplete(gaps: &[Gap], only_namespace: &Option<String>) -> Words {
    let others =
        || only_namespace.iter().map(|namespace| format!("pods and workloads outside of {namespace}"));
    let asked: Vec<_> = gaps.iter().map(Gap::asked).chain(others()).collect();
    Words {
        what: format!("Not read: {}.", listed(&asked)),
        items: gaps.iter().map(ToString::to_string).chain(others()).collect(),
        todo: "`kubectl l5d-rotate rbac` prints the permissions that reading needs.".to_owned(),
        ..Words::default()
    }
}

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "pods-not-given",
        means: "The input holds manifests, but no pods.",
        matters: "Only running pods tell which trust bundle a proxy holds and when it started: without them no step that \
                  depends on a restart can be called safe.",
        act: "Read the cluster, or add a dump of the pods.",
        example: "kubectl get pods -A -o json | kubectl l5d-rotate -f - -f manifests.yaml",
        source: "A proxy reads its trust bundle once, from its environment, when it starts (linkerd2-proxy, \
                 `linkerd/app/src/env.rs`).",
    },
    Explanation {
        code: "object-absent",
        means: "An object that holds trust material does not exist, or is not in the input.",
        matters: "Nothing can be said of what it holds.",
        act: "Read the cluster, or add the object to the input.",
        example: "kubectl get cm,secret -n linkerd -o yaml | kubectl l5d-rotate -f -",
        source: "charts/linkerd-control-plane/templates/identity.yaml in linkerd2.",
    },
    Explanation {
        code: "issuer-unreadable",
        means: "The issuer's certificate in its Secret cannot be read.",
        matters: "An identity controller that starts with it fails.",
        act: "Put the issuer's certificate there as PEM, its intermediates after it.",
        example: "kubectl l5d-rotate inspect",
        source: "`DecodePEMCrt` in linkerd2's `pkg/tls`.",
    },
    Explanation {
        code: "issuer-key-not-seen",
        means: "The input does not hold the issuer's private key, so nobody compared it with the certificate.",
        matters: "With a key of another certificate an identity controller that starts fails.",
        act: "Read the cluster with the right to get the Secret. The key is compared at once and never kept.",
        example: "kubectl l5d-rotate check",
        source: "`tls.X509KeyPair` in Go, which the identity controller calls when it loads the issuer.",
    },
    Explanation {
        code: "control-plane-not-seen",
        means: "The input has pods, and none of them is a running container of the control plane.",
        matters: "Nothing tells whether the control plane started after bundle or issuer changed.",
        act: "Read the cluster, or add a dump of the pods of the control plane's namespace.",
        example: "kubectl get pods -n linkerd",
        source: "The identity controller reads the anchors when it starts (`controller/cmd/identity/main.go` in linkerd2).",
    },
    Explanation {
        code: "external-workloads-unseen",
        means: "The mesh has ExternalWorkloads: proxies outside of the cluster.",
        matters: "Nothing in the cluster tells which trust bundle they hold, or where their certificates come from.",
        act: "Give each of them both anchors and restart it before the issuer changes. Move SPIRE to the new anchor before \
              the old one is removed.",
        example: "kubectl get externalworkloads -A",
        source: "https://linkerd.io/2/tasks/adding-non-kubernetes-workloads/",
    },
    Explanation {
        code: "linked-clusters-unseen",
        means: "Other clusters are linked to this one, and share its trust.",
        matters: "Their proxies must accept this cluster's certificates too.",
        act: "Give all proxies of every linked cluster both anchors before any of them changes its issuer. Change all \
              issuers before any cluster removes the old anchor.",
        example: "kubectl l5d-rotate check --context OTHER",
        source: "https://linkerd.io/2/tasks/multicluster/, linkerd/linkerd2#11668",
    },
    Explanation {
        code: "input-incomplete",
        means: "Some objects could not be read, or only one namespace was looked at.",
        matters: "What was not read may hold another bundle or another issuer.",
        act: "Get the right to read them, or add them to the input.",
        example: "kubectl l5d-rotate rbac",
        source: "`kubectl auth can-i --list`",
    },
    Explanation {
        code: "object-unknown",
        means: "An object could not be read, mostly because the API server refuses it.",
        matters: "Whatever depends on it cannot be checked, and is not called safe.",
        act: "Get the right to read it, or add it to the input.",
        example: "kubectl l5d-rotate rbac",
        source: "`kubectl auth can-i get secrets -n linkerd`",
    },
    Explanation {
        code: "pods-unknown",
        means: "Pods could not be read, or are not all in the input.",
        matters: "A proxy that nobody sees may hold an old trust bundle: no step is called safe for it.",
        act: "Get the right to list pods in all namespaces, or add a dump of all pods.",
        example: "kubectl get pods -A -o json | kubectl l5d-rotate -f - -f manifests.yaml",
        source: "A proxy reads its trust bundle once, from its environment, when it starts (linkerd2-proxy, \
                 `linkerd/app/src/env.rs`).",
    },
    Explanation {
        code: "one-namespace",
        means: "Only the data plane of one namespace was looked at.",
        matters: "Proxies in other namespaces share the same trust. What is safe for one namespace may break the mesh.",
        act: "Leave --namespace away before a step is merged.",
        example: "kubectl l5d-rotate status",
        source: "One trust bundle is published for the whole mesh (charts/linkerd-control-plane/templates/identity.yaml).",
    },
    Explanation {
        code: "change-time-unknown",
        means: "The input does not tell when an object last changed.",
        matters: "Whether a container has read the change is told by its start and this time.",
        act: "Read the cluster. Or dump with managed fields, which kubectl leaves away unless told otherwise.",
        example: "kubectl get cm,secret -n linkerd -o yaml --show-managed-fields",
        source: "`metadata.managedFields` in the Kubernetes API; kubectl hides it since 1.21",
    },
    Explanation {
        code: "not-read",
        means: "Something that was asked for was not given: the API server refused it, or a list was cut.",
        matters: "It may hold another bundle or another issuer.",
        act: "Get the right to read it, or add it to the input.",
        example: "kubectl l5d-rotate rbac",
        source: "`kubectl auth can-i --list`",
    },
    Explanation {
        code: "bundle-not-known",
        means: "The published trust bundle is not in the input, or no proxy can read it.",
        matters: "What every proxy trusts when it starts is not known.",
        act: "Add the ConfigMap, or grant the permission to read it.",
        example: "kubectl get configmap linkerd-identity-trust-roots -n linkerd -o yaml",
        source: "linkerd2 `charts/partials/templates/_proxy.tpl`.",
    },
    Explanation {
        code: "held-bundle-unreadable",
        means: "The trust bundle in the environment of running proxies is not PEM that can be read.",
        matters: "What these proxies trust cannot be told.",
        act: "Restart them.",
        example: "kubectl l5d-rotate check",
        source: "linkerd2-proxy reads LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS.",
    },
    Explanation {
        code: "earlier-bundle-not-known",
        means: "The bundle that was published before the last change is not known.",
        matters: "Proxies that started before the change hold it, and may reject what the published bundle accepts.",
        act: "Name the rotation with --dir, or restart the proxies that started before.",
        example: "kubectl l5d-rotate verify --dir rotation",
        source: "A proxy that reads the ConfigMap at its start keeps what was there.",
    },
    Explanation {
        code: "issuer-not-known",
        means: "The issuer in the Secret is not in the input, or may not be read.",
        matters: "Whether the published anchors accept it cannot be told.",
        act: "Add the Secret, or grant the permission to read it.",
        example: "kubectl get secret linkerd-identity-issuer -n linkerd -o yaml",
        source: "linkerd2 `controller/cmd/identity/main.go`.",
    },
    Explanation {
        code: "earlier-issuer-not-known",
        means: "The issuer that signed before the one in the Secret is not known.",
        matters: "Its workload certificates are valid for up to a day, and need its anchor.",
        act: "Name the rotation with --dir, or wait until they have expired.",
        example: "kubectl l5d-rotate verify --dir rotation",
        source: "linkerd2 `pkg/tls`: a workload certificate is valid for the issuance lifetime and the clock skew.",
    },
    Explanation {
        code: "identity-controllers-not-seen",
        means: "No running identity controller is in the input.",
        matters: "Which anchors it has read and which issuer it signs with cannot be told.",
        act: "Read the cluster, or add the control plane's pods to the input.",
        example: "kubectl get pods -n linkerd -o json",
        source: "linkerd2 `controller/cmd/identity/main.go` reads the anchors once, at the start.",
    },
    Explanation {
        code: "trust-bundle-unreadable",
        means: "Neither proxies nor the identity controller get a trust anchor from the published bundle.",
        matters: "What starts fails: proxies and the whole control plane.",
        act: "Publish a bundle of PEM certificates with one newline at its end.",
        example: "kubectl l5d-rotate check -o short",
        source: "`DecodePEMCertificates` in linkerd2's `pkg/tls/codec.go`; rustls-pki-types for proxies.",
    },
    Explanation {
        code: "issuer-copy-only",
        means: "The issuer's Secret was not read. What is known of the issuer comes from the copy in linkerd-config.",
        matters: "The copy shows what was rendered last: the Secret may hold a newer issuer.",
        act: "Give the Secret in the input, or the right to read it. No private key is kept.",
        example: "kubectl l5d-rotate rbac",
        source: "charts/linkerd-control-plane/templates/config.yaml in linkerd2.",
    },
    Explanation {
        code: "change-perhaps-not-loaded",
        means: "Identity controllers started before, or shortly after, the last change of the bundle or the issuer.",
        matters: "They read the bundle when they start only, and miss a change of the issuer sometimes. What they use may have \
                  expired although the object is good.",
        act: "Restart the identity controller, if what is published now is good.",
        example: "kubectl rollout restart deployment/linkerd-identity -n linkerd",
        source: "https://github.com/linkerd/linkerd2/issues/15109",
    },
];

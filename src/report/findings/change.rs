//! What a change does, in words.

pub(super) mod managed;
pub(super) mod repository;
pub(super) mod sealed;

use super::{Explanation, Words, listed, named};
use crate::finding::{ChangeFact, KeyFault, Role, Setting, TrustSource};
use crate::report::words::{count, duration};
use crate::source::Renderer;

pub(super) fn words(fact: &ChangeFact) -> Words {
    let (what, effect, todo) = match fact {
        ChangeFact::BundleRemoved { object } => (
            format!("The change removes {object}."),
            "Pods of the control plane cannot start without it.",
            "Put the ConfigMap back.",
        ),
        ChangeFact::BundleUnreadable { place, defect } => (
            format!("The bundle in {place}, {defect}."),
            "",
            "Write the bundle as certificate blocks only, with at most one newline after the last; \
             `kubectl l5d-rotate inspect FILE` checks it.",
        ),
        ChangeFact::BundlePartlyRead { place, defect } => (
            format!("The bundle in {place}, {defect}."),
            "Linkerd reads fewer certificates than the text holds.",
            "Write the bundle as certificate blocks only; `kubectl l5d-rotate inspect FILE` checks it.",
        ),
        ChangeFact::RestartIntoUnreadableBundle { place, defect, workload } => (
            format!(
                "{workload} restarts while the control plane cannot read the bundle in {place}: {defect}."
            ),
            "The text is already so; what runs still works, and what restarts fails to start.",
            "Repair the published bundle first, in a commit of its own.",
        ),
        ChangeFact::ConfigCopyLeftBehind { object } => (
            format!(
                "The copy of the bundle in {object} (identityTrustAnchorsPEM) has other anchors than are published."
            ),
            "`linkerd check` and `linkerd inject --manual` read it, and the next `linkerd upgrade` or `helm upgrade` may \
             publish it again.",
            "Change it, and the values that it is rendered from, in the same commit.",
        ),
        ChangeFact::IssuerRemoved { object } => (
            format!("The change removes {object}."),
            "The identity controller cannot start without it.",
            "Put the Secret back.",
        ),
        ChangeFact::IssuerMadeByCertManager { object, certificate } => (
            format!("The change removes {object}, which cert-manager would make from {certificate}."),
            "What cert-manager would put there is not known.",
            "Add the Secret as the cluster would have it.",
        ),
        ChangeFact::SecretTypeChanged { object, from, to } => (
            format!("The change gives {object} the type {to}; it is {from}."),
            "The API server refuses another type for a Secret that is there, and whatever is applied with it may not be applied \
             either. Deleted and made anew, the Secret has the keys of its new type alone.",
            "Keep the type, and the data keys that the identity controller's scheme reads.",
        ),
        ChangeFact::IssuerNotShown { object, reason } => (
            format!("The change does not show what {object} will hold: {reason}."),
            "",
            "Add the Secret as the cluster would have it.",
        ),
        ChangeFact::NewIssuerUnreadable { object, reason } => (
            format!("The issuer's certificate in {object} cannot be read: {reason}."),
            SKIPPED,
            "Write the issuer's certificate as PEM, then its intermediates.",
        ),
        ChangeFact::IssuerKeyUnusable { object, key } => return unusable_key(object.to_string(), key),
        ChangeFact::ChainExpiresSoon { certificate, left, needed } => (
            format!(
                "{} stands behind the issuer and expires in {}, less than two lifetimes of a workload certificate ({}).",
                named(certificate),
                duration(*left),
                duration(*needed)
            ),
            "Every workload certificate expires with it at the latest, and then no two proxies work together.",
            "Put in a certificate that lasts, or an issuer without it.",
        ),
        ChangeFact::FieldUnreadable { object, field, found } => (
            format!("{object}: {field} {found}."),
            "The control plane cannot start with it.",
            "Restore the field.",
        ),
        ChangeFact::ControlPlaneWorkloadRemoved { object, role } => (
            format!("The change removes {object}."),
            match role {
                Role::Identity => {
                    "Without it no proxy can start, and none can renew its workload certificate."
                }
                Role::Destination => "Without it no proxy finds its peers.",
                Role::ProxyInjector => "Without it no pod is given a proxy.",
                Role::Other => "Neither bundle nor issuer depends on it.",
            },
            "Put it back, unless it is to go.",
        ),
        ChangeFact::RestartWithBundle { workloads } => (
            format!("{} restart in the same change as the bundle.", listed(workloads)),
            "The injector reads a new bundle up to two minutes late, so that some of these pods may be given the old one \
             once more. That breaks nothing by itself; it does as soon as a step counts on the new bundle.",
            "Restart them in a change of their own, two minutes after the bundle; or restart them once more.",
        ),
        ChangeFact::ControlPlaneRestartWithBundle { workloads } => (
            format!("{} restart in the same change as the bundle.", listed(workloads)),
            "They may start before the bundle is there. The identity controller reads it once, when it starts: it would then \
             refuse an issuer of the new anchor.",
            "Check after the rollout that they started after the ConfigMap changed (`kubectl l5d-rotate check`).",
        ),
        ChangeFact::RestartWithIssuer { workloads } => (
            format!("{} restart in the same change as the issuer.", listed(workloads)),
            "Identity controllers load the Secret a minute or two later, so that some of these pods may get one more workload \
             certificate of the old issuer. That breaks nothing while the old anchor is in the bundle.",
            "Restart them in a change of their own, once every identity controller has loaded the issuer.",
        ),
        ChangeFact::RestartWithoutInjector { namespace, workloads } => (
            format!(
                "No proxy injector is seen running in namespace {namespace}, and {} restart.",
                listed(workloads)
            ),
            "Their pods start without a proxy, or not at all.",
            "Start the injector first, and see that its pods are in the input.",
        ),
        ChangeFact::TrustSourceChanged { object, source } => (
            format!("The change makes {object} take trust material from elsewhere: {}.", source_name(source)),
            "What stands there is not evaluated.",
            "Make that a change of its own, and verify with what the pods will read.",
        ),
        ChangeFact::SettingChanged { setting } => (
            format!("The change sets {} anew.", setting_name(*setting)),
            "That is more than a change of certificates, and is not evaluated.",
            "Make it in a change of its own, and follow Linkerd's guide for it.",
        ),
        ChangeFact::NotRendered { renderer, removed } => (
            if *removed {
                format!("{} is removed, and may have made trust material.", rendered(*renderer))
            } else {
                format!("{} may change trust material.", rendered(*renderer))
            },
            "It is not rendered here.",
            match renderer {
                Renderer::SealedSecret => {
                    "Give the Secret as the cluster will have it, decrypted in a pipe: `sops -d FILE | kubectl l5d-rotate verify \
                     --proposed -`; or name its certificate in the annotation l5d-rotate/issuer-certificate."
                }
                _ => {
                    "Give what comes out of it: the output of `kustomize build` or `helm template`, or the object as the cluster \
                     has it."
                }
            },
        ),
        ChangeFact::SealedAsAnnotated { object, issuer, accepted, is_all } => {
            return sealed::as_annotated(&object.to_string(), &named(issuer), *accepted, *is_all);
        }
        ChangeFact::AnnotationUnproven { object, because } => {
            return sealed::unproven(&object.to_string(), because);
        }
        ChangeFact::ChangeWithoutEffect { object, because } => {
            return repository::without_effect(&object.to_string(), because);
        }
        ChangeFact::NotUnderstood { place, why } => return repository::not_understood(place, why),
        ChangeFact::ControlPlaneDeclaredOnce { unit, gone } => return repository::declared_once(unit, *gone),
        ChangeFact::AlreadyBroken { ways } => (
            format!("The mesh is broken without this change, in {}.", count(*ways, "way", "ways")),
            "Only what the change adds to that is evaluated.",
            "See `kubectl l5d-rotate check`.",
        ),
        other => return managed::words(other),
    };
    Words { what, effect: effect.to_owned(), todo: todo.to_owned(), ..Words::default() }
}

pub(super) const SKIPPED: &str = "A running identity controller skips it (event IssuerUpdateSkipped) and keeps the old issuer; the next \
                       one that starts fails to start.";

fn unusable_key(object: String, key: &KeyFault) -> Words {
    let (what, todo) = match key {
        KeyFault::Mismatch => (
            format!("The private key in {object} does not belong to the issuer's certificate."),
            "Put the key of this certificate into the Secret.",
        ),
        KeyFault::Missing => {
            (format!("{object} has no private key."), "Put the issuer's key into the Secret.")
        }
        KeyFault::Unreadable(why) => (
            format!("The private key in {object} cannot be read: {why}."),
            "Write it as `EC PRIVATE KEY` (SEC1) in PEM.",
        ),
    };
    Words { what, effect: SKIPPED.to_owned(), todo: todo.to_owned(), ..Words::default() }
}

fn source_name(source: &TrustSource) -> String {
    match source {
        TrustSource::Volume(name) => format!("volume {name}"),
        TrustSource::Variable(container) => format!("the anchors' variable of container {container}"),
        TrustSource::Mounts(container) => format!("the mounts of container {container}"),
        TrustSource::Command(container) => format!("the command of container {container}"),
        TrustSource::EnvFrom(container) => format!("envFrom of container {container}"),
        TrustSource::Identities(container) => format!("the names of identities in container {container}"),
        TrustSource::ServiceAccount => "the service account, of which its identity is".to_owned(),
    }
}

const fn setting_name(setting: Setting) -> &'static str {
    match setting {
        Setting::TrustDomain => "the trust domain",
        Setting::Namespace => "the control plane's namespace",
        Setting::ClusterDomain => "the cluster's domain (clusterDomain)",
        Setting::ExternalCa => "who publishes the trust bundle (identity.externalCA)",
        Setting::IdentityEnvironment => "variables or switches of identity",
        Setting::IssuerScheme => "the issuer's scheme",
        Setting::TrustHome => "the object in which the bundle is published",
        Setting::ProxyEnvironment => "the variables of every proxy (proxy.additionalEnv)",
    }
}

const fn rendered(renderer: Renderer) -> &'static str {
    match renderer {
        Renderer::Helm => "A set of Helm values",
        Renderer::Kustomize => "An inline patch or generator of Kustomize",
        Renderer::PatchDirective => "A patch with a `$patch` directive",
        Renderer::SealedSecret => "A Secret that only the cluster can decrypt or fetch",
        Renderer::TrustManager => "A Bundle of trust-manager",
        Renderer::CertManager => "A Certificate of cert-manager",
        Renderer::CertManagerIssuer => "An Issuer of cert-manager",
        Renderer::SourceSecret => "A Secret that cert-manager signs with, or trust-manager publishes,",
    }
}

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "bundle-removed",
        means: "The change removes the object, or its key, in which the trust bundle is published.",
        matters: "Every pod of the control plane reads it at its start, and the injector for each new pod.",
        act: "Put it back.",
        example: "kubectl get configmap linkerd-identity-trust-roots -n linkerd",
        source: "linkerd2 `charts/partials/templates/_proxy.tpl`: a proxy's environment comes from this ConfigMap.",
    },
    Explanation {
        code: "bundle-unreadable",
        means: "Proxies or the identity controller cannot read the new text of the trust bundle at all.",
        matters: "What starts after the merge fails to start.",
        act: "Write certificate blocks only: no blank line at the end, no text between, no indentation inside.",
        example: "kubectl l5d-rotate inspect bundle.crt",
        source: "linkerd2 `pkg/tls/codec.go`; linkerd2-proxy `linkerd/meshtls/src/creds.rs`; RFC 7468 section 3.",
    },
    Explanation {
        code: "bundle-partly-read",
        means: "A reader of the trust bundle drops certificates that stand in its text.",
        matters: "An anchor that seems published is not trusted by everybody.",
        act: "Write the bundle anew as certificate blocks only.",
        example: "kubectl l5d-rotate inspect bundle.crt",
        source: "linkerd2 `pkg/tls/codec.go` and the proxy's PEM reader differ; RFC 7468 section 3.",
    },
    Explanation {
        code: "restart-into-unreadable-bundle",
        means: "The change restarts the control plane, and the bundle that is published already cannot be read by it.",
        matters: "What runs has read an earlier text and still works; what restarts fails to start.",
        act: "Repair the published bundle first.",
        example: "kubectl l5d-rotate check",
        source: "linkerd2 `controller/cmd/identity/main.go` reads the anchors once, at the start.",
    },
    Explanation {
        code: "config-copy-left-behind",
        means: "The copy of the bundle in ConfigMap linkerd-config does not follow the published one.",
        matters: "An upgrade renders from the copy, and publishes the old anchors again; manually injected workloads get them.",
        act: "Change the copy, and the values it comes from, with the bundle.",
        example: "kubectl get configmap linkerd-config -n linkerd -o yaml",
        source: "linkerd2 `cli/cmd/upgrade.go`; `charts/linkerd-control-plane/templates/config.yaml`.",
    },
    Explanation {
        code: "issuer-removed",
        means: "The change removes the Secret with the issuer.",
        matters: "The identity controller cannot start without it.",
        act: "Put it back.",
        example: "kubectl get secret linkerd-identity-issuer -n linkerd",
        source: "linkerd2 `charts/linkerd-control-plane/templates/identity.yaml` mounts it.",
    },
    Explanation {
        code: "issuer-made-by-cert-manager",
        means: "The change removes the Secret with the issuer, and a cert-manager Certificate of the input would make it.",
        matters: "Which issuer that will be, and which anchor signed it, cannot be told from the files.",
        act: "Add the Secret as the cluster has it, and verify again.",
        example: "kubectl get secret linkerd-identity-issuer -n linkerd -o yaml",
        source: "cert-manager `pkg/controller/certificates/issuing`; Linkerd's \"Automatically rotating control plane TLS \
                 credentials\".",
    },
    Explanation {
        code: "secret-type-changed",
        means: "The change gives the issuer's Secret another type.",
        matters: "The API server refuses it, so that nothing changes, or the engine deletes the Secret and makes another one, \
                  which may lack the keys that the identity controller reads.",
        act: "Keep the type. Another scheme (identity.issuer.scheme) is a change of its own.",
        example: "kubectl get secret linkerd-identity-issuer -n linkerd -o jsonpath='{.type}'",
        source: "Kubernetes `pkg/apis/core/validation`: a Secret's type is immutable; linkerd2 `controller/cmd/identity/main.go`.",
    },
    Explanation {
        code: "issuer-not-shown",
        means: "The input holds the issuer's Secret only in a form that another program turns into it: sealed, encrypted or \
                fetched.",
        matters: "Whether the anchors accept the new issuer cannot be told.",
        act: "Decrypt it for this check, or give the Secret as the cluster has it.",
        example: "sops -d issuer.enc.yaml | kubectl l5d-rotate verify --proposed -",
        source: "SOPS, Sealed Secrets and External Secrets keep no plain certificate in Git.",
    },
    Explanation {
        code: "new-issuer-unreadable",
        means: "The issuer's certificate in the Secret is not PEM that the identity controller reads.",
        matters: "A running controller skips it and keeps the old issuer, until its next start fails.",
        act: "Write the issuer's certificate first, then its intermediates, each as one PEM block.",
        example: "kubectl l5d-rotate inspect issuer.crt",
        source: "linkerd2 `pkg/tls/cred.go` (`ReadPEMCreds`), event IssuerUpdateSkipped.",
    },
    Explanation {
        code: "issuer-key-unusable",
        means: "The private key in the Secret is missing, cannot be read, or belongs to another certificate.",
        matters: "A running controller skips the update and keeps the old issuer; its next start fails.",
        act: "Put the key of this certificate into the Secret.",
        example: "kubectl l5d-rotate check -o short",
        source: "linkerd2 `pkg/tls/cred.go` (`ReadPEMCreds`), event IssuerUpdateSkipped.",
    },
    Explanation {
        code: "chain-expires-soon",
        means: "A certificate after the issuer in its file, such as a cross certificate, has less than two lifetimes of a workload \
                certificate left.",
        matters: "No workload certificate outlives it: a second after its end every connection in the mesh is refused, also among \
                  proxies that do not need it.",
        act: "Put in one that lasts, or the issuer without it where every proxy holds the issuer's anchor.",
        example: "kubectl l5d-rotate inspect issuer.crt",
        source: "linkerd2 `pkg/tls` (`findFirstExpiration`); seen with linkerd2 2.20 and linkerd2-proxy v2.359.0.",
    },
    Explanation {
        code: "field-unreadable",

        means: "An object with trust material lacks the field that Linkerd reads, or has something else there.",
        matters: "The control plane cannot start with it.",
        act: "Restore the field.",
        example: "kubectl get configmap linkerd-identity-trust-roots -n linkerd -o yaml",
        source: "linkerd2 `charts/linkerd-control-plane/templates/identity.yaml`.",
    },
    Explanation {
        code: "control-plane-workload-removed",
        means: "The change removes a Deployment of Linkerd's control plane.",
        matters: "Identity, destination and proxy injector are needed by every proxy; other workloads hold no trust material.",
        act: "Put it back, unless it is to go.",
        example: "kubectl get deployments -n linkerd",
        source: "Linkerd's architecture: https://linkerd.io/2/reference/architecture/",
    },
    Explanation {
        code: "restart-with-bundle",
        means: "Workloads restart in the same change that publishes the bundle.",
        matters: "The injector's mounted copy lags behind the ConfigMap, so that some pods are given the old bundle.",
        act: "Restart them in a change of their own, or once more.",
        example: "kubectl l5d-rotate plan --dir rotation",
        source: "Kubernetes: mounted ConfigMaps are updated eventually; linkerd2 `controller/proxy-injector/webhook.go` reads the mounted file.",
    },
    Explanation {
        code: "control-plane-restart-with-bundle",
        means: "The control plane restarts in the same change that publishes the bundle.",
        matters: "A controller that starts before the bundle is there keeps the old one until its next restart.",
        act: "Check after the rollout that it started after the ConfigMap changed.",
        example: "kubectl l5d-rotate check",
        source: "linkerd2 `controller/cmd/identity/main.go` reads the anchors once, at the start.",
    },
    Explanation {
        code: "restart-with-issuer",
        means: "Workloads restart in the same change that replaces the issuer.",
        matters: "They may get one more workload certificate of the old issuer, so that its anchor is needed longer.",
        act: "Restart them once every identity controller has loaded the new issuer.",
        example: "kubectl get events -n linkerd --field-selector reason=IssuerUpdated",
        source: "linkerd2 `pkg/identity/service.go` loads a changed Secret when the kubelet has updated the mount.",
    },
    Explanation {
        code: "restart-without-injector",
        means: "Workloads restart while no proxy injector is seen running.",
        matters: "Their pods start without a proxy, unencrypted, or are not admitted at all.",
        act: "Start the injector first.",
        example: "kubectl get pods -n linkerd -l linkerd.io/control-plane-component=proxy-injector",
        source: "`failurePolicy` of MutatingWebhookConfiguration linkerd-proxy-injector-webhook-config.",
    },
    Explanation {
        code: "trust-source-changed",
        means: "The change makes a pod of the control plane mount other objects, or take its variables from others, where it \
                read trust material; or it gives its proxy other identities, or the pod another service account.",
        matters: "What it trusts, or signs with, is then what stands there: that may be anything.",
        act: "Make it a change of its own, and verify it with the objects that it names.",
        example: "kubectl get deployment linkerd-identity -n linkerd -o yaml",
        source: "linkerd2 `charts/linkerd-control-plane/templates/identity.yaml`, `charts/partials/templates/_proxy.tpl`.",
    },
    Explanation {
        code: "setting-changed",
        means: "The change sets the trust domain, the issuer's scheme or the place of the bundle anew.",
        matters: "That changes what every certificate must say, or where it is read; it is not evaluated.",
        act: "Make it in a change of its own.",
        example: "kubectl get configmap linkerd-config -n linkerd -o yaml",
        source: "linkerd2 `charts/linkerd-control-plane/values.yaml`: identityTrustDomain, identity.issuer.scheme.",
    },
    Explanation {
        code: "not-rendered",
        means: "The change touches something of which another program makes trust material: Helm, Kustomize, cert-manager, \
                trust-manager, a sealed Secret.",
        matters: "What comes out of it cannot be told from the files, and is never taken as safe.",
        act: "Verify what comes out of it.",
        example: "kubectl kustomize overlays/prod | kubectl l5d-rotate verify --proposed -",
        source: "The engine's own rules of precedence.",
    },
    Explanation {
        code: "already-broken",
        means: "Something in the mesh does not work before the change.",
        matters: "Only what the change adds is evaluated; a safe verdict does not mean that the mesh works.",
        act: "Look at it first.",
        example: "kubectl l5d-rotate check",
        source: "The same trust relation as for the change, asked of the mesh as it is.",
    },
];

//! Containers that read trust material when they start: the control plane's and the proxies.

use jiff::Timestamp;

use super::super::refusal::refused;
use super::super::{Explanation, NAMED, Words, listed};
use super::{counted, objects, total};
use crate::document::ObjectRef;
use crate::finding::{Container, Pods, RefusingProxies, UnreadableBundle, WorkloadPods};
use crate::mesh::Doubt;
use crate::report::Screen;
use crate::report::words::count;

/// A change that containers may not have read, as they read what changed when they start.
pub(super) struct Unread<'a> {
    pub(super) object: &'a ObjectRef,
    pub(super) changed: &'a Timestamp,
    pub(super) containers: &'a [Container],
    pub(super) screen: &'a Screen,
}

impl Unread<'_> {
    fn words(&self, what: String, effect: &str) -> Words {
        let items = started(self.containers, self.screen);
        Words { what, items, effect: effect.to_owned(), ..Words::default() }
    }

    fn changed(&self) -> String {
        self.screen.exactly(*self.changed)
    }

    fn counted(&self) -> String {
        count(self.containers.len() as u64, "container", "containers")
    }

    pub(super) fn not_restarted(&self) -> Words {
        let (counted, object, changed) = (self.counted(), self.object, self.changed());
        self.words(
            format!("{counted} of the control plane started before {object} changed, {changed}."),
            "They read the trust anchors at their start only, and do not know the new ones.",
        )
    }

    pub(super) fn restart_unproven(&self) -> Words {
        let (counted, object, changed) = (self.counted(), self.object, self.changed());
        let what = format!(
            "{counted} of the control plane may hold {object} as it was before it changed, {changed}."
        );
        self.words(what, "")
    }

    pub(super) fn issuer_not_loaded(&self) -> Words {
        self.words(
            format!("The identity controller started before {} changed, {}.", self.object, self.changed()),
            "Linkerd 2.6 reads the issuer at the start only, and still signs with the old one.",
        )
    }

    pub(super) fn reload_unproven(&self) -> Words {
        let (object, changed) = (self.object, self.changed());
        let todo = format!(
            "Look for its event: `kubectl get events -n {} --field-selector reason=IssuerUpdated`. Where there is none, restart it.",
            object.namespace
        );
        let what = format!("{object} changed {changed}, and the identity controller may have missed it.");
        Words { todo, ..self.words(what, "It may still sign with the old issuer.") }
    }
}

fn started(containers: &[Container], screen: &Screen) -> Vec<String> {
    let one = |container: &Container| {
        let doubt = match container.doubt {
            None | Some(Doubt::StartUnknown) => "",
            Some(Doubt::SameSecond) => ", within the second of the change",
            Some(Doubt::JustCreated) => ", in a pod that was created just after the change",
            Some(Doubt::KubeletLag) => ", while a kubelet may still have had the old one mounted",
            Some(Doubt::ChangeUnknown) => ", and it is not known when the object changed",
        };
        let since = match container.started {
            Some(started) => format!("started {}", screen.exactly(started)),
            None => "does not tell when it started".to_owned(),
        };
        format!("{} ({}) {since}{doubt}", container.pod, container.container)
    };
    containers.iter().map(one).collect()
}

pub(super) fn refuse_issuer(refusals: &[RefusingProxies], screen: &Screen) -> Words {
    let all: Vec<_> = refusals.iter().flat_map(|refusing| refusing.workloads.iter().cloned()).collect();
    let mut items = Vec::new();
    for RefusingProxies { bundle, refusal, workloads } in refusals {
        items.push(format!("with the bundle {}: {}", bundle.short(), refused(refusal, screen)));
        items.extend(counted(workloads, "proxy", "proxies"));
    }
    Words {
        what: format!("{} accept the issuer.", total(&all, "proxy does not", "proxies do not")),
        items,
        effect: "They reject all workload certificates that the issuer signs, and have theirs rejected."
            .to_owned(),
        todo:
            "Restore the issuer that they trust. Or publish its anchor beside the others, and restart them."
                .to_owned(),
    }
}

pub(super) fn bundle_unreadable(bundles: &[UnreadableBundle]) -> Words {
    let all: Vec<_> = bundles.iter().flat_map(|bundle| bundle.workloads.iter().cloned()).collect();
    let mut items = Vec::new();
    for UnreadableBundle { defect, workloads } in bundles {
        items.push(defect.to_string());
        items.extend(counted(workloads, "proxy", "proxies"));
    }
    Words {
        what: format!("{} a trust bundle that cannot be read.", total(&all, "proxy holds", "proxies hold")),
        items,
        effect: "A proxy fails to start with such a LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS.".to_owned(),
        todo: "Repair the published bundle, or the template that holds it, and restart them.".to_owned(),
    }
}

pub(super) fn without_anchors(pods: &Pods) -> Words {
    Words {
        what: format!(
            "{} no LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS{}.",
            count(pods.count, "proxy has", "proxies have"),
            sample(pods)
        ),
        effect: "They have no identity, and no mTLS.".to_owned(),
        todo: "Remove the annotation that disables identity, and restart them.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn outdated(pods: &Pods) -> Words {
    Words {
        what: format!(
            "{} another trust bundle than the published one{}.",
            count(pods.count, "proxy holds", "proxies hold"),
            sample(pods)
        ),
        effect: "A proxy reads its bundle at its start only.".to_owned(),
        todo: "Restart them, in the order of the rotation if one is under way.".to_owned(),
        ..Words::default()
    }
}

/// The first pods, after a colon.
fn sample(pods: &Pods) -> String {
    if pods.sample.is_empty() {
        return String::new();
    }
    let shown = pods.sample.len().min(NAMED);
    let more = match pods.count.saturating_sub(shown as u64) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(": {}{more}", pods.sample[..shown].join(", "))
}

pub(super) fn not_meshed(workloads: &[WorkloadPods]) -> Words {
    Words {
        what: format!(
            "{} without the proxy that they should have: {}.",
            total(workloads, "pod runs", "pods run"),
            listed(&objects(workloads))
        ),
        items: counted(workloads, "pod", "pods"),
        effect: "No injector answered when they started, or injection was asked for later. They take no part in mTLS."
            .to_owned(),
        todo: "Restart them while the injector runs.".to_owned(),
    }
}

pub(super) fn manual_injection(workloads: &[WorkloadPods]) -> Words {
    Words {
        what: format!("A restart does not bring a new bundle to {}.", listed(&objects(workloads))),
        items: if workloads.len() > NAMED { counted(workloads, "proxy", "proxies") } else { Vec::new() },
        effect: "`linkerd inject --manual` wrote the bundle into the template.".to_owned(),
        todo: "After each change of the bundle inject again, or let the injector do it.".to_owned(),
    }
}

pub(in super::super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "control-plane-not-restarted",
        means: "Containers of the control plane started before the trust bundle changed.",
        matters: "Identity controller and control-plane proxies read the anchors once, when they start. An identity controller \
                  that does not know the new anchor skips an issuer of it without failing.",
        act: "Restart the control plane (phase bundle, step 2) before the issuer changes.",
        example: "kubectl l5d-rotate render bundle --step 2 --dir rotation",
        source: "linkerd/linkerd2#8018, linkerd/linkerd2#9022",
    },
    Explanation {
        code: "restart-unproven",
        means: "Containers of the control plane started so close to a change that they may have read what was there before, or \
                do not tell when they started.",
        matters: "Kubernetes tells starts and changes to the second. A kubelet may bring a changed object two minutes late into \
                  a volume of a pod that was there before, and ten seconds late into a pod that is created after it.",
        act: "Restart them once more. Or confirm it with --confirm control-plane-restarted, if you know better.",
        example: "kubectl rollout restart deployment/linkerd-identity -n linkerd",
        source: "Kubernetes, \"Mounted ConfigMaps are updated automatically\"",
    },
    Explanation {
        code: "issuer-not-loaded",
        means: "Linkerd 2.6 reads the issuer when the identity controller starts, and the Secret changed after that.",
        matters: "It still signs with the old issuer.",
        act: "Restart the identity controller.",
        example: "kubectl rollout restart deployment/linkerd-identity -n linkerd",
        source: "`controller/cmd/identity/main.go` of stable-2.6.0",
    },
    Explanation {
        code: "issuer-reload-unproven",
        means: "The issuer Secret changed while the identity controller ran. It reloads the Secret, and sometimes misses a change.",
        matters: "It may still sign with the old issuer. Pruning the old anchor then breaks the mesh.",
        act: "Look for the event IssuerUpdated of each of its pods, or restart it.",
        example: "kubectl get events -n linkerd --field-selector reason=IssuerUpdated",
        source: "linkerd/linkerd2#15109",
    },
    Explanation {
        code: "proxies-refuse-issuer",
        means: "Running proxies hold a trust bundle without the issuer's anchor.",
        matters: "They reject every workload certificate of this issuer, and cannot renew their own.",
        act: "Restore the issuer that they trust. Or publish its anchor beside the others, and restart them.",
        example: "kubectl l5d-rotate recover",
        source: "https://linkerd.io/2/tasks/manually-rotating-control-plane-tls-credentials/, linkerd/linkerd2#4287",
    },
    Explanation {
        code: "proxy-bundle-unreadable",
        means: "The trust bundle in a proxy's environment is no text that Linkerd reads.",
        matters: "The proxy runs with what it has read before; it fails to start with this text.",
        act: "Repair the published bundle, or the workload's template, and restart.",
        example: "kubectl get pod POD -o yaml | grep -A5 IDENTITY_TRUST_ANCHORS",
        source: "`proxy-identity/main.go` in linkerd2, `linkerd/app/src/env.rs` in linkerd2-proxy",
    },
    Explanation {
        code: "proxies-without-anchors",
        means: "Proxies run without LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS.",
        matters: "They have no identity: no mTLS, and policies that demand it reject them.",
        act: "Remove the annotation linkerd.io/identity-mode: disabled, and restart.",
        example: "kubectl get pods -A -o yaml | grep -B20 'identity-mode: disabled'",
        source: "charts/partials/templates/_proxy.tpl in linkerd2",
    },
    Explanation {
        code: "proxies-outdated",
        means: "Proxies hold another trust bundle than the published one.",
        matters: "A proxy reads its bundle at its start only. The issuer must not change, and no anchor be removed, before all \
                  have restarted.",
        act: "Restart them. `kubectl l5d-rotate plan` shows in which step of a rotation.",
        example: "kubectl l5d-rotate plan --dir rotation",
        source: "linkerd/linkerd2#13613, linkerd/linkerd2#9313",
    },
    Explanation {
        code: "pods-not-meshed",
        means: "Pods run without a proxy, although their workload or namespace asks for injection.",
        matters: "With failurePolicy Ignore a pod starts all the same where no injector answers. It takes no part in mTLS, and \
                  policies that demand it reject it.",
        act: "Restart them while the injector runs.",
        example: "kubectl rollout restart deployment/NAME -n NAMESPACE",
        source: "`webhookFailurePolicy` in charts/linkerd-control-plane/values.yaml",
    },
    Explanation {
        code: "manual-injection",
        means: "`linkerd inject --manual` wrote the proxy, and the trust bundle with it, into a workload's template.",
        matters: "A restart brings the same bundle again.",
        act: "Inject it again after each change of the bundle and commit that, or let the injector do it.",
        example: "linkerd inject --manual deployment.yaml",
        source: "https://linkerd.io/2/reference/cli/inject/",
    },
];

//! What a repository does to a change, in words.

use crate::checkout::{NoEffect, Why};
use crate::report::findings::{Explanation, Words};

pub(super) fn declared_once(unit: &str, gone: bool) -> Words {
    let place =
        if unit.is_empty() { "The repository".to_owned() } else { format!("The repository, in {unit},") };
    let what = if gone {
        format!("{place} declares no control plane any more.")
    } else {
        format!("{place} declares a control plane that was not declared before.")
    };
    let effect = "There is nothing to compare it with.".to_owned();
    let todo = "Give what runs with -f: a dump, a snapshot, or nothing for the cluster.".to_owned();
    Words { what, effect, todo, ..Words::default() }
}

pub(super) fn without_effect(object: &str, because: &NoEffect) -> Words {
    let (what, todo) = match because {
        NoEffect::Suspended => (format!("{object} is suspended (spec.suspend)."), "Resume it.".to_owned()),
        NoEffect::ReconcileDisabled => (
            format!("{object} has the annotation kustomize.toolkit.fluxcd.io/reconcile: disabled."),
            "Take the annotation away.".to_owned(),
        ),
        NoEffect::AppliedOnce => (
            format!("{object} has an annotation kustomize.toolkit.fluxcd.io/ssa by which Flux does not change it once it is there."),
            "Take the annotation away.".to_owned(),
        ),
        NoEffect::DifferencesRespected => (
            format!("{object} ignores differences in this data, and respects that when it syncs: Argo CD keeps what is there."),
            "Take the rule out of spec.ignoreDifferences, or RespectIgnoreDifferences=true out of the sync options.".to_owned(),
        ),
        NoEffect::ChartVersionUnchanged(directory) => (
            format!("{object} installs the chart {directory} out of Git, and its version does not change."),
            format!("Raise `version` in {directory}/Chart.yaml in the same change; or set reconcileStrategy: Revision."),
        ),
    };
    Words { what, effect: "The change has no effect in the cluster.".to_owned(), todo, ..Words::default() }
}

pub(in crate::report::findings) fn not_understood(place: &str, why: &Why) -> Words {
    let (what, todo) = match why {
        Why::Elsewhere(what) => (
            format!("{place} takes {what}, which is not in this repository, or is encrypted in it."),
            "Give what comes out of it: the output of `helm template` or `kubectl kustomize`, or a dump.",
        ),
        Why::Unread(what) => (format!("{place}: {what} cannot be read."), "Correct it."),
        Why::Twice(path) => (
            format!(
                "{place} sets {path} twice, and which of the two counts depends on the engine's version."
            ),
            "Set it in one place.",
        ),
        Why::Patched => (
            format!("{place} makes the engine patch what comes out of it."),
            "Give what comes out of it: the output of `helm template` or `kubectl kustomize`, or a dump.",
        ),
        Why::Substituted => (
            format!("{place} makes Flux replace variables in trust material (postBuild)."),
            "Give what comes out of it. Flux takes the newlines out of every variable: no PEM survives that.",
        ),
        Why::Generated => (
            format!("{place} makes Applications by generators that are not all in this repository."),
            "Give what comes out of it: the output of `helm template` or `kubectl kustomize`, or a dump.",
        ),
        Why::NotBuilt(said) => (
            format!("{place}: `kubectl kustomize` does not build it: {said}."),
            "Correct it, or give what comes out of it with --proposed.",
        ),
        Why::NoKubectl => (
            format!("{place} is a kustomization, and there is no kubectl to build it with."),
            "Install kubectl or put it into PATH.",
        ),
        Why::Behind => (
            format!("{place} is what a controller in the cluster makes trust material of, or selects it by."),
            "Make that a change of its own, and give what comes of it: a dump of the Secret or ConfigMap that the controller makes.",
        ),
        Why::Templated => (
            format!("{place} changes what templates of a chart in this repository make trust material of."),
            "Give what comes out of it: the output of `helm template` or `kubectl kustomize`, or a dump.",
        ),
        Why::Redeployed => (
            format!("{place} makes the engine take the control plane from elsewhere, or put it elsewhere."),
            "Make that a change of its own, and verify what comes out of it.",
        ),
        Why::Unexplained => (
            format!(
                "{place} holds certificates or names trust material, and nothing tells what becomes of it."
            ),
            "Give what comes out of it (the output of `helm template`, `kubectl kustomize`, a dump); or leave the file out with \
             --exclude, if it is of no concern to Linkerd.",
        ),
    };
    let effect = "Whether it changes trust material is not known.".to_owned();
    Words { what, effect, todo: todo.to_owned(), ..Words::default() }
}

pub(in crate::report::findings) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "change-without-effect",
        means: "Something in the repository keeps the engine from doing in the cluster what the change says.",
        matters: "The next step would count on a change that never came: who waits for it waits for ever, and who does not breaks \
                  the mesh.",
        act: "Remove what stands in the way, in the same change or before it.",
        example: "kubectl l5d-rotate status",
        source: "kustomize-controller `kustomization_controller.go`; source-controller `builder_local.go`; argo-cd `controller/sync.go`.",
    },
    Explanation {
        code: "not-understood",
        means: "The change touches something of the repository that could reach trust material, and what becomes of it is not \
                known: it takes values from elsewhere, an engine changes it on the way, it cannot be built, or nothing refers to it.",
        matters: "What is not understood is never taken as safe.",
        act: "Verify what comes out of it, or leave the file out where it is of no concern to Linkerd.",
        example: "helm template linkerd charts/linkerd -f values.yaml | kubectl l5d-rotate verify --proposed -",
        source: "The engines' own rules: fluxcd/pkg `chartutil/values.go`, argo-cd `util/helm/cmd.go`, kustomize `api/internal/target`.",
    },
    Explanation {
        code: "control-plane-declared-once",
        means: "Only one side of the change declares a control plane here: it is new in the repository, or leaves it.",
        matters: "A change is evaluated against what was there before. An engine that prunes deletes what leaves Git.",
        act: "Verify it against what runs.",
        example: "kubectl l5d-rotate verify -f snapshot.yaml --git-base main -f . -R",
        source: "Flux `spec.prune`; Argo CD `syncPolicy.automated.prune`.",
    },
];

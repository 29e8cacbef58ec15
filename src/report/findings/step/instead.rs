//! Where to make a change of an object that somebody else renders, in words.

use jiff::fmt::temporal::DateTimePrinter;

use crate::finding::{
    ChartValue, Flag, Instead, PodAnnotation, PodAnnotationPlace, SecretFile, ValueContent,
};
use crate::report::findings::listed;

/// In a sentence; `DIR` is the rotation directory.
pub(super) fn instead(place: &Instead) -> String {
    words(place) + &also(place)
}

fn words(place: &Instead) -> String {
    match place {
        Instead::HelmRelease { release, namespace, values, .. } => {
            let set: String = values.iter().map(helm_flag).collect();
            format!(
                "Change the release instead: `helm upgrade {release} CHART -n {namespace} --version INSTALLED --reuse-values{set}`, \
                 with the chart that it is installed with (`helm list -n {namespace}`); or set the same values in the file that \
                 it is installed with. Below an umbrella chart the names begin with its name for Linkerd's."
            )
        }
        Instead::RenderedChart { values } => format!(
            "If a chart is rendered on the way (Argo CD, `helm template`), set {} in its values instead. If the rendered \
             manifests are in Git, commit the patch beside them.",
            settings(values, "")
        ),
        Instead::RenderedPodAnnotation { annotation, place: PodAnnotationPlace::NoValue } => format!(
            "If a chart is rendered on the way, none of its values annotates these pods: add `{}` to the pod template in \
             what it renders, or restart manually. If the rendered manifests are in Git, commit the patch beside them.",
            setting(annotation)
        ),
        Instead::RenderedPodAnnotation { annotation, place } => format!(
            "If a chart is rendered on the way, set {} to `{}` instead. If the rendered manifests are in Git, commit the patch \
             beside them.",
            pod_annotations(place, ""),
            setting(annotation)
        ),
        Instead::ChartValues { file, below, values } => {
            let prefix = if below.is_empty() { String::new() } else { format!("{below}.") };
            match &**values {
                [ChartValue { content: ValueContent::File(content), .. }] if !is_structured(file) => {
                    format!("Make the content of {content} that of {file} instead.")
                }
                _ => format!("Set {} in {file} instead.", settings(values, &prefix)),
            }
        }
        Instead::FluxHelmRelease { name, namespace, values } => format!(
            "Set {} in HelmRelease {namespace}/{name} instead. Where spec.valuesFrom takes a value from a ConfigMap or Secret, \
             change that, and label it `reconcile.fluxcd.io/watch: Enabled` so that Flux upgrades at once.",
            settings(values, "spec.values.")
        ),
        Instead::FluxPodAnnotation { name, namespace, annotation, place: PodAnnotationPlace::NoValue } => {
            format!(
                "Add `{}` to its pod template by a patch in spec.postRenderers[].kustomize.patches of HelmRelease \
             {namespace}/{name} instead: none of the chart's values annotates these pods.",
                setting(annotation)
            )
        }
        Instead::FluxPodAnnotation {
            name,
            namespace,
            annotation,
            place: PodAnnotationPlace::Value { value, .. },
        } => {
            format!(
                "With -o patch the restart is a patch of HelmRelease {namespace}/{name} instead, which sets \
                 `spec.values.{value}` to `{}`. Or add it to the pod template by a patch in its \
                 spec.postRenderers[].kustomize.patches.",
                setting(annotation)
            )
        }
        Instead::FluxPodAnnotation { name, namespace, annotation, place } => format!(
            "Set {} to `{}` in HelmRelease {namespace}/{name} instead, or add it to the pod template by a patch in its \
             spec.postRenderers[].kustomize.patches.",
            pod_annotations(place, "spec.values."),
            setting(annotation)
        ),
        Instead::LinkerdUpgrade { flags, from_overrides, drops_intermediates } => {
            linkerd_upgrade(flags, *from_overrides, *drops_intermediates)
        }
        Instead::CertManager { certificate } => format!(
            "Change the CA of the Issuer or ClusterIssuer that Certificate {certificate} names in spec.issuerRef instead, as \
             Linkerd's \"Automatically rotating control plane TLS credentials\" tells."
        ),
        Instead::TrustManager { bundle, file, is_added: true } => {
            format!(
                "Add the certificates of {file} as an `inLine` source under spec.sources of Bundle {bundle} instead."
            )
        }
        Instead::TrustManager { bundle, file, is_added: false } => {
            format!(
                "Leave {file} as the only source, as `inLine`, under spec.sources of Bundle {bundle} instead."
            )
        }
        Instead::ExternalSecret { name, files } => format!(
            "Put {} into the entries of the vault that spec.data[].remoteRef of ExternalSecret {name} names instead.",
            files.iter().map(secret_file).collect::<Vec<_>>().join(" and ")
        ),
        Instead::SealedSecret { name } => format!(
            "Seal it again instead: replace spec.encryptedData of SealedSecret {name} with what `kubeseal` makes of the \
             rendered Secret."
        ),
    }
}

/// Does a file hold values by name, rather than be the text of one?
fn is_structured(file: &str) -> bool {
    [".yaml", ".yml", ".json", "Kustomization"].iter().any(|end| file.ends_with(end))
}

fn helm_flag(value: &ChartValue) -> String {
    match &value.content {
        ValueContent::File(file) => format!(" --set-file {}=DIR/{file}", value.name),
        ValueContent::Time(time) => format!(" --set {}={}", value.name, whole_seconds(*time)),
    }
}

fn settings(values: &[ChartValue], prefix: &str) -> String {
    let set = values.iter().map(|value| match &value.content {
        ValueContent::File(file) => format!("`{prefix}{}` to the content of {file}", value.name),
        ValueContent::Time(time) => format!("`{prefix}{}` to {}", value.name, whole_seconds(*time)),
    });
    set.collect::<Vec<_>>().join(" and ")
}

/// The value that annotates pods, below `prefix`.
fn pod_annotations(place: &PodAnnotationPlace, prefix: &str) -> String {
    match place {
        PodAnnotationPlace::Value { value, .. } => format!("`{prefix}{value}`"),
        PodAnnotationPlace::NamedByChart | PodAnnotationPlace::NoValue => {
            format!("the chart's pod annotations (often `{prefix}podAnnotations`)")
        }
    }
}

/// What a value restarts besides, as a sentence.
fn also(place: &Instead) -> String {
    let names: Vec<&str> = place.restarts_also().iter().map(|object| object.name.as_str()).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(" That value restarts {}, too, which does no harm.", listed(&names))
}

fn setting(annotation: &PodAnnotation) -> String {
    format!("{}: {}", annotation.key, annotation.value)
}

fn secret_file(file: &SecretFile) -> String {
    file.key.map_or_else(|| file.file.to_owned(), |key| format!("{} ({key})", file.file))
}

fn linkerd_upgrade(flags: &[Flag], from_overrides: bool, drops_intermediates: bool) -> String {
    let flags: String = flags.iter().map(|flag| format!(" {}=DIR/{}", flag.flag, flag.file)).collect();
    let overrides = if from_overrides {
        " It renders from the Secret linkerd-config-overrides, which a patch of this object leaves as it was."
    } else {
        ""
    };
    let intermediates = if drops_intermediates {
        " It keeps the first certificate of the file only: the intermediates would be lost."
    } else {
        ""
    };
    format!(
        "Run `linkerd upgrade{flags} | kubectl apply -f -` instead.{overrides}{intermediates} Where the manifests that it \
         rendered are in Git, commit the patch beside them, and give the next `linkerd upgrade` these flags."
    )
}

/// As the chart and its readers write it.
fn whole_seconds(time: jiff::Timestamp) -> String {
    DateTimePrinter::new().precision(Some(0)).timestamp_to_string(&time)
}

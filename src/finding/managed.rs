//! Where to make a change of an object that somebody else renders.

use jiff::Timestamp;
use serde::Serialize;

use crate::document::ObjectRef;

/// Where to make a change instead of a patch that would be reverted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "in", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Instead {
    /// In the values of a Helm release.
    HelmRelease { release: String, namespace: String, chart: &'static str, values: Vec<ChartValue> },
    /// In the values of a chart, where one is rendered on the way.
    RenderedChart { values: Vec<ChartValue> },
    /// In the pod annotations of a chart, where one is rendered on the way.
    RenderedPodAnnotation { annotation: PodAnnotation, place: PodAnnotationPlace },
    /// In a file of the repository that declares a chart's values.
    ChartValues { file: String, below: String, values: Vec<ChartValue> },
    /// In the values of a Flux HelmRelease.
    FluxHelmRelease { name: String, namespace: String, values: Vec<ChartValue> },
    /// In the pod annotations of a Flux HelmRelease.
    FluxPodAnnotation {
        name: String,
        namespace: String,
        annotation: PodAnnotation,
        place: PodAnnotationPlace,
    },
    /// In the flags of `linkerd upgrade`.
    LinkerdUpgrade {
        flags: Vec<Flag>,
        /// It renders from the Secret `linkerd-config-overrides`.
        from_overrides: bool,
        /// It keeps the first certificate of the issuer's file only, and that holds more.
        drops_intermediates: bool,
    },
    /// In the CA of the issuer that a cert-manager Certificate names.
    CertManager { certificate: String },
    /// In the sources of a trust-manager Bundle.
    TrustManager {
        bundle: String,
        file: &'static str,
        /// The file's certificates are added to the sources, not put in their place.
        is_added: bool,
    },
    /// In the vault that an ExternalSecret reads.
    ExternalSecret { name: String, files: Vec<SecretFile> },
    /// In a SealedSecret, sealed again.
    SealedSecret { name: String },
}

impl Instead {
    /// Is a patch of the object itself of no effect where steps are committed, as it is rendered from another object there?
    #[must_use]
    pub const fn leaves_no_patch(&self) -> bool {
        matches!(
            self,
            Self::ChartValues { .. } | Self::FluxHelmRelease { .. } | Self::FluxPodAnnotation { .. }
        )
    }

    /// What a value that annotates pods restarts besides.
    #[must_use]
    pub fn restarts_also(&self) -> &[ObjectRef] {
        match self {
            Self::RenderedPodAnnotation { place: PodAnnotationPlace::Value { also, .. }, .. }
            | Self::FluxPodAnnotation { place: PodAnnotationPlace::Value { also, .. }, .. } => also,
            _ => &[],
        }
    }
}

/// Which value of a chart annotates the pods of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum PodAnnotationPlace {
    /// This one.
    Value {
        value: &'static str,
        /// The Deployments that it restarts as well, and the step does not.
        also: Vec<ObjectRef>,
    },
    /// One that its chart names; it is not Linkerd's.
    NamedByChart,
    /// None.
    NoValue,
}

/// A chart's value, and what it shall hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartValue {
    pub name: &'static str,
    pub content: ValueContent,
}

/// What a chart's value shall hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ValueContent {
    /// The content of a file of the rotation directory.
    File(&'static str),
    Time(Timestamp),
}

/// A flag of `linkerd upgrade` with the file of the rotation directory that it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flag {
    pub flag: &'static str,
    pub file: &'static str,
}

/// A file of the rotation directory, and the Secret's key that it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretFile {
    pub file: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'static str>,
}

/// An annotation on a pod template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodAnnotation {
    pub key: &'static str,
    pub value: String,
}

//! Where to make a change instead, when somebody renders an object again and would revert a patch of it.

use super::Annotation;
use super::view::View;
use crate::finding::{
    ChartValue, Flag, Instead, PodAnnotation, PodAnnotationPlace, SecretFile, ValueContent,
};
use crate::mesh::{Era, Owner, Scheme};
use crate::pki::{Bundle, IssuerChain};
use crate::rotation::{ISSUER_KEY_FILE, TRUST_BUNDLE_FILE};

/// What is changed in an object.
pub(super) enum Subject<'a> {
    /// The published bundle or a copy of it.
    Bundle(&'a Bundle),
    /// The issuer Secret or a copy of its certificate.
    Issuer(&'a IssuerChain),
    /// An object of cert-manager or trust-manager.
    Declared,
    /// A restart annotation on a pod template, and the chart's value that sets it.
    Restart(&'a Annotation, PodAnnotationPlace),
}

/// The owners that count, strongest first. What comes after one that applies manifests from Git tells only with what those
/// manifests were made; but Argo CD may render a chart itself, and then it has no release.
pub(in crate::rotation) fn deciding(owners: Vec<Owner>) -> Vec<Owner> {
    let Some(place) = owners
        .iter()
        .position(|owner| matches!(owner, Owner::ArgoCd { .. } | Owner::FluxKustomization { .. }))
    else {
        return owners;
    };
    let by_argo = matches!(owners[place], Owner::ArgoCd { .. });
    let chart = by_argo && owners[place..].iter().any(|owner| matches!(owner, Owner::Helm { .. }));
    let chart = chart.then(|| Owner::Helm { release: String::new(), namespace: String::new() });
    owners.into_iter().take(place).chain(chart).collect()
}

/// Where the change belongs; `None` where a patch stays, as with those that apply what is in Git.
pub(super) fn instead(view: &View<'_>, owner: &Owner, subject: &Subject<'_>) -> Option<Instead> {
    Some(match (owner, subject) {
        (Owner::ArgoCd { .. } | Owner::FluxKustomization { .. }, _) | (_, Subject::Declared) => return None,
        (Owner::ChartValues { .. }, Subject::Restart(annotation, place)) => {
            Instead::RenderedPodAnnotation { annotation: pod_annotation(annotation), place: place.clone() }
        }
        (Owner::Helm { release, .. }, Subject::Restart(annotation, place)) if release.is_empty() => {
            Instead::RenderedPodAnnotation { annotation: pod_annotation(annotation), place: place.clone() }
        }
        // Helm and `linkerd upgrade | kubectl apply` merge three ways: an annotation that they do not know stays.
        (Owner::Helm { .. } | Owner::LinkerdCli, Subject::Restart(..)) => return None,
        // Of another scheme, no value of the chart becomes the Secret.
        (
            Owner::ChartValues { .. }
            | Owner::Helm { .. }
            | Owner::FluxHelmRelease { .. }
            | Owner::LinkerdCli,
            Subject::Issuer(_),
        ) if view.mesh.control_plane.scheme != Scheme::Linkerd => return None,
        (Owner::ChartValues { file, below }, _) => {
            let (file, below) = (file.clone(), below.clone());
            Instead::ChartValues { file, below, values: values(view, subject) }
        }
        (Owner::Helm { release, .. }, _) if release.is_empty() => {
            Instead::RenderedChart { values: values(view, subject) }
        }
        (Owner::Helm { release, namespace }, _) => Instead::HelmRelease {
            release: release.clone(),
            namespace: namespace.clone(),
            chart: view.mesh.control_plane.era.chart_names().chart,
            values: values(view, subject),
        },
        (Owner::FluxHelmRelease { name, namespace }, Subject::Restart(annotation, place)) => {
            let (name, namespace) = (name.clone(), namespace.clone());
            let (annotation, place) = (pod_annotation(annotation), place.clone());
            Instead::FluxPodAnnotation { name, namespace, annotation, place }
        }
        (Owner::FluxHelmRelease { name, namespace }, _) => {
            let (name, namespace) = (name.clone(), namespace.clone());
            Instead::FluxHelmRelease { name, namespace, values: values(view, subject) }
        }
        (Owner::LinkerdCli, _) => linkerd_upgrade(view, subject),
        (Owner::CertManager { certificate }, _) => Instead::CertManager { certificate: certificate.clone() },
        (Owner::TrustManager { bundle }, Subject::Bundle(anchors)) => {
            let file = view.record.bundle_file(anchors);
            Instead::TrustManager { bundle: bundle.clone(), file, is_added: file == TRUST_BUNDLE_FILE }
        }
        (Owner::TrustManager { .. }, _) => return None,
        (Owner::ExternalSecrets { name }, _) => {
            Instead::ExternalSecret { name: name.clone(), files: secret_files(view, subject) }
        }
        (Owner::SealedSecrets { name }, _) => Instead::SealedSecret { name: name.clone() },
    })
}

/// Are anchors published that no file of the rotation holds, so that what is made of its files alone would drop them?
pub(super) fn file_lacks_anchors(view: &View<'_>, subject: &Subject<'_>) -> bool {
    match subject {
        Subject::Bundle(bundle) => !view.record.targets().any(|(known, _)| known.same_set(bundle)),
        Subject::Issuer(_) | Subject::Restart(..) | Subject::Declared => false,
    }
}

fn pod_annotation(annotation: &Annotation) -> PodAnnotation {
    PodAnnotation { key: annotation.key, value: annotation.value.clone() }
}

/// The file with the private key of the issuer that a step puts in place; of the old one only its keeper knows where it is.
fn key_file(view: &View<'_>, chain: &IssuerChain) -> &'static str {
    if chain.issuer == view.record.issuer.issuer { ISSUER_KEY_FILE } else { "OLD-ISSUER-KEY" }
}

/// Each key of a Secret with the file that it shall hold.
fn secret_files(view: &View<'_>, subject: &Subject<'_>) -> Vec<SecretFile> {
    let (certificate, key) = view.mesh.control_plane.scheme.keys();
    match subject {
        Subject::Bundle(anchors) => vec![SecretFile { file: view.record.bundle_file(anchors), key: None }],
        Subject::Issuer(chain) => vec![
            SecretFile { file: view.record.issuer_file(chain), key: Some(certificate) },
            SecretFile { file: key_file(view, chain), key: Some(key) },
        ],
        Subject::Restart(..) | Subject::Declared => Vec::new(),
    }
}

/// Each value of Linkerd's chart with what it shall hold.
fn values(view: &View<'_>, subject: &Subject<'_>) -> Vec<ChartValue> {
    let names = view.mesh.control_plane.era.chart_names();
    let file = |name, file| ChartValue { name, content: ValueContent::File(file) };
    match subject {
        Subject::Bundle(bundle) => vec![file(names.anchors, view.record.bundle_file(bundle))],
        Subject::Issuer(chain) if view.mesh.control_plane.scheme == Scheme::Linkerd => {
            let expiry = names
                .issuer_expiry
                .map(|name| ChartValue { name, content: ValueContent::Time(chain.issuer.facts().not_after) });
            let certificate = file(names.issuer_certificate, view.record.issuer_file(chain));
            let key = file(names.issuer_key, key_file(view, chain));
            [certificate, key].into_iter().chain(expiry).collect()
        }
        Subject::Issuer(_) | Subject::Restart(..) | Subject::Declared => Vec::new(),
    }
}

fn linkerd_upgrade(view: &View<'_>, subject: &Subject<'_>) -> Instead {
    let flags = match subject {
        Subject::Bundle(anchors) => {
            let file = view.record.bundle_file(anchors);
            vec![Flag { flag: "--identity-trust-anchors-file", file }]
        }
        Subject::Issuer(chain) => vec![
            Flag { flag: "--identity-issuer-certificate-file", file: view.record.issuer_file(chain) },
            Flag { flag: "--identity-issuer-key-file", file: key_file(view, chain) },
        ],
        Subject::Restart(..) | Subject::Declared => Vec::new(),
    };
    Instead::LinkerdUpgrade {
        flags,
        from_overrides: !matches!(view.mesh.control_plane.era, Era::V2_6 | Era::V2_7),
        drops_intermediates: matches!(subject, Subject::Issuer(chain) if !chain.intermediates.is_empty()),
    }
}

//! Who would revert a patch, and what to change instead.

use l5d_rotate::finding::{
    ChartValue, Finding, Flag, Instead, PodAnnotationPlace, SecretFile, Severity, StepFact, ValueContent,
};
use l5d_rotate::mesh::{Era, Owner};
use l5d_rotate::rotation::Phase;

use crate::support::rotation::*;

fn file(name: &'static str, file: &'static str) -> ChartValue {
    ChartValue { name, content: ValueContent::File(file) }
}

fn release(chart: &'static str, values: Vec<ChartValue>) -> Instead {
    let release = "linkerd-control-plane".to_owned();
    Instead::HelmRelease { release, namespace: "linkerd".to_owned(), chart, values }
}

fn upgrade(flags: &[(&'static str, &'static str)]) -> Instead {
    let flags = flags.iter().map(|(flag, file)| Flag { flag, file }).collect();
    Instead::LinkerdUpgrade { flags, from_overrides: true, drops_intermediates: false }
}

#[test]
fn whoever_would_revert_a_patch_is_named_with_the_place_to_change_instead() {
    let roots = "linkerd-identity-trust-roots";
    let issuer = "linkerd-identity-issuer";
    let flux = Owner::FluxHelmRelease { name: "l5d".into(), namespace: "flux-system".into() };
    let bundle = "trust-bundle.pem";
    let certificate_and_key = || {
        vec![
            file("identity.issuer.tls.crtPEM", "issuer.pem"),
            file("identity.issuer.tls.keyPEM", "issuer.key"),
        ]
    };
    let expiry = ChartValue {
        name: "identity.issuer.crtExpiry",
        content: ValueContent::Time(time("2027-01-01T00:00:00Z")),
    };
    let table = [
        (
            Era::V2_12,
            "ConfigMap",
            roots,
            helm(),
            release("linkerd-control-plane", vec![file("identityTrustAnchorsPEM", bundle)]),
        ),
        (
            Era::V2_9,
            "ConfigMap",
            "linkerd-config",
            helm(),
            release("linkerd2", vec![file("global.identityTrustAnchorsPEM", bundle)]),
        ),
        (
            Era::V2_6,
            "ConfigMap",
            "linkerd-config",
            helm(),
            release("linkerd2", vec![file("Identity.TrustAnchorsPEM", bundle)]),
        ),
        (Era::V2_12, "Secret", issuer, helm(), release("linkerd-control-plane", certificate_and_key())),
        (
            Era::V2_11,
            "Secret",
            issuer,
            helm(),
            release("linkerd2", certificate_and_key().into_iter().chain([expiry]).collect()),
        ),
        (
            Era::V2_12,
            "ConfigMap",
            roots,
            Owner::LinkerdCli,
            upgrade(&[("--identity-trust-anchors-file", bundle)]),
        ),
        (
            Era::V2_12,
            "Secret",
            issuer,
            Owner::LinkerdCli,
            upgrade(&[
                ("--identity-issuer-certificate-file", "issuer.pem"),
                ("--identity-issuer-key-file", "issuer.key"),
            ]),
        ),
        (
            Era::V2_12,
            "Secret",
            issuer,
            Owner::CertManager { certificate: "c".into() },
            Instead::CertManager { certificate: "c".into() },
        ),
        (
            Era::V2_12,
            "ConfigMap",
            roots,
            Owner::TrustManager { bundle: "b".into() },
            Instead::TrustManager { bundle: "b".into(), file: bundle, is_added: true },
        ),
        (
            Era::V2_12,
            "Secret",
            issuer,
            Owner::ExternalSecrets { name: "e".into() },
            Instead::ExternalSecret {
                name: "e".into(),
                files: vec![
                    SecretFile { file: "issuer.pem", key: Some("crt.pem") },
                    SecretFile { file: "issuer.key", key: Some("key.pem") },
                ],
            },
        ),
        (
            Era::V2_12,
            "Secret",
            issuer,
            Owner::SealedSecrets { name: "s".into() },
            Instead::SealedSecret { name: "s".into() },
        ),
        (
            Era::V2_12,
            "ConfigMap",
            roots,
            flux,
            Instead::FluxHelmRelease {
                name: "l5d".into(),
                namespace: "flux-system".into(),
                values: vec![file("identityTrustAnchorsPEM", bundle)],
            },
        ),
    ];
    for (era, kind, name, owner, expected) in table {
        let (_, mut cluster, record) = fixture(era);
        cluster.own(kind, name, owner.clone());
        let phase = if kind == "Secret" { Phase::Issuer } else { Phase::Bundle };
        let notes = notes(&planned(&cluster.plan(&record), step(phase, 1)), "managed-object");
        let found = notes.iter().find_map(|note| match note {
            StepFact::ManagedObject { object, owner, instead, .. } if object.name == name => {
                Some((owner, instead))
            }
            _ => None,
        });
        assert_eq!(found, Some((&owner, &expected)), "{era} {kind}: {notes:?}");
    }
}

#[test]
fn objects_that_are_applied_from_git_are_no_warning() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let web = cluster.id("emojivoto", "web");
    cluster.mesh.workloads[web.0].owners = vec![Owner::ArgoCd { application: "emojivoto".into() }];
    let owners = cluster.mesh.workloads[web.0].owners.clone();
    let notes = planned(&cluster.plan(&record), step(Phase::Bundle, 3)).notes;
    assert_eq!(notes, [Finding::new(Severity::Note, StepFact::AppliedFromGit { owners })]);
}

#[test]
fn what_is_applied_from_git_is_changed_in_git_whoever_once_rendered_it() {
    let flux = Owner::FluxKustomization { name: "infra".into(), namespace: "flux-system".into() };
    let argo = Owner::ArgoCd { application: "linkerd".into() };
    let sealed = Owner::SealedSecrets { name: "s".into() };
    let unreleased = Owner::Helm { release: String::new(), namespace: String::new() };
    let cases = [
        (vec![flux.clone(), Owner::LinkerdCli], None),
        (vec![flux.clone(), unreleased.clone()], None),
        (vec![argo.clone(), Owner::LinkerdCli], None),
        (
            vec![argo, helm()],
            Some((
                unreleased,
                Instead::RenderedChart {
                    values: vec![
                        file("identity.issuer.tls.crtPEM", "issuer.pem"),
                        file("identity.issuer.tls.keyPEM", "issuer.key"),
                    ],
                },
            )),
        ),
        (vec![sealed.clone(), flux], Some((sealed, Instead::SealedSecret { name: "s".into() }))),
    ];
    for (owners, expected) in cases {
        let (_, mut cluster, record) = fixture(Era::V2_12);
        cluster.own("Secret", "linkerd-identity-issuer", Owner::LinkerdCli);
        cluster.mesh.manifests[0].owners = owners.clone();
        let notes = notes(&planned(&cluster.plan(&record), step(Phase::Issuer, 1)), "managed-object");
        let found = notes.into_iter().find_map(|note| match note {
            StepFact::ManagedObject { owner, instead, .. } => Some((owner, instead)),
            _ => None,
        });
        assert_eq!(found, expected, "{owners:?}");
    }
}

#[test]
fn a_workload_of_a_helm_release_under_flux_is_restarted_through_the_release() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let web = cluster.id("emojivoto", "web");
    let owner = Owner::FluxHelmRelease { name: "emojivoto".into(), namespace: "flux-system".into() };
    cluster.mesh.workloads[web.0].owners = vec![owner];
    let notes = notes(&planned(&cluster.plan(&record), step(Phase::Bundle, 3)), "managed-object");
    let [
        StepFact::ManagedObject {
            instead: Instead::FluxPodAnnotation { annotation, name, place, .. }, ..
        },
    ] = &notes[..]
    else {
        panic!("{notes:?}")
    };
    assert_eq!((annotation.key, name.as_str()), ("l5d-rotate/trust-bundle", "emojivoto"));
    assert!(annotation.value.starts_with("sha256-"), "{annotation:?}");
    assert_eq!(*place, PodAnnotationPlace::NamedByChart);
}

/// A value for more than one Deployment restarts all of them, which does no harm: the annotation has another value in each step.
#[test]
fn a_restart_of_the_control_plane_is_set_in_the_value_that_its_version_has() {
    const SINCE: [&str; 3] =
        ["destinationController.podAnnotations", "identity.podAnnotations", "identity.podAnnotations"];
    const BEFORE: [&str; 3] = ["podAnnotations"; 3];
    let (injector, others) =
        (&["linkerd-proxy-injector"][..], &["linkerd-destination", "linkerd-proxy-injector"][..]);
    let cases = [
        (Era::V2_12, Some("edge-25.1.1"), SINCE, ("identity.podAnnotations", injector)),
        (Era::V2_12, Some("edge-26.12.1"), SINCE, ("identity.podAnnotations", injector)),
        (Era::V2_12, Some("enterprise-2.18.0"), SINCE, ("identity.podAnnotations", injector)),
        (Era::V2_12, Some("enterprise-2.17.3"), BEFORE, ("podAnnotations", others)),
        (Era::V2_12, Some("edge-24.11.8"), BEFORE, ("podAnnotations", others)),
        (Era::V2_12, Some("stable-2.14.10"), BEFORE, ("podAnnotations", others)),
        (Era::V2_12, None, BEFORE, ("podAnnotations", others)),
        (Era::V2_11, Some("stable-2.11.5"), BEFORE, ("podAnnotations", others)),
    ];
    for (era, version, bundle, issuer) in cases {
        let (_, mut cluster, record) = fixture(era);
        cluster.mesh.control_plane.version = version.map(str::to_owned);
        let owner = Owner::FluxHelmRelease { name: "l5d".into(), namespace: "flux-system".into() };
        for workload in &mut cluster.mesh.workloads {
            workload.owners = vec![owner.clone()];
        }
        let places = |phase: Phase, cluster: &Cluster| -> Vec<_> {
            let notes = notes(&planned(&cluster.plan(&record), step(phase, 2)), "managed-object");
            let place = |note: &StepFact| match note {
                StepFact::ManagedObject { instead: Instead::FluxPodAnnotation { place, .. }, .. } => {
                    match place {
                        PodAnnotationPlace::Value { value, also } => {
                            (*value, also.iter().map(|object| object.name.clone()).collect::<Vec<_>>())
                        }
                        other => panic!("{other:?}"),
                    }
                }
                other => panic!("{other:?}"),
            };
            notes.iter().map(place).collect()
        };
        cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)));
        assert_eq!(places(Phase::Bundle, &cluster), bundle.map(|value| (value, Vec::new())), "{version:?}");
        let also: Vec<String> = issuer.1.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(places(Phase::Issuer, &cluster), [(issuer.0, also)], "{version:?}");
    }
}

#[test]
fn a_file_that_would_drop_a_published_anchor_is_not_named_without_saying_so() {
    let lacks = |extra: bool| {
        let (pki, mut cluster, record) = fixture(Era::V2_12);
        cluster.own("ConfigMap", "linkerd-identity-trust-roots", helm());
        let other = mint_root("root.of.another.rotation");
        let anchors = [&pki.old.certificate, &other.certificate];
        cluster.bundle().text = text(&anchors[..=usize::from(extra)]);
        let notes = notes(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)), "managed-object");
        let StepFact::ManagedObject { lacks_published, .. } = notes[0] else { panic!("{notes:?}") };
        lacks_published
    };
    assert!(lacks(true));
    assert!(!lacks(false));
}

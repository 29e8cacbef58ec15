//! Who would revert a patch, and what to change instead.

use crate::rotation_support;

use l5d_rotate::mesh::{Era, Owner};
use l5d_rotate::rotation::{Note, Phase};
use rotation_support::*;

#[test]
fn whoever_would_revert_a_patch_is_named_with_the_place_to_change_instead() {
    let roots = "linkerd-identity-trust-roots";
    let issuer = "linkerd-identity-issuer";
    let flux = Owner::FluxHelmRelease { name: "l5d".into(), namespace: "flux-system".into() };
    let table = [
        (
            Era::V2_12,
            "ConfigMap",
            roots,
            helm(),
            "helm upgrade linkerd-control-plane linkerd/linkerd-control-plane -n linkerd --version INSTALLED --reuse-values --set-file identityTrustAnchorsPEM=DIR/trust-bundle.pem",
        ),
        (
            Era::V2_9,
            "ConfigMap",
            "linkerd-config",
            helm(),
            "linkerd/linkerd2 -n linkerd --version INSTALLED --reuse-values --set-file global.identityTrustAnchorsPEM=",
        ),
        (Era::V2_6, "ConfigMap", "linkerd-config", helm(), "--set-file Identity.TrustAnchorsPEM="),
        (
            Era::V2_12,
            "Secret",
            issuer,
            helm(),
            "--set-file identity.issuer.tls.crtPEM=DIR/issuer.pem --set-file identity.issuer.tls.keyPEM=DIR/issuer.key",
        ),
        (Era::V2_11, "Secret", issuer, helm(), "--set identity.issuer.crtExpiry=2027-01-01T00:00:00Z"),
        (
            Era::V2_12,
            "ConfigMap",
            roots,
            Owner::LinkerdCli,
            "linkerd upgrade --identity-trust-anchors-file=DIR/trust-bundle.pem | kubectl apply -f -",
        ),
        (
            Era::V2_12,
            "Secret",
            issuer,
            Owner::LinkerdCli,
            "--identity-issuer-certificate-file=DIR/issuer.pem --identity-issuer-key-file=DIR/issuer.key",
        ),
        (Era::V2_12, "Secret", issuer, Owner::CertManager { certificate: "c".into() }, "spec.issuerRef"),
        (
            Era::V2_12,
            "ConfigMap",
            roots,
            Owner::TrustManager { bundle: "b".into() },
            "trust-bundle.pem as an `inLine` source",
        ),
        (Era::V2_12, "Secret", issuer, Owner::ExternalSecrets { name: "e".into() }, "vault"),
        (Era::V2_12, "Secret", issuer, Owner::SealedSecrets { name: "s".into() }, "kubeseal"),
        (
            Era::V2_12,
            "ConfigMap",
            roots,
            flux,
            "spec.values.identityTrustAnchorsPEM to the content of trust-bundle.pem in HelmRelease flux-system/l5d",
        ),
    ];
    for (era, kind, name, owner, expected) in table {
        let (_, mut cluster, record) = fixture(era);
        cluster.own(kind, name, owner.clone());
        let phase = if kind == "Secret" { Phase::Issuer } else { Phase::Bundle };
        let notes = planned(&cluster.plan(&record), step(phase, 1)).notes;
        let found = notes.iter().find_map(|note| match note {
            Note::Owned { object, owner: told, instead } if object.name == name => Some((told, instead)),
            _ => None,
        });
        let (told, instead) = found.unwrap_or_else(|| panic!("{owner:?}: {notes:?}"));
        assert_eq!(*told, owner);
        assert!(instead.contains(expected), "{instead}");
    }
}

#[test]
fn objects_that_are_applied_from_git_are_no_warning() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let web = cluster.id("emojivoto", "web");
    cluster.mesh.workloads[web.0].owners = vec![Owner::ArgoCd { application: "emojivoto".into() }];
    let notes = planned(&cluster.plan(&record), step(Phase::Bundle, 3)).notes;
    let expected = "commit it where these are applied from: Argo CD Application emojivoto";
    assert_eq!(notes, [Note::Said(expected.to_owned())]);
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
            Some((unreleased, "if the chart is rendered on the way (Argo CD, `helm template`)")),
        ),
        (vec![sealed.clone(), flux], Some((sealed, "kubeseal"))),
    ];
    for (owners, expected) in cases {
        let (_, mut cluster, record) = fixture(Era::V2_12);
        cluster.own("Secret", "linkerd-identity-issuer", Owner::LinkerdCli);
        cluster.mesh.manifests[0].owners = owners.clone();
        let notes = planned(&cluster.plan(&record), step(Phase::Issuer, 1)).notes;
        let found = notes.iter().find_map(|note| match note {
            Note::Owned { owner, instead, .. } => Some((owner, instead)),
            _ => None,
        });
        match (found, expected) {
            (None, None) => {}
            (Some((owner, instead)), Some((expected, words))) => {
                assert!(*owner == expected && instead.contains(words), "{owners:?}: {instead}");
            }
            (found, _) => panic!("{owners:?}: {found:?}"),
        }
    }
}

#[test]
fn a_workload_of_a_helm_release_under_flux_is_restarted_through_the_release() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let web = cluster.id("emojivoto", "web");
    let owner = Owner::FluxHelmRelease { name: "emojivoto".into(), namespace: "flux-system".into() };
    cluster.mesh.workloads[web.0].owners = vec![owner];
    let notes = planned(&cluster.plan(&record), step(Phase::Bundle, 3)).notes;
    let [Note::Owned { instead, .. }] = &notes[..] else { panic!("{notes:?}") };
    assert!(
        instead.contains("l5d-rotate/trust-bundle: sha256-") && instead.contains("postRenderers"),
        "{instead}"
    );
}

#[test]
fn a_file_that_would_drop_a_published_anchor_is_not_named_without_saying_so() {
    let said = |extra: bool| {
        let (pki, mut cluster, record) = fixture(Era::V2_12);
        cluster.own("ConfigMap", "linkerd-identity-trust-roots", helm());
        let other = mint_root("root.of.another.rotation");
        let anchors = [&pki.old.certificate, &other.certificate];
        cluster.bundle().text = text(&anchors[..=usize::from(extra)]);
        format!("{:?}", planned(&cluster.plan(&record), step(Phase::Bundle, 1)).notes)
    };
    assert!(said(true).contains("that file lacks anchors that are published"), "{}", said(true));
    assert!(!said(false).contains("lacks anchors"), "{}", said(false));
}

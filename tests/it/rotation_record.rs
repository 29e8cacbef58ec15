//! The rotation record: begun with care, written to be read by people, refused when it was changed.

use std::collections::BTreeMap;

use l5d_rotate::mesh::{Era, Held, Known, Owner, Unread};
use l5d_rotate::rotation::{Phase, Record, RecordError, Scope, StartError, Strategy};

use crate::support::rotation::*;

type Files = BTreeMap<&'static str, String>;

fn written(strategy: Strategy) -> (Record, Files) {
    let pki = Pki::mint();
    let record = pki.record(&Cluster::new(&pki, Era::V2_12).mesh, strategy);
    let files = record.to_files().into_iter().collect();
    (record, files)
}

fn read(files: &Files) -> Result<Record, RecordError> {
    Record::from_files(|name| files.get(name).cloned())
}

/// Reads the files after a change to one of them.
fn after(files: &Files, name: &'static str, change: impl Fn(&str) -> String) -> RecordError {
    let mut files = files.clone();
    let changed = change(&files[name]);
    assert_ne!(changed, files[name], "the change must change {name}");
    files.insert(name, changed);
    read(&files).unwrap_err()
}

#[test]
fn a_record_is_read_back_as_it_was_written() {
    for strategy in strategies(Era::V2_12) {
        let (record, files) = written(strategy);
        assert_eq!(read(&files).unwrap(), record);
        assert_eq!(record.to_files(), read(&files).unwrap().to_files());
    }
    let pki = Pki::mint();
    let cluster = Cluster::new(&pki, Era::V2_12);
    let chain = mint_chain(&pki.old);
    let record =
        Record::new(&cluster.mesh, time(STARTED), Strategy::Staged, Scope::IssuerOnly, chain, false).unwrap();
    let files: Files = record.to_files().into_iter().collect();
    assert_eq!(
        files.keys().copied().collect::<Vec<_>>(),
        ["issuer.pem", "old-anchors.pem", "old-issuer.pem", "rotation.yaml"]
    );
    assert_eq!(read(&files).unwrap(), record);
}

#[test]
fn the_record_is_readable_and_holds_no_private_key() {
    let (record, files) = written(Strategy::Patient);
    let yaml = &files["rotation.yaml"];
    let anchor = record.anchor().unwrap();
    for line in [
        "apiVersion: l5d-rotate/v1",
        "kind: Rotation",
        "linkerdNamespace: linkerd",
        "trustDomain: cluster.local",
        "strategy: patient",
        "scope: full",
        "2026-06-01T00:00:00Z",
        &anchor.fingerprint().to_string(),
    ] {
        assert!(yaml.contains(line), "{line} is not in\n{yaml}");
    }
    assert!(yaml.starts_with("# ") || yaml.starts_with("---\n# "), "{yaml}");
    assert!(files.values().all(|text| !text.contains("PRIVATE KEY")));
    assert_eq!(files["trust-bundle.pem"], files["old-anchors.pem"].clone() + &files["anchor.pem"]);
    assert_eq!(
        record.to_files().last().unwrap().0,
        "rotation.yaml",
        "written last: a half-written directory lacks it"
    );
}

#[test]
fn an_edited_missing_or_half_written_directory_is_refused_by_file() {
    let (record, files) = written(Strategy::Staged);
    for name in ["old-anchors.pem", "anchor.pem", "issuer.pem", "trust-bundle.pem", "rotation.yaml"] {
        let mut files = files.clone();
        files.remove(name);
        let error = read(&files).unwrap_err();
        assert_eq!(error, RecordError::Missing { file: name.into() });
        assert!(!error.help().is_empty());
    }
    let stranger = mint_root("stranger").certificate;
    for name in ["old-anchors.pem", "anchor.pem", "issuer.pem", "trust-bundle.pem"] {
        let error = after(&files, name, |_| stranger.to_pem());
        let RecordError::Edited { file, finding } = &error else { panic!("{error}") };
        assert_eq!(file, name);
        assert!(finding.contains(&stranger.fingerprint().short()), "{finding}");
        let added = after(&files, name, |text| format!("{text}{}", stranger.to_pem()));
        assert!(matches!(added, RecordError::Edited { .. }), "{added}");
        let cut = after(&files, name, |text| text[..text.len() / 2].to_owned());
        assert!(
            matches!(&cut, RecordError::Unreadable { file, .. } | RecordError::Edited { file, .. } if file == name)
        );
        let empty = after(&files, name, |_| String::new());
        assert!(matches!(empty, RecordError::Unreadable { .. }), "{empty}");
    }
    let new = record.anchor().unwrap().to_pem();
    let reordered = after(&files, "trust-bundle.pem", |text| format!("{new}{}", text.replace(&new, "")));
    assert!(reordered.to_string().contains("another order"), "{reordered}");
}

#[test]
fn rotation_yaml_of_another_kind_version_scope_or_strategy_is_refused_with_what_is_known() {
    let (_, files) = written(Strategy::Staged);
    let told =
        |from: &str, to: &str| after(&files, "rotation.yaml", |text| text.replace(from, to)).to_string();
    assert_eq!(
        told("l5d-rotate/v1", "l5d-rotate/v9"),
        "rotation.yaml: `apiVersion` is `l5d-rotate/v9`, not `l5d-rotate/v1`"
    );
    assert_eq!(
        told("kind: Rotation", "kind: Deployment"),
        "rotation.yaml: `kind` is `Deployment`, not `Rotation`"
    );
    assert_eq!(
        told("scope: full", "scope: half"),
        "rotation.yaml: scope `half` is not known (full, issuer-only)"
    );
    assert_eq!(
        told("scope: full", "scope: issuer-only"),
        "rotation.yaml: scope `issuer-only` has no anchor.pem, and `certificates` lists one"
    );
    assert_eq!(
        told("strategy: staged", "strategy: swift"),
        "rotation.yaml: strategy `swift` is not a strategy (staged, patient, cross-signed, managed, recover)"
    );
    assert!(told("trustDomain:", "trustDomian:").contains("trustDomian"));
    assert!(
        told("strategy: staged", "strategy: staged\nstrategy: patient")
            .starts_with("rotation.yaml: not one YAML")
    );
    for text in ["", "- a\n", "{", "kind: [", "\u{0}", "a: b\n---\nc: d\n"] {
        let error = after(&files, "rotation.yaml", |_| text.to_owned());
        assert!(error.to_string().starts_with("rotation.yaml: "), "{error}");
    }
    assert!(told("notAfter: \"2036", "notAfter: \"2046").contains("is not what the certificate says"));
    let cut = after(&files, "rotation.yaml", |text| text[..text.find("certificates:").unwrap()].to_owned());
    assert!(cut.to_string().contains("certificates"), "{cut}");
}

#[test]
fn an_unknown_bundle_starts_nothing() {
    let pki = Pki::mint();
    let start = |cluster: &Cluster| {
        let scope = Scope::Full { anchor: pki.new.certificate.clone() };
        Record::new(&cluster.mesh, time(STARTED), Strategy::Staged, scope, pki.new_issuer.clone(), false)
    };
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    for unread in [Known::Absent, Known::Unknown(Unread::Refused("forbidden".into()))] {
        cluster.mesh.trust.published = unread;
        let error = start(&cluster).unwrap_err();
        assert!(matches!(error, StartError::BundleUnknown { .. }));
        assert!(error.to_string().contains("ConfigMap linkerd/linkerd-identity-trust-roots"), "{error}");
        assert!(!error.help().is_empty());
    }
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    cluster.bundle().text = l5d_rotate::pki::BundleText::read("no certificate");
    assert!(matches!(start(&cluster), Err(StartError::BundleUnknown { .. })));
}

#[test]
fn what_cert_manager_or_trust_manager_makes_is_told_as_the_guide_tells_it_and_refused_unless_overridden() {
    let pki = Pki::mint();
    let scope = || Scope::Full { anchor: pki.new.certificate.clone() };
    for (kind, name, owner) in [
        (
            "Secret",
            "linkerd-identity-issuer",
            Owner::CertManager { certificate: "linkerd-identity-issuer".into() },
        ),
        (
            "ConfigMap",
            "linkerd-identity-trust-roots",
            Owner::TrustManager { bundle: "linkerd-identity-trust-roots".into() },
        ),
    ] {
        let mut cluster = Cluster::new(&pki, Era::V2_12);
        cluster.own(kind, name, owner.clone());
        let start = |despite| {
            Record::new(
                &cluster.mesh,
                time(STARTED),
                Strategy::Staged,
                scope(),
                pki.new_issuer.clone(),
                despite,
            )
        };
        let error = start(false).unwrap_err();
        assert_eq!(error, StartError::Automated { object: format!("{kind} linkerd/{name}"), owner });
        assert!(error.help().contains("Automatically rotating control plane TLS credentials"));
        assert!(start(true).is_ok());
        let issuer_only = Record::new(
            &cluster.mesh,
            time(STARTED),
            Strategy::Staged,
            Scope::IssuerOnly,
            mint_chain(&pki.old),
            false,
        );
        assert_eq!(issuer_only.is_err(), kind == "Secret", "only the issuer's owner matters to it");
    }
}

#[test]
fn an_issuer_of_another_anchor_starts_nothing() {
    let pki = Pki::mint();
    let cluster = Cluster::new(&pki, Era::V2_12);
    let scope = Scope::Full { anchor: pki.new.certificate.clone() };
    let error =
        Record::new(&cluster.mesh, time(STARTED), Strategy::Staged, scope, pki.old_issuer.clone(), false)
            .unwrap_err();
    assert!(matches!(error, StartError::IssuerOfAnother { .. }), "{error}");
}

#[test]
fn issuer_only_needs_its_anchor_published_and_held_by_every_running_proxy() {
    let pki = Pki::mint();
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let start = |cluster: &Cluster, chain: &l5d_rotate::pki::IssuerChain| {
        Record::new(&cluster.mesh, time(STARTED), Strategy::Staged, Scope::IssuerOnly, chain.clone(), false)
    };
    assert!(start(&cluster, &mint_chain(&pki.old)).is_ok());
    let unpublished = start(&cluster, &pki.new_issuer).unwrap_err();
    assert!(matches!(unpublished, StartError::AnchorNotPublished { .. }), "{unpublished}");
    cluster.bundle().text = text(&[&pki.old.certificate, &pki.new.certificate]);
    let unheld = start(&cluster, &pki.new_issuer).unwrap_err();
    assert!(matches!(unheld, StartError::ProxiesLackAnchor { proxies: 3, .. }), "{unheld}");
    assert!(unheld.to_string().contains("emojivoto/web-0"), "{unheld}");
    let web = cluster.id("emojivoto", "web");
    let both = cluster.intern(cluster.published());
    cluster.group(web).held = Held::Literal(both);
    assert!(start(&cluster, &pki.new_issuer).is_ok());
}

#[test]
fn no_phase_before_prune_drops_an_anchor_that_is_published() {
    let pki = Pki::mint();
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let record = pki.record(&cluster.mesh, Strategy::Staged);
    let third = mint_root("third").certificate;
    cluster.bundle().text = text(&[&third, &pki.old.certificate]);
    for phase in [Phase::Bundle, Phase::Issuer] {
        let bundle = record.bundle_for(phase, &cluster.mesh);
        assert_eq!(
            bundle.anchors(),
            [third.clone(), pki.old.certificate.clone(), pki.new.certificate.clone()]
        );
    }
    assert_eq!(
        record.bundle_for(Phase::Prune, &cluster.mesh).anchors(),
        std::slice::from_ref(&pki.new.certificate)
    );
}

//! Each state of a mesh with its answer.

use l5d_rotate::cli::DataFormat;
use l5d_rotate::document::{ObjectRef, Origin};
use l5d_rotate::finding::{CertificateRef, Finding, Pods, Severity};
use l5d_rotate::mesh::{ChangeTime, Held, Injection, Known, Manifest, Mesh, Owner, Plane, Unread};
use l5d_rotate::pki::{BundleText, IssuerChain, cross_sign};
use l5d_rotate::report::{Exit, Recovery, Screen};
use l5d_rotate::rotation::recover::{Diagnosis, Eligibility, Issuance, Remedy, Stopped, steps};
use serde_json::json;

use super::{evidence, told, twins};
use crate::support::checked::{
    self, anchor, at, good_issuer, group, issuer, mesh, now, published, root, secret, text, workload,
};

#[test]
fn every_state_has_its_answer() {
    let good = root("root");
    let expired = anchor("old", "2025-01-01", "2026-05-31T12:00:00Z");
    let [short, long] = twins("root", "2026-05-31T12:00:00Z");
    let under_short = issuer(&long, "2026-01-02", "2026-12-31");
    let rows = [
        (
            "nothing",
            mesh(&[&good], &good_issuer(&good)),
            "expired []; issues until 2026-12-31T00:00:00Z; none",
        ),
        (
            "issuer expired",
            mesh(&[&good], &issuer(&good, "2026-01-02", "2026-05-31")),
            "expired [issuer]; stopped 2026-05-31T00:00:00Z, certificates 2026-05-31T00:00:00Z to 2026-05-31T00:00:00Z: None left; \
             issuer of root",
        ),
        (
            "anchor expired, issuer valid",
            mesh(&[&short], &under_short),
            "expired [anchor]; stopped 2026-05-31T12:00:00Z, certificates 2026-05-31T19:12:06Z to 2026-06-01T12:00:20Z: Some left; \
             anchor and issuer []",
        ),
        (
            "anchor expired, its issuer expires before the last workload certificate would",
            mesh(&[&short], &issuer(&long, "2026-01-02", "2026-06-01T06:00:00Z")),
            "expired [anchor]; stopped 2026-05-31T12:00:00Z, certificates 2026-05-31T19:12:06Z to 2026-06-01T06:00:00Z: Some left; \
             anchor and issuer []",
        ),
        (
            "both expired at once",
            mesh(&[&expired], &issuer(&expired, "2026-01-02", "2026-12-31")),
            "expired [anchor, issuer]; stopped 2026-05-31T12:00:00Z, certificates 2026-05-31T12:00:00Z to 2026-05-31T12:00:00Z: None \
             left; anchor and issuer []",
        ),
        (
            "the CLI's own: the issuer is the anchor",
            mesh(&[&expired], &expired),
            "expired [anchor, issuer]; stopped 2026-05-31T12:00:00Z, certificates 2026-05-31T12:00:00Z to 2026-05-31T12:00:00Z: None \
             left; anchor and issuer []",
        ),
        (
            "expired anchor that nothing depends on",
            mesh(&[&expired, &good], &good_issuer(&good)),
            "expired [anchor]; issues until 2026-12-31T00:00:00Z; prune",
        ),
        (
            "the issuer's anchor expired beside a good one that everybody holds",
            mesh(&[&short, &good], &under_short),
            "expired [anchor]; stopped 2026-05-31T12:00:00Z, certificates 2026-05-31T19:12:06Z to 2026-06-01T12:00:20Z: Some left; \
             issuer of root",
        ),
        (
            "an issuer of another anchor",
            mesh(&[&good], &good_issuer(&root("else"))),
            "expired []; refused {\"reason\":\"unknown-issuer\",\"certificate\":\"identity.linkerd.cluster.local\",\"issuer\":\"else\",\"candidate\":null}; \
             repair",
        ),
    ];
    for (name, mesh, expected) in rows {
        assert_eq!(told(&mesh), expected, "{name}");
    }
}

#[test]
fn an_intermediate_in_the_issuers_file_caps_every_workload_certificate_and_is_named() {
    let top = root("root");
    let middle = issuer(&top, "2026-01-02", "2026-05-31");
    let long = IssuerChain {
        issuer: good_issuer(&top).certificate,
        intermediates: vec![middle.certificate.clone()],
    };
    let mut mesh = mesh(&[&top], &good_issuer(&top));
    secret(&mut mesh).chain = Ok(long);
    assert_eq!(
        told(&mesh),
        "expired [intermediate]; stopped 2026-05-31T00:00:00Z, certificates 2026-05-31T00:00:00Z to 2026-05-31T00:00:00Z: None left; \
         removeexpired"
    );
    // It is not needed: without it the issuer is good for the controller, which starts with it even so.
    let diagnosis = Diagnosis::of(&mesh, now());
    assert_eq!(diagnosis.unneeded, [middle.certificate]);
    assert!(matches!(diagnosis.issuance, Issuance::Stopped(Stopped { no_start: None, .. })));
}

#[test]
fn a_needed_intermediate_that_has_expired_stops_everything_and_cannot_be_left_out() {
    let top = anchor("root", "2026-01-01", "2036-01-01");
    let middle = twins("middle", "2036-01-01").into_iter().next().unwrap();
    let cross = cross_sign(&middle.certificate, &top, at("2026-01-02")).unwrap();
    let mut mesh = mesh(&[&top], &good_issuer(&top));
    let below = IssuerChain { issuer: good_issuer(&middle).certificate, intermediates: vec![cross.clone()] };
    secret(&mut mesh).chain = Ok(below);
    let end = cross.facts().not_after;
    let diagnosis = Diagnosis::of(&mesh, now());
    assert_eq!(diagnosis.issuance, Issuance::Works { until: at("2026-12-31") });
    assert!(end > at("2026-12-31"));
    let expired = twins("root", "2026-05-31").into_iter().next().unwrap();
    let cross = cross_sign(&middle.certificate, &expired, at("2026-01-02")).unwrap();
    let below = IssuerChain { issuer: good_issuer(&middle).certificate, intermediates: vec![cross] };
    secret(&mut mesh).chain = Ok(below);
    published(&mut mesh).text = text(&[&expired]);
    mesh.bundles = vec![text(&[&expired])];
    let diagnosis = Diagnosis::of(&mesh, now());
    let Issuance::Stopped(stopped) = &diagnosis.issuance else { panic!("{:?}", diagnosis.issuance) };
    assert_eq!((stopped.since, stopped.presented.last), (at("2026-05-31"), at("2026-05-31")));
    assert!(diagnosis.unneeded.is_empty() && stopped.no_start.is_some());
}

#[test]
fn what_cannot_be_read_is_named_and_never_fine() {
    let good = root("root");
    let expired = anchor("old", "2025-01-01", "2026-05-31T12:00:00Z");
    let healthy = || mesh(&[&good], &good_issuer(&good));
    let unknown = |mesh: &Mesh| evidence(&Diagnosis::of(mesh, now()).unknown);
    let issuer_secret = ObjectRef::new("v1", "Secret", "linkerd", "linkerd-identity-issuer");

    let mut unread = healthy();
    unread.issuer = Known::Unknown(Unread::Refused("forbidden".into()));
    assert_eq!(told(&unread), "expired []; unknown; unknown");
    assert_eq!(
        unknown(&unread),
        [
            json!({"code": "object-unknown", "evidence": {"object": issuer_secret, "why": {"refused": "forbidden"}}})
        ]
    );

    let shown = issuer(&good, "2026-01-02", "2026-05-31");
    let mut copy = mesh(&[&good], &shown);
    secret(&mut copy).from_secret = false;
    assert_eq!(told(&copy), "expired []; unknown; unknown");
    assert_eq!(
        unknown(&copy),
        [json!({"code": "issuer-copy-only", "evidence": {
            "object": issuer_secret, "copy": copy.linkerd_config(),
            "issuer": CertificateRef::from(&shown.certificate), "expires": "2026-05-31T00:00:00Z",
        }})]
    );

    let mut missing = healthy();
    missing.trust.published = Known::Absent;
    assert_eq!(told(&missing), "expired []; unknown; unknown");
    assert_eq!(
        unknown(&missing),
        [json!({"code": "object-absent", "evidence": {"object": missing.bundle_home()}})]
    );

    // Without any anchor that is valid nobody issues, whatever the issuer.
    let mut anchors_only = mesh(&[&expired], &expired);
    anchors_only.issuer = Known::Unknown(Unread::Refused("forbidden".into()));
    assert_eq!(
        told(&anchors_only),
        "expired [anchor]; stopped 2026-05-31T12:00:00Z at the latest, certificates ? to 2026-06-01T12:00:20Z: Some left; anchor and \
         issuer []"
    );
    // Nor does anybody with an expired issuer, whatever the anchors.
    let mut issuer_only = mesh(&[&good], &issuer(&good, "2026-01-02", "2026-05-31"));
    issuer_only.trust.published = Known::Unknown(Unread::Refused("forbidden".into()));
    assert_eq!(
        told(&issuer_only),
        "expired [issuer]; stopped 2026-05-31T00:00:00Z at the latest, certificates ? to 2026-05-31T00:00:00Z: None left; unknown"
    );

    let mut no_pods = healthy();
    no_pods.pods = Known::Absent;
    no_pods.proxies.clear();
    assert_eq!(evidence(&Diagnosis::of(&no_pods, now()).unseen), [json!({"code": "pods-not-given"})]);
}

#[test]
fn an_anchor_signs_the_next_issuer_only_where_every_proxy_holds_it() {
    let (old, new) = (root("old"), root("new"));
    let expired = issuer(&old, "2026-01-02", "2026-05-31");
    let mut mesh = mesh(&[&new], &expired);
    published(&mut mesh).text = text(&[&old, &new]);
    checked::proxies(&mut mesh, "shop", text(&[&old, &new]), &["shop-1"], 1);
    let Remedy::Replace(signers) = Diagnosis::of(&mesh, now()).remedy else { panic!() };
    let eligibility: Vec<_> =
        signers.iter().map(|one| (one.anchor.name(), one.signed_present, one.eligibility.clone())).collect();
    let by = Pods {
        count: 2,
        sample: vec!["emojivoto/web-1".to_owned(), "emojivoto/web-2".to_owned()],
        workloads: vec![ObjectRef::new("apps/v1", "Deployment", "emojivoto", "web")],
    };
    assert_eq!(
        eligibility,
        [("new", false, Eligibility::Eligible), ("old", true, Eligibility::NotHeld { by })]
    );
    let mut unseen = checked::mesh(&[&old], &expired);
    unseen.pods = Known::Absent;
    unseen.proxies.clear();
    let Remedy::Replace(signers) = Diagnosis::of(&unseen, now()).remedy else { panic!() };
    assert_eq!((&signers[0].eligibility, signers[0].is_eligible()), (&Eligibility::EligibleUnseen, true));
    assert_eq!(steps(true).len(), 3);
    assert_eq!(
        steps(false).iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["bundle/1-trust", "issuer/1-issuer", "issuer/2-control-plane", "issuer/3-data-plane"]
    );
    let early = anchor("early", "2026-07-01", "2036-01-01");
    let mut mesh = checked::mesh(&[&early], &expired);
    published(&mut mesh).text = text(&[&early]);
    assert!(
        told(&mesh).ends_with("anchor and issuer [NotYetValid { not_before: 2026-07-01T00:00:00Z }]"),
        "{}",
        told(&mesh)
    );
}

#[test]
fn proxies_that_started_after_the_expiry_have_no_certificate_and_are_counted() {
    let [short, long] = twins("root", "2026-05-31T12:00:00Z");
    let mut mesh = mesh(&[&short], &issuer(&long, "2026-01-02", "2026-12-31"));
    let late = workload(&mut mesh, "shop", "cart", Plane::Data, Injection::Webhook);
    let held = mesh.proxies[0].held;
    group(&mut mesh, late, held, &["cart-1"], 0);
    let starts = &mut mesh.proxies.last_mut().unwrap().starts;
    for (start, number) in
        [("2026-05-31T12:00:00Z", 1), ("2026-05-31T12:00:01Z", 2), ("2026-05-31T23:00:00Z", 4)]
    {
        (0..number).for_each(|_| starts.add(Some(at(start))));
    }
    starts.add(None);
    let bare = workload(&mut mesh, "shop", "bare", Plane::Data, Injection::Webhook);
    group(&mut mesh, bare, Held::Nothing, &["bare-1"], 0);
    mesh.proxies.last_mut().unwrap().starts.add(Some(at("2026-05-31T23:00:00Z")));
    let Issuance::Stopped(stopped) = Diagnosis::of(&mesh, now()).issuance else { panic!() };
    assert_eq!((stopped.without_certificate.count, stopped.without_certificate.start_unknown), (6, 1));
    let cart = ObjectRef::new("apps/v1", "Deployment", "shop", "cart");
    assert_eq!(stopped.without_certificate.workloads, [cart]);
}

#[test]
fn identity_controllers_that_may_have_missed_a_change_are_named_where_all_looks_fine() {
    let good = root("root");
    let mut mesh = mesh(&[&good], &good_issuer(&good));
    assert_eq!(Diagnosis::of(&mesh, now()).unseen, []);
    secret(&mut mesh).changed = ChangeTime::At(at("2026-02-01T00:09:00Z"));
    assert_eq!(
        evidence(&Diagnosis::of(&mesh, now()).unseen),
        [json!({"code": "change-perhaps-not-loaded",
            "evidence": {"object": mesh.issuer_secret(), "pods": ["linkerd-identity-0"]}})],
        "started 60 s after the change: the mount may have lagged"
    );
}

#[test]
fn what_cert_manager_makes_is_told_with_its_owner() {
    let good = root("root");
    let mut mesh = mesh(&[&good], &issuer(&good, "2026-01-02", "2026-05-31"));
    let secret = ObjectRef::new("v1", "Secret", "linkerd", "linkerd-identity-issuer");
    let owner = Owner::CertManager { certificate: "linkerd-identity-issuer".into() };
    mesh.manifests = vec![Manifest {
        object: secret.clone(),
        origin: Origin::default(),
        owners: vec![owner.clone()],
        tree: serde_json::Value::Null,
    }];
    assert_eq!(Diagnosis::of(&mesh, now()).managed, [(secret, owner)]);
}

#[test]
fn a_screen_of_what_is_not_known_says_so_first_and_exits_3() {
    let good = root("root");
    let mut mesh = mesh(&[&good], &good_issuer(&good));
    mesh.issuer = Known::Unknown(Unread::Refused("secrets is forbidden".into()));
    let diagnosis = Diagnosis::of(&mesh, now());
    let recovery =
        Recovery { diagnosis: &diagnosis, arguments: " -f mesh.yaml", screen: &Screen::utc(diagnosis.at) };
    let screen = anstream::adapter::strip_str(&recovery.print(DataFormat::Text)).to_string();
    assert!(screen.starts_with("UNKNOWN  "), "{screen}");
    assert!(screen.ends_with("\n  kubectl l5d-rotate check -f mesh.yaml\n"), "{screen}");
    assert_eq!(recovery.exit(), Exit::NotMet);
    let json: serde_json::Value = serde_json::from_str(&recovery.print(DataFormat::Json)).unwrap();
    assert_eq!((&json["issuance"]["state"], &json["remedy"]["kind"]), (&"unknown".into(), &"unknown".into()));
    let finding = &json["findings"][0];
    assert_eq!((&finding["severity"], &finding["code"]), (&"unknown".into(), &"object-unknown".into()));
    // What has expired for certain makes it 1, whatever is unknown beside it.
    let expired = anchor("old", "2025-01-01", "2026-05-31");
    published(&mut mesh).text = text(&[&expired]);
    let diagnosis = Diagnosis::of(&mesh, now());
    assert_eq!(
        Recovery { diagnosis: &diagnosis, arguments: "", screen: &Screen::utc(diagnosis.at) }.exit(),
        Exit::Findings
    );
}

#[test]
fn an_issuer_that_has_not_begun_is_not_called_refused_whatever_the_time() {
    let good = root("root");
    let mesh = mesh(&[&good], &issuer(&good, "2026-06-02", "2026-12-31"));
    let diagnosis = Diagnosis::of(&mesh, now());
    let found = evidence(&diagnosis.findings());
    assert_eq!(
        (&found[0]["code"], &found[0]["evidence"]["validFrom"]),
        (&"issuer-refused".into(), &"2026-06-02T00:00:00Z".into())
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn what_has_stopped_is_told_with_its_code_and_what_follows_from_it() {
    let [short, long] = twins("root", "2026-05-31T12:00:00Z");
    let mesh = mesh(&[&short], &issuer(&long, "2026-01-02", "2026-12-31"));
    let codes = |time: &str| {
        let found = Diagnosis::of(&mesh, at(time)).findings();
        found.iter().map(Finding::code).collect::<Vec<_>>()
    };
    assert_eq!(codes("2026-05-31T12:00:00Z"), Vec::<&str>::new());
    assert_eq!(codes("2026-05-31T12:00:01Z"), ["issuance-stopped", "identity-fails-to-start"]);
    let expiring = ["issuance-stopped", "identity-fails-to-start", "workload-certificates-expiring"];
    assert_eq!(codes("2026-05-31T19:12:07Z"), expiring);
    let expired = ["issuance-stopped", "identity-fails-to-start", "workload-certificates-expired"];
    assert_eq!(codes("2026-06-01T12:00:21Z"), expired);
    let found = Diagnosis::of(&mesh, at("2026-05-31T12:00:01Z")).findings();
    assert!(found.iter().all(|finding| finding.severity == Severity::Error));
    let because = json!([{
        "role": "trust-anchor", "name": "root", "fingerprint": short.certificate.fingerprint(),
        "notBefore": "2026-01-01T00:00:00Z", "notAfter": "2026-05-31T12:00:00Z",
    }]);
    let evidence = &evidence(&found)[0]["evidence"];
    assert_eq!(evidence, &json!({"since": "2026-05-31T12:00:00Z", "exact": true, "because": because}));
}

#[test]
fn what_is_rejected_though_nothing_has_expired_is_told_once_for_each_reason() {
    let good = root("root");
    let mut mesh = mesh(&[&good], &good_issuer(&good));
    let text = format!("{}\n", good.certificate.to_pem());
    published(&mut mesh).text = BundleText::read(text);
    let diagnosis = Diagnosis::of(&mesh, now());
    assert!(matches!(diagnosis.issuance, Issuance::Works { .. }));
    let found = evidence(&diagnosis.rejected);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["code"], &found[0]["evidence"]["fails"], &found[0]["evidence"]["refusal"]["reason"]),
        (&"chain-rejected".into(), &json!(["identity-fails-to-start"]), &"bundle-unreadable".into())
    );
}

#[test]
fn an_expired_anchor_that_nothing_depends_on_is_a_warning() {
    let (good, old) = (root("root"), anchor("old", "2025-01-01", "2026-05-31T12:00:00Z"));
    let found = Diagnosis::of(&mesh(&[&old, &good], &good_issuer(&good)), now()).findings();
    let [finding] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((finding.severity, finding.code()), (Severity::Warning, "expired-unused"));
}

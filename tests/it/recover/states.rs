//! Each state of a mesh with its answer.

use l5d_rotate::cli::DataFormat;
use l5d_rotate::document::{ObjectRef, Origin};
use l5d_rotate::mesh::{ChangeTime, Held, Injection, Known, Manifest, Mesh, Owner, Plane, Unread};
use l5d_rotate::pki::{IssuerChain, cross_sign};
use l5d_rotate::report::{Clock, Exit, Recovery};
use l5d_rotate::rotation::recover::{Diagnosis, Issuance, Standing, Stopped, Way, steps};

use super::{told, twins};
use crate::check::builder::{
    self, anchor, at, good_issuer, group, issuer, mesh, now, published, root, secret, text, workload,
};

#[test]
fn every_state_has_its_answer() {
    let good = root("root");
    let over = anchor("old", "2025-01-01", "2026-05-31T12:00:00Z");
    let [short, long] = twins("root", "2026-05-31T12:00:00Z");
    let under_short = issuer(&long, "2026-01-02", "2026-12-31");
    let rows = [
        (
            "nothing",
            mesh(&[&good], &good_issuer(&good)),
            "over []; issues until 2026-12-31T00:00:00Z; nothing",
        ),
        (
            "issuer expired",
            mesh(&[&good], &issuer(&good, "2026-01-02", "2026-05-31")),
            "over [issuer]; stopped 2026-05-31T00:00:00Z, leaves 2026-05-31T00:00:00Z to 2026-05-31T00:00:00Z: None left; \
             issuer of root",
        ),
        (
            "anchor expired, issuer valid",
            mesh(&[&short], &under_short),
            "over [anchor]; stopped 2026-05-31T12:00:00Z, leaves 2026-05-31T19:12:06Z to 2026-06-01T12:00:20Z: Some left; \
             anchor and issuer []",
        ),
        (
            "anchor expired, its issuer ends before the last leaf would",
            mesh(&[&short], &issuer(&long, "2026-01-02", "2026-06-01T06:00:00Z")),
            "over [anchor]; stopped 2026-05-31T12:00:00Z, leaves 2026-05-31T19:12:06Z to 2026-06-01T06:00:00Z: Some left; \
             anchor and issuer []",
        ),
        (
            "both expired at once",
            mesh(&[&over], &issuer(&over, "2026-01-02", "2026-12-31")),
            "over [anchor, issuer]; stopped 2026-05-31T12:00:00Z, leaves 2026-05-31T12:00:00Z to 2026-05-31T12:00:00Z: None \
             left; anchor and issuer []",
        ),
        (
            "the CLI's own: the issuer is the anchor",
            mesh(&[&over], &over),
            "over [anchor, issuer]; stopped 2026-05-31T12:00:00Z, leaves 2026-05-31T12:00:00Z to 2026-05-31T12:00:00Z: None \
             left; anchor and issuer []",
        ),
        (
            "expired anchor that nothing depends on",
            mesh(&[&over, &good], &good_issuer(&good)),
            "over [anchor]; issues until 2026-12-31T00:00:00Z; prune",
        ),
        (
            "the issuer's anchor expired beside a good one that everybody holds",
            mesh(&[&short, &good], &under_short),
            "over [anchor]; stopped 2026-05-31T12:00:00Z, leaves 2026-05-31T19:12:06Z to 2026-06-01T12:00:20Z: Some left; \
             issuer of root",
        ),
        (
            "an issuer of another anchor",
            mesh(&[&good], &good_issuer(&root("else"))),
            "over []; refused: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: none is named `else`; repair",
        ),
    ];
    for (name, mesh, expected) in rows {
        assert_eq!(told(&mesh), expected, "{name}");
    }
}

#[test]
fn an_intermediate_in_the_issuers_file_caps_every_leaf_and_is_named() {
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
        "over [intermediate]; stopped 2026-05-31T00:00:00Z, leaves 2026-05-31T00:00:00Z to 2026-05-31T00:00:00Z: None left; \
         issuer of root"
    );
    // It is not needed: without it the issuer is good for the controller, which starts with it even so.
    let diagnosis = Diagnosis::of(&mesh, now());
    assert_eq!(diagnosis.trim, [middle.certificate]);
    assert!(matches!(diagnosis.issuance, Issuance::Stopped(Stopped { no_start: None, .. })));
}

#[test]
fn a_needed_intermediate_that_is_over_stops_everything_and_cannot_be_left_out() {
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
    let ended = twins("root", "2026-05-31").into_iter().next().unwrap();
    let cross = cross_sign(&middle.certificate, &ended, at("2026-01-02")).unwrap();
    let below = IssuerChain { issuer: good_issuer(&middle).certificate, intermediates: vec![cross] };
    secret(&mut mesh).chain = Ok(below);
    published(&mut mesh).text = text(&[&ended]);
    mesh.bundles = vec![text(&[&ended])];
    let diagnosis = Diagnosis::of(&mesh, now());
    let Issuance::Stopped(stopped) = &diagnosis.issuance else { panic!("{:?}", diagnosis.issuance) };
    assert_eq!((stopped.since, stopped.presented.last), (at("2026-05-31"), at("2026-05-31")));
    assert!(diagnosis.trim.is_empty() && stopped.no_start.is_some());
}

#[test]
fn what_cannot_be_read_is_named_and_never_fine() {
    let good = root("root");
    let over = anchor("old", "2025-01-01", "2026-05-31T12:00:00Z");
    let healthy = || mesh(&[&good], &good_issuer(&good));
    let unknown = |mesh: &Mesh| Diagnosis::of(mesh, now()).unknown;

    let mut unread = healthy();
    unread.issuer = Known::Unknown(Unread::Refused("forbidden".into()));
    assert_eq!(told(&unread), "over []; unknown; unknown");
    assert_eq!(unknown(&unread), ["the issuer in Secret linkerd/linkerd-identity-issuer: forbidden"]);

    let mut copy = mesh(&[&good], &issuer(&good, "2026-01-02", "2026-05-31"));
    secret(&mut copy).from_secret = false;
    assert_eq!(told(&copy), "over []; unknown; unknown");
    assert_eq!(
        unknown(&copy),
        [
            "the issuer: Secret linkerd/linkerd-identity-issuer was not read; its copy in ConfigMap linkerd/linkerd-config, \
          `identity.linkerd.cluster.local`, which shows the last render only, ends on 2026-05-31T00:00:00Z"
        ]
    );

    let mut missing = healthy();
    missing.trust.published = Known::Absent;
    assert_eq!(told(&missing), "over []; unknown; unknown");
    let place = "ConfigMap linkerd/linkerd-identity-trust-roots (data.\"ca-bundle.crt\")";
    assert_eq!(
        unknown(&missing),
        [format!("the trust bundle: {place} does not exist, or is not in the input")]
    );

    // Without any anchor that is valid nobody issues, whatever the issuer.
    let mut anchors_only = mesh(&[&over], &over);
    anchors_only.issuer = Known::Unknown(Unread::Refused("forbidden".into()));
    assert_eq!(
        told(&anchors_only),
        "over [anchor]; stopped 2026-05-31T12:00:00Z at the latest, leaves ? to 2026-06-01T12:00:20Z: Some left; anchor and \
         issuer []"
    );
    // Nor does anybody with an issuer that is over, whatever the anchors.
    let mut issuer_only = mesh(&[&good], &issuer(&good, "2026-01-02", "2026-05-31"));
    issuer_only.trust.published = Known::Unknown(Unread::Refused("forbidden".into()));
    assert_eq!(
        told(&issuer_only),
        "over [issuer]; stopped 2026-05-31T00:00:00Z at the latest, leaves ? to 2026-05-31T00:00:00Z: None left; unknown"
    );

    let mut no_pods = healthy();
    no_pods.pods = Known::Absent;
    no_pods.proxies.clear();
    assert_eq!(Diagnosis::of(&no_pods, now()).unseen, ["pods: they are not in the input"]);
}

#[test]
fn an_anchor_signs_the_next_issuer_only_where_every_proxy_holds_it() {
    let (old, new) = (root("old"), root("new"));
    let over = issuer(&old, "2026-01-02", "2026-05-31");
    let mut mesh = mesh(&[&new], &over);
    published(&mut mesh).text = text(&[&old, &new]);
    builder::proxies(&mut mesh, "shop", text(&[&old, &new]), &["shop-1"], 1);
    let Way::Replace(candidates) = Diagnosis::of(&mesh, now()).way else { panic!() };
    let standing: Vec<_> =
        candidates.iter().map(|one| (one.anchor.name(), one.signed_present, one.standing.clone())).collect();
    let sample = vec!["emojivoto/web-1".to_owned(), "emojivoto/web-2".to_owned()];
    assert_eq!(
        standing,
        [("new", false, Standing::Fit), ("old", true, Standing::Lacking { proxies: 2, sample })]
    );
    let mut unseen = builder::mesh(&[&old], &over);
    unseen.pods = Known::Absent;
    unseen.proxies.clear();
    let Way::Replace(candidates) = Diagnosis::of(&unseen, now()).way else { panic!() };
    assert_eq!((&candidates[0].standing, candidates[0].is_fit()), (&Standing::FitUnseen, true));
    assert_eq!(steps(true).len(), 3);
    assert_eq!(
        steps(false).iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["bundle/1-trust", "issuer/1-issuer", "issuer/2-control-plane", "issuer/3-data-plane"]
    );
    let early = anchor("early", "2026-07-01", "2036-01-01");
    let mut mesh = builder::mesh(&[&early], &over);
    published(&mut mesh).text = text(&[&early]);
    assert!(told(&mesh).ends_with("anchor and issuer [NotBefore(2026-07-01T00:00:00Z)]"), "{}", told(&mesh));
}

#[test]
fn proxies_that_started_after_the_end_have_no_leaf_and_are_counted() {
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
    assert_eq!((stopped.without_certificate.count, stopped.without_certificate.unknown), (6, 1));
    assert_eq!(stopped.without_certificate.workloads, ["Deployment shop/cart"]);
}

#[test]
fn identity_controllers_that_may_have_missed_a_change_are_named_where_all_looks_fine() {
    let good = root("root");
    let mut mesh = mesh(&[&good], &good_issuer(&good));
    assert_eq!(Diagnosis::of(&mesh, now()).unseen, Vec::<String>::new());
    secret(&mut mesh).changed = ChangeTime::At(at("2026-02-01T00:09:00Z"));
    assert_eq!(
        Diagnosis::of(&mesh, now()).unseen,
        [
            "whether these identity controllers have taken up the last change of Secret linkerd/linkerd-identity-issuer, or go on \
          with what was there before and may be over: linkerd-identity-0"
        ],
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
    assert_eq!(Diagnosis::of(&mesh, now()).automated, [(secret, owner)]);
}

#[test]
fn a_screen_of_what_is_not_known_says_so_first_and_exits_3() {
    let good = root("root");
    let mut mesh = mesh(&[&good], &good_issuer(&good));
    mesh.issuer = Known::Unknown(Unread::Refused("secrets is forbidden".into()));
    let diagnosis = Diagnosis::of(&mesh, now());
    let recovery =
        Recovery { diagnosis: &diagnosis, arguments: " -f mesh.yaml", clock: &Clock::utc(diagnosis.at) };
    let fingerprint = good.certificate.fingerprint().short().to_string();
    let screen = anstream::adapter::strip_str(&recovery.print(DataFormat::Text)).to_string();
    assert_eq!(
        screen.replace(&fingerprint, "000000000000"),
        "\
Nothing that was read has expired, and whether proxies get leaves cannot be told

Ends next
  trust anchor  root  000000000000  valid until 2036-01-01 00:00 UTC (in 9 years)

Not known
  ? the issuer in Secret linkerd/linkerd-identity-issuer: secrets is forbidden

Next
  give what is not known in the input, or the right to read it; what can be judged without it:
  kubectl l5d-rotate check -f mesh.yaml
"
    );
    assert_eq!(recovery.exit(), Exit::Closed);
    let json: serde_json::Value = serde_json::from_str(&recovery.print(DataFormat::Json)).unwrap();
    assert_eq!((&json["issuance"]["is"], &json["wayBack"]["is"]), (&"unknown".into(), &"unknown".into()));
    // What has expired for certain makes it 1, whatever is unknown beside it.
    let over = anchor("old", "2025-01-01", "2026-05-31");
    published(&mut mesh).text = text(&[&over]);
    let diagnosis = Diagnosis::of(&mesh, now());
    assert_eq!(
        Recovery { diagnosis: &diagnosis, arguments: "", clock: &Clock::utc(diagnosis.at) }.exit(),
        Exit::Findings
    );
}

#[test]
fn an_issuer_that_has_not_begun_is_not_called_refused_whatever_the_time() {
    let good = root("root");
    let mesh = mesh(&[&good], &issuer(&good, "2026-06-02", "2026-12-31"));
    let diagnosis = Diagnosis::of(&mesh, now());
    let recovery = Recovery { diagnosis: &diagnosis, arguments: "", clock: &Clock::utc(diagnosis.at) };
    let screen = recovery.print(DataFormat::Text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        screen.contains("does not accept the issuer before 2026-06-02 00:00 UTC (in 24 hours)"),
        "{screen}"
    );
}

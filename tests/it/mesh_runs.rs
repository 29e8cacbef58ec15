//! Whole meshes of real components were led through right and wrong orders: the possible states say which of them healed
//! without a restart, and which did not.
//!
//! `testdata/verdicts.json` holds bundles, issuers and what was seen; every record stands in `../shared/real/verdicts`.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use l5d_rotate::mesh::{ChangeTime, Era, Held, Starts, WorkloadId};
use l5d_rotate::pki::{Bundle, BundleText, IssuerChain, Rules};
use l5d_rotate::rotation::recover::{Diagnosis, Issuance, Remedy};
use l5d_rotate::states::{Certainty, Invariant, Sides, States};

use crate::support::rotation::{Cluster, Pki};
use crate::verdicts;
use crate::verdicts::MeshRun;

/// What is done in a run, in the words of the model.
enum Act<'a> {
    /// This bundle is published.
    Publish(&'a str),
    /// This issuer is put into the Secret.
    Swap(&'a str),
    /// These restart: pods of the data plane by their letter, or a workload of the control plane.
    Restart(&'a [&'a str]),
    /// So much time passes that every workload certificate that is not renewed has expired.
    Wait,
}

use Act::{Publish, Restart, Swap, Wait};

/// The control plane's pods with a proxy.
const CONTROL: [&str; 2] = ["identity", "destination"];

/// A run: a mesh in which everybody started with what `held` says, and what became of it.
struct Mesh<'a> {
    run: &'a MeshRun,
    texts: &'a BTreeMap<String, String>,
    cluster: Cluster,
    states: States,
    at: Timestamp,
}

impl<'a> Mesh<'a> {
    fn of(run: &'a MeshRun, texts: &'a BTreeMap<String, String>, proxies: &[&str]) -> Self {
        let mut cluster = Cluster::new(&Pki::mint(), Era::V2_12);
        let text = |name: &str| BundleText::read(texts[&format!("bundle {name}")].clone());
        let started = run.at - SignedDuration::from_mins(30);
        let long_ago = ChangeTime::At(run.at - SignedDuration::from_hours(10));
        cluster.mesh.proxies.retain(|group| CONTROL.iter().any(|name| group.sample[0].contains(name)));
        cluster.mesh.control_plane.issuance_lifetime = l5d_rotate::mesh::GoDuration::from_secs(3600);
        cluster.bundle().text = text(&run.held["identity"]);
        cluster.bundle().changed = long_ago;
        cluster.issuer().chain =
            Ok(IssuerChain::from_pem(&texts[&format!("issuer {}", run.issuer)]).unwrap());
        cluster.issuer().changed = long_ago;
        for proxy in proxies {
            let id = cluster.add("Deployment", "app", proxy, 1, &[]);
            let held = cluster.intern(text(&run.held[*proxy]));
            cluster.group(id).held = Held::Literal(held);
        }
        for group in &mut cluster.mesh.proxies {
            group.starts = Starts::default();
            group.starts.add(Some(started));
        }
        cluster.mesh.control_plane.replicas.iter_mut().for_each(|replica| replica.started = Some(started));
        let states = States::of(&cluster.mesh, None, run.at);
        Self { run, texts, cluster, states, at: run.at }
    }

    fn bundle(&self, name: &str) -> Bundle {
        let text = BundleText::read(self.texts[&format!("bundle {name}")].clone());
        text.as_read_by(Rules::Proxy).unwrap().clone()
    }

    fn go(&mut self, acts: &[Act<'_>]) {
        for act in acts {
            self.states = match act {
                Publish(bundle) => self.states.publishing(&self.bundle(bundle)),
                Swap(issuer) => {
                    let pem = &self.texts[&format!("issuer {issuer}")];
                    self.states.swapping(&IssuerChain::from_pem(pem).unwrap())
                }
                Restart(names) => {
                    let of = |id: WorkloadId| {
                        let name = &self.cluster.mesh.workload(id).object.name;
                        names.iter().any(|one| name == one || *name == format!("linkerd-{one}"))
                    };
                    self.states.restarted(of)
                }
                Wait => {
                    self.at += SignedDuration::from_hours(2);
                    self.states.waited(self.at)
                }
            };
        }
    }

    /// Which invariants surely do not hold.
    fn violated(&self) -> Vec<Invariant> {
        let all = self.states.violations(self.at);
        let mut violated: Vec<_> = all.iter().filter(|one| one.certain).map(|one| one.invariant()).collect();
        violated.sort_unstable();
        violated.dedup();
        violated
    }
}

/// How many of the pairs of a recorded matrix failed; `at` counts them.
fn failed(run: &MeshRun, at: usize) -> usize {
    run.matrices[at].values().filter(|result| *result != "ok").count()
}

const DATA: [&str; 3] = ["a", "b", "c"];

fn run_of<'a>(runs: &'a [MeshRun], id: &str) -> &'a MeshRun {
    runs.iter().find(|run| run.id == id).unwrap()
}

fn prune_before_certificates_are_renewed(runs: &[MeshRun], texts: &BTreeMap<String, String>) {
    let run = run_of(runs, "prune-before-leaves-end");
    let mut mesh = Mesh::of(run, texts, &DATA);
    // As it was before the Secret changed.
    let old = IssuerChain::from_pem(&texts["issuer old"]).unwrap();
    mesh.cluster.issuer().chain = Ok(old);
    mesh.states = States::of(&mesh.cluster.mesh, None, mesh.at);
    assert_eq!(mesh.violated(), []);
    mesh.go(&[Swap("new"), Restart(&["identity"])]);
    assert_eq!(mesh.violated(), [], "both anchors are everywhere");
    mesh.go(&[Publish("new"), Restart(&["identity", "destination", "c"])]);
    // At once some pairs failed, and none of a and b could renew.
    assert!(failed(run, 0) > 0 && failed(run, 0) < run.matrices[0].len());
    let request = |mesh: &Mesh<'_>| {
        mesh.states.violations(mesh.at).into_iter().find(|one| one.invariant() == Invariant::EveryRequest)
    };
    assert!(request(&mesh).is_some(), "{:?}", mesh.states.violations(mesh.at));
    // Time did not heal it.
    mesh.go(&[Wait]);
    assert_eq!((run.healed, failed(run, 1)), (Some(false), run.matrices[1].len()));
    assert!(request(&mesh).is_some());
    // The restart did.
    mesh.go(&[Restart(&["a", "b"])]);
    assert_eq!((failed(run, 3), request(&mesh)), (0, None));
    assert_eq!(mesh.states.violations(mesh.at), []);
}

fn prune_while_identity_waits(runs: &[MeshRun], texts: &BTreeMap<String, String>) {
    let run = run_of(runs, "prune-proxies-of-control-plane-wait");
    let mut mesh = Mesh::of(run, texts, &DATA);
    mesh.go(&[Swap("new"), Publish("new"), Restart(&["c"])]);
    assert_eq!(mesh.states.published.as_ref().map(|one| one.anchors().len()), Some(1));
    assert!(failed(run, 0) > 0);
    // The proxies of the identity pod keep both anchors, and with these let everybody in: whoever has an old certificate renews.
    let both = mesh.states.bundles.iter().position(|one| one.what.same_set(&mesh.bundle("both"))).unwrap();
    assert_eq!(mesh.states.bundles[both].by_identity, Certainty::Surely);
    for one in mesh.states.violations(mesh.at) {
        assert!(!matches!(one.sides, Sides::Request { bundle, .. } if bundle == both), "{one:?}");
    }
    assert_eq!((run.healed, failed(run, 1)), (Some(true), 0));
}

fn issuer_before_bundle(runs: &[MeshRun], texts: &BTreeMap<String, String>) {
    let run = run_of(runs, "issuer-before-bundle");
    let mut mesh = Mesh::of(run, texts, &DATA);
    mesh.go(&[Swap("new")]);
    // The controller skips it and goes on: nothing fails.
    assert_eq!(failed(run, 0), 0);
    assert_eq!(mesh.violated(), [Invariant::ControllerStarts]);
    mesh.go(&[Wait]);
    assert_eq!(mesh.violated(), [Invariant::ControllerStarts]);
    assert!(mesh.states.presented.iter().all(|one| one.count == 5), "{:?}", mesh.states.presented);
    // Restarted it is dead, and when certificates expire everybody else is.
    mesh.go(&[Restart(&["identity"]), Wait]);
    assert_eq!((run.healed, failed(run, 1)), (Some(false), run.matrices[1].len()));
    assert!(mesh.violated().contains(&Invariant::ControllerSigns), "{:?}", mesh.violated());
    let with: u64 = mesh.states.presented.iter().map(|one| one.count).sum();
    assert_eq!(with, 0, "{:?}", mesh.states.presented);
}

fn bundle_and_issuer_at_once(runs: &[MeshRun], texts: &BTreeMap<String, String>) {
    let run = run_of(runs, "bundle-and-issuer-at-once");
    let mut mesh = Mesh::of(run, texts, &DATA);
    mesh.go(&[Swap("new"), Publish("both"), Restart(&CONTROL)]);
    let violated = mesh.violated();
    assert!(
        violated.contains(&Invariant::EveryPair) && violated.contains(&Invariant::EveryRenewal),
        "{violated:?}"
    );
    // What a, b and c present, the identity pod's proxy accepts: it is they who refuse.
    assert!(!violated.contains(&Invariant::EveryRequest));
    mesh.go(&[Wait]);
    assert_eq!((run.healed, failed(run, 1)), (Some(false), run.matrices[1].len()));
    assert!(mesh.violated().contains(&Invariant::EveryRenewal), "{:?}", mesh.violated());
    mesh.go(&[Restart(&DATA)]);
    assert_eq!((failed(run, 2), mesh.violated()), (0, vec![]));
}

fn right_orders(runs: &[MeshRun], texts: &BTreeMap<String, String>) {
    let staged = [
        vec![Publish("both"), Restart(&CONTROL)],
        vec![Restart(&["a"])],
        vec![Restart(&["b", "c"])],
        vec![Swap("new")],
        vec![Restart(&["identity", "destination", "a"])],
        vec![Wait],
        vec![Publish("new"), Restart(&CONTROL)],
        vec![Restart(&["a"])],
        vec![Restart(&["b", "c"])],
    ];
    let crossed = [
        vec![Swap("xchain")],
        vec![Restart(&["identity"])],
        vec![Wait],
        vec![Publish("xnew"), Restart(&CONTROL)],
        vec![Restart(&["c"])],
        vec![Restart(&["a", "b"])],
        vec![Swap("xissuer"), Restart(&["identity"])],
    ];
    for (id, acts) in [("staged-full", &staged[..]), ("cross-signed-full", &crossed[..])] {
        let run = run_of(runs, id);
        let mut mesh = Mesh::of(run, texts, &DATA);
        for (place, act) in acts.iter().enumerate() {
            mesh.go(act);
            assert_eq!(mesh.violated(), [], "{id} {place}");
        }
        assert!((0..run.matrices.len()).all(|at| failed(run, at) == 0), "{id}");
    }
}

type Question = fn(&[MeshRun], &BTreeMap<String, String>);

fn ask(question: Question) {
    let (runs, texts) = verdicts::mesh_runs();
    question(&runs, &texts);
}

#[test]
fn a_bundle_pruned_before_certificates_are_renewed_does_not_heal() {
    ask(prune_before_certificates_are_renewed);
}

#[test]
fn a_bundle_pruned_for_the_data_plane_alone_heals() {
    ask(prune_while_identity_waits);
}

#[test]
fn an_issuer_before_its_bundle_is_skipped_until_identity_restarts() {
    ask(issuer_before_bundle);
}

#[test]
fn bundle_and_issuer_at_once_break_renewals_until_everybody_restarts() {
    ask(bundle_and_issuer_at_once);
}

#[test]
fn rotations_in_the_right_order_break_nothing() {
    ask(right_orders);
}

#[test]
fn an_expired_cross_certificate_needs_no_new_anchor() {
    ask(|runs, texts| {
        let run = run_of(runs, "cross-certificate-ends");
        let mesh = Mesh::of(run, texts, &DATA);
        let now = &mesh.cluster.mesh;
        // Every pair failed a second after its end, and came back with the issuer alone and restarts, though one held {old}.
        let before = Diagnosis::of(now, run.at);
        assert!(
            matches!(before.issuance, Issuance::Works { until } if until == run.at),
            "{:?}",
            before.issuance
        );
        let after = run.at + SignedDuration::from_secs(1);
        assert_eq!(failed(run, 0), run.matrices[0].len());
        let diagnosis = Diagnosis::of(now, after);
        assert_eq!(diagnosis.remedy, Remedy::RemoveExpired);
        let cross = IssuerChain::from_pem(&texts["issuer xshort"]).unwrap().intermediates;
        assert_eq!(diagnosis.unneeded, cross);
        let without = IssuerChain::from_pem(&texts["issuer xissuer"]).unwrap();
        let kept = now.secret_chain().unwrap().without_expired(after);
        assert_eq!(kept.intermediates, without.intermediates);
        assert!(run.matrices[2].values().any(|result| result == "ok"));
    });
}

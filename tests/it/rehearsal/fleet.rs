//! Pods of a simulated cluster: kubelets, identity controllers, injectors and proxies with real workload certificates, on a
//! simulated clock.

use jiff::{SignedDuration, Timestamp, ToSpan};
use l5d_rotate::mesh::{BundleId, Era, Obstacle, Plane, WorkloadId};
use l5d_rotate::pki::{Authority, Bundle, IssuerChain, Rules, accepts, cross_sign};
use l5d_rotate::rotation::{Record, Scope, Strategy};
use rcgen::KeyPair;

use crate::support::pki;
use crate::support::pki::identity;
use crate::support::pki::random::Dice;
use crate::support::pki::tls::{self, Proxy, key_pair};
use crate::support::rotation::{self as support, STARTED, time};

mod managed;
mod steps;

const NODES: usize = 4;
const IDENTITIES: usize = 3;
const INJECTORS: usize = 2;
/// Data-plane workloads: name, pods, what is in the way of a restart.
const DATA: [(&str, &str, usize, &[Obstacle]); 6] = [
    ("Deployment", "web", 6, &[]),
    ("Deployment", "emoji", 5, &[]),
    ("Deployment", "voting", 4, &[]),
    ("StatefulSet", "store", 3, &[Obstacle::OnDelete]),
    ("DaemonSet", "agent", 4, &[]),
    ("Deployment", "vote-bot", 1, &[Obstacle::Paused]),
];
/// How long a replaced identity controller answers on: until its successor is ready, and its grace period.
const ANSWERS_ON: SignedDuration = SignedDuration::from_secs(75);
/// Random pairs that shake hands in each tick.
const PAIRS: usize = 3;

/// The certificates of all rehearsals, minted once.
pub struct Pki {
    anchors: [Authority; 2],
    /// The keys of `chains`.
    signers: [KeyPair; 3],
    /// The old issuer, the new one, and the new one with its cross certificate.
    chains: [IssuerChain; 3],
    /// Keys of proxies, shared between them: what a workload certificate says does not depend on its key.
    keys: Vec<KeyPair>,
}

impl Pki {
    pub fn mint() -> Self {
        Self::expiring(time("2036-01-01T00:00:00Z"))
    }

    /// The same with an old anchor, and so an old issuer, that expires then.
    pub fn expiring(old_expiry: Timestamp) -> Self {
        let anchors = [old_expiry, time("2036-01-01")]
            .map(|expiry| pki::anchor_until("root.linkerd.cluster.local", expiry));
        let (from, to) = (time("2026-01-02"), time("2027-01-01"));
        let [old, new] = anchors.each_ref().map(|anchor| pki::issuer_within(anchor, from, to));
        let signers = [&old, &new, &new].map(key_pair);
        let cross = cross_sign(&anchors[1].certificate, &anchors[0], time("2026-01-01")).unwrap();
        let [old, new] = [old, new].map(|issuer| issuer.certificate);
        let chains = [pki::chain(&old, &[]), pki::chain(&new, &[]), pki::chain(&new, &[cross])];
        let keys = (0..8).map(|_| KeyPair::generate().unwrap()).collect();
        Self { anchors, signers, chains, keys }
    }
}

/// What went wrong in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Two proxies could not speak with each other.
    Handshake,
    /// A proxy got no workload certificate, or one that it refuses.
    Renewal,
    /// An identity controller failed to start.
    Start,
}

struct Issued {
    proxy: Proxy,
    until: Timestamp,
}

/// What an identity controller has loaded.
struct Controller {
    bundle: usize,
    issuer: usize,
    /// How many changes of the Secret it has been told of, or missed.
    told: usize,
    runs: bool,
}

struct Pod {
    workload: WorkloadId,
    name: String,
    node: usize,
    plane: Plane,
    component: &'static str,
    created: Timestamp,
    started: Timestamp,
    /// Index into [`Fleet::bundles`].
    bundle: usize,
    key: usize,
    certificate: Option<Issued>,
    renew: Timestamp,
    restart: Option<Timestamp>,
    controller: Option<Controller>,
}

/// A change of a ConfigMap or Secret, and when each node's kubelet brings it to running pods.
struct Put<T> {
    at: Timestamp,
    what: T,
    seen: [Timestamp; NODES],
}

/// What a new pod is given whose kubelet has heard of everything until then.
fn given<T>(puts: &[Put<T>], heard: Timestamp) -> usize {
    puts.iter().rposition(|put| put.at <= heard).unwrap_or_default()
}

/// What a pod has mounted: what was there when it was created, or what its node's kubelet has brought since.
fn shown<T>(puts: &[Put<T>], pod: &Pod, now: Timestamp) -> usize {
    let is_there = |put: &Put<T>| put.at + 10.seconds() < pod.created || put.seen[pod.node] <= now;
    puts.iter().rposition(is_there).unwrap_or_default()
}

pub struct Fleet<'a> {
    pki: &'a Pki,
    dice: Dice,
    pub objects: support::Cluster,
    pods: Vec<Pod>,
    bundles: Vec<Put<(Bundle, BundleId)>>,
    issuers: Vec<Put<usize>>,
    /// Issuers beside those of the pki, with their keys; each has the place behind those.
    minted: Vec<(IssuerChain, KeyPair)>,
    cert_manager: Option<managed::CertManager>,
    /// Identity controllers that were replaced, and until when each still answers.
    leaving: Vec<(Timestamp, Controller)>,
    pub failures: Vec<(Timestamp, Failure, String)>,
    pub handshakes: u64,
    pub restarts: u64,
}

impl<'a> Fleet<'a> {
    pub fn new(pki: &'a Pki, seed: u64) -> Self {
        let [old, new] = pki.anchors.each_ref().map(|anchor| Authority {
            certificate: anchor.certificate.clone(),
            key: l5d_rotate::pki::PrivateKey::generate().unwrap(),
        });
        let [old_issuer, new_issuer, _] = pki.chains.clone();
        let mut objects =
            support::Cluster::new(&support::Pki { old, new, old_issuer, new_issuer }, Era::V2_12);
        objects.mesh.workloads.retain(|workload| workload.plane == Plane::Control);
        for (kind, name, _, obstacles) in DATA {
            objects.mesh.workloads.push(support::workload(kind, "apps", name, Plane::Data, obstacles));
        }
        let mut fleet = Self {
            pki,
            dice: Dice(seed),
            objects,
            pods: Vec::new(),
            bundles: Vec::new(),
            issuers: Vec::new(),
            minted: Vec::new(),
            cert_manager: None,
            leaving: Vec::new(),
            failures: Vec::new(),
            handshakes: 0,
            restarts: 0,
        };
        let id = BundleId(0);
        let bundle = Bundle::new([pki.anchors[0].certificate.clone()]).unwrap();
        assert_eq!(fleet.objects.mesh.bundles[0].text(), bundle.to_pem());
        let long_ago = time(support::INSTALLED);
        fleet.bundles.push(Put { at: long_ago, what: (bundle, id), seen: [long_ago; NODES] });
        fleet.issuers.push(Put { at: long_ago, what: 0, seen: [long_ago; NODES] });
        fleet.populate();
        fleet
    }

    fn populate(&mut self) {
        let id = |fleet: &Self, name: &str| {
            let place = fleet.objects.mesh.workloads.iter().position(|w| w.object.name == name);
            WorkloadId(place.unwrap())
        };
        for (component, count) in
            [("identity", IDENTITIES), ("proxy-injector", INJECTORS), ("destination", 2)]
        {
            let workload = id(self, &format!("linkerd-{component}"));
            (0..count).for_each(|place| self.add(workload, component, place));
        }
        for (_, name, count, _) in DATA {
            let workload = id(self, name);
            (0..count).for_each(|place| self.add(workload, "", place));
        }
        for place in 0..self.pods.len() {
            self.certify(place);
            // Each is to be renewed at a time of its own.
            let left = self.pods[place].renew.duration_since(self.objects.now).as_secs();
            let age = SignedDuration::from_secs(
                i64::try_from(self.dice.roll(usize::try_from(left).unwrap())).unwrap(),
            );
            self.pods[place].renew -= age;
        }
    }

    fn add(&mut self, workload: WorkloadId, component: &'static str, place: usize) {
        let found = self.objects.mesh.workload(workload);
        let (plane, name) = (found.plane, format!("{}-{place}", found.object.name));
        let controller =
            (component == "identity").then_some(Controller { bundle: 0, issuer: 0, told: 1, runs: true });
        self.pods.push(Pod {
            workload,
            name,
            node: self.dice.roll(NODES),
            plane,
            component,
            created: time(support::INSTALLED) + 5.minutes(),
            started: time(support::INSTALLED) + 5.minutes(),
            bundle: 0,
            key: self.dice.roll(self.pki.keys.len()),
            certificate: None,
            renew: self.objects.now,
            restart: None,
            controller,
        });
    }

    pub fn record(&self, strategy: Strategy) -> Record {
        let scope = Scope::Full { anchor: self.pki.anchors[1].certificate.clone() };
        let chain = self.pki.chains[1].clone();
        if strategy == Strategy::CrossSigned {
            let (anchor, cross) =
                (self.pki.anchors[1].certificate.clone(), self.pki.chains[2].intermediates[0].clone());
            return Record::cross_signed(&self.objects.mesh, time(STARTED), anchor, chain, cross).unwrap();
        }
        let started = if strategy == Strategy::Recover { self.now() } else { time(STARTED) };
        Record::new(&self.objects.mesh, started, strategy, scope, chain, false).unwrap()
    }

    pub fn now(&self) -> Timestamp {
        self.objects.now
    }

    /// Lets time pass, and everything happen that is due; then random pairs speak with each other.
    pub fn tick(&mut self, length: SignedDuration) {
        self.objects.now += length;
        let now = self.now();
        let due: Vec<_> =
            (0..self.pods.len()).filter(|at| self.pods[*at].restart.is_some_and(|due| due <= now)).collect();
        due.into_iter().for_each(|at| self.start(at));
        if self.dice.roll(8) == 0 {
            let any = self.dice.roll(self.pods.len());
            if self.dice.roll(2) == 0 { self.start(any) } else { self.start_in_place(any) }
        }
        self.renew();
        self.reload();
        for at in 0..self.pods.len() {
            if self.pods[at].renew <= now {
                self.certify(at);
            }
        }
        (0..PAIRS).for_each(|_| self.meet());
    }

    fn meet(&mut self) {
        let ready: Vec<_> = (0..self.pods.len()).filter(|at| self.pods[*at].certificate.is_some()).collect();
        let [caller, called] = [0, 1].map(|_| &self.pods[*self.dice.pick(&ready)]);
        let side = |pod: &'_ Pod| self.bundles[pod.bundle].what.0.clone();
        let (here, there) = (side(caller), side(called));
        let [ours, theirs] = [caller, called].map(|pod| &pod.certificate.as_ref().unwrap().proxy);
        self.handshakes += 1;
        if let Err(error) = tls::handshake((&here, ours), (&there, theirs), self.objects.now) {
            let told = format!("{} calls {}: {error}", caller.name, called.name);
            self.fail(Failure::Handshake, told);
        }
    }

    fn fail(&mut self, failure: Failure, told: String) {
        self.failures.push((self.now(), failure, told));
    }

    /// A pod is replaced: the new one is given what its kubelet has heard of, the others whatever some injector hands out.
    fn start(&mut self, at: usize) {
        let now = self.now();
        let heard = SignedDuration::from_secs(i64::try_from(self.dice.roll(11)).unwrap());
        let bundle = given(&self.bundles, now - heard);
        let mounted = (bundle, given(&self.issuers, now - heard));
        let bundle = if self.pods[at].plane == Plane::Control { bundle } else { self.injected() };
        let (node, key) = (self.dice.roll(NODES), self.dice.roll(self.pki.keys.len()));
        let pod = &mut self.pods[at];
        (pod.created, pod.node, pod.key, pod.restart) = (now, node, key, None);
        self.run(at, bundle, mounted);
    }

    /// The containers of a pod start anew: what it has mounted is what its kubelet has brought there, an environment by reference
    /// is made anew, a literal one stays.
    fn start_in_place(&mut self, at: usize) {
        let (now, pod) = (self.now(), &self.pods[at]);
        let mounted = (shown(&self.bundles, pod, now), shown(&self.issuers, pod, now));
        let bundle = if pod.plane == Plane::Control { self.bundles.len() - 1 } else { pod.bundle };
        self.run(at, bundle, mounted);
    }

    /// Containers start with a bundle in their environment, and with a bundle and an issuer mounted.
    fn run(&mut self, at: usize, bundle: usize, mounted: (usize, usize)) {
        let now = self.now();
        self.restarts += 1;
        let issuer = self.issuers[mounted.1].what;
        let runs = self.controller_accepts(mounted.0, issuer);
        let pod = &mut self.pods[at];
        (pod.started, pod.bundle, pod.certificate) = (now, bundle, None);
        if let Some(controller) = &mut pod.controller {
            let started = Controller { bundle: mounted.0, issuer, told: mounted.1 + 1, runs };
            let replaced = std::mem::replace(controller, started);
            if pod.created == now {
                self.leaving.push((now + ANSWERS_ON, replaced));
            }
            if !runs {
                let told = format!("{} does not start", pod.name);
                self.fail(Failure::Start, told);
            }
        }
        self.certify(at);
    }

    /// The bundle that some injector has mounted: its kubelet may not have brought the newest yet.
    fn injected(&mut self) -> usize {
        let injectors: Vec<_> = self.pods.iter().filter(|pod| pod.component == "proxy-injector").collect();
        let injector = self.dice.pick(&injectors);
        shown(&self.bundles, injector, self.objects.now)
    }

    fn chain(&self, issuer: usize) -> &IssuerChain {
        let of_pki = self.pki.chains.get(issuer);
        of_pki.unwrap_or_else(|| &self.minted[issuer - self.pki.chains.len()].0)
    }

    fn signer(&self, issuer: usize) -> &KeyPair {
        let of_pki = self.pki.signers.get(issuer);
        of_pki.unwrap_or_else(|| &self.minted[issuer - self.pki.signers.len()].1)
    }

    fn controller_accepts(&self, bundle: usize, issuer: usize) -> bool {
        let (bundle, chain) = (&self.bundles[bundle].what.0, self.chain(issuer));
        accepts(bundle, chain, &identity(), self.now(), Rules::Controller).is_ok()
    }

    /// Identity controllers are told of a changed Secret once: they take it, skip it, or miss it (linkerd2#15109).
    fn reload(&mut self) {
        for at in 0..self.pods.len() {
            let pod = &self.pods[at];
            let Some(controller) = &pod.controller else { continue };
            let Some(put) = self.issuers.get(controller.told).filter(|put| put.seen[pod.node] <= self.now())
            else {
                continue;
            };
            let (bundle, issuer) = (controller.bundle, put.what);
            let takes = self.controller_accepts(bundle, issuer) && self.dice.roll(3) > 0;
            let controller = self.pods[at].controller.as_mut().unwrap();
            controller.told += 1;
            if takes {
                controller.issuer = issuer;
            }
        }
    }

    /// A proxy asks for a workload certificate, looks at it with its own anchors, and keeps the one it has if it does not
    /// like it.
    fn certify(&mut self, at: usize) {
        let now = self.now();
        // The identity controller's own proxy asks the container beside it (`LINKERD2_PROXY_IDENTITY_SVC_ADDR` is localhost there).
        let asked: Vec<_> = match &self.pods[at].controller {
            Some(own) => vec![own],
            None => {
                let leaving = self.leaving.iter().filter(|(until, _)| now <= *until).map(|(_, left)| left);
                self.pods.iter().filter_map(|pod| pod.controller.as_ref()).chain(leaving).collect()
            }
        };
        let controllers: Vec<_> = asked.into_iter().filter(|found| found.runs).collect();
        let issuer = match controllers[..] {
            [] => None,
            _ => {
                let chosen = self.dice.pick(&controllers);
                let (bundle, issuer) = (chosen.bundle, chosen.issuer);
                self.controller_accepts(bundle, issuer).then_some(issuer)
            }
        };
        let pod = &self.pods[at];
        let issued = issuer.and_then(|issuer| {
            let chain = self.chain(issuer);
            let skew = 20.seconds();
            let below = chain.intermediates.iter().chain([&chain.issuer]);
            let end = below.map(|certificate| certificate.facts().not_after).min().unwrap();
            let until = (now + 24.hours() + skew).min(end);
            let signer = self.signer(issuer);
            let proxy = Proxy::issued(chain, signer, &self.pki.keys[pod.key], Some((now - skew, until)));
            tls::validates(&self.bundles[pod.bundle].what.0, &proxy, now).then_some(Issued { proxy, until })
        });
        if issued.is_none() {
            let told = format!("{} gets no workload certificate that it accepts", pod.name);
            self.fail(Failure::Renewal, told);
        }
        let pod = &mut self.pods[at];
        pod.certificate = issued.or(pod.certificate.take());
        let left = pod.certificate.as_ref().map_or(0, |issued| issued.until.duration_since(now).as_secs());
        pod.renew = now + SignedDuration::from_secs((left * 7 / 10).clamp(10, 86_400));
    }

    fn lagged<T>(&mut self, what: T) -> Put<T> {
        let at = self.now();
        let seen = [0; NODES]
            .map(|_| at + SignedDuration::from_secs(60 + i64::try_from(self.dice.roll(31)).unwrap()));
        Put { at, what, seen }
    }
}

//! Meshes made manually, and a cluster that applies steps as kubelets and controllers would.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan};
use l5d_rotate::document::{ObjectRef, Origin};
use l5d_rotate::finding::{Fact, Finding, Severity, StepFact};
use l5d_rotate::mesh::{
    BundleId, ChangeTime, Era, Held, Injection, Issuer, Known, Made, Manifest, Mesh, Obstacle, Owner, Plane,
    ProxyGroup, Published, Replica, Scheme, Starts, Template, Workload, WorkloadId,
};
use l5d_rotate::pki::{Authority, Bundle, BundleText, Certificate, IssuerChain, Refusal, cross_sign};
use l5d_rotate::rotation::{
    Annotation, Change, Confirmation, Phase, Plan, PlannedStep, Record, RestartAnnotation, Scope, Stage,
    Step, StepState, Strategy, plan,
};
use serde_json::Value;

pub use super::pki::{anchor as mint_root, at as time};
use super::{mesh, pki};

pub const INSTALLED: &str = "2026-05-01T00:00:00Z";
pub const STARTED: &str = "2026-06-01T00:00:00Z";

/// The three headings of Linkerd's guide.
pub const PHASES: [Phase; 3] = [Phase::Bundle, Phase::Issuer, Phase::Prune];

/// The strategies for a mesh in which nothing has expired.
pub fn strategies(era: Era) -> Vec<Strategy> {
    let all = [Strategy::Staged, Strategy::Patient, Strategy::CrossSigned];
    all.into_iter().filter(|strategy| era >= Era::V2_9 || *strategy != Strategy::CrossSigned).collect()
}

pub fn step(phase: Phase, number: usize) -> Step {
    let first =
        if matches!(phase, Phase::Issuer | Phase::RemoveCross) { Stage::Issuer } else { Stage::Trust };
    Step { phase, stage: [first, Stage::ControlPlane, Stage::DataPlane][number - 1] }
}

pub fn mint_chain(anchor: &Authority) -> IssuerChain {
    let issuer = pki::issuer_within(anchor, time("2026-01-02"), time("2027-01-01"));
    pki::chain(&issuer.certificate, &[])
}

pub fn text(anchors: &[&Certificate]) -> BundleText {
    BundleText::read(Bundle::new(anchors.iter().copied().cloned()).unwrap().to_pem())
}

/// Two anchors with an issuer each.
pub struct Pki {
    pub old: Authority,
    pub new: Authority,
    pub old_issuer: IssuerChain,
    pub new_issuer: IssuerChain,
}

impl Pki {
    pub fn mint() -> Self {
        let (old, new) = (mint_root("root.linkerd.cluster.local"), mint_root("root.linkerd.cluster.local"));
        let (old_issuer, new_issuer) = (mint_chain(&old), mint_chain(&new));
        Self { old, new, old_issuer, new_issuer }
    }

    pub fn record(&self, mesh: &Mesh, strategy: Strategy) -> Record {
        if strategy == Strategy::CrossSigned {
            let (anchor, issuer) = (self.new.certificate.clone(), self.new_issuer.clone());
            let cross = cross_sign(&anchor, &self.old, time("2026-05-31T00:00:00Z")).unwrap();
            return Record::cross_signed(mesh, time(STARTED), anchor, issuer, cross).unwrap();
        }
        let scope = Scope::Full { anchor: self.new.certificate.clone() };
        Record::new(mesh, time(STARTED), strategy, scope, self.new_issuer.clone(), false).unwrap()
    }
}

/// Freshly minted certificates, an install of an era, and a staged rotation of it.
pub fn fixture(era: Era) -> (Pki, Cluster, Record) {
    let pki = Pki::mint();
    let cluster = Cluster::new(&pki, era);
    let record = pki.record(&cluster.mesh, Strategy::Staged);
    (pki, cluster, record)
}

/// A Helm release of the control plane.
pub fn helm() -> Owner {
    Owner::Helm { release: "linkerd-control-plane".into(), namespace: "linkerd".into() }
}

/// A cluster: a mesh, and the clock of its API server.
pub struct Cluster {
    pub mesh: Mesh,
    pub now: Timestamp,
    pub confirmed: BTreeSet<Confirmation>,
}

pub fn workload(kind: &str, namespace: &str, name: &str, plane: Plane, obstacles: &[Obstacle]) -> Workload {
    let api_version = match kind {
        "Job" | "CronJob" => "batch/v1",
        "Pod" => "v1",
        "Rollout" => "argoproj.io/v1alpha1",
        _ => "apps/v1",
    };
    let manual = obstacles.contains(&Obstacle::ManualInjection);
    let injection = if manual { Injection::Manual } else { Injection::Webhook };
    Workload {
        template: Some(Template { annotations: None }),
        replicas: Some(1),
        obstacles: obstacles.to_vec(),
        ..mesh::workload(ObjectRef::new(api_version, kind, namespace, name), plane, injection)
    }
}

impl Cluster {
    /// Linkerd of an era with one data-plane Deployment, `emojivoto/web`.
    pub fn new(pki: &Pki, era: Era) -> Self {
        let old = &pki.old.certificate;
        let installed = ChangeTime::At(time(INSTALLED));
        let mut mesh = mesh::bare(era, Scheme::Linkerd);
        mesh.trust = mesh::trust(era, &text(&[old]), installed);
        mesh.trust.identity = matches!(era, Era::V2_9 | Era::V2_10).then(|| text(&[old]));
        mesh.issuer = Known::Is(mesh::issuer(pki.old_issuer.clone(), installed));
        mesh.pods = Known::Is(());
        let mut cluster = Self { mesh, now: time(STARTED), confirmed: BTreeSet::new() };
        for component in ["destination", "identity", "proxy-injector"] {
            cluster.add_component(component, old);
        }
        cluster.add("Deployment", "emojivoto", "web", 3, &[]);
        cluster
    }

    fn add_component(&mut self, component: &str, anchor: &Certificate) {
        let name = format!("linkerd-{component}");
        let id = WorkloadId(self.mesh.workloads.len());
        let mut found = workload("Deployment", "linkerd", &name, Plane::Control, &[]);
        found.injection = Injection::ControlPlane;
        self.mesh.workloads.push(found);
        for container in [component, "linkerd-proxy"] {
            self.mesh.control_plane.replicas.push(Replica {
                pod: format!("{name}-0"),
                component: component.into(),
                container: container.into(),
                started: Some(time(INSTALLED) + 5.minutes()),
                made: Made::default(),
            });
        }
        let by_reference = self.mesh.control_plane.era.control_plane_by_reference();
        let held = if by_reference { Held::ByReference } else { Held::Literal(self.intern(text(&[anchor]))) };
        self.push_group(id, Plane::Control, held, 1, &format!("{name}-0"));
    }

    /// Adds a data-plane workload with running proxies that hold what is published.
    pub fn add(
        &mut self,
        kind: &str,
        namespace: &str,
        name: &str,
        proxies: u64,
        obstacles: &[Obstacle],
    ) -> WorkloadId {
        let id = WorkloadId(self.mesh.workloads.len());
        self.mesh.workloads.push(workload(kind, namespace, name, Plane::Data, obstacles));
        let held = Held::Literal(self.intern(self.published()));
        if proxies > 0 {
            self.push_group(id, Plane::Data, held, proxies, &format!("{name}-0"));
        }
        id
    }

    fn push_group(&mut self, workload: WorkloadId, plane: Plane, held: Held, count: u64, pod: &str) {
        let starts = Starts { at: BTreeMap::from([(time(INSTALLED) + 5.minutes(), count)]), unknown: 0 };
        let injection = self.mesh.workload(workload).injection;
        self.mesh.proxies.push(ProxyGroup {
            workload,
            plane,
            held,
            injection,
            starts,
            made: Made::default(),
            sample: vec![pod.into()],
        });
    }

    pub fn intern(&mut self, text: BundleText) -> BundleId {
        let known = self.mesh.bundles.iter().position(|known| *known == text);
        BundleId(known.unwrap_or_else(|| {
            self.mesh.bundles.push(text);
            self.mesh.bundles.len() - 1
        }))
    }

    pub fn published(&self) -> BundleText {
        self.mesh.trust.published.as_option().unwrap().text.clone()
    }

    pub fn group(&mut self, workload: WorkloadId) -> &mut ProxyGroup {
        self.mesh.proxies.iter_mut().find(|group| group.workload == workload).unwrap()
    }

    pub fn id(&self, namespace: &str, name: &str) -> WorkloadId {
        let object = |w: &Workload| w.object.namespace == namespace && w.object.name == name;
        WorkloadId(self.mesh.workloads.iter().position(object).unwrap())
    }

    pub fn issuer(&mut self) -> &mut Issuer {
        mesh::issuer_of(&mut self.mesh)
    }

    pub fn bundle(&mut self) -> &mut Published {
        mesh::published(&mut self.mesh)
    }

    /// Puts a manifest with an owner beside the mesh.
    pub fn own(&mut self, kind: &str, name: &str, owner: Owner) {
        let object = ObjectRef::new("v1", kind, "linkerd", name);
        let manifest = Manifest { object, origin: Origin::default(), owners: vec![owner], tree: Value::Null };
        self.mesh.manifests.push(manifest);
    }

    /// Annotates a template. Does that change it?
    pub fn annotate(&mut self, id: WorkloadId, key: &str, value: &str) -> bool {
        let template = self.mesh.workloads[id.0].template.as_mut().unwrap();
        let before = template.annotations.get_or_insert_default().insert(key.into(), value.into());
        before.as_deref() != Some(value)
    }

    /// Annotates a template as a step does. Are its pods replaced? Where that changes nothing, only if the step says that it is
    /// restarted manually.
    fn rolls(&mut self, id: WorkloadId, annotation: &Annotation, planned: &PlannedStep) -> bool {
        self.annotate(id, annotation.key, &annotation.value)
            || planned.again.contains(&self.mesh.workload(id).object)
    }

    /// Restarts the pods of a workload now: they take what is published.
    pub fn restart(&mut self, id: WorkloadId) {
        self.restart_at(id, self.now);
    }

    /// Ordinary deploys: every workload of the data plane restarts on its own.
    pub fn deploy(&mut self) {
        let is_data =
            |(id, workload): (usize, &Workload)| (workload.plane == Plane::Data).then_some(WorkloadId(id));
        let data: Vec<_> = self.mesh.workloads.iter().enumerate().filter_map(is_data).collect();
        data.into_iter().for_each(|id| self.restart(id));
    }

    fn restart_at(&mut self, id: WorkloadId, now: Timestamp) {
        let published = self.published();
        let literal = Held::Literal(self.intern(published));
        let name = self.mesh.workload(id).object.name.clone();
        for group in self.mesh.proxies.iter_mut().filter(|group| group.workload == id) {
            group.starts = Starts { at: BTreeMap::from([(now, group.starts.count())]), unknown: 0 };
            if matches!(group.held, Held::Literal(_)) {
                group.held = literal;
            }
        }
        for replica in &mut self.mesh.control_plane.replicas {
            if name == format!("linkerd-{}", replica.component) {
                replica.started = Some(now);
            }
        }
    }

    /// Merges a step: its changes are applied and what is to be done manually is done, ten minutes later than the step before. Of the
    /// control plane the identity controller starts first.
    pub fn merge(&mut self, planned: &PlannedStep) {
        self.now += 10.minutes();
        let now = ChangeTime::At(self.now);
        for change in &planned.changes {
            match change {
                Change::Managed(_) => unreachable!("no such rotation is planned here"),
                Change::Publish(bundle) => {
                    let text = BundleText::read(bundle.to_pem());
                    self.bundle().text = text.clone();
                    self.bundle().changed = now;
                    self.mesh.trust.config = Known::Is(text);
                }
                Change::Swap { chain, anchors } => {
                    let issuer = self.issuer();
                    issuer.chain = Ok(chain.clone());
                    issuer.ca = Some(BundleText::read(anchors.to_pem()));
                    issuer.changed = now;
                }
                Change::ControlPlane { workload, bundle, annotation } => {
                    if self.mesh.trust.identity.is_some() {
                        self.mesh.trust.identity = Some(BundleText::read(bundle.to_pem()));
                    }
                    let is_identity = self.mesh.workload(*workload).object.name == "linkerd-identity";
                    if self.rolls(*workload, annotation, planned) {
                        self.restart_at(
                            *workload,
                            if is_identity { self.now } else { self.now + 1.minute() },
                        );
                    }
                }
                Change::Restart { workload, annotation } => {
                    if self.rolls(*workload, annotation, planned) {
                        self.restart(*workload);
                    }
                }
            }
        }
        for act in &planned.manual {
            let id = self.id(&act.object.namespace, &act.object.name);
            self.restart(id);
        }
        self.now += 5.minutes();
    }

    pub fn plan(&self, record: &Record) -> Plan {
        plan(record, &self.mesh, RestartAnnotation::Content, &self.confirmed, self.now).unwrap()
    }

    /// Merges every step before `until`, in order.
    pub fn advance(&mut self, record: &Record, until: Step) {
        for step in record.steps().into_iter().take_while(|step| *step != until) {
            self.merge(&planned(&self.plan(record), step));
            if step.stage == Stage::DataPlane && record.strategy.waits_for_renewal() {
                self.now += 25.hours();
            }
            if step == (Step { phase: Phase::Prune, stage: Stage::DataPlane }) && record.cross.is_some() {
                self.deploy();
            }
        }
    }
}

pub fn planned(plan: &Plan, step: Step) -> PlannedStep {
    plan.steps.iter().find(|planned| planned.step == step).unwrap().clone()
}

pub fn state(plan: &Plan, step: Step) -> StepState {
    planned(plan, step).state
}

/// The names of the data-plane workloads that a step restarts.
pub fn restarted_data(mesh: &Mesh, planned: &PlannedStep) -> Vec<String> {
    let is_data = |change: &&Change| matches!(change, Change::Restart { .. });
    let changes = planned.changes.iter().filter(is_data).cloned().collect();
    restarted(mesh, &PlannedStep { changes, ..planned.clone() })
}

/// The names of the workloads that a step restarts.
pub fn restarted(mesh: &Mesh, planned: &PlannedStep) -> Vec<String> {
    let name = |id: &WorkloadId| mesh.workload(*id).object.name.clone();
    let workload = |change: &Change| match change {
        Change::Restart { workload, .. } | Change::ControlPlane { workload, .. } => Some(name(workload)),
        Change::Publish(_) | Change::Swap { .. } | Change::Managed(_) => None,
    };
    planned.changes.iter().filter_map(workload).collect()
}

/// The codes of what stands before a step with a severity.
pub fn codes(planned: &PlannedStep, severity: Severity) -> Vec<&'static str> {
    planned.blocked.iter().filter(|finding| finding.severity == severity).map(Finding::code).collect()
}

/// What stands before a step with a severity and a code.
pub fn blocker(planned: &PlannedStep, severity: Severity, code: &str) -> Finding {
    let is_it = |finding: &&Finding| finding.severity == severity && finding.code() == code;
    let found = planned.blocked.iter().find(is_it);
    found
        .unwrap_or_else(|| panic!("{}: no {code} ({severity:?}): {:#?}", planned.step, planned.blocked))
        .clone()
}

/// The same, by what it says of the step.
pub fn step_fact(planned: &PlannedStep, severity: Severity, code: &str) -> StepFact {
    let Fact::Step(fact) = blocker(planned, severity, code).fact else { panic!("{code} is not of a step") };
    fact
}

/// Whether a step waits for an earlier one of which so many of so many are done.
pub fn waits_for(planned: &PlannedStep, before: Step, done: u64, of: u64) -> bool {
    planned.blocked.iter().any(|finding| finding.fact == StepFact::StepOrder { before, done, of }.into())
}

/// The notes of a step with a code.
pub fn notes(planned: &PlannedStep, code: &str) -> Vec<StepFact> {
    let of_step = |finding: &Finding| match &finding.fact {
        Fact::Step(fact) if finding.code() == code => Some(fact.clone()),
        _ => None,
    };
    planned.notes.iter().filter_map(of_step).collect()
}

/// Why the state of a step is unknown.
pub fn unknown(state: StepState) -> Finding {
    let StepState::Unknown(why) = state else { panic!("{state:?}") };
    *why
}

/// Does no anchor of the bundle sign the chain?
pub const fn is_unsigned(why: &Refusal) -> bool {
    matches!(why, Refusal::UnknownIssuer { .. })
}

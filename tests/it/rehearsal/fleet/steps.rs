//! What a fleet does with a step, with a deployment of somebody else's, and what is to be seen of it.

use jiff::SignedDuration;
use l5d_rotate::mesh::{
    ChangeTime, Held, Injection, Known, Made, Plane, ProxyGroup, Replica, Starts, WorkloadId,
};
use l5d_rotate::pki::BundleText;
use l5d_rotate::rotation::{Annotation, Change, PlannedStep};

use super::{DATA, Fleet};

impl Fleet<'_> {
    /// Takes a step: what it changes changes now, and what it restarts restarts pod after pod.
    pub fn apply(&mut self, planned: &PlannedStep) {
        let now = ChangeTime::At(self.now());
        for change in &planned.changes {
            match change {
                Change::Publish(bundle) => {
                    let text = BundleText::read(bundle.to_pem());
                    let id = self.objects.intern(text.clone());
                    (self.objects.bundle().text, self.objects.bundle().changed) = (text.clone(), now);
                    self.objects.mesh.trust.config = Known::Is(text);
                    let put = self.lagged((bundle.clone(), id));
                    self.bundles.push(put);
                }
                Change::Managed(change) => self.controlled(change),
                Change::Swap { chain, anchors } => {
                    let issuer = self.objects.issuer();
                    (issuer.chain, issuer.changed) = (Ok(chain.clone()), now);
                    issuer.ca = Some(BundleText::read(anchors.to_pem()));
                    let place = self.pki.chains.iter().position(|known| known == chain).unwrap();
                    let put = self.lagged(place);
                    self.issuers.push(put);
                }
                Change::ControlPlane { workload, annotation, .. }
                | Change::Restart { workload, annotation } => {
                    self.annotated(*workload, annotation, planned);
                }
            }
        }
        for act in &planned.manual {
            let id = self.objects.id(&act.object.namespace, &act.object.name);
            self.restart(id);
        }
    }

    /// A template is annotated: where that changes it, its pods are replaced, unless something is in the way; where it does not,
    /// somebody replaces them manually if the step says so.
    fn annotated(&mut self, id: WorkloadId, annotation: &Annotation, planned: &PlannedStep) {
        let changes = self.objects.annotate(id, annotation.key, &annotation.value);
        let workload = self.objects.mesh.workload(id);
        if workload.obstacles.is_empty() && (changes || planned.again.contains(&workload.object)) {
            self.restart(id);
        }
    }

    /// Somebody deploys a workload of the data plane, for a reason of their own.
    pub fn deploy(&mut self) {
        let (_, name, ..) = DATA[self.dice.roll(DATA.len())];
        let id = self.objects.id("apps", name);
        self.restart(id);
    }

    fn restart(&mut self, id: WorkloadId) {
        let mut due = self.now();
        for pod in self.pods.iter_mut().filter(|pod| pod.workload == id) {
            due += SignedDuration::from_secs(15 + i64::try_from(self.dice.roll(30)).unwrap());
            pod.restart = Some(due);
        }
    }

    /// What is to be seen of it now.
    pub fn observe(&mut self) {
        let mesh = &mut self.objects.mesh;
        mesh.proxies.clear();
        mesh.control_plane.replicas.clear();
        for pod in &self.pods {
            let literal = Held::Literal(self.bundles[pod.bundle].what.1);
            let made = Made { created: Some(pod.created), trust_root: None };
            let held = if pod.plane == Plane::Control { Held::ByReference } else { literal };
            let known = mesh.proxies.iter().position(|group| {
                group.workload == pod.workload
                    && group.held == held
                    && (pod.plane == Plane::Data || group.made == made)
            });
            let place = known.unwrap_or_else(|| {
                let injection =
                    if pod.plane == Plane::Control { Injection::ControlPlane } else { Injection::Webhook };
                let (workload, plane, starts) = (pod.workload, pod.plane, Starts::default());
                mesh.proxies.push(ProxyGroup {
                    workload,
                    plane,
                    held,
                    injection,
                    starts,
                    made,
                    sample: vec![],
                });
                mesh.proxies.len() - 1
            });
            mesh.proxies[place].starts.add(Some(pod.started));
            mesh.proxies[place].sample.push(pod.name.clone());
            if pod.plane == Plane::Control {
                for container in [pod.component, "linkerd-proxy"] {
                    mesh.control_plane.replicas.push(Replica {
                        pod: pod.name.clone(),
                        component: pod.component.into(),
                        container: container.into(),
                        started: Some(pod.started),
                        made,
                    });
                }
            }
        }
    }
}

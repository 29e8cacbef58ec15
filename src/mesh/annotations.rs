//! Which value of Linkerd's chart annotates the pods of a component, and of which others.

use super::{ControlPlane, Era};
use crate::linkerd;

/// A value of Linkerd's chart with annotations of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodAnnotations {
    /// Its name, with a dot between its keys.
    pub value: &'static str,
    /// The Deployments whose pods it annotates; where there are none, all of the control plane.
    deployments: &'static [&'static str],
}

impl PodAnnotations {
    /// Does it annotate the pods of this Deployment of the control plane?
    #[must_use]
    pub fn annotates(&self, deployment: &str) -> bool {
        self.deployments.is_empty() || self.deployments.contains(&deployment)
    }
}

/// The first edge release whose chart has values for components; charts before it pass over them.
const OF_COMPONENTS_SINCE: [u32; 3] = [25, 1, 1];
/// The first minor version of Buoyant's builds that was made of it.
const ENTERPRISE_SINCE: u32 = 18;

impl ControlPlane {
    /// The value that annotates the pods of a Deployment of the control plane (`values.yaml` and templates at each tag); where the
    /// version does not tell, the one that every chart of the era has.
    ///
    /// Charts since edge-25.1.1 declare `proxyInjector.podAnnotations`, and read it nowhere: templates/proxy-injector.yaml takes
    /// `identity.podAnnotations` (linkerd/linkerd2#13388, unchanged in edge-26.8.3).
    #[must_use]
    pub fn pod_annotations(&self, deployment: &str) -> Option<PodAnnotations> {
        let found = |value, deployments| Some(PodAnnotations { value, deployments });
        match (self.era, deployment) {
            (Era::V2_6 | Era::V2_7, _) => None,
            (Era::V2_9, _) => found("global.podAnnotations", &[]),
            (Era::V2_12, linkerd::IDENTITY | linkerd::PROXY_INJECTOR) if self.annotates_components() => {
                found("identity.podAnnotations", &[linkerd::IDENTITY, linkerd::PROXY_INJECTOR])
            }
            (Era::V2_12, linkerd::DESTINATION) if self.annotates_components() => {
                found("destinationController.podAnnotations", &[linkerd::DESTINATION])
            }
            (Era::V2_10 | Era::V2_11 | Era::V2_12, _) => found("podAnnotations", &[]),
        }
    }

    fn annotates_components(&self) -> bool {
        let Some((channel, numbers)) = self.version.as_deref().and_then(|version| version.split_once('-'))
        else {
            return false;
        };
        let numbers: Vec<u32> = numbers.split(['.', '-']).map_while(|number| number.parse().ok()).collect();
        match channel {
            "edge" => numbers.as_slice() >= OF_COMPONENTS_SINCE.as_slice(),
            "enterprise" => numbers.get(1).is_some_and(|minor| *minor >= ENTERPRISE_SINCE),
            _ => false,
        }
    }
}

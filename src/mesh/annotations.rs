//! Which value of Linkerd's chart annotates the pods of a component.

use super::{ControlPlane, Era};
use crate::linkerd;

/// A value of Linkerd's chart with annotations of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodAnnotations {
    /// Its name, with a dot between its keys.
    pub value: &'static str,
    /// Does it annotate the whole control plane?
    pub is_of_all: bool,
}

/// The first edge release in whose chart each component has a value of its own; charts before it pass over one.
const OF_COMPONENTS_SINCE: [u32; 3] = [25, 1, 1];
/// The first minor version of Buoyant's builds that was made of it.
const ENTERPRISE_SINCE: u32 = 18;

impl ControlPlane {
    /// The value that annotates the pods of a Deployment of the control plane (`values.yaml` at each tag); where the version does
    /// not tell, the one that every chart of the era has.
    #[must_use]
    pub fn pod_annotations(&self, deployment: &str) -> Option<PodAnnotations> {
        let of_all = |value| Some(PodAnnotations { value, is_of_all: true });
        let of_component = |value| Some(PodAnnotations { value, is_of_all: false });
        match (self.era, deployment) {
            (Era::V2_6 | Era::V2_7, _) => None,
            (Era::V2_9, _) => of_all("global.podAnnotations"),
            (Era::V2_12, linkerd::IDENTITY) if self.annotates_components() => {
                of_component("identity.podAnnotations")
            }
            (Era::V2_12, linkerd::DESTINATION) if self.annotates_components() => {
                of_component("destinationController.podAnnotations")
            }
            (Era::V2_12, linkerd::PROXY_INJECTOR) if self.annotates_components() => {
                of_component("proxyInjector.podAnnotations")
            }
            (Era::V2_10 | Era::V2_11 | Era::V2_12, _) => of_all("podAnnotations"),
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

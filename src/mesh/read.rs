//! Whether a container that has started has read a change of what it reads at its start.

use jiff::Timestamp;
use serde::Serialize;

use super::{ChangeTime, Mesh, Replica};
use crate::document::ObjectRef;
use crate::linkerd;

/// A container's start against a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// It started before the change, and holds what was there.
    Before,
    /// It cannot be told.
    Perhaps(Doubt),
    /// It started after the change, and holds what is there.
    After,
}

/// Why it cannot be told whether a container has read a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// Both happened within one second, and Kubernetes tells no more.
    SameSecond,
    /// A kubelet may still have had the object mounted as it was.
    KubeletLag,
    /// When the container started is not known.
    StartUnknown,
    /// When the object changed is not known.
    ChangeUnknown,
}

/// The last change of an object that containers read when they start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When the object changed.
    pub at: ChangeTime,
    /// Since when volumes surely show it: after the kubelet's lag, unless the object is as it was installed.
    pub shown: Option<Timestamp>,
}

impl Change {
    /// Of a container whose environment is made of the object when it starts.
    #[must_use]
    pub fn by_environment(self, started: Option<Timestamp>) -> Read {
        let Some(started) = started else { return Read::Perhaps(Doubt::StartUnknown) };
        match self.at {
            ChangeTime::At(changed) if started > changed => Read::After,
            ChangeTime::At(changed) if started == changed => Read::Perhaps(Doubt::SameSecond),
            ChangeTime::At(_) => Read::Before,
            // The object was made then, and may have changed since.
            ChangeTime::Since(created) if started < created => Read::Before,
            ChangeTime::Since(_) | ChangeTime::Unknown => Read::Perhaps(Doubt::ChangeUnknown),
        }
    }

    /// Of a container that reads the object from a mounted volume when it starts.
    #[must_use]
    pub fn by_mount(self, started: Option<Timestamp>) -> Read {
        let read = self.by_environment(started);
        match (read, started, self.shown) {
            (Read::After, Some(started), Some(shown)) if started <= shown => Read::Perhaps(Doubt::KubeletLag),
            _ => read,
        }
    }

    /// Of a container of the control plane that reads the bundle. The identity controller reads mounted files when it starts;
    /// the injector reads its own for each pod (since 2.11), so that for it the kubelet's lag passes with time; a proxy's
    /// environment is made at its start.
    #[must_use]
    pub fn by_replica(self, replica: &Replica, at: Timestamp) -> Read {
        match replica.container.as_str() {
            linkerd::IDENTITY_CONTAINER => self.by_mount(replica.started),
            linkerd::INJECTOR_CONTAINER if self.shown.is_some_and(|shown| at <= shown) => {
                self.by_mount(replica.started)
            }
            _ => self.by_environment(replica.started),
        }
    }

    /// Is it known when the object changed?
    #[must_use]
    pub const fn is_dated(self) -> bool {
        matches!(self.at, ChangeTime::At(_))
    }
}

impl Mesh {
    /// The published bundle's last change.
    #[must_use]
    pub fn bundle_change(&self) -> Change {
        let published = self.trust.published.as_option();
        let at = published.map_or(ChangeTime::Unknown, |published| published.changed);
        self.change_of(&self.bundle_home(), at)
    }

    /// The issuer Secret's last change.
    #[must_use]
    pub fn issuer_change(&self) -> Change {
        let at = self.issuer.as_option().map_or(ChangeTime::Unknown, |issuer| issuer.changed);
        self.change_of(&self.issuer_secret(), at)
    }

    fn change_of(&self, object: &ObjectRef, at: ChangeTime) -> Change {
        let shown = match at {
            ChangeTime::At(changed) => Some(self.mounted_since(&object.kind, &object.name, changed)),
            ChangeTime::Since(_) | ChangeTime::Unknown => None,
        };
        Change { at, shown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_start_within_the_second_of_a_change_tells_nothing() {
        let change = Change { at: ChangeTime::At(second(1000)), shown: Some(second(1120)) };
        for (started, environment, mount) in [
            (Some(999), Read::Before, Read::Before),
            (Some(1000), Read::Perhaps(Doubt::SameSecond), Read::Perhaps(Doubt::SameSecond)),
            (Some(1001), Read::After, Read::Perhaps(Doubt::KubeletLag)),
            (Some(1120), Read::After, Read::Perhaps(Doubt::KubeletLag)),
            (Some(1121), Read::After, Read::After),
            (None, Read::Perhaps(Doubt::StartUnknown), Read::Perhaps(Doubt::StartUnknown)),
        ] {
            let started = started.map(second);
            assert_eq!((change.by_environment(started), change.by_mount(started)), (environment, mount));
        }
    }

    #[test]
    fn of_an_object_that_only_tells_when_it_was_made_nobody_is_known_to_have_read_the_last_change() {
        let change = Change { at: ChangeTime::Since(second(1000)), shown: None };
        assert_eq!(change.by_mount(Some(second(999))), Read::Before);
        assert_eq!(change.by_mount(Some(second(5000))), Read::Perhaps(Doubt::ChangeUnknown));
    }
}

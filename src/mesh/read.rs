//! Whether a container that has started has read a change of what it reads at its start.

use jiff::Timestamp;
use serde::Serialize;

use super::time::given_by;
use super::{ChangeTime, Made, Mesh, Published, Replica};
use crate::document::ObjectRef;
use crate::linkerd;
use crate::pki::Fingerprint;

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
    /// Its pod was created so soon after the change that its kubelet may not have heard of it.
    JustCreated,
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
    /// Since when volumes of pods that were there before surely show it: after the kubelet's lag, unless the object is as it was
    /// installed.
    pub shown: Option<Timestamp>,
    /// The `linkerd.io/trust-root-sha256` of pods that are made for what the object holds now.
    pub(super) marks: [Option<Fingerprint>; 4],
    /// Does a human say that whoever may have read it has?
    pub(super) is_confirmed: bool,
}

impl Change {
    /// Of a container whose environment is made of the object when it starts.
    #[must_use]
    pub fn by_environment(self, started: Option<Timestamp>, made: Made) -> Read {
        self.confirmed(self.by_start(started, made))
    }

    /// Of a container that reads the object from a mounted volume when it starts: only in a pod that was there before the change
    /// does the kubelet's lag count.
    #[must_use]
    pub fn by_mount(self, started: Option<Timestamp>, made: Made) -> Read {
        let read = self.by_start(started, made);
        let is_late = self.shown.zip(started).is_none_or(|(shown, started)| started > shown);
        if read != Read::After || is_late || self.was_given_to(made) {
            return self.confirmed(read);
        }
        let doubt = if self.is_before(made) { Doubt::JustCreated } else { Doubt::KubeletLag };
        self.confirmed(Read::Perhaps(doubt))
    }

    /// Of a container of the control plane that reads the bundle. The identity controller reads mounted files when it starts;
    /// the injector reads its own for each pod (since 2.11), so that for it the kubelet's lag passes with time; a proxy's
    /// environment is made at its start.
    #[must_use]
    pub fn by_replica(self, replica: &Replica, at: Timestamp) -> Read {
        match replica.container.as_str() {
            linkerd::IDENTITY_CONTAINER => self.by_mount(replica.started, replica.made),
            linkerd::INJECTOR_CONTAINER if self.shown.is_some_and(|shown| at <= shown) => {
                self.by_mount(replica.started, replica.made)
            }
            _ => self.by_environment(replica.started, replica.made),
        }
    }

    /// Since when pods that are created surely read it; `None` where it is not known when it changed.
    #[must_use]
    pub fn given_since(self) -> Option<Timestamp> {
        let ChangeTime::At(changed) = self.at else { return None };
        Some(self.shown.map_or(changed, |shown| shown.min(given_by(changed))))
    }

    /// Is it known when the object changed?
    #[must_use]
    pub const fn is_dated(self) -> bool {
        matches!(self.at, ChangeTime::At(_))
    }

    fn by_start(self, started: Option<Timestamp>, made: Made) -> Read {
        let Some(started) = started else { return Read::Perhaps(Doubt::StartUnknown) };
        match self.at {
            ChangeTime::At(_) if self.was_given_to(made) => Read::After,
            ChangeTime::At(changed) if started > changed => Read::After,
            ChangeTime::At(changed) if started == changed => Read::Perhaps(Doubt::SameSecond),
            // The node's clock is behind: it cannot have started before its pod was created.
            ChangeTime::At(_) if self.is_before(made) => Read::Perhaps(Doubt::JustCreated),
            ChangeTime::At(_) => Read::Before,
            // The object was made then, and may have changed since.
            ChangeTime::Since(created) if started < created => Read::Before,
            ChangeTime::Since(_) | ChangeTime::Unknown => Read::Perhaps(Doubt::ChangeUnknown),
        }
    }

    /// Does a pod surely read the object as it is, by its creation: late enough after the change, or not before it and of a
    /// template that was made for what the object holds? Both times are the API server's.
    fn was_given_to(self, made: Made) -> bool {
        let (ChangeTime::At(changed), Some(created)) = (self.at, made.created) else { return false };
        let is_marked = made.trust_root.is_some_and(|mark| self.marks.contains(&Some(mark)));
        created > given_by(changed) || is_marked && self.is_before(made)
    }

    /// Did the change come before a pod, or within the second of its creation?
    fn is_before(self, made: Made) -> bool {
        match (self.at, made.created) {
            (ChangeTime::At(changed), Some(created)) => created.as_second() >= changed.as_second(),
            _ => false,
        }
    }

    /// What a human says of it opens every doubt but about a container that may not have started.
    const fn confirmed(self, read: Read) -> Read {
        match read {
            Read::Perhaps(doubt) if self.is_confirmed && !matches!(doubt, Doubt::StartUnknown) => Read::After,
            read => read,
        }
    }
}

impl Mesh {
    /// The published bundle's last change.
    #[must_use]
    pub fn bundle_change(&self) -> Change {
        let published = self.trust.published.as_option();
        let at = published.map_or(ChangeTime::Unknown, |published| published.changed);
        Change { marks: self.trust_root_marks(published), ..self.change_of(&self.bundle_home(), at) }
    }

    /// The issuer Secret's last change.
    #[must_use]
    pub fn issuer_change(&self) -> Change {
        let at = self.issuer.as_option().map_or(ChangeTime::Unknown, |issuer| issuer.changed);
        self.change_of(&self.issuer_secret(), at)
    }

    /// Is this `linkerd.io/trust-root-sha256` of the published bundle?
    #[must_use]
    pub fn is_published_mark(&self, mark: Fingerprint) -> bool {
        self.trust_root_marks(self.trust.published.as_option()).contains(&Some(mark))
    }

    fn change_of(&self, object: &ObjectRef, at: ChangeTime) -> Change {
        let shown = match at {
            ChangeTime::At(changed) => Some(self.mounted_since(&object.kind, &object.name, changed)),
            ChangeTime::Since(_) | ChangeTime::Unknown => None,
        };
        Change { at, shown, marks: [None; 4], is_confirmed: self.control_plane.is_restart_confirmed }
    }

    /// The chart hashes the value as it was given and publishes it trimmed: with and without a final newline are the same, and
    /// `linkerd-config` holds it as it was given.
    fn trust_root_marks(&self, published: Option<&Published>) -> [Option<Fingerprint>; 4] {
        let Some(published) = published else { return [None; 4] };
        let (text, mark) = (published.text.text(), |text: &str| Some(Fingerprint::digest(text.as_bytes())));
        let trimmed = text.trim();
        let given = self.trust.config.as_option().map(|copy| copy.text());
        let given = given.filter(|given| given.trim() == trimmed);
        if trimmed.is_empty() {
            return [None; 4];
        }
        [mark(text), mark(trimmed), mark(&format!("{trimmed}\n")), given.and_then(mark)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn changed(at: ChangeTime, shown: Option<Timestamp>) -> Change {
        Change { at, shown, marks: [None; 4], is_confirmed: false }
    }

    fn created(at: i64) -> Made {
        Made { created: Some(second(at)), trust_root: None }
    }

    #[test]
    fn a_start_within_the_second_of_a_change_tells_nothing() {
        let change = changed(ChangeTime::At(second(1000)), Some(second(1120)));
        for (started, environment, mount) in [
            (Some(999), Read::Before, Read::Before),
            (Some(1000), Read::Perhaps(Doubt::SameSecond), Read::Perhaps(Doubt::SameSecond)),
            (Some(1001), Read::After, Read::Perhaps(Doubt::KubeletLag)),
            (Some(1120), Read::After, Read::Perhaps(Doubt::KubeletLag)),
            (Some(1121), Read::After, Read::After),
            (None, Read::Perhaps(Doubt::StartUnknown), Read::Perhaps(Doubt::StartUnknown)),
        ] {
            let started = started.map(second);
            let none = Made::default();
            assert_eq!(
                (change.by_environment(started, none), change.by_mount(started, none)),
                (environment, mount)
            );
        }
    }

    #[test]
    fn the_lag_of_a_kubelet_is_that_of_pods_that_were_there_before_the_change() {
        let change = changed(ChangeTime::At(second(1000)), Some(second(1120)));
        let (just, lag) = (Read::Perhaps(Doubt::JustCreated), Read::Perhaps(Doubt::KubeletLag));
        for (pod, started, environment, mount) in [
            (999, 1001, Read::After, lag),
            (1000, 1004, Read::After, just),
            (1010, 1014, Read::After, just),
            (1011, 1014, Read::After, Read::After),
            // The clocks of nodes differ from the API server's.
            (999, 998, Read::Before, Read::Before),
            (1003, 998, just, just),
            (1011, 998, Read::After, Read::After),
        ] {
            let (started, made) = (Some(second(started)), created(pod));
            let reads = (change.by_environment(started, made), change.by_mount(started, made));
            assert_eq!(reads, (environment, mount), "created {pod}");
        }
    }

    #[test]
    fn a_pod_that_is_marked_with_the_bundle_has_read_it_if_it_is_no_older_than_the_change() {
        let mark = Fingerprint::digest(b"bundle");
        let change = Change {
            marks: [None, Some(mark), None, None],
            ..changed(ChangeTime::At(second(1000)), Some(second(1120)))
        };
        let marked = |at, trust_root| Made { trust_root, ..created(at) };
        let read = |made| change.by_mount(Some(second(1004)), made);
        assert_eq!(read(marked(1000, Some(mark))), Read::After);
        assert_eq!(
            read(marked(1000, Some(Fingerprint::digest(b"other")))),
            Read::Perhaps(Doubt::JustCreated)
        );
        assert_eq!(read(marked(999, Some(mark))), Read::Perhaps(Doubt::KubeletLag));
    }

    #[test]
    fn what_is_confirmed_opens_doubts_and_nothing_that_is_known() {
        let change = changed(ChangeTime::At(second(1000)), Some(second(1120)));
        let change = Change { is_confirmed: true, ..change };
        for (started, read) in [
            (Some(999), Read::Before),
            (Some(1000), Read::After),
            (Some(1001), Read::After),
            (None, Read::Perhaps(Doubt::StartUnknown)),
        ] {
            assert_eq!(change.by_mount(started.map(second), Made::default()), read);
        }
    }

    #[test]
    fn of_an_object_that_only_tells_when_it_was_made_nobody_is_known_to_have_read_the_last_change() {
        let change = changed(ChangeTime::Since(second(1000)), None);
        assert_eq!(change.by_mount(Some(second(999)), Made::default()), Read::Before);
        assert_eq!(change.by_mount(Some(second(5000)), created(5000)), Read::Perhaps(Doubt::ChangeUnknown));
    }
}

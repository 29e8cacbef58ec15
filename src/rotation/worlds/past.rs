//! What was published or issued before, and what follows from it for whoever started at a known time.

use jiff::Timestamp;

use super::Mount;
use super::class::{Classes, May};
use crate::mesh::{ChangeTime, Mesh};
use crate::pki::{Bundle, BundleText, Certificate, Rules};
use crate::rotation::Record;
use crate::rotation::record::{both_readings, secret_chain};

/// One place that changes over time: what it holds, what it may have held before.
#[derive(Debug, Clone)]
pub(super) struct Past {
    /// What it holds now, where that is known.
    pub(super) now: Option<usize>,
    /// What it may have held before its last change.
    pub(super) before: Vec<usize>,
    /// May it have held something else before, which nothing tells of?
    pub(super) open: bool,
    /// When that was.
    pub(super) mount: Mount,
}

/// A start against a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    Before,
    After,
    /// A time is not known, or both are of the same second, or a mount lagged.
    Unknown,
}

impl When {
    pub(super) fn of(started: Option<Timestamp>, changed: ChangeTime) -> Self {
        match (started, changed) {
            (Some(started), ChangeTime::At(changed)) if started > changed => Self::After,
            (Some(started), ChangeTime::At(changed)) if started < changed => Self::Before,
            _ => Self::Unknown,
        }
    }

    /// The same of a container that reads it from a mounted volume when it starts.
    pub(super) fn of_mount(started: Option<Timestamp>, mount: Mount) -> Self {
        match (Self::of(started, mount.changed), Self::of(started, mount.shown)) {
            (Self::After, Self::Before | Self::Unknown) => Self::Unknown,
            (when, _) => when,
        }
    }
}

impl Past {
    /// What was read by whoever started then. Empty where nothing is known of it.
    pub(super) fn read(&self, when: When) -> May<usize> {
        let (found, open) = self.listed(when);
        let certain = found.len() == 1 && !open;
        found.into_iter().map(|one| (one, certain)).collect()
    }

    /// The same, and whether there may be something else that nothing tells of.
    pub(super) fn listed(&self, when: When) -> (Vec<usize>, bool) {
        let before = self.before.iter().copied();
        match when {
            When::After => (self.now.into_iter().collect(), self.now.is_none()),
            When::Before if self.before.is_empty() => (self.now.into_iter().collect(), true),
            When::Before => (before.collect(), self.open),
            When::Unknown => (self.now.into_iter().chain(before).collect(), self.open),
        }
    }

    /// The published bundle as read under `rules`. A record knows what was published in its course: the old anchors, then
    /// old and new, then the new one.
    pub(super) fn of_bundle(
        classes: &mut Classes,
        mesh: &Mesh,
        record: Option<&Record>,
        rules: Rules,
    ) -> Self {
        let published = mesh.trust.published.as_option();
        let bundle = published.and_then(|published| read_by(&published.text, rules));
        let mount = Mount::of_bundle(mesh);
        let now = bundle.map(|bundle| classes.bundle_at(bundle));
        let Some(record) = record else { return Self { now, before: Vec::new(), open: true, mount } };
        let mut before: Vec<_> = record.points().map(|(bundle, _)| classes.bundle_at(&bundle)).collect();
        let place = before.iter().position(|one| Some(*one) == now);
        // A bundle that the record does not know: what it adds to the old anchors may have been there before.
        let lessened = place.is_none().then(|| lessened(bundle?, record.anchor()?)).flatten();
        keep_before(&mut before, place, now, record.went_back(mount.changed));
        before.extend(lessened.map(|bundle| classes.bundle_at(&bundle)));
        let open = before.is_empty() || place.is_none();
        Self { now, before, open, mount }
    }

    /// The issuer in the Secret; before it, by the record, the issuer that the rotation began with.
    pub(super) fn of_issuer(classes: &mut Classes, mesh: &Mesh, record: Option<&Record>) -> Self {
        let mount = Mount::of_issuer(mesh);
        let now = secret_chain(mesh).map(|chain| classes.chain_at(chain));
        let copy = mesh.issuer.as_option().and_then(|issuer| issuer.chain.as_ref().ok());
        let copy = copy.filter(|_| now.is_none()).map(|chain| classes.chain_at(chain));
        let points = record.into_iter().flat_map(Record::points);
        let points: Vec<_> =
            points.filter_map(|(bundle, chain)| Some((bundle, classes.chain_at(&chain?)))).collect();
        let mut before: Vec<_> = points.iter().map(|(_, chain)| *chain).collect();
        let place = before.iter().position(|one| Some(*one) == now);
        match place {
            // The record does not know what came before the issuer that it replaces.
            Some(at) => {
                let is_beyond = |chain: usize| {
                    let mut later = points[at..].iter().filter(|(_, one)| *one == chain);
                    later.any(|(bundle, _)| came_last(bundle, mesh))
                };
                let turned = record.is_some_and(|record| record.went_back(mount.changed));
                keep_before(&mut before, place, now, turned);
                before.retain(|chain| !is_beyond(*chain));
            }
            None => before.extend(copy),
        }
        before.sort_unstable();
        before.dedup();
        let open = place.is_none() || before.is_empty();
        Self { now, before, open, mount }
    }
}

/// Is this bundle published, and since after the issuer Secret last changed? Then the mesh came to this point of the course from
/// the one before it, and a chain that is put in place only from here on has not been there, or has long been left again.
fn came_last(bundle: &Bundle, mesh: &Mesh) -> bool {
    let published = mesh.trust.published.as_option();
    let last = match (Mount::of_bundle(mesh).changed, Mount::of_issuer(mesh).changed) {
        (ChangeTime::At(bundle), ChangeTime::At(issuer)) => bundle > issuer,
        _ => false,
    };
    last && published.is_some_and(|published| both_readings(published, |one| one.same_set(bundle)))
}

/// Leaves of a course what was there before `now`, which stands at `place`: what comes before it, or after a turn back whatever
/// else there was.
fn keep_before(course: &mut Vec<usize>, place: Option<usize>, now: Option<usize>, went_back: bool) {
    match went_back {
        false => course.truncate(place.unwrap_or(course.len())),
        true => course.retain(|one| Some(*one) != now),
    }
    course.sort_unstable();
    course.dedup();
}

/// What one of Linkerd's readers gets from a text; the other reader's, where this one refuses it.
fn read_by(text: &BundleText, rules: Rules) -> Option<&Bundle> {
    text.as_read_by(rules)
        .or_else(|_| text.as_read_by(Rules::Proxy))
        .or_else(|_| text.as_read_by(Rules::Controller))
        .ok()
}

/// A bundle without one of its anchors, if it has it.
fn lessened(bundle: &Bundle, anchor: &Certificate) -> Option<Bundle> {
    bundle
        .contains(anchor)
        .then(|| Bundle::new(bundle.anchors().iter().filter(|one| *one != anchor).cloned()))
        .flatten()
}

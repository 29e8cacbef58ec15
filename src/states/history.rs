//! What a place held before, and what follows from it for whoever started at a known time.

use jiff::Timestamp;

use super::class::{Classes, May};
use crate::mesh::{Change, ChangeTime, Mesh, Read};
use crate::pki::{Bundle, BundleText, Certificate, IssuerChain, Rules};

/// What was published and issued, and when: all that the states need to know of a rotation.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Trust bundle and issuer before the first change and after each, in the order of a rotation; an issuer that is not known
    /// is `None`.
    pub entries: Vec<(Bundle, Option<IssuerChain>)>,
    /// The anchor that came in, where one did.
    pub added: Option<Certificate>,
    /// Since when changes may have been rolled back in any order; `None` while they only went forward.
    pub rolled_back_since: Option<Timestamp>,
}

impl History {
    /// May what last changed then have changed on a rollback? Not what changed before there was one.
    #[must_use]
    pub fn was_rolled_back(&self, changed: ChangeTime) -> bool {
        match (self.rolled_back_since, changed) {
            (None, _) => false,
            (Some(since), ChangeTime::At(at)) => at >= since,
            (Some(_), ChangeTime::Since(_) | ChangeTime::Unknown) => true,
        }
    }
}

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
    pub(super) change: Change,
}

impl Past {
    /// What is held by whoever has read it so. Empty where nothing is known of it.
    pub(super) fn held(&self, read: Read) -> May<usize> {
        let (found, open) = self.listed(read);
        let certain = found.len() == 1 && !open;
        found.into_iter().map(|one| (one, certain)).collect()
    }

    /// The same, and whether there may be something else that nothing tells of.
    pub(super) fn listed(&self, read: Read) -> (Vec<usize>, bool) {
        let before = self.before.iter().copied();
        match read {
            Read::After => (self.now.into_iter().collect(), self.now.is_none()),
            Read::Before if self.before.is_empty() => (self.now.into_iter().collect(), true),
            Read::Before => (before.collect(), self.open),
            Read::Perhaps(_) => (self.now.into_iter().chain(before).collect(), self.open),
        }
    }

    /// The published bundle as read under `rules`. A history knows what was published before: the old anchors, then old and new,
    /// then the new one.
    pub(super) fn of_bundle(
        classes: &mut Classes,
        mesh: &Mesh,
        history: Option<&History>,
        rules: Rules,
    ) -> Self {
        let published = mesh.trust.published.as_option();
        let bundle = published.and_then(|published| read_by(&published.text, rules));
        let change = mesh.bundle_change();
        let now = bundle.map(|bundle| classes.bundle_at(bundle));
        let Some(history) = history else { return Self { now, before: Vec::new(), open: true, change } };
        let mut before: Vec<_> =
            history.entries.iter().map(|(bundle, _)| classes.bundle_at(bundle)).collect();
        let place = before.iter().position(|one| Some(*one) == now);
        keep_before(&mut before, place, now, history.was_rolled_back(change.at));
        // A bundle that the history does not know: what it adds to the old anchors may have been there before.
        if place.is_none()
            && let (Some(bundle), Some(added)) = (bundle, &history.added)
            && let Some(lessened) = lessened(bundle, added)
        {
            before.push(classes.bundle_at(&lessened));
        }
        let open = before.is_empty() || place.is_none();
        Self { now, before, open, change }
    }

    /// The issuer in the Secret; before it, by the history, the issuer that the rotation began with.
    pub(super) fn of_issuer(classes: &mut Classes, mesh: &Mesh, history: Option<&History>) -> Self {
        let change = mesh.issuer_change();
        let now = mesh.secret_chain().map(|chain| classes.chain_at(chain));
        let mut issued = Vec::new();
        for (bundle, chain) in history.into_iter().flat_map(|history| &history.entries) {
            if let Some(chain) = chain {
                issued.push((bundle, classes.chain_at(chain)));
            }
        }
        let mut before: Vec<_> = issued.iter().map(|(_, chain)| *chain).collect();
        let place = before.iter().position(|one| Some(*one) == now);
        if let Some(at) = place {
            // The history does not know what came before the issuer that the rotation replaces.
            let is_beyond = |chain: usize| {
                let mut later = issued[at..].iter().filter(|(_, one)| *one == chain);
                later.any(|(bundle, _)| came_last(bundle, mesh))
            };
            let rolled_back = history.is_some_and(|history| history.was_rolled_back(change.at));
            keep_before(&mut before, place, now, rolled_back);
            before.retain(|chain| !is_beyond(*chain));
        } else if now.is_none()
            && let Some(issuer) = mesh.issuer.as_option()
            && let Ok(copy) = &issuer.chain
        {
            before.push(classes.chain_at(copy));
        }
        before.sort_unstable();
        before.dedup();
        let open = place.is_none() || before.is_empty();
        Self { now, before, open, change }
    }
}

/// Is this bundle published, and since after the issuer Secret last changed? Then the mesh came to it from the entry before it,
/// and a chain that is put in place only from here on has not been there, or has long been left again.
fn came_last(bundle: &Bundle, mesh: &Mesh) -> bool {
    let published = mesh.trust.published.as_option();
    let last = match (mesh.bundle_change().at, mesh.issuer_change().at) {
        (ChangeTime::At(bundle), ChangeTime::At(issuer)) => bundle > issuer,
        _ => false,
    };
    last && published.is_some_and(|published| published.both_readings(|one| one.same_set(bundle)))
}

/// Keeps of all entries what was there before `now`, which stands at `place`: what comes before it, or after a rollback whatever
/// else there was.
fn keep_before(entries: &mut Vec<usize>, place: Option<usize>, now: Option<usize>, rolled_back: bool) {
    if rolled_back {
        entries.retain(|one| Some(*one) != now);
    } else {
        entries.truncate(place.unwrap_or(entries.len()));
    }
    entries.sort_unstable();
    entries.dedup();
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
    if !bundle.contains(anchor) {
        return None;
    }
    Bundle::new(bundle.anchors().iter().filter(|one| *one != anchor).cloned())
}

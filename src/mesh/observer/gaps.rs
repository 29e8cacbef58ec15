//! What could not be read.

use std::collections::BTreeSet;

use crate::mesh::{Gap, Known, Unread};

/// The gaps, each once, sorted.
#[derive(Debug, Clone, Default)]
pub(super) struct Gaps(BTreeSet<Gap>);

impl Gaps {
    pub(super) fn add(&mut self, gap: Gap) {
        self.0.insert(gap);
    }

    /// Why an object could not be read: it alone, or all of its resource.
    pub(super) fn why(&self, resource: &str, namespace: &str, name: &str) -> Option<&Unread> {
        self.0.iter().find(|gap| gap.covers(resource, namespace, name)).map(|gap| &gap.why)
    }

    /// What an object is that was not seen: unknown where it could not be read, else absent.
    pub(super) fn absence<T>(&self, resource: &str, namespace: &str, name: &str) -> Known<T> {
        self.why(resource, namespace, name).map_or(Known::Absent, |why| Known::Unknown(why.clone()))
    }

    /// Was anything of this resource, or a part of it, not given?
    pub(super) fn any(&self, resource: &str) -> Option<&Unread> {
        self.0.iter().find(|gap| gap.resource == resource).map(|gap| &gap.why)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_sorted(self) -> Vec<Gap> {
        self.0.into_iter().collect()
    }
}

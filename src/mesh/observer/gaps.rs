//! What could not be read.

use std::collections::BTreeSet;

use crate::mesh::{Gap, Known};

/// The gaps, each once, sorted.
#[derive(Debug, Clone, Default)]
pub(super) struct Gaps(BTreeSet<Gap>);

impl Gaps {
    pub(super) fn add(&mut self, gap: Gap) {
        self.0.insert(gap);
    }

    /// Why an object could not be read: it alone, all of its namespace, or all of its resource.
    pub(super) fn why(&self, resource: &str, namespace: &str, name: &str) -> Option<&str> {
        let covers = |gap: &&Gap| {
            let mut words = gap.what.split_whitespace();
            words.next() == Some(resource)
                && words.next().is_none_or(|place| match place.split_once('/') {
                    Some((of, "" | "*")) => of == namespace,
                    Some((of, what)) => of == namespace && what == name,
                    None => place == namespace,
                })
        };
        self.0.iter().find(covers).map(|gap| gap.why.as_str())
    }

    /// What an object is that was not seen: unknown where it could not be read, else absent.
    pub(super) fn absence<T>(&self, resource: &str, namespace: &str, name: &str) -> Known<T> {
        self.why(resource, namespace, name).map_or(Known::Absent, |why| Known::Unknown(why.to_owned()))
    }

    /// Was anything of this resource, or a part of it, not given?
    pub(super) fn any(&self, resource: &str) -> Option<&str> {
        let of = |gap: &&Gap| gap.what.split_whitespace().next() == Some(resource);
        self.0.iter().find(of).map(|gap| gap.why.as_str())
    }

    pub(super) fn into_sorted(self) -> Vec<Gap> {
        self.0.into_iter().collect()
    }

    /// All of them in one line; `None` where there is none.
    pub(super) fn listed(&self) -> Option<String> {
        let all: Vec<String> = self.0.iter().map(|gap| format!("{} ({})", gap.what, gap.why)).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

//! Proxies and containers counted by whether they are as a step wants them.

use super::StepState;
use crate::finding::Finding;
use crate::mesh::{Doubt, Read};

/// How many are as they shall be, of how many.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    yes: u64,
    no: u64,
    unknown: u64,
    doubt: Option<Doubt>,
}

impl Tally {
    /// Counts by what was read at the start.
    pub(super) fn add(&mut self, read: Read, count: u64) {
        match read {
            Read::After => self.yes += count,
            Read::Before => self.no += count,
            Read::Perhaps(doubt) => {
                self.unknown += count;
                if count > 0 {
                    self.doubt = self.doubt.or(Some(doubt));
                }
            }
        }
    }

    /// Counts by what is held.
    pub(super) fn add_holders(&mut self, suits: bool, count: u64) {
        if suits {
            self.yes += count;
        } else {
            self.no += count;
        }
    }

    /// Those that are not, or are not known to be.
    pub(super) const fn left(self) -> u64 {
        self.no + self.unknown
    }

    pub(super) const fn is_empty(self) -> bool {
        self.yes + self.left() == 0
    }

    /// The state of a step that is done when all are; `why` is what cannot be told of those that are unknown.
    pub(super) fn state(self, why: impl FnOnce(Doubt) -> Finding) -> StepState {
        if self.no > 0 {
            return StepState::Pending { done: self.yes, of: self.yes + self.left() };
        }
        match self.doubt {
            Some(doubt) => StepState::Unknown(Box::new(why(doubt))),
            None => StepState::Done,
        }
    }
}

//! Containers against the time of a change: what started after it has read what was changed.

use jiff::Timestamp;

use super::StepState;
use crate::mesh::ChangeTime;
use crate::rotation::worlds::Mount;

/// Has something taken up a change?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fresh {
    Yes,
    No,
    Unknown,
}

impl From<bool> for Fresh {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Did a container start after the change? Both times are whole seconds: within the same one it counts as before.
pub(super) fn started_after(started: Option<Timestamp>, changed: ChangeTime) -> Fresh {
    match (started, changed) {
        (Some(started), ChangeTime::At(changed)) => (started > changed).into(),
        (Some(started), ChangeTime::Since(created)) if started <= created => Fresh::No,
        _ => Fresh::Unknown,
    }
}

/// The same of a container that reads it from a mounted volume when it starts: within the kubelet's lag that proves nothing.
pub(super) fn mounted_before(started: Option<Timestamp>, mount: Mount) -> Fresh {
    match (started_after(started, mount.changed), started_after(started, mount.shown)) {
        (Fresh::Yes, Fresh::No) => Fresh::Unknown,
        (fresh, _) => fresh,
    }
}

/// How many have taken up a change, of how many.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    yes: u64,
    no: u64,
    unknown: u64,
}

impl Tally {
    pub(super) fn add(&mut self, fresh: Fresh, count: u64) {
        *match fresh {
            Fresh::Yes => &mut self.yes,
            Fresh::No => &mut self.no,
            Fresh::Unknown => &mut self.unknown,
        } += count;
    }

    /// Those that have not, or are not known to have.
    pub(super) const fn left(self) -> u64 {
        self.no + self.unknown
    }

    pub(super) const fn is_empty(self) -> bool {
        self.yes + self.left() == 0
    }

    /// The state of a step that is done when all have; `why` is what cannot be told of those that are unknown.
    pub(super) fn state(self, why: impl FnOnce() -> String) -> StepState {
        match self {
            Self { no: 0, unknown: 0, .. } => StepState::Done,
            Self { no: 0, .. } => StepState::Unknown(why()),
            Self { yes, .. } => StepState::Pending { done: yes, of: yes + self.left() },
        }
    }
}

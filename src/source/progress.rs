//! How much has been read so far, for who looks at it from another thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts while something is read.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    /// How many pods have been read.
    #[must_use]
    pub fn pods(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// So many pods have been read: fewer than before where a list had to be begun again.
    pub(super) fn set_pods(&self, pods: u64) {
        self.0.store(pods, Ordering::Relaxed);
    }
}

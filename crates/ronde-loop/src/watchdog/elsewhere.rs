//! Other systems: nothing is known of another thread.

use super::report::BlockedThread;

/// A thread, as another one of the same process sees it.
pub(super) struct Thread;

impl Thread {
    pub(super) fn current() -> Self {
        Self
    }

    pub(super) fn state(&self) -> BlockedThread {
        BlockedThread::Unknown
    }
}

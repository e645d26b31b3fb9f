//! What a loop is in right now, as its watchdog sees it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ronde_executor::{EntryWatch, RunningEntry};

use super::report::BlockedEntry;

#[derive(Default)]
pub(super) struct Pulse {
    /// The loop's thread takes the lock at each beginning and each end, and the watchdog's now and then.
    running: Mutex<Running>,
    stopped: Mutex<bool>,
    stops: Condvar,
}

#[derive(Default)]
struct Running {
    /// Outermost first. One runs inside another if it is the first step of an eager task.
    entries: Vec<BlockedEntry>,
    /// How many outermost entries there were.
    turn: u64,
}

impl Pulse {
    fn lock(&self) -> MutexGuard<'_, Running> {
        // Nothing under the lock panics half way.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for the outermost entry that runs now, which no other has. `None` if none does.
    pub(super) fn outermost(&self) -> Option<u64> {
        let running = self.lock();
        (!running.entries.is_empty()).then_some(running.turn)
    }

    pub(super) fn entries(&self) -> Vec<BlockedEntry> {
        self.lock().entries.clone()
    }

    /// Waits for `interval`. Returns false if it is to stop.
    pub(super) fn rest(&self, interval: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = self.stops.wait_timeout_while(stopped, interval, |stopped| !*stopped);
        !*rested.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stops.notify_all();
    }
}

/// The loop's end.
pub(super) struct PulseWatch {
    pub(super) pulse: Arc<Pulse>,
}

impl EntryWatch for PulseWatch {
    fn begins(&self, entry: RunningEntry<'_>) {
        // Put together before the lock is taken.
        let entry = BlockedEntry::of(entry);
        let mut running = self.pulse.lock();
        if running.entries.is_empty() {
            running.turn += 1;
        }
        running.entries.push(entry);
    }

    fn ends(&self) {
        let ended = self.pulse.lock().entries.pop();
        drop(ended);
    }
}

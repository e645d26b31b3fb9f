//! A clock with which the same work takes the same number of instructions.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ronde::low_level::Clock;

/// A clock that jumps to the next timer when there is nothing else to do, as `SimulatedClock` does, but
/// starts at a whole second: whether nanoseconds carry over into the next one is a few instructions,
/// for each timer.
#[derive(Debug)]
pub(crate) struct WholeSeconds {
    now: Cell<Instant>,
}

impl WholeSeconds {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let missing = Duration::from_secs(1).saturating_sub(fraction(now).unwrap_or_default());
        Self { now: Cell::new(now + missing) }
    }
}

/// What is shown as `Instant { tv_sec: 7, tv_nsec: 12345 }`; nothing else tells it.
fn fraction(instant: Instant) -> Option<Duration> {
    let shown = format!("{instant:?}");
    let (_, nanos) = shown.split_once("tv_nsec: ")?;
    let nanos = nanos.trim_end_matches([' ', '}']);
    Some(Duration::from_nanos(nanos.parse().ok()?))
}

impl Clock for WholeSeconds {
    fn now(&self) -> Instant {
        self.now.get()
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn advance_to(&self, when: Instant) {
        self.now.set(self.now.get().max(when));
    }
}

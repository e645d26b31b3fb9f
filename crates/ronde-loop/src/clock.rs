//! Where the loop takes the time from.

use std::cell::Cell;
use std::fmt::Debug;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A source of time.
pub trait Clock: Debug {
    /// The time. It never goes backwards.
    fn now(&self) -> Instant;

    /// Is time under the loop's control?
    ///
    /// Then the loop doesn't wait for a deadline when nothing is ready: it calls
    /// [`advance_to`](Self::advance_to) and goes on.
    fn is_simulated(&self) -> bool {
        false
    }

    /// Moves a simulated clock forward. Real clocks do nothing.
    fn advance_to(&self, _: Instant) {}
}

/// The system's monotonic clock: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that stands still until the loop has nothing to do, and then jumps to the next deadline.
///
/// Programs full of sleeps and timeouts run in microseconds with it, and always in the same order.
/// Clones show the same time. While a job is out on another thread, the loop waits for that before
/// it moves the clock; sockets and pipes get one look first.
///
/// # Examples
///
/// ```
/// use ronde_loop::{EventLoop, SimulatedClock, sleep};
/// use std::time::Duration;
///
/// let clock = SimulatedClock::new();
/// let event_loop = EventLoop::builder().clock(clock.clone()).build()?;
/// event_loop.run_until_complete(sleep(Duration::from_secs(86_400)))?;
/// assert_eq!(clock.elapsed(), Duration::from_secs(86_400));
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SimulatedClock {
    start: Instant,
    elapsed: Rc<Cell<Duration>>,
}

impl SimulatedClock {
    /// Makes a clock. Its time starts at some arbitrary instant.
    pub fn new() -> Self {
        Self { start: Instant::now(), elapsed: Rc::default() }
    }

    /// How far the clock has moved since it was made.
    pub fn elapsed(&self) -> Duration {
        self.elapsed.get()
    }

    /// Moves the clock forward by hand, as a computation that takes that long would.
    pub fn advance(&self, by: Duration) {
        self.elapsed.set(self.elapsed.get() + by);
    }
}

impl Default for SimulatedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Instant {
        self.start + self.elapsed.get()
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn advance_to(&self, when: Instant) {
        let elapsed = when.saturating_duration_since(self.start);
        self.elapsed.set(self.elapsed.get().max(elapsed));
    }
}

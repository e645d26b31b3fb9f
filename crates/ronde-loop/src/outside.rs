//! What a loop waits for that it can't see: another process, another thread.
//!
//! A loop with a simulated clock moves its time, or reports a deadlock, when nothing is ready. So it has to
//! be told. There are two ways, which differ in what time does meanwhile:
//!
//! | | time | when there is nothing else to wait for |
//! |---|---|---|
//! | [`ClockHold`] | stands still | the loop waits |
//! | [`OutsideWait`] | goes on, as while a socket is silent | the loop waits |
//!
//! [Jobs](crate::JobHandle) are counted on their own, for they end on other threads.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// How many guards of each kind there are.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    holds: Rc<Cell<usize>>,
    waits: Rc<Cell<usize>>,
}

impl Outside {
    pub(crate) fn hold(&self) -> ClockHold {
        ClockHold { _counted: Counted::among(&self.holds) }
    }

    pub(crate) fn wait(&self) -> OutsideWait {
        OutsideWait { _counted: Counted::among(&self.waits) }
    }

    /// Does time stand still?
    pub(crate) fn holds_clock(&self) -> bool {
        self.holds.get() > 0
    }

    /// May something come while time goes on?
    pub(crate) fn is_awaited(&self) -> bool {
        self.waits.get() > 0
    }
}

/// Counts as one until it is dropped.
struct Counted(Rc<Cell<usize>>);

impl Counted {
    fn among(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Keeps a simulated clock from moving while it lives. Made by
/// [`hold_clock`](crate::LoopHandle::hold_clock).
///
/// It stays on the loop's thread, for its end doesn't wake the loop:
///
/// ```compile_fail
/// # use ronde_loop::EventLoop;
/// let hold = EventLoop::new()?.handle().hold_clock();
/// std::thread::spawn(move || drop(hold));
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[must_use = "the clock moves again when it is dropped"]
pub struct ClockHold {
    _counted: Counted,
}

impl fmt::Debug for ClockHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClockHold")
    }
}

/// Something outside of the loop is waited for while it lives. Made by
/// [`wait_outside`](crate::LoopHandle::wait_outside).
#[must_use = "the wait is over when it is dropped"]
pub struct OutsideWait {
    _counted: Counted,
}

impl fmt::Debug for OutsideWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutsideWait")
    }
}

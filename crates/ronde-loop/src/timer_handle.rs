//! The handle of `call_later` and `call_at`.

use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Instant;

use ronde_context::Context;
use ronde_executor::Handle;
use ronde_timer::TimerKey;

use crate::handle::Shared;

/// A callback that is called at some time, and can be cancelled until then.
///
/// Dropping the handle does not cancel the callback.
///
/// # In asyncio
///
/// `asyncio.TimerHandle`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// # use std::time::Duration;
/// # let event_loop = EventLoop::new()?;
/// let timer = event_loop.call_later(Duration::from_secs(60), || unreachable!());
/// timer.cancel();
/// assert!(timer.cancelled());
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Clone)]
pub struct TimerHandle {
    event_loop: Weak<Shared>,
    key: TimerKey,
    handle: Handle,
    when: Instant,
}

impl TimerHandle {
    pub(crate) fn new(
        event_loop: &Rc<Shared>,
        key: TimerKey,
        handle: Handle,
        when: Instant,
    ) -> Self {
        Self { event_loop: Rc::downgrade(event_loop), key, handle, when }
    }

    /// Sees to it that the callback isn't called, and takes the timer off the loop's queue. Does
    /// nothing if it has been called.
    pub fn cancel(&self) {
        self.handle.cancel();
        if let Some(event_loop) = self.event_loop.upgrade() {
            let _timer = event_loop.timers.borrow_mut().remove(self.key);
        }
    }

    /// Was it cancelled before it could be called?
    pub fn cancelled(&self) -> bool {
        self.handle.cancelled()
    }

    /// A copy of the context that the callback will run in: see [`Handle::get_context`].
    pub fn get_context(&self) -> Option<Context> {
        self.handle.get_context()
    }

    /// When it is due, in the loop's time.
    pub fn when(&self) -> Instant {
        self.when
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<TimerHandle when={:?} {:?}>", self.when, self.handle)
    }
}

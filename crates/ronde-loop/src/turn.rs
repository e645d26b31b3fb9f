//! One turn of the loop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use ronde_executor::{ExceptionContext, Failure, PanicError, find_cycles};
use ronde_reactor::Listener;

use crate::error::{Deadlock, RunError};
use crate::handle::{Shared, Timer};

/// How many entries may run, while more are ready, before the loop looks for I/O again.
///
/// A prime, so that it doesn't march in step with a program's own rhythm.
const ENTRIES_BETWEEN_WAITS: usize = 61;

impl Shared {
    /// Makes one turn: see the crate's documentation for its steps.
    ///
    /// It waits for `limit` at the most.
    // A call costs 20 instructions, of the 500 of a turn with one step in it.
    #[inline(always)]
    pub(crate) fn turn(&self, limit: Option<Duration>) -> Result<(), RunError> {
        self.executor.drain_remote();
        let busy = self.executor.ready() > 0 || self.stopping.get() || self.has_turn_end();
        if !busy {
            self.wait(limit)?;
        } else if self.entries_since_wait.get() >= ENTRIES_BETWEEN_WAITS {
            self.look_for_io(Some(Duration::ZERO))?;
        }
        if !self.timers.borrow().is_empty() {
            // Read the clock after the wait: the wait is where the time went.
            self.queue_due_timers(self.clock.now());
        }

        let count = self.executor.run_batch();
        self.entries_since_wait.set(self.entries_since_wait.get() + count);
        if self.has_turn_end() {
            self.flush();
        }
        Ok(())
    }

    /// Nothing is ready: waits for I/O, other threads, or the next deadline.
    fn wait(&self, limit: Option<Duration>) -> Result<(), RunError> {
        let deadline = self.timers.borrow().next_deadline();
        if self.clock.is_simulated() {
            return self.wait_simulated(deadline, limit);
        }
        self.look_for_io(shorter(self.until(deadline), limit))
    }

    /// How long a turn would wait: see [`LoopHandle::next_wait`](crate::LoopHandle::next_wait).
    pub(crate) fn next_wait(&self) -> Option<Duration> {
        if self.executor.ready() > 0 || self.stopping.get() || self.has_turn_end() {
            return Some(Duration::ZERO);
        }
        let deadline = self.timers.borrow().next_deadline();
        self.until(deadline)
    }

    fn until(&self, deadline: Option<Instant>) -> Option<Duration> {
        deadline.map(|when| when.saturating_duration_since(self.clock.now()))
    }

    /// Nothing is ready, and time is ours to move.
    fn wait_simulated(
        &self,
        deadline: Option<Instant>,
        limit: Option<Duration>,
    ) -> Result<(), RunError> {
        if self.jobs.out() > 0 || self.outside.holds_clock() {
            // Real work on another thread or in another process: its end is the next event, whatever the
            // timers say.
            return self.look_for_io(limit);
        }
        let has_sources = !self.reactor.is_empty() || self.outside.is_awaited();
        if has_sources {
            self.look_for_io(Some(Duration::ZERO))?;
        }
        // Also without sources: a job that was out a moment ago may have sent something at its end.
        self.executor.drain_remote();
        if self.executor.ready() > 0 {
            return Ok(());
        }
        match deadline {
            Some(when) => self.clock.advance_to(when),
            None if has_sources => self.look_for_io(limit)?,
            None => {
                let tasks = self.executor.all_tasks();
                return Err(RunError::Deadlock(Deadlock::of(&tasks, &find_cycles(&tasks))));
            }
        }
        Ok(())
    }

    fn look_for_io(&self, timeout: Option<Duration>) -> Result<(), RunError> {
        self.entries_since_wait.set(0);
        let mut queue = |listener| match listener {
            Listener::Waker(waker) => waker.wake(),
            Listener::Callback(callback, set_at) => {
                self.executor.call_repeated_from(callback, set_at);
            }
        };
        self.reactor
            .wait(timeout, &mut queue)
            .map_err(|source| RunError::Io { doing: "waiting for I/O", source })?;
        self.executor.drain_remote();
        Ok(())
    }

    fn queue_due_timers(&self, now: Instant) {
        loop {
            // One borrow each: what is queued may be dropped, and run anything, on a closed loop.
            let due = self.timers.borrow_mut().pop_due(now);
            match due {
                Some(Timer::Wake(waker)) => self.executor.wake_soon(waker),
                Some(Timer::Call(handle)) => self.executor.call_handle(handle),
                None => return,
            }
        }
    }

    /// Calls what asked to be called at the end of the turn.
    fn flush(&self) {
        let mut callbacks = self.at_turn_end.take();
        for callback in callbacks.drain(..) {
            let call = || self.executor.run_watched(|| callback());
            if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
                self.executor.call_exception_handler(&ExceptionContext::new(
                    "a callback at the end of a turn failed",
                    Failure::Panic(PanicError::of(payload)),
                ));
            }
        }
        // The room is used again in the next turn, unless what was called has asked for more.
        if !self.has_turn_end() {
            self.at_turn_end.replace(callbacks);
        }
    }

    fn has_turn_end(&self) -> bool {
        !self.at_turn_end.borrow().is_empty()
    }
}

/// The shorter of two waits. `None` is as long as it takes.
fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

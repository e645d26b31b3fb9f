//! A thread that notices when the loop stands still, while it does.

mod pulse;
mod report;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod sys;

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ronde_executor::EntryWatch;
use tracing::Dispatch;

use self::pulse::{Pulse, PulseWatch};
pub use self::report::{BlockedEntry, BlockedThread, Stall};
use crate::handle::{LoopHandle, Shared};

type OnStall = Box<dyn FnMut(&Stall) + Send>;

/// Notices when a callback or a step of a task blocks its loop for too long, *while* it does. Made by
/// [`LoopHandle::watch_stalls`]; dropping it ends it.
///
/// A loop whose thread is blocked, by a lock of the standard library, by a call that waits, by a long
/// computation, can report nothing itself. So this is a thread of its own, which looks four times in the
/// limit whether the loop is still in the same entry. If it is, it says so in an error event of
/// `tracing` (in a program without a subscriber, on the standard error output), and calls what was given
/// to [`on_stall`](StallWatchdogBuilder::on_stall). It says so again each time that the wait has doubled.
///
/// # What it shows
///
/// What the loop is in: the task's name, number and parent, the function that it comes from and the place
/// where it was created, or where the callback was registered. And on Linux what the kernel says of the
/// thread: whether it uses the processor, or in which system call it sleeps.
///
/// It doesn't show the frames of the blocked thread. To walk them, the thread would have to be interrupted
/// by a signal and unwind itself in the handler, and no way to do that is sound: unwinding allocates and
/// takes locks, which the thread may just be holding. A debugger can do it from outside (`gdb -p PID`,
/// `perf record`); the report tells when to look, and at which thread.
///
/// # What it costs
///
/// While it lives, the loop notes at each step and each callback what begins and ends: a hundred
/// instructions or so. Without a watchdog there is no cost.
///
/// # In asyncio
///
/// There is no such thing; debug mode reports a slow callback when it is over.
///
/// # Examples
///
/// ```
/// use ronde_loop::{EventLoop, get_running_loop};
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// let event_loop = EventLoop::new()?;
/// let (sender, stalls) = mpsc::channel();
/// let stalled = event_loop.run_until_complete(async move {
///     let event_loop = get_running_loop().unwrap();
///     let watchdog = event_loop.watch_stalls(Duration::from_millis(20));
///     let watchdog = watchdog.on_stall(move |stall| drop(sender.send(stall.to_string())));
///     let _watchdog = watchdog.start().unwrap();
///     // This blocks the thread of the loop, which is wrong.
///     stalls.recv().unwrap()
/// })?;
/// assert!(stalled.contains("blocked the loop"), "{stalled}");
/// assert!(stalled.contains("task 'Task-1'"), "{stalled}");
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[must_use = "dropping the watchdog ends it"]
pub struct StallWatchdog {
    event_loop: Weak<Shared>,
    watch: Rc<dyn EntryWatch>,
    pulse: Arc<Pulse>,
    thread: Option<JoinHandle<()>>,
}

/// How a [`StallWatchdog`] is to be. Made by [`LoopHandle::watch_stalls`].
#[must_use = "a builder does nothing until `start` is called"]
pub struct StallWatchdogBuilder {
    event_loop: Weak<Shared>,
    limit: Duration,
    on_stall: Option<OnStall>,
}

impl LoopHandle {
    /// Watches out for callbacks and steps of tasks that block the loop for `limit` or longer: see
    /// [`StallWatchdog`].
    ///
    /// A report comes at the limit, or up to a quarter of it later. A loop has one watchdog; a second one
    /// takes the first one's place.
    pub fn watch_stalls(&self, limit: Duration) -> StallWatchdogBuilder {
        StallWatchdogBuilder { event_loop: Rc::downgrade(&self.shared), limit, on_stall: None }
    }
}

impl StallWatchdogBuilder {
    /// Calls `on_stall` with each report, on the watchdog's thread, after it was logged.
    pub fn on_stall(mut self, on_stall: impl FnMut(&Stall) + Send + 'static) -> Self {
        self.on_stall = Some(Box::new(on_stall));
        self
    }

    /// Starts it. Call it on the loop's thread.
    ///
    /// # Errors
    ///
    /// If the system could not start a thread.
    pub fn start(self) -> io::Result<StallWatchdog> {
        let pulse = Arc::new(Pulse::default());
        let mut guard = Guard {
            pulse: pulse.clone(),
            limit: self.limit,
            on_stall: self.on_stall,
            of: sys::Thread::current(),
        };
        // What the watchdog logs goes to where this thread's events go.
        let dispatch = tracing::dispatcher::get_default(Dispatch::clone);
        let thread = thread::Builder::new()
            .name("ronde stall watchdog".to_owned())
            .spawn(move || tracing::dispatcher::with_default(&dispatch, || guard.run()))?;
        let watch: Rc<dyn EntryWatch> = Rc::new(PulseWatch { pulse: pulse.clone() });
        if let Some(shared) = self.event_loop.upgrade() {
            shared.executor.set_entry_watch(Some(watch.clone()));
        }
        Ok(StallWatchdog { event_loop: self.event_loop, watch, pulse, thread: Some(thread) })
    }
}

impl Drop for StallWatchdog {
    fn drop(&mut self) {
        if let Some(shared) = self.event_loop.upgrade()
            && shared.executor.entry_watch().is_some_and(|watch| Rc::ptr_eq(&watch, &self.watch))
        {
            shared.executor.set_entry_watch(None);
        }
        self.pulse.stop();
        if let Some(thread) = self.thread.take() {
            // It catches the panics of what it calls.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for StallWatchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StallWatchdog")
    }
}

impl fmt::Debug for StallWatchdogBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallWatchdogBuilder").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// What runs on the watchdog's thread.
struct Guard {
    pulse: Arc<Pulse>,
    limit: Duration,
    on_stall: Option<OnStall>,
    of: sys::Thread,
}

impl Guard {
    fn run(&mut self) {
        let interval = (self.limit / 4).max(Duration::from_millis(1));
        let (mut entry, mut since, mut limit) = (None, Instant::now(), self.limit);
        while self.pulse.rest(interval) {
            let now = Instant::now();
            let outermost = self.pulse.outermost();
            if outermost.is_none() || outermost != entry {
                (entry, since, limit) = (outermost, now, self.limit);
                continue;
            }
            // As far as was seen. It may have begun up to an interval earlier, so this is never too much.
            let blocked_for = now - since;
            if blocked_for >= limit {
                limit = blocked_for * 2;
                self.report(blocked_for);
            }
        }
    }

    fn report(&mut self, blocked_for: Duration) {
        let entries = self.pulse.entries();
        // It may just have ended.
        if entries.is_empty() {
            return;
        }
        let stall = Stall { entries, blocked_for, thread: self.of.state() };
        if tracing::dispatcher::has_been_set() {
            tracing::error!(target: "ronde", ?blocked_for, "{stall}");
        } else {
            eprintln!("ronde: {stall}");
        }
        if let Some(on_stall) = &mut self.on_stall {
            // The panic has been told by the panic hook, and there is nobody else to tell.
            let _ = catch_unwind(AssertUnwindSafe(|| on_stall(&stall)));
        }
    }
}

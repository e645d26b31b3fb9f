//! The loop itself: who owns it runs it.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use ronde_executor::{IntoChild, TaskError};

use crate::builder::Builder;
use crate::error::RunError;
use crate::handle::LoopHandle;
use crate::running::Running;

/// An event loop.
///
/// It belongs to the thread that made it. All that code *on* the loop may do, it does through a
/// [`LoopHandle`], which an `EventLoop` derefs to. Dropping the loop closes it.
///
/// # Turns without a wait
///
/// While work is ready, the loop looks for I/O and timers of other processes' making only once in a
/// while: after 61 entries at the latest. No order that a program can see changes by that.
///
/// # In asyncio
///
/// `asyncio.EventLoop`.
///
/// # Examples
///
/// ```
/// use ronde_loop::EventLoop;
///
/// let event_loop = EventLoop::new()?;
/// assert_eq!(event_loop.run_until_complete(async { 6 * 7 })?, 42);
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub struct EventLoop {
    handle: LoopHandle,
}

impl EventLoop {
    /// Makes a loop with the default parameters.
    ///
    /// # Errors
    ///
    /// [`RunError::Io`] if the system has no descriptor left for the poller.
    pub fn new() -> Result<Self, RunError> {
        Builder::new().build()
    }

    /// Makes a loop with other parameters.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn of(handle: LoopHandle) -> Self {
        Self { handle }
    }

    /// A handle to the loop.
    pub fn handle(&self) -> LoopHandle {
        self.handle.clone()
    }

    /// Runs until `main` is done, and returns its output. `main` is a task, or a future that becomes
    /// one.
    ///
    /// Other tasks and callbacks run along with it; what is not done at its end stays where it is.
    ///
    /// # Errors
    ///
    /// - [`RunError::AlreadyRunning`] inside a running loop.
    /// - [`RunError::Closed`] after `close`.
    /// - [`RunError::Cancelled`] if the task ended cancelled.
    /// - [`RunError::Stopped`] if `stop` was called first. The task stays with the loop.
    /// - [`RunError::Deadlock`], with a simulated clock only.
    /// - [`RunError::Io`] if waiting for I/O failed.
    ///
    /// # Panics
    ///
    /// If the task panics, with its payload.
    #[track_caller]
    pub fn run_until_complete<M: IntoChild>(&self, main: M) -> Result<M::Value, RunError> {
        self.check_can_run()?;
        // Not in a closure, which would hide the caller's location.
        let _current = self.shared.executor.make_current();
        let child = main.into_child();
        let loop_handle = self.handle();
        let stopper = child.add_done_callback(move |_| loop_handle.stop());
        let ran = self.run_forever();
        child.remove_done_callback(stopper);
        ran?;
        if !child.done() {
            return Err(RunError::Stopped);
        }
        match child.take_result() {
            Ok(output) => Ok(output),
            Err(TaskError::Panicked(panic)) => panic.resume(),
            Err(TaskError::Cancelled(error)) => Err(RunError::Cancelled(error)),
            Err(error @ TaskError::InvalidState(_)) => panic!("the main task: {error}"),
            Err(error) => unreachable!("a task that is done is not {error:?}"),
        }
    }

    /// Runs until [`stop`](LoopHandle::stop) is called.
    ///
    /// If that has happened already, the loop makes one turn, without waiting.
    ///
    /// # Errors
    ///
    /// As [`run_until_complete`](Self::run_until_complete).
    pub fn run_forever(&self) -> Result<(), RunError> {
        self.check_can_run()?;
        let _running = Running::start(&self.shared).ok_or(RunError::AlreadyRunning)?;
        self.shared.executor.enter(|| {
            loop {
                self.shared.turn(None)?;
                if self.shared.stopping.replace(false) {
                    return Ok(());
                }
            }
        })
    }

    /// Makes one turn, and waits in it for `limit` at the most; `None` is as long as it takes.
    ///
    /// So a loop is a guest in somebody else's main loop, as that of a user interface or of another
    /// runtime: the host waits for its own events and for [what the loop waits for](LoopHandle::waits_on), no
    /// longer than [`next_wait`](LoopHandle::next_wait) says, and then calls this with a limit of zero.
    /// Between the turns no loop is running, so the host has its own handle to create tasks with.
    ///
    /// Returns whether the loop is to go on: `false` once after [`stop`](LoopHandle::stop) was called.
    ///
    /// # Errors
    ///
    /// - [`RunError::AlreadyRunning`] inside a running loop.
    /// - [`RunError::Closed`] after `close`.
    /// - [`RunError::Deadlock`], with a simulated clock only.
    /// - [`RunError::Io`] if waiting for I/O failed.
    ///
    /// # In asyncio
    ///
    /// Nothing public; `loop._run_once` between the two halves into which 3.13 has split `run_forever`.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_loop::{EventLoop, yield_now};
    /// use std::time::Duration;
    ///
    /// let event_loop = EventLoop::new()?;
    /// let task = event_loop.create_task(async {
    ///     yield_now().await;
    ///     "done"
    /// });
    /// while !task.done() {
    ///     // ... the host does its own things here ...
    ///     event_loop.run_once(Some(Duration::ZERO))?;
    /// }
    /// assert_eq!(task.take_result().unwrap(), "done");
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn run_once(&self, limit: Option<Duration>) -> Result<bool, RunError> {
        self.check_can_run()?;
        let _running = Running::start(&self.shared).ok_or(RunError::AlreadyRunning)?;
        self.shared.executor.enter(|| self.shared.turn(limit))?;
        Ok(!self.shared.stopping.replace(false))
    }

    /// Closes the loop: drops what is left, and shuts the executor down without waiting.
    ///
    /// Suspended tasks are dropped where they are; nothing in them can wait. Each that was unfinished is
    /// a warning of `tracing`. To have them clean up, cancel them and run the loop until they are done,
    /// as `ronde::run` does. Closing twice is fine.
    ///
    /// # Errors
    ///
    /// [`RunError::AlreadyRunning`] if the loop is running.
    ///
    /// # In asyncio
    ///
    /// `loop.close`. There, unfinished tasks are reported when they are garbage collected: "Task was
    /// destroyed but it is pending!".
    pub fn close(&self) -> Result<(), RunError> {
        if self.is_running() {
            return Err(RunError::AlreadyRunning);
        }
        self.shared.close();
        Ok(())
    }

    fn check_can_run(&self) -> Result<(), RunError> {
        if self.is_closed() {
            return Err(RunError::Closed);
        }
        if self.is_running() || crate::get_running_loop().is_ok() {
            return Err(RunError::AlreadyRunning);
        }
        Ok(())
    }
}

impl Deref for EventLoop {
    type Target = LoopHandle;

    fn deref(&self) -> &LoopHandle {
        &self.handle
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}

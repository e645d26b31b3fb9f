//! Why a loop could not run, or stopped before its main task was done.

use std::fmt;
use std::io;
use std::panic::Location;

use ronde_context::CancelledError;
use ronde_executor::{ExceptionContext, Failure, PanicError, TaskRef, WaitCycle};

/// Why there is no result from running a loop.
///
/// A panic of the main task is not among these: it goes on in the caller.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// A loop is running on this thread already.
    AlreadyRunning,
    /// The loop is closed.
    Closed,
    /// The loop was stopped before the main task was done.
    Stopped,
    /// The main task was cancelled.
    Cancelled(CancelledError),
    /// Ctrl-C cancelled the main task. Python's `KeyboardInterrupt`.
    Interrupted,
    /// Something failed that nobody looked at, and the runner was told that this ends the program.
    UnobservedFailure(UnobservedFailure),
    /// Nothing is ready, and nothing ever will be. Only a loop with a simulated clock is sure of it.
    Deadlock(Deadlock),
    /// The system refused something that the loop can't do without.
    Io {
        /// What the loop was doing.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl RunError {
    /// The exit status that a program should end with: 130 after Ctrl-C, as shells have it, else 1.
    ///
    /// ```
    /// use ronde_loop::RunError;
    /// assert_eq!(RunError::Interrupted.exit_code(), 130);
    /// assert_eq!(RunError::Closed.exit_code(), 1);
    /// ```
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Interrupted) { 130 } else { 1 }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRunning => f.write_str(
                "an event loop is running on this thread already: await the future instead",
            ),
            Self::Closed => f.write_str("the event loop is closed"),
            Self::Stopped => {
                f.write_str("the event loop was stopped before the main task was done")
            }
            Self::Cancelled(error) => write!(f, "the main task was {error}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::UnobservedFailure(failure) => failure.fmt(f),
            Self::Deadlock(deadlock) => deadlock.fmt(f),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cancelled(error) => Some(error),
            Self::UnobservedFailure(failure) => Some(failure),
            Self::Deadlock(deadlock) => Some(deadlock),
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A task that failed without anybody looking at it, or a callback that panicked.
#[derive(Clone, Debug)]
pub struct UnobservedFailure {
    description: String,
    created_at: Option<&'static Location<'static>>,
    panic: Option<PanicError>,
}

impl UnobservedFailure {
    /// Makes one of what an exception handler is called with.
    ///
    /// ```
    /// use ronde_loop::{ExceptionContext, Failure, UnobservedFailure};
    /// # let error = std::io::Error::other("no answer");
    /// let context = ExceptionContext::new("asking failed", Failure::Error(Box::new(error)));
    /// assert_eq!(UnobservedFailure::of(&context).to_string(), "asking failed: no answer");
    /// ```
    pub fn of(context: &ExceptionContext) -> Self {
        let panic = match &context.failure {
            Failure::Panic(panic) => Some(panic.clone()),
            _ => None,
        };
        Self { description: context.to_string(), created_at: context.created_at, panic }
    }

    /// Where the task was created or the callback registered.
    pub fn created_at(&self) -> Option<&'static Location<'static>> {
        self.created_at
    }

    /// The panic, if it was one.
    pub fn panic(&self) -> Option<&PanicError> {
        self.panic.as_ref()
    }
}

impl fmt::Display for UnobservedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl std::error::Error for UnobservedFailure {}

/// Every task waits, and nothing can wake any of them.
#[derive(Debug)]
#[non_exhaustive]
pub struct Deadlock {
    /// The tasks that are not done, in the order of their creation.
    pub tasks: Vec<StuckTask>,
    /// The circles among them: tasks that wait for one another, such as two that each hold the lock that
    /// the other one wants. Each is told in a line for each of its tasks.
    pub cycles: Vec<String>,
}

/// A task in a [`Deadlock`].
#[derive(Debug)]
#[non_exhaustive]
pub struct StuckTask {
    /// Its name.
    pub name: String,
    /// Where it was created.
    pub created_at: String,
    /// What it waits for, if that said so.
    pub waiting_for: Option<String>,
}

impl Deadlock {
    pub(crate) fn of(tasks: &[TaskRef], cycles: &[WaitCycle]) -> Self {
        let stuck = |task: &TaskRef| StuckTask {
            name: task.name().to_string(),
            created_at: task.created_at().to_string(),
            waiting_for: task.waiting_for().map(|wait| format!("{wait:?}")),
        };
        Self {
            tasks: tasks.iter().map(stuck).collect(),
            cycles: cycles.iter().map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: nothing is ready, and no timer, descriptor or job is pending")?;
        for task in &self.tasks {
            let wait = task.waiting_for.as_deref().unwrap_or("something unknown");
            write!(f, "\n  {} (created at {}) waits for {wait}", task.name, task.created_at)?;
        }
        for cycle in &self.cycles {
            f.write_str("\n  in a circle:")?;
            for line in cycle.lines() {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Deadlock {}

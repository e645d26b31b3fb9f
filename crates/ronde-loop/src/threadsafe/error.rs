//! Why there is no result to be had from a task on another loop.

use std::fmt;
use std::io;

use ronde_context::CancelledError;
use ronde_executor::PanicError;

/// Why there is no value to be had from a [`RemoteTask`](crate::RemoteTask).
///
/// # In asyncio
///
/// `Cancelled` and `TimedOut` are the `CancelledError` and the `TimeoutError` of `concurrent.futures`. In
/// the place of `Closed` and `OwnThread` asyncio blocks forever.
///
/// # Examples
///
/// ```
/// use ronde_loop::{EventLoop, RemoteTaskError, run_coroutine_threadsafe};
///
/// let event_loop = EventLoop::new()?;
/// let task = run_coroutine_threadsafe(&event_loop.remote(), || async {}).unwrap();
/// assert!(matches!(task.result(None), Err(RemoteTaskError::OwnThread)));
/// event_loop.close()?;
/// assert!(matches!(task.result(None), Err(RemoteTaskError::Closed)));
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RemoteTaskError {
    /// The task was cancelled.
    Cancelled(CancelledError),
    /// The task panicked, or the function that was to make its future.
    Panicked(PanicError),
    /// The loop was closed before the task was done.
    Closed,
    /// The time for blocking was up. The task runs on.
    TimedOut,
    /// The caller would block the loop's own thread, on which the task is to run: it would wait forever.
    OwnThread,
    /// The value was moved out before.
    Taken,
}

impl RemoteTaskError {
    /// Is it a cancellation?
    ///
    /// ```
    /// assert!(!ronde_loop::RemoteTaskError::Closed.is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

impl fmt::Display for RemoteTaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(error) => write!(f, "the task on the other loop was {error}"),
            Self::Panicked(panic) => write!(f, "the task on the other loop {panic}"),
            Self::Closed => f.write_str("the event loop was closed before the task was done"),
            Self::TimedOut => f.write_str("timed out waiting for a task on another loop"),
            Self::OwnThread => {
                f.write_str("blocking the event loop's own thread until its task is done")
            }
            Self::Taken => f.write_str("the value of the task was moved out before"),
        }
    }
}

impl std::error::Error for RemoteTaskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cancelled(error) => Some(error),
            Self::Panicked(panic) => Some(panic),
            Self::Closed | Self::TimedOut | Self::OwnThread | Self::Taken => None,
        }
    }
}

/// So that `?` works in functions that return `io::Result`. The kind is `TimedOut` or `Other`.
impl From<RemoteTaskError> for io::Error {
    fn from(error: RemoteTaskError) -> Self {
        match error {
            RemoteTaskError::TimedOut => io::Error::new(io::ErrorKind::TimedOut, error),
            error => io::Error::other(error),
        }
    }
}

//! What can come out of a task instead of its value.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use ronde_context::CancelledError;

/// Why there is no value to be had from a task or a promise.
///
/// An exception that escapes an asyncio task is one of two things here: an `Err` that the coroutine
/// returns, which is a value like any other, or a panic, which is this error's
/// [`Panicked`](Self::Panicked).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TaskError {
    /// It was cancelled.
    Cancelled(CancelledError),
    /// It panicked.
    Panicked(PanicError),
    /// It is in no state to be asked.
    InvalidState(InvalidStateError),
}

/// The question does not fit the state that a task or promise is in.
///
/// # In asyncio
///
/// `asyncio.InvalidStateError`; `AwaitsItself` is a `RuntimeError` there.
///
/// # Examples
///
/// ```
/// # use ronde_executor::{Executor, InvalidStateError, TaskError};
/// let executor = Executor::new(|| {});
/// let task = executor.spawn(async {});
/// let Err(TaskError::InvalidState(error)) = task.result() else { panic!() };
/// assert_eq!(error, InvalidStateError::Pending);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidStateError {
    /// Its result was asked for, and it isn't done.
    Pending,
    /// A promise was given a result, and it has one already (or was cancelled).
    Done,
    /// Its value has been moved out by an earlier await.
    Taken,
    /// The task awaits itself, which would take forever.
    AwaitsItself,
}

/// A panic that ended a task, and its payload.
///
/// ```
/// # use ronde_executor::{Executor, TaskError};
/// let executor = Executor::new(|| {});
/// let task = executor.spawn(async { panic!("no {}", "luck") });
/// executor.run_batch();
///
/// let Err(TaskError::Panicked(panic)) = task.result() else { panic!() };
/// assert_eq!(panic.message(), "no luck");
/// ```
#[derive(Clone)]
pub struct PanicError {
    message: Arc<str>,
    payload: Arc<Mutex<Option<Box<dyn Any + Send>>>>,
}

impl PanicError {
    /// Makes one of what `catch_unwind` gave.
    pub fn of(payload: Box<dyn Any + Send>) -> Self {
        let message = if let Some(text) = payload.downcast_ref::<&str>() {
            Arc::from(*text)
        } else if let Some(text) = payload.downcast_ref::<String>() {
            Arc::from(text.as_str())
        } else {
            Arc::from("a payload that is not text")
        };
        Self { message, payload: Arc::new(Mutex::new(Some(payload))) }
    }

    /// What was given to `panic!`, if it was text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Goes on panicking, in the caller, with the same payload.
    ///
    /// The payload is there once. A second `resume` of the same panic has only the message.
    ///
    /// # Panics
    ///
    /// Always.
    pub fn resume(self) -> ! {
        let payload = self.payload.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::panic::resume_unwind(payload.unwrap_or_else(|| Box::new(self.message.to_string())))
    }
}

impl fmt::Debug for PanicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PanicError").field(&self.message).finish()
    }
}

impl fmt::Display for PanicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message)
    }
}

impl std::error::Error for PanicError {}

impl fmt::Display for InvalidStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "the result is not set yet",
            Self::Done => "the result is set already",
            Self::Taken => "the value was moved out by an earlier await",
            Self::AwaitsItself => "the task awaits itself",
        })
    }
}

impl std::error::Error for InvalidStateError {}

impl TaskError {
    /// Is it a cancellation?
    ///
    /// ```
    /// # use ronde_executor::{InvalidStateError, TaskError};
    /// assert!(!TaskError::from(InvalidStateError::Pending).is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(error) => error.fmt(f),
            Self::Panicked(panic) => panic.fmt(f),
            Self::InvalidState(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TaskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cancelled(error) => Some(error),
            Self::Panicked(panic) => Some(panic),
            Self::InvalidState(error) => Some(error),
        }
    }
}

impl From<CancelledError> for TaskError {
    fn from(error: CancelledError) -> Self {
        Self::Cancelled(error)
    }
}

impl From<InvalidStateError> for TaskError {
    fn from(error: InvalidStateError) -> Self {
        Self::InvalidState(error)
    }
}

/// So that `?` works in functions that return `io::Result`. The kind is `Other`.
impl From<TaskError> for io::Error {
    fn from(error: TaskError) -> Self {
        io::Error::other(error)
    }
}

//! Failures that have nobody to go to.

use std::any::type_name;
use std::fmt;
use std::mem::discriminant;
use std::panic::Location;

use crate::TaskRef;
use crate::error::PanicError;

/// What went wrong where nobody waits for the outcome: the argument of an exception handler.
///
/// # In asyncio
///
/// The `context` dictionary of `loop.call_exception_handler`.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExceptionContext {
    /// What happened, in a few words.
    pub message: String,
    /// The failure itself.
    pub failure: Failure,
    /// The task that failed, if it was one.
    pub task: Option<TaskRef>,
    /// Where the task was created or the callback registered.
    pub created_at: Option<&'static Location<'static>>,
}

/// The two forms of an exception, and a system call that went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// A panic.
    Panic(PanicError),
    /// An `Err` of this type that a task returned.
    Err {
        /// The full name of the `Result` type.
        type_name: &'static str,
    },
    /// An error that the loop met while it worked for somebody: an `accept` that failed, say.
    Error(Box<dyn std::error::Error>),
}

impl ExceptionContext {
    /// Makes a context with nothing in it but what happened.
    ///
    /// ```
    /// use ronde_executor::{ExceptionContext, Failure};
    /// let error = std::io::Error::other("no descriptors left");
    /// let context = ExceptionContext::new("accept failed", Failure::Error(Box::new(error)));
    /// assert_eq!(context.to_string(), "accept failed: no descriptors left");
    /// ```
    pub fn new(message: impl Into<String>, failure: Failure) -> Self {
        Self { message: message.into(), failure, task: None, created_at: None }
    }

    /// What happens by default: an error event of `tracing`. In a program without a subscriber it
    /// goes to the standard error output instead, so that no failure is silent.
    pub fn report(&self) {
        if tracing::dispatcher::has_been_set() {
            tracing::error!(target: "ronde", task = self.task.as_ref().map(tracing::field::debug), "{self}");
        } else {
            eprintln!("ronde: {self}");
        }
    }
}

impl fmt::Display for ExceptionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.message)?;
        match &self.failure {
            Failure::Panic(panic) => panic.fmt(f)?,
            Failure::Err { type_name } => write!(f, "returned the Err of {type_name}")?,
            Failure::Error(error) => error.fmt(f)?,
        }
        if let Some(task) = &self.task {
            write!(f, " in {task:?}")?;
        } else if let Some(location) = self.created_at {
            write!(f, " (created at {location})")?;
        }
        Ok(())
    }
}

/// Is `value` the `Err` of a `Result`?
///
/// Whether a task failed decides a few rare things: whether an outcome that nobody looked at is
/// reported, when "the first exception" has happened, and whether the value of a task that was
/// asked to cancel survives. A generic `T` can't be asked on stable Rust, so this goes by the name
/// of the type and by its discriminant as `Debug` prints it. Both are unspecified; a test below
/// fails if they ever change. `docs/decisions/when-is-a-value-a-failure.md` has the ways not taken.
pub(crate) fn is_err<T>(value: &T) -> bool {
    type_name::<T>().starts_with("core::result::Result<")
        && format!("{:?}", discriminant(value)) == "Discriminant(1)"
}

#[cfg(test)]
mod tests {
    use super::is_err;

    #[test]
    fn an_err_of_any_type_is_recognised() {
        assert!(is_err(&Err::<(), ()>(())));
        assert!(is_err(&Err::<u8, Box<u8>>(Box::new(1))));
        assert!(is_err(&Err::<std::io::Result<()>, String>(String::new())));
    }

    #[test]
    fn nothing_else_is() {
        enum Look {
            #[expect(dead_code)]
            Ok,
            Err,
        }
        assert!(!is_err(&Ok::<(), ()>(())));
        assert!(!is_err(&Ok::<Result<(), ()>, ()>(Err(()))));
        assert!(!is_err(&Some(1)));
        assert!(!is_err(&Look::Err));
        assert!(!is_err(&1));
    }
}

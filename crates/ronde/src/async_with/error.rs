//! How entering and exiting fail.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

use ronde_context::CancelledError;

/// A context manager failed. `E` is the manager's error, `B` the body's.
///
/// # Examples
///
/// A manager that can't fail (its error is [`Infallible`]) leaves nothing to check:
///
/// ```
/// use ronde::{async_with, context_manager};
/// use std::convert::Infallible;
///
/// # ronde::run(async {
/// let manager = context_manager(async || Ok::<_, Infallible>(6), async |_, _| Ok(()));
/// let Ok(answer) = async_with(manager, async |six| *six * 7).await;
/// assert_eq!(answer, 42);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[derive(Debug)]
pub enum WithError<E, B = Infallible> {
    /// Entering failed. The body has not begun, and there was no exit.
    Enter {
        /// The type of the manager; of a [`context_manager`](crate::context_manager) the function in
        /// which its closures are.
        manager: &'static str,
        /// What went wrong.
        error: E,
    },
    /// Exiting failed.
    Exit {
        /// The type of the manager; of a [`context_manager`](crate::context_manager) the function in
        /// which its closures are.
        manager: &'static str,
        /// What went wrong.
        error: E,
        /// What was on its way out of the body already. Without this failure it would have gone on.
        on_its_way: Option<OnItsWay<B>>,
    },
}

/// What was on its way out of a body when an exit failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum OnItsWay<B = Infallible> {
    /// The body's `Err`.
    Failed(B),
    /// A cancellation, which ends here.
    Cancelled(CancelledError),
}

impl<E, B> WithError<E, B> {
    /// The manager's error.
    pub fn into_error(self) -> E {
        match self {
            Self::Enter { error, .. } | Self::Exit { error, .. } => error,
        }
    }
}

impl<E: fmt::Display, B: fmt::Display> fmt::Display for WithError<E, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enter { manager, error } => write!(f, "entering {manager}: {error}"),
            Self::Exit { manager, error, on_its_way } => {
                write!(f, "exiting {manager}: {error}")?;
                on_its_way.as_ref().map_or(Ok(()), |other| write!(f, ", after {other}"))
            }
        }
    }
}

impl<E: Error + 'static, B: fmt::Debug + fmt::Display> Error for WithError<E, B> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Enter { error, .. } | Self::Exit { error, .. } => Some(error),
        }
    }
}

impl<B: fmt::Display> fmt::Display for OnItsWay<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the body failed: {error}"),
            Self::Cancelled(error) => write!(f, "the body was {error}"),
        }
    }
}

/// One or more exits of an exit stack failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExitStackError<B = Infallible> {
    /// What went wrong, in the order in which it did. Never empty.
    pub errors: Vec<Box<dyn Error>>,
    /// What was on its way out of the body already.
    pub on_its_way: Option<OnItsWay<B>>,
}

impl<B: fmt::Display> fmt::Display for ExitStackError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("exiting: ")?;
        for (index, error) in self.errors.iter().enumerate() {
            let comma = if index > 0 { ", then " } else { "" };
            write!(f, "{comma}{error}")?;
        }
        self.on_its_way.as_ref().map_or(Ok(()), |other| write!(f, ", after {other}"))
    }
}

impl<B: fmt::Debug + fmt::Display> Error for ExitStackError<B> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.first().map(|error| &**error)
    }
}

//! The cancellation itself: its message, whose it is, and how it is raised again.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::registers;

/// A cancellation: the value that [`catch_cancelled`](crate::catch_cancelled) gives.
///
/// It carries the message that was given to `cancel`, and its [`Origin`], so that a cancellation
/// from outside is never mistaken for a timeout's own. It is plain data: cheap to clone, `Send` and
/// `Sync`.
///
/// # In asyncio
///
/// `asyncio.CancelledError`. Whoever catches it and is done cleaning up should
/// [`raise`](Self::raise) it again.
///
/// # Examples
///
/// ```
/// use ronde_context::CancelledError;
///
/// let error = CancelledError::new("shutting down");
/// assert_eq!(error.message(), Some("shutting down"));
/// assert_eq!(error.to_string(), "cancelled: shutting down");
/// assert_eq!(CancelledError::default().to_string(), "cancelled");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CancelledError {
    /// `None` is the common case: no message, asked for by a call of `cancel`. One word, because
    /// every step of a task hands it around.
    details: Option<Arc<Details>>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Details {
    message: Option<Arc<str>>,
    origin: Origin,
}

/// Who asked for a cancellation.
///
/// ```
/// use ronde_context::{CancelledError, Origin};
///
/// assert_eq!(CancelledError::default().origin(), Origin::Request);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// A call of `cancel` on a task or promise.
    #[default]
    Request,
    /// A scope: a timeout or a group. The number is the scope's own.
    Scope(u64),
    /// Ctrl-C, which cancels the main task.
    Interrupt,
    /// The end of the program: tasks that are left over are cancelled.
    Shutdown,
    /// The close of an async generator, which is suspended where it has yielded. Python's
    /// `GeneratorExit`.
    Close,
}

impl CancelledError {
    /// Makes a cancellation with a message.
    ///
    /// ```
    /// # use ronde_context::CancelledError;
    /// assert_eq!(CancelledError::new("why").message(), Some("why"));
    /// ```
    pub fn new(message: impl Into<Arc<str>>) -> Self {
        Self::default().with(|details| details.message = Some(message.into()))
    }

    /// The same cancellation with another origin.
    ///
    /// ```
    /// use ronde_context::{CancelledError, Origin};
    /// let error = CancelledError::default().with_origin(Origin::Shutdown);
    /// assert_eq!(error.origin(), Origin::Shutdown);
    /// ```
    #[must_use]
    pub fn with_origin(self, origin: Origin) -> Self {
        if self.origin() == origin { self } else { self.with(|details| details.origin = origin) }
    }

    /// The same cancellation without its message.
    ///
    /// asyncio hands the message of a cancelled task to the first who asks for it only.
    ///
    /// ```
    /// # use ronde_context::CancelledError;
    /// assert_eq!(CancelledError::new("why").without_message().message(), None);
    /// ```
    #[must_use]
    pub fn without_message(self) -> Self {
        if self.message().is_none() { self } else { self.with(|details| details.message = None) }
    }

    /// The message that was given to `cancel`, if there was one.
    ///
    /// ```
    /// # use ronde_context::CancelledError;
    /// assert_eq!(CancelledError::default().message(), None);
    /// ```
    pub fn message(&self) -> Option<&str> {
        self.details.as_ref()?.message.as_deref()
    }

    /// Who asked.
    ///
    /// ```
    /// # use ronde_context::{CancelledError, Origin};
    /// assert_eq!(CancelledError::new("why").origin(), Origin::Request);
    /// ```
    pub fn origin(&self) -> Origin {
        self.details.as_ref().map_or(Origin::Request, |details| details.origin)
    }

    /// Is this the very cancellation that `other` is, and not merely an equal one?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.details, &other.details) {
            (Some(one), Some(another)) => Arc::ptr_eq(one, another),
            (None, None) => true,
            _ => false,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(Arc::make_mut(self.details.get_or_insert_default()));
        self
    }

    /// Raises this cancellation: the nearest handler around the caller drops its body and gets it.
    ///
    /// The future never completes, so `T` can be whatever the expression needs. Python's `raise`
    /// inside `except CancelledError`. The next handler out takes it in the same poll.
    ///
    /// # Panics
    ///
    /// When it is polled where nobody could take it: outside every ronde task and every
    /// [`catch_cancelled`](crate::catch_cancelled).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** It holds nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_context::{CancelledError, catch_cancelled};
    ///
    /// async fn tidy_up() {}
    ///
    /// # futures_lite::future::block_on(async {
    /// let outcome = catch_cancelled(async {
    ///     let body = catch_cancelled(async { CancelledError::new("stop").raise::<u32>().await });
    ///     match body.await {
    ///         Ok(value) => value,
    ///         Err(cancelled) => {
    ///             tidy_up().await;
    ///             cancelled.raise().await
    ///         }
    ///     }
    /// })
    /// .await;
    /// assert_eq!(outcome.unwrap_err().message(), Some("stop"));
    /// # });
    /// ```
    pub fn raise<T>(self) -> Raise<T> {
        Raise { error: Some(self), never: PhantomData }
    }

    /// Raises this cancellation where the task, or the scope that it comes from, next suspends.
    ///
    /// For those who caught it, have something to say that is not to be lost, and return that. A
    /// task that returns before it suspends again ends cancelled, unless it returns an `Err`.
    /// Outside a task it does nothing.
    ///
    /// # In asyncio
    ///
    /// As of Python 3.13 a `TaskGroup` with failures that was cancelled from outside raises the
    /// failures, and cancels the task again.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::{pending, poll_once};
    /// use ronde_context::{CancelScope, CancelledError, catch_cancelled};
    ///
    /// # futures_lite::future::block_on(async {
    /// let scope = CancelScope::new();
    /// let mut body = std::pin::pin!(scope.run(async {
    ///     let caught = catch_cancelled(pending::<()>()).await;
    ///     caught.unwrap_err().raise_later();
    ///     // This still runs.
    ///     pending::<()>().await
    /// }));
    /// assert!(poll_once(body.as_mut()).await.is_none());
    /// scope.cancel(&CancelledError::default());
    /// assert!(body.await.is_err());
    /// # });
    /// ```
    pub fn raise_later(self) {
        registers::give_back(self);
    }
}

impl fmt::Debug for CancelledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CancelledError(")?;
        if let Some(message) = self.message() {
            write!(f, "{message:?}")?;
        }
        if self.origin() != Origin::Request {
            let comma = if self.message().is_some() { ", " } else { "" };
            write!(f, "{comma}{:?}", self.origin())?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for CancelledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => write!(f, "cancelled: {message}"),
            None => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for CancelledError {}

/// A cancellation on its way up: see [`CancelledError::raise`].
#[derive(Debug)]
#[must_use = "a cancellation is raised by awaiting it"]
pub struct Raise<T> {
    error: Option<CancelledError>,
    never: PhantomData<fn() -> (Infallible, T)>,
}

impl<T> Future for Raise<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Another one is under way, as in another branch of the task: it must not be overwritten.
        if self.error.is_some() && registers::anything_on_its_way() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // Polled a second time, the error is already with a handler that is still to drop us.
        if let Some(error) = self.error.take() {
            registers::raise(error);
        }
        Poll::Pending
    }
}

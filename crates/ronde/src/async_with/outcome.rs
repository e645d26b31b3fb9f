//! What happened to a body, as an exit sees it, and as we keep it.

use std::any::{Any, type_name};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use ronde_context::{CancelledError, catch_cancelled};
use ronde_loop::{ExceptionContext, Failure, PanicError, get_running_loop};

/// How the body of a context manager ended: what its exit gets to see.
///
/// # In asyncio
///
/// The arguments of `__aexit__`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum BodyOutcome<'a> {
    /// It returned.
    Returned,
    /// It returned an `Err`, under [`try_async_with`](crate::try_async_with); or, in an exit stack, an
    /// exit has failed meanwhile.
    Failed(BodyError<'a>),
    /// It panicked.
    Panicked(&'a PanicError),
    /// It was cancelled: by its task's `cancel`, by a time limit, by a group.
    Cancelled(&'a CancelledError),
}

impl BodyOutcome<'_> {
    /// Did the body return, and not with an `Err`?
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Returned)
    }

    /// Was it cancelled?
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

/// The `Err` of a body, of whatever type.
///
/// ```
/// use ronde::{Swallow, context_manager, try_async_with};
/// use std::num::ParseIntError;
///
/// # ronde::run(async {
/// let ignore_bad_numbers = context_manager(
///     async || Ok::<_, std::convert::Infallible>(()),
///     async |(), outcome| {
///         let ronde::BodyOutcome::Failed(error) = outcome else { return Ok(Swallow(false)) };
///         Ok(Swallow(error.downcast_ref::<ParseIntError>().is_some()))
///     },
/// );
/// let number = try_async_with(ignore_bad_numbers, async |_| "x".parse::<u32>()).await;
/// assert_eq!(number.unwrap(), None);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[derive(Clone, Copy)]
pub struct BodyError<'a> {
    any: &'a dyn Any,
    debug: &'a dyn fmt::Debug,
}

impl<'a> BodyError<'a> {
    pub(super) fn of<E: fmt::Debug + 'static>(error: &'a E) -> Self {
        Self { any: error, debug: error }
    }

    /// The error itself, if it is of type `E`.
    pub fn downcast_ref<E: 'static>(&self) -> Option<&'a E> {
        self.any.downcast_ref()
    }
}

impl fmt::Debug for BodyError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.debug.fmt(f)
    }
}

/// How a body ended, with what it ended with.
pub(super) enum Ended<R, B> {
    Returned(R),
    /// It returned an `Err` that counts as a failure.
    Failed(B),
    Panicked(PanicError),
    Cancelled(CancelledError),
}

impl<R, B: fmt::Debug + 'static> Ended<R, B> {
    pub(super) fn outcome(&self) -> BodyOutcome<'_> {
        match self {
            Self::Returned(_) => BodyOutcome::Returned,
            Self::Failed(error) => BodyOutcome::Failed(BodyError::of(error)),
            Self::Panicked(panic) => BodyOutcome::Panicked(panic),
            Self::Cancelled(error) => BodyOutcome::Cancelled(error),
        }
    }

    /// Something else goes on. If this is a failure, it is reported, so that it isn't lost.
    pub(super) fn ends_here(self, message: &str) {
        match self {
            Self::Failed(_) => {
                report(message, Failure::Err { type_name: type_name::<Result<(), B>>() });
            }
            Self::Panicked(panic) => report(message, Failure::Panic(panic)),
            Self::Returned(_) | Self::Cancelled(_) => {}
        }
    }
}

/// Awaits `body` to its end, whatever that is. Afterwards the body is gone.
///
/// `split` tells the failures among the values.
pub(super) async fn run_to_its_end<R, B>(
    body: impl Future<Output = R>,
    split: impl FnOnce(R) -> Result<R, B>,
) -> Ended<R, B> {
    // A panic must not get past the handler while a cancellation is being delivered: hence one catch
    // inside it. The other is for destructors, when the handler drops the body.
    match CatchPanic::of(catch_cancelled(CatchPanic::of(body))).await {
        Ok(Ok(Ok(value))) => split(value).map_or_else(Ended::Failed, Ended::Returned),
        Ok(Err(cancelled)) => Ended::Cancelled(cancelled),
        Ok(Ok(Err(panic))) | Err(panic) => Ended::Panicked(panic),
    }
}

pin_project! {
    struct CatchPanic<F> {
        // `None` once it is over.
        #[pin]
        body: Option<F>,
    }
}

impl<F> CatchPanic<F> {
    fn of(body: F) -> Self {
        Self { body: Some(body) }
    }
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, PanicError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut body = self.project().body;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            body.as_mut().as_pin_mut().expect("a finished future was polled again").poll(cx)
        }));
        if matches!(polled, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        // Of two panics the first is the one.
        let dropped = catch_unwind(AssertUnwindSafe(|| body.set(None)));
        match (polled, dropped) {
            (Ok(polled), Ok(())) => polled.map(Ok),
            (Err(panic), _) | (Ok(_), Err(panic)) => Poll::Ready(Err(PanicError::of(panic))),
        }
    }
}

/// Of an exit's failure, when something else goes on.
pub(super) const EXIT_FAILED: &str = "a context manager failed while something else was on its way";
/// Of a failure that was on its way.
pub(super) const REPLACED: &str =
    "a failure was on its way, and something else came out of a context manager's exit";

/// Tells the loop of a failure that something else has taken the place of.
pub(super) fn report(message: &str, failure: Failure) {
    let context = ExceptionContext::new(message, failure);
    match get_running_loop() {
        Ok(event_loop) => event_loop.call_exception_handler(&context),
        Err(_) => context.report(),
    }
}

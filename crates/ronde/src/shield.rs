//! Protection from cancellation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ronde_loop::{Child, IntoTask, JoinPromise, Promise, TaskError};

use crate::watch::Watch;

/// Waits for a task or a future without passing a cancellation on to it.
///
/// A future becomes a task, here and now. If the waiting task is cancelled, it is cancelled alright;
/// the shielded one runs on. If it fails then, and nobody else looks, that is reported.
///
/// # Errors
///
/// What the task ended with, if not by returning.
///
/// # Panics
///
/// Outside a running event loop, for a future.
///
/// # Cancel safety
///
/// **Strict** for a `&Task`: wait again. For a future or a `Task` that was moved in, **data lost**:
/// its result can no longer be had.
///
/// # In asyncio
///
/// `asyncio.shield`.
///
/// # Examples
///
/// ```
/// use ronde::{create_task, shield, timeout, yield_now};
/// use std::time::Duration;
///
/// # ronde::run(async {
/// let important = create_task(async {
///     yield_now().await;
///     "done"
/// });
/// assert!(timeout(Duration::ZERO, shield(&important)).await.is_err());
/// assert_eq!(important.await.unwrap(), "done");
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[track_caller]
pub fn shield<A: IntoTask>(awaitable: A) -> Shield<A::Value> {
    let child = awaitable.into_child();
    if child.task().done() {
        return Shield { child, waiting: None };
    }
    let outer = Promise::<()>::new();
    let join = outer.wait_done();
    let watch = Watch::start([child.as_ref().clone()], move |_, _| {
        // A promise that was cancelled stays so.
        let _ = outer.set_result(());
    });
    Shield { child, waiting: Some(Waiting { join, _watch: watch }) }
}

/// The future of [`shield`].
#[must_use = "the task runs, but nobody waits for it"]
pub struct Shield<T> {
    child: Child<T>,
    /// `None` if the task was done to begin with.
    waiting: Option<Waiting>,
}

struct Waiting {
    join: JoinPromise<(), ()>,
    _watch: Watch,
}

impl<T> Unpin for Shield<T> {}

impl<T: 'static> Future for Shield<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(waiting) = &mut self.waiting
            && Pin::new(&mut waiting.join).poll(cx).is_pending()
        {
            return Poll::Pending;
        }
        Poll::Ready(self.child.take_result())
    }
}

impl<T> fmt::Debug for Shield<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shield").field(&self.child).finish()
    }
}

//! Protection from cancellation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ronde_loop::{Child, ChildRef, IntoChild, JoinPromise, Promise, TaskError};

use crate::watch::Watch;

/// Waits for a task, a promise or a future without passing a cancellation on to it.
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
/// **Strict** for a `&Task` or a `&Promise`: wait again. For what was moved in, **data lost**: its result
/// can no longer be had.
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
pub fn shield<A: IntoChild>(awaitable: A) -> Shield<A::Value> {
    let child = awaitable.into_child();
    if child.done() {
        return Shield { child, waiting: None };
    }
    let outer = Promise::<()>::new();
    let shielded = child.as_ref().clone();
    outer.set_waits_on(move || vec![shielded.to_awaited()]);
    let join = outer.wait_done();
    let done = outer.clone();
    let watch = Watch::start([child.as_ref().clone()], move |_, _| {
        // A promise that was cancelled stays so.
        let _ = done.set_result(());
    });
    Shield { child, waiting: Some(Waiting { outer, join, _watch: watch }) }
}

/// The future of [`shield`].
///
/// It can be kept, and asked and cancelled by itself; await `&mut shield` then.
///
/// # Examples
///
/// ```
/// use ronde::{create_task, shield, yield_now};
///
/// # ronde::run(async {
/// let task = create_task(async {
///     yield_now().await;
///     1
/// });
/// let mut shielded = shield(&task);
/// assert!(shielded.cancel());
/// assert!((&mut shielded).await.unwrap_err().is_cancelled());
/// assert_eq!(format!("{shielded:?}"), "<Shield cancelled>");
/// assert_eq!(task.await.unwrap(), 1);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[must_use = "the task runs, but nobody waits for it"]
pub struct Shield<T> {
    child: Child<T>,
    /// `None` if the task was done to begin with.
    waiting: Option<Waiting>,
}

struct Waiting {
    /// What is cancelled in the task's stead.
    outer: Promise<()>,
    join: JoinPromise<(), ()>,
    _watch: Watch,
}

impl<T: 'static> Shield<T> {
    /// Cancels this, and not the task: whoever awaits it gets [`TaskError::Cancelled`]. Returns false if
    /// it is done.
    pub fn cancel(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.outer.cancel())
    }

    /// Is there something to be had from it: has the task ended, or was this cancelled?
    pub fn done(&self) -> bool {
        self.waiting.as_ref().is_none_or(|waiting| waiting.outer.done())
    }

    /// Was this cancelled, by [`cancel`](Self::cancel) or with the task that waited for it? If the
    /// shielded task was, that is another matter.
    pub fn cancelled(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.outer.cancelled())
    }

    /// What is shielded.
    pub fn child(&self) -> &ChildRef {
        &self.child
    }

    /// Makes a promise of it, of what `map` makes of the result.
    ///
    /// A promise can be awaited by several tasks, be given to `gather` or `wait`, and have done callbacks.
    /// Cancelling it leaves what is shielded alone. If that is cancelled, so is the promise, and `map` is
    /// not called.
    ///
    /// # In asyncio
    ///
    /// What `asyncio.shield` returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde::{create_task, shield};
    ///
    /// # ronde::run(async {
    /// let task = create_task(async { 1 });
    /// let outer = shield(&task).into_promise(|result| result.unwrap());
    /// outer.cancel();
    /// assert!((&outer).await.unwrap_err().is_cancelled());
    /// assert_eq!(task.await.unwrap(), 1);
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    pub fn into_promise<R: 'static>(
        self,
        map: impl FnOnce(Result<T, TaskError>) -> R + 'static,
    ) -> Promise<R> {
        let Self { child, waiting } = self;
        let promise = Promise::new();
        let cancelled = waiting.and_then(|waiting| waiting.outer.to_awaited().take_cancelled());
        if let Some(error) = cancelled {
            promise.set_cancelled(error);
            return promise;
        }
        let take = child.taker();
        let settle = {
            let promise = promise.clone();
            move |child: &ChildRef| {
                // If it was cancelled, what the child ended with is for somebody else to look at.
                if !promise.done() {
                    settle(&promise, take(child), map);
                }
            }
        };
        if child.done() {
            settle(&child);
        } else {
            child.add_done_callback(settle);
        }
        promise
    }
}

fn settle<T, R: 'static>(
    promise: &Promise<R>,
    result: Result<T, TaskError>,
    map: impl FnOnce(Result<T, TaskError>) -> R,
) {
    match result {
        Err(TaskError::Cancelled(error)) => {
            promise.set_cancelled(error);
        }
        // It is pending: nobody else sets it.
        result => drop(promise.set_result(map(result))),
    }
}

impl<T> Unpin for Shield<T> {}

impl<T: 'static> Future for Shield<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(waiting) = &mut self.waiting {
            ready!(Pin::new(&mut waiting.join).poll(cx))?;
            waiting.outer.result()?;
        }
        Poll::Ready(self.child.take_result())
    }
}

impl<T: 'static> fmt::Debug for Shield<T> {
    /// `<Shield pending child=<Task pending ...>>`, `<Shield cancelled>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cancelled() {
            return f.write_str("<Shield cancelled>");
        }
        let state = if self.done() { "finished" } else { "pending" };
        write!(f, "<Shield {state} child={:?}>", self.child.as_ref())
    }
}

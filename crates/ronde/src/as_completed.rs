//! Several tasks and promises, one by one as they finish.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;
use ronde_loop::{
    Child, ChildRef, IntoChild, JoinPromise, Promise, TimeoutError, get_running_loop, timeout_at,
};

use crate::watch::Watch;

/// Gives each of several tasks and promises when it is done.
///
/// Futures become tasks, here and now, in order. They come out in the order in which they finished:
/// [`ChildRef`](crate::ChildRef)s can be compared, tasks have names, and awaiting one, or
/// [`take_result`](Child::take_result), gives its result at once.
///
/// Dropping it leaves the rest running.
///
/// # Panics
///
/// Outside a running event loop.
///
/// # In asyncio
///
/// `asyncio.as_completed`, in its form for `async for`.
///
/// # Examples
///
/// ```
/// use ronde::{as_completed, sleep};
/// use std::time::Duration;
///
/// async fn after(millis: u64) -> u64 {
///     sleep(Duration::from_millis(millis)).await;
///     millis
/// }
///
/// # ronde::run(async {
/// let mut finished = as_completed([after(20), after(1), after(10)]);
/// let mut order = Vec::new();
/// while let Some(task) = finished.next().await {
///     order.push(task.await.unwrap());
/// }
/// assert_eq!(order, [1, 10, 20]);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[track_caller]
pub fn as_completed<I>(items: I) -> AsCompleted<<I::Item as IntoChild>::Value>
where
    I: IntoIterator,
    I::Item: IntoChild,
{
    let mut children = Vec::new();
    for item in items {
        children.push(item.into_child());
    }
    let all = children.iter().map(|child| child.as_ref().clone()).collect();
    let finished = Rc::new(Finished { children: all, ..Finished::default() });
    let watch = {
        let (all, finished) = (finished.children.to_vec(), finished.clone());
        Watch::start(all, move |index, _| finished.push(index))
    };
    let children: Vec<_> = children.into_iter().map(Some).collect();
    AsCompleted { left: children.len(), children, finished, waiting: None, _watch: watch }
}

/// An iterator over tasks and promises as they finish: see [`as_completed`].
///
/// It is also a [`Stream`].
#[must_use = "nothing is waited for unless it is iterated over"]
pub struct AsCompleted<T> {
    /// `None` where the child has been given out.
    children: Vec<Option<Child<T>>>,
    left: usize,
    finished: Rc<Finished>,
    waiting: Option<JoinPromise<(), ()>>,
    _watch: Watch,
}

/// Those that are done and haven't been given out, by their places.
#[derive(Default)]
struct Finished {
    /// All of them, for reports.
    children: Rc<[ChildRef]>,
    places: RefCell<VecDeque<usize>>,
    waiting: RefCell<Option<Promise<()>>>,
}

impl Finished {
    fn push(&self, place: usize) {
        self.places.borrow_mut().push_back(place);
        let waiting = self.waiting.borrow_mut().take();
        if let Some(waiting) = waiting {
            // Cancelled meanwhile, perhaps: then nobody waits.
            let _ = waiting.set_result(());
        }
    }

    fn wait(&self) -> JoinPromise<(), ()> {
        let promise = Promise::new();
        let children = self.children.clone();
        promise.set_waits_on(move || children.iter().map(ChildRef::to_awaited).collect());
        let join = promise.wait_done();
        *self.waiting.borrow_mut() = Some(promise);
        join
    }
}

impl<T: 'static> AsCompleted<T> {
    /// The next one that is done, or `None` when all have been given out.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** What was not given out is given out next time.
    pub async fn next(&mut self) -> Option<Child<T>> {
        std::future::poll_fn(|cx| self.poll_next_child(cx)).await
    }

    /// Sets a limit to the whole iteration, from now on.
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    ///
    /// # Examples
    ///
    /// ```
    /// # ronde::run(async {
    /// let never = std::future::pending::<()>();
    /// let mut finished = ronde::as_completed([never]).within(std::time::Duration::from_millis(1));
    /// assert!(finished.next().await.is_err());
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    pub fn within(self, limit: Duration) -> AsCompletedWithin<T> {
        let now = get_running_loop().expect("`within` outside a running event loop").time();
        AsCompletedWithin { inner: self, deadline: now.checked_add(limit) }
    }

    fn poll_next_child(&mut self, cx: &mut Context<'_>) -> Poll<Option<Child<T>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        loop {
            if let Some(waiting) = &mut self.waiting {
                let waited = ready!(Pin::new(waiting).poll(cx));
                debug_assert!(waited.is_ok());
                self.waiting = None;
            }
            let place = self.finished.places.borrow_mut().pop_front();
            if let Some(place) = place {
                self.left -= 1;
                return Poll::Ready(self.children[place].take());
            }
            self.waiting = Some(self.finished.wait());
        }
    }
}

impl<T> Unpin for AsCompleted<T> {}

impl<T: 'static> Stream for AsCompleted<T> {
    type Item = Child<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Child<T>>> {
        self.get_mut().poll_next_child(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("left", &self.left).finish_non_exhaustive()
    }
}

/// [`AsCompleted`] with a time limit.
#[must_use = "nothing is waited for unless it is iterated over"]
#[derive(Debug)]
pub struct AsCompletedWithin<T> {
    inner: AsCompleted<T>,
    /// `None` if it is beyond what the clock can tell.
    deadline: Option<Instant>,
}

impl<T: 'static> AsCompletedWithin<T> {
    /// The next one that is done, or `None` when all have been given out.
    ///
    /// # Errors
    ///
    /// [`TimeoutError`] when the time is up, at each call. What isn't done runs on.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** What was not given out is given out next time.
    pub async fn next(&mut self) -> Result<Option<Child<T>>, TimeoutError> {
        match self.deadline {
            Some(deadline) => timeout_at(deadline, self.inner.next()).await,
            None => Ok(self.inner.next().await),
        }
    }
}

//! Waiting for some of several tasks and promises.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ronde_loop::{AsChild, ChildRef, JoinPromise, Promise, TimerHandle, get_running_loop};

use crate::watch::Watch;

/// Waits for several tasks or promises, until a condition is met or a time is up.
///
/// `children` gives handles to them, owned or borrowed: [`Task`](crate::Task)s,
/// [`TaskRef`](crate::TaskRef)s, [`Promise`]s, or [`ChildRef`](crate::ChildRef)s where there are several
/// kinds. They come back in two lists, those that are done and those that aren't, each in the order they were given. Nothing is
/// cancelled, and no failure is raised.
///
/// By default it waits until all are done; see [`return_when`](Wait::return_when) and
/// [`timeout`](Wait::timeout). Without any it returns at once (asyncio has a `ValueError`).
///
/// # Panics
///
/// If awaited outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** What is waited for isn't touched.
///
/// # In asyncio
///
/// `asyncio.wait`.
///
/// # Examples
///
/// ```
/// use ronde::{ReturnWhen, create_task, sleep, wait};
/// use std::time::Duration;
///
/// # ronde::run(async {
/// let slow = create_task(sleep(Duration::from_secs(60)));
/// let quick = create_task(async {});
/// let waited = wait([&slow, &quick]).return_when(ReturnWhen::FirstCompleted).await;
/// assert_eq!(waited.done[0].name(), quick.name());
/// assert_eq!(waited.pending[0].name(), slow.name());
/// # slow.cancel();
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn wait<I>(children: I) -> Wait<I::Item>
where
    I: IntoIterator,
    I::Item: AsChild,
{
    Wait {
        children: children.into_iter().collect(),
        return_when: ReturnWhen::default(),
        timeout: None,
        state: State::Created,
    }
}

/// What [`wait`] waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReturnWhen {
    /// Until one is done, however it ended.
    FirstCompleted,
    /// Until one has failed, by panicking or by returning an `Err` (being cancelled doesn't count),
    /// or else until all are done.
    FirstException,
    /// Until all are done.
    #[default]
    AllCompleted,
}

/// What [`wait`] was given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waited<R> {
    /// Those that are done, in the order they were given.
    pub done: Vec<R>,
    /// Those that aren't.
    pub pending: Vec<R>,
}

/// The future of [`wait`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Wait<R> {
    children: Vec<R>,
    return_when: ReturnWhen,
    timeout: Option<Duration>,
    state: State,
}

enum State {
    Created,
    Waiting { join: JoinPromise<(), ()>, timer: Option<TimerHandle>, _watch: Watch },
    Done,
}

impl<R: AsChild> Wait<R> {
    /// When to return. Default: when all are done.
    pub fn return_when(mut self, condition: ReturnWhen) -> Self {
        self.return_when = condition;
        self
    }

    /// How long to wait at the most, from the first poll. When the time is up, those that aren't
    /// done are among the `pending`.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    fn start(&self) -> State {
        let condition = self.return_when;
        let released = Promise::<()>::new();
        let left = Rc::new(Cell::new(self.children.len()));
        let watch = {
            let released = released.clone();
            Watch::start(self.children.iter().map(AsChild::as_child), move |_, child| {
                left.set(left.get() - 1);
                let enough = match condition {
                    ReturnWhen::FirstCompleted => true,
                    ReturnWhen::FirstException => left.get() == 0 || child.failed(),
                    ReturnWhen::AllCompleted => left.get() == 0,
                };
                if enough {
                    release(&released);
                }
            })
        };
        if watch.len() == 0 {
            release(&released);
        }
        let children: Vec<_> = self.children.iter().map(AsChild::as_child).collect();
        released.set_waits_on(move || children.iter().map(ChildRef::to_awaited).collect());
        let join = released.wait_done();
        let timer = self.timeout.map(|limit| {
            let event_loop = get_running_loop().expect("`wait` was awaited outside a running loop");
            event_loop.call_later(limit, move || release(&released))
        });
        State::Waiting { join, timer, _watch: watch }
    }
}

fn release(promise: &Promise<()>) {
    // Whoever comes second changes nothing.
    let _ = promise.set_result(());
}

impl<R> Unpin for Wait<R> {}

impl<R: AsChild> Future for Wait<R> {
    type Output = Waited<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Waited<R>> {
        if let State::Created = self.state {
            self.state = self.start();
        }
        let State::Waiting { join, .. } = &mut self.state else {
            panic!("`wait` was polled after its end")
        };
        let Poll::Ready(released) = Pin::new(join).poll(cx) else { return Poll::Pending };
        debug_assert!(released.is_ok());
        self.end();
        let children = std::mem::take(&mut self.children);
        let (done, pending) = children.into_iter().partition(|child| child.as_child().done());
        Poll::Ready(Waited { done, pending })
    }
}

impl<R> Wait<R> {
    fn end(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Done);
        if let State::Waiting { timer: Some(timer), .. } = &state {
            timer.cancel();
        }
    }
}

impl<R> Drop for Wait<R> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<R: AsChild> fmt::Debug for Wait<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let children: Vec<_> = self.children.iter().map(AsChild::as_child).collect();
        f.debug_struct("Wait")
            .field("children", &children)
            .field("return_when", &self.return_when)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

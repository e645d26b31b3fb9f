//! Time limits.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use ronde_context::{CancelScope, CancelledError, Scoped};
use ronde_executor::Handle;

use crate::handle::LoopHandle;
use crate::running::get_running_loop;
use crate::timer_handle::TimerHandle;

/// Runs `body` for at most `limit`.
///
/// When the time is up, `body` is cancelled, as a task would be: its innermost
/// [`catch_cancelled`](ronde_context::catch_cancelled) gets the cancellation and may clean up, with
/// `.await`s of its own; a task or promise that it waits for is cancelled first. Only when `body` is
/// over does this end. So it may take longer than `limit`.
///
/// What finishes together with its deadline has finished: its value wins. A body that swallows the
/// cancellation runs on without a limit, and its value wins too.
///
/// The limit counts from the first poll. One of zero is up when the body first suspends. To move it while the body runs, use [`Timeout`].
///
/// # Errors
///
/// [`TimeoutError`] if the time was up. A cancellation of the task from outside is never taken for
/// it: that passes through.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict**, if `body` is: dropping or cancelling it drops `body`, and takes the timer off the
/// loop's queue.
///
/// # In asyncio
///
/// `async with asyncio.timeout(limit): ...`
///
/// # Examples
///
/// ```
/// # use ronde_loop::{EventLoop, SimulatedClock, sleep, timeout};
/// # use std::time::Duration;
/// # let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build()?;
/// # event_loop.run_until_complete(async {
/// let second = Duration::from_secs(1);
/// assert!(timeout(second, sleep(second * 2)).await.is_err());
/// assert_eq!(timeout(second, async { 7 }).await, Ok(7));
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn timeout<F: IntoFuture>(limit: Duration, body: F) -> WithTimeout<F::IntoFuture> {
    Timeout::after(limit).run(body)
}

/// As [`timeout`], with a time of the loop's clock at which the body must be done.
///
/// # Errors
///
/// As [`timeout`]. A time in the past is up when the body first suspends.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict**, if `body` is, as [`timeout`].
///
/// # In asyncio
///
/// `asyncio.timeout_at`.
pub fn timeout_at<F: IntoFuture>(deadline: Instant, body: F) -> WithTimeout<F::IntoFuture> {
    Timeout::at(deadline).run(body)
}

/// Waits for a task or a future, for at most `limit`.
///
/// When the time is up, a task is cancelled, and waited for until it is over; if it swallows the
/// cancellation and returns, its value wins. With no time at all, a task that isn't done is
/// cancelled at once: one that hasn't begun never runs. A future is cancelled likewise, but polled once
/// before: only that tells whether it is ready. This is [`timeout`], under the name that asyncio has for
/// it.
///
/// # Errors
///
/// [`TimeoutError`] if the time was up.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict**, if the future is, as [`timeout`]. A task that is waited for is cancelled with the task
/// that waits.
///
/// # In asyncio
///
/// `asyncio.wait_for`, as of Python 3.12: no cancellation is lost, and a future runs in the calling
/// task. There, a coroutine isn't even started if there is no time; here, it runs to where it first
/// suspends.
///
/// # Examples
///
/// ```
/// # use ronde_loop::{EventLoop, get_running_loop, sleep, wait_for};
/// # use std::time::Duration;
/// # let event_loop = EventLoop::new()?;
/// # event_loop.run_until_complete(async {
/// let task = get_running_loop().unwrap().create_task(async { 7 });
/// assert_eq!(wait_for(task, Duration::from_secs(1)).await.unwrap().unwrap(), 7);
/// assert!(wait_for(sleep(Duration::from_secs(60)), Duration::ZERO).await.is_err());
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn wait_for<F: IntoFuture>(awaitable: F, limit: Duration) -> WithTimeout<F::IntoFuture> {
    let limit = if limit.is_zero() { Limit::AtOnce } else { Limit::After(limit) };
    Timeout::new(limit).run(awaitable)
}

/// The time was up.
///
/// # In asyncio
///
/// `TimeoutError`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeoutError;

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl std::error::Error for TimeoutError {}

/// So that `?` works in functions that return `io::Result`. The kind is `TimedOut`.
impl From<TimeoutError> for io::Error {
    fn from(error: TimeoutError) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, error)
    }
}

/// A time limit that can be moved while the body under it runs.
///
/// Clones are handles to the same limit.
///
/// # In asyncio
///
/// `asyncio.Timeout`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::{EventLoop, SimulatedClock, Timeout, get_running_loop, sleep};
/// # use std::time::Duration;
/// # let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build()?;
/// # event_loop.run_until_complete(async {
/// let second = Duration::from_secs(1);
/// let limit = Timeout::after(second);
/// let body = {
///     let limit = limit.clone();
///     async move {
///         let later = get_running_loop().unwrap().time() + second * 10;
///         limit.reschedule(Some(later)).unwrap();
///         sleep(second * 5).await;
///     }
/// };
/// assert!(limit.run(body).await.is_ok());
/// assert!(!limit.expired());
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Clone)]
pub struct Timeout {
    shared: Rc<Shared>,
}

struct Shared {
    limit: Cell<Limit>,
    phase: Cell<Phase>,
    scope: CancelScope,
    timer: RefCell<Option<Armed>>,
}

/// What ends the body when the time is up.
enum Armed {
    /// The time was up when the limit was set.
    Soon(Handle),
    Later(TimerHandle),
}

#[derive(Clone, Copy)]
enum Limit {
    Never,
    /// Up as soon as the body suspends, without a turn of the loop in between.
    AtOnce,
    After(Duration),
    At(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Created,
    /// It has a body, which has not begun.
    Taken,
    Active,
    Expired,
    Finished,
}

/// A limit can only be moved while its body runs and it has not expired.
///
/// # In asyncio
///
/// A `RuntimeError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RescheduleError {
    /// The body has not begun.
    NotStarted,
    /// The time was up already.
    Expired,
    /// The body is over.
    Finished,
}

impl fmt::Display for RescheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotStarted => "the timeout has not begun",
            Self::Expired => "the timeout has expired",
            Self::Finished => "the timeout's body is over",
        })
    }
}

impl std::error::Error for RescheduleError {}

impl Timeout {
    fn new(limit: Limit) -> Self {
        Self {
            shared: Rc::new(Shared {
                limit: Cell::new(limit),
                phase: Cell::new(Phase::Created),
                scope: CancelScope::new(),
                timer: RefCell::new(None),
            }),
        }
    }

    /// A limit that counts from the body's first poll.
    pub fn after(limit: Duration) -> Self {
        Self::new(Limit::After(limit))
    }

    /// A limit at a time of the loop's clock.
    pub fn at(deadline: Instant) -> Self {
        Self::new(Limit::At(deadline))
    }

    /// No limit yet.
    pub fn never() -> Self {
        Self::new(Limit::Never)
    }

    /// Runs `body` under this limit. A limit is for one body.
    ///
    /// # Errors
    ///
    /// As [`timeout`].
    ///
    /// # Panics
    ///
    /// If the limit has had a body; and when the future is polled outside a running event loop.
    ///
    /// # Cancel safety
    ///
    /// **Strict**, if `body` is, as [`timeout`].
    #[track_caller]
    pub fn run<F: IntoFuture>(&self, body: F) -> WithTimeout<F::IntoFuture> {
        let phase = self.shared.phase.replace(Phase::Taken);
        assert!(phase == Phase::Created, "a timeout was reused: each body needs one of its own");
        WithTimeout { limit: self.clone(), body: self.shared.scope.run(body.into_future()) }
    }

    /// When the time is up: `None` without a limit, or if that counts from a first poll which has
    /// not come.
    pub fn when(&self) -> Option<Instant> {
        match self.shared.limit.get() {
            Limit::At(when) => Some(when),
            Limit::Never | Limit::AtOnce | Limit::After(_) => None,
        }
    }

    /// Moves the limit, or takes it away. One in the past is up in the next turn.
    ///
    /// # Errors
    ///
    /// [`RescheduleError`] before the body has begun, after the time was up, and after the end.
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    pub fn reschedule(&self, when: Option<Instant>) -> Result<(), RescheduleError> {
        match self.shared.phase.get() {
            Phase::Created | Phase::Taken => return Err(RescheduleError::NotStarted),
            Phase::Expired => return Err(RescheduleError::Expired),
            Phase::Finished => return Err(RescheduleError::Finished),
            Phase::Active => {}
        }
        self.shared.limit.set(when.map_or(Limit::Never, Limit::At));
        self.arm(&running_loop());
        Ok(())
    }

    /// Was the time up before the body was over?
    pub fn expired(&self) -> bool {
        self.shared.phase.get() == Phase::Expired
    }

    fn start(&self) {
        let event_loop = running_loop();
        self.shared.phase.set(Phase::Active);
        if let Limit::After(limit) = self.shared.limit.get() {
            self.shared.limit.set(Limit::At(event_loop.shared.deadline_after(limit)));
        }
        self.arm(&event_loop);
    }

    fn arm(&self, event_loop: &LoopHandle) {
        self.shared.disarm();
        let Some(when) = self.when() else { return };
        let shared = self.shared.clone();
        let armed = if when <= event_loop.time() {
            // Ahead of whatever the body does next: it has no time left to finish in.
            Armed::Soon(event_loop.call_soon(move || shared.expire(CancelScope::cancel)))
        } else {
            let expire = move || shared.expire(CancelScope::cancel_unless_ready);
            Armed::Later(event_loop.call_at(when, expire))
        };
        *self.shared.timer.borrow_mut() = Some(armed);
    }
}

fn running_loop() -> LoopHandle {
    get_running_loop().expect("a timeout was used outside a running event loop")
}

impl Shared {
    fn expire(&self, cancel: fn(&CancelScope, &CancelledError) -> bool) {
        if self.phase.get() == Phase::Active && cancel(&self.scope, &CancelledError::default()) {
            self.phase.set(Phase::Expired);
        }
    }

    fn disarm(&self) {
        match self.timer.take() {
            Some(Armed::Soon(handle)) => handle.cancel(),
            Some(Armed::Later(timer)) => timer.cancel(),
            None => {}
        }
    }

    fn finish(&self) {
        self.disarm();
        if self.phase.get() != Phase::Expired {
            self.phase.set(Phase::Finished);
        }
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.shared.phase.get();
        f.debug_struct("Timeout").field("phase", &phase).field("when", &self.when()).finish()
    }
}

pin_project! {
    /// The future of [`timeout`].
    #[must_use = "futures do nothing unless they are awaited"]
    #[derive(Debug)]
    pub struct WithTimeout<F> {
        limit: Timeout,
        #[pin]
        body: Scoped<F>,
    }

    impl<F> PinnedDrop for WithTimeout<F> {
        fn drop(this: Pin<&mut Self>) {
            this.limit.shared.finish();
        }
    }
}

impl<F: Future> Future for WithTimeout<F> {
    type Output = Result<F::Output, TimeoutError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.limit.shared.phase.get() == Phase::Taken {
            this.limit.start();
        }
        let Poll::Ready(outcome) = this.body.poll(cx) else {
            if let Limit::AtOnce = this.limit.shared.limit.get() {
                this.limit.shared.expire(CancelScope::cancel);
            }
            return Poll::Pending;
        };
        this.limit.shared.finish();
        Poll::Ready(outcome.map_err(|_| TimeoutError))
    }
}

//! Waiting for time to pass.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ronde_context::{Wait, decline, waiting_for};
use ronde_timer::TimerKey;

use crate::handle::{Shared, Timer};
use crate::running::with_running;

/// Suspends the task for at least `delay`.
///
/// The delay counts from the first poll, as in asyncio, where a coroutine starts when it is
/// awaited. A delay of zero gives way to the loop once, like [`yield_now`].
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** Dropping it takes the timer off the loop's queue.
///
/// # In asyncio
///
/// `asyncio.sleep`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::{EventLoop, SimulatedClock, sleep};
/// # use std::time::Duration;
/// # let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build()?;
/// # event_loop.run_until_complete(async {
/// sleep(Duration::from_secs(3600)).await;
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn sleep(delay: Duration) -> Sleep {
    let when = if delay.is_zero() { When::NextTurn } else { When::After(delay) };
    Sleep { when, timer: None }
}

/// Suspends the task until a time of the loop's [clock](crate::LoopHandle::time).
///
/// If that is past, the task goes on in the next turn but one, as any timer that is due.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** As [`sleep`].
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { when: When::At(deadline), timer: None }
}

/// The future of [`sleep`] and [`sleep_until`].
///
/// It holds nothing but numbers, so it is `Send` and `Sync`, as libraries demand of timers. Polled
/// on another loop it starts there with what is left of its time.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    when: When,
    /// The loop, by its number, and the timer on it.
    timer: Option<(u64, TimerKey)>,
}

#[derive(Clone, Copy)]
enum When {
    NextTurn,
    After(Duration),
    At(Instant),
    Done,
}

impl Sleep {
    /// When it will be over, if it has begun or was made with a deadline.
    pub fn deadline(&self) -> Option<Instant> {
        match self.when {
            When::At(deadline) => Some(deadline),
            When::NextTurn | When::After(_) | When::Done => None,
        }
    }

    fn poll_timer(&mut self, event_loop: &Shared, cx: &Context<'_>) -> Poll<()> {
        if let Some((id, key)) = self.timer
            && id == event_loop.id
        {
            let mut timers = event_loop.timers.borrow_mut();
            let Some(Timer::Wake(waker)) = timers.get_mut(key) else {
                self.timer = None;
                return Poll::Ready(());
            };
            if !waker.will_wake(cx.waker()) {
                let old = std::mem::replace(waker, cx.waker().clone());
                // A waker's destructor may run anything.
                drop(timers);
                drop(old);
            }
            return Poll::Pending;
        }
        let deadline = match self.when {
            When::After(delay) => event_loop.deadline_after(delay),
            When::At(deadline) => deadline,
            When::NextTurn | When::Done => return Poll::Ready(()),
        };
        self.when = When::At(deadline);
        let timer = Timer::Wake(cx.waker().clone());
        let key = event_loop.timers.borrow_mut().insert(deadline, timer);
        self.timer = Some((event_loop.id, key));
        Poll::Pending
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if decline(cx) {
            return Poll::Pending;
        }
        match self.when {
            When::Done => return Poll::Ready(()),
            When::NextTurn => {
                self.when = When::Done;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            When::After(_) | When::At(_) => {}
        }
        let polled = with_running(|event_loop| self.poll_timer(event_loop, cx))
            .expect("`sleep` was polled outside a running event loop");
        match polled {
            Poll::Ready(()) => self.when = When::Done,
            Poll::Pending => {
                if let When::At(deadline) = self.when {
                    waiting_for(Wait::Timer(deadline));
                }
            }
        }
        polled
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some((id, key)) = self.timer else { return };
        // On another thread, or when the loop isn't running, the timer stays: when it is due it
        // wakes a task in vain, which does no harm.
        let _timer = with_running(|event_loop| {
            (event_loop.id == id).then(|| event_loop.timers.borrow_mut().remove(key))
        });
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Sleep");
        match self.when {
            When::NextTurn => debug.field("delay", &Duration::ZERO),
            When::After(delay) => debug.field("delay", &delay),
            When::At(deadline) => debug.field("deadline", &deadline),
            When::Done => debug.field("done", &true),
        };
        debug.finish()
    }
}

/// Gives way to the loop once: everything that is ready has its turn first.
///
/// # Cancel safety
///
/// **Strict.** It holds nothing.
///
/// # In asyncio
///
/// `asyncio.sleep(0)`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::{EventLoop, yield_now};
/// # let event_loop = EventLoop::new()?;
/// # event_loop.run_until_complete(async {
/// yield_now().await;
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded && !decline(cx) {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

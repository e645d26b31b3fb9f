//! Waiting for children, whatever their loop does.
//!
//! A child that has ended is a zombie until somebody asks how. `async-process` asks, when the future
//! of the child's status is polled. Here, one thread polls these futures: so a child is reaped when it
//! ends, and neither a loop that is busy, stopped or closed, nor a handle that was dropped, leaves a
//! zombie behind. The thread starts with the first child, and also drives `async-process`, which
//! would start one of its own else.
//!
//! ```text
//!   async-io's thread: the child has ended -> Waker -> queue
//!   ronde-process:     queue -> poll the status: reap -> wake the tasks that wait
//! ```
//!
//! # No signal to a stranger
//!
//! The status is polled, which is where a process id becomes free, and signals are sent, under the same
//! lock. So a process id is never signalled after it was given back to the system.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use async_channel::{Receiver, Sender};
use async_process::{Child, Command};
use futures_lite::future;
use ronde_context::{Wait, decline, waiting_for};
use ronde_loop::{OutsideWait, get_running_loop};
use slab::Slab;

use crate::returncode::ReturnCode;
use crate::sys;
use ronde_loop::Signal;

/// A child process, from its start until it is reaped and beyond.
pub(crate) struct Reaped {
    pid: u32,
    queue: Sender<Arc<Self>>,
    state: Mutex<State>,
}

enum State {
    Running { child: Child, status: StatusFuture, waiters: Slab<Waker> },
    Ended(ReturnCode),
}

type StatusFuture = Pin<Box<dyn Future<Output = io::Result<ExitStatus>> + Send>>;

/// Starts a program, and has it reaped when it ends.
pub(crate) fn spawn(mut command: Command) -> io::Result<Arc<Reaped>> {
    let queue = queue()?;
    // Between starting a child and being able to wait for it, `async-process` needs a descriptor. If it
    // gets none the child can't be reaped any more, so see first that there are some. (Another thread
    // may take them just now. There is no way to close this gap from the outside.)
    reserve(1)?;
    let mut child = command.spawn()?;
    let status = Box::pin(child.status());
    let pid = child.id();
    let state = State::Running { child, status, waiters: Slab::new() };
    let reaped = Arc::new(Reaped { pid, queue, state: Mutex::new(state) });
    reaped.look();
    Ok(reaped)
}

impl Reaped {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn returncode(&self) -> Option<ReturnCode> {
        match &*self.lock() {
            State::Running { .. } => None,
            State::Ended(returncode) => Some(*returncode),
        }
    }

    /// Sends a signal. `Err` has how the child ended, if it has.
    pub(crate) fn send_signal(
        &self,
        signal: Signal,
        to_group: bool,
    ) -> Result<io::Result<()>, ReturnCode> {
        match &mut *self.lock() {
            State::Running { child, .. } => Ok(sys::send_signal(child, signal, to_group)),
            State::Ended(returncode) => Err(*returncode),
        }
    }

    /// Waits until the child has ended and is reaped.
    pub(crate) fn ended(&self) -> Ended<'_> {
        Ended { reaped: self, key: None, outside: None }
    }

    /// Has it ended? Then it is reaped by this, and whoever waits is woken.
    fn look(self: &Arc<Self>) {
        let waker = Waker::from(self.clone());
        let old = {
            let mut state = self.lock();
            let State::Running { status, .. } = &mut *state else { return };
            match status.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Pending => return,
                Poll::Ready(status) => {
                    std::mem::replace(&mut *state, State::Ended(ReturnCode::of(status)))
                }
            }
        };
        if let State::Running { waiters, .. } = old {
            for (_, waiter) in waiters {
                // One task's waker that fails must not keep the others from being woken.
                let _ = catch_unwind(AssertUnwindSafe(|| waiter.wake()));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No foreign code runs under the lock, so a poisoned one is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `async-process` wakes under locks of its own, so the look is taken elsewhere.
impl Wake for Reaped {
    fn wake(self: Arc<Self>) {
        let queue = self.queue.clone();
        // It is unbounded, and its other end lives as long as the program.
        let _ = queue.try_send(self);
    }
}

/// See [`Reaped::ended`].
pub(crate) struct Ended<'a> {
    reaped: &'a Reaped,
    key: Option<usize>,
    /// Lest a simulated loop takes this for a deadlock.
    outside: Option<OutsideWait>,
}

impl Future for Ended<'_> {
    type Output = ReturnCode;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ReturnCode> {
        if decline(cx) {
            return Poll::Pending;
        }
        let waker = cx.waker().clone();
        let reaped = self.reaped;
        let _old = match &mut *reaped.lock() {
            State::Ended(returncode) => return Poll::Ready(*returncode),
            State::Running { waiters, .. } => match self.key.and_then(|key| waiters.get_mut(key)) {
                Some(entry) => Some(std::mem::replace(entry, waker)),
                None => {
                    self.key = Some(waiters.insert(waker));
                    None
                }
            },
        };
        if self.outside.is_none() {
            self.outside = get_running_loop().ok().map(|event_loop| event_loop.wait_outside());
        }
        waiting_for(Wait::Leaf("a child process to end"));
        Poll::Pending
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let _old = match (&mut *self.reaped.lock(), self.key) {
            (State::Running { waiters, .. }, Some(key)) => waiters.try_remove(key),
            _ => None,
        };
    }
}

/// Goes on, unless the task is being cancelled.
pub(crate) async fn not_cancelled() {
    poll_fn(|cx| if decline(cx) { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// What the thread looks at. Starts it, if it isn't there yet.
fn queue() -> io::Result<Sender<Arc<Reaped>>> {
    static QUEUE: Mutex<Option<Sender<Arc<Reaped>>>> = Mutex::new(None);
    let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(queue) = &*queue {
        return Ok(queue.clone());
    }
    // Those of the poller of `async-io` and of the signals of `async-process`, who panic without.
    reserve(5)?;
    let (sender, receiver) = async_channel::unbounded();
    let (started, has_started) = mpsc::channel();
    thread::Builder::new()
        .name("ronde-process".to_owned())
        .spawn(move || future::block_on(reap(&receiver, &started)))?;
    has_started.recv().map_err(|_| io::Error::other("the thread that reaps children failed"))?;
    Ok(queue.insert(sender).clone())
}

async fn reap(queue: &Receiver<Arc<Reaped>>, started: &mpsc::Sender<()>) {
    let mut driver = pin!(async_process::driver());
    let mut is_started = false;
    let drive = poll_fn(|cx| {
        let polled = driver.as_mut().poll(cx);
        // From its first poll on `async-process` counts on this thread.
        if !std::mem::replace(&mut is_started, true) {
            let _ = started.send(());
        }
        polled.map(|never| match never {})
    });
    let look = async {
        while let Ok(reaped) = queue.recv().await {
            reaped.look();
        }
    };
    future::or(drive, look).await;
}

/// Fails if there are not twice as many descriptors left as this.
fn reserve(pairs: usize) -> io::Result<()> {
    let reserve: io::Result<Vec<_>> = (0..pairs).map(|_| io::pipe()).collect();
    reserve.map(drop)
}

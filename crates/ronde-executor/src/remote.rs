//! The executor as other threads see it.

use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::thread::{self, ThreadId};

use concurrent_queue::ConcurrentQueue;

use crate::inherited::Inherited;
use crate::spawn::Runnable;
use crate::sync::{Arc, AtomicBool, Ordering};

type Closure = Box<dyn FnOnce() + Send>;

/// Sends closures and wake-ups to an executor from any thread.
///
/// Cheap to clone, `Send` and `Sync`. It may outlive the executor.
///
/// # Examples
///
/// ```
/// # use ronde_executor::Executor;
/// let executor = Executor::new(|| {});
/// let remote = executor.remote();
/// std::thread::spawn(move || remote.call_soon_threadsafe(|| println!("hello")).unwrap())
///     .join()
///     .unwrap();
/// executor.drain_remote();
/// assert_eq!(executor.run_batch(), 1);
/// ```
#[derive(Clone)]
pub struct Remote {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    queue: ConcurrentQueue<Arrival>,
    /// Set by the first who pushes, cleared by the executor before it pops: all others in between
    /// know that a notification is on its way.
    notified: AtomicBool,
    closed: AtomicBool,
    notify: Box<dyn Fn() + Send + Sync>,
    /// Where the executor is: it never leaves it.
    thread: ThreadId,
}

/// What arrives from elsewhere.
///
/// A runnable may hold a future that isn't `Send`. It is dropped on the executor's thread or, if
/// that has forgotten its executor, never: hence the `ManuallyDrop`.
pub(crate) enum Arrival {
    Step(ManuallyDrop<Runnable>),
    Call(Call),
}

pub(crate) struct Call {
    closure: Closure,
    /// From the thread that sent it.
    inherited: Inherited,
    pub(crate) created_at: &'static Location<'static>,
    cancelled: Arc<AtomicBool>,
}

impl Call {
    pub(crate) fn run(self) {
        if !self.cancelled.load(Ordering::Acquire) {
            self.inherited.run(self.closure);
        }
    }
}

/// A callback that was sent from another thread, and can still be cancelled, from any thread.
///
/// # In asyncio
///
/// What `loop.call_soon_threadsafe` returns.
///
/// # Examples
///
/// ```
/// # use ronde_executor::Executor;
/// let executor = Executor::new(|| {});
/// let handle = executor.remote().call_soon_threadsafe(|| unreachable!()).unwrap();
/// std::thread::spawn(move || handle.cancel()).join().unwrap();
/// executor.drain_remote();
/// executor.run_batch();
/// ```
#[derive(Clone, Debug)]
pub struct RemoteHandle {
    cancelled: Arc<AtomicBool>,
}

impl RemoteHandle {
    /// Sees to it that the callback isn't called. Does nothing if it has been.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Was `cancel` called?
    pub fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

/// The loop is closed: nothing runs on it any more.
///
/// # In asyncio
///
/// `RuntimeError: Event loop is closed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClosedError;

impl fmt::Display for ClosedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop is closed")
    }
}

impl std::error::Error for ClosedError {}

impl Remote {
    pub(crate) fn new(notify: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            shared: Arc::new(Shared {
                queue: ConcurrentQueue::unbounded(),
                notified: AtomicBool::new(false),
                closed: AtomicBool::new(false),
                notify,
                thread: thread::current().id(),
            }),
        }
    }

    /// Queues a closure, to run on the executor's thread.
    ///
    /// May be called from any thread, and from code that runs on the executor itself. It runs in a copy
    /// of the caller's context.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] if the executor is closed. One that is being closed at the same moment may
    /// accept the closure and drop it, or leave it here for as long as there is a `Remote`. Only if
    /// [`is_closed`](Self::is_closed) is still false afterwards, it is sure to be run or dropped, be it
    /// at the end.
    #[track_caller]
    pub fn call_soon_threadsafe(
        &self,
        closure: impl FnOnce() + Send + 'static,
    ) -> Result<RemoteHandle, ClosedError> {
        self.check_open()?;
        let cancelled = Arc::new(AtomicBool::new(false));
        let inherited = Inherited::from_caller();
        let call = Call {
            closure: Box::new(closure),
            inherited,
            created_at: Location::caller(),
            cancelled: cancelled.clone(),
        };
        self.shared.push(Arrival::Call(call));
        Ok(RemoteHandle { cancelled })
    }

    /// Has the executor been closed?
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// Refuses if the executor has been closed: for code that hands things to it in other ways.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] if the executor is closed.
    pub fn check_open(&self) -> Result<(), ClosedError> {
        if self.is_closed() { Err(ClosedError) } else { Ok(()) }
    }

    /// Is the caller on the executor's own thread, whether the executor runs or not? There one must not
    /// block until it has done something.
    ///
    /// ```
    /// # use ronde_executor::Executor;
    /// let executor = Executor::new(|| {});
    /// let remote = executor.remote();
    /// assert!(remote.is_own_thread());
    /// std::thread::spawn(move || assert!(!remote.is_own_thread())).join().unwrap();
    /// ```
    pub fn is_own_thread(&self) -> bool {
        thread::current().id() == self.shared.thread
    }

    /// Do both belong to the same executor?
    pub fn same_executor(&self, other: &Remote) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub(crate) fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
    }
}

impl Shared {
    pub(crate) fn push(&self, arrival: Arrival) {
        // The queue is never closed, so there is always room.
        let _ = self.queue.push(arrival);
        // `AcqRel`, and likewise in `arrivals`: if we read `true`, whoever clears the flag
        // afterwards sees our entry; if we read `false`, it is we who notify.
        if !self.notified.swap(true, Ordering::AcqRel) {
            (self.notify)();
        }
    }

    /// Has anything arrived?
    #[inline]
    pub(crate) fn has_arrivals(&self) -> bool {
        self.notified.load(Ordering::Acquire)
    }

    /// Takes out what has arrived until now. Only the executor's own thread may call it.
    ///
    /// What arrives meanwhile comes with a notification of its own, so that threads which send
    /// faster than we receive can't keep us here.
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = Arrival> + '_ {
        self.notified.swap(false, Ordering::AcqRel);
        self.queue.try_iter().take(self.queue.len())
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

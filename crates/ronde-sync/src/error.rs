//! The errors of the primitives. Those of the queues are with the queues.

use std::error::Error;
use std::fmt;

/// Something couldn't be had at once.
///
/// # In asyncio
///
/// There is no counterpart; anyio calls it `WouldBlock`.
///
/// ```
/// use ronde_sync::Lock;
/// let lock = Lock::new(());
/// let _guard = lock.try_acquire().unwrap();
/// assert_eq!(lock.try_acquire().unwrap_err().to_string(), "to acquire the lock would be to wait");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WouldBlock {
    pub(crate) what: &'static str,
}

impl fmt::Display for WouldBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to acquire {} would be to wait", self.what)
    }
}

impl Error for WouldBlock {}

/// A lock had to be held, by hand, and was not. Nothing has changed.
///
/// # In asyncio
///
/// The `RuntimeError`s "Lock is not acquired" and "cannot wait on un-acquired lock".
///
/// ```
/// use ronde_sync::Lock;
/// let lock = Lock::new(());
/// let error = lock.release().unwrap_err();
/// assert_eq!(error.to_string(), "to release a lock: nobody holds the lock");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLockedError {
    /// What was being done.
    pub(crate) doing: &'static str,
    pub(crate) has_guard: bool,
}

impl NotLockedError {
    /// Is the lock held by a guard? Then it is the guard that releases it.
    pub fn is_held_by_guard(&self) -> bool {
        self.has_guard
    }
}

impl fmt::Display for NotLockedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.has_guard { "a guard holds the lock" } else { "nobody holds the lock" };
        write!(f, "{}: {why}", self.doing)
    }
}

impl Error for NotLockedError {}

/// A bounded semaphore was released more often than it was acquired. Nothing has changed.
///
/// # In asyncio
///
/// The `ValueError` "BoundedSemaphore released too many times".
///
/// ```
/// use ronde_sync::BoundedSemaphore;
/// let error = BoundedSemaphore::new(2).release().unwrap_err();
/// assert_eq!(error.to_string(), "a bounded semaphore of 2 was released too often");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleasedTooOftenError {
    pub(crate) bound: usize,
}

impl fmt::Display for ReleasedTooOftenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a bounded semaphore of {} was released too often", self.bound)
    }
}

impl Error for ReleasedTooOftenError {}

/// A barrier of nobody was asked for: it needs at least one party.
///
/// # In asyncio
///
/// The `ValueError` "parties must be > 0".
///
/// ```
/// use ronde_sync::Barrier;
/// let error = Barrier::new(0).unwrap_err();
/// assert_eq!(error.to_string(), "a barrier needs at least one party");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPartiesError {
    pub(crate) _private: (),
}

impl fmt::Display for NoPartiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a barrier needs at least one party")
    }
}

impl Error for NoPartiesError {}

/// A barrier was broken, by `abort`, or reset while somebody waited for the others.
///
/// # In asyncio
///
/// `asyncio.BrokenBarrierError`.
///
/// ```
/// use ronde_sync::Barrier;
/// # futures_lite::future::block_on(async {
/// let barrier = Barrier::new(2).unwrap();
/// barrier.abort();
/// let error = barrier.wait().await.unwrap_err();
/// assert_eq!(error.to_string(), "to wait at a barrier: it is broken");
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenBarrierError {
    pub(crate) was_reset: bool,
}

impl BrokenBarrierError {
    /// Was the barrier reset while the caller waited? It can then be used again.
    pub fn was_reset(&self) -> bool {
        self.was_reset
    }
}

impl fmt::Display for BrokenBarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.was_reset { "it was reset meanwhile" } else { "it is broken" };
        write!(f, "to wait at a barrier: {why}")
    }
}

impl Error for BrokenBarrierError {}

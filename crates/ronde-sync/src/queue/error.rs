//! The errors of queues. Whoever wanted to put something gets it back.

use std::error::Error;
use std::fmt;

/// There was no room in a queue. Carries the item.
///
/// # In asyncio
///
/// `asyncio.QueueFull`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QueueFull<T>(pub T);

/// There was nothing in a queue.
///
/// # In asyncio
///
/// `asyncio.QueueEmpty`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueEmpty;

/// A queue was shut down. Carries the item that was to be put, if there was one.
///
/// # In asyncio
///
/// `asyncio.QueueShutDown`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QueueShutDown<T = ()>(pub T);

/// Why [`put_nowait`](super::AnyQueue::put_nowait) put nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutError<T> {
    /// There was no room.
    Full(QueueFull<T>),
    /// The queue was shut down.
    ShutDown(QueueShutDown<T>),
}

/// Why [`get_nowait`](super::AnyQueue::get_nowait) got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GetError {
    /// There was nothing.
    Empty(QueueEmpty),
    /// There was nothing, and the queue was shut down.
    ShutDown(QueueShutDown),
}

/// `task_done` was called more often than items were put. Nothing has changed.
///
/// # In asyncio
///
/// The `ValueError` "task_done() called too many times".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskDoneTooOftenError {
    pub(super) _private: (),
}

impl<T> PutError<T> {
    /// The item that was to be put.
    ///
    /// ```
    /// use ronde_sync::Queue;
    /// let queue = Queue::new(1);
    /// queue.put_nowait("first").unwrap();
    /// assert_eq!(queue.put_nowait("second").unwrap_err().into_item(), "second");
    /// ```
    pub fn into_item(self) -> T {
        match self {
            PutError::Full(QueueFull(item)) | PutError::ShutDown(QueueShutDown(item)) => item,
        }
    }

    /// Was there no room, rather than no queue?
    pub fn is_full(&self) -> bool {
        matches!(self, PutError::Full(_))
    }
}

impl GetError {
    /// Was there nothing, with more perhaps to come?
    pub fn is_empty(&self) -> bool {
        matches!(self, GetError::Empty(_))
    }
}

impl<T> fmt::Display for QueueFull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("to put an item into a queue: it is full")
    }
}

impl fmt::Display for QueueEmpty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("to get an item from a queue: it is empty")
    }
}

impl<T> fmt::Display for QueueShutDown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue was shut down")
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PutError::Full(error) => error.fmt(f),
            PutError::ShutDown(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GetError::Empty(error) => error.fmt(f),
            GetError::ShutDown(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for TaskDoneTooOftenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("task_done was called on a queue that has no unfinished tasks")
    }
}

// The items need not be `Debug`, so that `unwrap` works with whatever is put.

impl<T> fmt::Debug for QueueFull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueFull(..)")
    }
}

impl<T> fmt::Debug for QueueShutDown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueShutDown(..)")
    }
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PutError::Full(error) => error.fmt(f),
            PutError::ShutDown(error) => error.fmt(f),
        }
    }
}

impl<T> Error for QueueFull<T> {}
impl Error for QueueEmpty {}
impl<T> Error for QueueShutDown<T> {}
impl<T> Error for PutError<T> {}
impl Error for GetError {}
impl Error for TaskDoneTooOftenError {}

impl<T> From<QueueFull<T>> for PutError<T> {
    fn from(error: QueueFull<T>) -> Self {
        PutError::Full(error)
    }
}

impl<T> From<QueueShutDown<T>> for PutError<T> {
    fn from(error: QueueShutDown<T>) -> Self {
        PutError::ShutDown(error)
    }
}

impl From<QueueEmpty> for GetError {
    fn from(error: QueueEmpty) -> Self {
        GetError::Empty(error)
    }
}

impl From<QueueShutDown> for GetError {
    fn from(error: QueueShutDown) -> Self {
        GetError::ShutDown(error)
    }
}

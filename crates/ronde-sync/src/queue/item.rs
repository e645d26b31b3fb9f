//! Items that mark themselves as done.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::AnyQueue;
use super::storage::Storage;

/// An item of a queue that calls [`task_done`](AnyQueue::task_done) when it is dropped.
///
/// So `join` hears of it also if the work on it fails or is cancelled.
///
/// ```
/// use ronde_sync::Queue;
///
/// # futures_lite::future::block_on(async {
/// let queue = Queue::unbounded();
/// queue.put("a job").await.unwrap();
/// {
///     let job = queue.get_item().await.unwrap();
///     assert_eq!(job.len(), 5);
/// }
/// queue.join().await;
/// # });
/// ```
#[must_use = "an item that is dropped at once counts as done"]
pub struct QueueItem<'a, S: Storage> {
    pub(super) queue: &'a AnyQueue<S>,
    pub(super) item: S::Item,
}

impl<S: Storage> Deref for QueueItem<'_, S> {
    type Target = S::Item;

    fn deref(&self) -> &S::Item {
        &self.item
    }
}

impl<S: Storage> DerefMut for QueueItem<'_, S> {
    fn deref_mut(&mut self) -> &mut S::Item {
        &mut self.item
    }
}

impl<S: Storage> Drop for QueueItem<'_, S> {
    fn drop(&mut self) {
        // If somebody has called `task_done` for it already, there is nothing to do.
        let _ = self.queue.task_done();
    }
}

impl<S: Storage> fmt::Debug for QueueItem<'_, S>
where
    S::Item: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.item.fmt(f)
    }
}

//! Queues.

mod error;
mod item;
mod lines;
mod storage;

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::rc::Rc;

pub use error::{GetError, PutError, QueueEmpty, QueueFull, QueueShutDown, TaskDoneTooOftenError};
pub use item::QueueItem;
use lines::Lines;
pub use storage::{Fifo, Lifo, Priority, Storage};

use crate::line::uncancelled;

/// A queue that gives its items out as they were put: first in, first out.
///
/// # In asyncio
///
/// `asyncio.Queue`.
///
/// # Examples
///
/// ```
/// use ronde_sync::Queue;
///
/// # futures_lite::future::block_on(async {
/// let queue = Queue::new(1);
/// let producer = async {
///     for number in 0..3 {
///         queue.put(number).await.unwrap();
///     }
///     queue.shutdown(false);
/// };
/// let consumer = async {
///     let mut sum = 0;
///     while let Ok(number) = queue.get().await {
///         sum += number;
///     }
///     sum
/// };
/// let ((), sum) = futures_lite::future::zip(producer, consumer).await;
/// assert_eq!(sum, 3);
/// # });
/// ```
pub type Queue<T> = AnyQueue<Fifo<T>>;

/// A queue that gives out what was put last: last in, first out.
///
/// # In asyncio
///
/// `asyncio.LifoQueue`.
///
/// # Examples
///
/// ```
/// use ronde_sync::LifoQueue;
///
/// let queue = LifoQueue::unbounded();
/// queue.put_nowait(1).unwrap();
/// queue.put_nowait(2).unwrap();
/// assert_eq!(queue.get_nowait(), Ok(2));
/// ```
pub type LifoQueue<T> = AnyQueue<Lifo<T>>;

/// A queue that gives out the smallest item first. Equal ones come out as they were put, which
/// asyncio's don't promise.
///
/// `(priority, item)` compares the item, too, where priorities are equal; a type that shouldn't be
/// compared needs an `Ord` of its own.
///
/// # Panics
///
/// If comparing two items puts something into the same queue, or gets something from it.
///
/// # In asyncio
///
/// `asyncio.PriorityQueue`.
///
/// # Examples
///
/// ```
/// use ronde_sync::PriorityQueue;
///
/// let queue = PriorityQueue::unbounded();
/// queue.put_nowait((2, "sweep")).unwrap();
/// queue.put_nowait((1, "put out the fire")).unwrap();
/// assert_eq!(queue.get_nowait(), Ok((1, "put out the fire")));
/// ```
pub type PriorityQueue<T> = AnyQueue<Priority<T>>;

/// What [`Queue`], [`LifoQueue`] and [`PriorityQueue`] have in common, which is all but the order.
///
/// Who waits for an item or for room is served first come, first served. A getter that was woken
/// looks again: if somebody took the item before it ran, it queues up once more, at the back. Share
/// a queue by reference or in an [`Rc`].
pub struct AnyQueue<S: Storage> {
    lines: Rc<Lines>,
    items: RefCell<S>,
}

/// What a queue says of itself.
///
/// ```
/// let queue = ronde_sync::Queue::new(2);
/// queue.put_nowait("item").unwrap();
/// let statistics = queue.statistics();
/// assert_eq!((statistics.qsize, statistics.maxsize, statistics.unfinished), (1, 2, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatistics {
    /// How many items are in it.
    pub qsize: usize,
    /// How many it has room for; zero is without limit.
    pub maxsize: usize,
    /// How many items were put and not marked as done.
    pub unfinished: usize,
    /// How many wait for an item.
    pub getters: usize,
    /// How many wait for room.
    pub putters: usize,
    /// How many wait until everything is done.
    pub joiners: usize,
    /// Was it shut down?
    pub is_shut_down: bool,
}

impl<S: Storage + Default> AnyQueue<S> {
    /// Makes a queue with room for `maxsize` items; zero is without limit, as in asyncio.
    pub fn new(maxsize: usize) -> Self {
        Self { lines: Lines::new(S::NAME, maxsize), items: RefCell::default() }
    }

    /// Makes a queue without limit.
    pub fn unbounded() -> Self {
        Self::new(0)
    }
}

impl<S: Storage> AnyQueue<S> {
    /// Puts an item, when there is room.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`], with the item, if the queue is shut down, or is so while this waits.
    ///
    /// # Cancel safety
    ///
    /// **Data lost.** The item is dropped, and the queue doesn't get it. To keep it, put it with
    /// [`put_nowait`](Self::put_nowait), which gives it back. The caller's turn goes to the next one
    /// that waits for room.
    ///
    /// # In asyncio
    ///
    /// `Queue.put`.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let queue = ronde_sync::Queue::new(1);
    /// queue.put("item").await.unwrap();
    /// queue.shutdown(false);
    /// assert_eq!(queue.put("too late").await.unwrap_err().0, "too late");
    /// # });
    /// ```
    pub async fn put(&self, item: S::Item) -> Result<(), QueueShutDown<S::Item>> {
        uncancelled().await;
        let mut item = item;
        loop {
            item = match self.put_nowait(item) {
                Ok(()) => return Ok(()),
                Err(PutError::ShutDown(error)) => return Err(error),
                Err(PutError::Full(QueueFull(item))) => item,
            };
            self.lines.putters().turn().await;
        }
    }

    /// Puts an item if there is room.
    ///
    /// # Errors
    ///
    /// [`PutError`], with the item, if there is no room or the queue is shut down.
    ///
    /// # In asyncio
    ///
    /// `Queue.put_nowait`.
    pub fn put_nowait(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        let lines = &self.lines;
        if lines.is_shut_down.get() {
            return Err(QueueShutDown(item).into());
        }
        if lines.full() {
            return Err(QueueFull(item).into());
        }
        self.change(|items| items.put(item));
        lines.unfinished.set(lines.unfinished.get() + 1);
        lines.wake_getter();
        Ok(())
    }

    /// Takes an item, when there is one.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`] if the queue is empty and shut down, or is so while this waits.
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** No item is lost. If the caller had been woken for one, the next one that waits
    /// is woken instead.
    ///
    /// # In asyncio
    ///
    /// `Queue.get`.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let queue = ronde_sync::Queue::unbounded();
    /// queue.put(7).await.unwrap();
    /// assert_eq!(queue.get().await, Ok(7));
    /// # });
    /// ```
    pub async fn get(&self) -> Result<S::Item, QueueShutDown> {
        uncancelled().await;
        loop {
            match self.get_nowait() {
                Ok(item) => return Ok(item),
                Err(GetError::ShutDown(error)) => return Err(error),
                Err(GetError::Empty(_)) => self.lines.getters().turn().await,
            }
        }
    }

    /// Takes an item if there is one.
    ///
    /// # Errors
    ///
    /// [`GetError`] if there is none; it says whether the queue is shut down.
    ///
    /// # In asyncio
    ///
    /// `Queue.get_nowait`.
    pub fn get_nowait(&self) -> Result<S::Item, GetError> {
        let lines = &self.lines;
        match self.change(S::take) {
            Some(item) => {
                lines.wake_putter();
                Ok(item)
            }
            None if lines.is_shut_down.get() => Err(QueueShutDown(()).into()),
            None => Err(QueueEmpty.into()),
        }
    }

    /// As [`get`](Self::get), with an item that calls [`task_done`](Self::task_done) when it is
    /// dropped.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** As `get`.
    ///
    /// # In asyncio
    ///
    /// There is no counterpart. It is what people write as `try`/`finally` around the work.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let queue = ronde_sync::Queue::unbounded();
    /// queue.put(7).await.unwrap();
    /// let item = queue.get_item().await.unwrap();
    /// assert_eq!(*item, 7);
    /// drop(item);
    /// assert_eq!(queue.statistics().unfinished, 0);
    /// # });
    /// ```
    pub async fn get_item(&self) -> Result<QueueItem<'_, S>, QueueShutDown> {
        Ok(QueueItem { item: self.get().await?, queue: self })
    }

    /// How many items are in the queue.
    pub fn qsize(&self) -> usize {
        self.lines.len.get()
    }

    /// How many items it has room for; zero is without limit.
    pub fn maxsize(&self) -> usize {
        self.lines.maxsize
    }

    /// Is there nothing in it?
    pub fn empty(&self) -> bool {
        self.qsize() == 0
    }

    /// Is there no room in it?
    pub fn full(&self) -> bool {
        self.lines.full()
    }

    /// Was it shut down?
    pub fn is_shut_down(&self) -> bool {
        self.lines.is_shut_down.get()
    }

    /// Marks an item that was put as done. See [`join`](Self::join).
    ///
    /// # Errors
    ///
    /// [`TaskDoneTooOftenError`] if everything that was put is done. Nothing has changed then.
    ///
    /// # In asyncio
    ///
    /// `Queue.task_done`.
    ///
    /// ```
    /// let queue = ronde_sync::Queue::<u8>::unbounded();
    /// assert!(queue.task_done().is_err());
    /// ```
    pub fn task_done(&self) -> Result<(), TaskDoneTooOftenError> {
        let left = self.lines.unfinished.get().checked_sub(1);
        let left = left.ok_or(TaskDoneTooOftenError { _private: () })?;
        self.lines.unfinished.set(left);
        if left == 0 {
            self.lines.wake_joiners();
        }
        Ok(())
    }

    /// Waits until everything that was put is done: taken, and marked by
    /// [`task_done`](Self::task_done). At once, if it is.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** It holds nothing.
    ///
    /// # In asyncio
    ///
    /// `Queue.join`.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let queue = ronde_sync::Queue::unbounded();
    /// queue.put(1).await.unwrap();
    /// queue.get().await.unwrap();
    /// queue.task_done().unwrap();
    /// queue.join().await;
    /// # });
    /// ```
    pub async fn join(&self) {
        if self.lines.unfinished.get() > 0 {
            self.lines.joiners().turn().await;
        }
    }

    /// Ends the queue: nothing can be put any more, and getting fails once it is empty.
    ///
    /// With `immediate`, what is left in it is dropped, and counts as done. Everybody who waits to
    /// put or get is woken, and so are those who [`join`](Self::join), if nothing is left to do.
    ///
    /// # In asyncio
    ///
    /// `Queue.shutdown`, of Python 3.13.
    ///
    /// ```
    /// use ronde_sync::Queue;
    /// let queue = Queue::unbounded();
    /// queue.put_nowait(1).unwrap();
    /// queue.shutdown(false);
    /// assert_eq!(queue.get_nowait(), Ok(1));
    /// assert!(!queue.get_nowait().unwrap_err().is_empty());
    /// ```
    pub fn shutdown(&self, immediate: bool) {
        let lines = &self.lines;
        lines.is_shut_down.set(true);
        let mut dropped = Vec::new();
        if immediate {
            self.change(|items| dropped.extend(std::iter::from_fn(|| items.take())));
            let left = lines.unfinished.get().saturating_sub(dropped.len());
            lines.unfinished.set(left);
            if left == 0 {
                lines.wake_joiners();
            }
        }
        lines.wake_getters_and_putters();
        // Their destructors may use the queue.
        drop(dropped);
    }

    /// Changes the items. Their number is right afterwards, also if comparing them has panicked.
    fn change<R>(&self, change: impl FnOnce(&mut S) -> R) -> R {
        let mut counted = Counted { items: self.items.borrow_mut(), len: &self.lines.len };
        change(&mut counted.items)
    }

    /// How many items there are, and how many wait.
    pub fn statistics(&self) -> QueueStatistics {
        let lines = &self.lines;
        QueueStatistics {
            qsize: self.qsize(),
            maxsize: self.maxsize(),
            unfinished: lines.unfinished.get(),
            getters: lines.getting(),
            putters: lines.putting(),
            joiners: lines.joining(),
            is_shut_down: self.is_shut_down(),
        }
    }
}

/// Items that are being changed.
struct Counted<'a, S: Storage> {
    items: RefMut<'a, S>,
    len: &'a Cell<usize>,
}

impl<S: Storage> Drop for Counted<'_, S> {
    fn drop(&mut self) {
        self.len.set(self.items.len());
    }
}

impl<S: Storage + Default> Default for AnyQueue<S> {
    fn default() -> Self {
        Self::unbounded()
    }
}

impl<S: Storage> fmt::Debug for AnyQueue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.fmt(f)
    }
}

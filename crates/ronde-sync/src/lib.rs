//! Locks, events, conditions, semaphores, barriers and queues for the tasks of one thread.
//!
//! A *primitive* is what several tasks share to wait for one another. Who has to wait stands in
//! *line*, first come, first served. All of it is asyncio's, with its exact order: who is woken by
//! what, in which turn of the loop, and what becomes of a turn whose owner is cancelled.
//!
//! | | |
//! |---|---|
//! | [`Lock`] | keeps a value for one task at a time |
//! | [`Event`] | a flag to wait for |
//! | [`Condition`] | a value behind a lock, and a way to wait until somebody has changed it |
//! | [`Semaphore`], [`BoundedSemaphore`] | let a limited number of tasks do something |
//! | [`Barrier`] | a fixed number of tasks meet |
//! | [`Queue`], [`LifoQueue`], [`PriorityQueue`] | hand items on, with a limit of how many wait |
//!
//! ```
//! use futures_lite::future;
//! use ronde_sync::{Lock, Queue};
//!
//! # future::block_on(async {
//! let (queue, total) = (Queue::new(2), Lock::new(0));
//! let produce = async {
//!     for number in 1..=10 {
//!         queue.put(number).await.unwrap();
//!     }
//!     queue.join().await;
//!     queue.shutdown(false);
//! };
//! let consume = async {
//!     while let Ok(number) = queue.get_item().await {
//!         *total.acquire().await += *number;
//!     }
//! };
//! future::zip(produce, consume).await;
//! assert_eq!(total.into_inner(), 55);
//! # });
//! ```
//!
//! # One thread, any executor
//!
//! The primitives are for tasks that share a thread; none is `Send` or `Sync`, and none is `Clone`:
//! share them by reference or in an [`Rc`](std::rc::Rc). They need no ronde loop. Under any executor
//! that can run futures which aren't `Send` they keep their order.
//!
//! # What a cancelled waiter leaves behind
//!
//! A waiter whose future is dropped leaves the line, and passes on what it had been given: a lock, a
//! slot, the wake-up for an item, a notification. Under a ronde executor a waiter whose cancellation
//! has been asked for, and not delivered yet, is passed by when the next one is chosen.
//!
//! # Inside
//!
//! Each primitive is a *gate* with a line in front of it: the gate has the rules, the line the
//! waiters. One leaf future serves them all. A line is a linked list in a slab, so waiting allocates
//! nothing once the line has been as long before, and leaving takes constant time.
//!
//! # Elsewhere
//!
//! What a leaf tells the task that polls it is in `ronde-context`.

#![forbid(unsafe_code)]

mod barrier;
mod condition;
mod error;
mod event;
mod line;
mod lock;
mod queue;
mod semaphore;
mod waiters;

pub use barrier::{Barrier, BarrierStatistics, BarrierWaitResult};
pub use condition::{Condition, ConditionGuard, ConditionStatistics};
pub use error::{
    BrokenBarrierError, NoPartiesError, NotLockedError, ReleasedTooOftenError, WouldBlock,
};
pub use event::{Event, EventStatistics};
pub use lock::{Lock, LockGuard, LockStatistics};
pub use queue::{
    AnyQueue, Fifo, GetError, Lifo, LifoQueue, Priority, PriorityQueue, PutError, Queue,
    QueueEmpty, QueueFull, QueueItem, QueueShutDown, QueueStatistics, Storage,
    TaskDoneTooOftenError,
};
pub use semaphore::{BoundedSemaphore, Semaphore, SemaphorePermit, SemaphoreStatistics};

/// Makes the example of the README a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

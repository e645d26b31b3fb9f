//! Tasks and callbacks in one first-in first-out queue, on one thread.
//!
//! An [`Executor`] owns *tasks* (futures that are named, can be asked how they are, and can be
//! cancelled in a way that they can catch) and *callbacks* (closures that run once). Both take
//! their turns from one queue, so the order in which things happen is defined:
//! [`run_batch`](Executor::run_batch) runs exactly what was ready when it was called, first in,
//! first out, and what that makes ready waits for the next batch.
//!
//! ```
//! use ronde_executor::Executor;
//!
//! let executor = Executor::new(|| {});
//! let double = executor.spawn(async { 21 });
//! let task = executor.spawn(async move { double.await.unwrap() * 2 });
//!
//! while executor.run_batch() > 0 {}
//! assert_eq!(task.result().unwrap(), 42);
//! ```
//!
//! # Vocabulary
//!
//! - A [`Task`] is a handle to a running future and to its result. Dropping it detaches it: the
//!   executor owns its tasks.
//! - A [`TaskRef`] is the same without the type of the result, and can be cloned.
//! - A [`Promise`] is a result that somebody sets by hand: asyncio's `Future`.
//! - A [`Handle`] stands for a callback that has been queued.
//! - A [`Remote`] is the executor as other threads see it.
//!
//! # How a cancellation works
//!
//! Raising is dropping: see `ronde-context`, which has the handlers. A task is the outermost one.
//! [`TaskRef::cancel`] goes to what the task waits for, if that can be cancelled, else it leaves a
//! request with the task and wakes it. Waking happens through the same queue as all else, so a
//! cancellation has a place in the order too.
//!
//! # Inside
//!
//! A task is one `async-task` allocation, which is the state machine of its wakers, and one record:
//! outcome, waiters, name, requests. A record points to the allocation through a waker until the
//! task is done. Wakers may be used from any thread; the runnables they make come back to this one
//! through [`Remote`], and are never dropped anywhere else.
//!
//! # Elsewhere
//!
//! Time, I/O and when to sleep belong to `ronde-loop`.

mod batch;
mod callback;
mod child;
mod current;
mod error;
mod executor;
mod failure;
mod graph;
mod inherited;
mod instruments;
mod listeners;
mod order;
mod promise;
mod remote;
mod spawn;
mod sync;
mod task;

pub use callback::Handle;
pub use child::{AsChild, Child, ChildRef, IntoChild, JoinChild};
pub use current::current_task;
pub use error::{InvalidStateError, PanicError, TaskError};
pub use executor::{CurrentGuard, ExceptionHandler, Executor, Statistics, WeakExecutor};
pub use failure::{ExceptionContext, Failure};
pub use graph::{FrameCallGraphEntry, FutureCallGraph, WaitCycle, WaitLink, find_cycles};
pub use instruments::{EntryWatch, NewTask, RunningEntry, TaskFactory, TaskObserver};
pub use listeners::CallbackId;
pub use order::ReadyOrder;
pub use promise::{JoinPromise, Promise, SetResultError};
pub use remote::{ClosedError, Remote, RemoteHandle};
pub use task::{
    Join, JoinRef, JoinTask, StackEnd, Task, TaskBuilder, TaskId, TaskInfo, TaskRef, TaskStack,
    TaskState, WaitInfo,
};

/// Makes the example of the README a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

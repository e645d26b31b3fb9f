//! Python's asyncio, rebuilt for Rust.
//!
//! One event loop per thread runs tasks that need not be `Send`, that have names and can be listed
//! and asked, and whose cancellation can be caught and cleaned up after with `.await`.
//!
//! ```
//! use ronde::{create_task, gather, sleep};
//! use std::time::Duration;
//!
//! async fn cook(dish: &str, minutes: u64) -> String {
//!     sleep(Duration::from_micros(minutes)).await;
//!     format!("{dish} is ready")
//! }
//!
//! # fn main() -> Result<(), ronde::RunError> {
//! ronde::run(async {
//!     let (soup, bread) = gather((cook("soup", 30), cook("bread", 45))).await.unwrap();
//!     println!("{soup}, {bread}");
//!
//!     let tea = create_task(cook("tea", 5));
//!     assert_eq!(tea.await.unwrap(), "tea is ready");
//! })
//! # }
//! ```
//!
//! New here? Begin with the [guide].
//!
//! # Where to find what
//!
//! - Running: [`run`], [`Runner`], [`main`](macro@main), [`test`](macro@test).
//! - Tasks: [`create_task`], [`task_builder`], [`Task`], [`TaskRef`], [`current_task`], [`all_tasks`].
//! - Cancellation: [`catch_cancelled`], [`CancelledError`], [`shield`].
//! - Tasks that end together: [`task_group`], [`try_task_group`].
//! - Several at once: [`gather`], [`gather_all`], [`try_gather`], [`wait`], [`as_completed`],
//!   [`staggered_race`].
//! - Time: [`sleep`], [`sleep_until`], [`yield_now`], [`timeout`], [`timeout_at`], [`wait_for`].
//! - Values that tasks and callbacks inherit: [`ContextVar`], [`Context`], [`copy_context`].
//! - Results set by hand: [`Promise`].
//! - Iterators that wait, and comprehensions: [`AsyncIterator`], [`async_iter`], [`await_all`].
//! - Generators: [`generator`], [`try_generator`], [`AsyncGenerator`].
//! - Context managers: [`async_with`], [`AsyncContextManager`], [`context_manager`], [`exit_stack`].
//! - Tasks that wait for one another: [`Lock`], [`Event`], [`Condition`], [`Semaphore`],
//!   [`BoundedSemaphore`], [`Barrier`], [`Queue`], [`LifoQueue`], [`PriorityQueue`].
//! - Networks: [`open_connection`], [`start_server`], [`open_unix_connection`],
//!   [`start_unix_server`], [`Server`], [`StreamReader`], [`StreamWriter`], [`TlsOptions`],
//!   [`TlsServerOptions`].
//! - The program's own input and output: [`stdin`], [`stdout`], [`stderr`].
//! - Blocking work: [`to_thread`], [`run_in_executor`], [`ThreadPool`]; work for processes:
//!   [`ProcessPool`].
//! - Other threads: [`run_coroutine_threadsafe`], [`RemoteTask`].
//! - Child processes: [`create_subprocess_exec`], [`create_subprocess_shell`], [`subprocess`].
//! - What all the tasks are doing: [`format_tasks`], [`format_task_tree`], [`find_cycles`],
//!   [`capture_call_graph`], [`TaskRef::info`].
//! - The defaults of times and limits: [`constants`].
//! - Signals, sockets, names of hosts, transports and protocols, and the event loop itself, for authors of
//!   frameworks: [`low_level`].
//! - Every name of asyncio's, and what it is here: [`asyncio_map`].
//!
//! # An exception is one of two things
//!
//! What asyncio calls an exception is either an `Err` that a coroutine returns, a value like any
//! other, or a panic, which is caught at the task's boundary and becomes
//! [`TaskError::Panicked`]. A failure of either kind that nobody ever looks at is reported through
//! the loop's exception handler, and a [`FailurePolicy`] can make it end the program.

#![forbid(unsafe_code)]

mod as_completed;
pub mod async_iter;
mod async_with;
pub mod asyncio_map;
pub mod constants;
#[doc(hidden)]
pub mod entry;
mod executors;
mod failures;
mod gather;
mod generator;
mod group;
mod interrupt;
mod introspection;
mod run;
mod runner;
mod shield;
mod staggered;
mod tasks;
mod threads;
mod wait;
mod watch;

pub use as_completed::{AsCompleted, AsCompletedWithin, as_completed};
pub use async_iter::iterator::{AsyncIterator, await_all};
pub use async_with::{
    Aclosing, AsyncContextManager, BodyError, BodyOutcome, ContextManager, ExitStack,
    ExitStackError, ExitVerdict, OnItsWay, Swallow, WithError, aclosing, async_with,
    context_manager, exit_stack, try_async_with, try_exit_stack,
};
pub use executors::{Executor, run_in_executor};
pub use failures::FailurePolicy;
pub use gather::{
    Gather, GatherOutcomes, GatherSet, TryGather, TryGatherSet, gather, gather_all, try_gather,
    try_gather_all,
};
pub use generator::{AsyncGenerator, IgnoredCloseError, Yield, Yielder, generator, try_generator};
pub use group::{
    FailureCause, GroupClosedError, GroupTaskBuilder, StartError, Started, TaskFailure, TaskGroup,
    TaskGroupError, task_group, try_task_group,
};
pub use introspection::{find_cycles, format_task_tree, format_tasks};
pub use run::run;
pub use runner::{Runner, RunnerBuilder};
pub use shield::{Shield, shield};
pub use staggered::{StaggeredRace, StaggeredRaceError, StaggeredWinner, staggered_race};
pub use tasks::{all_tasks, create_task, task_builder};
pub use threads::{CancelToken, to_thread, to_thread_with_token};
pub use wait::{ReturnWhen, Wait, Waited, wait};

pub use ronde_context::{
    CancelScope, CancelledError, CatchCancelled, Context, ContextVar, IoDirection, Origin,
    ResetError, Token, WaitKind, catch_cancelled, copy_context,
};
pub use ronde_loop::{
    AsChild, CallbackId, Child, ChildRef, Deadlock, FrameCallGraphEntry, FutureCallGraph,
    IntoChild, InvalidStateError, JobError, NoRunningLoopError, PanicError, Promise, RemoteTask,
    RemoteTaskError, RescheduleError, RunError, SendfileError, SendfileNotAvailableError,
    SetResultError, Sleep, StackEnd, SubmitError, Task, TaskBuilder, TaskError, TaskId, TaskInfo,
    TaskRef, TaskStack, TaskState, ThreadPool, ThreadPoolBuilder, ThreadPoolError, Timeout,
    TimeoutError, UnobservedFailure, WaitCycle, WaitInfo, WaitLink, WithTimeout, YieldNow,
    capture_call_graph, current_task, format_call_graph, get_running_loop, print_call_graph,
    run_coroutine_threadsafe, sleep, sleep_until, timeout, timeout_at, wait_for, yield_now,
};
pub use ronde_macros::{main, test};
pub use ronde_process::{create_subprocess_exec, create_subprocess_shell};
#[cfg(feature = "process-pool")]
pub use ronde_process_pool::{
    ProcessPool, ProcessPoolBuilder, ProcessPoolError, ProcessPoolStatistics, Registry, is_worker,
};
#[cfg(target_os = "linux")]
pub use ronde_streams::PeerCredentials;
pub use ronde_streams::{
    AddressFamily, Bytes, ConnectError, DEFAULT_LIMIT, Hosts, LimitError, Lines, OpenConnection,
    ReadError, SendFile, ServeError, Server, StartServer, StartTls, StreamReader, StreamWriter,
    TlsError, TlsInfo, TlsOptions, TlsServerOptions, from_socket, open_connection, rustls,
    start_server,
};
#[cfg(unix)]
pub use ronde_streams::{open_unix_connection, start_unix_server, stderr, stdin, stdout};
pub use ronde_sync::{
    AnyQueue, Barrier, BarrierStatistics, BarrierWaitResult, BoundedSemaphore, BrokenBarrierError,
    Condition, ConditionGuard, ConditionStatistics, Event, EventStatistics, Fifo, GetError, Lifo,
    LifoQueue, Lock, LockGuard, LockStatistics, NoPartiesError, NotLockedError, Priority,
    PriorityQueue, PutError, Queue, QueueEmpty, QueueFull, QueueItem, QueueShutDown,
    QueueStatistics, ReleasedTooOftenError, Semaphore, SemaphorePermit, SemaphoreStatistics,
    Storage, TaskDoneTooOftenError, WouldBlock,
};

/// Child processes: what [`create_subprocess_exec`] and [`create_subprocess_shell`] take and give.
pub mod subprocess {
    pub use ronde_process::*;
}

/// The event loop itself: callbacks, timers, descriptors, sockets, signals, names, clocks, executors; transports
/// and protocols.
///
/// For authors of frameworks, and for programs that need a callback rather than a task. It is a
/// door of its own so that a program that goes through it can be seen to.
pub mod low_level {
    pub use ronde_loop::*;
    pub use ronde_transports::*;
}

pub mod guide;

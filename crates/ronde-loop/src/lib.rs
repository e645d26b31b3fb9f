//! The low-level event loop.
//!
//! For authors of frameworks, and for programs that need a callback, a timer or a descriptor rather
//! than a task. Applications are better served by the `ronde` crate, which runs a loop, cancels and
//! awaits what is left at the end, and has `gather`, timeouts and streams; none of that is here.
//!
//! An [`EventLoop`] owns everything that runs on one thread: tasks, callbacks, timers, descriptors.
//! A [`LoopHandle`] is a handle to it, for code that runs on it; [`get_running_loop`] gives it.
//! Other threads talk to it through a [`Remote`].
//!
//! ```
//! use ronde_loop::{EventLoop, get_running_loop};
//! use std::time::Duration;
//!
//! let event_loop = EventLoop::new()?;
//! event_loop.call_soon(|| {
//!     let handle = get_running_loop().unwrap();
//!     handle.call_later(Duration::from_millis(1), || get_running_loop().unwrap().stop());
//! });
//! event_loop.run_forever()?;
//! event_loop.close()?;
//! # Ok::<(), ronde_loop::RunError>(())
//! ```
//!
//! # One turn
//!
//! 1. Wait for I/O: not at all if something is ready, else until the next deadline.
//! 2. Queue what became ready.
//! 3. Queue the timers that are due, by deadline, equal ones in order of registration.
//! 4. Run exactly the entries that are in the queue now, first in, first out. What they schedule
//!    runs in the next turn.
//! 5. Flush: what was written during the turn leaves together ([`LoopHandle::call_at_turn_end`]).
//!
//! Callbacks and the steps of tasks share the one queue. While work is ready, step 1 is skipped
//! until [some sixty entries](EventLoop#turns-without-a-wait) have run.
//!
//! # Descriptors, sockets, signals
//!
//! - A socket or pipe that is [registered](LoopHandle::register) is a [`Source`], for as long as it lives. asyncio's
//!   operations on sockets work on it ([`sock_recv`](LoopHandle::sock_recv),
//!   [`sock_sendall`](LoopHandle::sock_sendall) and so on), and
//!   [`sock_sendfile`](LoopHandle::sock_sendfile) has the system send a file.
//! - To wait for something else there are [`Source::io`] and [`Source::poll_io`]. A leaf future of one's own that
//!   [declines](decline) while it is being cancelled, and says [what it waits for](waiting_for), behaves like
//!   the loop's: the example `leaf_future` is one.
//! - A descriptor that somebody else owns can be [watched](LoopHandle::add_reader).
//! - Names are looked up with [`getaddrinfo`](LoopHandle::getaddrinfo), signals handled with
//!   `add_signal_handler`, or received from [`signals`](LoopHandle#method.signals).
//!
//! # Parameters
//!
//! The clock, the poller, the order of the ready queue, the executor for blocking work, the resolver of
//! names and the random numbers are parameters of the loop: see [`Builder`]. With the
//! [simulated clock](SimulatedClock) time jumps to the next deadline when nothing is ready.
//! [`EventLoop::run_once`] makes single turns, for a loop that is a guest in another one.

#![forbid(unsafe_code)]

mod asyncgens;
mod at_close;
mod builder;
mod clock;
mod debugging;
mod descriptors;
mod error;
mod event_loop;
mod explore;
mod handle;
mod job;
mod outside;
mod random;
mod repeated;
mod resolve;
mod running;
#[cfg(unix)]
mod signals;
mod sleep;
mod sockets;
mod sys;
mod thread_pool;
mod threadsafe;
mod timeout;
mod timer_handle;
mod turn;
mod watchdog;

pub use asyncgens::{CloseFuture, OpenGenerator};
pub use at_close::CloseListener;
pub use builder::Builder;
pub use clock::{Clock, SimulatedClock, SystemClock};
pub use debugging::{
    SLOW_CALLBACK_DURATION, capture_call_graph, eager_task_factory, format_call_graph,
    print_call_graph,
};
pub use descriptors::{DescriptorError, Registration};
pub use error::{Deadlock, RunError, StuckTask, UnobservedFailure};
pub use event_loop::EventLoop;
pub use explore::{SeededOrder, explore};
pub use handle::LoopHandle;
pub use job::{Job, JobError, JobExecutor, JobHandle, SubmitError};
pub use outside::{ClockHold, OutsideWait};
pub use random::{RandomSource, SeededRandom};
pub use resolve::{
    AddrInfo, AddrInfoFlags, AddrInfoRequest, AddressFamily, GetAddrInfo, GetNameInfo, NameInfo,
    NameInfoFlags, NameInfoRequest, ResolveError, ResolveErrorKind, ResolveFuture, Resolver,
    Service, SystemResolver,
};
pub use running::{NoRunningLoopError, get_running_loop};
#[cfg(unix)]
pub use signals::{SignalFallback, Signals};
pub use sleep::{Sleep, YieldNow, sleep, sleep_until, yield_now};
pub use sockets::{SendAllError, SendfileError, SendfileNotAvailableError, SockSendFile};
pub use thread_pool::{ThreadPool, ThreadPoolBuilder, ThreadPoolError};
pub use threadsafe::{JoinRemote, RemoteTask, RemoteTaskError, run_coroutine_threadsafe};
pub use timeout::{
    RescheduleError, Timeout, TimeoutError, WithTimeout, timeout, timeout_at, wait_for,
};
pub use timer_handle::TimerHandle;
pub use watchdog::{BlockedEntry, BlockedThread, Stall, StallWatchdog, StallWatchdogBuilder};

pub use ronde_context::{Wait, decline, waiting_for};
pub use ronde_executor::{
    AsChild, CallbackId, Child, ChildRef, ClosedError, CurrentGuard, EntryWatch, ExceptionContext,
    ExceptionHandler, Failure, FrameCallGraphEntry, FutureCallGraph, Handle, IntoChild,
    InvalidStateError, Join, JoinChild, JoinPromise, JoinRef, JoinTask, NewTask, PanicError,
    Promise, ReadyOrder, Remote, RemoteHandle, RunningEntry, SetResultError, StackEnd, Task,
    TaskBuilder, TaskError, TaskFactory, TaskId, TaskInfo, TaskObserver, TaskRef, TaskStack,
    TaskState, WaitCycle, WaitInfo, WaitLink, current_task, find_cycles,
};
pub use ronde_reactor::{
    AsSource, BorrowedSource, Direction, Notify, OwnedSource, Poller, Readiness, Source,
};
pub use ronde_signal::Signal;
#[cfg(unix)]
pub use ronde_signal::SignalHandlerError;
/// The version of socket2 whose addresses and sockets are in this interface.
pub use socket2;

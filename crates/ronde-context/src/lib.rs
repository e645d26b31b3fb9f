//! What a leaf future asks of the task that polls it.
//!
//! A *leaf* is a future that waits for something real: a timer, a lock, another task. While it is
//! polled it may want to know two things that [`std::task::Context`] can't tell, and to say one:
//!
//! - [`decline`]: is a cancellation being delivered right now? Then the leaf takes nothing and
//!   returns `Pending`, because the frames above it are about to be dropped.
//! - [`waiting_for`]: "this is what I wait for", one store per suspension. A task that is cancelled
//!   while it waits for another task or a promise passes the cancellation on to it; one that waits
//!   in a wait list has its [`Entry`] marked; and a hang can be explained in a release build.
//!
//! Outside a ronde task both do nothing, so a leaf that uses them runs under any executor.
//!
//! # Raising is dropping
//!
//! asyncio raises `CancelledError` at the `await` where a task is suspended, and frames unwind up
//! to the nearest handler. Here the nearest *handler* drops its body, which is that unwinding.
//! The vocabulary:
//!
//! - A **handler** is a future that can catch a cancellation: [`catch_cancelled`], a
//!   [`CancelScope`], and around everything the task's own boundary.
//! - A cancellation is **requested** until it is delivered, and **armed** while it is being
//!   delivered. The innermost live handler takes an armed cancellation: it drops its body without
//!   polling it.
//! - [`CancelledError::raise`] raises it again, for the next handler out.
//!
//! ```
//! use ronde_context::{CancelledError, catch_cancelled};
//!
//! # futures_lite::future::block_on(async {
//! let caught = catch_cancelled(async {
//!     CancelledError::new("enough").raise::<()>().await;
//!     unreachable!("raising drops this frame");
//! })
//! .await;
//!
//! assert_eq!(caught.unwrap_err().message(), Some("enough"));
//! # });
//! ```
//!
//! # Context variables
//!
//! A [`ContextVar`] has a value for each [`Context`]; executors see to it that a task or a callback
//! has a copy of the one it was created in.
//!
//! # Inside
//!
//! A handful of thread-local cells, loaded before a task is polled and read back afterwards (see
//! [`executor`]). Each handler counts the live handlers directly inside it; while its body is
//! polled the count sits in a cell, so nothing is allocated and nothing points anywhere.
//!
//! # Elsewhere
//!
//! Tasks and their `cancel` are in `ronde-executor`; timeouts in the facade.

#![forbid(unsafe_code)]

mod current;
mod entry;
mod error;
mod handler;
mod kind;
mod registers;
mod scope;
mod variables;
mod wait;

pub use current::current_task;
pub use entry::{Entry, WaitList, no_longer_waiting_in};
pub use error::{CancelledError, Origin, Raise};
pub use handler::{CatchCancelled, catch_cancelled};
pub use kind::{IoDirection, WaitKind};
pub use registers::{decline, is_cancelling};
pub use scope::{CancelScope, Scoped};
pub use variables::{Context, ContextVar, ResetError, Token, copy_context};
pub use wait::{Awaited, CancelStep, Wait, cancel, no_longer_waiting_for, waiting_for};

/// The other side: what an executor does around each poll of a task.
///
/// Only authors of executors need it. They keep a [`Handler`](executor::Handler) with each task and
/// poll the coroutine through it, between [`enter`](executor::enter) and
/// [`leave`](executor::leave).
pub mod executor {
    pub use crate::current::provide_current_task;
    pub use crate::handler::{Handler, Step, is_same, take_back};
    pub use crate::registers::{Frame, Previous, arm, enter, leave, withdraw};
    pub use crate::variables::ContextSlot;
}

/// Makes the example of the README a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

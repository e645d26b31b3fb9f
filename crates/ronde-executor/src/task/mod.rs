//! Tasks.
//!
//! ```text
//!              first step             returns, panics, or is cancelled
//!   scheduled ------------> running ----------------------------------> done
//!                            |   ^
//!                   suspends |   | woken, or cancelled
//!                            v   |
//!                          suspended
//! ```
//!
//! [`record`] is what a task is known by, [`coroutine`] what runs it, [`cancel`] how it is
//! cancelled; [`handle`], [`reference`] and [`join`] are what users hold and await.

mod builder;
mod cancel;
mod coroutine;
mod facts;
mod handle;
mod join;
mod record;
mod reference;
mod stack;

pub use builder::TaskBuilder;
pub use facts::{TaskInfo, TaskState, WaitInfo};
pub use handle::Task;
pub(crate) use join::Waiter;
pub use join::{Join, JoinRef, JoinTask};
pub(crate) use record::INSTRUMENTED;
pub use reference::{TaskId, TaskRef};
pub use stack::{StackEnd, TaskStack};

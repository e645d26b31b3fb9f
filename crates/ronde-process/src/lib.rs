//! Child processes for an event loop.
//!
//! [`create_subprocess_exec`] starts a program and [`create_subprocess_shell`] a command of the shell.
//! Both give a [`Process`], whose pipes are streams, and which can be talked to, waited for and
//! signalled.
//!
//! ```
//! # use ronde_loop::EventLoop;
//! use ronde_process::{Stdio, create_subprocess_exec};
//!
//! # EventLoop::new()?.run_until_complete(async {
//! let process = create_subprocess_exec("sort")
//!     .stdin(Stdio::piped())
//!     .stdout(Stdio::piped())
//!     .await?;
//! let output = process.communicate().input("pear\napple\n").await?;
//! assert_eq!(output.stdout.unwrap(), "apple\npear\n");
//! assert!(output.returncode.success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?.unwrap();
//! # Ok::<(), ronde_loop::RunError>(())
//! ```
//!
//! # The end of a child
//!
//! A child is reaped as soon as it ends, whatever the loop does and whoever has dropped what: there are
//! no zombies. [`ReturnCode`] tells an exit from a death by signal. A [`Process`] that is dropped leaves
//! the child running, unless [`kill_on_drop`](CreateSubprocess::kill_on_drop) says otherwise.
//!
//! # Costs
//!
//! A child costs a descriptor while it runs (on Linux), and one for each of its pipes. The first one
//! starts two threads: `async-io`, which hears of ends, and `ronde-process`, which reaps. The bytes in the
//! pipes go through neither: the pipes are sources of the loop's own.
//!
//! # Platforms
//!
//! On Windows there are no pipes and no signals: children can be started with files or the null device,
//! waited for and ended.
//!
//! # Inside
//!
//! `create.rs` gathers what is wanted, and starts; `stdio.rs` makes the two ends of each pipe.
//! `reap.rs` is the part to read first: who asks a child how it ended, and why no signal goes astray.
//! Platforms differ in `sys/` only.
//!
//! # Elsewhere
//!
//! The streams are those of `ronde-streams`; starting and reaping on each platform is `async-process`'s.

#![forbid(unsafe_code)]

mod communicate;
mod create;
mod error;
mod process;
mod reap;
mod returncode;
mod stdio;
mod sys;

pub use communicate::{Communicate, Output};
pub use create::{CreateSubprocess, create_subprocess_exec, create_subprocess_shell};
pub use error::{CommunicateError, SignalError, SpawnError};
pub use process::Process;
pub use returncode::ReturnCode;
pub use ronde_loop::Signal;
pub use stdio::Stdio;

/// Makes the example of the README a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

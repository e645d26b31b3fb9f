//! A pool of processes for functions that keep a processor busy, or that may crash.
//!
//! A [`ProcessPool`] runs the functions of a [`Registry`] in *workers*: processes that are this program,
//! started again. Arguments and results travel as bytes, by serde.
//!
//! ```no_run
//! use ronde_process_pool::{ProcessPool, Registry};
//!
//! fn square(n: u64) -> u64 {
//!     n * n
//! }
//!
//! fn jobs() -> Registry {
//!     Registry::new().register(square)
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     jobs().serve_if_worker(); // In a worker, this doesn't return.
//!     ronde::run(async {
//!         let pool = ProcessPool::builder(jobs()).build()?;
//!         assert_eq!(pool.run(square, 12).await?, 144);
//!         Ok(())
//!     })?
//! }
//! ```
//!
//! # What a failure does
//!
//! | what happens | what the job gives | the worker |
//! |---|---|---|
//! | the function panics | [`Panicked`](ProcessPoolError::Panicked) | goes on |
//! | arguments or result can't be sent | [`Arguments`](ProcessPoolError::Arguments), [`Result`](ProcessPoolError::Result) | goes on |
//! | the function ends the process, or a signal does | [`Crashed`](ProcessPoolError::Crashed) | is replaced |
//! | the job is cancelled | nothing | is killed and replaced |
//! | the program ends, in whatever way | | ends |
//!
//! With `panic = "abort"`, a panic is a crash.
//!
//! # Inside
//!
//! There is no task and no thread behind a pool: a job's own future takes a place in the queue, gets a
//! worker (an idle one, or a new one), and talks to it through a socket that the worker finds as its
//! standard input. If the future is dropped on the way, so is its hold on the worker, which kills it.
//!
//! # Where
//!
//! On Unix. Elsewhere, starting a worker fails with [`ProcessPoolError::Socket`].

#![forbid(unsafe_code)]

mod error;
mod places;
mod pool;
mod registry;
mod serve;
mod sys;
mod wire;
mod worker;

pub use error::ProcessPoolError;
pub use pool::{ProcessPool, ProcessPoolBuilder, ProcessPoolStatistics};
pub use registry::{Registry, is_worker};
pub use ronde_process::ReturnCode;

//! Runs programs of the conformance language on ronde.
//!
//! A program is a JSON file: a few coroutines made of statements such as `spawn`, `sleep` and
//! `cancel`. Beside it lies its *trace*, one line per thing that happened, as CPython's asyncio
//! printed it under virtual time. [`run`] plays the program on a fresh event loop with a simulated
//! clock and gives ronde's trace, which should be the same, down to the turn of the loop.
//!
//! ```
//! use ronde_conformance::{Program, run};
//!
//! let program = Program::parse(
//!     r#"{"coroutines": {"main": [{"op": "sleep", "ms": 5}, {"op": "return", "v": 7}]}}"#,
//! )?;
//! assert_eq!(run(&program), ["5 T1 sleep 5 ok", "5 T1 return 7", "5 - main 7", "5 - end"]);
//! # Ok::<(), ronde_conformance::ParseError>(())
//! ```
//!
//! # Inside
//!
//! - `parse` reads a program.
//! - `value` has what coroutines return and raise, `trace` the lines.
//! - `runtime` is what a program's coroutines share: tasks, slots, globals.
//! - `interp` runs bodies, and maps Python's exceptions: all are carried in `Result`s, but for a
//!   cancellation, which is raised as ronde raises it, by dropping frames up to the nearest handler.
//! - `ops` has the operations, a file per kind.
//! - `run` starts the program and ends it as `asyncio.run` does.
//! - `play` runs it on a thread that may hang or panic; `check` compares folders of programs with the
//!   traces beside them.
//!
//! # Elsewhere
//!
//! The README has the trace format and how to run other programs than those kept here.

#![forbid(unsafe_code)]

mod check;
mod interp;
mod ops;
mod parse;
mod play;
mod run;
mod runtime;
mod trace;
mod value;

pub use check::{Folder, Problem, check, programs};
pub use parse::{ParseError, Program};
pub use play::{Played, Player};
pub use run::run;

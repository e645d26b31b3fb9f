//! Signals of a process, told to any number of event loops.
//!
//! A [`Listener`] has a descriptor that becomes readable when a signal arrives that it
//! [listens](Listener::listen) for; [`take`](Listener::take) tells which. Each loop has one of its own, and
//! several may listen for the same signal.
//!
//! ```
//! # #[cfg(unix)] {
//! use ronde_signal::{Arrival, Listener, Signal};
//! # use rustix::process::{getpid, kill_process};
//!
//! let (one, two) = (Listener::new()?, Listener::new()?);
//! one.listen(Signal::USR1)?;
//! two.listen(Signal::USR1)?;
//!
//! kill_process(getpid(), rustix::process::Signal::USR1)?;
//! for listener in [one, two] {
//!     let arrivals = loop {
//!         // A loop would wait for the descriptor instead.
//!         let arrivals = listener.take();
//!         if !arrivals.is_empty() {
//!             break arrivals;
//!         }
//!     };
//!     assert_eq!(arrivals, [Arrival { signal: Signal::USR1, count: 1 }]);
//! }
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a signal does
//!
//! ```text
//!            somebody listens                          a fallback is there
//!   before <------------------> told to the listeners <-------------------> told to the fallback
//!     ^       nobody does any more                                                  |
//!     |                                                                             | once
//!     '------------------- the fallback is removed ----- the default action <-------'
//! ```
//!
//! What a signal does *before* is restored when nobody listens any more: its default action, or nothing if
//! the program, or whoever started it, has it ignored. The handler is taken away; it doesn't stay and pretend
//! to be the default.
//!
//! # Handlers of the program's own
//!
//! A program, or a library in it, may have a handler of its own for the same signal, and that is called in any case:
//!
//! - If it was there first, ours is added to it through `signal-hook`, which calls both. What happens to the
//!   signal when nobody listens here any more is what that handler does with it.
//! - If it came later, it replaces ours, and calls it if it is well-behaved, as those of `signal-hook` are. Then
//!   ours is left where it is, and does nothing when nobody listens.
//!
//! # Inside
//!
//! `table.rs` decides, under a lock, what is installed. The handler takes no lock: it looks at one state per
//! signal and at a list of mailboxes that are never freed (`mailbox.rs`), counts, and writes a byte. The
//! calls that need `unsafe` are in `sys/unix.rs`.
//!
//! # Elsewhere
//!
//! Callbacks and tasks that wait for signals are in `ronde-loop`. On Windows there is only the type
//! [`Signal`].

mod signal;

#[cfg(unix)]
mod error;

#[cfg(unix)]
mod listener;

#[cfg(unix)]
mod table;

#[cfg(unix)]
mod mailbox;

#[cfg(unix)]
mod sys;

#[cfg(unix)]
pub use error::SignalHandlerError;
#[cfg(unix)]
pub use listener::{Arrival, Listener};
pub use signal::Signal;

/// The README's example is tested too.
#[cfg(all(doctest, unix))]
#[doc = include_str!("../README.md")]
struct Readme;

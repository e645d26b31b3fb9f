//! Readiness of sockets and pipes for one event loop.
//!
//! A [`Reactor`] answers one question: on which of these descriptors is I/O worth a try now? It
//! runs nothing. It hands the listeners of what became ready to the loop, which decides when to
//! wake and call them.
//!
//! - A **source** ([`Source`]) is a descriptor or socket, registered for as long as it lives.
//! - Each of its two **directions** ([`Direction`]) has a **readiness** ([`Readiness`]): what is
//!   known about it. I/O is tried as long as it is not known to block.
//! - A **listener** ([`Listener`]) wants to know when a direction becomes ready: the waker of a
//!   task that waits once, or a callback that is told each time.
//! - A **poller** ([`Poller`]) is what the reactor waits with, the system's own or a stand-in.
//! - A **notifier** ([`Notify`]) ends the wait from another thread.
//!
//! ```
//! # #[cfg(unix)] {
//! use ronde_reactor::{Direction, Reactor, Source, default_poller};
//! use std::{io::Write, os::unix::net::UnixStream, rc::Rc};
//! use std::task::{Context, Poll, Waker};
//!
//! let reactor = Rc::new(Reactor::new(default_poller()?));
//! let (ours, mut theirs) = UnixStream::pair()?;
//! let source = Source::new(&reactor, ours)?;
//!
//! // The smallest of all loops: one task, woken by nobody because it is always polled next.
//! let mut cx = Context::from_waker(Waker::noop());
//! let mut buffer = [0; 16];
//! let mut waits = 0;
//! let received = loop {
//!     let polled = source.poll_io(Direction::Read, &mut cx, |socket| {
//!         Ok(rustix::io::read(socket, &mut buffer)?)
//!     });
//!     if let Poll::Ready(received) = polled {
//!         break received?;
//!     }
//!     theirs.write_all(b"hello")?;
//!     reactor.wait(None, &mut |listener| listener.call())?;
//!     waits += 1;
//! };
//! assert_eq!(&buffer[..received], b"hello");
//! assert_eq!(waits, 1);
//! # }
//! # std::io::Result::Ok(())
//! ```
//!
//! # Threads
//!
//! A reactor and its sources belong to one thread and are neither `Send` nor `Sync`. No method
//! takes a lock. Only the notifier leaves the thread.
//!
//! # Costs
//!
//! On Linux a message that is waited for costs the read and one `epoll_wait`; one that is there
//! already costs the read. Registration is one call to set the non-blocking mode and one to
//! register, and the first wait for *writing* is one more. Elsewhere every wait for a direction
//! is a call as well, to arm it. A source is one small allocation and a slot in the reactor's
//! table.
//!
//! # Inside
//!
//! The table has a slot per source: both readinesses, and who listens. `slots.rs` has the
//! states, and the proof that edge-triggered registration loses nothing, not after `WouldBlock`
//! and not after a short read. Keys are an index and a generation, so that an event that is
//! handled late never reaches the next source in the same slot. The poller is chosen in
//! `poller/mod.rs`, and the meaning of "descriptor" in `sys/mod.rs`; nothing else depends on the
//! platform. `--cfg ronde_portable_poller` chooses on Linux what other systems use.
//!
//! # Foreign code
//!
//! Wakers may run any code when they are cloned, woken or dropped, and so may callbacks. They are
//! always taken out of the table first, so that such code may use the reactor.
//!
//! # Elsewhere
//!
//! Timers and the turn of the loop belong to `ronde-loop`, as do `add_reader` and the transports;
//! buffers and streams to `ronde-streams`; processes to `ronde-process`.

mod source;

mod reactor;

mod readiness;

mod slots;

mod poller;

mod sys;

pub use poller::{Event, Interest, Notify, Poller, default_poller};
pub use reactor::{Listener, Reactor, Statistics};
pub use readiness::{Direction, Readiness};
pub use source::Source;
pub use sys::{AsSource, BorrowedSource, OwnedSource};

/// The README's example is tested too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

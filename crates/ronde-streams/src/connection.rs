//! A connection: what its reader and its writer share.
//!
//! ```text
//!           write_eof               all is sent
//!   Open -------------> HalfClosing ------------> HalfClosed
//!     |                      |                        |
//!     '------- close, or both halves are dropped -----'
//!                            |
//!                            v      all is sent, abort,
//!                         Closing ----------------------> Closed
//!                                   or an error
//! ```
//!
//! The phase is about sending. Receiving has its own end ([`State::ended`]), and a failure of either
//! ([`State::lost`]) ends both, with one exception: what the peer sent before it broke off can still
//! be read after a failed write, so then the socket stays open until the reader has seen its end.
//!
//! # Who sends
//!
//! ```text
//!             a write sends at once             end of the turn, nothing left
//!   Idle --------------------------> TurnEnd ------------------------------> Idle
//!     ^                                 |
//!     |  all is sent                    |  the system does not take all
//!     '------------- Writable <---------'
//! ```
//!
//! Beside these, there is `File`, while a file is sent past the output: what is written meanwhile is
//! kept, and sent after it.
//!
//! In `Idle` there is nothing to send. In `TurnEnd` something was sent in this turn, and what
//! is written now goes out at its end. In `Writable` the system takes no more: the reactor calls
//! back when it does. That callback owns the connection, so what was written is delivered also
//! when nobody else has the connection any more.
//!
//! # Foreign code
//!
//! Wakers may run anything when they are woken or dropped. So they are moved out of the state, and
//! woken or dropped when it is no longer borrowed. Closing the socket drops wakers too.

mod state;

mod reading;

mod writing;

mod ending;

mod file;

mod tls;

mod callbacks;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::fs::File;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::Waker;

use bytes::Bytes;
use futures_io::AsyncRead;
use ronde_loop::{LoopHandle, Source};
use socket2::SockRef;

use crate::sys;

use self::state::State;

pub(crate) use self::file::FileTurn;
pub(crate) use self::reading::ReadTurn;

/// Input that does not come from a source.
struct Foreign {
    input: Pin<Box<dyn AsyncRead>>,
    /// What it is read into.
    room: Box<[u8]>,
}

pub(crate) struct Connection {
    this: Weak<Self>,
    event_loop: Option<LoopHandle>,
    peer: Option<SocketAddr>,
    is_pipe: bool,
    state: RefCell<State>,
    /// Where the input comes from, if not from a source. Empty while it is polled: it is foreign code.
    foreign: RefCell<Option<Foreign>>,
    /// What a reader has lent out last: see [`lend`](Self::lend). It is in front of the input.
    lent: RefCell<Bytes>,
    /// Is a read under way? At most one can be.
    reading: Cell<bool>,
    /// How many of reader and writer are there.
    halves: Cell<u8>,
    /// Made once, for it is needed in each turn that writes.
    at_turn_end: Rc<dyn Fn()>,
    /// Called when what is known about the output has changed: see [`tell`](Self::tell).
    write_callback: RefCell<Option<Rc<dyn Fn()>>>,
}

impl Connection {
    pub(crate) fn new(
        event_loop: LoopHandle,
        source: Source,
        peer: Option<SocketAddr>,
    ) -> Rc<Self> {
        Self::make(Some(event_loop), Some(Rc::new(source)), sys::SOCKET, peer)
    }

    /// A "connection" of one direction.
    #[cfg(unix)]
    pub(crate) fn one_way(event_loop: LoopHandle, source: Source, io: sys::Io) -> Rc<Self> {
        Self::make(Some(event_loop), Some(Rc::new(source)), io, None)
    }

    /// A connection without a socket: input is fed by hand, output goes nowhere.
    pub(crate) fn fed() -> Rc<Self> {
        Self::make(None, None, sys::SOCKET, None)
    }

    /// A "connection" whose input comes from `input`, and whose output goes nowhere.
    pub(crate) fn foreign(input: Pin<Box<dyn AsyncRead>>) -> Rc<Self> {
        let connection = Self::fed();
        let room = vec![0; 8 * 1024].into_boxed_slice();
        connection.foreign.replace(Some(Foreign { input, room }));
        connection
    }

    /// A "connection" whose output is written at once, however long it takes.
    #[cfg(unix)]
    pub(crate) fn direct(event_loop: LoopHandle, file: File) -> Rc<Self> {
        let connection = Self::make(Some(event_loop), None, sys::PIPE, None);
        connection.state.borrow_mut().file = Some(file);
        connection
    }

    fn make(
        event_loop: Option<LoopHandle>,
        source: Option<Rc<Source>>,
        io: sys::Io,
        peer: Option<SocketAddr>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|this: &Weak<Self>| {
            let weak = this.clone();
            Self {
                this: this.clone(),
                event_loop,
                peer,
                is_pipe: io.is_pipe,
                state: RefCell::new(State::new(source, io)),
                foreign: RefCell::default(),
                lent: RefCell::default(),
                reading: Cell::new(false),
                halves: Cell::new(0),
                at_turn_end: Rc::new(move || {
                    if let Some(connection) = weak.upgrade() {
                        connection.turn_ends();
                    }
                }),
                write_callback: RefCell::default(),
            }
        })
    }

    /// Holds `guard` until the connection is over.
    pub(crate) fn set_guard(&self, guard: Rc<dyn Any>) {
        self.state.borrow_mut().guard = Some(guard);
    }

    /// A reader or a writer was made.
    pub(crate) fn add_half(&self) {
        self.halves.set(self.halves.get() + 1);
    }

    /// A reader or a writer was dropped. After the last one nobody could close the connection.
    pub(crate) fn drop_half(&self) {
        self.halves.set(self.halves.get() - 1);
        if self.halves.get() == 0 {
            self.close();
        }
    }
}

/// What is known about the socket.
impl Connection {
    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.with_socket(|socket| socket.local_addr().ok()?.as_socket())?
    }

    /// Calls `f` with the socket, if there is one and it is open.
    pub(crate) fn with_socket<R>(&self, f: impl FnOnce(SockRef<'_>) -> R) -> Option<R> {
        let source = self.state.borrow().source.clone()?;
        Some(f(SockRef::from(&*source)))
    }
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(state) = self.state.try_borrow() else { return f.write_str("<connection>") };
        write!(f, "<connection")?;
        if let Some(peer) = self.peer {
            write!(f, " peer={peer}")?;
        }
        write!(
            f,
            " phase={:?} input={} output={}",
            state.phase,
            state.input.len(),
            state.output.len()
        )?;
        if let Some(lost) = &state.lost {
            write!(f, " lost={lost:?}")?;
        }
        f.write_str(">")
    }
}

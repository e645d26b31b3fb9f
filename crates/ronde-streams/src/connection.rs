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

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};

use ronde_context::{Wait, decline, waiting_for};
use ronde_loop::{Direction, LoopHandle, Source};
use socket2::SockRef;

use crate::buffer::InputBuffer;
use crate::error::{Lost, ReadError};
use crate::sys;
use crate::tls::{Session, TlsInfo};

use self::state::{Flush, Phase, Received, State};

/// How often a task may receive without ever having to wait. Then it gives way once, so that a peer
/// that always has more to send does not keep all other tasks from running.
const RECEIVES_WITHOUT_WAIT: u8 = 32;

/// Writes to a connection that is gone are dropped in silence up to this many, as in asyncio
/// (`LOG_THRESHOLD_FOR_CONNLOST_WRITES`).
const SILENT_WRITES: u32 = 4;

pub(crate) struct Connection {
    this: Weak<Self>,
    event_loop: Option<LoopHandle>,
    peer: Option<SocketAddr>,
    is_pipe: bool,
    state: RefCell<State>,
    /// Is a read under way? At most one can be.
    reading: Cell<bool>,
    /// How many of reader and writer are there.
    halves: Cell<u8>,
    /// Made once, for it is needed in each turn that writes.
    at_turn_end: Rc<dyn Fn()>,
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
    pub(crate) fn pipe(event_loop: LoopHandle, source: Source) -> Rc<Self> {
        Self::make(Some(event_loop), Some(Rc::new(source)), sys::PIPE, None)
    }

    /// A connection without a socket: input is fed by hand, output goes nowhere.
    pub(crate) fn fed() -> Rc<Self> {
        Self::make(None, None, sys::SOCKET, None)
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
                reading: Cell::new(false),
                halves: Cell::new(0),
                at_turn_end: Rc::new(move || {
                    if let Some(connection) = weak.upgrade() {
                        connection.turn_ends();
                    }
                }),
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

/// Reading.
impl Connection {
    /// Begins a read, which lasts as long as the guard.
    pub(crate) fn begin_read(&self) -> Result<ReadTurn<'_>, ReadError> {
        if self.reading.replace(true) {
            return Err(ReadError::Busy);
        }
        Ok(ReadTurn(&self.reading))
    }

    pub(crate) fn is_reading(&self) -> bool {
        self.reading.get()
    }

    /// Gives the input that is there.
    pub(crate) fn with_input<R>(&self, f: impl FnOnce(&mut InputBuffer) -> R) -> R {
        f(&mut self.state.borrow_mut().input)
    }

    /// Waits for more input; `false` says that there will be none.
    pub(crate) fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let before = self.state.borrow().input.len();
        loop {
            let more = ready!(self.poll_receive(cx))?;
            if !more || self.state.borrow().input.len() > before {
                return Poll::Ready(Ok(more));
            }
        }
    }

    /// Has the input ended, and is all of it taken? Looks, but doesn't wait.
    pub(crate) fn at_eof(&self) -> bool {
        let is_unknown = {
            let state = self.state.borrow();
            let readable = state.source.as_ref().is_some_and(|it| it.is_ready(Direction::Read));
            state.input.is_empty() && state.input_end().is_none() && readable
        };
        if is_unknown {
            // A failure is kept, and the next read will tell.
            let _ = self.receive();
        }
        let state = self.state.borrow();
        state.input.is_empty() && matches!(state.input_end(), Some(Ok(())))
    }

    /// Waits until something was received, if only bytes that belong to TLS.
    fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if decline(cx) {
            return Poll::Pending;
        }
        loop {
            let source = {
                let mut state = self.state.borrow_mut();
                if let Some(end) = state.input_end() {
                    return Poll::Ready(end.map(|()| false));
                }
                if state.receives_without_wait >= RECEIVES_WITHOUT_WAIT {
                    state.receives_without_wait = 0;
                    drop(state);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                state.source.clone()
            };
            if source.as_ref().is_some_and(|source| source.is_ready(Direction::Read)) {
                match self.receive()? {
                    Received::Something | Received::Overhead => return Poll::Ready(Ok(true)),
                    Received::Nothing => {}
                }
            }
            self.keep_reader(cx);
            if let Some(source) = source {
                match source.poll_ready(Direction::Read, cx) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => continue,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(self.lose(error))),
                }
            }
            waiting_for(Wait::Leaf("a socket to be readable"));
            return Poll::Pending;
        }
    }

    /// Receives once.
    fn receive(&self) -> io::Result<Received> {
        let received = self.state.borrow_mut().receive();
        match received {
            Ok(received) => {
                if self.state.borrow().has_unsent() {
                    self.flush(Flush::Idle);
                }
                Ok(received)
            }
            Err(error) => {
                // An alert that says what was wrong goes out first.
                if self.state.borrow().has_unsent() {
                    self.flush(Flush::Idle);
                }
                Err(self.lose(error))
            }
        }
    }

    fn keep_reader(&self, cx: &Context<'_>) {
        let mut state = self.state.borrow_mut();
        state.receives_without_wait = 0;
        if !state.reader.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            let old = state.reader.replace(cx.waker().clone());
            drop(state);
            drop(old);
        }
    }

    pub(crate) fn feed_data(&self, data: &[u8]) {
        let reader = {
            let mut state = self.state.borrow_mut();
            assert!(!state.ended, "`feed_data` after `feed_eof`");
            state.input.extend(data);
            state.reader.take()
        };
        wake(reader);
    }

    pub(crate) fn feed_eof(&self) {
        let reader = {
            let mut state = self.state.borrow_mut();
            state.ended = true;
            state.reader.take()
        };
        wake(reader);
    }

    pub(crate) fn set_exception(&self, error: io::Error) {
        let reader = {
            let mut state = self.state.borrow_mut();
            state.lost = Some(Lost::new(error));
            state.ended = true;
            state.reader.take()
        };
        wake(reader);
    }

    pub(crate) fn exception(&self) -> Option<io::Error> {
        self.state.borrow().lost.as_ref().map(Lost::to_error)
    }
}

/// Writing.
impl Connection {
    /// Sends `data`, now or at the end of the turn or when the socket takes it.
    pub(crate) fn write(&self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let mut state = self.state.borrow_mut();
        if !state.takes_writes() {
            drop(state);
            return self.drop_write();
        }
        if state.tls.is_none() && state.flush == Flush::Idle {
            // The common case: nothing is in the way, and nothing needs to be copied.
            match state.send(data) {
                Ok(sent) if sent == data.len() => {
                    state.flush = Flush::TurnEnd;
                    drop(state);
                    return self.call_at_turn_end();
                }
                Ok(sent) => state.output.extend(&data[sent..]),
                Err(error) => {
                    drop(state);
                    self.lose_output(error);
                    return;
                }
            }
            drop(state);
            return self.wait_writable(Flush::TurnEnd);
        }
        state.append(data);
        self.flush_soon(state);
    }

    /// Sends all of `parts`, together.
    pub(crate) fn write_all<T: AsRef<[u8]>>(&self, parts: impl IntoIterator<Item = T>) {
        // The parts come from foreign code, which may use this very connection: so collect first.
        let mut all = Vec::new();
        for part in parts {
            all.extend_from_slice(part.as_ref());
        }
        self.write(&all);
    }

    /// Something was appended to the output.
    fn flush_soon(&self, mut state: std::cell::RefMut<'_, State>) {
        state.note_size();
        let is_idle = state.flush == Flush::Idle;
        drop(state);
        if is_idle {
            self.flush(Flush::TurnEnd);
        }
    }

    fn call_at_turn_end(&self) {
        if let Some(event_loop) = &self.event_loop {
            event_loop.call_at_turn_end(self.at_turn_end.clone());
        }
    }

    fn drop_write(&self) {
        let mut state = self.state.borrow_mut();
        state.dropped_writes = state.dropped_writes.saturating_add(1);
        if state.dropped_writes > SILENT_WRITES {
            tracing::warn!(
                target: "ronde",
                peer = self.peer.map(tracing::field::display),
                "a write to a connection that is closed or lost was dropped: see what `drain` says"
            );
        }
    }

    fn turn_ends(&self) {
        {
            let mut state = self.state.borrow_mut();
            if state.flush != Flush::TurnEnd {
                return;
            }
            if !state.has_unsent() {
                state.flush = Flush::Idle;
                return;
            }
        }
        self.flush(Flush::Idle);
    }

    /// Sends the output. When all is sent, `then` is next.
    fn flush(&self, then: Flush) {
        let sent = self.state.borrow_mut().send_output();
        match sent {
            Ok(true) => self.all_is_sent(then),
            Ok(false) => self.wait_writable(then),
            Err(error) => {
                self.lose_output(error);
            }
        }
    }

    /// The system took less than there is: has the reactor call back when it takes more.
    fn wait_writable(&self, then: Flush) {
        loop {
            let (source, waiters) = {
                let mut state = self.state.borrow_mut();
                state.flush = Flush::Writable;
                state.note_size();
                let Some(source) = state.source.clone() else { return };
                (source, state.waiters_if_resumed())
            };
            wake(waiters);
            let Some(this) = self.this.upgrade().filter(|_| self.can_wait()) else {
                let error = io::Error::other("the event loop was closed before all was sent");
                self.lose_output(error);
                return self.abort();
            };
            let callback = move || this.is_writable();
            match source.set_callback(Direction::Write, Some(Rc::new(callback))) {
                Ok(false) => return,
                Ok(true) => {}
                Err(error) => {
                    self.lose_output(error);
                    return;
                }
            }
            // It became writable in the meantime, or has an error to tell.
            let sent = self.state.borrow_mut().send_output();
            match sent {
                Ok(true) => return self.all_is_sent(then),
                Ok(false) => {}
                Err(error) => {
                    self.lose_output(error);
                    return;
                }
            }
        }
    }

    /// A loop that is closed never calls back.
    fn can_wait(&self) -> bool {
        self.event_loop.as_ref().is_some_and(|event_loop| !event_loop.is_closed())
    }

    fn is_writable(&self) {
        let sent = {
            let mut state = self.state.borrow_mut();
            if state.flush != Flush::Writable {
                return;
            }
            state.send_output()
        };
        match sent {
            Ok(true) => self.all_is_sent(Flush::Idle),
            // The callback is still set.
            Ok(false) => {
                let (source, waiters) = {
                    let state = &mut *self.state.borrow_mut();
                    (state.source.clone(), state.waiters_if_resumed())
                };
                wake(waiters);
                if source.is_some_and(|source| source.is_ready(Direction::Write)) {
                    self.wait_writable(Flush::Idle);
                }
            }
            Err(error) => {
                self.lose_output(error);
            }
        }
    }

    fn all_is_sent(&self, then: Flush) {
        let (source, was_waiting, closed, waiters) = {
            let mut state = self.state.borrow_mut();
            let was_waiting = state.flush == Flush::Writable;
            state.flush = then;
            state.paused = false;
            let source = state.source.clone();
            if state.phase == Phase::HalfClosing {
                state.phase = Phase::HalfClosed;
                state.shut_down_sending();
            }
            let closed = (state.phase == Phase::Closing).then(|| state.end());
            (source, was_waiting, closed, std::mem::take(&mut state.waiters))
        };
        if was_waiting && let Some(source) = source {
            // Removing a callback never fails.
            let _ = source.set_callback(Direction::Write, None);
        }
        drop(closed);
        wake(waiters);
        if then == Flush::TurnEnd {
            self.call_at_turn_end();
        }
    }

    /// Waits until the output is small again.
    pub(crate) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_output(cx, |state| !state.paused)
    }

    /// Waits until all output is sent.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_output(cx, |state| !state.has_unsent())
    }

    fn poll_output(
        &self,
        cx: &mut Context<'_>,
        enough: impl FnOnce(&State) -> bool,
    ) -> Poll<io::Result<()>> {
        if decline(cx) {
            return Poll::Pending;
        }
        let mut state = self.state.borrow_mut();
        if let Some(lost) = &state.lost {
            return Poll::Ready(Err(lost.to_error()));
        }
        if state.dropped_writes > 0 {
            let error =
                "the connection was closed, or its output ended, before something was written";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, error)));
        }
        if enough(&state) {
            return Poll::Ready(Ok(()));
        }
        state.add_waiter(cx);
        waiting_for(Wait::Leaf("a socket to be writable"));
        Poll::Pending
    }

    pub(crate) fn takes_writes(&self) -> bool {
        self.state.borrow().takes_writes()
    }

    pub(crate) fn buffered_output(&self) -> usize {
        self.state.borrow().output.len()
    }

    pub(crate) fn set_limits(&self, high: usize, low: usize) {
        let waiters = {
            let mut state = self.state.borrow_mut();
            (state.high_water, state.low_water) = (high, low.min(high));
            state.note_size();
            state.waiters_if_resumed()
        };
        wake(waiters);
    }

    pub(crate) fn limits(&self) -> (usize, usize) {
        let state = self.state.borrow();
        (state.high_water, state.low_water)
    }
}

/// Ends.
impl Connection {
    /// Ends the output, when all is sent.
    pub(crate) fn write_eof(&self) {
        if self.is_pipe {
            // A pipe has no other way to end.
            return self.close();
        }
        {
            let mut state = self.state.borrow_mut();
            if state.phase != Phase::Open || state.lost.is_some() {
                return;
            }
            state.say_goodbye();
            state.phase = Phase::HalfClosing;
            if state.flush == Flush::Writable {
                return;
            }
        }
        self.flush(Flush::Idle);
    }

    /// Closes the connection, when all is sent.
    pub(crate) fn close(&self) {
        let (reader, is_waiting) = {
            let mut state = self.state.borrow_mut();
            if matches!(state.phase, Phase::Closing | Phase::Closed) {
                return;
            }
            if state.lost.is_some() || state.source.is_none() {
                drop(state);
                return self.abort();
            }
            if state.phase == Phase::Open {
                state.say_goodbye();
            }
            state.phase = Phase::Closing;
            (state.reader.take(), state.flush == Flush::Writable)
        };
        wake(reader);
        if !is_waiting {
            self.flush(Flush::Idle);
        } else if !self.can_wait() {
            self.abort();
        }
    }

    /// Closes the connection now. What was not sent is dropped.
    pub(crate) fn abort(&self) {
        let (remains, reader, waiters) = {
            let mut state = self.state.borrow_mut();
            let remains = state.end();
            (remains, state.reader.take(), std::mem::take(&mut state.waiters))
        };
        drop(remains);
        wake(reader);
        wake(waiters);
    }

    /// The connection failed: nothing more can be sent or received.
    fn lose(&self, error: io::Error) -> io::Error {
        let lost = self.note_loss(error);
        self.abort();
        lost.to_error()
    }

    /// Sending failed. What the peer sent before can still be received.
    fn lose_output(&self, error: io::Error) {
        self.note_loss(error);
        let (source, waiters) = {
            let mut state = self.state.borrow_mut();
            if matches!(state.phase, Phase::Closing | Phase::Closed) {
                drop(state);
                return self.abort();
            }
            state.output.clear();
            state.flush = Flush::Idle;
            state.paused = false;
            (state.source.clone(), std::mem::take(&mut state.waiters))
        };
        if let Some(source) = source {
            // Removing a callback never fails.
            let _ = source.set_callback(Direction::Write, None);
        }
        wake(waiters);
    }

    /// The first failure is the one that is told.
    fn note_loss(&self, error: io::Error) -> Lost {
        self.state.borrow_mut().lost.get_or_insert_with(|| Lost::new(error)).clone()
    }

    /// Waits until the connection is over.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if decline(cx) {
            return Poll::Pending;
        }
        let mut state = self.state.borrow_mut();
        if let Some(lost) = &state.lost {
            return Poll::Ready(Err(lost.to_error()));
        }
        if state.phase == Phase::Closed {
            return Poll::Ready(Ok(()));
        }
        state.add_waiter(cx);
        waiting_for(Wait::Leaf("a connection to close"));
        Poll::Pending
    }

    pub(crate) fn is_closing(&self) -> bool {
        let state = self.state.borrow();
        state.lost.is_some() || matches!(state.phase, Phase::Closing | Phase::Closed)
    }

    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        let source = self.state.borrow().source.clone()?;
        SockRef::from(&*source).local_addr().ok()?.as_socket()
    }

    /// Calls `f` with the socket, if it is still open.
    pub(crate) fn with_socket<R>(&self, f: impl FnOnce(SockRef<'_>) -> R) -> Option<R> {
        let source = self.state.borrow().source.clone()?;
        Some(f(SockRef::from(&*source)))
    }
}

/// TLS.
impl Connection {
    /// Has TLS spoken from here on, and its first message sent.
    ///
    /// What was received already and not taken belongs to TLS.
    pub(crate) fn start_tls(&self, session: Session) -> io::Result<()> {
        let fed = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let early = state.input.take(state.input.len());
            let session = state.tls.insert(Box::new(session));
            let fed = session.decrypt(&early, &mut state.input, &mut state.output);
            state.note_size();
            fed
        };
        let is_waiting = self.state.borrow().flush != Flush::Idle;
        if !is_waiting {
            self.flush(Flush::Idle);
        }
        fed.map_err(|error| self.lose(error.into()))
    }

    /// Waits until the TLS handshake is over.
    pub(crate) fn poll_handshake(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let is_done = {
                let state = self.state.borrow();
                state.tls.as_ref().is_none_or(|session| !session.is_handshaking())
            };
            if is_done {
                return Poll::Ready(Ok(()));
            }
            if !ready!(self.poll_receive(cx))? {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    pub(crate) fn tls_info(&self) -> Option<TlsInfo> {
        self.state.borrow().tls.as_ref().map(|session| session.info())
    }
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

/// A read that is under way.
pub(crate) struct ReadTurn<'a>(&'a Cell<bool>);

impl Drop for ReadTurn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
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

//! What changes in the life of a connection. Nothing here runs foreign code.

use std::any::Any;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use ronde_loop::{Direction, Source, TimerHandle};
use socket2::SockRef;

use super::callbacks::News;
use crate::buffer::{InputBuffer, OutputBuffer};
use crate::constants::{HIGH_WATER, LOW_WATER};
use crate::error::Lost;
use crate::sys;
use crate::tls::Session;

/// The part of a connection that changes.
pub(super) struct State {
    /// `None` when the connection is closed, and for a reader that is fed by hand.
    pub(super) source: Option<Rc<Source>>,
    /// Where the output goes, if not to a source: it takes all at once.
    pub(super) file: Option<File>,
    /// What it is moved with.
    pub(super) io: sys::Io,
    pub(super) phase: Phase,
    pub(super) lost: Option<Lost>,
    pub(super) tls: Option<Box<Session>>,
    /// How long TLS may take to end.
    pub(super) shutdown_limit: Duration,
    /// Ends a connection that takes longer than that.
    pub(super) shutdown_timer: Option<ShutdownTimer>,

    pub(super) input: InputBuffer,
    /// The peer will send no more. What it sent may still be in `input`.
    pub(super) ended: bool,
    pub(super) receives_without_wait: u8,
    /// Whoever waits for input; the reactor has a clone. This one is for ends that we make ourselves.
    pub(super) reader: Option<Waker>,

    pub(super) output: OutputBuffer,
    /// Invariant: `Idle` only if there is no output.
    pub(super) flush: Flush,
    pub(super) high_water: usize,
    pub(super) low_water: usize,
    /// The output exceeded `high_water` and has not fallen to `low_water` since.
    pub(super) paused: bool,
    /// Whoever waits for the output to shrink, or for the end. All are woken at each such change.
    pub(super) waiters: Vec<Waker>,
    /// How many writes were dropped because the connection was closed or lost.
    pub(super) dropped_writes: u32,

    /// What the writer's callback was told last.
    pub(super) told: News,

    /// Dropped when the connection is over: it counts the connections of a server.
    pub(super) guard: Option<Rc<dyn Any>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    HalfClosing,
    HalfClosed,
    Closing,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    Idle,
    TurnEnd,
    Writable,
    File,
}

/// What one try to receive came to.
pub(super) enum Received {
    /// More input, or the end of it.
    Something,
    /// Only bytes that belong to TLS.
    Overhead,
    /// The system has nothing.
    Nothing,
}

/// What there was to throw away.
pub(super) enum Discarded {
    /// What was there is thrown away, and if there is more, the reactor will say so.
    All,
    /// The peer has ended the connection.
    End,
}

impl State {
    pub(super) fn new(source: Option<Rc<Source>>, io: sys::Io) -> Self {
        Self {
            source,
            file: None,
            io,
            phase: Phase::Open,
            lost: None,
            tls: None,
            shutdown_limit: Duration::MAX,
            shutdown_timer: None,
            input: InputBuffer::new(),
            ended: false,
            receives_without_wait: 0,
            reader: None,
            output: OutputBuffer::default(),
            flush: Flush::Idle,
            high_water: HIGH_WATER,
            low_water: LOW_WATER,
            paused: false,
            waiters: Vec::new(),
            dropped_writes: 0,
            told: News::default(),
            guard: None,
        }
    }

    /// How the input has ended, if it has.
    pub(super) fn input_end(&self) -> Option<io::Result<()>> {
        let is_closed = matches!(self.phase, Phase::Closing | Phase::Closed);
        if !self.ended && !is_closed {
            return None;
        }
        match &self.lost {
            // Sending failed with "broken pipe" if the peer had ended its output in good order
            // before it broke off (`tcp_reset` in Linux' net/ipv4/tcp_input.c): all has been read.
            Some(lost) if !(self.ended && lost.kind() == io::ErrorKind::BrokenPipe) => {
                Some(Err(lost.to_error()))
            }
            _ => Some(Ok(())),
        }
    }

    pub(super) fn receive(&mut self) -> io::Result<Received> {
        let Some(source) = &self.source else { return Ok(Received::Nothing) };
        self.receives_without_wait += 1;
        let received = match &mut self.tls {
            None => receive_plain(source, self.io, &mut self.input),
            Some(session) => receive_tls(source, session, &mut self.input, &mut self.output),
        };
        match received {
            Ok((0, _)) => {
                if self.tls.as_ref().is_some_and(|session| !session.is_closed_by_peer()) {
                    let error = "the peer ended the connection without a TLS close notification";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
                }
                self.ended = true;
                Ok(Received::Something)
            }
            Ok((_, 0)) => {
                self.ended |= self.tls.as_ref().is_some_and(|session| session.is_closed_by_peer());
                Ok(if self.ended { Received::Something } else { Received::Overhead })
            }
            Ok(_) => {
                self.ended |= self.tls.as_ref().is_some_and(|session| session.is_closed_by_peer());
                Ok(Received::Something)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Nothing),
            Err(error) => Err(error),
        }
    }

    pub(super) fn takes_writes(&self) -> bool {
        self.phase == Phase::Open
            && self.lost.is_none()
            && (self.source.is_some() || self.file.is_some())
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.output.is_empty()
    }

    /// Sends as much of `data` as the system takes, maybe nothing.
    pub(super) fn send(&self, data: &[u8]) -> io::Result<usize> {
        if let Some(file) = &self.file {
            return write_file(file, data);
        }
        let Some(source) = &self.source else { return Ok(0) };
        let sent = source.try_io(Direction::Write, |source| (self.io.send)(source, data));
        note_sent(source, sent, data.len())
    }

    /// The same for data in parts.
    pub(super) fn send_parts(&self, parts: &[IoSlice<'_>], size: usize) -> io::Result<usize> {
        let Some(source) = &self.source else { return Ok(0) };
        let sent = source.try_io(Direction::Write, |source| (self.io.send_parts)(source, parts));
        note_sent(source, sent, size)
    }

    /// Sends as much of the output as the system takes, and says whether that was all.
    pub(super) fn send_output(&mut self) -> io::Result<bool> {
        if !self.output.is_empty() {
            let sent = self.send(self.output.data())?;
            self.output.advance(sent);
            self.note_size();
        }
        Ok(self.output.is_empty())
    }

    pub(super) fn append(&mut self, data: &[u8]) {
        match &mut self.tls {
            None => self.output.extend(data),
            Some(session) => session.encrypt(data, &mut self.output),
        }
    }

    pub(super) fn note_size(&mut self) {
        let size = self.output.len();
        if size > self.high_water {
            self.paused = true;
        } else if size <= self.low_water {
            self.paused = false;
        }
    }

    pub(super) fn waiters_if_resumed(&mut self) -> Vec<Waker> {
        if self.paused { Vec::new() } else { std::mem::take(&mut self.waiters) }
    }

    pub(super) fn add_waiter(&mut self, cx: &Context<'_>) {
        if !self.waiters.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiters.push(cx.waker().clone());
        }
    }

    /// Tells the peer, where the protocol has words for it, that this was all.
    pub(super) fn say_goodbye(&mut self) {
        if let Some(session) = &mut self.tls {
            session.close_notify(&mut self.output);
        }
    }

    pub(super) fn shut_down_sending(&self) {
        if let Some(source) = &self.source {
            // Fails only if the connection is gone already, of which the next read tells.
            let _ = SockRef::from(&**source).shutdown(Shutdown::Write);
        }
    }

    /// May the peer have something to say still, so that it matters how the socket is closed?
    ///
    /// A socket that is closed with bytes in it that nobody has read tells the peer of a failure, and
    /// the peer's system throws away what the peer has not read yet. Over TLS there may always be
    /// such bytes: a server sends tickets to a client that never reads.
    pub(super) fn must_linger(&self) -> bool {
        let spoke_tls = self.tls.as_ref().is_some_and(|session| !session.is_handshaking());
        spoke_tls && !self.ended && self.lost.is_none() && self.source.is_some()
    }

    /// Receives and throws away.
    pub(super) fn discard(&self) -> io::Result<Discarded> {
        /// So often, before others have their turn.
        const TIMES: usize = 16;
        let Some(source) = &self.source else { return Ok(Discarded::End) };
        with_scratch(|scratch| {
            for _ in 0..TIMES {
                match source.try_io(Direction::Read, |io| (self.io.receive)(io, scratch)) {
                    Ok(0) => return Ok(Discarded::End),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Discarded::All);
                    }
                    Err(error) => return Err(error),
                }
            }
            source.recheck(Direction::Read)?;
            Ok(Discarded::All)
        })
    }

    /// Ends the connection, and returns what is to be dropped when the state is free.
    pub(super) fn end(&mut self) -> impl Sized + use<> {
        self.phase = Phase::Closed;
        self.flush = Flush::Idle;
        self.paused = false;
        self.output.clear();
        (self.source.take(), self.file.take(), self.guard.take(), self.shutdown_timer.take())
    }
}

/// Cancelled when it is dropped.
pub(super) struct ShutdownTimer(pub(super) TimerHandle);

impl Drop for ShutdownTimer {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Receives once, and returns the number of bytes twice: as received, and as input.
fn receive_plain(
    source: &Source,
    io: sys::Io,
    input: &mut InputBuffer,
) -> io::Result<(usize, usize)> {
    let room = input.room();
    let size = room.len();
    let received = source.try_io(Direction::Read, |source| (io.receive)(source, room))?;
    if received < size && io.short_is_all {
        source.clear_ready(Direction::Read);
    }
    input.fill(received);
    Ok((received, received))
}

/// Receives once, and returns how many bytes that were, and how many bytes of input came of it.
fn receive_tls(
    source: &Source,
    session: &mut Session,
    input: &mut InputBuffer,
    output: &mut OutputBuffer,
) -> io::Result<(usize, usize)> {
    with_scratch(|scratch| {
        let received = source.try_io(Direction::Read, |io| (sys::SOCKET.receive)(io, scratch))?;
        if received < scratch.len() {
            source.clear_ready(Direction::Read);
        }
        let before = input.len();
        session.decrypt(&scratch[..received], input, output)?;
        Ok((received, input.len() - before))
    })
}

/// Lends memory for what doesn't stay in it.
fn with_scratch<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    /// A few records of the largest size.
    const ROOM: usize = 4 * 16 * 1024;
    thread_local! {
        /// One buffer serves all connections.
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.resize(ROOM, 0);
        f(scratch)
    })
}

/// What a try to send `size` bytes came to: as many as the system took, maybe none.
fn note_sent(source: &Source, sent: io::Result<usize>, size: usize) -> io::Result<usize> {
    match sent {
        Ok(sent) => {
            if sent < size {
                source.clear_ready(Direction::Write);
            }
            Ok(sent)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(error),
    }
}

/// Writes all, and waits if need be.
fn write_file(mut file: &File, data: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < data.len() {
        match file.write(&data[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Somebody else who has the same open file has made it non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sys::wait_writable(file)?,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

//! The ways in which a connection ends.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use ronde_context::{Wait, decline, waiting_for};
use ronde_loop::Direction;

use super::state::{Discarded, Flush, Phase, ShutdownTimer};
use super::{Connection, wake};
use crate::error::Lost;

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
            if matches!(state.flush, Flush::Writable | Flush::File) {
                return;
            }
        }
        self.flush(Flush::Idle);
    }

    /// In debug mode, tells of a writer that is dropped too early. The same is a `ResourceWarning` in
    /// asyncio.
    pub(crate) fn writer_is_dropped(&self) {
        let Some(event_loop) = &self.event_loop else { return };
        event_loop.warn_in_debug(|| {
            let state = self.state.borrow();
            if state.lost.is_some() || state.source.is_none() {
                return None;
            }
            let unsent = state.output.len();
            match state.phase {
                Phase::Open => Some("a stream was dropped, and nobody had closed it".to_owned()),
                Phase::HalfClosing | Phase::Closing if unsent > 0 => Some(format!(
                    "a stream was dropped before the last {unsent} bytes were sent: \
                     `wait_closed` says when they are"
                )),
                _ => None,
            }
            .map(|what| format!("{what}: {self:?}"))
        });
    }

    /// Closes the connection, when all is sent.
    pub(crate) fn close(&self) {
        let (reader, is_waiting) = {
            let mut state = self.state.borrow_mut();
            if matches!(state.phase, Phase::Closing | Phase::Closed) {
                return;
            }
            if state.lost.is_some() || (state.source.is_none() && state.file.is_none()) {
                drop(state);
                return self.abort();
            }
            if state.phase == Phase::Open {
                state.say_goodbye();
            }
            state.phase = Phase::Closing;
            (state.reader.take(), matches!(state.flush, Flush::Writable | Flush::File))
        };
        wake(reader);
        self.limit_shutdown();
        if !is_waiting {
            self.flush(Flush::Idle);
        } else if !self.can_wait() {
            self.abort();
        }
    }

    /// TLS has a limit for its end.
    fn limit_shutdown(&self) {
        let limit = {
            let state = self.state.borrow();
            state.tls.is_some().then_some(state.shutdown_limit)
        };
        if let (Some(limit), Some(event_loop)) = (limit, &self.event_loop)
            && !event_loop.is_closed()
        {
            let this = self.this.clone();
            let timer = event_loop.call_later(limit, move || {
                if let Some(this) = this.upgrade() {
                    this.shutdown_is_late();
                }
            });
            let timer = Some(ShutdownTimer(timer));
            let _none = std::mem::replace(&mut self.state.borrow_mut().shutdown_timer, timer);
        }
    }

    fn shutdown_is_late(&self) {
        let (unsent, limit) = {
            let state = self.state.borrow();
            (state.output.len(), state.shutdown_limit)
        };
        if unsent == 0 {
            // All was sent. The peer only did not say that it has ended, too.
            return self.abort();
        }
        let error = format!("closing TLS took longer than {limit:?}: {unsent} bytes were not sent");
        self.lose(io::Error::new(io::ErrorKind::TimedOut, error));
    }

    /// All is sent, and the connection is closing: waits for the peer to end it as well.
    pub(super) fn linger(&self) {
        let Some(source) = self.state.borrow().source.clone() else { return };
        let Some(this) = self.this.upgrade().filter(|_| self.can_wait()) else {
            return self.abort();
        };
        let callback = move || this.discard();
        match source.set_callback(Direction::Read, Some(Rc::new(callback))) {
            Ok(_) => self.discard(),
            Err(_) => self.abort(),
        }
    }

    fn discard(&self) {
        let discarded = self.state.borrow().discard();
        // Whatever is wrong with what nobody wants to have: this is the end.
        if !matches!(discarded, Ok(Discarded::All)) {
            let source = self.state.borrow().source.clone();
            if let Some(source) = source {
                // It owns the connection. Removing a callback never fails.
                let _ = source.set_callback(Direction::Read, None);
            }
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
        self.tell();
    }

    /// The connection failed: nothing more can be sent or received.
    pub(super) fn lose(&self, error: io::Error) -> io::Error {
        let lost = self.note_loss(error);
        self.abort();
        lost.to_error()
    }

    /// Sending failed. What the peer sent before can still be received.
    pub(super) fn lose_output(&self, error: io::Error) {
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
        self.tell();
    }

    /// The first failure is the one that is told.
    pub(super) fn note_loss(&self, error: io::Error) -> Lost {
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
}

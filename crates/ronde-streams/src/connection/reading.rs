//! Receiving, and what is fed by hand.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use ronde_context::{Wait, decline, waiting_for};
use ronde_loop::Direction;

use super::state::{Flush, Received};
use super::{Connection, Foreign, wake};
use crate::buffer::InputBuffer;
use crate::error::{Lost, ReadError};

/// How often a task may receive without ever having to wait. Then it gives way once, so that a peer
/// that always has more to send does not keep all other tasks from running.
const RECEIVES_WITHOUT_WAIT: u8 = 32;

impl Connection {
    /// Begins a read, which lasts as long as the guard.
    pub(crate) fn begin_read(&self) -> Result<ReadTurn<'_>, ReadError> {
        if self.reading.replace(true) {
            return Err(ReadError::Busy);
        }
        self.take_lent_back();
        Ok(ReadTurn(&self.reading))
    }

    pub(crate) fn is_reading(&self) -> bool {
        self.reading.get()
    }

    /// Gives the input that is there.
    pub(crate) fn with_input<R>(&self, f: impl FnOnce(&mut InputBuffer) -> R) -> R {
        f(&mut self.state.borrow_mut().input)
    }

    /// Takes all input out, to be lent. It counts as input until it is consumed: the next read has it,
    /// and so does TLS if it begins.
    pub(crate) fn lend(&self) -> Bytes {
        let lent = self.with_input(|input| input.take(input.len()));
        self.lent.replace(lent.clone());
        lent
    }

    /// The first `count` bytes of what was lent are taken.
    pub(crate) fn consume(&self, count: usize) {
        let _consumed = self.lent.borrow_mut().split_to(count);
    }

    /// Is something lent out?
    pub(crate) fn has_lent(&self) -> bool {
        !self.lent.borrow().is_empty()
    }

    pub(super) fn take_lent_back(&self) {
        let lent = self.lent.take();
        if !lent.is_empty() {
            self.with_input(|input| input.put_back(&lent));
        }
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
    pub(super) fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
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
            if source.is_none()
                && let Some(foreign) = self.foreign.take()
            {
                return self.poll_foreign(foreign, cx);
            }
            if source.as_ref().is_some_and(|source| source.is_ready(Direction::Read)) {
                match self.receive()? {
                    Received::Something | Received::Overhead => return Poll::Ready(Ok(true)),
                    Received::Nothing => {}
                }
            }
            self.keep_reader(cx);
            let mut wait = Wait::Leaf("input of a stream");
            if let Some(source) = source {
                match source.poll_ready(Direction::Read, cx) {
                    Poll::Pending => wait = source.wait(Direction::Read),
                    Poll::Ready(Ok(())) => continue,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(self.lose(error))),
                }
            }
            waiting_for(wait);
            return Poll::Pending;
        }
    }

    /// Reads from what is not a source, which is foreign code.
    fn poll_foreign(&self, mut foreign: Foreign, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Foreign { input, room } = &mut foreign;
        let polled = catch_unwind(AssertUnwindSafe(|| input.as_mut().poll_read(cx, room)));
        let polled = polled.unwrap_or_else(|panic| {
            // Whoever reads next must hear of it, too, rather than wait for ever.
            self.lose(io::Error::other("what the stream reads from has panicked"));
            resume_unwind(panic)
        });
        let mut state = self.state.borrow_mut();
        let polled = match polled {
            Poll::Pending => {
                drop(state);
                self.keep_reader(cx);
                Poll::Pending
            }
            Poll::Ready(Ok(0)) => {
                state.ended = true;
                Poll::Ready(Ok(false))
            }
            Poll::Ready(Ok(count)) => {
                state.receives_without_wait += 1;
                state.input.extend(&room[..count]);
                Poll::Ready(Ok(true))
            }
            Poll::Ready(Err(error)) => {
                drop(state);
                return Poll::Ready(Err(self.lose(error)));
            }
        };
        self.foreign.replace(Some(foreign));
        polled
    }

    /// Receives once.
    pub(super) fn receive(&self) -> io::Result<Received> {
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

    pub(super) fn keep_reader(&self, cx: &Context<'_>) {
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

/// A read that is under way.
pub(crate) struct ReadTurn<'a>(&'a Cell<bool>);

impl Drop for ReadTurn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

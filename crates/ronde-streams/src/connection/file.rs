//! Sending a file past the output.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use ronde_loop::{LoopHandle, Source};

use super::Connection;
use super::state::{Flush, Phase, State};

impl Connection {
    /// Waits until all output is sent, and keeps what is written from then on until the result is dropped.
    ///
    /// `None` says that the output doesn't go straight to a socket.
    pub(crate) fn poll_begin_file(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<FileTurn<'_>>>> {
        let flushed = std::task::ready!(self.poll_flush(cx));
        let mut state = self.state.borrow_mut();
        flushed?;
        if !state.takes_writes() {
            return Poll::Ready(Err(closed()));
        }
        let Some((event_loop, source)) = self.plain_socket(&state) else {
            return Poll::Ready(Ok(None));
        };
        if state.flush == Flush::File {
            let error = "another file is being sent over this connection";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ResourceBusy, error)));
        }
        state.flush = Flush::File;
        Poll::Ready(Ok(Some(FileTurn { connection: self, event_loop, source })))
    }

    fn plain_socket(&self, state: &State) -> Option<(LoopHandle, Rc<Source>)> {
        if self.is_pipe || state.tls.is_some() {
            return None;
        }
        Some((self.event_loop.clone()?, state.source.clone()?))
    }

    /// Ready if the connection is over, so that nothing can be sent any more.
    pub(crate) fn poll_lost(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut state = self.state.borrow_mut();
        if let Some(lost) = &state.lost {
            return Poll::Ready(lost.to_error());
        }
        if state.phase == Phase::Closed {
            return Poll::Ready(closed());
        }
        state.add_waiter(cx);
        Poll::Pending
    }
}

/// While it lives, a file is sent.
pub(crate) struct FileTurn<'a> {
    connection: &'a Connection,
    pub(crate) event_loop: LoopHandle,
    pub(crate) source: Rc<Source>,
}

impl Drop for FileTurn<'_> {
    fn drop(&mut self) {
        let is_waited_for = {
            let mut state = self.connection.state.borrow_mut();
            if state.flush != Flush::File {
                // The connection was aborted.
                return;
            }
            state.flush = Flush::Idle;
            state.has_unsent() || state.phase != Phase::Open
        };
        if is_waited_for {
            self.connection.flush(Flush::Idle);
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the connection is closed, or its output has ended")
}

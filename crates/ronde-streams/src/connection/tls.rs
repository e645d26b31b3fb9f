//! TLS on a connection.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Connection;
use super::state::Flush;
use crate::tls::{Session, TlsInfo};

impl Connection {
    /// Has TLS spoken from here on, and its first message sent.
    ///
    /// What was received already and not taken belongs to TLS.
    pub(crate) fn start_tls(&self, session: Session, shutdown_limit: Duration) -> io::Result<()> {
        self.take_lent_back();
        let fed = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            if !state.takes_writes() {
                let error = "the connection is closed, or its output has ended";
                return Err(io::Error::new(io::ErrorKind::NotConnected, error));
            }
            state.shutdown_limit = shutdown_limit;
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

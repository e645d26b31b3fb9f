//! TLS, through rustls.
//!
//! A [`Session`] is a state machine without I/O: what was received goes in, input comes out, and what
//! is to be sent is appended to the connection's output. It sits between the buffers of a connection
//! and its socket, and needs no task of its own.

mod client;
mod der;
mod error;
mod info;
mod server;
mod trusted;
mod verifier;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;

use crate::buffer::{InputBuffer, OutputBuffer};
use crate::constants::{TLS_HANDSHAKE_TIMEOUT, TLS_SHUTDOWN_TIMEOUT};

pub(crate) use client::Prepared;
pub use client::TlsOptions;
pub use error::TlsError;
pub use info::TlsInfo;
pub use server::TlsServerOptions;

/// How long the parts of a TLS connection may take. The defaults are asyncio's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TlsLimits {
    pub(crate) handshake: Duration,
    pub(crate) shutdown: Duration,
}

impl Default for TlsLimits {
    fn default() -> Self {
        Self { handshake: TLS_HANDSHAKE_TIMEOUT, shutdown: TLS_SHUTDOWN_TIMEOUT }
    }
}

/// One side of a TLS connection.
pub(crate) struct Session {
    rustls: rustls::Connection,
    is_closed_by_peer: bool,
}

impl Session {
    pub(crate) fn new(rustls: impl Into<rustls::Connection>) -> Self {
        let mut rustls = rustls.into();
        // How much may be buffered is `drain`'s concern, not rustls'.
        rustls.set_buffer_limit(None);
        Self { rustls, is_closed_by_peer: false }
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.rustls.is_handshaking()
    }

    /// Has the peer said that it will send no more?
    pub(crate) fn is_closed_by_peer(&self) -> bool {
        self.is_closed_by_peer
    }

    /// Takes in what was received. If it is wrong, the alert that tells the peer is in `output`.
    pub(crate) fn decrypt(
        &mut self,
        mut received: &[u8],
        input: &mut InputBuffer,
        output: &mut OutputBuffer,
    ) -> Result<(), TlsError> {
        let outcome = loop {
            if received.is_empty() {
                break Ok(());
            }
            match self.decrypt_some(&mut received, input) {
                Ok(()) if self.is_closed_by_peer => break Ok(()),
                Ok(()) => {}
                Err(error) => break Err(error),
            }
        };
        self.collect(output);
        outcome
    }

    fn decrypt_some(
        &mut self,
        received: &mut &[u8],
        input: &mut InputBuffer,
    ) -> Result<(), TlsError> {
        self.rustls.read_tls(received).map_err(TlsError::from_io)?;
        let state = self.rustls.process_new_packets()?;
        let mut left = state.plaintext_bytes_to_read();
        while left > 0 {
            let room = input.room();
            let size = left.min(room.len());
            self.rustls.reader().read_exact(&mut room[..size]).map_err(TlsError::from_io)?;
            input.fill(size);
            left -= size;
        }
        self.is_closed_by_peer = state.peer_has_closed();
        Ok(())
    }

    /// Appends `data`, encrypted, to the output. During the handshake it is kept until its end.
    pub(crate) fn encrypt(&mut self, data: &[u8], output: &mut OutputBuffer) {
        // It goes to memory, and there is no limit.
        let written = self.rustls.writer().write_all(data);
        debug_assert!(written.is_ok(), "{written:?}");
        self.collect(output);
    }

    /// Appends what tells the peer that there will be no more.
    pub(crate) fn close_notify(&mut self, output: &mut OutputBuffer) {
        self.rustls.send_close_notify();
        self.collect(output);
    }

    /// Appends whatever rustls wants sent.
    pub(crate) fn collect(&mut self, output: &mut OutputBuffer) {
        while self.rustls.wants_write() {
            // It goes to memory.
            let written = self.rustls.write_tls(output);
            debug_assert!(written.is_ok(), "{written:?}");
        }
    }

    pub(crate) fn info(&self) -> TlsInfo {
        TlsInfo::of(&self.rustls)
    }
}

/// ring, said explicitly: the process' default may be something else, or nothing.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl From<TlsError> for io::Error {
    /// The kind is [`InvalidData`](io::ErrorKind::InvalidData).
    fn from(error: TlsError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

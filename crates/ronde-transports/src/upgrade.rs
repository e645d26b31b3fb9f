//! Changing to TLS on a transport that is in use.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use ronde_streams::{ConnectError, StartTls, TlsOptions, TlsServerOptions};

use crate::transport::Transport;

/// A change to TLS that is yet to be made: see [`Transport::start_tls`] and [`Transport::accept_tls`].
#[must_use = "TLS begins when it is awaited"]
pub struct UpgradeToTls {
    /// `None` for a pipe's end for reading.
    start: Option<StartTls>,
    upgrading: Upgrading,
}

/// Keeps the transport from reading.
struct Upgrading(Transport);

impl Drop for Upgrading {
    fn drop(&mut self) {
        self.0.link().end_upgrade();
    }
}

impl UpgradeToTls {
    pub(crate) fn client(transport: &Transport, options: TlsOptions) -> Self {
        let start = transport.link().writer().map(|writer| writer.start_tls(options));
        Self::of(transport, start)
    }

    pub(crate) fn server(transport: &Transport, options: TlsServerOptions) -> Self {
        let start = transport.link().writer().map(|writer| writer.accept_tls(options));
        Self::of(transport, start)
    }

    fn of(transport: &Transport, start: Option<StartTls>) -> Self {
        transport.link().begin_upgrade();
        Self { start, upgrading: Upgrading(transport.clone()) }
    }

    /// How long the handshake may take. Default: 60 s.
    #[doc(alias = "ssl_handshake_timeout")]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.start = self.start.map(|start| start.handshake_timeout(limit));
        self
    }

    /// How long TLS may take to end after a close. Default: 30 s. See
    /// [`OpenConnection::tls_shutdown_timeout`](ronde_streams::OpenConnection::tls_shutdown_timeout).
    #[doc(alias = "ssl_shutdown_timeout")]
    pub fn shutdown_timeout(mut self, limit: Duration) -> Self {
        self.start = self.start.map(|start| start.shutdown_timeout(limit));
        self
    }

    async fn run(self) -> Result<(), ConnectError> {
        let Self { start, upgrading } = self;
        let Some(start) = start else {
            let source = io::Error::from(io::ErrorKind::Unsupported);
            return Err(ConnectError::Io { doing: "speaking TLS over a pipe", source });
        };
        let outcome = start.await;
        if let Err(error) = &outcome
            && upgrading.0.link().writer().is_some_and(|writer| writer.is_closed())
        {
            upgrading.0.link().fail(io::Error::new(io::ErrorKind::InvalidData, error.to_string()));
        }
        outcome
    }
}

impl IntoFuture for UpgradeToTls {
    type Output = Result<(), ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for UpgradeToTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeToTls").field("transport", &self.upgrading.0).finish_non_exhaustive()
    }
}

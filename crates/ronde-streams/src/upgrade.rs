//! TLS on a connection: the handshake, and upgrades of connections that are in use.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use ronde_loop::{LoopHandle, get_running_loop, timeout};

use crate::connect::Name;
use crate::connection::Connection;
use crate::error::ConnectError;
use crate::tls::{Prepared, Session, TlsError, TlsLimits, TlsOptions, TlsServerOptions};

/// Loads what the options name, and checks all that can be checked without the peer.
pub(crate) async fn prepare(
    options: &TlsOptions,
    event_loop: &LoopHandle,
    name: &Name,
) -> Result<Prepared, ConnectError> {
    let prepared = options.prepare(event_loop, name.host.as_deref()).await;
    prepared.map_err(|source| ConnectError::Tls { host: name.shown.clone(), source })
}

impl Prepared {
    /// Makes the session of one connection.
    pub(crate) fn session(self, shown: &str) -> Result<Session, ConnectError> {
        self.connect().map_err(|source| ConnectError::Tls { host: shown.to_owned(), source })
    }
}

pub(crate) async fn shake_hands(
    connection: &Connection,
    session: Session,
    host: String,
    limits: TlsLimits,
) -> Result<(), ConnectError> {
    let handshake = async {
        connection.start_tls(session, limits.shutdown)?;
        poll_fn(|cx| connection.poll_handshake(cx)).await
    };
    match timeout(limits.handshake, handshake).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(ConnectError::Tls { host, source: TlsError::from_io(error) }),
        Err(_) => Err(ConnectError::HandshakeTimeout { host, limit: limits.handshake }),
    }
}

/// An upgrade that is yet to be made: see [`StreamWriter::start_tls`](crate::StreamWriter::start_tls) and
/// [`StreamWriter::accept_tls`](crate::StreamWriter::accept_tls).
#[must_use = "TLS begins when it is awaited"]
pub struct StartTls {
    connection: Rc<Connection>,
    side: Side,
    limits: TlsLimits,
}

#[derive(Debug)]
enum Side {
    Client(TlsOptions),
    Server(TlsServerOptions),
}

impl StartTls {
    pub(crate) fn client(connection: Rc<Connection>, options: TlsOptions) -> Self {
        Self { connection, side: Side::Client(options), limits: TlsLimits::default() }
    }

    pub(crate) fn server(connection: Rc<Connection>, options: TlsServerOptions) -> Self {
        Self { connection, side: Side::Server(options), limits: TlsLimits::default() }
    }

    /// How long the handshake may take. Default: 60 s.
    #[doc(alias = "ssl_handshake_timeout")]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.limits.handshake = limit;
        self
    }

    /// How long TLS may take to end after a close. Default: 30 s. See
    /// [`OpenConnection::tls_shutdown_timeout`](crate::OpenConnection::tls_shutdown_timeout).
    #[doc(alias = "ssl_shutdown_timeout")]
    pub fn shutdown_timeout(mut self, limit: Duration) -> Self {
        self.limits.shutdown = limit;
        self
    }

    async fn run(self) -> Result<(), ConnectError> {
        let connection = &*self.connection;
        let name = Name::of_peer(connection.peer_addr());
        let fail = |source| ConnectError::Tls { host: name.shown.clone(), source };
        if connection.tls_info().is_some() {
            return Err(fail(TlsError::AlreadyStarted));
        }
        // Nobody reads until the end: all that arrives is TLS'.
        let Ok(_turn) = connection.begin_read() else { return Err(ConnectError::Busy) };
        let upgrade = Upgrade(Some(connection));
        let session = match &self.side {
            Side::Client(options) => {
                let event_loop =
                    get_running_loop().expect("connections belong to a running event loop");
                let prepared = prepare(options, &event_loop, &name).await?;
                // A server speaks TLS only when it is spoken to, so this would be somebody's who slipped
                // it in before, to be taken for an answer that came over TLS.
                let early = connection.with_input(|input| input.len());
                if early > 0 {
                    return Err(fail(TlsError::EarlyPlaintext { bytes: early }));
                }
                prepared.session(&name.shown)?
            }
            Side::Server(options) => options.session().map_err(fail)?,
        };
        shake_hands(connection, session, name.shown, self.limits).await?;
        upgrade.succeed();
        Ok(())
    }
}

impl IntoFuture for StartTls {
    type Output = Result<(), ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for StartTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartTls").field("side", &self.side).finish_non_exhaustive()
    }
}

/// An upgrade that is under way. If it does not succeed, the connection is of no use.
struct Upgrade<'a>(Option<&'a Connection>);

impl Upgrade<'_> {
    fn succeed(mut self) {
        self.0 = None;
    }
}

impl Drop for Upgrade<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            connection.abort();
        }
    }
}

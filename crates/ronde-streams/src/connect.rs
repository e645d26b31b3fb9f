//! Opening connections.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use ronde_loop::{LoopHandle, OwnedSource, Source, get_running_loop, timeout};
use socket2::SockRef;

use crate::connection::Connection;
use crate::error::ConnectError;
use crate::happy_eyeballs;
use crate::reader::{DEFAULT_LIMIT, StreamReader};
use crate::tls::{Session, TlsError, TlsOptions, TlsServerOptions};
use crate::writer::StreamWriter;

/// How long a TLS handshake may take by default.
pub(crate) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);

/// Connects to a host over TCP, and over TLS if asked to.
///
/// The name is resolved on another thread. If it has several addresses, they are tried as RFC 8305
/// ("Happy Eyeballs") has it: the families alternate, an attempt that is slow gets company after a
/// [delay](OpenConnection::happy_eyeballs_delay), one that fails is followed at once, the first that
/// succeeds wins, and the others are closed.
///
/// `host` is a name or an address; an IPv6 address may be in brackets. Await the result, after
/// setting options if need be.
///
/// # Errors
///
/// - [`ConnectError::Resolve`] if the name can't be resolved.
/// - [`ConnectError::Connect`] if no address could be connected to. It has what became of each.
/// - [`ConnectError::Tls`] and [`ConnectError::HandshakeTimeout`], with
///   [`tls`](OpenConnection::tls) only.
/// - [`ConnectError::Io`] if the system refuses something else.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** Dropped before its end, it leaves no connection behind.
///
/// # In asyncio
///
/// `asyncio.open_connection`. There, Happy Eyeballs is off by default.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_streams::{ConnectError, open_connection};
///
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// # EventLoop::new()?.run_until_complete(async move {
/// let (reader, writer) = open_connection("localhost", port).limit(1024).await?;
/// assert_eq!(writer.peer_addr().unwrap().port(), port);
/// assert_eq!(reader.limit(), 1024);
///
/// # drop(listener);
/// let error = open_connection("127.0.0.1", port).await.unwrap_err();
/// let expected = format!("connecting to 127.0.0.1:{port}: 127.0.0.1:{port}: Connection refused");
/// assert_eq!(error.to_string(), expected);
/// # Ok::<(), ConnectError>(())
/// # })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "create_connection")]
pub fn open_connection(host: impl Into<String>, port: u16) -> OpenConnection {
    OpenConnection::to(Target::Host(host.into(), port))
}

/// Makes a reader and a writer for a socket that is connected already.
///
/// Any stream socket will do, a Unix socket too. It is put into non-blocking mode. Await the result,
/// after setting options if need be; without TLS it doesn't wait.
///
/// # Errors
///
/// - [`ConnectError::Io`] if the loop can't wait for it.
/// - With [`tls`](OpenConnection::tls), as [`open_connection`]; it needs a
///   [`server_name`](TlsOptions::server_name).
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// Dropped before its end, it closes the socket.
///
/// # In asyncio
///
/// `asyncio.open_connection(sock=...)`.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// # use ronde_loop::EventLoop;
/// # use std::os::unix::net::UnixStream;
/// use ronde_streams::from_socket;
///
/// # EventLoop::new()?.run_until_complete(async {
/// let (ours, theirs) = UnixStream::pair()?;
/// let (_, writer) = from_socket(ours).await?;
/// let (reader, _writer) = from_socket(theirs).await?;
/// writer.write("hello");
/// assert_eq!(reader.readexactly(5).await.unwrap(), "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?.unwrap();
/// # }
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[doc(alias = "connect_accepted_socket")]
pub fn from_socket(socket: impl Into<OwnedSource>) -> OpenConnection {
    OpenConnection::to(Target::Socket(socket.into()))
}

/// A connection that is yet to be opened: see [`open_connection`] and [`from_socket`].
#[must_use = "nothing is connected until it is awaited"]
pub struct OpenConnection {
    target: Target,
    tls: Option<TlsOptions>,
    limit: usize,
    delay: Duration,
    local_addr: Option<SocketAddr>,
    handshake_limit: Duration,
}

#[derive(Debug)]
enum Target {
    Host(String, u16),
    Socket(OwnedSource),
}

impl OpenConnection {
    fn to(target: Target) -> Self {
        Self {
            target,
            tls: None,
            limit: DEFAULT_LIMIT,
            delay: Duration::from_millis(250),
            local_addr: None,
            handshake_limit: HANDSHAKE_LIMIT,
        }
    }

    /// Speaks TLS.
    #[doc(alias = "ssl")]
    pub fn tls(mut self, options: TlsOptions) -> Self {
        self.tls = Some(options);
        self
    }

    /// The [limit](StreamReader::limit) of the reader. Default: 64 KiB.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// How long an attempt to connect has the field to itself before the next address is tried beside
    /// it. Default: 250 ms, as RFC 8305 recommends.
    pub fn happy_eyeballs_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Connects from this address. An attempt of the other family fails.
    pub fn local_addr(mut self, address: SocketAddr) -> Self {
        self.local_addr = Some(address);
        self
    }

    /// How long the TLS handshake may take. Default: 60 s.
    #[doc(alias = "ssl_handshake_timeout")]
    pub fn tls_handshake_timeout(mut self, limit: Duration) -> Self {
        self.handshake_limit = limit;
        self
    }

    async fn open(self) -> Result<(StreamReader, StreamWriter), ConnectError> {
        let event_loop = get_running_loop().expect("connections belong to a running event loop");
        let (host, source, peer) = match self.target {
            Target::Host(host, port) => {
                let (source, peer) =
                    connect(&event_loop, &host, port, self.local_addr, self.delay).await?;
                (host, source, Some(peer))
            }
            Target::Socket(socket) => {
                let source = event_loop.register(socket).map_err(registering)?;
                let peer = peer_of(&source);
                (peer.map_or_else(String::new, |peer| peer.ip().to_string()), source, peer)
            }
        };
        let connection = Connection::new(event_loop.clone(), source, peer);
        if let Some(options) = &self.tls {
            start_tls(&connection, &event_loop, options, host, self.handshake_limit).await?;
        }
        Ok(split(connection, self.limit))
    }
}

impl IntoFuture for OpenConnection {
    type Output = Result<(StreamReader, StreamWriter), ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnection")
            .field("target", &self.target)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

async fn connect(
    event_loop: &LoopHandle,
    host: &str,
    port: u16,
    local: Option<SocketAddr>,
    delay: Duration,
) -> Result<(Source, SocketAddr), ConnectError> {
    let addresses = event_loop
        .getaddrinfo(host, port)
        .await
        .map_err(|source| ConnectError::Resolve { host: host.to_owned(), source })?;
    happy_eyeballs::connect(event_loop, addresses, local, delay)
        .await
        .map_err(|attempts| ConnectError::Connect { host: host.to_owned(), port, attempts })
}

async fn start_tls(
    connection: &Connection,
    event_loop: &LoopHandle,
    options: &TlsOptions,
    host: String,
    limit: Duration,
) -> Result<(), ConnectError> {
    match options.session(event_loop, &host).await {
        Ok(session) => shake_hands(connection, session, host, limit).await,
        Err(source) => Err(ConnectError::Tls { host, source }),
    }
}

async fn shake_hands(
    connection: &Connection,
    session: Session,
    host: String,
    limit: Duration,
) -> Result<(), ConnectError> {
    let handshake = async {
        connection.start_tls(session)?;
        poll_fn(|cx| connection.poll_handshake(cx)).await
    };
    match timeout(limit, handshake).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(ConnectError::Tls { host, source: TlsError::from_io(error) }),
        Err(_) => Err(ConnectError::HandshakeTimeout { host, limit }),
    }
}

/// Has a connection that is in use speak TLS from here on.
pub(crate) async fn start_tls_later(
    connection: &Connection,
    options: &TlsOptions,
) -> Result<(), ConnectError> {
    let event_loop = get_running_loop().expect("connections belong to a running event loop");
    let upgrade = Upgrade::of(connection);
    start_tls(connection, &event_loop, options, upgrade.host(), HANDSHAKE_LIMIT).await?;
    upgrade.succeed();
    Ok(())
}

/// The same on a server's side.
pub(crate) async fn accept_tls_later(
    connection: &Connection,
    options: &TlsServerOptions,
) -> Result<(), ConnectError> {
    let upgrade = Upgrade::of(connection);
    let host = upgrade.host();
    match options.session() {
        Ok(session) => shake_hands(connection, session, host, HANDSHAKE_LIMIT).await?,
        Err(source) => return Err(ConnectError::Tls { host, source }),
    }
    upgrade.succeed();
    Ok(())
}

/// An upgrade that is under way. If it does not succeed, the connection is of no use.
struct Upgrade<'a>(Option<&'a Connection>);

impl<'a> Upgrade<'a> {
    fn of(connection: &'a Connection) -> Self {
        assert!(connection.tls_info().is_none(), "TLS is spoken on this connection already");
        Self(Some(connection))
    }

    fn host(&self) -> String {
        let peer = self.0.and_then(Connection::peer_addr);
        peer.map_or_else(String::new, |peer| peer.ip().to_string())
    }

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

/// Makes what a pipe's only half needs.
#[cfg(unix)]
#[track_caller]
pub(crate) fn pipe(pipe: OwnedSource) -> io::Result<Rc<Connection>> {
    let event_loop = get_running_loop().expect("pipes belong to a running event loop");
    let source = event_loop.register(pipe)?;
    Ok(Connection::pipe(event_loop, source))
}

pub(crate) fn split(connection: Rc<Connection>, limit: usize) -> (StreamReader, StreamWriter) {
    (StreamReader::of(connection.clone(), limit), StreamWriter::of(connection))
}

fn peer_of(source: &Source) -> Option<SocketAddr> {
    SockRef::from(source).peer_addr().ok()?.as_socket()
}

fn registering(source: io::Error) -> ConnectError {
    ConnectError::Io { doing: "registering a socket with the event loop", source }
}

//! Opening connections.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use ronde_loop::{AddressFamily, LoopHandle, OwnedSource, Source, get_running_loop, timeout};
use socket2::SockRef;

use crate::connection::Connection;
#[cfg(unix)]
use crate::error::ShownPath;
use crate::error::{ConnectError, HostPort, LimitError};
use crate::happy_eyeballs;
use crate::reader::{DEFAULT_LIMIT, StreamReader};
#[cfg(unix)]
use crate::sys;
use crate::tls::{TlsLimits, TlsOptions};
use crate::upgrade;
use crate::writer::StreamWriter;

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
///   [`tls`](OpenConnection::tls) only. Options that are no good are found before connecting.
/// - [`ConnectError::Timeout`], with [`connect_timeout`](OpenConnection::connect_timeout) only.
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
/// let expected = format!("connecting to 127.0.0.1:{port}: Connection refused");
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
/// **Data lost.** Dropped before its end, it closes the socket.
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

/// Connects to a Unix socket, and over TLS if asked to.
///
/// A `path` that begins with NUL is a name in Linux' abstract namespace. If the listener's queue is full,
/// it waits for a place. TLS needs a [`server_name`](TlsOptions::server_name). Await the result, after
/// setting options if need be.
///
/// # Errors
///
/// - [`ConnectError::Path`] if the socket can't be connected to. It names the path, and its source's
///   kind tells why.
/// - [`ConnectError::Tls`] and [`ConnectError::HandshakeTimeout`], with
///   [`tls`](OpenConnection::tls) only.
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
/// `asyncio.open_unix_connection`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_streams::{open_unix_connection, start_unix_server};
///
/// # EventLoop::new()?.run_until_complete(async {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("socket");
/// let server = start_unix_server(
///     async |reader, writer| {
///         let line = reader.readline().await?;
///         writer.write(line.to_ascii_uppercase());
///         Ok::<(), ronde_streams::ReadError>(())
///     },
///     &path,
/// )
/// .await
/// .unwrap();
///
/// let (reader, writer) = open_unix_connection(&path).await.unwrap();
/// writer.write("hello\n");
/// assert_eq!(reader.readline().await.unwrap(), "HELLO\n");
///
/// server.close();
/// assert!(!path.exists(), "the server removes its socket");
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[cfg(unix)]
#[doc(alias = "create_unix_connection")]
pub fn open_unix_connection(path: impl Into<PathBuf>) -> OpenConnection {
    OpenConnection::to(Target::Path(path.into()))
}

/// A connection that is yet to be opened: see [`open_connection`], [`open_unix_connection`] and
/// [`from_socket`].
#[must_use = "nothing is connected until it is awaited"]
pub struct OpenConnection {
    target: Target,
    tls: Option<TlsOptions>,
    limit: usize,
    family: Option<AddressFamily>,
    options: happy_eyeballs::Options,
    connect_limit: Option<Duration>,
    tls_limits: TlsLimits,
}

#[derive(Debug)]
enum Target {
    Host(String, u16),
    #[cfg(unix)]
    Path(PathBuf),
    Socket(OwnedSource),
}

impl OpenConnection {
    fn to(target: Target) -> Self {
        Self {
            target,
            tls: None,
            limit: DEFAULT_LIMIT,
            family: None,
            options: happy_eyeballs::Options {
                delay: Some(Duration::from_millis(250)),
                interleave: 1,
                local: None,
                nodelay: true,
                keep_alive: false,
            },
            connect_limit: None,
            tls_limits: TlsLimits::default(),
        }
    }

    /// Speaks TLS.
    #[doc(alias = "ssl")]
    pub fn tls(mut self, options: TlsOptions) -> Self {
        self.tls = Some(options);
        self
    }

    /// The [limit](StreamReader::limit) of the reader. Default: 64 KiB. Zero is
    /// [`ConnectError::Limit`].
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// How long it may take until the connection is there: to resolve the name, to connect, and to shake
    /// hands over TLS, all together. Default: as long as the system allows.
    ///
    /// Then the error is [`ConnectError::Timeout`], and nothing is left behind.
    ///
    /// # In asyncio
    ///
    /// `asyncio.wait_for` around `open_connection`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, SimulatedClock};
    /// # use ronde_streams::{ConnectError, TlsOptions, open_connection};
    /// # use std::time::Duration;
    /// # let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build()?;
    /// # event_loop.run_until_complete(async {
    /// # let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// # let port = mute.local_addr().unwrap().port();
    /// let error = open_connection("127.0.0.1", port)
    ///     .tls(TlsOptions::new())
    ///     .connect_timeout(Duration::from_secs(5))
    ///     .await
    ///     .unwrap_err();
    /// assert!(matches!(error, ConnectError::Timeout { .. }));
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_limit = Some(limit);
        self
    }

    /// How long an attempt to connect has the field to itself before the next address is tried beside
    /// it. Default: 250 ms, as RFC 8305 recommends. With `None` one address is tried after the other.
    pub fn happy_eyeballs_delay(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.options.delay = delay.into();
        self
    }

    /// How many addresses of the first family are tried before the first one of the other; from then on
    /// they alternate. Default: 1. With `0` the order is the resolver's.
    #[doc(alias = "first_address_family_count")]
    pub fn interleave(mut self, first: usize) -> Self {
        self.options.interleave = first;
        self
    }

    /// Connects to addresses of one family only. By default both will do.
    pub fn family(mut self, family: AddressFamily) -> Self {
        self.family = Some(family);
        self
    }

    /// Connects from this address. An attempt of the other family fails.
    pub fn local_addr(mut self, address: SocketAddr) -> Self {
        self.options.local = Some(address);
        self
    }

    /// Sends what is written without waiting for more of it (`TCP_NODELAY`). On by default; what is
    /// written in one turn of the loop leaves together anyway.
    #[doc(alias = "TCP_NODELAY")]
    pub fn nodelay(mut self, on: bool) -> Self {
        self.options.nodelay = on;
        self
    }

    /// Has the system ask an idle peer from time to time whether it is still there (`SO_KEEPALIVE`). Off
    /// by default. How often it asks can be set through
    /// [`with_socket`](StreamWriter::with_socket).
    #[doc(alias = "SO_KEEPALIVE")]
    pub fn keep_alive(mut self, on: bool) -> Self {
        self.options.keep_alive = on;
        self
    }

    /// How long the TLS handshake may take. Default: 60 s.
    #[doc(alias = "ssl_handshake_timeout")]
    pub fn tls_handshake_timeout(mut self, limit: Duration) -> Self {
        self.tls_limits.handshake = limit;
        self
    }

    /// How long TLS may take to end after [`close`](StreamWriter::close): to send what was written, and
    /// to hear that the peer has ended, too. Default: 30 s. After it, the connection is aborted.
    #[doc(alias = "ssl_shutdown_timeout")]
    pub fn tls_shutdown_timeout(mut self, limit: Duration) -> Self {
        self.tls_limits.shutdown = limit;
        self
    }

    async fn open(self) -> Result<(StreamReader, StreamWriter), ConnectError> {
        let event_loop = get_running_loop().expect("connections belong to a running event loop");
        LimitError::check(self.limit).map_err(ConnectError::Limit)?;
        let Some(limit) = self.connect_limit else { return self.establish(event_loop).await };
        let to = self.target.to_string();
        match timeout(limit, self.establish(event_loop)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectError::Timeout { to, limit }),
        }
    }

    async fn establish(
        self,
        event_loop: LoopHandle,
    ) -> Result<(StreamReader, StreamWriter), ConnectError> {
        let name = self.target.name();
        // Options that are no good are found before anybody hears of us.
        let tls = match &self.tls {
            Some(options) => Some(upgrade::prepare(options, &event_loop, &name).await?),
            None => None,
        };
        let (source, peer) = match self.target {
            Target::Host(host, port) => {
                let (source, peer) =
                    connect(&event_loop, host, port, self.family, self.options).await?;
                (source, Some(peer))
            }
            #[cfg(unix)]
            Target::Path(path) => match crate::unix::connect(&event_loop, &path).await {
                Ok(source) => (source, None),
                Err(source) => return Err(ConnectError::Path { path, source }),
            },
            Target::Socket(socket) => {
                let source = event_loop.register(socket).map_err(registering)?;
                let socket = SockRef::from(&source);
                // Sockets that are not TCP's don't have these, and are as good.
                let _ = socket.set_tcp_nodelay(self.options.nodelay);
                if self.options.keep_alive {
                    let _ = socket.set_keepalive(true);
                }
                let peer = peer_of(&socket);
                (source, peer)
            }
        };
        let connection = Connection::new(event_loop, source, peer);
        if let Some(prepared) = tls {
            let session = prepared.session(&name.shown)?;
            upgrade::shake_hands(&connection, session, name.shown, self.tls_limits).await?;
        }
        Ok(split(connection, self.limit))
    }
}

/// Whom TLS speaks to.
pub(crate) struct Name {
    /// The name or address that the certificate must be for, if the options don't say.
    pub(crate) host: Option<String>,
    /// For errors.
    pub(crate) shown: String,
}

impl Name {
    /// That of a peer of which the address is known, or nothing.
    pub(crate) fn of_peer(peer: Option<SocketAddr>) -> Self {
        let host = peer.map(|peer| peer.ip().to_string());
        Self { shown: host.clone().unwrap_or_else(|| "the peer".to_owned()), host }
    }
}

impl Target {
    fn name(&self) -> Name {
        match self {
            Self::Host(host, _) => Name { host: Some(host.clone()), shown: host.clone() },
            #[cfg(unix)]
            Self::Path(path) => Name { host: None, shown: ShownPath(path).to_string() },
            Self::Socket(socket) => Name::of_peer(peer_of(&SockRef::from(socket))),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, port) => HostPort(host, *port).fmt(f),
            #[cfg(unix)]
            Self::Path(path) => ShownPath(path).fmt(f),
            Self::Socket(_) => f.write_str(&self.name().shown),
        }
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
    host: String,
    port: u16,
    family: Option<AddressFamily>,
    options: happy_eyeballs::Options,
) -> Result<(Source, SocketAddr), ConnectError> {
    let mut addresses = match event_loop.getaddrinfo(&*host, port).addresses().await {
        Ok(addresses) => addresses,
        Err(error) => return Err(ConnectError::Resolve { host, source: error.into() }),
    };
    addresses.retain(|address| family.is_none_or(|family| family.has(address)));
    let connected = happy_eyeballs::connect(event_loop, addresses, options).await;
    connected.map_err(|attempts| ConnectError::Connect { host, port, attempts })
}

/// Makes what a pipe's only half needs.
#[cfg(unix)]
#[track_caller]
pub(crate) fn pipe(pipe: OwnedSource) -> io::Result<Rc<Connection>> {
    let event_loop = get_running_loop().expect("pipes belong to a running event loop");
    let source = event_loop.register(pipe)?;
    Ok(Connection::one_way(event_loop, source, sys::PIPE))
}

pub(crate) fn split(connection: Rc<Connection>, limit: usize) -> (StreamReader, StreamWriter) {
    (StreamReader::of(connection.clone(), limit), StreamWriter::of(connection))
}

fn peer_of(socket: &SockRef<'_>) -> Option<SocketAddr> {
    socket.peer_addr().ok()?.as_socket()
}

fn registering(source: io::Error) -> ConnectError {
    ConnectError::Io { doing: "registering a socket with the event loop", source }
}

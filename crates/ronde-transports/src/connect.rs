//! Making transports of connections.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use ronde_loop::{LoopHandle, OwnedSource, get_running_loop};
#[cfg(unix)]
use ronde_streams::open_unix_connection;
use ronde_streams::{
    AddressFamily, ConnectError, OpenConnection, StreamReader, StreamWriter, TlsOptions,
    TlsServerOptions, from_socket, open_connection,
};

use crate::link::Link;
use crate::protocol::{ProtocolHandle, StreamProtocol, Target};
use crate::transport::Transport;

/// Connects to a host over TCP, and over TLS if asked to, and has a protocol called for the connection.
///
/// `factory` makes the protocol, once the connection is there, TLS' handshake included. Await the result,
/// after setting options if need be: it gives the transport, and a handle to the protocol.
/// [`connection_made`](crate::Protocol::connection_made) has been called by then.
///
/// How it connects is what [`open_connection`] says.
///
/// # Errors
///
/// As [`open_connection`]. The factory isn't called then.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** Dropped before its end, it leaves no connection behind. If the protocol was made already,
/// its transport is aborted.
///
/// # In asyncio
///
/// `loop.create_connection`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::{EventLoop, Promise};
/// use ronde_transports::{Protocol, Transport, create_connection, create_server};
///
/// /// Says something, and keeps what comes back.
/// struct Client {
///     message: &'static str,
///     answer: Promise<String>,
/// }
///
/// impl Protocol for Client {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(self.message);
///     }
///
///     fn data_received(&mut self, data: &[u8]) {
///         let _ = self.answer.set_result(String::from_utf8_lossy(data).into_owned());
///     }
/// }
///
/// #[derive(Default)]
/// struct Echo(Option<Transport>);
///
/// impl Protocol for Echo {
///     fn connection_made(&mut self, transport: &Transport) {
///         self.0 = Some(transport.clone());
///     }
///
///     fn data_received(&mut self, data: &[u8]) {
///         self.0.as_ref().unwrap().write(data);
///     }
/// }
///
/// # EventLoop::new()?.run_until_complete(async {
/// let server = create_server(Echo::default, "127.0.0.1", 0).await.unwrap();
/// let port = server.local_addrs()[0].port();
///
/// let answer = Promise::new();
/// let client = Client { message: "hello", answer: answer.clone() };
/// let (transport, protocol) = create_connection(|| client, "127.0.0.1", port).await.unwrap();
/// assert_eq!(answer.await.unwrap(), "hello");
/// assert_eq!(protocol.with(|client| client.message), "hello");
/// transport.close();
/// transport.wait_closed().await;
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn create_connection<F, P>(
    factory: F,
    host: impl Into<String>,
    port: u16,
) -> CreateConnection<F>
where
    F: FnOnce() -> P,
    P: StreamProtocol,
{
    CreateConnection::new(factory, open_connection(host, port))
}

/// Connects to a Unix socket, and has a protocol called for the connection. Otherwise as
/// [`create_connection`].
///
/// # Errors
///
/// As [`open_unix_connection`]. The factory isn't called then.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** As [`create_connection`].
///
/// # In asyncio
///
/// `loop.create_unix_connection`.
///
/// # Examples
///
/// See [`create_unix_server`](crate::create_unix_server).
#[cfg(unix)]
pub fn create_unix_connection<F, P>(factory: F, path: impl Into<PathBuf>) -> CreateConnection<F>
where
    F: FnOnce() -> P,
    P: StreamProtocol,
{
    CreateConnection::new(factory, open_unix_connection(path))
}

/// Has a protocol called for a socket that is connected already: accepted elsewhere, or one of a pair.
///
/// Any stream socket will do. It is put into non-blocking mode. To speak TLS as the server there is
/// [`accept_tls`](CreateConnection::accept_tls), as the client [`tls`](CreateConnection::tls). Otherwise as
/// [`create_connection`].
///
/// # Errors
///
/// As [`from_socket`]. The factory isn't called then.
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
/// `loop.connect_accepted_socket`, and `loop.create_connection(sock=...)`.
///
/// # Examples
///
/// See [`Transport::set_protocol`].
pub fn connect_accepted_socket<F, P>(
    factory: F,
    socket: impl Into<OwnedSource>,
) -> CreateConnection<F>
where
    F: FnOnce() -> P,
    P: StreamProtocol,
{
    CreateConnection::new(factory, from_socket(socket))
}

/// A connection with a protocol that is yet to be made: see [`create_connection`],
/// [`create_unix_connection`] and [`connect_accepted_socket`].
#[must_use = "nothing is connected until it is awaited"]
pub struct CreateConnection<F> {
    factory: F,
    open: OpenConnection,
    accept_tls: Option<TlsServerOptions>,
    handshake_limit: Option<Duration>,
    shutdown_limit: Option<Duration>,
}

impl<F> CreateConnection<F> {
    fn new(factory: F, open: OpenConnection) -> Self {
        Self { factory, open, accept_tls: None, handshake_limit: None, shutdown_limit: None }
    }

    fn map(mut self, set: impl FnOnce(OpenConnection) -> OpenConnection) -> Self {
        self.open = set(self.open);
        self
    }

    /// Speaks TLS: see [`OpenConnection::tls`].
    #[doc(alias = "ssl")]
    pub fn tls(self, options: TlsOptions) -> Self {
        self.map(|open| open.tls(options))
    }

    /// Speaks TLS as the server, which an accepted socket's end is.
    #[doc(alias = "ssl")]
    pub fn accept_tls(mut self, options: TlsServerOptions) -> Self {
        self.accept_tls = Some(options);
        self
    }

    /// How long it may take until the connection is there: see [`OpenConnection::connect_timeout`].
    pub fn connect_timeout(self, limit: Duration) -> Self {
        self.map(|open| open.connect_timeout(limit))
    }

    /// When the next address is tried beside one that is slow: see
    /// [`OpenConnection::happy_eyeballs_delay`].
    pub fn happy_eyeballs_delay(self, delay: impl Into<Option<Duration>>) -> Self {
        self.map(|open| open.happy_eyeballs_delay(delay))
    }

    /// How the two families take turns: see [`OpenConnection::interleave`].
    pub fn interleave(self, first: usize) -> Self {
        self.map(|open| open.interleave(first))
    }

    /// Connects to addresses of one family only.
    pub fn family(self, family: AddressFamily) -> Self {
        self.map(|open| open.family(family))
    }

    /// Connects from this address: see [`OpenConnection::local_addr`].
    pub fn local_addr(self, address: SocketAddr) -> Self {
        self.map(|open| open.local_addr(address))
    }

    /// See [`OpenConnection::nodelay`]. On by default.
    #[doc(alias = "TCP_NODELAY")]
    pub fn nodelay(self, on: bool) -> Self {
        self.map(|open| open.nodelay(on))
    }

    /// See [`OpenConnection::keep_alive`]. Off by default.
    #[doc(alias = "SO_KEEPALIVE")]
    pub fn keep_alive(self, on: bool) -> Self {
        self.map(|open| open.keep_alive(on))
    }

    /// How long the TLS handshake may take. Default: 60 s.
    #[doc(alias = "ssl_handshake_timeout")]
    pub fn tls_handshake_timeout(mut self, limit: Duration) -> Self {
        self.handshake_limit = Some(limit);
        self.map(|open| open.tls_handshake_timeout(limit))
    }

    /// How long TLS may take to end: see [`OpenConnection::tls_shutdown_timeout`]. Default: 30 s.
    #[doc(alias = "ssl_shutdown_timeout")]
    pub fn tls_shutdown_timeout(mut self, limit: Duration) -> Self {
        self.shutdown_limit = Some(limit);
        self.map(|open| open.tls_shutdown_timeout(limit))
    }

    async fn create<P>(self) -> Result<(Transport, ProtocolHandle<P::Protocol>), ConnectError>
    where
        F: FnOnce() -> P,
        P: StreamProtocol,
    {
        let event_loop = get_running_loop().expect("transports belong to a running event loop");
        let (reader, writer) = self.open.await?;
        if let Some(options) = self.accept_tls {
            let mut upgrade = writer.accept_tls(options);
            if let Some(limit) = self.handshake_limit {
                upgrade = upgrade.handshake_timeout(limit);
            }
            if let Some(limit) = self.shutdown_limit {
                upgrade = upgrade.shutdown_timeout(limit);
            }
            upgrade.await?;
        }
        let (shared, target) = (self.factory)().share();
        let transport = make(&event_loop, Some(reader), Some(writer), target).await;
        Ok((transport, ProtocolHandle::new(shared)))
    }
}

/// Makes a transport, and waits until its protocol has heard of it.
pub(crate) async fn make(
    event_loop: &LoopHandle,
    reader: Option<StreamReader>,
    writer: Option<StreamWriter>,
    target: Target,
) -> Transport {
    let making = Making(Some(Transport::of(Link::new(event_loop, reader, writer, target))));
    making.transport().link().made().await;
    making.succeed()
}

/// Aborts a transport that nobody has been given.
struct Making(Option<Transport>);

impl Making {
    fn transport(&self) -> &Transport {
        self.0.as_ref().expect("it is there until the end")
    }

    fn succeed(mut self) -> Transport {
        self.0.take().expect("it is there until the end")
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(transport) = &self.0 {
            transport.link().give_up();
        }
    }
}

impl<F, P> IntoFuture for CreateConnection<F>
where
    F: FnOnce() -> P + 'static,
    P: StreamProtocol,
{
    type Output = Result<(Transport, ProtocolHandle<P::Protocol>), ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.create())
    }
}

impl<F> fmt::Debug for CreateConnection<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateConnection").field("open", &self.open).finish_non_exhaustive()
    }
}

//! Starting servers.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use ronde_context::CancelledError;
use ronde_loop::{AddressFamily, OwnedSource, TaskRef, get_running_loop};
#[cfg(unix)]
use socket2::SockRef;
use socket2::{Domain, Protocol, Socket, Type};

use crate::connect::{Name, split};
use crate::connection::Connection;
use crate::error::{ConnectError, LimitError, ServeError, plain};
use crate::hosts::Hosts;
use crate::reader::{DEFAULT_LIMIT, StreamReader};
use crate::server::{AcceptedOptions, Bound, Handle, Server};
use crate::sys;
use crate::tls::{TlsLimits, TlsServerOptions};
#[cfg(unix)]
use crate::unix::SocketFile;
use crate::upgrade;
use crate::writer::StreamWriter;

/// Listens on a host's addresses, and runs `handler` for each connection, as a task of its own.
///
/// The tasks are named after the peer, as `conn 127.0.0.1:5000`. An `Err` that a handler returns,
/// or a panic, goes to the loop's exception handler. When a handler is over and has not given its
/// reader and writer to somebody else, the connection is closed; what was written is delivered.
///
/// `host` is an address, or a name, all of whose addresses are listened on, or [several](Hosts) of these;
/// an empty one stands for all addresses of the machine. Port `0` lets the system choose one, the same for all addresses:
/// see [`Server::local_addrs`].
///
/// Await the result, after setting options if need be. The server accepts from then on.
///
/// # Errors
///
/// - [`ServeError::Resolve`] if the name can't be resolved.
/// - [`ServeError::Bind`] if an address can't be listened on. It names the address.
/// - [`ServeError::Io`] if the system refuses something else.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** Dropped before its end, it leaves no socket behind.
///
/// # In asyncio
///
/// `asyncio.start_server`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_streams::{open_connection, start_server};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let server = start_server(
///     async |reader, writer| {
///         let name = reader.readline().await?;
///         writer.writelines([b"hello, ", &name[..]]);
///         Ok::<(), ronde_streams::ReadError>(())
///     },
///     "127.0.0.1",
///     0,
/// )
/// .await
/// .unwrap();
///
/// let port = server.local_addrs()[0].port();
/// let (reader, writer) = open_connection("127.0.0.1", port).await.unwrap();
/// writer.write("world\n");
/// assert_eq!(reader.read_to_end().await.unwrap(), "hello, world\n");
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
///
/// # Ending in good order
///
/// Who runs a server has four things to choose from:
///
/// - [`Server::serve_forever`] serves until its task is cancelled, as the main task is by Ctrl-C. Then it
///   closes the clients, after what was written to them, and waits until the handlers are done: they see
///   the end of their stream.
/// - [`Server::serve`] does the same around a body of one's own.
/// - [`Server::shutdown`] gives the handlers some time, and then cancels them: for when clients stay for
///   long, or handlers may hang.
/// - [`Server::close`], [`close_clients`](Server::close_clients),
///   [`cancel_handlers`](Server::cancel_handlers), [`abort_clients`](Server::abort_clients) and
///   [`wait_closed`](Server::wait_closed) are the parts that these are made of.
///
/// A program that is told to stop and gives its clients ten seconds:
///
/// ```
/// # use ronde_context::catch_cancelled;
/// # use ronde_loop::{EventLoop, get_running_loop, yield_now};
/// # use ronde_streams::{ServeError, start_server};
/// # use std::{future::pending, time::Duration};
/// async fn serve() -> Result<(), ServeError> {
///     let server = start_server(async |_reader, _writer| {}, "127.0.0.1", 0).await?;
///     // Until the task is cancelled.
///     if let Err(stopped) = catch_cancelled(pending::<()>()).await {
///         let late = server.shutdown(Duration::from_secs(10)).await;
///         println!("{late} connections were cut off");
///         stopped.raise().await
///     }
///     Ok(())
/// }
/// # EventLoop::new()?.run_until_complete(async {
/// #     let task = get_running_loop().unwrap().create_task(serve());
/// #     while task.cancelling() == 0 { yield_now().await; yield_now().await; task.cancel(); }
/// #     assert!(task.await.unwrap_err().is_cancelled());
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
///
/// A handler learns of a cancellation as of any other: `catch_cancelled` around its work lets it say
/// goodbye. When it is over, what it has written is delivered.
#[doc(alias = "create_server")]
#[doc(alias = "listen")]
pub fn start_server<H, R>(handler: H, host: impl Into<Hosts>, port: u16) -> StartServer<H>
where
    H: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: 'static,
{
    StartServer::on(Target::Hosts(host.into(), port), handler)
}

/// Listens on a Unix socket, and runs `handler` for each connection, as [`start_server`] does.
///
/// A socket that was left behind at `path` is replaced. One that somebody listens on is left as it is,
/// and so is a file that is no socket: both are errors. (Whoever listens sees a connection that ends at
/// once, as there is no other way to find out.) The server [removes](StartServer::cleanup_socket) its
/// socket when it is closed. A `path` that begins with NUL is a name in Linux' abstract namespace, which
/// is no file.
///
/// # Errors
///
/// - [`ServeError::BindPath`] if the socket can't be made. It names the path, and its source's kind
///   tells why.
/// - [`ServeError::Io`] if the system refuses something else.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** It doesn't wait.
///
/// # In asyncio
///
/// `asyncio.start_unix_server`, which takes a path over from whoever listens there.
///
/// # Examples
///
/// See [`open_unix_connection`](crate::open_unix_connection).
#[cfg(unix)]
#[doc(alias = "create_unix_server")]
pub fn start_unix_server<H, R>(handler: H, path: impl Into<PathBuf>) -> StartServer<H>
where
    H: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: 'static,
{
    StartServer { cleanup_socket: true, ..StartServer::on(Target::Path(path.into()), handler) }
}

/// A server that is yet to be started: see [`start_server`] and [`start_unix_server`].
#[must_use = "nothing is served until it is awaited"]
pub struct StartServer<H> {
    target: Target,
    handler: H,
    binding: Binding,
    family: Option<AddressFamily>,
    tls: Option<TlsServerOptions>,
    tls_limits: TlsLimits,
    limit: usize,
    accepted: AcceptedOptions,
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix sockets have files"))]
    cleanup_socket: bool,
}

/// How sockets are made to listen.
#[derive(Clone, Copy)]
struct Binding {
    /// `false` leaves it to [`Server::start_serving`].
    listens: bool,
    backlog: u16,
    reuse_address: bool,
    reuse_port: bool,
}

#[derive(Debug)]
enum Target {
    Hosts(Hosts, u16),
    #[cfg(unix)]
    Path(PathBuf),
    Listener(OwnedSource),
}

impl<H, R> StartServer<H>
where
    H: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: 'static,
{
    fn on(target: Target, handler: H) -> Self {
        Self {
            target,
            handler,
            binding: Binding {
                listens: true,
                backlog: 100,
                reuse_address: true,
                reuse_port: false,
            },
            family: None,
            tls: None,
            tls_limits: TlsLimits::default(),
            limit: DEFAULT_LIMIT,
            accepted: AcceptedOptions { nodelay: true, keep_alive: false },
            cleanup_socket: false,
        }
    }

    /// Accepts on a socket that listens already, as that of a service manager. Otherwise as
    /// [`start_server`].
    ///
    /// A Unix socket will do too; its file stays, unless [`cleanup_socket`](Self::cleanup_socket) says
    /// otherwise. The socket is put into non-blocking mode.
    ///
    /// # In asyncio
    ///
    /// `asyncio.start_server(sock=...)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// use ronde_streams::StartServer;
    /// use std::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// # EventLoop::new()?.run_until_complete(async move {
    /// let server = StartServer::from_listener(async |_, _| {}, listener).await.unwrap();
    /// assert_eq!(server.local_addrs(), [address]);
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_listener(handler: H, listener: impl Into<OwnedSource>) -> Self {
        Self::on(Target::Listener(listener.into()), handler)
    }

    /// Speaks TLS. The handshake is part of the connection's task; one that fails is logged at debug
    /// level, and its task ends cancelled.
    #[doc(alias = "ssl")]
    pub fn tls(mut self, options: TlsServerOptions) -> Self {
        self.tls = Some(options);
        self
    }

    /// How long a TLS handshake may take. Default: 60 s.
    #[doc(alias = "ssl_handshake_timeout")]
    pub fn tls_handshake_timeout(mut self, limit: Duration) -> Self {
        self.tls_limits.handshake = limit;
        self
    }

    /// How long TLS may take to end after a close, as
    /// [`OpenConnection::tls_shutdown_timeout`](crate::OpenConnection::tls_shutdown_timeout). Default:
    /// 30 s.
    #[doc(alias = "ssl_shutdown_timeout")]
    pub fn tls_shutdown_timeout(mut self, limit: Duration) -> Self {
        self.tls_limits.shutdown = limit;
        self
    }

    /// The [limit](StreamReader::limit) of the readers. Default: 64 KiB. Zero is
    /// [`ServeError::Limit`].
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Accepts connections from the start. On by default; else see [`Server::start_serving`].
    pub fn start_serving(mut self, on: bool) -> Self {
        self.binding.listens = on;
        self
    }

    /// How many connections may wait to be accepted. Default: 100. The system may have a limit of
    /// its own.
    pub fn backlog(mut self, connections: u16) -> Self {
        self.binding.backlog = connections;
        self
    }

    /// Listens on addresses of one family only. By default on those of both.
    pub fn family(mut self, family: AddressFamily) -> Self {
        self.family = Some(family);
        self
    }

    /// Listens even if connections of an earlier server on the same port linger. On by default; it
    /// has no meaning on Windows.
    #[doc(alias = "SO_REUSEADDR")]
    pub fn reuse_address(mut self, on: bool) -> Self {
        self.binding.reuse_address = on;
        self
    }

    /// Shares the port with other sockets that do the same, as those of other processes. Off by
    /// default. Where the system can't do that, it has no effect.
    #[doc(alias = "SO_REUSEPORT")]
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.binding.reuse_port = on;
        self
    }

    /// For the connections, as [`OpenConnection::nodelay`](crate::OpenConnection::nodelay). On by
    /// default.
    #[doc(alias = "TCP_NODELAY")]
    pub fn nodelay(mut self, on: bool) -> Self {
        self.accepted.nodelay = on;
        self
    }

    /// For the connections, as [`OpenConnection::keep_alive`](crate::OpenConnection::keep_alive). Off by
    /// default.
    #[doc(alias = "SO_KEEPALIVE")]
    pub fn keep_alive(mut self, on: bool) -> Self {
        self.accepted.keep_alive = on;
        self
    }

    /// Removes the file of a Unix socket when the server is closed, if it is still the same file. On by
    /// default, but not for a socket that was [handed in](Self::from_listener).
    #[cfg(unix)]
    pub fn cleanup_socket(mut self, on: bool) -> Self {
        self.cleanup_socket = on;
        self
    }

    async fn start(self) -> Result<Server, ServeError> {
        let event_loop = get_running_loop().expect("servers belong to a running event loop");
        LimitError::check(self.limit).map_err(ServeError::Limit)?;
        let needs_listen = !matches!(self.target, Target::Listener(_));
        let sockets = match self.target {
            Target::Listener(listener) => vec![listener],
            #[cfg(unix)]
            Target::Path(path) => match crate::unix::bind(&path) {
                Ok(socket) => vec![socket.into()],
                Err(source) => return Err(ServeError::BindPath { path, source }),
            },
            Target::Hosts(hosts, port) => {
                let mut addresses = hosts.addresses(&event_loop, port).await?;
                addresses.retain(|address| self.family.is_none_or(|family| family.has(address)));
                if addresses.is_empty() {
                    let error = "the host has no address of the family that was asked for";
                    let source = io::Error::new(io::ErrorKind::AddrNotAvailable, error);
                    return Err(ServeError::Resolve { host: hosts.shown(), source });
                }
                self.binding.bind(&addresses)?.into_iter().map(OwnedSource::from).collect()
            }
        };
        let bound = Bound {
            #[cfg(unix)]
            files: match self.cleanup_socket {
                true => sockets.iter().filter_map(|it| SocketFile::of(SockRef::from(it))).collect(),
                false => Vec::new(),
            },
            sockets,
            backlog: self.binding.backlog,
            needs_listen,
        };
        let handle = into_handle(self.handler, self.tls, self.tls_limits, self.limit);
        let server = Server::new(event_loop, bound, self.accepted, handle);
        if self.binding.listens {
            server.start_serving()?;
        }
        Ok(server)
    }
}

impl Binding {
    /// Binds all addresses, to the same port if the system chooses it.
    fn bind(&self, addresses: &[SocketAddr]) -> Result<Vec<Socket>, ServeError> {
        /// The port that is free for the first address may be taken for the others.
        const ATTEMPTS: usize = 8;
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.bind_once(addresses) {
                Err(ServeError::Bind { address, source })
                    if source.kind() == io::ErrorKind::AddrInUse
                        && addresses.iter().all(|address| address.port() == 0)
                        && address.port() != 0
                        && attempts < ATTEMPTS => {}
                outcome => return outcome,
            }
        }
    }

    fn bind_once(&self, addresses: &[SocketAddr]) -> Result<Vec<Socket>, ServeError> {
        let mut sockets: Vec<Socket> = Vec::new();
        let mut skipped = None;
        let mut chosen = None;
        for address in addresses {
            let mut address = *address;
            if let (0, Some(port)) = (address.port(), chosen) {
                address.set_port(port);
            }
            match self.bind_to(address) {
                Ok(socket) => {
                    chosen = chosen.or_else(|| Some(socket.local_addr().ok()?.as_socket()?.port()));
                    sockets.push(socket);
                }
                // A machine without IPv6 still resolves names to its addresses.
                Err(error) if is_not_available(&error) => {
                    tracing::debug!(target: "ronde", %address, error = plain(&error), "not listening");
                    skipped = Some(ServeError::Bind { address, source: error });
                }
                Err(source) => return Err(ServeError::Bind { address, source }),
            }
        }
        match skipped {
            Some(error) if sockets.is_empty() => Err(error),
            _ => Ok(sockets),
        }
    }

    fn bind_to(&self, address: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        sys::set_reuse_address(&socket, self.reuse_address)?;
        if self.reuse_port {
            sys::set_reuse_port(&socket)?;
        }
        if address.is_ipv6() {
            // Each family has its own socket, so that both can have the same port.
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        if self.listens {
            // Some systems find only now that the address is taken.
            socket.listen(i32::from(self.backlog))?;
        }
        Ok(socket)
    }
}

/// What makes a task for each connection.
fn into_handle<H, R>(
    handler: H,
    tls: Option<TlsServerOptions>,
    limits: TlsLimits,
    limit: usize,
) -> Handle
where
    H: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: 'static,
{
    let handler = Rc::new(handler);
    Box::new(move |event_loop, connection, running| {
        let (handler, tls) = (handler.clone(), tls.clone());
        let name = match connection.peer_addr() {
            Some(peer) => format!("conn {peer}"),
            None => "conn".to_owned(),
        };
        let task = event_loop.create_task(async move {
            let _running = running;
            let (reader, writer) = split(connection.clone(), limit);
            if let Some(options) = tls {
                shake_hands(&connection, options, limits).await;
            }
            drop(connection);
            handler(reader, writer).await
        });
        let task = task.named(name);
        let handle = TaskRef::from(&task);
        task.detach();
        handle
    })
}

/// Ends the task, as cancelled, if the handshake fails.
async fn shake_hands(connection: &Connection, options: TlsServerOptions, limits: TlsLimits) {
    let outcome = match options.session() {
        Ok(session) => {
            let peer = Name::of_peer(connection.peer_addr()).shown;
            upgrade::shake_hands(connection, session, peer, limits).await
        }
        Err(source) => Err(ConnectError::Tls { host: "a client".to_owned(), source }),
    };
    if let Err(error) = outcome {
        tracing::debug!(target: "ronde", %error, "a TLS handshake failed");
        connection.abort();
        CancelledError::new("the TLS handshake failed").raise().await
    }
}

/// Does the machine lack the address, or the whole family?
fn is_not_available(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || sys::is_family_unsupported(error)
}

impl<H, R> IntoFuture for StartServer<H>
where
    H: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: 'static,
{
    type Output = Result<Server, ServeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

impl<H> fmt::Debug for StartServer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartServer")
            .field("target", &self.target)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

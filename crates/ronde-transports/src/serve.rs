//! Servers that make a protocol for each connection.

#[cfg(unix)]
use std::path::PathBuf;

use ronde_loop::get_running_loop;
#[cfg(unix)]
use ronde_streams::start_unix_server;
use ronde_streams::{Hosts, StartServer, StreamReader, StreamWriter, start_server};

use crate::connect::make;
use crate::protocol::StreamProtocol;
use crate::transport::Transport;

/// Listens on a host's addresses, and has a protocol of `factory`'s called for each connection.
///
/// It is a [`start_server`] whose handlers are protocols: options, errors and the
/// [`Server`](ronde_streams::Server) that it gives are the same, but for the reader's limit, which has no
/// meaning here. A connection counts as the server's until
/// [`connection_lost`](crate::Protocol::connection_lost) was called.
///
/// # Errors
///
/// As [`start_server`].
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
/// `loop.create_server`.
///
/// # Examples
///
/// See [`create_connection`](crate::create_connection).
pub fn create_server<F, P>(
    factory: F,
    host: impl Into<Hosts>,
    port: u16,
) -> StartServer<impl AsyncFn(StreamReader, StreamWriter) + 'static>
where
    F: Fn() -> P + 'static,
    P: StreamProtocol,
{
    start_server(protocol_handler(factory), host, port)
}

/// Listens on a Unix socket, and has a protocol of `factory`'s called for each connection.
///
/// It is to [`start_unix_server`] what [`create_server`] is to [`start_server`].
///
/// # Errors
///
/// As [`start_unix_server`].
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
/// `loop.create_unix_server`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_transports::{Protocol, Transport, create_unix_connection, create_unix_server};
///
/// struct Greet;
///
/// impl Protocol for Greet {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write("hello");
///         transport.close();
///     }
/// }
///
/// #[derive(Default)]
/// struct Collect(Vec<u8>);
///
/// impl Protocol for Collect {
///     fn data_received(&mut self, data: &[u8]) {
///         self.0.extend(data);
///     }
/// }
///
/// # EventLoop::new()?.run_until_complete(async {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("socket");
/// let server = create_unix_server(|| Greet, &path).await.unwrap();
/// let (transport, protocol) = create_unix_connection(Collect::default, &path).await.unwrap();
/// transport.wait_closed().await;
/// assert_eq!(protocol.with(|collect| collect.0.clone()), b"hello");
/// server.close();
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[cfg(unix)]
pub fn create_unix_server<F, P>(
    factory: F,
    path: impl Into<PathBuf>,
) -> StartServer<impl AsyncFn(StreamReader, StreamWriter) + 'static>
where
    F: Fn() -> P + 'static,
    P: StreamProtocol,
{
    start_unix_server(protocol_handler(factory), path)
}

/// Makes a handler for the connections of a server: it has a protocol of `factory`'s called, and ends when
/// the transport is lost.
///
/// [`create_server`] and [`create_unix_server`] are made of it. It also serves a listener that is there
/// already:
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_streams::StartServer;
/// use ronde_transports::{Protocol, protocol_handler};
/// use std::net::TcpListener;
///
/// struct Ignore;
/// impl Protocol for Ignore {}
///
/// # EventLoop::new()?.run_until_complete(async {
/// let listener = TcpListener::bind("127.0.0.1:0").unwrap();
/// let server = StartServer::from_listener(protocol_handler(|| Ignore), listener).await.unwrap();
/// assert!(server.is_serving());
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
///
/// A handler that is cancelled, as by [`Server::shutdown`](ronde_streams::Server::shutdown), closes its
/// transport.
///
/// # Panics
///
/// The handler does, when it is polled outside a running event loop.
///
/// # In asyncio
///
/// `loop.create_server(sock=...)`.
pub fn protocol_handler<F, P>(factory: F) -> impl AsyncFn(StreamReader, StreamWriter) + 'static
where
    F: Fn() -> P + 'static,
    P: StreamProtocol,
{
    async move |reader: StreamReader, writer: StreamWriter| {
        let event_loop = get_running_loop().expect("a server's handlers run on its loop");
        let (protocol, target) = factory().share();
        drop(protocol);
        let transport = make(&event_loop, Some(reader), Some(writer), target).await;
        let handling = Handling(transport);
        handling.0.wait_closed().await;
    }
}

/// Closes the transport of a handler that is dropped.
struct Handling(Transport);

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.close();
    }
}

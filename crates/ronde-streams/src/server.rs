//! Servers: listening, and how they end.

mod accepting;

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use ronde_context::{Wait, catch_cancelled, decline, waiting_for};
use ronde_loop::{LoopHandle, timeout};
use socket2::SockRef;

use self::accepting::Shared;
use crate::error::ServeError;

pub(crate) use self::accepting::{AcceptedOptions, Bound, Handle};

/// A server that listens, and the connections that it has accepted. Made by
/// [`start_server`](crate::start_server) and [`start_unix_server`](crate::start_unix_server).
///
/// The tasks of its handlers belong to it: [`wait_closed`](Self::wait_closed) waits for them, and
/// [`shutdown`](Self::shutdown) cancels those that take too long.
///
/// Clones are handles to the same server. It serves until [`close`](Self::close) is called, even if
/// all handles are dropped; the loop owns it. It is `!Send`.
///
/// # In asyncio
///
/// `asyncio.Server`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_streams::start_server;
///
/// # EventLoop::new()?.run_until_complete(async {
/// let server = start_server(async |_reader, _writer| {}, "localhost", 0).await?;
/// assert!(server.is_serving());
/// let port = server.local_addrs()[0].port();
/// assert!(server.local_addrs().iter().all(|address| address.port() == port));
///
/// server.close();
/// server.wait_closed().await;
/// assert!(!server.is_serving());
/// assert!(server.local_addrs().is_empty());
/// # Ok::<(), ronde_streams::ServeError>(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Clone)]
pub struct Server {
    shared: Rc<Shared>,
}

impl Server {
    pub(crate) fn new(
        event_loop: LoopHandle,
        bound: Bound,
        options: AcceptedOptions,
        handle: Handle,
    ) -> Self {
        Self { shared: Rc::new(Shared::new(event_loop, bound, options, handle)) }
    }

    /// Begins to accept connections, if it has not yet: after
    /// [`StartServer::start_serving(false)`](crate::StartServer::start_serving).
    ///
    /// # Errors
    ///
    /// The server is closed then.
    ///
    /// - [`ServeError::Closed`] if it was closed before.
    /// - [`ServeError::Io`] if the system refuses it: another server may have been faster.
    ///
    /// # In asyncio
    ///
    /// `Server.start_serving`, which is a coroutine.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::start_server;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let starting = start_server(async |_reader, _writer| {}, "127.0.0.1", 0);
    /// let server = starting.start_serving(false).await?;
    /// assert!(!server.is_serving());
    /// println!("will serve on {}", server.local_addrs()[0]);
    /// server.start_serving()?;
    /// assert!(server.is_serving());
    /// # Ok::<(), ronde_streams::ServeError>(())
    /// # })?.unwrap();
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn start_serving(&self) -> Result<(), ServeError> {
        self.shared.start_serving()
    }

    /// The addresses that it listens on. Empty when it is closed, and on Unix sockets, which have
    /// [paths](Self::local_paths).
    ///
    /// # In asyncio
    ///
    /// `Server.sockets`.
    #[must_use]
    #[doc(alias = "sockets")]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        self.with_sockets(|socket| {
            addresses.extend(socket.local_addr().ok().and_then(|address| address.as_socket()));
        });
        addresses
    }

    /// The paths of the Unix sockets that it listens on. Empty when it is closed. The name of an abstract
    /// socket begins with NUL.
    ///
    /// # In asyncio
    ///
    /// `Server.sockets`.
    #[cfg(unix)]
    #[must_use]
    #[doc(alias = "sockets")]
    pub fn local_paths(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        self.with_sockets(|socket| {
            paths.extend(socket.local_addr().ok().as_ref().and_then(crate::unix::path_of));
        });
        paths
    }

    /// Calls `f` with each socket that it listens on, to ask or set options. None are left when it is
    /// closed.
    ///
    /// # In asyncio
    ///
    /// `Server.sockets`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::start_server;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let server = start_server(async |_reader, _writer| {}, "127.0.0.1", 0).await.unwrap();
    /// server.with_sockets(|socket| socket.set_recv_buffer_size(1 << 20).unwrap());
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "sockets")]
    pub fn with_sockets(&self, f: impl FnMut(SockRef<'_>)) {
        self.shared.with_sockets(f);
    }

    /// The loop that it serves on.
    ///
    /// # In asyncio
    ///
    /// `Server.get_loop`.
    #[must_use]
    pub fn get_loop(&self) -> LoopHandle {
        self.shared.event_loop.clone()
    }

    /// Does it accept connections?
    ///
    /// # In asyncio
    ///
    /// `Server.is_serving`.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.shared.is_serving()
    }

    /// How many connections are open, or have a handler that runs still.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// Stops listening. Connections that are open stay, and so do their handlers.
    ///
    /// The file of a Unix socket is [removed](crate::StartServer::cleanup_socket).
    ///
    /// # In asyncio
    ///
    /// `Server.close`.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Closes all connections, each after what was written to it is sent.
    ///
    /// Handlers see the end of their stream. Call [`close`](Self::close) first, else there will be
    /// new ones.
    ///
    /// # In asyncio
    ///
    /// `Server.close_clients`.
    pub fn close_clients(&self) {
        for connection in self.shared.live_connections() {
            connection.close();
        }
    }

    /// Closes all connections at once.
    ///
    /// # In asyncio
    ///
    /// `Server.abort_clients`.
    pub fn abort_clients(&self) {
        for connection in self.shared.live_connections() {
            connection.abort();
        }
    }

    /// Cancels the tasks of all handlers that run. They may catch it, and clean up.
    ///
    /// # In asyncio
    ///
    /// There is no such method.
    pub fn cancel_handlers(&self) {
        for task in self.shared.handlers() {
            task.cancel_msg("the server is shut down");
        }
    }

    /// Waits until the server is closed, all its connections are over, and their handlers are done.
    ///
    /// It does not close anything. A client that stays keeps it waiting; see
    /// [`shutdown`](Self::shutdown). A handler of the same server waits for itself here.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** It only looks.
    ///
    /// # In asyncio
    ///
    /// `Server.wait_closed`. There, it doesn't wait for the handlers.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    pub async fn wait_closed(&self) {
        self.wait_until("a server's connections to end", |shared| {
            shared.is_closed() && shared.connections() == 0
        })
        .await;
    }

    /// Ends in good order: closes the server, gives the handlers `grace` to finish, cancels those that
    /// have not, waits until they have cleaned up, and aborts what is still open then.
    ///
    /// Returns how many connections were not over after `grace`. See
    /// [`start_server`](crate::start_server) for a whole program.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** The server is closed; dropped during `grace`, the connections stay as they are.
    /// Calling it again goes on.
    ///
    /// # In asyncio
    ///
    /// There is no such method: it is `close`, `wait_for(wait_closed())`, cancelling the tasks that one
    /// has kept, and `abort_clients`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, SimulatedClock, yield_now};
    /// # use ronde_streams::{open_connection, start_server};
    /// # use std::time::Duration;
    /// # let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build()?;
    /// # event_loop.run_until_complete(async {
    /// let handler = async |reader: ronde_streams::StreamReader, _writer| {
    ///     reader.readline().await.map(drop)
    /// };
    /// let server = start_server(handler, "127.0.0.1", 0).await.unwrap();
    /// let port = server.local_addrs()[0].port();
    /// let (reader, _writer) = open_connection("127.0.0.1", port).await.unwrap();
    /// # while server.connections() == 0 { yield_now().await }
    /// assert_eq!(server.shutdown(Duration::from_secs(10)).await, 1, "the client sent nothing");
    /// assert!(reader.read(1).await.unwrap().is_empty());
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "graceful_shutdown")]
    pub async fn shutdown(&self, grace: Duration) -> usize {
        self.close();
        if timeout(grace, self.wait_closed()).await.is_ok() {
            return 0;
        }
        let late = self.connections();
        self.cancel_handlers();
        self.wait_until("a server's handlers to end", |shared| !shared.has_handlers()).await;
        self.abort_clients();
        self.wait_closed().await;
        late
    }

    /// Serves while `body` runs, and then closes the server and waits for its connections, however the
    /// body has ended: with a value, a panic, or a cancellation.
    ///
    /// It [starts to serve](Self::start_serving) if that has not been done. After a panic or a
    /// cancellation the connections are closed as well, as by [`close_clients`](Self::close_clients).
    /// Otherwise it waits for as long as clients stay; call [`shutdown`](Self::shutdown) in the body
    /// if they should not.
    ///
    /// # Errors
    ///
    /// As [`start_serving`](Self::start_serving).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Cancelled, it drops the body, closes the server and waits; merely dropped, it closes
    /// the server.
    ///
    /// # In asyncio
    ///
    /// `async with server`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::{open_connection, start_server};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let handler = async |_reader, writer: ronde_streams::StreamWriter| writer.write("hello\n");
    /// let server = start_server(handler, "127.0.0.1", 0).await?;
    /// let greeting = server
    ///     .serve(async |server| {
    ///         let port = server.local_addrs()[0].port();
    ///         let (reader, _writer) = open_connection("127.0.0.1", port).await.unwrap();
    ///         reader.readline().await.unwrap()
    ///     })
    ///     .await?;
    /// assert_eq!(greeting, "hello\n");
    /// assert!(!server.is_serving());
    /// # Ok::<(), ronde_streams::ServeError>(())
    /// # })?.unwrap();
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "__aenter__")]
    #[doc(alias = "__aexit__")]
    pub async fn serve<R>(&self, body: impl AsyncFnOnce(&Self) -> R) -> Result<R, ServeError> {
        self.start_serving()?;
        let closing = Closing(self);
        let outcome = catch_cancelled(catch_panic(body(self))).await;
        drop(closing);
        if !matches!(outcome, Ok(Ok(_))) {
            self.close_clients();
        }
        // A panic goes on even if the wait is cancelled.
        let closed = catch_cancelled(self.wait_closed()).await;
        match (outcome, closed) {
            (Ok(Err(payload)), _) => resume_unwind(payload),
            (_, Err(cancelled)) | (Err(cancelled), Ok(())) => cancelled.raise().await,
            (Ok(Ok(value)), Ok(())) => Ok(value),
        }
    }

    /// Accepts connections until the task is cancelled. Then it closes the server and its connections,
    /// and waits for them and for their handlers.
    ///
    /// It [starts to serve](Self::start_serving) if that has not been done. If the server is closed by
    /// somebody else, it waits for the connections as [`wait_closed`](Self::wait_closed), and returns.
    ///
    /// # Errors
    ///
    /// - [`ServeError::Closed`] if the server is closed already.
    /// - [`ServeError::AlreadyServing`] if another task is in `serve_forever`.
    /// - As [`start_serving`](Self::start_serving).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Cancelled, it closes the server; merely dropped, it leaves it as it is.
    ///
    /// # In asyncio
    ///
    /// `Server.serve_forever`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop, yield_now};
    /// # use ronde_streams::start_server;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let server = start_server(async |_reader, _writer| {}, "127.0.0.1", 0).await.unwrap();
    /// let serving = {
    ///     let server = server.clone();
    ///     get_running_loop().unwrap().create_task(async move { server.serve_forever().await })
    /// };
    /// yield_now().await;
    /// serving.cancel();
    /// assert!(serving.await.unwrap_err().is_cancelled());
    /// assert!(!server.is_serving());
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub async fn serve_forever(&self) -> Result<(), ServeError> {
        if self.shared.is_closed() {
            return Err(ServeError::Closed);
        }
        if self.shared.is_served.replace(true) {
            return Err(ServeError::AlreadyServing);
        }
        let _served = Served(&self.shared.is_served);
        self.start_serving()?;
        let closed = self.wait_until("a server to be closed", Shared::is_closed);
        let outcome = catch_cancelled(closed).await;
        self.close();
        if outcome.is_err() {
            self.close_clients();
        }
        self.wait_closed().await;
        match outcome {
            Ok(()) => Ok(()),
            Err(cancelled) => cancelled.raise().await,
        }
    }

    async fn wait_until(&self, what: &'static str, is_true: impl Fn(&Shared) -> bool) {
        poll_fn(|cx| {
            if decline(cx) {
                return Poll::Pending;
            }
            if is_true(&self.shared) {
                return Poll::Ready(());
            }
            self.shared.add_waiter(cx);
            waiting_for(Wait::Leaf(what));
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut server = f.debug_struct("Server");
        server.field("is_serving", &self.is_serving()).field("local_addrs", &self.local_addrs());
        #[cfg(unix)]
        server.field("local_paths", &self.local_paths());
        server.field("connections", &self.connections()).finish_non_exhaustive()
    }
}

/// A task is in `serve_forever`.
struct Served<'a>(&'a Cell<bool>);

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Closes a server when it is dropped.
struct Closing<'a>(&'a Server);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Gives a panic of `body` as an error.
async fn catch_panic<F: Future>(body: F) -> thread::Result<F::Output> {
    let mut body = pin!(body);
    let poll =
        |cx: &mut Context<'_>| match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(payload) => Poll::Ready(Err(payload)),
        };
    poll_fn(poll).await
}

//! Servers: listening, accepting, and the connections that came of it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use ronde_context::{Wait, catch_cancelled, decline, waiting_for};
use ronde_loop::{Direction, ExceptionContext, Failure, LoopHandle, Source};
use socket2::{SockRef, Socket};

use crate::connection::Connection;
use crate::error::ServeError;
use crate::sys;

/// How long accepting rests when the system has no descriptors or memory left, as in asyncio
/// (`ACCEPT_RETRY_DELAY`).
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// A server that listens, and the connections that it has accepted. Made by
/// [`start_server`](crate::start_server).
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

/// Makes a task for a connection.
pub(crate) type Handle = Box<dyn Fn(&LoopHandle, Rc<Connection>, Rc<Guard>)>;

struct Shared {
    event_loop: LoopHandle,
    /// Empty when the server is closed.
    listeners: RefCell<Vec<Rc<Source>>>,
    /// How many connections are accepted before others on the loop have their turn.
    backlog: usize,
    handle: Handle,
    /// The connections that are open, or whose handler runs; `None` is a place that is free.
    connections: RefCell<Vec<Option<Weak<Connection>>>>,
    count: Cell<usize>,
    is_closed: Cell<bool>,
    /// Is a task in `serve_forever`?
    is_served: Cell<bool>,
    /// Accepting failed, and has not succeeded since: that is told once.
    is_failing: Cell<bool>,
    /// Whoever waits for the end. All are woken at each step to it.
    waiters: RefCell<Vec<Waker>>,
}

impl Server {
    /// Starts to accept.
    pub(crate) fn start(
        event_loop: LoopHandle,
        listeners: Vec<Source>,
        backlog: usize,
        handle: Handle,
    ) -> Result<Self, ServeError> {
        let shared = Rc::new(Shared {
            event_loop,
            listeners: RefCell::new(listeners.into_iter().map(Rc::new).collect()),
            backlog,
            handle,
            connections: RefCell::default(),
            count: Cell::new(0),
            is_closed: Cell::new(false),
            is_served: Cell::new(false),
            is_failing: Cell::new(false),
            waiters: RefCell::default(),
        });
        let server = Self { shared };
        for listener in server.shared.listeners.borrow().iter() {
            server.shared.listen(listener).map_err(|source| {
                server.close();
                ServeError::Io { doing: "waiting for connections", source }
            })?;
        }
        Ok(server)
    }

    /// The addresses that it listens on. Empty when it is closed.
    ///
    /// # In asyncio
    ///
    /// `Server.sockets`.
    #[must_use]
    #[doc(alias = "sockets")]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        let listeners = self.shared.listeners.borrow();
        let address =
            |listener: &Rc<Source>| SockRef::from(&**listener).local_addr().ok()?.as_socket();
        listeners.iter().filter_map(address).collect()
    }

    /// Does it accept connections?
    ///
    /// # In asyncio
    ///
    /// `Server.is_serving`.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        !self.shared.is_closed.get()
    }

    /// How many connections are open, or have a handler that runs still.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.count.get()
    }

    /// Stops listening. Connections that are open stay, and so do their handlers.
    ///
    /// # In asyncio
    ///
    /// `Server.close`.
    pub fn close(&self) {
        if self.shared.is_closed.replace(true) {
            return;
        }
        let listeners = self.shared.listeners.take();
        for listener in &listeners {
            // Removing a callback never fails.
            let _ = listener.set_callback(Direction::Read, None);
        }
        drop(listeners);
        self.shared.wake_waiters();
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

    /// Waits until the server is closed, all its connections are over, and their handlers are done.
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
            shared.is_closed.get() && shared.count.get() == 0
        })
        .await;
    }

    /// Accepts connections until the task is cancelled. Then it closes the server, and waits for the
    /// connections as [`wait_closed`](Self::wait_closed) does.
    ///
    /// If the server is closed by somebody else, it waits in the same way, and returns.
    ///
    /// # Errors
    ///
    /// - [`ServeError::Closed`] if the server is closed already.
    /// - [`ServeError::AlreadyServing`] if another task is in `serve_forever`.
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
        if self.shared.is_closed.get() {
            return Err(ServeError::Closed);
        }
        if self.shared.is_served.replace(true) {
            return Err(ServeError::AlreadyServing);
        }
        let _served = Served(&self.shared.is_served);
        let closed = self.wait_until("a server to be closed", |shared| shared.is_closed.get());
        let outcome = catch_cancelled(closed).await;
        self.close();
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
            let mut waiters = self.shared.waiters.borrow_mut();
            if !waiters.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiters.push(cx.waker().clone());
            }
            waiting_for(Wait::Leaf(what));
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addrs", &self.local_addrs())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// A task is in `serve_forever`.
struct Served<'a>(&'a Cell<bool>);

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Shared {
    /// Has the reactor call back when somebody connects. The callback owns the server.
    fn listen(self: &Rc<Self>, listener: &Rc<Source>) -> io::Result<()> {
        let (shared, weak) = (self.clone(), Rc::downgrade(listener));
        let callback = move || {
            if let Some(listener) = weak.upgrade() {
                shared.accept(&listener);
            }
        };
        listener.set_callback(Direction::Read, Some(Rc::new(callback)))?;
        Ok(())
    }

    /// Accepts whoever is there.
    fn accept(self: &Rc<Self>, listener: &Rc<Source>) {
        for _ in 0..self.backlog {
            if self.is_closed.get() {
                return;
            }
            match listener.try_io(Direction::Read, |io| SockRef::from(&io).accept()) {
                Ok((socket, address)) => self.take(socket, address.as_socket()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Somebody has given up in the meantime.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return self.rest(listener, error),
            }
        }
        // There may be more, of which the system has told already. Others have their turn first.
        if let Err(error) = listener.recheck(Direction::Read) {
            self.rest(listener, error);
        }
    }

    /// A connection was accepted.
    fn take(self: &Rc<Self>, socket: Socket, peer: Option<SocketAddr>) {
        // A connection without it is slower, and otherwise as good. Unix sockets don't have it.
        let _ = socket.set_tcp_nodelay(true);
        let source = match self.event_loop.register(socket) {
            Ok(source) => source,
            Err(error) => return self.report("a connection could not be taken", error),
        };
        self.is_failing.set(false);
        let connection = Connection::new(self.event_loop.clone(), source, peer);
        let guard = Rc::new(Guard::new(self, &connection));
        connection.set_guard(guard.clone());
        (self.handle)(&self.event_loop, connection, guard);
    }

    /// The system has no descriptors or memory left, or the network is down: tries again later.
    ///
    /// Who wants to connect waits in the system's queue meanwhile, as far as the backlog goes.
    fn rest(self: &Rc<Self>, listener: &Rc<Source>, error: io::Error) {
        // Removing a callback never fails.
        let _ = listener.set_callback(Direction::Read, None);
        let message = if sys::is_out_of_resources(&error) {
            "the system is out of resources: accepting connections rests for a second"
        } else {
            "accepting connections failed, and rests for a second"
        };
        self.report(message, error);
        let (shared, listener) = (self.clone(), Rc::downgrade(listener));
        self.event_loop.call_later(RETRY_DELAY, move || {
            let Some(listener) = listener.upgrade() else { return };
            if shared.is_closed.get() {
                return;
            }
            match shared.listen(&listener) {
                Ok(()) => shared.accept(&listener),
                Err(error) => shared.rest(&listener, error),
            }
        });
    }

    /// Tells of a failure, unless it is the same one as the last time.
    fn report(&self, message: &str, error: io::Error) {
        if !self.is_failing.replace(true) {
            let failure = Failure::Error(Box::new(error));
            self.event_loop.call_exception_handler(&ExceptionContext::new(message, failure));
        }
    }

    fn live_connections(&self) -> Vec<Rc<Connection>> {
        self.connections.borrow().iter().flatten().filter_map(Weak::upgrade).collect()
    }

    fn wake_waiters(&self) {
        for waker in self.waiters.take() {
            waker.wake();
        }
    }
}

/// Counts as a connection of a server for as long as it lives: the connection has it, and its handler.
pub(crate) struct Guard {
    shared: Rc<Shared>,
    place: usize,
}

impl Guard {
    fn new(shared: &Rc<Shared>, connection: &Rc<Connection>) -> Self {
        let mut connections = shared.connections.borrow_mut();
        let entry = Some(Rc::downgrade(connection));
        let place = match connections.iter().position(Option::is_none) {
            Some(place) => {
                connections[place] = entry;
                place
            }
            None => {
                connections.push(entry);
                connections.len() - 1
            }
        };
        shared.count.set(shared.count.get() + 1);
        Self { shared: shared.clone(), place }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.connections.borrow_mut()[self.place] = None;
        self.shared.count.set(self.shared.count.get() - 1);
        self.shared.wake_waiters();
    }
}

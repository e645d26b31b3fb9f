//! Accepting, and the connections that came of it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};

use ronde_loop::{Direction, ExceptionContext, Failure, LoopHandle, OwnedSource, Source, TaskRef};
use socket2::{SockRef, Socket};

use crate::connection::Connection;
use crate::constants::ACCEPT_RETRY_DELAY;
use crate::error::ServeError;
use crate::sys;
#[cfg(unix)]
use crate::unix::SocketFile;

/// Makes a task for a connection.
pub(crate) type Handle = Box<dyn Fn(&LoopHandle, Rc<Connection>, Running) -> TaskRef>;

/// Sockets that have an address.
pub(crate) struct Bound {
    /// Dropped before the sockets, as [`close`](Shared::close) does it.
    #[cfg(unix)]
    pub(crate) files: Vec<SocketFile>,
    pub(crate) sockets: Vec<OwnedSource>,
    /// Do they have to be told to listen?
    pub(crate) needs_listen: bool,
    /// How many connections may wait, and how many are accepted before others on the loop have their
    /// turn.
    pub(crate) backlog: u16,
}

/// How the sockets of connections are set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcceptedOptions {
    pub(crate) nodelay: bool,
    pub(crate) keep_alive: bool,
}

pub(super) struct Shared {
    pub(super) event_loop: LoopHandle,
    /// Its sockets move to `listeners` when it starts to serve.
    bound: RefCell<Bound>,
    listeners: RefCell<Vec<Rc<Source>>>,
    backlog: usize,
    options: AcceptedOptions,
    handle: Handle,
    /// The connections that are open, or whose handler runs; `None` is a place that is free.
    connections: RefCell<Vec<Option<Entry>>>,
    count: Cell<usize>,
    is_serving: Cell<bool>,
    is_closed: Cell<bool>,
    /// Is a task in `serve_forever`?
    pub(super) is_served: Cell<bool>,
    /// Accepting failed, and has not succeeded since: that is told once.
    is_failing: Cell<bool>,
    /// Whoever waits for the end. All are woken at each step to it.
    waiters: RefCell<Vec<Waker>>,
}

struct Entry {
    connection: Weak<Connection>,
    /// As long as the handler runs.
    handler: Option<TaskRef>,
}

impl Shared {
    pub(super) fn new(
        event_loop: LoopHandle,
        bound: Bound,
        options: AcceptedOptions,
        handle: Handle,
    ) -> Self {
        Self {
            event_loop,
            backlog: usize::from(bound.backlog.max(1)),
            bound: RefCell::new(bound),
            listeners: RefCell::default(),
            options,
            handle,
            connections: RefCell::default(),
            count: Cell::new(0),
            is_serving: Cell::new(false),
            is_closed: Cell::new(false),
            is_served: Cell::new(false),
            is_failing: Cell::new(false),
            waiters: RefCell::default(),
        }
    }

    pub(super) fn start_serving(self: &Rc<Self>) -> Result<(), ServeError> {
        if self.is_closed.get() {
            return Err(ServeError::Closed);
        }
        if self.is_serving.replace(true) {
            return Ok(());
        }
        let started = self.listen_all();
        if started.is_err() {
            self.close();
        }
        started.map_err(|source| ServeError::Io { doing: "waiting for connections", source })
    }

    fn listen_all(self: &Rc<Self>) -> io::Result<()> {
        let (sockets, needs_listen, backlog) = {
            let mut bound = self.bound.borrow_mut();
            (std::mem::take(&mut bound.sockets), bound.needs_listen, bound.backlog)
        };
        for socket in sockets {
            if needs_listen {
                SockRef::from(&socket).listen(i32::from(backlog))?;
            }
            // Only now: a socket that does not listen yet is reported as hung up.
            let listener = Rc::new(self.event_loop.register(socket)?);
            self.listen(&listener)?;
            self.listeners.borrow_mut().push(listener);
        }
        Ok(())
    }

    pub(super) fn with_sockets(&self, mut f: impl FnMut(SockRef<'_>)) {
        // `f` is foreign code, which may close the server.
        let listeners = self.listeners.borrow().clone();
        for listener in listeners {
            f(SockRef::from(&*listener));
        }
        let sockets = std::mem::take(&mut self.bound.borrow_mut().sockets);
        let taken = Taken { shared: self, sockets };
        for socket in &taken.sockets {
            f(SockRef::from(socket));
        }
    }

    pub(super) fn is_serving(&self) -> bool {
        self.is_serving.get() && !self.is_closed.get()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    pub(super) fn close(&self) {
        if self.is_closed.replace(true) {
            return;
        }
        // First: when the socket is gone, another file may have the number that tells this one from others.
        #[cfg(unix)]
        {
            let files = std::mem::take(&mut self.bound.borrow_mut().files);
            drop(files);
        }
        let listeners = self.listeners.take();
        for listener in &listeners {
            // Removing a callback never fails.
            let _ = listener.set_callback(Direction::Read, None);
        }
        drop(listeners);
        let sockets = std::mem::take(&mut self.bound.borrow_mut().sockets);
        drop(sockets);
        self.wake_waiters();
    }

    pub(super) fn connections(&self) -> usize {
        self.count.get()
    }

    pub(super) fn live_connections(&self) -> Vec<Rc<Connection>> {
        let connections = self.connections.borrow();
        connections.iter().flatten().filter_map(|entry| entry.connection.upgrade()).collect()
    }

    /// The tasks of the handlers that run.
    pub(super) fn handlers(&self) -> Vec<TaskRef> {
        let connections = self.connections.borrow();
        connections.iter().flatten().filter_map(|entry| entry.handler.clone()).collect()
    }

    pub(super) fn has_handlers(&self) -> bool {
        self.connections.borrow().iter().flatten().any(|entry| entry.handler.is_some())
    }

    pub(super) fn add_waiter(&self, cx: &Context<'_>) {
        let mut waiters = self.waiters.borrow_mut();
        if !waiters.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiters.push(cx.waker().clone());
        }
    }

    fn wake_waiters(&self) {
        for waker in self.waiters.take() {
            waker.wake();
        }
    }

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
        // A connection without these is as good. Unix sockets don't have them.
        let _ = socket.set_tcp_nodelay(self.options.nodelay);
        if self.options.keep_alive {
            let _ = socket.set_keepalive(true);
        }
        let source = match self.event_loop.register(socket) {
            Ok(source) => source,
            Err(error) => return self.report("a connection could not be taken", error),
        };
        self.is_failing.set(false);
        let connection = Connection::new(self.event_loop.clone(), source, peer);
        let guard = Rc::new(Guard::new(self, &connection));
        connection.set_guard(guard.clone());
        let running = Running(guard.clone());
        guard.set_handler(Some((self.handle)(&self.event_loop, connection, running)));
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
        self.event_loop.call_later(ACCEPT_RETRY_DELAY, move || {
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
}

/// The sockets of a server that does not serve yet, while foreign code has a look at them. It may panic.
struct Taken<'a> {
    shared: &'a Shared,
    sockets: Vec<OwnedSource>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.shared.is_closed.get() {
            self.shared.bound.borrow_mut().sockets = std::mem::take(&mut self.sockets);
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
        let entry = Some(Entry { connection: Rc::downgrade(connection), handler: None });
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

    fn set_handler(&self, handler: Option<TaskRef>) {
        let old = match &mut self.shared.connections.borrow_mut()[self.place] {
            Some(entry) => std::mem::replace(&mut entry.handler, handler),
            None => None,
        };
        // Only here: the last handle to a task may drop its value.
        drop(old);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let entry = self.shared.connections.borrow_mut()[self.place].take();
        drop(entry);
        self.shared.count.set(self.shared.count.get() - 1);
        self.shared.wake_waiters();
    }
}

/// The handler of a connection runs for as long as this lives.
pub(crate) struct Running(Rc<Guard>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set_handler(None);
        self.0.shared.wake_waiters();
    }
}

//! A registered descriptor or socket.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use ronde_context::{IoDirection, Wait, waiting_for};

use crate::{BorrowedSource, Direction, OwnedSource, Reactor, Readiness, sys};

/// A descriptor or socket that is registered with a reactor for exactly as long as it lives.
///
/// I/O is tried first, and only when the system says `WouldBlock` is the reactor asked.
/// [`io`](Source::io) and [`poll_io`](Source::poll_io) do just that; the other methods are its
/// parts. What is read and written, and how it is buffered, is the caller's concern: `Source`
/// only lends the descriptor.
///
/// At most one waker waits per direction, and at most one callback. Both may be set.
///
/// It is neither `Send` nor `Sync`. Only the thread of its reactor can use or drop it.
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<ronde_reactor::Source>();
/// ```
///
/// # Non-blocking mode
///
/// The descriptor is put into non-blocking mode, which belongs to the open file and not to the
/// descriptor: other descriptors of it, in this and in other processes, find it non-blocking
/// too. The mode is not restored. For what others have open too, such as an inherited standard input,
/// there is [`Source::new_shared`].
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use ronde_reactor::{Direction, Reactor, Source, default_poller};
/// use std::{io::Write, os::unix::net::UnixStream, pin::pin, rc::Rc};
/// use std::{future::Future, task::{Context, Poll, Waker}};
///
/// let reactor = Rc::new(Reactor::new(default_poller()?));
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let source = Source::new(&reactor, ours)?;
///
/// let mut buffer = [0; 16];
/// let mut reading = pin!(source.io(Direction::Read, |socket| {
///     Ok(rustix::io::read(socket, &mut buffer)?)
/// }));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(reading.as_mut().poll(&mut cx).is_pending());
///
/// theirs.write_all(b"hello")?;
/// reactor.wait(None, &mut |listener| listener.call())?;
/// assert!(matches!(reading.as_mut().poll(&mut cx), Poll::Ready(Ok(5))));
/// # }
/// # std::io::Result::Ok(())
/// ```
pub struct Source {
    // The order matters: the registration goes first, then the source closes.
    registration: Registration,
    io: Rc<OwnedSource>,
    /// Is it TCP's? `None` until somebody wants to know.
    is_tcp: Cell<Option<bool>>,
}

impl Source {
    /// Puts `io` into non-blocking mode and registers it.
    ///
    /// Nothing is known about its readiness, so both directions count as ready.
    ///
    /// # Errors
    ///
    /// `io` is closed in every case.
    ///
    /// - [`Unsupported`](io::ErrorKind::Unsupported) if `io` cannot be waited for. On Linux that
    ///   holds for regular files and directories.
    /// - Whatever the system says when it has no memory or registrations left.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// use std::{net::TcpListener, rc::Rc};
    ///
    /// let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let listener = Source::new(&reactor, TcpListener::bind("127.0.0.1:0")?)?;
    /// assert!(listener.is_ready(Direction::Read), "not known to be unready");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new(reactor: &Rc<Reactor>, io: impl Into<OwnedSource>) -> io::Result<Self> {
        Self::register(reactor, sys::set_nonblocking(io.into())?)
    }

    /// Registers `io` and leaves its mode as it is.
    ///
    /// For what is shared with other programs, which a change of mode would disturb. Whoever does
    /// I/O on it must use calls that never wait, such as `recv` with `MSG_DONTWAIT`.
    ///
    /// # Errors
    ///
    /// As [`new`](Source::new).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// use rustix::net::{RecvFlags, recv};
    /// use std::{io, os::unix::net::UnixStream, rc::Rc};
    ///
    /// let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let (ours, _theirs) = UnixStream::pair()?;
    /// let source = Source::new_shared(&reactor, ours)?;
    /// let received = source.try_io(Direction::Read, |socket| {
    ///     Ok(recv(socket, &mut [0; 16], RecvFlags::DONTWAIT)?)
    /// });
    /// assert_eq!(received.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    /// # }
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new_shared(reactor: &Rc<Reactor>, io: impl Into<OwnedSource>) -> io::Result<Self> {
        Self::register(reactor, io.into())
    }

    fn register(reactor: &Rc<Reactor>, io: OwnedSource) -> io::Result<Self> {
        let io = Rc::new(io);
        let key = reactor.register(&io).map_err(sys::explain_refusal)?;
        let registration = Registration { reactor: Rc::clone(reactor), key };
        Ok(Self { registration, io, is_tcp: Cell::new(None) })
    }

    /// Lends the descriptor or socket.
    ///
    /// I/O on it behind the source's back is allowed; a `WouldBlock` from it is best reported with
    /// [`mark_blocked`](Source::mark_blocked).
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_reactor::{Reactor, Source, default_poller};
    /// # use std::{net::TcpListener, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let source = Source::new(&reactor, listener)?;
    ///
    /// let lent = source.borrow().try_clone_to_owned()?;
    /// assert_eq!(TcpListener::from(lent).local_addr()?, address);
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn borrow(&self) -> BorrowedSource<'_> {
        sys::borrow(&self.io)
    }

    /// Returns the number of the descriptor or socket, for reports.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_reactor::{Reactor, Source, default_poller};
    /// # use std::{net::UdpSocket, os::fd::AsRawFd, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// let number = socket.as_raw_fd();
    /// assert_eq!(Source::new(&reactor, socket)?.number(), number as u64);
    /// # }
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn number(&self) -> u64 {
        sys::number(&self.io)
    }

    /// Returns the reactor that the source is registered with.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_reactor::{Reactor, Source, default_poller};
    /// # use std::{net::UdpSocket, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let source = Source::new(&reactor, UdpSocket::bind("127.0.0.1:0")?)?;
    /// assert!(Rc::ptr_eq(source.reactor(), &reactor));
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn reactor(&self) -> &Rc<Reactor> {
        &self.registration.reactor
    }

    /// Tells whether I/O in `direction` is worth a try: it is not known to block.
    ///
    /// Only a report in [`Reactor::wait`] makes a direction ready again, and on some systems only
    /// while somebody waits for it: use [`poll_ready`](Source::poll_ready) or a callback to wait.
    ///
    /// # Examples
    ///
    /// See [`mark_blocked`](Source::mark_blocked).
    #[must_use]
    pub fn is_ready(&self, direction: Direction) -> bool {
        self.readiness(direction) != Readiness::Blocked
    }

    /// Returns what is known about `direction`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_reactor::{Direction, Reactor, Readiness, Source, default_poller};
    /// # use std::{io::Write, os::unix::net::UnixStream, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let (ours, theirs) = UnixStream::pair()?;
    /// let source = Source::new(&reactor, ours)?;
    /// assert_eq!(source.readiness(Direction::Read), Readiness::Ready);
    ///
    /// source.set_callback(Direction::Read, Some(Rc::new(|| {})))?;
    /// drop(theirs);
    /// reactor.wait(None, &mut |listener| listener.call())?;
    /// # #[cfg(target_os = "linux")]
    /// assert_eq!(source.readiness(Direction::Read), Readiness::Lasting);
    /// # }
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn readiness(&self, direction: Direction) -> Readiness {
        self.registration
            .reactor
            .with(self.registration.key, |slot| slot.direction(direction).readiness)
    }

    /// Returns `Ready` if `direction` is not known to block; else stores the waker to be handed
    /// to `dispatch` when it becomes ready.
    ///
    /// `Ready` may be spurious. After a `WouldBlock`, [`mark_blocked`](Source::mark_blocked) must
    /// be called before this, else it says `Ready` again at once.
    ///
    /// One waker waits per direction. The waker of another task replaces it, and the one that was
    /// replaced is *woken*, so that its task can see what became of its wait instead of hanging. Two
    /// tasks that insist on the same direction thus keep waking each other: divide the work
    /// between them with a lock. There is no way to take a waker back. One that nobody waits for
    /// any more is replaced by the next, used up by the next report, or dropped with the source.
    ///
    /// # Errors
    ///
    /// If the system cannot be asked to report the direction. Nobody is stored then.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// # use std::{io::Write, os::unix::net::UnixStream, rc::Rc, task::{Context, Waker}};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let (ours, mut theirs) = UnixStream::pair()?;
    /// let source = Source::new(&reactor, ours)?;
    /// let mut cx = Context::from_waker(Waker::noop());
    ///
    /// assert!(source.poll_ready(Direction::Read, &mut cx)?.is_ready());
    /// source.mark_blocked(Direction::Read);
    /// assert!(source.poll_ready(Direction::Read, &mut cx)?.is_pending());
    ///
    /// theirs.write_all(b"hello")?;
    /// reactor.wait(None, &mut |listener| listener.call())?;
    /// assert!(source.poll_ready(Direction::Read, &mut cx)?.is_ready());
    /// # }
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_ready(&self, direction: Direction, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Registration { reactor, key } = &self.registration;
        let (readiness, is_stored) = reactor.with(*key, |slot| {
            let state = slot.direction(direction);
            let stored = state.waker.as_ref();
            (state.readiness, stored.is_some_and(|waker| waker.will_wake(cx.waker())))
        });
        if readiness != Readiness::Blocked {
            return Poll::Ready(Ok(()));
        }
        if is_stored {
            return Poll::Pending;
        }
        reactor.arm(self.borrow(), *key, direction)?;
        // Cloned and woken outside of the table, for both may be foreign code.
        let waker = cx.waker().clone();
        let replaced =
            reactor.with(*key, |slot| slot.direction_mut(direction).waker.replace(waker));
        if let Some(replaced) = replaced {
            replaced.wake();
        }
        Poll::Pending
    }

    /// What a task waits for that waits for `direction`: for those who poll, to say it with
    /// [`ronde_context::waiting_for`]. [`ready`](Source::ready) and [`io`](Source::io) do so themselves.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// # use std::{net::UdpSocket, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let source = Source::new(&reactor, UdpSocket::bind("127.0.0.1:0")?)?;
    /// let wait = source.wait(Direction::Read);
    /// assert_eq!(format!("{wait:?}"), format!("descriptor {} to be readable", source.number()));
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn wait(&self, direction: Direction) -> Wait {
        let direction = match direction {
            Direction::Read => IoDirection::Read,
            Direction::Write => IoDirection::Write,
        };
        Wait::Descriptor { number: self.number(), direction }
    }

    /// Says what the task waits for, if it has to.
    fn tell<R>(&self, direction: Direction, polled: Poll<R>) -> Poll<R> {
        if polled.is_pending() {
            waiting_for(self.wait(direction));
        }
        polled
    }

    /// Waits until `direction` is not known to block.
    ///
    /// See [`poll_ready`](Source::poll_ready), also for what happens when two tasks wait.
    ///
    /// # Errors
    ///
    /// As `poll_ready`.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Nothing is taken from the source. The waker stays stored until it is replaced,
    /// used or dropped with the source.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// # use std::{net::UdpSocket, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let source = Source::new(&reactor, UdpSocket::bind("127.0.0.1:0")?)?;
    /// # futures_lite::future::block_on(async {
    /// source.ready(Direction::Write).await?;
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub async fn ready(&self, direction: Direction) -> io::Result<()> {
        poll_fn(|cx| self.tell(direction, self.poll_ready(direction, cx))).await
    }

    /// Takes note of a *short* read or write: on a stream it means that there is no more for now.
    ///
    /// Call it when a read filled, or a write took, less than the buffer, and save the call that
    /// would only say `WouldBlock`. The end of a stream is not missed by this: while a hang-up, an
    /// error or urgent data is known ([`Readiness::Lasting`]) it has no effect, and one that is
    /// not known yet will be reported.
    ///
    /// Only for byte streams: TCP, pipes, and Unix sockets that receive neither descriptors nor
    /// credentials, for a read stops behind those. Datagrams and terminal lines end a read with
    /// the next one waiting. After `WouldBlock`, call [`mark_blocked`](Source::mark_blocked)
    /// instead.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// # use std::{io::Write, os::unix::net::UnixStream, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let (ours, mut theirs) = UnixStream::pair()?;
    /// let source = Source::new(&reactor, ours)?;
    /// theirs.write_all(b"hello")?;
    ///
    /// let mut buffer = [0; 16];
    /// let received = source.try_io(Direction::Read, |socket| {
    ///     Ok(rustix::io::read(socket, &mut buffer)?)
    /// })?;
    /// if received < buffer.len() {
    ///     source.clear_ready(Direction::Read);
    /// }
    /// assert!(!source.is_ready(Direction::Read));
    /// # }
    /// # std::io::Result::Ok(())
    /// ```
    pub fn clear_ready(&self, direction: Direction) {
        self.registration.reactor.with(self.registration.key, |slot| {
            let state = slot.direction_mut(direction);
            if state.readiness == Readiness::Ready {
                state.readiness = Readiness::Blocked;
            }
        });
    }

    /// Takes note of a *short* read or write, if the source is one for which it means anything.
    ///
    /// As [`clear_ready`](Source::clear_ready), for those who don't know what they read from: it has an
    /// effect on TCP sockets alone. The system is asked once what the source is.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// # use std::{net::UdpSocket, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let source = Source::new(&reactor, UdpSocket::bind("127.0.0.1:0")?)?;
    /// // A datagram was received that is smaller than the buffer. There may be another one.
    /// source.clear_ready_if_tcp(Direction::Read);
    /// assert!(source.is_ready(Direction::Read));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn clear_ready_if_tcp(&self, direction: Direction) {
        let is_tcp = self.is_tcp.get().unwrap_or_else(|| {
            let is_tcp = sys::is_tcp(&self.io);
            self.is_tcp.set(Some(is_tcp));
            is_tcp
        });
        if is_tcp {
            self.clear_ready(direction);
        }
    }

    /// Takes note that the system said `WouldBlock`, or `InProgress` to a `connect`.
    ///
    /// [`try_io`](Source::try_io), [`poll_io`](Source::poll_io) and [`io`](Source::io) do this by
    /// themselves for `WouldBlock`.
    ///
    /// # Examples
    ///
    /// To connect, start it, mark, wait for [`Direction::Write`], and fetch the socket's error:
    ///
    /// ```
    /// # use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// # use std::{net::TcpListener, rc::Rc, task::{Context, Waker}};
    /// use socket2::{Domain, SockRef, Socket, Type};
    ///
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let source = Source::new(&reactor, Socket::new(Domain::IPV4, Type::STREAM, None)?)?;
    ///
    /// let started = SockRef::from(&source).connect(&listener.local_addr()?.into());
    /// if started.is_err() {
    ///     // The error is `InProgress`.
    ///     source.mark_blocked(Direction::Write);
    ///     assert!(!source.is_ready(Direction::Write));
    /// }
    /// let mut cx = Context::from_waker(Waker::noop());
    /// while source.poll_ready(Direction::Write, &mut cx)?.is_pending() {
    ///     reactor.wait(None, &mut |listener| listener.call())?;
    /// }
    /// assert!(SockRef::from(&source).take_error()?.is_none());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn mark_blocked(&self, direction: Direction) {
        self.registration.reactor.with(self.registration.key, |slot| {
            slot.direction_mut(direction).readiness = Readiness::Blocked;
        });
    }

    /// Asks the system for what is ready in `direction` now, to be reported by the next wait.
    ///
    /// Edge-triggered registration reports changes. A callback that does not read until there is
    /// nothing left calls this afterwards, and is called again in the next wait if there is more;
    /// that is level-triggered behaviour, for one system call per round.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    ///
    /// # Examples
    ///
    /// See [`set_callback`](Source::set_callback).
    pub fn recheck(&self, direction: Direction) -> io::Result<()> {
        let Registration { reactor, key } = &self.registration;
        reactor.recheck(self.borrow(), *key, direction)
    }

    /// Does `f`, non-blocking I/O on the source, without waiting.
    ///
    /// A call that a signal interrupted is repeated. `WouldBlock` is noted, as by
    /// [`mark_blocked`](Source::mark_blocked), and returned. The system is asked whether or not
    /// the direction is known to block.
    ///
    /// # Errors
    ///
    /// Those of `f`, except [`Interrupted`](io::ErrorKind::Interrupted).
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// # use std::{net::TcpListener, io, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let source = Source::new(&reactor, listener.try_clone()?)?;
    ///
    /// let error = source.try_io(Direction::Read, |_| listener.accept()).unwrap_err();
    /// assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    /// assert!(!source.is_ready(Direction::Read));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn try_io<R>(
        &self,
        direction: Direction,
        mut f: impl FnMut(BorrowedSource<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            match f(self.borrow()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.mark_blocked(direction);
                    return Err(error);
                }
                done => return done,
            }
        }
    }

    /// Does `f`, non-blocking I/O on the source, as soon as it can be done.
    ///
    /// The system is asked first unless `direction` is known to block; on `WouldBlock` the waker
    /// is stored as by [`poll_ready`](Source::poll_ready).
    ///
    /// # Errors
    ///
    /// Those of `f` and of `poll_ready`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// # use std::{net::TcpListener, rc::Rc, task::{Context, Waker}};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let source = Source::new(&reactor, listener.try_clone()?)?;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let accepted = source.poll_io(Direction::Read, &mut cx, |_| listener.accept());
    /// assert!(accepted.is_pending());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn poll_io<R>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        mut f: impl FnMut(BorrowedSource<'_>) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            ready!(self.poll_ready(direction, cx))?;
            match self.try_io(direction, &mut f) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Does `f`, non-blocking I/O on the source, waiting until it can be done.
    ///
    /// See [`poll_io`](Source::poll_io).
    ///
    /// # Errors
    ///
    /// As `poll_io`.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** When `f` has done something, the call returns in the same poll.
    ///
    /// # Examples
    ///
    /// See [`Source`].
    pub async fn io<R>(
        &self,
        direction: Direction,
        mut f: impl FnMut(BorrowedSource<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        poll_fn(|cx| self.tell(direction, self.poll_io(direction, cx, &mut f))).await
    }

    /// Has `callback` handed to `dispatch` at every report about `direction`, until it is replaced
    /// or removed with `None`. Returns whether the direction counts as ready at present.
    ///
    /// How often a direction is reported that *stays* ready depends on the system: once per change
    /// where registration is edge-triggered, at every wait elsewhere. So a callback does its
    /// I/O until `WouldBlock`, or else calls [`recheck`](Source::recheck).
    ///
    /// `true` says that I/O is worth a try now, and that there may be no report before it was
    /// tried. A new source counts as ready, yet need not be tried: what it has to offer is reported
    /// by the first wait (for writing, by the first wait after the callback was set).
    ///
    /// Reports of a callback that fails, or is slow, name the place where it was set, which is that of
    /// this call.
    ///
    /// A callback that was removed while `dispatch` already had it may still be called once.
    ///
    /// # Errors
    ///
    /// If the system cannot be asked to report the direction. The callback is not set then.
    /// Removing one never fails.
    ///
    /// # In asyncio
    ///
    /// What `loop.add_reader` and `loop.add_writer` are made of.
    ///
    /// # Examples
    ///
    /// A callback that takes one byte at a time:
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_reactor::{Direction, Reactor, Source, default_poller};
    /// # use std::{cell::Cell, io::{Read, Write}, os::unix::net::UnixStream, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let (ours, mut theirs) = UnixStream::pair()?;
    /// let source = Source::new(&reactor, ours.try_clone()?)?;
    /// let called = Rc::new(Cell::new(false));
    /// let flag = called.clone();
    /// source.set_callback(Direction::Read, Some(Rc::new(move || flag.set(true))))?;
    ///
    /// theirs.write_all(b"abc")?;
    /// let mut received = Vec::new();
    /// while received.len() < 3 {
    ///     reactor.wait(None, &mut |listener| listener.call())?;
    ///     if called.take() {
    ///         let mut byte = [0];
    ///         (&ours).read_exact(&mut byte)?;
    ///         received.extend(byte);
    ///         source.recheck(Direction::Read)?;
    ///     }
    /// }
    /// assert_eq!(received, b"abc");
    /// # }
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "add_reader")]
    #[doc(alias = "add_writer")]
    #[track_caller]
    pub fn set_callback(
        &self,
        direction: Direction,
        callback: Option<Rc<dyn Fn()>>,
    ) -> io::Result<bool> {
        let Registration { reactor, key } = &self.registration;
        let set_at = Location::caller();
        let callback = callback.map(|callback| (callback, set_at));
        if callback.is_some() {
            reactor.arm(self.borrow(), *key, direction)?;
        }
        let replaced = reactor.with(*key, |slot| {
            std::mem::replace(&mut slot.direction_mut(direction).callback, callback)
        });
        // Only here, with the table free again: what it captured may be foreign code to drop.
        drop(replaced);
        Ok(self.is_ready(direction))
    }

    /// Deregisters the descriptor or socket and returns it, still in non-blocking mode.
    ///
    /// Wakers and callbacks are dropped without being told.
    ///
    /// # Errors
    ///
    /// If it could not be deregistered, which the default poller on Linux never reports. It is
    /// then kept open, for good, by the poller.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_reactor::{Reactor, Source, default_poller};
    /// # use std::{net::TcpListener, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let source = Source::new(&reactor, TcpListener::bind("127.0.0.1:0")?)?;
    /// let listener = TcpListener::from(source.into_inner()?);
    /// assert_eq!(reactor.len(), 0);
    /// assert!(listener.local_addr().is_ok());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn into_inner(self) -> io::Result<OwnedSource> {
        let Self { registration, io, .. } = self;
        drop(registration);
        Rc::try_unwrap(io).map_err(|_| io::Error::other("the poller does not let go of the source"))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("io", &self.io)
            .field("read", &self.readiness(Direction::Read))
            .field("write", &self.readiness(Direction::Write))
            .finish_non_exhaustive()
    }
}

/// A place in a reactor's table, given up when dropped.
struct Registration {
    reactor: Rc<Reactor>,
    key: usize,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.reactor.deregister(self.key);
    }
}

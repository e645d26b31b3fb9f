//! What the reactor waits with: the [`Poller`] trait and the system's own implementation.
//!
//! This is the only place where an implementation is chosen.

#[cfg(all(any(target_os = "linux", target_os = "android"), not(ronde_portable_poller)))]
#[path = "epoll.rs"]
mod system;
#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(ronde_portable_poller))))]
#[path = "portable.rs"]
mod system;

use std::fmt::Debug;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::{BorrowedSource, Direction, OwnedSource, Readiness};

/// What a [`Reactor`](crate::Reactor) waits with: the system's `epoll`, or a stand-in for it.
///
/// The reactor is the only caller. Implement this trait to simulate or to record I/O; programs
/// have no reason to call it.
///
/// # What an implementation promises
///
/// - Once a direction is of interest, its *becoming* ready is reported by a later `wait`.
///   Whether it is reported when it was ready before `set_interest` is left open; `recheck`
///   makes sure of it.
/// - Interest either lasts for as long as the source is registered, or a report about the source
///   ends it. [`keeps_interest`](Poller::keeps_interest) says which.
/// - Reports may be spurious, and may come for directions without interest or for a key that is
///   no longer registered. None is lost.
///
/// # Examples
///
/// A poller for tests, which reports what it is told to:
///
/// ```
/// use ronde_reactor::*;
/// use std::{cell::RefCell, io, rc::Rc, sync::Arc, time::Duration};
///
/// #[derive(Debug, Default)]
/// struct Scripted(RefCell<Vec<Event>>);
///
/// #[derive(Debug)]
/// struct Silent;
/// impl Notify for Silent {
///     fn notify(&self) {}
/// }
///
/// impl Poller for Scripted {
///     fn add(&self, _: &Rc<OwnedSource>, key: usize) -> io::Result<()> {
///         self.0.borrow_mut().push(Event::new(key, Readiness::Ready, Readiness::Blocked));
///         Ok(())
///     }
///     fn set_interest(&self, _: BorrowedSource<'_>, _: usize, _: Interest) -> io::Result<()> {
///         Ok(())
///     }
///     fn delete(&self, _: BorrowedSource<'_>, _: usize) -> io::Result<()> {
///         Ok(())
///     }
///     fn wait(&self, events: &mut Vec<Event>, _: Option<Duration>) -> io::Result<()> {
///         events.append(&mut self.0.borrow_mut());
///         Ok(())
///     }
///     fn notifier(&self) -> Arc<dyn Notify> {
///         Arc::new(Silent)
///     }
/// }
///
/// let reactor = Rc::new(Reactor::new(Box::new(Scripted::default())));
/// let source = Source::new(&reactor, std::net::UdpSocket::bind("127.0.0.1:0")?)?;
/// source.mark_blocked(Direction::Read);
///
/// reactor.wait(None, &mut |listener| listener.call())?;
/// assert!(source.is_ready(Direction::Read));
/// # io::Result::Ok(())
/// ```
pub trait Poller: Debug {
    /// Registers `source`; its events will carry `key`.
    ///
    /// `key` is never `usize::MAX`. An implementation whose correctness depends on the source
    /// staying open keeps a clone of `source` until `delete`, and no longer.
    ///
    /// # Errors
    ///
    /// Whatever the system says. `EPERM` means a kind of file that cannot be waited for.
    fn add(&self, source: &Rc<OwnedSource>, key: usize) -> io::Result<()>;

    /// Tells whether interest lasts, as it does where registration is edge-triggered.
    ///
    /// If not, which is the default, the reactor calls `set_interest` again after each report,
    /// for as long as somebody waits.
    fn keeps_interest(&self) -> bool {
        false
    }

    /// Says which directions somebody waits for, in place of what was said before.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    fn set_interest(
        &self,
        source: BorrowedSource<'_>,
        key: usize,
        interest: Interest,
    ) -> io::Result<()>;

    /// Has what is *already* ready in `interest` reported by the next `wait`, once more.
    ///
    /// The default, `set_interest`, is right for every implementation that looks at the present
    /// state when it is told an interest.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    fn recheck(
        &self,
        source: BorrowedSource<'_>,
        key: usize,
        interest: Interest,
    ) -> io::Result<()> {
        self.set_interest(source, key, interest)
    }

    /// Removes a source that `add` registered under `key`, and any clone of it that `add` kept.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    fn delete(&self, source: BorrowedSource<'_>, key: usize) -> io::Result<()>;

    /// Waits until something is ready, a notification arrives or `timeout` has passed; appends
    /// to `events` what became ready.
    ///
    /// `None` waits as long as it takes. It may return early without events. A signal that
    /// interrupts the wait is such a case and not an error, but not every system returns for
    /// it: a signal handler that wants the wait to end must use the notifier.
    ///
    /// # Errors
    ///
    /// Whatever the system says; an implementation has no errors of its own.
    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()>;

    /// Returns what ends a [`wait`](Poller::wait) from another thread.
    fn notifier(&self) -> Arc<dyn Notify>;

    /// What is readable while a `wait` would return at once, if there is such a thing: for those who wait
    /// for several pollers at once.
    ///
    /// The default is `None`.
    fn waits_on(&self) -> Option<BorrowedSource<'_>> {
        None
    }
}

/// Ends a reactor's wait from any thread.
///
/// # Examples
///
/// ```
/// use ronde_reactor::{Reactor, default_poller};
///
/// let reactor = Reactor::new(default_poller()?);
/// let notifier = reactor.notifier();
/// std::thread::spawn(move || notifier.notify());
/// reactor.wait(None, &mut |_| unreachable!("nothing is registered"))?;
/// # std::io::Result::Ok(())
/// ```
pub trait Notify: Debug + Send + Sync {
    /// Ends the present wait, or else the next one.
    ///
    /// Any thread may call it at any time, also once the reactor is gone. Notifications that
    /// arrive before a wait has ended for the first of them are one notification. Whatever the
    /// caller wrote before is visible to the waiting thread after the wait.
    ///
    /// On Linux and Android this is an atomic exchange and at most one `write(2)`, so a signal
    /// handler may call it. Elsewhere that is not promised.
    fn notify(&self);
}

/// Returns the poller that suits this system.
///
/// `epoll`, edge-triggered, on Linux and Android; the `polling` crate (kqueue, IOCP, event ports,
/// `poll`) elsewhere.
///
/// # Errors
///
/// When the system has no descriptors or memory left for it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let poller = ronde_reactor::default_poller()?;
/// let mut events = Vec::new();
/// poller.wait(&mut events, Some(Duration::from_millis(1)))?;
/// assert!(events.is_empty());
/// # std::io::Result::Ok(())
/// ```
pub fn default_poller() -> io::Result<Box<dyn Poller>> {
    Ok(Box::new(system::SystemPoller::new()?))
}

/// What a [`Poller`] says about one source.
///
/// # Examples
///
/// ```
/// use ronde_reactor::{Direction, Event, Readiness};
///
/// let event = Event::new(7, Readiness::Ready, Readiness::Blocked);
/// assert_eq!(event.key, 7);
/// assert_eq!(event.readiness(Direction::Read), Readiness::Ready);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key that the source was registered under.
    pub key: usize,
    /// What is known about reading; [`Readiness::Blocked`] says nothing new.
    pub read: Readiness,
    /// What is known about writing; [`Readiness::Blocked`] says nothing new.
    pub write: Readiness,
}

impl Event {
    /// Makes an event.
    ///
    /// # Examples
    ///
    /// See [`Event`].
    #[must_use]
    pub const fn new(key: usize, read: Readiness, write: Readiness) -> Self {
        Self { key, read, write }
    }

    /// Returns what is said about one direction.
    ///
    /// # Examples
    ///
    /// See [`Event`].
    #[must_use]
    pub const fn readiness(&self, direction: Direction) -> Readiness {
        match direction {
            Direction::Read => self.read,
            Direction::Write => self.write,
        }
    }
}

/// The directions of a source that somebody waits for.
///
/// # Examples
///
/// ```
/// use ronde_reactor::{Direction, Interest};
///
/// let interest = Interest::default().with(Direction::Write);
/// assert_eq!(interest, Interest { read: false, write: true });
/// assert!(!interest.is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Somebody waits until it can be read.
    pub read: bool,
    /// Somebody waits until it can be written.
    pub write: bool,
}

impl Interest {
    /// Returns this interest and `direction`.
    ///
    /// # Examples
    ///
    /// See [`Interest`].
    #[must_use]
    pub const fn with(mut self, direction: Direction) -> Self {
        match direction {
            Direction::Read => self.read = true,
            Direction::Write => self.write = true,
        }
        self
    }

    /// Tells whether nobody waits.
    ///
    /// # Examples
    ///
    /// See [`Interest`].
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.read && !self.write
    }
}

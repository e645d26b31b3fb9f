//! The table of sources and the wait for them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::slots::{Slot, Slots};
use crate::{
    BorrowedSource, Direction, Event, Interest, Notify, OwnedSource, Poller, Readiness, sys,
};

/// Knows which sources are registered, and waits until some of them are ready.
///
/// One reactor serves one thread, and is shared on it as `Rc<Reactor>`; each [`Source`] holds
/// one. It is neither `Send` nor `Sync`. Other threads hold its [`notifier`](Reactor::notifier).
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<ronde_reactor::Reactor>();
/// ```
///
/// [`Source`]: crate::Source
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use ronde_reactor::{Direction, Reactor, Source, default_poller};
/// use std::{cell::Cell, io::Write, os::unix::net::UnixStream, rc::Rc};
///
/// let reactor = Rc::new(Reactor::new(default_poller()?));
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let source = Source::new(&reactor, ours)?;
///
/// let calls = Rc::new(Cell::new(0));
/// let counter = calls.clone();
/// source.set_callback(Direction::Read, Some(Rc::new(move || counter.set(counter.get() + 1))))?;
///
/// theirs.write_all(b"hello")?;
/// reactor.wait(None, &mut |listener| listener.call())?;
/// assert_eq!(calls.get(), 1);
/// # }
/// # std::io::Result::Ok(())
/// ```
pub struct Reactor {
    poller: Box<dyn Poller>,
    /// The poller's answer, which cannot change.
    keeps_interest: bool,
    /// Invariant: never borrowed while code runs that is not ours: the poller, `dispatch`, and
    /// whatever clones, wakes or drops a waker or drops a callback.
    slots: RefCell<Slots>,
    /// The buffer for the poller's events, kept for its capacity.
    events: Cell<Vec<Event>>,
}

impl Reactor {
    /// Makes a reactor without sources.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_reactor::{Reactor, default_poller};
    ///
    /// let reactor = Reactor::new(default_poller()?);
    /// assert!(reactor.is_empty());
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn new(poller: Box<dyn Poller>) -> Self {
        Self {
            keeps_interest: poller.keeps_interest(),
            poller,
            slots: RefCell::default(),
            events: Cell::default(),
        }
    }

    /// Returns what ends a [`wait`](Reactor::wait) from another thread.
    ///
    /// # Examples
    ///
    /// See [`Notify`].
    #[must_use]
    pub fn notifier(&self) -> Arc<dyn Notify> {
        self.poller.notifier()
    }

    /// What is readable while a [`wait`](Self::wait) would return at once, if there is such a thing.
    ///
    /// See [`Poller::waits_on`].
    #[must_use]
    pub fn waits_on(&self) -> Option<BorrowedSource<'_>> {
        self.poller.waits_on()
    }

    /// Waits until a source is ready, a notification arrives or `timeout` has passed, and hands
    /// the listeners of whatever became ready to `dispatch`. Returns how many those were.
    ///
    /// `None` waits as long as it takes; zero only looks. Timeouts are rounded up to what the
    /// system can count, a millisecond on Linux. The wait may end early with `Ok(0)`: after a
    /// signal, after a notification, after an event that nobody waits for, or after weeks.
    ///
    /// Sources come in the system's order, and of one source reading comes before writing, a
    /// waker before a callback. A waker is handed over once, a callback at every report.
    ///
    /// `dispatch` may do anything with the reactor and its sources, but should only collect: if
    /// it panics, the listeners of this wait that it has not seen yet are never told.
    ///
    /// # Errors
    ///
    /// If the system cannot wait, or could not be asked to report a source again. In the latter
    /// case all is dispatched before the error is returned, and whoever waits for that source is
    /// told that it is ready, so that it runs into the error itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_reactor::{Reactor, default_poller};
    /// use std::time::{Duration, Instant};
    ///
    /// let reactor = Reactor::new(default_poller()?);
    /// let start = Instant::now();
    /// let told = reactor.wait(Some(Duration::from_millis(2)), &mut |_| unreachable!())?;
    /// assert_eq!(told, 0);
    /// assert!(start.elapsed() >= Duration::from_millis(2));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn wait(
        &self,
        timeout: Option<Duration>,
        dispatch: &mut dyn FnMut(Listener),
    ) -> io::Result<usize> {
        let mut told = 0;
        let mut tell = |listener| {
            told += 1;
            dispatch(listener);
        };
        let mut events = self.events.take();
        let mut outcome = self.poller.wait(&mut events, timeout);
        for event in events.drain(..) {
            outcome = outcome.and(self.report(event, &mut tell));
        }
        self.events.set(events);
        outcome.map(|()| told)
    }

    /// Returns how many sources are registered.
    ///
    /// # Examples
    ///
    /// See [`Reactor::statistics`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.borrow().len()
    }

    /// Tells whether no source is registered.
    ///
    /// # Examples
    ///
    /// See [`Reactor::new`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts what is registered. Walks over all sources, so it is for debugging.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_reactor::{Reactor, Source, default_poller};
    /// use std::{net::UdpSocket, rc::Rc};
    ///
    /// let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let source = Source::new(&reactor, UdpSocket::bind("127.0.0.1:0")?)?;
    /// assert_eq!(reactor.statistics().sources, 1);
    /// assert_eq!(reactor.statistics().waiters, 0);
    ///
    /// drop(source);
    /// assert_eq!(reactor.len(), 0);
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let slots = self.slots.borrow();
        let waiters = |slot: &Slot| {
            let interest = slot.interest();
            usize::from(interest.read) + usize::from(interest.write)
        };
        Statistics { sources: slots.len(), waiters: slots.iter().map(waiters).sum() }
    }

    /// Tells whether a source owns this very descriptor. Walks over all sources.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_reactor::{Reactor, Source, default_poller};
    /// # use std::{net::UdpSocket, rc::Rc};
    /// # let reactor = Rc::new(Reactor::new(default_poller()?));
    /// let source = Source::new(&reactor, UdpSocket::bind("127.0.0.1:0")?)?;
    /// assert!(reactor.owns(source.borrow()));
    ///
    /// let another = source.into_inner()?;
    /// # #[cfg(unix)]
    /// assert!(!reactor.owns(std::os::fd::AsFd::as_fd(&another)));
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn owns(&self, descriptor: BorrowedSource<'_>) -> bool {
        self.slots.borrow().iter().any(|slot| sys::is_same(&slot.io, descriptor))
    }

    /// Drops all wakers and callbacks without telling them: for a loop that closes.
    ///
    /// A callback may own the source it was set on, and a source holds its reactor: without this, such
    /// a circle would keep all of them, and their descriptors, for ever.
    pub fn drop_listeners(&self) {
        // Outside of the table: what a callback owns is foreign code to drop.
        let listeners: Vec<_> =
            self.slots.borrow_mut().iter_mut().map(Slot::take_listeners).collect();
        drop(listeners);
    }

    /// Takes a source in and returns its key.
    pub(crate) fn register(&self, io: &Rc<OwnedSource>) -> io::Result<usize> {
        let key = self.slots.borrow_mut().insert(Rc::clone(io))?;
        let added = self.poller.add(io, key);
        if added.is_err() {
            self.slots.borrow_mut().remove(key);
        }
        added.map(|()| key)
    }

    /// Forgets a source, which is still open.
    pub(crate) fn deregister(&self, key: usize) {
        // Taken out before anything else happens, so that the listeners, which may be foreign
        // code to drop, are dropped at the end, when the table is free again.
        let slot = self.slots.borrow_mut().remove(key);
        if let Some(slot) = slot {
            // The only failure is "not registered", and then there is nothing left to undo.
            let _ = self.poller.delete(sys::borrow(&slot.io), key);
        }
    }

    /// Gives access to a source that its owner knows to be registered. `access` must run no
    /// foreign code, and hand out what would.
    pub(crate) fn with<R>(&self, key: usize, access: impl FnOnce(&mut Slot) -> R) -> R {
        let mut slots = self.slots.borrow_mut();
        access(slots.get_mut(key).expect("a source is in the table for as long as it lives"))
    }

    /// Has the poller report when `direction` becomes ready, unless it has been told already.
    pub(crate) fn arm(
        &self,
        source: BorrowedSource<'_>,
        key: usize,
        direction: Direction,
    ) -> io::Result<()> {
        let armed = self.with(key, |slot| slot.armed);
        let interest = armed.with(direction);
        if interest != armed {
            self.poller.set_interest(source, key, interest)?;
            self.with(key, |slot| slot.armed = interest);
        }
        Ok(())
    }

    /// Has the poller report `direction` if it is ready now, even if it has done so before.
    pub(crate) fn recheck(
        &self,
        source: BorrowedSource<'_>,
        key: usize,
        direction: Direction,
    ) -> io::Result<()> {
        let interest = self.with(key, |slot| slot.armed).with(direction);
        self.poller.recheck(source, key, interest)?;
        self.with(key, |slot| slot.armed = interest);
        Ok(())
    }

    /// Handles one event. An event for a source that is gone has nobody to tell.
    fn report(&self, event: Event, tell: &mut dyn FnMut(Listener)) -> io::Result<()> {
        let (told, waiting) = {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(event.key) else {
                return Ok(());
            };
            (slot.report(event), slot.interest())
        };
        let mut renewed = Ok(());
        if !self.keeps_interest {
            renewed = self.renew(event.key, waiting);
        }
        told.into_iter().for_each(|told| told.tell(tell));
        if renewed.is_err() {
            self.report_as_ready(event.key, tell);
        }
        renewed
    }

    /// Tells the poller again who waits, after a report that ended its interest.
    fn renew(&self, key: usize, waiting: Interest) -> io::Result<()> {
        let io = self.with(key, |slot| {
            slot.armed = Interest::default();
            Rc::clone(&slot.io)
        });
        if !waiting.is_empty() {
            self.poller.set_interest(sys::borrow(&io), key, waiting)?;
            self.with(key, |slot| slot.armed = waiting);
        }
        Ok(())
    }

    /// Tells all who wait for a source to try, because no event will tell them.
    fn report_as_ready(&self, key: usize, tell: &mut dyn FnMut(Listener)) {
        let event = Event::new(key, Readiness::Ready, Readiness::Ready);
        let told = self.slots.borrow_mut().get_mut(key).map(|slot| slot.report(event));
        told.into_iter().flatten().for_each(|told| told.tell(tell));
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("poller", &self.poller)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

/// Who is told that a direction of a source became ready.
///
/// # Examples
///
/// ```
/// use ronde_reactor::Listener;
/// use std::{cell::Cell, rc::Rc};
///
/// let called = Rc::new(Cell::new(false));
/// let flag = called.clone();
/// Listener::Callback(Rc::new(move || flag.set(true)), std::panic::Location::caller()).call();
/// assert!(called.get());
/// ```
#[derive(Clone)]
pub enum Listener {
    /// The waker that [`Source::poll_ready`](crate::Source::poll_ready) stored last.
    Waker(Waker),
    /// The callback that [`Source::set_callback`](crate::Source::set_callback) set, and where it was set.
    Callback(Rc<dyn Fn()>, &'static Location<'static>),
}

impl Listener {
    /// Wakes the waker or calls the callback.
    ///
    /// # Examples
    ///
    /// See [`Listener`].
    pub fn call(self) {
        match self {
            Self::Waker(waker) => waker.wake(),
            Self::Callback(callback, _) => callback(),
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waker(waker) => f.debug_tuple("Waker").field(waker).finish(),
            Self::Callback(_, set_at) => f.debug_tuple("Callback").field(set_at).finish(),
        }
    }
}

/// Counts of a reactor, from [`Reactor::statistics`].
///
/// # Examples
///
/// See [`Reactor::statistics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Registered sources.
    pub sources: usize,
    /// Directions of sources that have a waker or a callback. A wait that was given up counts
    /// until the direction becomes ready or the source is gone.
    pub waiters: usize,
}

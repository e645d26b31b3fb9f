//! What the reactor knows about each source.
//!
//! ```text
//!                   report: ready                report: hung up, error, urgent
//!      Blocked ---------------------> Ready --------------------------> Lasting
//!       ^   ^                           |                                  |
//!       |   '---- WouldBlock, or a -----'                                  |
//!       |         short read or write                                      |
//!       '----------------------- WouldBlock -------------------------------'
//! ```
//!
//! A source starts as `Ready`: nothing is known, so I/O is tried first. Reports (only
//! [`Reactor::wait`](crate::Reactor::wait) makes them) only ever raise the readiness, the results
//! of I/O only ever lower it.
//!
//! # Why nothing is missed
//!
//! A direction is `Blocked` only if the system said, at a time *t*, that it was not ready. Let it
//! become ready afterwards. Then that is a change, and it is reported:
//!
//! - **Edge-triggered**, the kernel queues every change for the next wait. Reports reach this
//!   table inside `Reactor::wait` alone, on this thread, and so never between the system's answer
//!   and the lowering that follows it. A report handled before *t* is about an older change and
//!   is rightly overruled; a change after *t* is reported after *t*. A direction that is
//!   registered late is looked at when it is registered, so a change before that counts too.
//! - **One-shot**, the direction is armed after *t*, by whoever begins to wait, and arming looks
//!   at the state of that moment.
//!
//! `WouldBlock` is the system saying so. A short read or write is as good on a stream: epoll(7),
//! "Do I need to continuously read/write a file descriptor until EAGAIN when using the EPOLLET
//! flag?", lets "the amount of data read from / written to" show that "the read/write I/O space
//! is exhausted". Exhausted of *data*, that is. Three things end a read early and leave it ready:
//! the end of the stream, a pending error, and TCP's urgent mark (a read stops there though more
//! follows). Each of them is itself a change. Either it was reported before the read: then the
//! readiness is `Lasting`, which a short read does not lower. Or it was not reported yet: then it
//! is now queued, and its report raises the readiness again. Where reads end early for other
//! reasons (datagrams, terminal lines, descriptors passed over a Unix socket) a short read means
//! nothing, and the callers of `Source::clear_ready` are told so.
//!
//! `WouldBlock` lowers `Lasting` too. A stream that has ended never says `WouldBlock`; one that
//! does say it had an error that has been fetched since (a datagram socket after an ICMP
//! message), or was not connected yet (`EPOLLHUP`), and to insist on "ready" would spin.

use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use slab::Slab;

use crate::{Direction, Event, Interest, Listener, OwnedSource, Readiness};

/// The sources of one reactor, by key.
///
/// A key is an index and a generation, so that an event for a source that is gone never reaches
/// the one that has its place.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Slab<Slot>,
    /// The generation of the next key. It comes round after 2^32 registrations (2^12 where
    /// pointers have 32 bits), and only events of a single wait can be stale.
    generation: usize,
}

impl Slots {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().map(|(_, slot)| slot)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().map(|(_, slot)| slot)
    }

    /// Takes a source in and returns its key.
    pub(crate) fn insert(&mut self, io: Rc<OwnedSource>) -> io::Result<usize> {
        let entry = self.slots.vacant_entry();
        // The last index is not used: with the last generation its key would be `usize::MAX`.
        if entry.key() >= INDEX_MASK {
            return Err(io::Error::other("too many sources are registered with one reactor"));
        }
        let key = (self.generation << INDEX_BITS) | entry.key();
        self.generation = self.generation.wrapping_add(1);
        entry.insert(Slot {
            key,
            io,
            armed: Interest::default(),
            read: DirectionState::default(),
            write: DirectionState::default(),
        });
        Ok(key)
    }

    /// Returns the source with this key, unless it is gone.
    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut Slot> {
        self.slots.get_mut(key & INDEX_MASK).filter(|slot| slot.key == key)
    }

    pub(crate) fn remove(&mut self, key: usize) -> Option<Slot> {
        self.get_mut(key)?;
        self.slots.try_remove(key & INDEX_MASK)
    }
}

/// The lower bits of a key are the index, the upper ones the generation.
const INDEX_BITS: u32 = if usize::BITS > 32 { 32 } else { 20 };
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

/// One registered source.
#[derive(Debug)]
pub(crate) struct Slot {
    key: usize,
    /// The source itself, for arming it when nobody else is there to lend it.
    pub(crate) io: Rc<OwnedSource>,
    /// What the poller was told and has not ended with a report.
    pub(crate) armed: Interest,
    read: DirectionState,
    write: DirectionState,
}

impl Slot {
    pub(crate) fn direction(&self, direction: Direction) -> &DirectionState {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    pub(crate) fn direction_mut(&mut self, direction: Direction) -> &mut DirectionState {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }

    /// Notes what the poller reported, and returns who is to be told: of each direction the
    /// waker, which is used up by that, and the callback, which is not.
    pub(crate) fn report(&mut self, event: Event) -> [Told; 2] {
        Direction::BOTH.map(|direction| {
            let state = self.direction_mut(direction);
            match event.readiness(direction) {
                Readiness::Blocked => Told::default(),
                readiness => {
                    state.readiness = state.readiness.max(readiness);
                    Told { waker: state.waker.take(), callback: state.callback.clone() }
                }
            }
        })
    }

    pub(crate) fn take_listeners(&mut self) -> [Told; 2] {
        Direction::BOTH.map(|direction| {
            let state = self.direction_mut(direction);
            Told { waker: state.waker.take(), callback: state.callback.take() }
        })
    }

    /// Returns the directions that somebody waits for.
    pub(crate) fn interest(&self) -> Interest {
        Interest { read: self.read.has_listener(), write: self.write.has_listener() }
    }
}

/// Who is to be told about one direction.
#[derive(Default)]
pub(crate) struct Told {
    waker: Option<Waker>,
    callback: Option<Callback>,
}

/// What to call, and where it was set.
pub(crate) type Callback = (Rc<dyn Fn()>, &'static Location<'static>);

impl Told {
    pub(crate) fn tell(self, tell: &mut dyn FnMut(Listener)) {
        if let Some(waker) = self.waker {
            tell(Listener::Waker(waker));
        }
        if let Some((callback, set_at)) = self.callback {
            tell(Listener::Callback(callback, set_at));
        }
    }
}

/// One direction of a source.
#[derive(Default)]
pub(crate) struct DirectionState {
    pub(crate) readiness: Readiness,
    /// Whom to wake. Invariant: only while the readiness is `Blocked`.
    pub(crate) waker: Option<Waker>,
    /// What to call at every report.
    pub(crate) callback: Option<Callback>,
}

impl DirectionState {
    pub(crate) fn has_listener(&self) -> bool {
        self.waker.is_some() || self.callback.is_some()
    }
}

impl fmt::Debug for DirectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectionState")
            .field("readiness", &self.readiness)
            .field("waker", &self.waker.is_some())
            .field("callback", &self.callback.is_some())
            .finish()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn file() -> Rc<OwnedSource> {
        Rc::new(std::fs::File::open("/dev/null").unwrap().into())
    }

    #[test]
    fn a_key_is_good_for_one_source_only() {
        let mut slots = Slots::default();
        let first = slots.insert(file()).unwrap();
        assert!(slots.remove(first).is_some());
        let second = slots.insert(file()).unwrap();

        assert_eq!(first & INDEX_MASK, second & INDEX_MASK);
        assert!(slots.get_mut(first).is_none());
        assert!(slots.remove(first).is_none());
        assert!(slots.get_mut(second).is_some());
    }

    #[test]
    fn generations_come_round_and_keys_are_never_all_ones() {
        let mut slots = Slots { generation: usize::MAX, ..Slots::default() };
        let last = slots.insert(file()).unwrap();
        let first = slots.insert(file()).unwrap();
        assert_ne!(last, usize::MAX);
        assert_eq!(first >> INDEX_BITS, 0);
        assert!(slots.get_mut(last).is_some() && slots.get_mut(first).is_some());
    }

    #[test]
    fn reports_only_raise_the_readiness() {
        let mut slots = Slots::default();
        let key = slots.insert(file()).unwrap();
        let slot = slots.get_mut(key).unwrap();
        slot.report(Event::new(key, Readiness::Lasting, Readiness::Blocked));
        slot.report(Event::new(key, Readiness::Ready, Readiness::Blocked));
        assert_eq!(slot.direction(Direction::Read).readiness, Readiness::Lasting);
        assert_eq!(slot.direction(Direction::Write).readiness, Readiness::Ready);
    }
}

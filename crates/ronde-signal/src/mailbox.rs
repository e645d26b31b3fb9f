//! Where the handler leaves word for one listener.
//!
//! A signal handler may run at any moment on any thread, and can't wait for anybody. So what it reads is never
//! freed: a listener that ends gives its mailbox back, to be taken by the next one. There are never
//! more than there were listeners at one time.
//!
//! Everything in here that the handler calls is atomic operations and one write, which it may do.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Signals have numbers below this.
pub(crate) const SIGNALS: usize = 128;

/// The first of all mailboxes.
static FIRST: OnceLock<&Mailbox> = OnceLock::new();

pub(crate) struct Mailbox {
    next: OnceLock<&'static Mailbox>,
    is_taken: AtomicBool,
    /// One for each signal.
    places: [Place; SIGNALS],
    /// Something was written to `bell`, and nobody has looked since.
    has_rung: AtomicBool,
    bell: UnixStream,
    /// Becomes readable when the bell rings.
    ears: UnixStream,
}

/// One signal of a mailbox.
#[derive(Default)]
struct Place {
    is_wanted: AtomicBool,
    /// How often it has arrived since somebody looked.
    count: AtomicU32,
    /// Is it to be told here if nobody listens?
    is_fallback: AtomicBool,
    /// Has that happened since somebody looked?
    has_fallen_back: AtomicBool,
}

/// All mailboxes. The handler walks over them as well.
pub(crate) fn all() -> impl Iterator<Item = &'static Mailbox> {
    std::iter::successors(FIRST.get().copied(), |mailbox| mailbox.next.get().copied())
}

/// For the handler: the signal is told to all who listen.
pub(crate) fn tell_all(signal: usize) {
    for mailbox in all() {
        let place = &mailbox.places[signal];
        if place.is_wanted.load(Ordering::SeqCst) {
            place.count.fetch_add(1, Ordering::SeqCst);
            mailbox.ring();
        }
    }
}

/// For the handler: the signal is told to the fallback.
pub(crate) fn tell_fallback(signal: usize) {
    for mailbox in all() {
        let place = &mailbox.places[signal];
        if place.is_fallback.load(Ordering::SeqCst) {
            place.has_fallen_back.store(true, Ordering::SeqCst);
            mailbox.ring();
        }
    }
}

impl Mailbox {
    /// Takes a mailbox that nobody has, or makes one.
    ///
    /// The caller holds the lock of the table: nobody else does this at the same time.
    pub(crate) fn take() -> io::Result<&'static Self> {
        if let Some(free) = all().find(|mailbox| !mailbox.is_taken.load(Ordering::SeqCst)) {
            free.is_taken.store(true, Ordering::SeqCst);
            free.look();
            free.places.iter().for_each(Place::clear);
            return Ok(free);
        }
        let made: &Self = Box::leak(Box::new(Self::new()?));
        let last = all().last();
        // The only one who sets it, as nobody else does this.
        let _ = last.map_or(&FIRST, |last| &last.next).set(made);
        Ok(made)
    }

    fn new() -> io::Result<Self> {
        let (bell, ears) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ears.set_nonblocking(true)?;
        Ok(Self {
            next: OnceLock::new(),
            is_taken: AtomicBool::new(true),
            places: [const { Place::new() }; SIGNALS],
            has_rung: AtomicBool::new(false),
            bell,
            ears,
        })
    }

    /// Gives it back.
    pub(crate) fn give_back(&self) {
        self.is_taken.store(false, Ordering::SeqCst);
    }

    pub(crate) fn want(&self, signal: usize, wanted: bool) {
        let place = &self.places[signal];
        place.is_wanted.store(wanted, Ordering::SeqCst);
        if !wanted {
            place.count.store(0, Ordering::SeqCst);
        }
    }

    pub(crate) fn wants(&self, signal: usize) -> bool {
        self.places[signal].is_wanted.load(Ordering::SeqCst)
    }

    pub(crate) fn set_fallback(&self, signal: usize, is_fallback: bool) {
        let place = &self.places[signal];
        place.has_fallen_back.store(false, Ordering::SeqCst);
        place.is_fallback.store(is_fallback, Ordering::SeqCst);
    }

    /// How often the signal has arrived since the last time.
    pub(crate) fn take_count(&self, signal: usize) -> u32 {
        self.places[signal].count.swap(0, Ordering::SeqCst)
    }

    /// Has it fallen back since the last time?
    pub(crate) fn take_fallen_back(&self, signal: usize) -> bool {
        self.places[signal].has_fallen_back.swap(false, Ordering::SeqCst)
    }

    /// To be called before the places are looked at: what arrives from here on rings again.
    pub(crate) fn look(&self) {
        let mut bytes = [0; 16];
        while matches!((&self.ears).read(&mut bytes), Ok(16)) {}
        self.has_rung.store(false, Ordering::SeqCst);
    }

    pub(crate) fn ears(&self) -> BorrowedFd<'_> {
        self.ears.as_fd()
    }

    fn ring(&self) {
        if !self.has_rung.swap(true, Ordering::SeqCst) {
            // If it is full, it is readable.
            let _ = rustix::io::write(&self.bell, &[0]);
        }
    }
}

impl Place {
    const fn new() -> Self {
        Self {
            is_wanted: AtomicBool::new(false),
            count: AtomicU32::new(0),
            is_fallback: AtomicBool::new(false),
            has_fallen_back: AtomicBool::new(false),
        }
    }

    fn clear(&self) {
        self.is_wanted.store(false, Ordering::SeqCst);
        self.count.store(0, Ordering::SeqCst);
        self.is_fallback.store(false, Ordering::SeqCst);
        self.has_fallen_back.store(false, Ordering::SeqCst);
    }
}

//! Linux and Android: `epoll`, edge-triggered.
//!
//! A wait is one `epoll_wait` and nothing else. What makes that possible:
//!
//! - Reading is registered once and reported at every edge, so waiting for it takes no call.
//! - Writing is registered at the first wait for it, so a source that never fills its send buffer
//!   (nearly all) is never reported for it. Registered from the start, each new connection would
//!   report an edge that nobody waits for, and a Unix socket one more for each message that its
//!   peer reads: two waits per request instead of one, measured.
//! - The notifier is an eventfd of our own. `eventfd(2)` wakes its waiters at every write, which
//!   is an edge, so the counter need not be read back.
//! - The timeout is `epoll_wait`'s own, not a timerfd's.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;

use super::{Event, Interest, Notify, Poller};
use crate::{BorrowedSource, OwnedSource, Readiness};

/// The events of one `epoll_wait`. What does not fit comes with the next one, in turn.
const BATCH: usize = 1024;

/// The eventfd's data. No source has it, for a key is never `usize::MAX`.
const NOTIFICATION: u64 = u64::MAX;

/// The system's poller on Linux and Android.
pub(super) struct SystemPoller {
    epoll: OwnedFd,
    notifier: Arc<EventfdNotifier>,
    /// The kernel's answer. Invariant: empty outside `wait`.
    batch: RefCell<Vec<epoll::Event>>,
}

impl SystemPoller {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let notifier = Arc::new(EventfdNotifier {
            eventfd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            pending: AtomicBool::new(false),
        });
        epoll::add(
            &epoll,
            &notifier.eventfd,
            EventData::new_u64(NOTIFICATION),
            EventFlags::IN | EventFlags::ET,
        )?;
        Ok(Self { epoll, notifier, batch: RefCell::new(Vec::with_capacity(BATCH)) })
    }

    /// Changes a registration. The kernel then looks at the present state, and reports anew
    /// whatever of `interest` is ready (`ep_modify` in fs/eventpoll.c).
    fn modify(&self, source: BorrowedSource<'_>, key: usize, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, source, data(key), flags(interest))?)
    }
}

impl Poller for SystemPoller {
    fn add(&self, source: &Rc<OwnedSource>, key: usize) -> io::Result<()> {
        // The kernel drops the registration when the last descriptor of the open file closes:
        // nothing depends on the source staying open, so no clone is kept.
        let interest = Interest { read: true, write: false };
        Ok(epoll::add(&self.epoll, source.as_fd(), data(key), flags(interest))?)
    }

    fn keeps_interest(&self) -> bool {
        true
    }

    fn set_interest(
        &self,
        source: BorrowedSource<'_>,
        key: usize,
        interest: Interest,
    ) -> io::Result<()> {
        // Reading is always registered.
        if interest.write { self.modify(source, key, interest) } else { Ok(()) }
    }

    fn recheck(
        &self,
        source: BorrowedSource<'_>,
        key: usize,
        interest: Interest,
    ) -> io::Result<()> {
        self.modify(source, key, interest)
    }

    fn delete(&self, source: BorrowedSource<'_>, _key: usize) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }

    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(whole_milliseconds);
        let mut batch = self.batch.borrow_mut();
        match epoll::wait(&self.epoll, spare_capacity(&mut batch), timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for event in batch.drain(..) {
            // By value: the struct is packed, as the kernel's is.
            let (data, flags) = (event.data.u64(), event.flags);
            if data == NOTIFICATION {
                self.notifier.consume();
            } else {
                events.push(Event::new(data as usize, reading(flags), writing(flags)));
            }
        }
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::clone(&self.notifier) as Arc<dyn Notify>
    }

    fn waits_on(&self) -> Option<BorrowedSource<'_>> {
        // An epoll descriptor can itself be polled (epoll(7), "Questions and answers").
        Some(self.epoll.as_fd())
    }
}

impl fmt::Debug for SystemPoller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemPoller")
            .field("epoll", &self.epoll)
            .field("notifier", &self.notifier)
            .finish_non_exhaustive()
    }
}

/// Ends an `epoll_wait` from any thread. Owns its eventfd, so it outlives the poller.
#[derive(Debug)]
struct EventfdNotifier {
    eventfd: OwnedFd,
    /// A notification was written, or is about to be, and no wait has ended for it yet.
    pending: AtomicBool,
}

impl EventfdNotifier {
    /// Notes that a wait has ended for the notification.
    ///
    /// A notification that came too late to be written is not lost: its exchange lies before
    /// this one (else it would have found `false`), so what its caller wrote before is visible
    /// to the waiting thread from here on.
    fn consume(&self) {
        self.pending.swap(false, Ordering::AcqRel);
    }
}

impl Notify for EventfdNotifier {
    fn notify(&self) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            // The counter is never read back, yet the write cannot fail: it would have to reach
            // 2^64 - 2 first, by ones.
            let _ = rustix::io::write(&self.eventfd, &1_u64.to_ne_bytes());
        }
    }
}

fn data(key: usize) -> EventData {
    EventData::new_u64(key as u64)
}

/// `ERR` and `HUP` are always reported. `PRI` is asked for because urgent data cuts reads short.
fn flags(interest: Interest) -> EventFlags {
    let reading = EventFlags::IN | EventFlags::RDHUP | EventFlags::PRI | EventFlags::ET;
    if interest.write { reading | EventFlags::OUT } else { reading }
}

/// After a hang-up or an error, and before urgent data, a short read does not mean "empty".
fn reading(flags: EventFlags) -> Readiness {
    let lasting = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR | EventFlags::PRI;
    readiness(flags, lasting, EventFlags::IN)
}

/// `RDHUP` is missing: a peer that has finished sending may still receive.
fn writing(flags: EventFlags) -> Readiness {
    readiness(flags, EventFlags::HUP | EventFlags::ERR, EventFlags::OUT)
}

fn readiness(flags: EventFlags, lasting: EventFlags, ready: EventFlags) -> Readiness {
    if flags.intersects(lasting) {
        Readiness::Lasting
    } else if flags.intersects(ready) {
        Readiness::Ready
    } else {
        Readiness::Blocked
    }
}

/// `epoll_wait` counts in milliseconds. Rounding up means that a wait for a deadline ends after
/// it, not just before it and then again and again. Very long waits (24 days) end early.
fn whole_milliseconds(timeout: Duration) -> Timespec {
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as i64;
    Timespec {
        tv_sec: milliseconds / 1_000,
        // A remainder below a second fits any `tv_nsec`.
        tv_nsec: (milliseconds % 1_000 * 1_000_000) as _,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_rounded_up_to_what_epoll_can_count() {
        let rounded = |timeout| {
            let timespec = whole_milliseconds(timeout);
            (timespec.tv_sec, timespec.tv_nsec)
        };
        assert_eq!(rounded(Duration::ZERO), (0, 0));
        assert_eq!(rounded(Duration::from_nanos(1)), (0, 1_000_000));
        assert_eq!(rounded(Duration::from_micros(1_500_001)), (1, 501_000_000));
        assert_eq!(rounded(Duration::MAX), (2_147_483, 647_000_000));
    }

    #[test]
    fn only_a_full_close_lasts_for_writing() {
        assert_eq!(writing(EventFlags::IN | EventFlags::RDHUP), Readiness::Blocked);
        assert_eq!(reading(EventFlags::IN | EventFlags::RDHUP), Readiness::Lasting);
        assert_eq!(writing(EventFlags::OUT | EventFlags::HUP), Readiness::Lasting);
        assert_eq!(reading(EventFlags::HUP), Readiness::Lasting);
        assert_eq!(reading(EventFlags::IN), Readiness::Ready);
        assert_eq!(reading(EventFlags::OUT), Readiness::Blocked);
    }
}

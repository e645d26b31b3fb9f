//! Systems without `epoll`: the `polling` crate, one-shot.
//!
//! Also compiled on Linux under `--cfg ronde_portable_poller`, so that it stays tested.
//!
//! `polling` asks that a source be deleted before it is closed, which its `unsafe fn add` leaves
//! to the caller. Here the poller sees to it alone: it shares the ownership of every source that
//! it has registered.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{Event, Interest, Notify, Poller};
use crate::{BorrowedSource, OwnedSource, Readiness, sys};

/// The system's poller where there is no better one.
pub(super) struct SystemPoller {
    poller: Arc<polling::Poller>,
    batch: RefCell<polling::Events>,
    /// What is registered, by key.
    ///
    /// Invariant: a source is in here from before it is added to `poller` until after it was
    /// deleted from it. This is the only thing that the soundness of `add` rests on.
    registered: RefCell<HashMap<usize, Rc<OwnedSource>>>,
}

impl SystemPoller {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            poller: Arc::new(polling::Poller::new()?),
            batch: RefCell::default(),
            registered: RefCell::default(),
        })
    }
}

impl Poller for SystemPoller {
    fn add(&self, source: &Rc<OwnedSource>, key: usize) -> io::Result<()> {
        let mut registered = self.registered.borrow_mut();
        if registered.contains_key(&key) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        registered.insert(key, Rc::clone(source));
        // SAFETY: `add_with_mode` asks that the source be deleted from `poller` before it is
        // dropped. The clone in `registered` keeps it from being dropped, and nobody can take it
        // out of the `Rc` or replace it while the clone exists. The clone goes in three places:
        // below, when nothing was registered; in `delete`, after `poller` has deleted it; and in
        // `Drop`, which deletes it first and leaks it if that fails. A poller that is leaked
        // leaks the clone with it. The key cannot hide another source's clone: it was vacant.
        let added = unsafe {
            self.poller.add_with_mode(
                &**source,
                polling::Event::none(key),
                polling::PollMode::Oneshot,
            )
        };
        if added.is_err() {
            registered.remove(&key);
        }
        added
    }

    fn set_interest(
        &self,
        source: BorrowedSource<'_>,
        key: usize,
        interest: Interest,
    ) -> io::Result<()> {
        // Arming looks at the present state on all of polling's backends: what is ready already
        // is reported by the next wait.
        self.poller.modify(source, polling::Event::new(key, interest.read, interest.write))
    }

    fn delete(&self, _source: BorrowedSource<'_>, key: usize) -> io::Result<()> {
        let mut registered = self.registered.borrow_mut();
        let Some(source) = registered.get(&key) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        // What is deleted is what the key stands for, not what the caller says it does. The clone
        // goes only once that is done. If it fails, the source stays open for good, which is
        // better than a registration for a descriptor that is somebody else's by then.
        self.poller.delete(sys::borrow(source))?;
        registered.remove(&key);
        Ok(())
    }

    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        let mut batch = self.batch.borrow_mut();
        batch.clear();
        // Interrupted waits are repeated inside, so there is no `EINTR` to see here.
        self.poller.wait(&mut batch, timeout)?;
        events.extend(batch.iter().map(translate));
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(PollerNotifier(Arc::clone(&self.poller)))
    }

    // A completion port of Windows can't be waited for beside sockets.
    #[cfg(unix)]
    fn waits_on(&self) -> Option<BorrowedSource<'_>> {
        Some(std::os::fd::AsFd::as_fd(&*self.poller))
    }
}

impl Drop for SystemPoller {
    fn drop(&mut self) {
        // Empty unless somebody used the poller without a reactor: sources delete themselves.
        // A notifier may keep `poller` alive, so what is left must be deleted before it closes.
        for (_, source) in self.registered.get_mut().drain() {
            if self.poller.delete(sys::borrow(&source)).is_err() {
                mem::forget(source);
            }
        }
    }
}

impl fmt::Debug for SystemPoller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemPoller")
            .field("poller", &self.poller)
            .field("registered", &self.registered)
            .finish_non_exhaustive()
    }
}

/// Ends a wait from any thread. Shares the poller, so it outlives the reactor.
#[derive(Debug)]
struct PollerNotifier(Arc<polling::Poller>);

impl Notify for PollerNotifier {
    fn notify(&self) {
        // It fails only once the poller's own descriptors are broken, and then `wait` says so.
        let _ = self.0.notify();
    }
}

fn translate(event: polling::Event) -> Event {
    let lasting = event.is_interrupt() || event.is_err() == Some(true);
    Event::new(
        event.key,
        readiness(event.readable, lasting || event.is_priority()),
        readiness(event.writable, lasting),
    )
}

fn readiness(ready: bool, lasting: bool) -> Readiness {
    match (lasting, ready) {
        (true, _) => Readiness::Lasting,
        (false, true) => Readiness::Ready,
        (false, false) => Readiness::Blocked,
    }
}

//! A source is registered for exactly as long as it lives, and refusals say why.
#![cfg(unix)]

mod support;

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use ronde_reactor::{
    BorrowedSource, Direction, Event, Interest, Notify, OwnedSource, Poller, Reactor, Readiness,
    Source,
};
use support::{block_on, count_calls, counting_waker, look, reactor, read_some};

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_regular_file_is_refused_with_an_explanation() {
    let reactor = reactor();
    let file = tempfile::tempfile().unwrap();
    let error = Source::new(&reactor, file).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("regular file"), "{error}");
    assert_eq!(reactor.len(), 0);
}

#[test]
fn sources_are_made_non_blocking() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let source = Source::new(&reactor(), ours).unwrap();
    let error = support::read(source.borrow(), &mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn the_next_source_with_the_same_descriptor_hears_nothing_of_the_last() {
    let reactor = reactor();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    // A second descriptor keeps the open file alive, so closing the first does not by itself end
    // its registration.
    let _duplicate = ours.try_clone().unwrap();
    let source = Source::new(&reactor, ours).unwrap();
    let stale_calls = count_calls(&source, Direction::Read);
    drop(source);
    assert_eq!(reactor.len(), 0);

    // It has the same number, unless a test that runs in parallel was faster.
    let (fresh, _fresh_peer) = UnixStream::pair().unwrap();
    let source = Source::new(&reactor, fresh).unwrap();
    let calls = count_calls(&source, Direction::Read);
    theirs.write_all(b"x").unwrap();
    assert_eq!(look(&reactor), 0);
    assert_eq!((calls.get(), stale_calls.get()), (0, 0));
}

#[test]
fn into_inner_gives_back_a_socket_that_works_and_is_not_registered() {
    let reactor = reactor();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let source = Source::new(&reactor, ours).unwrap();
    let calls = count_calls(&source, Direction::Read);
    let ours = UnixStream::from(source.into_inner().unwrap());
    assert_eq!(reactor.len(), 0);

    theirs.write_all(b"x").unwrap();
    assert_eq!(look(&reactor), 0);
    assert_eq!(calls.get(), 0);
    // And it can be registered again, here or elsewhere.
    let source = Source::new(&reactor, ours).unwrap();
    assert_eq!(block_on(&reactor, read_some(&source, &mut [0; 8])).unwrap(), 1);
}

#[test]
fn the_descriptor_closes_when_the_source_is_dropped() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(Source::new(&reactor(), ours).unwrap());
    assert_eq!(support::read(theirs.as_fd(), &mut [0]).unwrap(), 0);
}

#[test]
fn many_sources_come_and_go() {
    let reactor = reactor();
    let mut sources = Vec::new();
    for round in 0..200_usize {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"x").unwrap();
        let source = Source::new(&reactor, ours).unwrap();
        let calls = count_calls(&source, Direction::Read);
        sources.push((source, calls, theirs));
        if round % 3 == 2 {
            sources.swap_remove(round * 7 % sources.len());
        }
    }
    assert_eq!(reactor.statistics().sources, sources.len());
    assert_eq!(reactor.statistics().waiters, sources.len());
    assert_eq!(look(&reactor), sources.len());
    assert!(sources.iter().all(|(_, calls, _)| calls.get() == 1));
}

/// A one-shot poller that reports and refuses as it is told.
#[derive(Debug, Default)]
struct Scripted(Rc<Script>);

#[derive(Debug, Default)]
struct Script {
    events: RefCell<Vec<Event>>,
    keys: RefCell<Vec<usize>>,
    interests: RefCell<Vec<Interest>>,
    refuses: Cell<bool>,
}

impl Script {
    fn answer(&self) -> io::Result<()> {
        if self.refuses.get() { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }
}

#[derive(Debug)]
struct Silent;

impl Notify for Silent {
    fn notify(&self) {}
}

impl Poller for Scripted {
    fn add(&self, _: &Rc<OwnedSource>, key: usize) -> io::Result<()> {
        self.0.keys.borrow_mut().push(key);
        self.0.answer()
    }
    fn set_interest(&self, _: BorrowedSource<'_>, _: usize, interest: Interest) -> io::Result<()> {
        self.0.interests.borrow_mut().push(interest);
        self.0.answer()
    }
    fn delete(&self, _: BorrowedSource<'_>, _: usize) -> io::Result<()> {
        self.0.answer()
    }
    fn wait(&self, events: &mut Vec<Event>, _: Option<Duration>) -> io::Result<()> {
        events.append(&mut self.0.events.borrow_mut());
        Ok(())
    }
    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(Silent)
    }
}

fn scripted() -> (Rc<Reactor>, Rc<Script>) {
    let script = Rc::<Script>::default();
    (Rc::new(Reactor::new(Box::new(Scripted(Rc::clone(&script))))), script)
}

fn any_socket() -> UnixStream {
    UnixStream::pair().unwrap().0
}

#[test]
fn an_event_for_a_source_that_is_gone_reaches_nobody() {
    let (reactor, script) = scripted();
    drop(Source::new(&reactor, any_socket()).unwrap());
    let source = Source::new(&reactor, any_socket()).unwrap();
    let calls = count_calls(&source, Direction::Read);
    source.mark_blocked(Direction::Read);
    let keys = script.keys.borrow().clone();
    let event = |key| Event::new(key, Readiness::Ready, Readiness::Blocked);

    script.events.borrow_mut().extend([event(keys[0]), event(usize::MAX), event(usize::MAX >> 1)]);
    assert_eq!(look(&reactor), 0);
    assert!(!source.is_ready(Direction::Read));

    script.events.borrow_mut().push(event(keys[1]));
    assert_eq!(look(&reactor), 1);
    assert_eq!(calls.get(), 1);
}

#[test]
fn interest_that_a_report_has_ended_is_renewed_for_those_who_still_wait() {
    let (reactor, script) = scripted();
    let source = Source::new(&reactor, any_socket()).unwrap();
    source.mark_blocked(Direction::Write);
    let (waker, _) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    count_calls(&source, Direction::Read);
    assert!(source.poll_ready(Direction::Write, &mut cx).is_pending());
    assert!(source.poll_ready(Direction::Write, &mut cx).is_pending());
    let (read, both) =
        (Interest { read: true, write: false }, Interest { read: true, write: true });
    assert_eq!(script.interests.take(), [read, both], "told once each");

    let key = script.keys.borrow()[0];
    script.events.borrow_mut().push(Event::new(key, Readiness::Ready, Readiness::Blocked));
    look(&reactor);
    assert_eq!(script.interests.take(), [both], "the callback and the waker");
    script.events.borrow_mut().push(Event::new(key, Readiness::Blocked, Readiness::Ready));
    look(&reactor);
    assert_eq!(script.interests.take(), [read], "the callback alone");
}

#[test]
fn a_refused_renewal_is_an_error_that_leaves_nobody_hanging() {
    let (reactor, script) = scripted();
    let source = Source::new(&reactor, any_socket()).unwrap();
    source.mark_blocked(Direction::Write);
    let (waker, wakes) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    let calls = count_calls(&source, Direction::Read);
    assert!(source.poll_ready(Direction::Write, &mut cx).is_pending());

    script.refuses.set(true);
    let key = script.keys.borrow()[0];
    script.events.borrow_mut().push(Event::new(key, Readiness::Ready, Readiness::Blocked));
    let error = reactor.wait(None, &mut |listener| listener.call()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    assert!(calls.get() > 0);
    assert_eq!(wakes.count(), 1);
    // The waiter tries, and then finds out for itself.
    assert!(source.is_ready(Direction::Write));
    source.mark_blocked(Direction::Write);
    let polled = source.poll_ready(Direction::Write, &mut cx);
    assert!(matches!(polled, std::task::Poll::Ready(Err(_))));
}

#[test]
fn a_refused_source_leaves_nothing_behind() {
    let (reactor, script) = scripted();
    script.refuses.set(true);
    let error = Source::new(&reactor, any_socket()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    assert!(reactor.is_empty());
}

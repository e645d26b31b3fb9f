//! Who is told, how often, in which order, and what they may do when they are.
#![cfg(unix)]

mod support;

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Context;

use ronde_reactor::{Direction, Listener, Reactor, Source};
use support::{count_calls, counting_waker, look, reactor, wait_until_told};

fn pair(reactor: &Rc<Reactor>) -> (Source, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Source::new(reactor, ours).unwrap(), theirs)
}

fn drain(source: &Source) {
    let mut buffer = [0; 64];
    while source.try_io(Direction::Read, |fd| support::read(fd, &mut buffer)).is_ok() {}
}

#[test]
fn a_callback_is_told_every_time_until_it_is_removed() {
    let reactor = reactor();
    let (source, mut theirs) = pair(&reactor);
    let calls = count_calls(&source, Direction::Read);
    for round in 1..=3 {
        theirs.write_all(b"x").unwrap();
        wait_until_told(&reactor);
        assert_eq!(calls.get(), round);
        drain(&source);
    }
    source.set_callback(Direction::Read, None).unwrap();
    theirs.write_all(b"x").unwrap();
    assert_eq!(look(&reactor), 0);
    assert_eq!(calls.get(), 3);
}

#[test]
fn setting_a_callback_says_whether_io_is_worth_a_try() {
    let reactor = reactor();
    let (source, mut theirs) = pair(&reactor);
    assert!(source.set_callback(Direction::Read, Some(Rc::new(|| {}))).unwrap(), "unknown");
    source.mark_blocked(Direction::Read);
    assert!(!source.set_callback(Direction::Read, Some(Rc::new(|| {}))).unwrap());
    theirs.write_all(b"x").unwrap();
    wait_until_told(&reactor);
    assert!(source.set_callback(Direction::Read, None).unwrap());
}

#[test]
fn a_new_source_with_a_callback_reports_what_is_there_already() {
    let reactor = reactor();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"x").unwrap();
    let source = Source::new(&reactor, ours).unwrap();
    let reading = count_calls(&source, Direction::Read);
    let writing = count_calls(&source, Direction::Write);
    assert_eq!(wait_until_told(&reactor), 2);
    assert_eq!((reading.get(), writing.get()), (1, 1));
}

#[test]
fn a_callback_that_leaves_something_behind_is_called_again_after_a_recheck() {
    let reactor = reactor();
    let (source, mut theirs) = pair(&reactor);
    let calls = count_calls(&source, Direction::Read);
    theirs.write_all(b"abc").unwrap();
    for round in 1..=3 {
        wait_until_told(&reactor);
        assert_eq!(calls.get(), round);
        support::read(source.borrow(), &mut [0]).unwrap();
        source.recheck(Direction::Read).unwrap();
    }
    assert_eq!(look(&reactor), 0, "nothing is left");
}

#[test]
fn waker_and_callback_of_one_direction_are_both_told() {
    let reactor = reactor();
    let (source, mut theirs) = pair(&reactor);
    let (waker, wakes) = counting_waker();
    source.mark_blocked(Direction::Read);
    assert!(source.poll_ready(Direction::Read, &mut Context::from_waker(&waker)).is_pending());
    let calls = count_calls(&source, Direction::Read);
    assert_eq!(reactor.statistics().waiters, 1, "one direction");

    theirs.write_all(b"x").unwrap();
    let mut order = Vec::new();
    reactor
        .wait(None, &mut |listener| {
            order.push(matches!(listener, Listener::Waker(_)));
            listener.call();
        })
        .unwrap();
    assert_eq!(order, [true, false]);
    assert_eq!((wakes.count(), calls.get()), (1, 1));
}

#[test]
fn reading_is_told_before_writing() {
    let reactor = reactor();
    let (source, mut theirs) = pair(&reactor);
    let order = Rc::new(RefCell::new(Vec::new()));
    for direction in [Direction::Write, Direction::Read] {
        let log = Rc::clone(&order);
        let callback = Rc::new(move || log.borrow_mut().push(direction));
        source.set_callback(direction, Some(callback)).unwrap();
    }
    theirs.write_all(b"x").unwrap();
    wait_until_told(&reactor);
    assert_eq!(*order.borrow(), Direction::BOTH);
}

#[test]
fn a_second_waker_replaces_the_first_which_is_woken() {
    let reactor = reactor();
    let (source, mut theirs) = pair(&reactor);
    source.mark_blocked(Direction::Read);
    let (first, first_wakes) = counting_waker();
    let (second, second_wakes) = counting_waker();
    let poll = |waker| source.poll_ready(Direction::Read, &mut Context::from_waker(waker));

    assert!(poll(&first).is_pending());
    assert!(poll(&first).is_pending());
    assert_eq!(first_wakes.count(), 0, "the same waker again is no replacement");
    assert!(poll(&second).is_pending());
    assert_eq!((first_wakes.count(), second_wakes.count()), (1, 0));

    theirs.write_all(b"x").unwrap();
    assert_eq!(wait_until_told(&reactor), 1);
    assert_eq!((first_wakes.count(), second_wakes.count()), (1, 1));
}

#[test]
fn the_two_directions_wait_independently() {
    let reactor = reactor();
    let (source, mut theirs) = pair(&reactor);
    while source.try_io(Direction::Write, |fd| support::write(fd, &[0; 4096])).is_ok() {}
    source.mark_blocked(Direction::Read);
    let (reader, reads) = counting_waker();
    let (writer, writes) = counting_waker();
    let (mut reading, mut writing) = (Context::from_waker(&reader), Context::from_waker(&writer));
    assert!(source.poll_ready(Direction::Write, &mut writing).is_pending());
    assert!(source.poll_ready(Direction::Read, &mut reading).is_pending());

    theirs.write_all(b"x").unwrap();
    wait_until_told(&reactor);
    assert_eq!((reads.count(), writes.count()), (1, 0));
    // The report about reading has not ended the wait for writing.
    theirs.set_nonblocking(true).unwrap();
    while theirs.read(&mut [0; 4096]).is_ok() {}
    while writes.count() == 0 {
        wait_until_told(&reactor);
    }
}

#[test]
fn a_source_may_be_dropped_and_another_made_while_events_are_handed_out() {
    let reactor = reactor();
    let sources = Rc::new(RefCell::new(Vec::new()));
    let calls = Rc::new(Cell::new(0));
    let mut peers = Vec::new();
    for _ in 0..2 {
        let (source, mut theirs) = pair(&reactor);
        // Whoever is called first drops both sources, and a new one takes the other's slot. The
        // event that is still to come for the other must not reach it.
        let (all, counter) = (Rc::clone(&sources), Rc::clone(&calls));
        let callback = Rc::new(move || {
            counter.set(counter.get() + 1);
            all.borrow_mut().clear();
        });
        source.set_callback(Direction::Read, Some(callback)).unwrap();
        theirs.write_all(b"x").unwrap();
        sources.borrow_mut().push(source);
        peers.push(theirs);
    }
    let mut replacements = Vec::new();
    let told = Rc::new(Cell::new(0));
    reactor
        .wait(None, &mut |listener| {
            listener.call();
            for _ in 0..2 {
                let (source, theirs) = pair(&reactor);
                let counter = Rc::clone(&told);
                let callback = Rc::new(move || counter.set(counter.get() + 1));
                source.set_callback(Direction::Read, Some(callback)).unwrap();
                replacements.push((source, theirs));
            }
        })
        .unwrap();
    assert_eq!(calls.get(), 1);
    assert_eq!(told.get(), 0);
    assert_eq!(reactor.len(), 2);
}

#[test]
fn code_that_runs_when_a_listener_is_dropped_may_use_the_reactor() {
    /// Looks at the reactor when it is dropped.
    struct Nosy(Rc<Reactor>, Rc<Cell<usize>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1 + self.0.statistics().waiters);
        }
    }
    let reactor = reactor();
    let drops = Rc::new(Cell::new(0));
    let nosy = || {
        let nosy = Nosy(Rc::clone(&reactor), Rc::clone(&drops));
        Some(Rc::new(move || drop(Rc::clone(&nosy.0))) as Rc<dyn Fn()>)
    };

    let (source, _theirs) = pair(&reactor);
    source.set_callback(Direction::Read, nosy()).unwrap();
    source.set_callback(Direction::Read, nosy()).unwrap();
    assert_eq!(drops.take(), 2, "replaced; the new one is there");
    source.set_callback(Direction::Read, None).unwrap();
    assert_eq!(drops.take(), 1, "removed");
    source.set_callback(Direction::Write, nosy()).unwrap();
    drop(source);
    assert_eq!(drops.take(), 1, "dropped with its source");
}

//! What the loop does with async generators that are open, seen with one that only logs.

mod common;

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::panic::Location;
use std::rc::{Rc, Weak};

use common::{Log, SECOND, simulated, simulated_with, turn};
use ronde_loop::{
    CloseFuture, LoopHandle, OpenGenerator, SimulatedClock, get_running_loop, sleep, yield_now,
};

struct Fake {
    log: Log,
    name: &'static str,
    open: Cell<bool>,
    fails: Cell<bool>,
    panics: Cell<bool>,
    /// Started while this one is closed.
    leaves_behind: RefCell<Option<Rc<Fake>>>,
}

impl Fake {
    fn new(log: &Log, name: &'static str) -> Rc<Self> {
        Rc::new(Self {
            log: log.clone(),
            name,
            open: Cell::new(true),
            fails: Cell::new(false),
            panics: Cell::new(false),
            leaves_behind: RefCell::new(None),
        })
    }

    fn registered(self: &Rc<Self>, event_loop: &LoopHandle) {
        let this: Weak<Self> = Rc::downgrade(self);
        event_loop.register_asyncgen(this);
    }
}

impl OpenGenerator for Fake {
    fn is_open(&self) -> bool {
        self.open.get()
    }

    fn created_at(&self) -> &'static Location<'static> {
        Location::caller()
    }

    fn close(self: Rc<Self>) -> CloseFuture {
        Box::pin(async move {
            self.log.push(format!("{} begins", self.name));
            sleep(SECOND).await;
            self.open.set(false);
            self.log.push(format!("{} ends", self.name));
            assert!(!self.panics.get(), "no luck");
            if let Some(other) = self.leaves_behind.take() {
                get_running_loop().unwrap().close_asyncgen(other);
            }
            if self.fails.get() { Err(Box::<dyn Error>::from("not today")) } else { Ok(()) }
        })
    }
}

#[test]
fn all_that_are_open_are_closed_together_in_order() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let kept: Vec<_> = ["a", "b"].into_iter().map(|name| Fake::new(&log, name)).collect();
    let over = Fake::new(&log, "over");
    over.open.set(false);
    kept.iter().chain([&over]).for_each(|generator| generator.registered(&event_loop));
    drop(Fake::new(&log, "gone"));

    assert!(event_loop.has_open_asyncgens());
    let handle = event_loop.handle();
    event_loop.run_until_complete(async move { handle.shutdown_asyncgens().await }).unwrap();
    assert!(!event_loop.has_open_asyncgens());
    assert_eq!(log.take(), ["a begins", "b begins", "a ends", "b ends"]);
    assert_eq!(clock.elapsed(), SECOND);
}

#[test]
fn what_is_left_behind_is_closed_in_a_task_and_the_end_waits_for_it() {
    let log = Log::default();
    let event_loop = simulated();
    let generator = Fake::new(&log, "left");
    *generator.leaves_behind.borrow_mut() = Some(Fake::new(&log, "by the other"));
    event_loop.close_asyncgen(generator);
    assert!(log.take().is_empty());
    turn(&event_loop);
    assert_eq!(log.take(), ["left begins"]);
    let tasks = event_loop.all_tasks();
    assert!(tasks.iter().all(|task| event_loop.is_closing_asyncgen(task)));

    let handle = event_loop.handle();
    event_loop.run_until_complete(async move { handle.shutdown_asyncgens().await }).unwrap();
    assert_eq!(log.take(), ["left ends", "by the other begins", "by the other ends"]);
}

#[test]
fn one_whose_closing_was_cancelled_before_it_began_is_closed_again() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.close_asyncgen(Fake::new(&log, "left"));
    assert!(event_loop.all_tasks()[0].cancel());
    turn(&event_loop);
    let handle = event_loop.handle();
    event_loop.run_until_complete(async move { handle.shutdown_asyncgens().await }).unwrap();
    assert_eq!(log.take(), ["left begins", "left ends"]);
}

#[test]
fn failures_go_to_the_exception_handler_and_the_others_are_closed() {
    let log = Log::default();
    let event_loop = simulated();
    let reports = log.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |context| {
        reports.push(context.to_string().split(" (created").next().unwrap());
    })));
    let kept = ["fails", "panics", "fine"].map(|name| Fake::new(&log, name));
    kept[0].fails.set(true);
    kept[1].panics.set(true);
    kept.iter().for_each(|generator| generator.registered(&event_loop));
    let handle = event_loop.handle();
    event_loop.run_until_complete(async move { handle.shutdown_asyncgens().await }).unwrap();
    assert_eq!(
        log.take()[3..],
        [
            "fails ends",
            "closing an async generator failed: not today",
            "panics ends",
            "closing an async generator failed: panicked: no luck",
            "fine ends"
        ]
    );
}

#[test]
fn cancelling_the_shutdown_cancels_what_it_waits_for_and_a_drop_does_not() {
    let log = Log::default();
    let event_loop = simulated();
    let kept = [Fake::new(&log, "a"), Fake::new(&log, "b")];
    kept.iter().for_each(|generator| generator.registered(&event_loop));
    let handle = event_loop.handle();
    event_loop
        .run_until_complete(async move {
            let inside = handle.clone();
            let shutdown = handle.create_task(async move { inside.shutdown_asyncgens().await });
            yield_now().await;
            yield_now().await;
            shutdown.cancel();
            assert!(shutdown.await.unwrap_err().is_cancelled());
            // "b" goes on, and is waited for by the next call.
            handle.shutdown_asyncgens().await;
        })
        .unwrap();
    assert_eq!(log.take(), ["a begins", "b begins", "a begins", "b ends", "a ends"]);
}

#[test]
fn a_closed_loop_closes_nothing() {
    let log = Log::default();
    let event_loop = simulated();
    let generator = Fake::new(&log, "a");
    generator.registered(&event_loop);
    event_loop.close().unwrap();
    event_loop.close_asyncgen(generator);
    assert!(log.take().is_empty());
    assert!(!event_loop.has_open_asyncgens());
}

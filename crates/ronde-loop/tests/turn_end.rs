//! What asked to be called at the end of a turn.

mod common;

use common::{Log, SECOND, simulated, simulated_with, turn};
use ronde_loop::{SimulatedClock, get_running_loop, sleep};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn a_turn_end_callback_runs_after_everything_that_runs_in_the_turn() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.call_soon({
        let log = log.clone();
        move || {
            let flush = log.clone();
            get_running_loop().unwrap().call_at_turn_end(Rc::new(move || flush.push("flush")));
            log.push("write 1");
        }
    });
    event_loop.call_soon(log.pushes("write 2"));
    turn(&event_loop);
    assert_eq!(log.take(), ["write 1", "write 2", "flush"]);
    turn(&event_loop);
    assert!(log.take().is_empty());
}

#[test]
fn asked_for_outside_of_a_turn_it_comes_at_the_end_of_the_next_one() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    event_loop.call_at_turn_end(Rc::new({
        let (log, clock) = (log.clone(), clock.clone());
        move || log.push(format!("flush after {:?}", clock.elapsed()))
    }));
    // Nothing is ready, but the turn doesn't wait for the timer.
    event_loop.run_until_complete(sleep(SECOND)).unwrap();
    assert_eq!(log.take(), ["flush after 0ns"]);
}

#[test]
fn what_asks_again_during_the_flush_is_called_in_the_next_turn_without_a_wait() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let called = Rc::new(Cell::new(0));
    let flushed_after = Rc::new(Cell::new(None));
    let flush = {
        let (called, clock, flushed_after) = (called.clone(), clock.clone(), flushed_after.clone());
        move || {
            called.set(called.get() + 1);
            let (called, clock, flushed_after) =
                (called.clone(), clock.clone(), flushed_after.clone());
            get_running_loop().unwrap().call_at_turn_end(Rc::new(move || {
                called.set(called.get() + 1);
                flushed_after.set(Some(clock.elapsed()));
            }));
        }
    };
    event_loop.call_at_turn_end(Rc::new(flush));
    turn(&event_loop);
    assert_eq!(called.get(), 1);
    event_loop.run_until_complete(sleep(SECOND)).unwrap();
    assert_eq!(called.get(), 2);
    assert_eq!(flushed_after.get(), Some(std::time::Duration::ZERO));
}

#[test]
fn a_turn_end_callback_that_panics_is_reported_and_the_others_run() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.set_exception_handler(Some(Rc::new({
        let log = log.clone();
        move |context| log.push(context)
    })));
    event_loop.call_at_turn_end(Rc::new(|| panic!("broken pipe")));
    event_loop.call_at_turn_end(Rc::new({
        let log = log.clone();
        move || log.push("the other one")
    }));
    turn(&event_loop);
    assert_eq!(
        log.take(),
        ["a callback at the end of a turn failed: panicked: broken pipe", "the other one"]
    );
}

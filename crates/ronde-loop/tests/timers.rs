//! `call_later` and `call_at`: order, cancelling, and times at the edges.

mod common;

use common::{Log, SECOND, simulated, simulated_with, turn};
use ronde_loop::{RunError, SimulatedClock, get_running_loop, sleep};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn timers_fire_by_deadline_and_equal_ones_in_order_of_registration() {
    let log = Log::default();
    let event_loop = simulated();
    let now = event_loop.time();
    event_loop.call_later(2 * SECOND, log.pushes("2, first"));
    event_loop.call_later(SECOND, log.pushes("1, first"));
    event_loop.call_at(now + 2 * SECOND, log.pushes("2, second"));
    event_loop.call_at(now + SECOND, log.pushes("1, second"));
    event_loop.call_later(3 * SECOND, || get_running_loop().unwrap().stop());
    event_loop.run_forever().unwrap();
    assert_eq!(log.take(), ["1, first", "1, second", "2, first", "2, second"]);
}

#[test]
fn timers_that_are_due_together_are_called_in_one_turn_and_none_early() {
    let (log, clock) = (Log::default(), SimulatedClock::new());
    let event_loop = simulated_with(&clock);
    event_loop.call_later(2 * SECOND, log.pushes("2"));
    event_loop.call_later(SECOND, log.pushes("1"));
    event_loop.call_later(2 * SECOND + Duration::from_nanos(1), log.pushes("a little later"));
    clock.advance(2 * SECOND);
    turn(&event_loop);
    assert_eq!(log.take(), ["1", "2"]);
}

#[test]
fn a_timer_that_is_due_again_at_once_waits_for_the_next_turn() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.call_later(SECOND, {
        let log = log.clone();
        move || {
            let event_loop = get_running_loop().unwrap();
            log.push("first");
            event_loop.call_later(Duration::ZERO, log.pushes("third"));
            event_loop.call_soon(log.pushes("second"));
            event_loop.call_later(SECOND, || get_running_loop().unwrap().stop());
        }
    });
    event_loop.run_forever().unwrap();
    assert_eq!(log.take(), ["first", "second", "third"]);
}

#[test]
fn when_tells_the_deadline_in_the_loops_time() {
    let event_loop = simulated();
    let now = event_loop.time();
    assert_eq!(event_loop.call_later(SECOND, || {}).when(), now + SECOND);
    assert_eq!(event_loop.call_at(now + 2 * SECOND, || {}).when(), now + 2 * SECOND);
}

#[test]
fn a_cancelled_timer_neither_fires_nor_holds_the_loop_up() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let held = log.on_drop("dropped");
    let timer = event_loop.call_later(SECOND, move || drop(held));
    timer.cancel();
    assert!(timer.cancelled());
    assert_eq!(log.take(), ["dropped"]);

    let outcome = event_loop.run_forever();
    assert!(matches!(outcome, Err(RunError::Deadlock(_))), "{outcome:?}");
    assert_eq!(clock.elapsed(), Duration::ZERO);
    timer.cancel(); // twice is fine
}

#[test]
fn a_timer_that_is_due_can_still_be_cancelled_by_an_earlier_one() {
    let log = Log::default();
    let event_loop = simulated();
    let later = Rc::new(RefCell::new(None::<ronde_loop::TimerHandle>));
    event_loop.call_later(SECOND, {
        let later = later.clone();
        move || later.take().unwrap().cancel()
    });
    *later.borrow_mut() = Some(event_loop.call_later(SECOND, log.pushes("never")));
    event_loop.run_until_complete(sleep(2 * SECOND)).unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn cancelling_a_timer_that_has_fired_changes_nothing() {
    let event_loop = simulated();
    let timer = event_loop.call_later(SECOND, || {});
    event_loop.run_until_complete(sleep(2 * SECOND)).unwrap();
    timer.cancel();
    assert!(!timer.cancelled());
}

#[test]
fn many_cancelled_timers_leave_the_rest_in_order() {
    let log = Log::default();
    let event_loop = simulated();
    let timers: Vec<_> = (0..1000_u32)
        .map(|n| {
            let log = log.clone();
            event_loop.call_later(n % 10 * SECOND, move || log.push(n))
        })
        .collect();
    for (n, timer) in timers.iter().enumerate() {
        if n % 100 != 7 && n != 13 {
            timer.cancel();
        }
    }
    event_loop.run_until_complete(sleep(60 * SECOND)).unwrap();
    let expected = ["13", "7", "107", "207", "307", "407", "507", "607", "707", "807", "907"];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_deadline_in_the_past_is_due_in_the_next_turn() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let long_ago = event_loop.time();
    clock.advance(60 * SECOND);
    event_loop.call_at(long_ago, log.pushes("called"));
    turn(&event_loop);
    assert_eq!(log.take(), ["called"]);
    assert_eq!(clock.elapsed(), 60 * SECOND);
}

#[test]
fn the_longest_delay_there_is_is_just_very_long() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let never = event_loop.call_later(Duration::MAX, log.pushes("never"));
    event_loop.run_until_complete(sleep(SECOND)).unwrap();
    assert!(log.take().is_empty());
    assert!(never.when() > event_loop.time() + 1_000_000 * SECOND);

    // With nothing else to do, simulated time gets even there.
    event_loop.run_until_complete(sleep(Duration::MAX)).unwrap();
    assert_eq!(log.take(), ["never"]);
}

#[test]
fn the_clock_stands_still_while_anything_is_ready() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    event_loop.call_later(SECOND, || {});
    for _ in 0..100 {
        event_loop.call_soon(|| {});
        turn(&event_loop);
    }
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

#[test]
#[should_panic(expected = "closed event loop")]
fn a_closed_loop_takes_no_timers() {
    let event_loop = simulated();
    event_loop.close().unwrap();
    event_loop.call_later(SECOND, || {});
}

//! `sleep`, `sleep_until` and `yield_now`: how long, on which loop, for which task.

mod common;

use common::{Log, SECOND, simulated, simulated_with, turn};
use ronde_context::catch_cancelled;
use ronde_loop::{EventLoop, RunError, SimulatedClock, Sleep, get_running_loop, sleep};
use ronde_loop::{sleep_until, yield_now};
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

type SharedSleep = Rc<RefCell<Sleep>>;

/// Polls a sleep once in this task, and goes on.
async fn poll_once(sleep: &SharedSleep) -> Poll<()> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *sleep.borrow_mut()).poll(cx))).await
}

async fn finish(sleep: SharedSleep) {
    poll_fn(|cx| Pin::new(&mut *sleep.borrow_mut()).poll(cx)).await;
}

fn is_idle(event_loop: &EventLoop) -> bool {
    matches!(event_loop.run_forever(), Err(RunError::Deadlock(_)))
}

#[test]
fn sleepers_wake_by_deadline_and_equal_ones_in_the_order_in_which_they_fell_asleep() {
    let log = Log::default();
    let event_loop = simulated();
    for (name, seconds) in [("c", 2_u32), ("a", 1), ("d", 2), ("b", 1)] {
        let log = log.clone();
        let sleeper = async move {
            sleep(seconds * SECOND).await;
            log.push(name);
        };
        event_loop.create_task(sleeper).detach();
    }
    event_loop.run_until_complete(sleep(3 * SECOND)).unwrap();
    assert_eq!(log.take(), ["a", "b", "c", "d"]);
}

#[test]
fn a_sleeper_goes_on_one_turn_after_its_timer_as_if_a_promise_were_set() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop
        .create_task({
            let log = log.clone();
            async move {
                sleep(SECOND).await;
                log.push("sleeper");
            }
        })
        .detach();
    turn(&event_loop);
    event_loop.call_later(SECOND, {
        let log = log.clone();
        move || {
            log.push("timer");
            get_running_loop().unwrap().call_soon(log.pushes("callback of the timer"));
        }
    });
    event_loop.run_until_complete(sleep(2 * SECOND)).unwrap();
    assert_eq!(log.take(), ["timer", "sleeper", "callback of the timer"]);
}

#[test]
fn the_delay_counts_from_the_first_poll() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let sleeping = sleep(SECOND);
    assert_eq!(sleeping.deadline(), None);
    clock.advance(5 * SECOND);
    event_loop.run_until_complete(sleeping).unwrap();
    assert_eq!(clock.elapsed(), 6 * SECOND);
}

#[test]
fn a_delay_of_zero_gives_way_once_and_moves_no_time() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    event_loop
        .run_until_complete({
            let log = log.clone();
            async move {
                let event_loop = get_running_loop().unwrap();
                event_loop.call_soon(log.pushes("callback"));
                sleep(Duration::ZERO).await;
                log.push("sleeper");
                event_loop.call_soon(log.pushes("callback"));
                yield_now().await;
                log.push("yielder");
            }
        })
        .unwrap();
    assert_eq!(log.take(), ["callback", "sleeper", "callback", "yielder"]);
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

#[test]
fn sleep_until_a_time_that_is_past_is_over_in_the_next_turn_but_one() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let start = event_loop.time();
    clock.advance(SECOND);
    event_loop
        .create_task({
            let log = log.clone();
            async move {
                log.push("falls asleep");
                sleep_until(start).await;
                log.push("awake");
            }
        })
        .detach();
    turn(&event_loop);
    assert_eq!(log.take(), ["falls asleep"]);
    turn(&event_loop);
    assert!(log.take().is_empty());
    turn(&event_loop);
    assert_eq!(log.take(), ["awake"]);
    assert_eq!(clock.elapsed(), SECOND);
}

#[test]
fn sleep_until_wakes_at_that_time() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let deadline = event_loop.time() + 3 * SECOND;
    let sleeping = sleep_until(deadline);
    assert_eq!(sleeping.deadline(), Some(deadline));
    event_loop.run_until_complete(sleeping).unwrap();
    assert_eq!(clock.elapsed(), 3 * SECOND);
}

#[test]
fn a_dropped_sleep_leaves_no_timer() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    event_loop
        .run_until_complete(async {
            let sleeping = Rc::new(RefCell::new(sleep(SECOND)));
            assert!(poll_once(&sleeping).await.is_pending());
        })
        .unwrap();
    assert!(is_idle(&event_loop));
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

#[test]
fn the_sleep_of_a_cancelled_task_leaves_no_timer() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let sleeper = event_loop.create_task(sleep(SECOND));
    turn(&event_loop);
    sleeper.cancel();
    turn(&event_loop);
    assert!(sleeper.cancelled());
    assert!(is_idle(&event_loop));
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

#[test]
fn a_sleep_that_is_polled_twice_sleeps_once() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    event_loop
        .run_until_complete(async {
            let sleeping = Rc::new(RefCell::new(sleep(SECOND)));
            for _ in 0..3 {
                assert!(poll_once(&sleeping).await.is_pending());
            }
            finish(sleeping.clone()).await;
            assert!(poll_once(&sleeping).await.is_ready());
        })
        .unwrap();
    assert_eq!(clock.elapsed(), SECOND);
    assert!(is_idle(&event_loop));
}

#[test]
fn a_sleep_that_moves_to_another_task_wakes_that_one() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    event_loop
        .run_until_complete({
            let log = log.clone();
            async move {
                let sleeping = Rc::new(RefCell::new(sleep(SECOND)));
                assert!(poll_once(&sleeping).await.is_pending());
                let other = get_running_loop().unwrap().create_task({
                    let log = log.clone();
                    async move {
                        finish(sleeping).await;
                        log.push("the other task");
                    }
                });
                other.await.unwrap();
            }
        })
        .unwrap();
    assert_eq!(log.take(), ["the other task"]);
    assert_eq!(clock.elapsed(), SECOND);
}

#[test]
fn a_sleep_that_moves_to_another_loop_goes_on_there() {
    let clock = SimulatedClock::new();
    let (first, second) = (simulated_with(&clock), simulated_with(&clock));
    let sleeping = Rc::new(RefCell::new(sleep(3 * SECOND)));
    let on_first = sleeping.clone();
    first
        .run_until_complete(async move {
            assert!(poll_once(&on_first).await.is_pending());
            sleep(SECOND).await;
        })
        .unwrap();
    second.run_until_complete(finish(sleeping)).unwrap();
    assert_eq!(clock.elapsed(), 3 * SECOND);
    // The first loop's timer wakes nobody, and harms nobody.
    first.run_until_complete(sleep(10 * SECOND)).unwrap();
}

#[test]
fn a_sleep_may_be_dropped_on_another_thread() {
    let event_loop = simulated();
    event_loop
        .run_until_complete(async {
            let mut sleeping = Box::pin(sleep(SECOND));
            poll_fn(|cx| {
                assert!(sleeping.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            std::thread::spawn(move || drop(sleeping)).join().unwrap();
            // Its timer comes and wakes this task in vain.
            sleep(3 * SECOND).await;
        })
        .unwrap();
}

#[test]
fn a_sleep_wakes_the_waker_that_polled_it_last() {
    struct Counts(AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let counts = || Arc::new(Counts(AtomicUsize::new(0)));
    let (first, second) = (counts(), counts());
    let event_loop = simulated();
    let wakers = [Waker::from(first.clone()), Waker::from(second.clone())];
    event_loop
        .run_until_complete(async move {
            let mut sleeping = sleep(SECOND);
            for waker in wakers {
                let mut cx = Context::from_waker(&waker);
                assert!(Pin::new(&mut sleeping).poll(&mut cx).is_pending());
            }
            sleep(2 * SECOND).await;
        })
        .unwrap();
    assert_eq!(first.0.load(Ordering::Relaxed), 0);
    assert_eq!(second.0.load(Ordering::Relaxed), 1);
}

#[test]
#[should_panic(expected = "outside a running event loop")]
fn a_sleep_needs_a_running_loop() {
    let _ = Pin::new(&mut sleep(SECOND)).poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn debug_tells_what_a_sleep_waits_for() {
    assert_eq!(format!("{:?}", sleep(SECOND)), "Sleep { delay: 1s }");
    assert_eq!(format!("{:?}", sleep(Duration::ZERO)), "Sleep { delay: 0ns }");
}

#[test]
fn sleep_until_and_a_yield_that_are_cancelled_can_be_done_again() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let when = event_loop.time() + 2 * SECOND;
    let task = event_loop.create_task(async move {
        assert!(catch_cancelled(yield_now()).await.is_err());
        yield_now().await;
        assert!(catch_cancelled(sleep_until(when)).await.is_err());
        sleep_until(when).await;
    });
    let cancelled = ronde_loop::TaskRef::from(&task);
    for delay in [Duration::ZERO, SECOND] {
        let cancelled = cancelled.clone();
        event_loop.call_later(delay, move || assert!(cancelled.cancel()));
    }
    event_loop.run_until_complete(task).unwrap();
    assert_eq!(clock.elapsed(), 2 * SECOND);
}

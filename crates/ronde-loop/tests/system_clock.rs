//! The real clock: few tests, as each of them takes its time.

use ronde_loop::{EventLoop, get_running_loop, sleep, timeout};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn nothing_wakes_too_early_and_the_order_is_that_of_the_deadlines() {
    let event_loop = EventLoop::new().unwrap();
    let woken = Rc::new(RefCell::new(Vec::new()));
    let began = Instant::now();
    for millis in [15_u32, 5, 10] {
        let woken = woken.clone();
        event_loop.call_later(millis * MILLI, move || {
            assert!(began.elapsed() >= millis * MILLI);
            woken.borrow_mut().push(millis);
        });
    }
    event_loop.run_until_complete(sleep(20 * MILLI)).unwrap();
    assert!(began.elapsed() >= 20 * MILLI);
    assert_eq!(*woken.borrow(), [5, 10, 15]);
}

#[test]
fn a_timeout_ends_what_takes_too_long() {
    let event_loop = EventLoop::new().unwrap();
    let began = Instant::now();
    let outcome = event_loop.run_until_complete(timeout(2 * MILLI, sleep(Duration::MAX))).unwrap();
    assert!(outcome.is_err());
    assert!(began.elapsed() >= 2 * MILLI);
}

#[test]
fn a_wait_for_a_deadline_beyond_what_the_system_can_count_is_ended_by_another_thread() {
    let event_loop = EventLoop::new().unwrap();
    for delay in [Duration::MAX, Duration::from_secs(u64::MAX / 4), Duration::from_secs(1 << 40)] {
        event_loop.call_later(delay, || unreachable!());
    }
    let remote = event_loop.remote();
    event_loop.call_soon(move || {
        std::thread::spawn(move || {
            remote.call_soon_threadsafe(|| get_running_loop().unwrap().stop()).unwrap();
        });
    });
    event_loop.run_forever().unwrap();
}

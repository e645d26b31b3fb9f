//! Time limits: whose time was up, what the body may still do, and who wins.

mod common;

use common::{Log, SECOND, simulated, simulated_with};
use ronde_context::catch_cancelled;
use ronde_loop::{
    EventLoop, Promise, RescheduleError, RunError, SimulatedClock, Timeout, TimeoutError,
    get_running_loop, sleep, timeout, timeout_at, wait_for, yield_now,
};
use std::cell::RefCell;
use std::future::{Future, pending};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Runs a future in simulated time. Returns its output, and how many seconds it took.
fn run<F: Future + 'static>(future: F) -> (F::Output, u64) {
    let clock = SimulatedClock::new();
    let output = simulated_with(&clock).run_until_complete(future).unwrap();
    (output, clock.elapsed().as_secs())
}

fn timed_out() -> TimeoutError {
    TimeoutError::default()
}

fn now() -> Instant {
    get_running_loop().unwrap().time()
}

#[test]
fn a_body_that_is_quick_enough_gives_its_value() {
    let (outcome, seconds) = run(timeout(2 * SECOND, async {
        sleep(SECOND).await;
        7
    }));
    assert_eq!((outcome, seconds), (Ok(7), 1));
}

#[test]
fn a_body_that_is_too_slow_is_dropped_when_the_time_is_up() {
    let log = Log::default();
    let held = log.on_drop("dropped");
    let (outcome, seconds) = run(async move {
        let outcome = timeout(SECOND, async move {
            let _held = held;
            pending::<()>().await;
        });
        outcome.await
    });
    assert_eq!((outcome, seconds), (Err(timed_out()), 1));
    assert_eq!(log.take(), ["dropped"]);
}

#[test]
fn a_limit_at_a_time_of_the_clock() {
    let (outcome, seconds) = run(async { timeout_at(now() + 3 * SECOND, pending::<()>()).await });
    assert_eq!((outcome, seconds), (Err(timed_out()), 3));
}

#[test]
fn the_limit_counts_from_the_first_poll() {
    let (outcome, seconds) = run(async {
        let limited = timeout(SECOND, pending::<()>());
        sleep(5 * SECOND).await;
        limited.await
    });
    assert_eq!((outcome, seconds), (Err(timed_out()), 6));
}

#[test]
fn the_timer_of_a_body_that_is_over_is_gone() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    event_loop.run_until_complete(timeout(60 * SECOND, yield_now())).unwrap().unwrap();
    assert!(event_loop.run_forever().is_err()); // nothing is left to wait for
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

#[test]
fn the_timer_of_a_timeout_that_is_dropped_is_gone() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let task = event_loop.create_task(timeout(60 * SECOND, pending::<()>()));
    common::turn(&event_loop);
    task.cancel();
    common::turn(&event_loop);
    assert!(task.cancelled());
    assert!(event_loop.run_forever().is_err());
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

#[test]
fn the_clean_up_of_a_body_is_awaited_and_takes_as_long_as_it_takes() {
    let log = Log::default();
    let (outcome, seconds) = run({
        let log = log.clone();
        timeout(SECOND, async move {
            let body = catch_cancelled(pending::<()>()).await;
            log.push("cleans up");
            sleep(5 * SECOND).await;
            log.push("is clean");
            body.unwrap_err().raise::<()>().await;
        })
    });
    assert_eq!((outcome, seconds), (Err(timed_out()), 6));
    assert_eq!(log.take(), ["cleans up", "is clean"]);
}

#[test]
fn a_body_that_swallows_the_cancellation_runs_on_without_a_limit_and_wins() {
    let limit = Timeout::after(SECOND);
    let ((outcome, expired), seconds) = run(async move {
        let body = async {
            assert!(catch_cancelled(pending::<()>()).await.is_err());
            sleep(5 * SECOND).await;
            "survived"
        };
        (limit.run(body).await, limit.expired())
    });
    assert_eq!((outcome, seconds), (Ok("survived"), 6));
    assert!(expired);
}

#[test]
fn an_err_that_the_body_returns_at_the_moment_of_expiry_wins() {
    let (outcome, _) = run(timeout(SECOND, async {
        let _ = catch_cancelled(pending::<()>()).await;
        Err::<(), _>("went wrong")
    }));
    assert_eq!(outcome, Ok(Err("went wrong")));
}

#[test]
fn a_body_that_finishes_together_with_the_deadline_has_finished() {
    // The limit's timer is older than the body's, so it is due first.
    let (outcome, seconds) = run(timeout(SECOND, async {
        sleep(SECOND).await;
        7
    }));
    assert_eq!((outcome, seconds), (Ok(7), 1));

    let (outcome, _) = run(async {
        let promise = Promise::new();
        let setter = promise.clone();
        get_running_loop().unwrap().call_later(SECOND, move || setter.set_result(7).unwrap());
        timeout(SECOND, promise).await
    });
    assert_eq!(outcome.unwrap().unwrap(), 7);
}

#[test]
fn of_nested_limits_the_one_that_is_up_is_the_one_that_fails() {
    let nested = |outer: u32, inner: u32| {
        run(timeout(outer * SECOND, async move {
            let inner = timeout(inner * SECOND, pending::<()>()).await;
            sleep(SECOND / 2).await;
            inner
        }))
    };
    assert_eq!(nested(3, 1), (Ok(Err(timed_out())), 1));
    assert_eq!(nested(1, 3), (Err(timed_out()), 1));
    // Both at once: the inner one ends the inner body, then the outer one the rest.
    assert_eq!(nested(1, 1), (Err(timed_out()), 1));
}

#[test]
fn the_outer_limit_goes_through_the_inner_ones_clean_up() {
    let log = Log::default();
    let (outcome, seconds) = run({
        let log = log.clone();
        timeout(2 * SECOND, async move {
            let inner = timeout(SECOND, async {
                let first = catch_cancelled(pending::<()>()).await;
                log.push(format!("inner: {:?}", first.is_err()));
                // The clean-up takes longer than the outer limit allows.
                sleep(60 * SECOND).await;
            });
            let outcome = inner.await;
            log.push("never");
            outcome
        })
    });
    assert_eq!((outcome, seconds), (Err(timed_out()), 2));
    assert_eq!(log.take(), ["inner: true"]);
}

#[test]
fn a_cancellation_from_outside_is_never_taken_for_an_expiry() {
    let log = Log::default();
    let event_loop = simulated();
    let task = event_loop.create_task({
        let log = log.clone();
        async move {
            let outcome = timeout(2 * SECOND, pending::<()>()).await;
            log.push(format!("{outcome:?}"));
        }
    });
    let cancelled = (&task).into();
    event_loop.call_later(SECOND, move || {
        ronde_loop::TaskRef::cancel(&cancelled);
    });
    event_loop.run_until_complete(sleep(3 * SECOND)).unwrap();
    assert!(task.cancelled());
    assert!(log.take().is_empty());
}

#[test]
fn a_cancellation_under_a_limit_of_every_form_drops_the_body_at_once_and_leaves_no_timer() {
    let log = Log::default();
    let event_loop = simulated();
    let body = || {
        let held = log.on_drop("dropped");
        async move {
            let _held = held;
            pending::<()>().await;
        }
    };
    let deadline = event_loop.time() + 9 * SECOND;
    let limited = [
        timeout(9 * SECOND, body()),
        timeout_at(deadline, body()),
        wait_for(body(), 9 * SECOND),
        Timeout::after(9 * SECOND).run(body()),
    ];
    for limited in limited {
        let task = event_loop.create_task(limited);
        common::turn(&event_loop);
        task.cancel();
        common::turn(&event_loop);
        assert!(task.cancelled());
        assert_eq!(log.take(), ["dropped"]);
    }
    // No timer is left: nothing will ever end this.
    let stuck = event_loop.run_until_complete(pending::<()>());
    assert!(matches!(stuck, Err(RunError::Deadlock(_))), "{stuck:?}");
    assert!(event_loop.time() < deadline);
}

#[test]
fn expiry_together_with_a_cancellation_from_outside_is_a_cancellation() {
    for cancel_first in [true, false] {
        let event_loop = simulated();
        let task = event_loop.create_task(timeout(SECOND, pending::<()>()));
        let target = ronde_loop::TaskRef::from(&task);
        let cancel = move || {
            target.cancel_msg("from outside");
        };
        if cancel_first {
            event_loop.call_later(SECOND, cancel);
            common::turn(&event_loop);
        } else {
            common::turn(&event_loop);
            event_loop.call_later(SECOND, cancel);
        }
        event_loop.run_until_complete(sleep(2 * SECOND)).unwrap();
        let error = task.result().unwrap_err();
        assert_eq!(error.to_string(), "cancelled: from outside", "{cancel_first}");
    }
}

#[test]
fn a_task_that_is_awaited_under_a_limit_is_cancelled_with_it() {
    let log = Log::default();
    let ((outcome, cancelled), seconds) = run({
        let log = log.clone();
        async move {
            let task = get_running_loop().unwrap().create_task(async move {
                let caught = catch_cancelled(pending::<()>()).await;
                log.push("the task cleans up");
                sleep(SECOND).await;
                caught.unwrap_err().raise::<()>().await;
            });
            let outcome = timeout(SECOND, &task).await;
            (outcome.map(|joined| joined.is_ok()), task.cancelled())
        }
    });
    assert_eq!((outcome, cancelled, seconds), (Err(timed_out()), true, 2));
    assert_eq!(log.take(), ["the task cleans up"]);
}

#[test]
fn a_task_that_swallows_the_cancellation_gives_its_value_in_spite_of_the_limit() {
    let (outcome, seconds) = run(async {
        let task = get_running_loop().unwrap().create_task(async {
            let _ = catch_cancelled(pending::<()>()).await;
            sleep(SECOND).await;
            7
        });
        timeout(SECOND, task).await
    });
    assert_eq!(outcome.unwrap().unwrap(), 7);
    assert_eq!(seconds, 2);
}

#[test]
fn a_task_that_somebody_else_cancels_is_no_expiry() {
    let (outcome, _) = run(async {
        let task = get_running_loop().unwrap().create_task(pending::<()>());
        let target = ronde_loop::TaskRef::from(&task);
        get_running_loop().unwrap().call_soon(move || {
            target.cancel();
        });
        timeout(SECOND, task).await
    });
    assert!(outcome.unwrap().unwrap_err().is_cancelled());
}

#[test]
fn a_limit_of_zero_is_up_at_the_first_suspension() {
    let (outcome, _) = run(timeout(Duration::ZERO, async { 7 }));
    assert_eq!(outcome, Ok(7));
    let (outcome, _) = run(timeout(Duration::ZERO, pending::<()>()));
    assert_eq!(outcome, Err(timed_out()));
    let (outcome, seconds) = run(timeout(Duration::ZERO, sleep(SECOND)));
    assert_eq!((outcome, seconds), (Err(timed_out()), 0));
    // Not even a body that could go on at once does.
    let (outcome, _) = run(timeout(Duration::ZERO, yield_now()));
    assert_eq!(outcome, Err(timed_out()));
    let log = Log::default();
    let (outcome, _) = run({
        let log = log.clone();
        timeout(Duration::ZERO, async move {
            log.push("first step");
            yield_now().await;
            log.push("never");
        })
    });
    assert_eq!(outcome, Err(timed_out()));
    assert_eq!(log.take(), ["first step"]);
}

#[test]
fn a_deadline_in_the_past_is_as_a_limit_of_zero() {
    let (outcome, seconds) = run(async {
        let start = now();
        sleep(SECOND).await;
        (timeout_at(start, async { 7 }).await, timeout_at(start, sleep(SECOND)).await)
    });
    assert_eq!((outcome, seconds), ((Ok(7), Err(timed_out())), 1));
}

#[test]
fn a_limit_can_be_moved_while_the_body_runs() {
    let (outcome, seconds) = run(async {
        let limit = Timeout::after(SECOND);
        let moved = limit.clone();
        let outcome = limit.run(async move {
            moved.reschedule(Some(now() + 5 * SECOND)).unwrap();
            assert_eq!(moved.when(), Some(now() + 5 * SECOND));
            pending::<()>().await;
        });
        outcome.await
    });
    assert_eq!((outcome, seconds), (Err(timed_out()), 5));
}

#[test]
fn a_limit_can_be_taken_away_and_set_for_the_first_time() {
    let (outcome, seconds) = run(async {
        let limit = Timeout::never();
        assert_eq!(limit.when(), None);
        let moved = limit.clone();
        let outcome = limit.run(async move {
            sleep(SECOND).await;
            moved.reschedule(Some(now() + SECOND)).unwrap();
            moved.reschedule(None).unwrap();
            assert_eq!(moved.when(), None);
            sleep(5 * SECOND).await;
            moved.reschedule(Some(now() + SECOND)).unwrap();
            pending::<()>().await;
        });
        outcome.await
    });
    assert_eq!((outcome, seconds), (Err(timed_out()), 7));
}

#[test]
fn a_limit_that_is_moved_to_the_past_is_up_in_the_next_turn() {
    let log = Log::default();
    let (outcome, seconds) = run({
        let log = log.clone();
        async move {
            let limit = Timeout::after(60 * SECOND);
            let moved = limit.clone();
            sleep(SECOND).await;
            let body = async move {
                moved.reschedule(Some(now() - SECOND)).unwrap();
                log.push("goes on to its next suspension");
                pending::<()>().await;
            };
            (limit.run(body).await, limit.expired())
        }
    });
    assert_eq!((outcome, seconds), ((Err(timed_out()), true), 1));
    assert_eq!(log.take(), ["goes on to its next suspension"]);
}

#[test]
fn a_limit_cannot_be_moved_before_the_body_after_the_expiry_or_at_the_end() {
    run(async {
        let limit = Timeout::after(SECOND);
        assert_eq!(limit.when(), None);
        assert_eq!(limit.reschedule(None), Err(RescheduleError::NotStarted));
        limit.run(async {}).await.unwrap();
        assert_eq!(limit.reschedule(None), Err(RescheduleError::Finished));
        assert!(!limit.expired());

        let limit = Timeout::after(SECOND);
        let inner = limit.clone();
        let outcome = limit.run(async move {
            let _ = catch_cancelled(pending::<()>()).await;
            assert_eq!(inner.reschedule(None), Err(RescheduleError::Expired));
        });
        outcome.await.unwrap();
        assert_eq!(limit.reschedule(None), Err(RescheduleError::Expired));
    });
}

#[test]
fn a_limit_that_was_dropped_with_its_body_is_finished() {
    run(async {
        let limit = Timeout::after(SECOND);
        let mut body = Box::pin(limit.run(pending::<()>()));
        assert!(futures_lite::future::poll_once(&mut body).await.is_none());
        drop(body);
        assert_eq!(limit.reschedule(None), Err(RescheduleError::Finished));
        sleep(2 * SECOND).await;
        assert!(!limit.expired());
    });
}

#[test]
#[should_panic(expected = "a timeout was reused")]
fn a_limit_is_for_one_body() {
    run(async {
        let limit = Timeout::after(SECOND);
        limit.run(async {}).await.unwrap();
        limit.run(async {}).await.unwrap();
    });
}

#[test]
#[should_panic(expected = "outside a running event loop")]
fn a_limit_needs_a_running_loop() {
    let _ = futures_lite::future::block_on(timeout(SECOND, async {}));
}

#[test]
fn limits_in_two_branches_of_one_task_end_only_their_own_bodies() {
    let ((left, right), seconds) = run(async {
        let left = timeout(SECOND, pending::<()>());
        let right = timeout(3 * SECOND, async {
            sleep(2 * SECOND).await;
            "in time"
        });
        futures_lite::future::zip(left, right).await
    });
    assert_eq!((left, right, seconds), (Err(timed_out()), Ok("in time"), 2));
}

#[test]
fn an_expiry_leaves_the_task_as_if_it_had_not_been_cancelled() {
    run(async {
        for _ in 0..3 {
            assert!(timeout(SECOND, pending::<()>()).await.is_err());
            let task = ronde_loop::current_task().unwrap();
            assert_eq!(task.cancelling(), 0);
        }
        sleep(SECOND).await;
    });
}

#[test]
fn a_body_that_panics_leaves_no_timer() {
    let clock = SimulatedClock::new();
    let event_loop: EventLoop = simulated_with(&clock);
    let task = event_loop.create_task(timeout(SECOND, async { panic!("on purpose") }));
    common::turn(&event_loop);
    assert!(task.panicked());
    assert!(task.exception().unwrap().is_some());
    assert!(event_loop.run_forever().is_err());
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

#[test]
fn a_limit_is_longer_than_any_program_with_the_longest_duration() {
    let (outcome, seconds) = run(timeout(Duration::MAX, sleep(SECOND)));
    assert_eq!((outcome, seconds), (Ok(()), 1));
}

#[test]
fn the_error_is_an_io_error_where_one_is_wanted() {
    let error = std::io::Error::from(timed_out());
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(error.to_string(), "timed out");
}

#[test]
fn another_task_can_move_the_limit() {
    let event_loop = simulated();
    let limit = Rc::new(RefCell::new(Timeout::after(60 * SECOND)));
    let task = {
        let limit = limit.borrow().clone();
        event_loop.create_task(async move { limit.run(pending::<()>()).await.is_err() })
    };
    common::turn(&event_loop);
    event_loop.call_later(SECOND, move || limit.borrow().reschedule(Some(now())).unwrap());
    event_loop.run_until_complete(sleep(2 * SECOND)).unwrap();
    assert!(task.result().unwrap());
}

//! `task_group`: who is waited for, what a failure does, and what comes out.

mod common;

use common::refusal::{Refusal, refuse_after};
use common::{Log, SECOND, after, log_reports, run, runner};
use ronde::{
    CancelledError, FailureCause, GroupClosedError, RunError, TaskError, TaskGroup, TaskGroupError,
    TimeoutError, catch_cancelled, create_task, current_task, sleep, task_group, timeout,
    try_task_group, yield_now,
};
use std::cell::Cell;
use std::error::Error;
use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::rc::Rc;

/// Waits for ever; cancelled, cleans up for some seconds, says so, and lets it pass.
async fn cleans_up_for(seconds: u32, log: Log, name: &'static str) {
    let caught = catch_cancelled(pending::<()>()).await;
    sleep(seconds * SECOND).await;
    log.push(format!("{name} is clean"));
    caught.unwrap_err().raise().await
}

fn messages(error: &TaskGroupError) -> Vec<String> {
    error.iter().map(ToString::to_string).collect()
}

#[test]
fn the_body_and_all_tasks_are_waited_for() {
    let log = Log::default();
    let (value, seconds) = run({
        let log = log.clone();
        async move {
            task_group(async |group| {
                for seconds in [3, 1, 2] {
                    let log = log.clone();
                    group.create_task(async move {
                        sleep(seconds * SECOND).await;
                        log.push(seconds);
                    });
                }
                assert_eq!(group.len(), 3);
                "value"
            })
            .await
            .unwrap()
        }
    });
    assert_eq!((value, seconds), ("value", 3));
    assert_eq!(log.take(), ["1", "2", "3"]);
}

#[test]
fn a_group_without_tasks_returns_what_the_body_returns() {
    let (value, seconds) = run(task_group(async |group| {
        assert!(group.is_empty());
        Err::<(), _>(Refusal(1))
    }));
    assert_eq!((value.unwrap(), seconds), (Err(Refusal(1)), 0));
}

#[test]
fn the_body_may_borrow_and_await_its_tasks() {
    let (sum, _) = run(async {
        let numbers = [1, 2];
        let mut sum = 0;
        task_group(async |group| {
            for number in &numbers {
                sum += group.create_task(after(1, *number)).await.unwrap();
            }
        })
        .await
        .unwrap();
        sum
    });
    assert_eq!(sum, 3);
}

#[test]
fn a_failure_cancels_the_other_tasks_and_the_body_once() {
    let log = Log::default();
    let (error, seconds) = run({
        let log = log.clone();
        async move {
            task_group(async |group| {
                group.try_create_task(refuse_after(1, 7)).named("bad");
                group.create_task(cleans_up_for(2, log.clone(), "good"));
                group.try_create_task(refuse_after(1, 8)).named("also bad");
                let cancelled = catch_cancelled(pending::<()>()).await;
                log.push("the body was cancelled");
                // The second failure comes meanwhile, and doesn't disturb.
                sleep(SECOND).await;
                log.push("the body is clean");
                cancelled.unwrap_err().raise::<()>().await;
            })
            .await
            .unwrap_err()
        }
    });
    // In the order of the cancellations.
    assert_eq!(log.take(), ["the body was cancelled", "the body is clean", "good is clean"]);
    assert_eq!(
        messages(&error),
        ["task 'bad' failed: refusal 7", "task 'also bad' failed: refusal 8"]
    );
    assert!(!error.is_cancelled());
    assert_eq!(seconds, 3);
}

#[test]
fn an_error_and_a_panic_are_failures_alike_in_order_of_completion() {
    let (error, _) = run(async {
        task_group(async |group| {
            group.try_create_task(refuse_after(1, 7)).named("a");
            group.create_task(async {
                let _ = catch_cancelled(pending::<()>()).await;
                sleep(2 * SECOND).await;
                panic!("a bug");
            });
            group
                .create_task(async {
                    let _ = catch_cancelled(pending::<()>()).await;
                    sleep(SECOND).await;
                    Err::<(), _>("a word")
                })
                .named("c");
        })
        .await
        .unwrap_err()
    });
    let [a, c, b] = error.failures() else { panic!("{error}") };
    assert_eq!((a.name(), c.name(), b.name()), ("a", "c", "Task-3"));
    assert_eq!(a.downcast_ref(), Some(&Refusal(7)));
    assert!(a.downcast_ref::<io::Error>().is_none());
    assert!(matches!(b.cause(), FailureCause::Panic(panic) if panic.message() == "a bug"));
    assert!(matches!(c.cause(), FailureCause::Err { type_name, .. } if type_name.contains("str")));
    assert!(a.created_at().file().ends_with("groups.rs"));
    assert!(a.id() < b.id() && !a.is_body());
    assert_eq!(error.first().unwrap().name(), "a");
    assert_eq!(error.len(), 3);
    assert_eq!(
        error.to_string(),
        "task 'a' failed: refusal 7 (and 2 more: task 'c' failed: it returned the Err of \
         core::result::Result<(), &str>, task 'Task-3' panicked: a bug)"
    );
    assert_eq!(error.source().unwrap().to_string(), "refusal 7");
}

#[test]
fn a_task_that_is_cancelled_has_not_failed() {
    let (value, _) = run(task_group(async |group| {
        let task = group.create_task(pending::<()>());
        yield_now().await;
        task.cancel_msg("not needed");
        assert!(task.await.unwrap_err().is_cancelled());
        "value"
    }));
    assert_eq!(value.unwrap(), "value");
}

#[test]
fn tasks_that_are_created_while_the_group_waits_are_waited_for() {
    async fn countdown(group: TaskGroup, n: u32, log: Log) {
        sleep(SECOND).await;
        log.push(n);
        if n > 0 {
            group.create_task(Box::pin(countdown(group.clone(), n - 1, log)));
        }
    }
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            task_group(async |group| drop(group.create_task(countdown(group.clone(), 2, log))))
                .await
                .unwrap();
        }
    });
    assert_eq!((log.take(), seconds), (vec!["2".into(), "1".into(), "0".into()], 3));
}

#[test]
fn a_failure_while_the_group_waits_cancels_the_others() {
    let log = Log::default();
    let (error, seconds) = run({
        let log = log.clone();
        async move {
            task_group(async |group| {
                group.create_task(cleans_up_for(1, log, "good"));
                group.try_create_task(refuse_after(2, 1));
            })
            .await
            .unwrap_err()
        }
    });
    assert_eq!((error.len(), seconds), (1, 3));
    assert_eq!(log.take(), ["good is clean"]);
}

#[test]
fn an_error_of_the_body_cancels_the_tasks_and_is_one_of_the_failures() {
    let log = Log::default();
    let (error, seconds) = run({
        let log = log.clone();
        async move {
            try_task_group(async |group| {
                group.create_task(cleans_up_for(2, log, "good"));
                group
                    .create_task(async {
                        let _ = catch_cancelled(pending::<()>()).await;
                        panic!("late");
                    })
                    .named("bad");
                sleep(SECOND).await;
                Err::<(), _>(Refusal(3))
            })
            .await
            .unwrap_err()
        }
    });
    assert_eq!(messages(&error), ["the body failed: refusal 3", "task 'bad' panicked: late"]);
    let body = error.first().unwrap();
    assert!(body.is_body());
    assert_eq!(body.name(), "Task-1");
    assert_eq!(log.take(), ["good is clean"]);
    assert_eq!(seconds, 3);
}

#[test]
fn a_panic_of_the_body_goes_on_when_the_tasks_are_over() {
    let log = Log::default();
    let (runner, seen) = (runner(), log.clone());
    let main = async move {
        let reports = log_reports();
        let group = task_group(async |group| {
            group.create_task(cleans_up_for(1, log.clone(), "good"));
            group
                .create_task(async {
                    let _ = catch_cancelled(pending::<()>()).await;
                    panic!("hidden");
                })
                .named("bad");
            yield_now().await;
            std::panic::panic_any(42_u8);
        });
        let mut group = pin!(group);
        let panic = std::future::poll_fn(|cx| {
            let group = std::panic::AssertUnwindSafe(|| group.as_mut().poll(cx));
            match std::panic::catch_unwind(group) {
                Ok(poll) => poll.map(|_| panic!("it returned")),
                Err(panic) => std::task::Poll::Ready(panic),
            }
        })
        .await;
        (panic.downcast_ref::<u8>().copied(), reports.take())
    };
    let (payload, reports) = runner.run(main).unwrap();
    assert_eq!(payload, Some(42));
    assert_eq!(seen.take(), ["good is clean"]);
    assert_eq!(reports.len(), 1, "{reports:?}");
    let expected = "a failure in a task group whose body panicked: task 'bad' panicked: hidden";
    assert!(reports[0].starts_with(expected), "{}", reports[0]);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("boom");
    }
}

#[test]
fn a_body_or_a_task_that_panics_when_it_is_dropped_is_waited_for_like_any_other() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let task = create_task({
                let log = log.clone();
                task_group(async move |group| {
                    group.create_task(cleans_up_for(1, log, "good"));
                    group.create_task(after(1, ()));
                    let _bomb = Bomb;
                    pending::<()>().await;
                })
            });
            sleep(2 * SECOND).await;
            task.cancel();
            assert!(
                matches!(task.await, Err(TaskError::Panicked(panic)) if panic.message() == "boom")
            );
            log.push("after the group");

            let failed = task_group(async |group| {
                group.create_task(async {
                    let _bomb = Bomb;
                    pending::<()>().await;
                });
                yield_now().await;
                group.cancel();
            });
            assert_eq!(failed.await.unwrap_err().to_string(), "task 'Task-5' panicked: boom");
        }
    });
    assert_eq!(log.take(), ["good is clean", "after the group"]);
}

#[test]
fn a_cancellation_from_outside_passes_through_when_the_tasks_are_over() {
    let log = Log::default();
    let (error, seconds) = run({
        let log = log.clone();
        async move {
            let task = create_task(async move {
                task_group(async |group| {
                    group.create_task(cleans_up_for(2, log, "good"));
                    pending::<()>().await;
                })
                .await
                .unwrap();
            });
            sleep(SECOND).await;
            task.cancel_msg("enough");
            assert_eq!(task.cancelling(), 1);
            task.await.unwrap_err()
        }
    });
    assert_eq!(error.to_string(), "cancelled: enough");
    assert_eq!((log.take(), seconds), (vec!["good is clean".into()], 3));
}

#[test]
fn a_cancellation_while_the_group_waits_passes_through_as_well_and_counts_once() {
    let log = Log::default();
    let (error, seconds) = run({
        let log = log.clone();
        async move {
            let task = create_task(async move {
                task_group(async |group| drop(group.create_task(cleans_up_for(2, log, "good"))))
                    .await
                    .unwrap();
            });
            sleep(SECOND).await;
            assert!(task.cancel_msg("first"));
            sleep(SECOND).await;
            // While it cleans up. Nothing is cut short, and nobody is cancelled twice.
            assert!(task.cancel_msg("second"));
            task.await.unwrap_err()
        }
    });
    assert_eq!(error.to_string(), "cancelled: first");
    assert_eq!((log.take(), seconds), (vec!["good is clean".into()], 3));
}

/// A group that is cancelled from outside and has a task that fails while it is cancelled.
async fn fails_when_cancelled() -> Result<(), TaskGroupError> {
    task_group(async |group| {
        group.try_create_task(async {
            let _ = catch_cancelled(pending::<()>()).await;
            Err::<(), _>(Refusal(4))
        });
        pending::<()>().await
    })
    .await
}

#[test]
fn failures_together_with_a_cancellation_are_returned_and_the_task_is_cancelled_again() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let task = create_task(async move {
                let error = fails_when_cancelled().await.unwrap_err();
                log.push(&error);
                log.push(current_task().unwrap().cancelling());
                let caught = catch_cancelled(sleep(SECOND)).await;
                log.push(caught.unwrap_err());
                // Once, and no more.
                sleep(SECOND).await;
                log.push("end");
            });
            yield_now().await;
            yield_now().await;
            task.cancel_msg("enough");
            task.await.unwrap();
        }
    });
    assert_eq!(log.take(), ["task 'Task-3' failed: refusal 4", "1", "cancelled: enough", "end"]);
}

#[test]
fn a_task_that_returns_before_it_is_cancelled_again_is_cancelled_unless_it_returns_an_err() {
    run(async {
        let returns = create_task(async { fails_when_cancelled().await.unwrap_err().len() });
        let fails = create_task(fails_when_cancelled());
        sleep(SECOND).await;
        returns.cancel();
        fails.cancel();
        assert!(returns.await.unwrap_err().is_cancelled());
        assert_eq!(fails.await.unwrap().unwrap_err().len(), 1);
    });
}

#[test]
fn a_timeout_around_a_group_is_a_timeout() {
    let log = Log::default();
    let (outcome, seconds) = run({
        let log = log.clone();
        async move {
            let group = task_group(async |group| {
                group.create_task(cleans_up_for(1, log, "good"));
            });
            timeout(SECOND, group).await.map(|_| ())
        }
    });
    assert_eq!((outcome, seconds), (Err(TimeoutError::default()), 2));
    assert_eq!(log.take(), ["good is clean"]);
}

#[test]
fn failures_together_with_a_timeout_are_returned_and_the_timeout_goes_on() {
    run(async {
        // What ends with the group ends with its failures, and nothing is left of the timeout.
        let outcome = timeout(SECOND, fails_when_cancelled()).await;
        assert_eq!(outcome.unwrap().unwrap_err().len(), 1);
        sleep(SECOND).await;

        let outcome = timeout(SECOND, async {
            assert!(fails_when_cancelled().await.is_err());
            pending::<()>().await
        });
        assert_eq!(outcome.await, Err(TimeoutError::default()));
        sleep(SECOND).await;
        assert_eq!(current_task().unwrap().cancelling(), 0);
    });
}

#[test]
fn the_cancellations_of_a_group_itself_are_not_counted() {
    run(async {
        let failed = task_group(async |group| {
            group.try_create_task(refuse_after(1, 1));
            pending::<()>().await;
        });
        assert!(failed.await.is_err());
        assert_eq!(current_task().unwrap().cancelling(), 0);
        sleep(SECOND).await;
    });
}

#[test]
fn a_body_that_swallows_the_groups_cancellation_changes_nothing_about_the_failure() {
    let (error, seconds) = run(task_group(async |group| {
        group.try_create_task(refuse_after(1, 1));
        let _ = catch_cancelled(pending::<()>()).await;
        sleep(SECOND).await;
        "a value"
    }));
    assert_eq!((error.unwrap_err().len(), seconds), (1, 2));
}

#[test]
fn a_body_that_waits_for_the_failing_task_does_not_get_its_error() {
    let (error, _) = run(try_task_group(async |group| {
        group.try_create_task(refuse_after(1, 1)).named("bad").await.unwrap()
    }));
    assert_eq!(messages(&error.unwrap_err()), ["task 'bad' failed: refusal 1"]);
}

#[test]
fn an_early_end_by_the_body_keeps_its_value() {
    let log = Log::default();
    let (value, seconds) = run({
        let log = log.clone();
        async move {
            task_group(async |group| {
                group.create_task(cleans_up_for(2, log, "good"));
                sleep(SECOND).await;
                assert!(group.cancel());
                "value"
            })
            .await
            .unwrap()
        }
    });
    assert_eq!((value, seconds), ("value", 3));
    assert_eq!(log.take(), ["good is clean"]);
}

#[test]
fn an_early_end_by_a_task_cuts_the_body_short_and_says_so() {
    let (error, seconds) = run(async {
        task_group(async |group| {
            let ending = group.clone();
            group.create_task(async move {
                sleep(SECOND).await;
                assert!(ending.cancel());
            });
            pending::<()>().await
        })
        .await
        .unwrap_err()
    });
    assert_eq!(seconds, 1);
    assert!(error.is_cancelled() && error.is_empty() && error.first().is_none());
    assert!(error.source().is_none());
    assert!(error.to_string().starts_with("the task group created at "), "{error}");
    assert!(error.to_string().ends_with(" was cancelled"), "{error}");
    assert!(error.created_at().file().ends_with("groups.rs"));
}

#[test]
fn an_early_end_does_not_hide_failures_or_a_cancellation_from_outside() {
    run(async {
        let error = task_group(async |group| {
            group.try_create_task(async {
                let _ = catch_cancelled(pending::<()>()).await;
                Err::<(), _>(Refusal(1))
            });
            yield_now().await;
            group.cancel();
        });
        let error = error.await.unwrap_err();
        assert!(error.is_cancelled() && error.len() == 1);

        let task = create_task(task_group(async |group| {
            group.create_task(cleans_up_for(2, Log::default(), "good"));
            yield_now().await;
            group.cancel();
        }));
        sleep(SECOND).await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_group_that_is_being_cancelled_takes_no_more_tasks() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let failed = task_group(async |group| {
                group.try_create_task(refuse_after(1, 1));
                let _ = catch_cancelled(pending::<()>()).await;
                let guard = log.on_drop("the future is dropped");
                let refused = group.task_builder().create_task(async move {
                    let _guard = guard;
                });
                let error = refused.unwrap_err();
                assert!(matches!(error, GroupClosedError::Cancelled { .. }));
                log.push(error);
                // The other form gives a task that has been cancelled.
                let task = group.create_task(async {});
                assert!(task.cancelled());
                log.push(task.await.unwrap_err());
            });
            assert_eq!(failed.await.unwrap_err().len(), 1);
        }
    });
    let lines = log.take();
    assert_eq!(lines[0], "the future is dropped");
    assert!(lines[1].starts_with("the task group created at crates/ronde/tests/groups.rs:"));
    assert!(lines[1].ends_with(" is being cancelled: it takes no more tasks"));
    assert_eq!(lines[2], format!("cancelled: {}", lines[1]));
}

#[test]
fn a_group_that_is_over_takes_no_more_tasks() {
    run(async {
        let leaked = task_group(async |group| group).await.unwrap();
        let Err(error) = leaked.check_open() else { panic!() };
        assert!(matches!(error, GroupClosedError::Over { .. }));
        assert!(error.to_string().ends_with(" is over: it takes no more tasks"));
        let reports = log_reports();
        assert!(leaked.create_task(async {}).cancelled());
        let [report] = &reports.take()[..] else { panic!() };
        assert!(report.starts_with(&format!("a task was not created: {error}")), "{report}");
        assert!(leaked.try_create_task(async { Ok::<_, Refusal>(()) }).cancelled());
        assert_eq!(reports.take().len(), 1);
        assert!(leaked.start(async |_: ronde::Started<()>| ()).await.is_err());
        assert!(!leaked.cancel());
        assert!(format!("{leaked:?}").ends_with(" over>"));
    });
}

#[test]
fn a_group_around_another_cancels_it_as_a_whole() {
    let log = Log::default();
    let (error, seconds) = run({
        let log = log.clone();
        async move {
            task_group(async |outer| {
                outer.try_create_task(refuse_after(1, 1)).named("bad");
                let inner = task_group(async |inner| {
                    inner.create_task(cleans_up_for(1, log.clone(), "inner"));
                });
                inner.await.unwrap();
                log.push("never");
            })
            .await
            .unwrap_err()
        }
    });
    assert_eq!((error.len(), seconds), (1, 2));
    assert_eq!(log.take(), ["inner is clean"]);
}

#[test]
fn dropping_the_future_cancels_the_tasks_and_their_failures_are_reported() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let reports = log_reports();
            {
                let mut group = pin!(task_group(async |group| {
                    group.create_task(cleans_up_for(1, log.clone(), "good"));
                    group
                        .create_task(async {
                            let _ = catch_cancelled(pending::<()>()).await;
                            panic!("late");
                        })
                        .named("bad");
                }));
                assert!(futures_lite::future::poll_once(group.as_mut()).await.is_none());
                yield_now().await;
            }
            sleep(2 * SECOND).await;
            log.push(reports.take().len());
        }
    });
    assert_eq!(log.take(), ["good is clean", "1"]);
}

#[test]
fn dropping_the_future_reports_what_had_failed_before() {
    let (reports, _) = run(async {
        let reports = log_reports();
        {
            let mut group = pin!(try_task_group(async |group| {
                group.create_task(cleans_up_for(1, Log::default(), "good"));
                group.create_task(async { panic!("early") }).named("panics");
                group.try_create_task(async { Err::<(), _>(Refusal(1)) }).named("refuses");
                let _ = catch_cancelled(pending::<()>()).await;
                Err::<(), _>(Refusal(2))
            }));
            for _ in 0..5 {
                assert!(futures_lite::future::poll_once(group.as_mut()).await.is_none());
                yield_now().await;
            }
        }
        sleep(2 * SECOND).await;
        reports.take()
    });
    let expected = [
        "the failure of task 'panics' was never looked at",
        "the failure of task 'refuses' was never looked at",
        "a failure in a task group that was dropped: the body failed: refusal 2",
    ];
    assert_eq!(reports.len(), expected.len(), "{reports:?}");
    for expected in expected {
        assert!(reports.iter().any(|report| report.starts_with(expected)), "{reports:?}");
    }
}

#[test]
fn a_task_that_returns_a_handle_to_its_group_is_not_kept_alive_by_it() {
    let log = Log::default();
    let value = log.on_drop("gone");
    run(async {
        let task = create_task(async {
            let group = task_group(async |group| group).await.unwrap();
            (group, value)
        });
        yield_now().await;
        yield_now().await;
        assert!(task.done());
    });
    assert_eq!(log.take(), ["gone"]);
}

#[test]
fn an_eager_task_is_in_its_group_before_its_first_step() {
    run(async {
        let started = Rc::new(Cell::new(0));
        let (value, failed) = {
            let started = started.clone();
            let value = task_group(async |group| {
                let inner = group.clone();
                let task = group.task_builder().named("eager").eager().create_task(async move {
                    assert_eq!(inner.len(), 1);
                    inner.create_task(async move { started.set(started.get() + 1) });
                    7
                });
                let task = task.unwrap();
                assert!(task.done());
                task.await.unwrap()
            })
            .await;
            let failed = task_group(async |group| {
                let eager = group.task_builder().named("eager").eager();
                assert!(eager.try_create_task(async { Err::<(), _>(Refusal(1)) }).unwrap().done());
                pending::<()>().await;
            });
            (value, failed.await)
        };
        assert_eq!((value.unwrap(), started.get()), (7, 1));
        assert_eq!(failed.unwrap_err().to_string(), "task 'eager' failed: refusal 1");
    });
}

#[test]
fn a_group_says_what_it_is() {
    run(async {
        let shown = Log::default();
        let _ = task_group(async |group| {
            group.try_create_task(refuse_after(1, 1));
            group.create_task(cleans_up_for(1, Log::default(), "good"));
            shown.push(format!("{group:?}"));
            let _ = catch_cancelled(pending::<()>()).await;
            shown.push(format!("{group:?}"));
        })
        .await;
        let lines = shown.take();
        assert!(lines[0].starts_with("<TaskGroup created at "), "{}", lines[0]);
        assert!(lines[0].ends_with(" tasks=2>"), "{}", lines[0]);
        assert!(lines[1].ends_with(" tasks=1 errors=1 cancelling>"), "{}", lines[1]);
    });
}

#[test]
fn ctrl_c_or_an_end_of_the_program_cancels_a_group_like_any_task() {
    let log = Log::default();
    let (runner, seen) = (runner(), log.clone());
    runner
        .run(async move {
            create_task(task_group(async move |group| {
                group.create_task(cleans_up_for(1, log.clone(), "good"));
                pending::<()>().await;
            }))
            .detach();
            yield_now().await;
            yield_now().await;
        })
        .unwrap();
    runner.close().unwrap();
    assert_eq!(seen.take(), ["good is clean"]);
}

#[test]
fn a_cancellation_raised_in_the_body_passes_through() {
    let outcome = runner().run(async {
        let group = task_group(async |group| {
            group.create_task(pending::<()>());
            CancelledError::new("of my own").raise::<()>().await;
        });
        group.await.unwrap();
    });
    assert!(
        matches!(outcome, Err(RunError::Cancelled(error)) if error.message() == Some("of my own"))
    );
}

#[test]
#[should_panic(expected = "a task group was used outside of a task")]
fn a_group_needs_a_task() {
    let _ = futures_lite::future::block_on(task_group(async |_| ()));
}

//! Exit stacks: the last exit first, each sees the outcome so far, none is left out.

mod common;

use std::cell::Cell;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;

use common::{Log, SECOND, log_reports, run};
use futures_lite::FutureExt;
use futures_lite::future::poll_once;
use ronde::{
    BodyOutcome, ExitStack, OnItsWay, Swallow, catch_cancelled, context_manager, create_task,
    exit_stack, sleep, timeout, try_exit_stack, yield_now,
};

/// An exit that logs what it sees, takes a second, and returns `result`.
fn seeing<V: Copy + 'static>(
    log: &Log,
    name: &'static str,
    result: Result<V, &'static str>,
) -> impl AsyncFnOnce(BodyOutcome<'_>) -> Result<V, &'static str> + 'static {
    let log = log.clone();
    async move |outcome: BodyOutcome<'_>| {
        log.push(format!("{name} {outcome:?}"));
        sleep(SECOND).await;
        log.push(format!("{name} done"));
        result
    }
}

#[test]
fn exits_run_last_in_first_out_and_are_awaited() {
    let log = Log::default();
    let (value, seconds) = run({
        let log = log.clone();
        async move {
            exit_stack(async |stack| {
                stack.push_async_exit(seeing(&log, "first", Ok(())));
                let plain = log.clone();
                stack.callback(move || plain.push("callback"));
                let awaited = log.clone();
                stack.push_async_callback(async move || {
                    sleep(SECOND).await;
                    awaited.push("async callback");
                });
                log.push("body");
                7
            })
            .await
            .unwrap()
        }
    });
    assert_eq!((value, seconds), (7, 2));
    let expected = ["body", "async callback", "callback", "first Returned", "first done"];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_callback_may_borrow_from_around_the_stack() {
    let (count, _) = run(async {
        let count = Cell::new(0);
        exit_stack(async |stack| {
            for _ in 0..3 {
                stack.callback(|| count.set(count.get() + 1));
            }
        })
        .await
        .unwrap();
        count.get()
    });
    assert_eq!(count, 3);
}

#[test]
fn managers_are_entered_on_the_way_and_exited_on_the_way_back() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let manager = |name: &'static str, fails: bool| {
                let (entering, exiting) = (log.clone(), log.clone());
                context_manager(
                    async move || {
                        entering.push(format!("enter {name}"));
                        if fails { Err("locked") } else { Ok(Rc::new(name)) }
                    },
                    async move |name: Rc<&str>, outcome: BodyOutcome<'_>| {
                        exiting.push(format!("exit {name} {outcome:?}"));
                        Ok(())
                    },
                )
            };
            let outcome = try_exit_stack(async |stack| {
                let hall = stack.enter(manager("hall", false)).await?;
                assert_eq!(*hall, "hall");
                stack.enter(manager("room", false)).await?;
                stack.enter(manager("safe", true)).await?;
                Ok::<_, &str>(())
            });
            assert_eq!(outcome.await.unwrap(), Err("locked"));
        }
    });
    assert_eq!(
        log.take(),
        [
            "enter hall",
            "enter room",
            "enter safe",
            "exit room Failed(\"locked\")",
            "exit hall Failed(\"locked\")"
        ]
    );
}

#[test]
fn a_cancellation_while_entering_pushes_nothing() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let task = create_task(async move {
                exit_stack(async |stack| {
                    stack.push_async_exit(seeing(&log, "earlier", Ok(())));
                    let slow = context_manager(
                        async || {
                            sleep(9 * SECOND).await;
                            Ok::<_, Infallible>(())
                        },
                        async |(), _| Ok(()),
                    );
                    let _ = stack.enter(slow).await;
                })
                .await
                .is_ok()
            });
            yield_now().await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    assert_eq!(log.take(), ["earlier Cancelled(CancelledError())", "earlier done"]);
}

#[test]
fn failing_exits_are_all_kept_and_seen_by_the_next() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let error = try_exit_stack(async |stack| {
                stack.push_async_exit(seeing(&log, "third", Err::<(), _>("three")));
                stack.push_async_exit(seeing(&log, "second", Ok(())));
                stack.push_async_exit(seeing(&log, "first", Err::<(), _>("one")));
                Err::<(), _>("body")
            });
            let error = error.await.unwrap_err();
            assert_eq!(error.to_string(), "exiting: one, then three, after the body failed: body");
            assert_eq!(error.errors.len(), 2);
            assert!(matches!(error.on_its_way, Some(OnItsWay::Failed("body"))));
        }
    });
    let seen: Vec<_> = log.take().into_iter().filter(|line| !line.ends_with("done")).collect();
    assert_eq!(seen, ["first Failed(\"body\")", "second Failed(\"one\")", "third Failed(\"one\")"]);
}

#[test]
fn an_exit_that_fails_after_a_value_is_an_error() {
    run(async {
        let log = Log::default();
        let outcome = exit_stack(async |stack| {
            stack.push_async_exit(seeing(&log, "only", Err::<(), _>("stuck")));
        });
        let error = outcome.await.unwrap_err();
        assert_eq!(error.to_string(), "exiting: stuck");
        assert!(error.on_its_way.is_none());
    });
}

#[test]
fn a_cancellation_waits_for_all_exits_and_goes_on() {
    let log = Log::default();
    let ((), seconds) = run({
        let log = log.clone();
        async move {
            let task = create_task(async move {
                let _ = exit_stack(async |stack| {
                    stack.push_async_exit(seeing(&log, "second", Ok(())));
                    stack.push_async_exit(seeing(&log, "first", Ok(())));
                    sleep(9 * SECOND).await;
                })
                .await;
                unreachable!();
            });
            yield_now().await;
            task.cancel_msg("go");
            assert_eq!(task.await.unwrap_err().to_string(), "cancelled: go");
        }
    });
    assert_eq!(seconds, 2);
    assert_eq!(
        log.take(),
        [
            "first Cancelled(CancelledError(\"go\"))",
            "first done",
            "second Cancelled(CancelledError(\"go\"))",
            "second done"
        ]
    );
}

#[test]
fn a_cancellation_of_every_form_waits_for_the_exits() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            type Form = Pin<Box<dyn Future<Output = bool>>>;
            let forms: [(&str, Form); 3] = [
                ("try_exit_stack", {
                    let exit = seeing(&log, "exit", Ok(()));
                    Box::pin(async move {
                        let stack = try_exit_stack(async |stack| {
                            stack.push_async_exit(exit);
                            sleep(9 * SECOND).await;
                            Err::<(), _>("not reached")
                        });
                        stack.await.is_ok()
                    })
                }),
                ("ExitStack::run", {
                    let exit = seeing(&log, "exit", Ok(()));
                    Box::pin(async move {
                        let stack = ExitStack::<Swallow>::run(async |stack| {
                            stack.push_async_exit(exit);
                            sleep(9 * SECOND).await;
                        });
                        stack.await.is_ok()
                    })
                }),
                ("ExitStack::try_run", {
                    let exit = seeing(&log, "exit", Ok(()));
                    Box::pin(async move {
                        let stack = ExitStack::<Swallow>::try_run(async |stack| {
                            stack.push_async_exit(exit);
                            sleep(9 * SECOND).await;
                            Ok::<_, &str>(())
                        });
                        stack.await.is_ok()
                    })
                }),
            ];
            for (form, future) in forms {
                let task = create_task(future);
                yield_now().await;
                task.cancel();
                assert!(task.await.unwrap_err().is_cancelled(), "{form}");
                let expected = ["exit Cancelled(CancelledError())", "exit done"];
                assert_eq!(log.take(), expected, "{form}");
            }
        }
    });
}

#[test]
fn a_cancellation_during_an_exit_is_raised_there_and_the_others_still_run() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let task = create_task(async move {
                let _ = exit_stack(async |stack| {
                    stack.push_async_exit(seeing(&log, "second", Ok(())));
                    stack.push_async_exit(seeing(&log, "first", Ok(())));
                })
                .await;
                unreachable!();
            });
            yield_now().await;
            task.cancel_msg("hurry");
            assert_eq!(task.await.unwrap_err().to_string(), "cancelled: hurry");
        }
    });
    assert_eq!(
        log.take(),
        ["first Returned", "second Cancelled(CancelledError(\"hurry\"))", "second done"]
    );
}

#[test]
fn a_time_limit_around_a_stack_waits_for_its_exits() {
    let log = Log::default();
    let (expired, seconds) = run({
        let log = log.clone();
        async move {
            let stack = exit_stack(async |stack| {
                stack.push_async_exit(seeing(&log, "only", Ok(())));
                sleep(9 * SECOND).await;
            });
            timeout(SECOND, stack).await.is_err()
        }
    });
    assert_eq!((expired, seconds), (true, 2));
    assert_eq!(log.take().last().unwrap(), "only done");
}

#[test]
fn a_panic_goes_on_after_all_exits_and_their_failures_are_reported() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let reports = log_reports();
            let stack = exit_stack(async |stack| {
                stack.push_async_exit(seeing(&log, "second", Ok(())));
                stack.push_async_exit(seeing(&log, "first", Err::<(), _>("stuck")));
                panic!("fire");
            });
            let panic = AssertUnwindSafe(stack).catch_unwind().await.unwrap_err();
            assert_eq!(*panic.downcast::<&str>().unwrap(), "fire");
            let reports = reports.take();
            assert_eq!(reports.len(), 1);
            assert!(reports[0].ends_with("on its way: stuck"), "{reports:?}");
        }
    });
    let lines = log.take();
    assert_eq!(lines[2], "second Panicked(PanicError(\"fire\"))");
    assert_eq!(lines[3], "second done");
}

#[test]
fn a_panic_in_an_exit_does_not_vanish_behind_that_of_the_body() {
    run(async {
        let reports = log_reports();
        let stack = exit_stack(async |stack| {
            stack.callback(|| panic!("callback"));
            panic!("fire");
        });
        let panic = AssertUnwindSafe(stack).catch_unwind().await.unwrap_err();
        assert_eq!(*panic.downcast::<&str>().unwrap(), "fire");
        let reports = reports.take();
        assert_eq!(reports.len(), 1);
        assert!(reports[0].contains("callback"), "{reports:?}");
    });
}

#[test]
fn a_panic_in_an_exit_takes_the_place_of_errors_which_are_reported() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let reports = log_reports();
            let stack = try_exit_stack(async |stack| {
                stack.push_async_exit(seeing(&log, "last", Ok(())));
                stack.callback(|| panic!("callback"));
                stack.push_async_exit(seeing(&log, "first", Err::<(), _>("stuck")));
                Err::<(), _>("body")
            });
            let panic = AssertUnwindSafe(stack).catch_unwind().await.unwrap_err();
            assert_eq!(*panic.downcast::<&str>().unwrap(), "callback");
            assert_eq!(reports.take().len(), 2);
        }
    });
    assert!(log.take().contains(&"last Panicked(PanicError(\"callback\"))".to_string()));
}

#[test]
fn a_swallowing_exit_ends_the_failure_for_those_after_it() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let value = ExitStack::<Swallow>::try_run(async |stack| {
                stack.push_async_exit(seeing(&log, "third", Ok(())));
                stack.push_async_exit(seeing(&log, "second", Ok(Swallow(true))));
                stack.push_async_exit(seeing(&log, "first", Ok(Swallow(false))));
                Err::<u32, _>("body")
            });
            assert_eq!(value.await.unwrap(), None);
        }
    });
    let seen: Vec<_> = log.take().into_iter().filter(|line| !line.ends_with("done")).collect();
    assert_eq!(seen, ["first Failed(\"body\")", "second Failed(\"body\")", "third Returned"]);
}

#[test]
fn a_swallowing_exit_may_swallow_the_failure_of_another_one() {
    run(async {
        let log = Log::default();
        let value = ExitStack::<Swallow>::run(async |stack| {
            stack.push_async_exit(seeing(&log, "second", Ok(Swallow(true))));
            stack.push_async_exit(seeing(&log, "first", Err::<(), _>("stuck")));
            7
        });
        assert_eq!(value.await.unwrap(), None);
    });
}

#[test]
fn a_swallowing_stack_with_nothing_to_swallow_gives_the_value() {
    run(async {
        let log = Log::default();
        let value = ExitStack::<Swallow>::run(async |stack| {
            stack.push_async_exit(seeing(&log, "only", Ok(Swallow(true))));
            7
        });
        assert_eq!(value.await.unwrap(), Some(7));
    });
}

#[test]
fn pop_all_takes_the_exits_elsewhere() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let kept = exit_stack(async |stack| {
                stack.push_async_exit(seeing(&log, "kept", Ok(())));
                let kept = stack.pop_all();
                stack.push_async_exit(seeing(&log, "left", Ok(())));
                kept
            });
            let kept = kept.await.unwrap();
            assert_eq!(format!("{kept:?}"), "ExitStack { exits: 1 }");
            log.push("later");
            kept.aclose().await.unwrap();
        }
    });
    assert_eq!(log.take(), ["left Returned", "left done", "later", "kept Returned", "kept done"]);
}

#[test]
fn closing_a_stack_by_hand_can_be_cancelled_and_waits_for_all_exits() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let task = create_task(async move {
                let mut stack = ExitStack::<()>::new();
                stack.push_async_exit(seeing(&log, "second", Ok(())));
                stack.push_async_exit(seeing(&log, "first", Ok(())));
                catch_cancelled(stack.aclose()).await.unwrap_err().to_string()
            });
            yield_now().await;
            task.cancel_msg("now");
            assert_eq!(task.await.unwrap(), "cancelled: now");
        }
    });
    assert_eq!(log.take().last().unwrap(), "second done");
}

#[test]
fn dropping_the_future_runs_no_exit() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let stack = exit_stack(async |stack| {
                stack.push_async_exit(seeing(&log, "never", Ok(())));
                std::future::pending::<()>().await;
            });
            assert!(poll_once(stack).await.is_none());
        }
    });
    assert!(log.take().is_empty());
}

//! Context managers: the exit is awaited, whatever happens to the body.

mod common;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use common::{Log, SECOND, log_reports, run};
use futures_lite::FutureExt;
use futures_lite::future::{block_on, poll_once};
use ronde::{
    AsyncContextManager, BodyOutcome, CancelledError, OnItsWay, Swallow, WithError, aclosing,
    async_with, catch_cancelled, context_manager, create_task, generator, sleep, timeout,
    try_async_with, yield_now,
};

/// Logs everything. Entering and exiting take a second each, and can be made to fail.
struct Room {
    log: Log,
    enter: Result<(), &'static str>,
    exit: Result<(), &'static str>,
}

impl Room {
    fn new(log: &Log) -> Self {
        Self { log: log.clone(), enter: Ok(()), exit: Ok(()) }
    }

    fn that_fails_to_exit(log: &Log) -> Self {
        Self { exit: Err("the door is stuck"), ..Self::new(log) }
    }
}

impl AsyncContextManager for Room {
    type Resource = u32;
    type Error = &'static str;
    type Exit = ();

    async fn enter(&mut self) -> Result<u32, &'static str> {
        self.log.push("enter");
        sleep(SECOND).await;
        self.enter?;
        self.log.push("entered");
        Ok(7)
    }

    async fn exit(self, resource: u32, outcome: BodyOutcome<'_>) -> Result<(), &'static str> {
        self.log.push(format!("exit {resource} {outcome:?}"));
        sleep(SECOND).await;
        self.log.push("exited");
        self.exit
    }
}

/// A manager that swallows what `which` says.
fn swallowing(
    which: fn(BodyOutcome<'_>) -> bool,
) -> impl AsyncContextManager<Resource = (), Error = Infallible, Exit = Swallow> {
    context_manager(
        async || Ok::<_, Infallible>(()),
        async move |(), outcome: BodyOutcome<'_>| Ok(Swallow(which(outcome))),
    )
}

#[test]
fn the_body_s_value_comes_out() {
    let log = Log::default();
    let (value, seconds) = run({
        let log = log.clone();
        async move {
            async_with(Room::new(&log), async |seven| {
                *seven += 1;
                sleep(SECOND).await;
                *seven * 10
            })
            .await
            .unwrap()
        }
    });
    assert_eq!((value, seconds), (80, 3));
    assert_eq!(log.take(), ["enter", "entered", "exit 8 Returned", "exited"]);
}

#[test]
fn it_works_outside_every_loop() {
    let manager = context_manager(async || Ok::<_, Infallible>(1), async |_: i32, _| Ok(()));
    let Ok(value) = block_on(async_with(manager, async |one| *one + 1));
    assert_eq!(value, 2);
}

#[test]
fn after_a_failed_enter_there_is_no_body_and_no_exit() {
    let log = Log::default();
    let (error, _) = run({
        let log = log.clone();
        async move {
            let room = Room { enter: Err("locked"), ..Room::new(&log) };
            async_with(room, async |_| unreachable!()).await.unwrap_err()
        }
    });
    assert!(matches!(error, WithError::Enter { error: "locked", .. }));
    assert_eq!(error.to_string(), "entering context_managers::Room: locked");
    assert_eq!(error.into_error(), "locked");
    assert_eq!(log.take(), ["enter"]);
}

#[test]
fn an_error_names_a_manager_of_closures_or_functions_after_where_they_are() {
    async fn open() -> Result<(), &'static str> {
        Err("locked")
    }
    run(async {
        let closures = context_manager(async || Err("locked"), async |(), _| Ok(()));
        let error = async_with(closures, async |_| {}).await.unwrap_err();
        let here = "an_error_names_a_manager_of_closures_or_functions_after_where_they_are";
        assert_eq!(error.to_string(), format!("entering context_managers::{here}: locked"));

        let functions = context_manager(open, async |(), _| Ok(()));
        let error = async_with(functions, async |_| {}).await.unwrap_err();
        assert_eq!(error.to_string(), format!("entering context_managers::{here}::open: locked"));
    });
}

#[test]
fn a_cancellation_while_entering_means_no_exit() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let room = Room::new(&log);
            let task = create_task(async move { async_with(room, async |_| ()).await.is_ok() });
            yield_now().await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    assert_eq!(log.take(), ["enter"]);
}

#[test]
fn an_err_of_the_body_is_seen_and_comes_out_as_it_is() {
    let log = Log::default();
    let (value, _) = run({
        let log = log.clone();
        async move { try_async_with(Room::new(&log), async |_| Err::<u32, _>("tired")).await.unwrap() }
    });
    assert_eq!(value, Err("tired"));
    assert_eq!(log.take(), ["enter", "entered", r#"exit 7 Failed("tired")"#, "exited"]);
}

#[test]
fn without_try_an_err_is_a_value() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let value = async_with(Room::new(&log), async |_| Err::<u32, _>("tired")).await;
            assert_eq!(value.unwrap(), Err("tired"));
        }
    });
    assert_eq!(log.take()[2], "exit 7 Returned");
}

#[test]
fn a_panic_goes_on_after_the_exit() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let with = async_with(Room::new(&log), async |_| {
                let _dropped = inside.on_drop("frame dropped");
                panic!("fire");
            });
            let panic = AssertUnwindSafe(with).catch_unwind().await.unwrap_err();
            assert_eq!(*panic.downcast::<&str>().unwrap(), "fire");
        }
    });
    assert_eq!(
        log.take(),
        ["enter", "entered", "frame dropped", "exit 7 Panicked(PanicError(\"fire\"))", "exited"]
    );
}

#[test]
fn a_cancellation_of_the_task_waits_for_the_exit_and_goes_on() {
    let log = Log::default();
    let ((), seconds) = run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let task = create_task(async move {
                let _ = async_with(Room::new(&inside), async |_| {
                    let _dropped = inside.on_drop("frame dropped");
                    sleep(9 * SECOND).await;
                })
                .await;
                unreachable!();
            });
            sleep(2 * SECOND).await;
            task.cancel_msg("go home");
            let error = task.await.unwrap_err();
            assert_eq!(error.to_string(), "cancelled: go home");
        }
    });
    assert_eq!(
        log.take(),
        [
            "enter",
            "entered",
            "frame dropped",
            "exit 7 Cancelled(CancelledError(\"go home\"))",
            "exited"
        ]
    );
    assert_eq!(seconds, 3);
}

#[test]
fn a_time_limit_waits_for_the_exit_and_is_still_a_time_limit() {
    let log = Log::default();
    let (outcome, seconds) = run({
        let log = log.clone();
        async move {
            let body = async |_: &mut u32| sleep(9 * SECOND).await;
            timeout(2 * SECOND, async_with(Room::new(&log), body)).await.is_err()
        }
    });
    assert_eq!((outcome, seconds), (true, 3));
    assert_eq!(log.take().len(), 4);
}

#[test]
fn a_cancellation_of_the_form_for_fallible_bodies_waits_for_the_exit_too() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let room = Room::new(&log);
            let task = create_task(try_async_with(room, async |_| {
                sleep(9 * SECOND).await;
                Err::<(), _>("not reached")
            }));
            sleep(2 * SECOND).await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    assert_eq!(log.take()[2..], ["exit 7 Cancelled(CancelledError())", "exited"]);
}

#[test]
fn a_time_limit_inside_the_body_is_the_body_s_own_affair() {
    let log = Log::default();
    let ((), seconds) = run({
        let log = log.clone();
        async move {
            let with = async_with(Room::new(&log), async |_| {
                timeout(SECOND, sleep(9 * SECOND)).await.is_err()
            });
            assert!(with.await.unwrap());
        }
    });
    assert_eq!(log.take()[2], "exit 7 Returned");
    assert_eq!(seconds, 3);
}

#[test]
fn a_cancellation_during_the_exit_is_raised_in_there() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let task = create_task(async move {
                let _ = async_with(Room::new(&inside), async |_| ()).await;
                unreachable!();
            });
            sleep(3 * SECOND / 2).await;
            task.cancel_msg("late");
            assert_eq!(task.await.unwrap_err().to_string(), "cancelled: late");
        }
    });
    assert_eq!(log.take(), ["enter", "entered", "exit 7 Returned"]);
}

#[test]
fn an_exit_that_is_cancelled_twice_may_catch_both_and_the_first_goes_on() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let patient = context_manager(
                async || Ok::<_, Infallible>(()),
                async move |(), outcome: BodyOutcome<'_>| {
                    inside.push(format!("{outcome:?}"));
                    let second = catch_cancelled(sleep(9 * SECOND)).await.unwrap_err();
                    inside.push(format!("caught {second:?}"));
                    sleep(SECOND).await;
                    inside.push("exited");
                    Ok(())
                },
            );
            let task = create_task(async_with(patient, async |_| sleep(9 * SECOND).await));
            yield_now().await;
            task.cancel_msg("first");
            sleep(SECOND).await;
            task.cancel_msg("second");
            assert_eq!(task.await.unwrap_err().to_string(), "cancelled: first");
        }
    });
    let expected =
        ["Cancelled(CancelledError(\"first\"))", "caught CancelledError(\"second\")", "exited"];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_second_cancellation_that_the_exit_does_not_catch_is_the_one_that_goes_on() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let room = Room::new(&log);
            let task = create_task(async move {
                async_with(room, async |_| sleep(9 * SECOND).await).await.is_ok()
            });
            sleep(2 * SECOND).await;
            task.cancel_msg("first");
            sleep(SECOND / 2).await;
            task.cancel_msg("second");
            assert_eq!(task.await.unwrap_err().to_string(), "cancelled: second");
        }
    });
    assert_eq!(log.take().last().unwrap(), "exit 7 Cancelled(CancelledError(\"first\"))");
}

#[test]
fn dropping_the_future_awaits_nothing() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let manager = context_manager(
                async || Ok::<_, Infallible>(inside.on_drop("resource dropped")),
                async |_, _| -> Result<(), _> { unreachable!() },
            );
            let with = async_with(manager, async |_| std::future::pending::<()>().await);
            assert!(poll_once(with).await.is_none());
        }
    });
    assert_eq!(log.take(), ["resource dropped"]);
}

// ---- Swallowing ----

#[test]
fn a_swallowed_failure_leaves_no_value() {
    run(async {
        let err = try_async_with(swallowing(|o| !o.is_ok()), async |_| Err::<u32, _>("oh")).await;
        assert_eq!(err.unwrap(), None);
        let panic = async_with(swallowing(|o| !o.is_ok()), async |_| -> u32 { panic!("oh") }).await;
        assert_eq!(panic.unwrap(), None);
        let value = async_with(swallowing(|_| true), async |_| 7).await;
        assert_eq!(value.unwrap(), Some(7));
    });
}

#[test]
fn what_is_not_swallowed_goes_on() {
    run(async {
        let err = try_async_with(swallowing(|o| o.is_ok()), async |_| Err::<u32, _>("oh"));
        assert_eq!(err.await.unwrap(), Some(Err("oh")));
        let panic = async_with(swallowing(|o| o.is_cancelled()), async |_| panic!("oh"));
        assert!(AssertUnwindSafe(panic).catch_unwind().await.is_err());
    });
}

#[test]
fn a_swallowed_cancellation_is_over() {
    run(async {
        let task = create_task(async {
            let outcome = async_with(swallowing(|outcome| outcome.is_cancelled()), async |_| {
                sleep(9 * SECOND).await;
            });
            assert_eq!(outcome.await.unwrap(), None);
            sleep(SECOND).await;
            "finished"
        });
        yield_now().await;
        task.cancel();
        assert_eq!(task.await.unwrap(), "finished");
    });
}

#[test]
fn an_exit_can_tell_errors_apart() {
    #[derive(Debug, PartialEq)]
    struct Expected;
    run(async {
        let manager = || {
            context_manager(
                async || Ok::<_, Infallible>(()),
                async |(), outcome: BodyOutcome<'_>| {
                    let BodyOutcome::Failed(error) = outcome else { return Ok(Swallow(false)) };
                    Ok(Swallow(error.downcast_ref::<Expected>().is_some()))
                },
            )
        };
        let expected = try_async_with(manager(), async |_| Err::<(), _>(Expected)).await;
        assert_eq!(expected.unwrap(), None);
        let other = try_async_with(manager(), async |_| Err::<(), _>("other")).await;
        assert_eq!(other.unwrap(), Some(Err("other")));
    });
}

// ---- An exit that fails ----

#[test]
fn an_exit_that_fails_after_a_value_is_an_error() {
    let log = Log::default();
    run(async move {
        let room = Room::that_fails_to_exit(&log);
        let error = async_with(room, async |_| 1).await.unwrap_err();
        assert_eq!(error.to_string(), "exiting context_managers::Room: the door is stuck");
        assert!(matches!(error, WithError::Exit { on_its_way: None, .. }));
    });
}

#[test]
fn an_exit_that_fails_while_an_err_is_on_its_way_keeps_both() {
    let log = Log::default();
    run(async move {
        let room = Room::that_fails_to_exit(&log);
        let error = try_async_with(room, async |_| Err::<(), _>("tired")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "exiting context_managers::Room: the door is stuck, after the body failed: tired"
        );
        let WithError::Exit { error, on_its_way: Some(OnItsWay::Failed(body)), .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!((error, body), ("the door is stuck", "tired"));
    });
}

#[test]
fn an_exit_that_fails_while_a_cancellation_is_on_its_way_keeps_both() {
    let log = Log::default();
    run(async move {
        let task = create_task(async move {
            let room = Room::that_fails_to_exit(&log);
            async_with(room, async |_| sleep(9 * SECOND).await).await.unwrap_err().to_string()
        });
        sleep(2 * SECOND).await;
        task.cancel_msg("go home");
        assert_eq!(
            task.await.unwrap(),
            "exiting context_managers::Room: the door is stuck, \
             after the body was cancelled: go home"
        );
    });
}

#[test]
fn an_exit_that_fails_while_a_panic_is_on_its_way_is_reported() {
    let log = Log::default();
    run(async move {
        let reports = log_reports();
        let with = async_with(Room::that_fails_to_exit(&log), async |_| panic!("fire"));
        let panic = AssertUnwindSafe(with).catch_unwind().await.unwrap_err();
        assert_eq!(*panic.downcast::<&str>().unwrap(), "fire");
        let reports = reports.take();
        assert_eq!(reports.len(), 1);
        assert!(reports[0].starts_with("a context manager failed while something else"));
    });
}

#[test]
fn a_failure_that_a_panic_or_a_cancellation_in_the_exit_replaces_is_reported() {
    run(async {
        let reports = log_reports();
        let panics = || {
            context_manager(
                async || Ok::<_, Infallible>(()),
                async |(), _| -> Result<(), _> { panic!("exit") },
            )
        };
        let failed = try_async_with(panics(), async |_| Err::<(), _>("body"));
        let panic = AssertUnwindSafe(failed).catch_unwind().await.unwrap_err();
        assert_eq!(*panic.downcast::<&str>().unwrap(), "exit");
        let reported = reports.take();
        assert_eq!(reported.len(), 1);
        assert!(reported[0].contains("a failure was on its way"), "{reported:?}");

        let panicked = async_with(panics(), async |_| panic!("body"));
        let panic = AssertUnwindSafe(panicked).catch_unwind().await.unwrap_err();
        assert_eq!(*panic.downcast::<&str>().unwrap(), "exit");
        let reported = reports.take();
        assert_eq!(reported.len(), 1);
        assert!(reported[0].contains("body"), "{reported:?}");

        let slow = context_manager(
            async || Ok::<_, Infallible>(()),
            async |(), _| {
                sleep(SECOND).await;
                Ok(())
            },
        );
        let task = create_task(async_with(slow, async |_| panic!("body")));
        yield_now().await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        let reported = reports.take();
        assert_eq!(reported.len(), 1);
        assert!(reported[0].contains("body"), "{reported:?}");

        // Nothing has failed: there is nothing to report.
        let panicked = async_with(panics(), async |_| ());
        assert!(AssertUnwindSafe(panicked).catch_unwind().await.is_err());
        assert!(reports.take().is_empty());
    });
}

#[test]
fn a_destructor_that_panics_does_not_keep_the_exit_from_running() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let room = Room::new(&log);
            let task = create_task(async move {
                let _ = async_with(room, async |_| {
                    let _bad = Bad;
                    sleep(9 * SECOND).await;
                })
                .await;
            });
            sleep(2 * SECOND).await;
            task.cancel();
            assert_eq!(task.await.unwrap_err().to_string(), "panicked: in a destructor");
        }
    });
    assert_eq!(log.take().last().unwrap(), "exited");
}

#[test]
fn a_panic_while_a_cancellation_is_delivered_does_not_keep_the_exit_from_running() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let done = create_task(async {});
            yield_now().await;
            let manager = context_manager(
                async || Ok::<_, Infallible>(()),
                async move |(), outcome: BodyOutcome<'_>| {
                    // It doesn't suspend, and would decline if something were being delivered.
                    done.await.unwrap();
                    log.push(format!("{outcome:?}"));
                    Ok(())
                },
            );
            let task = create_task(async_with(manager, async |_| {
                // The branch that panics is polled before the handler that is to be reached.
                let mut polled = false;
                let panics = std::future::poll_fn(move |_| {
                    assert!(!std::mem::replace(&mut polled, true), "polled again");
                    std::task::Poll::<()>::Pending
                });
                let _ = futures_lite::future::zip(panics, catch_cancelled(sleep(9 * SECOND))).await;
            }));
            yield_now().await;
            task.cancel();
            assert_eq!(task.await.unwrap_err().to_string(), "panicked: polled again");
        }
    });
    assert_eq!(log.take(), ["Panicked(PanicError(\"polled again\"))"]);
}

// ---- Together with others ----

#[test]
fn nested_managers_exit_from_the_inside_out() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let task = create_task(async move {
                let _ = async_with(Room::new(&log), async |seven| {
                    *seven = 1;
                    let _ = async_with(Room::new(&log), async |seven| {
                        *seven = 2;
                        sleep(9 * SECOND).await;
                    })
                    .await;
                })
                .await;
            });
            sleep(3 * SECOND).await;
            task.cancel();
            assert!(task.await.is_err());
        }
    });
    let exits: Vec<_> = log.take().into_iter().filter(|line| line.starts_with("exit ")).collect();
    let cancelled = "Cancelled(CancelledError())";
    assert_eq!(exits, [format!("exit 2 {cancelled}"), format!("exit 1 {cancelled}")]);
}

#[test]
fn closing_a_generator_runs_the_exit_inside_it() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let room = Room::new(&log);
            let numbers = generator(async move |y| {
                let _ = async_with(room, async |seven| y.yield_(*seven).await).await;
            });
            let first = async_with(aclosing(numbers), async |numbers| numbers.next().await);
            assert_eq!(first.await.unwrap(), Some(7));
            log.push("closed");
        }
    });
    let expected =
        ["enter", "entered", "exit 7 Cancelled(CancelledError(Close))", "exited", "closed"];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_generator_that_ignores_its_close_is_an_error_of_aclosing() {
    run(async {
        let stubborn = generator(async |y| {
            let _ = catch_cancelled(y.yield_(1)).await;
            y.yield_(2).await;
        });
        let error = async_with(aclosing(stubborn), async |numbers| numbers.next().await);
        let error = error.await.unwrap_err();
        assert!(error.to_string().contains("yielded while it was being closed"), "{error}");
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.is::<ronde::IgnoredCloseError>());
    });
}

#[test]
fn a_cancellation_raised_by_hand_is_seen_by_the_exit() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let with = async_with(Room::new(&log), async |_| {
                CancelledError::new("by hand").raise::<()>().await;
            });
            let error = catch_cancelled(with).await.unwrap_err();
            assert_eq!(error.message(), Some("by hand"));
        }
    });
    assert_eq!(log.take()[2], "exit 7 Cancelled(CancelledError(\"by hand\"))");
}

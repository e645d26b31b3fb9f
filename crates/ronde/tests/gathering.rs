//! `gather` and `try_gather`: forms, order, failures, cancellations.

mod common;

use common::{Log, SECOND, after, log_reports, run};
use ronde::{
    CancelledError, ChildRef, Task, TaskError, TaskRef, all_tasks, catch_cancelled, create_task,
    current_task, gather, gather_all, get_running_loop, sleep, try_gather, try_gather_all,
    yield_now,
};
use std::cell::Cell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;

async fn fail_after<T>(seconds: u32) -> T {
    sleep(seconds * SECOND).await;
    panic!("failed")
}

type Outcome = Result<i32, TaskError>;

/// Waits for ever, and cleans up for some seconds when it is cancelled.
async fn cleans_up_for(seconds: u32, log: Log, name: &'static str) {
    let caught = catch_cancelled(pending::<()>()).await;
    sleep(seconds * SECOND).await;
    log.push(format!("{name} is clean"));
    caught.unwrap_err().raise::<()>().await;
}

#[test]
fn results_have_the_shape_and_the_order_of_the_input() {
    let (_, seconds) = run(async {
        let tuple = gather((after(3, 1), after(1, "two"), create_task(after(2, 3.0))));
        assert_eq!(tuple.await.unwrap(), (1, "two", 3.0));
        let array: [i32; 2] = gather([after(2, 1), after(1, 2)]).await.unwrap();
        assert_eq!(array, [1, 2]);
        let vec: Vec<i32> = gather(vec![after(2, 1), after(1, 2)]).await.unwrap();
        assert_eq!(vec, [1, 2]);
        let squares = gather_all((1..4).map(|n| after(4 - n, n * n))).await.unwrap();
        assert_eq!(squares, [1, 4, 9]);
    });
    assert_eq!(seconds, 3 + 2 + 2 + 3);
}

#[test]
fn the_children_start_in_order_here_and_now_without_being_awaited() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let child = |name| {
                let log = log.clone();
                async move { log.push(name) }
            };
            let gathering = gather((child("a"), child("b"), child("c")));
            assert_eq!(gathering.children().len(), 3);
            yield_now().await;
            assert_eq!(log.take(), ["a", "b", "c"]);
            gathering.await.unwrap();
        }
    });
}

#[test]
fn twelve_things_of_twelve_types_can_be_gathered() {
    run(async {
        let all = gather((
            async { 1_u8 },
            async { 2_u16 },
            async { 3_u32 },
            async { 4_u64 },
            async { 5_i8 },
            async { 6_i16 },
            async { 7_i32 },
            async { 8_i64 },
            async { 9_f32 },
            async { "ten" },
            async { 'e' },
            async { Some(12) },
        ));
        assert_eq!(all.await.unwrap().11, Some(12));
    });
}

#[test]
fn nothing_gathered_is_there_at_once() {
    let (_, seconds) = run(async {
        let nothing = gather(Vec::<ronde::Task<i32>>::new());
        assert!(nothing.done());
        assert!(nothing.await.unwrap().is_empty());
        let nothing: [ronde::Task<i32>; 0] = [];
        assert!(gather(nothing).return_exceptions().await.is_empty());
        let nothing = Vec::<ronde::Task<Result<i32, TaskError>>>::new();
        assert!(try_gather(nothing).await.unwrap().is_empty());
    });
    assert_eq!(seconds, 0);
}

#[test]
fn tasks_that_are_done_already_can_be_gathered() {
    run(async {
        let (one, two) = (create_task(async { 1 }), create_task(async { 2 }));
        yield_now().await;
        assert!(one.done() && two.done());
        assert_eq!(gather((one, two)).await.unwrap(), (1, 2));
    });
}

#[test]
fn a_task_that_is_given_twice_gives_its_result_twice() {
    run(async {
        let task = create_task(after(1, String::from("shared")));
        let twice = gather((&task, &task)).await.unwrap();
        assert_eq!(twice, (String::from("shared"), String::from("shared")));
        assert_eq!(gather([&task, &task]).await.unwrap(), ["shared", "shared"]);
        assert_eq!(task.await.unwrap(), "shared");

        let task = create_task(fail_after::<i32>(1));
        let (first, second) = gather((&task, &task)).return_exceptions().await;
        assert!(matches!(first, Err(TaskError::Panicked(_))));
        assert!(matches!(second, Err(TaskError::Panicked(_))));
    });
}

#[test]
fn the_first_failure_ends_it_at_once_and_the_siblings_run_on() {
    let log = Log::default();
    let (at, seconds) = run({
        let log = log.clone();
        async move {
            let start = get_running_loop().unwrap().time();
            let sibling = create_task(async move {
                sleep(3 * SECOND).await;
                log.push("sibling is over");
            });
            let outcome = gather((&sibling, fail_after::<()>(1), fail_after::<()>(2))).await;
            let Err(TaskError::Panicked(panic)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(panic.message(), "failed");
            let at = get_running_loop().unwrap().time() - start;
            assert!(!sibling.done());
            sibling.await.unwrap();
            at
        }
    });
    assert_eq!(at, SECOND);
    assert_eq!(seconds, 3);
    assert_eq!(log.take(), ["sibling is over"]);
}

#[test]
fn a_child_that_is_cancelled_is_a_failure_and_the_caller_is_not_cancelled() {
    run(async {
        let child = create_task(pending::<()>());
        let target = TaskRef::from(&child);
        get_running_loop().unwrap().call_later(SECOND, move || {
            target.cancel_msg("by hand");
        });
        let outcome = gather((child, after(2, ()))).await;
        assert_eq!(outcome.unwrap_err().to_string(), "cancelled: by hand");
        assert_eq!(current_task().unwrap().cancelling(), 0);
    });
}

#[test]
fn with_return_exceptions_all_outcomes_come_in_order_when_all_are_over() {
    let (_, seconds) = run(async {
        let cancelled = create_task(pending::<i32>());
        cancelled.cancel();
        let (good, bad, gone) =
            gather((after(3, 1), fail_after::<i32>(1), cancelled)).return_exceptions().await;
        assert_eq!(good.unwrap(), 1);
        assert!(matches!(bad, Err(TaskError::Panicked(_))));
        assert!(matches!(gone, Err(TaskError::Cancelled(_))));
    });
    assert_eq!(seconds, 3);
}

#[test]
fn cancelling_the_task_that_waits_cancels_all_children() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            let children = [
                create_task(cleans_up_for(2, log.clone(), "slow")),
                create_task(cleans_up_for(1, log.clone(), "quick")),
            ];
            let done = create_task(async {});
            yield_now().await;
            let [slow, quick] = &children;
            let refs = [TaskRef::from(slow), TaskRef::from(quick)];
            let task = create_task({
                let log = log.clone();
                async move {
                    let _ = gather(Vec::from(children)).await;
                    log.push("never");
                }
            });
            yield_now().await;
            task.cancel_msg("stop");
            let error = (&task).await.unwrap_err();
            // It goes on when the first of them is over.
            log.push(format!("cancelled {:?}", refs.each_ref().map(|child| child.done())));
            assert_eq!(error.to_string(), "cancelled: stop");
            let _ = refs[0].clone().await;
            done.await.unwrap();
        }
    });
    assert_eq!(log.take(), ["quick is clean", "cancelled [false, true]", "slow is clean"]);
    assert_eq!(seconds, 2);
}

#[test]
fn every_form_of_it_cancels_what_is_not_done_and_leaves_what_is() {
    type Form = fn(Task<Outcome>, Task<Outcome>) -> Pin<Box<dyn Future<Output = ()>>>;
    let forms: [Form; 4] = [
        |done, waits| Box::pin(async { drop(gather((done, waits)).await) }),
        |done, waits| Box::pin(async { drop(gather_all([done, waits]).await) }),
        |done, waits| Box::pin(async { drop(try_gather((done, waits)).await) }),
        |done, waits| Box::pin(async { drop(try_gather_all([done, waits]).await) }),
    ];
    for (number, form) in forms.into_iter().enumerate() {
        run(async move {
            let (done, waits) = (create_task(after(0, Ok(1))), create_task(pending()));
            let refs = [TaskRef::from(&done), TaskRef::from(&waits)];
            let gathering = create_task(form(done, waits));
            sleep(SECOND).await;
            gathering.cancel();
            assert!(gathering.await.unwrap_err().is_cancelled(), "{number}");
            assert_eq!(refs.map(|child| child.cancelled()), [false, true], "{number}");
        });
    }
}

#[test]
fn with_return_exceptions_a_cancellation_waits_for_all_children() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            let task = create_task({
                let log = log.clone();
                async move {
                    let _ = gather((
                        cleans_up_for(2, log.clone(), "slow"),
                        cleans_up_for(1, log.clone(), "quick"),
                    ))
                    .return_exceptions()
                    .await;
                    log.push("never");
                }
            });
            yield_now().await;
            yield_now().await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    assert_eq!(log.take(), ["quick is clean", "slow is clean"]);
    assert_eq!(seconds, 2);
}

#[test]
fn it_ends_cancelled_even_if_every_child_swallows_the_cancellation() {
    for return_exceptions in [false, true] {
        run(async move {
            let swallows = || async {
                let _ = catch_cancelled(pending::<()>()).await;
                7
            };
            let task = create_task(async move {
                let gathering = gather((swallows(), swallows()));
                if return_exceptions {
                    let _ = gathering.return_exceptions().await;
                } else {
                    let _ = gathering.await;
                }
            });
            yield_now().await;
            yield_now().await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled(), "{return_exceptions}");
        });
    }
}

#[test]
fn a_child_that_fails_while_it_is_cancelled_comes_first() {
    run(async {
        let fails = async {
            let _ = catch_cancelled(pending::<()>()).await;
            panic!("while cleaning up");
        };
        let task = create_task(async move {
            let outcome: Result<((), ()), _> = gather((fails, pending())).await;
            // The other one is cancelled a turn later.
            outcome.unwrap_err()
        });
        yield_now().await;
        yield_now().await;
        task.cancel();
        assert_eq!(task.await.unwrap().to_string(), "panicked: while cleaning up");
    });
}

#[test]
fn the_task_can_catch_the_cancellation_and_go_on() {
    run(async {
        let task = create_task(async {
            let children = gather((pending::<()>(), pending::<()>()));
            let caught = catch_cancelled(children).await;
            caught.map(drop).unwrap_err().to_string()
        });
        yield_now().await;
        yield_now().await;
        task.cancel_msg("why");
        assert_eq!(task.await.unwrap(), "cancelled: why");
    });
}

#[test]
fn a_gathering_can_be_cancelled_by_hand() {
    run(async {
        let gathering = gather((pending::<()>(), pending::<()>()));
        let tasks = gathering.children().to_vec();
        yield_now().await;
        assert!(gathering.cancel());
        assert!(gathering.await.unwrap_err().is_cancelled());
        assert!(tasks.iter().all(ChildRef::cancelled));
        assert_eq!(current_task().unwrap().cancelling(), 0);

        let gathering = gather((async {}, async {}));
        yield_now().await;
        yield_now().await;
        assert!(gathering.done());
        assert!(!gathering.cancel());
    });
}

#[test]
fn after_a_failure_there_is_nothing_to_cancel() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let sibling = create_task(async move {
                sleep(2 * SECOND).await;
                log.push("undisturbed");
            });
            let task = create_task(async move {
                let outcome = gather((&sibling, fail_after::<()>(1))).await;
                assert!(outcome.is_err());
                sleep(60 * SECOND).await;
            });
            sleep(SECOND + SECOND / 2).await;
            task.cancel();
            sleep(SECOND).await;
        }
    });
    assert_eq!(log.take(), ["undisturbed"]);
}

#[test]
fn dropping_a_gathering_leaves_the_children_running() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            drop(gather((async move { log.push("ran") }, async {})));
            yield_now().await;
        }
    });
    assert_eq!(log.take(), ["ran"]);
}

#[test]
fn an_err_is_a_value_to_gather_and_a_failure_to_try_gather() {
    let err = || async { Err::<i32, TaskError>(CancelledError::new("just a value").into()) };
    let (_, seconds) = run(async move {
        let (good, bad) = gather((after(1, 1), err())).await.unwrap();
        assert_eq!(good, 1);
        assert!(bad.is_err());

        let slow = || async {
            sleep(60 * SECOND).await;
            Ok(1)
        };
        let error = try_gather((slow(), err())).await.unwrap_err();
        assert_eq!(error.to_string(), "cancelled: just a value");
        let error = try_gather([slow().await, Ok(2)].map(std::future::ready)).await.unwrap();
        assert_eq!(error, [1, 2]);
    });
    assert_eq!(seconds, 1 + 60);
}

#[test]
fn try_gather_gives_what_is_in_the_oks() {
    #[derive(Debug)]
    struct Failure(String);
    impl From<TaskError> for Failure {
        fn from(error: TaskError) -> Self {
            Self(error.to_string())
        }
    }
    async fn check(n: i32) -> Result<i32, Failure> {
        sleep(SECOND).await;
        match n {
            13 => Err(Failure(String::from("unlucky"))),
            0 => panic!("zero"),
            n => Ok(n),
        }
    }
    run(async {
        assert_eq!(try_gather((check(1), check(2))).await.unwrap(), (1, 2));
        assert_eq!(try_gather(vec![check(1), check(2)]).await.unwrap(), [1, 2]);
        assert_eq!(try_gather_all((1..4).map(check)).await.unwrap(), [1, 2, 3]);
        assert_eq!(try_gather([check(1), check(13)]).await.unwrap_err().0, "unlucky");
        assert_eq!(try_gather((check(1), check(0))).await.unwrap_err().0, "panicked: zero");
        // The first in time counts, not the first in order.
        let late = async {
            sleep(2 * SECOND).await;
            check(0).await
        };
        assert_eq!(try_gather((late, check(13))).await.unwrap_err().0, "unlucky");
        let cancelled = create_task(check(1));
        cancelled.cancel();
        assert_eq!(try_gather((check(1), cancelled)).await.unwrap_err().0, "cancelled");
    });
}

#[test]
fn a_failure_after_the_first_is_reported_when_nobody_looks_at_it() {
    let (log, _) = run(async {
        let log = log_reports();
        assert!(gather((fail_after::<()>(1), fail_after::<()>(2))).await.is_err());
        sleep(5 * SECOND).await;
        log
    });
    assert_eq!(log.take().len(), 1);
}

#[test]
fn gatherings_nest() {
    let (_, seconds) = run(async {
        let inner = || gather((after(1, 1), after(2, 2)));
        let (left, right) = gather((inner(), inner())).await.unwrap();
        assert_eq!((left.unwrap(), right.unwrap()), ((1, 2), (1, 2)));
    });
    assert_eq!(seconds, 2);
}

#[test]
fn a_cancellation_goes_through_nested_gatherings() {
    let cancelled = Rc::new(Cell::new(0));
    run({
        let cancelled = cancelled.clone();
        async move {
            let leaf = || {
                let cancelled = cancelled.clone();
                async move {
                    let caught = catch_cancelled(pending::<()>()).await;
                    cancelled.set(cancelled.get() + 1);
                    caught.unwrap_err().raise::<()>().await;
                }
            };
            let inner = [gather((leaf(), leaf())), gather((leaf(), leaf()))];
            let task = create_task(async move {
                let _ = gather(inner).await;
            });
            for _ in 0..3 {
                yield_now().await;
            }
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            for _ in 0..5 {
                yield_now().await;
            }
            assert_eq!(all_tasks().unwrap().len(), 1);
        }
    });
    assert_eq!(cancelled.get(), 4);
}

#[test]
fn a_gathering_that_is_kept_says_whether_it_was_cancelled_as_one() {
    run(async {
        let mut all = gather_all([after(1, 1), after(2, 2)]).return_exceptions();
        yield_now().await;
        assert!(!all.done() && !all.cancelled());
        assert!(all.cancel());
        // With all outcomes, it ends when all children are over.
        assert!(!all.done());
        let outcomes = (&mut all).await;
        assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap_err().is_cancelled()));
        assert!(all.done() && all.cancelled() && !all.cancel());

        // A child that was cancelled is no cancelled gathering.
        let mut gathering = gather((after(1, 1), after(2, 2)));
        gathering.children()[0].cancel();
        assert!((&mut gathering).await.unwrap_err().is_cancelled());
        assert!(gathering.done() && !gathering.cancelled());

        let trying = try_gather((async { Ok::<_, TaskError>(after(1, 1).await) },));
        yield_now().await;
        assert!(trying.cancel());
        sleep(SECOND).await;
        assert!(trying.cancelled());
        assert!(trying.await.unwrap_err().is_cancelled());
    });
}

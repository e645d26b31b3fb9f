//! `as_completed`: tasks come out as they finish.

mod common;

use common::{Log, SECOND, after, run};
use futures_lite::{Stream, StreamExt};
use ronde::{
    ChildRef, Task, TaskRef, as_completed, catch_cancelled, create_task, sleep, timeout, yield_now,
};
use std::future::pending;

#[test]
fn tasks_come_out_in_the_order_in_which_they_finish() {
    let (_, seconds) = run(async {
        let mut finished = as_completed([after(3, "c"), after(1, "a"), after(2, "b")]);
        let mut order = Vec::new();
        while let Some(task) = finished.next().await {
            order.push(task.await.unwrap());
        }
        assert_eq!(order, ["a", "b", "c"]);
        assert!(finished.next().await.is_none());
    });
    assert_eq!(seconds, 3);
}

#[test]
fn the_tasks_are_the_callers_own() {
    run(async {
        let tasks = [create_task(after(2, 1)), create_task(after(1, 2))];
        let mut finished = as_completed(&tasks);
        assert_eq!(*finished.next().await.unwrap(), ChildRef::from(&tasks[1]));
        assert_eq!(*finished.next().await.unwrap(), ChildRef::from(&tasks[0]));
        assert_eq!(tasks[0].result().unwrap(), 1);
    });
}

#[test]
fn failures_come_out_as_tasks_too() {
    run(async {
        let cancelled = create_task(pending::<()>());
        cancelled.cancel();
        let panics = create_task(async { panic!("on purpose") });
        let mut finished = as_completed([cancelled, panics]);
        assert!(finished.next().await.unwrap().await.unwrap_err().is_cancelled());
        assert!(finished.next().await.unwrap().panicked());
        assert!(finished.next().await.is_none());
    });
}

#[test]
fn of_nothing_nothing_comes() {
    run(async { assert!(as_completed(Vec::<Task<()>>::new()).next().await.is_none()) });
}

#[test]
fn it_is_a_stream() {
    run(async {
        let finished = as_completed([after(2, "b"), after(1, "a")]);
        assert_eq!(finished.size_hint(), (2, Some(2)));
        let results: Vec<_> = finished.then(|task| async { task.await.unwrap() }).collect().await;
        assert_eq!(results, ["a", "b"]);
    });
}

#[test]
fn within_a_limit_what_is_not_done_fails_and_runs_on() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            let slow = create_task(async move {
                sleep(5 * SECOND).await;
                log.push("ran on");
            });
            let mut finished = as_completed([create_task(after(1, ())), slow]).within(2 * SECOND);
            assert!(finished.next().await.unwrap().is_some());
            assert!(finished.next().await.is_err());
            assert!(finished.next().await.is_err());
            sleep(5 * SECOND).await;
        }
    });
    assert_eq!(log.take(), ["ran on"]);
    assert_eq!(seconds, 7);
}

#[test]
fn within_a_limit_that_is_long_enough_all_come_out() {
    let (_, seconds) = run(async {
        let mut finished = as_completed([after(2, ()), after(1, ())]).within(60 * SECOND);
        assert!(finished.next().await.unwrap().is_some());
        assert!(finished.next().await.unwrap().is_some());
        assert!(finished.next().await.unwrap().is_none());
    });
    assert_eq!(seconds, 2);
}

#[test]
fn dropped_early_it_leaves_the_rest_running() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let child = |seconds, name| {
                let log = log.clone();
                async move {
                    sleep(seconds * SECOND).await;
                    log.push(name);
                }
            };
            let mut finished = as_completed([child(1, "quick"), child(2, "slow")]);
            finished.next().await.unwrap().await.unwrap();
            drop(finished);
            sleep(3 * SECOND).await;
        }
    });
    assert_eq!(log.take(), ["quick", "slow"]);
}

#[test]
fn a_wait_for_the_next_that_is_cut_short_loses_nothing() {
    run(async {
        let mut finished = as_completed([after(2, "a"), after(4, "b")]);
        assert!(timeout(SECOND, finished.next()).await.is_err());
        assert_eq!(finished.next().await.unwrap().await.unwrap(), "a");
        assert!(timeout(SECOND, finished.next()).await.is_err());
        assert_eq!(finished.next().await.unwrap().await.unwrap(), "b");
    });
}

#[test]
fn cancelling_the_task_that_iterates_cancels_no_child() {
    run(async {
        let child = create_task(after(5, 7));
        let target = TaskRef::from(&child);
        let iterating = create_task(async move {
            let mut finished = as_completed([child]);
            let caught = catch_cancelled(finished.next()).await;
            assert!(caught.is_err());
            finished.next().await.unwrap().await.unwrap()
        });
        yield_now().await;
        iterating.cancel();
        assert_eq!(iterating.await.unwrap(), 7);
        assert!(!target.cancelled());
    });
}

#[test]
fn a_wait_within_a_limit_that_is_cancelled_loses_nothing_and_leaves_the_limit_where_it_was() {
    let (_, seconds) = run(async {
        let iterating = create_task(async {
            let mut finished = as_completed([after(2, "a"), after(9, "b")]).within(5 * SECOND);
            assert!(catch_cancelled(finished.next()).await.is_err());
            let first = finished.next().await.unwrap().unwrap().await.unwrap();
            (first, finished.next().await.is_err())
        });
        sleep(SECOND).await;
        iterating.cancel();
        assert_eq!(iterating.await.unwrap(), ("a", true));
    });
    assert_eq!(seconds, 5);
}

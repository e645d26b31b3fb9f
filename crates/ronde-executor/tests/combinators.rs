//! Cancellation under combinators of other crates: several branches within one task.

mod support;

use futures_lite::future::{or, pending, yield_now, zip};
use futures_util::stream::{FuturesUnordered, StreamExt};
use ronde_context::catch_cancelled;
use ronde_executor::Promise;
use std::future::Future;
use std::pin::Pin;
use support::{Gate, Log, executor, run};

type Branch = Pin<Box<dyn Future<Output = ()>>>;

#[test]
fn the_first_branch_with_a_handler_takes_the_cancellation_and_the_other_runs_on() {
    let (executor, log) = (executor(), Log::default());
    let (gate, handled, other) = (Gate::default(), log.clone(), log.clone());
    let waited = gate.clone();
    let task = executor.spawn(async move {
        zip(
            async {
                handled.push(catch_cancelled(pending::<()>()).await.unwrap_err());
            },
            async {
                waited.wait().await;
                other.push("the other branch");
            },
        )
        .await;
    });
    run(&executor);
    executor.enter(|| task.cancel());
    run(&executor);
    assert_eq!(log.take(), ["cancelled"]);
    assert!(!task.done());
    executor.enter(|| gate.open());
    run(&executor);
    assert_eq!(log.take(), ["the other branch"]);
    assert!(task.result().is_ok());
}

#[test]
fn a_leaf_of_a_sibling_branch_that_declined_is_polled_again() {
    let (executor, log) = (executor(), Log::default());
    let promise = Promise::<u8>::new();
    let (awaited, line) = (promise.clone(), log.clone());
    let task = executor.spawn(async move {
        zip(async { line.push(awaited.await.unwrap()) }, async {
            line.push(catch_cancelled(pending::<()>()).await.unwrap_err());
        })
        .await;
    });
    run(&executor);
    executor.enter(|| {
        promise.set_result(7).unwrap();
        task.cancel();
    });
    run(&executor);
    // In the first poll the promise, although set, took nothing.
    assert_eq!(log.take(), ["cancelled", "7"]);
    assert!(task.result().is_ok());
}

#[test]
fn woken_leaves_in_a_bag_of_futures_lose_nothing_to_a_cancellation_that_a_sibling_takes() {
    let (executor, log) = (executor(), Log::default());
    let promises: Vec<_> = (0..3).map(|_| Promise::<usize>::new()).collect();
    let (awaited, line) = (promises.clone(), log.clone());
    let task = executor.spawn(async move {
        let mut bag: FuturesUnordered<_> =
            awaited.into_iter().map(IntoFuture::into_future).collect();
        zip(
            async {
                while let Some(value) = bag.next().await {
                    line.push(value.unwrap());
                }
            },
            async {
                line.push(catch_cancelled(pending::<()>()).await.unwrap_err());
            },
        )
        .await;
    });
    run(&executor);
    executor.enter(|| {
        for (value, promise) in promises.iter().enumerate() {
            promise.set_result(value).unwrap();
        }
        task.cancel();
    });
    run(&executor);
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["0", "1", "2", "cancelled"]);
    assert!(task.result().is_ok());
}

#[test]
fn a_handler_in_a_bag_of_futures_that_is_not_polled_leaves_the_cancellation_to_the_next_one_out() {
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        let inner = line.clone();
        let mut bag: FuturesUnordered<Branch> = FuturesUnordered::new();
        bag.push(Box::pin(async move {
            let _guard = inner.at_drop("the bag is dropped");
            let _ = catch_cancelled(pending::<()>()).await;
            inner.push("never");
        }));
        let outer = catch_cancelled(async { bag.next().await }).await.map(drop);
        line.push(outer.unwrap_err());
        drop(bag);
    });
    run(&executor);
    executor.enter(|| task.cancel());
    run(&executor);
    assert_eq!(log.take(), ["cancelled", "the bag is dropped"]);
    assert!(task.result().is_ok());
}

#[test]
fn a_loser_of_a_race_that_had_a_handler_leaves_no_trace() {
    let executor = executor();
    let gate = Gate::default();
    let waited = gate.clone();
    let task = executor.spawn(async move {
        or(async { drop(catch_cancelled(pending::<()>()).await) }, yield_now()).await;
        waited.wait().await;
    });
    run(&executor);
    let polls = gate.polls();
    executor.enter(|| {
        gate.open();
        task.cancel();
    });
    run(&executor);
    // No handler is left inside, so the body isn't polled, and loses nothing.
    assert_eq!(gate.polls(), polls);
    assert!(task.cancelled());
}

#[test]
fn branches_that_wait_for_different_things_are_cancelled_as_one() {
    let executor = executor();
    let (one, other) = (Promise::<()>::new(), Promise::<()>::new());
    let (first, second) = (one.clone(), other.clone());
    let task = executor.spawn(async move {
        zip(async { drop(first.await) }, async { drop(second.await) }).await;
    });
    run(&executor);
    executor.enter(|| task.cancel());
    run(&executor);
    assert!(task.cancelled());
    assert!(!one.done() && !other.done(), "a cancellation goes to none of several");
}

#[test]
fn a_future_that_is_moved_to_another_task_takes_its_handlers_along() {
    let (executor, log) = (executor(), Log::default());
    let (line, second) = (log.clone(), executor.clone());
    let task = executor.spawn(async move {
        let mut body: Branch = Box::pin(async move {
            line.push(catch_cancelled(pending::<()>()).await.unwrap_err());
        });
        assert!(futures_lite::future::poll_once(&mut body).await.is_none());
        second.spawn(body)
    });
    run(&executor);
    let moved = task.take_result().unwrap();
    executor.enter(|| moved.cancel_msg("moved"));
    run(&executor);
    assert_eq!(log.take(), ["cancelled: moved"]);
    assert!(moved.result().is_ok());
}

#[test]
fn a_task_that_gave_a_handler_away_is_cancelled_unpolled() {
    let executor = executor();
    let gate = Gate::default();
    let (waited, second) = (gate.clone(), executor.clone());
    let task = executor.spawn(async move {
        let mut body: Branch = Box::pin(async { drop(catch_cancelled(pending::<()>()).await) });
        let moved = catch_cancelled(async {
            assert!(futures_lite::future::poll_once(&mut body).await.is_none());
            second.spawn(body).detach();
            waited.wait().await;
        });
        moved.await.unwrap_err();
        "caught"
    });
    run(&executor);
    executor.enter(|| task.cancel());
    run(&executor);
    assert_eq!(task.result().unwrap(), "caught");
}

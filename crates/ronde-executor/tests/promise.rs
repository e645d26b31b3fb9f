//! Promises: setting, cancelling, waiting.

mod support;

use futures_lite::future::pending;
use ronde_context::{CancelStep, CancelledError};
use ronde_executor::{InvalidStateError, Promise, TaskError, TaskRef};
use std::cell::RefCell;
use std::rc::Rc;
use support::{Log, executor, log_failures, run};

fn invalid<T: std::fmt::Debug>(result: Result<T, TaskError>) -> InvalidStateError {
    match result {
        Err(TaskError::InvalidState(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_promise_is_set_once_and_gives_a_second_value_back() {
    let promise = Promise::new();
    assert!(!promise.done());
    assert_eq!(invalid(promise.result()), InvalidStateError::Pending);
    promise.set_result("first").unwrap();
    let refused = promise.set_result("second").unwrap_err();
    assert_eq!(refused.value, "second");
    assert_eq!(refused.to_string(), "the result is set already");
    assert_eq!(promise.result().unwrap(), "first");
    assert!(promise.done() && !promise.cancelled() && !promise.cancel());
}

#[test]
fn a_result_can_be_taken_once() {
    let promise = Promise::new();
    promise.set_result(String::from("x")).unwrap();
    assert_eq!(promise.with_result(String::len).unwrap(), 1);
    assert_eq!(promise.take_result().unwrap(), "x");
    assert_eq!(invalid(promise.take_result()), InvalidStateError::Taken);
    assert_eq!(invalid(promise.result()), InvalidStateError::Taken);
    assert!(promise.done());
    assert_eq!(format!("{promise:?}"), "<Promise finished>");
}

#[test]
fn the_text_of_a_promise_has_its_state_and_result() {
    let promise = Promise::new();
    assert_eq!(format!("{promise:?}"), "<Promise pending>");
    promise.set_result(7).unwrap();
    assert_eq!(format!("{promise:?}"), "<Promise finished result=7>");
    let cancelled = Promise::<()>::new();
    cancelled.cancel();
    assert_eq!(format!("{cancelled:?}"), "<Promise cancelled>");
}

#[test]
fn an_exception_is_an_err() {
    let promise = Promise::<Result<(), &str>>::new();
    promise.set_exception("no").unwrap();
    assert!(promise.set_exception("again").is_err());
    assert_eq!(promise.result().unwrap(), Err("no"));
}

#[test]
fn a_cancelled_promise_shows_its_message_to_everyone() {
    let promise = Promise::<()>::new();
    assert!(promise.cancel_msg("why"));
    assert!(promise.done() && promise.cancelled());
    for _ in 0..2 {
        assert_eq!(promise.result().unwrap_err().to_string(), "cancelled: why");
    }
    assert!(promise.set_result(()).is_err());
    assert!(!promise.set_cancelled(CancelledError::default()));
}

#[test]
fn all_who_wait_for_a_cancelled_promise_get_the_cancellation_as_a_value() {
    let executor = executor();
    let promise = Promise::<()>::new();
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let awaited = promise.clone();
            executor.spawn(async move { (&awaited).await.unwrap_err().to_string() })
        })
        .collect();
    run(&executor);
    executor.enter(|| promise.cancel_msg("why"));
    run(&executor);
    for waiter in waiters {
        assert_eq!(waiter.result().unwrap(), "cancelled: why");
    }
}

#[test]
fn cancelling_one_waiting_task_cancels_the_promise_for_all() {
    let executor = executor();
    let promise = Promise::<()>::new();
    let (one, other) = (promise.clone(), promise.clone());
    let cancelled = executor.spawn(async move { (&one).await.is_ok() });
    let watcher = executor.spawn(async move { (&other).await.is_ok() });
    run(&executor);
    executor.enter(|| cancelled.cancel());
    run(&executor);
    assert!(promise.cancelled() && cancelled.cancelled());
    assert!(!watcher.result().unwrap());
}

#[test]
fn of_those_who_move_the_result_out_the_first_gets_it() {
    let executor = executor();
    let promise = Promise::new();
    let tasks: Vec<_> = (0..2).map(|_| executor.spawn(promise.clone().into_future())).collect();
    run(&executor);
    executor.enter(|| promise.set_result(1).unwrap());
    run(&executor);
    assert_eq!(tasks[0].take_result().unwrap().unwrap(), 1);
    assert_eq!(invalid(tasks[1].take_result().unwrap()), InvalidStateError::Taken);
}

#[test]
fn waiting_until_it_is_done_looks_at_nothing() {
    let (executor, log) = (executor(), Log::default());
    log_failures(&executor, &log);
    let promise = Promise::<Result<(), u8>>::new();
    let awaited = promise.clone();
    let task = executor.spawn(async move { awaited.wait_done().await.is_ok() });
    run(&executor);
    executor.enter(|| {
        promise.set_exception(1).unwrap();
        run(&executor);
        assert!(task.result().unwrap());
        drop(promise);
    });
    assert_eq!(log.take().len(), 1, "its Err is still unobserved");
}

#[test]
fn a_failure_that_nobody_looked_at_is_reported_once_and_one_that_was_seen_never() {
    let (executor, log) = (executor(), Log::default());
    log_failures(&executor, &log);
    executor.enter(|| {
        let promise = Promise::<Result<(), u8>>::new();
        promise.set_exception(1).unwrap();
        drop(promise.clone());
        assert_eq!(log.take(), [""; 0]);
        drop(promise);
        let lines = log.take();
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].starts_with("the failure of a promise was never looked at: "),
            "{lines:?}"
        );

        let seen = Promise::<Result<(), u8>>::new();
        seen.set_exception(1).unwrap();
        seen.with_result(|_| ()).unwrap();
        drop(seen);
        let fine = Promise::<Result<(), u8>>::new();
        fine.set_result(Ok(())).unwrap();
        drop(fine);
    });
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn done_callbacks_run_in_the_next_batch_and_can_be_removed() {
    let (executor, log) = (executor(), Log::default());
    let promise = Promise::new();
    let ids = [1, 2].map(|number| {
        let line = log.clone();
        promise.add_done_callback(move |promise: &Promise<u8>| {
            line.push(format!("{number}: {}", promise.result().unwrap()));
        })
    });
    assert!(promise.remove_done_callback(ids[0]));
    executor.enter(|| promise.set_result(7).unwrap());
    assert_eq!(log.take(), [""; 0]);
    run(&executor);
    assert_eq!(log.take(), ["2: 7"]);
    let line = log.clone();
    executor.enter(|| promise.add_done_callback(move |_| line.push("late")));
    assert_eq!(log.take(), [""; 0]);
    run(&executor);
    assert_eq!(log.take(), ["late"]);
}

#[test]
fn without_an_executor_callbacks_run_at_once() {
    let log = Log::default();
    let promise = Promise::new();
    let line = log.clone();
    promise.add_done_callback(move |_| line.push("set"));
    promise.set_result(()).unwrap();
    assert_eq!(log.take(), ["set"]);
    let line = log.clone();
    promise.add_done_callback(move |_| line.push("late"));
    assert_eq!(log.take(), ["late"]);
}

#[test]
fn a_cancellation_goes_where_with_cancel_says_and_the_promise_is_set_from_there() {
    let executor = executor();
    let child = executor.spawn(pending::<()>());
    let reference = TaskRef::from(&child);
    let target = reference.clone();
    let promise = Promise::<()>::with_cancel(move |_| CancelStep::Forward(target.to_awaited()));
    let outer = promise.clone();
    reference.add_done_callback(move |task| {
        let TaskError::Cancelled(error) = task.exception().unwrap_err() else { panic!() };
        assert!(outer.set_cancelled(error));
    });
    let awaited = promise.clone();
    let task = executor.spawn(async move { (&awaited).await.is_ok() });
    run(&executor);
    executor.enter(|| task.cancel_msg("why"));
    assert!(!promise.done());
    run(&executor);
    assert!(reference.cancelled() && promise.cancelled() && task.cancelled());
}

#[test]
fn what_with_cancel_calls_may_set_the_promise_at_once() {
    let executor = executor();
    let slot = Rc::new(RefCell::new(None::<Promise<&str>>));
    let seen = slot.clone();
    let promise = Promise::with_cancel(move |_| {
        seen.take().unwrap().set_result("set instead").unwrap();
        CancelStep::Accepted
    });
    slot.replace(Some(promise.clone()));
    let awaited = promise.clone();
    let task = executor.spawn(async move { (&awaited).await.unwrap() });
    run(&executor);
    assert!(executor.enter(|| task.cancel()));
    run(&executor);
    assert_eq!(task.result().unwrap(), "set instead");
}

#[test]
fn a_promise_that_refuses_leaves_the_cancellation_to_who_waits_for_it() {
    let executor = executor();
    let promise = Promise::<()>::with_cancel(|_| CancelStep::Refused);
    assert!(!promise.cancel());
    let awaited = promise.clone();
    let task = executor.spawn(async move { drop(awaited.await) });
    run(&executor);
    assert!(executor.enter(|| task.cancel()));
    run(&executor);
    assert!(task.cancelled() && !promise.done());
    assert!(promise.set_cancelled(CancelledError::new("by hand")));
}

#[test]
fn a_panic_in_what_with_cancel_calls_ends_the_task_that_was_about_to_suspend() {
    let executor = executor();
    let promise = Promise::<()>::with_cancel(|_| panic!("in on_cancel"));
    let task = executor.spawn(async move {
        ronde_executor::current_task().unwrap().cancel();
        let _ = promise.await;
    });
    let next = executor.spawn(async { 1 });
    run(&executor);
    assert_eq!(task.exception().unwrap().unwrap().message(), "in on_cancel");
    assert_eq!(next.result().unwrap(), 1);
    executor.close();
}

#[test]
fn awaiting_works_under_any_executor() {
    let promise = Promise::new();
    promise.set_result(7).unwrap();
    assert_eq!(futures_lite::future::block_on(promise.into_future()).unwrap(), 7);
}

#[test]
fn outside_every_task_a_dropped_wait_keeps_nothing_alive() {
    let log = Log::default();
    let promise = Promise::<()>::new();
    let guard = log.at_drop("gone");
    promise.add_done_callback(move |_| drop(guard));
    futures_lite::future::block_on(async {
        let wait = ronde_context::catch_cancelled(promise.into_future());
        assert!(futures_lite::future::poll_once(wait).await.is_none());
    });
    assert_eq!(log.take(), ["gone"]);
}

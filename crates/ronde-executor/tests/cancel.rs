//! Cancelling a task: when it hears of it, and what it ends as.

mod support;

use futures_lite::future::{pending, yield_now};
use ronde_context::{CancelledError, Origin, Wait, catch_cancelled, waiting_for};
use ronde_executor::{Promise, Task, TaskError, TaskRef, current_task};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;
use support::{Gate, Log, at_drop, executor, run};

fn message<T: Clone + 'static>(task: &Task<T>) -> String {
    match task.result().map(drop) {
        Err(TaskError::Cancelled(error)) => error.message().unwrap_or("no message").to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_task_that_is_cancelled_before_it_starts_never_runs() {
    let (executor, log) = (executor(), Log::default());
    let (line, guard) = (log.clone(), log.at_drop("dropped"));
    let task = executor.spawn(async move {
        let _guard = guard;
        line.push("ran");
    });
    assert!(task.cancel());
    assert!(!task.done(), "its first step ends it");
    executor.run_batch();
    assert!(task.cancelled());
    assert_eq!(log.take(), ["dropped"]);
}

#[test]
fn a_suspended_task_is_cancelled_at_its_next_step_and_drops_inner_frames_first() {
    let (executor, log) = (executor(), Log::default());
    let (outer, inner) = (log.at_drop("outer"), log.at_drop("inner"));
    let task = executor.spawn(async move {
        let _outer = outer;
        async move {
            let _inner = inner;
            pending::<()>().await;
        }
        .await;
    });
    run(&executor);
    assert!(executor.enter(|| task.cancel()));
    assert_eq!(log.take(), [""; 0]);
    run(&executor);
    assert_eq!(log.take(), ["inner", "outer"]);
    assert!(task.cancelled() && !task.cancel());
}

#[test]
fn a_task_whose_wake_up_is_on_its_way_is_cancelled_in_that_step() {
    let executor = executor();
    let (gate, log) = (Gate::default(), Log::default());
    let (waited, line) = (gate.clone(), log.clone());
    let task = executor.spawn(async move {
        waited.wait().await;
        line.push("through");
    });
    run(&executor);
    executor.enter(|| {
        gate.open();
        task.cancel();
    });
    assert_eq!(executor.run_batch(), 1);
    assert!(task.cancelled());
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn of_two_messages_a_suspended_task_hears_the_first() {
    let executor = executor();
    let task = executor.spawn(pending::<()>());
    run(&executor);
    executor.enter(|| {
        task.cancel_msg("first");
        task.cancel_msg("last");
    });
    assert_eq!(task.cancelling(), 2);
    run(&executor);
    assert_eq!(message(&task), "first");
}

#[test]
fn of_two_messages_a_task_that_is_ready_or_not_started_hears_the_last() {
    let executor = executor();
    let new = executor.spawn(async {});
    let yielding = executor.spawn(async {
        loop {
            yield_now().await;
        }
    });
    executor.run_batch();
    assert!(new.done());
    let new = executor.spawn(async {});
    for task in [&*new, &*yielding] {
        task.cancel_msg("first");
        task.cancel_msg("last");
    }
    run(&executor);
    assert_eq!(message(&new), "last");
    assert!(yielding.cancelled());
    assert_eq!(yielding.exception().unwrap_err().to_string(), "cancelled: last");
}

#[test]
fn a_task_that_cancels_itself_runs_on_to_its_next_suspension() {
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        current_task().unwrap().cancel();
        line.push("goes on");
        yield_now().await;
        line.push("never");
    });
    executor.run_batch();
    assert!(!task.done());
    executor.run_batch();
    assert!(task.cancelled());
    assert_eq!(log.take(), ["goes on"]);
}

#[test]
fn a_task_that_cancels_itself_and_then_waits_for_a_promise_cancels_that() {
    let executor = executor();
    let promise = Promise::<()>::new();
    let awaited = promise.clone();
    let task = executor.spawn(async move {
        current_task().unwrap().cancel_msg("why");
        let _ = awaited.await;
        unreachable!("the cancellation is raised");
    });
    run(&executor);
    assert!(promise.cancelled() && task.cancelled());
}

#[test]
fn a_task_that_was_asked_to_cancel_and_returns_is_cancelled_but_an_err_wins() {
    let executor = executor();
    let value = executor.spawn(async {
        current_task().unwrap().cancel();
        1
    });
    let ok = executor.spawn(async {
        current_task().unwrap().cancel();
        Ok::<_, &str>(1)
    });
    let err = executor.spawn(async {
        current_task().unwrap().cancel();
        Err::<(), _>("no")
    });
    run(&executor);
    assert!(value.cancelled() && ok.cancelled());
    assert_eq!(err.result().unwrap(), Err("no"));
}

#[test]
fn everybody_hears_the_message_of_a_cancellation_that_nobody_raised() {
    let executor = executor();
    let task = executor.spawn(async {
        current_task().unwrap().cancel_msg("why");
    });
    run(&executor);
    assert_eq!([message(&task), message(&task)], ["why", "why"]);
}

#[test]
fn of_two_messages_a_task_that_cancels_itself_and_waits_hears_its_own() {
    let executor = executor();
    let task = executor.spawn(async {
        current_task().unwrap().cancel_msg("its own");
        std::future::poll_fn::<(), _>(|_| {
            waiting_for(Wait::Leaf("something"));
            Poll::Pending
        })
        .await;
    });
    executor.run_batch();
    assert!(task.cancel_msg("another"));
    run(&executor);
    assert_eq!(message(&task), "its own");
}

#[test]
fn a_value_that_is_lost_to_a_cancellation_and_panics_in_its_destructor_ends_the_task() {
    let (executor, log) = (executor(), Log::default());
    support::log_failures(&executor, &log);
    let task = executor.spawn(async {
        current_task().unwrap().cancel();
        at_drop(|| panic!("in a destructor"))
    });
    let reference = TaskRef::from(&task);
    let waiter = executor.spawn(async move { reference.await.unwrap_err().to_string() });
    run(&executor);
    assert!(task.failed());
    assert_eq!(waiter.result().unwrap(), "panicked: in a destructor");
    executor.close();
}

#[test]
fn a_finished_task_can_not_be_cancelled() {
    let executor = executor();
    let task = executor.spawn(async { 1 });
    run(&executor);
    assert!(!task.cancel());
    assert_eq!((task.cancelling(), task.result().unwrap()), (0, 1));
}

#[test]
fn a_handler_catches_the_message_and_may_swallow_the_cancellation() {
    let executor = executor();
    let task = executor.spawn(async {
        let error = catch_cancelled(pending::<()>()).await.unwrap_err();
        error.message().map(String::from)
    });
    run(&executor);
    executor.enter(|| task.cancel_msg("enough"));
    run(&executor);
    assert!(!task.cancelled());
    assert_eq!(task.result().unwrap().as_deref(), Some("enough"));
    assert_eq!(task.cancelling(), 1, "nobody has taken it back");
}

#[test]
fn a_handler_cleans_up_with_awaits_and_raises_again() {
    let (executor, log) = (executor(), Log::default());
    let (gate, line) = (Gate::default(), log.clone());
    let clean_up = gate.clone();
    let task = executor.spawn(async move {
        if let Err(error) = catch_cancelled(pending::<()>()).await {
            line.push("cleaning up");
            clean_up.wait().await;
            line.push("clean");
            error.raise::<()>().await;
            line.push("never");
        }
    });
    run(&executor);
    executor.enter(|| task.cancel_msg("why"));
    run(&executor);
    assert_eq!(log.take(), ["cleaning up"]);
    executor.enter(|| gate.open());
    run(&executor);
    assert_eq!(log.take(), ["clean"]);
    assert_eq!(message(&task), "why");
}

#[test]
fn the_innermost_handler_goes_first_and_raising_reaches_the_next_in_the_same_poll() {
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        let outer = catch_cancelled(async {
            let inner = catch_cancelled(pending::<()>()).await.unwrap_err();
            line.push("inner");
            inner.raise::<()>().await;
        });
        outer.await.unwrap_err();
        line.push("outer");
        7
    });
    run(&executor);
    executor.enter(|| task.cancel());
    assert_eq!(executor.run_batch(), 1);
    assert_eq!(log.take(), ["inner", "outer"]);
    assert_eq!(task.result().unwrap(), 7);
}

#[test]
fn a_cancellation_during_the_clean_up_interrupts_the_clean_up() {
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        let _guard = line.at_drop("dropped");
        let first = catch_cancelled(pending::<()>()).await.unwrap_err();
        line.push(first);
        pending::<()>().await;
    });
    run(&executor);
    executor.enter(|| task.cancel_msg("one"));
    run(&executor);
    executor.enter(|| task.cancel_msg("two"));
    run(&executor);
    assert_eq!(log.take(), ["cancelled: one", "dropped"]);
    assert_eq!(message(&task), "two");
}

#[test]
fn a_cancellation_that_a_destructor_asks_for_is_delivered_at_the_next_suspension() {
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        let body = catch_cancelled(async {
            let _guard = at_drop(|| assert!(current_task().unwrap().cancel_msg("again")));
            pending::<()>().await;
        });
        line.push(body.await.unwrap_err());
        line.push("before the suspension");
        pending::<()>().await;
    });
    run(&executor);
    executor.enter(|| task.cancel_msg("first"));
    run(&executor);
    assert_eq!(log.take(), ["cancelled: first", "before the suspension"]);
    assert_eq!(message(&task), "again");
}

#[test]
fn destructors_can_tell_a_cancellation_from_a_normal_end() {
    let (executor, log) = (executor(), Log::default());
    for cancelled in [true, false] {
        let (gate, line) = (Gate::default(), log.clone());
        let waited = gate.clone();
        let task = executor.spawn(async move {
            let _guard = at_drop(move || line.push(ronde_context::is_cancelling()));
            waited.wait().await;
        });
        run(&executor);
        executor.enter(|| if cancelled { assert!(task.cancel()) } else { gate.open() });
        run(&executor);
    }
    assert_eq!(log.take(), ["true", "false"]);
}

#[test]
fn a_foreign_future_is_not_polled_once_a_cancellation_is_on_its_way() {
    let executor = executor();
    let gate = Gate::default();
    let waited = gate.clone();
    let task = executor.spawn(async move {
        let _ = catch_cancelled(async { waited.wait().await }).await;
    });
    run(&executor);
    assert_eq!(gate.polls(), 1);
    executor.enter(|| {
        gate.open();
        task.cancel();
    });
    run(&executor);
    assert_eq!(gate.polls(), 1);
}

#[test]
fn uncancel_counts_down_and_withdraws_only_what_has_hit_nothing() {
    let executor = executor();
    let ready = executor.spawn(async { 1 });
    ready.cancel();
    ready.cancel();
    assert_eq!((ready.uncancel(), ready.uncancel(), ready.uncancel()), (1, 0, 0));
    let suspended = executor.spawn(pending::<()>());
    run(&executor);
    assert_eq!(ready.result().unwrap(), 1);
    executor.enter(|| suspended.cancel());
    assert_eq!(suspended.uncancel(), 0);
    run(&executor);
    assert!(suspended.cancelled());
}

#[test]
fn a_cancellation_keeps_its_origin() {
    let executor = executor();
    let task = executor.spawn(pending::<()>());
    run(&executor);
    executor.enter(|| task.cancel_with(CancelledError::new("^C").with_origin(Origin::Interrupt)));
    run(&executor);
    let Err(TaskError::Cancelled(error)) = task.result() else { panic!() };
    assert_eq!((error.origin(), error.message()), (Origin::Interrupt, Some("^C")));
}

#[test]
fn raising_by_hand_ends_a_task_as_cancelled() {
    let executor = executor();
    let task = executor.spawn(async { CancelledError::new("by hand").raise::<u8>().await });
    run(&executor);
    assert_eq!(message(&task), "by hand");
    assert_eq!(task.cancelling(), 0);
}

#[test]
fn a_panic_in_the_body_wins_over_a_cancellation() {
    let executor = executor();
    let task = executor.spawn(async {
        current_task().unwrap().cancel();
        if true {
            panic!("oh");
        }
    });
    run(&executor);
    assert_eq!(task.exception().unwrap().unwrap().message(), "oh");
}

#[test]
fn a_panic_in_a_destructor_of_a_cancelled_body_ends_the_task_as_panicked() {
    let executor = executor();
    let started = executor.spawn(async {
        let _guard = at_drop(|| panic!("in a destructor"));
        pending::<()>().await;
    });
    let guard = at_drop(|| panic!("before the first step"));
    let new = executor.spawn(async move { drop(guard) });
    new.cancel();
    run(&executor);
    executor.enter(|| started.cancel());
    run(&executor);
    assert_eq!(started.exception().unwrap().unwrap().message(), "in a destructor");
    assert_eq!(new.exception().unwrap().unwrap().message(), "before the first step");
}

#[test]
fn a_panic_while_a_cancellation_is_delivered_leaves_nothing_armed() {
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        let body = catch_cancelled(async {
            let _guard = at_drop(|| panic!("in a destructor"));
            pending::<()>().await;
        });
        let body = std::panic::AssertUnwindSafe(body);
        let panicked = futures_lite::FutureExt::catch_unwind(body).await.is_err();
        line.push(format!("{panicked} {}", ronde_context::is_cancelling()));
        yield_now().await;
        "goes on"
    });
    run(&executor);
    executor.enter(|| task.cancel());
    run(&executor);
    assert_eq!(log.take(), ["true false"]);
    assert_eq!(task.result().unwrap(), "goes on");
}

#[test]
fn a_destructor_may_catch_cancellations_of_its_own_while_one_is_delivered() {
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        let guard = line.clone();
        let body = catch_cancelled(async {
            let _guard = at_drop(move || {
                let own = catch_cancelled(async { CancelledError::new("own").raise::<()>().await });
                guard.push(futures_lite::future::block_on(own).unwrap_err());
            });
            pending::<()>().await;
        });
        line.push(body.await.unwrap_err());
    });
    run(&executor);
    executor.enter(|| task.cancel_msg("outer"));
    run(&executor);
    assert_eq!(log.take(), ["cancelled: own", "cancelled: outer"]);
    assert!(task.result().is_ok());
}

#[test]
fn a_body_that_is_ready_together_with_the_cancellation_keeps_its_value() {
    let (executor, log) = (executor(), Log::default());
    let (gate, line) = (Gate::default(), log.clone());
    let waited = gate.clone();
    let task = executor.spawn(async move {
        // Polled, although a cancellation is armed, because there is a handler in a branch.
        let raced = catch_cancelled(futures_lite::future::or(
            async {
                waited.wait().await;
                "value"
            },
            async { catch_cancelled(pending::<&str>()).await.unwrap_or("cancelled") },
        ));
        line.push(raced.await.unwrap());
        line.push("before the suspension");
        pending::<()>().await;
    });
    run(&executor);
    executor.enter(|| {
        gate.open();
        task.cancel_msg("kept");
    });
    run(&executor);
    assert_eq!(log.take(), ["value", "before the suspension"]);
    assert_eq!(message(&task), "kept");
}

#[test]
fn a_cancellation_of_an_outer_task_is_not_seen_by_tasks_that_are_polled_inside() {
    let (outer, inner) = (executor(), executor());
    let log = Log::default();
    let line = log.clone();
    let task = outer.spawn(async move {
        let child = inner.spawn(async {
            yield_now().await;
            ronde_context::is_cancelling()
        });
        let body = catch_cancelled(async {
            let (nested, line) = (inner.clone(), line.clone());
            let _guard = at_drop(move || {
                run(&nested);
                line.push(format!("{:?} {}", child.take_result(), ronde_context::is_cancelling()));
            });
            pending::<()>().await;
        });
        line.push(body.await.unwrap_err());
    });
    run(&outer);
    outer.enter(|| task.cancel_msg("outer"));
    run(&outer);
    assert_eq!(log.take(), ["Ok(false) true", "cancelled: outer"]);
}

#[test]
fn a_request_that_was_given_back_stays_with_its_task_while_others_are_polled_inside() {
    let (outer, inner) = (executor(), executor());
    let gate = Gate::default();
    let waited = gate.clone();
    let task = outer.spawn(async move {
        let child = inner.spawn(pending::<()>());
        let raced =
            catch_cancelled(futures_lite::future::or(async { waited.wait().await }, async {
                drop(catch_cancelled(pending::<()>()).await)
            }));
        raced.await.unwrap();
        // The cancellation is a request again. It is ours, and not the child's.
        run(&inner);
        inner.enter(|| inner.run_batch());
        assert!(!child.cancelled());
        let caught = catch_cancelled(pending::<()>()).await.unwrap_err();
        run(&inner);
        (caught.message().map(String::from), child.cancelled())
    });
    run(&outer);
    outer.enter(|| {
        gate.open();
        task.cancel_msg("ours");
    });
    run(&outer);
    assert_eq!(task.result().unwrap(), (Some("ours".into()), false));
}

#[test]
fn somebody_cancels_a_task_from_inside_another_executors_batch() {
    let (first, second) = (executor(), executor());
    let victim = Rc::new(RefCell::new(None::<TaskRef>));
    let task = first.spawn(pending::<()>());
    victim.replace(Some(TaskRef::from(&task)));
    run(&first);
    second.call_soon(move || assert!(victim.borrow().as_ref().unwrap().cancel()));
    run(&second);
    assert_eq!(first.run_batch(), 1);
    assert!(task.cancelled());
}

//! Scopes inside tasks: what timeouts and groups are made of.

mod support;

use futures_lite::future::{or, pending, yield_now, zip};
use ronde_context::{CancelScope, CancelledError, catch_cancelled};
use ronde_executor::{Promise, TaskRef, current_task};
use support::{Gate, Log, executor, run};

fn error(message: &str) -> CancelledError {
    CancelledError::new(message)
}

#[test]
fn a_scope_cancels_its_body_and_not_the_task() {
    let executor = executor();
    let scope = CancelScope::new();
    let inside = scope.clone();
    let task = executor.spawn(async move {
        let error = inside.run(pending::<()>()).await.unwrap_err();
        yield_now().await;
        (error.message().map(String::from), error.origin() == inside.origin())
    });
    run(&executor);
    assert!(executor.enter(|| scope.cancel(&error("time is up"))));
    run(&executor);
    assert_eq!(task.result().unwrap(), (Some("time is up".into()), true));
    assert_eq!(task.cancelling(), 0);
}

#[test]
fn a_cancellation_of_the_task_passes_through_a_scope() {
    let executor = executor();
    let task = executor.spawn(async {
        let _ = CancelScope::new().run(pending::<()>()).await;
        unreachable!("the scope must not take it");
    });
    run(&executor);
    executor.enter(|| task.cancel());
    run(&executor);
    assert!(task.cancelled());
}

#[test]
fn of_a_scope_and_its_task_cancelled_together_the_task_wins() {
    let executor = executor();
    let scope = CancelScope::new();
    let inside = scope.clone();
    let task = executor.spawn(async move { inside.run(pending::<()>()).await.is_err() });
    run(&executor);
    executor.enter(|| {
        scope.cancel(&error("scope"));
        task.cancel_msg("task");
    });
    run(&executor);
    assert_eq!(task.exception().unwrap_err().to_string(), "cancelled: task");
}

#[test]
fn a_scope_passes_its_cancellation_on_to_the_task_that_its_body_waits_for() {
    let (executor, log) = (executor(), Log::default());
    let (scope, line) = (CancelScope::new(), log.clone());
    let child = executor.spawn(async move {
        let error = catch_cancelled(pending::<()>()).await.unwrap_err();
        line.push("the child cleans up");
        yield_now().await;
        error.raise::<()>().await;
    });
    let reference = TaskRef::from(&child);
    let (inside, line) = (scope.clone(), log.clone());
    let task = executor.spawn(async move {
        let outcome = inside.run(async {
            let _ = child.await;
            unreachable!("it is raised, and not a value");
        });
        line.push(outcome.await.unwrap_err());
    });
    run(&executor);
    executor.enter(|| scope.cancel(&error("scope")));
    run(&executor);
    assert_eq!(log.take(), ["the child cleans up", "cancelled: scope"]);
    assert!(reference.cancelled() && task.result().is_ok());
}

#[test]
fn a_passed_on_cancellation_survives_a_poll_for_another_reason() {
    let executor = executor();
    let (scope, clean_up, other) = (CancelScope::new(), Gate::default(), Gate::default());
    let (inside, cleaning, waited) = (scope.clone(), clean_up.clone(), other.clone());
    let child = executor.spawn(async move {
        let error = catch_cancelled(pending::<()>()).await.unwrap_err();
        cleaning.wait().await;
        error.raise::<()>().await;
    });
    let task = executor.spawn(async move {
        inside.run(zip(async { drop(child.await) }, waited.wait())).await.is_err()
    });
    run(&executor);
    executor.enter(|| scope.cancel(&error("scope")));
    run(&executor);
    executor.enter(|| other.wake());
    run(&executor);
    executor.enter(|| clean_up.open());
    run(&executor);
    assert!(task.result().unwrap());
}

#[test]
fn a_body_that_gives_up_on_what_was_cancelled_in_its_stead_gets_the_cancellation() {
    let executor = executor();
    let (scope, other) = (CancelScope::new(), Gate::default());
    let (inside, waited) = (scope.clone(), other.clone());
    let child = executor.spawn(async {
        let _ = catch_cancelled(pending::<()>()).await;
        pending::<()>().await;
    });
    let task = executor.spawn(async move {
        let body = inside.run(async {
            or(async { drop(child.await) }, waited.wait()).await;
            pending::<()>().await;
        });
        body.await.is_err()
    });
    run(&executor);
    executor.enter(|| scope.cancel(&error("scope")));
    run(&executor);
    assert!(!task.done());
    executor.enter(|| other.open());
    run(&executor);
    assert!(task.result().unwrap());
}

#[test]
fn a_cancellation_of_the_task_through_a_promise_inside_a_scope_is_not_the_scopes() {
    let executor = executor();
    let promise = Promise::<()>::new();
    let awaited = promise.clone();
    let task = executor.spawn(async move {
        let _ = CancelScope::new().run(async { drop(awaited.await) }).await;
        unreachable!("the scope must not take it");
    });
    run(&executor);
    executor.enter(|| task.cancel());
    assert!(promise.cancelled());
    run(&executor);
    assert!(task.cancelled());
}

#[test]
fn nested_scopes_each_take_their_own() {
    for (cancel_outer, expected) in [(true, "outer"), (false, "inner")] {
        let executor = executor();
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let inside = (outer.clone(), inner.clone());
        let task = executor.spawn(async move {
            let (outer, inner) = inside;
            let body = outer.run(async {
                match inner.run(pending::<()>()).await {
                    Ok(()) => "nobody",
                    Err(_) => "inner",
                }
            });
            body.await.unwrap_or("outer")
        });
        run(&executor);
        let scope = if cancel_outer { &outer } else { &inner };
        executor.enter(|| scope.cancel(&error("")));
        run(&executor);
        assert_eq!(task.result().unwrap(), expected);
    }
}

#[test]
fn of_nested_scopes_cancelled_together_the_outer_one_wins() {
    let executor = executor();
    let (outer, inner) = (CancelScope::new(), CancelScope::new());
    let inside = (outer.clone(), inner.clone());
    let task = executor.spawn(async move {
        let (outer, inner) = inside;
        outer.run(async { inner.run(pending::<()>()).await.is_err() }).await.is_err()
    });
    run(&executor);
    executor.enter(|| {
        inner.cancel(&error("inner"));
        outer.cancel(&error("outer"));
    });
    run(&executor);
    assert!(task.result().unwrap());
}

#[test]
fn a_handler_in_the_body_of_a_scope_may_swallow_its_cancellation() {
    let executor = executor();
    let scope = CancelScope::new();
    let inside = scope.clone();
    let task = executor.spawn(async move {
        let body = inside.run(async {
            let caught = catch_cancelled(pending::<()>()).await.unwrap_err();
            yield_now().await;
            caught.to_string()
        });
        body.await.unwrap()
    });
    run(&executor);
    executor.enter(|| scope.cancel(&error("scope")));
    run(&executor);
    assert_eq!(task.result().unwrap(), "cancelled: scope");
}

#[test]
fn a_finished_scope_can_not_be_cancelled() {
    let executor = executor();
    let scope = CancelScope::new();
    let inside = scope.clone();
    let task = executor.spawn(async move {
        inside.run(async {}).await.unwrap();
        assert!(inside.is_finished());
        assert!(!inside.cancel(&error("late")));
        yield_now().await;
    });
    run(&executor);
    assert!(task.result().is_ok());
    assert!(!scope.cancel(&error("later")));
}

#[test]
fn a_scope_that_is_cancelled_before_its_body_begins_never_runs_it() {
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        let scope = CancelScope::new();
        scope.cancel(&error("early"));
        scope.run(async { line.push("ran") }).await.is_err()
    });
    run(&executor);
    assert!(task.result().unwrap());
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn a_body_that_cancels_its_own_scope_runs_on_to_its_next_suspension() {
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        let scope = CancelScope::new();
        let body = scope.run(async {
            scope.cancel(&error("own"));
            line.push("goes on");
            pending::<()>().await;
        });
        line.push(body.await.unwrap_err());
    });
    executor.run_batch();
    assert_eq!(log.take(), ["goes on"]);
    executor.run_batch();
    assert_eq!(log.take(), ["cancelled: own"]);
    assert!(task.done());
}

#[test]
fn a_body_that_cancels_its_own_scope_and_returns_has_finished() {
    let executor = executor();
    let task = executor.spawn(async {
        let scope = CancelScope::new();
        let value = scope
            .run(async {
                scope.cancel(&error("own"));
                7
            })
            .await;
        yield_now().await;
        value.unwrap()
    });
    run(&executor);
    assert_eq!(task.result().unwrap(), 7);
}

#[test]
fn a_body_that_cancels_its_scope_again_and_again_lets_others_run() {
    let (executor, log) = (executor(), Log::default());
    let task = executor.spawn(async {
        let scope = CancelScope::new();
        let body = scope.run(async {
            loop {
                scope.cancel(&error("again"));
                let _ = catch_cancelled(pending::<()>()).await;
            }
        });
        or(async { drop(body.await) }, async {
            for _ in 0..3 {
                yield_now().await;
            }
        })
        .await;
    });
    let line = log.clone();
    executor.call_soon(move || line.push("the others"));
    run(&executor);
    assert_eq!(log.take(), ["the others"]);
    assert!(task.done());
}

#[test]
fn what_is_ready_together_with_a_patient_cancellation_has_finished() {
    for ready in [true, false] {
        let executor = executor();
        let (scope, gate) = (CancelScope::new(), Gate::default());
        let (inside, waited) = (scope.clone(), gate.clone());
        let task = executor.spawn(async move { inside.run(waited.wait()).await.is_ok() });
        run(&executor);
        executor.enter(|| {
            if ready {
                gate.open();
            }
            scope.cancel_unless_ready(&error("deadline"));
        });
        assert_eq!(executor.run_batch(), 1);
        assert_eq!(task.result().unwrap(), ready);
    }
}

#[test]
fn a_foreign_cancellation_that_a_scope_passes_on_leaves_it_pollable() {
    let executor = executor();
    let task = executor.spawn(async {
        let scope = CancelScope::new();
        let body = catch_cancelled(async {
            let mut scoped = std::pin::pin!(scope.run(CancelledError::new("x").raise::<()>()));
            // The scope raises it in the first poll, and the other branch goes on to poll it again.
            or(async { drop(scoped.as_mut().await) }, async {}).await;
            scoped.await
        });
        body.await.unwrap_err().to_string()
    });
    run(&executor);
    assert_eq!(task.result().unwrap(), "cancelled: x");
}

#[test]
fn a_scope_keeps_nothing_alive_once_its_body_is_over() {
    let (executor, log) = (executor(), Log::default());
    let (scope, gate) = (CancelScope::new(), Gate::default());
    let promise = Promise::<()>::new();
    let guard = log.at_drop("the promise is gone");
    promise.add_done_callback(move |_| drop(guard));
    let (inside, waited) = (scope.clone(), gate.clone());
    let task = executor.spawn(async move {
        let body = inside.run(or(async { drop(promise.await) }, waited.wait()));
        body.await.is_ok()
    });
    run(&executor);
    executor.enter(|| gate.open());
    run(&executor);
    assert!(task.result().unwrap());
    assert_eq!(log.take(), ["the promise is gone"]);
    drop(scope);
}

#[test]
fn a_scope_and_its_task_are_independent_of_who_runs_the_current_task() {
    let executor = executor();
    let scope = CancelScope::new();
    let inside = scope.clone();
    let task = executor.spawn(async move { inside.run(pending::<()>()).await.is_err() });
    run(&executor);
    let canceller = executor.spawn(async move {
        assert!(scope.cancel(&error("from another task")));
        current_task().unwrap().cancelling()
    });
    run(&executor);
    assert!(task.result().unwrap());
    assert_eq!(canceller.result().unwrap(), 0);
}

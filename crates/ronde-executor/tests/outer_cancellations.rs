//! A cancellation from outside is not lost when a scope inside the task is cancelled as well.

mod support;

use std::future::IntoFuture;

use futures_lite::future::{pending, yield_now};
use ronde_context::{CancelScope, CancelledError, catch_cancelled};
use ronde_executor::{Executor, Task, current_task};
use support::{Gate, executor, run};

fn error(message: &str) -> CancelledError {
    CancelledError::new(message)
}

/// A task whose body, inside `scope`, takes a cancellation, calls `dealing`, and never ends.
fn dealing_with_it(
    executor: &Executor,
    scope: &CancelScope,
    dealing: impl FnOnce() + 'static,
) -> Task<bool> {
    let scope = scope.clone();
    executor.spawn(async move {
        let body = scope.run(async {
            catch_cancelled(pending::<()>()).await.unwrap_err();
            dealing();
            pending::<()>().await;
        });
        body.await.is_err()
    })
}

#[test]
fn a_scope_that_cuts_short_how_its_body_deals_with_a_cancellation_raises_that_one() {
    let (executor, scope) = (executor(), CancelScope::new());
    let task = dealing_with_it(&executor, &scope, || {});
    run(&executor);
    executor.enter(|| task.cancel_msg("from outside"));
    run(&executor);
    assert!(!task.done());
    executor.enter(|| scope.cancel(&error("time is up")));
    run(&executor);
    assert_eq!(task.result().unwrap_err().to_string(), "cancelled: from outside");
}

#[test]
fn a_cancellation_that_was_taken_back_is_dealt_with() {
    let (executor, scope) = (executor(), CancelScope::new());
    let task = dealing_with_it(&executor, &scope, || {
        assert_eq!(current_task().unwrap().uncancel(), 0);
    });
    run(&executor);
    executor.enter(|| task.cancel());
    run(&executor);
    executor.enter(|| scope.cancel(&error("time is up")));
    run(&executor);
    assert!(task.result().unwrap(), "the scope's own cancellation ends there");
}

#[test]
fn the_cancellation_of_an_outer_scope_that_an_inner_one_cuts_short_ends_at_the_outer_one() {
    let executor = executor();
    let (outer, inner) = (CancelScope::new(), CancelScope::new());
    let scopes = (outer.clone(), inner.clone());
    let task = executor.spawn(async move {
        let around = scopes.0.run(async {
            let within = scopes.1.run(async {
                catch_cancelled(pending::<()>()).await.unwrap_err();
                pending::<()>().await;
            });
            within.await.is_err()
        });
        around.await.unwrap_err().message().map(String::from)
    });
    run(&executor);
    executor.enter(|| outer.cancel(&error("outer")));
    run(&executor);
    executor.enter(|| inner.cancel(&error("inner")));
    run(&executor);
    assert_eq!(task.result().unwrap().as_deref(), Some("outer"));
}

#[test]
fn once_the_task_has_taken_it_back_the_inner_scope_cuts_short_on_its_own_account() {
    let executor = executor();
    let (outer, inner) = (CancelScope::new(), CancelScope::new());
    let scopes = (outer.clone(), inner.clone());
    let task = executor.spawn(async move {
        let around = scopes.0.run(async {
            let within = scopes.1.run(async {
                catch_cancelled(pending::<()>()).await.unwrap_err();
                assert_eq!(current_task().unwrap().uncancel(), 0);
                pending::<()>().await;
            });
            within.await.unwrap_err().message().map(String::from)
        });
        around.await.unwrap()
    });
    run(&executor);
    executor.enter(|| outer.cancel(&error("outer")));
    run(&executor);
    executor.enter(|| inner.cancel(&error("inner")));
    run(&executor);
    assert_eq!(task.result().unwrap().as_deref(), Some("inner"));
}

#[test]
fn a_scope_that_was_cancelled_ends_also_with_the_cancellation_of_somebody_else() {
    let (executor, scope) = (executor(), CancelScope::new());
    let inside = scope.clone();
    let task = executor.spawn(async move {
        let body = inside.run(async {
            catch_cancelled(pending::<()>()).await.unwrap_err();
            error("of a task that was cancelled").raise::<()>().await;
        });
        body.await.unwrap_err().message().map(String::from)
    });
    run(&executor);
    executor.enter(|| scope.cancel(&error("time is up")));
    run(&executor);
    // Nobody has asked this task for anything else.
    assert_eq!(task.result().unwrap().as_deref(), Some("of a task that was cancelled"));
}

#[test]
fn a_child_that_is_cancelled_for_the_task_and_then_for_a_scope_raises_the_tasks_cancellation() {
    let (executor, gate, scope) = (executor(), Gate::default(), CancelScope::new());
    let cleaned_up = gate.clone();
    let child = executor.spawn(async move {
        let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
        catch_cancelled(cleaned_up.wait()).await.unwrap_err();
        cancelled.raise::<()>().await;
    });
    let inside = scope.clone();
    let task = executor.spawn(async move { inside.run(child.into_future()).await.is_err() });
    run(&executor);
    executor.enter(|| task.cancel());
    run(&executor);
    assert!(!task.done(), "the child cleans up");
    executor.enter(|| scope.cancel(&error("time is up")));
    run(&executor);
    assert!(task.cancelled());
}

#[test]
fn a_cancellation_that_is_raised_later_hits_the_task_where_it_next_suspends() {
    let executor = executor();
    let task = executor.spawn(async {
        let caught = catch_cancelled(pending::<()>()).await.unwrap_err();
        caught.raise_later();
        let again = catch_cancelled(pending::<()>()).await.unwrap_err();
        // Once, and no more.
        yield_now().await;
        again.message().map(str::to_owned)
    });
    run(&executor);
    task.cancel_msg("why");
    run(&executor);
    assert_eq!(task.result().unwrap().as_deref(), Some("why"));
}

//! The end of an executor: closed, dropped, or forgotten.

mod support;

use futures_lite::future::pending;
use ronde_context::{Origin, catch_cancelled};
use ronde_executor::{Executor, Promise, TaskError, current_task};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::{Gate, Log, at_drop, executor, log_failures, run};

#[test]
fn closing_drops_tasks_where_they_are_and_callbacks_uncalled() {
    let (executor, log) = (executor(), Log::default());
    let (line, guard) = (log.clone(), log.at_drop("suspended"));
    let suspended = executor.spawn(async move {
        let _guard = guard;
        let _ = catch_cancelled(pending::<()>()).await;
        line.push("no handler runs");
    });
    run(&executor);
    let guard = log.at_drop("not started");
    executor.spawn(async move { drop(guard) }).detach();
    let guard = log.at_drop("callback");
    let handle = executor.call_soon(move || drop(guard));
    executor.close();
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["callback", "not started", "suspended"]);
    assert!(handle.cancelled() && executor.is_closed());
    let Err(TaskError::Cancelled(error)) = suspended.result() else { panic!() };
    assert_eq!(error.origin(), Origin::Shutdown);
    assert!(executor.all_tasks().is_empty());
    executor.close();
}

#[test]
fn dropping_the_last_handle_closes() {
    let log = Log::default();
    let executor = executor();
    let second = executor.clone();
    let guard = log.at_drop("dropped");
    let task = executor.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    run(&executor);
    drop(executor);
    assert_eq!(log.take(), [""; 0]);
    let (weak, remote) = (second.downgrade(), second.remote());
    drop(second);
    assert_eq!(log.take(), ["dropped"]);
    assert!(task.cancelled() && weak.upgrade().is_none() && remote.is_closed());
}

#[test]
fn a_task_that_was_spawned_and_never_run_is_dropped_with_its_executor() {
    let (executor, log) = (executor(), Log::default());
    let guard = log.at_drop("dropped");
    executor.spawn(async move { drop(guard) }).detach();
    drop(executor);
    assert_eq!(log.take(), ["dropped"]);
}

#[test]
fn tasks_that_await_one_another_are_all_dropped_with_their_executor() {
    let (executor, log) = (executor(), Log::default());
    let promise = Promise::<()>::new();
    let (awaited, guard) = (promise.clone(), log.at_drop("child"));
    let child = executor.spawn(async move {
        let _guard = guard;
        let _ = awaited.await;
    });
    let guard = log.at_drop("parent");
    executor
        .spawn(async move {
            let _guard = guard;
            let _ = child.await;
        })
        .detach();
    let own = promise.clone();
    let guard = log.at_drop("promise");
    promise.add_done_callback(move |_| drop((own, guard)));
    run(&executor);
    drop(executor);
    assert_eq!(log.take(), ["child", "parent"]);
    // A promise that holds itself is let go when it is set.
    promise.cancel();
    assert_eq!(log.take(), ["promise"]);
}

#[test]
fn destructors_that_panic_while_closing_are_reported_and_the_rest_is_closed() {
    let (executor, log) = (executor(), Log::default());
    log_failures(&executor, &log);
    let guard = at_drop(|| panic!("a callback's"));
    executor.call_soon(move || drop(guard));
    let task = executor.spawn(async move {
        let _guard = at_drop(|| panic!("a task's"));
        pending::<()>().await;
    });
    let guard = log.at_drop("the last");
    executor.call_soon(move || drop(guard));
    executor.call_soon(|| {}).cancel();
    executor.enter(|| futures_lite::future::block_on(async {}));
    executor.close();
    let lines = log.take();
    let expected = "a callback panicked while the event loop was closed: panicked: a callback's";
    assert_eq!(lines, [expected, "the last"]);
    assert!(task.done());
}

#[test]
fn destructors_may_use_the_executor_while_it_is_closed() {
    let (executor, log) = (executor(), Log::default());
    let (inside, line) = (executor.clone(), log.clone());
    let promise = Promise::<()>::new();
    let (set, awaited) = (promise.clone(), promise.clone());
    executor
        .spawn(async move {
            let _guard = at_drop(move || {
                let refused = catch_unwind(AssertUnwindSafe(|| inside.call_soon(|| {}))).is_err();
                line.push(format!("{refused} {}", current_task().is_some()));
                let _ = set.set_result(());
                inside.close();
            });
            pending::<()>().await;
        })
        .detach();
    let waiter = executor.spawn(async move { drop(awaited.await) });
    run(&executor);
    executor.close();
    assert_eq!(log.take(), ["true true"]);
    assert!(waiter.cancelled());
}

#[test]
fn closing_from_inside_panics_and_harms_nobody() {
    let executor = executor();
    let inside = executor.clone();
    let task = executor.spawn(async move { inside.close() });
    let next = executor.spawn(async { 1 });
    run(&executor);
    let panic = task.exception().unwrap().unwrap();
    assert_eq!(panic.message(), "an event loop was closed from inside itself");
    assert_eq!(next.result().unwrap(), 1);
    assert!(!executor.is_closed());
}

#[test]
fn one_executor_may_close_another() {
    let (outer, inner) = (executor(), executor());
    let task = inner.spawn(pending::<()>());
    run(&inner);
    outer.call_soon(move || inner.close());
    run(&outer);
    assert!(task.cancelled());
}

#[test]
fn a_closed_executor_takes_no_more() {
    let executor = executor();
    let done = executor.spawn(async {});
    run(&executor);
    executor.close();
    assert!(catch_unwind(AssertUnwindSafe(|| executor.spawn(async {}))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| executor.call_soon(|| {}))).is_err());
    assert!(executor.remote().call_soon_threadsafe(|| {}).is_err());
    done.add_done_callback(|_| unreachable!());
    assert_eq!(executor.statistics().tasks, 0);
}

#[test]
fn wakers_that_outlive_the_executor_do_nothing() {
    let executor = executor();
    let gate = Gate::default();
    let waited = gate.clone();
    executor.spawn(async move { waited.wait().await }).detach();
    run(&executor);
    let waker = gate.waker();
    drop(executor);
    waker.wake_by_ref();
    gate.open();
    let _second = waker.clone();
}

#[test]
fn a_task_handle_that_outlives_the_executor_can_still_be_asked() {
    let executor = executor();
    let (done, pending) = (executor.spawn(async { 7 }), executor.spawn(pending::<()>()));
    run(&executor);
    drop(executor);
    assert_eq!(done.result().unwrap(), 7);
    assert!(pending.cancelled() && !pending.cancel());
    done.add_done_callback(|_| unreachable!());
    assert_eq!(&*pending.name(), "Task-2");
}

#[test]
fn an_executor_may_be_dropped_by_the_end_of_its_thread() {
    std::thread::spawn(|| {
        thread_local!(static LAST: RefCell<Option<Executor>> = const { RefCell::new(None) });
        // Registered before the executor's own thread-local values, hence dropped after them.
        LAST.with(|last| assert!(last.borrow().is_none()));
        let executor = executor();
        executor
            .spawn(async {
                let _guard = at_drop(|| {
                    assert!(!ronde_context::is_cancelling());
                    assert!(current_task().is_some());
                });
                let _ = catch_cancelled(pending::<()>()).await;
            })
            .detach();
        run(&executor);
        executor.spawn(async {}).detach();
        LAST.set(Some(executor));
    })
    .join()
    .unwrap();
}

#[test]
fn an_executor_that_is_forgotten_runs_nothing_and_frees_nothing() {
    let executor = executor();
    let gate = Gate::default();
    let waited = gate.clone();
    executor
        .spawn(async move {
            let _guard = at_drop(|| unreachable!());
            waited.wait().await;
        })
        .detach();
    run(&executor);
    let waker = gate.waker();
    support::forget(executor);
    std::thread::spawn(move || waker.wake()).join().unwrap();
}

#[test]
fn the_current_executor_is_restored_when_a_guard_is_dropped() {
    let (outer, inner) = (executor(), executor());
    let gate = Gate::default();
    let waited = gate.clone();
    let task = outer.spawn(async move { waited.wait().await });
    run(&outer);
    let _outer = outer.make_current();
    drop(inner.make_current());
    gate.open();
    assert_eq!(outer.ready(), 1);
    run(&outer);
    assert!(task.done());
}

//! What runs in which batch, and in which order.

mod support;

use std::cell::Cell;
use std::rc::Rc;

use futures_lite::future::yield_now;
use ronde_context::ContextVar;
use ronde_executor::Promise;
use support::{Log, executor, log_failures, run};

#[test]
fn a_task_never_starts_inside_spawn() {
    let (executor, log) = (executor(), Log::default());
    let task = executor.spawn({
        let log = log.clone();
        async move { log.push("step") }
    });
    log.push("spawned");
    run(&executor);
    assert_eq!(log.take(), ["spawned", "step"]);
    assert!(task.done());
}

#[test]
fn tasks_and_callbacks_share_one_queue_in_order() {
    let (executor, log) = (executor(), Log::default());
    for round in ["1", "2"] {
        let step = log.clone();
        executor.spawn(async move { step.push(format!("task {round}")) }).detach();
        let call = log.clone();
        executor.call_soon(move || call.push(format!("callback {round}")));
    }
    assert_eq!(executor.run_batch(), 4);
    assert_eq!(log.take(), ["task 1", "callback 1", "task 2", "callback 2"]);
}

#[test]
fn a_batch_runs_only_what_was_ready_when_it_began() {
    let (executor, log) = (executor(), Log::default());
    let yielding = log.clone();
    executor
        .spawn(async move {
            for step in 1..=3 {
                yielding.push(format!("step {step}"));
                yield_now().await;
            }
        })
        .detach();
    executor.call_soon({
        let (executor, log) = (executor.clone(), log.clone());
        move || {
            log.push("outer");
            executor.call_soon(move || log.push("inner"));
        }
    });
    assert_eq!(executor.run_batch(), 2);
    assert_eq!(log.take(), ["step 1", "outer"]);
    assert_eq!(executor.run_batch(), 2);
    assert_eq!(log.take(), ["step 2", "inner"]);
    run(&executor);
    assert_eq!(log.take(), ["step 3"]);
}

#[test]
fn awaiting_a_finished_task_does_not_suspend() {
    let executor = executor();
    let first = executor.spawn(async { 1 });
    executor.run_batch();
    let second = executor.spawn(async move { first.await.unwrap() + 1 });
    executor.run_batch();
    assert_eq!(second.result().unwrap(), 2);
}

#[test]
fn a_cancelled_callback_is_not_called_and_lets_go_at_once() {
    let (executor, log) = (executor(), Log::default());
    let guard = log.at_drop("let go");
    let handle = executor.call_soon(move || drop(guard));
    handle.cancel();
    assert_eq!(log.take(), ["let go"]);
    assert!(handle.cancelled());
    run(&executor);
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn cancelling_a_callback_that_ran_changes_nothing() {
    let executor = executor();
    let handle = executor.call_soon(|| {});
    run(&executor);
    handle.cancel();
    assert!(!handle.cancelled());
    assert!(format!("{handle:?}").starts_with("<Handle run created at "));
}

#[test]
fn a_callback_that_cancels_itself_has_run() {
    use std::cell::OnceCell;
    use std::rc::Rc;
    let (executor, slot) = (executor(), Rc::new(OnceCell::<ronde_executor::Handle>::new()));
    let handle = executor.call_soon({
        let slot = slot.clone();
        move || slot.get().unwrap().cancel()
    });
    slot.set(handle.clone()).unwrap();
    run(&executor);
    assert!(!handle.cancelled());
}

#[test]
fn a_panic_in_a_callback_is_reported_and_the_next_one_runs() {
    let (executor, log) = (executor(), Log::default());
    log_failures(&executor, &log);
    executor.call_soon(|| panic!("oh"));
    let next = log.clone();
    executor.call_soon(move || next.push("next"));
    executor.run_batch();
    let lines = log.take();
    assert!(lines[0].starts_with("a callback failed: panicked: oh (created at "), "{lines:?}");
    assert_eq!(lines[1..], ["next"]);
}

#[test]
fn an_exception_handler_that_panics_does_not_end_the_batch() {
    use std::rc::Rc;
    let (executor, log) = (executor(), Log::default());
    executor.set_exception_handler(Some(Rc::new(|_| panic!("the handler, too"))));
    executor.call_soon(|| panic!("oh"));
    let next = log.clone();
    executor.call_soon(move || next.push("next"));
    executor.run_batch();
    assert_eq!(log.take(), ["next"]);
}

#[test]
fn a_wake_that_is_queued_runs_its_task_in_the_batch_after() {
    let (executor, log) = (executor(), Log::default());
    let gate = support::Gate::default();
    let waiting = (gate.clone(), log.clone());
    executor
        .spawn(async move {
            waiting.0.wait().await;
            waiting.1.push("through");
        })
        .detach();
    run(&executor);
    executor.wake_soon(gate.waker());
    executor.enter(|| gate.open());
    // The gate woke the task itself; the waker in the queue has nothing left to do.
    assert_eq!(executor.run_batch(), 2);
    assert_eq!(log.take(), ["through"]);
}

#[test]
fn a_repeated_callback_runs_as_often_as_it_is_queued() {
    use std::rc::Rc;
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let callback: Rc<dyn Fn()> = Rc::new(move || line.push("ready"));
    executor.call_repeated(callback.clone());
    executor.call_repeated(callback);
    executor.run_batch();
    assert_eq!(log.take(), ["ready", "ready"]);
}

#[test]
fn waiters_and_done_callbacks_have_their_turn_in_order_of_registration() {
    let (executor, log) = (executor(), Log::default());
    let promise = Promise::new();
    for name in ["first", "second"] {
        let (waiting, line) = (promise.clone(), log.clone());
        executor
            .spawn(async move {
                (&waiting).await.unwrap();
                line.push(format!("{name} waiter"));
            })
            .detach();
        run(&executor);
        let line = log.clone();
        promise.add_done_callback(move |_| line.push(format!("{name} callback")));
    }
    executor.enter(|| promise.set_result(()).unwrap());
    assert_eq!(executor.run_batch(), 4);
    assert_eq!(log.take(), ["first waiter", "first callback", "second waiter", "second callback"]);
}

#[test]
fn a_batch_within_a_batch_runs_the_rest_of_the_queue() {
    let (executor, log) = (executor(), Log::default());
    let (inner, line) = (executor.clone(), log.clone());
    executor
        .spawn(async move {
            inner.run_batch();
            line.push("outer task");
        })
        .detach();
    let line = log.clone();
    executor.spawn(async move { line.push("inner task") }).detach();
    run(&executor);
    assert_eq!(log.take(), ["inner task", "outer task"]);
}

#[test]
fn statistics_count_tasks_and_entries() {
    let executor = executor();
    executor.spawn(std::future::pending::<()>()).detach();
    let done = executor.spawn(async {});
    executor.call_soon(|| {});
    let before = executor.statistics();
    assert_eq!((before.tasks, before.ready, before.created), (2, 3, 2));
    run(&executor);
    let after = executor.statistics();
    assert_eq!((after.tasks, after.ready, after.created), (1, 0, 2));
    assert!(done.done());
}

#[test]
fn what_a_repeated_callback_sets_in_its_context_is_gone_the_next_time() {
    static SEEN: ContextVar<u32> = ContextVar::with_default("seen", 0);
    let executor = executor();
    let callback = Rc::new(|| {
        assert_eq!(SEEN.get(), Some(0));
        SEEN.set(1);
    });
    let reported = Rc::new(Cell::new(false));
    let seen = reported.clone();
    executor.set_exception_handler(Some(Rc::new(move |_| seen.set(true))));
    for _ in 0..2 {
        executor.call_repeated(callback.clone());
        executor.run_batch();
    }
    assert!(!reported.get());
    assert_eq!(SEEN.get(), Some(0));
}

//! Outcomes of tasks: asking for them, awaiting them, being told.

mod support;

use ronde_executor::{InvalidStateError, TaskError, TaskRef};
use support::{Gate, Log, executor, log_failures, run};

fn invalid<T: std::fmt::Debug>(result: Result<T, TaskError>) -> InvalidStateError {
    match result {
        Err(TaskError::InvalidState(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_task_that_is_not_done_has_no_result_and_no_exception() {
    let executor = executor();
    let task = executor.spawn(async { 1 });
    assert!(!task.done() && !task.cancelled() && !task.failed());
    assert_eq!(invalid(task.result()), InvalidStateError::Pending);
    assert_eq!(invalid(task.with_result(|_| ())), InvalidStateError::Pending);
    assert_eq!(invalid(task.take_result()), InvalidStateError::Pending);
    assert_eq!(invalid(task.exception()), InvalidStateError::Pending);
}

#[test]
fn a_result_can_be_read_often_and_taken_once() {
    let executor = executor();
    let task = executor.spawn(async { String::from("value") });
    run(&executor);
    assert!(task.done() && !task.cancelled() && !task.failed());
    assert_eq!(task.result().unwrap(), "value");
    assert_eq!(task.with_result(String::len).unwrap(), 5);
    assert!(task.exception().unwrap().is_none());
    assert_eq!(task.take_result().unwrap(), "value");
    assert_eq!(invalid(task.result()), InvalidStateError::Taken);
    assert_eq!(invalid(task.take_result()), InvalidStateError::Taken);
    assert!(task.exception().unwrap().is_none());
}

#[test]
fn a_panic_is_the_exception_and_the_result() {
    let (executor, log) = (executor(), Log::default());
    log_failures(&executor, &log);
    let task = executor.spawn(async {
        if true {
            panic!("number {}", 7);
        }
    });
    run(&executor);
    assert!(task.done() && !task.cancelled() && task.failed());
    assert_eq!(task.exception().unwrap().unwrap().message(), "number 7");
    assert_eq!(task.result().unwrap_err().to_string(), "panicked: number 7");
}

#[test]
fn an_err_is_a_value_that_counts_as_failure_until_it_is_moved_out() {
    let executor = executor();
    let task = executor.spawn(async { Err::<(), _>("no") });
    run(&executor);
    assert!(task.failed());
    assert!(task.exception().unwrap().is_none());
    assert_eq!(task.take_result().unwrap(), Err("no"));
    assert!(!task.failed());
}

#[test]
fn the_message_of_a_cancellation_goes_to_the_first_who_asks() {
    let executor = executor();
    let task = executor.spawn(async {});
    task.cancel_msg("why");
    run(&executor);
    assert!(task.done() && task.cancelled() && !task.failed());
    assert_eq!(task.exception().unwrap_err().to_string(), "cancelled: why");
    assert_eq!(task.exception().unwrap_err().to_string(), "cancelled");
    assert_eq!(task.result().unwrap_err().to_string(), "cancelled");
}

#[test]
fn a_task_can_be_awaited_by_reference_again_and_again_and_by_value_once() {
    let executor = executor();
    let task = executor.spawn(async { String::from("x") });
    let reference = TaskRef::from(&task);
    let waiting = executor.spawn(async move {
        let first = (&task).await.unwrap();
        let second = (&task).await.unwrap();
        (&reference).await.unwrap();
        reference.clone().await.unwrap();
        first + &second + &task.await.unwrap()
    });
    run(&executor);
    assert_eq!(waiting.result().unwrap(), "xxx");
}

#[test]
fn a_value_that_was_moved_out_is_gone_for_those_who_await_later() {
    let executor = executor();
    let task = std::rc::Rc::new(executor.spawn(async { 1 }));
    run(&executor);
    let (again, reference) = (task.clone(), TaskRef::from(&*task));
    task.take_result().unwrap();
    let late = executor.spawn(async move { (&*again).await });
    let untyped = executor.spawn(async move { reference.await });
    run(&executor);
    assert_eq!(invalid(late.take_result().unwrap()), InvalidStateError::Taken);
    assert!(untyped.take_result().unwrap().is_ok());
}

#[test]
fn awaiting_a_reference_tells_panics_and_cancellations_apart() {
    let executor = executor();
    let panicking = executor.spawn(async { panic!("oh") });
    let cancelled = executor.spawn(async {});
    cancelled.cancel_msg("stop");
    let both = [TaskRef::from(&panicking), TaskRef::from(&cancelled)];
    let watcher = executor.spawn(async move {
        let mut texts = Vec::new();
        for task in both {
            texts.push(task.await.unwrap_err().to_string());
        }
        texts
    });
    run(&executor);
    assert_eq!(watcher.result().unwrap(), ["panicked: oh", "cancelled: stop"]);
}

#[test]
fn a_task_that_awaits_itself_gets_an_error_one_turn_later() {
    let (executor, log) = (executor(), Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        let myself = ronde_executor::current_task().unwrap();
        line.push("before");
        let error = myself.await.unwrap_err();
        line.push(error);
    });
    executor.run_batch();
    assert_eq!(log.take(), ["before"]);
    executor.run_batch();
    assert_eq!(log.take(), ["the task awaits itself"]);
    assert!(task.done());
}

#[test]
fn done_callbacks_run_in_the_batch_after_in_order() {
    let (executor, log) = (executor(), Log::default());
    let task = executor.spawn(async {}).named("worker");
    for number in 1..=3 {
        let line = log.clone();
        task.add_done_callback(move |task| line.push(format!("{number}: {}", task.name())));
    }
    executor.run_batch();
    assert_eq!(log.take(), [""; 0]);
    executor.run_batch();
    assert_eq!(log.take(), ["1: worker", "2: worker", "3: worker"]);
}

#[test]
fn a_callback_that_is_added_to_a_done_task_runs_in_the_next_batch() {
    let (executor, log) = (executor(), Log::default());
    let task = executor.spawn(async {});
    run(&executor);
    let line = log.clone();
    let id = task.add_done_callback(move |_| line.push("called"));
    assert!(!task.remove_done_callback(id), "it is on its way");
    assert_eq!(log.take(), [""; 0]);
    executor.run_batch();
    assert_eq!(log.take(), ["called"]);
}

#[test]
fn a_removed_callback_is_not_called() {
    let (executor, log) = (executor(), Log::default());
    let task = executor.spawn(async {});
    let ids = [1, 2, 3].map(|number| {
        let line = log.clone();
        task.add_done_callback(move |_| line.push(number))
    });
    assert!(task.remove_done_callback(ids[1]));
    assert!(!task.remove_done_callback(ids[1]));
    run(&executor);
    assert_eq!(log.take(), ["1", "3"]);
    assert!(!task.remove_done_callback(ids[0]));
}

#[test]
fn a_callback_number_of_another_task_removes_nobody_who_waits() {
    let executor = executor();
    let gate = Gate::default();
    let waited = gate.clone();
    let task = executor.spawn(async move { waited.wait().await });
    let reference = TaskRef::from(&task);
    let waiter = executor.spawn(async move { reference.await.is_ok() });
    run(&executor);
    let other = executor.spawn(async {});
    let first_number = other.add_done_callback(|_| {});
    assert!(!task.remove_done_callback(first_number));
    executor.enter(|| gate.open());
    run(&executor);
    assert!(waiter.result().unwrap());
}

#[test]
fn a_panic_in_a_done_callback_is_reported_and_the_next_one_is_called() {
    let (executor, log) = (executor(), Log::default());
    log_failures(&executor, &log);
    let task = executor.spawn(async {});
    task.add_done_callback(|_| panic!("oh"));
    let line = log.clone();
    task.add_done_callback(move |_| line.push("next"));
    run(&executor);
    let lines = log.take();
    assert!(lines[0].contains("panicked: oh"), "{lines:?}");
    assert_eq!(lines[1..], ["next"]);
}

#[test]
fn dropping_the_future_that_waits_leaves_the_task_and_its_result() {
    let executor = executor();
    let gate = Gate::default();
    let waited = gate.clone();
    let task = executor.spawn(async move {
        waited.wait().await;
        5
    });
    let task = executor.spawn(async move {
        assert!(futures_lite::future::poll_once((&task).into_future()).await.is_none());
        assert!(
            futures_lite::future::poll_once(TaskRef::from(&task).into_future()).await.is_none()
        );
        task
    });
    run(&executor);
    let task = task.take_result().unwrap();
    executor.enter(|| gate.open());
    run(&executor);
    assert_eq!(task.result().unwrap(), 5);
}

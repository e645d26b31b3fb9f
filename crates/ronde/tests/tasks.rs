//! Creating, listing and asking tasks, and what becomes of failures that nobody looks at.

mod common;

use common::{Log, SECOND, after, log_reports, run, runner};
use ronde::{
    Task, TaskError, TaskRef, all_tasks, catch_cancelled, create_task, current_task, sleep,
    yield_now,
};
use std::future::pending;

#[ronde::test(simulated)]
async fn a_task_runs_by_itself_and_gives_its_result() {
    let log = Log::default();
    let task = create_task({
        let log = log.clone();
        async move {
            log.push("task");
            6 * 7
        }
    });
    log.push("creator");
    assert_eq!(task.await.unwrap(), 42);
    assert_eq!(log.take(), ["creator", "task"]);
}

#[ronde::test(simulated)]
async fn a_task_whose_handle_is_dropped_runs_on() {
    let log = Log::default();
    drop(create_task({
        let log = log.clone();
        async move {
            sleep(SECOND).await;
            log.push("ran on");
        }
    }));
    sleep(2 * SECOND).await;
    assert_eq!(log.take(), ["ran on"]);
}

#[test]
#[should_panic(expected = "no event loop is running on this thread")]
fn a_task_needs_a_running_loop() {
    create_task(async {}).detach();
}

#[test]
fn all_tasks_lists_those_that_are_not_done_in_the_order_of_their_creation() {
    assert!(all_tasks().is_err());
    run(async {
        let me = current_task().unwrap();
        assert_eq!(all_tasks().unwrap(), std::slice::from_ref(&me));
        let first = create_task(after(2, ()));
        let second = create_task(after(1, ()));
        let expected = [me.clone(), TaskRef::from(&first), TaskRef::from(&second)];
        assert_eq!(all_tasks().unwrap(), expected);
        second.await.unwrap();
        assert_eq!(all_tasks().unwrap(), [me, TaskRef::from(&first)]);
        first.await.unwrap();
    });
}

#[test]
fn the_current_task_is_the_one_that_runs() {
    assert!(current_task().is_none());
    run(async {
        let me = current_task().unwrap();
        let task = create_task(async { current_task().unwrap() });
        let expected = TaskRef::from(&task);
        assert_eq!(task.await.unwrap(), expected);
        assert_eq!(current_task().unwrap(), me);
        let event_loop = ronde::get_running_loop().unwrap();
        event_loop.call_soon(|| assert!(current_task().is_none()));
        yield_now().await;
    });
}

#[ronde::test(simulated)]
async fn a_cancelled_task_ends_cancelled_and_its_clean_up_may_wait() {
    let log = Log::default();
    let task = create_task({
        let log = log.clone();
        async move {
            let caught = catch_cancelled(pending::<()>()).await;
            sleep(SECOND).await;
            log.push("clean");
            caught.unwrap_err().raise::<()>().await;
        }
    });
    yield_now().await;
    assert!(task.cancel());
    let error = (&task).await.unwrap_err();
    assert!(error.is_cancelled());
    assert!(task.cancelled());
    assert!(!task.cancel());
    assert_eq!(log.take(), ["clean"]);
}

#[test]
fn failures_that_nobody_looks_at_are_reported_with_the_tasks_name_and_place() {
    let (log, _) = run(async {
        let log = log_reports();
        create_task(async { panic!("no luck") }).named("reader").detach();
        create_task(async { Err::<(), _>(std::io::Error::other("no disk")) })
            .named("writer")
            .detach();
        yield_now().await;
        yield_now().await;
        log
    });
    let place = |line: u32| format!("(created at {}:{line}:9)", file!());
    let line = line!() - 9;
    let reports = log.take();
    assert_eq!(reports.len(), 2, "{reports:#?}");
    let panicked = "the failure of task 'reader' was never looked at: panicked: no luck";
    assert_eq!(reports[0], format!("{panicked} {}", place(line)));
    assert!(reports[1].starts_with("the failure of task 'writer' was never looked at: "));
    assert!(reports[1].contains("std::io::error::Error"), "{reports:#?}");
    assert!(reports[1].ends_with(&place(line + 1)), "{reports:#?}");
}

#[test]
fn failures_that_somebody_looks_at_are_not() {
    let (log, _) = run(async {
        let log = log_reports();
        let awaited: Task<()> = create_task(async { panic!("awaited") });
        assert!(matches!(awaited.await, Err(TaskError::Panicked(_))));
        let asked = create_task(async { Err::<(), _>("asked") });
        yield_now().await;
        asked.with_result(|result| assert!(result.is_err())).unwrap();
        let gathered = create_task(async { panic!("gathered") });
        let gathered: Result<((),), _> = ronde::gather((gathered,)).await;
        assert!(gathered.is_err());
        let cancelled = create_task(pending::<()>());
        cancelled.cancel();
        yield_now().await;
        log
    });
    assert!(log.take().is_empty());
}

#[test]
fn a_failure_is_reported_when_its_last_handle_goes_and_not_before() {
    let (log, _) = run(async {
        let log = log_reports();
        let task = create_task(async { panic!("held") });
        yield_now().await;
        yield_now().await;
        assert!(log.take().is_empty());
        drop(task);
        assert_eq!(log.take().len(), 1);
        log
    });
    assert!(log.take().is_empty());
}

/// Task number `n` awaits task number `n - 1`, and so on. The last one waits for ever.
fn chain(length: usize) -> Task<()> {
    let mut task = create_task(pending());
    for _ in 1..length {
        let inner = task;
        task = create_task(async move {
            let _ = inner.await;
            unreachable!("a cancellation that was forwarded is raised");
        });
    }
    task
}

#[test]
fn a_chain_of_100_000_tasks_is_cancelled_from_the_top() {
    ronde::run(async {
        let top = chain(100_000);
        yield_now().await;
        assert!(top.cancel());
        assert!((&top).await.unwrap_err().is_cancelled());
        assert_eq!(all_tasks().unwrap().len(), 1);
    })
    .unwrap();
}

#[test]
fn a_chain_of_tasks_that_is_left_over_is_cancelled_at_the_end() {
    // Each of them is cancelled, and each cancellation goes down the chain: no longer than this.
    ronde::run(async {
        chain(1000).detach();
        yield_now().await;
    })
    .unwrap();
}

#[test]
fn a_chain_of_100_000_tasks_can_be_dropped_with_its_loop() {
    let runner = runner();
    runner
        .run(async {
            chain(100_000).detach();
            yield_now().await;
        })
        .unwrap();
    drop(runner);
}

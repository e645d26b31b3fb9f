//! `TaskGroup::start`: a task of a group, and the wait until it is ready.

mod common;

use common::{Log, SECOND, log_reports, run};
use ronde::{
    StartError, Started, TimeoutError, catch_cancelled, sleep, task_group, timeout, yield_now,
};
use std::cell::{Cell, OnceCell};
use std::future::pending;
use std::io;

#[test]
fn start_waits_until_the_task_is_ready_and_gives_what_it_says() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            task_group(async |group| {
                let seen = log.clone();
                let port = group.task_builder().named("server").start(async move |started| {
                    sleep(SECOND).await;
                    started.ready(8080);
                    sleep(SECOND).await;
                    seen.push("served");
                });
                log.push(port.await.unwrap());
                assert_eq!(group.len(), 1);
            })
            .await
            .unwrap();
        }
    });
    assert_eq!((log.take(), seconds), (vec!["8080".into(), "served".into()], 2));
}

#[test]
fn a_failure_before_it_is_ready_is_the_callers() {
    run(async {
        let value = task_group(async |group| {
            let failed = group
                .task_builder()
                .named("server")
                .try_start(async |_: Started<()>| Err::<(), _>(io::Error::other("port in use")))
                .await;
            let error = failed.unwrap_err();
            let text = "task 'server' failed: port in use (before it was ready)";
            assert_eq!(error.to_string(), text);
            let source = std::error::Error::source(&error).unwrap();
            assert!(source.downcast_ref::<io::Error>().is_some());

            let panicked = group.start(async |_: Started<()>| panic!("a bug")).await;
            assert!(matches!(panicked, Err(StartError::Failed(_))));
            "the group goes on"
        });
        assert_eq!(value.await.unwrap(), "the group goes on");
    });
}

#[test]
fn a_failure_after_it_was_ready_is_the_groups() {
    run(async {
        let failed = task_group(async |group| {
            group
                .try_start(async |started: Started<()>| {
                    started.ready(());
                    sleep(SECOND).await;
                    Err::<(), _>(io::Error::other("broken"))
                })
                .await
                .unwrap();
            pending::<()>().await;
        });
        assert_eq!(failed.await.unwrap_err().to_string(), "task 'Task-2' failed: broken");
    });
}

#[test]
fn a_task_that_is_never_ready_is_told_apart_from_one_that_is_cancelled() {
    run(async {
        let cancelled = task_group(async |group| {
            let never = group.start(async |_: Started<()>| ()).await.unwrap_err();
            assert!(matches!(never, StartError::NeverReady { .. }));
            let text = "task 'Task-2' returned without having said that it is ready";
            assert_eq!(never.to_string(), text);

            let cancelled = group.start(async |started: Started<()>| {
                ronde::current_task().unwrap().cancel();
                sleep(SECOND).await;
                started.ready(());
            });
            let error = cancelled.await.unwrap_err();
            assert_eq!(error.to_string(), "task 'Task-3' was cancelled before it was ready");

            group.cancel();
            let refused = group.start(async |started| started.ready(())).await;
            assert!(matches!(refused, Err(StartError::Refused(_))));
        });
        cancelled.await.unwrap();
    });
}

#[test]
fn whoever_is_cancelled_while_it_waits_cancels_the_task() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            task_group(async |group| {
                let seen = log.clone();
                let start = group.start(async move |started: Started<()>| {
                    let caught = catch_cancelled(pending::<()>()).await;
                    seen.push("cancelled");
                    started.ready(());
                    caught.unwrap_err().raise::<()>().await;
                });
                assert_eq!(timeout(SECOND, start).await.map(drop), Err(TimeoutError::default()));
                log.push("goes on");
            })
            .await
            .unwrap();
        }
    });
    assert_eq!(log.take(), ["goes on", "cancelled"]);
}

#[test]
fn every_form_of_start_that_is_given_up_cancels_the_task_and_the_group_waits_for_it() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            task_group(async |group| {
                let child = || {
                    let log = log.clone();
                    async move |_: Started<()>| {
                        let caught = catch_cancelled(pending::<()>()).await;
                        sleep(SECOND / 2).await;
                        log.push("clean");
                        caught.unwrap_err().raise::<io::Result<()>>().await
                    }
                };
                assert!(timeout(SECOND, group.start(child())).await.is_err());
                assert!(timeout(SECOND, group.try_start(child())).await.is_err());
                assert!(timeout(SECOND, group.task_builder().start(child())).await.is_err());
                assert!(timeout(SECOND, group.task_builder().try_start(child())).await.is_err());
                log.push("goes on");
            })
            .await
            .unwrap();
        }
    });
    assert_eq!(log.take(), ["clean", "clean", "clean", "goes on", "clean"]);
    assert_eq!(seconds, 4);
}

#[test]
fn a_failure_that_nobody_waits_for_any_more_is_the_groups() {
    run(async {
        let failed = task_group(async |group| {
            let start = group.start(async |_: Started<()>| {
                let _ = catch_cancelled(pending::<()>()).await;
                panic!("while cleaning up");
            });
            yield_now().await;
            drop(start);
        });
        let error = failed.await.unwrap_err();
        assert_eq!(error.to_string(), "task 'Task-2' panicked: while cleaning up");
    });
}

#[test]
fn a_failure_that_the_caller_is_cancelled_too_early_to_hear_of_is_the_groups() {
    run(async {
        let failed = task_group(async |group| {
            let mut start = Box::pin(group.start(async |_: Started<()>| panic!("a bug")));
            assert!(futures_lite::future::poll_once(&mut start).await.is_none());
            // The task runs, and then its callback.
            yield_now().await;
            yield_now().await;
            drop(start);
        });
        assert_eq!(failed.await.unwrap_err().to_string(), "task 'Task-2' panicked: a bug");
    });
}

#[test]
fn a_failure_that_nobody_hears_of_before_the_group_is_over_is_reported() {
    run(async {
        let reports = log_reports();
        let (kept, start) = (OnceCell::new(), Cell::new(None));
        task_group(async |group| {
            let group = kept.get_or_init(|| group);
            start.set(Some(group.start(async |_: Started<()>| panic!("a bug"))));
            sleep(SECOND).await;
        })
        .await
        .unwrap();
        drop(start.take());
        let reports = reports.take();
        assert_eq!(reports.len(), 1, "{reports:?}");
        let expected = "a failure in a task group that was over: task 'Task-2' panicked: a bug";
        assert!(reports[0].starts_with(expected), "{}", reports[0]);
    });
}

#[test]
fn the_end_of_the_group_ends_the_wait() {
    run(async {
        let failed = task_group(async |group| {
            group.create_task(async {
                sleep(SECOND).await;
                panic!("elsewhere");
            });
            let _ = group.start(async |_: Started<()>| pending::<()>().await).await;
            unreachable!("the body is cancelled");
        });
        assert_eq!(failed.await.unwrap_err().len(), 1);
    });
}

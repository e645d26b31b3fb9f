//! A group whose body may fail, cancelled from outside: as `task_group`, of which `groups.rs` has more.

mod common;

use common::{Log, SECOND, run};
use ronde::{Task, catch_cancelled, create_task, sleep, try_task_group};
use std::future::pending;
use std::io;

/// A group with a task that cleans up for a second. Its body waits for ever, or returns at once.
fn group(log: &Log, body_waits: bool) -> Task<bool> {
    let log = log.clone();
    create_task(async move {
        let group = try_task_group(async |group| {
            let cleans_up = log.clone();
            group.create_task(async move {
                let caught = catch_cancelled(pending::<()>()).await;
                sleep(SECOND).await;
                cleans_up.push("the task is clean");
                caught.unwrap_err().raise::<()>().await;
            });
            if body_waits {
                let _held = log.on_drop("the body is dropped");
                pending::<()>().await;
            }
            Ok::<_, io::Error>(())
        });
        group.await.is_ok()
    })
}

#[test]
fn cancelled_in_its_body_it_ends_the_body_and_waits_for_the_clean_up_of_its_tasks() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            let task = group(&log, true);
            sleep(SECOND).await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    assert_eq!(log.take(), ["the body is dropped", "the task is clean"]);
    assert_eq!(seconds, 2);
}

#[test]
fn cancelled_while_it_waits_for_its_tasks_it_waits_for_their_clean_up() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            let task = group(&log, false);
            sleep(SECOND).await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    assert_eq!(log.take(), ["the task is clean"]);
    assert_eq!(seconds, 2);
}

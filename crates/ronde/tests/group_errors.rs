//! The error of a task group: what is in it, and what stays with the tasks.

mod common;

use common::refusal::{Refusal, refuse_after};
use common::{SECOND, run};
use ronde::{
    FailureCause, InvalidStateError, PanicError, TaskError, TaskGroupError, sleep, task_group,
};
use std::cell::RefCell;
use std::error::Error;
use std::io;

#[test]
fn the_error_is_moved_out_of_a_task_at_the_groups_end() {
    run(async {
        let handle = RefCell::new(None);
        let failed = task_group(async |group| {
            handle.replace(Some(group.try_create_task(refuse_after(1, 5))));
        });
        let error = failed.await.unwrap_err();
        let failure = error.into_iter().next().unwrap();
        assert_eq!(failure.downcast::<Refusal>().unwrap(), Refusal(5));
        let asked = handle.take().unwrap().await.unwrap_err();
        assert!(matches!(asked, TaskError::InvalidState(InvalidStateError::Taken)));
    });
}

#[test]
fn an_error_that_was_taken_before_is_a_failure_all_the_same() {
    run(async {
        let failed = task_group(async |group| {
            // It is taken in the turn in which the task ends: before the group hears of it.
            let task = group.try_create_task(async { Err::<(), _>(Refusal(6)) }).named("bad");
            group.create_task(async move {
                assert_eq!(task.take_result().unwrap(), Err(Refusal(6)));
            });
        });
        let error = failed.await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "task 'bad' failed: its error, of type group_errors::common::refusal::Refusal, was moved out by an await"
        );
        assert!(matches!(error.first().unwrap().cause(), FailureCause::Taken { .. }));
        assert!(error.source().is_none());
        assert!(error.into_iter().next().unwrap().downcast::<Refusal>().is_err());
    });
}

#[test]
fn the_error_of_an_untyped_task_stays_with_it() {
    run(async {
        let handle = RefCell::new(None);
        let failed = task_group(async |group| {
            handle.replace(Some(group.create_task(refuse_after(1, 5))));
        });
        assert_eq!(failed.await.unwrap_err().len(), 1);
        assert_eq!(handle.take().unwrap().await.unwrap(), Err(Refusal(5)));
    });
}

#[test]
fn failures_are_told_apart_by_the_type_of_their_error() {
    run(async {
        let failed = task_group(async |group| {
            group.try_create_task(refuse_after(1, 1));
            group.try_create_task(async {
                sleep(SECOND).await;
                Err::<(), _>(io::Error::from(io::ErrorKind::NotFound))
            });
            group.try_create_task(refuse_after(1, 2));
        });
        let (refusals, rest) = failed.await.unwrap_err().split::<Refusal>();
        let codes: Vec<_> = refusals.iter().filter_map(|f| f.downcast_ref::<Refusal>()).collect();
        assert_eq!(codes, [&Refusal(1), &Refusal(2)]);
        let (not_found, rest) = rest.unwrap().split::<io::Error>();
        assert_eq!(not_found.len(), 1);
        assert!(rest.is_none());
    });
}

#[test]
fn a_panic_is_told_apart_by_its_type_as_well() {
    run(async {
        let failed = task_group(async |group| {
            group.create_task(async { panic!("a bug") });
            group.try_create_task(async { Err::<(), _>(Refusal(1)) });
        });
        let (panics, rest) = failed.await.unwrap_err().split::<PanicError>();
        let panics: Vec<_> = panics.into_iter().map(|f| f.downcast::<PanicError>()).collect();
        assert!(matches!(&*panics, [Ok(panic)] if panic.message() == "a bug"), "{panics:?}");
        let refusal = rest.unwrap().into_iter().next().unwrap();
        let refusal = refusal.downcast::<PanicError>().unwrap_err();
        assert_eq!(refusal.downcast::<Refusal>().unwrap(), Refusal(1));
    });
}

#[test]
fn a_message_shows_a_few_of_very_many_failures() {
    run(async {
        let error = task_group(async |group| {
            for number in 0..1000 {
                group.try_create_task(async move { Err::<(), _>(Refusal(number)) }).named("bad");
            }
        });
        let error = error.await.unwrap_err();
        assert_eq!(error.failures().len(), 1000);
        let text = error.to_string();
        let expected = "task 'bad' failed: refusal 0 (and 999 more: task 'bad' failed: refusal 1, ";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("task 'bad' failed: refusal 4, ...)"), "{text}");
    });
}

#[test]
fn a_group_in_a_task_of_a_group_keeps_its_failures_together() {
    run(async {
        let failed = task_group(async |group| {
            group
                .try_create_task(task_group(async |inner| {
                    inner.try_create_task(refuse_after(1, 1)).named("inner");
                }))
                .named("outer");
        });
        let error = failed.await.unwrap_err();
        assert_eq!(error.to_string(), "task 'outer' failed: task 'inner' failed: refusal 1");
        let inner = error.first().unwrap().downcast_ref::<TaskGroupError>().unwrap();
        assert_eq!(inner.first().unwrap().name(), "inner");
    });
}

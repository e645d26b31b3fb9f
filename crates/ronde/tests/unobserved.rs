//! Failures that nobody looks at: who hears of them, and how they end a program.

mod common;

use common::{Log, SECOND, log_reports, run};
use ronde::low_level::SimulatedClock;
use ronde::{
    FailurePolicy, RunError, Runner, catch_cancelled, create_task, get_running_loop, sleep,
    task_group, yield_now,
};
use std::future::{Future, pending};

fn strict() -> Runner {
    let policy = FailurePolicy::EndProgram;
    Runner::builder().clock(SimulatedClock::new()).on_unobserved_failure(policy).build().unwrap()
}

/// How a run of `main` ends under the policy, and that it ends at once.
fn ends_with(main: impl Future<Output = ()> + 'static) -> String {
    let runner = strict();
    let Err(RunError::UnobservedFailure(failure)) = runner.run(main) else { panic!() };
    assert!(failure.created_at().unwrap().file().ends_with("unobserved.rs"));
    runner.close().unwrap();
    failure.to_string()
}

#[test]
fn reports_name_the_task_and_where_it_was_created_for_an_err_and_a_panic_alike() {
    run(async {
        let reports = log_reports();
        let line = line!() + 1;
        create_task(async { Err::<(), _>("lost") }).named("reader").detach();
        create_task(async { panic!("a bug") }).named("writer").detach();
        yield_now().await;
        let reports = reports.take();
        assert_eq!(reports.len(), 2);
        for (index, (name, what)) in
            [("reader", "returned the Err of"), ("writer", "panicked: a bug")]
                .into_iter()
                .enumerate()
        {
            let report = &reports[index];
            let begin = format!("the failure of task '{name}' was never looked at: {what}");
            assert!(report.starts_with(&begin), "{report}");
            let end = format!("unobserved.rs:{}:9)", line + index as u32);
            assert!(report.ends_with(&end), "{report}");
        }
    });
}

#[test]
fn an_err_that_nobody_looks_at_ends_the_program() {
    let text = ends_with(async {
        log_reports();
        create_task(async { Err::<(), _>("lost") }).named("reader").detach();
        pending::<()>().await;
    });
    assert!(text.starts_with("the failure of task 'reader' was never looked at"), "{text}");
}

#[test]
fn so_does_a_panic_and_so_does_one_of_a_callback() {
    let text = ends_with(async {
        log_reports();
        create_task(async { panic!("a bug") }).named("reader").detach();
        pending::<()>().await;
    });
    assert!(text.contains("'reader' was never looked at: panicked: a bug"), "{text}");
    let text = ends_with(async {
        log_reports();
        get_running_loop().unwrap().call_later(SECOND, || panic!("in a callback"));
        pending::<()>().await;
    });
    assert!(text.starts_with("a callback failed: panicked: in a callback"), "{text}");
}

#[test]
fn the_end_is_orderly_and_the_failure_is_reported_as_ever() {
    let log = Log::default();
    let runner = strict();
    let ended = runner.run({
        let log = log.clone();
        async move {
            let reports = log_reports();
            create_task({
                let log = log.clone();
                async move {
                    let _ = catch_cancelled(pending::<()>()).await;
                    sleep(SECOND).await;
                    log.push("a task is clean");
                }
            })
            .detach();
            create_task(async { Err::<(), _>("lost") }).detach();
            let caught = catch_cancelled(pending::<()>()).await.unwrap_err();
            log.push(&caught);
            sleep(SECOND).await;
            log.push(reports.take().len());
            caught.raise::<()>().await;
        }
    });
    runner.close().unwrap();
    let Err(error @ RunError::UnobservedFailure(_)) = ended else { panic!() };
    assert_eq!(error.exit_code(), 1);
    assert!(std::error::Error::source(&error).is_some());
    let expected = ["cancelled: a failure that nobody looked at", "1", "a task is clean"];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_failure_while_the_rest_is_cancelled_at_the_end_is_one_as_well() {
    let runner = strict();
    runner
        .run(async {
            log_reports();
            create_task(async {
                let _ = catch_cancelled(pending::<()>()).await;
                panic!("while cleaning up");
            })
            .detach();
            yield_now().await;
        })
        .unwrap();
    let Err(RunError::UnobservedFailure(failure)) = runner.close() else { panic!() };
    assert_eq!(failure.panic().unwrap().message(), "while cleaning up");
    runner.close().unwrap();
}

#[test]
fn a_failure_in_a_group_that_was_dropped_ends_the_program_too() {
    let text = ends_with(async {
        log_reports();
        let group = task_group(async |group| {
            group.create_task(async { panic!("a bug") }).named("bad");
            group.create_task(async {
                let _ = catch_cancelled(pending::<()>()).await;
                sleep(60 * SECOND).await;
            });
        });
        poll_for_a_while(group).await;
        pending::<()>().await;
    });
    let expected = "the failure of task 'bad' was never looked at: panicked: a bug";
    assert!(text.contains(expected), "{text}");
}

/// Polls a future a few times, and drops it.
async fn poll_for_a_while<F: Future>(future: F) {
    let mut future = std::pin::pin!(future);
    for _ in 0..5 {
        let _ = futures_lite::future::poll_once(future.as_mut()).await;
        yield_now().await;
    }
}

#[test]
fn a_failure_that_somebody_looks_at_changes_nothing() {
    let runner = strict();
    let value = runner.run(async {
        let failed = create_task(async { Err::<(), _>("seen") });
        let panicked = create_task(async { assert_eq!(1, 2, "seen, too") });
        let seen = failed.await.unwrap() == Err("seen");
        seen && panicked.await.is_err()
    });
    assert!(value.unwrap());
    runner.close().unwrap();
}

#[test]
fn by_default_the_program_goes_on() {
    let (value, _) = run(async {
        log_reports();
        create_task(async { Err::<(), _>("lost") }).detach();
        sleep(SECOND).await;
        7
    });
    assert_eq!(value, 7);
}

mod program {
    #[ronde::main(end_on_unobserved_failure)]
    pub(crate) async fn main() -> u8 {
        ronde::yield_now().await;
        7
    }
}

#[test]
fn the_attribute_takes_the_policy() {
    assert_eq!(program::main(), 7);
}

//! Failures that nobody waits for go to the exception handler, and the loop goes on.

mod common;

use common::{Log, simulated, turn};
use ronde_loop::{EventLoop, ExceptionContext, Failure, get_running_loop};
use std::rc::Rc;

/// Logs each report.
fn log_reports(event_loop: &EventLoop) -> Log {
    let log = Log::default();
    let reports = log.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |context| reports.push(context))));
    log
}

#[test]
fn a_callback_that_panics_is_reported_and_the_loop_goes_on() {
    let event_loop = simulated();
    let log = log_reports(&event_loop);
    event_loop.call_soon(|| panic!("no {}", "luck"));
    let line = line!() - 1;
    event_loop.call_soon(log.pushes("next"));
    turn(&event_loop);
    let expected =
        format!("a callback failed: panicked: no luck (created at {}:{line}:16)", file!());
    assert_eq!(log.take(), [expected, String::from("next")]);
}

#[test]
fn so_is_a_timer_that_panics() {
    let event_loop = simulated();
    let log = log_reports(&event_loop);
    event_loop.call_later(common::SECOND, || panic!("too late"));
    let line = line!() - 1;
    event_loop.run_until_complete(ronde_loop::sleep(2 * common::SECOND)).unwrap();
    let expected =
        format!("a callback failed: panicked: too late (created at {}:{line}:16)", file!());
    assert_eq!(log.take(), [expected]);
}

#[test]
fn the_handler_gets_the_panic_and_where_the_callback_was_registered() {
    let event_loop = simulated();
    event_loop.set_exception_handler(Some(Rc::new({
        let log = Log::default();
        move |context: &ExceptionContext| {
            let Failure::Panic(panic) = &context.failure else { panic!("{context:?}") };
            assert_eq!(panic.message(), "no luck");
            assert!(context.created_at.unwrap().file().ends_with("failures.rs"));
            assert!(context.task.is_none());
            log.push("called");
        }
    })));
    event_loop.call_soon(|| panic!("no luck"));
    turn(&event_loop);
}

#[test]
fn a_task_whose_panic_nobody_looks_at_is_reported_with_its_name_and_its_place() {
    let event_loop = simulated();
    let log = log_reports(&event_loop);
    event_loop.create_task(async { panic!("unseen") }).named("worker").detach();
    let line = line!() - 1;
    turn(&event_loop);
    let expected = format!(
        "the failure of task 'worker' was never looked at: panicked: unseen \
         (created at {}:{line}:16)",
        file!()
    );
    assert_eq!(log.take(), [expected]);
}

#[test]
fn a_task_whose_err_nobody_looks_at_is_reported() {
    let event_loop = simulated();
    let log = log_reports(&event_loop);
    event_loop.create_task(async { Err::<(), u8>(1) }).named("worker").detach();
    turn(&event_loop);
    let reports = log.take();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].contains("task 'worker'"), "{reports:?}");
    assert!(reports[0].contains("Result<(), u8>"), "{reports:?}");
}

#[test]
fn a_failure_that_was_looked_at_is_nobodys_business() {
    let event_loop = simulated();
    let log = log_reports(&event_loop);
    let awaited = event_loop.create_task(async { panic!("seen") });
    event_loop.run_until_complete(async { assert!(awaited.await.is_err()) }).unwrap();
    let asked = event_loop.create_task(async { Err::<(), u8>(1) });
    turn(&event_loop);
    assert!(asked.result().unwrap().is_err());
    drop(asked);
    let cancelled = event_loop.create_task(std::future::pending::<()>());
    cancelled.cancel();
    turn(&event_loop);
    drop(cancelled);
    assert!(log.take().is_empty());
}

#[test]
fn the_handler_can_be_asked_for_and_reset() {
    let event_loop = simulated();
    assert!(event_loop.get_exception_handler().is_none());
    let log = log_reports(&event_loop);
    let handler = event_loop.get_exception_handler().unwrap();
    let error = std::io::Error::other("no descriptors left");
    let context = ExceptionContext::new("accept failed", Failure::Error(Box::new(error)));
    handler(&context);
    event_loop.call_exception_handler(&context);
    assert_eq!(log.take(), ["accept failed: no descriptors left"; 2]);

    event_loop.set_exception_handler(None);
    assert!(event_loop.get_exception_handler().is_none());
    event_loop.call_exception_handler(&context); // to the standard error output
    assert!(log.take().is_empty());
}

#[test]
fn a_handler_runs_on_the_loop_and_may_use_it() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.set_exception_handler(Some(Rc::new({
        let log = log.clone();
        move |_| {
            log.push("handler");
            let event_loop = get_running_loop().unwrap();
            event_loop.set_exception_handler(None);
            event_loop.call_soon(log.pushes("callback"));
        }
    })));
    event_loop.call_soon(|| panic!("on purpose"));
    turn(&event_loop);
    turn(&event_loop);
    assert_eq!(log.take(), ["handler", "callback"]);
}

//! Failures that nobody waits for, and panics in places where they hurt.

mod support;

use futures_lite::future::{or, yield_now};
use ronde_executor::{Failure, PanicError, Promise, TaskBuilder, TaskError, TaskRef};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use support::{Gate, Log, at_drop, executor, log_failures, run};

#[test]
fn a_panic_that_nobody_looked_at_is_reported_exactly_once() {
    let (executor, log) = (executor(), Log::default());
    log_failures(&executor, &log);
    let task = executor.spawn(async { panic!("oh") }).named("worker");
    let reference = TaskRef::from(&task);
    run(&executor);
    drop(task);
    assert_eq!(log.take(), [""; 0], "somebody can still look");
    drop(reference);
    let lines = log.take();
    assert_eq!(lines.len(), 1);
    let expected = "the failure of task 'worker' was never looked at: panicked: oh (created at ";
    assert!(lines[0].starts_with(expected), "{lines:?}");
}

#[test]
fn an_err_that_nobody_looked_at_is_reported_with_its_type() {
    let executor = executor();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let names = seen.clone();
    executor.set_exception_handler(Some(Rc::new(move |context| {
        assert!(context.created_at.is_some());
        match &context.failure {
            Failure::Err { type_name } => names.borrow_mut().push(*type_name),
            other => panic!("{other:?}"),
        }
    })));
    executor.spawn(async { Err::<(), _>(std::io::Error::other("no")) }).detach();
    run(&executor);
    assert_eq!(seen.take(), ["core::result::Result<(), std::io::error::Error>"]);
}

#[test]
fn a_failure_that_was_looked_at_is_not_reported() {
    let (executor, log) = (executor(), Log::default());
    log_failures(&executor, &log);
    let failing = || executor.spawn(async { Err::<(), _>(1) });
    let (read, taken, asked, awaited, untyped) =
        (failing(), failing(), failing(), failing(), failing());
    let reference = TaskRef::from(&untyped);
    executor.spawn(async move { drop(awaited.await) }).detach();
    executor.spawn(async move { drop(reference.await) }).detach();
    run(&executor);
    read.with_result(|_| ()).unwrap();
    taken.take_result().unwrap().unwrap_err();
    assert!(asked.exception().unwrap().is_none());
    drop((read, taken, asked, untyped));
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn results_and_cancellations_are_not_reported() {
    let (executor, log) = (executor(), Log::default());
    log_failures(&executor, &log);
    executor.spawn(async { Ok::<(), u8>(()) }).detach();
    let cancelled = executor.spawn(async { Err::<(), u8>(1) });
    cancelled.cancel();
    drop(cancelled);
    run(&executor);
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn the_value_of_a_detached_task_may_panic_in_its_destructor() {
    let (executor, log) = (executor(), Log::default());
    log_failures(&executor, &log);
    executor.spawn(async { at_drop(|| panic!("in a destructor")) }).detach();
    let line = log.clone();
    executor.spawn(async move { line.push("next") }).detach();
    run(&executor);
    assert_eq!(log.take(), ["the result of a task panicked: panicked: in a destructor", "next"]);
}

#[test]
fn a_handler_that_panics_about_a_detached_task_does_no_harm() {
    let executor = executor();
    executor.set_exception_handler(Some(Rc::new(|_| panic!("the handler, too"))));
    executor.spawn(async { panic!("oh") }).detach();
    let next = executor.spawn(async { 1 });
    run(&executor);
    assert_eq!(next.result().unwrap(), 1);
}

#[test]
fn the_frames_of_a_task_are_gone_before_anybody_hears_of_its_outcome() {
    let (executor, log) = (executor(), Log::default());
    let guard = log.at_drop("frame");
    let task = executor.spawn(async move {
        let _guard = guard;
        panic!("oh");
    });
    let line = log.clone();
    task.add_done_callback(move |task| line.push(task.exception().unwrap().unwrap()));
    run(&executor);
    assert_eq!(log.take(), ["frame", "panicked: oh"]);
}

#[test]
fn a_panic_can_be_resumed_with_its_payload_once() {
    let executor = executor();
    let task = executor.spawn(async { std::panic::panic_any(7_u32) });
    run(&executor);
    let panic = task.exception().unwrap().unwrap();
    assert_eq!(panic.message(), "a payload that is not text");
    let again = panic.clone();
    let payload = catch_unwind(AssertUnwindSafe(|| panic.resume())).unwrap_err();
    assert_eq!(*payload.downcast::<u32>().unwrap(), 7);
    let payload = catch_unwind(AssertUnwindSafe(|| again.resume())).unwrap_err();
    assert_eq!(*payload.downcast::<String>().unwrap(), "a payload that is not text");
}

#[test]
fn a_panic_passes_from_task_to_task_if_each_resumes_it() {
    let executor = executor();
    let inner = executor.spawn(async { panic!("deep") });
    let outer = executor.spawn(async move {
        match inner.await {
            Err(TaskError::Panicked(panic)) => panic.resume(),
            other => other,
        }
    });
    run(&executor);
    assert_eq!(outer.exception().unwrap().unwrap().message(), "deep");
}

#[test]
fn errors_say_what_they_are() {
    let panic = PanicError::of(Box::new("oh"));
    assert_eq!(format!("{panic:?} {panic}"), "PanicError(\"oh\") panicked: oh");
    let error = TaskError::Panicked(panic);
    assert!(std::error::Error::source(&error).is_some());
    assert!(!error.is_cancelled());
    let error = std::io::Error::from(error);
    assert_eq!(
        (error.kind(), error.to_string()),
        (std::io::ErrorKind::Other, "panicked: oh".into())
    );
}

#[test]
fn the_last_of_what_a_task_waited_for_may_panic_in_its_destructor() {
    let (executor, gate) = (executor(), Gate::default());
    let promise = Promise::new();
    let (awaited, waited) = (promise.clone(), gate.clone());
    let task = executor.spawn(async move {
        or(waited.wait(), async { drop(awaited.await) }).await;
        yield_now().await;
    });
    run(&executor);
    executor.enter(|| {
        assert!(promise.set_result(at_drop(|| panic!("in a destructor"))).is_ok());
        gate.open();
        drop(promise);
    });
    run(&executor);
    assert_eq!(task.exception().unwrap().unwrap().message(), "in a destructor");
    executor.close();
}

#[test]
fn of_a_frame_and_a_value_that_both_panic_in_their_destructors_the_frame_is_the_one() {
    let executor = executor();
    // A future of its own, whose frame outlives its return.
    struct Frame(Option<Box<dyn std::any::Any>>);
    impl Drop for Frame {
        fn drop(&mut self) {
            panic!("the frame");
        }
    }
    impl Future for Frame {
        type Output = Box<dyn std::any::Any>;
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Ready(self.0.take().unwrap())
        }
    }
    let task = executor.spawn(Frame(Some(Box::new(at_drop(|| panic!("the value"))))));
    run(&executor);
    assert_eq!(task.exception().unwrap().unwrap().message(), "the frame");
    executor.close();
}

#[test]
fn a_task_whose_creation_panics_is_not_left_behind() {
    let (executor, log) = (executor(), Log::default());
    let dropped = log.at_drop("the future is dropped");
    let create = || {
        TaskBuilder::new().create_task_with(async { drop(dropped) }, |task| {
            let log = log.clone();
            task.add_done_callback(move |task| log.push(format!("{task:?}").contains("cancelled")));
            panic!("no")
        })
    };
    let created = executor.enter(|| catch_unwind(AssertUnwindSafe(create)));
    assert!(created.is_err());
    assert_eq!(executor.all_tasks().len(), 0);
    run(&executor);
    assert_eq!(log.take(), ["the future is dropped", "true"]);
}

//! What a task is known by: name, number, text, and who is running.

mod support;

use ronde_executor::{Promise, TaskRef, current_task};
use std::collections::HashSet;
use support::{Gate, executor, run};

#[test]
fn tasks_are_numbered_from_one_and_named_after_their_number() {
    let executor = executor();
    let first = executor.spawn(async {});
    let second = executor.spawn(async {});
    assert_eq!((&*first.name(), &*second.name()), ("Task-1", "Task-2"));
    assert_eq!((first.id().to_string(), second.id().to_string()), ("1".into(), "2".into()));
    assert!(first.id() < second.id());
}

#[test]
fn a_name_can_be_given_and_changed() {
    let executor = executor();
    let task = executor.spawn(async { current_task().unwrap().set_name("third") }).named("first");
    assert_eq!(&*task.name(), "first");
    task.set_name(String::from("second"));
    assert_eq!(&*task.name(), "second");
    run(&executor);
    assert_eq!(&*task.name(), "third");
}

#[test]
fn a_reference_is_an_identity() {
    let executor = executor();
    let (one, other) = (executor.spawn(async {}), executor.spawn(async {}));
    let reference = TaskRef::from(&one);
    assert_eq!(reference, reference.clone());
    assert_ne!(reference, TaskRef::from(&other));
    let set: HashSet<TaskRef> = [reference.clone(), TaskRef::from(&one)].into();
    assert_eq!(set.len(), 1);
}

#[test]
fn the_text_of_a_task_says_what_it_is_and_where_it_comes_from() {
    let executor = executor();
    let promise = Promise::<()>::new();
    let awaited = promise.clone();
    let task = executor.spawn(async move { awaited.await.is_ok() });
    let line = line!() - 1;

    let text = format!("{task:?}");
    assert!(
        text.starts_with("<Task pending name='Task-1' coro=<identity::the_text_of_a"),
        "{text}"
    );
    assert!(text.ends_with(&format!("identity.rs:{line}:25>")), "{text}");
    assert_eq!(task.created_at().line(), line);
    assert!(task.coroutine().starts_with("identity::the_text_of_a_task"), "{}", task.coroutine());

    run(&executor);
    let text = format!("{task:?}");
    assert!(text.ends_with("wait_for=<Promise pending>>"), "{text}");
    assert_eq!(format!("{:?}", task.waiting_for().unwrap()), "<Promise pending>");

    executor.enter(|| task.cancel());
    assert!(format!("{task:?}").starts_with("<Task cancelling name="));
    run(&executor);
    let text = format!("{task:?}");
    assert!(text.starts_with("<Task cancelled name="), "{text}");
    assert!(!text.contains("wait_for"), "{text}");
    assert!(task.waiting_for().is_none());
}

#[test]
fn the_text_of_a_finished_task_has_its_result_or_its_panic() {
    let executor = executor();
    let value = executor.spawn(async { Some(7) });
    let panic = executor.spawn(async { panic!("oh") });
    run(&executor);
    assert!(format!("{value:?}").starts_with("<Task finished name='Task-1'"));
    assert!(format!("{value:?}").ends_with(" result=Some(7)>"));
    assert!(format!("{:?}", TaskRef::from(&value)).contains("finished"));
    assert!(format!("{panic:?}").ends_with(" exception=PanicError(\"oh\")>"));
    assert_eq!(panic.exception().unwrap().unwrap().message(), "oh");
}

#[test]
fn a_task_that_waits_for_a_task_says_its_name_and_one_that_waits_for_both_says_several() {
    let executor = executor();
    let gate = Gate::default();
    let child = executor.spawn(async move { gate.wait().await }).named("child");
    let reference = TaskRef::from(&child);
    let parent = executor.spawn(child.into_future());
    let both = executor.spawn(async move {
        let _ =
            futures_lite::future::zip((&reference).into_future(), (&reference).into_future()).await;
    });
    run(&executor);
    assert!(format!("{parent:?}").ends_with("wait_for=<Task 'child'>>"), "{parent:?}");
    assert!(format!("{both:?}").ends_with("wait_for=several things>"), "{both:?}");
}

#[test]
fn the_current_task_is_the_one_being_polled_and_nobody_in_callbacks() {
    let executor = executor();
    assert!(current_task().is_none());
    executor.call_soon(|| assert!(current_task().is_none()));
    let task = executor.spawn(async { current_task().unwrap().id() });
    run(&executor);
    assert_eq!(task.result().unwrap(), task.id());
    assert!(current_task().is_none());
}

#[test]
fn the_current_task_is_known_to_destructors_of_a_cancelled_coroutine() {
    let (executor, log) = (executor(), support::Log::default());
    let line = log.clone();
    let task = executor.spawn(async move {
        let _guard =
            support::at_drop(move || line.push(current_task().unwrap().name().to_string()));
        std::future::pending::<()>().await;
    });
    run(&executor);
    executor.enter(|| task.cancel());
    run(&executor);
    assert_eq!(log.take(), ["Task-1"]);
}

#[test]
fn a_task_of_another_executor_is_current_while_it_is_polled_inside() {
    let (outer, inner) = (executor(), executor());
    let task = outer.spawn(async move {
        let named = inner.spawn(async { current_task().unwrap().name() }).named("inner");
        run(&inner);
        (named.take_result().unwrap(), current_task().unwrap().name())
    });
    run(&outer);
    let (within, after) = task.take_result().unwrap();
    assert_eq!((&*within, &*after), ("inner", "Task-1"));
}

#[test]
fn all_tasks_are_those_that_are_not_done_in_order_of_creation() {
    let executor = executor();
    let gate = Gate::default();
    let waiting = gate.clone();
    executor.spawn(async move { waiting.wait().await }).named("waits").detach();
    executor.spawn(async {}).detach();
    executor.spawn(std::future::pending::<()>()).named("stays").detach();
    assert_eq!(executor.all_tasks().len(), 3);
    run(&executor);
    let names = || executor.all_tasks().iter().map(|task| task.name()).collect::<Vec<_>>();
    assert_eq!(names(), ["waits".into(), "stays".into()]);
    executor.spawn(std::future::pending::<()>()).named("new").detach();
    assert_eq!(names(), ["waits".into(), "stays".into(), "new".into()]);
    executor.enter(|| gate.open());
    run(&executor);
    assert_eq!(names(), ["stays".into(), "new".into()]);
}

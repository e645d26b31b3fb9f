//! What is known of a task.

mod support;

use std::future::pending;

use ronde_context::WaitKind;
use ronde_executor::{Executor, Promise, TaskBuilder, TaskInfo, TaskRef, TaskState, current_task};
use support::executor;

#[test]
fn the_state_of_a_task_goes_from_new_to_its_end() {
    let executor = executor();
    let running = executor.spawn(async { current_task().unwrap().state() });
    let suspended = executor.spawn(pending::<()>());
    let panicked = executor.spawn(async { panic!("on purpose") });
    let reference = TaskRef::from(&panicked);
    assert_eq!((running.state(), suspended.state()), (TaskState::New, TaskState::New));
    executor.run_batch();
    assert_eq!(running.result().unwrap(), TaskState::Running);
    assert_eq!(running.state(), TaskState::Returned);
    assert_eq!(suspended.state(), TaskState::Suspended);
    assert_eq!(reference.state(), TaskState::Panicked);
    assert!(reference.exception().is_ok());
    suspended.cancel();
    assert_eq!((suspended.state(), suspended.info().cancelling), (TaskState::Suspended, 1));
    executor.run_batch();
    assert_eq!(suspended.state(), TaskState::Cancelled);
    let words = [TaskState::New, TaskState::Running, TaskState::Suspended].map(|it| it.to_string());
    assert_eq!(words, ["new", "running", "suspended"]);
}

#[test]
fn the_parent_is_the_task_that_created_it_on_the_same_executor() {
    let executor = executor();
    let made_outside = executor.spawn(async {});
    let parent = executor.spawn(async {
        let eager = TaskBuilder::new()
            .eager()
            .create_task(async { TaskBuilder::new().create_task(async {}).parent() });
        let other = Executor::new(|| {});
        let elsewhere = other.spawn(async {}).parent();
        (eager.parent(), eager.id(), eager.result().unwrap(), elsewhere)
    });
    executor.run_batch();
    let (eager, eager_id, grandchild, elsewhere) = parent.result().unwrap();
    assert_eq!(made_outside.parent(), None);
    assert_eq!(eager, Some(parent.id()));
    assert_eq!(grandchild, Some(eager_id));
    assert_eq!(elsewhere, None, "its numbers are another executor's");
    executor.run_batch();
}

#[test]
fn steps_are_counted_whatever_they_lead_to() {
    let executor = executor();
    let task = executor.spawn(async {
        for _ in 0..3 {
            futures_lite::future::yield_now().await;
        }
    });
    while executor.run_batch() > 0 {}
    assert_eq!(task.steps(), 4);
    let cancelled = executor.spawn(pending::<()>());
    cancelled.cancel();
    executor.run_batch();
    assert_eq!(cancelled.steps(), 1);
}

#[test]
fn the_facts_of_a_task_are_plain_data() {
    fn plain<T: Send + Sync + Clone + 'static>(_: &T) {}
    let executor = executor();
    let line = line!() + 1;
    let inner = executor.spawn(pending::<()>()).named("inner");
    let inner_id = inner.id();
    let outer = executor.spawn(async move { inner.await }).named("outer");
    executor.run_batch();
    let info: TaskInfo = outer.info();
    plain(&info);
    assert_eq!((&*info.name, info.state, info.steps), ("outer", TaskState::Suspended, 1));
    assert_eq!(info.coroutine, "facts::the_facts_of_a_task_are_plain_data");
    assert_eq!(info.created_at.line(), line + 2);
    assert_eq!(info.parent, None);
    let waiting = info.waiting.unwrap();
    assert_eq!((waiting.kind, &*waiting.description), (WaitKind::Task, "<Task 'inner'>"));
    assert_eq!(waiting.tasks, [inner_id]);
}

#[test]
fn a_promise_is_waited_for_and_leads_to_those_that_it_waits_for() {
    let executor = executor();
    let (first, second) = (executor.spawn(pending::<()>()), executor.spawn(async {}));
    let (first, second) = (TaskRef::from(&first), TaskRef::from(&second));
    let promise = Promise::<u8>::new();
    let waiting = executor.spawn(promise.clone().into_future());
    executor.run_batch();
    assert_eq!(waiting.waiting_for().unwrap().kind(), WaitKind::Promise);
    assert!(waiting.waits_on().is_empty());

    let tasks = [first.clone(), first.clone(), second.clone()];
    promise.set_waits_on(move || tasks.iter().map(TaskRef::to_awaited).collect());
    // Each once, and who is done is waited for no more.
    assert!(second.done());
    assert_eq!(waiting.waits_on(), [first]);
    executor.enter(|| promise.set_result(1)).unwrap();
    executor.run_batch();
    assert!(waiting.waits_on().is_empty());
    promise.set_waits_on(|| unreachable!("it is done"));
}

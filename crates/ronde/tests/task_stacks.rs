//! Asking a task what it waits for, and what that waits for.

mod common;

use common::SECOND;
use ronde::{
    Lock, Promise, StackEnd, Task, TaskRef, TaskStack, create_task, current_task, sleep, yield_now,
};
use std::cell::RefCell;
use std::rc::Rc;

fn names(stack: &TaskStack) -> Vec<String> {
    stack.tasks().iter().map(|task| task.name().to_string()).collect()
}

#[ronde::test(simulated)]
async fn a_stack_leads_from_task_to_task_to_the_sleep_at_its_end() {
    let line = line!() + 1;
    let last = create_task(async { sleep(SECOND).await }).named("last");
    let middle = create_task(async { last.await.unwrap() }).named("middle");
    let first = create_task(async { middle.await.unwrap() }).named("first");
    yield_now().await;
    yield_now().await;

    let stack = first.get_stack();
    assert_eq!(names(&stack), ["first", "middle", "last"]);
    let StackEnd::WaitsFor(what) = stack.end() else { panic!("{stack}") };
    let printed = stack.to_string();
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines[0].starts_with("Stack for <Task pending name='first'"), "{printed}");
    assert!(lines[0].ends_with("(most recent call last):"), "{printed}");
    assert!(lines[3].starts_with("  'last' in task_stacks::a_stack_leads"), "{printed}");
    assert!(lines[3].contains(&format!("created at {}:{line}:", file!())), "{printed}");
    assert_eq!(lines[4], format!("  waits for {what}"));
    assert_eq!(lines.len(), 5);
    first.await.unwrap();
}

#[ronde::test(simulated)]
async fn at_the_end_of_a_stack_a_lock_names_its_owner_and_a_promise_is_a_promise() {
    let lock = Rc::new(Lock::new(()));
    current_task().unwrap().set_name("owner");
    let guard = lock.acquire().await;
    let waiting = create_task({
        let lock = lock.clone();
        async move { drop(lock.acquire().await) }
    });
    let promise = Promise::<()>::new();
    let promised = create_task(promise.clone().into_future());
    yield_now().await;

    let StackEnd::WaitsFor(what) = waiting.get_stack().end().clone() else { panic!() };
    assert_eq!(what, "<Lock [locked, owner:<Task 'owner'>, waiters:1]>");
    let end = promised.get_stack().end().clone();
    assert_eq!(end, StackEnd::WaitsFor("<Promise pending>".to_owned()));
    drop(guard);
    promise.set_result(()).unwrap();
    waiting.await.unwrap();
    promised.await.unwrap().unwrap();
}

#[ronde::test(simulated)]
async fn a_task_that_is_done_has_no_stack_and_one_that_runs_or_has_not_begun_has_itself() {
    let me = current_task().unwrap();
    let stack = me.get_stack();
    assert_eq!((stack.tasks(), stack.end()), (&[me][..], &StackEnd::Running));

    let task = create_task(async {}).named("short");
    let reference = TaskRef::from(&task);
    assert_eq!(*reference.get_stack().end(), StackEnd::Unknown);
    assert_eq!(names(&reference.get_stack()), ["short"]);
    task.await.unwrap();
    let stack = reference.get_stack();
    assert!(stack.tasks().is_empty());
    assert_eq!(*stack.end(), StackEnd::Done);
    assert!(stack.to_string().starts_with("No stack for <Task finished name='short'"));
}

#[ronde::test(simulated)]
async fn tasks_that_wait_for_one_another_in_a_circle_are_listed_once() {
    let other: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    let first = create_task({
        let other = other.clone();
        async move {
            let other = other.take().unwrap();
            let _cancelled = other.await;
        }
    })
    .named("first");
    let reference = TaskRef::from(&first);
    let second = create_task(async move { drop(first.await) }).named("second");
    other.replace(Some(second));
    yield_now().await;

    let stack = reference.get_stack();
    assert_eq!(names(&stack), ["first", "second"]);
    assert_eq!(*stack.end(), StackEnd::Cycle(reference.clone()));
    assert!(stack.to_string().ends_with("\n  waits for 'first' again: a deadlock"));
    reference.cancel();
}

//! A cancellation goes to what the task waits for, and comes back through it.

mod support;

use futures_lite::future::{or, pending, poll_once, yield_now};
use ronde_context::{CancelStep, catch_cancelled};
use ronde_executor::{Executor, Promise, Task, TaskError, TaskRef};
use std::cell::RefCell;
use std::rc::Rc;
use support::{Gate, Log, executor, run};

/// Spawns a chain of tasks, each waiting for the next, with `last` at its end. The first one comes
/// last in the list.
fn chain(executor: &Executor, length: usize, last: Task<()>) -> Vec<TaskRef> {
    let mut tasks = vec![TaskRef::from(&last)];
    let mut next = last;
    for _ in 1..length {
        next = executor.spawn(async move {
            let _ = next.await;
        });
        tasks.push(TaskRef::from(&next));
    }
    next.detach();
    tasks
}

#[test]
fn a_cancellation_travels_to_the_end_of_a_chain_and_raises_all_the_way_back() {
    let executor = executor();
    let last = executor.spawn(pending::<()>());
    let tasks = chain(&executor, 4, last);
    run(&executor);
    executor.enter(|| tasks[3].cancel_msg("why"));
    assert!(tasks.iter().all(|task| task.cancelling() == 1));
    // One link a batch, as in asyncio.
    for ended in 1..=4 {
        executor.run_batch();
        assert_eq!(tasks.iter().filter(|task| task.cancelled()).count(), ended);
    }
    assert_eq!(tasks[3].exception().unwrap_err().to_string(), "cancelled: why");
}

#[test]
fn a_chain_that_ends_at_a_promise_cancels_the_promise() {
    let executor = executor();
    let promise = Promise::<()>::new();
    let awaited = promise.clone();
    let last = executor.spawn(async move { drop(awaited.await) });
    let tasks = chain(&executor, 3, last);
    run(&executor);
    executor.enter(|| tasks[2].cancel_msg("why"));
    assert!(promise.cancelled());
    assert_eq!(promise.result().unwrap_err().to_string(), "cancelled: why");
    run(&executor);
    assert!(tasks.iter().all(TaskRef::cancelled));
}

#[test]
fn a_child_that_swallows_the_cancellation_saves_its_parent() {
    let executor = executor();
    let child = executor.spawn(async {
        let _ = catch_cancelled(pending::<()>()).await;
        "swallowed"
    });
    let parent = executor.spawn(async move { child.await.unwrap() });
    run(&executor);
    executor.enter(|| parent.cancel());
    run(&executor);
    assert_eq!(parent.result().unwrap(), "swallowed");
}

#[test]
fn a_cancellation_by_somebody_else_is_a_value() {
    let (executor, log) = (executor(), Log::default());
    let child = executor.spawn(pending::<()>());
    let reference = TaskRef::from(&child);
    let line = log.clone();
    let parent = executor.spawn(async move {
        line.push(child.await.unwrap_err());
        "goes on"
    });
    run(&executor);
    executor.enter(|| reference.cancel_msg("not yours"));
    run(&executor);
    assert_eq!(log.take(), ["cancelled: not yours"]);
    assert_eq!(parent.result().unwrap(), "goes on");
}

#[test]
fn a_forwarded_cancellation_is_raised_although_the_await_is_ignored() {
    let (executor, log) = (executor(), Log::default());
    let child = executor.spawn(pending::<()>());
    let line = log.clone();
    let parent = executor.spawn(async move {
        let _ = child.await;
        line.push("never");
    });
    run(&executor);
    executor.enter(|| parent.cancel());
    run(&executor);
    assert!(parent.cancelled());
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn a_handler_around_the_await_catches_what_comes_back() {
    let executor = executor();
    let child = executor.spawn(pending::<()>());
    let parent = executor.spawn(async move {
        let error = catch_cancelled(child.into_future()).await.unwrap_err();
        error.message().map(String::from)
    });
    run(&executor);
    executor.enter(|| parent.cancel_msg("why"));
    run(&executor);
    assert_eq!(parent.result().unwrap().as_deref(), Some("why"));
}

#[test]
fn a_task_whose_child_is_done_gets_the_cancellation_itself() {
    let executor = executor();
    let gate = Gate::default();
    let waited = gate.clone();
    let child = executor.spawn(async move {
        waited.wait().await;
        1
    });
    let parent = executor.spawn(async move { child.await.unwrap() });
    run(&executor);
    executor.enter(|| gate.open());
    executor.run_batch();
    executor.enter(|| parent.cancel());
    run(&executor);
    assert!(parent.cancelled());
}

#[test]
fn other_waiters_of_a_cancelled_child_get_the_cancellation_as_a_value() {
    let executor = executor();
    let child = Rc::new(executor.spawn(pending::<()>()));
    let (one, other) = (child.clone(), child.clone());
    let cancelled = executor.spawn(async move { (&*one).await.is_err() });
    let watcher = executor.spawn(async move { (&*other).await.is_err() });
    run(&executor);
    executor.enter(|| cancelled.cancel());
    run(&executor);
    assert!(cancelled.cancelled());
    assert!(watcher.result().unwrap());
}

#[test]
fn a_cancellation_on_its_way_survives_that_the_waiting_task_is_polled_for_another_reason() {
    let executor = executor();
    let (clean_up, other) = (Gate::default(), Gate::default());
    let (cleaning, waited) = (clean_up.clone(), other.clone());
    let child = executor.spawn(async move {
        let error = catch_cancelled(pending::<()>()).await.unwrap_err();
        cleaning.wait().await;
        error.raise::<()>().await;
    });
    let parent = executor.spawn(async move {
        futures_lite::future::zip(
            async {
                let _ = child.await;
            },
            waited.wait(),
        )
        .await;
        "swallowed by accident"
    });
    run(&executor);
    executor.enter(|| parent.cancel_msg("why"));
    run(&executor);
    // The other branch is woken, and the whole task is polled, while the child still cleans up.
    executor.enter(|| other.wake());
    run(&executor);
    executor.enter(|| clean_up.open());
    run(&executor);
    assert!(parent.cancelled(), "{parent:?}");
}

#[test]
fn a_task_that_gives_up_on_its_child_gets_the_cancellation_that_went_there() {
    let (executor, log) = (executor(), Log::default());
    let (clean_up, other) = (Gate::default(), Gate::default());
    let (cleaning, waited, line) = (clean_up.clone(), other.clone(), log.clone());
    let child = executor.spawn(async move {
        let _ = catch_cancelled(pending::<()>()).await;
        cleaning.wait().await;
    });
    let parent = executor.spawn(async move {
        or(async { drop(child.await) }, waited.wait()).await;
        line.push("the other branch won");
        pending::<()>().await;
    });
    run(&executor);
    executor.enter(|| parent.cancel_msg("why"));
    run(&executor);
    assert!(!parent.done(), "the child cleans up");
    executor.enter(|| other.open());
    run(&executor);
    assert_eq!(log.take(), ["the other branch won"]);
    assert!(parent.cancelled());
    assert_eq!(parent.exception().unwrap_err().to_string(), "cancelled: why");
}

#[test]
fn a_child_that_was_given_up_in_the_same_poll_gets_no_cancellation_in_the_parents_stead() {
    let executor = executor();
    let promise = Promise::<()>::new();
    let child = executor.spawn(pending::<()>());
    let (awaited, reference) = (promise.clone(), TaskRef::from(&child));
    let parent = executor.spawn(async move {
        assert!(poll_once(awaited.into_future()).await.is_none());
        assert!(poll_once(child.into_future()).await.is_none());
        assert!(poll_once(reference.into_future()).await.is_none());
        pending::<()>().await;
    });
    run(&executor);
    assert!(parent.waiting_for().is_none());
    executor.enter(|| parent.cancel());
    run(&executor);
    assert!(parent.cancelled());
    assert!(!promise.done());
}

#[test]
fn after_a_lost_race_the_thing_waited_for_next_is_what_is_cancelled() {
    let executor = executor();
    let (loser, next) = (Promise::<()>::new(), Promise::<()>::new());
    let (racing, awaited) = (loser.clone(), next.clone());
    let task = executor.spawn(async move {
        or(async { drop(racing.await) }, async {}).await;
        let _ = awaited.await;
    });
    run(&executor);
    executor.enter(|| task.cancel());
    assert!(next.cancelled() && !loser.done());
    run(&executor);
    assert!(task.cancelled());
}

#[test]
fn two_tasks_that_wait_for_each_other_can_be_cancelled() {
    let executor = executor();
    let slot = Rc::new(RefCell::new(None::<TaskRef>));
    let seen = slot.clone();
    let one = executor.spawn(async move {
        let other = seen.borrow().clone().unwrap();
        let _ = other.await;
    });
    let reference = TaskRef::from(&one);
    let other = executor.spawn(async move { drop(reference.await) });
    slot.replace(Some(TaskRef::from(&other)));
    run(&executor);
    executor.enter(|| one.cancel());
    run(&executor);
    assert!(one.cancelled() && other.cancelled());
}

#[test]
fn a_circle_that_is_entered_from_outside_can_be_cancelled() {
    let executor = executor();
    let slot = Rc::new(RefCell::new(None::<TaskRef>));
    let seen = slot.clone();
    let last = executor.spawn(async move {
        let first = seen.borrow().clone().unwrap();
        let _ = first.await;
    });
    let circle = chain(&executor, 7, last);
    slot.replace(Some(circle[4].clone()));
    run(&executor);
    executor.enter(|| circle[6].cancel());
    run(&executor);
    assert!(circle.iter().all(TaskRef::done));
    assert!(circle[6].cancelled());
}

#[test]
fn a_circle_through_something_that_waits_for_several_things_can_be_cancelled() {
    let executor = executor();
    let slot = Rc::new(RefCell::new(None::<TaskRef>));
    let seen = slot.clone();
    let all = Promise::<()>::with_cancel({
        let slot = slot.clone();
        move |_| CancelStep::ForwardAll(vec![slot.borrow().as_ref().unwrap().to_awaited()])
    });
    let one = executor.spawn(async move { drop(all.await) });
    let reference = TaskRef::from(&one);
    let other = executor.spawn(async move { drop(reference.await) });
    seen.replace(Some(TaskRef::from(&other)));
    run(&executor);
    executor.enter(|| one.cancel());
    run(&executor);
    assert!(one.cancelled() && other.cancelled());
    slot.take();
}

#[test]
fn cancelling_twice_asks_the_child_twice() {
    let executor = executor();
    let child = executor.spawn(async {
        let _ = catch_cancelled(pending::<()>()).await;
        pending::<()>().await;
    });
    let reference = TaskRef::from(&child);
    let parent = executor.spawn(child.into_future());
    run(&executor);
    executor.enter(|| parent.cancel());
    run(&executor);
    assert!(!parent.done());
    executor.enter(|| parent.cancel());
    run(&executor);
    assert_eq!((reference.cancelling(), parent.cancelling()), (2, 2));
    assert!(reference.cancelled() && parent.cancelled());
}

#[test]
fn cancelling_ahead_of_the_first_await_of_a_child_leaves_the_child_alone() {
    let executor = executor();
    let child = executor.spawn(async {
        yield_now().await;
        1
    });
    let reference = TaskRef::from(&child);
    let parent = executor.spawn(async move { child.await.map_err(|_: TaskError| ()) });
    parent.cancel();
    run(&executor);
    assert!(parent.cancelled() && !reference.cancelled() && reference.done());
}

/// Runs `f` in a thread whose stack a recursion over the chain would overflow.
fn with_a_small_stack(f: fn()) {
    std::thread::Builder::new().stack_size(128 * 1024).spawn(f).unwrap().join().unwrap();
}

const LONG: usize = 100_000;

#[test]
fn a_long_chain_is_cancelled_without_recursion() {
    with_a_small_stack(|| {
        let executor = executor();
        let last = executor.spawn(pending::<()>());
        let tasks = chain(&executor, LONG, last);
        run(&executor);
        executor.enter(|| tasks[LONG - 1].cancel());
        run(&executor);
        assert!(tasks.iter().all(TaskRef::cancelled));
    });
}

#[test]
fn a_long_chain_is_closed_without_recursion() {
    with_a_small_stack(|| {
        let executor = executor();
        let last = executor.spawn(pending::<()>());
        let tasks = chain(&executor, LONG, last);
        run(&executor);
        executor.close();
        assert!(tasks.iter().all(TaskRef::cancelled));
    });
}

#[test]
fn a_long_chain_is_dropped_with_its_executor_without_recursion() {
    with_a_small_stack(|| {
        let executor = executor();
        let last = executor.spawn(pending::<()>());
        let tasks = chain(&executor, LONG, last);
        run(&executor);
        drop(executor);
        assert!(tasks.iter().all(TaskRef::cancelled));
    });
}

#[test]
fn a_deep_nest_of_things_that_wait_for_several_things_is_cancelled_without_recursion() {
    with_a_small_stack(|| {
        let executor = executor();
        let mut next = executor.spawn(pending::<()>());
        let mut tasks = vec![TaskRef::from(&next)];
        for _ in 1..LONG / 10 {
            let reference = TaskRef::from(&next);
            let all = Promise::<()>::with_cancel(move |_| {
                CancelStep::ForwardAll(vec![reference.to_awaited()])
            });
            let child_done = all.clone();
            next.add_done_callback(move |_| assert!(child_done.set_cancelled(Default::default())));
            next = executor.spawn(async move { drop(all.await) });
            tasks.push(TaskRef::from(&next));
        }
        run(&executor);
        executor.enter(|| next.cancel());
        run(&executor);
        assert!(tasks.iter().all(TaskRef::cancelled));
    });
}

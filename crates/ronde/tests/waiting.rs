//! `wait` and `wait_for`: conditions, time limits, and that `wait` disturbs nobody.

mod common;

use common::{Log, SECOND, after, run};
use ronde::{
    ReturnWhen, Task, TaskRef, Waited, catch_cancelled, create_task, sleep, wait, wait_for,
    yield_now,
};
use std::future::pending;
use std::time::Duration;

fn names<R: AsRef<TaskRef>>(tasks: &[R]) -> Vec<String> {
    tasks.iter().map(|task| task.as_ref().name().to_string()).collect()
}

fn lists<R: AsRef<TaskRef>>(waited: &Waited<R>) -> (Vec<String>, Vec<String>) {
    (names(&waited.done), names(&waited.pending))
}

fn named(name: &'static str, seconds: u32) -> Task<&'static str> {
    create_task(after(seconds, name)).named(name)
}

fn failing(name: &'static str, seconds: u32) -> Task<Result<(), &'static str>> {
    create_task(after(seconds, Err("failed"))).named(name)
}

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

#[test]
fn by_default_it_waits_for_all_and_keeps_the_order_it_was_given() {
    let (_, seconds) = run(async {
        let tasks = [named("c", 3), named("a", 1), named("b", 2)];
        let waited = wait(&tasks).await;
        assert_eq!(lists(&waited), (list(&["c", "a", "b"]), list(&[])));
    });
    assert_eq!(seconds, 3);
}

#[test]
fn first_completed_returns_when_one_is_done_however_it_ended() {
    let (_, seconds) = run(async {
        let tasks = [named("slow", 3), named("quick", 1), named("slower", 4)];
        let waited = wait(&tasks).return_when(ReturnWhen::FirstCompleted).await;
        assert_eq!(lists(&waited), (list(&["quick"]), list(&["slow", "slower"])));
        // What was moved in comes back out.
        let waited = wait(tasks).return_when(ReturnWhen::FirstCompleted).await;
        assert_eq!(lists(&waited), (list(&["quick"]), list(&["slow", "slower"])));

        let cancelled = named("cancelled", 60);
        cancelled.cancel();
        let waited = wait([&cancelled]).return_when(ReturnWhen::FirstCompleted).await;
        assert_eq!(names(&waited.done), ["cancelled"]);
    });
    assert_eq!(seconds, 1);
}

#[test]
fn first_exception_returns_at_the_first_err_or_panic() {
    let (_, seconds) = run(async {
        let good = create_task(after(1, Ok(()))).named("good");
        let tasks = [good, failing("bad", 2), failing("worse", 3)];
        let waited = wait(&tasks).return_when(ReturnWhen::FirstException).await;
        assert_eq!(lists(&waited), (list(&["good", "bad"]), list(&["worse"])));
        assert!(tasks[1].result().unwrap().is_err());
        wait(&tasks).await;
        assert!(tasks[2].result().unwrap().is_err());

        let panics: Task<&str> = create_task(async { panic!("on purpose") }).named("panics");
        let slow = named("slow", 60);
        let waited = wait([&panics, &slow]).return_when(ReturnWhen::FirstException).await;
        assert_eq!(lists(&waited), (list(&["panics"]), list(&["slow"])));
        assert!(panics.await.is_err());
    });
    assert_eq!(seconds, 3);
}

#[test]
fn first_exception_without_one_waits_for_all_and_a_cancelled_task_is_none() {
    let (_, seconds) = run(async {
        let cancelled = named("cancelled", 60);
        let tasks = [named("a", 1), named("b", 2)];
        cancelled.cancel();
        let all = [&cancelled, &tasks[0], &tasks[1]];
        let waited = wait(all).return_when(ReturnWhen::FirstException).await;
        assert_eq!(lists(&waited), (list(&["cancelled", "a", "b"]), list(&[])));
    });
    assert_eq!(seconds, 2);
}

#[test]
fn when_the_time_is_up_the_rest_is_pending_and_runs_on() {
    let (_, seconds) = run(async {
        let tasks = [named("slow", 3), named("quick", 1)];
        let waited = wait(&tasks).timeout(2 * SECOND).await;
        assert_eq!(lists(&waited), (list(&["quick"]), list(&["slow"])));
        let [slow, _] = tasks;
        assert_eq!(slow.await.unwrap(), "slow");
    });
    assert_eq!(seconds, 3);
}

#[test]
fn a_limit_of_zero_still_looks() {
    let (_, seconds) = run(async {
        let tasks = [named("done", 0), named("pending", 60)];
        yield_now().await;
        yield_now().await;
        let waited = wait(&tasks).timeout(Duration::ZERO).await;
        assert_eq!(lists(&waited), (list(&["done"]), list(&["pending"])));
    });
    assert_eq!(seconds, 0);
}

#[test]
fn the_limit_leaves_no_timer_when_all_are_done() {
    let (_, seconds) = run(async {
        wait([&named("a", 1)]).timeout(60 * SECOND).await;
    });
    assert_eq!(seconds, 1);
}

#[test]
fn waiting_for_nothing_returns_at_once() {
    // DIFFERENCE: asyncio has a ValueError.
    let (_, seconds) = run(async {
        let waited = wait(Vec::<TaskRef>::new()).timeout(60 * SECOND).await;
        assert!(waited.done.is_empty() && waited.pending.is_empty());
    });
    assert_eq!(seconds, 0);
}

#[test]
fn cancelling_the_task_that_waits_leaves_the_others_alone() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            let task = named("undisturbed", 2);
            let target = TaskRef::from(&task);
            let waiter = create_task(async move {
                wait([target]).await;
            });
            sleep(SECOND).await;
            waiter.cancel();
            assert!(waiter.await.unwrap_err().is_cancelled());
            log.push(task.await.unwrap());
        }
    });
    assert_eq!(log.take(), ["undisturbed"]);
    assert_eq!(seconds, 2);
}

#[test]
fn wait_for_gives_a_futures_value_or_a_timeout() {
    let (_, seconds) = run(async {
        assert_eq!(wait_for(after(1, 7), 2 * SECOND).await.unwrap(), 7);
        assert!(wait_for(pending::<()>(), 2 * SECOND).await.is_err());
    });
    assert_eq!(seconds, 3);
}

#[test]
fn wait_for_cancels_a_task_and_waits_until_it_is_over() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            let task = create_task(async move {
                let caught = catch_cancelled(pending::<()>()).await;
                sleep(5 * SECOND).await;
                log.push("clean");
                caught.unwrap_err().raise::<()>().await;
            });
            assert!(wait_for(&task, SECOND).await.is_err());
            assert!(task.cancelled());
        }
    });
    assert_eq!(log.take(), ["clean"]);
    assert_eq!(seconds, 6);
}

#[test]
fn wait_for_gives_the_value_of_a_task_that_swallows_the_cancellation() {
    run(async {
        let task = create_task(async {
            let _ = catch_cancelled(pending::<()>()).await;
            7
        });
        assert_eq!(wait_for(task, SECOND).await.unwrap().unwrap(), 7);
    });
}

#[test]
fn wait_for_with_a_limit_of_zero_takes_what_is_done_and_cancels_the_rest() {
    run(async {
        let (done, not_done) = (create_task(async { 7 }), create_task(pending::<()>()));
        yield_now().await;
        assert_eq!(wait_for(done, Duration::ZERO).await.unwrap().unwrap(), 7);
        assert!(wait_for(&not_done, Duration::ZERO).await.is_err());
        assert!(not_done.cancelled());
    });
}

#[test]
fn wait_for_polls_a_future_even_with_a_limit_of_zero() {
    // DIFFERENCE: asyncio doesn't start a coroutine then. A future's readiness shows in a poll only.
    run(async {
        assert_eq!(wait_for(async { 7 }, Duration::ZERO).await, Ok(7));
        assert!(wait_for(sleep(SECOND), Duration::ZERO).await.is_err());
    });
}

#[test]
fn wait_for_passes_a_cancellation_from_outside_on_to_the_task() {
    run(async {
        let inner = create_task(pending::<()>());
        let target = TaskRef::from(&inner);
        let waiter = create_task(async move { wait_for(inner, 60 * SECOND).await.is_err() });
        yield_now().await;
        waiter.cancel();
        assert!(waiter.await.unwrap_err().is_cancelled());
        assert!(target.cancelled());
    });
}

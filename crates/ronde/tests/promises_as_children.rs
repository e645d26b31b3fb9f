//! Promises where tasks are taken: `gather`, `wait`, `shield`, `as_completed`, `run`. And what was
//! gathered or shielded, as a promise.

use std::cell::RefCell;
use std::future::{Future, IntoFuture};
use std::rc::Rc;
use std::time::Duration;

use ronde::low_level::SimulatedClock;
use ronde::{
    ChildRef, Promise, ReturnWhen, RunError, Runner, TaskError, as_completed, catch_cancelled,
    create_task, gather, gather_all, get_running_loop, shield, sleep, timeout, try_gather, wait,
    yield_now,
};

const SECOND: Duration = Duration::from_secs(1);

fn run<F: Future + 'static>(main: F) -> F::Output {
    let runner = Runner::builder().clock(SimulatedClock::new()).build().unwrap();
    let output = runner.run(main).unwrap();
    runner.close().unwrap();
    output
}

/// A promise that is set after a second.
fn later<T: 'static>(value: T) -> Promise<T> {
    let promise = Promise::new();
    let set = promise.clone();
    get_running_loop().unwrap().call_later(SECOND, move || drop(set.set_result(value)));
    promise
}

#[test]
fn a_promise_is_gathered_beside_tasks_and_futures() {
    let gathered = run(async {
        let kept = later("kept");
        gather((later(String::from("moved")), &kept, create_task(async { 1 }), async { 2 })).await
    });
    assert_eq!(gathered.unwrap(), ("moved".to_owned(), "kept", 1, 2));
}

#[test]
fn a_promise_with_an_err_is_a_failure_where_one_counts() {
    run(async {
        let error: Result<((), ()), Box<dyn std::error::Error>> =
            try_gather((later(Err("no".into())), std::future::pending())).await;
        assert_eq!(error.unwrap_err().to_string(), "no");

        let failed = later(Err::<(), _>("no"));
        let slow = create_task(sleep(2 * SECOND));
        let both = [ChildRef::from(&failed), ChildRef::from(&slow)];
        let waited = wait(&both).return_when(ReturnWhen::FirstException).await;
        assert_eq!(waited.done, [&both[0]]);
        assert_eq!(failed.result().unwrap(), Err("no"));
        slow.cancel();
    });
}

#[test]
fn a_promise_that_is_cancelled_fails_a_gathering_and_cancelling_that_cancels_it() {
    run(async {
        let promise = Promise::<()>::new();
        promise.cancel_msg("not needed");
        assert_eq!(gather((&promise,)).await.unwrap_err().to_string(), "cancelled: not needed");
        let (outcome,) = gather((&promise,)).return_exceptions().await;
        assert!(outcome.unwrap_err().is_cancelled());

        let promise = Promise::<()>::new();
        let gathering = create_task(gather((promise.clone(),)));
        yield_now().await;
        gathering.cancel();
        assert!(gathering.await.unwrap_err().is_cancelled());
        assert!(promise.cancelled());
    });
}

#[test]
fn a_shielded_promise_is_left_alone() {
    run(async {
        let promise = later(7);
        assert!(timeout(SECOND / 2, shield(&promise)).await.is_err());
        assert!(!promise.cancelled());
        assert_eq!(shield(&promise).await.unwrap(), 7);
    });
}

#[test]
fn promises_come_out_as_they_are_set() {
    let order = run(async {
        let first = Promise::new();
        let mut finished = as_completed([first.clone(), later(2)]);
        let mut order = Vec::new();
        while let Some(child) = finished.next().await {
            assert_eq!(child.task(), None);
            let number = child.await.unwrap();
            order.push(number);
            if number == 2 {
                first.set_result(1).unwrap();
            }
        }
        order
    });
    assert_eq!(order, [2, 1]);
}

#[test]
fn a_loop_runs_until_a_promise_is_done() {
    let runner = Runner::builder().clock(SimulatedClock::new()).build().unwrap();
    let promise = Promise::new();
    let set = promise.clone();
    runner.get_loop().call_later(SECOND, move || set.set_result(3).unwrap());
    assert_eq!(runner.run(&promise).unwrap(), 3);
    assert_eq!(runner.run(promise).unwrap(), 3);

    let cancelled = Promise::<()>::new();
    cancelled.cancel();
    assert!(matches!(runner.run(cancelled), Err(RunError::Cancelled(_))));
    assert!(matches!(runner.run(Promise::<()>::new()), Err(RunError::Deadlock(_))));
    runner.close().unwrap();
}

#[test]
fn a_child_can_be_awaited_and_the_wait_cancelled_or_dropped() {
    run(async {
        let promise = Promise::<i32>::new();
        let child = ChildRef::from(&promise);
        assert_eq!(format!("{child:?}"), "<Promise pending>");

        let waiting = create_task(catch_cancelled(child.clone().into_future()));
        yield_now().await;
        waiting.cancel();
        assert!(waiting.await.unwrap().is_err());
        // As with any promise: who waits for it passes the cancellation on.
        assert!(promise.cancelled());
        assert!(child.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn several_tasks_await_one_gathering_that_is_a_promise() {
    run(async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let sum = gather_all([later(1), later(2)])
            .into_promise(|numbers| numbers.map(|numbers| numbers.into_iter().sum::<i32>()));
        let called = log.clone();
        sum.add_done_callback(move |sum| called.borrow_mut().push(sum.result().unwrap().unwrap()));
        let tasks = [1, 2].map(|_| {
            let (sum, log) = (sum.clone(), log.clone());
            create_task(async move {
                let sum = (&sum).await.unwrap().unwrap();
                log.borrow_mut().push(sum);
            })
        });
        gather(tasks).await.unwrap();
        assert_eq!(*log.borrow(), [3, 3, 3]);
        // One that is over has its result at once.
        let over = gather((&sum,)).into_promise(|sum| sum.unwrap().0.unwrap());
        assert_eq!(over.result().unwrap(), 3);
    });
}

#[test]
fn a_gathering_that_is_a_promise_passes_its_cancellation_on() {
    run(async {
        let child = create_task(sleep(SECOND));
        let promise = gather((&child,)).into_promise(|result| result);
        assert!(promise.cancel());
        let outcome = (&promise).await;
        // As in asyncio, it ends with the cancellation as an outcome.
        assert!(matches!(outcome, Ok(Err(TaskError::Cancelled(_)))));
        assert!(!promise.cancelled() && child.cancelled() && !promise.cancel());

        let children = [create_task(sleep(SECOND)), create_task(sleep(SECOND))];
        let promise = gather_all(&children).return_exceptions().into_promise(|outcomes| outcomes);
        promise.cancel();
        assert!((&promise).await.unwrap().unwrap_err().is_cancelled());
        assert!(children.iter().all(|child| child.cancelled()));
    });
}

#[test]
fn a_shield_that_is_a_promise_is_cancelled_with_what_it_shields_but_not_the_other_way() {
    run(async {
        let task = create_task(async { sleep(SECOND).await });
        let outer = shield(&task).into_promise(|result| result.unwrap());
        outer.cancel();
        assert!(outer.cancelled() && !task.cancelled());
        task.await.unwrap();

        let task = create_task(sleep(SECOND));
        let outer = shield(&task).into_promise(|result| result.unwrap());
        task.cancel_msg("why");
        assert_eq!((&outer).await.unwrap_err().to_string(), "cancelled: why");
        assert!(outer.cancelled());

        let done = shield(later(5)).into_promise(|result| result.unwrap());
        assert_eq!((&done).await.unwrap(), 5);
    });
}

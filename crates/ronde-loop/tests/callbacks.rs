//! Callbacks, tasks and timers share one queue, and a turn runs what was in it when it began.

mod common;

use common::{Log, simulated, turn};
use ronde_loop::{Promise, get_running_loop, yield_now};
use std::time::Duration;

#[test]
fn a_callback_scheduled_during_a_turn_runs_in_the_next_one() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.call_soon({
        let log = log.clone();
        move || {
            log.push("outer");
            get_running_loop().unwrap().call_soon(log.pushes("inner"));
        }
    });

    turn(&event_loop);
    assert_eq!(log.take(), ["outer"]);
    turn(&event_loop);
    assert_eq!(log.take(), ["inner"]);
}

#[test]
fn callbacks_and_steps_of_tasks_run_in_the_order_in_which_they_became_ready() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.call_soon(log.pushes("callback 1"));
    let task = event_loop.create_task({
        let log = log.clone();
        async move {
            log.push("task, step 1");
            get_running_loop().unwrap().call_soon(log.pushes("callback 3"));
            yield_now().await;
            log.push("task, step 2");
        }
    });
    event_loop.call_soon(log.pushes("callback 2"));

    turn(&event_loop);
    assert_eq!(log.take(), ["callback 1", "task, step 1", "callback 2"]);
    turn(&event_loop);
    assert_eq!(log.take(), ["callback 3", "task, step 2"]);
    assert!(task.done());
}

#[test]
fn timers_that_are_due_come_after_what_was_ready_before() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.call_later(Duration::ZERO, log.pushes("timer"));
    event_loop.call_soon(log.pushes("callback"));

    turn(&event_loop);
    assert_eq!(log.take(), ["callback", "timer"]);
}

#[test]
fn a_new_task_makes_its_first_step_in_the_next_turn() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop
        .run_until_complete({
            let log = log.clone();
            async move {
                let task = get_running_loop().unwrap().create_task({
                    let log = log.clone();
                    async move { log.push("child") }
                });
                log.push("the creator goes on");
                task.await.unwrap();
                log.push("joined");
            }
        })
        .unwrap();
    assert_eq!(log.take(), ["the creator goes on", "child", "joined"]);
}

#[test]
fn a_yield_gives_every_ready_callback_one_chance() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop
        .run_until_complete({
            let log = log.clone();
            async move {
                for line in ["a", "b", "c"] {
                    get_running_loop().unwrap().call_soon(log.pushes(line));
                }
                yield_now().await;
                log.push("back");
            }
        })
        .unwrap();
    assert_eq!(log.take(), ["a", "b", "c", "back"]);
}

#[test]
fn a_cancelled_callback_is_skipped_and_what_it_holds_is_dropped_at_once() {
    let log = Log::default();
    let event_loop = simulated();
    let held = log.on_drop("dropped");
    let handle = event_loop.call_soon(move || drop(held));
    event_loop.call_soon(log.pushes("next"));
    assert!(!handle.cancelled());

    handle.cancel();
    assert!(handle.cancelled());
    assert_eq!(log.take(), ["dropped"]);
    turn(&event_loop);
    assert_eq!(log.take(), ["next"]);
}

#[test]
fn cancelling_a_callback_that_has_run_changes_nothing() {
    let log = Log::default();
    let event_loop = simulated();
    let handle = event_loop.call_soon(log.pushes("called"));
    turn(&event_loop);
    handle.cancel();
    assert!(!handle.cancelled());
    assert_eq!(log.take(), ["called"]);
}

#[test]
fn dropping_the_handle_does_not_cancel() {
    let log = Log::default();
    let event_loop = simulated();
    drop(event_loop.call_soon(log.pushes("called")));
    turn(&event_loop);
    assert_eq!(log.take(), ["called"]);
}

#[test]
fn a_callback_can_cancel_one_that_is_ready_in_the_same_turn() {
    let log = Log::default();
    let event_loop = simulated();
    let slot = std::rc::Rc::new(std::cell::RefCell::new(None::<ronde_loop::Handle>));
    event_loop.call_soon({
        let slot = slot.clone();
        move || slot.take().unwrap().cancel()
    });
    *slot.borrow_mut() = Some(event_loop.call_soon(log.pushes("never")));
    turn(&event_loop);
    assert!(log.take().is_empty());
}

#[test]
fn done_callbacks_and_waiters_are_called_through_the_queue_in_order_of_registration() {
    let log = Log::default();
    let event_loop = simulated();
    let task = event_loop.create_task(async {});
    task.add_done_callback({
        let log = log.clone();
        move |task| log.push(format!("first, {}", task.done()))
    });
    task.add_done_callback({
        let log = log.clone();
        move |_| log.push("second")
    });
    turn(&event_loop);
    assert!(task.done());
    assert!(log.take().is_empty());
    turn(&event_loop);
    assert_eq!(log.take(), ["first, true", "second"]);

    // Registered when it is done already: soon, but not at once.
    task.add_done_callback({
        let log = log.clone();
        move |_| log.push("late")
    });
    assert!(log.take().is_empty());
    turn(&event_loop);
    assert_eq!(log.take(), ["late"]);
}

#[test]
fn a_busy_program_keeps_its_timers_and_its_order() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop
        .run_until_complete({
            let log = log.clone();
            async move {
                get_running_loop().unwrap().call_later(Duration::ZERO, log.pushes("timer"));
                // Far more entries than the loop runs between two looks at the descriptors.
                for _ in 0..1000 {
                    yield_now().await;
                }
                log.push("done");
            }
        })
        .unwrap();
    assert_eq!(log.take(), ["timer", "done"]);
}

#[test]
fn awaiting_a_coroutine_or_what_is_finished_takes_no_turn() {
    async fn nothing_to_wait_for(log: &Log) {
        log.push("coroutine");
    }
    let log = Log::default();
    let event_loop = simulated();
    let (finished, promise) = (event_loop.create_task(async { 7 }), Promise::new());
    promise.set_result(8).unwrap();
    turn(&event_loop);
    event_loop
        .create_task({
            let log = log.clone();
            async move {
                get_running_loop().unwrap().call_soon(log.pushes("the next turn"));
                nothing_to_wait_for(&log).await;
                log.push(finished.await.unwrap());
                log.push(promise.await.unwrap());
            }
        })
        .detach();
    turn(&event_loop);
    assert_eq!(log.take(), ["coroutine", "7", "8"]);
}

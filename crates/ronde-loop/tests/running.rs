//! Running a loop: until a task is done, or until it is stopped.

mod common;

use common::{Log, SECOND, simulated, turn};
use ronde_loop::{CallbackId, EventLoop, RunError, TaskRef, get_running_loop, sleep, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

fn is_send_and_sync<T: Send + Sync>() {}

#[test]
fn run_until_complete_returns_the_value_of_a_future_or_of_a_task() {
    let event_loop = simulated();
    assert_eq!(event_loop.run_until_complete(async { 42 }).unwrap(), 42);

    let task = event_loop.create_task(async { String::from("moved") });
    assert_eq!(event_loop.run_until_complete(task).unwrap(), "moved");

    let task = event_loop.create_task(async { String::from("shared") });
    assert_eq!(event_loop.run_until_complete(&task).unwrap(), "shared");
    assert_eq!(task.result().unwrap(), "shared");
    // Done already.
    assert_eq!(event_loop.run_until_complete(&task).unwrap(), "shared");
}

#[test]
fn a_panic_of_the_main_task_goes_on_in_the_caller_with_its_payload() {
    let event_loop = simulated();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        event_loop.run_until_complete(async { std::panic::panic_any(7_u8) })
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref::<u8>(), Some(&7));
    // The loop has taken no harm.
    assert!(!event_loop.is_running());
    assert_eq!(event_loop.run_until_complete(async { 1 }).unwrap(), 1);
}

#[test]
fn a_main_task_that_is_cancelled_is_an_error_with_the_message() {
    let event_loop = simulated();
    let task = event_loop.create_task(sleep(SECOND));
    task.cancel_msg("enough");
    match event_loop.run_until_complete(task) {
        Err(RunError::Cancelled(error)) => assert_eq!(error.message(), Some("enough")),
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn a_main_task_whose_loop_is_stopped_stays_with_it_and_can_be_resumed() {
    let log = Log::default();
    let event_loop = simulated();
    let task = event_loop.create_task({
        let log = log.clone();
        async move {
            log.push("begun");
            sleep(2 * SECOND).await;
            log.push("over");
            "value"
        }
    });
    event_loop.call_later(SECOND, || get_running_loop().unwrap().stop());
    assert!(matches!(event_loop.run_until_complete(&task), Err(RunError::Stopped)));
    assert_eq!(log.take(), ["begun"]);
    assert!(!task.done());
    assert_eq!(event_loop.run_until_complete(&task).unwrap(), "value");
    assert_eq!(log.take(), ["over"]);
}

#[test]
fn a_future_whose_loop_is_stopped_runs_on_in_a_later_run() {
    let log = Log::default();
    let event_loop = simulated();
    let main = {
        let log = log.clone();
        async move {
            get_running_loop().unwrap().stop();
            sleep(SECOND).await;
            log.push("over");
        }
    };
    assert!(matches!(event_loop.run_until_complete(main), Err(RunError::Stopped)));
    // The end of the first main task stops nothing any more.
    event_loop.run_until_complete(sleep(2 * SECOND)).unwrap();
    assert_eq!(log.take(), ["over"]);
}

#[test]
fn exactly_one_more_turn_runs_after_the_one_in_which_main_ends() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop
        .run_until_complete({
            let log = log.clone();
            async move {
                let event_loop = get_running_loop().unwrap();
                event_loop.call_soon({
                    let log = log.clone();
                    move || {
                        log.push("one more");
                        get_running_loop().unwrap().call_soon(log.pushes("in the next run"));
                    }
                });
            }
        })
        .unwrap();
    assert_eq!(log.take(), ["one more"]);
    turn(&event_loop);
    assert_eq!(log.take(), ["in the next run"]);
}

#[test]
fn stopping_a_loop_that_is_not_running_makes_its_next_run_one_turn_long() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.call_soon({
        let log = log.clone();
        move || {
            log.push("first turn");
            get_running_loop().unwrap().call_soon(log.pushes("second turn"));
        }
    });
    event_loop.stop();
    event_loop.run_forever().unwrap();
    assert_eq!(log.take(), ["first turn"]);
    event_loop.stop();
    event_loop.run_forever().unwrap();
    assert_eq!(log.take(), ["second turn"]);
}

#[test]
fn stopping_before_the_run_does_not_wait_for_timers() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.call_later(SECOND, log.pushes("timer"));
    event_loop.stop();
    event_loop.run_forever().unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn stopping_during_a_turn_lets_the_rest_of_the_turn_run() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.call_soon({
        let log = log.clone();
        move || {
            let event_loop = get_running_loop().unwrap();
            event_loop.stop();
            event_loop.call_soon(log.pushes("later"));
        }
    });
    event_loop.call_soon(log.pushes("same turn"));
    event_loop.run_forever().unwrap();
    assert_eq!(log.take(), ["same turn"]);
}

#[test]
fn a_stop_counts_once() {
    let event_loop = simulated();
    event_loop.stop();
    event_loop.stop();
    event_loop.run_forever().unwrap();
    assert_eq!(event_loop.run_until_complete(async { sleep(SECOND).await }).ok(), Some(()));
}

#[test]
fn running_a_loop_inside_a_running_loop_is_a_clear_error() {
    let event_loop = Rc::new(simulated());
    let inner = event_loop.clone();
    event_loop
        .run_until_complete(async move {
            let outcomes = [
                inner.run_until_complete(async {}).map(drop),
                inner.run_forever(),
                EventLoop::new().unwrap().run_until_complete(async {}),
            ];
            for outcome in outcomes {
                let error = outcome.unwrap_err();
                assert!(matches!(error, RunError::AlreadyRunning), "{error:?}");
                assert!(error.to_string().contains("await the future instead"), "{error}");
            }
            assert!(inner.is_running());
            yield_now().await;
        })
        .unwrap();
}

#[test]
fn a_main_future_that_could_not_run_is_dropped() {
    let log = Log::default();
    let event_loop = simulated();
    event_loop.close().unwrap();
    let held = log.on_drop("dropped");
    let outcome = event_loop.run_until_complete(async move { drop(held) });
    assert!(matches!(outcome, Err(RunError::Closed)));
    assert_eq!(log.take(), ["dropped"]);
    assert!(matches!(event_loop.run_forever(), Err(RunError::Closed)));
}

#[test]
fn the_running_loop_is_known_to_tasks_and_callbacks_and_nowhere_else() {
    let error = get_running_loop().unwrap_err();
    assert_eq!(error.to_string(), "no event loop is running on this thread");
    let event_loop = simulated();
    assert!(get_running_loop().is_err());
    let handle = event_loop.handle();
    event_loop.call_soon({
        let handle = handle.clone();
        move || assert_eq!(get_running_loop().unwrap(), handle)
    });
    event_loop
        .run_until_complete(async move {
            assert_eq!(get_running_loop().unwrap(), handle);
            let elsewhere = std::thread::spawn(|| get_running_loop().is_err()).join().unwrap();
            assert!(elsewhere);
        })
        .unwrap();
    assert!(get_running_loop().is_err());
}

#[test]
fn the_running_loop_is_forgotten_also_when_main_panics() {
    let event_loop = simulated();
    let main = async { panic!("on purpose") };
    let _ = catch_unwind(AssertUnwindSafe(|| event_loop.run_until_complete(main)));
    assert!(get_running_loop().is_err());
    assert!(!event_loop.is_running());
}

#[test]
fn is_running_is_closed_and_debug_tell_the_state() {
    let event_loop = EventLoop::builder().debug(false).build().unwrap();
    assert_eq!(format!("{event_loop:?}"), "<EventLoop running=false closed=false debug=false>");
    let handle = event_loop.handle();
    event_loop
        .run_until_complete(async move {
            assert!(handle.is_running() && !handle.is_closed());
            handle.set_debug(true);
            assert!(handle.get_debug());
            assert_eq!(format!("{handle:?}"), "<EventLoop running=true closed=false debug=true>");
        })
        .unwrap();
    assert!(!event_loop.is_running());
    event_loop.close().unwrap();
    assert!(event_loop.is_closed());
    assert_eq!(format!("{event_loop:?}"), "<EventLoop running=false closed=true debug=true>");
}

#[test]
fn several_loops_of_a_thread_can_take_turns() {
    let log = Log::default();
    let (first, second) = (simulated(), simulated());
    assert_ne!(first.handle(), second.handle());
    first
        .create_task({
            let log = log.clone();
            async move { log.push("first") }
        })
        .detach();
    second.run_until_complete(sleep(SECOND)).unwrap();
    assert!(log.take().is_empty());
    first.run_until_complete(sleep(SECOND)).unwrap();
    assert_eq!(log.take(), ["first"]);
}

#[test]
fn tasks_can_be_prepared_for_a_loop_that_is_yet_to_run() {
    let event_loop = simulated();
    let task = event_loop.create_task(async { 1 });
    assert_eq!(event_loop.all_tasks(), [TaskRef::from(&task)]);
    let main = {
        let _entered = event_loop.enter();
        ronde_loop::IntoChild::into_child(async { 2 })
    };
    assert_eq!(event_loop.run_until_complete(main).unwrap(), 2);
    assert_eq!(task.result().unwrap(), 1);
    assert!(event_loop.all_tasks().is_empty());
}

#[test]
fn plain_data_may_cross_threads() {
    is_send_and_sync::<ronde_loop::Remote>();
    is_send_and_sync::<ronde_loop::Sleep>();
    is_send_and_sync::<ronde_loop::YieldNow>();
    is_send_and_sync::<ronde_loop::TaskError>();
    is_send_and_sync::<CallbackId>();
}

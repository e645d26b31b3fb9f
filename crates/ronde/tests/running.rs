//! `run` and `Runner`: what comes out, and the orderly end.

mod common;

use common::{Log, SECOND, log_reports, run, runner, runner_with};
use ronde::low_level::{EventLoop, SimulatedClock};
use ronde::{
    CancelledError, Promise, RunError, Runner, all_tasks, catch_cancelled, create_task,
    current_task, get_running_loop, sleep, to_thread, yield_now,
};
use std::cell::Cell;
use std::future::pending;
use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn run_returns_what_main_returns() {
    assert_eq!(ronde::run(async { 42 }).unwrap(), 42);
    let error = ronde::run(async {
        let number: u8 = "seven".parse()?;
        Ok::<_, ParseIntError>(number)
    });
    assert!(error.unwrap().is_err());
}

#[test]
fn the_main_task_knows_where_it_was_created() {
    let created_at = ronde::run(async { current_task().unwrap().created_at() }).unwrap();
    assert_eq!(created_at.file(), file!());
    assert_eq!(created_at.line(), line!() - 2);
}

#[test]
fn both_errors_can_be_passed_on_with_a_question_mark() {
    fn program(text: &'static str) -> Result<u8, Box<dyn std::error::Error>> {
        let number = ronde::run(async move { text.parse::<u8>() })??;
        Ok(number)
    }
    assert_eq!(program("7").unwrap(), 7);
    assert!(program("seven").is_err());
}

#[test]
fn run_inside_a_running_loop_is_a_clear_error() {
    ronde::run(async {
        let error = ronde::run(async {}).unwrap_err();
        assert!(matches!(error, RunError::AlreadyRunning));
        assert_eq!(
            error.to_string(),
            "an event loop is running on this thread already: await the future instead"
        );
        assert!(matches!(Runner::new(), Err(RunError::AlreadyRunning)));
        // The running loop has taken no harm.
        yield_now().await;
    })
    .unwrap();
}

#[test]
fn tasks_that_are_left_are_cancelled_and_their_clean_up_is_awaited() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            for name in ["a", "b"] {
                let log = log.clone();
                create_task(async move {
                    let caught = catch_cancelled(pending::<()>()).await;
                    log.push(format!("{name} cleans up"));
                    sleep(SECOND).await;
                    log.push(format!("{name} is clean"));
                    caught.unwrap_err().raise::<()>().await;
                })
                .detach();
            }
            yield_now().await;
            log.push("main is over");
        }
    });
    assert_eq!(
        log.take(),
        ["main is over", "a cleans up", "b cleans up", "a is clean", "b is clean"]
    );
    assert_eq!(seconds, 1);
}

#[test]
fn a_task_that_has_not_begun_at_the_end_never_does() {
    let log = Log::default();
    let held = log.on_drop("dropped");
    run({
        let log = log.clone();
        async move {
            // The loop makes one more turn after main's last: hence a task that makes the task.
            create_task(async move {
                yield_now().await;
                create_task(async move {
                    let _held = held;
                    log.push("never");
                })
                .detach();
            })
            .detach();
            yield_now().await;
        }
    });
    assert_eq!(log.take(), ["dropped"]);
}

#[test]
fn leftovers_are_cancelled_in_the_order_of_their_creation_with_their_own_origin() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            for name in ["first", "second", "third"] {
                let log = log.clone();
                create_task(async move {
                    let error = catch_cancelled(pending::<()>()).await.unwrap_err();
                    log.push(format!("{name}: {:?}", error.origin()));
                })
                .detach();
            }
            yield_now().await;
        }
    });
    assert_eq!(log.take(), ["first: Shutdown", "second: Shutdown", "third: Shutdown"]);
}

#[test]
fn a_leftover_that_fails_while_it_is_cancelled_is_reported() {
    let (log, _) = run(async {
        let log = log_reports();
        create_task(async {
            let _ = catch_cancelled(pending::<()>()).await;
            panic!("while cleaning up");
        })
        .named("clumsy")
        .detach();
        create_task(async {
            let _ = catch_cancelled(pending::<()>()).await;
            Err::<(), _>(String::from("while cleaning up"))
        })
        .named("unlucky")
        .detach();
        yield_now().await;
        log
    });
    let reports = log.take();
    assert_eq!(reports.len(), 2, "{reports:#?}");
    assert!(
        reports
            .iter()
            .any(|report| report.contains("'clumsy'")
                && report.contains("panicked: while cleaning up")),
        "{reports:#?}"
    );
    assert!(
        reports.iter().any(|report| report.contains("'unlucky'") && report.contains("Err")),
        "{reports:#?}"
    );
}

#[test]
fn tasks_that_are_created_during_the_clean_up_are_not_waited_for() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            create_task(async move {
                let _ = catch_cancelled(pending::<()>()).await;
                let held = log.on_drop("the late task is dropped");
                create_task(async move {
                    let _held = held;
                    sleep(60 * SECOND).await;
                })
                .detach();
                log.push("clean");
            })
            .detach();
            yield_now().await;
        }
    });
    assert_eq!(log.take(), ["clean", "the late task is dropped"]);
    assert_eq!(seconds, 0);
}

#[test]
fn a_leftover_that_swallows_the_cancellation_is_waited_for() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            create_task(async move {
                let _ = catch_cancelled(pending::<()>()).await;
                sleep(5 * SECOND).await;
                log.push("at last");
            })
            .detach();
            yield_now().await;
        }
    });
    assert_eq!(log.take(), ["at last"]);
    assert_eq!(seconds, 5);
}

#[test]
fn stopping_the_loop_during_the_clean_up_does_not_cut_it_short() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            create_task(async move {
                let _ = catch_cancelled(pending::<()>()).await;
                get_running_loop().unwrap().stop();
                sleep(SECOND).await;
                log.push("clean");
            })
            .detach();
            yield_now().await;
        }
    });
    assert_eq!(log.take(), ["clean"]);
}

#[test]
fn a_clean_up_that_never_ends_is_a_deadlock_in_simulated_time() {
    let runner = runner();
    runner
        .run(async {
            create_task(async {
                let _ = catch_cancelled(pending::<()>()).await;
                let _ = Promise::<()>::new().await;
            })
            .named("stubborn")
            .detach();
            yield_now().await;
        })
        .unwrap();
    let error = runner.close().unwrap_err();
    assert!(matches!(error, RunError::Deadlock(_)));
    assert!(error.to_string().contains("stubborn"), "{error}");
    assert!(runner.get_loop().is_closed());
}

#[test]
fn jobs_in_the_default_executor_are_waited_for() {
    let done = Arc::new(AtomicBool::new(false));
    ronde::run({
        let done = done.clone();
        async move {
            let (begun, begins) = std::sync::mpsc::channel();
            create_task(to_thread(move || {
                begun.send(()).unwrap();
                for _ in 0..1000 {
                    std::thread::yield_now();
                }
                done.store(true, Ordering::Release);
            }))
            .detach();
            yield_now().await;
            begins.recv().unwrap();
        }
    })
    .unwrap();
    assert!(done.load(Ordering::Acquire));
}

#[test]
fn a_job_that_waits_for_the_loop_is_no_deadlock_at_the_end() {
    let outcome = ronde::run(async {
        let remote = get_running_loop().unwrap().remote();
        let (answer, answered) = std::sync::mpsc::channel();
        let job = get_running_loop().unwrap().run_in_executor(None, move || {
            // Begun before the end or at it: either way the loop has to run for the answer.
            let asked = remote.call_soon_threadsafe(move || answer.send("the loop runs").unwrap());
            asked.unwrap();
            answered.recv().unwrap()
        });
        // Nobody waits for it, and it isn't cancelled.
        create_task(async { std::future::pending::<()>().await }).detach();
        Some(job.unwrap())
    });
    let job = outcome.unwrap().unwrap();
    assert!(format!("{job:?}").contains("done"), "{job:?}");
}

#[test]
fn stopping_the_loop_while_the_executor_is_joined_changes_nothing() {
    let done = Arc::new(AtomicBool::new(false));
    ronde::run({
        let done = done.clone();
        async move {
            let remote = get_running_loop().unwrap().remote();
            let job = get_running_loop().unwrap().run_in_executor(None, move || {
                let (answer, answered) = std::sync::mpsc::channel();
                let stop = move || {
                    get_running_loop().unwrap().stop();
                    answer.send(()).unwrap();
                };
                remote.call_soon_threadsafe(stop).unwrap();
                answered.recv().unwrap();
                done.store(true, Ordering::Release);
            });
            Some(job.unwrap())
        }
    })
    .map(drop)
    .unwrap();
    assert!(done.load(Ordering::Acquire));
}

#[test]
fn at_the_end_the_loop_is_closed() {
    let event_loop = ronde::run(async { get_running_loop().unwrap() }).unwrap();
    assert!(event_loop.is_closed());
    assert!(!event_loop.is_running());
}

#[test]
fn a_panic_of_main_goes_on_in_the_caller_after_the_clean_up() {
    let log = Rc::new(std::cell::RefCell::new(Vec::new()));
    let outcome = catch_unwind(AssertUnwindSafe({
        let log = log.clone();
        move || {
            ronde::run(async move {
                create_task(async move {
                    let _ = catch_cancelled(pending::<()>()).await;
                    yield_now().await;
                    log.borrow_mut().push("leftover is clean");
                })
                .detach();
                yield_now().await;
                std::panic::panic_any(7_u8);
            })
        }
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref::<u8>(), Some(&7));
    assert_eq!(*log.borrow(), ["leftover is clean"]);
    // The thread can run another loop.
    assert_eq!(ronde::run(async { 1 }).unwrap(), 1);
}

#[test]
fn an_err_of_main_is_returned_after_the_clean_up() {
    let log = Log::default();
    let outcome = ronde::run({
        let log = log.clone();
        async move {
            create_task(async move {
                let _ = catch_cancelled(pending::<()>()).await;
                log.push("leftover is clean");
            })
            .detach();
            yield_now().await;
            Err::<(), _>("no luck")
        }
    });
    assert_eq!(outcome.unwrap(), Err("no luck"));
    assert_eq!(log.take(), ["leftover is clean"]);
}

#[test]
fn a_main_that_is_cancelled_is_an_error() {
    let outcome = ronde::run(async {
        current_task().unwrap().cancel_msg("by itself");
        yield_now().await;
    });
    let Err(RunError::Cancelled(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.message(), Some("by itself"));

    let outcome = ronde::run(CancelledError::new("raised").raise::<()>());
    assert_eq!(outcome.unwrap_err().to_string(), "the main task was cancelled: raised");
}

#[test]
fn a_main_that_is_stuck_is_a_deadlock_in_simulated_time() {
    let runner = runner();
    let outcome = runner.run(Promise::<()>::new().wait_done());
    let Err(RunError::Deadlock(deadlock)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(deadlock.tasks[0].waiting_for.as_deref(), Some("<Promise pending>"));
    runner.close().unwrap();
}

#[test]
fn a_runner_runs_several_times_on_one_loop_and_other_tasks_go_on_in_between() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let runner = runner_with(&clock);
    let first = runner
        .run({
            let log = log.clone();
            async move {
                create_task(async move {
                    for n in 0..3 {
                        sleep(SECOND).await;
                        log.push(n);
                    }
                })
                .detach();
                sleep(SECOND + SECOND / 2).await;
                get_running_loop().unwrap()
            }
        })
        .unwrap();
    assert_eq!(log.take(), ["0"]);
    runner.run(sleep(5 * SECOND)).unwrap();
    assert_eq!(log.take(), ["1", "2"]);
    assert_eq!(first, runner.get_loop());
    runner.close().unwrap();
}

#[test]
fn a_runner_runs_tasks_of_its_loop() {
    let runner = runner();
    let task = runner.get_loop().create_task(async { 7 });
    assert_eq!(runner.run(&task).unwrap(), 7);
    assert_eq!(runner.run(task).unwrap(), 7);
}

#[test]
fn a_closed_runner_runs_nothing_and_may_be_closed_again() {
    let runner = runner();
    runner.close().unwrap();
    runner.close().unwrap();
    assert!(matches!(runner.run(async {}), Err(RunError::Closed)));
    assert!(runner.get_loop().is_closed());
}

#[test]
fn a_runner_cannot_be_closed_from_inside() {
    let runner = Rc::new(runner());
    let inner = runner.clone();
    runner
        .run(async move {
            assert!(matches!(inner.close(), Err(RunError::AlreadyRunning)));
            assert!(matches!(inner.run(async {}), Err(RunError::AlreadyRunning)));
            yield_now().await;
        })
        .unwrap();
    runner.close().unwrap();
}

#[test]
fn dropping_a_runner_closes_its_loop_and_nothing_can_wait() {
    let log = Log::default();
    let runner = runner();
    runner
        .run({
            let log = log.clone();
            async move {
                create_task(async move {
                    let _held = log.on_drop("dropped");
                    let _ = catch_cancelled(pending::<()>()).await;
                    log.push("never");
                })
                .detach();
                yield_now().await;
            }
        })
        .unwrap();
    let event_loop = runner.get_loop();
    drop(runner);
    assert!(event_loop.is_closed());
    assert_eq!(log.take(), ["dropped"]);
}

#[test]
fn the_builder_passes_all_parameters_on() {
    let builder = EventLoop::builder().random_seed(7).debug(true);
    let runner = Runner::builder().event_loop(builder).handle_ctrl_c(false).build().unwrap();
    let expected = EventLoop::builder().random_seed(7).build().unwrap().random();
    runner
        .run(async move {
            let event_loop = get_running_loop().unwrap();
            assert!(event_loop.get_debug());
            assert_eq!(event_loop.random(), expected);
            assert_eq!(all_tasks().unwrap().len(), 1);
        })
        .unwrap();
    let runner = Runner::builder().debug(true).build().unwrap();
    assert!(runner.get_loop().get_debug());
}

#[test]
fn a_promise_that_is_cancelled_at_the_end_calls_back_in_the_loop() {
    let in_the_loop = Rc::new(Cell::new(None));
    let seen = in_the_loop.clone();
    ronde::run(async move {
        let promise = Promise::<()>::new();
        promise.add_done_callback(move |_| seen.set(Some(get_running_loop().is_ok())));
        create_task(async move { promise.await }).detach();
        ronde::yield_now().await;
    })
    .unwrap();
    assert_eq!(in_the_loop.get(), Some(true));
}

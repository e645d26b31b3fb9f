//! The tests.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use ronde::low_level::SimulatedClock;
use ronde::{
    Runner, create_task, gather_all, get_running_loop, run_in_executor, sleep, timeout, yield_now,
};
use ronde_process_pool::{ProcessPool, ProcessPoolError, Registry, ReturnCode};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::jobs::*;
use crate::scenarios;
use crate::support::{Gate, children, no_children, pool, run, text, until};

macro_rules! tests {
    ($($name:ident,)*) => {
        const TESTS: &[(&str, fn())] = &[$((stringify!($name), $name),)*];
    };
}

tests! {
    results_come_back,
    workers_are_started_when_they_are_needed_and_used_again,
    jobs_run_at_the_same_time,
    arguments_and_results_may_be_large,
    thousands_of_jobs_share_a_few_workers,
    jobs_begin_in_the_order_in_which_they_came,
    run_in_executor_takes_a_pool_of_processes,
    closures_without_captures_are_functions_too,
    a_function_that_is_not_registered_is_an_error,
    arguments_that_cannot_be_sent_are_an_error,
    results_that_cannot_be_sent_are_an_error,
    a_panic_is_an_error_and_the_worker_lives_on,
    a_crash_fails_one_job_and_the_worker_is_replaced,
    a_job_that_is_cancelled_while_it_runs_loses_its_worker,
    a_job_that_is_cancelled_before_it_begins_never_runs,
    a_job_that_is_cancelled_while_its_worker_starts_leaves_nothing,
    a_turn_that_was_granted_to_a_cancelled_job_is_passed_on,
    a_job_may_have_a_time_limit,
    an_idle_worker_that_dies_harms_no_job,
    a_worker_is_replaced_after_so_many_jobs,
    a_shutdown_waits_for_the_jobs_and_ends_the_workers,
    a_shutdown_that_is_cancelled_can_be_awaited_again,
    every_shutdown_waits_until_the_workers_have_ended,
    jobs_that_outlive_their_pool_fail,
    jobs_whose_pool_is_killed_fail,
    a_pool_that_is_killed_kills_workers_that_are_not_ready,
    jobs_that_wait_fail_at_once_when_the_pool_is_killed,
    a_pool_that_is_dropped_leaves_no_process,
    a_pool_may_outlive_its_loop,
    workers_end_with_their_program,
    workers_end_when_their_program_is_killed,
    an_interrupt_does_not_end_a_worker,
    jobs_may_print_and_have_nothing_to_read,
    a_program_that_forgets_to_serve_is_told,
    a_program_that_cannot_be_a_worker_is_an_error,
    other_functions_are_an_error,
    impossible_numbers_are_an_error,
    time_stands_still_in_a_simulation_while_a_job_runs,
    what_a_pool_does_can_be_seen,
}

pub(crate) fn run_all() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let mut failed = Vec::new();
    for (name, test) in TESTS {
        if filter.as_ref().is_some_and(|filter| !name.contains(filter)) {
            continue;
        }
        let outcome = catch_unwind(test);
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        if outcome.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

fn results_come_back() {
    run(async {
        let pool = pool(2);
        assert_eq!(pool.run(square, 12).await.unwrap(), 144);
        assert_eq!(pool.run(reverse, vec![1, 2, 3]).await.unwrap(), [3, 2, 1]);
        let squares = gather_all((0..10).map(|n| pool.run(square, n))).await.unwrap();
        let squares: Vec<_> = squares.into_iter().map(Result::unwrap).collect();
        assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
    });
}

fn workers_are_started_when_they_are_needed_and_used_again() {
    run(async {
        let pool = pool(8);
        assert_eq!(children(), []);
        assert_eq!(pool.statistics().started, 0);
        let first = pool.run(pid, ()).await.unwrap();
        for _ in 0..10 {
            assert_eq!(pool.run(pid, ()).await.unwrap(), first);
        }
        assert_eq!(pool.statistics().started, 1);
        assert_eq!(children(), [first]);
    });
}

fn jobs_run_at_the_same_time() {
    run(async {
        let (pool, gate) = (pool(2), Gate::new());
        let jobs = [(&gate.begun, &gate.end), (&gate.end, &gate.begun)];
        let jobs = jobs.map(|(mine, other)| pool.run(meet, (mine.clone(), other.clone())));
        let pids = gather_all(jobs).await.unwrap();
        let pids: HashSet<_> = pids.into_iter().map(Result::unwrap).collect();
        assert_eq!(pids.len(), 2);
        assert!(!pids.contains(&std::process::id()));
    });
}

fn arguments_and_results_may_be_large() {
    run(async {
        let pool = pool(1);
        let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| n as u8).collect();
        let mut reversed = pool.run(reverse, bytes.clone()).await.unwrap();
        reversed.reverse();
        assert!(reversed == bytes);
    });
}

fn thousands_of_jobs_share_a_few_workers() {
    run(async {
        let pool = pool(3);
        let tasks: Vec<_> = (0..3000).map(|n| create_task(pool.run(square, n))).collect();
        for (n, task) in (0_u64..).zip(tasks) {
            assert_eq!(task.await.unwrap().unwrap(), n * n);
        }
        let statistics = pool.statistics();
        assert_eq!((statistics.started, statistics.workers, statistics.idle), (3, 3, 3));
        assert_eq!((statistics.running, statistics.queued), (0, 0));
    });
}

fn jobs_begin_in_the_order_in_which_they_came() {
    run(async {
        let pool = pool(1);
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks = (0..20).map(|n| {
            let (job, order) = (pool.run(square, n), order.clone());
            create_task(async move {
                job.await.unwrap();
                order.borrow_mut().push(n);
            })
        });
        gather_all(tasks.collect::<Vec<_>>()).await.unwrap();
        assert_eq!(*order.borrow(), (0..20).collect::<Vec<_>>());
    });
}

fn run_in_executor_takes_a_pool_of_processes() {
    run(async {
        let (pool, gate) = (pool(1), Gate::new());
        assert_eq!(run_in_executor(&pool, (square, 12)).await.unwrap(), 144);
        let error = run_in_executor(&pool, (panics, "luck".to_owned())).await.unwrap_err();
        assert!(matches!(error, ProcessPoolError::Panicked { .. }));

        let task = create_task(run_in_executor(&pool, (hold, gate.files())));
        let worker = gate.begins().await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        until(|| (!children().contains(&worker)).then_some(())).await;
    });
}

fn closures_without_captures_are_functions_too() {
    // A worker makes the registry of `main`, so this one stays here.
    let double = |n: u32| n * 2;
    let registry = Registry::new().register(double);
    run(async move {
        let pool = ProcessPool::builder(registry).build().unwrap();
        let error = pool.run(double, 1).await.unwrap_err();
        assert!(matches!(error, ProcessPoolError::OtherFunctions { .. }), "{error}");
    });
}

fn a_function_that_is_not_registered_is_an_error() {
    fn stranger(_: ()) {}
    run(async {
        let pool = pool(1);
        let error = pool.run(stranger, ()).await.unwrap_err();
        let ProcessPoolError::NotRegistered { function } = error else { panic!("{error}") };
        assert!(function.ends_with("::stranger"), "{function}");
        assert!(text(&error).ends_with("::stranger isn't registered with the process pool"));
        // Nothing was started for that.
        assert_eq!(pool.statistics().started, 0);
        assert_eq!(pool.run(square, 2).await.unwrap(), 4);
    });
}

fn arguments_that_cannot_be_sent_are_an_error() {
    run(async {
        let pool = pool(1);
        let worker = pool.run(pid, ()).await.unwrap();
        let error = pool.run(takes_picky, Picky(1)).await.unwrap_err();
        assert!(matches!(error, ProcessPoolError::Arguments { .. }), "{error}");
        assert!(text(&error).starts_with("the arguments of pool::jobs::takes_picky: "), "{error}");
        assert!(text(&error).contains("can't be encoded"), "{error}");
        let error = pool.run(takes_picky, Picky(2)).await.unwrap_err();
        assert!(matches!(error, ProcessPoolError::Arguments { .. }), "{error}");
        assert!(text(&error).contains("can't be decoded"), "{error}");
        for either in [Either::Number(1), Either::Text("one".to_owned())] {
            let error = pool.run(takes_either, either).await.unwrap_err();
            assert!(matches!(error, ProcessPoolError::Arguments { .. }), "{error}");
        }
        let error = pool.run(takes_picky, Picky(3)).await.unwrap_err();
        let ProcessPoolError::Panicked { message, .. } = error else { panic!("{error}") };
        assert_eq!(message, "three hurts");
        assert_eq!(pool.run(takes_picky, Picky(4)).await.unwrap(), 4);
        assert_eq!(pool.run(pid, ()).await.unwrap(), worker);
    });
}

fn results_that_cannot_be_sent_are_an_error() {
    run(async {
        let pool = pool(1);
        let worker = pool.run(pid, ()).await.unwrap();
        let error = pool.run(gives_picky, 1).await.unwrap_err();
        assert!(matches!(error, ProcessPoolError::Result { .. }), "{error}");
        assert!(
            text(&error).starts_with("the result of pool::jobs::gives_picky: can't be encoded")
        );
        let error = pool.run(gives_picky, 2).await.unwrap_err();
        assert!(matches!(error, ProcessPoolError::Result { .. }), "{error}");
        assert!(text(&error).contains("can't be decoded"), "{error}");
        let error = pool.run(gives_untold, ()).await.unwrap_err();
        assert!(matches!(error, ProcessPoolError::Result { .. }), "{error}");
        assert_eq!(pool.run(gives_picky, 4).await.unwrap(), Picky(4));
        assert_eq!(pool.run(pid, ()).await.unwrap(), worker);
    });
}

fn a_panic_is_an_error_and_the_worker_lives_on() {
    run(async {
        let pool = pool(1);
        let worker = pool.run(pid, ()).await.unwrap();
        let error = pool.run(panics, "luck".to_owned()).await.unwrap_err();
        assert!(matches!(error, ProcessPoolError::Panicked { .. }));
        assert_eq!(text(&error), "pool::jobs::panics panicked: no luck");
        assert_eq!(pool.run(pid, ()).await.unwrap(), worker);
    });
}

fn a_crash_fails_one_job_and_the_worker_is_replaced() {
    run(async {
        let (pool, gate) = (pool(2), Gate::new());
        let other = create_task(pool.run(hold, gate.files()));
        let other_worker = gate.begins().await;

        let error = pool.run(exits, 3).await.unwrap_err();
        assert!(matches!(
            error,
            ProcessPoolError::Crashed { returncode: ReturnCode::Exited(3), .. }
        ));
        assert_eq!(text(&error), "the worker ended while it ran pool::jobs::exits: exit code 3");
        let error = pool.run(aborts, ()).await.unwrap_err();
        assert_eq!(
            text(&error),
            "the worker ended while it ran pool::jobs::aborts: killed by SIGABRT"
        );
        assert_eq!(pool.run(square, 5).await.unwrap(), 25);
        assert_eq!((pool.statistics().started, pool.statistics().workers), (4, 2));

        gate.open();
        assert_eq!(other.await.unwrap().unwrap(), other_worker);
    });
}

fn a_job_that_is_cancelled_while_it_runs_loses_its_worker() {
    run(async {
        let (pool, gate, other_gate) = (pool(2), Gate::new(), Gate::new());
        let other = create_task(pool.run(hold, other_gate.files()));
        let other_worker = other_gate.begins().await;
        let task = create_task(pool.run(hold, gate.files()));
        let worker = gate.begins().await;
        let queued = create_task(pool.run(square, 6));
        yield_now().await;
        assert_eq!(pool.statistics().queued, 1);
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        until(|| (!children().contains(&worker)).then_some(())).await;
        // The next job gets a new worker in its place.
        assert_eq!(queued.await.unwrap().unwrap(), 36);
        assert_eq!(pool.statistics().started, 3);
        other_gate.open();
        assert_eq!(other.await.unwrap().unwrap(), other_worker);
    });
}

fn a_job_that_is_cancelled_before_it_begins_never_runs() {
    run(async {
        let (pool, gate, never) = (pool(1), Gate::new(), Gate::new());
        let first = create_task(pool.run(hold, gate.files()));
        let worker = gate.begins().await;
        let queued = create_task(pool.run(hold, never.files()));
        yield_now().await;
        assert_eq!(pool.statistics().queued, 1);
        queued.cancel();
        assert!(queued.await.unwrap_err().is_cancelled());
        assert_eq!(pool.statistics().queued, 0);
        gate.open();
        assert_eq!(first.await.unwrap().unwrap(), worker);
        assert_eq!(pool.run(pid, ()).await.unwrap(), worker);
        assert!(!never.begun.exists());
    });
}

/// A program that never gets ready.
fn never_ready() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("sleeps");
    fs::write(&program, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    (directory, program)
}

fn a_job_that_is_cancelled_while_its_worker_starts_leaves_nothing() {
    let (_directory, program) = never_ready();
    run(async move {
        let pool = ProcessPool::builder(jobs()).workers(1).program(program).build().unwrap();
        let task = create_task(pool.run(square, 7));
        until(|| (!children().is_empty()).then_some(())).await;
        let queued = create_task(pool.run(square, 8));
        yield_now().await;
        assert_eq!(pool.statistics().queued, 1);
        for job in [task, queued] {
            job.cancel();
            assert!(job.await.unwrap_err().is_cancelled());
        }
        no_children().await;
        let statistics = pool.statistics();
        assert_eq!((statistics.workers, statistics.running, statistics.queued), (0, 0, 0));
    });
}

fn a_turn_that_was_granted_to_a_cancelled_job_is_passed_on() {
    run(async {
        let pool = pool(1);
        let first = create_task(pool.run(square, 2));
        let (second, third) = (create_task(pool.run(square, 3)), create_task(pool.run(square, 4)));
        let cancels = second.clone();
        first.add_done_callback(move |_| {
            // The first job's end has given its place to the second, which hasn't run yet.
            cancels.cancel();
        });
        assert_eq!(first.await.unwrap().unwrap(), 4);
        assert!(second.await.unwrap_err().is_cancelled());
        assert_eq!(third.await.unwrap().unwrap(), 16);
    });
}

fn a_job_may_have_a_time_limit() {
    run(async {
        let (pool, gate) = (pool(1), Gate::new());
        let job = timeout(Duration::from_millis(5), pool.run(hold, gate.files()));
        assert!(job.await.is_err());
        no_children().await;
        assert_eq!(pool.run(square, 8).await.unwrap(), 64);
    });
}

fn an_idle_worker_that_dies_harms_no_job() {
    run(async {
        let pool = pool(1);
        for _ in 0..20 {
            let worker = pool.run(pid, ()).await.unwrap();
            signal(worker, Signal::KILL);
            // Whether its end is known yet is a matter of luck.
            assert_ne!(pool.run(pid, ()).await.unwrap(), worker);
        }
    });
}

fn a_worker_is_replaced_after_so_many_jobs() {
    run(async {
        let pool = ProcessPool::builder(jobs()).workers(1).max_tasks_per_child(2).build().unwrap();
        let mut pids = Vec::new();
        for _ in 0..6 {
            pids.push(pool.run(pid, ()).await.unwrap());
        }
        assert_eq!((pids[0], pids[2], pids[4]), (pids[1], pids[3], pids[5]));
        assert_eq!(pids.iter().collect::<HashSet<_>>().len(), 3);
        assert_eq!((pool.statistics().started, pool.statistics().workers), (3, 0));
        pool.shutdown().await;
        assert_eq!(children(), []);
    });
}

fn a_shutdown_waits_for_the_jobs_and_ends_the_workers() {
    run(async {
        let (pool, gate) = (pool(1), Gate::new());
        let running = create_task(pool.run(hold, gate.files()));
        gate.begins().await;
        let queued = create_task(pool.run(square, 9));
        let mut shutdown = Box::pin(pool.shutdown());
        assert!(timeout(Duration::from_millis(5), &mut shutdown).await.is_err());
        let error = pool.run(square, 1).await.unwrap_err();
        assert_eq!(text(&error), "the process pool has been shut down");
        gate.open();
        shutdown.await;
        assert_eq!(children(), []);
        assert!(running.done() && queued.done());
        assert_eq!(queued.await.unwrap().unwrap(), 81);
        pool.shutdown().await;
        assert!(matches!(pool.run(square, 1).await, Err(ProcessPoolError::ShutDown)));
    });
}

fn a_shutdown_that_is_cancelled_can_be_awaited_again() {
    run(async {
        let (pool, gate) = (Rc::new(pool(1)), Gate::new());
        let job = create_task(pool.run(hold, gate.files()));
        gate.begins().await;
        for _ in 0..3 {
            let pool = pool.clone();
            let shutdown = create_task(async move { pool.shutdown().await });
            yield_now().await;
            yield_now().await;
            shutdown.cancel();
            assert!(shutdown.await.unwrap_err().is_cancelled());
        }
        assert!(!job.done());
        gate.open();
        pool.shutdown().await;
        assert_eq!(children(), []);
        job.await.unwrap().unwrap();
    });
}

fn every_shutdown_waits_until_the_workers_have_ended() {
    run(async {
        let pool = Rc::new(pool(2));
        gather_all((0..2).map(|n| pool.run(square, n))).await.unwrap();
        assert_eq!(children().len(), 2);
        let shutdowns = [pool.clone(), pool.clone(), pool].map(|pool| {
            create_task(async move {
                pool.shutdown().await;
                assert_eq!(children(), []);
            })
        });
        for shutdown in shutdowns {
            shutdown.await.unwrap();
        }
    });
}

fn jobs_that_outlive_their_pool_fail() {
    run(async {
        let (pool, gate) = (pool(1), Gate::new());
        let running = create_task(pool.run(hold, gate.files()));
        gate.begins().await;
        let queued = create_task(pool.run(square, 1));
        let not_polled = pool.run(square, 2);
        yield_now().await;
        drop(pool);
        for job in [running.await.unwrap().map(drop), queued.await.unwrap().map(drop)] {
            assert!(matches!(job, Err(ProcessPoolError::ShutDown)), "{job:?}");
        }
        assert!(matches!(not_polled.await, Err(ProcessPoolError::ShutDown)));
        no_children().await;
    });
}

fn jobs_whose_pool_is_killed_fail() {
    run(async {
        let (pool, gate) = (pool(2), Gate::new());
        let running = create_task(pool.run(hold, gate.files()));
        gate.begins().await;
        let starting = create_task(pool.run(square, 1));
        yield_now().await;
        pool.kill();
        assert!(matches!(running.await.unwrap(), Err(ProcessPoolError::ShutDown)));
        assert!(matches!(starting.await.unwrap(), Err(ProcessPoolError::ShutDown)));
        no_children().await;
        pool.shutdown().await;
    });
}

fn a_pool_that_is_killed_kills_workers_that_are_not_ready() {
    let (_directory, program) = never_ready();
    run(async move {
        let pool = ProcessPool::builder(jobs()).workers(1).program(program).build().unwrap();
        let job = create_task(pool.run(square, 7));
        until(|| (!children().is_empty()).then_some(())).await;
        assert_eq!(pool.statistics().workers, 1);
        pool.kill();
        let job = timeout(Duration::from_secs(20), job).await.expect("it waits for the worker");
        assert!(matches!(job.unwrap(), Err(ProcessPoolError::ShutDown)));
        no_children().await;
    });
}

fn jobs_that_wait_fail_at_once_when_the_pool_is_killed() {
    run(async {
        let (pool, gate) = (pool(1), Gate::new());
        // It has a place, and nobody polls it any more.
        let mut set_aside = Box::pin(pool.run(hold, gate.files()));
        assert!(timeout(Duration::from_millis(5), &mut set_aside).await.is_err());
        let queued = create_task(pool.run(square, 1));
        yield_now().await;
        assert_eq!(pool.statistics().queued, 1);
        pool.kill();
        let queued = timeout(Duration::from_secs(20), queued).await.expect("it waits for a place");
        assert!(matches!(queued.unwrap(), Err(ProcessPoolError::ShutDown)));
        assert_eq!(pool.statistics().queued, 0);
        assert!(matches!(set_aside.await, Err(ProcessPoolError::ShutDown)));
        pool.shutdown().await;
    });
}

fn a_pool_that_is_dropped_leaves_no_process() {
    run(async {
        let pool = pool(3);
        gather_all((0..9).map(|n| pool.run(square, n))).await.unwrap();
        assert_eq!(children().len(), 3);
        drop(pool);
        no_children().await;
    });
}

fn a_pool_may_outlive_its_loop() {
    let (pool, first) = run(async {
        let pool = pool(1);
        let worker = pool.run(pid, ()).await.unwrap();
        (pool, worker)
    });
    assert_eq!(children(), [first]);
    let (pool, second) = ronde::run(async {
        let worker = pool.run(pid, ()).await.unwrap();
        (pool, worker)
    })
    .unwrap();
    assert_ne!(first, second);
    drop(pool);
    run(no_children());
}

fn workers_end_with_their_program() {
    // The end of the output is the end of all who have it, workers included.
    assert_eq!(scenarios::output("ends without a shutdown"), "9\n");
}

fn workers_end_when_their_program_is_killed() {
    let mut program = scenarios::start("never ends");
    let (line, mut rest) = scenarios::first_line(&mut program);
    assert_eq!(line, "begun\n");
    program.kill().unwrap();
    program.wait().unwrap();
    // The worker has a job that never ends, and the other end of our pipe.
    assert_eq!(rest.read(&mut [0; 1]).unwrap(), 0);
}

fn an_interrupt_does_not_end_a_worker() {
    run(async {
        let pool = pool(1);
        let worker = pool.run(pid, ()).await.unwrap();
        signal(worker, Signal::INT);
        assert_eq!(pool.run(interrupts_itself, ()).await.unwrap(), "still here");
        assert_eq!(pool.run(pid, ()).await.unwrap(), worker);
    });
}

fn jobs_may_print_and_have_nothing_to_read() {
    run(async {
        assert_eq!(pool(1).run(stdin, ()).await.unwrap(), 0);
    });
    assert_eq!(scenarios::output("prints"), "hello, without an end of line - done\n");
}

fn a_program_that_forgets_to_serve_is_told() {
    let output = scenarios::output("forgets");
    let (inside, outside) = output.split_once('\n').unwrap();
    let hint = "does `main` call `serve_if_worker` before all else?";
    assert_eq!(inside, format!("a worker of a process pool can't have a process pool: {hint}"));
    assert_eq!(outside, format!("a worker ended before it was ready (exit code 3): {hint}\n"));
    let output = scenarios::output("forgets and waits");
    assert_eq!(output, format!("a worker wasn't ready after 200ms: {hint}\n"));
}

fn a_program_that_cannot_be_a_worker_is_an_error() {
    run(async {
        let pool = |program: &str| {
            ProcessPool::builder(jobs()).program(program).workers(1).build().unwrap()
        };
        let error = pool("/no/such/program").run(square, 2).await.unwrap_err();
        assert!(matches!(error, ProcessPoolError::Spawn(_)), "{error}");
        assert_eq!(text(&error), "starting /no/such/program: there is no such program");
        let pool = pool("true");
        for _ in 0..3 {
            let error = pool.run(square, 2).await.unwrap_err();
            let ended = ReturnCode::Exited(0);
            assert!(
                matches!(error, ProcessPoolError::EndedEarly { returncode } if returncode == ended),
                "{error}"
            );
        }
        assert_eq!((pool.statistics().running, pool.statistics().workers), (0, 0));
    });
}

fn other_functions_are_an_error() {
    run(async {
        let registry = Registry::new().register(square);
        let pool = ProcessPool::builder(registry).workers(1).build().unwrap();
        let error = pool.run(square, 2).await.unwrap_err();
        let ProcessPoolError::OtherFunctions { functions } = &error else { panic!("{error}") };
        assert_eq!(functions[1], "pool::jobs::pid");
        assert!(text(&error).starts_with("a worker has other functions than the pool: "));
        no_children().await;
    });
}

fn impossible_numbers_are_an_error() {
    let none = ProcessPool::builder(jobs()).workers(0).build().unwrap_err();
    assert!(matches!(none, ProcessPoolError::NoWorkers));
    assert_eq!(text(&none), "a process pool needs one worker at least, that does one job at least");
    let none = ProcessPool::builder(jobs()).max_tasks_per_child(0).build().unwrap_err();
    assert!(matches!(none, ProcessPoolError::NoWorkers));
}

fn time_stands_still_in_a_simulation_while_a_job_runs() {
    let clock = SimulatedClock::new();
    let runner = Runner::builder().clock(clock.clone()).build().unwrap();
    runner
        .run(async move {
            let hour = create_task(sleep(Duration::from_secs(3600)));
            let pool = pool(2);
            assert_eq!(pool.run(square, 2).await.unwrap(), 4);
            pool.shutdown().await;
            assert_eq!(clock.elapsed(), Duration::ZERO);
            hour.await.unwrap();
        })
        .unwrap();
    runner.close().unwrap();
}

fn what_a_pool_does_can_be_seen() {
    run(async {
        let (pool, gate) = (pool(1), Gate::new());
        assert_eq!(format!("{pool:?}"), "<ProcessPool open workers=0/1 running=0 queued=0>");
        let first = create_task(pool.run(hold, gate.files()));
        let second = create_task(pool.run(square, 1));
        gate.begins().await;
        assert_eq!(format!("{pool:?}"), "<ProcessPool open workers=1/1 running=1 queued=1>");
        // Nothing of the pool is a task: who waits for all others doesn't wait for it.
        assert_eq!(get_running_loop().unwrap().all_tasks().len(), 3);
        let waits = format!("{:?} {:?}", first.as_ref(), second.as_ref());
        assert!(waits.contains("a worker of a process pool"), "{waits}");
        gate.open();
        pool.shutdown().await;
        assert_eq!(format!("{pool:?}"), "<ProcessPool shut down workers=0/1 running=0 queued=0>");
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
    });
}

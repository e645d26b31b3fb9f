//! A child that has ended leaves no zombie, whatever became of its handle and its loop.

#![cfg(target_os = "linux")]

mod support;

use std::time::Duration;

use ronde_loop::EventLoop;
use ronde_process::{Process, ReturnCode, create_subprocess_exec, create_subprocess_shell};
use support::{block_until_gone, gone, piped, run, running, state};

#[test]
fn nobody_needs_to_wait() {
    run(async {
        let process = create_subprocess_exec("true").await.unwrap();
        gone(process.pid()).await;
        assert_eq!(process.returncode(), Some(ReturnCode::Exited(0)));
    });
}

#[test]
fn a_handle_may_be_dropped_before_the_end() {
    run(async {
        let mut pids = Vec::new();
        for _ in 0..20 {
            // Ends when its input does, which is when the handle is dropped.
            pids.push(piped("cat").await.unwrap().pid());
        }
        for pid in pids {
            gone(pid).await;
        }
    });
}

#[test]
fn a_killed_child_is_reaped_too() {
    run(async {
        let process = running().await;
        assert_eq!(state(process.pid()).map(|state| state == 'Z'), Some(false));
        process.kill().unwrap();
        gone(process.pid()).await;
        let process = running().await;
        process.kill().unwrap();
        let pid = process.pid();
        drop(process);
        gone(pid).await;
    });
}

#[test]
fn the_loop_may_be_busy() {
    run(async {
        let process = create_subprocess_exec("true").await.unwrap();
        block_until_gone(process.pid());
        assert_eq!(process.wait().await, ReturnCode::Exited(0));
    });
}

#[test]
fn the_loop_may_be_stopped_or_closed() {
    let event_loop = EventLoop::new().unwrap();
    let start = async { create_subprocess_shell("sleep 0.05; exit 3").await.unwrap() };
    let process: Process = event_loop.run_until_complete(start).unwrap();
    block_until_gone(process.pid());
    assert_eq!(process.returncode(), Some(ReturnCode::Exited(3)));

    let start = async { create_subprocess_shell("sleep 0.05; exit 4").await.unwrap() };
    let process: Process = event_loop.run_until_complete(start).unwrap();
    event_loop.close().unwrap();
    drop(event_loop);
    block_until_gone(process.pid());
    assert_eq!(process.returncode(), Some(ReturnCode::Exited(4)));
}

#[test]
fn the_loop_may_be_closed_with_pipes_open_and_tasks_waiting() {
    let event_loop = EventLoop::new().unwrap();
    let pid = event_loop
        .run_until_complete(async {
            let process = piped("cat").await.unwrap();
            let pid = process.pid();
            support::spawn(async move { process.wait().await }).detach();
            support::settle().await;
            pid
        })
        .unwrap();
    assert!(state(pid).is_some());
    event_loop.close().unwrap();
    drop(event_loop);
    // The task is gone, with the handle and the pipe that the child reads from.
    block_until_gone(pid);
}

#[test]
fn a_loop_that_is_closed_kills_if_asked_to() {
    let event_loop = EventLoop::new().unwrap();
    let pid = event_loop
        .run_until_complete(async {
            let command = create_subprocess_exec("sleep").arg("1000").kill_on_drop(true);
            let process = command.await.unwrap();
            let pid = process.pid();
            support::spawn(async move { process.wait().await }).detach();
            support::settle().await;
            pid
        })
        .unwrap();
    event_loop.close().unwrap();
    block_until_gone(pid);
}

#[test]
fn many_at_once_are_all_reaped() {
    run(async {
        let mut processes = Vec::new();
        for code in 0..50 {
            processes.push(create_subprocess_shell(format!("exit {code}")).await.unwrap());
        }
        for (code, process) in processes.iter().enumerate() {
            let limited = ronde_loop::timeout(Duration::from_secs(30), process.wait()).await;
            assert_eq!(limited.unwrap().as_i32(), i32::try_from(code).unwrap());
            assert_eq!(state(process.pid()), None);
        }
    });
}

//! What the tests have in common.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::future::Future;
use std::time::Duration;

use ronde_loop::{EventLoop, Task, get_running_loop, sleep, timeout, yield_now};
use ronde_process::{CreateSubprocess, Process, Stdio, create_subprocess_shell};

/// Runs a test on a loop of its own. A hang is a failure.
pub(crate) fn run<F>(test: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    let limited = async { timeout(Duration::from_secs(20), test).await.expect("the test hangs") };
    EventLoop::new().unwrap().run_until_complete(limited).unwrap()
}

pub(crate) fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    get_running_loop().unwrap().create_task(future)
}

/// Gives everything else the chance to run as far as it can.
pub(crate) async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

/// A command of the shell whose three streams are pipes.
pub(crate) fn piped(command: &str) -> CreateSubprocess {
    create_subprocess_shell(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
}

/// What a command of the shell prints.
pub(crate) async fn output(command: CreateSubprocess) -> String {
    let process = command.stdout(Stdio::piped()).await.unwrap();
    let output = process.communicate().await.unwrap();
    assert!(output.returncode.success(), "{output:?}");
    String::from_utf8(output.stdout.unwrap().to_vec()).unwrap()
}

/// The state of a process, as a letter of `/proc/PID/stat`: `S` sleeps, `Z` is a zombie. `None` if
/// there is no such process.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it, in parentheses, may have any character.
    stat[stat.rfind(')')? + 1..].trim_start().chars().next()
}

/// The name of the program that a process runs.
pub(crate) fn name(pid: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// Waits until a process is gone altogether: ended, and reaped by somebody.
pub(crate) async fn gone(pid: u32) {
    while state(pid).is_some() {
        sleep(Duration::from_millis(1)).await;
    }
}

/// The same without a loop.
pub(crate) fn block_until_gone(pid: u32) {
    for _ in 0..10_000 {
        if state(pid).is_none() {
            return;
        }
        // slow: nothing tells a process without a loop that another is gone
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("process {pid} is still there, in state {:?}", state(pid));
}

/// A child that runs until it is told to end, and has begun.
pub(crate) async fn running() -> Process {
    begun(piped("echo begun; exec sleep 1000")).await
}

/// Starts a command, and waits until it has said `begun`.
pub(crate) async fn begun(command: CreateSubprocess) -> Process {
    let process = command.await.unwrap();
    assert_eq!(process.stdout().unwrap().readline().await.unwrap(), "begun\n");
    process
}

//! The ends of children, and signals.

#![cfg(unix)]

mod support;

use std::io::Write;
use std::time::Duration;

use ronde_loop::{EventLoop, SimulatedClock, timeout};
use ronde_process::{
    ReturnCode, Signal, SignalError, Stdio, create_subprocess_exec, create_subprocess_shell,
};
use support::{begun, gone, piped, run, running, settle, spawn};

#[test]
fn exit_codes_and_signals_are_told_apart() {
    run(async {
        for (command, expected, number) in [
            ("exit 0", ReturnCode::Exited(0), 0),
            ("exit 9", ReturnCode::Exited(9), 9),
            ("exit 137", ReturnCode::Exited(137), 137),
            ("kill -9 $$", ReturnCode::Signaled(Signal::KILL), -9),
            ("kill -USR1 $$", ReturnCode::Signaled(Signal::USR1), -Signal::USR1.number()),
        ] {
            let process = create_subprocess_shell(command).await.unwrap();
            let returncode = process.wait().await;
            assert_eq!(returncode, expected, "{command}");
            assert_eq!(returncode.as_i32(), number);
            assert_eq!(returncode.success(), number == 0);
            assert_eq!(returncode.code().is_some(), number >= 0);
            assert_eq!(returncode.signal().is_some(), number < 0);
            assert_eq!(process.returncode(), Some(expected));
        }
    });
}

#[test]
fn many_tasks_wait_for_one_end() {
    run(async {
        let process = std::rc::Rc::new(running().await);
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let process = process.clone();
                spawn(async move { process.wait().await })
            })
            .collect();
        settle().await;
        assert!(waiting.iter().all(|task| !task.done()));
        assert_eq!(process.returncode(), None);
        process.kill().unwrap();
        for task in waiting {
            assert_eq!(task.await.unwrap(), ReturnCode::Signaled(Signal::KILL));
        }
        assert_eq!(process.wait().await, ReturnCode::Signaled(Signal::KILL), "and later ones");
    });
}

#[test]
fn a_wait_that_is_cancelled_leaves_the_end_to_the_next() {
    run(async {
        let process = std::rc::Rc::new(running().await);
        let waiting = spawn({
            let process = process.clone();
            async move { process.wait().await }
        });
        settle().await;
        assert!(!waiting.done());
        waiting.cancel();
        assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(process.returncode(), None, "the child runs on");

        let limited = timeout(Duration::from_millis(1), process.wait()).await;
        assert!(limited.is_err());
        process.terminate().unwrap();
        assert_eq!(process.wait().await, ReturnCode::Signaled(Signal::TERM));
    });
}

#[test]
fn a_start_that_is_cancelled_starts_nothing() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("made");
        let starting = create_subprocess_exec("touch").arg(&file);
        let task = spawn(async move { starting.await.map(drop) });
        task.cancel();
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        let process = create_subprocess_exec("true").await.unwrap();
        process.wait().await;
        assert!(!file.exists());
    });
}

#[test]
fn every_signal_arrives() {
    run(async {
        let script = "trap 'echo usr1' USR1; trap 'echo term; exit 5' TERM; \
                      echo begun; while :; do sleep 0.01; done";
        let process = begun(piped(script)).await;
        let stdout = process.stdout().unwrap();
        process.send_signal(Signal::USR1).unwrap();
        assert_eq!(stdout.readline().await.unwrap(), "usr1\n");
        process.send_signal(Signal::STOP).unwrap();
        process.send_signal(Signal::CONT).unwrap();
        process.terminate().unwrap();
        assert_eq!(stdout.readline().await.unwrap(), "term\n");
        assert_eq!(process.wait().await, ReturnCode::Exited(5));
    });
}

#[test]
fn a_process_that_has_ended_is_signalled_no_more() {
    run(async {
        let process = create_subprocess_exec("true").own_process_group(true).await.unwrap();
        process.wait().await;
        let pid = process.pid();
        for refused in [
            process.kill(),
            process.terminate(),
            process.send_signal(Signal::USR1),
            process.kill_tree(),
        ] {
            let error = refused.unwrap_err();
            assert!(matches!(error, SignalError::Ended { returncode: ReturnCode::Exited(0), .. }));
            let text = format!("signalling process {pid}: it has ended (exit code 0)");
            assert_eq!(error.to_string(), text);
        }
    });
}

#[test]
fn a_process_that_has_just_died_may_be_signalled() {
    run(async {
        // Whoever is first: it never fails in another way than by saying that the child has ended.
        for _ in 0..50 {
            let process = create_subprocess_exec("true").await.unwrap();
            loop {
                match process.send_signal(Signal::CONT) {
                    Ok(()) => {}
                    Err(SignalError::Ended { .. }) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(process.returncode(), Some(ReturnCode::Exited(0)));
        }
    });
}

#[test]
fn a_signal_that_does_not_exist_is_refused() {
    run(async {
        let process = running().await;
        for number in [-1, 0, 1000] {
            let error = process.send_signal(Signal::new(number)).unwrap_err();
            assert!(matches!(error, SignalError::Io { .. }), "{error}");
            let text = format!("sending signal {number} to process {}", process.pid());
            assert!(error.to_string().starts_with(&text), "{error}");
        }
        assert_eq!(process.returncode(), None);
        process.kill().unwrap();
        process.wait().await;
    });
}

#[test]
fn a_tree_is_killed_with_its_root() {
    run(async {
        let script = "sleep 1000 & (sleep 1000; :) & echo begun; wait";
        let process = begun(piped(script).own_process_group(true)).await;
        process.kill_tree().unwrap();
        assert_eq!(process.wait().await, ReturnCode::Signaled(Signal::KILL));
        // Nobody writes any more: all that had the pipe open are dead too.
        assert_eq!(process.stdout().unwrap().read_to_end().await.unwrap(), "");
    });
}

#[test]
fn a_kill_of_the_child_alone_leaves_what_it_has_started() {
    run(async {
        let script = "(trap '' TERM; read line; echo got $line) <&3 & echo begun; wait";
        let (input, mut writer) = std::io::pipe().unwrap();
        let script = format!("exec 3<&0; {script}");
        let command = create_subprocess_shell(script).stdin(input).stdout(Stdio::piped());
        let process = begun(command).await;
        process.kill().unwrap();
        assert_eq!(process.wait().await, ReturnCode::Signaled(Signal::KILL));
        writer.write_all(b"it\n").unwrap();
        assert_eq!(process.stdout().unwrap().readline().await.unwrap(), "got it\n");
    });
}

#[test]
fn without_a_group_of_its_own_a_tree_cannot_be_killed() {
    run(async {
        let process = running().await;
        let error = process.kill_tree().unwrap_err();
        assert!(matches!(error, SignalError::NoGroup { .. }));
        assert!(error.to_string().contains("it has no process group of its own"), "{error}");
        process.kill().unwrap();
        process.wait().await;
    });
}

#[test]
fn a_dropped_handle_kills_if_asked_to() {
    run(async {
        let process = begun(piped("echo begun; exec sleep 1000").kill_on_drop(true)).await;
        let pid = process.pid();
        drop(process);
        gone(pid).await;

        let script = "sleep 1000 & echo begun; wait";
        let mut process = begun(piped(script).kill_on_drop(true).own_process_group(true)).await;
        let stdout = process.take_stdout().unwrap();
        drop(process);
        assert_eq!(stdout.read_to_end().await.unwrap(), "", "the whole tree is gone");

        // A child that has ended is nobody to kill.
        let process = create_subprocess_exec("true").kill_on_drop(true).await.unwrap();
        process.wait().await;
    });
}

#[test]
fn a_dropped_handle_leaves_the_child_running_by_default() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = create_subprocess_exec("mkfifo").arg(&fifo).await.unwrap();
        assert!(made.wait().await.success());
        let process = create_subprocess_shell("echo alive > \"$0\"").arg(&fifo).await.unwrap();
        let pid = process.pid();
        drop(process);
        let reader = create_subprocess_exec("cat").arg(&fifo).stdout(Stdio::piped());
        assert_eq!(support::output(reader).await, "alive\n");
        gone(pid).await;
    });
}

#[test]
fn a_simulated_clock_goes_on_while_a_child_runs_and_sees_no_deadlock() {
    let clock = SimulatedClock::new();
    let event_loop = EventLoop::builder().clock(clock.clone()).build().unwrap();
    let returncode = event_loop.run_until_complete(async {
        let process = create_subprocess_shell("read line; exit 6").stdin(Stdio::piped());
        let mut process = process.await.unwrap();
        let stdin = process.take_stdin();
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, process.wait()).await.is_err(), "it waits for a line");
        drop(stdin);
        process.wait().await
    });
    assert_eq!(returncode.unwrap(), ReturnCode::Exited(6));
    assert_eq!(clock.elapsed(), Duration::from_secs(3600));
}

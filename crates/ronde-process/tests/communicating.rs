//! `communicate`, whole and interrupted.

#![cfg(unix)]

mod support;

use std::rc::Rc;
use std::time::Duration;

use ronde_loop::timeout;
use ronde_process::{
    CommunicateError, ReturnCode, Signal, Stdio, create_subprocess_exec, create_subprocess_shell,
};
use ronde_streams::ReadError;
use support::{begun, piped, run, running, settle, spawn};

#[test]
fn input_goes_in_and_both_outputs_come_out() {
    run(async {
        let process = piped("cat; echo bad >&2; exit 3").await.unwrap();
        let output = process.communicate().input("in\n").await.unwrap();
        assert_eq!(output.stdout.unwrap(), "in\n");
        assert_eq!(output.stderr.unwrap(), "bad\n");
        assert_eq!(output.returncode, ReturnCode::Exited(3));
    });
}

#[test]
fn much_goes_both_ways_without_a_deadlock() {
    run(async {
        // More than the three pipes hold together, and each output waits for the other.
        let much = vec![b'x'; 3_000_000];
        let process = piped("tee /dev/stderr").await.unwrap();
        let output = process.communicate().input(&much).await.unwrap();
        assert_eq!(output.stdout.unwrap(), much);
        assert_eq!(output.stderr.unwrap(), much);
    });
}

#[test]
fn stdin_is_ended_without_input_too() {
    run(async {
        let process = piped("cat").await.unwrap();
        let output = process.communicate().await.unwrap();
        assert_eq!(output.stdout.unwrap(), "");
        assert!(output.returncode.success());
    });
}

#[test]
fn outputs_that_are_no_pipes_are_none() {
    run(async {
        let process = create_subprocess_shell("exit 2").await.unwrap();
        let output = process.communicate().await.unwrap();
        assert_eq!((output.stdout, output.stderr), (None, None));
        assert_eq!(output.returncode, ReturnCode::Exited(2));

        let mut process = piped("echo mine; echo yours >&2").await.unwrap();
        let stdout = process.take_stdout().unwrap();
        let output = process.communicate().await.unwrap();
        assert_eq!(output.stdout, None, "it was taken");
        assert_eq!(output.stderr.unwrap(), "yours\n");
        assert_eq!(stdout.read_to_end().await.unwrap(), "mine\n");
    });
}

#[test]
fn a_child_that_does_not_read_is_no_error() {
    run(async {
        let process = piped("exec 0<&-; echo done").await.unwrap();
        let much = vec![b'x'; 1_000_000];
        let output = process.communicate().input(much).await.unwrap();
        assert_eq!(output.stdout.unwrap(), "done\n");
        assert!(output.returncode.success());

        // It has stopped reading before.
        let process = begun(piped("exec 0<&-; echo begun")).await;
        let stdin = process.stdin().unwrap();
        stdin.write("lost");
        assert_eq!(stdin.drain().await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        assert!(process.communicate().input("as well").await.unwrap().returncode.success());
    });
}

#[test]
fn a_child_that_dies_while_it_is_written_to_breaks_the_pipe() {
    run(async {
        let process = begun(piped("echo begun; exec sleep 1000")).await;
        let stdin = process.stdin().unwrap();
        stdin.write(vec![b'x'; 1_000_000]);
        assert!(timeout(Duration::ZERO, stdin.drain()).await.is_err(), "it is full");
        process.kill().unwrap();
        assert_eq!(stdin.drain().await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        assert_eq!(process.wait().await, ReturnCode::Signaled(Signal::KILL));
        // What it said before is still there.
        assert_eq!(process.stdout().unwrap().read_to_end().await.unwrap(), "");
    });
}

#[test]
fn input_without_a_pipe_is_an_error_that_names_it() {
    run(async {
        let process = create_subprocess_exec("cat").stdin(Stdio::null()).await.unwrap();
        let error = process.communicate().input("hello").await.unwrap_err();
        assert!(matches!(error, CommunicateError::NoStdin { .. }));
        let text = format!(
            "giving input to process {}: its stdin is no pipe, or was taken",
            process.pid()
        );
        assert_eq!(error.to_string(), text);
        // The process is as it was.
        assert!(process.communicate().await.unwrap().returncode.success());
    });
}

#[test]
fn input_is_given_once() {
    run(async {
        let process = piped("cat; exec sleep 1000").await.unwrap();
        let limit = Duration::from_millis(20);
        assert!(timeout(limit, process.communicate().input("once ")).await.is_err());
        let error = process.communicate().input("twice").await.unwrap_err();
        assert!(matches!(error, CommunicateError::InputEnded { .. }));
        assert!(error.to_string().ends_with("its stdin was closed already"), "{error}");

        process.kill().unwrap();
        assert_eq!(process.communicate().await.unwrap().stdout.unwrap(), "once ");
    });
}

#[test]
fn an_output_that_another_task_reads_is_an_error_that_names_it() {
    run(async {
        let process = Rc::new(running().await);
        let reading = spawn({
            let process = process.clone();
            async move { process.stderr().unwrap().readline().await }
        });
        settle().await;
        let error = process.communicate().await.unwrap_err();
        assert!(matches!(
            error,
            CommunicateError::Read { stream: "stderr", source: ReadError::Busy, .. }
        ));
        let text = format!("reading the stderr of process {}: ", process.pid());
        assert!(error.to_string().starts_with(&text), "{error}");
        process.kill().unwrap();
        assert_eq!(reading.await.unwrap().unwrap(), "");
        process.communicate().await.unwrap();
    });
}

#[test]
fn a_time_limit_keeps_what_was_read_and_sends_the_input_on() {
    run(async {
        // It answers in two steps, and the second one waits for a signal.
        let script = "trap 'go=1' USR1; echo one; echo bad >&2; cat >&2; \
                      until [ $go ]; do sleep 0.01; done; echo two";
        let process = piped(script).await.unwrap();
        let much = vec![b'x'; 500_000];
        for _ in 0..3 {
            let talking = match process.stdin().unwrap().is_closing() {
                false => process.communicate().input(much.clone()),
                true => process.communicate(),
            };
            assert!(timeout(Duration::from_millis(50), talking).await.is_err());
        }
        process.send_signal(Signal::USR1).unwrap();
        let output = process.communicate().await.unwrap();
        assert_eq!(output.stdout.unwrap(), "one\ntwo\n");
        let stderr = output.stderr.unwrap();
        assert!(stderr.starts_with(b"bad\nx"));
        assert_eq!(stderr.len(), 4 + much.len(), "all the input was sent, once");
    });
}

#[test]
fn what_was_read_can_be_read_from_the_streams_as_well() {
    run(async {
        let process = piped("echo some; exec sleep 1000").await.unwrap();
        let stdout = process.stdout().unwrap();
        assert!(timeout(Duration::from_millis(50), process.communicate()).await.is_err());
        assert_eq!(stdout.readline().await.unwrap(), "some\n");
        process.kill().unwrap();
        process.communicate().await.unwrap();
    });
}

#[test]
fn a_task_that_is_cancelled_while_it_communicates_loses_nothing() {
    run(async {
        // One output ends at once: its bytes must not be gone with the task.
        let process = Rc::new(piped("echo all >&2; exec 2>&-; exec sleep 1000").await.unwrap());
        let talking = spawn({
            let process = process.clone();
            async move { process.communicate().await }
        });
        // Until the shell has become `sleep`, which has no error output, and once more to see the end.
        while support::name(process.pid()).as_deref() != Some("sleep") {
            ronde_loop::sleep(Duration::from_millis(1)).await;
        }
        ronde_loop::sleep(Duration::from_millis(1)).await;
        settle().await;
        assert!(!talking.done());
        talking.cancel();
        assert!(talking.await.is_err_and(|error| error.is_cancelled()));
        process.kill().unwrap();
        let output = process.communicate().await.unwrap();
        assert_eq!(output.stderr.unwrap(), "all\n");
        assert_eq!(output.returncode, ReturnCode::Signaled(Signal::KILL));
    });
}

#[test]
fn a_call_that_is_cancelled_before_it_begins_gives_no_input() {
    run(async {
        let process = piped("cat").await.unwrap();
        let talking = Rc::new(process);
        let task = spawn({
            let process = talking.clone();
            async move { process.communicate().input("never").await }
        });
        task.cancel();
        assert!(task.await.is_err());
        let output = talking.communicate().input("now").await.unwrap();
        assert_eq!(output.stdout.unwrap(), "now");
    });
}

#[test]
fn what_is_about_to_communicate_can_be_printed() {
    run(async {
        let process = piped("cat").await.unwrap();
        let text = format!("{:?}", process.communicate().input("four"));
        let expected =
            format!("Communicate {{ process: <Process {}>, input: Some(4) }}", process.pid());
        assert_eq!(text, expected);
    });
}

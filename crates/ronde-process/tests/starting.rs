//! Programs with their arguments, environment, directory and streams.

#![cfg(unix)]

mod support;

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::CommandExt;

use ronde_process::{ReturnCode, Stdio, create_subprocess_exec, create_subprocess_shell};
use support::{output, piped, run};

#[test]
fn a_program_gets_its_arguments_as_they_are() {
    run(async {
        let command = create_subprocess_exec("printf").arg("[%s]").args(["a b", "$HOME", "*", ""]);
        assert_eq!(output(command).await, "[a b][$HOME][*][]");
    });
}

#[test]
fn a_shell_understands_its_command_and_sees_arguments_as_parameters() {
    run(async {
        let command = create_subprocess_shell("echo \"$0\" $((6 * 7)) | cat").arg("a;b");
        assert_eq!(output(command).await, "a;b 42\n");
    });
}

#[test]
fn the_environment_is_inherited_changed_or_emptied() {
    run(async {
        let show = "echo ${PATH:+path} $A ${HOME:-none}";
        let command = create_subprocess_shell(show).env("A", "1").env_remove("HOME");
        assert_eq!(output(command).await, "path 1 none\n");

        let command = create_subprocess_exec("/usr/bin/env").env("A", "1").env_clear();
        assert_eq!(output(command.envs([("B", "2"), ("C", "3")])).await, "B=2\nC=3\n");
    });
}

#[test]
fn the_directory_can_be_another() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let command = create_subprocess_exec("pwd").arg("-P").current_dir(directory.path());
        assert_eq!(output(command).await, format!("{}\n", path.display()));
    });
}

#[test]
fn pipes_are_streams_of_the_loop() {
    run(async {
        let process = piped("read line; echo got $line; echo bad >&2").await.unwrap();
        process.stdin().unwrap().write("it\n");
        assert_eq!(process.stdout().unwrap().readline().await.unwrap(), "got it\n");
        assert_eq!(process.stderr().unwrap().read_to_end().await.unwrap(), "bad\n");
        assert_eq!(process.wait().await, ReturnCode::Exited(0));
    });
}

#[test]
fn what_is_not_piped_has_no_stream() {
    run(async {
        let mut process = create_subprocess_exec("true").await.unwrap();
        assert!(process.stdin().is_none() && process.take_stdin().is_none());
        assert!(process.stdout().is_none() && process.take_stdout().is_none());
        assert!(process.stderr().is_none() && process.take_stderr().is_none());
        process.wait().await;
    });
}

#[test]
fn streams_can_be_taken_and_ended() {
    run(async {
        let mut process = piped("cat; echo end >&2").await.unwrap();
        let (stdin, stdout) = (process.take_stdin().unwrap(), process.take_stdout().unwrap());
        let stderr = process.take_stderr().unwrap();
        assert!(process.stdin().is_none());
        stdin.write("all");
        drop(stdin);
        assert_eq!(stdout.read_to_end().await.unwrap(), "all");
        assert_eq!(stderr.read_to_end().await.unwrap(), "end\n");
    });
}

#[test]
fn the_null_device_is_empty_and_swallows() {
    run(async {
        let command = create_subprocess_shell("cat; echo gone >&2; echo here");
        let command = command.stdin(Stdio::null()).stderr(Stdio::null());
        assert_eq!(output(command).await, "here\n");
    });
}

#[test]
fn files_and_descriptors_are_streams_of_the_child() {
    run(async {
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(b"from a file").unwrap();
        input.rewind().unwrap();
        let mut written = tempfile::tempfile().unwrap();
        let both: File = written.try_clone().unwrap();

        let process = create_subprocess_shell("cat; echo bad >&2")
            .stdin(input)
            .stdout(std::os::fd::OwnedFd::from(both))
            .stderr(Stdio::stdout())
            .await
            .unwrap();
        assert!(process.wait().await.success());
        let mut text = String::new();
        written.rewind().unwrap();
        written.read_to_string(&mut text).unwrap();
        assert_eq!(text, "from a filebad\n");
    });
}

#[test]
fn one_child_writes_to_the_next() {
    run(async {
        let (reader, writer) = std::io::pipe().unwrap();
        let first = create_subprocess_exec("echo").arg("hello").stdout(writer).await.unwrap();
        let second = create_subprocess_exec("tr").args(["a-z", "A-Z"]).stdin(reader);
        assert_eq!(output(second).await, "HELLO\n");
        assert!(first.wait().await.success());
    });
}

#[test]
fn stderr_goes_where_stdout_goes() {
    run(async {
        let both = "echo one; echo two >&2; echo three";
        let command = create_subprocess_shell(both).stderr(Stdio::stdout());
        assert_eq!(output(command).await, "one\ntwo\nthree\n");

        // Nowhere, and to this program's own output.
        let quiet = create_subprocess_shell("echo two >&2").stderr(Stdio::stdout());
        let process = quiet.stdout(Stdio::null()).await.unwrap();
        assert!(process.wait().await.success());
        let same = "test /proc/self/fd/1 -ef /proc/self/fd/2";
        let process = create_subprocess_shell(same).stderr(Stdio::stdout()).await.unwrap();
        assert_eq!(process.wait().await, ReturnCode::Exited(0));
    });
}

#[test]
fn the_readers_have_the_limit_that_was_asked_for() {
    run(async {
        let process = piped("true").limit(100).await.unwrap();
        assert_eq!(process.stdout().unwrap().limit(), 100);
        assert_eq!(process.stderr().unwrap().limit(), 100);
        let process = piped("true").await.unwrap();
        assert_eq!(process.stdout().unwrap().limit(), 64 * 1024);
    });
}

#[test]
fn a_child_does_not_inherit_the_pipes_of_another() {
    run(async {
        let list = || output(create_subprocess_exec("ls").arg("/proc/self/fd"));
        let before = list().await;
        let others = [piped("cat").await.unwrap(), piped("cat").await.unwrap()];
        assert_eq!(list().await, before);
        drop(others);
    });
}

#[test]
fn a_process_and_what_starts_one_can_be_printed() {
    run(async {
        let command = create_subprocess_exec("echo").arg("hi").stdout(Stdio::null());
        let text = format!("{command:?}");
        assert!(text.contains("\"echo\" \"hi\"") && text.contains("stdout: Null"), "{text}");
        let process = command.await.unwrap();
        assert_eq!(format!("{process:?}"), format!("<Process {}>", process.pid()));
    });
}

#[test]
fn a_command_of_std_can_be_started() {
    run(async {
        let mut command = std::process::Command::new("sh");
        command.arg0("another-name").args(["-c", "echo $0"]);
        // Set there, it would not be seen here.
        command.stdout(std::process::Stdio::piped());
        assert_eq!(output(command.into()).await, "another-name\n");
    });
}

#[test]
fn without_pipes_any_executor_will_do() {
    let process = futures_lite::future::block_on(async {
        let process = create_subprocess_shell("exit 4").await.unwrap();
        process.wait().await;
        process
    });
    assert_eq!(process.returncode(), Some(ReturnCode::Exited(4)));
}

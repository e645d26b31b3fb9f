//! Programs that can't be started.

#![cfg(unix)]

mod support;

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use ronde_process::{
    CreateSubprocess, SpawnError, Stdio, create_subprocess_exec, create_subprocess_shell,
};
use support::{piped, run};

/// Starts it, and fails. Afterwards others still start.
async fn fail(command: CreateSubprocess) -> SpawnError {
    let error = command.await.unwrap_err();
    let process = piped("echo fine").await.unwrap();
    assert_eq!(process.communicate().await.unwrap().stdout.unwrap(), "fine\n");
    error
}

/// A process of its own writes the file. If this one did, a child that another test starts meanwhile
/// would hold it open for writing for a moment, and so keep it from being started.
fn make(path: &Path, content: &str, mode: u32) {
    let mut tee = Command::new("tee")
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    tee.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
    assert!(tee.wait().unwrap().success());
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    run(async {
        for program in ["no-such-program", "/no/such/program", "./no-such-program", ""] {
            let error = fail(create_subprocess_exec(program).stdout(Stdio::piped())).await;
            assert!(matches!(error, SpawnError::NotFound { .. }), "{error:?}");
            assert_eq!(error.program(), Path::new(program));
            assert_eq!(error.to_string(), format!("starting {program}: there is no such program"));
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
        }
        let error = fail(create_subprocess_exec("/etc/passwd/program")).await;
        assert!(matches!(error, SpawnError::NotFound { .. }), "{error:?}");
    });
}

#[test]
fn a_program_whose_interpreter_does_not_exist_is_told_apart() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        make(&script, "#!/no/such/interpreter\n", 0o755);
        let error = fail(create_subprocess_exec(&script)).await;
        assert!(matches!(error, SpawnError::NotFound { .. }), "{error:?}");
        let text = "the program is there, but not the interpreter that its file names";
        assert_eq!(error.to_string(), format!("starting {}: {text}", script.display()));
    });
}

#[test]
fn a_program_that_may_not_be_run_is_named() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        make(&script, "#!/bin/sh\n", 0o644);
        let error = fail(create_subprocess_exec(&script)).await;
        assert!(matches!(error, SpawnError::NotAllowed { .. }), "{error:?}");
        let text = "it may not be run: Permission denied";
        assert_eq!(error.to_string(), format!("starting {}: {text}", script.display()));
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::PermissionDenied);

        let error = fail(create_subprocess_exec(folder.path())).await;
        assert!(matches!(error, SpawnError::NotAllowed { .. }), "a directory: {error:?}");
    });
}

#[test]
fn a_file_that_is_no_program_is_named() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        make(&file, "\x7fELF, or so it says", 0o755);
        let error = fail(create_subprocess_exec(&file)).await;
        assert!(matches!(error, SpawnError::Io { .. }), "{error:?}");
        let text = format!("starting {}: Exec format error", file.display());
        assert_eq!(error.to_string(), text);
        assert!(error.source().is_some());
    });
}

#[test]
fn a_directory_that_does_not_exist_is_told_apart_from_a_program() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        make(&file, "", 0o644);
        for (directory, why) in
            [(Path::new("/no/such"), "No such file or directory"), (&file, "Not a directory")]
        {
            let error = fail(create_subprocess_exec("true").current_dir(directory)).await;
            assert!(matches!(error, SpawnError::Directory { .. }), "{error:?}");
            let text = format!("starting true: its directory {}: {why}", directory.display());
            assert_eq!(error.to_string(), text);
        }
        let error = fail(create_subprocess_exec("no-such-program").current_dir("/")).await;
        assert!(matches!(error, SpawnError::NotFound { .. }), "{error:?}");
    });
}

#[test]
fn texts_with_a_zero_byte_are_refused() {
    run(async {
        let exec = || create_subprocess_exec("true");
        for (command, problem) in [
            (create_subprocess_exec("tr\0ue"), "its name has a zero byte in it: \"tr\\0ue\""),
            (exec().arg("a").arg("b\0"), "an argument has a zero byte in it: \"b\\0\""),
            (exec().env("A\0", "1"), "an environment variable has a zero byte in it: \"A\\0\""),
            (
                exec().env("A", "1\0"),
                "the value of an environment variable has a zero byte in it: \"1\\0\"",
            ),
            (exec().env("A=B", "1"), "\"A=B\" can't be the name of an environment variable"),
            (exec().env("", "1"), "\"\" can't be the name of an environment variable"),
            (exec().current_dir("\0"), "its directory has a zero byte in it: \"\\0\""),
            (create_subprocess_shell("echo \0"), "the command has a zero byte in it: \"echo \\0\""),
        ] {
            let error = fail(command).await;
            let SpawnError::Argument { problem: said, .. } = &error else { panic!("{error:?}") };
            assert_eq!(said, problem);
            assert!(error.to_string().ends_with(problem));
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn what_std_finds_wrong_with_a_command_is_an_error_too() {
    run(async {
        let mut command = std::process::Command::new("true");
        command.arg("\0");
        let error = fail(command.into()).await;
        assert!(matches!(error, SpawnError::Io { .. }), "{error:?}");
        assert_eq!(error.to_string(), "starting true: nul byte found in provided data");
    });
}

#[test]
fn readers_without_room_are_refused() {
    run(async {
        let error = fail(piped("true").limit(0)).await;
        let text = "starting /bin/sh: the limit of its readers must be at least one byte";
        assert!(matches!(error, SpawnError::Argument { .. }));
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn only_stderr_can_go_where_stdout_goes() {
    run(async {
        for (command, stream) in [
            (create_subprocess_exec("true").stdin(Stdio::stdout()), "stdin"),
            (create_subprocess_exec("true").stdout(Stdio::stdout()), "stdout"),
        ] {
            let error = fail(command).await;
            let text =
                format!("starting true: its {stream} can't be `Stdio::stdout()`: only stderr can");
            assert_eq!(error.to_string(), text);
        }
    });
}

#[test]
fn too_many_arguments_are_refused_by_the_system() {
    run(async {
        let long = "x".repeat(100_000);
        let command = create_subprocess_exec("true").args(vec![long; 100]);
        let error = fail(command).await;
        assert!(matches!(error, SpawnError::Io { .. }), "{error:?}");
        assert_eq!(error.to_string(), "starting true: Argument list too long");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::ArgumentListTooLong);
    });
}

#[test]
fn texts_that_are_no_unicode_are_fine() {
    run(async {
        let argument = OsStr::from_bytes(b"\xff\xfe");
        let command = create_subprocess_exec("printf").arg("%s").arg(argument);
        let process = command.stdout(Stdio::piped()).await.unwrap();
        assert_eq!(process.communicate().await.unwrap().stdout.unwrap(), &b"\xff\xfe"[..]);
    });
}

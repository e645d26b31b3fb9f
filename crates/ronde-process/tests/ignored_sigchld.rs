//! A program that ignores `SIGCHLD` never hears how a child ended. It is ignored by the whole program,
//! and by what it starts: so the test here runs in a program of its own.

#![cfg(target_os = "linux")]

mod support;

use std::process::Command;

use ronde_process::{ReturnCode, SignalError, Stdio, create_subprocess_shell};
use support::{gone, run, running};

#[test]
fn nobody_knows_how_a_child_ended() {
    let output = Command::new("env")
        .arg("--ignore-signal=CHLD")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "inside", "--ignored"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
}

#[test]
#[ignore = "another test runs it, in a program that ignores `SIGCHLD`"]
fn inside() {
    run(async {
        // It lives until it has been started for sure: nobody could find it afterwards.
        let shell = create_subprocess_shell("read line; exit 3").stdin(Stdio::piped());
        let mut process = shell.await.unwrap();
        drop(process.take_stdin());
        let returncode = process.wait().await;
        assert_eq!(returncode, ReturnCode::Unknown);
        assert_eq!(returncode.as_i32(), 255, "as asyncio has it");
        assert_eq!((returncode.code(), returncode.signal()), (None, None));
        assert_eq!(returncode.to_string(), "ended, nobody knows how");

        let process = running().await;
        process.kill().unwrap();
        gone(process.pid()).await;
        // It is gone already, whether or not that is known yet: no stranger is signalled, nothing fails.
        assert!(matches!(process.kill(), Ok(()) | Err(SignalError::Ended { .. })));
        process.wait().await;
    });
}

//! The examples that run programs, and what they print.

#![cfg(unix)]

use std::path::Path;
use std::process::Command;

/// Cargo builds a package's examples with its tests, into the folder beside theirs.
fn prints(example: &str) -> String {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().join("examples");
    let output = Command::new(folder.join(example)).output().expect("build with `--examples`");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn check(example: &str) {
    let printed = prints(example);
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[0], "Hello World");
    let pid = lines[1].strip_prefix("subprocess: <Process ").and_then(|it| it.strip_suffix(">"));
    assert!(pid.is_some_and(|pid| pid.parse::<u32>().is_ok()), "{printed}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn subprocess_exec() {
    check("subprocess_exec");
}

#[test]
fn subprocess_shell() {
    check("subprocess_shell");
}

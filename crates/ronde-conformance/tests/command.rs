//! The command: what it prints of programs that differ, panic, hang or are none, and its exit status.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use ronde_conformance::{Played, Player};
use tempfile::TempDir;

const GOOD: &str = r#"{"coroutines": {"main": [{"op": "log", "msg": "a"}]}}"#;
const GOOD_TRACE: &str = "0 T1 log a\n0 - main 0\n0 - end\n";
/// It names a lock that the program doesn't have.
const PANICS: &str = r#"{"coroutines": {"main": [{"op": "lock_release", "lock": 3}]}}"#;

#[test]
fn a_folder_is_compared_program_by_program() {
    let folder = folder(&[
        ("good.json", GOOD),
        ("good.trace", GOOD_TRACE),
        ("other.json", GOOD),
        ("other.trace", "0 T1 log a\n0 - main 1\n0 - end\n"),
        ("panics.json", PANICS),
        ("panics.trace", ""),
        ("none.json", r#"{"coroutines": {"main": [{"op": "fly"}]}}"#),
        ("none.trace", ""),
        ("alone.json", GOOD),
    ]);
    let output = run(&[folder.path().to_str().unwrap()]);

    let printed = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains("other\n      0 T1 log a\n    - 0 - main 1"), "{printed}");
    assert!(printed.contains("    + 0 - main 0"), "{printed}");
    assert!(printed.contains("panics\n    panicked: "), "{printed}");
    assert!(printed.contains("none\n    not a program: unknown variant `fly`"), "{printed}");
    assert!(printed.contains("alone\n    its trace: "), "{printed}");
    assert!(printed.contains("  1/5  20.00 %"), "{printed}");
}

#[test]
fn each_folder_has_its_percentage() {
    let folder = folder(&[
        ("a/x.json", GOOD),
        ("a/x.trace", GOOD_TRACE),
        ("b/y.json", GOOD),
        ("b/y.trace", GOOD_TRACE),
    ]);
    let output = run(&[folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output).matches("  1/1  100.00 %").count(), 2);
}

#[test]
fn the_newest_form_counts_where_there_is_one() {
    let folder = folder(&[
        ("x.json", GOOD),
        ("x.trace", "0 T1 log b\n"),
        ("x.newest.trace", GOOD_TRACE),
        ("y.json", GOOD),
        ("y.trace", "0 T1 log b\n"),
        ("y.ronde.trace", GOOD_TRACE),
    ]);
    let output = run(&[folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).ends_with("  1/2  50.00 %, on purpose not: y\n"), "{}", text(&output));
}

#[test]
fn a_line_of_json_per_program_is_for_other_tools() {
    let folder = folder(&[("good.json", GOOD), ("panics.json", PANICS)]);
    let output = run(&["--jsonl", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let line = r#"{"name":"good","trace":["0 T1 log a","0 - main 0","0 - end"]}"#;
    assert_eq!(text(&output), format!("{line}\n"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("panics.json: Panicked"));
}

#[test]
fn the_trace_of_one_program_can_be_had() {
    let folder = folder(&[("good.json", GOOD)]);
    let output = run(&["--trace", folder.path().join("good.json").to_str().unwrap()]);
    assert_eq!((output.status.code(), &*text(&output)), (Some(0), GOOD_TRACE));
}

#[test]
fn what_cannot_be_read_is_named() {
    let empty = folder(&[]);
    for path in [empty.path(), Path::new("there/is/none")] {
        let output = run(&[path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(printed.starts_with(path.to_str().unwrap()), "{printed}");
    }
    assert_eq!(run(&[]).status.code(), Some(2));
}

#[test]
fn a_program_that_hangs_is_left_behind() {
    // So many turns that no machine makes them in the time.
    let endless = r#"{"coroutines": {"main": [{"op": "repeat", "n": 4000000000, "body": []}]}}"#;
    let mut player = Player::new(Duration::from_millis(50));
    assert_eq!(player.play(endless), Played::Hung(Duration::from_millis(50)));
    let mut player = Player::default();
    assert!(matches!(player.play(PANICS), Played::Panicked(_)));
    let lines = GOOD_TRACE.lines().map(str::to_owned).collect();
    assert_eq!(player.play(GOOD), Played::Trace(lines));
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ronde-conformance")).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

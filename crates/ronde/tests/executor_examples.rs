//! The examples with executors, and what they print.

use std::env::consts::EXE_SUFFIX;
use std::path::Path;
use std::process::Command;

/// Cargo builds a package's examples with its tests, into the folder beside theirs.
fn prints(example: &str) -> String {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().join("examples");
    let program = folder.join(format!("{example}{EXE_SUFFIX}"));
    let output = Command::new(program).output().expect("build with `--examples`");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn run_in_executor() {
    assert_eq!(
        prints("run_in_executor"),
        "in a pool of our own: ours_0\nin rayon's: 332833500 and 333283335000\n"
    );
}

#[cfg(all(unix, feature = "process-pool"))]
#[test]
fn process_pool() {
    let printed = prints("process_pool");
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    for (line, place) in lines.into_iter().zip(["here", "in processes"]) {
        let begin = format!("17984 primes below 200000, counted {place} in ");
        assert!(line.starts_with(&begin), "{line}");
    }
}

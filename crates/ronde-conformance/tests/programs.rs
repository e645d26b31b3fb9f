//! The programs kept here give the traces that CPython's asyncio gave.

use std::fs;
use std::path::{Path, PathBuf};

use ronde_conformance::{Program, run, unsupported};

/// Programs whose trace is meant to be another one, and why.
const DEVIATIONS: &[(&str, &str)] = &[
    ("cancel_uncancel_undelivered", UNCANCEL),
    ("cond_notify_lost", NOTIFY),
    ("iter_wait_for_zero", ZERO),
    ("iter_wait_for", WAIT_FOR),
    ("iter_cancel_wait_for", WAIT_FOR),
    ("wait_for_cancel_race", WAIT_FOR),
    ("wait_for_cancel_suppressed", WAIT_FOR),
    ("task_group_cancel_and_error", GROUP),
    ("task_group_error_then_cancel", GROUP),
    ("task_group_wait_error", GROUP),
];

const GROUP: &str = "as in Python 3.13, a group that was cancelled from outside and has failures \
                     raises them, and the task is cancelled again; its own cancellations don't count";

const UNCANCEL: &str = "as in Python 3.13, `uncancel` withdraws a request that isn't delivered yet";
const NOTIFY: &str =
    "as in Python 3.13, a condition passes on what a cancelled waiter was notified of";
const ZERO: &str = "with no time at all, a task is cancelled without a turn in between";
const WAIT_FOR: &str = "as in Python 3.12, `wait_for` is a timeout in the calling task: it takes \
                        fewer turns, and what a task that was cancelled returns is the result";

/// How many lines before the first difference are shown.
const CONTEXT: usize = 3;

#[test]
fn basic_programs_give_the_traces_of_asyncio() {
    check("basic");
}

#[test]
fn programs_about_the_order_of_steps_give_the_traces_of_asyncio() {
    check("order");
}

#[test]
fn programs_about_composites_give_the_traces_of_asyncio() {
    check("time");
}

fn check(folder: &str) {
    let (mut passed, mut skipped, mut deviating) = (0, 0, 0);
    let mut failures = Vec::new();
    for file in programs(folder) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let program = Program::parse(&fs::read_to_string(&file).unwrap()).unwrap();
        if unsupported(&program).is_some() {
            skipped += 1;
            continue;
        }
        let expected = fs::read_to_string(file.with_extension("trace")).unwrap();
        let expected: Vec<&str> = expected.lines().collect();
        let difference = first_difference(&expected, &run(&program));
        let deviation = DEVIATIONS.iter().find(|(deviating, _)| *deviating == name);
        match (difference, deviation) {
            (None, None) => passed += 1,
            (Some(_), Some(_)) => deviating += 1,
            (Some(difference), None) => failures.push(format!("{folder}/{name}\n{difference}")),
            (None, Some((_, reason))) => {
                failures.push(format!("{folder}/{name} is no deviation any more: {reason}"));
            }
        }
    }
    println!("{folder}: {passed} passed, {skipped} skipped, {deviating} deviate on purpose");
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

fn programs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn first_difference(expected: &[&str], got: &[String]) -> Option<String> {
    let longest = expected.len().max(got.len());
    let line = (0..longest)
        .find(|&line| expected.get(line).copied() != got.get(line).map(String::as_str))?;
    let mut text = String::new();
    for same in &expected[line.saturating_sub(CONTEXT)..line] {
        text += &format!("      {same}\n");
    }
    let nothing = "(nothing more)";
    text += &format!("    - {}\n", expected.get(line).unwrap_or(&nothing));
    text += &format!("    + {}\n", got.get(line).map_or(nothing, String::as_str));
    Some(text)
}

//! The project's chores, as `cargo xtask <task>`.
//!
//! `cargo xtask ci` is the whole test suite: every task that says so in [`tasks::TASKS`], in that
//! order, up to the first failure. `cargo xtask help` prints the table.
//!
//! - [`tasks`] lists the tasks; most are one cargo command.
//! - [`setup`], [`examples`], [`guide`], [`surface`] and [`callgrind`] are the tasks that are more than that.
//! - [`tidy`] holds the project's own rules. Its tables (which crate may use which, which files
//!   may contain `unsafe`) are constants at the top of the file that checks them.
//! - [`command`] and [`run`] start processes, take times and print the summary.

#![forbid(unsafe_code)]

mod tasks;

mod callgrind;
mod examples;
mod guide;
mod setup;
mod surface;
mod tidy;

mod command;
mod manifest;
mod run;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tasks::{Kind, TASKS, Task};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("help", &[][..]),
    };

    match name {
        "help" | "--help" | "-h" => {
            print!("{}", help());
            ExitCode::SUCCESS
        }
        "ci" if rest.is_empty() => {
            run::all(&root(), TASKS.iter().filter(|task| task.kind == Kind::InCi), &[])
        }
        "ci" => usage_error("`ci` takes no arguments"),
        _ => match TASKS.iter().find(|task| task.name == name) {
            Some(task) if task.kind == Kind::Silent => run::silently(&root(), task, rest),
            Some(task) => run::all(&root(), [task].into_iter(), rest),
            None => usage_error(&format!("no task is called `{name}`")),
        },
    }
}

/// The repository's root: the folder above this package.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("xtask is a folder of the repository").to_path_buf()
}

fn usage_error(problem: &str) -> ExitCode {
    eprint!("{problem}\n\n{}", help());
    ExitCode::from(2)
}

fn help() -> String {
    let mut text = String::from("cargo xtask <task> [arguments]\n\n");
    let mut line = |name: &str, in_ci: bool, summary: &str| {
        let mark = if in_ci { "ci" } else { "" };
        text.push_str(&format!("  {name:<16}  {mark:<2}  {summary}\n"));
    };
    line("ci", false, "everything marked `ci` below, in this order, up to the first failure");
    for Task { name, kind, summary, .. } in TASKS {
        line(name, *kind == Kind::InCi, summary);
    }
    text
}

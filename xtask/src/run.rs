//! Runs tasks one after the other, takes their times and sums up.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::tasks::Task;

/// Why a task stopped, and the command that shows it again.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What went wrong, in plain words.
    pub(crate) problem: String,
    /// The narrowest command that repeats it, if that is not simply the task itself.
    pub(crate) repeat: Option<String>,
}

impl Failure {
    /// A failure that the task's own name repeats.
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), repeat: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

/// Runs `tasks` in order until one fails, then prints what ran and how long it took.
pub(crate) fn all<'a>(
    root: &Path,
    tasks: impl Iterator<Item = &'a Task>,
    arguments: &[String],
) -> ExitCode {
    let began = Instant::now();
    let mut lines = Vec::new();
    let mut failed = None;

    for task in tasks {
        println!("\n== {}: {}", task.name, task.summary);
        let task_began = Instant::now();
        let result = (task.run)(root, arguments);
        let took = Took(task_began.elapsed());
        let outcome = if result.is_ok() { "ok" } else { "FAILED" };
        println!("== {}: {outcome} after {took}", task.name);
        lines.push(format!("  {:<16} {took:>9}  {outcome}", task.name));
        if let Err(failure) = result {
            failed = Some((task, failure));
            break;
        }
    }

    if lines.len() > 1 {
        println!("\n== summary");
        println!("{}", lines.join("\n"));
        println!("  {:<16} {:>9}", "total", Took(began.elapsed()));
    }

    let Some((task, failure)) = failed else {
        return ExitCode::SUCCESS;
    };
    println!("\n`{}` failed: {failure}", task.name);
    println!("the task again:    cargo xtask {}", task.name);
    if let Some(command) = failure.repeat {
        println!("only what failed:  {command}");
    }
    ExitCode::FAILURE
}

/// Runs a task, and prints what is wrong if it can't be done.
pub(crate) fn silently(root: &Path, task: &Task, arguments: &[String]) -> ExitCode {
    match (task.run)(root, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// A duration as a person reads it: `0.3 s`, `72.0 s`.
struct Took(Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.1} s", self.0.as_secs_f64()))
    }
}

//! The project's own rules, those that no compiler knows.
//!
//! Every check is a function from the repository's files to a list of violations. To add one,
//! write such a function, put it into [`CHECKS`], and test it with a tree that breaks the rule:
//! a check that cannot fail is worthless.
//!
//! The checks read lines, not syntax trees. `cargo fmt` has run before, so lines can be trusted.

mod cancel;
mod changes;
mod commands;
mod docs;
mod layers;
mod links;
mod quotes;
mod text;
mod unsafety;

mod source;

use std::fmt;
use std::path::Path;

use crate::run::Failure;
use crate::tasks::read;
use crate::tree::Tree;

pub(crate) use unsafety::packages_with_unsafe;

/// A check and its name.
type Check = (&'static str, fn(&Tree) -> Vec<Violation>);

const CHECKS: &[Check] = &[
    ("arrows between crates", layers::check),
    ("files with unsafe", unsafety::check),
    ("what every crate documents", docs::check),
    ("cancel safety", cancel::check),
    ("files in changes/", changes::check),
    ("Markdown links", links::check),
    ("quoted code", quotes::check),
    ("the test command", commands::check),
    ("text of the sources", text::check),
];

/// A line that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    file: String,
    line: usize,
    /// What is wrong and why that matters, or what to do instead.
    problem: String,
}

impl Violation {
    fn new(file: impl Into<String>, line: usize, problem: impl Into<String>) -> Self {
        Self { file: file.into(), line, problem: problem.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

/// Runs all checks and prints what they find.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let tree = read(root)?;
    let mut count = 0;
    for (name, check) in CHECKS {
        let mut violations = check(&tree);
        violations.sort();
        println!("{name}: {}", if violations.is_empty() { "ok" } else { "VIOLATED" });
        for violation in &violations {
            println!("{violation}");
        }
        count += violations.len();
    }
    match count {
        0 => Ok(()),
        1 => Err(Failure::new("1 line breaks a rule of the project")),
        _ => Err(Failure::new(format!("{count} lines break a rule of the project"))),
    }
}

/// What a check says about a tree made of these files, as it would be printed.
#[cfg(test)]
fn said(check: fn(&Tree) -> Vec<Violation>, files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::of(files)).iter().map(Violation::to_string).collect()
}

//! Starts a command, having printed it in a form that can be pasted into a shell.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use crate::run::Failure;

/// A command with its arguments, and with how it is shown to people.
pub(crate) struct Shown {
    command: Command,
    environment: Vec<String>,
    words: Vec<String>,
}

impl Shown {
    /// A command called `program`, run in `folder`.
    pub(crate) fn new(program: &str, folder: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder);
        Self { command, environment: Vec::new(), words: vec![program.to_owned()] }
    }

    /// The cargo that started this tool, run in `root`.
    pub(crate) fn cargo(root: &Path) -> Self {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(program);
        command.current_dir(root);
        forget_this_package(&mut command);
        Self { command, environment: Vec::new(), words: vec!["cargo".to_owned()] }
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        for argument in arguments {
            self.command.arg(argument.as_ref());
            self.words.push(quoted(argument.as_ref()));
        }
        self
    }

    /// Adds `--package name` for each of `packages`.
    pub(crate) fn packages<S: AsRef<str>>(self, packages: impl IntoIterator<Item = S>) -> Self {
        packages.into_iter().fold(self, |shown, name| shown.args(["--package", name.as_ref()]))
    }

    /// Sets a variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.environment.push(format!("{name}={}", quoted(value)));
        self
    }

    /// Takes all variables away but the one that programs are found with.
    pub(crate) fn without_environment(mut self) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        self.command.env_clear().env("PATH", path);
        self
    }

    /// Appends to a variable that holds options, so that what the caller has set still counts.
    pub(crate) fn env_option(self, name: &str, option: &str) -> Self {
        match std::env::var(name) {
            Ok(old) if !old.trim().is_empty() => self.env(name, &format!("{old} {option}")),
            _ => self.env(name, option),
        }
    }

    /// Runs it, its output going where ours goes, and shows the command before.
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.print();
        self.run_silently()
    }

    /// Runs it, its output going where ours goes.
    pub(crate) fn run_silently(self) -> Result<(), Failure> {
        let shown = self.shown();
        let Self { mut command, .. } = self;
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure {
                problem: format!("the command ended with {status}"),
                repeat: Some(shown),
            }),
            Err(error) => Err(cannot_start(&shown, &error)),
        }
    }

    /// Runs it and returns what it wrote to its standard output.
    pub(crate) fn output(self) -> Result<String, Failure> {
        self.outputs().map(|(output, _)| output)
    }

    /// Runs it and returns what it wrote to its standard error output.
    pub(crate) fn error_output(self) -> Result<String, Failure> {
        self.outputs().map(|(_, error_output)| error_output)
    }

    fn outputs(mut self) -> Result<(String, String), Failure> {
        let shown = self.shown();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self.command.output() {
            Ok(output) if output.status.success() => {
                Ok((text(&output.stdout), text(&output.stderr)))
            }
            Ok(output) => Err(Failure {
                problem: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                repeat: Some(shown),
            }),
            Err(error) => Err(cannot_start(&shown, &error)),
        }
    }

    fn print(&self) {
        println!("$ {}", self.shown());
        // The child writes to the same place; what we said must be there first. If it cannot be
        // written, the child's output cannot either.
        let _ = io::stdout().flush();
    }

    /// The command as a shell takes it.
    pub(crate) fn shown(&self) -> String {
        let words = self.environment.iter().chain(&self.words);
        words.map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// Takes away the variables that `cargo run` has set about the package `xtask`.
///
/// Build scripts may ask to run again when such a variable changes (`ring`'s does), and then each
/// switch between `cargo xtask test` and `cargo test` would rebuild half of the dependencies.
fn forget_this_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let about_us = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if about_us {
            command.env_remove(name);
        }
    }
}

fn cannot_start(shown: &str, error: &io::Error) -> Failure {
    Failure::new(format!("cannot start `{shown}`: {error}"))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

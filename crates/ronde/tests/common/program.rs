//! Programs that a test runs as a user runs them, and what they write.

#![allow(dead_code)] // Not every test uses all of it.

use std::env;
use std::env::consts::EXE_SUFFIX;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// After this time something hangs. It is never waited for otherwise.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Cargo builds a package's examples with its tests, into the folder beside theirs.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().join("examples");
    let program = folder.join(format!("{name}{EXE_SUFFIX}"));
    assert!(
        program.exists(),
        "{} is missing: `cargo test` builds it, or `cargo build --example {name}`",
        program.display()
    );
    program
}

/// What a run of a program has come to.
pub(crate) struct Run {
    pub(crate) output: String,
    pub(crate) complaints: String,
    pub(crate) code: Option<i32>,
}

impl Run {
    /// Runs the program to its end, without input.
    pub(crate) fn of(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Running::start(command);
        let output = read_all(child.0.stdout.take().unwrap());
        let complaints = read_all(child.0.stderr.take().unwrap());
        let finished = "the program neither ends nor closes its output";
        let output = output.recv_timeout(DEADLINE).expect(finished);
        let complaints = complaints.recv_timeout(DEADLINE).expect(finished);
        Self { output, complaints, code: child.0.wait().unwrap().code() }
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("the program writes text");
        // Nobody waits any more if the time was up.
        let _ = sender.send(text);
    });
    receiver
}

/// A child process, which is killed when this is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        match command.spawn() {
            Ok(child) => Self(child),
            Err(error) => panic!("{:?} can't be started: {error}", command.get_program()),
        }
    }

    /// Sends it what Ctrl-C sends, and returns the exit status that a shell would show.
    #[cfg(unix)]
    pub(crate) fn ctrl_c(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;

        let killed = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        assert!(killed.unwrap().success());
        let status = self.0.wait().unwrap();
        status.code().or(status.signal().map(|signal| 128 + signal))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server in a process of its own, and the lines that it writes.
pub(crate) struct Server {
    pub(crate) lines: mpsc::Receiver<String>,
    pub(crate) process: Running,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
        let output = BufReader::new(process.0.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        // It reads to the end, even if nobody wants the lines: else the server might block, or fail.
        thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|line| {
                let _ = sender.send(line);
            })
        });
        Self { lines, process }
    }

    /// The port that it listens on, which it tells after `prefix`.
    pub(crate) fn read_port(&self, prefix: &str) -> u16 {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.expect("the server ended, or has not said which port it listens on");
            if let Some(rest) = line.strip_prefix(prefix) {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                return digits.parse().unwrap();
            }
        }
    }
}

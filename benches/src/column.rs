//! A column of the table: a program that can be asked to do things, one process for each.
//!
//! So no runtime meets memory, threads or timers that another has left behind.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::load::Load;
use crate::runtimes::RUNTIMES;

/// A runtime as the table sees it.
pub(crate) struct Column {
    pub(crate) name: String,
    program: Vec<OsString>,
    /// What it can be measured with, by name.
    scenarios: Vec<String>,
    /// Does a fraction of the operations only: one is slow enough to be measured so.
    divisor: u32,
}

/// Python takes some ten times as long for everything.
const SLOWER: u32 = 8;

impl Column {
    /// All that can be measured here. Of the others, says why not.
    pub(crate) fn all() -> Vec<Self> {
        let mut columns = Vec::new();
        let ours = std::env::current_exe().expect("this program is a file").into_os_string();
        for runtime in RUNTIMES {
            columns.extend(Self::of(runtime.name, vec![ours.clone()], 1));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/runtimes.py");
        for name in ["asyncio", "uvloop"] {
            columns.extend(Self::of(name, vec!["python3".into(), script.clone().into()], SLOWER));
        }
        columns
    }

    /// The column of a runtime, if the program has it.
    fn of(name: &str, program: Vec<OsString>, divisor: u32) -> Option<Self> {
        let mut column = Self { name: name.to_owned(), program, scenarios: Vec::new(), divisor };
        let said = column.command().args(["scenarios", name]).output();
        match said {
            Ok(said) if said.status.success() => {
                let said = String::from_utf8_lossy(&said.stdout).into_owned();
                column.scenarios = said.split_whitespace().map(str::to_owned).collect();
                Some(column)
            }
            Ok(said) => {
                let why = String::from_utf8_lossy(&said.stderr).into_owned();
                eprintln!(
                    "without {name}: {}",
                    why.lines().next_back().unwrap_or("no reason given")
                );
                None
            }
            Err(error) => {
                eprintln!("without {name}: {error}");
                None
            }
        }
    }

    pub(crate) fn has(&self, scenario: &str) -> bool {
        self.scenarios.iter().any(|name| name == scenario)
    }

    /// What one operation takes.
    pub(crate) fn measure(&self, scenario: &str, count: u32) -> Option<f64> {
        let count = (count / self.divisor).to_string();
        let said = self.command().args(["run", &self.name, scenario, &count]).output().ok()?;
        let said = said.status.success().then_some(said.stdout)?;
        String::from_utf8_lossy(&said).trim().parse().ok()
    }

    /// The nanoseconds that the server works for one request, on the processor that it has together
    /// with its client.
    pub(crate) fn serve(&self, load: &Load, count: u32) -> Option<f64> {
        let count = load.whole_rounds(count / self.divisor);
        let mut server = Talk::start(self.server(load))?;
        let nanos = ask(&mut server, load, count)?;
        Some(nanos / f64::from(count))
    }

    /// The system calls that the server makes for one request.
    ///
    /// They are counted with two numbers of requests: starting, ending and connecting cancel out.
    pub(crate) fn calls(&self, load: &Load, count: u32) -> Option<f64> {
        let count = load.whole_rounds(count);
        let few = self.all_calls(load, count)?;
        let many = self.all_calls(load, count * 3)?;
        Some((many - few) / f64::from(count * 2))
    }

    fn all_calls(&self, load: &Load, count: u32) -> Option<f64> {
        let file = summary_file();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-U", "name,calls", "-o"]).arg(&file);
        let server = self.server(load);
        strace.arg(server.get_program()).args(server.get_args());
        let mut server = Talk::start(strace)?;
        let asked = ask(&mut server, load, count);
        server.end();
        let summary = std::fs::read_to_string(&file).ok();
        // It is in a folder for such files.
        let _ = std::fs::remove_file(&file);
        asked?;
        Some(sum_of_calls(&summary?))
    }

    fn server(&self, load: &Load) -> Command {
        let mut command = self.command();
        command.args(["serve", &self.name, load.service.name()]);
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]);
        command
    }
}

fn summary_file() -> PathBuf {
    std::env::temp_dir().join(format!("ronde-benches-{}.strace", std::process::id()))
}

/// The calls in lines of `name calls`.
fn sum_of_calls(summary: &str) -> f64 {
    let rows = summary.lines().filter_map(|line| {
        let (name, calls) = line.trim().split_once(' ')?;
        (name != "total").then(|| calls.trim().parse::<f64>().ok())?
    });
    rows.sum()
}

/// Has a client ask the server, and returns what the server has worked for that.
fn ask(server: &mut Talk, load: &Load, count: u32) -> Option<f64> {
    let port = server.hear()?;
    let mut client = Command::new(std::env::current_exe().ok()?);
    client.args(["load", load.name, &port, &count.to_string()]);
    let mut client = Talk::start(client)?;
    client.hear()?;
    let before: f64 = server.ask("cpu")?.parse().ok()?;
    client.ask("work")?;
    let after: f64 = server.ask("cpu")?.parse().ok()?;
    client.end();
    Some(after - before)
}

/// A process that is spoken with in lines. It ends when this is dropped.
struct Talk {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Talk {
    fn start(mut command: Command) -> Option<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.inspect_err(|error| eprintln!("{command:?}: {error}")).ok()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take()?);
        Some(Self { child, input, output })
    }

    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).ok().filter(|count| *count > 0)?;
        Some(line.trim().to_owned())
    }

    fn ask(&mut self, line: &str) -> Option<String> {
        writeln!(self.input.as_mut()?, "{line}").ok()?;
        self.hear()
    }

    /// Closes its input, which is the sign to end, and waits until it has.
    fn end(&mut self) {
        self.input = None;
        // It is a child of ours, and nobody else waits for it.
        let _ = self.child.wait();
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.end();
    }
}

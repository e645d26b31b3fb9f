//! Builds all examples and runs them: offline, without arguments, without input, in little time.

use std::env::consts::EXE_SUFFIX;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::Shown;
use crate::run::Failure;
use crate::tasks::{all_but_benches, read, target};
use crate::tree::Tree;

/// How an example is run, if it takes more than "without arguments, and it must succeed".
struct Special {
    package: &'static str,
    example: &'static str,
    arguments: &'static [&'static str],
    /// The code it must end with.
    exit_code: i32,
    /// Why it is special. For the reader of this table, and of the output.
    why: &'static str,
}

const SPECIAL: &[Special] = &[Special {
    package: "ronde",
    example: "website_status",
    arguments: &[],
    exit_code: 1,
    why: "some of its sites fail on purpose",
}];

/// After this time an example hangs. The slowest needs a few seconds on a loaded machine.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// An example and the package that it belongs to.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    package: String,
    name: String,
}

/// Builds all examples, then runs those called `names`, or all if there are no names.
pub(crate) fn run(root: &Path, names: &[String]) -> Result<(), Failure> {
    let examples = find(&read(root)?);
    check_tables(&examples)?;
    all_but_benches(Shown::cargo(root).args(["build"]), root).args(["--examples"]).run()?;

    // Run as built above: `cargo run --package` would select other features, and build again.
    let target = target(root)?;
    let logs = target.join("xtask-examples");
    fs::create_dir_all(&logs).map_err(|error| cannot("create", &logs, &error))?;
    let wanted = |example: &&Example| names.is_empty() || names.contains(&example.name);
    if let Some(name) = names.iter().find(|name| !examples.iter().any(|it| it.name == **name)) {
        return Err(Failure::new(format!("no example is called {name}")));
    }
    for example in examples.iter().filter(wanted) {
        let file = format!("{}{}", example.name, EXE_SUFFIX);
        let program = target.join("debug/examples").join(file);
        let log = logs.join(format!("{}.log", example.name));
        run_one(root, example, &program, &log)?;
    }
    Ok(())
}

fn run_one(root: &Path, example: &Example, program: &Path, log: &Path) -> Result<(), Failure> {
    let Example { package, name } = example;
    let special = SPECIAL.iter().find(|row| row.is(example));
    let (arguments, expected) = special.map_or((&[][..], 0), |row| (row.arguments, row.exit_code));

    let began = Instant::now();
    let mut command = Command::new(program);
    command.current_dir(root).args(arguments);
    let ended = finish(command, log).map_err(|error| cannot("run", program, &error))?;
    let problem = match ended {
        Some(status) if status.code() == Some(expected) => {
            let why = special.map(|row| format!(" ({status}: {})", row.why)).unwrap_or_default();
            println!("{package}/{name}: ok after {:.1} s{why}", began.elapsed().as_secs_f64());
            return Ok(());
        }
        Some(status) => format!("it ended with {status}, not with exit code {expected}"),
        None => format!("it was still running after {} s", TIME_LIMIT.as_secs()),
    };
    let output = fs::read(log).unwrap_or_default();
    println!("{package}/{name} wrote:\n{}", String::from_utf8_lossy(&output));
    let repeat = Shown::cargo(root).args(["run", "--package", package, "--example", name]);
    let repeat = if arguments.is_empty() { repeat } else { repeat.args(["--"]).args(arguments) };
    Err(Failure {
        problem: format!("the example {name} of {package}: {problem}"),
        repeat: Some(repeat.shown()),
    })
}

/// Runs a command to its end, which is `None` if we had to make it.
fn finish(mut command: Command, log: &Path) -> io::Result<Option<ExitStatus>> {
    // Output goes to a file, since a pipe that nobody reads would stop a talkative example.
    let output = File::create(log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let mut child = command.spawn()?;
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

impl Special {
    fn is(&self, example: &Example) -> bool {
        self.package == example.package && self.example == example.name
    }
}

/// All examples, by package and name.
fn find(tree: &Tree) -> Vec<Example> {
    let mut examples = Vec::new();
    for package in tree.crates() {
        for (path, _) in tree.ending_with(".rs") {
            let file = path.strip_prefix(&format!("{}/examples/", package.folder));
            let name = file.and_then(|file| file.strip_suffix(".rs")).and_then(|file| {
                let name = file.strip_suffix("/main").unwrap_or(file);
                (!name.contains('/')).then(|| name.to_owned())
            });
            if let Some(name) = name {
                examples.push(Example { package: package.name.clone(), name });
            }
        }
    }
    examples
}

/// Names must be unique, as all examples are built into one folder; [`SPECIAL`] must be current.
fn check_tables(examples: &[Example]) -> Result<(), Failure> {
    for (index, example) in examples.iter().enumerate() {
        if let Some(twin) = examples[..index].iter().find(|other| other.name == example.name) {
            return Err(Failure::new(format!(
                "{} and {} both have an example called {}; cargo builds both into one file",
                twin.package, example.package, example.name
            )));
        }
    }
    let has_examples = |package| examples.iter().any(|example| example.package == package);
    let is_stale = |row: &&Special| {
        has_examples(row.package) && !examples.iter().any(|example| row.is(example))
    };
    match SPECIAL.iter().find(is_stale) {
        Some(row) => Err(Failure::new(format!(
            "{}/{} is listed in xtask/src/examples.rs, but there is no such example",
            row.package, row.example
        ))),
        None => Ok(()),
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(package: &str, name: &str) -> Example {
        Example { package: package.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn an_example_is_a_file_or_a_folder_with_a_main() {
        let tree = Tree::of(&[
            ("crates/ronde/Cargo.toml", "[package]\nname = \"ronde\"\n"),
            ("crates/ronde/examples/echo.rs", ""),
            ("crates/ronde/examples/chat/main.rs", ""),
            ("crates/ronde/examples/chat/room.rs", ""),
            ("crates/ronde/examples/page.html", ""),
        ]);
        assert_eq!(find(&tree), [example("ronde", "chat"), example("ronde", "echo")]);
    }

    #[test]
    fn two_examples_cannot_share_a_name() {
        let listed = || SPECIAL.iter().map(|row| example(row.package, row.example));
        let mut examples: Vec<_> = listed().collect();
        check_tables(&examples).unwrap();
        examples.push(example("ronde-loop", "website_status"));
        assert!(check_tables(&examples).unwrap_err().problem.contains("website_status"));
    }

    #[test]
    fn a_row_without_an_example_is_stale() {
        for row in SPECIAL {
            let failure = check_tables(&[example(row.package, "another")]).unwrap_err();
            assert!(failure.problem.contains("no such example"), "{failure}");
        }
    }
}

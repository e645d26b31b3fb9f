//! Counts the instructions that ronde takes for the scenarios of `benches`, and compares them with
//! those that are kept in the repository.
//!
//! Times are noisy, instructions are not: two runs of the same program count the same, to the last
//! one. Each scenario runs with two numbers of operations, and the difference is what the operations
//! took: starting and ending cancels out.
//!
//! Another compiler makes other code, and another C library has another allocator. So the file says
//! what it was made with. Where that is not what is here, differences are shown, but nothing fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::command::Shown;
use crate::run::Failure;
use crate::setup;
use crate::tasks::{BENCHES, target};

const FILE: &str = "benches/instructions.txt";

/// Differences of at most this many percent are not worth a word.
const PERCENT: f64 = 3.0;

/// Numbers of operations; scenarios that work in tens of thousands need multiples of ten thousand.
const FEW: u32 = 10_000;
const MANY: u32 = 30_000;

/// Instructions per operation, by scenario.
type Counts = BTreeMap<String, f64>;

/// Without arguments, compares; `--update` writes the file; `--profile SCENARIO` leaves a profile.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if !matches!(arguments.as_slice(), [] | ["--update"] | ["--profile", _]) {
        return Err(Failure::new("`callgrind` takes `--update`, `--profile SCENARIO` or nothing"));
    }
    setup::valgrind(root)?;
    Shown::cargo(root).args(["build", "--release", "--package", BENCHES]).run()?;
    let program = target(root)?.join("release").join(BENCHES).to_string_lossy().into_owned();
    if let ["--profile", scenario] = arguments.as_slice() {
        return profile(root, &program, scenario);
    }

    let here = machine(root)?;
    let counted = count_all(root, &program)?;
    if arguments == ["--update"] {
        let text = written(&here, &counted);
        return fs::write(root.join(FILE), text)
            .map_err(|error| Failure::new(format!("cannot write {FILE}: {error}")));
    }

    let kept = fs::read_to_string(root.join(FILE)).map_err(|error| {
        Failure::new(format!("cannot read {FILE}: {error}; `--update` writes it"))
    })?;
    let (there, kept) = parsed(&kept)?;
    let comparison = compare(&kept, &counted);
    print!("{}", comparison.table);
    if there != here {
        println!("{FILE} was made with {there}; here is {here}.");
        println!("So nothing is too much. To compare, run it with `--update` before a change.");
        return Ok(());
    }
    comparison.verdict()
}

/// Leaves a profile for `callgrind_annotate`.
fn profile(root: &Path, program: &str, scenario: &str) -> Result<(), Failure> {
    let file = target(root)?.join(format!("callgrind.{scenario}"));
    let file = file.to_string_lossy();
    count(root, program, scenario, MANY, &file)?;
    println!("callgrind_annotate {file}");
    Ok(())
}

fn count_all(root: &Path, program: &str) -> Result<Counts, Failure> {
    let mut counted = Counts::new();
    let names = Shown::new(program, root).args(["names"]).output()?;
    for name in names.split_whitespace() {
        let few = count(root, program, name, FEW, "/dev/null")?;
        let many = count(root, program, name, MANY, "/dev/null")?;
        let difference = many.saturating_sub(few) as f64;
        counted.insert(name.to_owned(), difference / f64::from(MANY - FEW));
    }
    Ok(counted)
}

/// The instructions of a whole run.
fn count(
    root: &Path,
    program: &str,
    scenario: &str,
    operations: u32,
    profile: &str,
) -> Result<u64, Failure> {
    let valgrind = Shown::new("valgrind", root)
        // What is on the stack below `main` is the same for everybody.
        .without_environment()
        .args(["--tool=callgrind", &format!("--callgrind-out-file={profile}")])
        .args([program, "count", scenario, &operations.to_string()]);
    let said = valgrind.error_output()?;
    collected(&said).ok_or_else(|| Failure::new(format!("valgrind said no count, but:\n{said}")))
}

/// The number in `==123== Collected : 2786078`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

/// What the counts depend on besides the source.
fn machine(root: &Path) -> Result<String, Failure> {
    let compiler = Shown::new("rustc", root).args(["--version"]).output()?;
    let compiler = compiler.split(" (").next().unwrap_or_default().trim().to_owned();
    let library = Shown::new("getconf", root).args(["GNU_LIBC_VERSION"]).output();
    // Other C libraries have no name for this.
    let library = library.unwrap_or_else(|_| "another C library".to_owned());
    Ok(format!("{compiler}, {}, {}", library.trim(), std::env::consts::ARCH))
}

/// The file's text.
fn written(machine: &str, counts: &Counts) -> String {
    let mut text = format!(
        "# Instructions per operation, as `cargo xtask callgrind --update` wrote them with\n\
         # {machine}\n"
    );
    for (name, count) in counts {
        let _ = writeln!(text, "{name} {count:.1}"); // a string takes all that is written
    }
    text
}

fn parsed(text: &str) -> Result<(String, Counts), Failure> {
    let mut comments = text.lines().filter_map(|line| line.strip_prefix("# "));
    let machine = comments.next_back().unwrap_or_default().to_owned();
    let mut counts = Counts::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let parts = line
            .split_once(' ')
            .and_then(|(name, count)| Some((name.to_owned(), count.parse::<f64>().ok()?)));
        let (name, count) = parts
            .ok_or_else(|| Failure::new(format!("{FILE}: `{line}` is not a name and a number")))?;
        counts.insert(name, count);
    }
    Ok((machine, counts))
}

struct Comparison {
    table: String,
    dearer: Vec<String>,
    /// Better by more than the percentage, new, or gone: the file should be written anew.
    outdated: Vec<String>,
}

fn compare(kept: &Counts, counted: &Counts) -> Comparison {
    let mut table = format!("{:<20} {:>10} {:>10}\n", "", "kept", "counted");
    let (mut dearer, mut outdated) = (Vec::new(), Vec::new());
    for (name, now) in counted {
        let Some(before) = kept.get(name) else {
            let _ = writeln!(table, "{name:<20} {:>10} {now:>10.1}  new", "");
            outdated.push(name.clone());
            continue;
        };
        let percent = (now - before) * 100.0 / before;
        let word = if percent > PERCENT {
            dearer.push(name.clone());
            "  DEARER"
        } else if percent < -PERCENT {
            outdated.push(name.clone());
            "  cheaper"
        } else {
            ""
        };
        let _ = writeln!(table, "{name:<20} {before:>10.1} {now:>10.1} {percent:>+7.1} %{word}");
    }
    for name in kept.keys().filter(|name| !counted.contains_key(*name)) {
        let _ = writeln!(table, "{name:<20} is counted no more");
        outdated.push(name.clone());
    }
    Comparison { table, dearer, outdated }
}

impl Comparison {
    fn verdict(self) -> Result<(), Failure> {
        if !self.dearer.is_empty() {
            return Err(Failure::new(format!(
                "more than {PERCENT} % more instructions: {}\n  \
                 to see where they go:  cargo xtask callgrind --profile {}\n  \
                 if they are worth it:  cargo xtask callgrind --update",
                self.dearer.join(", "),
                self.dearer[0]
            )));
        }
        if !self.outdated.is_empty() {
            println!("{FILE} is out of date, `cargo xtask callgrind --update` writes it anew.");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(entries: &[(&str, f64)]) -> Counts {
        entries.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
    }

    #[test]
    fn the_count_is_found_in_what_valgrind_says() {
        let said =
            "==7== Events    : Ir\n==7== Collected : 2786078\n==7== I   refs:      2,786,078\n";
        assert_eq!(collected(said), Some(2_786_078));
        assert_eq!(collected("==7== killed\n"), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let counted = counts(&[("yield-1", 503.0), ("ping-pong", 1201.5)]);
        let text = written("rustc 1.95.0, glibc 2.36, x86_64", &counted);
        assert!(text.ends_with("ping-pong 1201.5\nyield-1 503.0\n"), "{text}");
        let (machine, read) = parsed(&text).unwrap();
        assert_eq!(machine, "rustc 1.95.0, glibc 2.36, x86_64");
        assert_eq!(read, counted);
        assert!(parsed("yield-1\n").is_err());
    }

    #[test]
    fn more_than_three_percent_more_is_too_much() {
        let kept = counts(&[("a", 100.0), ("b", 100.0)]);
        let comparison = compare(&kept, &counts(&[("a", 103.0), ("b", 103.1)]));
        assert_eq!(comparison.dearer, ["b"]);
        assert!(comparison.verdict().is_err());
        assert!(compare(&kept, &kept).verdict().is_ok());
    }

    #[test]
    fn what_is_cheaper_new_or_gone_makes_the_file_out_of_date() {
        let kept = counts(&[("cheaper", 100.0), ("gone", 100.0), ("same", 100.0)]);
        let comparison =
            compare(&kept, &counts(&[("cheaper", 96.0), ("new", 1.0), ("same", 98.0)]));
        assert_eq!(comparison.outdated, ["cheaper", "new", "gone"]);
        assert!(comparison.verdict().is_ok());
    }
}

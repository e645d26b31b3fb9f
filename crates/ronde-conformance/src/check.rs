//! Compares programs with the traces that lie beside them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::play::{Played, Player};

/// How many lines before the first difference are shown.
const CONTEXT: usize = 3;

/// How the programs of one folder fared.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// How many programs it has, or how many of them were named.
    pub programs: usize,
    /// The programs whose trace is another one, by their file names without `.json`.
    pub failed: Vec<(String, Problem)>,
    /// Those that deviate from asyncio on purpose, and give the trace that ronde is to give.
    pub deviating: Vec<String>,
}

/// Why a program doesn't pass.
#[derive(Debug)]
pub enum Problem {
    /// The first difference, with some lines before it.
    Difference(String),
    /// There is no trace beside it that could be read.
    NoTrace(io::Error),
    /// It gave no trace.
    NoOutcome(Played),
}

/// Runs programs, and every program of folders and the folders in them, and compares their traces with
/// those beside them.
///
/// The trace of `X.json` is in `X.trace`. Where CPython has changed its mind, the newest form is in
/// `X.newest.trace`, and counts. Where ronde deviates on purpose, its own trace is in `X.ronde.trace`.
///
/// # Errors
///
/// A folder or program that can't be read, by its path; no program at all.
pub fn check(paths: &[PathBuf]) -> io::Result<Vec<Folder>> {
    let mut by_folder = BTreeMap::<PathBuf, Vec<PathBuf>>::new();
    for path in paths {
        for file in programs(path)? {
            let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
            by_folder.entry(folder).or_default().push(file);
        }
    }
    let mut player = Player::default();
    let check = |(folder, files)| check_folder(&mut player, folder, files);
    by_folder.into_iter().map(check).collect()
}

/// The programs that a path means: itself, or those in the folder and the folders in it, in order.
///
/// # Errors
///
/// The path can't be read; there is none.
pub fn programs(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(path, &mut files).map_err(|error| at(path, &error))?;
    files.sort();
    if files.is_empty() {
        let error = io::Error::new(io::ErrorKind::NotFound, "no program is there");
        return Err(at(path, &error));
    }
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        if entry.is_dir() || is_program(&entry) {
            collect(&entry, files)?;
        }
    }
    Ok(())
}

/// `versions.json` is about programs.
fn is_program(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "json")
        && file.file_name().is_some_and(|name| name != "versions.json")
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn check_folder(player: &mut Player, path: PathBuf, files: Vec<PathBuf>) -> io::Result<Folder> {
    let mut folder =
        Folder { path, programs: files.len(), failed: Vec::new(), deviating: Vec::new() };
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).map_err(|error| at(&file, &error))?;
        let own = file.with_extension("ronde.trace");
        let newest = file.with_extension("newest.trace");
        let deviates = own.exists();
        let expected = [own, newest].into_iter().find(|trace| trace.exists());
        let expected = expected.unwrap_or_else(|| file.with_extension("trace"));
        match problem(player.play(&text), fs::read_to_string(expected)) {
            Some(problem) => folder.failed.push((name, problem)),
            None if deviates => folder.deviating.push(name),
            None => {}
        }
    }
    Ok(folder)
}

fn problem(played: Played, expected: io::Result<String>) -> Option<Problem> {
    match (played, expected) {
        (Played::Trace(got), Ok(expected)) => {
            let expected: Vec<&str> = expected.lines().collect();
            first_difference(&expected, &got).map(Problem::Difference)
        }
        (Played::Trace(_), Err(error)) => Some(Problem::NoTrace(error)),
        (played, _) => Some(Problem::NoOutcome(played)),
    }
}

fn first_difference(expected: &[&str], got: &[String]) -> Option<String> {
    let longest = expected.len().max(got.len());
    let line = (0..longest)
        .find(|&line| expected.get(line).copied() != got.get(line).map(String::as_str))?;
    let nothing = "(nothing more)";
    let same = expected[line.saturating_sub(CONTEXT)..line].iter();
    let mut text: String = same.map(|same| format!("      {same}\n")).collect();
    text += &format!(
        "    - {}      <- expected, line {}\n",
        expected.get(line).unwrap_or(&nothing),
        line + 1
    );
    text += &format!("    + {}      <- got", got.get(line).map_or(nothing, String::as_str));
    Some(text)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Difference(text) => f.write_str(text),
            Problem::NoTrace(error) => write!(f, "    its trace: {error}"),
            Problem::NoOutcome(Played::Malformed(error)) => write!(f, "    {error}"),
            Problem::NoOutcome(Played::Panicked(message)) => write!(f, "    panicked: {message}"),
            Problem::NoOutcome(Played::Hung(limit)) => {
                write!(f, "    hung: no end after {limit:?}")
            }
            Problem::NoOutcome(Played::Trace(_)) => f.write_str("    it has a trace"),
        }
    }
}

/// Each failure, then `<folder>  <passed>/<programs>  <percent> %`. What deviates has not passed.
impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        for (name, problem) in &self.failed {
            writeln!(f, "FAIL {path}/{name}\n{problem}")?;
        }
        let deviating = self.deviating.len();
        let passed = self.programs - self.failed.len() - deviating;
        #[expect(clippy::cast_precision_loss, reason = "they are thousands")]
        let percent = 100.0 * passed as f64 / self.programs as f64;
        // Not rounded up: 100 % means all.
        let percent = (percent * 100.0).floor() / 100.0;
        write!(f, "{path}  {passed}/{}  {percent:.2} %", self.programs)?;
        if deviating > 0 {
            write!(f, ", on purpose not: {}", self.deviating.join(", "))?;
        }
        Ok(())
    }
}

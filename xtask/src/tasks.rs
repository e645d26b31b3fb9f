//! The table of tasks, and those tasks that are one cargo command.
//!
//! Tasks in `ci` share one target folder and one set of flags, because a change of `RUSTFLAGS`
//! rebuilds every dependency. Tasks that need other flags build in a folder of their own.

use std::path::{Path, PathBuf};

use crate::command::Shown;
use crate::run::Failure;
use crate::tree::Tree;
use crate::{callgrind, examples, guide, manifest, setup, surface, tidy};

/// A chore: `cargo xtask <name>`.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    /// One line for `help`.
    pub(crate) summary: &'static str,
    pub(crate) kind: Kind,
    /// Does it, given the repository's root and the arguments that followed the name.
    pub(crate) run: fn(&Path, &[String]) -> Result<(), Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `cargo xtask ci` includes it.
    InCi,
    Extra,
    /// Nothing is printed but what it prints itself.
    Silent,
}

const IN_CI: Kind = Kind::InCi;
const EXTRA: Kind = Kind::Extra;
const SILENT: Kind = Kind::Silent;

/// All tasks, in the order in which `ci` runs its own.
#[rustfmt::skip]
pub(crate) const TASKS: &[Task] = &[
    task("setup", IN_CI, "check, and if possible install, the programs that tests start", |root, _| setup::run(root)),
    task("fmt", IN_CI, "check the formatting; `fmt --fix` formats", fmt),
    task("clippy", IN_CI, "lint everything, warnings are errors", clippy),
    task("test", IN_CI, "unit and integration tests; arguments go to cargo test", test),
    task("doctest", IN_CI, "examples in the documentation; arguments go to cargo test", doctest),
    task("docs", IN_CI, "build the documentation, warnings are errors", docs),
    task("examples", IN_CI, "build and run the examples, or those that are named", examples::run),
    task("guide", IN_CI, "run the guide's programs and compare what they print; takes names of chapters", guide::run),
    task("surface", IN_CI, "count what is ported of asyncio, and check that the map has all of it", |root, _| surface::run(root)),
    task("tidy", IN_CI, "check the project's own rules", |root, _| tidy::run(root)),
    task("conformance", SILENT, "compare programs with their traces; PATH..., --jsonl FOLDER, --trace FILE", conformance),
    task("bench", EXTRA, "measure ronde next to other runtimes; --quick, parts of the NAMES of scenarios", bench),
    task("peers", EXTRA, "lint and test the benchmarks with all the other runtimes", peers),
    // Not in `ci`: building all of it once more, optimised, takes longer than the rest of its tasks may.
    task("callgrind", EXTRA, "count ronde's instructions and compare; --update, --profile SCENARIO", callgrind::run),
    task("loom", EXTRA, "tests/loom*.rs: every interleaving of what threads share", loom),
    task("asan", EXTRA, "tests of the crates with unsafe code under AddressSanitizer", asan),
    task("portable-poller", EXTRA, "tests of the loop on the poller that all systems have", portable_poller),
    task("msrv", EXTRA, "check the crates with the oldest supported Rust", msrv),
];

const fn task(
    name: &'static str,
    kind: Kind,
    summary: &'static str,
    run: fn(&Path, &[String]) -> Result<(), Failure>,
) -> Task {
    Task { name, summary, kind, run }
}

/// The package that measures. Its timings are no tests, and it builds tokio.
pub(crate) const BENCHES: &str = "ronde-benches";

/// The crates that behave differently on another poller.
const USE_THE_POLLER: &[&str] = &["ronde-reactor", "ronde-loop", "ronde-streams"];

fn fmt(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let cargo = Shown::cargo(root).args(["fmt", "--all"]);
    match arguments {
        [] => cargo.args(["--check"]).run(),
        [fix] if fix == "--fix" => cargo.run(),
        _ => Err(Failure::new("`fmt` takes `--fix` or nothing")),
    }
}

fn clippy(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let cargo = Shown::cargo(root).args(["clippy", "--workspace", "--all-targets"]);
    cargo.args(arguments).args(["--", "-D", "warnings"]).run()
}

fn test(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    // Some tests run an example as a user would, and these flags alone don't have them built.
    all_but_benches(Shown::cargo(root).args(["build"]), root).args(["--examples"]).run()?;
    let cargo = all_but_benches(Shown::cargo(root).args(["test"]), root);
    cargo.args(["--lib", "--bins", "--tests"]).args(arguments).run()
}

fn doctest(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let cargo = all_but_benches(Shown::cargo(root).args(["test"]), root);
    cargo.args(["--doc"]).args(arguments).run()
}

fn docs(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let cargo = Shown::cargo(root).env_option("RUSTDOCFLAGS", "-D warnings");
    cargo.args(["doc", "--no-deps", "--workspace"]).args(arguments).run()
}

/// Compares those that are kept here if no argument says otherwise. What it prints may be for other tools,
/// so nothing else is.
fn conformance(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let cargo = Shown::cargo(root).args(["run", "--quiet", "--package", "ronde-conformance", "--"]);
    if arguments.is_empty() {
        return cargo.args(["crates/ronde-conformance/programs"]).run_silently();
    }
    let mut absolute = Vec::new();
    for argument in arguments {
        // Cargo runs in the root, paths begin where the caller is.
        absolute.push(match argument.strip_prefix("--") {
            Some(_) => argument.clone(),
            None => std::path::absolute(argument)
                .map_err(|error| Failure::new(format!("{argument}: {error}")))?
                .to_string_lossy()
                .into_owned(),
        });
    }
    cargo.args(absolute).run_silently()
}

fn bench(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let cargo = Shown::cargo(root).args(["run", "--release", "--package", BENCHES]);
    cargo.args(["--features", "peers", "--", "table"]).args(arguments).run()
}

fn peers(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let cargo = |task| Shown::cargo(root).args([task, "--package", BENCHES, "--features", "peers"]);
    cargo("clippy").args(["--all-targets", "--", "-D", "warnings"]).run()?;
    cargo("test").args(arguments).run()
}

fn loom(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let tests = loom_tests(&read(root)?);
    if tests.is_empty() {
        return Err(Failure::new("there is no crates/*/tests/loom*.rs"));
    }
    for (package, test) in tests {
        let cargo = Shown::cargo(root)
            .env("CARGO_TARGET_DIR", &target_folder(root, "loom")?)
            .env_option("RUSTFLAGS", "--cfg loom");
        // Loom follows every interleaving; without optimisation that takes minutes.
        let cargo = cargo.args(["test", "--release"]).packages([package]);
        cargo.args(["--test", &test]).args(arguments).run()?;
    }
    Ok(())
}

fn asan(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let packages = tidy::packages_with_unsafe(&read(root)?);
    if packages.is_empty() {
        return Err(Failure::new("no crate has unsafe code"));
    }
    let host = host(root)?;
    let cargo = Shown::cargo(root)
        .env("CARGO_TARGET_DIR", &target_folder(root, "asan")?)
        // The sanitizers are an unstable option, which the stable compiler takes only so.
        .env("RUSTC_BOOTSTRAP", "1")
        .env_option("RUSTFLAGS", "-Zsanitizer=address");
    // With `--target`, the flags leave build scripts and procedural macros alone.
    let cargo = cargo.args(["test", "--target", &host]).packages(packages);
    cargo.args(["--lib", "--tests"]).args(arguments).run()
}

fn portable_poller(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let cargo = Shown::cargo(root)
        .env("CARGO_TARGET_DIR", &target_folder(root, "portable-poller")?)
        .env_option("RUSTFLAGS", "--cfg ronde_portable_poller");
    let cargo = cargo.args(["test"]).packages(USE_THE_POLLER);
    cargo.args(["--lib", "--tests"]).args(arguments).run()
}

fn msrv(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let tree = read(root)?;
    let manifest = tree.text("Cargo.toml").unwrap_or_default();
    let version = manifest::value(manifest, "workspace.package", "rust-version")
        .ok_or_else(|| Failure::new("Cargo.toml: [workspace.package] has no rust-version"))?
        .trim_matches('"');

    let installed = Shown::new("rustup", root).args(["toolchain", "list"]).output()?;
    let toolchain = toolchain(&installed, version).ok_or_else(|| {
        Failure::new(format!(
            "Rust {version} is not installed: rustup toolchain install {version} --profile minimal"
        ))
    })?;
    Shown::new("rustup", root)
        .env("CARGO_TARGET_DIR", &target_folder(root, "msrv")?)
        .args(["run", toolchain, "cargo", "check"])
        .packages(tree.crates().map(|package| package.name))
        .args(arguments)
        .run()
}

/// The name under which rustup has a version: `1.85-x86_64-...` or `1.85.1-x86_64-...`.
fn toolchain<'a>(installed: &'a str, version: &str) -> Option<&'a str> {
    let names = installed.lines().filter_map(|line| line.split_whitespace().next());
    let mut fitting = names.filter(|name| {
        let rest = name.strip_prefix(version);
        rest.is_some_and(|rest| rest.starts_with(['.', '-']))
    });
    fitting.next()
}

/// Adds `--workspace`, without the benchmarks if there are any.
pub(crate) fn all_but_benches(cargo: Shown, root: &Path) -> Shown {
    let cargo = cargo.args(["--workspace"]);
    if root.join("benches/Cargo.toml").exists() {
        return cargo.args(["--exclude", BENCHES]);
    }
    cargo
}

/// The repository's files, or a failure that says why they cannot be read.
pub(crate) fn read(root: &Path) -> Result<Tree, Failure> {
    Tree::read(root).map_err(|error| Failure::new(format!("cannot read the repository: {error}")))
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> Result<PathBuf, Failure> {
    let cargo = Shown::cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata = cargo.output()?;
    let folder = metadata.split_once(r#""target_directory":""#).and_then(|(_, rest)| {
        let (folder, _) = rest.split_once('"')?;
        Some(folder.replace(r"\\", r"\"))
    });
    folder.map(PathBuf::from).ok_or_else(|| Failure::new("cargo metadata names no target folder"))
}

/// A target folder for builds with flags of their own.
fn target_folder(root: &Path, name: &str) -> Result<String, Failure> {
    Ok(target(root)?.join(name).to_string_lossy().into_owned())
}

/// The triple of the machine that this runs on.
fn host(root: &Path) -> Result<String, Failure> {
    let version = Shown::new("rustc", root).args(["-vV"]).output()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::new("rustc -vV names no host"))
}

/// Package and name of each loom test.
fn loom_tests(tree: &Tree) -> Vec<(String, String)> {
    let mut tests = Vec::new();
    for package in tree.crates() {
        for (path, _) in tree.ending_with(".rs") {
            let test = path
                .strip_prefix(&format!("{}/tests/", package.folder))
                .and_then(|file| file.strip_suffix(".rs"));
            if let Some(test) = test.filter(|test| test.starts_with("loom") && !test.contains('/'))
            {
                tests.push((package.name.clone(), test.to_owned()));
            }
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loom_tests_are_found_by_their_name() {
        let tree = Tree::of(&[
            ("crates/ronde-executor/Cargo.toml", "[package]\nname = \"ronde-executor\"\n"),
            ("crates/ronde-executor/tests/loom_wake.rs", ""),
            ("crates/ronde-executor/tests/order.rs", ""),
            ("crates/ronde-executor/tests/loom_wake/model.rs", ""),
        ]);
        let expected = ("ronde-executor".to_owned(), "loom_wake".to_owned());
        assert_eq!(loom_tests(&tree), [expected]);
    }

    #[test]
    fn a_toolchain_is_found_by_its_version() {
        let installed = "stable-x86_64 (active, default)\n1.850.0-x86_64\n1.85.1-x86_64 (x)\n";
        assert_eq!(toolchain(installed, "1.85"), Some("1.85.1-x86_64"));
        assert_eq!(toolchain(installed, "1.8"), None);
    }

    #[test]
    fn every_task_has_a_name_of_its_own() {
        for (index, task) in TASKS.iter().enumerate() {
            assert!(TASKS[..index].iter().all(|other| other.name != task.name), "{}", task.name);
        }
    }
}

//! Makes sure that the programs which the tests start are there.

use std::env;
use std::path::Path;

use crate::command::Shown;
use crate::run::Failure;

/// A program that tests start, and what for.
struct Tool {
    program: &'static str,
    /// The package that has it in Debian. Others have most under the same name.
    package: &'static str,
    used_for: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { program: "openssl", package: "openssl", used_for: "the other end of TLS tests" },
    Tool { program: "python3", package: "python3", used_for: "servers that are not ours" },
    #[cfg(unix)]
    Tool { program: "redis-server", package: "redis-server", used_for: "a client in the guide" },
    #[cfg(target_os = "linux")]
    Tool { program: "strace", package: "strace", used_for: "counting system calls" },
];

const VALGRIND: &[Tool] =
    &[Tool { program: "valgrind", package: "valgrind", used_for: "counting instructions" }];

/// Sees to what tests need.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    provide(root, TOOLS)
}

/// Sees to what counting instructions needs.
pub(crate) fn valgrind(root: &Path) -> Result<(), Failure> {
    provide(root, VALGRIND)
}

/// Checks that the tools are on `PATH`; as root of a Debian-like system, installs what is missing.
fn provide(root: &Path, tools: &[Tool]) -> Result<(), Failure> {
    let missing = || tools.iter().filter(|tool| !is_on_path(tool.program));
    if missing().next().is_some() && can_install(root) {
        install(root, missing().map(|tool| tool.package))?;
    }

    for tool in tools {
        let found = if is_on_path(tool.program) { "found" } else { "MISSING" };
        println!("{:<13} {found:<8} ({})", tool.program, tool.used_for);
    }
    let still_missing: Vec<_> = missing().map(|tool| tool.package).collect();
    if still_missing.is_empty() {
        return Ok(());
    }
    let names = still_missing.join(" ");
    Err(Failure::new(format!(
        "install {names} and make sure that it is on PATH\n  \
         Debian, Ubuntu:  sudo apt-get update && sudo apt-get install {names}\n  \
         Fedora:          sudo dnf install {names}\n  \
         macOS:           brew install {names} (redis-server is in redis)\n  \
         Windows:         winget, or the installers from openssl.org and python.org"
    )))
}

fn is_on_path(program: &str) -> bool {
    let file = format!("{program}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(&file).is_file())
}

fn can_install(root: &Path) -> bool {
    Path::new("/etc/debian_version").exists() && is_on_path("apt-get") && is_root(root)
}

fn is_root(root: &Path) -> bool {
    let user = Shown::new("id", root).args(["-u"]).output();
    user.is_ok_and(|user| user.trim() == "0")
}

fn install<'a>(root: &Path, packages: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let apt_get = || Shown::new("apt-get", root).env("DEBIAN_FRONTEND", "noninteractive");
    apt_get().args(["update"]).run()?;
    apt_get().args(["install", "--yes", "--no-install-recommends"]).args(packages).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_up_on_the_path() {
        // Whoever runs this test has a cargo, and nobody has the other.
        assert!(is_on_path("cargo"));
        assert!(!is_on_path("a-program-that-nobody-has"));
    }
}

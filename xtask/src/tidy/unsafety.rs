//! The list of files that may contain `unsafe`, and the promise of all other crates to have none.

use std::collections::BTreeSet;

use super::Violation;
use super::source::{code, has_word};
use crate::tree::{Package, Tree};

/// Every file with `unsafe`. A new row is a decision that a reviewer sees.
const FILES: &[&str] = &[
    "benches/src/allocated.rs",
    "crates/ronde-executor/src/spawn.rs",
    "crates/ronde-reactor/src/poller/portable.rs",
    "crates/ronde-signal/src/sys/unix.rs",
];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    check_against(tree, FILES)
}

/// The crates whose library contains `unsafe`.
pub(crate) fn packages_with_unsafe(tree: &Tree) -> Vec<String> {
    let has_unsafe = |package: &Package| !unsafe_sources(tree, package).is_empty();
    tree.crates().filter(has_unsafe).map(|package| package.name).collect()
}

fn check_against(tree: &Tree, allowed: &[&str]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in tree.ending_with(".rs") {
        if let Some(line) = first_unsafe(text).filter(|_| !allowed.contains(&file)) {
            let problem = "unsafe in a file that FILES of xtask/src/tidy/unsafety.rs does not list";
            violations.push(Violation::new(file, line, problem));
        }
    }
    for &file in allowed {
        if tree.text(file).and_then(first_unsafe).is_none() {
            let problem = "no unsafe here: take it off FILES of xtask/src/tidy/unsafety.rs";
            violations.push(Violation::new(file, 1, problem));
        }
    }
    violations.extend(tree.packages().iter().filter_map(|package| check_forbid(tree, package)));
    violations
}

/// A package without `unsafe` in its sources must forbid it.
fn check_forbid(tree: &Tree, package: &Package) -> Option<Violation> {
    let main_file = |name: &str| format!("{}/src/{name}.rs", package.folder);
    let root = ["lib", "main"].map(main_file).into_iter().find(|file| tree.exists(file))?;
    let forbids = code(tree.text(&root)?).contains("#![forbid(unsafe_code)]");
    if forbids || !unsafe_sources(tree, package).is_empty() {
        return None;
    }
    Some(Violation::new(root, 1, "a crate without unsafe says #![forbid(unsafe_code)]"))
}

fn unsafe_sources<'a>(tree: &'a Tree, package: &Package) -> BTreeSet<&'a str> {
    let folder = format!("{}/src/", package.folder);
    let sources = tree.ending_with(".rs").filter(|(file, _)| file.starts_with(&folder));
    sources.filter(|(_, text)| first_unsafe(text).is_some()).map(|(file, _)| file).collect()
}

fn first_unsafe(text: &str) -> Option<usize> {
    let code = code(text);
    code.lines().position(|line| has_word(line, "unsafe")).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FD: &str = "crates/ronde-reactor/src/fd.rs";
    const UNSAFE: (&str, &str) = (FD, "// Why.\nfn f() { unsafe { g() } }\n");

    fn said(files: &[(&str, &str)], allowed: &[&str]) -> Vec<String> {
        let violations = check_against(&Tree::of(files), allowed);
        violations.iter().map(Violation::to_string).collect()
    }

    #[test]
    fn unsafe_outside_the_list_is_a_violation() {
        let said = said(&[UNSAFE], &[]);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("crates/ronde-reactor/src/fd.rs:2: unsafe"), "{said:?}");
    }

    #[test]
    fn unsafe_on_the_list_is_fine() {
        assert!(said(&[UNSAFE], &[FD]).is_empty());
    }

    #[test]
    fn a_row_without_unsafe_is_stale() {
        assert_eq!(said(&[(FD, "// unsafe no more\n")], &[FD]).len(), 1);
        assert_eq!(said(&[], &[FD]).len(), 1);
    }

    #[test]
    fn a_crate_without_unsafe_forbids_it() {
        let manifest = ("crates/ronde-reactor/Cargo.toml", "[package]\nname = \"ronde-reactor\"\n");
        let silent = ("crates/ronde-reactor/src/lib.rs", "// #![forbid(unsafe_code)]\n");
        let forbids = ("crates/ronde-reactor/src/lib.rs", "#![forbid(unsafe_code)]\n");
        assert_eq!(said(&[manifest, silent], &[]).len(), 1);
        assert!(said(&[manifest, forbids], &[]).is_empty());
        assert!(said(&[manifest, silent, UNSAFE], &[FD]).is_empty());
    }

    #[test]
    fn the_crates_with_unsafe_are_found_for_the_sanitizer() {
        let reactor = ("crates/ronde-reactor/Cargo.toml", "[package]\nname = \"ronde-reactor\"\n");
        let timer = ("crates/ronde-timer/Cargo.toml", "[package]\nname = \"ronde-timer\"\n");
        let tree = Tree::of(&[reactor, timer, UNSAFE]);
        assert_eq!(packages_with_unsafe(&tree), ["ronde-reactor"]);
    }
}

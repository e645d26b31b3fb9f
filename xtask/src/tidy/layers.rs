//! The arrows between crates: which may depend on which.

use super::Violation;
use crate::manifest::{dependencies, entries};
use crate::tree::{Package, Tree};

/// Each crate, lowest first, and the crates of this workspace that it may use.
///
/// A new crate gets a row here; a new arrow is a decision about the design. The benchmarks have
/// no row, they may use everything.
const LAYERS: &[(&str, &[&str])] = &[
    ("ronde-context", &[]),
    ("ronde-timer", &[]),
    ("ronde-reactor", &["ronde-context"]),
    ("ronde-signal", &[]),
    ("ronde-executor", &["ronde-context"]),
    ("ronde-sync", &["ronde-context"]),
    (
        "ronde-loop",
        &["ronde-context", "ronde-executor", "ronde-timer", "ronde-reactor", "ronde-signal"],
    ),
    ("ronde-streams", &["ronde-loop", "ronde-context"]),
    ("ronde-process", &["ronde-loop", "ronde-streams", "ronde-context"]),
    ("ronde-transports", &["ronde-loop", "ronde-streams", "ronde-process", "ronde-context"]),
    ("ronde-process-pool", &["ronde-process", "ronde-loop", "ronde-streams", "ronde-context"]),
    ("ronde-macros", &[]),
    (FACADE, ALL_BELOW_THE_FACADE),
    ("ronde-conformance", &[FACADE]),
    ("xtask", &[]),
];

/// The one crate that shows the others to users.
const FACADE: &str = "ronde";

const ALL_BELOW_THE_FACADE: &[&str] = &[
    "ronde-context",
    "ronde-timer",
    "ronde-reactor",
    "ronde-signal",
    "ronde-executor",
    "ronde-sync",
    "ronde-loop",
    "ronde-streams",
    "ronde-process",
    "ronde-transports",
    "ronde-process-pool",
    "ronde-macros",
];

/// The crate that everything above must use through its public API alone.
const PUBLIC_API_ONLY: &str = "crates/ronde-loop/src/";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let packages = tree.packages();
    let mut violations = Vec::new();
    for package in &packages {
        violations.extend(check_name(tree, package));
        match LAYERS.iter().find(|(name, _)| *name == package.name) {
            Some((_, allowed)) => {
                violations.extend(check_arrows(tree, package, allowed, &packages));
            }
            None if package.folder.starts_with("crates/") => violations.push(Violation::new(
                manifest(package),
                1,
                format!("{} has no row in LAYERS of xtask/src/tidy/layers.rs", package.name),
            )),
            None => {}
        }
    }
    violations.extend(hidden_doors(tree));
    violations
}

fn check_arrows(
    tree: &Tree,
    package: &Package,
    allowed: &[&str],
    packages: &[Package],
) -> Vec<Violation> {
    let mut violations = Vec::new();
    for dependency in dependencies(tree.text(&manifest(package)).unwrap_or_default()) {
        let ours = packages.iter().any(|other| other.name == dependency.name);
        // Documentation and tests may show a crate as users meet it, through the facade.
        let shown = dependency.is_dev && dependency.name == FACADE;
        // Tests of a crate may use the crate itself with other features.
        let itself = dependency.is_dev && dependency.name == package.name;
        if ours && !shown && !itself && !allowed.contains(&dependency.name) {
            violations.push(Violation::new(
                manifest(package),
                dependency.line,
                format!(
                    "{} must not depend on {}: it may use {}",
                    package.name,
                    dependency.name,
                    list(allowed)
                ),
            ));
        }
    }
    violations
}

fn check_name(tree: &Tree, package: &Package) -> Option<Violation> {
    let folder = package.folder.strip_prefix("crates/")?;
    if folder == package.name {
        return None;
    }
    let text = tree.text(&manifest(package)).unwrap_or_default();
    let line = entries(text).iter().find(|entry| entry.key == "name").map_or(1, |entry| entry.line);
    let problem = format!("the folder of {} is called {folder}; use the full name", package.name);
    Some(Violation::new(manifest(package), line, problem))
}

/// A hidden public item is a door for insiders: what the layers above need is public for all.
fn hidden_doors(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in tree.ending_with(".rs") {
        if !file.starts_with(PUBLIC_API_ONLY) {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("#[doc(hidden)]") {
                let problem = "the crates above use only the documented API of ronde-loop: \
                               document this item, or make it private";
                violations.push(Violation::new(file, index + 1, problem));
            }
        }
    }
    violations
}

fn manifest(package: &Package) -> String {
    format!("{}/Cargo.toml", package.folder)
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "no other crate of the workspace".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::said;

    const TIMER: (&str, &str) =
        ("crates/ronde-timer/Cargo.toml", "[package]\nname = \"ronde-timer\"\n");
    const FACADE_ITSELF: (&str, &str) =
        ("crates/ronde/Cargo.toml", "[package]\nname = \"ronde\"\n");
    const SYNC: &str = "crates/ronde-sync/Cargo.toml";

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_a_violation() {
        let sync =
            "[package]\nname = \"ronde-sync\"\n[dependencies]\nronde-timer.workspace = true\n";
        assert_eq!(
            said(check, &[TIMER, (SYNC, sync)]),
            ["crates/ronde-sync/Cargo.toml:4: ronde-sync must not depend on ronde-timer: \
              it may use ronde-context"]
        );
    }

    #[test]
    fn an_arrow_for_tests_alone_is_an_arrow_unless_it_points_to_the_facade() {
        let sync = "[package]\nname = \"ronde-sync\"\n[dev-dependencies]\n\
                    ronde.workspace = true\nronde-timer.workspace = true\n";
        let said = said(check, &[TIMER, FACADE_ITSELF, (SYNC, sync)]);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(":5: ronde-sync must not depend on ronde-timer"), "{said:?}");
    }

    #[test]
    fn the_facade_is_no_dependency_of_a_library() {
        let sync = "[package]\nname = \"ronde-sync\"\n[dependencies]\nronde.workspace = true\n";
        assert_eq!(said(check, &[FACADE_ITSELF, (SYNC, sync)]).len(), 1);
    }

    #[test]
    fn arrows_in_the_table_and_foreign_crates_are_allowed() {
        let event_loop = "[package]\nname = \"ronde-loop\"\n[dependencies]\n\
                          ronde-timer.workspace = true\ntracing.workspace = true\n";
        let files = [TIMER, ("crates/ronde-loop/Cargo.toml", event_loop)];
        assert!(said(check, &files).is_empty());
    }

    #[test]
    fn a_crate_needs_a_row_and_its_full_name() {
        let surprise = ("crates/surprise/Cargo.toml", "[package]\nname = \"ronde-surprise\"\n");
        assert_eq!(said(check, &[surprise]).len(), 2);
        let benches = ("benches/Cargo.toml", "[package]\nname = \"ronde-benches\"\n");
        assert!(said(check, &[benches]).is_empty());
    }

    #[test]
    fn the_loop_has_no_hidden_doors() {
        let hidden = "    #[doc(hidden)]\n    pub fn insiders(&self) {}\n";
        assert_eq!(said(check, &[("crates/ronde-loop/src/lib.rs", hidden)]).len(), 1);
        assert!(said(check, &[("crates/ronde-macros/src/lib.rs", hidden)]).is_empty());
    }

    #[test]
    fn the_table_has_no_cycle() {
        for (index, (name, allowed)) in LAYERS.iter().enumerate() {
            for lower in *allowed {
                let below = LAYERS[..index].iter().any(|(other, _)| other == lower);
                assert!(below, "{name} may use {lower}, which is not listed below it");
            }
        }
    }
}

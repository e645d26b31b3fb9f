//! Every crate has a README, and none opts out of documenting its public items.

use super::Violation;
use super::source::code;
use crate::manifest;
use crate::tree::{Package, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    violations.extend(workspace_lints(tree));
    for package in tree.packages() {
        violations.extend(inherited_lints(tree, &package));
    }
    for package in tree.crates() {
        let readme = format!("{}/README.md", package.folder);
        if !tree.exists(&readme) {
            violations.push(Violation::new(readme, 1, "every crate has a README.md"));
        }
    }
    for (file, text) in tree.ending_with(".rs") {
        if file.starts_with("crates/") && file.contains("/src/") {
            violations.extend(allowed_gaps(file, text));
        }
    }
    violations
}

/// The workspace's lints insist on documentation.
fn workspace_lints(tree: &Tree) -> Option<Violation> {
    let level = tree
        .text("Cargo.toml")
        .and_then(|text| manifest::value(text, "workspace.lints.rust", "missing_docs"));
    let insists = matches!(level, Some("\"deny\"" | "\"forbid\""));
    let problem = "[workspace.lints.rust] must deny missing_docs";
    (!insists).then(|| Violation::new("Cargo.toml", 1, problem))
}

/// A package follows the workspace's lints.
fn inherited_lints(tree: &Tree, package: &Package) -> Option<Violation> {
    let file = format!("{}/Cargo.toml", package.folder);
    let inherits = manifest::value(tree.text(&file)?, "lints", "workspace") == Some("true");
    let problem = "[lints] must say workspace = true, or missing docs go unnoticed";
    (!inherits).then(|| Violation::new(file, 1, problem))
}

/// No item opts out of being documented.
fn allowed_gaps(file: &str, text: &str) -> Vec<Violation> {
    let code = code(text);
    let gaps = code.lines().enumerate().filter(|(_, line)| line.contains("allow(missing_docs"));
    gaps.map(|(index, _)| {
        Violation::new(file, index + 1, "no item opts out of missing_docs: document it")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::said;

    const WORKSPACE: (&str, &str) =
        ("Cargo.toml", "[workspace.lints.rust]\nmissing_docs = \"deny\"\n");
    const MANIFEST: (&str, &str) =
        ("crates/ronde/Cargo.toml", "[package]\nname = \"ronde\"\n[lints]\nworkspace = true\n");
    const README: (&str, &str) = ("crates/ronde/README.md", "# ronde\n");

    /// What the check says about a library with this source, everything else being fine.
    fn said_of(source: &str) -> Vec<String> {
        said(check, &[WORKSPACE, MANIFEST, README, ("crates/ronde/src/lib.rs", source)])
    }

    #[test]
    fn a_crate_has_a_readme_and_the_workspace_s_lints() {
        assert!(said(check, &[WORKSPACE, MANIFEST, README]).is_empty());
        assert_eq!(
            said(check, &[WORKSPACE, MANIFEST]),
            ["crates/ronde/README.md:1: every crate has a README.md"]
        );
        let own_lints = ("crates/ronde/Cargo.toml", "[package]\nname = \"ronde\"\n[lints]\n");
        assert_eq!(said(check, &[WORKSPACE, own_lints, README]).len(), 1);
        let lenient = ("Cargo.toml", "[workspace.lints.rust]\nmissing_docs = \"warn\"\n");
        assert_eq!(said(check, &[lenient, MANIFEST, README]).len(), 1);
    }

    #[test]
    fn no_item_may_opt_out_of_being_documented() {
        assert_eq!(
            said_of("#[allow(missing_docs)]\npub struct S;\n"),
            ["crates/ronde/src/lib.rs:1: no item opts out of missing_docs: document it"]
        );
    }
}

//! Files in `changes/` have a kind in their name, and begin with the crate that changed.

use super::Violation;
use crate::tree::Tree;

/// How the name of a file in `changes/` ends.
const KINDS: &[&str] = &[".added.md", ".changed.md", ".fixed.md", ".removed.md"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let packages = tree.packages();
    for (file, text) in tree.ending_with("") {
        let Some(name) = file.strip_prefix("changes/").filter(|name| *name != "README.md") else {
            continue;
        };
        if !KINDS.iter().any(|kind| name.ends_with(kind)) {
            let problem = "call it <topic>.<added|changed|fixed|removed>.md";
            violations.push(Violation::new(file, 1, problem));
        }
        let first_word = text.split(|c: char| c.is_whitespace() || c == ':').next();
        let first_word = first_word.unwrap_or_default().trim_matches('`');
        if !packages.iter().any(|package| package.name == first_word) {
            let problem = "begin with the name of the crate that changed";
            violations.push(Violation::new(file, 1, problem));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::said;

    const MANIFEST: (&str, &str) = ("crates/ronde/Cargo.toml", "[package]\nname = \"ronde\"\n");

    #[test]
    fn a_change_has_a_kind_and_names_its_crate() {
        let of = |file, text| said(check, &[MANIFEST, (file, text)]);
        assert!(of("changes/sleep.added.md", "`ronde`: `sleep`.\n").is_empty());
        assert!(of("changes/sleep.fixed.md", "ronde: `sleep` wakes.\n").is_empty());
        assert_eq!(of("changes/sleep.md", "`ronde`: `sleep`.\n").len(), 1);
        assert_eq!(of("changes/sleep.added.md", "Now it sleeps.\n").len(), 1);
    }
}

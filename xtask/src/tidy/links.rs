//! Relative links in Markdown lead somewhere: to a file, a folder, or a heading.

use super::Violation;
use crate::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in tree.ending_with(".md") {
        for (line, target) in links(text) {
            if let Some(problem) = broken(tree, file, target) {
                violations.push(Violation::new(file, line, problem));
            }
        }
    }
    violations
}

fn broken(tree: &Tree, file: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    // A path of Rust, in what is shown as documentation: rustdoc checks it.
    if target.contains("::") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { Some(file.to_owned()) } else { resolve(file, path) };
    let Some(path) = path.filter(|path| tree.exists(path)) else {
        return Some(format!("the link to {target} leads nowhere"));
    };
    let text = tree.text(&path).filter(|_| path.ends_with(".md") && !heading.is_empty())?;
    let found = anchors(text).iter().any(|anchor| anchor == heading);
    (!found).then(|| format!("{path} has no heading for the link to #{heading}"))
}

/// The path from the root for a path that is relative to `file`; `None` if it leads out.
fn resolve(file: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Line and target of every link outside of code: `[text](target)` and `[name]: target`.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let mut in_code = false;
        let mut rest = line;
        while let Some(start) = rest.find(['`', ']']) {
            let (found, after) = rest[start..].split_at(1);
            if found == "`" {
                in_code = !in_code;
            } else if let Some(target) = after.strip_prefix('(').filter(|_| !in_code) {
                links.extend(first_word(target, ')').map(|target| (number, target)));
            }
            rest = after;
        }
        let definition = line.strip_prefix('[').and_then(|line| line.split_once("]: "));
        let target = definition.and_then(|(_, target)| first_word(target, ' '));
        links.extend(target.map(|target| (number, target)));
    }
    links
}

/// What stands before `end`, without a title and without angle brackets.
fn first_word(text: &str, end: char) -> Option<&str> {
    let target = text.split(end).next()?.split_whitespace().next()?;
    Some(target.trim_matches(['<', '>']))
}

/// Numbered lines that are not in a fenced block.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        (!fenced && !is_fence).then_some((index + 1, line))
    })
}

/// The names of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let name: String = heading.trim().chars().filter(kept).collect();
        let name = name.to_lowercase().replace(' ', "-");
        let twins = anchors.iter().filter(|other| **other == name).count();
        anchors.push(if twins == 0 { name } else { format!("{name}-{twins}") });
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::said;

    #[test]
    fn a_link_to_a_file_that_is_not_there_is_a_violation() {
        assert_eq!(
            said(check, &[("docs/map.md", "# Map\nSee [it](../NOTHING.md).\n")]),
            ["docs/map.md:2: the link to ../NOTHING.md leads nowhere"]
        );
        assert_eq!(said(check, &[("map.md", "[out](../../etc/passwd)\n")]).len(), 1);
        assert_eq!(said(check, &[("map.md", "[it]: nothing.md \"A title\"\n")]).len(), 1);
    }

    #[test]
    fn links_to_files_folders_headings_and_elsewhere_are_fine() {
        let map = "\
# The map, `v1`
[a](../README.md) [b](<decisions/> \"title\") [c](#the-map-v1) [d](https://example.org/x)
[e](decisions/one.md#why-not)
`[not](a-link)`
```text
[nor](this)
```
";
        let files = [
            ("README.md", ""),
            ("docs/map.md", map),
            ("docs/decisions/one.md", "# One\n## Why not?\n"),
        ];
        assert_eq!(said(check, &files), Vec::<String>::new());
    }

    #[test]
    fn links_to_items_are_left_to_rustdoc() {
        assert!(
            said(check, &[("a.md", "[run](crate::run) [main](macro@crate::main)\n")]).is_empty()
        );
    }

    #[test]
    fn a_link_to_a_heading_that_is_not_there_is_a_violation() {
        let files = [("a.md", "[b](b.md#gone) [here](#nor-this)\n"), ("b.md", "# Here\n")];
        assert_eq!(said(check, &files).len(), 2);
    }

    #[test]
    fn equal_headings_are_numbered() {
        assert_eq!(anchors("# A b\n# A b\n#no heading\n"), ["a-b", "a-b-1"]);
    }
}

//! Counts what is ported of asyncio, and sees to it that the map leaves nothing out.
//!
//! [`LIST`] has the public names of asyncio by section, [`MAP`] a table of them with what each is
//! here. What the map says of a name is one of three:
//!
//! - a link to its counterpart, or several: ported. rustdoc checks that the link leads somewhere.
//! - `not ported: ` and the reason.
//! - `not yet`, perhaps with a link to what there is already.

use std::path::Path;

use crate::run::Failure;
use crate::tasks::read;
use crate::tree::Tree;

/// The names of asyncio, one to a line, under headings that begin with `#`.
const LIST: &str = "docs/asyncio-surface.txt";

/// The map: a heading per section that begins with `##`, and under it a row per name.
const MAP: &str = "crates/ronde/docs/asyncio-map.md";

const NOT_PORTED: &str = "not ported";
const NOT_YET: &str = "not yet";

/// Prints how much of each section is ported. Fails if the list and the map disagree.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let tree = read(root)?;
    let sections = compare(&tree)?;
    print!("{}", table(&sections));
    let problems: Vec<_> = sections.iter().flat_map(|section| &section.problems).collect();
    for problem in &problems {
        println!("{MAP}: {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err(Failure::new("the map has 1 problem")),
        count => Err(Failure::new(format!("the map has {count} problems"))),
    }
}

/// A section of the list, and what the map makes of it.
#[derive(Debug, Default)]
struct Section<'a> {
    title: &'a str,
    names: usize,
    ported: usize,
    not_ported: usize,
    not_yet: usize,
    problems: Vec<String>,
}

/// What the map says of a name.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Ported,
    NotPorted,
    NotYet,
}

fn compare(tree: &Tree) -> Result<Vec<Section<'_>>, Failure> {
    let text = |path| tree.text(path).ok_or_else(|| Failure::new(format!("{path} is missing")));
    let listed = listed(text(LIST)?);
    let mapped = mapped(text(MAP)?);
    let mut sections: Vec<_> = listed
        .iter()
        .map(|(title, names)| {
            let rows = mapped.iter().find(|(mapped, _)| mapped == title);
            Section::compare(title, names, rows.map_or(&[][..], |(_, rows)| rows))
        })
        .collect();
    let unknown = mapped.iter().filter(|(title, rows)| {
        !rows.is_empty() && !listed.iter().any(|(listed, _)| listed == title)
    });
    for (title, _) in unknown {
        let problems = vec![format!("{LIST} has no section \"{title}\"")];
        sections.push(Section { title, problems, ..Section::default() });
    }
    Ok(sections)
}

impl<'a> Section<'a> {
    fn compare(title: &'a str, names: &[&str], rows: &[(String, &str)]) -> Self {
        let mut section = Self { title, names: names.len(), ..Self::default() };
        for name in names {
            let mut found = rows.iter().filter(|(row, _)| row == name);
            let Some((_, said)) = found.next() else {
                section.add_problem(format!("`{name}` is missing"));
                continue;
            };
            match entry(said) {
                Ok(Entry::Ported) => section.ported += 1,
                Ok(Entry::NotPorted) => section.not_ported += 1,
                Ok(Entry::NotYet) => section.not_yet += 1,
                Err(problem) => section.add_problem(format!("`{name}` {problem}")),
            }
            if found.next().is_some() {
                section.add_problem(format!("`{name}` has two rows"));
            }
        }
        for (name, _) in rows.iter().filter(|(row, _)| !names.contains(&row.as_str())) {
            section.add_problem(format!("`{name}` is not a name that {LIST} has"));
        }
        section
    }

    fn add_problem(&mut self, problem: String) {
        self.problems.push(format!("{}: {problem}", self.title));
    }
}

/// What a row says: its second cell, without spaces around.
fn entry(said: &str) -> Result<Entry, &'static str> {
    if let Some(rest) = said.strip_prefix(NOT_PORTED) {
        let reason = rest.strip_prefix(": ").unwrap_or_default();
        return if reason.is_empty() {
            Err("is not ported, without a reason")
        } else {
            Ok(Entry::NotPorted)
        };
    }
    if said.starts_with(NOT_YET) {
        return Ok(Entry::NotYet);
    }
    if said.contains("[`") {
        return Ok(Entry::Ported);
    }
    Err("has neither a link nor a reason")
}

/// Titles and names of the list. What comes before the first title is an introduction.
fn listed(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix("# ") {
            sections.push((title, Vec::new()));
        } else if let Some((_, names)) = sections.last_mut() {
            names.push(line);
        }
    }
    sections
}

/// Titles of the map's sections, and their rows: the name, and what is said of it.
fn mapped(text: &str) -> Vec<(&str, Vec<(String, &str)>)> {
    let mut sections: Vec<(&str, Vec<_>)> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            sections.push((title.trim(), Vec::new()));
        }
        let Some((_, rows)) = sections.last_mut() else { continue };
        let Some((name, said)) = line.strip_prefix("| `").and_then(|row| row.split_once(" | "))
        else {
            continue;
        };
        rows.push((name.replace('`', ""), said.trim_end().trim_end_matches('|').trim()));
    }
    sections
}

fn table(sections: &[Section<'_>]) -> String {
    let mut text = format!(
        "{:<44} {:>5}  {:>6}  {:>10}  {:>7}\n",
        "section", "names", "ported", NOT_PORTED, NOT_YET
    );
    let mut line = |title: &str, numbers: [usize; 4]| {
        let [names, ported, not_ported, not_yet] = numbers;
        text.push_str(&format!(
            "{title:<44} {names:>5}  {ported:>6}  {not_ported:>10}  {not_yet:>7}\n"
        ));
    };
    let mut total = [0; 4];
    for section in sections {
        let Section { names, ported, not_ported, not_yet, .. } = *section;
        let numbers = [names, ported, not_ported, not_yet];
        line(section.title, numbers);
        total.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
    }
    line("all", total);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "About the list.\n\n# 1. Runner\nrun\nRunner.run\n\n# 2. Tasks\nsleep\n";

    /// What is wrong with a map that has these rows in its first section, and a good second one.
    fn problems(rows: &str) -> Vec<String> {
        let map =
            format!("# Map\n\n## 1. Runner\n\n{rows}\n## 2. Tasks\n| `sleep` | [`sleep`] |\n");
        let tree = Tree::of(&[(LIST, NAMES), (MAP, &map)]);
        let sections = compare(&tree).unwrap();
        sections.into_iter().flat_map(|section| section.problems).collect()
    }

    #[test]
    fn a_map_that_has_all_names_is_counted() {
        let map = "## 1. Runner\n\n\
                   | asyncio | here |\n| --- | --- |\n\
                   | `run` | [`run`], which is all |\n\
                   | `Runner.run` | not ported: nobody would call it |\n\n\
                   ## 2. Tasks\n| `sleep` | not yet: there is [`yield_now`] |\n";
        let tree = Tree::of(&[(LIST, NAMES), (MAP, map)]);
        let sections = compare(&tree).unwrap();
        assert!(sections.iter().all(|section| section.problems.is_empty()), "{sections:?}");
        let table = table(&sections);
        let lines: Vec<Vec<&str>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["1.", "Runner", "2", "1", "1", "0"]);
        assert_eq!(lines[2], ["2.", "Tasks", "1", "0", "0", "1"]);
        assert_eq!(lines[3], ["all", "3", "1", "1", "1"]);
    }

    #[test]
    fn a_name_that_the_map_leaves_out_is_missing() {
        assert_eq!(problems("| `run` | [`run`] |\n"), ["1. Runner: `Runner.run` is missing"]);
    }

    #[test]
    fn a_row_has_a_link_or_a_reason() {
        let rows = "| `run` | `run` |\n| `Runner.run` | not ported |\n";
        let expected = [
            "1. Runner: `run` has neither a link nor a reason",
            "1. Runner: `Runner.run` is not ported, without a reason",
        ];
        assert_eq!(problems(rows), expected);
    }

    #[test]
    fn a_row_belongs_to_a_name_of_its_section() {
        let rows = "| `run` | [`run`] |\n| `run` | [`run`] |\n\
                    | `Runner.run` | [`run`] |\n| `sleep` | [`sleep`] |\n";
        let expected = [
            "1. Runner: `run` has two rows".to_owned(),
            format!("1. Runner: `sleep` is not a name that {LIST} has"),
        ];
        assert_eq!(problems(rows), expected);
    }

    #[test]
    fn a_section_of_the_map_is_one_of_the_list() {
        let rows =
            "| `run` | [`run`] |\n| `Runner.run` | [`run`] |\n## 1a. Walker\n| `walk` | [`w`] |\n";
        assert_eq!(problems(rows), [format!("{LIST} has no section \"1a. Walker\"")]);
    }

    #[test]
    fn without_a_map_there_is_nothing_to_count() {
        let failure = compare(&Tree::of(&[(LIST, NAMES)])).unwrap_err();
        assert_eq!(failure.problem, format!("{MAP} is missing"));
    }
}

//! The command that the README gives for the tests is the one that CI runs.

use super::Violation;
use crate::tree::Tree;

const SCRIPT: &str = ".ci/run";
const README: &str = "README.md";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let Some(script) = tree.text(SCRIPT) else {
        return vec![Violation::new(SCRIPT, 1, "CI starts with this script, and it is missing")];
    };
    let commands: Vec<(usize, &str)> = commands(script).collect();
    let &[(line, command)] = commands.as_slice() else {
        let problem = "it must run one command, the one that the README gives for the tests";
        return vec![Violation::new(SCRIPT, 1, problem)];
    };
    let Some(readme) = tree.text(README) else {
        return vec![Violation::new(README, 1, "the workspace has a README.md")];
    };
    if fenced(readme).any(|shown| shown == command) {
        return Vec::new();
    }
    let problem = format!("the README does not show `{command}` on a line of a code block");
    vec![Violation::new(SCRIPT, line, problem)]
}

/// What the script runs, apart from going to the repository's root.
fn commands(script: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = script.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.filter(|(_, line)| {
        let preparation = ["#", "set ", "cd "].iter().any(|start| line.starts_with(start));
        !line.is_empty() && !preparation
    })
}

/// The lines of fenced blocks, without a prompt and without a comment after the command.
fn fenced(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        let is_fence = line.starts_with("```");
        inside ^= is_fence;
        let command = line.strip_prefix("$ ").unwrap_or(line);
        let command = command.split(" #").next().unwrap_or(command).trim();
        (inside && !is_fence).then_some(command)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::said;

    const RUN: (&str, &str) =
        (SCRIPT, "#!/usr/bin/env bash\nset -e\ncd \"$(dirname \"$0\")/..\"\ncargo xtask ci\n");

    #[test]
    fn the_readme_shows_what_ci_runs() {
        let readme = (README, "# ronde\n```sh\ncargo xtask ci   # all tests\n```\n");
        assert!(said(check, &[RUN, readme]).is_empty());
    }

    #[test]
    fn another_command_in_the_readme_is_a_violation() {
        let readme = (README, "Not cargo xtask ci, but\n```sh\ncargo test\n```\ncargo xtask ci\n");
        let said = said(check, &[RUN, readme]);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with(".ci/run:4: "), "{said:?}");
    }

    #[test]
    fn the_script_runs_one_command() {
        let two = (SCRIPT, "set -e\ncargo xtask ci\ncargo test\n");
        let readme = (README, "```sh\ncargo xtask ci\n```\n");
        assert_eq!(said(check, &[two, readme]).len(), 1);
        assert_eq!(said(check, &[readme]).len(), 1);
        assert_eq!(said(check, &[RUN]).len(), 1);
    }
}

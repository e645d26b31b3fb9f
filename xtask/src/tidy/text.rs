//! Rules about lines of Rust: length of files, leftovers, and what tests must not do.

use super::Violation;
use super::source::{code, has_word, test_lines};
use crate::tree::Tree;

/// A file tells one story. What is longer than this tells several.
const MOST_LINES: usize = 900;

/// Macros that have no place in finished code.
const LEFTOVERS: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// The comment that excuses a test which sleeps, with the reason after it.
const SLOW: &str = "// slow: ";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in tree.ending_with(".rs") {
        let count = text.lines().count();
        if count > MOST_LINES {
            let problem = format!("{count} lines, more than {MOST_LINES}: split it by story");
            violations.push(Violation::new(file, MOST_LINES + 1, problem));
        }
        violations.extend(check_lines(file, text));
    }
    violations
}

fn check_lines(file: &str, text: &str) -> Vec<Violation> {
    let code = code(text);
    let written: Vec<&str> = text.lines().collect();
    let tests = test_lines(file, &code);
    let mut violations = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut add = |problem: String| violations.push(Violation::new(file, index + 1, problem));
        for leftover in LEFTOVERS.iter().filter(|leftover| has_word(line, leftover)) {
            add(format!("{leftover} is for unfinished code"));
        }
        if tests[index] && line.contains("thread::sleep") && !is_excused(&written, index) {
            add(format!(
                "tests wait for events or use the simulated clock; if this one must sleep, \
                 say why in a comment `{SLOW}...` above the line"
            ));
        }
        if is_ignored(line) {
            add("say why the test is ignored: #[ignore = \"...\"]".to_owned());
        }
    }
    violations
}

/// Whether the line or the one above gives a reason for being slow.
fn is_excused(lines: &[&str], index: usize) -> bool {
    let above = index.checked_sub(1);
    above.into_iter().chain([index]).any(|index| {
        let reason = lines[index].split_once(SLOW).map(|(_, reason)| reason.trim());
        reason.is_some_and(|reason| !reason.is_empty())
    })
}

fn is_ignored(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("#[ignore]") || (line.starts_with("#[cfg_attr(") && line.contains(" ignore)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::said;

    #[test]
    fn leftovers_are_violations_wherever_they_are_code() {
        let source = "// todo!\nfn f() -> u8 { todo!() }\nfn g() { h(\"dbg!\") }\n";
        assert_eq!(
            said(check, &[("crates/ronde/src/lib.rs", source)]),
            ["crates/ronde/src/lib.rs:2: todo! is for unfinished code"]
        );
        let source = "fn f() { dbg!(1); }\nfn g() { unimplemented!() }\n";
        assert_eq!(said(check, &[("benches/src/main.rs", source)]).len(), 2);
    }

    #[test]
    fn a_test_that_sleeps_needs_a_reason() {
        let sleep = "#[test]\nfn f() {\n    std::thread::sleep(SECOND);\n}\n";
        let excused = sleep.replace("    std", "    // slow: it is about the real timer\n    std");
        let no_reason = sleep.replace("    std", "    // slow: \n    std");
        let of = |text| said(check, &[("crates/ronde/tests/time.rs", text)]).len();
        assert_eq!((of(sleep), of(&excused), of(&no_reason)), (1, 0, 1));
    }

    #[test]
    fn a_unit_test_that_sleeps_needs_a_reason_and_other_code_does_not() {
        let source = "\
fn block() {
    thread::sleep(SECOND);
}

#[cfg(test)]
mod tests {
    fn f() {
        thread::sleep(SECOND);
    }
}
";
        let said = said(check, &[("crates/ronde/src/lib.rs", source)]);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("crates/ronde/src/lib.rs:8: "), "{said:?}");
    }

    #[test]
    fn an_ignored_test_says_why() {
        let of = |text| said(check, &[("crates/ronde/tests/a.rs", text)]).len();
        assert_eq!(of("#[ignore]\nfn f() {}\n"), 1);
        assert_eq!(of("#[cfg_attr(windows, ignore)]\nfn f() {}\n"), 1);
        assert_eq!(of("#[ignore = \"needs a network\"]\nfn f() {}\n"), 0);
    }

    #[test]
    fn a_long_file_is_a_violation() {
        let of = |lines| said(check, &[("crates/ronde/src/lib.rs", &"\n".repeat(lines))]).len();
        assert_eq!((of(MOST_LINES), of(MOST_LINES + 1)), (0, 1));
    }
}

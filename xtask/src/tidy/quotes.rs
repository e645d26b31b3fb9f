//! Code in the documents is code that is built: what they quote is in a source file, word by word.
//!
//! A document says what it quotes in a comment above the block, and the source has two comments around it:
//!
//! ````text
//! <!-- quote: crates/ronde/examples/redis/link.rs send -->      // quote: send
//! ```rust                                                       ...
//! ...                                                           // end quote
//! ```
//! ````

use super::Violation;
use crate::tree::Tree;

/// Documents in which every block of Rust is a quotation. Those that rustdoc shows are tested by it.
const ALL_QUOTED: &[&str] = &["docs/frameworks.md"];

const QUOTE: &str = "<!-- quote: ";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in tree.ending_with(".md") {
        let all_quoted = ALL_QUOTED.contains(&file);
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let quoted = line.strip_prefix(QUOTE).and_then(|rest| rest.strip_suffix(" -->"));
            let problem = match quoted {
                Some(source) => differs(tree, source, &lines[index + 1..]),
                None => {
                    let is_quoted = index > 0 && lines[index - 1].starts_with(QUOTE);
                    (all_quoted && line.starts_with("```rust") && !is_quoted)
                        .then(|| "say which source file this block is from".to_owned())
                }
            };
            violations.extend(problem.map(|problem| Violation::new(file, index + 1, problem)));
        }
    }
    violations
}

/// What is wrong with the block that `below` begins with, if it is to quote `source`: a path and a name.
fn differs(tree: &Tree, source: &str, below: &[&str]) -> Option<String> {
    let Some((path, name)) = source.split_once(' ') else {
        return Some("a quotation needs a path and a name".to_owned());
    };
    let Some(text) = tree.text(path) else { return Some(format!("there is no {path}")) };
    let Some(original) = region(text, name) else {
        return Some(format!("{path} has no lines between `// quote: {name}` and `// end quote`"));
    };
    (block(below) != original).then(|| format!("this is not what {path} says at `quote: {name}`"))
}

/// The lines of a block that begins here; none if there is no such block.
fn block(lines: &[&str]) -> Vec<String> {
    let Some((_, rest)) = lines.split_first().filter(|(first, _)| first.starts_with("```rust"))
    else {
        return Vec::new();
    };
    rest.iter().take_while(|line| **line != "```").map(|line| (*line).to_owned()).collect()
}

/// The lines of a source file that have the name, moved to the left margin.
fn region(text: &str, name: &str) -> Option<Vec<String>> {
    let begin = format!("// quote: {name}");
    let mut lines = text.lines().skip_while(|line| line.trim() != begin).skip(1).peekable();
    let margin = lines.peek()?.len() - lines.peek()?.trim_start().len();
    let lines: Vec<_> = lines.collect();
    let end = lines.iter().position(|line| line.trim() == "// end quote")?;
    Some(
        lines[..end].iter().map(|line| line.get(margin..).unwrap_or_default().to_owned()).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::said;

    const SOURCE: (&str, &str) =
        ("a.rs", "fn f() {\n    // quote: x\n    one();\n\n    two();\n    // end quote\n}\n");

    #[test]
    fn what_is_quoted_must_be_there_word_by_word() {
        let document = "<!-- quote: a.rs x -->\n```rust\none();\n\ntwo();\n```\n";
        assert_eq!(said(check, &[SOURCE, ("docs/frameworks.md", document)]), [""; 0]);
        let other = document.replace("two", "three");
        assert_eq!(
            said(check, &[SOURCE, ("docs/b.md", &other)]),
            ["docs/b.md:1: this is not what a.rs says at `quote: x`"]
        );
    }

    #[test]
    fn what_is_not_there_can_not_be_quoted() {
        let nothing =
            "<!-- quote: a.rs y -->\n```rust\n```\n<!-- quote: b.rs x -->\n```rust\n```\n";
        assert_eq!(
            said(check, &[SOURCE, ("docs/b.md", nothing)]),
            [
                "docs/b.md:1: a.rs has no lines between `// quote: y` and `// end quote`",
                "docs/b.md:4: there is no b.rs",
            ]
        );
    }

    #[test]
    fn where_all_is_quoted_a_block_of_its_own_is_a_violation() {
        let document = "```rust\none();\n```\n```text\nfine\n```\n";
        assert_eq!(
            said(check, &[SOURCE, ("docs/frameworks.md", document)]),
            ["docs/frameworks.md:1: say which source file this block is from"]
        );
    }
}

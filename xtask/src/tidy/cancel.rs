//! Every public wait says what is true when it is dropped before its end.

use super::Violation;
use super::source::{code, test_lines};
use crate::tree::Tree;

/// The three words for what a dropped wait leaves behind.
///
/// Strict: calling again equals never having stopped. Place lost: nothing is lost, but a retry
/// joins the back of the queue. Data lost: the documentation says what, and which call avoids it.
const WORDS: &[&str] = &["**Strict", "**Place lost", "**Data lost"];

const SECTION: &str = "# Cancel safety";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let sources = tree.ending_with(".rs");
    let libraries =
        sources.filter(|(file, _)| file.starts_with("crates/") && file.contains("/src/"));
    libraries.flat_map(|(file, text)| check_file(file, text)).collect()
}

/// Every public `async fn`, and every one of a public trait, says what a dropped wait means. So does
/// whatever else has a section about it: a function that returns a future, or the future's type.
///
/// This reads lines: documentation is what stands in `///` lines directly above the function and
/// its attributes. A function that returns a future without being `async` is not seen, unless it has
/// the section.
fn check_file(file: &str, text: &str) -> Vec<Violation> {
    let code = code(text);
    let tests = test_lines(file, &code);
    let mut violations = Vec::new();
    let mut docs = Vec::new();
    let mut attribute_depth = 0;
    let mut public_trait: Option<usize> = None;

    for (index, (line, written)) in code.lines().zip(text.lines()).enumerate() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(doc) = written.trim().strip_prefix("///") {
            docs.push(doc.trim());
            continue;
        }
        if line.starts_with("#[") || attribute_depth > 0 {
            let count = |c: char| line.matches(c).count();
            attribute_depth = (attribute_depth + count('[')).saturating_sub(count(']'));
            continue;
        }
        if line.starts_with("pub trait ") || line.starts_with("pub unsafe trait ") {
            public_trait = Some(indent);
        } else if line == "}" && public_trait == Some(indent) {
            public_trait = None;
        }
        let in_trait = public_trait.is_some_and(|column| indent == column + 4);
        let has_section = docs.contains(&SECTION);
        if !tests[index] && (has_section || is_public_async(line, in_trait)) {
            let problem = missing_cancel_safety(&docs);
            violations.extend(problem.map(|problem| Violation::new(file, index + 1, problem)));
        }
        docs.clear();
    }
    violations
}

fn is_public_async(line: &str, in_trait: bool) -> bool {
    let public = line.strip_prefix("pub ").or(in_trait.then_some(line));
    public.is_some_and(|rest| rest.starts_with("async fn ") || rest.starts_with("async unsafe fn "))
}

fn missing_cancel_safety(docs: &[&str]) -> Option<&'static str> {
    let mut section = docs.iter().skip_while(|line| **line != SECTION);
    if section.next().is_none() {
        return Some("a public async fn needs a section `# Cancel safety`");
    }
    let mut lines = section.take_while(|line| !line.starts_with("# "));
    let has_word = lines.any(|line| WORDS.iter().any(|word| line.contains(word)));
    (!has_word)
        .then_some("`# Cancel safety` must say one of **Strict**, **Place lost**, **Data lost**")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::said;

    fn said_of(source: &str) -> Vec<String> {
        said(check, &[("crates/ronde/src/lib.rs", source)])
    }

    #[test]
    fn a_public_async_fn_without_the_section_is_a_violation() {
        let said = said_of("/// Waits.\npub async fn wait() {}\n");
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("crates/ronde/src/lib.rs:2: "), "{said:?}");
    }

    #[test]
    fn the_docs_of_another_item_do_not_count() {
        let source = "/// # Cancel safety\n/// **Strict.**\npub struct S;\n\npub async fn f() {}\n";
        assert_eq!(said_of(source).len(), 1);
    }

    #[test]
    fn the_section_must_use_one_of_the_three_words() {
        let with = |sentence: &str| {
            said_of(&format!(
                "/// Waits.\n///\n/// # Cancel safety\n///\n/// {sentence}\n///\n\
                 /// # Examples\n/// **Strict**\n\
                 #[must_use]\n#[cfg_attr(\n    a,\n    b\n)]\npub async fn wait() {{}}\n"
            ))
        };
        assert_eq!(with("Yes.").len(), 1);
        assert!(with("**Strict.** Nothing is lost.").is_empty());
        assert!(with("**Place lost**: it queues again.").is_empty());
    }

    #[test]
    fn what_users_cannot_call_needs_no_section() {
        assert!(said_of("pub(crate) async fn f() {}\nasync fn g() {}\n").is_empty());
        assert!(said_of("impl Next for S {\n    async fn next(&mut self) {}\n}\n").is_empty());
        assert!(said_of("trait Private {\n    async fn next(&mut self);\n}\n").is_empty());
        assert!(said_of("#[cfg(test)]\nmod tests {\n    pub async fn f() {}\n}\n").is_empty());
    }

    #[test]
    fn a_section_of_anything_must_use_one_of_the_three_words() {
        let with = |sentence: &str, item: &str| {
            said_of(&format!("/// # Cancel safety\n///\n/// {sentence}\n{item} {{}}\n"))
        };
        for item in ["pub fn wait() -> Wait", "pub struct Wait"] {
            assert_eq!(with("As its body.", item).len(), 1);
            assert!(with("**Strict**, if its body is.", item).is_empty());
        }
    }

    #[test]
    fn the_methods_of_a_public_trait_need_the_section() {
        let source = "pub trait Next {\n    async fn next(&mut self);\n}\nasync fn f() {}\n";
        assert_eq!(said_of(source).len(), 1);
    }
}

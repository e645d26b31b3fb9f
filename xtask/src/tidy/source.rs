//! Rust source as the checks see it: code without comments and texts, and which lines are tests.

use std::iter::Peekable;
use std::str::Chars;

/// The lines of a Rust file with comments and the insides of literals replaced by spaces.
///
/// Columns and line numbers stay as they were, give or take characters of several bytes.
pub(super) fn code(text: &str) -> String {
    Scanner { rest: text.chars().peekable(), code: String::with_capacity(text.len()) }.scan()
}

/// Whether `word` stands in `line` by itself, not as a part of a longer name.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

/// For each line of `code` (of the file at `path`), whether only tests contain it.
pub(super) fn test_lines(path: &str, code: &str) -> Vec<bool> {
    let whole_file = path.contains("/tests/") || path.ends_with("/tests.rs");
    let mut inside: Option<usize> = None;
    let line_is_test = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        if inside.is_none() && line.trim_start().starts_with("#[cfg(") && has_word(line, "test") {
            inside = Some(indent);
            return true;
        }
        // The item after the attribute ends with a brace or semicolon in the attribute's column.
        let was_inside = inside.is_some();
        let ends = line.trim() == "}" || line.trim_end().ends_with(';');
        if ends && inside == Some(indent) {
            inside = None;
        }
        whole_file || was_inside
    };
    code.lines().map(line_is_test).collect()
}

/// Goes through a file once, character by character.
struct Scanner<'a> {
    rest: Peekable<Chars<'a>>,
    code: String,
}

impl Scanner<'_> {
    fn scan(mut self) -> String {
        while let Some(c) = self.rest.next() {
            match c {
                '/' if self.rest.peek() == Some(&'/') => self.line_comment(),
                '/' if self.rest.peek() == Some(&'*') => self.block_comment(),
                '"' => self.text(),
                '\'' => self.character_or_lifetime(),
                'r' if self.opens_raw_text() => {}
                _ => self.code.push(c),
            }
        }
        self.code
    }

    /// Replaces a character by a space, but keeps the lines.
    fn blank(&mut self, c: char) {
        self.code.push(if c == '\n' { '\n' } else { ' ' });
    }

    fn line_comment(&mut self) {
        self.code.push(' ');
        while let Some(c) = self.rest.next_if(|c| *c != '\n') {
            self.blank(c);
        }
    }

    fn block_comment(&mut self) {
        self.code.push(' ');
        let mut depth = 0;
        let mut previous = '/';
        while let Some(c) = self.rest.next() {
            self.blank(c);
            match (previous, c) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    previous = c;
                    continue;
                }
            }
            if depth == 0 {
                return;
            }
            // Neither character of a delimiter is a part of the next one: `/*/` is only an opening.
            previous = ' ';
        }
    }

    /// The rest of `"..."`, after the opening quote.
    fn text(&mut self) {
        self.code.push('"');
        while let Some(c) = self.rest.next() {
            match c {
                '"' => return self.code.push('"'),
                '\\' => {
                    self.blank(c);
                    if let Some(escaped) = self.rest.next() {
                        self.blank(escaped);
                    }
                }
                _ => self.blank(c),
            }
        }
    }

    /// Takes a whole raw text after its `r`, and says whether there was one.
    fn opens_raw_text(&mut self) -> bool {
        // `for"` does not occur, but `br"` and `cr"` do: only a longer name is none of ours.
        let mut before = self.code.chars().rev();
        let is_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let prefixed = match before.next() {
            Some('b' | 'c') => !is_name(before.next()),
            other => !is_name(other),
        };
        if !prefixed {
            return false;
        }
        let hashes = self.rest.clone().take_while(|c| *c == '#').count();
        if self.rest.clone().nth(hashes) != Some('"') {
            return false;
        }
        self.code.push('r');
        for _ in 0..=hashes {
            let delimiter = self.rest.next().expect("the hashes and the quote were just counted");
            self.code.push(delimiter);
        }
        self.raw_text(hashes);
        true
    }

    fn raw_text(&mut self, hashes: usize) {
        while let Some(c) = self.rest.next() {
            let closes =
                c == '"' && self.rest.clone().take(hashes).filter(|c| *c == '#').count() == hashes;
            if closes {
                return self.code.push('"');
            }
            self.blank(c);
        }
    }

    fn character_or_lifetime(&mut self) {
        self.code.push('\'');
        let mut ahead = self.rest.clone();
        let escaped = ahead.next() == Some('\\');
        if !escaped && ahead.next() != Some('\'') {
            return; // A lifetime or a label.
        }
        let mut previous = ' ';
        while let Some(c) = self.rest.next() {
            if c == '\'' && previous != '\\' {
                return self.code.push('\'');
            }
            self.blank(c);
            // In `'\\'` the second backslash does not escape the quote.
            previous = if previous == '\\' { ' ' } else { c };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        code(text).split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn comments_and_texts_are_not_code() {
        let text = r##"
a /* b /* c */ d */ e // f
"g \" h" r#"i " j"# br"k\" l 'm' '\'' '\\' 'n: 'o'
"##;
        let code = code(text);
        for kept in ["a", "e", "l", "n"] {
            assert!(has_word(&code, kept), "{kept} is gone from {code}");
        }
        for gone in ["b", "c", "d", "f", "g", "h", "i", "j", "k", "m", "o"] {
            assert!(!has_word(&code, gone), "{gone} is still in {code}");
        }
        assert_eq!(code.lines().count(), text.lines().count());
    }

    #[test]
    fn a_comment_delimiter_counts_once() {
        assert_eq!(words("/*/ a */ b /**/ c"), ["b", "c"]);
    }

    #[test]
    fn a_name_that_ends_with_r_starts_no_raw_text() {
        assert_eq!(words("r#type + for_r\"x\" + y"), ["r#type", "+", "for_r\"", "\"", "+", "y"]);
    }

    #[test]
    fn a_word_is_not_a_part_of_a_name() {
        assert!(has_word("unsafe { x }", "unsafe"));
        assert!(has_word("#[unsafe(no_mangle)]", "unsafe"));
        assert!(!has_word("#![forbid(unsafe_code)]", "unsafe"));
    }

    #[test]
    fn a_test_module_ends_with_its_brace() {
        let text = "\
fn a() {}
#[cfg(test)]
mod tests {
    fn b() {
    }
}
fn c() {}
#[cfg(test)]
use d;
fn e() {}
";
        let lines = test_lines("crates/x/src/lib.rs", text);
        assert_eq!(lines, [false, true, true, true, true, true, false, true, true, false]);
        assert!(test_lines("crates/x/tests/y.rs", text).iter().all(|is_test| *is_test));
    }
}

//! Runs the programs of the guide, and compares what they print with what the guide says.
//!
//! The tests of the documentation compile and run all of them. What those can't see is the output: a
//! block of text that stands right below a program. Here all such programs are put into one package,
//! below `target`, as modules of one binary, which is then run once for each.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::Shown;
use crate::manifest;
use crate::run::Failure;
use crate::tasks::{read, target};
use crate::tree::Tree;

/// Where the chapters are.
const CHAPTERS: &str = "crates/ronde/docs/guide/";

/// The package that the programs may use what it depends on for its tests.
const MANIFEST: &str = "crates/ronde/Cargo.toml";

/// Tells the binary which program to be.
const WHICH: &str = "RONDE_GUIDE_PROGRAM";

/// Some programs show what happens first by sleeping for some milliseconds. On a machine that is busy
/// with other things, a limit of 5 ms may be up before anything has happened.
const ATTEMPTS: usize = 3;

/// After this many seconds a program hangs, and ends itself.
const TIME_LIMIT_SECONDS: u32 = 60;

/// A program, and what it is to print.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    chapter: String,
    /// Where it begins in the chapter.
    line: usize,
    code: String,
    output: String,
}

/// Builds and runs all programs whose output is shown, in the chapters whose names contain one of
/// `names`, or in all if there are no names.
pub(crate) fn run(root: &Path, names: &[String]) -> Result<(), Failure> {
    let tree = read(root)?;
    let mut programs = find(&tree);
    programs.retain(|it| names.is_empty() || names.iter().any(|name| it.chapter.contains(name)));
    if programs.is_empty() {
        return Err(Failure::new("no chapter of that name shows what a program prints"));
    }
    let target = target(root)?;
    let package = target.join("xtask-guide");
    write_package(&tree, root, &package, &programs)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", package.display())))?;
    let (manifest, target_dir) = (package.join("Cargo.toml"), target.display().to_string());
    let manifest = manifest.display().to_string();
    let build = ["build", "--manifest-path", &manifest, "--target-dir", &target_dir];
    Shown::cargo(root).args(build).run()?;

    let binary = target.join("debug").join(format!("guide{}", std::env::consts::EXE_SUFFIX));
    let mut wrong = 0;
    for (index, program) in programs.iter().enumerate() {
        let printed = run_one(&binary, index, &program.output)
            .map_err(|error| Failure::new(format!("cannot run {}: {error}", binary.display())))?;
        if printed != program.output {
            wrong += 1;
            let Program { chapter, line, output, .. } = program;
            println!("{chapter}:{line}: the guide says\n{output}\nand it prints\n{printed}\n");
        }
    }
    println!("{} programs, {} of which print what the guide says", programs.len(), {
        programs.len() - wrong
    });
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::new("one program prints something else")),
        count => Err(Failure::new(format!("{count} programs print something else"))),
    }
}

/// What the program prints, as the guide would show it.
fn run_one(binary: &Path, index: usize, expected: &str) -> io::Result<String> {
    let mut printed = String::new();
    for _ in 0..ATTEMPTS {
        let mut command = Command::new(binary);
        let output = command.env(WHICH, index.to_string()).stdin(Stdio::null()).output()?;
        // A program that says nothing itself shows what ronde says.
        let shown = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        printed = as_shown(&String::from_utf8_lossy(&shown), index);
        if printed == expected {
            break;
        }
    }
    Ok(printed)
}

/// In the guide, each program is the whole of a crate called `app`.
fn as_shown(printed: &str, index: usize) -> String {
    let printed = printed.replace(&format!("guide::program_{index}::"), "app::");
    let file = format!("src{}program_{index}.rs", std::path::MAIN_SEPARATOR);
    printed.replace(&file, "src/main.rs").replace('\r', "").trim_end().to_owned()
}

/// The programs that are followed by what they print.
fn find(tree: &Tree) -> Vec<Program> {
    let mut programs = Vec::new();
    for (path, text) in tree.ending_with(".md") {
        if let Some(chapter) = path.strip_prefix(CHAPTERS) {
            let blocks = blocks(text);
            let pairs = blocks.iter().zip(blocks.iter().skip(1));
            for (program, output) in pairs.filter(|(it, next)| it.is_shown_by(next)) {
                programs.push(Program {
                    chapter: chapter.to_owned(),
                    line: program.line,
                    code: program.lines.iter().map(|line| unhidden(line) + "\n").collect(),
                    output: output.lines.join("\n"),
                });
            }
        }
    }
    programs
}

/// A fenced block.
struct Block<'a> {
    /// The number of its first line, after the fence.
    line: usize,
    /// What stands behind the opening fence.
    info: &'a str,
    lines: Vec<&'a str>,
    /// The number of the closing fence.
    end: usize,
}

impl Block<'_> {
    /// Is the other block what this one prints? Then there is one empty line between them.
    fn is_shown_by(&self, next: &Block<'_>) -> bool {
        self.info.split(',').next() == Some("rust")
            && next.info == "text"
            && next.line == self.end + 3
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), is_open, blocks.last_mut()) {
            (Some(_), true, Some(block)) => {
                block.end = index + 1;
                is_open = false;
            }
            (Some(info), ..) => {
                blocks.push(Block { line: index + 2, info, lines: Vec::new(), end: 0 });
                is_open = true;
            }
            (None, true, Some(block)) => block.lines.push(line),
            (None, ..) => {}
        }
    }
    blocks
}

/// The line as the compiler sees it: rustdoc hides lines that begin with `# `.
fn unhidden(line: &str) -> String {
    match line.strip_prefix('#') {
        Some("") => String::new(),
        Some(rest) if rest.starts_with(' ') => rest[1..].to_owned(),
        _ => line.to_owned(),
    }
}

fn write_package(tree: &Tree, root: &Path, package: &Path, programs: &[Program]) -> io::Result<()> {
    let source = package.join("src");
    if source.exists() {
        fs::remove_dir_all(&source)?;
    }
    fs::create_dir_all(&source)?;
    fs::write(package.join("Cargo.toml"), package_manifest(tree, root))?;
    // The same versions as in the workspace.
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock"))?;

    // The programs are a crate's tests to rustdoc, and include files of that crate.
    let folder = format!("{:?}", root.join("crates/ronde"));
    let mut main = String::from("#![allow(warnings)]\n");
    let mut arms = String::new();
    for (index, program) in programs.iter().enumerate() {
        let code = program.code.replace("env!(\"CARGO_MANIFEST_DIR\")", &folder);
        let run =
            "pub fn run() -> std::process::ExitCode { std::process::Termination::report(main()) }";
        fs::write(source.join(format!("program_{index}.rs")), format!("{code}\n{run}\n"))?;
        main += &format!("mod program_{index};\n");
        arms += &format!("        Ok(\"{index}\") => program_{index}::run(),\n");
    }
    main += "fn main() -> std::process::ExitCode {\n";
    main += &format!(
        "    std::thread::spawn(|| {{\n        \
         std::thread::sleep(std::time::Duration::from_secs({TIME_LIMIT_SECONDS}));\n        \
         println!(\"still running after {TIME_LIMIT_SECONDS} s\");\n        \
         std::process::exit(1)\n    }});\n"
    );
    main += &format!("    match std::env::var(\"{WHICH}\").as_deref() {{\n{arms}");
    main += "        _ => std::process::ExitCode::FAILURE,\n    }\n}\n";
    fs::write(source.join("main.rs"), main)
}

/// A manifest with ronde, and with all that ronde's own tests may use.
fn package_manifest(tree: &Tree, root: &Path) -> String {
    let mut text = String::from(
        "[package]\nname = \"guide\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         # No member of the repository's workspace.\n[workspace]\n\n[dependencies]\n",
    );
    text += &format!("ronde = {{ path = {:?} }}\n", root.join("crates/ronde"));
    let workspace = tree.text("Cargo.toml").unwrap_or_default();
    let manifest = tree.text(MANIFEST).unwrap_or_default();
    for entry in manifest::entries(manifest) {
        let name = entry.key.strip_suffix(".workspace").unwrap_or(entry.key);
        let version = manifest::value(workspace, "workspace.dependencies", name);
        if let ("dev-dependencies", Some(version)) = (entry.section, version) {
            text += &format!("{name} = {version}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAPTER: &str = "\
Text.

```rust
# use hidden::thing;
fn main() {
    println!(\"hello\");
}
```

```text
hello
```

```rust,standalone_crate
fn main() {}
```

And more text.

```text
This shows nothing.
```
";

    #[test]
    fn a_program_is_followed_by_what_it_prints() {
        let tree = Tree::of(&[
            ("crates/ronde/docs/guide/01-first.md", CHAPTER),
            ("docs/other.md", CHAPTER),
        ]);
        let expected = Program {
            chapter: "01-first.md".to_owned(),
            line: 4,
            code: "use hidden::thing;\nfn main() {\n    println!(\"hello\");\n}\n".to_owned(),
            output: "hello".to_owned(),
        };
        assert_eq!(find(&tree), [expected]);
    }

    #[test]
    fn attributes_are_not_hidden_lines() {
        assert_eq!(unhidden("#[ronde::main]"), "#[ronde::main]");
        assert_eq!(unhidden("#![deny(unused_must_use)]"), "#![deny(unused_must_use)]");
        assert_eq!(unhidden("# hidden"), "hidden");
        assert_eq!(unhidden("#"), "");
    }

    #[test]
    fn a_program_is_shown_as_a_crate_of_its_own() {
        let printed = "coro=<guide::program_7::main> created at src/program_7.rs:3:9\n";
        if std::path::MAIN_SEPARATOR == '/' {
            assert_eq!(as_shown(printed, 7), "coro=<app::main> created at src/main.rs:3:9");
        }
    }

    #[test]
    fn the_programs_may_use_what_the_tests_use() {
        let tree = Tree::of(&[
            (
                MANIFEST,
                "[dependencies]\nbytes.workspace = true\n[dev-dependencies]\nurl.workspace = true\n",
            ),
            ("Cargo.toml", "[workspace.dependencies]\nbytes = \"1\"\nurl = \"2.5\"\n"),
        ]);
        let manifest = package_manifest(&tree, Path::new("/root"));
        assert!(manifest.contains("\nurl = \"2.5\"\n"), "{manifest}");
        assert!(!manifest.contains("bytes"), "{manifest}");
    }
}

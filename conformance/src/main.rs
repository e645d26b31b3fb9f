//! Prints the traces of programs: one JSON line per program of a folder, or the lines of one file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ronde_conformance::{Program, run, unsupported};

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if arguments.is_empty() {
        eprintln!("usage: ronde-conformance DIR... | FILE.json");
        return ExitCode::from(2);
    }
    let mut skipped = 0;
    for path in &arguments {
        let printed = if path.is_dir() {
            print_folder(path, &mut skipped)
        } else {
            print_file(path, &mut skipped)
        };
        if let Err(error) = printed {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    if skipped > 0 {
        eprintln!("skipped: {skipped}");
    }
    ExitCode::SUCCESS
}

/// One line `{"name":...,"trace":[...]}` per program.
fn print_folder(folder: &Path, skipped: &mut u32) -> io::Result<()> {
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
    let mut files: Vec<PathBuf> = files?;
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "json")) {
        let program = read(file)?;
        if unsupported(&program).is_some() {
            *skipped += 1;
            continue;
        }
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        println!("{}", serde_json::json!({ "name": name, "trace": run(&program) }));
    }
    Ok(())
}

fn print_file(file: &Path, skipped: &mut u32) -> io::Result<()> {
    let program = read(file)?;
    match unsupported(&program) {
        Some(what) => {
            eprintln!("{}: needs {what}", file.display());
            *skipped += 1;
        }
        None => println!("{}", run(&program).join("\n")),
    }
    Ok(())
}

fn read(file: &Path) -> io::Result<Program> {
    Program::parse(&fs::read_to_string(file)?).map_err(io::Error::other)
}

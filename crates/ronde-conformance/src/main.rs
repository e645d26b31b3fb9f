//! Compares programs with the traces beside them, or prints the traces.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ronde_conformance::{Played, Player, check, programs};

const USAGE: &str = "\
usage: ronde-conformance PATH...         compare programs, or folders of them, with their traces
       ronde-conformance --jsonl FOLDER  print a line {\"name\": ..., \"trace\": [...]} for each program
       ronde-conformance --trace FILE    print the trace of one program
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["--jsonl", folder] => print_lines(Path::new(folder)),
        ["--trace", file] => print_trace(Path::new(file)),
        [] | ["--jsonl" | "--trace", ..] => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
        _ => compare(&words.iter().map(PathBuf::from).collect::<Vec<_>>()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Returns whether all passed.
fn compare(paths: &[PathBuf]) -> io::Result<bool> {
    let folders = check(paths)?;
    for folder in &folders {
        println!("{folder}");
    }
    Ok(folders.iter().all(|folder| folder.failed.is_empty()))
}

/// Prints one line for each program of a folder.
fn print_lines(folder: &Path) -> io::Result<bool> {
    let mut player = Player::default();
    let mut all_ended = true;
    for file in programs(folder)? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        match player.play(&fs::read_to_string(&file)?) {
            Played::Trace(trace) => {
                println!("{}", serde_json::json!({ "name": name, "trace": trace }));
            }
            other => {
                eprintln!("{}: {other:?}", file.display());
                all_ended = false;
            }
        }
    }
    Ok(all_ended)
}

fn print_trace(file: &Path) -> io::Result<bool> {
    match Player::default().play(&fs::read_to_string(file)?) {
        Played::Trace(trace) => {
            println!("{}", trace.join("\n"));
            Ok(true)
        }
        other => {
            eprintln!("{}: {other:?}", file.display());
            Ok(false)
        }
    }
}

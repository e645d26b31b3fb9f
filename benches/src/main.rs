//! Measures ronde, by itself and next to other runtimes.
//!
//! `cargo xtask bench` makes a table of times, `cargo xtask callgrind` one of instructions; both start
//! this program. By hand: `ronde-benches run RUNTIME SCENARIO [COUNT]` does one thing once, for a
//! profiler, and `ronde-benches` alone says what there is.
//!
//! - [`scenario`] is what a scenario is, `text/` has those that are the same for every runtime.
//! - [`runtimes`] has a file for each runtime.

#![forbid(unsafe_code)]

mod runtimes;
mod scenario;

use std::process::ExitCode;

use runtimes::{RUNTIMES, Runtime};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["run", runtime, scenario] => run(runtime, scenario, None),
        ["run", runtime, scenario, count] => run(runtime, scenario, Some(count)),
        ["count", scenario, count] => {
            runtimes::ronde::simulate_time();
            measure(runtimes::ronde::RUNTIME.name, scenario, Some(count)).map(drop)
        }
        ["names", runtime] => names(runtime),
        _ => Err("ronde-benches run RUNTIME SCENARIO [COUNT]".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            eprint!("{}", what_there_is());
            ExitCode::from(2)
        }
    }
}

/// Does a scenario once, and prints how many nanoseconds an operation took.
fn run(runtime: &str, scenario: &str, count: Option<&str>) -> Result<(), String> {
    println!("{:.1}", measure(runtime, scenario, count)?);
    Ok(())
}

/// As [`run`], and prints nothing: how many digits a time has is something that varies.
fn measure(runtime: &str, scenario: &str, count: Option<&str>) -> Result<f64, String> {
    let scenario = find(runtime)?.scenario(scenario).ok_or("the runtime has no such scenario")?;
    let count: u32 = match count {
        Some(count) => count.parse().map_err(|_| "the count is a number")?,
        None => scenario.count,
    };
    let took = (scenario.run)(count);
    Ok(took.as_nanos() as f64 / f64::from(count.max(1)))
}

fn names(runtime: &str) -> Result<(), String> {
    for scenario in find(runtime)?.scenarios() {
        println!("{}", scenario.name);
    }
    Ok(())
}

fn find(runtime: &str) -> Result<&'static Runtime, String> {
    let found = RUNTIMES.iter().find(|other| other.name == runtime);
    found.ok_or_else(|| format!("there is no runtime called `{runtime}`"))
}

fn what_there_is() -> String {
    let mut text = String::new();
    for runtime in RUNTIMES {
        let names: Vec<_> = runtime.scenarios().map(|scenario| scenario.name).collect();
        text.push_str(&format!("{}: {}\n", runtime.name, names.join(" ")));
    }
    text
}

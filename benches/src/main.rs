//! Measures ronde, by itself and next to other runtimes.
//!
//! `cargo xtask bench` makes a table of times, `cargo xtask callgrind` one of instructions; both start
//! this program. By hand: `ronde-benches run RUNTIME SCENARIO [COUNT]` does one thing once, for a
//! profiler, and `ronde-benches` alone says what there is.
//!
//! - [`scenario`] is what a scenario is, `text/` has those that are the same for every runtime.
//! - [`runtimes`] has a file for each runtime.
//! - [`mod@serve`] and [`load`] are the two ends of a network.
//! - [`table`] measures, with a process for each number: [`mod@column`].

// Each runtime has the scenarios as modules of its own.
#![allow(clippy::duplicate_mod)]

mod runtimes;
mod scenario;

mod load;
mod serve;

mod column;
mod table;

mod allocated;

use std::process::ExitCode;

use load::LOADS;
use runtimes::{RUNTIMES, Runtime};
use serve::Service;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["run", runtime, scenario] => run(runtime, scenario, None),
        ["run", runtime, scenario, count] => run(runtime, scenario, Some(count)),
        ["count", scenario, count] => {
            scenario::count_instructions();
            runtimes::ronde::simulate_time();
            measure(runtimes::ronde::RUNTIME.name, scenario, Some(count)).map(drop)
        }
        ["names"] => {
            for scenario in runtimes::ronde::REPEATING.iter().copied().flatten() {
                println!("{}", scenario.name);
            }
            Ok(())
        }
        ["serve", runtime, service] => serve(runtime, service),
        ["load", load, port, count] => ask(load, port, count),
        ["scenarios", runtime] => scenarios(runtime),
        ["table", "--quick", names @ ..] => {
            table::print(names, table::QUICK);
            Ok(())
        }
        ["table", names @ ..] => {
            table::print(names, table::FULL);
            Ok(())
        }
        _ => Err("ronde-benches run RUNTIME SCENARIO [COUNT]".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprint!("{}", what_there_is());
            eprintln!("{problem}");
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
    let runtime = find(runtime)?;
    (runtime.prepare)()?;
    let scenario = runtime.scenario(scenario).ok_or("the runtime has no such scenario")?;
    let count: u32 = match count {
        Some(count) => count.parse().map_err(|_| "the count is a number")?,
        None => scenario.count,
    };
    let took = (scenario.run)(count);
    Ok(took / f64::from(count.max(1)))
}

fn serve(runtime: &str, service: &str) -> Result<(), String> {
    let runtime = find(runtime)?;
    let service = Service::named(service).ok_or("there is no such service")?;
    (runtime.prepare)()?;
    pin();
    (runtime.serve)(service);
    Ok(())
}

fn ask(load: &str, port: &str, count: &str) -> Result<(), String> {
    let load = load::named(load).ok_or("there is no such load")?;
    let port = port.parse().map_err(|_| "the port is a number")?;
    let count = count.parse().map_err(|_| "the count is a number")?;
    pin();
    load::run(load, port, count);
    Ok(())
}

/// Leaves this process one processor. Server and client have the same: waking another one that sleeps
/// takes longer than all else, and not always as long.
fn pin() {
    let mut only = rustix::thread::CpuSet::new();
    only.set(0);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &only) {
        eprintln!("on any processor, as the first one can't be had: {error}");
    }
}

/// Prints what can be measured with a runtime; fails if it can't be had here.
fn scenarios(runtime: &str) -> Result<(), String> {
    let runtime = find(runtime)?;
    (runtime.prepare)()?;
    for scenario in runtime.scenarios() {
        println!("{}", scenario.name);
    }
    for load in LOADS.iter().filter(|load| runtime.services.contains(&load.service)) {
        println!("{}", load.name);
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

//! Programs whose end, or whose output, is part of the test: this one, started again with a variable.

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{self, Child, Command, Stdio, exit};
use std::time::Duration;

use ronde_process_pool::{ProcessPool, is_worker};

use crate::jobs::{jobs, prints, runs_for_ever, square};

const SCENARIO: &str = "RONDE_POOL_SCENARIO";

/// Starts this program as a scenario.
pub(crate) fn start(name: &str) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(SCENARIO, name).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

pub(crate) fn first_line(child: &mut Child) -> (String, impl Read + use<>) {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    (line, output)
}

/// All output of a scenario, and of its workers. It has ended, and so have they.
pub(crate) fn output(name: &str) -> String {
    let output = start(name).wait_with_output().unwrap();
    assert!(output.status.success(), "{name}: {:?}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The workers of these programs don't serve.
pub(crate) fn play_if_forgetful() {
    let Ok(name) = env::var(SCENARIO) else { return };
    let is_forgetful = name.starts_with("forgets");
    if !is_forgetful {
        return;
    }
    if is_worker() && name == "forgets and waits" {
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }
    // A worker comes here as well, and would start workers that come here as well.
    let limit = Duration::from_millis(if name == "forgets" { 60_000 } else { 200 });
    let builder = ProcessPool::builder(jobs()).start_timeout(limit);
    let pool = match builder.build() {
        Ok(pool) => pool,
        Err(error) => {
            println!("{error}");
            exit(3);
        }
    };
    let error = ronde::run(async move { pool.run(square, 2).await.unwrap_err() }).unwrap();
    println!("{error}");
    exit(0);
}

pub(crate) fn play_if_asked() {
    let Ok(name) = env::var(SCENARIO) else { return };
    ronde::run(async move {
        let pool = ProcessPool::builder(jobs()).workers(1).build().unwrap();
        match &*name {
            "prints" => {
                pool.run(prints, "hello".to_owned()).await.unwrap();
                println!(" - done");
                pool.shutdown().await;
            }
            "never ends" => pool.run(runs_for_ever, ()).await.unwrap(),
            "ends without a shutdown" => {
                assert_eq!(pool.run(square, 3).await.unwrap(), 9);
                println!("9");
                std::mem::forget(pool);
            }
            _ => panic!("no scenario is called {name}"),
        }
    })
    .unwrap();
    process::exit(0);
}

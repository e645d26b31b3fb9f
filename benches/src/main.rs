//! Measurements of ronde and tokio's current-thread runtime, side by side in one run.
//!
//! `cargo run --release -p ronde-benches [NAME]` runs all of them, or those whose name contains
//! `NAME`. Machines are noisy, so the two take turns, and what counts is the ratio: the median over
//! all rounds of tokio's time divided by ronde's. Above 1, ronde is faster.

#![forbid(unsafe_code)]

mod echo;
mod sync;
mod tasks;

use std::time::Duration;

/// Times `count` operations, each side by its own runtime.
struct Bench {
    name: &'static str,
    count: u32,
    ronde: fn(u32) -> Duration,
    tokio: fn(u32) -> Duration,
}

const ROUNDS: usize = 15;

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    println!("{:28} {:>12} {:>12} {:>8}", "", "ronde ns/op", "tokio ns/op", "ratio");
    let benches = tasks::BENCHES.iter().chain(sync::BENCHES).chain(echo::BENCHES);
    for bench in benches.filter(|bench| bench.name.contains(&filter)) {
        let mut pairs = Vec::new();
        for _ in 0..ROUNDS {
            let ronde = nanos_per_operation((bench.ronde)(bench.count), bench.count);
            let tokio = nanos_per_operation((bench.tokio)(bench.count), bench.count);
            pairs.push((ronde, tokio));
        }
        let ronde = median(pairs.iter().map(|pair| pair.0));
        let tokio = median(pairs.iter().map(|pair| pair.1));
        let ratio = median(pairs.iter().map(|pair| pair.1 / pair.0));
        println!("{:28} {ronde:12.1} {tokio:12.1} {ratio:8.2}", bench.name);
    }
}

fn tokio_run<F: Future<Output = Duration>>(main: F) -> Duration {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(main)
}

fn nanos_per_operation(took: Duration, count: u32) -> f64 {
    took.as_nanos() as f64 / f64::from(count)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

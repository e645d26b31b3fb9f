//! Loops that do nothing.

use std::time::Instant;

use super::run;
use crate::scenario::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::time("start-and-end", 1_000, started)];

/// A loop is made, runs a future that is ready, and is closed.
fn started(count: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        run(async {});
    }
    start.elapsed().as_nanos() as f64
}

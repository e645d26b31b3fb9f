//! Child processes.

use super::{read_zeros, run, spawn_and_wait};
use crate::scenario::{Scenario, cpu_timed, timed};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::time("subprocess", 100, children),
    Scenario::cpu("read-pipe", 64, |mebibytes| run(cpu_timed(read_zeros(mebibytes)))),
];

/// `true`, started and waited for.
fn children(count: u32) -> f64 {
    run(timed(async move {
        for _ in 0..count {
            spawn_and_wait("true").await;
        }
    }))
}

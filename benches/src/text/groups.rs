//! Groups of tasks.

use super::{group, run, yield_now};
use crate::scenario::{Scenario, timed};

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::time("group-100", 100_000, groups)];

/// Groups of a hundred tasks that each give way once; `count` tasks in all.
fn groups(count: u32) -> f64 {
    run(timed(async move {
        for _ in 0..count / 100 {
            group((0..100).map(|_| yield_now())).await;
        }
    }))
}

//! Groups of tasks.

use super::{group, run, yield_now};
use crate::scenario::{Scenario, timed};

pub(crate) const SCENARIOS: &[Scenario] =
    &[Scenario { name: "group-100", count: 100_000, run: groups }];

/// Groups of a hundred tasks that each give way once; `count` tasks in all.
fn groups(count: u32) -> std::time::Duration {
    run(timed(async move {
        for _ in 0..count / 100 {
            group((0..100).map(|_| yield_now())).await;
        }
    }))
}

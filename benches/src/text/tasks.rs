//! Tasks: begun, waited for, and giving way to each other.

use super::{gather, join, run, spawn, yield_now};
use crate::scenario::{Scenario, timed};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::time("spawn-and-join", 100_000, spawn_and_join),
    Scenario::time("yield-1", 300_000, |count| yielding(1, count)),
    Scenario::time("yield-100", 300_000, |count| yielding(100, count)),
    Scenario::time("gather-10000", 100_000, gather_10000),
];

fn spawn_and_join(count: u32) -> f64 {
    run(timed(async move {
        for n in 0..count {
            assert_eq!(join(spawn(async move { n })).await, n);
        }
    }))
}

/// `count` yields in all.
fn yielding(tasks: u32, count: u32) -> f64 {
    run(timed(async move {
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                spawn(async move {
                    for _ in 0..count / tasks {
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            join(task).await;
        }
    }))
}

/// Ten thousand children that each give way once, gathered; as often as it takes for `count` children.
fn gather_10000(count: u32) -> f64 {
    run(timed(async move {
        for _ in 0..count / 10_000 {
            gather((0..10_000).map(|_| yield_now())).await;
        }
    }))
}

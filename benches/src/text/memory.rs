//! What a task that does nothing holds.

use std::future::pending;
use std::time::Duration;

use super::{Task, run, sleep, spawn, yield_now};
use crate::allocated::allocated_bytes;
use crate::scenario::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::memory("memory-parked", 50_000, |count| held(count, || spawn(pending()))),
    Scenario::memory("memory-sleeping", 50_000, |count| {
        held(count, || spawn(sleep(Duration::from_secs(3600))))
    }),
];

/// The bytes that are allocated for `count` tasks once each has run to where it waits.
fn held(count: u32, begin: fn() -> Task<()>) -> f64 {
    run(async move {
        let mut tasks = Vec::with_capacity(count as usize + 1);
        // What is made together with the first task is there before.
        tasks.push(begin());
        yield_now().await;
        let before = allocated_bytes();
        for n in 0..count {
            tasks.push(begin());
            // Often enough that what is ready to run stays few: queues keep the room they once had.
            if n % 64 == 0 {
                yield_now().await;
            }
        }
        for _ in 0..10 {
            yield_now().await;
        }
        (allocated_bytes() - before) as f64
    })
}

//! Cancellation.

use super::{cancel_and_join, run, sleep, spawn, yield_now};
use crate::scenario::{Scenario, timed};

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::time("cancel-and-join", 50_000, cancelling)];

/// A task begins to sleep, is cancelled, and waited for.
fn cancelling(count: u32) -> f64 {
    run(timed(async move {
        for _ in 0..count {
            let task = spawn(sleep(std::time::Duration::from_secs(3600)));
            yield_now().await;
            cancel_and_join(task).await;
        }
    }))
}

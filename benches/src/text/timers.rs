//! Timers: most of them are dropped before they are due.

use std::pin::pin;
use std::time::Duration;

use super::{join, run, sleep, spawn, timeout, yield_now};
use crate::scenario::{Scenario, cpu_timed, poll_once, timed};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::time("timer-dropped-1", 200_000, |count| dropped(1, count)),
    Scenario::time("timer-dropped-1000", 200_000, |count| dropped(1000, count)),
    Scenario::cpu("timers-fired", 100_000, fired),
    Scenario::time("timeout", 100_000, in_time),
];

const LONG: Duration = Duration::from_secs(3600);

/// A timer is made, polled once and dropped, while `alive - 1` others stay.
fn dropped(alive: u32, count: u32) -> f64 {
    run(async move {
        let mut others = Vec::new();
        for n in 1..alive {
            let mut other = Box::pin(sleep(LONG + Duration::from_millis(n.into())));
            poll_once(other.as_mut()).await;
            others.push(other);
        }
        timed(async {
            for n in 0..count {
                // Not always the last or the first of all.
                let delay = LONG + Duration::from_millis((n * 7 % 1000).into());
                poll_once(pin!(sleep(delay))).await;
            }
        })
        .await
    })
}

/// `count` tasks that sleep until one of the times in the next 200 ms. What counts is the work.
fn fired(count: u32) -> f64 {
    run(cpu_timed(async move {
        let tasks: Vec<_> = (0..count)
            .map(|n| {
                let part = u64::from(n) * 7919 % u64::from(count.max(1));
                let delay = Duration::from_micros(200_000 * part / u64::from(count.max(1)));
                spawn(async move { sleep(delay + Duration::from_millis(1)).await })
            })
            .collect();
        for task in tasks {
            join(task).await;
        }
    }))
}

/// A limit of time around a step that is over in the next turn.
fn in_time(count: u32) -> f64 {
    run(timed(async move {
        join(spawn(async move {
            for _ in 0..count {
                assert!(timeout(LONG, yield_now()).await);
            }
        }))
        .await;
    }))
}

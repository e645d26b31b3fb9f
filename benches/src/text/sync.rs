//! Tasks that wait for one another.

use super::{Lock, Queue, Shared, join, run, spawn, yield_now};
use crate::scenario::{Scenario, timed};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::time("ping-pong", 100_000, ping_pong),
    Scenario::time("lock-hand-over", 100_000, lock_hand_over),
];

/// A number goes to another task and comes back, through two queues with room for one.
fn ping_pong(count: u32) -> f64 {
    run(timed(async move {
        let there = Shared::new(Queue::new(1));
        let back = Shared::new(Queue::new(1));
        let other = spawn({
            let (there, back) = (there.clone(), back.clone());
            async move {
                for _ in 0..count {
                    let number: u32 = there.get().await;
                    back.put(number).await;
                }
            }
        });
        for number in 0..count {
            there.put(number).await;
            assert_eq!(back.get().await, number);
        }
        join(other).await;
    }))
}

/// Two tasks that each hold the lock while they give way, so that each finds it taken.
fn lock_hand_over(count: u32) -> f64 {
    run(timed(async move {
        let lock = Shared::new(Lock::new(()));
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let lock = lock.clone();
                spawn(async move {
                    for _ in 0..count / 2 {
                        lock.hold_over(yield_now()).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            join(task).await;
        }
    }))
}

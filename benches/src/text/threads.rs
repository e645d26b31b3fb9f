//! Work for other threads, and news from them.

use super::{blocking, join, run, spawn};
use crate::scenario::{Scenario, timed};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::time("blocking-1", 5_000, |count| blocked(1, count)),
    Scenario::time("blocking-64", 30_000, |count| blocked(64, count)),
    Scenario::time("wake-from-thread", 10_000, woken),
];

/// Closures that return at once, `at_once` of them out at a time.
fn blocked(at_once: u32, count: u32) -> f64 {
    run(timed(async move {
        for _ in 0..count / at_once {
            let tasks: Vec<_> =
                (0..at_once).map(|n| spawn(async move { blocking(move || n).await })).collect();
            for task in tasks {
                join(task).await;
            }
        }
    }))
}

/// A thread that answers each number, through a channel that belongs to no runtime.
fn woken(count: u32) -> f64 {
    let (ask, asked) = std::sync::mpsc::channel();
    let (answer, answers) = async_channel::bounded(1);
    let thread = std::thread::spawn(move || {
        for number in asked {
            answer.try_send(number).expect("the last answer has been taken");
        }
    });
    let took = run(timed(async move {
        for number in 0..count {
            ask.send(number).expect("the thread waits");
            assert_eq!(answers.recv().await, Ok(number));
        }
    }));
    thread.join().expect("it does not panic");
    took
}

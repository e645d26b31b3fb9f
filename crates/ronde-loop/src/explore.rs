//! Runs a test under many orders of what is ready.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use ronde_executor::ReadyOrder;

use crate::builder::Builder;
use crate::clock::SimulatedClock;

/// Names the seed that [`explore`] is to run, and no other.
const SEED: &str = "RONDE_SEED";

/// An order of the ready queue that follows from a seed: any entry of a turn may be next.
///
/// Programs are promised first in, first out, and many rely on it without knowing. A test that passes
/// under many such orders shows that it doesn't, or that no task depends on another's being quicker by a
/// turn: what real sockets and threads would show only once in a while.
///
/// # Examples
///
/// ```
/// use ronde_loop::{EventLoop, SeededOrder};
/// use std::{cell::RefCell, rc::Rc};
///
/// let run = |seed| {
///     let event_loop = EventLoop::builder().order(SeededOrder::new(seed)).build().unwrap();
///     let log = Rc::new(RefCell::new(String::new()));
///     for name in ['a', 'b', 'c', 'd'] {
///         let log = log.clone();
///         event_loop.call_soon(move || log.borrow_mut().push(name));
///     }
///     event_loop.stop();
///     event_loop.run_forever().unwrap();
///     log.take()
/// };
/// assert_eq!(run(1), run(1));
/// assert!((0..10).any(|seed| run(seed) != "abcd"));
/// ```
#[derive(Clone, Debug)]
pub struct SeededOrder {
    rng: fastrand::Rng,
}

impl SeededOrder {
    /// Starts with a seed. The same program runs the same way with the same one.
    pub fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed) }
    }
}

impl ReadyOrder for SeededOrder {
    fn next(&mut self, ready: usize) -> usize {
        self.rng.usize(..ready)
    }
}

/// Runs `test` with many loops, each with another order of what is ready, and prints the seed of the one
/// that fails.
///
/// `test` gets the builder of a loop with a simulated clock, with a [`SeededOrder`] and with the same seed
/// for the loop's random numbers; it may set more. The seeds are 0, 1, 2 and so on, `runs` of them, so that
/// a test is the same each time. A failure prints, on the standard error output,
///
/// ```text
/// failed with seed 17 (RONDE_SEED=17 runs that one alone)
/// ```
///
/// With this variable of the environment, only that seed is run.
///
/// # Panics
///
/// If `test` does, with its payload; and if the variable is no number.
///
/// # Examples
///
/// ```
/// use ronde_loop::{explore, yield_now};
/// use std::{cell::Cell, rc::Rc};
///
/// explore(50, |builder| {
///     let event_loop = builder.build().unwrap();
///     let sum = Rc::new(Cell::new(0));
///     let tasks: Vec<_> = (1..=3)
///         .map(|number| {
///             let sum = sum.clone();
///             event_loop.create_task(async move {
///                 // Read and written in one step: no order can lose anything.
///                 sum.set(sum.get() + number);
///                 yield_now().await;
///             })
///         })
///         .collect();
///     for task in tasks {
///         event_loop.run_until_complete(task).unwrap();
///     }
///     assert_eq!(sum.get(), 6);
/// });
/// ```
pub fn explore(runs: u64, mut test: impl FnMut(Builder)) {
    let only = env::var(SEED).ok().map(|seed| {
        seed.parse::<u64>().unwrap_or_else(|error| panic!("{SEED}={seed} is no seed: {error}"))
    });
    let seeds = only.map_or(0..runs, |seed| seed..seed.saturating_add(1));
    for seed in seeds {
        let builder = Builder::new()
            .clock(SimulatedClock::new())
            .order(SeededOrder::new(seed))
            .random_seed(seed);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(builder))) {
            eprintln!("failed with seed {seed} ({SEED}={seed} runs that one alone)");
            resume_unwind(panic);
        }
    }
}

//! Where the loop takes random numbers from.

use std::fmt::Debug;

/// A source of random numbers: see [`LoopHandle::random`](crate::LoopHandle::random).
///
/// The loop takes them for what may be in any order, such as which of several servers is asked first, and
/// never for secrets.
///
/// ```
/// use ronde_loop::{EventLoop, RandomSource};
///
/// #[derive(Debug)]
/// struct Recorded(std::vec::IntoIter<u64>);
///
/// impl RandomSource for Recorded {
///     fn next_u64(&mut self) -> u64 {
///         self.0.next().unwrap_or(0)
///     }
/// }
///
/// let event_loop = EventLoop::builder().random(Recorded(vec![3, 1].into_iter())).build()?;
/// assert_eq!([event_loop.random(), event_loop.random()], [3, 1]);
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub trait RandomSource: Debug {
    /// The next number. All 64 bits are random.
    fn next_u64(&mut self) -> u64;
}

/// Random numbers that follow from a seed: the default. They are of no use for cryptography.
#[derive(Clone, Debug)]
pub struct SeededRandom {
    rng: fastrand::Rng,
}

impl SeededRandom {
    /// Starts with a seed. The same one gives the same numbers, on every platform.
    pub fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed) }
    }
}

impl RandomSource for SeededRandom {
    fn next_u64(&mut self) -> u64 {
        self.rng.u64(..)
    }
}

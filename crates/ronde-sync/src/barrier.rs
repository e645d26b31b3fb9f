//! Barriers.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use ronde_context::WaitKind;

use crate::error::{BrokenBarrierError, NoPartiesError};
use crate::line::{Gate, Line, uncancelled};
use crate::waiters::State;

/// Where a fixed number of tasks meet: each waits until the last one has come.
///
/// It can be used again and again. Who comes for the next round before everybody has left waits
/// outside. Share it by reference or in an [`Rc`].
///
/// # In asyncio
///
/// `asyncio.Barrier`.
///
/// # Examples
///
/// ```
/// use ronde_sync::Barrier;
///
/// # futures_lite::future::block_on(async {
/// let barrier = Barrier::new(2).unwrap();
/// let (first, last) = futures_lite::future::zip(barrier.wait(), barrier.wait()).await;
/// assert_eq!((first.unwrap().index(), last.unwrap().index()), (0, 1));
/// # });
/// ```
pub struct Barrier {
    /// Of those who are in the present round.
    line: Rc<Line<BarrierGate>>,
    /// Of those who came before the last round was over.
    outside: Rc<Line<OutsideGate>>,
}

struct BarrierGate {
    parties: usize,
    /// How many are in the present round and haven't left.
    count: Cell<usize>,
    phase: Cell<Phase>,
}

struct OutsideGate {
    inside: Rc<Line<BarrierGate>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Filling,
    Draining,
    Resetting,
    Broken,
}

/// That a task has passed a [`Barrier`], and as which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    index: usize,
    is_leader: bool,
}

impl BarrierWaitResult {
    /// How many tasks were at the barrier when this one came.
    ///
    /// If none is cancelled while it waits, these are the numbers from 0, each once; a place that was
    /// given up is taken again.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Is it the one that came last? There is one in every round, for what must be done once.
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

/// What a barrier says of itself.
///
/// ```
/// let statistics = ronde_sync::Barrier::new(3).unwrap().statistics();
/// assert_eq!((statistics.parties, statistics.waiting), (3, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BarrierStatistics {
    /// How many tasks it takes.
    pub parties: usize,
    /// How many wait for the others.
    pub waiting: usize,
    /// Was it broken by [`Barrier::abort`]?
    pub broken: bool,
}

impl Barrier {
    /// Makes a barrier for `parties` tasks.
    ///
    /// # Errors
    ///
    /// [`NoPartiesError`] if `parties` is zero.
    pub fn new(parties: usize) -> Result<Self, NoPartiesError> {
        if parties == 0 {
            return Err(NoPartiesError { _private: () });
        }
        let (count, phase) = (Cell::new(0), Cell::new(Phase::Filling));
        let line = Line::new(BarrierGate { parties, count, phase });
        let outside = Line::new(OutsideGate { inside: line.clone() });
        Ok(Self { line, outside })
    }

    /// Waits for the others. The last one to come passes without suspending.
    ///
    /// # Errors
    ///
    /// [`BrokenBarrierError`] if the barrier is [broken](Self::abort), or is broken or
    /// [reset](Self::reset) meanwhile.
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** The caller leaves the barrier, which stays usable: it then waits for one
    /// more. A caller that is cancelled when all had come has been counted.
    ///
    /// # In asyncio
    ///
    /// `Barrier.wait`, or `async with barrier`.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let barrier = ronde_sync::Barrier::new(1).unwrap();
    /// assert!(barrier.wait().await.unwrap().is_leader());
    /// # });
    /// ```
    pub async fn wait(&self) -> Result<BarrierWaitResult, BrokenBarrierError> {
        uncancelled().await;
        let gate = &self.line.gate;
        while matches!(gate.phase.get(), Phase::Draining | Phase::Resetting) {
            self.outside.turn().await;
        }
        if gate.phase.get() == Phase::Broken {
            return Err(BrokenBarrierError { was_reset: false });
        }

        let index = gate.count.get();
        gate.count.set(index + 1);
        let _present = Present { barrier: self };
        let is_leader = index + 1 == gate.parties;
        if is_leader {
            gate.phase.set(Phase::Draining);
            self.line.wake_all();
        } else {
            while gate.phase.get() == Phase::Filling {
                self.line.turn().await;
            }
            match gate.phase.get() {
                Phase::Broken => return Err(BrokenBarrierError { was_reset: false }),
                Phase::Resetting => return Err(BrokenBarrierError { was_reset: true }),
                Phase::Filling | Phase::Draining => {}
            }
        }
        Ok(BarrierWaitResult { index, is_leader })
    }

    /// Empties the barrier: those who wait fail with [`BrokenBarrierError`]. A broken one is whole
    /// again once they have left.
    ///
    /// # In asyncio
    ///
    /// `Barrier.reset`, which is a coroutine there because it takes a lock.
    ///
    /// ```
    /// let barrier = ronde_sync::Barrier::new(2).unwrap();
    /// barrier.abort();
    /// barrier.reset();
    /// assert!(!barrier.broken());
    /// ```
    pub fn reset(&self) {
        let gate = &self.line.gate;
        gate.phase.set(if gate.count.get() > 0 { Phase::Resetting } else { Phase::Filling });
        self.line.wake_all();
    }

    /// Breaks the barrier: those who wait, and all who come, fail with [`BrokenBarrierError`].
    ///
    /// # In asyncio
    ///
    /// `Barrier.abort`, which is a coroutine there because it takes a lock.
    pub fn abort(&self) {
        self.line.gate.phase.set(Phase::Broken);
        self.line.wake_all();
        self.outside.wake_all();
    }

    /// How many tasks it takes.
    pub fn parties(&self) -> usize {
        self.line.gate.parties
    }

    /// How many wait for the others.
    pub fn n_waiting(&self) -> usize {
        match self.line.gate.phase.get() {
            Phase::Filling => self.line.gate.count.get(),
            Phase::Draining | Phase::Resetting | Phase::Broken => 0,
        }
    }

    /// Was it broken by [`abort`](Self::abort)?
    pub fn broken(&self) -> bool {
        self.line.gate.phase.get() == Phase::Broken
    }

    /// How many wait, and for how many.
    pub fn statistics(&self) -> BarrierStatistics {
        BarrierStatistics {
            parties: self.parties(),
            waiting: self.n_waiting(),
            broken: self.broken(),
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BarrierGate::describe(&self.line, f)
    }
}

/// A task is in the present round. The last one to leave opens the next.
struct Present<'a> {
    barrier: &'a Barrier,
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        let Barrier { line, outside } = self.barrier;
        let BarrierGate { parties, count, phase } = &line.gate;
        count.set(count.get() - 1);
        match phase.get() {
            Phase::Draining | Phase::Resetting if count.get() == 0 => {
                phase.set(Phase::Filling);
                // As many as there is room for: if all were woken, most would only line up again.
                for _ in 0..*parties {
                    if !outside.wake_next() {
                        break;
                    }
                }
            }
            // Its place in the round is free.
            Phase::Filling => {
                outside.wake_next();
            }
            Phase::Draining | Phase::Resetting | Phase::Broken => {}
        }
    }
}

/// Who is woken looks at the phase again.
impl Gate for BarrierGate {
    const KIND: WaitKind = WaitKind::Barrier;

    fn enter(_line: &Line<Self>, _amount: usize) -> bool {
        false
    }

    fn enter_woken(_line: &Line<Self>) {}

    fn gave_up(_line: &Line<Self>, _was: State, _amount: usize) {}

    fn enter_again(_line: &Line<Self>, _amount: usize) -> bool {
        true
    }

    fn describe(line: &Line<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BarrierGate { parties, count, phase } = &line.gate;
        let (phase, waiting) = match phase.get() {
            Phase::Filling => ("filling", count.get()),
            Phase::Draining => ("draining", 0),
            Phase::Resetting => ("resetting", 0),
            Phase::Broken => return f.write_str("<Barrier [broken]>"),
        };
        write!(f, "<Barrier [{phase}, waiters:{waiting}/{parties}]>")
    }
}

/// Who is woken looks at the phase again, and may find that others were faster.
impl Gate for OutsideGate {
    const KIND: WaitKind = WaitKind::Barrier;

    fn enter(_line: &Line<Self>, _amount: usize) -> bool {
        false
    }

    fn enter_woken(_line: &Line<Self>) {}

    fn gave_up(line: &Line<Self>, was: State, _amount: usize) {
        if was == State::Woken && line.gate.inside.gate.phase.get() == Phase::Filling {
            line.wake_next();
        }
    }

    fn enter_again(_line: &Line<Self>, _amount: usize) -> bool {
        true
    }

    fn describe(line: &Line<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BarrierGate::describe(&line.gate.inside, f)
    }
}

//! The parameters of a loop.

use std::rc::Rc;

use ronde_executor::ReadyOrder;
use ronde_reactor::{Poller, Reactor, default_poller};

use crate::clock::{Clock, SystemClock};
use crate::error::RunError;
use crate::event_loop::EventLoop;
use crate::handle::{LoopHandle, Shared};
use crate::job::JobExecutor;
use crate::random::{RandomSource, SeededRandom};
use crate::resolve::Resolver;

/// Makes an event loop out of its parameters.
///
/// ```
/// use ronde_loop::{EventLoop, SimulatedClock};
///
/// let event_loop = EventLoop::builder().clock(SimulatedClock::new()).random_seed(7).build()?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct Builder {
    clock: Option<Rc<dyn Clock>>,
    poller: Option<Box<dyn Poller>>,
    executor: Option<Rc<dyn JobExecutor>>,
    order: Option<Box<dyn ReadyOrder>>,
    random: Option<Box<dyn RandomSource>>,
    resolver: Option<Rc<dyn Resolver>>,
    debug: Option<bool>,
}

impl Builder {
    /// Starts with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The clock. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Rc::new(clock));
        self
    }

    /// What the loop waits with. Default: the best that the system has.
    pub fn poller(mut self, poller: Box<dyn Poller>) -> Self {
        self.poller = Some(poller);
        self
    }

    /// Where blocking work goes. Default: a [`ThreadPool`](crate::ThreadPool), made when it is first
    /// needed.
    pub fn executor(mut self, executor: Rc<dyn JobExecutor>) -> Self {
        self.executor = Some(executor);
        self
    }

    /// The order of the entries that are ready in one turn. Default: first in, first out, which is what
    /// programs are promised; see [`SeededOrder`](crate::SeededOrder) for tests that promise less.
    pub fn order(mut self, order: impl ReadyOrder + 'static) -> Self {
        self.order = Some(Box::new(order));
        self
    }

    /// What finds the addresses of names. Default: a [`SystemResolver`](crate::SystemResolver), made when it
    /// is first needed.
    pub fn resolver(mut self, resolver: Rc<dyn Resolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Where the loop's random numbers come from. Default: a [`SeededRandom`] with another seed each time.
    pub fn random(mut self, random: impl RandomSource + 'static) -> Self {
        self.random = Some(Box::new(random));
        self
    }

    /// The seed of the loop's random numbers: [`random`](Self::random) with a [`SeededRandom`].
    pub fn random_seed(self, seed: u64) -> Self {
        self.random(SeededRandom::new(seed))
    }

    /// Debug mode. Default: whether the variable `RONDE_DEBUG` is set, and to something but `0`.
    ///
    /// In debug mode the loop tells of callbacks and task steps that block it: see
    /// [`LoopHandle::set_debug`].
    pub fn debug(mut self, debug: bool) -> Self {
        self.debug = Some(debug);
        self
    }

    /// Makes the loop.
    ///
    /// # Errors
    ///
    /// [`RunError::Io`] if the system has no descriptor left for the poller.
    pub fn build(self) -> Result<EventLoop, RunError> {
        let poller = match self.poller {
            Some(poller) => poller,
            None => default_poller()
                .map_err(|source| RunError::Io { doing: "creating the poller", source })?,
        };
        let debug = self.debug.unwrap_or_else(debug_by_environment);
        let random = self.random.unwrap_or_else(|| Box::new(SeededRandom::new(fastrand::u64(..))));
        let shared = Shared::new(
            Rc::new(Reactor::new(poller)),
            self.clock.unwrap_or_else(|| Rc::new(SystemClock)),
            self.executor,
            self.resolver,
            random,
            debug,
        );
        shared.executor.set_order(self.order);
        Ok(EventLoop::of(LoopHandle { shared: Rc::new(shared) }))
    }
}

fn debug_by_environment() -> bool {
    std::env::var_os("RONDE_DEBUG").is_some_and(|value| !value.is_empty() && value != "0")
}

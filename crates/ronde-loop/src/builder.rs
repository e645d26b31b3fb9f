//! The parameters of a loop.

use std::rc::Rc;

use ronde_reactor::{Poller, Reactor, default_poller};

use crate::clock::{Clock, SystemClock};
use crate::error::RunError;
use crate::event_loop::EventLoop;
use crate::handle::{LoopHandle, Shared};
use crate::job::JobExecutor;
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
    resolver: Option<Rc<dyn Resolver>>,
    random_seed: Option<u64>,
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

    /// What finds the addresses of names. Default: a [`SystemResolver`](crate::SystemResolver), made when it
    /// is first needed.
    pub fn resolver(mut self, resolver: Rc<dyn Resolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// The seed of the loop's random numbers. Default: another one each time.
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.random_seed = Some(seed);
        self
    }

    /// Debug mode. Default: whether the variable `RONDE_DEBUG` is set, and to something but `0`.
    ///
    /// In debug mode the loop tells of callbacks and task steps that took longer than 100 ms.
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
        let random = self.random_seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let shared = Shared::new(
            Rc::new(Reactor::new(poller)),
            self.clock.unwrap_or_else(|| Rc::new(SystemClock)),
            self.executor,
            self.resolver,
            random,
            debug,
        );
        Ok(EventLoop::of(LoopHandle { shared: Rc::new(shared) }))
    }
}

fn debug_by_environment() -> bool {
    std::env::var_os("RONDE_DEBUG").is_some_and(|value| !value.is_empty() && value != "0")
}

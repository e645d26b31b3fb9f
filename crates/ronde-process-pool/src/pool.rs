//! The pool: its workers, and the way of a job.

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use ronde_loop::{LoopHandle, get_running_loop, yield_now};
use ronde_process::Process;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ProcessPoolError;
use crate::places::Places;
use crate::registry::{Registry, is_worker};
use crate::wire::{self, Kind, Reply};
use crate::worker::{Outcome, Start, Worker};

/// Processes that run functions, started as they are needed.
///
/// For work that keeps a processor busy, or that may crash. Work that merely blocks is better off in a
/// thread, which costs less and needs no registered functions.
///
/// A pool belongs to the thread that made it. Each loop there has workers of its own: those of another
/// are replaced. Dropping the pool kills the workers, and jobs that
/// are not done fail with [`ProcessPoolError::ShutDown`]; [`shutdown`](Self::shutdown) is the orderly
/// end.
///
/// # In asyncio
///
/// `concurrent.futures.ProcessPoolExecutor`. There, a worker that crashes breaks the pool.
///
/// # Examples
///
/// ```no_run
/// use ronde_process_pool::{ProcessPool, Registry};
///
/// fn count_primes(below: u64) -> usize {
///     (2..below).filter(|n| (2..*n).all(|divisor| n % divisor != 0)).count()
/// }
///
/// fn jobs() -> Registry {
///     Registry::new().register(count_primes)
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     jobs().serve_if_worker();
///     ronde::run(async {
///         let pool = ProcessPool::builder(jobs()).workers(4).build()?;
///         let counts = ronde::gather_all([100, 1000, 10_000].map(|n| pool.run(count_primes, n)));
///         for count in counts.await? {
///             println!("{}", count?);
///         }
///         pool.shutdown().await;
///         Ok(())
///     })?
/// }
/// ```
pub struct ProcessPool {
    shared: Rc<Shared>,
}

struct Shared {
    registry: Registry,
    start: Start,
    max_jobs: Option<usize>,
    places: Rc<Places>,
    /// Those that are starting, idle or busy.
    workers: RefCell<Vec<Rc<Worker>>>,
    /// Those that were told to end.
    leaving: RefCell<Vec<Rc<Process>>>,
    started: Cell<usize>,
    phase: Cell<Phase>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// Accepts no more jobs.
    Closed,
    /// And does no more.
    Ended,
}

/// What a [`ProcessPool`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessPoolStatistics {
    /// How many workers there may be.
    pub max_workers: usize,
    /// How many there are.
    pub workers: usize,
    /// How many of them wait for a job.
    pub idle: usize,
    /// How many jobs are under way.
    pub running: usize,
    /// How many jobs wait for a worker.
    pub queued: usize,
    /// How many workers have been started since the pool was made.
    pub started: usize,
}

impl ProcessPool {
    /// Makes a pool that runs these functions.
    pub fn builder(registry: Registry) -> ProcessPoolBuilder {
        ProcessPoolBuilder {
            registry,
            program: None,
            workers: thread::available_parallelism().map_or(1, usize::from),
            max_jobs: None,
            start_timeout: Duration::from_secs(30),
        }
    }

    /// Runs a registered function in a worker, and returns its result.
    ///
    /// The arguments are encoded at once, all else happens when the future is polled: jobs get their
    /// worker in the order of their first polls. The future doesn't borrow the pool, so it can become a
    /// task.
    ///
    /// With a simulated clock, time stands still until the future is done. So a task must not begin to
    /// poll it and then sleep before it goes on: make it a task of its own.
    ///
    /// # Errors
    ///
    /// [`ProcessPoolError`]:
    ///
    /// - [`NotRegistered`](ProcessPoolError::NotRegistered);
    /// - [`Arguments`](ProcessPoolError::Arguments) and [`Result`](ProcessPoolError::Result) if these
    ///   can't be sent;
    /// - [`Panicked`](ProcessPoolError::Panicked) if the function did;
    /// - [`Crashed`](ProcessPoolError::Crashed) if the worker ended;
    /// - [`ShutDown`](ProcessPoolError::ShutDown) if the pool was, or is dropped meanwhile;
    /// - if a worker can't be started, why.
    ///
    /// # Panics
    ///
    /// When polled outside a running event loop.
    ///
    /// # Cancel safety
    ///
    /// **Data lost.** A job that waits for a worker is removed. If the function has begun, its worker is
    /// killed, and what it has computed is lost; [`shield`](https://docs.rs/ronde) a task around the job
    /// to keep that. Another worker takes the place of the one that was killed.
    ///
    /// # In asyncio
    ///
    /// `loop.run_in_executor(pool, function, argument)`. There, a job that has begun can't be cancelled.
    #[doc(alias = "submit")]
    pub fn run<F, A, R>(
        &self,
        function: F,
        arguments: A,
    ) -> impl Future<Output = Result<R, ProcessPoolError>> + use<F, A, R>
    where
        F: Fn(A) -> R + 'static,
        A: Serialize,
        R: DeserializeOwned,
    {
        let _ = function;
        let name = type_name::<F>();
        let request = match self.shared.registry.find::<F>() {
            _ if self.shared.phase.get() != Phase::Open => Err(ProcessPoolError::ShutDown),
            None => Err(ProcessPoolError::NotRegistered { function: name }),
            Some(index) => match wire::encode(&arguments) {
                Ok(arguments) => Ok(wire::request(index, &arguments)),
                Err(problem) => Err(ProcessPoolError::Arguments { function: name, problem }),
            },
        };
        drop(arguments);
        let shared = self.shared.clone();
        async move { decode(name, run(shared, name, request?).await?) }
    }

    /// Accepts no more jobs, waits until those it has are done, then has the workers end and waits for
    /// that.
    ///
    /// To wait only for so long, put a [`timeout`](ronde_loop::timeout()) around it, and [`kill`](Self::kill)
    /// or drop the pool afterwards.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** The pool stays closed, and the jobs run on.
    ///
    /// # In asyncio
    ///
    /// `ProcessPoolExecutor.shutdown`, which blocks.
    pub async fn shutdown(&self) {
        self.shared.close(Phase::Closed);
        let _hold = get_running_loop().map(|event_loop| event_loop.hold_clock());
        // Tasks that were made for jobs until now get to their first poll.
        yield_now().await;
        poll_fn(|cx| self.shared.places.poll_all_free(cx)).await;
        self.shared.close(Phase::Ended);
        let workers = self.shared.workers.take();
        workers.into_iter().for_each(|worker| self.shared.dismiss(worker));
        loop {
            // They stay in the list until they have ended: a cancellation forgets none, and whoever else
            // shuts the pool down waits for the same ones.
            let last = self.shared.leaving.borrow().last().cloned();
            let Some(process) = last else { return };
            process.wait().await;
            self.shared.forget_gone();
        }
    }

    /// Accepts no more jobs and kills the workers. Jobs that are not done fail with
    /// [`ProcessPoolError::ShutDown`].
    ///
    /// Dropping the pool does the same.
    ///
    /// # In asyncio
    ///
    /// `ProcessPoolExecutor.kill_workers`.
    pub fn kill(&self) {
        self.shared.close(Phase::Ended);
        let workers = self.shared.workers.take();
        // A job that is under way holds its worker still.
        workers.iter().for_each(|worker| worker.kill());
        // If one has ended, all is well.
        self.shared.leaving.take().iter().for_each(|process| drop(process.kill()));
    }

    /// What the pool is doing.
    pub fn statistics(&self) -> ProcessPoolStatistics {
        let places = &self.shared.places;
        let workers = self.shared.workers.borrow();
        ProcessPoolStatistics {
            max_workers: places.total(),
            workers: workers.len(),
            idle: workers.iter().filter(|worker| !worker.busy.get()).count(),
            running: places.taken(),
            queued: places.waiting(),
            started: self.shared.started.get(),
        }
    }
}

impl Drop for ProcessPool {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statistics = self.statistics();
        let (workers, max) = (statistics.workers, statistics.max_workers);
        let (running, queued) = (statistics.running, statistics.queued);
        let state = match self.shared.phase.get() {
            Phase::Open => "open",
            Phase::Closed | Phase::Ended => "shut down",
        };
        write!(f, "<ProcessPool {state} workers={workers}/{max} running={running} queued={queued}>")
    }
}

/// The way of a job: a place, a worker, there and back.
async fn run(
    shared: Rc<Shared>,
    function: &'static str,
    request: Vec<u8>,
) -> Result<Reply, ProcessPoolError> {
    let event_loop = get_running_loop().expect("a job was polled outside a running loop");
    let _hold = event_loop.hold_clock();
    let Some(place) = shared.places.take().await else { return Err(ProcessPoolError::ShutDown) };
    loop {
        let (lease, is_new) = match shared.idle_worker(&event_loop) {
            _ if shared.phase.get() == Phase::Ended => return Err(ProcessPoolError::ShutDown),
            Some(worker) => (Lease::new(&shared, worker), false),
            None => (shared.new_worker(&event_loop).await?, true),
        };
        match lease.worker().run(&request).await {
            Outcome::Replied(reply) => {
                lease.give_back();
                drop(place);
                return Ok(reply);
            }
            _ if shared.phase.get() == Phase::Ended => return Err(ProcessPoolError::ShutDown),
            // It had ended while it had nothing to do, which isn't this job's fault.
            Outcome::NotBegun(_) if !is_new => {}
            Outcome::NotBegun(returncode) | Outcome::Crashed(returncode) => {
                return Err(ProcessPoolError::Crashed { function, returncode });
            }
        }
    }
}

fn decode<R: DeserializeOwned>(
    function: &'static str,
    reply: Reply,
) -> Result<R, ProcessPoolError> {
    match reply.kind {
        Kind::Value => wire::decode(&reply.content)
            .map_err(|problem| ProcessPoolError::Result { function, problem }),
        Kind::Panicked => Err(ProcessPoolError::Panicked { function, message: reply.text() }),
        Kind::BadArguments => Err(ProcessPoolError::Arguments { function, problem: reply.text() }),
        Kind::BadResult => Err(ProcessPoolError::Result { function, problem: reply.text() }),
        Kind::Hello | Kind::Begun => {
            let problem = format!("the worker said {:?} in its place", reply.kind);
            Err(ProcessPoolError::Result { function, problem })
        }
    }
}

impl Shared {
    fn close(&self, phase: Phase) {
        // What has ended isn't merely closed again.
        self.phase.set(self.phase.get().max(phase));
        if phase == Phase::Ended {
            self.places.close();
        }
    }

    /// The one that was busy last, if there is one that lives.
    fn idle_worker(&self, event_loop: &LoopHandle) -> Option<Rc<Worker>> {
        loop {
            let mut workers = self.workers.borrow_mut();
            let index = workers.iter().rposition(|worker| !worker.busy.get())?;
            let worker = workers.remove(index);
            if !worker.is_of_use_on(event_loop) {
                drop(workers);
                continue;
            }
            worker.busy.set(true);
            workers.push(worker.clone());
            return Some(worker);
        }
    }

    async fn new_worker(&self, event_loop: &LoopHandle) -> Result<Lease<'_>, ProcessPoolError> {
        self.started.set(self.started.get() + 1);
        let worker = Rc::new(Worker::start(&self.start, event_loop).await?);
        // In the list from here on: whoever kills the pool kills those that aren't ready too.
        self.workers.borrow_mut().push(worker.clone());
        let lease = Lease::new(self, worker);
        let ready = lease.worker().ready(&self.start).await;
        if self.phase.get() == Phase::Ended {
            return Err(ProcessPoolError::ShutDown);
        }
        ready.map(|()| lease)
    }

    fn remove(&self, worker: &Rc<Worker>) {
        let mut workers = self.workers.borrow_mut();
        let index = workers.iter().position(|other| Rc::ptr_eq(other, worker));
        let removed = index.map(|index| workers.remove(index));
        drop(workers);
        drop(removed);
    }

    fn dismiss(&self, worker: Rc<Worker>) {
        if let Some(worker) = Rc::into_inner(worker) {
            self.forget_gone();
            self.leaving.borrow_mut().push(Rc::new(worker.dismiss()));
        }
    }

    fn forget_gone(&self) {
        self.leaving.borrow_mut().retain(|process| process.returncode().is_none());
    }
}

/// A worker that runs a job. If that doesn't come to its end, the worker is killed.
struct Lease<'a> {
    shared: &'a Shared,
    worker: Option<Rc<Worker>>,
}

impl<'a> Lease<'a> {
    fn new(shared: &'a Shared, worker: Rc<Worker>) -> Self {
        Self { shared, worker: Some(worker) }
    }

    fn worker(&self) -> &Worker {
        self.worker.as_ref().expect("the worker was given back")
    }

    /// Has the worker wait for the next job, unless it has done its share.
    fn give_back(mut self) {
        let Some(worker) = self.worker.take() else { return };
        if self.shared.max_jobs.is_some_and(|max| worker.jobs.get() >= max) {
            self.shared.remove(&worker);
            self.shared.dismiss(worker);
        } else {
            worker.busy.set(false);
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.kill();
            self.shared.remove(&worker);
        }
    }
}

/// The parameters of a [`ProcessPool`].
#[derive(Debug)]
#[must_use]
pub struct ProcessPoolBuilder {
    registry: Registry,
    program: Option<PathBuf>,
    workers: usize,
    max_jobs: Option<usize>,
    start_timeout: Duration,
}

impl ProcessPoolBuilder {
    /// How many workers there may be. Default: the number of processors.
    #[doc(alias = "max_workers")]
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// After how many jobs a worker is replaced, if ever: against functions that leave memory or other
    /// things behind. Default: never.
    pub fn max_tasks_per_child(mut self, count: usize) -> Self {
        self.max_jobs = Some(count);
        self
    }

    /// The program that a worker is. Default: this one.
    ///
    /// It must call [`serve_if_worker`](Registry::serve_if_worker) with the same functions in the same
    /// order. Tests need it, as they have no `main` of their own.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// How long a worker may take to get ready. Default: 30 seconds. There is no limit with a simulated
    /// clock, which stands still meanwhile.
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.start_timeout = limit;
        self
    }

    /// Makes the pool. Workers are started later, as they are needed.
    ///
    /// # Errors
    ///
    /// - [`ProcessPoolError::NoWorkers`] if a number is zero.
    /// - [`ProcessPoolError::InsideWorker`] in a worker, which would start workers that start workers.
    pub fn build(self) -> Result<ProcessPool, ProcessPoolError> {
        if is_worker() {
            return Err(ProcessPoolError::InsideWorker);
        }
        if self.workers == 0 || self.max_jobs == Some(0) {
            return Err(ProcessPoolError::NoWorkers);
        }
        let functions = self.registry.names();
        let start = Start { program: self.program, limit: self.start_timeout, functions };
        Ok(ProcessPool {
            shared: Rc::new(Shared {
                registry: self.registry,
                start,
                max_jobs: self.max_jobs,
                places: Places::new(self.workers),
                workers: RefCell::default(),
                leaving: RefCell::default(),
                started: Cell::new(0),
                phase: Cell::new(Phase::Open),
            }),
        })
    }
}

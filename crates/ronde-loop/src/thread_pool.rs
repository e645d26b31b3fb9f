//! The default executor: a pool of threads.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::job::{Job, JobExecutor, SubmitError};
use crate::running::get_running_loop;

/// Threads that run jobs, started as they are needed.
///
/// A thread that has nothing to do waits for the next job. Dropping the pool lets the threads do
/// what they were given, and nobody waits for them.
///
/// # In asyncio
///
/// `concurrent.futures.ThreadPoolExecutor`. As there, the default size is the number of processors
/// plus 4, and 32 at the most. There is no `initializer`: what each thread needs goes into a
/// `thread_local!`, which is made when it is first used.
///
/// # Examples
///
/// ```
/// use ronde_loop::{EventLoop, ThreadPool};
/// use std::rc::Rc;
///
/// let pool = ThreadPool::builder().max_workers(2).thread_name_prefix("worker").build()?;
/// let event_loop = EventLoop::builder().executor(Rc::new(pool)).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ThreadPool {
    shared: Arc<Shared>,
    size: usize,
    prefix: String,
}

struct Shared {
    state: Mutex<State>,
    /// There is a job, or the pool is shut down.
    work: Condvar,
    /// A thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    /// How many threads wait for a job.
    idle: usize,
    started: usize,
    shut_down: bool,
    /// Run by the last thread at its end: they wake those who wait for that.
    at_end: Vec<Job>,
}

impl ThreadPool {
    /// Makes a pool of the default size. Its threads are called `ronde_0`, `ronde_1` and so on.
    pub fn new() -> Self {
        let ThreadPoolBuilder { size, prefix } = Self::builder();
        Self::with(size, prefix)
    }

    /// Makes a pool with other parameters.
    pub fn builder() -> ThreadPoolBuilder {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        ThreadPoolBuilder { size: processors.saturating_add(4).min(32), prefix: "ronde".into() }
    }

    pub(crate) fn with(size: usize, prefix: String) -> Self {
        let shared =
            Shared { state: Mutex::default(), work: Condvar::new(), ended: Condvar::new() };
        Self { shared: Arc::new(shared), size, prefix }
    }

    /// Drops the jobs that no thread has begun. Returns how many there were.
    ///
    /// Whoever waits for one gets [`JobError::Dropped`](crate::JobError::Dropped).
    ///
    /// # In asyncio
    ///
    /// With [`shutdown`](Self::shutdown) after it, `shutdown(cancel_futures=True)`.
    pub fn cancel_queued(&self) -> usize {
        // What the jobs hold is dropped without the lock.
        let jobs = std::mem::take(&mut self.shared.lock().jobs);
        jobs.len()
    }

    /// Accepts no more jobs, and waits until those it has are done and the threads have ended. The
    /// loop runs meanwhile.
    ///
    /// To give up what hasn't begun, call [`cancel_queued`](Self::cancel_queued) first. To wait only
    /// for so long, put a [`timeout`](crate::timeout()) around it. Not to wait at all, call
    /// [`close`](JobExecutor::close) instead.
    ///
    /// # Panics
    ///
    /// When polled outside a running event loop. There is
    /// [`shutdown_blocking`](Self::shutdown_blocking) for there.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** The pool stays closed, and the jobs run on.
    ///
    /// # In asyncio
    ///
    /// `ThreadPoolExecutor.shutdown`, which blocks.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, ThreadPool, get_running_loop};
    /// # let event_loop = EventLoop::new()?;
    /// # event_loop.run_until_complete(async {
    /// let pool = ThreadPool::new();
    /// let job = get_running_loop().unwrap().run_in_executor(Some(&pool), || 6 * 7).unwrap();
    /// pool.shutdown().await;
    /// assert_eq!(job.await.unwrap(), 42);
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub async fn shutdown(&self) {
        let event_loop = get_running_loop().expect("`shutdown` was polled outside a running loop");
        let (job, ended) = event_loop.make_job(|| ());
        self.close();
        self.run_at_end(job);
        // It can't fail: the job is run.
        let _ = ended.await;
    }

    /// Accepts no more jobs, and blocks the thread until those it has are done, at most for
    /// `timeout`. Returns whether they are.
    ///
    /// For code outside a loop; on a loop it would hold up all tasks.
    pub fn shutdown_blocking(&self, timeout: Option<Duration>) -> bool {
        self.close();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.shared.lock();
        while state.threads > 0 {
            let Some(deadline) = deadline else {
                state = self.shared.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn run_at_end(&self, job: Job) {
        let mut state = self.shared.lock();
        if state.threads > 0 {
            state.at_end.push(job);
        } else {
            drop(state);
            job.run();
        }
    }

    fn start_thread(&self, state: &mut State) -> io::Result<()> {
        let shared = self.shared.clone();
        thread::Builder::new()
            .name(format!("{}_{}", self.prefix, state.started))
            .spawn(move || shared.work())?;
        state.threads += 1;
        state.started += 1;
        Ok(())
    }
}

impl Default for ThreadPool {
    fn default() -> Self {
        Self::new()
    }
}

impl JobExecutor for ThreadPool {
    fn submit(&self, job: Job) -> Result<(), SubmitError> {
        let mut state = self.shared.lock();
        if state.shut_down {
            return Err(SubmitError::ShutDown);
        }
        if state.idle <= state.jobs.len()
            && state.threads < self.size
            && let Err(error) = self.start_thread(&mut state)
            // With a thread left to take the job, it only has to wait a little longer.
            && state.threads == 0
        {
            return Err(SubmitError::NoThread(error));
        }
        state.jobs.push_back(job);
        self.shared.work.notify_one();
        Ok(())
    }

    fn close(&self) {
        self.shared.lock().shut_down = true;
        self.shared.work.notify_all();
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs never panic, and nothing else that could runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            job.run();
        }
        let mut state = self.lock();
        state.threads -= 1;
        let at_end =
            if state.threads == 0 { std::mem::take(&mut state.at_end) } else { Vec::new() };
        drop(state);
        self.ended.notify_all();
        at_end.into_iter().for_each(Job::run);
    }

    /// The next job. Waits for one, unless the pool is shut down.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.shut_down {
                return None;
            }
            state.idle += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("ThreadPool")
            .field("max_workers", &self.size)
            .field("threads", &state.threads)
            .field("idle", &state.idle)
            .field("queued", &state.jobs.len())
            .field("shut_down", &state.shut_down)
            .finish_non_exhaustive()
    }
}

/// The parameters of a [`ThreadPool`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ThreadPoolBuilder {
    size: usize,
    prefix: String,
}

impl ThreadPoolBuilder {
    /// How many threads there may be. Default: the number of processors plus 4, and 32 at the most.
    pub fn max_workers(mut self, count: usize) -> Self {
        self.size = count;
        self
    }

    /// What the names of the threads begin with; an underscore and a number follow. Default:
    /// `ronde`.
    ///
    /// Linux shows the first 15 bytes of a thread's name, so keep it short.
    pub fn thread_name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Makes the pool. Threads are started later, as they are needed.
    ///
    /// # Errors
    ///
    /// [`ThreadPoolError`] if there may be no thread at all, or the name is none.
    pub fn build(self) -> Result<ThreadPool, ThreadPoolError> {
        if self.size == 0 {
            return Err(ThreadPoolError::NoWorkers);
        }
        if self.prefix.contains('\0') {
            return Err(ThreadPoolError::Name { prefix: self.prefix });
        }
        Ok(ThreadPool::with(self.size, self.prefix))
    }
}

/// Why a [`ThreadPool`] can't be made.
///
/// # In asyncio
///
/// The `ValueError` of `ThreadPoolExecutor(max_workers=0)`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThreadPoolError {
    /// `max_workers` is zero: no job would ever run.
    NoWorkers,
    /// A thread can't be called that: there is a zero byte in the name.
    Name {
        /// The prefix that was given.
        prefix: String,
    },
}

impl fmt::Display for ThreadPoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => f.write_str("a thread pool needs one thread at least"),
            Self::Name { prefix } => write!(f, "a thread's name has no zero byte: {prefix:?}"),
        }
    }
}

impl std::error::Error for ThreadPoolError {}

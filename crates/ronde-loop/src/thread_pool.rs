//! The default executor: a pool of threads.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::job::{Job, JobExecutor, SubmitError};

/// Threads that run jobs, started as they are needed.
///
/// # In asyncio
///
/// `concurrent.futures.ThreadPoolExecutor`. As there, the default size is the number of processors
/// plus 4, and 32 at the most.
///
/// # Examples
///
/// ```
/// use ronde_loop::{EventLoop, ThreadPool};
/// use std::rc::Rc;
///
/// let pool = ThreadPool::with_size(2, "worker");
/// let event_loop = EventLoop::builder().executor(Rc::new(pool)).build()?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub struct ThreadPool {
    shared: Arc<Shared>,
    size: usize,
    name: String,
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
}

impl ThreadPool {
    /// Makes a pool of the default size. Its threads are called `ronde-0`, `ronde-1` and so on.
    pub fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self::with_size((processors + 4).min(32), "ronde")
    }

    /// Makes a pool of at most `size` threads (one at least), whose names begin with `name`.
    pub fn with_size(size: usize, name: impl Into<String>) -> Self {
        let shared =
            Shared { state: Mutex::default(), work: Condvar::new(), ended: Condvar::new() };
        Self { shared: Arc::new(shared), size: size.max(1), name: name.into() }
    }

    fn start_thread(&self, state: &mut State) -> Result<(), SubmitError> {
        let shared = self.shared.clone();
        thread::Builder::new()
            .name(format!("{}-{}", self.name, state.started))
            .spawn(move || shared.work())
            .map_err(SubmitError::NoThread)?;
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
        if state.idle <= state.jobs.len() && state.threads < self.size {
            let started = self.start_thread(&mut state);
            // With a thread left to take the job, it only has to wait a little longer.
            if started.is_err() && state.threads == 0 {
                return started;
            }
        }
        state.jobs.push_back(job);
        self.shared.work.notify_one();
        Ok(())
    }

    fn shutdown(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.shared.lock();
        state.shut_down = true;
        self.shared.work.notify_all();
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
}

impl Drop for ThreadPool {
    /// The threads end when they have done what they were given; nobody waits for them.
    fn drop(&mut self) {
        self.shutdown(Some(Duration::ZERO));
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
        self.lock().threads -= 1;
        self.ended.notify_all();
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
            .field("size", &self.size)
            .field("threads", &state.threads)
            .field("queued", &state.jobs.len())
            .finish_non_exhaustive()
    }
}

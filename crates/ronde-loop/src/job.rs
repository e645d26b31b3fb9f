//! Jobs: functions that block, on their way to an executor and back.

use std::any::type_name;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use ronde_context::{Wait, decline, waiting_for};
use ronde_executor::{PanicError, Remote};

/// Where blocking work goes.
///
/// [`ThreadPool`](crate::ThreadPool) is one. To bring your own (rayon's pool, say), hand the job to
/// it in [`submit`](Self::submit): a job is a closure that never panics.
///
/// # In asyncio
///
/// `concurrent.futures.Executor`.
///
/// # Examples
///
/// ```
/// use ronde_loop::{EventLoop, Job, JobExecutor, SubmitError};
///
/// /// A thread for each job.
/// #[derive(Debug)]
/// struct Threads;
///
/// impl JobExecutor for Threads {
///     fn submit(&self, job: Job) -> Result<(), SubmitError> {
///         let thread = std::thread::Builder::new().spawn(|| job.run());
///         thread.map(drop).map_err(SubmitError::NoThread)
///     }
/// }
///
/// let event_loop = EventLoop::new()?;
/// let job = event_loop.run_in_executor(Some(&Threads), || 6 * 7)?;
/// assert_eq!(event_loop.run_until_complete(job)??, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait JobExecutor: fmt::Debug {
    /// Accepts a job, to be run soon on another thread.
    ///
    /// # Errors
    ///
    /// [`SubmitError`], if it can't be accepted. The job is dropped.
    fn submit(&self, job: Job) -> Result<(), SubmitError>;

    /// Accepts no more jobs. Those that it has are still run; this doesn't wait for them.
    ///
    /// A loop that ends calls it on its default executor. An executor that isn't the loop's to close
    /// leaves it as it is: it does nothing. The loop itself sees to it that it submits no more, and
    /// waits for the jobs that it has out.
    fn close(&self) {}
}

impl<T: JobExecutor + ?Sized> JobExecutor for &T {
    fn submit(&self, job: Job) -> Result<(), SubmitError> {
        (**self).submit(job)
    }

    fn close(&self) {
        (**self).close();
    }
}

impl<T: JobExecutor + ?Sized> JobExecutor for Rc<T> {
    fn submit(&self, job: Job) -> Result<(), SubmitError> {
        (**self).submit(job)
    }

    fn close(&self) {
        (**self).close();
    }
}

/// A function on its way to an executor. Running it does the rest: a panic is caught, and whoever
/// waits for the result is woken.
pub struct Job {
    run: Box<dyn FnOnce() + Send>,
}

impl Job {
    /// Runs the job, unless it has been cancelled.
    pub fn run(self) {
        // The function's own panic is caught further inside. What can still panic is the destructor of a
        // result that nobody waits for, and a waker: that must not cost the executor its thread.
        let _ = catch_unwind(AssertUnwindSafe(self.run));
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

/// Why an executor did not accept a job.
#[derive(Debug)]
#[non_exhaustive]
pub enum SubmitError {
    /// It has been shut down.
    ShutDown,
    /// The system could not start a thread for it.
    NoThread(io::Error),
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShutDown => f.write_str("the executor has been shut down"),
            Self::NoThread(error) => write!(f, "starting a thread for a job: {error}"),
        }
    }
}

impl std::error::Error for SubmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::ShutDown => None,
            Self::NoThread(error) => Some(error),
        }
    }
}

/// Why a job has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// It could not be submitted.
    Submit(SubmitError),
    /// The function panicked.
    Panicked(PanicError),
    /// The executor dropped the job without running it.
    Dropped,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit(error) => error.fmt(f),
            Self::Panicked(panic) => write!(f, "the job {panic}"),
            Self::Dropped => f.write_str("the executor dropped the job without running it"),
        }
    }
}

impl std::error::Error for JobError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Submit(error) => Some(error),
            Self::Panicked(panic) => Some(panic),
            Self::Dropped => None,
        }
    }
}

impl From<SubmitError> for JobError {
    fn from(error: SubmitError) -> Self {
        Self::Submit(error)
    }
}

impl From<JobError> for io::Error {
    fn from(error: JobError) -> Self {
        io::Error::other(error)
    }
}

/// The jobs of one loop that are out.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    out: Arc<AtomicUsize>,
    /// Those in the default executor, if any are out there.
    default: RefCell<Weak<Group>>,
}

impl Jobs {
    /// How many are neither done nor cancelled.
    pub(crate) fn out(&self) -> usize {
        self.out.load(Ordering::Acquire)
    }

    /// Those in the default executor.
    pub(crate) fn default_group(&self) -> Arc<Group> {
        let mut default = self.default.borrow_mut();
        default.upgrade().unwrap_or_else(|| {
            let group = Arc::new(Group::default());
            *default = Arc::downgrade(&group);
            group
        })
    }

    /// Runs `job` when none is out in the default executor.
    pub(crate) fn run_after_default_group(&self, job: Job) {
        // Dropping our own hold on the group runs it here, if nobody else has one.
        self.default_group().lock().push(job);
    }

    /// Counts something as out until the result is dropped, on whichever thread.
    pub(crate) fn count(&self, notify: Option<Remote>, group: Option<Arc<Group>>) -> Out {
        self.out.fetch_add(1, Ordering::AcqRel);
        Out { count: self.out.clone(), notify, _group: group }
    }

    /// Makes a job and the way to its result. At its end `notify`, if given, is told, so that a loop
    /// which waits for nothing else looks again.
    pub(crate) fn make<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        function: F,
        notify: Option<Remote>,
        group: Option<Arc<Group>>,
    ) -> (Job, JobHandle<T>) {
        let out = self.count(notify, group);
        let state = State::Queued { function: Box::new(function), out };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        let handle = JobHandle { shared: shared.clone(), function: type_name::<F>() };
        let runner = Runner { shared };
        (Job { run: Box::new(move || runner.run()) }, handle)
    }
}

/// Counts a job as out for as long as it lives.
pub(crate) struct Out {
    count: Arc<AtomicUsize>,
    notify: Option<Remote>,
    _group: Option<Arc<Group>>,
}

impl Drop for Out {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        if let Some(remote) = &self.notify {
            // A closed loop has nothing left to look at.
            let _ = remote.call_soon_threadsafe(|| {});
        }
    }
}

/// Jobs that somebody waits for the end of. Each holds the group; whoever lets go last runs what is
/// to come after them.
#[derive(Debug, Default)]
pub(crate) struct Group {
    afterwards: Mutex<Vec<Job>>,
}

impl Group {
    fn lock(&self) -> MutexGuard<'_, Vec<Job>> {
        self.afterwards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let afterwards = std::mem::take(&mut *self.lock());
        afterwards.into_iter().for_each(Job::run);
    }
}

struct Shared<T> {
    state: Mutex<State<T>>,
}

enum State<T> {
    Queued {
        function: Box<dyn FnOnce() -> T + Send>,
        out: Out,
    },
    Running {
        waker: Option<Waker>,
    },
    Waiting {
        function: Box<dyn FnOnce() -> T + Send>,
        out: Out,
        waker: Waker,
    },
    Done(Result<T, JobError>),
    /// The handle is gone, or has its result.
    Over,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No code of a user's runs under the lock, so a poisoned one is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, state: State<T>) -> State<T> {
        std::mem::replace(&mut *self.lock(), state)
    }
}

/// The executor's end of a job.
struct Runner<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Runner<T> {
    fn run(self) {
        let mut state = self.shared.lock();
        let (function, out, waker) = match std::mem::replace(&mut *state, State::Over) {
            State::Queued { function, out } => (function, out, None),
            State::Waiting { function, out, waker } => (function, out, Some(waker)),
            _ => return,
        };
        *state = State::Running { waker };
        drop(state);
        let result = catch_unwind(AssertUnwindSafe(function))
            .map_err(|payload| JobError::Panicked(PanicError::of(payload)));
        self.finish(result);
        drop(out);
    }

    fn finish(&self, result: Result<T, JobError>) {
        let mut state = self.shared.lock();
        let State::Running { waker } = &mut *state else {
            // Nobody waits any more: the result's destructor runs without the lock.
            drop(state);
            drop(result);
            return;
        };
        let waker = waker.take();
        *state = State::Done(result);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Runner<T> {
    /// An executor may drop a job instead of running it: whoever waits hears of it.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if !matches!(&*state, State::Queued { .. } | State::Waiting { .. }) {
            return;
        }
        let old = std::mem::replace(&mut *state, State::Done(Err(JobError::Dropped)));
        drop(state);
        if let State::Waiting { waker, .. } = old {
            waker.wake();
        }
    }
}

/// The result of a job that is out. Made by [`run_in_executor`](crate::LoopHandle::run_in_executor).
///
/// # Cancel safety
///
/// **Data lost.** Dropping it before the function has begun removes the job; afterwards the function runs on, and
/// its result is dropped.
#[must_use = "dropping the handle of a job that hasn't begun removes the job"]
pub struct JobHandle<T> {
    shared: Arc<Shared<T>>,
    /// The type of the function.
    function: &'static str,
}

impl<T> Future for JobHandle<T> {
    type Output = Result<T, JobError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if decline(cx) {
            return Poll::Pending;
        }
        // Wakers are foreign code: cloned before the lock is taken, and dropped after it.
        let waker = cx.waker().clone();
        let mut state = self.shared.lock();
        let (next, _old) = match std::mem::replace(&mut *state, State::Over) {
            State::Queued { function, out } => (State::Waiting { function, out, waker }, None),
            State::Waiting { function, out, waker: old } => {
                (State::Waiting { function, out, waker }, Some(old))
            }
            State::Running { waker: old } => (State::Running { waker: Some(waker) }, old),
            State::Done(result) => return Poll::Ready(result),
            State::Over => panic!("the handle of a job was polled after its end"),
        };
        *state = next;
        drop(state);
        waiting_for(Wait::Thread { function: self.function });
        Poll::Pending
    }
}

impl<T> Drop for JobHandle<T> {
    fn drop(&mut self) {
        // What the function holds is released here and now.
        drop(self.shared.replace(State::Over));
    }
}

impl<T> fmt::Debug for JobHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.shared.lock() {
            State::Queued { .. } | State::Waiting { .. } => "queued",
            State::Running { .. } => "running",
            State::Done(_) | State::Over => "done",
        };
        write!(f, "<JobHandle {state}>")
    }
}

//! Work in an executor of one's choice.

use std::future::Future;

use ronde_loop::{JobError, JobExecutor, get_running_loop};

/// What [`run_in_executor`] can give work of a kind to.
///
/// - To a [`ThreadPool`](crate::ThreadPool), or whatever else implements
///   [`JobExecutor`](crate::low_level::JobExecutor), a function without arguments.
#[cfg_attr(
    feature = "process-pool",
    doc = "- To a [`ProcessPool`](crate::ProcessPool), a registered function and its argument: `(function, argument)`."
)]
///
/// # In asyncio
///
/// `concurrent.futures.Executor`.
pub trait Executor<Work> {
    /// What comes of it.
    type Output;
    /// What can go wrong.
    type Error;

    /// Begins the work. The future doesn't borrow the executor.
    fn execute(
        &self,
        work: Work,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + use<Self, Work>;
}

/// Threads, of this crate's making or of another's.
///
/// The function is submitted at once. Dropping the future before it has begun removes it; afterwards it
/// runs on, and its result is dropped.
impl<E, F, T> Executor<F> for E
where
    E: JobExecutor + ?Sized,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = T;
    type Error = JobError;

    fn execute(&self, function: F) -> impl Future<Output = Result<T, JobError>> + use<E, F, T> {
        let event_loop = get_running_loop().expect("no event loop is running");
        let job = event_loop.run_in_executor(Some(&self), function);
        async move { job?.await }
    }
}

/// See [`ProcessPool::run`](crate::ProcessPool::run).
#[cfg(feature = "process-pool")]
impl<F, A, R> Executor<(F, A)> for crate::ProcessPool
where
    F: Fn(A) -> R + 'static,
    A: serde::Serialize,
    R: serde::de::DeserializeOwned,
{
    type Output = R;
    type Error = crate::ProcessPoolError;

    fn execute(
        &self,
        (function, argument): (F, A),
    ) -> impl Future<Output = Result<R, crate::ProcessPoolError>> + use<F, A, R> {
        self.run(function, argument)
    }
}

/// Runs work in an executor: a pool of threads, a pool of processes, or one of your own.
///
/// For the loop's own pool of threads there is [`to_thread`](crate::to_thread).
///
/// # Errors
///
/// Those of the executor: [`JobError`] with threads, `ProcessPoolError` with processes.
///
/// # Panics
///
/// Outside a running event loop.
///
/// # Cancel safety
///
/// **Data lost.** Cancelled before it has begun, the work is never done. Afterwards a thread runs on and
/// its result is dropped, while a process is killed. [`shield`](crate::shield) a task around it to keep
/// the result.
///
/// # In asyncio
///
/// `loop.run_in_executor`.
///
/// # Examples
///
/// ```
/// use ronde::{ThreadPool, run_in_executor};
///
/// # ronde::run(async {
/// let pool = ThreadPool::builder().max_workers(2).thread_name_prefix("sums").build()?;
/// let sum = run_in_executor(&pool, || (1..=100).sum::<u32>()).await?;
/// assert_eq!(sum, 5050);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?.unwrap();
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn run_in_executor<E, W>(
    executor: &E,
    work: W,
) -> impl Future<Output = Result<E::Output, E::Error>> + use<E, W>
where
    E: Executor<W> + ?Sized,
{
    executor.execute(work)
}

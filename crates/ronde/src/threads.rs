//! Blocking work.

use ronde_loop::{JobError, get_running_loop};

/// Runs a function that blocks on a thread of the loop's default executor.
///
/// To choose the executor there is
/// [`run_in_executor`](crate::low_level::LoopHandle::run_in_executor).
///
/// # Errors
///
/// [`JobError::Panicked`] if the function panicked; [`JobError::Submit`] if the executor has been
/// shut down or no thread could be started.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Data lost.** Cancelled before the function has begun, it is never called. Afterwards it runs
/// on, and its result is dropped; [`shield`](crate::shield) a task around it to keep that.
///
/// # In asyncio
///
/// `asyncio.to_thread`.
///
/// # Examples
///
/// ```
/// # ronde::run(async {
/// let sum = ronde::to_thread(|| (1..=100).sum::<u32>()).await.unwrap();
/// assert_eq!(sum, 5050);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub async fn to_thread<T, F>(function: F) -> Result<T, JobError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let event_loop = get_running_loop().expect("`to_thread` was polled outside a running loop");
    event_loop.run_in_executor(None, function)?.await
}

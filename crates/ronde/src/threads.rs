//! Blocking work.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use ronde_context::{copy_context, decline};
use ronde_loop::{JobError, get_running_loop};

/// Runs a function that blocks on a thread of the loop's default executor.
///
/// The function runs in a copy of the caller's [context](crate::Context).
///
/// To choose the executor there is [`run_in_executor`](crate::run_in_executor). Work that keeps a
/// processor busy for long, or that may crash, is better off in a
#[cfg_attr(feature = "process-pool", doc = "[pool of processes](crate::ProcessPool).")]
#[cfg_attr(not(feature = "process-pool"), doc = "pool of processes.")]
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
/// on, and its result is dropped; [`shield`](crate::shield) a task around it to keep that. With
/// [`to_thread_with_token`] it can find out, and end early.
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
    // While a cancellation is being delivered, nothing is begun that nobody will wait for.
    poll_fn(|cx| if decline(cx) { Poll::Pending } else { Poll::Ready(()) }).await;
    let mut context = copy_context();
    event_loop.run_in_executor(None, move || context.run(function))?.await
}

/// As [`to_thread`], for a function that wants to know when nobody waits for it any more.
///
/// # Errors
///
/// As [`to_thread`].
///
/// # Panics
///
/// As [`to_thread`].
///
/// # Cancel safety
///
/// **Data lost.** Cancelled before the function has begun, it is never called. Afterwards its token says
/// so; whatever it still returns is dropped.
///
/// # In asyncio
///
/// `asyncio.to_thread` with a `threading.Event` that is set in a `finally` block.
///
/// # Examples
///
/// ```
/// use ronde::{timeout, to_thread_with_token};
/// use std::time::Duration;
///
/// # ronde::run(async {
/// let endless = to_thread_with_token(|token| {
///     while !token.is_cancelled() {
///         std::thread::yield_now();
///     }
/// });
/// assert!(timeout(Duration::from_millis(1), endless).await.is_err());
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub async fn to_thread_with_token<T, F>(function: F) -> Result<T, JobError>
where
    T: Send + 'static,
    F: FnOnce(&CancelToken) -> T + Send + 'static,
{
    let token = CancelToken::default();
    let _cancels = CancelOnDrop(token.clone());
    to_thread(move || function(&token)).await
}

/// Tells a function on another thread whether somebody still waits for its result. Given to it by
/// [`to_thread_with_token`].
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    cancelled: Arc<AtomicBool>,
}

impl CancelToken {
    /// Was the wait cancelled?
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

/// Once the function has returned, nobody reads the token any more: so an end by a result may set it too.
struct CancelOnDrop(CancelToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancelled.store(true, Ordering::Release);
    }
}

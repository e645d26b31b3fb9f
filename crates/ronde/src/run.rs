//! Running a program.

use std::future::Future;

use ronde_loop::RunError;

use crate::runner::Runner;

/// Runs `main` as the main task of a new event loop, and returns its output.
///
/// When `main` is over, however it ended: the tasks that are left are cancelled *and awaited*, so
/// that their clean-up has its time; async generators that are open are closed; the jobs in the default
/// executor are waited for, five minutes at the most; and the loop is closed.
///
/// Ctrl-C (on the main thread, and for one loop of the process) cancels the main task; a second one
/// ends the program. For more control there is [`Runner`].
///
/// # Errors
///
/// - [`RunError::AlreadyRunning`] inside a running loop: await the future instead.
/// - [`RunError::Interrupted`] if Ctrl-C cancelled the main task.
/// - [`RunError::Cancelled`] if something else did.
/// - [`RunError::Io`] if the system has no descriptors left for the loop.
///
/// # Panics
///
/// If `main` panics, with its payload, after the clean-up.
///
/// # In asyncio
///
/// `asyncio.run`.
///
/// # Examples
///
/// ```
/// let answer = ronde::run(async {
///     ronde::yield_now().await;
///     42
/// })?;
/// assert_eq!(answer, 42);
/// # Ok::<(), ronde::RunError>(())
/// ```
#[track_caller]
pub fn run<F>(main: F) -> Result<F::Output, RunError>
where
    F: Future + 'static,
    F::Output: 'static,
{
    Runner::new()?.run_and_close(main)
}

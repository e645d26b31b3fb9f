//! The handle to a task on another loop.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use ronde_context::CancelledError;

use super::error::RemoteTaskError;
use super::join::JoinRemote;
use super::shared::Shared;

/// A task on the loop of another thread, and the way to its result. Made by
/// [`run_coroutine_threadsafe`](crate::run_coroutine_threadsafe).
///
/// It is `Send` and `Sync`. Code that blocks calls [`result`](Self::result); code that doesn't awaits it,
/// on any executor: another ronde loop, the same one, or a foreign one. `task.await` and `(&task).await` both
/// move the value out, as `result` does: the first one gets it.
///
/// Dropping it lets the task run on. A failure that nobody has looked at then is reported.
///
/// # Cancel safety
///
/// **Data lost.** Dropping the future that waits changes nothing. *Cancelling* the waiting task, if it is one
/// of ronde's, asks the other one to cancel, and doesn't wait for its end: another thread may take its time.
/// What it still returns is lost, unless it was awaited by reference. `shield` a task around the await to
/// leave the other one alone.
///
/// # In asyncio
///
/// The `concurrent.futures.Future` that `run_coroutine_threadsafe` returns, and `asyncio.wrap_future`.
///
/// # Examples
///
/// Two loops, on a thread each:
///
/// ```
/// use ronde_loop::{EventLoop, get_running_loop, run_coroutine_threadsafe};
/// use std::{sync::mpsc, thread};
///
/// let (sender, receiver) = mpsc::channel();
/// let thread = thread::spawn(move || {
///     let event_loop = EventLoop::new()?;
///     sender.send(event_loop.remote()).unwrap();
///     event_loop.run_forever()
/// });
///
/// let other_loop = receiver.recv().unwrap();
/// let answer = EventLoop::new()?.run_until_complete(async move {
///     let task = run_coroutine_threadsafe(&other_loop, || async { 6 * 7 }).unwrap();
///     let answer = task.await;
///     other_loop.call_soon_threadsafe(|| get_running_loop().unwrap().stop()).unwrap();
///     answer
/// })?;
/// assert_eq!(answer.unwrap(), 42);
/// thread.join().unwrap()?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[must_use = "dropping it lets the task run on: call `detach` to say so"]
pub struct RemoteTask<T> {
    shared: Arc<Shared<T>>,
}

impl<T> RemoteTask<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }

    /// Has the task an outcome that can be asked for?
    pub fn done(&self) -> bool {
        self.shared.is_done()
    }

    /// Has the task ended through a cancellation?
    pub fn cancelled(&self) -> bool {
        self.shared.is_cancelled()
    }

    /// Asks the task to cancel. Returns false if it is done already.
    ///
    /// It is a request, as [`Task::cancel`](crate::Task::cancel) is: the task may clean up, or go on and return
    /// a value, which isn't lost. [`result`](Self::result) waits for what comes of it. If its loop hasn't begun
    /// with it, it never runs.
    ///
    /// # In asyncio
    ///
    /// `concurrent.futures.Future.cancel`, after which the future is cancelled at once, whatever the task does.
    pub fn cancel(&self) -> bool {
        self.shared.cancel(CancelledError::default())
    }

    /// Asks the task to cancel, with a message.
    pub fn cancel_msg(&self, message: impl Into<Arc<str>>) -> bool {
        self.shared.cancel(CancelledError::new(message))
    }

    /// Lets the task run on by itself. Its failure, if it fails, is reported.
    pub fn detach(self) {}
}

impl<T: Send + 'static> RemoteTask<T> {
    /// Blocks the thread until the task is done, at most for `timeout`, and moves its value out.
    ///
    /// A timeout of zero never blocks. On another loop's thread this would hold up all of its tasks: await
    /// the handle there.
    ///
    /// # Errors
    ///
    /// - [`RemoteTaskError::Cancelled`] and [`RemoteTaskError::Panicked`], if that is how the task ended.
    /// - [`RemoteTaskError::Closed`] if its loop was closed before it was done.
    /// - [`RemoteTaskError::TimedOut`] if the time is up. The task runs on.
    /// - [`RemoteTaskError::OwnThread`] if the task isn't done and this is the thread of its loop.
    /// - [`RemoteTaskError::Taken`] if the value was moved out before.
    ///
    /// # In asyncio
    ///
    /// `concurrent.futures.Future.result`.
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<T, RemoteTaskError> {
        self.shared.block(timeout.into())
    }

    /// Calls `callback` when the task is done, on the thread that brings the news: most often that of its
    /// loop. If the task is done already, it is called here and now.
    ///
    /// Callbacks are called in order of registration. A panic in one is reported, and the others are called.
    ///
    /// # In asyncio
    ///
    /// `concurrent.futures.Future.add_done_callback`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, run_coroutine_threadsafe};
    /// # let event_loop = EventLoop::new()?;
    /// let task = run_coroutine_threadsafe(&event_loop.remote(), || async { 7 }).unwrap();
    /// task.add_done_callback(|task| assert_eq!(task.result(None).unwrap(), 7));
    /// # while !task.done() {
    /// #     event_loop.run_until_complete(ronde_loop::yield_now())?;
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn add_done_callback(&self, callback: impl FnOnce(&Self) + Send + 'static) {
        let callback = Box::new(move |shared: Arc<Shared<T>>| callback(&Self { shared }));
        self.shared.add_callback(callback);
    }
}

impl<T: Send + 'static> IntoFuture for RemoteTask<T> {
    type Output = Result<T, RemoteTaskError>;
    type IntoFuture = JoinRemote<T>;

    fn into_future(self) -> JoinRemote<T> {
        JoinRemote::new(self.shared)
    }
}

impl<T: Send + 'static> IntoFuture for &RemoteTask<T> {
    type Output = Result<T, RemoteTaskError>;
    type IntoFuture = JoinRemote<T>;

    fn into_future(self) -> JoinRemote<T> {
        JoinRemote::new(self.shared.clone())
    }
}

impl<T> fmt::Debug for RemoteTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<RemoteTask {}>", self.shared.state_name())
    }
}

//! The typed handle to a task.

use std::fmt;
use std::future::IntoFuture;
use std::ops::Deref;
use std::rc::Rc;

use super::join::{Join, JoinTask};
use super::record::Record;
use super::reference::TaskRef;
use crate::error::TaskError;

/// A future that runs by itself, and the way to its result.
///
/// - `task.await` waits for the task and moves the result out.
/// - `(&task).await` waits and leaves the result where it is: it can be asked for again, and by
///   others. It needs `T: Clone`.
/// - [`result`](Self::result) and [`with_result`](Self::with_result) ask without waiting.
///
/// A task is no `Future` itself, so that `gather` and its like can tell a task from a future that
/// isn't one yet. Where a future is asked for, give [`into_future`](IntoFuture::into_future).
///
/// Everything that doesn't need the result's type is on [`TaskRef`], which a `Task` derefs to.
/// Dropping a task detaches it; it runs on. Several owners share one by way of `Rc<Task<T>>`.
///
/// # Cancel safety
///
/// **Strict.** Dropping the future that waits changes nothing. *Cancelling* the waiting task cancels
/// the awaited one, as in asyncio; `shield` prevents that. If the awaited task then ends cancelled,
/// the cancellation is raised in the waiting task. If it was cancelled by somebody else, the await
/// gives [`TaskError::Cancelled`], and the waiting task goes on.
///
/// # In asyncio
///
/// `asyncio.Task`.
///
/// # Examples
///
/// ```
/// use ronde_executor::Executor;
///
/// let executor = Executor::new(|| {});
/// let task = executor.spawn(async { String::from("done") });
/// let other = executor.spawn(async move {
///     let again = (&task).await.unwrap();
///     again == task.await.unwrap()
/// });
/// while executor.run_batch() > 0 {}
/// assert!(other.result().unwrap());
/// ```
pub struct Task<T> {
    record: Rc<Record<T>>,
    /// The same record, untyped, so that `Deref` can give a reference to it.
    untyped: TaskRef,
}

impl<T: 'static> Task<T> {
    pub(crate) fn of(record: Rc<Record<T>>) -> Self {
        Self { untyped: TaskRef::new(record.clone()), record }
    }

    /// Asks the task to cancel. Returns false if it is done already.
    ///
    /// If the task waits for another task or a promise, that one is cancelled, and the cancellation
    /// comes back through it. Else the task is woken, and its innermost
    /// [handler](ronde_context::catch_cancelled) gets the cancellation at its next step; without
    /// one the task ends cancelled. Before its first step a task that is cancelled never runs; a
    /// task that cancels itself runs on to its next suspension.
    ///
    /// # In asyncio
    ///
    /// `Task.cancel`. With a message: [`cancel_msg`](TaskRef::cancel_msg).
    pub fn cancel(&self) -> bool {
        self.untyped.cancel()
    }

    /// The result, of a task that is done.
    ///
    /// # Errors
    ///
    /// [`InvalidStateError::Pending`](crate::InvalidStateError::Pending) if the task isn't done; what
    /// it ended with, if it was cancelled or panicked; and
    /// [`InvalidStateError::Taken`](crate::InvalidStateError::Taken) if an await has moved the value
    /// out.
    pub fn result(&self) -> Result<T, TaskError>
    where
        T: Clone,
    {
        self.record.read_outcome(T::clone)
    }

    /// Calls `read` with the result of a task that is done.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result).
    ///
    /// # Panics
    ///
    /// If `read` moves the result out.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_executor::Executor;
    /// # let executor = Executor::new(|| {});
    /// let task = executor.spawn(async { std::io::Error::other("can't be cloned") });
    /// executor.run_batch();
    /// assert_eq!(task.with_result(|error| error.to_string()).unwrap(), "can't be cloned");
    /// ```
    pub fn with_result<R>(&self, read: impl FnOnce(&T) -> R) -> Result<R, TaskError> {
        self.record.read_outcome(read)
    }

    /// Moves the result out of a task that is done, without waiting.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result).
    pub fn take_result(&self) -> Result<T, TaskError> {
        self.record.take_outcome()
    }

    /// Lets the task run on by itself. Its failure, if it fails, is reported.
    pub fn detach(self) {}

    /// Names the task, for `let task = loop.create_task(...).named("reader")`.
    pub fn named(self, name: impl Into<Rc<str>>) -> Self {
        self.set_name(name);
        self
    }

    pub(super) fn record(&self) -> &Rc<Record<T>> {
        &self.record
    }
}

impl<T> Deref for Task<T> {
    type Target = TaskRef;

    fn deref(&self) -> &TaskRef {
        &self.untyped
    }
}

impl<T> AsRef<TaskRef> for Task<T> {
    fn as_ref(&self) -> &TaskRef {
        &self.untyped
    }
}

impl<T> From<&Task<T>> for TaskRef {
    fn from(task: &Task<T>) -> TaskRef {
        task.untyped.clone()
    }
}

impl<T: 'static> IntoFuture for Task<T> {
    type Output = Result<T, TaskError>;
    type IntoFuture = Join<T>;

    fn into_future(self) -> Join<T> {
        Join::new(self)
    }
}

impl<'a, T: Clone + 'static> IntoFuture for &'a Task<T> {
    type Output = Result<T, TaskError>;
    type IntoFuture = JoinTask<'a, T>;

    fn into_future(self) -> JoinTask<'a, T> {
        JoinTask::new(self)
    }
}

impl<T: fmt::Debug> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.record.value.try_borrow();
        let value = value.as_ref().ok().and_then(|value| value.as_ref());
        self.record.header.write_debug(f, value.map(|value| value as &dyn fmt::Debug))
    }
}

//! What can be made a task: a future, or a task that there is already.

use std::fmt;
use std::future::Future;

use super::handle::Task;
use super::reference::TaskRef;
use crate::current;
use crate::error::TaskError;
use crate::executor::Executor;

/// A future, a task, or a reference to a task.
///
/// What `gather` and its like take: a future becomes a task of its own, exactly where asyncio would
/// wrap a coroutine, and a task stays as it is.
///
/// # In asyncio
///
/// `asyncio.ensure_future`.
///
/// # Examples
///
/// ```
/// use ronde_executor::{Executor, IntoTask};
///
/// let executor = Executor::new(|| {});
/// let child = executor.enter(|| async { 7 }.into_child());
/// executor.run_batch();
/// assert_eq!(child.take_result().unwrap(), 7);
/// ```
pub trait IntoTask {
    /// What the task returns.
    type Value: 'static;

    /// Starts the task, if it is none yet.
    ///
    /// # Panics
    ///
    /// Outside a running executor, for a future.
    fn into_child(self) -> Child<Self::Value>;
}

/// A task that something like `gather` watches over, and how it gets at the result.
pub struct Child<T> {
    task: Task<T>,
    take: fn(&Task<T>) -> Result<T, TaskError>,
}

impl<T: 'static> Child<T> {
    /// The task.
    pub fn task(&self) -> &Task<T> {
        &self.task
    }

    /// The task, by itself.
    pub fn into_inner(self) -> Task<T> {
        self.task
    }

    /// The result of the task, which must be done: moved out, or cloned if all that was given was a
    /// reference to the task.
    ///
    /// # Errors
    ///
    /// As [`Task::result`].
    pub fn take_result(&self) -> Result<T, TaskError> {
        (self.take)(&self.task)
    }
}

impl<T> AsRef<TaskRef> for Child<T> {
    fn as_ref(&self) -> &TaskRef {
        &self.task
    }
}

impl<T> fmt::Debug for Child<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Child").field(&*self.task).finish()
    }
}

impl<F> IntoTask for F
where
    F: Future + 'static,
    F::Output: 'static,
{
    type Value = F::Output;

    #[track_caller]
    fn into_child(self) -> Child<F::Output> {
        let executor = current::with_executor(|shared| Executor { shared: shared.clone() })
            .expect("a task was created outside a running event loop");
        Child { task: executor.spawn(self), take: Task::take_result }
    }
}

impl<T: 'static> IntoTask for Child<T> {
    type Value = T;

    fn into_child(self) -> Child<T> {
        self
    }
}

impl<T: 'static> IntoTask for Task<T> {
    type Value = T;

    fn into_child(self) -> Child<T> {
        Child { task: self, take: Task::take_result }
    }
}

impl<T: Clone + 'static> IntoTask for &Task<T> {
    type Value = T;

    fn into_child(self) -> Child<T> {
        Child { task: self.share(), take: Task::result }
    }
}

//! Creating tasks in a group.

use std::any::type_name;
use std::error::Error;
use std::future::Future;
use std::rc::Rc;

use ronde_context::Context;
use ronde_loop::{Task, TaskBuilder, TaskRef};

use super::error::FailureCause;
use super::members::{Cause, GroupClosedError};
use super::{StartError, Started, TaskGroup, start};

/// How a task of a group is to be created. Made by [`TaskGroup::task_builder`].
///
/// Unlike `TaskGroup::create_task` its methods say so if the group takes no more tasks.
///
/// # In asyncio
///
/// The keyword arguments of `TaskGroup.create_task`, which raises a `RuntimeError`.
#[derive(Clone, Debug)]
#[must_use = "a builder creates nothing until `create_task` is called"]
pub struct GroupTaskBuilder<'a> {
    group: &'a TaskGroup,
    builder: TaskBuilder,
}

impl<'a> GroupTaskBuilder<'a> {
    pub(super) fn new(group: &'a TaskGroup) -> Self {
        Self { group, builder: TaskBuilder::new() }
    }

    /// The name. Default: `Task-` and a number.
    pub fn named(mut self, name: impl Into<Rc<str>>) -> Self {
        self.builder = self.builder.named(name);
        self
    }

    /// The context that the task runs in: see [`TaskBuilder::context`].
    pub fn context(mut self, context: Context) -> Self {
        self.builder = self.builder.context(context);
        self
    }

    /// The task's first step runs at once: see [`TaskBuilder::eager`]. The group knows it by then: it
    /// may use the group, and fail.
    pub fn eager(mut self) -> Self {
        self.builder = self.builder.eager();
        self
    }

    /// Starts a task in the group: see [`TaskGroup::create_task`].
    ///
    /// # Errors
    ///
    /// [`GroupClosedError`] if the group is being cancelled, or is over. `future` is dropped.
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    #[track_caller]
    pub fn create_task<F>(self, future: F) -> Result<Task<F::Output>, GroupClosedError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.create(future, kind_of_failure::<F::Output>)
    }

    /// Starts a task in the group whose error goes into the group's: see
    /// [`TaskGroup::try_create_task`].
    ///
    /// # Errors
    ///
    /// [`GroupClosedError`] if the group is being cancelled, or is over. `future` is dropped.
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    #[track_caller]
    pub fn try_create_task<T, E, F>(self, future: F) -> Result<Task<Result<T, E>>, GroupClosedError>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: Into<Box<dyn Error>> + 'static,
    {
        self.create(future, error_of::<T, E>)
    }

    /// Starts a task and waits until it says that it is ready: see [`TaskGroup::start`].
    ///
    /// # Errors
    ///
    /// As [`TaskGroup::start`].
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    ///
    /// # Cancel safety
    ///
    /// **Strict**, as [`TaskGroup::start`].
    #[track_caller]
    pub fn start<V, T, F>(self, child: F) -> impl Future<Output = Result<V, StartError>>
    where
        F: AsyncFnOnce(Started<V>) -> T + 'static,
        V: 'static,
        T: 'static,
    {
        start::start(self.group, self.builder, child, kind_of_failure::<T>)
    }

    /// Starts a task and waits until it says that it is ready: see [`TaskGroup::try_start`].
    ///
    /// # Errors
    ///
    /// As [`TaskGroup::start`].
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    ///
    /// # Cancel safety
    ///
    /// **Strict**, as [`TaskGroup::start`].
    #[track_caller]
    pub fn try_start<V, T, E, F>(self, child: F) -> impl Future<Output = Result<V, StartError>>
    where
        F: AsyncFnOnce(Started<V>) -> Result<T, E> + 'static,
        V: 'static,
        T: 'static,
        E: Into<Box<dyn Error>> + 'static,
    {
        start::start(self.group, self.builder, child, error_of::<T, E>)
    }

    #[track_caller]
    fn create<F>(self, future: F, cause: Cause) -> Result<Task<F::Output>, GroupClosedError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let members = &self.group.members;
        members.check_open()?;
        let add = |task: &Task<F::Output>| {
            members.add(task, move |members, task| members.settle(task, cause));
        };
        Ok(self.builder.create_task_with(future, add))
    }
}

/// The cause of a failure, of a task whose error can't be had.
fn kind_of_failure<T>(task: &TaskRef) -> FailureCause {
    panic_of(task).unwrap_or(FailureCause::Err { type_name: type_name::<T>() })
}

/// The cause of a failure: the error is moved out of the task.
fn error_of<T, E>(task: &TaskRef) -> FailureCause
where
    T: 'static,
    E: Into<Box<dyn Error>> + 'static,
{
    if let Some(panic) = panic_of(task) {
        return panic;
    }
    let outcome = task.downcast::<Result<T, E>>().map(|task| task.take_result());
    match outcome {
        Some(Ok(Err(error))) => FailureCause::Error(error.into()),
        _ => FailureCause::Taken { type_name: type_name::<E>() },
    }
}

fn panic_of(task: &TaskRef) -> Option<FailureCause> {
    task.exception().ok().flatten().map(FailureCause::Panic)
}

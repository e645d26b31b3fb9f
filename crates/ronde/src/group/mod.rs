//! Tasks that end together.
//!
//! [`run`] is the life of a group, [`members`] what the handles to it share; [`error`] is what comes
//! out when something failed.

mod builder;
mod error;
mod members;
mod run;
mod start;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::rc::Rc;

use ronde_context::CancelledError;
use ronde_loop::{ExceptionContext, Failure, Task, TaskBuilder, get_running_loop};

pub use builder::GroupTaskBuilder;
pub use error::{FailureCause, TaskFailure, TaskGroupError};
pub use members::GroupClosedError;
use members::Members;
pub use start::{StartError, Started};

/// Runs `body` with a group of tasks, and waits for the body and for all tasks of the group.
///
/// `body` gets a [`TaskGroup`], in which it creates tasks. They are all over when this returns,
/// however it returns: nothing runs on behind the caller's back.
///
/// If a task of the group **fails**, by panicking or by returning an `Err`, the others and the body
/// are cancelled, once, and waited for while they clean up; the result is then a [`TaskGroupError`]
/// with all failures, the first one first. A task that was cancelled has not failed. Whatever `body`
/// returns is a value; where its `Err` should fail the group as well, use [`try_task_group`].
///
/// Tasks may be created while the body runs, and by tasks of the group while it waits for them.
///
/// # Errors
///
/// [`TaskGroupError`] if a task failed, or if [`TaskGroup::cancel`] cut the body short.
///
/// # Panics
///
/// If `body` panics, with its payload, when all tasks are over. If it is polled outside of a task.
///
/// # Cancel safety
///
/// **Strict**, as far as the group is concerned: cancelling the task that waits cancels the body and
/// all tasks of the group, waits until they are over, and then goes on. If tasks have failed
/// meanwhile, their failures are returned, and the cancellation is raised where the task next
/// suspends. Dropping the future is the hard form: the tasks are cancelled, and nobody waits. It also
/// happens to the second of two groups under one `join!`, when a cancellation comes out of the first:
/// give each group a task of its own.
///
/// # In asyncio
///
/// `async with asyncio.TaskGroup() as group: ...`, as of Python 3.13.
///
/// # Examples
///
/// ```
/// use ronde::{sleep, task_group};
/// use std::time::Duration;
///
/// async fn fetch(page: &str) -> Result<usize, std::io::Error> {
///     sleep(Duration::from_millis(1)).await;
///     if page.is_empty() { Err(std::io::Error::other("no page")) } else { Ok(page.len()) }
/// }
///
/// # ronde::run(async {
/// let total = task_group(async |group| {
///     let one = group.try_create_task(fetch("one"));
///     let three = group.try_create_task(fetch("three"));
///     one.await.unwrap().unwrap() + three.await.unwrap().unwrap()
/// })
/// .await;
/// assert_eq!(total.unwrap(), 8);
///
/// let failed = task_group(async |group| {
///     group.try_create_task(fetch("one"));
///     group.try_create_task(fetch("")).named("second");
/// })
/// .await;
/// assert_eq!(failed.unwrap_err().to_string(), "task 'second' failed: no page");
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[track_caller]
pub fn task_group<R, F>(body: F) -> impl Future<Output = Result<R, TaskGroupError>>
where
    F: AsyncFnOnce(TaskGroup) -> R,
{
    run::run(Location::caller(), body, Ok)
}

/// As [`task_group`], with a body that returns a `Result`: its `Err` is a failure of the group.
///
/// So `?` in the body ends the group: the tasks are cancelled and waited for.
///
/// # Errors
///
/// As [`task_group`]. A failure of the body is among the others, in order of completion.
///
/// # Panics
///
/// As [`task_group`].
///
/// # Cancel safety
///
/// **Strict**, as [`task_group`].
///
/// # In asyncio
///
/// `async with asyncio.TaskGroup() as group: ...`, where an exception leaves the body.
///
/// # Examples
///
/// ```
/// use ronde::{sleep, try_task_group};
/// use std::time::Duration;
///
/// # ronde::run(async {
/// let failed = try_task_group(async |group| {
///     group.create_task(sleep(Duration::from_secs(60)));
///     let number: u32 = "three".parse()?;
///     Ok::<_, std::num::ParseIntError>(number)
/// })
/// .await;
/// let error = failed.unwrap_err();
/// assert!(error.to_string().starts_with("the body failed: invalid digit"));
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[track_caller]
pub fn try_task_group<R, E, F>(body: F) -> impl Future<Output = Result<R, TaskGroupError>>
where
    F: AsyncFnOnce(TaskGroup) -> Result<R, E>,
    E: Into<Box<dyn Error>>,
{
    run::run(Location::caller(), body, |result: Result<R, E>| result.map_err(Into::into))
}

/// A handle to a group of tasks: what the body of [`task_group`] gets.
///
/// Clones are handles to the same group. A task of the group that is to create further ones gets a
/// clone. A handle that outlives the group can create nothing any more.
///
/// # In asyncio
///
/// `asyncio.TaskGroup`.
///
/// # Examples
///
/// ```
/// use ronde::{TaskGroup, task_group};
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// async fn countdown(group: TaskGroup, n: u32, count: Rc<Cell<u32>>) {
///     count.set(count.get() + 1);
///     if n > 0 {
///         group.create_task(Box::pin(countdown(group.clone(), n - 1, count)));
///     }
/// }
///
/// # ronde::run(async {
/// let count = Rc::new(Cell::new(0));
/// let counted = count.clone();
/// task_group(async |group| {
///     group.create_task(countdown(group.clone(), 3, counted));
/// })
/// .await
/// .unwrap();
/// assert_eq!(count.get(), 4);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[derive(Clone)]
pub struct TaskGroup {
    members: Rc<Members>,
}

impl TaskGroup {
    /// Starts a task in the group. Its first step runs in the next turn.
    ///
    /// If it panics or returns an `Err`, the group fails. What is in the `Err` stays with the task;
    /// the group's error knows its type only. To have the error itself there, use
    /// [`try_create_task`](Self::try_create_task).
    ///
    /// The handle may be awaited, kept, or dropped. Where the group takes no more tasks, because it is
    /// being cancelled or is over, `future` is dropped, and the task is one that was cancelled before
    /// it began. A group that is over, of which somebody has kept a handle, also reports that through
    /// the loop's exception handler. To be told instead, use a [`task_builder`](Self::task_builder).
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    ///
    /// # In asyncio
    ///
    /// `TaskGroup.create_task`.
    #[track_caller]
    pub fn create_task<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.task_builder().create_task(future).unwrap_or_else(refused)
    }

    /// As [`create_task`](Self::create_task), for a future that returns a `Result`: its error goes
    /// into the group's.
    ///
    /// The error is moved out of the task when the group ends, unless somebody has taken it before:
    /// then the group's error says so ([`FailureCause::Taken`]). Who asks a handle after the group's
    /// end finds it [taken](ronde_loop::InvalidStateError::Taken).
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    ///
    /// # In asyncio
    ///
    /// `TaskGroup.create_task`.
    #[track_caller]
    pub fn try_create_task<T, E, F>(&self, future: F) -> Task<Result<T, E>>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: Into<Box<dyn Error>> + 'static,
    {
        self.task_builder().try_create_task(future).unwrap_or_else(refused)
    }

    /// Creates tasks of the group with a name, or eagerly; and says so if the group takes none.
    ///
    /// # Examples
    ///
    /// ```
    /// # ronde::run(async {
    /// let leaked = ronde::task_group(async |group| {
    ///     group.task_builder().named("reader").create_task(async {}).unwrap();
    ///     group
    /// });
    /// let group = leaked.await.unwrap();
    /// let refused = group.task_builder().create_task(async {}).unwrap_err();
    /// assert!(refused.to_string().ends_with("is over: it takes no more tasks"));
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    pub fn task_builder(&self) -> GroupTaskBuilder<'_> {
        GroupTaskBuilder::new(self)
    }

    /// Ends the group early: cancels the body and all tasks that aren't done.
    ///
    /// The body, if that is who calls, runs on to where it next suspends. If it returns before, or
    /// is over already, its value is the result; if it is cut short, there is none, and the result is
    /// a [`TaskGroupError`] which says [`is_cancelled`](TaskGroupError::is_cancelled).
    ///
    /// Returns false if the group is over already.
    ///
    /// # In asyncio
    ///
    /// Nothing; `cancel_scope.cancel` in trio.
    ///
    /// # Examples
    ///
    /// The first result wins:
    ///
    /// ```
    /// use ronde::{as_completed, sleep, task_group};
    /// use std::time::Duration;
    ///
    /// async fn after(millis: u64) -> u64 {
    ///     sleep(Duration::from_millis(millis)).await;
    ///     millis
    /// }
    ///
    /// # ronde::run(async {
    /// let first = task_group(async |group| {
    ///     let mut finished = as_completed([20, 1, 60_000].map(|ms| group.create_task(after(ms))));
    ///     let first = finished.next().await.unwrap().await.unwrap();
    ///     group.cancel();
    ///     first
    /// });
    /// assert_eq!(first.await.unwrap(), 1);
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    pub fn cancel(&self) -> bool {
        self.members.cancel()
    }

    /// How many tasks of the group are not done.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Are all tasks of the group done?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Would a task be refused, because the group is being cancelled or is over?
    ///
    /// # Errors
    ///
    /// [`GroupClosedError`], which says why.
    pub fn check_open(&self) -> Result<(), GroupClosedError> {
        self.members.check_open()
    }
}

/// In the place of a task that the group refused.
#[track_caller]
fn refused<T: 'static>(error: GroupClosedError) -> Task<T> {
    if matches!(error, GroupClosedError::Over { .. })
        && let Ok(event_loop) = get_running_loop()
    {
        // While a group is being cancelled that's how it is; later it is a mistake in the program.
        let mut context =
            ExceptionContext::new("a task was not created", Failure::Error(Box::new(error)));
        context.created_at = Some(Location::caller());
        event_loop.call_exception_handler(&context);
    }
    TaskBuilder::new().cancelled_task(CancelledError::new(error.to_string()))
}

impl fmt::Debug for TaskGroup {
    /// `<TaskGroup created at src/main.rs:7:5 tasks=2 errors=1 cancelling>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.members.fmt(f)
    }
}

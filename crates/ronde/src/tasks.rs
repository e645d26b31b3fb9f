//! Creating and listing tasks.

use std::future::Future;

use ronde_loop::{NoRunningLoopError, Task, TaskBuilder, TaskRef, get_running_loop};

/// Starts a task on the running loop. Its first step runs in the next turn, never in here.
///
/// The future need not be `Send`. The loop owns the task: dropping the handle lets it run on. Give
/// it a name with [`named`](Task::named).
///
/// # Panics
///
/// Outside a running event loop.
///
/// # In asyncio
///
/// `asyncio.create_task`.
///
/// # Examples
///
/// ```
/// # ronde::run(async {
/// let task = ronde::create_task(async { 6 * 7 }).named("answer");
/// assert_eq!(&*task.name(), "answer");
/// assert_eq!(task.await.unwrap(), 42);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[track_caller]
#[must_use = "dropping a task detaches it: call `detach` to say so"]
pub fn create_task<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    match get_running_loop() {
        Ok(event_loop) => event_loop.create_task(future),
        Err(error) => panic!("a task can't be created here: {error}"),
    }
}

/// Creates tasks with a name, or eagerly.
///
/// # In asyncio
///
/// The keyword arguments of `asyncio.create_task`.
///
/// # Examples
///
/// ```
/// use ronde::task_builder;
///
/// # ronde::run(async {
/// let task = task_builder().named("cache").eager().create_task(async { 7 });
/// assert!(task.done());
/// assert_eq!(task.await.unwrap(), 7);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn task_builder() -> TaskBuilder {
    TaskBuilder::new()
}

/// The tasks of the running loop that are not done, in the order of their creation.
///
/// # Errors
///
/// [`NoRunningLoopError`] outside a running event loop.
///
/// # In asyncio
///
/// `asyncio.all_tasks`.
///
/// # Examples
///
/// ```
/// # ronde::run(async {
/// let task = ronde::create_task(ronde::yield_now());
/// assert_eq!(ronde::all_tasks().unwrap().len(), 2);
/// # task.await.unwrap();
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn all_tasks() -> Result<Vec<TaskRef>, NoRunningLoopError> {
    Ok(get_running_loop()?.all_tasks())
}

//! How a task is to be created, where a future alone doesn't say it all.

use std::any::type_name;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::rc::Rc;

use ronde_context::{CancelledError, Context};

use super::coroutine;
use super::handle::Task;
use super::record::Record;
use super::reference::TaskRef;
use crate::current;
use crate::error::TaskError;
use crate::executor::{Executor, Shared};

/// How a task is to be created: its name, its context, and whether it begins at once.
///
/// # In asyncio
///
/// The keyword arguments of `asyncio.create_task`.
///
/// # Examples
///
/// ```
/// use ronde_executor::{Executor, TaskBuilder};
///
/// let executor = Executor::new(|| {});
/// let task = TaskBuilder::new().named("answer").create_task_on(&executor, async { 42 });
/// assert_eq!(&*task.name(), "answer");
/// # executor.run_batch();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder creates nothing until `create_task` is called"]
pub struct TaskBuilder {
    pub(super) name: Option<Rc<str>>,
    pub(super) eager: bool,
    pub(super) context: Option<Context>,
    pub(super) created_at: Option<&'static Location<'static>>,
}

impl TaskBuilder {
    /// Starts with the defaults, which are those of `create_task`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name. Default: `Task-` and a number.
    pub fn named(mut self, name: impl Into<Rc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The context that the task runs in. Default: a copy of the caller's.
    ///
    /// What the task sets stays in the task: see [`TaskRef::context`].
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_context::{Context, ContextVar};
    /// use ronde_executor::{Executor, TaskBuilder};
    ///
    /// static USER: ContextVar<&str> = ContextVar::new("user");
    ///
    /// let executor = Executor::new(|| {});
    /// USER.set("Ada");
    /// let builder = TaskBuilder::new().context(Context::new());
    /// let task = builder.create_task_on(&executor, async { USER.get() });
    /// executor.run_batch();
    /// assert_eq!(task.result().unwrap(), None);
    /// ```
    pub fn context(mut self, context: Context) -> Self {
        self.context = Some(context);
        self
    }

    /// The task's first step runs here and now, inside `create_task`.
    ///
    /// What doesn't have to wait is done when `create_task` returns, without a turn of the loop.
    /// Otherwise the task is suspended where it first waits, and goes on as any other. During that
    /// step it is the current task; a panic is its outcome, and no panic of the caller. Done callbacks
    /// go through the loop as ever.
    ///
    /// Where no loop runs, as before `run`, there is nothing to run it at once: then the first step
    /// runs in the first turn.
    ///
    /// # In asyncio
    ///
    /// `create_task(..., eager_start=True)`, or a loop with `asyncio.eager_task_factory`.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_executor::{Executor, TaskBuilder};
    ///
    /// let executor = Executor::new(|| {});
    /// let outer = executor.spawn(async {
    ///     let cached = TaskBuilder::new().eager().create_task(async { 7 });
    ///     assert!(cached.done());
    ///     cached.await.unwrap()
    /// });
    /// assert_eq!(executor.run_batch(), 1);
    /// assert_eq!(outer.result().unwrap(), 7);
    /// ```
    pub fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// Where the task says that it was created. Default: where `create_task` is called. For those who
    /// create tasks in the name of others.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_executor::{Executor, TaskBuilder};
    /// use std::panic::Location;
    ///
    /// # let executor = Executor::new(|| {});
    /// let here = Location::caller();
    /// let task = TaskBuilder::new().created_at(here).create_task_on(&executor, async {});
    /// assert_eq!(task.created_at(), here);
    /// # executor.run_batch();
    /// ```
    pub fn created_at(mut self, location: &'static Location<'static>) -> Self {
        self.created_at = Some(location);
        self
    }

    /// Creates the task on the thread's current executor: the one that runs.
    ///
    /// # Panics
    ///
    /// Outside a running executor, or if it is closed.
    #[track_caller]
    pub fn create_task<F>(self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.create_task_with(future, |_| ())
    }

    /// As [`create_task`](Self::create_task), and calls `created` with the task before its first
    /// step: for groups, which must know a task that begins at once.
    ///
    /// # Panics
    ///
    /// Outside a running executor, or if it is closed. If `created` does: then `future` is dropped,
    /// and the task is one that was cancelled before it began.
    #[track_caller]
    pub fn create_task_with<F>(
        self,
        future: F,
        created: impl FnOnce(&Task<F::Output>),
    ) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.build(&current_executor(), future, created, Location::caller())
    }

    /// Creates the task on a given executor.
    ///
    /// # Panics
    ///
    /// If the executor is closed.
    #[track_caller]
    pub fn create_task_on<F>(self, executor: &Executor, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.build(&executor.shared, future, |_| (), Location::caller())
    }

    /// A task that has been cancelled before it began, for those who must refuse to create one: it
    /// is done, and awaiting it gives `error`.
    ///
    /// # Panics
    ///
    /// Outside a running executor.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_context::CancelledError;
    /// use ronde_executor::{Executor, TaskBuilder};
    ///
    /// let executor = Executor::new(|| {});
    /// let refused = || TaskBuilder::new().cancelled_task::<u32>(CancelledError::new("too late"));
    /// let task = executor.enter(refused);
    /// assert!(task.cancelled());
    /// assert_eq!(task.result().unwrap_err().to_string(), "cancelled: too late");
    /// ```
    #[track_caller]
    pub fn cancelled_task<T: 'static>(self, error: CancelledError) -> Task<T> {
        let record =
            Record::new(&current_executor(), type_name::<T>(), Location::caller(), self.context);
        *record.header.name.borrow_mut() = self.name;
        record.finish(Err(TaskError::Cancelled(error)));
        Task::of(record)
    }

    pub(crate) fn build<F>(
        self,
        executor: &Rc<Shared>,
        future: F,
        created: impl FnOnce(&Task<F::Output>),
        created_at: &'static Location<'static>,
    ) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // Formatted here, as this is called from functions that are inlined everywhere.
        assert!(!executor.is_closed(), "a task was created on a closed event loop");
        let created_at = self.created_at.unwrap_or(created_at);
        let record = Record::new(executor, type_name::<F>(), created_at, self.context);
        if self.name.is_some() {
            *record.header.name.borrow_mut() = self.name;
        }
        record.header.index.set(executor.tasks.borrow_mut().insert(TaskRef::new(record.clone())));
        let task = Task::of(record.clone());
        let mut eager = self.eager;
        if executor.instruments.any() {
            eager = executor.task_created(&task, eager);
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| created(&task))) {
            // Nothing would ever run the task. So it must not be waited for.
            record.finish(Err(TaskError::Cancelled(CancelledError::default())));
            resume_unwind(panic);
        }
        coroutine::start(executor, record, future, eager);
        task
    }
}

#[track_caller]
fn current_executor() -> Rc<Shared> {
    current::with_executor(Rc::clone).expect("a task was created outside a running event loop")
}

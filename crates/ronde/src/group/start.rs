//! Starting a task of a group, and waiting until it says that it is ready.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::rc::Rc;

use ronde_loop::{Promise, TaskBuilder, TaskRef};

use super::error::TaskFailure;
use super::members::{Cause, GroupClosedError, Members};
use super::{GroupTaskBuilder, TaskGroup};

impl TaskGroup {
    /// Starts a task of the group, and waits until it says that it is ready.
    ///
    /// The task gets a [`Started`], and gives it what the caller is to get: the port it listens on,
    /// say. Then it goes on, as any other task of the group.
    ///
    /// If the task ends before it is ready, that is the caller's to deal with, and not (yet) a
    /// failure of the group.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the task ended before it was ready, or if the group takes no more tasks.
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Cancelled or dropped before the task is ready, it cancels the task; the group waits
    /// for it. Should the task fail then, or have failed just before, the group fails.
    ///
    /// # In asyncio
    ///
    /// Nothing; `Nursery.start` in trio.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde::{sleep, task_group};
    /// use std::time::Duration;
    ///
    /// # ronde::run(async {
    /// task_group(async |group| {
    ///     let port = group
    ///         .start(async |started| {
    ///             sleep(Duration::from_millis(1)).await;
    ///             started.ready(8080);
    ///             sleep(Duration::from_secs(60)).await;
    ///         })
    ///         .await;
    ///     assert_eq!(port.unwrap(), 8080);
    ///     group.cancel();
    /// })
    /// .await
    /// .unwrap();
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    #[track_caller]
    pub fn start<V, T, F>(&self, child: F) -> impl Future<Output = Result<V, StartError>>
    where
        F: AsyncFnOnce(Started<V>) -> T + 'static,
        V: 'static,
        T: 'static,
    {
        GroupTaskBuilder::new(self).start(child)
    }

    /// As [`start`](Self::start), for a task that returns a `Result`: its error goes into the
    /// [`StartError`] or, once it was ready, into the group's error.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    ///
    /// # Cancel safety
    ///
    /// **Strict**, as [`start`](Self::start).
    #[track_caller]
    pub fn try_start<V, T, E, F>(&self, child: F) -> impl Future<Output = Result<V, StartError>>
    where
        F: AsyncFnOnce(Started<V>) -> Result<T, E> + 'static,
        V: 'static,
        T: 'static,
        E: Into<Box<dyn Error>> + 'static,
    {
        GroupTaskBuilder::new(self).try_start(child)
    }
}

/// With this a task says that it is ready: see [`TaskGroup::start`].
///
/// Dropping it says nothing: then whoever waits hears of the task's end.
pub struct Started<V> {
    starting: Rc<Starting<V>>,
}

impl<V: 'static> Started<V> {
    /// The task is ready. Whoever started it gets `value`.
    pub fn ready(self, value: V) {
        self.starting.finish(Outcome::Ready(value));
    }
}

impl<V> fmt::Debug for Started<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started")
    }
}

/// Why a task that was [started](TaskGroup::start) is not ready.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The group takes no more tasks.
    Refused(GroupClosedError),
    /// It failed before it was ready.
    Failed(TaskFailure),
    /// It was cancelled before it was ready.
    #[non_exhaustive]
    Cancelled {
        /// Its name.
        name: Rc<str>,
    },
    /// It returned without having said that it is ready.
    #[non_exhaustive]
    NeverReady {
        /// Its name.
        name: Rc<str>,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Failed(failure) => write!(f, "{failure} (before it was ready)"),
            Self::Cancelled { name } => {
                write!(f, "task '{name}' was cancelled before it was ready")
            }
            Self::NeverReady { name } => {
                write!(f, "task '{name}' returned without having said that it is ready")
            }
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Failed(failure) => failure.source(),
            Self::Cancelled { .. } | Self::NeverReady { .. } => None,
        }
    }
}

impl From<GroupClosedError> for StartError {
    fn from(error: GroupClosedError) -> Self {
        Self::Refused(error)
    }
}

/// What the task and whoever waits for it share.
struct Starting<V> {
    outcome: RefCell<Option<Outcome<V>>>,
    /// Does anybody wait?
    awaited: Cell<bool>,
    /// Released when there is an outcome.
    settled: Promise<()>,
}

enum Outcome<V> {
    Ready(V),
    Ended(StartError),
}

impl<V: 'static> Starting<V> {
    fn finish(&self, outcome: Outcome<V>) {
        self.awaited.set(false);
        let _unwanted = self.outcome.replace(Some(outcome));
        // Cancelled meanwhile, perhaps, with the task that waits.
        let _ = self.settled.set_result(());
    }

    /// The task is done.
    fn task_done(&self, members: &Members, task: &TaskRef, cause: Cause) {
        if !self.awaited.get() {
            return members.settle(task, cause);
        }
        let name = task.name();
        let error = if task.failed() {
            let cause = cause(task);
            StartError::Failed(TaskFailure::of(task, false, cause))
        } else if task.cancelled() {
            StartError::Cancelled { name }
        } else {
            StartError::NeverReady { name }
        };
        self.finish(Outcome::Ended(error));
    }
}

/// Nobody waits for the task any more.
struct GiveUp<V> {
    members: Rc<Members>,
    task: TaskRef,
    starting: Rc<Starting<V>>,
}

impl<V> Drop for GiveUp<V> {
    fn drop(&mut self) {
        if self.starting.awaited.replace(false) {
            self.task.cancel();
        }
        // It failed, and whoever waited went away before hearing of it.
        let outcome = self.starting.outcome.take();
        if let Some(Outcome::Ended(StartError::Failed(failure))) = outcome {
            self.members.failed(failure);
        }
    }
}

#[track_caller]
pub(super) fn start<V, T, F>(
    group: &TaskGroup,
    builder: TaskBuilder,
    child: F,
    cause: Cause,
) -> impl Future<Output = Result<V, StartError>> + use<V, T, F>
where
    F: AsyncFnOnce(Started<V>) -> T + 'static,
    V: 'static,
    T: 'static,
{
    // Here and now, so that it is known who called.
    let begun = begin(&group.members, builder, child, cause);
    async move {
        let give_up = begun?;
        let starting = &give_up.starting;
        // Nobody else can cancel it.
        let _settled = starting.settled.wait_done().await;
        let outcome = starting.outcome.take();
        match outcome {
            Some(Outcome::Ready(value)) => Ok(value),
            Some(Outcome::Ended(error)) => Err(error),
            None => Err(StartError::Cancelled { name: give_up.task.name() }),
        }
    }
}

#[track_caller]
fn begin<V, T, F>(
    members: &Rc<Members>,
    builder: TaskBuilder,
    child: F,
    cause: Cause,
) -> Result<GiveUp<V>, GroupClosedError>
where
    F: AsyncFnOnce(Started<V>) -> T + 'static,
    V: 'static,
    T: 'static,
{
    members.check_open()?;
    let starting = Rc::new(Starting {
        outcome: RefCell::new(None),
        awaited: Cell::new(true),
        settled: Promise::new(),
    });
    let started = Started { starting: starting.clone() };
    let add = |task: &ronde_loop::Task<T>| {
        let starting = starting.clone();
        members.add(task, move |members, task| starting.task_done(members, task, cause));
    };
    let task = builder.create_task_with(async move { child(started).await }, add);
    Ok(GiveUp { members: members.clone(), task: TaskRef::from(&task), starting })
}

//! What is known of a task at one moment, as plain data.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use ronde_context::WaitKind;

use super::record::{STARTED, State};
use super::reference::{TaskId, TaskRef};
use crate::current;
use crate::graph::waits_on;

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Its first step is still to come.
    New,
    /// It runs right now. (A task that is just starting another one eagerly counts as suspended.)
    Running,
    /// It is suspended, or has been woken and waits for its turn.
    Suspended,
    /// It has returned.
    Returned,
    /// It has panicked.
    Panicked,
    /// It has been cancelled.
    Cancelled,
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Returned => "returned",
            Self::Panicked => "panicked",
            Self::Cancelled => "cancelled",
        })
    }
}

/// What is known of a task at one moment. Made by [`TaskRef::info`].
///
/// Plain data, which may be kept and sent to other threads; it doesn't hold on to the task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its number.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// The type of its coroutine, which names the function that it comes from.
    pub coroutine: &'static str,
    /// Where it was created.
    pub created_at: &'static Location<'static>,
    /// The task that created it, which may have ended since. `None` if it wasn't created in a task.
    pub parent: Option<TaskId>,
    /// How far it is.
    pub state: TaskState,
    /// How many cancellations were asked for and not taken back.
    pub cancelling: u32,
    /// How many steps it has made.
    pub steps: u64,
    /// How long its steps took, as far as that [was measured](TaskRef::busy_time).
    pub busy_time: Duration,
    /// What it waits for, if it is suspended on something that says so.
    pub waiting: Option<WaitInfo>,
}

/// What a task waits for, as plain data. A part of [`TaskInfo`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitInfo {
    /// What kind of thing it is.
    pub kind: WaitKind,
    /// The thing itself, as it describes itself: `<Lock [locked, owner:<Task 'Task-3'>, waiters:1]>`.
    pub description: String,
    /// The tasks that must do something for the wait to end, as far as they are known.
    pub tasks: Vec<TaskId>,
}

impl TaskRef {
    /// How far the task is.
    ///
    /// ```
    /// # use ronde_executor::{Executor, TaskState};
    /// # let executor = Executor::new(|| {});
    /// let task = executor.spawn(std::future::pending::<()>());
    /// assert_eq!(task.state(), TaskState::New);
    /// executor.run_batch();
    /// assert_eq!(task.state(), TaskState::Suspended);
    /// ```
    pub fn state(&self) -> TaskState {
        let header = self.header();
        match header.state.get() {
            State::Returned => TaskState::Returned,
            State::Cancelled => TaskState::Cancelled,
            State::Panicked => TaskState::Panicked,
            State::Pending if current::is_current_task(|current| current == self) => {
                TaskState::Running
            }
            State::Pending if !header.flags.any(STARTED) => TaskState::New,
            State::Pending => TaskState::Suspended,
        }
    }

    /// The task that created this one, by its number. `None` if it was created in a callback, or
    /// outside of the loop. The parent may have ended since.
    ///
    /// ```
    /// # use ronde_executor::{Executor, TaskBuilder, TaskRef};
    /// # let executor = Executor::new(|| {});
    /// let outer = executor.spawn(async {
    ///     TaskRef::from(&TaskBuilder::new().create_task(async {}))
    /// });
    /// executor.run_batch();
    /// assert_eq!(outer.parent(), None);
    /// assert_eq!(outer.result().unwrap().parent(), Some(outer.id()));
    /// # executor.run_batch();
    /// ```
    pub fn parent(&self) -> Option<TaskId> {
        match self.header().parent {
            0 => None,
            number => Some(TaskId::of(number)),
        }
    }

    /// How many steps the task has made: how often its coroutine was polled.
    ///
    /// ```
    /// # use ronde_executor::Executor;
    /// # let executor = Executor::new(|| {});
    /// let task = executor.spawn(async {});
    /// assert_eq!(task.steps(), 0);
    /// executor.run_batch();
    /// assert_eq!(task.steps(), 1);
    /// ```
    pub fn steps(&self) -> u64 {
        self.header().steps.get()
    }

    /// How long the task's steps took, together.
    ///
    /// That is measured only while it is [asked for](crate::Executor::set_timing), as in debug mode: to
    /// read the clock twice costs about as much as the step of a small task. Else it is zero.
    ///
    /// ```
    /// # use ronde_executor::Executor;
    /// # use std::time::Duration;
    /// # let executor = Executor::new(|| {});
    /// executor.set_timing(true);
    /// let task = executor.spawn(async { std::thread::sleep(Duration::from_millis(2)) });
    /// executor.run_batch();
    /// assert!(task.busy_time() >= Duration::from_millis(2));
    /// ```
    pub fn busy_time(&self) -> Duration {
        Duration::from_nanos(self.header().busy.get())
    }

    /// The tasks that must do something for this one to go on, as far as they are known: the task that
    /// it awaits, the one that holds the lock it waits for, the children of a `gather`.
    ///
    /// ```
    /// # use ronde_executor::{Executor, TaskRef};
    /// # let executor = Executor::new(|| {});
    /// let inner = executor.spawn(std::future::pending::<()>());
    /// let reference = TaskRef::from(&inner);
    /// let outer = executor.spawn(async move { inner.await });
    /// executor.run_batch();
    /// assert_eq!(outer.waits_on(), [reference]);
    /// ```
    pub fn waits_on(&self) -> Vec<TaskRef> {
        self.waiting_for().map_or_else(Vec::new, |wait| waits_on(&wait))
    }

    /// All that is known of the task at this moment, as plain data.
    ///
    /// ```
    /// # use ronde_executor::{Executor, TaskState};
    /// # let executor = Executor::new(|| {});
    /// let task = executor.spawn(async {}).named("short");
    /// let info = task.info();
    /// assert_eq!((&*info.name, info.state, info.steps), ("short", TaskState::New, 0));
    /// # executor.run_batch();
    /// ```
    pub fn info(&self) -> TaskInfo {
        let waiting = self.waiting_for().map(|wait| WaitInfo {
            kind: wait.kind(),
            description: format!("{wait:?}"),
            tasks: waits_on(&wait).iter().map(TaskRef::id).collect(),
        });
        TaskInfo {
            id: self.id(),
            name: self.name().to_string(),
            coroutine: self.coroutine(),
            created_at: self.created_at(),
            parent: self.parent(),
            state: self.state(),
            cancelling: self.cancelling(),
            steps: self.steps(),
            busy_time: self.busy_time(),
            waiting,
        }
    }
}

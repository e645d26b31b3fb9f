//! What the handles to a group, its tasks, and the future that runs it share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};

use ronde_context::{Awaited, CancelScope, CancelledError};
use ronde_loop::{ExceptionContext, Failure, Promise, TaskId, TaskRef, get_running_loop};

use super::error::{FailureCause, TaskFailure};

pub(super) struct Members {
    created_at: &'static Location<'static>,
    /// Around the body.
    pub(super) scope: CancelScope,
    /// The task that the group is in. Weak, as its result may have a handle to the group in it.
    parent: Weak<dyn Awaited>,
    /// Does the parent count a cancellation because of this group?
    is_counted: Cell<bool>,
    phase: Cell<Phase>,
    /// Was `TaskGroup::cancel` called?
    cancelled: Cell<bool>,
    /// Those that aren't done, in order of creation, which is the order to cancel them in.
    tasks: RefCell<BTreeMap<TaskId, TaskRef>>,
    failures: RefCell<Vec<Failed>>,
    /// Released when there are no tasks left.
    empty: RefCell<Option<Promise<()>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// What is left is being cancelled.
    Aborting,
    Over,
}

/// Gets at what a task that has failed has failed with.
pub(super) type Cause = fn(&TaskRef) -> FailureCause;

enum Failed {
    /// What it failed with is still with the task: somebody may yet ask for it there. And if nobody
    /// ever does, the task reports it.
    Task(TaskRef, Cause),
    Known(TaskFailure),
}

/// The group takes no more tasks.
///
/// # In asyncio
///
/// A `RuntimeError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupClosedError {
    /// It is being cancelled: a task or the body has failed, or somebody has called `cancel`.
    #[non_exhaustive]
    Cancelled {
        /// Where the group was created.
        created_at: &'static Location<'static>,
    },
    /// It is over: a handle to it was kept.
    #[non_exhaustive]
    Over {
        /// Where the group was created.
        created_at: &'static Location<'static>,
    },
}

impl fmt::Display for GroupClosedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (created_at, why) = match self {
            Self::Cancelled { created_at } => (created_at, "being cancelled"),
            Self::Over { created_at } => (created_at, "over"),
        };
        write!(f, "the task group created at {created_at} is {why}: it takes no more tasks")
    }
}

impl Error for GroupClosedError {}

impl Members {
    pub(super) fn new(created_at: &'static Location<'static>, parent: &TaskRef) -> Rc<Self> {
        Rc::new(Self {
            created_at,
            scope: CancelScope::uncounted(),
            parent: Rc::downgrade(&parent.to_awaited()),
            is_counted: Cell::new(false),
            phase: Cell::new(Phase::Open),
            cancelled: Cell::new(false),
            tasks: RefCell::default(),
            failures: RefCell::default(),
            empty: RefCell::new(None),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    pub(super) fn check_open(&self) -> Result<(), GroupClosedError> {
        let created_at = self.created_at;
        match self.phase.get() {
            Phase::Open => Ok(()),
            Phase::Aborting => Err(GroupClosedError::Cancelled { created_at }),
            Phase::Over => Err(GroupClosedError::Over { created_at }),
        }
    }

    /// A task is created. `done` is called in the turn after its end, as of all its callbacks first.
    pub(super) fn add(
        self: &Rc<Self>,
        task: &TaskRef,
        done: impl FnOnce(&Self, &TaskRef) + 'static,
    ) {
        task.remember_failure();
        self.tasks.borrow_mut().insert(task.id(), task.clone());
        let members = self.clone();
        task.add_done_callback(move |task| members.task_done(task, done));
    }

    fn task_done(&self, task: &TaskRef, done: impl FnOnce(&Self, &TaskRef)) {
        self.tasks.borrow_mut().remove(&task.id());
        if self.phase.get() != Phase::Over {
            done(self, task);
        }
        if self.tasks.borrow().is_empty() {
            let empty = self.empty.take();
            if let Some(empty) = empty {
                // Cancelled meanwhile, perhaps, with the task that waits for it.
                let _ = empty.set_result(());
            }
        }
    }

    /// A task of the group is done. If it has failed, all else is cancelled.
    pub(super) fn settle(&self, task: &TaskRef, cause: Cause) {
        if !task.failed() {
            return;
        }
        self.failures.borrow_mut().push(Failed::Task(task.clone(), cause));
        self.cut_short();
    }

    /// The body has failed.
    pub(super) fn body_failed(&self, parent: &TaskRef, error: Box<dyn Error>) {
        let failure = TaskFailure::of(parent, true, FailureCause::Error(error));
        self.failures.borrow_mut().push(Failed::Known(failure));
        self.abort();
    }

    /// Something has failed that nobody else hears of.
    pub(super) fn failed(&self, failure: TaskFailure) {
        if self.phase.get() == Phase::Over {
            return report("a failure in a task group that was over", failure);
        }
        self.failures.borrow_mut().push(Failed::Known(failure));
        self.cut_short();
    }

    pub(super) fn cancel(&self) -> bool {
        if self.phase.get() == Phase::Over {
            return false;
        }
        self.cancelled.set(true);
        self.cut_short();
        true
    }

    /// Was the group ended by `TaskGroup::cancel`?
    pub(super) fn was_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Cancels all, the body included, which the parent counts until the group is over.
    fn cut_short(&self) {
        if self.phase.get() == Phase::Open && !self.is_counted.replace(true) {
            self.count(true);
        }
        self.abort();
    }

    /// Takes that back. Returns whether the parent has been asked to cancel by nobody else.
    pub(super) fn uncount(&self) -> bool {
        if self.is_counted.take() {
            self.count(false);
            return self.scope.outstanding() == 0;
        }
        false
    }

    fn count(&self, cancelled: bool) {
        if let Some(parent) = self.parent.upgrade() {
            parent.count_scope(cancelled);
        }
    }

    /// Cancels the tasks and the body, unless that has been done.
    pub(super) fn abort(&self) {
        if self.phase.get() != Phase::Open {
            return;
        }
        self.phase.set(Phase::Aborting);
        self.cancel_tasks();
        self.scope.cancel(&CancelledError::default());
    }

    fn cancel_tasks(&self) {
        let tasks: Vec<_> = self.tasks.borrow().values().cloned().collect();
        for task in tasks {
            task.cancel();
        }
    }

    /// `None` if there are no tasks left, else what is released when it is so.
    pub(super) fn until_empty(self: &Rc<Self>) -> Option<Promise<()>> {
        if self.tasks.borrow().is_empty() {
            return None;
        }
        let empty = Promise::new();
        // Weak: the promise is kept in here.
        let members = Rc::downgrade(self);
        empty.set_waits_on(move || match members.upgrade() {
            Some(members) => members.tasks.borrow().values().map(TaskRef::to_awaited).collect(),
            None => Vec::new(),
        });
        self.empty.replace(Some(empty.clone()));
        Some(empty)
    }

    /// All is over, one way or another. Gives what has failed.
    pub(super) fn end(&self) -> Vec<TaskFailure> {
        self.phase.set(Phase::Over);
        let failures = self.failures.take();
        let resolve = |failed| match failed {
            Failed::Task(task, cause) => TaskFailure::of(&task, false, cause(&task)),
            Failed::Known(failure) => failure,
        };
        failures.into_iter().map(resolve).collect()
    }

    /// The future that runs the group is dropped: before its end, perhaps.
    pub(super) fn abandon(&self) {
        if self.phase.replace(Phase::Over) != Phase::Over {
            self.cancel_tasks();
        }
        self.uncount();
        for failed in self.failures.take() {
            if let Failed::Known(failure) = failed {
                report("a failure in a task group that was dropped", failure);
            }
        }
    }
}

/// Reports a failure that can't be returned any more.
pub(super) fn report(what: &str, failure: TaskFailure) {
    let created_at = failure.created_at();
    let mut context = ExceptionContext::new(what, Failure::Error(Box::new(failure)));
    context.created_at = Some(created_at);
    match get_running_loop() {
        Ok(event_loop) => event_loop.call_exception_handler(&context),
        Err(_closing) => context.report(),
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<TaskGroup created at {}", self.created_at)?;
        let (tasks, errors) = (self.len(), self.failures.borrow().len());
        if tasks > 0 {
            write!(f, " tasks={tasks}")?;
        }
        if errors > 0 {
            write!(f, " errors={errors}")?;
        }
        f.write_str(match self.phase.get() {
            Phase::Open => ">",
            Phase::Aborting => " cancelling>",
            Phase::Over => " over>",
        })
    }
}

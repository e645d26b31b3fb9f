//! What comes out of a group in which something failed.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use ronde_loop::{PanicError, TaskId, TaskRef};

/// What failed in a [`task_group`](crate::task_group), in order of completion.
///
/// The cancellations that the group caused itself are not in here, nor any others.
///
/// # In asyncio
///
/// `ExceptionGroup`. What `except*` does there, [`split`](Self::split) does here.
///
/// # Examples
///
/// ```
/// use ronde::task_group;
/// use std::io;
///
/// # ronde::run(async {
/// let failed = task_group(async |group| {
///     group.try_create_task(async { Err::<(), _>(io::Error::other("no answer")) }).named("ask");
///     group.create_task(async { panic!("a bug") }).named("think");
/// });
/// let error = failed.await.unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "task 'ask' failed: no answer (and 1 more: task 'think' panicked: a bug)"
/// );
/// let (io, rest) = error.split::<io::Error>();
/// assert_eq!(io[0].name(), "ask");
/// assert_eq!(rest.unwrap().len(), 1);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[derive(Debug)]
pub struct TaskGroupError {
    failures: Vec<TaskFailure>,
    cancelled: bool,
    created_at: &'static Location<'static>,
}

impl TaskGroupError {
    pub(super) fn new(
        created_at: &'static Location<'static>,
        failures: Vec<TaskFailure>,
        cancelled: bool,
    ) -> Self {
        Self { failures, cancelled, created_at }
    }

    /// Nothing failed, but `TaskGroup::cancel` has cut the body short.
    pub(super) fn cancelled(created_at: &'static Location<'static>) -> Self {
        Self::new(created_at, Vec::new(), true)
    }

    /// Was [`TaskGroup::cancel`](crate::TaskGroup::cancel) called? If nothing failed besides, this is
    /// why there is no result.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// The failure that ended the group. `None` if nothing failed, but the group was
    /// [cancelled](Self::is_cancelled).
    pub fn first(&self) -> Option<&TaskFailure> {
        self.failures.first()
    }

    /// All failures, in order of completion.
    pub fn failures(&self) -> &[TaskFailure] {
        &self.failures
    }

    /// All failures, in order of completion.
    pub fn iter(&self) -> std::slice::Iter<'_, TaskFailure> {
        self.failures.iter()
    }

    /// How many failures there are.
    pub fn len(&self) -> usize {
        self.failures.len()
    }

    /// Has nothing failed? Then the group was [cancelled](Self::is_cancelled).
    pub fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }

    /// Where the group was created.
    pub fn created_at(&self) -> &'static Location<'static> {
        self.created_at
    }

    /// Takes out the failures whose error is an `E`. Gives them, and the others, if there are any.
    ///
    /// # In asyncio
    ///
    /// `except* E`, or `ExceptionGroup.split`.
    pub fn split<E: Error + 'static>(self) -> (Vec<TaskFailure>, Option<TaskGroupError>) {
        let Self { failures, cancelled, created_at } = self;
        let (matching, rest): (Vec<_>, Vec<_>) =
            failures.into_iter().partition(|failure| failure.downcast_ref::<E>().is_some());
        let rest = (!rest.is_empty()).then(|| Self::new(created_at, rest, cancelled));
        (matching, rest)
    }
}

impl IntoIterator for TaskGroupError {
    type Item = TaskFailure;
    type IntoIter = std::vec::IntoIter<TaskFailure>;

    fn into_iter(self) -> Self::IntoIter {
        self.failures.into_iter()
    }
}

impl<'a> IntoIterator for &'a TaskGroupError {
    type Item = &'a TaskFailure;
    type IntoIter = std::slice::Iter<'a, TaskFailure>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How many failures a message shows besides the first.
const SHOWN: usize = 4;

/// The first failure, and a few of the others; [`iter`](TaskGroupError::iter) has them all.
impl fmt::Display for TaskGroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.failures.split_first() else {
            return write!(f, "the task group created at {} was cancelled", self.created_at);
        };
        first.fmt(f)?;
        for (index, other) in others.iter().take(SHOWN).enumerate() {
            match index {
                0 => write!(f, " (and {} more: {other}", others.len())?,
                _ => write!(f, ", {other}")?,
            }
        }
        match others.len() {
            0 => Ok(()),
            1..=SHOWN => f.write_str(")"),
            _ => f.write_str(", ...)"),
        }
    }
}

impl Error for TaskGroupError {
    /// The error of the first failure.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.first().and_then(Error::source)
    }
}

/// A task of a group that failed, or the body of the group.
#[derive(Debug)]
pub struct TaskFailure {
    name: Rc<str>,
    id: TaskId,
    created_at: &'static Location<'static>,
    is_body: bool,
    cause: FailureCause,
}

/// What a [`TaskFailure`] consists in.
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureCause {
    /// A panic.
    Panic(PanicError),
    /// The error that a task made with `try_create_task`, or the body, returned.
    Error(Box<dyn Error>),
    /// The `Err` of this type, which a task made with `create_task` returned. It is still with the
    /// task.
    #[non_exhaustive]
    Err {
        /// The full name of the `Result` type.
        type_name: &'static str,
    },
    /// An error of this type, which somebody has moved out of the task before the group's end.
    #[non_exhaustive]
    Taken {
        /// The full name of the error's type.
        type_name: &'static str,
    },
}

impl TaskFailure {
    pub(super) fn of(task: &TaskRef, is_body: bool, cause: FailureCause) -> Self {
        let (name, id, created_at) = (task.name(), task.id(), task.created_at());
        Self { name, id, created_at, is_body, cause }
    }

    /// The task's name. For the body: the name of the task it ran in.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The task's number. For the body: that of the task it ran in.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Where the task was created.
    pub fn created_at(&self) -> &'static Location<'static> {
        self.created_at
    }

    /// Is it the body that failed, and no task of the group?
    pub fn is_body(&self) -> bool {
        self.is_body
    }

    /// What the failure consists in.
    pub fn cause(&self) -> &FailureCause {
        &self.cause
    }

    /// What the failure consists in.
    pub fn into_cause(self) -> FailureCause {
        self.cause
    }

    /// The error, if it is an `E`. That of a panic is a [`PanicError`].
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        match &self.cause {
            FailureCause::Panic(panic) => (panic as &(dyn Error + 'static)).downcast_ref(),
            FailureCause::Error(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// The error, if it is an `E`.
    ///
    /// # Errors
    ///
    /// The failure itself, if it isn't.
    pub fn downcast<E: Error + 'static>(self) -> Result<E, Self> {
        match self.cause {
            FailureCause::Error(error) => match error.downcast() {
                Ok(error) => Ok(*error),
                Err(error) => Err(Self { cause: FailureCause::Error(error), ..self }),
            },
            FailureCause::Panic(panic) => {
                match (Box::new(panic.clone()) as Box<dyn Any>).downcast() {
                    Ok(panic) => Ok(*panic),
                    Err(_) => Err(Self { cause: FailureCause::Panic(panic), ..self }),
                }
            }
            cause => Err(Self { cause, ..self }),
        }
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_body {
            f.write_str("the body ")?;
        } else {
            write!(f, "task '{}' ", self.name)?;
        }
        match &self.cause {
            FailureCause::Panic(panic) => panic.fmt(f),
            FailureCause::Error(error) => write!(f, "failed: {error}"),
            FailureCause::Err { type_name } => {
                write!(f, "failed: it returned the Err of {type_name}")
            }
            FailureCause::Taken { type_name } => {
                write!(f, "failed: its error, of type {type_name}, was moved out by an await")
            }
        }
    }
}

impl Error for TaskFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            FailureCause::Panic(panic) => Some(panic),
            FailureCause::Error(error) => Some(&**error),
            _ => None,
        }
    }
}

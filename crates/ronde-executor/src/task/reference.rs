//! A handle to a task without the type of its result.

use std::fmt;
use std::future::IntoFuture;
use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::rc::{Rc, Weak};

use ronde_context::{
    Awaited, CancelledError, Context, Wait, cancel, copy_context, no_longer_waiting_for,
};

use super::handle::Task;
use super::join::JoinRef;
use super::record::{ABANDONED, AnyTask, Header, OBSERVED, State, WATCHED};
use crate::batch::Entry;
use crate::callback::Handle;
use crate::current;
use crate::error::{InvalidStateError, PanicError, TaskError};
use crate::inherited::Inherited;
use crate::listeners::{CallbackId, Listener};

/// A task, whatever its result.
///
/// [`current_task`](crate::current_task) and [`all_tasks`](crate::Executor::all_tasks) give it.
/// It can be cloned, compared and hashed (as an identity), and it can be awaited, which gives
/// `Ok(())` when the task has returned.
///
/// # In asyncio
///
/// `asyncio.Task`, as far as its result doesn't matter.
///
/// # Examples
///
/// ```
/// use ronde_executor::{Executor, TaskRef};
///
/// let executor = Executor::new(|| {});
/// let task = executor.spawn(async { 7 });
/// let reference = TaskRef::from(&task);
/// let watcher = executor.spawn(async move { reference.await.is_ok() });
/// while executor.run_batch() > 0 {}
/// assert!(watcher.result().unwrap());
/// assert_eq!(task.result().unwrap(), 7);
/// ```
#[derive(Clone)]
pub struct TaskRef {
    record: Rc<dyn AnyTask>,
}

/// The number of a task. Its executor counts from 1, and gives no number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u64);

impl TaskId {
    pub(super) fn of(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TaskRef {
    pub(crate) fn new(record: Rc<dyn AnyTask>) -> Self {
        Self { record }
    }

    pub(crate) fn header(&self) -> &Header {
        self.record.header()
    }

    /// The task as something to wait for and to cancel: for authors of things like `gather`.
    pub fn to_awaited(&self) -> Rc<dyn Awaited> {
        self.record.clone().awaited()
    }

    pub(crate) fn downgrade(&self) -> Weak<dyn Awaited> {
        // Not by way of `to_awaited`: a timeout asks for this when it begins.
        let weak: Weak<dyn AnyTask> = Rc::downgrade(&self.record);
        weak
    }

    /// A future that waited for the task is dropped.
    pub(super) fn no_longer_awaited(&self) {
        no_longer_waiting_for(&self.record);
    }

    /// Cancels the task; see [`Task::cancel`](crate::Task::cancel).
    pub fn cancel(&self) -> bool {
        self.cancel_with(CancelledError::default())
    }

    /// Cancels the task with a message (anything that becomes one).
    ///
    /// ```
    /// # use ronde_executor::{Executor, TaskError};
    /// # let executor = Executor::new(|| {});
    /// let task = executor.spawn(std::future::pending::<()>());
    /// assert!(task.cancel_msg("no longer needed"));
    /// executor.run_batch();
    /// assert_eq!(task.result().unwrap_err().to_string(), "cancelled: no longer needed");
    /// ```
    pub fn cancel_msg(&self, message: impl Into<std::sync::Arc<str>>) -> bool {
        self.cancel_with(CancelledError::new(message))
    }

    /// Cancels the task with a given cancellation: a message and an origin.
    pub fn cancel_with(&self, error: CancelledError) -> bool {
        cancel(self.to_awaited(), &error)
    }

    /// How many cancellations have been asked for and not taken back with
    /// [`uncancel`](Self::uncancel).
    ///
    /// A timeout that is up and a group that cancels its body count as one each, until they are over.
    pub fn cancelling(&self) -> u32 {
        self.header().cancelling.get()
    }

    /// Takes one request for cancellation back. Returns how many are left.
    ///
    /// When none is left, a request that hasn't been delivered is withdrawn, unless the task was
    /// suspended when it was made: then, as in asyncio, it has already hit what the task waits for.
    /// Until a cancellation that was caught is taken back, it counts as one from outside: if a timeout that
    /// it was caught in is up, too, what leaves that is the cancellation, and not a `TimeoutError`.
    pub fn uncancel(&self) -> u32 {
        self.header().uncancel()
    }

    /// Has the task returned, panicked or been cancelled?
    pub fn done(&self) -> bool {
        self.header().is_done()
    }

    /// Has the task ended through a cancellation?
    pub fn cancelled(&self) -> bool {
        self.header().state.get() == State::Cancelled
    }

    /// Has the task failed: did it panic, or return an `Err`?
    ///
    /// A value that was moved out by an await can no longer be asked; it counts as no failure.
    pub fn failed(&self) -> bool {
        self.record.has_failed()
    }

    /// From now on [`failed`](Self::failed) stays right when the value is moved out. For authors of
    /// things like groups, which look after others have. Call it before the task is done.
    pub fn remember_failure(&self) {
        self.header().flags.set(WATCHED);
    }

    /// The typed handle to the task, if `T` is what the task returns.
    ///
    /// The value is there once, whoever takes it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_executor::{Executor, TaskRef};
    /// # let executor = Executor::new(|| {});
    /// let reference: TaskRef = (&executor.spawn(async { 7_u8 })).into();
    /// assert!(reference.downcast::<String>().is_none());
    /// executor.run_batch();
    /// assert_eq!(reference.downcast::<u8>().unwrap().result().unwrap(), 7);
    /// ```
    pub fn downcast<T: 'static>(&self) -> Option<Task<T>> {
        self.record.clone().any().downcast().ok().map(Task::of)
    }

    /// Has the task panicked?
    pub fn panicked(&self) -> bool {
        self.header().state.get() == State::Panicked
    }

    /// The panic the task ended with, or `None` if it returned.
    ///
    /// # Errors
    ///
    /// [`TaskError::Cancelled`] if it was cancelled, [`InvalidStateError::Pending`] if it isn't done.
    pub fn exception(&self) -> Result<Option<PanicError>, TaskError> {
        if !self.done() {
            return Err(InvalidStateError::Pending.into());
        }
        self.header().flags.set(OBSERVED);
        match self.header().take_error() {
            Some(TaskError::Panicked(panic)) => Ok(Some(panic)),
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    /// The task's name: `Task-1`, `Task-2` and so on, unless it was given another.
    pub fn name(&self) -> Rc<str> {
        self.header().name()
    }

    /// Gives the task a name.
    pub fn set_name(&self, name: impl Into<Rc<str>>) {
        *self.header().name.borrow_mut() = Some(name.into());
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        TaskId(self.header().number)
    }

    /// The type of the task's coroutine, which names the function that it comes from.
    pub fn coroutine(&self) -> &'static str {
        self.header().coroutine()
    }

    /// Where the task was created.
    pub fn created_at(&self) -> &'static Location<'static> {
        self.header().created_at
    }

    /// A copy of the context that the task runs in, or ran in.
    ///
    /// # In asyncio
    ///
    /// `Task.get_context`.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_context::ContextVar;
    /// # use ronde_executor::Executor;
    /// # let executor = Executor::new(|| {});
    ///
    /// static STAGE: ContextVar<&str> = ContextVar::new("stage");
    /// let task = executor.spawn(async { drop(STAGE.set("done")) });
    /// executor.run_batch();
    /// assert_eq!(task.context().get(&STAGE), Some("done"));
    /// assert_eq!(STAGE.get(), None);
    /// ```
    pub fn context(&self) -> Context {
        // A task that is being polled has its context in the thread. (Of one that is just starting
        // another one eagerly, and is asked by that, it can't be had: this gives what is around it.)
        if current::is_current_task(|current| current == self) {
            return copy_context();
        }
        self.header().context.copy()
    }

    /// What the task waits for, if it is suspended on something that says so.
    pub fn waiting_for(&self) -> Option<Wait> {
        self.header().waiting.borrow().clone()
    }

    /// Calls `callback` in the turn after the task is done; in the next turn, if it is.
    ///
    /// Callbacks and waiting tasks have their turn in order of registration. A panic in a callback
    /// goes to the exception handler.
    ///
    /// ```
    /// # use ronde_executor::Executor;
    /// # let executor = Executor::new(|| {});
    /// let task = executor.spawn(async { 1 });
    /// task.add_done_callback(|task| println!("{} is done", task.name()));
    /// while executor.run_batch() > 0 {}
    /// ```
    #[track_caller]
    pub fn add_done_callback(&self, callback: impl FnOnce(&TaskRef) + 'static) -> CallbackId {
        let header = self.header();
        let (inherited, added_at) = (Inherited::from_caller(), Location::caller());
        let callback = move |task: &TaskRef| inherited.run(|| callback(task));
        let mut listeners = header.listeners.borrow_mut();
        if !header.is_done() {
            return listeners.push(Listener::Callback((Box::new(callback), added_at)));
        }
        // A number that can't be removed: the callback is on its way.
        let id = listeners.push(Listener::Callback((Box::new(|_| {}), added_at)));
        listeners.remove(id);
        drop(listeners);
        if let Some(executor) = header.executor.upgrade() {
            let task = self.clone();
            let handle = Handle::registered_at(added_at, move || callback(&task));
            executor.ready.push(Entry::Callback(handle));
        }
        id
    }

    /// Removes a callback. Returns whether it was there: not called and not on its way.
    pub fn remove_done_callback(&self, id: CallbackId) -> bool {
        let removed = self.header().listeners.borrow_mut().remove_callback(id);
        removed.is_some()
    }

    /// Sees to it that the coroutine is dropped at the task's next step.
    pub(crate) fn abandon(&self) {
        self.header().flags.set(ABANDONED);
        let waker = self.header().waker.borrow().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl AsRef<TaskRef> for TaskRef {
    fn as_ref(&self) -> &TaskRef {
        self
    }
}

impl PartialEq for TaskRef {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.header(), other.header())
    }
}

impl Eq for TaskRef {}

impl Hash for TaskRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.header(), state);
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.header().write_debug(f, None)
    }
}

impl IntoFuture for TaskRef {
    type Output = Result<(), TaskError>;
    type IntoFuture = JoinRef;

    fn into_future(self) -> JoinRef {
        JoinRef::new(self)
    }
}

impl IntoFuture for &TaskRef {
    type Output = Result<(), TaskError>;
    type IntoFuture = JoinRef;

    fn into_future(self) -> JoinRef {
        JoinRef::new(self.clone())
    }
}

//! What `gather` and its like watch over: a task or a promise.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use ronde_context::{Awaited, CancelledError, cancel};

use crate::current;
use crate::error::{InvalidStateError, PanicError, TaskError};
use crate::executor::Executor;
use crate::listeners::CallbackId;
use crate::promise::{AnyPromise, Promise};
use crate::task::{Task, TaskRef, Waiter};

/// A task or a promise, whatever its result.
///
/// What has several of them in its care, as `gather` and `wait` have, knows them by this. It can be
/// cloned, compared and hashed (as an identity), and awaited, which gives `Ok(())` when there is a
/// result.
///
/// # In asyncio
///
/// `asyncio.Future`, which `asyncio.Task` is a kind of.
///
/// # Examples
///
/// ```
/// use ronde_executor::{ChildRef, Executor, Promise};
///
/// let executor = Executor::new(|| {});
/// let task = executor.spawn(async { 7 });
/// let promise = Promise::<&str>::new();
/// let both = [ChildRef::from(&task), ChildRef::from(&promise)];
///
/// executor.run_batch();
/// assert_eq!(both.map(|child| child.done()), [true, false]);
/// ```
#[derive(Clone)]
pub struct ChildRef {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Task(TaskRef),
    Promise(Rc<dyn AnyPromise>),
}

impl ChildRef {
    pub(crate) fn of_promise(promise: Rc<dyn AnyPromise>) -> Self {
        Self { kind: Kind::Promise(promise) }
    }

    /// The task, if it is one.
    pub fn task(&self) -> Option<&TaskRef> {
        match &self.kind {
            Kind::Task(task) => Some(task),
            Kind::Promise(_) => None,
        }
    }

    /// The task's name, or `Promise`: promises have none.
    pub fn name(&self) -> Rc<str> {
        self.task().map_or_else(|| "Promise".into(), TaskRef::name)
    }

    /// The promise, if it is one and `T` is the type of its result.
    pub fn promise<T: 'static>(&self) -> Option<Promise<T>> {
        match &self.kind {
            Kind::Task(_) => None,
            Kind::Promise(promise) => Promise::downcast(promise.clone().any()),
        }
    }

    /// It, as something to wait for and to cancel: for authors of things like `gather`.
    pub fn to_awaited(&self) -> Rc<dyn Awaited> {
        match &self.kind {
            Kind::Task(task) => task.to_awaited(),
            Kind::Promise(promise) => promise.clone().awaited(),
        }
    }

    /// Cancels it. Returns false if it was done already.
    pub fn cancel(&self) -> bool {
        self.cancel_with(CancelledError::default())
    }

    /// Cancels it with a message.
    pub fn cancel_msg(&self, message: impl Into<std::sync::Arc<str>>) -> bool {
        self.cancel_with(CancelledError::new(message))
    }

    /// Cancels it with a given cancellation: a message and an origin.
    pub fn cancel_with(&self, error: CancelledError) -> bool {
        cancel(self.to_awaited(), &error)
    }

    /// Has it an outcome?
    pub fn done(&self) -> bool {
        match &self.kind {
            Kind::Task(task) => task.done(),
            Kind::Promise(promise) => promise.is_done(),
        }
    }

    /// Did it end through a cancellation?
    pub fn cancelled(&self) -> bool {
        match &self.kind {
            Kind::Task(task) => task.cancelled(),
            Kind::Promise(promise) => promise.is_cancelled(),
        }
    }

    /// Has it failed: is it a task that panicked, or is its result an `Err`?
    ///
    /// A value that was moved out by an await can no longer be asked; it counts as no failure.
    pub fn failed(&self) -> bool {
        match &self.kind {
            Kind::Task(task) => task.failed(),
            Kind::Promise(promise) => promise.has_failed(),
        }
    }

    /// Is it a task that panicked?
    pub fn panicked(&self) -> bool {
        self.task().is_some_and(TaskRef::panicked)
    }

    /// The panic that it ended with, or `None` if there is a result.
    ///
    /// # Errors
    ///
    /// [`TaskError::Cancelled`] if it was cancelled, [`InvalidStateError::Pending`] if it isn't done.
    pub fn exception(&self) -> Result<Option<PanicError>, TaskError> {
        match &self.kind {
            Kind::Task(task) => task.exception(),
            Kind::Promise(promise) => promise.look().map(|()| None),
        }
    }

    /// Calls `callback` in the turn after it is done; in the next turn, if it is.
    #[track_caller]
    pub fn add_done_callback(&self, callback: impl FnOnce(&ChildRef) + 'static) -> CallbackId {
        match &self.kind {
            Kind::Task(task) => task
                .add_done_callback(|task| callback(&ChildRef { kind: Kind::Task(task.clone()) })),
            Kind::Promise(promise) => promise.clone().add_callback(Box::new(callback)),
        }
    }

    /// Removes a callback. Returns whether it was there: not called and not on its way.
    pub fn remove_done_callback(&self, id: CallbackId) -> bool {
        match &self.kind {
            Kind::Task(task) => task.remove_done_callback(id),
            Kind::Promise(promise) => promise.remove_callback(id),
        }
    }

    /// What identifies it.
    fn address(&self) -> *const () {
        match &self.kind {
            Kind::Task(task) => std::ptr::from_ref(task.header()).cast(),
            Kind::Promise(promise) => Rc::as_ptr(promise).cast(),
        }
    }
}

impl From<TaskRef> for ChildRef {
    fn from(task: TaskRef) -> Self {
        Self { kind: Kind::Task(task) }
    }
}

impl<T> From<&Task<T>> for ChildRef {
    fn from(task: &Task<T>) -> Self {
        TaskRef::from(task).into()
    }
}

impl PartialEq for ChildRef {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for ChildRef {}

impl Hash for ChildRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

impl fmt::Debug for ChildRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Task(task) => task.fmt(f),
            Kind::Promise(promise) => promise.describe(f),
        }
    }
}

/// What can be looked at as a [`ChildRef`]: what `wait` takes.
///
/// Tasks, promises, and references to them. A type of one's own that holds one can implement it.
pub trait AsChild {
    /// The task or promise.
    fn as_child(&self) -> ChildRef;
}

impl AsChild for ChildRef {
    fn as_child(&self) -> ChildRef {
        self.clone()
    }
}

impl AsChild for TaskRef {
    fn as_child(&self) -> ChildRef {
        self.clone().into()
    }
}

impl<T> AsChild for Task<T> {
    fn as_child(&self) -> ChildRef {
        self.into()
    }
}

impl<T: 'static> AsChild for Promise<T> {
    fn as_child(&self) -> ChildRef {
        self.into()
    }
}

impl<T> AsChild for Child<T> {
    fn as_child(&self) -> ChildRef {
        self.reference.clone()
    }
}

impl<A: AsChild + ?Sized> AsChild for &A {
    fn as_child(&self) -> ChildRef {
        (**self).as_child()
    }
}

/// A future, a task, a promise, or a reference to a task or promise.
///
/// What `gather` and its like take: a future becomes a task of its own, exactly where asyncio would
/// wrap a coroutine, and a task or a promise stays as it is.
///
/// # In asyncio
///
/// `asyncio.ensure_future`.
///
/// # Examples
///
/// ```
/// use ronde_executor::{Executor, IntoChild};
///
/// let executor = Executor::new(|| {});
/// let child = executor.enter(|| async { 7 }.into_child());
/// executor.run_batch();
/// assert_eq!(child.take_result().unwrap(), 7);
/// ```
pub trait IntoChild {
    /// What it results in.
    type Value: 'static;

    /// Starts a task, if it is a future.
    ///
    /// # Panics
    ///
    /// Outside a running executor, for a future.
    fn into_child(self) -> Child<Self::Value>;
}

/// A task or a promise that something like `gather` watches over, and how one gets at the result.
///
/// It can be asked all that a [`ChildRef`] can, and awaited. The result is moved out, or cloned if all
/// that was given was a reference to the task or promise.
///
/// # Examples
///
/// ```
/// use ronde_executor::{Executor, IntoChild, Promise};
///
/// let promise = Promise::new();
/// let child = promise.clone().into_child();
/// promise.set_result("there").unwrap();
/// assert!(child.done());
/// assert_eq!(child.take_result().unwrap(), "there");
/// ```
pub struct Child<T> {
    reference: ChildRef,
    take: fn(&ChildRef) -> Result<T, TaskError>,
}

impl<T: 'static> Child<T> {
    /// The result of what must be done: moved out, or cloned if all that was given was a reference.
    ///
    /// # Errors
    ///
    /// As [`Task::result`].
    pub fn take_result(&self) -> Result<T, TaskError> {
        (self.take)(&self.reference)
    }

    /// How to take the result out of what this is a child of: for a callback of that, which is given it and
    /// must not keep it alive.
    pub fn taker(&self) -> fn(&ChildRef) -> Result<T, TaskError> {
        self.take
    }
}

impl<T> Deref for Child<T> {
    type Target = ChildRef;

    fn deref(&self) -> &ChildRef {
        &self.reference
    }
}

impl<T> AsRef<ChildRef> for Child<T> {
    fn as_ref(&self) -> &ChildRef {
        &self.reference
    }
}

impl<T> fmt::Debug for Child<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Child").field(&self.reference).finish()
    }
}

impl<F> IntoChild for F
where
    F: Future + 'static,
    F::Output: 'static,
{
    type Value = F::Output;

    #[track_caller]
    fn into_child(self) -> Child<F::Output> {
        let executor = current::with_executor(|shared| Executor { shared: shared.clone() })
            .expect("a task was created outside a running event loop");
        executor.spawn(self).into_child()
    }
}

impl<T: 'static> IntoChild for Child<T> {
    type Value = T;

    fn into_child(self) -> Child<T> {
        self
    }
}

impl<T: 'static> IntoChild for Task<T> {
    type Value = T;

    fn into_child(self) -> Child<T> {
        Child { reference: self.as_child(), take: |child| task_of::<T>(child).take_result() }
    }
}

impl<T: Clone + 'static> IntoChild for &Task<T> {
    type Value = T;

    fn into_child(self) -> Child<T> {
        Child { reference: self.as_child(), take: |child| task_of::<T>(child).result() }
    }
}

impl<T: 'static> IntoChild for Promise<T> {
    type Value = T;

    fn into_child(self) -> Child<T> {
        Child { reference: self.as_child(), take: |child| promise_of::<T>(child).take_result() }
    }
}

impl<T: Clone + 'static> IntoChild for &Promise<T> {
    type Value = T;

    fn into_child(self) -> Child<T> {
        Child { reference: self.as_child(), take: |child| promise_of::<T>(child).result() }
    }
}

fn task_of<T: 'static>(child: &ChildRef) -> Task<T> {
    child.task().and_then(TaskRef::downcast).expect("the child was made of such a task")
}

fn promise_of<T: 'static>(child: &ChildRef) -> Promise<T> {
    child.promise().expect("the child was made of such a promise")
}

impl<T: 'static> IntoFuture for Child<T> {
    type Output = Result<T, TaskError>;
    type IntoFuture = JoinChild<T>;

    fn into_future(self) -> JoinChild<T> {
        JoinChild { child: self, waiter: Waiter::default() }
    }
}

impl IntoFuture for ChildRef {
    type Output = Result<(), TaskError>;
    type IntoFuture = JoinChild<()>;

    fn into_future(self) -> JoinChild<()> {
        let take = |child: &ChildRef| match child.exception()? {
            Some(panic) => Err(TaskError::Panicked(panic)),
            None => Ok(()),
        };
        Child { reference: self, take }.into_future()
    }
}

/// The future of awaiting a [`Child`] or a [`ChildRef`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct JoinChild<T> {
    child: Child<T>,
    waiter: Waiter,
}

impl<T: 'static> Future for JoinChild<T> {
    type Output = Result<T, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let waited: Result<(), InvalidStateError> = match &this.child.kind {
            Kind::Task(task) => ready!(this.waiter.poll(task, cx)),
            Kind::Promise(promise) => {
                ready!(promise.clone().poll_done(this.waiter.place(), cx));
                Ok(())
            }
        };
        Poll::Ready(waited.map_err(TaskError::from).and_then(|()| this.child.take_result()))
    }
}

impl<T> Drop for JoinChild<T> {
    fn drop(&mut self) {
        match &self.child.kind {
            Kind::Task(task) => self.waiter.forget(task),
            Kind::Promise(promise) => promise.clone().forget(self.waiter.place()),
        }
    }
}

impl<T> fmt::Debug for JoinChild<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinChild").field(&self.child.reference).finish()
    }
}

//! Promises: results that somebody sets by hand.

use std::any::{Any, type_name};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use ronde_context::{
    Awaited, CancelStep, CancelledError, Wait, WaitKind, cancel, decline, no_longer_waiting_for,
    waiting_for,
};

use crate::batch::Entry;
use crate::callback::Handle;
use crate::child::ChildRef;
use crate::current;
use crate::error::{InvalidStateError, TaskError};
use crate::failure::{ExceptionContext, Failure, is_err};
use crate::inherited::Inherited;
use crate::listeners::{CallbackId, Listener, Listeners, listen};

/// A result that isn't there yet, and that anybody who has the promise can set, once.
///
/// Clones are handles to the same promise. `promise.await` waits and moves the result out;
/// `(&promise).await` waits and leaves it for others, and needs `T: Clone`. An exception is an
/// `Err` in `T`; see [`set_exception`](Self::set_exception).
///
/// # Cancel safety
///
/// **Strict.** Dropping the future that waits changes nothing. *Cancelling* a task that waits for a promise
/// cancels the promise, and so everybody who waits for it gets [`TaskError::Cancelled`].
///
/// # In asyncio
///
/// `asyncio.Future`. (`std::future::Future` has the name here.)
///
/// # Examples
///
/// ```
/// use ronde_executor::{Executor, Promise};
///
/// let executor = Executor::new(|| {});
/// let promise = Promise::new();
/// let waiting = executor.spawn({
///     let promise = promise.clone();
///     async move { (&promise).await }
/// });
/// executor.run_batch();
/// executor.enter(|| promise.set_result(7)).unwrap();
/// executor.run_batch();
/// assert_eq!(waiting.result().unwrap().unwrap(), 7);
/// ```
pub struct Promise<T> {
    shared: Rc<Shared<T>>,
}

struct Shared<T> {
    /// Callbacks get the promise itself.
    this: Weak<Self>,
    state: RefCell<State<T>>,
    observed: Cell<bool>,
    /// The cancellation that the result stands for, to those who were cancelled while they waited.
    cancelled_as: RefCell<Option<CancelledError>>,
    listeners: RefCell<Listeners<DoneCallback<T>>>,
    on_cancel: RefCell<Option<OnCancel>>,
    waits_on: RefCell<Option<WaitsOn>>,
}

enum State<T> {
    Pending,
    Set(T),
    Taken,
    Cancelled(CancelledError),
}

/// What to call when the promise is done, and where that was asked for.
type DoneCallback<T> = (Box<dyn FnOnce(&Promise<T>)>, &'static Location<'static>);
type OnCancel = Rc<dyn Fn(&CancelledError) -> CancelStep>;
type WaitsOn = Rc<dyn Fn() -> Vec<Rc<dyn Awaited>>>;

/// A promise had its result already. Carries the one that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetResultError<T> {
    /// What was to be set.
    pub value: T,
}

impl<T> fmt::Display for SetResultError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InvalidStateError::Done.fmt(f)
    }
}

impl<T: fmt::Debug> std::error::Error for SetResultError<T> {}

impl<T: 'static> Promise<T> {
    /// Makes a promise without a result.
    pub fn new() -> Self {
        Self {
            shared: Rc::new_cyclic(|this| Shared {
                this: this.clone(),
                state: RefCell::new(State::Pending),
                observed: Cell::new(false),
                cancelled_as: RefCell::new(None),
                listeners: RefCell::new(Listeners::new()),
                on_cancel: RefCell::new(None),
                waits_on: RefCell::new(None),
            }),
        }
    }

    /// Makes a promise whose cancellation goes somewhere else: to what it stands for.
    ///
    /// `on_cancel` is asked whenever the promise, while it is pending, would be cancelled. It says
    /// where the cancellation goes; that should, in the end, set the promise. This is how one makes
    /// things like `gather`, which passes a cancellation on to all its children. It may set the
    /// promise at once.
    ///
    /// ```
    /// use ronde_context::CancelStep;
    /// use ronde_executor::{Executor, Promise, TaskRef};
    ///
    /// let executor = Executor::new(|| {});
    /// let child = TaskRef::from(&executor.spawn(std::future::pending::<()>()));
    /// let target = child.clone();
    /// let promise = Promise::<()>::with_cancel(move |_| CancelStep::Forward(target.to_awaited()));
    ///
    /// assert!(executor.enter(|| promise.cancel()));
    /// executor.run_batch();
    /// assert!(child.cancelled() && !promise.done());
    /// ```
    pub fn with_cancel(on_cancel: impl Fn(&CancelledError) -> CancelStep + 'static) -> Self {
        let promise = Self::new();
        *promise.shared.on_cancel.borrow_mut() = Some(Rc::new(on_cancel));
        promise
    }

    /// Sets the result and wakes all who wait.
    ///
    /// # Errors
    ///
    /// If the promise is done, the value comes back in [`SetResultError`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_executor::Promise;
    /// let promise = Promise::new();
    /// promise.set_result(1).unwrap();
    /// assert_eq!(promise.set_result(2).unwrap_err().value, 2);
    /// ```
    pub fn set_result(&self, value: T) -> Result<(), SetResultError<T>> {
        if self.done() {
            return Err(SetResultError { value });
        }
        self.finish(State::Set(value));
        Ok(())
    }

    /// Says what must be done for the promise to be set: the tasks that a `gather` waits for, say.
    ///
    /// It is asked only for reports of who waits for whom, such as
    /// [`TaskRef::call_graph`](crate::TaskRef::call_graph), and dropped when the promise is done.
    ///
    /// # In asyncio
    ///
    /// `asyncio.future_add_to_awaited_by`, for each of the tasks, and, at the end,
    /// `future_discard_from_awaited_by`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_executor::{Executor, Promise, TaskRef};
    /// let executor = Executor::new(|| {});
    /// let (promise, worker) = (Promise::<u8>::new(), executor.spawn(std::future::pending::<()>()));
    /// let worker = TaskRef::from(&worker);
    /// promise.set_waits_on({
    ///     let worker = worker.clone();
    ///     move || vec![worker.to_awaited()]
    /// });
    /// let waiting = executor.spawn(promise.into_future());
    /// executor.run_batch();
    /// assert_eq!(waiting.waits_on(), [worker]);
    /// ```
    #[doc(alias = "future_add_to_awaited_by")]
    #[doc(alias = "future_discard_from_awaited_by")]
    pub fn set_waits_on(&self, children: impl Fn() -> Vec<Rc<dyn Awaited>> + 'static) {
        if !self.done() {
            let _previous = self.shared.waits_on.replace(Some(Rc::new(children)));
        }
    }

    /// Sets a result that stands for a cancellation.
    ///
    /// A task that was cancelled while it waited for the promise gets the cancellation; everybody else gets
    /// the value, and the promise doesn't count as cancelled. A `gather` that is a promise ends so, as in
    /// asyncio.
    ///
    /// # Errors
    ///
    /// As [`set_result`](Self::set_result).
    pub fn set_result_as(&self, error: CancelledError, value: T) -> Result<(), SetResultError<T>> {
        if self.done() {
            return Err(SetResultError { value });
        }
        self.shared.cancelled_as.replace(Some(error));
        self.set_result(value)
    }

    /// Cancels the promise. Returns false if it was done already.
    pub fn cancel(&self) -> bool {
        self.cancel_with(CancelledError::default())
    }

    /// Cancels the promise with a message.
    pub fn cancel_msg(&self, message: impl Into<std::sync::Arc<str>>) -> bool {
        self.cancel_with(CancelledError::new(message))
    }

    /// Cancels the promise with a given cancellation.
    pub fn cancel_with(&self, error: CancelledError) -> bool {
        cancel(self.shared.clone(), &error)
    }

    /// Ends the promise as cancelled, also one made [`with_cancel`](Self::with_cancel). Returns
    /// false if it was done already.
    pub fn set_cancelled(&self, error: CancelledError) -> bool {
        let pending = !self.done();
        if pending {
            self.finish(State::Cancelled(error));
        }
        pending
    }

    pub(crate) fn downcast(promise: Rc<dyn Any>) -> Option<Self> {
        Some(Self { shared: promise.downcast().ok()? })
    }

    /// The promise as something to wait for and to cancel: for authors of things like `gather`.
    pub fn to_awaited(&self) -> Rc<dyn Awaited> {
        self.shared.clone()
    }

    /// Has it a result, or was it cancelled?
    pub fn done(&self) -> bool {
        self.shared.is_done()
    }

    /// Was it cancelled?
    pub fn cancelled(&self) -> bool {
        matches!(&*self.shared.state.borrow(), State::Cancelled(_))
    }

    /// The result.
    ///
    /// # Errors
    ///
    /// [`InvalidStateError::Pending`] without one, [`TaskError::Cancelled`] if the promise was
    /// cancelled, [`InvalidStateError::Taken`] if an await has moved it out.
    pub fn result(&self) -> Result<T, TaskError>
    where
        T: Clone,
    {
        self.with_result(T::clone)
    }

    /// Calls `read` with the result.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result).
    ///
    /// # Panics
    ///
    /// If `read` moves the result out.
    pub fn with_result<R>(&self, read: impl FnOnce(&T) -> R) -> Result<R, TaskError> {
        self.shared.observe();
        match &*self.shared.state.borrow() {
            State::Set(value) => Ok(read(value)),
            State::Pending => Err(InvalidStateError::Pending.into()),
            State::Taken => Err(InvalidStateError::Taken.into()),
            State::Cancelled(error) => Err(error.clone().into()),
        }
    }

    /// Moves the result out.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result).
    pub fn take_result(&self) -> Result<T, TaskError> {
        self.with_result(|_| ())?;
        match self.shared.state.replace(State::Taken) {
            State::Set(value) => Ok(value),
            _ => Err(InvalidStateError::Taken.into()),
        }
    }

    /// Calls `callback` in the turn after the promise is done; in the next turn, if it is.
    ///
    /// Outside a running executor a promise that is done calls it at once.
    #[track_caller]
    pub fn add_done_callback(&self, callback: impl FnOnce(&Promise<T>) + 'static) -> CallbackId {
        let (inherited, added_at) = (Inherited::from_caller(), Location::caller());
        let callback = move |promise: &Promise<T>| inherited.run(|| callback(promise));
        let mut listeners = self.shared.listeners.borrow_mut();
        let id = listeners.push(Listener::Callback((Box::new(callback), added_at)));
        if self.done() {
            let callback = listeners.remove(id);
            drop(listeners);
            if let Some(Listener::Callback(callback)) = callback {
                self.call_soon(callback);
            }
        }
        id
    }

    /// Removes a callback. Returns whether it was there: not called and not on its way.
    pub fn remove_done_callback(&self, id: CallbackId) -> bool {
        let removed = self.shared.listeners.borrow_mut().remove_callback(id);
        removed.is_some()
    }

    fn finish(&self, state: State<T>) {
        *self.shared.state.borrow_mut() = state;
        let _on_cancel = self.shared.on_cancel.take();
        let _waits_on = self.shared.waits_on.take();
        let listeners = self.shared.listeners.borrow_mut().take();
        for listener in listeners {
            match listener {
                Listener::Waker(waker) => waker.wake(),
                Listener::Callback(callback) => self.call_soon(callback),
            }
        }
    }

    fn call_soon(&self, (callback, added_at): DoneCallback<T>) {
        let promise = self.clone();
        let handle = Handle::registered_at(added_at, move || callback(&promise));
        let queued =
            current::with_executor(|executor| executor.ready.push(Entry::Callback(handle.clone())));
        if queued.is_none()
            && let Err(context) = handle.run()
        {
            context.report();
        }
    }
}

impl<T: 'static> Default for Promise<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: fmt::Debug> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.borrow();
        write!(f, "<Promise {}", state.name())?;
        if let State::Set(value) = &*state {
            write!(f, " result={value:?}")?;
        }
        f.write_str(">")
    }
}

impl<T: 'static, E: 'static> Promise<Result<T, E>> {
    /// Sets an `Err` as the result.
    ///
    /// ```
    /// # use ronde_executor::Promise;
    /// let promise = Promise::<Result<(), &str>>::new();
    /// promise.set_exception("no").unwrap();
    /// assert_eq!(promise.result().unwrap(), Err("no"));
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set_result`](Self::set_result).
    pub fn set_exception(&self, error: E) -> Result<(), SetResultError<Result<T, E>>> {
        self.set_result(Err(error))
    }
}

impl<T> Shared<T> {
    fn observe(&self) {
        self.observed.set(true);
    }

    /// A future that waited at `place` is dropped.
    fn forget(self: &Rc<Self>, place: &mut Option<CallbackId>) {
        if let Some(place) = place.take() {
            let removed = self.listeners.borrow_mut().remove(place);
            drop(removed);
            no_longer_waiting_for(self);
        }
    }
}

impl<T: 'static> Shared<T> {
    fn poll_done(self: &Rc<Self>, place: &mut Option<CallbackId>, cx: &Context<'_>) -> Poll<()> {
        if decline(cx) {
            return Poll::Pending;
        }
        if self.is_done() {
            *place = None;
            return Poll::Ready(());
        }
        listen(&self.listeners, place, cx.waker());
        waiting_for(Wait::For(self.clone()));
        Poll::Pending
    }
}

/// A promise whose type of result is forgotten.
pub(crate) trait AnyPromise: Awaited {
    fn is_cancelled(&self) -> bool;
    /// Is the result an `Err`?
    fn has_failed(&self) -> bool;
    /// Looks at the outcome, so that it isn't reported.
    fn look(&self) -> Result<(), TaskError>;
    fn add_callback(self: Rc<Self>, callback: Box<dyn FnOnce(&ChildRef)>) -> CallbackId;
    fn remove_callback(&self, id: CallbackId) -> bool;
    fn poll_done(self: Rc<Self>, place: &mut Option<CallbackId>, cx: &Context<'_>) -> Poll<()>;
    /// A future that waited is dropped.
    fn forget(self: Rc<Self>, place: &mut Option<CallbackId>);
    fn awaited(self: Rc<Self>) -> Rc<dyn Awaited>;
    fn any(self: Rc<Self>) -> Rc<dyn Any>;
}

impl<T: 'static> AnyPromise for Shared<T> {
    fn is_cancelled(&self) -> bool {
        matches!(&*self.state.borrow(), State::Cancelled(_))
    }

    fn has_failed(&self) -> bool {
        matches!(&*self.state.borrow(), State::Set(value) if is_err(value))
    }

    fn look(&self) -> Result<(), TaskError> {
        self.observe();
        match &*self.state.borrow() {
            State::Set(_) | State::Taken => Ok(()),
            State::Pending => Err(InvalidStateError::Pending.into()),
            State::Cancelled(error) => Err(error.clone().into()),
        }
    }

    fn add_callback(self: Rc<Self>, callback: Box<dyn FnOnce(&ChildRef)>) -> CallbackId {
        Promise { shared: self }.add_done_callback(|promise| callback(&promise.into()))
    }

    fn remove_callback(&self, id: CallbackId) -> bool {
        let removed = self.listeners.borrow_mut().remove_callback(id);
        removed.is_some()
    }

    fn poll_done(self: Rc<Self>, place: &mut Option<CallbackId>, cx: &Context<'_>) -> Poll<()> {
        Shared::poll_done(&self, place, cx)
    }

    fn forget(self: Rc<Self>, place: &mut Option<CallbackId>) {
        Shared::forget(&self, place);
    }

    fn awaited(self: Rc<Self>) -> Rc<dyn Awaited> {
        self
    }

    fn any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl<T: 'static> From<&Promise<T>> for ChildRef {
    fn from(promise: &Promise<T>) -> ChildRef {
        ChildRef::of_promise(promise.shared.clone())
    }
}

impl<T: 'static> Awaited for Shared<T> {
    fn is_done(&self) -> bool {
        !matches!(&*self.state.borrow(), State::Pending)
    }

    fn take_cancelled(&self) -> Option<CancelledError> {
        match &*self.state.borrow() {
            State::Cancelled(error) => Some(error.clone()),
            _ => self.cancelled_as.borrow().clone(),
        }
    }

    fn cancel_step(&self, error: &CancelledError) -> CancelStep {
        if self.is_done() {
            return CancelStep::Refused;
        }
        // Not under the borrow: it may set the promise at once.
        let on_cancel = self.on_cancel.borrow().clone();
        match on_cancel {
            Some(on_cancel) => on_cancel(error),
            None => {
                self.request(error);
                CancelStep::Accepted
            }
        }
    }

    fn request(&self, error: &CancelledError) {
        if let Some(shared) = self.this.upgrade() {
            Promise { shared }.set_cancelled(error.clone());
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Promise {}>", self.state.borrow().name())
    }

    fn kind(&self) -> WaitKind {
        WaitKind::Promise
    }

    fn waits_on(&self) -> Vec<Rc<dyn Awaited>> {
        let waits_on = self.waits_on.borrow().clone();
        waits_on.map_or_else(Vec::new, |waits_on| waits_on())
    }
}

impl<T> State<T> {
    fn name(&self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Set(_) | State::Taken => "finished",
            State::Cancelled(_) => "cancelled",
        }
    }
}

impl<T> Drop for Shared<T> {
    /// Reports an `Err` that nobody ever looked at.
    fn drop(&mut self) {
        let failed = matches!(self.state.get_mut(), State::Set(value) if is_err(value));
        if !failed || self.observed.get() {
            return;
        }
        let context = ExceptionContext::new(
            "the failure of a promise was never looked at",
            Failure::Err { type_name: type_name::<T>() },
        );
        current::report(&context);
    }
}

impl<T: 'static> IntoFuture for Promise<T> {
    type Output = Result<T, TaskError>;
    type IntoFuture = JoinPromise<T, T>;

    fn into_future(self) -> JoinPromise<T, T> {
        JoinPromise { promise: self, place: None, take: Promise::take_result }
    }
}

impl<T: Clone + 'static> IntoFuture for &Promise<T> {
    type Output = Result<T, TaskError>;
    type IntoFuture = JoinPromise<T, T>;

    fn into_future(self) -> JoinPromise<T, T> {
        JoinPromise { promise: self.clone(), place: None, take: Promise::result }
    }
}

impl<T: 'static> Promise<T> {
    /// Waits until the promise is done, and looks at nothing.
    ///
    /// # Cancel safety
    ///
    /// **Strict**, as awaiting the promise.
    pub fn wait_done(&self) -> JoinPromise<T, ()> {
        JoinPromise { promise: self.clone(), place: None, take: |_| Ok(()) }
    }
}

/// The future of awaiting a promise.
#[must_use = "futures do nothing unless they are awaited"]
pub struct JoinPromise<T, R> {
    promise: Promise<T>,
    place: Option<CallbackId>,
    /// What is done with the result.
    take: fn(&Promise<T>) -> Result<R, TaskError>,
}

impl<T: 'static, R> Future for JoinPromise<T, R> {
    type Output = Result<R, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(Shared::poll_done(&this.promise.shared, &mut this.place, cx));
        Poll::Ready((this.take)(&this.promise))
    }
}

impl<T, R> Drop for JoinPromise<T, R> {
    fn drop(&mut self) {
        Shared::forget(&self.promise.shared, &mut self.place);
    }
}

impl<T: fmt::Debug, R> fmt::Debug for JoinPromise<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinPromise").field(&self.promise).finish()
    }
}

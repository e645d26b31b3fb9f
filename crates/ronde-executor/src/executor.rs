//! The executor: a ready queue, and the tasks that use it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::{Rc, Weak};
use std::task::Waker;

use ronde_context::executor::provide_current_task;
use slab::Slab;

use crate::batch::{self, Entry, Ready};
use crate::callback::Handle;
use crate::current::{self, Entered};
use crate::error::PanicError;
use crate::failure::{ExceptionContext, Failure};
use crate::instruments::Instruments;
use crate::order::ReadyOrder;
use crate::remote::{Arrival, Remote};
use crate::task::{Task, TaskBuilder, TaskRef};

/// Runs tasks and callbacks on one thread, in the order in which they became ready.
///
/// It never waits: [`run_batch`](Self::run_batch) returns when the batch is done, and a loop around
/// it decides what to do when nothing is ready. See the [crate's documentation](crate).
///
/// Cloning it gives another handle to the same executor. Dropping the last one
/// [closes](Self::close) it. A task that holds a handle to its own executor keeps it alive, and so
/// itself: give it a [`WeakExecutor`], or close the executor by hand.
///
/// # Examples
///
/// ```
/// use ronde_executor::Executor;
///
/// let executor = Executor::new(|| {});
/// let task = executor.spawn(async { "a task" });
/// executor.call_soon(|| println!("a callback"));
/// assert_eq!(executor.run_batch(), 2);
/// assert_eq!(task.result().unwrap(), "a task");
/// ```
#[derive(Clone)]
pub struct Executor {
    pub(crate) shared: Rc<Shared>,
}

/// A handle that doesn't keep the executor alive.
///
/// ```
/// # use ronde_executor::Executor;
/// let executor = Executor::new(|| {});
/// let weak = executor.downgrade();
/// assert!(weak.upgrade().is_some());
/// drop(executor);
/// assert!(weak.upgrade().is_none());
/// ```
#[derive(Clone)]
pub struct WeakExecutor {
    shared: Weak<Shared>,
}

/// Counts for debugging and for tests.
///
/// ```
/// # use ronde_executor::Executor;
/// let executor = Executor::new(|| {});
/// executor.spawn(std::future::pending::<()>()).detach();
/// executor.run_batch();
/// let statistics = executor.statistics();
/// assert_eq!((statistics.tasks, statistics.ready), (1, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Tasks that are not done.
    pub tasks: usize,
    /// Entries in the ready queue.
    pub ready: usize,
    /// Tasks created since the beginning.
    pub created: u64,
}

/// See [`Executor::make_current`].
#[must_use = "the executor is current only while the guard lives"]
pub struct CurrentGuard {
    _entered: Entered,
}

impl fmt::Debug for CurrentGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CurrentGuard")
    }
}

pub(crate) struct Shared {
    pub(crate) ready: Ready,
    pub(crate) order: Cell<Option<Box<dyn ReadyOrder>>>,
    /// Was the order set since the batch began?
    pub(crate) order_is_new: Cell<bool>,
    pub(crate) remote: Remote,
    /// The tasks that are not done. A task keeps its index.
    pub(crate) tasks: RefCell<Slab<TaskRef>>,
    created: Cell<u64>,
    closed: Cell<bool>,
    /// Is a batch being run?
    pub(crate) running: Cell<bool>,
    pub(crate) instruments: Instruments,
    exception_handler: RefCell<Option<ExceptionHandler>>,
    failure_watch: RefCell<Option<ExceptionHandler>>,
}

/// What is called with failures that nobody else sees.
pub type ExceptionHandler = Rc<dyn Fn(&ExceptionContext)>;

impl Executor {
    /// Makes an executor.
    ///
    /// `notify` is called, on any thread, when something arrived from another thread: it should
    /// end whatever wait the loop is in, so that it calls [`drain_remote`](Self::drain_remote).
    pub fn new(notify: impl Fn() + Send + Sync + 'static) -> Self {
        provide_current_task(current::current_awaited);
        Self {
            shared: Rc::new(Shared {
                ready: Ready::default(),
                order: Cell::new(None),
                order_is_new: Cell::new(false),
                remote: Remote::new(Box::new(notify)),
                tasks: RefCell::new(Slab::new()),
                created: Cell::new(0),
                closed: Cell::new(false),
                running: Cell::new(false),
                instruments: Instruments::default(),
                exception_handler: RefCell::new(None),
                failure_watch: RefCell::new(None),
            }),
        }
    }

    /// Starts a task: its first step runs in the next batch, never in here.
    ///
    /// # Panics
    ///
    /// If the executor is closed.
    #[track_caller]
    #[must_use = "dropping a task detaches it: call `detach` to say so"]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        TaskBuilder::new().create_task_on(self, future)
    }

    /// Queues a callback for the next batch.
    ///
    /// A panic in it goes to the [exception handler](Self::set_exception_handler).
    ///
    /// # Panics
    ///
    /// If the executor is closed.
    #[track_caller]
    pub fn call_soon(&self, callback: impl FnOnce() + 'static) -> Handle {
        assert!(!self.is_closed(), "`call_soon` on a closed event loop");
        let handle = Handle::new(callback);
        self.shared.ready.push(Entry::Callback(handle.clone()));
        handle
    }

    /// Queues a callback that exists already: a timer that is due.
    pub fn call_handle(&self, handle: Handle) {
        self.shared.ready.push(Entry::Callback(handle));
    }

    /// Makes a callback without queueing it; [`call_handle`](Self::call_handle) does that.
    #[track_caller]
    pub fn make_handle(&self, callback: impl FnOnce() + 'static) -> Handle {
        Handle::new(callback)
    }

    /// Queues a callback that may run many times: a source that became ready.
    #[track_caller]
    pub fn call_repeated(&self, callback: Rc<dyn Fn()>) {
        self.call_repeated_from(callback, Location::caller());
    }

    /// As [`call_repeated`](Self::call_repeated), of a callback that was registered elsewhere: the place
    /// is for reports of its failure.
    pub fn call_repeated_from(
        &self,
        callback: Rc<dyn Fn()>,
        registered_at: &'static Location<'static>,
    ) {
        self.shared.ready.push(Entry::Repeated(callback, registered_at));
    }

    /// Queues a wake-up: the task runs in the batch after the next.
    pub fn wake_soon(&self, waker: Waker) {
        self.shared.ready.push(Entry::Wake(waker));
    }

    /// Makes this the current executor of the thread while `f` runs.
    ///
    /// Wake-ups from inside `f` go straight to the ready queue.
    ///
    /// ```
    /// # use ronde_executor::{Executor, Promise};
    /// # let executor = Executor::new(|| {});
    /// let promise = Promise::new();
    /// let task = executor.spawn(promise.clone().into_future());
    /// executor.run_batch();
    /// executor.enter(|| promise.set_result(1)).unwrap();
    /// assert_eq!(executor.ready(), 1);
    /// # executor.run_batch();
    /// # assert!(task.done());
    /// ```
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        if current::with_executor(|current| Rc::ptr_eq(current, &self.shared)) == Some(true) {
            return f();
        }
        let _entered = Entered::new(self.shared.clone());
        f()
    }

    /// Makes this the current executor of the thread until the guard is dropped.
    ///
    /// [`enter`](Self::enter) is the better form wherever a closure will do.
    pub fn make_current(&self) -> CurrentGuard {
        CurrentGuard { _entered: Entered::new(self.shared.clone()) }
    }

    /// Sets the order in which the entries of a batch run. `None`, the default, means first in, first out.
    ///
    /// Set during a batch, it counts from the next one on.
    pub fn set_order(&self, order: Option<Box<dyn ReadyOrder>>) {
        self.shared.order_is_new.set(true);
        let _previous = self.shared.order.replace(order);
    }

    /// Runs what is ready now, and nothing that becomes ready meanwhile. Returns how many entries
    /// that were.
    pub fn run_batch(&self) -> usize {
        self.enter(|| batch::run(&self.shared))
    }

    /// Moves what has arrived from other threads to the ready queue.
    pub fn drain_remote(&self) {
        if self.shared.remote.shared.has_arrivals() {
            self.shared.drain_remote();
        }
    }

    /// How many entries are ready.
    pub fn ready(&self) -> usize {
        self.shared.ready.len()
    }

    /// The executor as other threads see it.
    pub fn remote(&self) -> Remote {
        self.shared.remote.clone()
    }

    /// The tasks that are not done, in the order of their creation.
    pub fn all_tasks(&self) -> Vec<TaskRef> {
        let mut tasks: Vec<_> =
            self.shared.tasks.borrow().iter().map(|(_, task)| task.clone()).collect();
        tasks.sort_by_key(TaskRef::id);
        tasks
    }

    /// Counts.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            tasks: self.shared.tasks.borrow().len(),
            ready: self.ready(),
            created: self.shared.created.get(),
        }
    }

    /// Sets what is called with failures that nobody else sees; `None` brings back the default,
    /// [`ExceptionContext::report`].
    ///
    /// A handler that panics is reported itself, and changes nothing else.
    ///
    /// ```
    /// # use ronde_executor::Executor;
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// let executor = Executor::new(|| {});
    /// let failures = Rc::new(RefCell::new(Vec::new()));
    /// let seen = failures.clone();
    /// executor.set_exception_handler(Some(Rc::new(move |context| {
    ///     seen.borrow_mut().push(context.message.clone());
    /// })));
    /// executor.spawn(async { Err::<(), _>("nobody looks") }).detach();
    /// executor.run_batch();
    /// assert_eq!(failures.take(), ["the failure of task 'Task-1' was never looked at"]);
    /// ```
    pub fn set_exception_handler(&self, handler: Option<ExceptionHandler>) {
        let _previous = self.shared.exception_handler.replace(handler);
    }

    /// The handler that was set, if one was.
    pub fn exception_handler(&self) -> Option<ExceptionHandler> {
        self.shared.exception_handler.borrow().clone()
    }

    /// Sets what hears of failures that nobody else sees besides the exception handler, whichever that
    /// is, and after it: for those who end the program.
    pub fn watch_failures(&self, watch: Option<ExceptionHandler>) {
        let _previous = self.shared.failure_watch.replace(watch);
    }

    /// Calls the exception handler.
    pub fn call_exception_handler(&self, context: &ExceptionContext) {
        self.shared.call_exception_handler(context);
    }

    /// Drops all tasks and callbacks, and takes no more. Dropping the last handle does the same.
    ///
    /// The hard end: coroutines are dropped where they are suspended, and nothing in them can wait.
    /// Cancel the tasks and await them first.
    ///
    /// ```
    /// # use ronde_executor::Executor;
    /// let executor = Executor::new(|| {});
    /// let task = executor.spawn(std::future::pending::<()>());
    /// executor.close();
    /// assert!(task.cancelled());
    /// assert!(executor.remote().call_soon_threadsafe(|| {}).is_err());
    /// ```
    ///
    /// # Panics
    ///
    /// If called from inside [`run_batch`](Self::run_batch).
    pub fn close(&self) {
        self.shared.close();
    }

    /// Was it closed?
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// A handle that doesn't keep the executor alive.
    pub fn downgrade(&self) -> WeakExecutor {
        WeakExecutor { shared: Rc::downgrade(&self.shared) }
    }
}

impl WeakExecutor {
    /// The executor, if it is still there.
    pub fn upgrade(&self) -> Option<Executor> {
        self.shared.upgrade().map(|shared| Executor { shared })
    }
}

impl Shared {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    pub(crate) fn next_task_number(&self) -> u64 {
        let number = self.created.get() + 1;
        self.created.set(number);
        number
    }

    pub(crate) fn call_exception_handler(&self, context: &ExceptionContext) {
        let handler = self.exception_handler.borrow().clone();
        match handler {
            None => context.report(),
            Some(handler) => call_handler(&handler, context),
        }
        let watch = self.failure_watch.borrow().clone();
        if let Some(watch) = watch {
            call_handler(&watch, context);
        }
    }

    fn drain_remote(&self) {
        for arrival in self.remote.shared.arrivals() {
            match arrival {
                Arrival::Step(step) => self.ready.push_step(ManuallyDrop::into_inner(step)),
                Arrival::Call(call) => {
                    let handle = Handle::registered_at(call.created_at, || call.run());
                    self.ready.push(Entry::Callback(handle));
                }
            }
        }
    }

    fn close(self: &Rc<Self>) {
        assert!(!self.running.get(), "an event loop was closed from inside itself");
        if !self.closed.replace(true) {
            let _entered = Entered::new(self.clone());
            self.shut_down();
        }
    }

    fn shut_down(&self) {
        self.remote.close();
        loop {
            let tasks: Vec<TaskRef> = {
                let tasks = self.tasks.borrow();
                tasks.iter().map(|(_, task)| task.clone()).filter(|task| !task.done()).collect()
            };
            if tasks.is_empty() {
                break;
            }
            for task in &tasks {
                task.abandon();
            }
            // An abandoned task drops its coroutine at its next step. The step is in our queue, or
            // in the remote one, or another thread is just about to push it there: then we wait
            // for it. Destructors may have created something new, hence the loop.
            self.drain_remote();
            if self.discard() == 0 {
                std::thread::yield_now();
            }
        }
        self.drain_remote();
        while self.discard() > 0 {}
    }

    /// Empties the ready queue: steps run (to drop their coroutines), callbacks don't.
    fn discard(&self) -> usize {
        let count = self.ready.len();
        for entry in self.ready.drain() {
            let discarded = catch_unwind(AssertUnwindSafe(|| match entry {
                Ok(step) => drop(step.run()),
                Err(Entry::Callback(handle)) => handle.cancel(),
                Err(Entry::Wake(_) | Entry::Repeated(..)) => {}
            }));
            if let Err(panic) = discarded {
                let failure = Failure::Panic(PanicError::of(panic));
                let message = "a callback panicked while the event loop was closed";
                self.call_exception_handler(&ExceptionContext::new(message, failure));
            }
        }
        count
    }
}

fn call_handler(handler: &ExceptionHandler, context: &ExceptionContext) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| handler(context))) {
        context.report();
        let failure = Failure::Panic(PanicError::of(panic));
        ExceptionContext::new("the exception handler panicked", failure).report();
    }
}

impl Drop for Shared {
    /// The last handle is gone. Tasks and their wakers keep one another, so they must be ended.
    fn drop(&mut self) {
        if !self.closed.replace(true) {
            self.shut_down();
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}

impl fmt::Debug for WeakExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakExecutor")
    }
}

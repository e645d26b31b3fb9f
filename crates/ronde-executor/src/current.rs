//! What runs on this thread right now: the executor, and the task.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::{Rc, Weak};

use ronde_context::Awaited;

use crate::executor::Shared;
use crate::failure::ExceptionContext;
use crate::task::TaskRef;

struct Current {
    executor: RefCell<Option<Rc<Shared>>>,
    /// Swapped twice at every step, hence a `Cell`. Whoever looks takes it out meanwhile, and runs no
    /// code of others.
    task: Cell<Option<TaskRef>>,
}

thread_local! {
    // Never dropped, so that it can be used while the thread ends: destructors of other thread-local
    // values may wake tasks, and even drop executors. Between batches there is nothing in it.
    static CURRENT: ManuallyDrop<Current> = const {
        ManuallyDrop::new(Current { executor: RefCell::new(None), task: Cell::new(None) })
    };
}

/// Calls `f` with the executor that is current on this thread, if there is one.
pub(crate) fn with_executor<R>(f: impl FnOnce(&Rc<Shared>) -> R) -> Option<R> {
    CURRENT.with(|current| current.executor.borrow().as_ref().map(f))
}

/// Sends a failure to the exception handler of the current executor, if there is one.
pub(crate) fn report(context: &ExceptionContext) {
    match with_executor(Rc::clone) {
        Some(executor) => executor.call_exception_handler(context),
        None => context.report(),
    }
}

/// The task that runs on this thread right now, or `None`, as in a callback.
///
/// # In asyncio
///
/// `asyncio.current_task`.
///
/// # Examples
///
/// ```
/// use ronde_executor::{Executor, current_task};
///
/// let executor = Executor::new(|| {});
/// let task = executor.spawn(async { current_task().unwrap().name().to_string() });
/// executor.run_batch();
/// assert_eq!(task.result().unwrap(), "Task-1");
/// assert!(current_task().is_none());
/// ```
pub fn current_task() -> Option<TaskRef> {
    with_task(|task| task.cloned())
}

/// The current task as [`ronde_context::current_task`] gives it.
pub(crate) fn current_awaited() -> Option<Weak<dyn Awaited>> {
    with_task(|task| task.map(TaskRef::downgrade))
}

/// The number of the task that runs right now, if it is one of `executor`, else zero.
#[inline]
pub(crate) fn current_number(executor: &Rc<Shared>) -> u64 {
    with_task(|task| match task.map(TaskRef::header) {
        Some(header) if header.executor.as_ptr() == Rc::as_ptr(executor) => header.number,
        _ => 0,
    })
}

pub(crate) fn is_current_task(is_it: impl FnOnce(&TaskRef) -> bool) -> bool {
    with_task(|task| task.is_some_and(is_it))
}

/// Makes `task` the current one (or none), and leaves there the one that was.
#[inline]
pub(crate) fn swap_task(task: &mut Option<TaskRef>) {
    CURRENT.with(|current| *task = current.task.replace(task.take()));
}

#[inline]
fn with_task<R>(look: impl FnOnce(Option<&TaskRef>) -> R) -> R {
    CURRENT.with(|current| {
        let task = current.task.take();
        let seen = look(task.as_ref());
        // `set` would have to look whether there is something to drop; there is not.
        std::mem::forget(current.task.replace(task));
        seen
    })
}

/// While it lives, `executor` is the current one.
pub(crate) struct Entered {
    previous: Option<Rc<Shared>>,
}

impl Entered {
    pub(crate) fn new(executor: Rc<Shared>) -> Self {
        Self { previous: replace_executor(Some(executor)) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // The executor may be dropped here, and its tasks with it: not under the borrow.
        let _last = replace_executor(self.previous.take());
    }
}

fn replace_executor(executor: Option<Rc<Shared>>) -> Option<Rc<Shared>> {
    CURRENT.with(|current| current.executor.replace(executor))
}

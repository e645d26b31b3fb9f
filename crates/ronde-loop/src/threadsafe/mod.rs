//! Coroutines that another thread hands to a loop.

mod completer;
mod error;
mod join;
mod shared;
mod task;

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::panic::Location;

use ronde_context::CancelledError;
use ronde_executor::{ClosedError, Remote, TaskBuilder, TaskId, TaskRef};

pub use error::RemoteTaskError;
pub use join::JoinRemote;
pub use task::RemoteTask;

use crate::running::with_running;
use completer::Completer;
use shared::Shared;

/// Runs a coroutine on a loop, from another thread.
///
/// `make` is sent to the loop's thread and makes the future there, so that the future need not be `Send`. It
/// becomes a task of that loop, in a copy of the caller's [context](ronde_context::Context). What comes of
/// it goes through the [`RemoteTask`], which any thread can block on or await.
///
/// # Errors
///
/// [`ClosedError`] if the loop is closed. `make` is dropped uncalled then. If the loop is closed later, the
/// handle says so, as [`RemoteTaskError::Closed`].
///
/// # In asyncio
///
/// `asyncio.run_coroutine_threadsafe`.
///
/// # Examples
///
/// ```
/// use ronde_loop::{EventLoop, get_running_loop, run_coroutine_threadsafe};
/// use std::{rc::Rc, thread};
///
/// let event_loop = EventLoop::new()?;
/// let remote = event_loop.remote();
/// let thread = thread::spawn(move || {
///     let task = run_coroutine_threadsafe(&remote, || async {
///         let not_send = Rc::new(6);
///         ronde_loop::yield_now().await;
///         *not_send * 7
///     });
///     let answer = task.unwrap().result(None);
///     remote.call_soon_threadsafe(|| get_running_loop().unwrap().stop()).unwrap();
///     answer
/// });
/// event_loop.run_forever()?;
/// assert_eq!(thread.join().unwrap().unwrap(), 42);
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[track_caller]
pub fn run_coroutine_threadsafe<M, F>(
    remote: &Remote,
    make: M,
) -> Result<RemoteTask<F::Output>, ClosedError>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
    F::Output: Send + 'static,
{
    let caller = Location::caller();
    let start = Box::new(move || TaskBuilder::new().created_at(caller).create_task(make()));
    let shared = Shared::new(remote.clone(), start);
    let completer = Completer::new(shared.clone());
    remote.call_soon_threadsafe(move || completer.start())?;
    // A loop that was being closed meanwhile may have left the call where it is.
    if let Err(closed) = remote.check_open()
        && shared.withdraw()
    {
        return Err(closed);
    }
    Ok(RemoteTask::new(shared))
}

/// The tasks of a loop that other threads may cancel. They know them by number: a [`TaskRef`] can't leave
/// its thread.
#[derive(Debug, Default)]
pub(crate) struct RemoteTasks {
    tasks: RefCell<HashMap<TaskId, TaskRef>>,
}

impl RemoteTasks {
    pub(crate) fn close(&self) {
        let _tasks = self.tasks.take();
    }
}

/// The running loop is to know `task` until it is done.
fn remember(task: &TaskRef) {
    with_running(|event_loop| {
        event_loop.remote_tasks.tasks.borrow_mut().insert(task.id(), task.clone())
    });
}

fn forget(task: &TaskRef) {
    // Dropped outside of the borrows.
    let _task =
        with_running(|event_loop| event_loop.remote_tasks.tasks.borrow_mut().remove(&task.id()));
}

/// Cancels a task of the running loop, unless it is done.
fn cancel(id: TaskId, error: CancelledError) {
    let task = with_running(|event_loop| event_loop.remote_tasks.tasks.borrow().get(&id).cloned());
    if let Some(task) = task.flatten() {
        task.cancel_with(error);
    }
}

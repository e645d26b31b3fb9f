//! The one door to `async-task`: makes the allocation of a task and the wakers to it.
#![allow(unsafe_code)]

use std::future::Future;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::Waker;

use crate::current::{self, Entered};
use crate::executor::Shared;
use crate::remote::{self, Arrival};
use crate::sync::Arc;

/// A step of a task that is about to be made. Only the executor's own thread may run or drop it.
///
/// The metadata says whose step it is. It isn't captured by the schedule function, because a
/// function that captures something costs a temporary waker for each of its calls.
pub(crate) type Runnable = async_task::Runnable<Arc<remote::Shared>>;

/// Allocates `future` as a task of `executor` and queues its first step. What wakes it is given to
/// `set_waker`.
///
/// The task is detached: what becomes of its future is up to the future itself.
#[inline]
pub(crate) fn spawn(
    executor: &Rc<Shared>,
    future: impl Future<Output = ()> + 'static,
    set_waker: impl FnOnce(Waker),
) {
    let step = first_step(executor, future);
    set_waker(step.waker());
    executor.ready.push_step(step);
}

/// As [`spawn`], but runs the first step at once.
pub(crate) fn run(
    executor: &Rc<Shared>,
    future: impl Future<Output = ()> + 'static,
    set_waker: impl FnOnce(Waker),
) {
    // Wake-ups from inside the step belong into this queue.
    let _entered = Entered::new(executor.clone());
    let step = first_step(executor, future);
    set_waker(step.waker());
    step.run();
}

#[inline(always)] // It is behind both doors, and small; a call of it costs as much as it does.
fn first_step(executor: &Rc<Shared>, future: impl Future<Output = ()> + 'static) -> Runnable {
    let builder = async_task::Builder::new().metadata(executor.remote.shared.clone());
    // SAFETY: `spawn_unchecked` asks for four things.
    // 1. The future isn't `Send`, so the runnable must be run and dropped on this thread only. This
    //    is the executor's own thread, as we have an `Rc` of it, and that never changes. The first
    //    runnable is returned to this file's `spawn` and `run`, which are on this thread as well: it
    //    is run at once, or goes where `schedule` puts the later ones. That is one of two places:
    //    - In a ready queue: that is inside an `Rc`, which stays on its thread. (An executor that
    //      is forgotten leaks its queue.)
    //    - In a remote queue, which any thread may push to and any thread may be the last to drop.
    //      Only the executor's own thread takes runnables out of it (`Shared::drain_remote`). Those
    //      that are still in it when it is dropped are leaked (`ManuallyDrop`).
    //    Wakers that are dropped elsewhere drop no future: the task's record keeps a waker until
    //    the task is done, and then `async-task` has dropped the future already.
    // 2. The future is `'static`, so it borrows nothing.
    // 3. `schedule` is `Send` and `Sync`, so wakers may be used on any thread: it is a function.
    //    The metadata, which they may drop on any thread, is an `Arc` of a type that is both, which
    //    the assertion below checks.
    // 4. `schedule` is `'static`.
    let (runnable, task) = unsafe { builder.spawn_unchecked(|_| future, schedule) };
    task.detach();
    runnable
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Arc<remote::Shared>>();
};

/// Queues a step: on this thread if the executor runs here, else by way of the remote queue.
fn schedule(runnable: Runnable) {
    let mut runnable = Some(runnable);
    current::with_executor(|executor| {
        let ours = |step: &mut Runnable| Arc::ptr_eq(&executor.remote.shared, step.metadata());
        if let Some(step) = runnable.take_if(ours) {
            executor.ready.push_step(step);
        }
    });
    if let Some(runnable) = runnable {
        // Of our own, as the step may be run, and its task be gone, before `push` is done.
        let remote = runnable.metadata().clone();
        remote.push(Arrival::Step(ManuallyDrop::new(runnable)));
    }
}

//! The one door to `async-task`: makes the allocation of a task and the wakers to it.
#![allow(unsafe_code)]

use std::future::Future;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use crate::batch::Entry;
use crate::current;
use crate::executor::Shared;
use crate::remote::{self, Arrival};

/// A step of a task that is about to be made. Only the executor's own thread may run or drop it.
pub(crate) type Runnable = async_task::Runnable;

/// Allocates `future` as a task of `executor` and queues its first step. Returns what wakes it.
///
/// The task is detached: what becomes of its future is up to the future itself.
pub(crate) fn spawn(executor: &Rc<Shared>, future: impl Future<Output = ()> + 'static) -> Waker {
    let remote = executor.remote.shared.clone();
    let schedule = move |runnable| schedule(&remote, runnable);
    // SAFETY: `spawn_unchecked` asks for four things.
    // 1. The future isn't `Send`, so the runnable must be run and dropped on this thread only. This
    //    is the executor's own thread, as we have an `Rc` of it, and that never changes. A runnable
    //    exists in two places, where this function and `schedule` put it:
    //    - In a ready queue: that is inside an `Rc`, which stays on its thread. (An executor that
    //      is forgotten leaks its queue.)
    //    - In a remote queue, which any thread may push to and any thread may be the last to drop.
    //      Only the executor's own thread takes runnables out of it (`Shared::drain_remote`). Those
    //      that are still in it when it is dropped are leaked (`ManuallyDrop`).
    //    Wakers that are dropped elsewhere drop no future: the task's record keeps a waker until
    //    the task is done, and then `async-task` has dropped the future already.
    // 2. The future is `'static`, so it borrows nothing.
    // 3. `schedule` is `Send` and `Sync`, so wakers may be used on any thread: it holds an `Arc` of
    //    a type that is both, which the assertion below checks.
    // 4. `schedule` is `'static`.
    let (runnable, task) = unsafe { async_task::spawn_unchecked(future, schedule) };
    task.detach();
    let waker = runnable.waker();
    executor.ready.push(Entry::Step(runnable));
    waker
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Arc<remote::Shared>>();
};

/// Queues a step: on this thread if the executor runs here, else by way of the remote queue.
fn schedule(remote: &Arc<remote::Shared>, runnable: Runnable) {
    let mut runnable = Some(runnable);
    current::with_executor(|executor| {
        if Arc::ptr_eq(&executor.remote.shared, remote)
            && let Some(runnable) = runnable.take()
        {
            executor.ready.push(Entry::Step(runnable));
        }
    });
    if let Some(runnable) = runnable {
        remote.push(Arrival::Step(ManuallyDrop::new(runnable)));
    }
}

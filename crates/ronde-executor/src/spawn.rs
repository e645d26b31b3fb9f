//! The one door to `async-task`: makes the allocation of a task and the wakers to it.
#![allow(unsafe_code)]

use std::future::Future;
use std::sync::Arc;

use crate::batch::Entry;
use crate::current;
use crate::remote::{self, Arrival};

pub(crate) type Runnable = async_task::Runnable;

/// Allocates `future`. The runnable is its first step, and isn't queued yet.
///
/// The task is detached: what becomes of its future is up to the future itself.
pub(crate) fn spawn(
    remote: Arc<remote::Shared>,
    future: impl Future<Output = ()> + 'static,
) -> Runnable {
    let schedule = move |runnable| schedule(&remote, runnable);
    // SAFETY: `spawn_unchecked` asks for four things.
    // 1. The future isn't `Send`, so the runnable must be run and dropped on this thread only. A
    //    runnable exists in three places. Here, at first: the caller queues it on this thread's
    //    executor. In a ready queue: that is inside an `Rc`, which stays on its thread. In a remote
    //    queue: only the executor's own thread takes runnables out of it (`Shared::arrivals`), and
    //    those that are still in it when it is dropped, on whichever thread, are leaked
    //    (`ManuallyDrop`). Which thread is "its own" never changes, as the executor is `!Send`.
    // 2. The future is `'static`, so it borrows nothing.
    // 3. `schedule` is `Send` and `Sync`, so wakers may be used on any thread: it holds an `Arc` of
    //    a type that is both, which the assertion below checks.
    // 4. `schedule` is `'static`.
    let (runnable, task) = unsafe { async_task::spawn_unchecked(future, schedule) };
    task.detach();
    runnable
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
        remote.push(Arrival::Step(runnable));
    }
}

//! The loop's end of a task that another thread has sent.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ronde_executor::{PanicError, TaskError, TaskRef};

use super::error::RemoteTaskError;
use super::shared::Shared;

/// Starts the task and finishes it. If it is dropped, nothing will come any more: the loop was closed.
pub(super) struct Completer<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Completer<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }
}

impl<T: 'static> Completer<T> {
    /// Makes the future and starts its task. On the loop's thread.
    pub(super) fn start(self) {
        let Some(start) = self.shared.begin() else { return };
        let task = match catch_unwind(AssertUnwindSafe(start)) {
            Ok(task) => task,
            Err(panic) => {
                let panic = RemoteTaskError::Panicked(PanicError::of(panic));
                return self.shared.finish(Err(panic), Some("(not made)".to_owned()));
            }
        };
        super::remember(&task);
        if let Some(error) = self.shared.begun(task.id()) {
            task.cancel_with(error);
        }
        let at_end = AtEnd { task: TaskRef::from(&task), completer: self };
        task.add_done_callback(move |_| at_end.run());
    }

    fn done(&self, task: &TaskRef) {
        let Some(typed) = task.downcast::<T>() else { return };
        let failed = task.failed().then(|| task.name().to_string());
        self.shared.finish(typed.take_result().map_err(of_task), failed);
    }
}

fn of_task(error: TaskError) -> RemoteTaskError {
    match error {
        TaskError::Cancelled(error) => RemoteTaskError::Cancelled(error),
        TaskError::Panicked(panic) => RemoteTaskError::Panicked(panic),
        // Somebody found the task in the list of all tasks and was quicker.
        _ => RemoteTaskError::Taken,
    }
}

impl<T> Drop for Completer<T> {
    fn drop(&mut self) {
        self.shared.finish(Err(RemoteTaskError::Closed), None);
    }
}

/// The done callback of the task.
struct AtEnd<T: 'static> {
    completer: Completer<T>,
    task: TaskRef,
}

impl<T> AtEnd<T> {
    fn run(self) {
        super::forget(&self.task);
        self.completer.done(&self.task);
    }
}

impl<T> Drop for AtEnd<T> {
    /// A loop that is closed right after the end of the task doesn't call it any more. The result is
    /// there all the same. A cancellation isn't taken for one: the loop has dropped the task.
    fn drop(&mut self) {
        if self.task.done() && !self.task.cancelled() {
            self.completer.done(&self.task);
        }
    }
}

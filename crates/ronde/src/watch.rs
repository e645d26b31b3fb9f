//! Watching over several tasks: what `gather`, `wait`, `as_completed` and `shield` have in common.

use std::fmt;

use ronde_loop::{CallbackId, TaskRef};

/// Calls a function for each of several tasks when it is done, through the loop, until dropped.
pub(crate) struct Watch {
    callbacks: Vec<(TaskRef, CallbackId)>,
}

impl Watch {
    /// `done` gets the place of the task among `tasks`.
    pub(crate) fn start(
        tasks: impl IntoIterator<Item = TaskRef>,
        done: impl Fn(usize, &TaskRef) + Clone + 'static,
    ) -> Self {
        let watch = |(index, task): (usize, TaskRef)| {
            let done = done.clone();
            let id = task.add_done_callback(move |task| done(index, task));
            (task, id)
        };
        Self { callbacks: tasks.into_iter().enumerate().map(watch).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.callbacks.len()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for (task, id) in &self.callbacks {
            task.remove_done_callback(*id);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.callbacks.iter().map(|(task, _)| task)).finish()
    }
}

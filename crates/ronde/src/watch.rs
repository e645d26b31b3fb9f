//! Watching over several tasks and promises: what `gather`, `wait`, `as_completed` and `shield` have in
//! common.

use std::fmt;

use ronde_loop::{CallbackId, ChildRef};

/// Calls a function for each of several children when it is done, through the loop, until dropped.
pub(crate) struct Watch {
    callbacks: Vec<(ChildRef, CallbackId)>,
}

impl Watch {
    /// `done` gets the place of the child among `children`.
    pub(crate) fn start(
        children: impl IntoIterator<Item = ChildRef>,
        done: impl Fn(usize, &ChildRef) + Clone + 'static,
    ) -> Self {
        Self::start_some(children.into_iter().enumerate(), done)
    }

    /// `done` gets the place that each child comes with.
    pub(crate) fn start_some(
        children: impl IntoIterator<Item = (usize, ChildRef)>,
        done: impl Fn(usize, &ChildRef) + Clone + 'static,
    ) -> Self {
        let watch = |(index, child): (usize, ChildRef)| {
            let done = done.clone();
            let id = child.add_done_callback(move |child| done(index, child));
            (child, id)
        };
        Self { callbacks: children.into_iter().map(watch).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.callbacks.len()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for (child, id) in &self.callbacks {
            child.remove_done_callback(*id);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.callbacks.iter().map(|(child, _)| child)).finish()
    }
}

//! What becomes of failures that nobody looks at.

use std::cell::RefCell;
use std::rc::Rc;

use ronde_context::{CancelledError, Origin};
use ronde_loop::{ExceptionContext, Failure, LoopHandle, TaskRef, UnobservedFailure};

use crate::group::TaskFailure;

/// What a [`Runner`](crate::Runner) does when something fails that nobody looks at: a task whose
/// outcome, an `Err` or a panic, is dropped unseen, or a callback that panics.
///
/// See [`RunnerBuilder::on_unobserved_failure`](crate::RunnerBuilder::on_unobserved_failure).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// Reports it through the loop's exception handler, and goes on.
    #[default]
    Report,
    /// Reports it, cancels the main task, and makes `run` return
    /// [`RunError::UnobservedFailure`](crate::RunError::UnobservedFailure), in the orderly way: when
    /// all that was left has been cancelled and has cleaned up.
    EndProgram,
}

/// Remembers the first failure that nobody looked at, and ends the main task because of it.
#[derive(Clone, Default)]
pub(crate) struct Failures {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    first: RefCell<Option<UnobservedFailure>>,
    main: RefCell<Option<TaskRef>>,
}

impl Failures {
    /// Begins to watch over a loop.
    pub(crate) fn watch(event_loop: &LoopHandle) -> Self {
        let failures = Self::default();
        let (shared, remote) = (failures.shared.clone(), event_loop.remote());
        event_loop.watch_failures(Some(Rc::new(move |context: &ExceptionContext| {
            // What the loop meets while it works for somebody, an `accept` that fails, is dealt with.
            let is_dealt_with = match &context.failure {
                Failure::Error(error) => !error.is::<TaskFailure>(),
                _ => false,
            };
            if is_dealt_with || shared.first.borrow().is_some() {
                return;
            }
            shared.first.replace(Some(UnobservedFailure::of(context)));
            if remote.is_closed() {
                return;
            }
            // This may be called from any destructor: not from in here.
            let main = shared.main.borrow().clone();
            if let (Some(main), Ok(event_loop)) = (main, ronde_loop::get_running_loop()) {
                event_loop.call_soon(move || {
                    let why = CancelledError::new("a failure that nobody looked at");
                    main.cancel_with(why.with_origin(Origin::Shutdown));
                });
            }
        })));
        failures
    }

    /// The task to cancel.
    pub(crate) fn set_main(&self, main: Option<TaskRef>) {
        let _previous = self.shared.main.replace(main);
    }

    /// The first failure, once.
    pub(crate) fn take(&self) -> Option<UnobservedFailure> {
        self.shared.first.borrow_mut().take()
    }
}

//! Cancelling a task: where the request goes, and when it is delivered.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use ronde_context::executor::withdraw;
use ronde_context::{Awaited, CancelStep, CancelledError, Origin, Wait, WaitKind, cancel};

use super::record::{FORWARDED, Header, REQUESTED, Record, STICKY, State};
use super::reference::TaskRef;
use crate::current::{self, Entered};
use crate::error::TaskError;

impl<T: 'static> Awaited for Record<T> {
    fn is_done(&self) -> bool {
        self.header.is_done()
    }

    fn take_cancelled(&self) -> Option<CancelledError> {
        if self.header.state.get() != State::Cancelled {
            return None;
        }
        match self.header.take_error() {
            Some(TaskError::Cancelled(error)) => Some(error),
            _ => None,
        }
    }

    fn cancel_step(&self, error: &CancelledError) -> CancelStep {
        self.header.cancel_step(error)
    }

    fn request(&self, error: &CancelledError) {
        self.header.request(error);
    }

    fn cancelling(&self) -> u32 {
        self.header.cancelling.get()
    }

    fn cancelling_scopes(&self) -> u32 {
        self.header.cancelling_scopes.get()
    }

    fn count_scope(&self, cancelled: bool) {
        let scopes = &self.header.cancelling_scopes;
        if cancelled {
            scopes.set(scopes.get() + 1);
            self.header.count_request();
        } else {
            scopes.set(scopes.get().saturating_sub(1));
            self.header.uncancel();
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Task '{}'>", self.header.name())
    }

    fn kind(&self) -> WaitKind {
        WaitKind::Task
    }

    fn waits_on(&self) -> Vec<Rc<dyn Awaited>> {
        let waiting = self.header.waiting.borrow().clone();
        waiting.map_or_else(Vec::new, |wait| wait.waits_on())
    }

    fn task(self: Rc<Self>) -> Option<Rc<dyn Any>> {
        Some(Rc::new(TaskRef::new(self)))
    }
}

impl Header {
    fn cancel_step(&self, error: &CancelledError) -> CancelStep {
        if self.is_done() {
            return CancelStep::Refused;
        }
        self.count_request();
        if error.origin() == Origin::Shutdown && self.is_to_be_cancelled() {
            // The end of a program cancels every task that is left. In a chain of tasks that await
            // each other each would walk the rest of it again, to ask for what is asked for already.
            return CancelStep::Accepted;
        }
        match self.cancellable_wait() {
            Some(target) => {
                self.forward(error);
                CancelStep::Forward(target)
            }
            None => {
                self.request(error);
                CancelStep::Accepted
            }
        }
    }

    fn count_request(&self) {
        self.cancelling.set(self.cancelling.get().saturating_add(1));
    }

    /// Takes one request back, and returns how many are left. With the last one goes what has not been
    /// delivered.
    pub(super) fn uncancel(&self) -> u32 {
        let left = self.cancelling.get().saturating_sub(1);
        self.cancelling.set(left);
        if left == 0 {
            self.withdraw();
            if current::is_current_task(|current| std::ptr::eq(current.header(), self)) {
                withdraw();
            }
        }
        left
    }

    /// Is a cancellation under way to the task: asked for, or to come back from what it waits for?
    fn is_to_be_cancelled(&self) -> bool {
        self.flags.any(REQUESTED)
            || (self.flags.any(FORWARDED) && self.cancellable_wait().is_some())
    }

    /// What the task waits for, if that can be cancelled in its stead.
    ///
    /// "Not done" matters: if it is done, the task's wake-up is on its way, and the cancellation is
    /// the task's own. While the task is running, it waits for nothing.
    fn cancellable_wait(&self) -> Option<Rc<dyn Awaited>> {
        let target = self.waiting.borrow().as_ref().and_then(Wait::target).cloned();
        target.filter(|target| !target.is_done())
    }

    /// The cancellation goes to what the task waits for, and is to come back through that.
    fn forward(&self, error: &CancelledError) {
        self.flags.set(FORWARDED);
        if !self.flags.any(REQUESTED) {
            *self.requested.borrow_mut() = Some(error.clone());
        }
    }

    /// Leaves the request with the task, and wakes it.
    pub(super) fn request(&self, error: &CancelledError) {
        let was_waiting = self.cancel_entry();
        if !self.flags.any(STICKY) {
            *self.requested.borrow_mut() = Some(error.clone());
            self.flags.set(REQUESTED);
        }
        // The request of a task that is being polled is delivered when it suspends.
        let running = current::is_current_task(|task| std::ptr::eq(task.header(), self));
        if !running && (self.wake() || was_waiting) {
            self.flags.set(STICKY);
        }
    }

    /// Marks the wait list's entry that the task waits in, and so wakes the task. Returns whether the
    /// entry was still waiting: no wake-up was on its way. While the task is running, it waits for
    /// nothing.
    fn cancel_entry(&self) -> bool {
        let entry = match &*self.waiting.borrow() {
            Some(Wait::Entry(entry)) => entry.clone(),
            _ => return false,
        };
        let _entered = self.executor.upgrade().map(Entered::new);
        entry.cancel()
    }

    /// Wakes the task. Returns whether it was asleep: no wake-up was on its way.
    fn wake(&self) -> bool {
        let waker = self.waker.borrow().clone();
        let (Some(waker), Some(executor)) = (waker, self.executor.upgrade()) else { return false };
        // Entered, so that the wake-up goes to this queue, where it can be seen.
        let _entered = Entered::new(executor.clone());
        let before = executor.ready.len();
        waker.wake();
        executor.ready.len() > before
    }

    /// The cancellation to deliver at the step that begins now. `waited` is what the task has been
    /// suspended on.
    pub(super) fn take_due(&self, waited: Option<&Wait>) -> Option<CancelledError> {
        let passed_on = !self.flags.any(REQUESTED);
        let requested = self.requested.take();
        self.flags.clear(REQUESTED | STICKY | FORWARDED);
        // If what the task waited for is itself cancelled, that is the error which arrives. It is the
        // task's own all the same, also if a scope in here has cancelled the same thing since.
        let target = waited.and_then(Wait::target);
        let origin = requested.as_ref().map_or(Origin::Request, CancelledError::origin);
        let through = target.and_then(|target| target.take_cancelled());
        let through = through.map(|error| error.with_origin(origin));
        if through.is_some() || !passed_on {
            return through.or(requested);
        }
        // Polled for another reason, while the cancellation is on its way? Else what the task waits
        // for has swallowed it, and there is nothing to deliver.
        if let Some(error) = requested
            && target.is_some_and(|target| !target.is_done())
        {
            self.forward(&error);
        }
        None
    }

    /// A cancellation that was passed on stays so only while the task waits for the same thing. If
    /// it has given that up, nothing brings the cancellation back: then it is the task's own.
    pub(super) fn check_forwarded(&self, waited: Option<&Wait>) {
        if self.flags.any(REQUESTED) || !self.flags.any(FORWARDED) {
            return;
        }
        let waiting = self.waiting.borrow().clone();
        let now = waiting.as_ref().and_then(Wait::target);
        match waited.and_then(Wait::target) {
            Some(before) if now.is_some_and(|now| Rc::ptr_eq(now, before)) => {}
            Some(before) if !before.is_done() && self.requested.borrow().is_some() => {
                self.flags.clear(FORWARDED);
                self.flags.set(REQUESTED);
            }
            _ => self.flags.clear(FORWARDED),
        }
    }

    /// Takes the task's own request, if it has one.
    pub(super) fn take_request(&self) -> Option<CancelledError> {
        if self.flags.any(REQUESTED) { self.requested.take() } else { None }
    }

    /// A request that was made while the task ran, now that it suspends. Returns whether the task
    /// must be woken to take it: else what the task waits for has been cancelled.
    pub(super) fn deliver_at_suspension(&self) -> bool {
        let Some(target) = self.cancellable_wait() else {
            // As if the request had been made now that it waits: it stands.
            let waits_for_a_leaf = self.waiting.borrow().as_ref().is_some_and(Wait::is_leaf);
            if self.cancel_entry() || waits_for_a_leaf {
                self.flags.set(STICKY);
            }
            return true;
        };
        let Some(error) = self.requested.borrow().clone() else { return false };
        if !cancel(target, &error) {
            return true;
        }
        self.flags.clear(REQUESTED | STICKY);
        self.forward(&error);
        false
    }

    /// Takes a request back that has not been delivered. One that stands can't be.
    fn withdraw(&self) {
        if !self.flags.any(STICKY) {
            self.requested.take();
            self.flags.clear(REQUESTED);
        }
    }
}

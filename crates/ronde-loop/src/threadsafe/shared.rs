//! What the two ends of a task on another loop share.

use std::any::type_name;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use ronde_context::CancelledError;
use ronde_executor::{ExceptionContext, Failure, PanicError, Remote, Task, TaskId};

use super::error::RemoteTaskError;
use crate::running::get_running_loop;

pub(super) type Start<T> = Box<dyn FnOnce() -> Task<T> + Send>;
type Callback<T> = Box<dyn FnOnce(Arc<Shared<T>>) + Send>;
pub(super) type Outcome<T> = Result<T, RemoteTaskError>;

/// No code of a user's runs while the lock is held: no waker, no callback, no destructor.
pub(super) struct Shared<T> {
    remote: Remote,
    inner: Mutex<Inner<T>>,
    done: Condvar,
}

struct Inner<T> {
    state: State<T>,
    wakers: BTreeMap<u64, Waker>,
    next_place: u64,
    callbacks: Vec<Callback<T>>,
    /// The name of the task, if it has failed and nobody has looked.
    unseen_failure_of: Option<String>,
}

enum State<T> {
    /// On its way to the loop.
    Queued(Start<T>),
    /// The future is being made.
    Starting {
        cancelled: Option<CancelledError>,
    },
    Running(TaskId),
    Done(Outcome<T>),
}

impl<T> Shared<T> {
    pub(super) fn new(remote: Remote, start: Start<T>) -> Arc<Self> {
        Arc::new(Self {
            remote,
            inner: Mutex::new(Inner {
                state: State::Queued(start),
                wakers: BTreeMap::new(),
                next_place: 0,
                callbacks: Vec::new(),
                unseen_failure_of: None,
            }),
            done: Condvar::new(),
        })
    }

    pub(super) fn remote(&self) -> &Remote {
        &self.remote
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // Nothing that could panic runs under the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.lock().state, State::Done(_))
    }

    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self.lock().state, State::Done(Err(RemoteTaskError::Cancelled(_))))
    }

    pub(super) fn state_name(&self) -> &'static str {
        match self.lock().state {
            State::Queued(_) | State::Starting { .. } => "queued",
            State::Running(_) => "running",
            State::Done(Err(RemoteTaskError::Cancelled(_))) => "cancelled",
            State::Done(_) => "finished",
        }
    }

    pub(super) fn forget_waker(&self, place: u64) {
        let waker = self.lock().wakers.remove(&place);
        drop(waker);
    }
}

impl<T> Inner<T> {
    /// Moves the outcome out, if there is one. An error stays for others.
    fn take(&mut self) -> Option<Outcome<T>> {
        let State::Done(outcome) = &mut self.state else { return None };
        self.unseen_failure_of = None;
        Some(match outcome {
            Ok(_) => std::mem::replace(outcome, Err(RemoteTaskError::Taken)),
            Err(error) => Err(error.clone()),
        })
    }
}

impl<T> Shared<T> {
    pub(super) fn poll(&self, place: &mut Option<u64>, waker: &Waker) -> Poll<Outcome<T>> {
        // The waker is cloned without the lock. Meanwhile the task may have ended.
        let mut clone = None;
        let replaced = loop {
            let mut inner = self.lock();
            if let Some(outcome) = inner.take() {
                drop(inner);
                *place = None;
                return Poll::Ready(outcome);
            }
            let stored = place.and_then(|place| inner.wakers.get(&place));
            if stored.is_some_and(|stored| stored.will_wake(waker)) {
                return Poll::Pending;
            }
            let Some(clone) = clone.take() else {
                drop(inner);
                clone = Some(waker.clone());
                continue;
            };
            let place = *place.get_or_insert(inner.next_place);
            inner.next_place = inner.next_place.max(place + 1);
            break inner.wakers.insert(place, clone);
        };
        drop(replaced);
        Poll::Pending
    }

    pub(super) fn block(&self, timeout: Option<Duration>) -> Outcome<T> {
        // A limit beyond the end of time is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut inner = self.lock();
        loop {
            if let Some(outcome) = inner.take() {
                return outcome;
            }
            if self.remote.is_own_thread() {
                return Err(RemoteTaskError::OwnThread);
            }
            let Some(deadline) = deadline else {
                inner = self.done.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RemoteTaskError::TimedOut);
            }
            let waited = self.done.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// How it goes on, and how it ends.
impl<T> Shared<T> {
    /// Asks the task to cancel. Returns false if it is done.
    pub(super) fn cancel(self: &Arc<Self>, error: CancelledError) -> bool {
        loop {
            let mut inner = self.lock();
            match &mut inner.state {
                State::Done(_) => return false,
                State::Starting { cancelled } => {
                    let _previous = cancelled.replace(error);
                    return true;
                }
                State::Running(id) => {
                    let id = *id;
                    drop(inner);
                    // If the loop is closed, its end is the task's.
                    let _ = self.remote.call_soon_threadsafe(move || super::cancel(id, error));
                    return true;
                }
                State::Queued(_) => {
                    drop(inner);
                    let outcome = Err(RemoteTaskError::Cancelled(error.clone()));
                    if self.end(outcome, None, |state| matches!(state, State::Queued(_))) {
                        return true;
                    }
                    // The loop has just begun with it.
                }
            }
        }
    }

    /// Takes the call back because the loop is closed, unless the loop has begun with it.
    pub(super) fn withdraw(self: &Arc<Self>) -> bool {
        let outcome = Err(RemoteTaskError::Closed);
        self.end(outcome, None, |state| matches!(state, State::Queued(_)))
    }

    /// The loop begins with the task. `None` if it is over already.
    pub(super) fn begin(&self) -> Option<Start<T>> {
        let mut inner = self.lock();
        if !matches!(inner.state, State::Queued(_)) {
            return None;
        }
        let starting = State::Starting { cancelled: None };
        match std::mem::replace(&mut inner.state, starting) {
            State::Queued(start) => Some(start),
            _ => None,
        }
    }

    /// The task is there. Returns a cancellation that was asked for meanwhile.
    pub(super) fn begun(&self, task: TaskId) -> Option<CancelledError> {
        match std::mem::replace(&mut self.lock().state, State::Running(task)) {
            State::Starting { cancelled } => cancelled,
            _ => None,
        }
    }

    /// The task's end, unless it has had one.
    pub(super) fn finish(self: &Arc<Self>, outcome: Outcome<T>, failed: Option<String>) {
        self.end(outcome, failed, |state| !matches!(state, State::Done(_)));
    }

    pub(super) fn add_callback(self: &Arc<Self>, callback: Callback<T>) {
        let mut inner = self.lock();
        if !matches!(inner.state, State::Done(_)) {
            inner.callbacks.push(callback);
            return;
        }
        drop(inner);
        callback(self.clone());
    }

    /// An end, if the state is one that may end like this. `failed` is the name of a task that has failed.
    /// Tells everybody.
    fn end(
        self: &Arc<Self>,
        outcome: Outcome<T>,
        failed: Option<String>,
        may_end: impl FnOnce(&State<T>) -> bool,
    ) -> bool {
        let mut inner = self.lock();
        if !may_end(&inner.state) {
            drop(inner);
            return false;
        }
        let before = std::mem::replace(&mut inner.state, State::Done(outcome));
        inner.unseen_failure_of = failed;
        let wakers = std::mem::take(&mut inner.wakers);
        let callbacks = std::mem::take(&mut inner.callbacks);
        drop(inner);
        self.done.notify_all();
        wakers.into_values().for_each(Waker::wake);
        for callback in callbacks {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| callback(self.clone()))) {
                let failure = Failure::Panic(PanicError::of(panic));
                report(&ExceptionContext::new("a done callback failed", failure));
            }
        }
        drop(before);
        true
    }
}

impl<T> Drop for Shared<T> {
    /// Reports a failure that nobody ever looked at.
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(name) = inner.unseen_failure_of.take() else { return };
        let failure = match &inner.state {
            State::Done(Err(RemoteTaskError::Panicked(panic))) => Failure::Panic(panic.clone()),
            _ => Failure::Err { type_name: type_name::<T>() },
        };
        let message = format!("the failure of task '{name}' was never looked at");
        report(&ExceptionContext::new(message, failure));
    }
}

fn report(context: &ExceptionContext) {
    match get_running_loop() {
        Ok(event_loop) => event_loop.call_exception_handler(context),
        Err(_) => context.report(),
    }
}

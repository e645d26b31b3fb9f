//! The task that is being polled, for those who want to say its name later.

use std::cell::Cell;
use std::rc::Weak;

use crate::wait::Awaited;

type Source = fn() -> Option<Weak<dyn Awaited>>;

thread_local! {
    static SOURCE: Cell<Option<Source>> = const { Cell::new(None) };
}

/// The task that is being polled on this thread, if its executor tells.
///
/// A lock keeps it to say who holds it. It is weak: it doesn't keep the task's result alive.
///
/// ```
/// assert!(ronde_context::current_task().is_none());
/// ```
pub fn current_task() -> Option<Weak<dyn Awaited>> {
    SOURCE.get().and_then(|source| source())
}

/// Says how to find the task that is being polled on this thread. An executor calls it when it is
/// made; the last one to do so is asked.
///
/// ```
/// use ronde_context::executor::provide_current_task;
/// provide_current_task(|| None);
/// ```
pub fn provide_current_task(source: fn() -> Option<Weak<dyn Awaited>>) {
    SOURCE.set(Some(source));
}

//! Events.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use ronde_context::WaitKind;

use crate::line::{Gate, Line};
use crate::waiters::{State, Waiters};

/// A flag that tasks can wait for.
///
/// Share it by reference or in an [`Rc`].
///
/// # In asyncio
///
/// `asyncio.Event`.
///
/// # Examples
///
/// ```
/// use ronde_sync::Event;
///
/// # futures_lite::future::block_on(async {
/// let started = Event::new();
/// futures_lite::future::zip(started.wait(), async { started.set() }).await;
/// assert!(started.is_set());
/// # });
/// ```
pub struct Event {
    line: Rc<Line<EventGate>>,
}

struct EventGate {
    is_set: Cell<bool>,
}

/// What an event says of itself.
///
/// ```
/// assert_eq!(ronde_sync::Event::new().statistics().waiting, 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventStatistics {
    /// How many wait for it.
    pub waiting: usize,
}

impl Event {
    /// Makes an event that isn't set.
    pub fn new() -> Self {
        Self { line: Line::new(EventGate { is_set: Cell::new(false) }) }
    }

    /// Sets the event, and wakes all who wait for it now. They pass even if the event is cleared
    /// before they run.
    ///
    /// ```
    /// # let event = ronde_sync::Event::new();
    /// event.set();
    /// assert!(event.is_set());
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    pub fn set(&self) {
        if !self.line.gate.is_set.replace(true) {
            self.line.wake_all();
        }
    }

    /// Clears the event: who waits from now on waits for the next [`set`](Self::set).
    pub fn clear(&self) {
        self.line.gate.is_set.set(false);
    }

    /// Is it set?
    pub fn is_set(&self) -> bool {
        self.line.gate.is_set.get()
    }

    /// Waits until the event is set. If it is, this doesn't suspend.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** A `set` that woke the caller before it was cancelled is over for it, if the event
    /// was cleared since; as it is for everybody who comes after.
    ///
    /// # In asyncio
    ///
    /// `Event.wait`.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let event = ronde_sync::Event::new();
    /// event.set();
    /// event.wait().await;
    /// # });
    /// ```
    pub async fn wait(&self) {
        self.line.turn().await;
    }

    /// How many wait for it.
    pub fn statistics(&self) -> EventStatistics {
        EventStatistics { waiting: self.line.ask(Waiters::len) }
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        EventGate::describe(&self.line, f)
    }
}

impl Gate for EventGate {
    const KIND: WaitKind = WaitKind::Event;

    fn enter(line: &Line<Self>, _amount: usize) -> bool {
        line.gate.is_set.get()
    }

    fn enter_woken(_line: &Line<Self>) {}

    fn gave_up(_line: &Line<Self>, _was: State, _amount: usize) {}

    fn describe(line: &Line<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Event [{}", if line.gate.is_set.get() { "set" } else { "unset" })?;
        line.write_waiters(f)?;
        f.write_str("]>")
    }
}

//! Semaphores.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use ronde_context::WaitKind;

use crate::error::{ReleasedTooOftenError, WouldBlock};
use crate::line::{Gate, Line};
use crate::waiters::{State, Waiters};

/// Lets a limited number of tasks do something at the same time.
///
/// It counts slots. To acquire takes one, or waits, first come, first served. A slot that is
/// released while somebody waits goes to the first in line at once: nobody can take it on the way.
/// Share it by reference or in an [`Rc`].
///
/// # In asyncio
///
/// `asyncio.Semaphore`. Slots are given back by permits, which are guards;
/// [`release`](Self::release) is asyncio's form.
///
/// # Examples
///
/// ```
/// use ronde_sync::Semaphore;
///
/// # futures_lite::future::block_on(async {
/// let connections = Semaphore::new(2);
/// let first = connections.acquire().await;
/// let second = connections.acquire().await;
/// assert!(connections.locked());
/// drop(first);
/// assert_eq!(connections.value(), 1);
/// # drop(second);
/// # });
/// ```
pub struct Semaphore {
    line: Rc<Line<SemaphoreGate>>,
}

/// A [`Semaphore`] that never has more slots than it began with.
///
/// # In asyncio
///
/// `asyncio.BoundedSemaphore`. Permits can't be given back twice, so this checks those who
/// [`release`](Self::release) by hand.
///
/// # Examples
///
/// ```
/// use ronde_sync::BoundedSemaphore;
///
/// # futures_lite::future::block_on(async {
/// let semaphore = BoundedSemaphore::new(1);
/// semaphore.acquire().await.forget();
/// assert!(semaphore.release().is_ok());
/// assert!(semaphore.release().is_err());
/// assert_eq!(semaphore.value(), 1);
/// # });
/// ```
pub struct BoundedSemaphore {
    line: Rc<Line<SemaphoreGate>>,
}

struct SemaphoreGate {
    /// Free slots. Those of waiters that were woken are not among them.
    value: Cell<usize>,
    bound: Option<usize>,
}

/// What a semaphore says of itself.
///
/// ```
/// assert_eq!(ronde_sync::Semaphore::new(3).statistics().value, 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemaphoreStatistics {
    /// How many slots are free.
    pub value: usize,
    /// How many tasks wait for slots.
    pub waiting: usize,
}

/// Both kinds have these methods.
macro_rules! common_methods {
    ($Semaphore:ident) => {
        impl $Semaphore {
            /// Waits for a slot. Dropping the permit gives it back.
            ///
            /// # Cancel safety
            ///
            /// **Place lost.** The caller leaves the line. If it had been given a slot already, that
            /// goes to the next in line.
            ///
            /// # In asyncio
            ///
            /// `async with semaphore`, or `acquire`.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use ronde_sync::", stringify!($Semaphore), ";")]
            /// # futures_lite::future::block_on(async {
            #[doc = concat!("let semaphore = ", stringify!($Semaphore), "::new(1);")]
            /// let _permit = semaphore.acquire().await;
            /// assert!(semaphore.locked());
            /// # });
            /// ```
            pub async fn acquire(&self) -> SemaphorePermit<'_> {
                self.acquire_many(1).await
            }

            /// Waits until there are `slots` slots, and takes them all at once.
            ///
            /// Who comes later waits behind, also if there are slots enough for it. More slots than
            /// the semaphore ever has are waited for forever.
            ///
            /// # Cancel safety
            ///
            /// **Place lost.** As [`acquire`](Self::acquire). No slot is held while waiting.
            ///
            /// # In asyncio
            ///
            /// There is no counterpart.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use ronde_sync::", stringify!($Semaphore), ";")]
            /// # futures_lite::future::block_on(async {
            #[doc = concat!("let semaphore = ", stringify!($Semaphore), "::new(3);")]
            /// let permit = semaphore.acquire_many(2).await;
            /// assert_eq!((permit.slots(), semaphore.value()), (2, 1));
            /// # });
            /// ```
            pub async fn acquire_many(&self, slots: usize) -> SemaphorePermit<'_> {
                self.line.turn_for(slots).await;
                SemaphorePermit { line: &self.line, slots }
            }

            /// Takes a slot if that needs no waiting.
            ///
            /// # Errors
            ///
            /// [`WouldBlock`] if there is none, or if others wait for one.
            pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, WouldBlock> {
                self.try_acquire_many(1)
            }

            /// Takes some slots if that needs no waiting.
            ///
            /// # Errors
            ///
            /// [`WouldBlock`] if there are fewer, or if others wait for some.
            pub fn try_acquire_many(
                &self,
                slots: usize,
            ) -> Result<SemaphorePermit<'_>, WouldBlock> {
                match SemaphoreGate::enter(&self.line, slots) {
                    true => Ok(SemaphorePermit { line: &self.line, slots }),
                    false => Err(WouldBlock { what: "the semaphore" }),
                }
            }

            /// Would [`acquire`](Self::acquire) have to wait? True if no slot is free, and also
            /// while others wait or have just been woken.
            pub fn locked(&self) -> bool {
                self.line.gate.value.get() == 0 || !self.line.ask(Waiters::all_cancelled)
            }

            /// How many slots are free.
            pub fn value(&self) -> usize {
                self.line.gate.value.get()
            }

            /// How many slots are free, and how many tasks wait for some.
            pub fn statistics(&self) -> SemaphoreStatistics {
                SemaphoreStatistics { value: self.value(), waiting: self.line.ask(Waiters::len) }
            }
        }

        impl fmt::Debug for $Semaphore {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                SemaphoreGate::describe(&self.line, f)
            }
        }
    };
}

common_methods!(Semaphore);
common_methods!(BoundedSemaphore);

impl Semaphore {
    /// Makes a semaphore with `value` free slots.
    pub fn new(value: usize) -> Self {
        Self { line: Line::new(SemaphoreGate { value: Cell::new(value), bound: None }) }
    }

    /// Gives a slot back that was [forgotten](SemaphorePermit::forget), or adds one.
    ///
    /// ```
    /// let semaphore = ronde_sync::Semaphore::new(0);
    /// semaphore.release();
    /// assert_eq!(semaphore.value(), 1);
    /// ```
    ///
    /// # In asyncio
    ///
    /// `Semaphore.release`.
    pub fn release(&self) {
        self.line.release();
    }
}

impl BoundedSemaphore {
    /// Makes a semaphore with `value` free slots, which it never exceeds.
    pub fn new(value: usize) -> Self {
        Self { line: Line::new(SemaphoreGate { value: Cell::new(value), bound: Some(value) }) }
    }

    /// Gives a slot back that was [forgotten](SemaphorePermit::forget).
    ///
    /// # Errors
    ///
    /// [`ReleasedTooOftenError`] if all slots are free. Nothing has changed then.
    ///
    /// # In asyncio
    ///
    /// `BoundedSemaphore.release`.
    pub fn release(&self) -> Result<(), ReleasedTooOftenError> {
        match self.line.gate.bound {
            Some(bound) if self.value() >= bound => Err(ReleasedTooOftenError { bound }),
            _ => {
                self.line.release();
                Ok(())
            }
        }
    }

    /// How many slots it began with.
    pub fn bound(&self) -> usize {
        self.line.gate.bound.unwrap_or(usize::MAX)
    }
}

impl Default for Semaphore {
    /// One slot, as in asyncio.
    fn default() -> Self {
        Self::new(1)
    }
}

impl Default for BoundedSemaphore {
    /// One slot, as in asyncio.
    fn default() -> Self {
        Self::new(1)
    }
}

impl Line<SemaphoreGate> {
    fn release(&self) {
        self.gate.put_back(1);
        self.wake_one();
    }

    /// Wakes the first waiter, if there are slots enough for it. They are its own from now on.
    fn wake_one(&self) -> bool {
        let value = self.gate.value.get();
        let wanted = self.ask(Waiters::next_amount).filter(|&wanted| wanted <= value);
        let Some(wanted) = wanted else { return false };
        self.gate.value.set(value - wanted);
        self.wake_next()
    }

    /// Newcomers had to wait because others did. Wakes as many as may pass.
    fn wake_more(&self) {
        while self.wake_one() {}
    }
}

impl SemaphoreGate {
    fn put_back(&self, slots: usize) {
        self.value.set(self.value.get().saturating_add(slots));
    }
}

impl Gate for SemaphoreGate {
    const KIND: WaitKind = WaitKind::Semaphore;

    fn enter(line: &Line<Self>, slots: usize) -> bool {
        let value = line.gate.value.get();
        let free = slots <= value && line.ask(Waiters::all_cancelled);
        if free {
            line.gate.value.set(value - slots);
        }
        free
    }

    /// The slots were taken when it was woken.
    fn enter_woken(line: &Line<Self>) {
        line.wake_more();
    }

    fn gave_up(line: &Line<Self>, was: State, slots: usize) {
        if was == State::Woken {
            line.gate.put_back(slots);
        }
        line.wake_more();
    }

    fn describe(line: &Line<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if line.gate.bound.is_some() { "BoundedSemaphore" } else { "Semaphore" };
        match line.gate.value.get() {
            0 => write!(f, "<{name} [locked")?,
            value if line.ask(Waiters::all_cancelled) => {
                write!(f, "<{name} [unlocked, value:{value}")?;
            }
            value => write!(f, "<{name} [locked, value:{value}")?,
        }
        line.write_waiters(f)?;
        f.write_str("]>")
    }
}

/// Slots of a [`Semaphore`] or [`BoundedSemaphore`]. Dropping it gives them back.
#[must_use = "a permit that is dropped at once gives its slots back at once"]
pub struct SemaphorePermit<'a> {
    line: &'a Rc<Line<SemaphoreGate>>,
    slots: usize,
}

impl SemaphorePermit<'_> {
    /// How many slots it holds.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Keeps the slots taken, until somebody gives them back with `release`.
    ///
    /// ```
    /// let semaphore = ronde_sync::Semaphore::new(1);
    /// semaphore.try_acquire().unwrap().forget();
    /// assert_eq!(semaphore.value(), 0);
    /// ```
    pub fn forget(mut self) {
        self.slots = 0;
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        let gate = &self.line.gate;
        // Somebody may have given some of these slots back by hand.
        let taken = gate.bound.map_or(usize::MAX, |bound| bound.saturating_sub(gate.value.get()));
        let slots = self.slots.min(taken);
        gate.put_back(slots);
        // As if they came back one by one: each wakes one waiter at most.
        for _ in 0..slots {
            if !self.line.wake_one() {
                break;
            }
        }
    }
}

impl fmt::Debug for SemaphorePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaphorePermit").field("slots", &self.slots).finish_non_exhaustive()
    }
}

//! The body's side of a generator: where it leaves its values.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ronde_context::decline;

/// What the body of a [`generator`](crate::generator) yields its values with.
pub struct Yielder<T> {
    slot: Rc<Slot<T>>,
}

/// Where a value is on its way from the body to the one who polls the body.
pub(crate) struct Slot<T> {
    value: Cell<Option<T>>,
    /// Who polled the `Yield`: a combinator inside the body polls only what was woken.
    waker: Cell<Option<Waker>>,
}

impl<T> Slot<T> {
    /// Takes the value that was yielded, if the body is suspended because of that.
    pub(crate) fn take(&self) -> Option<T> {
        self.value.take()
    }

    /// The body is about to be polled again, with `waker`.
    pub(crate) fn resume(&self, waker: &Waker) {
        if let Some(yielded_with) = self.waker.take()
            && !yielded_with.will_wake(waker)
        {
            yielded_with.wake();
        }
    }
}

impl<T> Yielder<T> {
    pub(crate) fn new() -> (Self, Rc<Slot<T>>) {
        let slot = Rc::new(Slot { value: Cell::new(None), waker: Cell::new(None) });
        (Self { slot: slot.clone() }, slot)
    }

    /// Hands out `value`, and suspends the body until the next value is asked for.
    ///
    /// # Cancel safety
    ///
    /// **Data lost**: of a future that is dropped before the body has suspended, as the loser of a
    /// `select`, the value is dropped. One that was handed out is with the receiver.
    ///
    /// # In asyncio
    ///
    /// `yield value`.
    pub fn yield_(&mut self, value: T) -> Yield<'_, T> {
        Yield { slot: &self.slot, value: Some(value) }
    }
}

impl<T> fmt::Debug for Yielder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}

/// The future of [`Yielder::yield_`].
#[must_use = "a value is yielded by awaiting this"]
pub struct Yield<'a, T> {
    slot: &'a Slot<T>,
    /// `None` once it is in the slot.
    value: Option<T>,
}

impl<T> Unpin for Yield<'_, T> {}

impl<T> Future for Yield<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if decline(cx) {
            return Poll::Pending;
        }
        if let Some(value) = self.value.take() {
            self.slot.value.set(Some(value));
            self.slot.waker.set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        match self.slot.take() {
            None => Poll::Ready(()),
            // Polled again before anybody could take it.
            untaken => {
                self.slot.value.set(untaken);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Yield<'_, T> {
    fn drop(&mut self) {
        if self.value.is_none() {
            // Nobody has taken it, nor will.
            self.slot.take();
        }
    }
}

impl<T> fmt::Debug for Yield<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yield").finish_non_exhaustive()
    }
}

//! A line of waiters in front of something, and the one leaf future of this crate.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use ronde_context::{
    Awaited, Entry, Wait, WaitKind, WaitList, decline, no_longer_waiting_in, waiting_for,
};

use crate::waiters::{Key, State, Waiters};

/// What one waits for, and the line in front of it.
pub(crate) struct Line<G> {
    pub(crate) gate: G,
    waiters: RefCell<Waiters>,
}

/// The rules by which a line moves. No borrow is held while they run.
pub(crate) trait Gate: Sized + 'static {
    /// What kind of thing one waits for in this line.
    const KIND: WaitKind;

    /// Lets a newcomer pass, if it need not wait. Passing is done then.
    fn enter(line: &Line<Self>, amount: usize) -> bool;

    /// A waiter that was woken passes. It isn't in line any more.
    fn enter_woken(line: &Line<Self>);

    /// A waiter has left the line without passing: its turn is to be passed on.
    fn gave_up(line: &Line<Self>, was: State, amount: usize);

    /// A waiter whose cancellation was taken elsewhere starts over. Returns whether it need not wait.
    fn enter_again(line: &Line<Self>, amount: usize) -> bool {
        Self::enter(line, amount)
    }

    /// Writes what it is, for `Debug` and for reports of deadlocks.
    fn describe(line: &Line<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Who must do something for the line to move, as far as is known.
    fn holders(_line: &Line<Self>) -> Vec<Rc<dyn Awaited>> {
        Vec::new()
    }
}

impl<G: Gate> Line<G> {
    pub(crate) fn new(gate: G) -> Rc<Self> {
        Rc::new(Self { gate, waiters: RefCell::default() })
    }

    /// Asks the waiters something. There is no other way to look at them: a borrow that lives as
    /// long as the statement it is in would meet the next one.
    pub(crate) fn ask<T>(&self, ask: impl FnOnce(&Waiters) -> T) -> T {
        ask(&self.waiters.borrow())
    }

    /// Waits for its turn.
    pub(crate) fn turn(self: &Rc<Self>) -> Turn<'_, G> {
        self.turn_for(1)
    }

    pub(crate) fn turn_for(self: &Rc<Self>, amount: usize) -> Turn<'_, G> {
        Turn { line: self, amount, key: None }
    }

    /// Wakes the first that is pending. Returns whether there was one.
    pub(crate) fn wake_next(&self) -> bool {
        let chosen = self.waiters.borrow_mut().choose_next();
        chosen.map(|waker| waker.wake()).is_some()
    }

    /// Wakes the first in line, unless it is woken or cancelled already.
    pub(crate) fn wake_first(&self) {
        let chosen = self.waiters.borrow_mut().choose_first();
        if let Some(waker) = chosen {
            waker.wake();
        }
    }

    /// Wakes all who wait now.
    pub(crate) fn wake_all(&self) {
        // Counted beforehand: a waker may run anything, and bring new waiters.
        for _ in 0..self.ask(Waiters::pending) {
            self.wake_next();
        }
    }

    /// Writes `, waiters:2` if there are any.
    pub(crate) fn write_waiters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ask(Waiters::len) {
            0 => Ok(()),
            count => write!(f, ", waiters:{count}"),
        }
    }
}

impl<G: Gate> WaitList for Line<G> {
    fn cancel_entry(&self, key: u64) -> bool {
        let marked = self.waiters.borrow_mut().cancel(Key::from_bits(key));
        marked.map(|waker| waker.wake()).is_some()
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        G::describe(self, f)
    }

    fn kind(&self) -> WaitKind {
        G::KIND
    }

    fn holders(&self) -> Vec<Rc<dyn Awaited>> {
        G::holders(self)
    }
}

/// Goes on unless a cancellation is being delivered: for those who may take something without
/// standing in line.
pub(crate) async fn uncancelled() {
    poll_fn(|cx| if decline(cx) { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// The future of a waiter: ready when it has passed.
///
/// Dropped while it is in line, it leaves the line and passes on the turn it may have been given.
#[must_use = "futures do nothing unless they are awaited"]
pub(crate) struct Turn<'a, G: Gate> {
    line: &'a Rc<Line<G>>,
    amount: usize,
    /// `None` before the first poll and after the end.
    key: Option<Key>,
}

impl<G: Gate> Turn<'_, G> {
    /// Leaves the line. Returns how far it was, and passes nothing on.
    pub(crate) fn leave(&mut self) -> Option<State> {
        let key = self.key.take()?;
        no_longer_waiting_in(self.line, key.to_bits());
        let (was, _waker) = self.line.waiters.borrow_mut().remove(key)?;
        Some(was)
    }

    fn wait(&mut self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let key = self.line.waiters.borrow_mut().push(self.amount, waker);
        self.key = Some(key);
        self.wait_more(key)
    }

    fn wait_more(&self, key: Key) -> Poll<()> {
        waiting_for(Wait::Entry(Entry::new(self.line.clone(), key.to_bits())));
        Poll::Pending
    }

    fn keep_waker(&self, key: Key, cx: &Context<'_>) {
        let known = |waker: &mut _| cx.waker().will_wake(waker);
        if !self.line.waiters.borrow_mut().waker(key).is_some_and(known) {
            // Cloned before the borrow begins, and the old one dropped after its end.
            let mut waker = cx.waker().clone();
            if let Some(kept) = self.line.waiters.borrow_mut().waker(key) {
                std::mem::swap(kept, &mut waker);
            }
        }
    }
}

impl<G: Gate> Future for Turn<'_, G> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if decline(cx) {
            return Poll::Pending;
        }
        let this = &mut *self;
        let passes = match this.key {
            None => G::enter(this.line, this.amount),
            Some(key) => {
                let state = this.line.ask(|waiters| waiters.state(key));
                if state == Some(State::Pending) {
                    this.keep_waker(key, cx);
                    return this.wait_more(key);
                }
                match this.leave() {
                    Some(State::Woken) => {
                        G::enter_woken(this.line);
                        true
                    }
                    // Marked, but another branch of this task has taken the cancellation.
                    was => {
                        G::gave_up(this.line, was.unwrap_or(State::Cancelled), this.amount);
                        G::enter_again(this.line, this.amount)
                    }
                }
            }
        };
        if passes { Poll::Ready(()) } else { this.wait(cx) }
    }
}

impl<G: Gate> Drop for Turn<'_, G> {
    fn drop(&mut self) {
        if let Some(was) = self.leave() {
            G::gave_up(self.line, was, self.amount);
        }
    }
}

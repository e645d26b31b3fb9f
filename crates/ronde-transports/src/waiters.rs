//! Tasks that wait for a transport to be made or lost.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use ronde_context::{Wait, decline, waiting_for};

#[derive(Default)]
pub(crate) struct Waiters(RefCell<Vec<Waker>>);

impl Waiters {
    /// Wakes all, to look again.
    pub(crate) fn wake(&self) {
        for waker in self.0.take() {
            waker.wake();
        }
    }

    /// Waits until something is true, which is looked at after each [`wake`](Self::wake).
    pub(crate) async fn wait(&self, what: &'static str, is_true: impl Fn() -> bool) {
        poll_fn(|cx| {
            if decline(cx) {
                return Poll::Pending;
            }
            if is_true() {
                return Poll::Ready(());
            }
            let mut waiters = self.0.borrow_mut();
            if !waiters.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiters.push(cx.waker().clone());
            }
            waiting_for(Wait::Leaf(what));
            Poll::Pending
        })
        .await;
    }
}

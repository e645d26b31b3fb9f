//! Awaiting a task on another loop.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ronde_context::{CancelledError, Wait, decline, is_cancelling, waiting_for};

use super::error::RemoteTaskError;
use super::shared::Shared;
use crate::job::Out;
use crate::running::get_running_loop;

/// The future of awaiting a [`RemoteTask`](crate::RemoteTask). It is `Send`, and any executor can poll it.
#[must_use = "futures do nothing unless they are awaited"]
pub struct JoinRemote<T> {
    shared: Arc<Shared<T>>,
    /// Where the waker is. `None` before the first poll and at the end.
    place: Option<u64>,
    /// The task is the next event for a simulated loop that waits for it, whatever its timers say. A
    /// [`ClockHold`](crate::ClockHold) would tie this future to its thread.
    hold: Option<Out>,
}

impl<T> JoinRemote<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        Self { shared, place: None, hold: None }
    }

    fn hold_clock(&mut self) {
        // The loop's own task needs its loop's time.
        if self.hold.is_none()
            && !self.shared.remote().is_own_thread()
            && let Ok(event_loop) = get_running_loop()
        {
            self.hold = Some(event_loop.count_remote_task());
        }
    }
}

impl<T: Send + 'static> Future for JoinRemote<T> {
    type Output = Result<T, RemoteTaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if decline(cx) {
            return Poll::Pending;
        }
        match this.shared.poll(&mut this.place, cx.waker()) {
            Poll::Ready(outcome) => {
                this.hold = None;
                Poll::Ready(outcome)
            }
            Poll::Pending => {
                this.hold_clock();
                waiting_for(Wait::Leaf("a task that was sent to a loop"));
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for JoinRemote<T> {
    /// If it is dropped because its task is being cancelled, the cancellation goes on to what it waits for.
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.shared.forget_waker(place);
            if is_cancelling() {
                self.shared.cancel(CancelledError::default());
            }
        }
    }
}

impl<T> fmt::Debug for JoinRemote<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<JoinRemote {}>", self.shared.state_name())
    }
}

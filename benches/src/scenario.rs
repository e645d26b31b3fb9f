//! What a runtime is measured with.

use std::time::{Duration, Instant};

/// A piece of work that can be done any number of times.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// Words with hyphens: it is an argument, and the first column of a table.
    pub(crate) name: &'static str,
    /// How many operations take some tens of milliseconds.
    pub(crate) count: u32,
    /// Does that many operations and says how long they took, without what comes before and after.
    pub(crate) run: fn(u32) -> Duration,
}

/// The time that a future takes, from its first step on.
pub(crate) async fn timed(body: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    body.await;
    start.elapsed()
}

/// Polls a future that must not be ready: a timer that is polled so is registered.
pub(crate) async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) {
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "nothing has happened yet");
        std::task::Poll::Ready(())
    })
    .await;
}

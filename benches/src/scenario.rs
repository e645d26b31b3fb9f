//! What a runtime is measured with.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// A piece of work that can be done any number of times.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// Words with hyphens: it is an argument, and the first column of a table.
    pub(crate) name: &'static str,
    /// What is measured, for one operation.
    pub(crate) unit: &'static str,
    /// How many operations take some tens of milliseconds.
    pub(crate) count: u32,
    /// Does that many operations and says what they took in all, without what comes before and after.
    pub(crate) run: fn(u32) -> f64,
}

impl Scenario {
    /// Measured in time that passes.
    pub(crate) const fn time(name: &'static str, count: u32, run: fn(u32) -> f64) -> Self {
        Self { name, unit: "ns", count, run }
    }

    /// Measured in time that processors work for this process: what waits costs nothing.
    pub(crate) const fn cpu(name: &'static str, count: u32, run: fn(u32) -> f64) -> Self {
        Self { name, unit: "ns of CPU", count, run }
    }

    /// Measured in memory.
    pub(crate) const fn memory(name: &'static str, count: u32, run: fn(u32) -> f64) -> Self {
        Self { name, unit: "bytes", count, run }
    }
}

/// The nanoseconds that a future takes, from its first step on.
pub(crate) async fn timed(body: impl Future<Output = ()>) -> f64 {
    let start = Instant::now();
    body.await;
    start.elapsed().as_nanos() as f64
}

/// The nanoseconds for which processors work while a future is not done.
pub(crate) async fn cpu_timed(body: impl Future<Output = ()>) -> f64 {
    let start = cpu_nanos();
    body.await;
    cpu_nanos() - start
}

/// Whether instructions are counted, and not time.
static COUNTED: AtomicBool = AtomicBool::new(false);

/// From now on, no processor time is asked for: valgrind hides the page of the kernel that tells it.
pub(crate) fn count_instructions() {
    COUNTED.store(true, Ordering::Relaxed);
}

/// What all threads of this process have worked so far, here and in the kernel.
pub(crate) fn cpu_nanos() -> f64 {
    if COUNTED.load(Ordering::Relaxed) {
        return 0.0;
    }
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Polls a future that must not be ready: a timer that is polled so is registered.
pub(crate) async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) {
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "nothing has happened yet");
        std::task::Poll::Ready(())
    })
    .await;
}

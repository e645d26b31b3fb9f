//! What these tests share: an event log, and runs in simulated time.

#![allow(dead_code)] // Not every test uses all of it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ronde::low_level::SimulatedClock;
use ronde::{Runner, yield_now};

/// Everything appends a line, and the test compares the lines.
#[derive(Clone, Default)]
pub(crate) struct Log {
    lines: Rc<RefCell<Vec<String>>>,
}

impl Log {
    pub(crate) fn push(&self, line: impl ToString) {
        self.lines.borrow_mut().push(line.to_string());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.lines.take()
    }
}

/// Runs a program in simulated time, and ends it in an orderly way.
pub(crate) fn run<F: Future + 'static>(main: F) -> F::Output {
    let runner = Runner::builder().clock(SimulatedClock::new()).build().unwrap();
    let output = runner.run(main).unwrap();
    runner.close().unwrap();
    output
}

/// Lets everything that is ready run, so many times.
pub(crate) async fn turns(count: usize) {
    for _ in 0..count {
        yield_now().await;
    }
}

/// Counts how often it is woken.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future that is polled by hand: under no executor at all.
pub(crate) struct Polled<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    wakes: Arc<Wakes>,
}

impl<'a, T> Polled<'a, T> {
    /// Polls once. The future is expected to wait.
    pub(crate) fn waiting(future: impl Future<Output = T> + 'a) -> Self {
        let mut polled = Self { future: Box::pin(future), wakes: Arc::default() };
        assert!(polled.poll().is_none(), "it should wait");
        polled
    }

    pub(crate) fn poll(&mut self) -> Option<T> {
        let waker = Waker::from(self.wakes.clone());
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.count()
    }
}

/// Polls a future that need not wait.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it should not wait"),
    }
}

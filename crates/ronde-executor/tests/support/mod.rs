//! What the tests share: a log of events, and leaves that are opened by hand.
#![allow(dead_code, unreachable_pub)] // Each test file uses some of it.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use ronde_executor::Executor;

/// Everything that happens appends a line; the test compares the list.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub fn push(&self, line: impl Display) {
        self.0.borrow_mut().push(line.to_string());
    }

    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Says so when it is dropped.
    pub fn at_drop(&self, line: &'static str) -> AtDrop<impl FnOnce() + use<>> {
        let log = self.clone();
        at_drop(move || log.push(line))
    }
}

/// Calls a closure when it is dropped.
pub struct AtDrop<F: FnOnce()>(Option<F>);

pub fn at_drop<F: FnOnce()>(f: F) -> AtDrop<F> {
    AtDrop(Some(f))
}

impl<F: FnOnce()> Drop for AtDrop<F> {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

pub fn executor() -> Executor {
    Executor::new(|| {})
}

/// Forgets the executor. It stays where a leak detector finds it, and knows that it is meant.
pub fn forget(executor: Executor) {
    static FORGOTTEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    FORGOTTEN.lock().unwrap().push(Box::into_raw(Box::new(executor)) as usize);
}

/// Runs batches until nothing is ready. Returns how many there were.
pub fn run(executor: &Executor) -> usize {
    let mut batches = 0;
    loop {
        executor.drain_remote();
        if executor.run_batch() == 0 {
            return batches;
        }
        batches += 1;
    }
}

/// Sends what goes to the exception handler to the log instead.
pub fn log_failures(executor: &Executor, log: &Log) {
    let log = log.clone();
    executor.set_exception_handler(Some(Rc::new(move |context| log.push(context))));
}

/// A leaf as another crate would write it: it knows nothing of tasks and cancellation.
#[derive(Clone, Default)]
pub struct Gate(Rc<GateState>);

#[derive(Default)]
struct GateState {
    open: Cell<bool>,
    polls: Cell<u32>,
    waker: RefCell<Option<Waker>>,
}

impl Gate {
    pub fn open(&self) {
        self.0.open.set(true);
        self.wake();
    }

    pub fn wake(&self) {
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }

    pub fn waker(&self) -> Waker {
        self.0.waker.borrow().clone().expect("nobody waits at the gate")
    }

    pub fn polls(&self) -> u32 {
        self.0.polls.get()
    }

    pub async fn wait(&self) {
        Passing(self.clone()).await;
    }
}

struct Passing(Gate);

impl Future for Passing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = &self.0.0;
        state.polls.set(state.polls.get() + 1);
        if state.open.get() {
            return Poll::Ready(());
        }
        state.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

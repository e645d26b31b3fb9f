//! What these tests share: an event log, and runs in simulated time.

#![allow(dead_code)] // Not every test uses all of it.

pub(crate) mod generators;
pub(crate) mod refusal;

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use ronde::low_level::SimulatedClock;
use ronde::{Runner, sleep};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

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

    /// A value that appends `line` when it is dropped.
    pub(crate) fn on_drop(&self, line: &'static str) -> OnDrop {
        OnDrop { log: self.clone(), line }
    }
}

pub(crate) struct OnDrop {
    log: Log,
    line: &'static str,
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.log.push(self.line);
    }
}

pub(crate) fn runner() -> Runner {
    runner_with(&SimulatedClock::new())
}

pub(crate) fn runner_with(clock: &SimulatedClock) -> Runner {
    Runner::builder().clock(clock.clone()).build().unwrap()
}

/// Runs a program in simulated time, and ends it in an orderly way. Returns its output, and how many
/// seconds it took.
pub(crate) fn run<F: Future + 'static>(main: F) -> (F::Output, u64) {
    let clock = SimulatedClock::new();
    let runner = runner_with(&clock);
    let output = runner.run(main).unwrap();
    runner.close().unwrap();
    (output, clock.elapsed().as_secs())
}

/// Returns `value` after some seconds.
pub(crate) async fn after<T>(seconds: u32, value: T) -> T {
    sleep(seconds * SECOND).await;
    value
}

/// Logs what the running loop's exception handler is called with.
pub(crate) fn log_reports() -> Log {
    let log = Log::default();
    let reports = log.clone();
    let event_loop = ronde::get_running_loop().unwrap();
    event_loop.set_exception_handler(Some(Rc::new(move |context| reports.push(context))));
    log
}

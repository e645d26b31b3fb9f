//! What these tests share: an event log, and a loop whose time is simulated.

#![allow(dead_code)] // Not every test uses all of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ronde_loop::{EventLoop, SimulatedClock};

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

    /// A callback that appends `line`.
    pub(crate) fn pushes(&self, line: &'static str) -> impl FnOnce() + 'static {
        let log = self.clone();
        move || log.push(line)
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

pub(crate) fn simulated() -> EventLoop {
    simulated_with(&SimulatedClock::new())
}

pub(crate) fn simulated_with(clock: &SimulatedClock) -> EventLoop {
    EventLoop::builder().clock(clock.clone()).build().unwrap()
}

/// Makes one turn.
pub(crate) fn turn(event_loop: &EventLoop) {
    event_loop.stop();
    event_loop.run_forever().unwrap();
}

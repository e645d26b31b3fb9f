//! Ctrl-C: the first cancels the main task, the second ends the program.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as platform;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use ronde_context::{CancelledError, Origin};
use ronde_loop::{ChildRef, LoopHandle};

pub(crate) use platform::end_program;

/// While it lives, Ctrl-C cancels what is run.
pub(crate) struct Interrupt {
    has_arrived: Rc<Cell<bool>>,
    _watch: platform::Watch,
}

impl Interrupt {
    /// Gives `None` where Ctrl-C is not ours to take: off the main thread, as under a test harness,
    /// and when another loop has it.
    pub(crate) fn watch(event_loop: &LoopHandle, main: ChildRef) -> io::Result<Option<Self>> {
        if std::thread::current().name() != Some("main") {
            return Ok(None);
        }
        let has_arrived = Rc::new(Cell::new(false));
        let arrived = has_arrived.clone();
        let cancel = move || {
            arrived.set(true);
            main.cancel_with(CancelledError::default().with_origin(Origin::Interrupt));
        };
        let watch = platform::Watch::start(event_loop, cancel)?;
        Ok(watch.map(|watch| Self { has_arrived, _watch: watch }))
    }

    /// Has it cancelled the task?
    pub(crate) fn has_arrived(&self) -> bool {
        self.has_arrived.get()
    }
}

//! The lines that a program prints.

use std::cell::RefCell;

use ronde::current_task;
use ronde::low_level::SimulatedClock;

/// Collects lines: `<milliseconds> <current task> <text>`.
#[derive(Debug)]
pub(crate) struct Trace {
    clock: SimulatedClock,
    /// `None` once the program is over: what is dropped then leaves no trace.
    lines: RefCell<Option<Vec<String>>>,
}

impl Trace {
    pub(crate) fn new(clock: SimulatedClock) -> Self {
        Self { clock, lines: RefCell::new(Some(Vec::new())) }
    }

    pub(crate) fn line(&self, text: &str) {
        let now = self.clock.elapsed().as_millis();
        let name = current_name();
        if let Some(lines) = &mut *self.lines.borrow_mut() {
            lines.push(format!("{now} {name} {text}"));
        }
    }

    /// Takes the lines, and collects no more.
    pub(crate) fn finish(&self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

/// The name of the current task, or `-`.
pub(crate) fn current_name() -> String {
    current_task().map_or_else(|| "-".to_owned(), |task| task.name().to_string())
}

/// Names, sorted and joined by commas.
pub(crate) fn names(names: impl IntoIterator<Item = String>) -> String {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort();
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}

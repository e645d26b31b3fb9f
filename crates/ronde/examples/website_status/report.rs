//! What the user sees: a line for each result, and how far things are.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use url::Url;

use crate::check::Outcome;

/// Prints a line of its own.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Prints what became of a check, the URLs being aligned to `width`.
pub(crate) fn result(url: &Url, width: usize, outcome: &Outcome) -> io::Result<()> {
    let url = url.as_str();
    match outcome {
        Ok(reply) => line(&format!("  {url:width$}  {reply}")),
        Err(problem) => line(&format!("  {url:width$}  error: {problem}")),
    }
}

/// As wide as the widest URL, within reason.
pub(crate) fn width(urls: &[Url]) -> usize {
    urls.iter().map(|url| url.as_str().len()).max().unwrap_or(0).min(60)
}

pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// A line that says how many checks are done, on a terminal. It goes when this is dropped.
pub(crate) struct Progress {
    shown: bool,
    done: Cell<usize>,
    total: usize,
}

impl Progress {
    pub(crate) fn start(total: usize) -> Self {
        let shown = io::stderr().is_terminal();
        let progress = Self { shown, done: Cell::new(0), total };
        progress.show();
        progress
    }

    pub(crate) fn one_more(&self) {
        self.done.set(self.done.get() + 1);
        self.show();
    }

    fn show(&self) {
        self.write(&format!("\r{} of {} done", self.done.get(), self.total));
    }

    fn write(&self, text: &str) {
        if self.shown {
            // Without it the results are still complete.
            let _ = write!(io::stderr(), "{text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // Back to the beginning of the line, and erase it.
        self.write("\r\x1b[K");
    }
}

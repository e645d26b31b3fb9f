//! Memory that is lent for a moment.

use std::cell::Cell;

/// What arrives is at most this much at once: a datagram is never larger, and of a stream it is a good part.
const ROOM: usize = 128 * 1024;

thread_local! {
    /// One buffer serves all transports of a thread.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends memory. What `f` calls may ask for some, too.
pub(crate) fn with_scratch<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut lent = Lent(SCRATCH.try_with(Cell::take).unwrap_or_default());
    lent.0.resize(ROOM, 0);
    f(&mut lent.0)
}

struct Lent(Vec<u8>);

impl Drop for Lent {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.0);
        // At the end of a thread it may be gone.
        let _ = SCRATCH.try_with(|scratch| scratch.set(memory));
    }
}

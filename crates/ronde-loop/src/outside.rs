//! What a loop waits for that it can't see.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// How many waits for something outside of the loop there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outside(Rc<Cell<usize>>);

impl Outside {
    pub(crate) fn is_expected(&self) -> bool {
        self.0.get() > 0
    }

    pub(crate) fn expect(&self) -> OutsideWait {
        self.0.set(self.0.get() + 1);
        OutsideWait(self.clone())
    }
}

/// Something outside of the loop is waited for. Made by
/// [`wait_outside`](crate::LoopHandle::wait_outside).
#[must_use = "the wait is over when it is dropped"]
pub struct OutsideWait(Outside);

impl Drop for OutsideWait {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get() - 1);
    }
}

impl fmt::Debug for OutsideWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutsideWait")
    }
}

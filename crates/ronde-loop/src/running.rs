//! Which loop runs on this thread.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::handle::{LoopHandle, Shared};

thread_local! {
    static RUNNING: RefCell<Option<Rc<Shared>>> = const { RefCell::new(None) };
}

/// No event loop is running on this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoRunningLoopError;

impl fmt::Display for NoRunningLoopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no event loop is running on this thread")
    }
}

impl std::error::Error for NoRunningLoopError {}

/// The loop that runs on this thread.
///
/// # Errors
///
/// [`NoRunningLoopError`] outside of tasks and callbacks.
///
/// # In asyncio
///
/// `asyncio.get_running_loop`.
///
/// # Examples
///
/// ```
/// use ronde_loop::{EventLoop, get_running_loop};
///
/// assert!(get_running_loop().is_err());
/// let event_loop = EventLoop::new()?;
/// event_loop.run_until_complete(async { assert!(get_running_loop().unwrap().is_running()) })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn get_running_loop() -> Result<LoopHandle, NoRunningLoopError> {
    with_running(|shared| LoopHandle { shared: shared.clone() }).ok_or(NoRunningLoopError)
}

pub(crate) fn with_running<R>(f: impl FnOnce(&Rc<Shared>) -> R) -> Option<R> {
    RUNNING.try_with(|running| running.borrow().as_ref().map(f)).ok().flatten()
}

/// While it lives, a loop is the running one of its thread.
pub(crate) struct Running(());

impl Running {
    /// `None` if another loop is running.
    pub(crate) fn start(shared: &Rc<Shared>) -> Option<Self> {
        RUNNING.with(|running| {
            let mut running = running.borrow_mut();
            if running.is_some() {
                return None;
            }
            *running = Some(shared.clone());
            shared.running.set(true);
            Some(Self(()))
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let shared = RUNNING.with(|running| running.borrow_mut().take());
        if let Some(shared) = shared {
            shared.running.set(false);
        }
    }
}

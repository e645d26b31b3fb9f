//! What hears of the end of a loop.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

use ronde_executor::{ExceptionContext, Failure, PanicError};

use crate::handle::LoopHandle;

/// What is to hear that its loop is closed: see [`LoopHandle::watch_close`].
pub trait CloseListener {
    /// The loop is being closed. Its tasks are dropped already; nothing runs on it any more.
    fn loop_closes(self: Rc<Self>);
}

/// The listeners of a loop.
#[derive(Default)]
pub(crate) struct CloseListeners {
    /// Those that were added, in order, and some that are gone.
    listeners: RefCell<Vec<Weak<dyn CloseListener>>>,
    /// How long `listeners` may become before those that are gone are removed.
    limit: Cell<usize>,
}

impl CloseListeners {
    fn add(&self, listener: Weak<dyn CloseListener>) {
        let mut listeners = self.listeners.borrow_mut();
        if listeners.len() >= self.limit.get() {
            listeners.retain(|listener| listener.strong_count() > 0);
            self.limit.set(2 * listeners.len() + 16);
        }
        listeners.push(listener);
    }

    /// Calls all that are left. Returns what went wrong in them.
    pub(crate) fn close(&self) -> Vec<ExceptionContext> {
        let listeners = self.listeners.take();
        let listeners = listeners.iter().filter_map(Weak::upgrade);
        let closed = listeners.map(|it| catch_unwind(AssertUnwindSafe(|| it.loop_closes())));
        let failed = closed.filter_map(Result::err).map(|payload| {
            let failure = Failure::Panic(PanicError::of(payload));
            ExceptionContext::new("a listener to the end of the loop failed", failure)
        });
        failed.collect()
    }
}

impl LoopHandle {
    /// Has `listener` told when the loop is closed, if it is still there then.
    ///
    /// For what lives on the loop without being a task, and holds on to itself: a connection and the
    /// code that it calls, say. Here it can let go. Listeners are called in the order in which they
    /// were added; a panic in one goes to the [exception handler](Self::set_exception_handler). On a
    /// loop that is closed already nothing happens.
    ///
    /// # In asyncio
    ///
    /// There is no such thing: the garbage collector finds what holds on to itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_loop::{CloseListener, EventLoop};
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// struct Connection(Cell<bool>);
    ///
    /// impl CloseListener for Connection {
    ///     fn loop_closes(self: Rc<Self>) {
    ///         self.0.set(false);
    ///     }
    /// }
    ///
    /// let event_loop = EventLoop::new()?;
    /// let connection = Rc::new(Connection(Cell::new(true)));
    /// let listener: Rc<dyn CloseListener> = connection.clone();
    /// event_loop.watch_close(Rc::downgrade(&listener));
    /// event_loop.close()?;
    /// assert!(!connection.0.get());
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn watch_close(&self, listener: Weak<dyn CloseListener>) {
        if !self.is_closed() {
            self.shared.close_listeners.add(listener);
        }
    }
}

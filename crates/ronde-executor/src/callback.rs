//! Callbacks: closures that the executor runs once.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;

use ronde_context::Context;

use crate::error::PanicError;
use crate::failure::{ExceptionContext, Failure};
use crate::inherited::Inherited;

/// A callback that has been queued, and can still be cancelled.
///
/// Dropping the handle does not cancel the callback.
///
/// # In asyncio
///
/// `asyncio.Handle`.
///
/// # Examples
///
/// ```
/// # use ronde_executor::Executor;
/// let executor = Executor::new(|| {});
/// let handle = executor.call_soon(|| panic!("never called"));
/// handle.cancel();
/// executor.run_batch();
/// assert!(handle.cancelled());
/// ```
#[derive(Clone)]
pub struct Handle {
    callback: Rc<dyn Callback>,
}

trait Callback {
    fn run(&self);
    fn cancel(&self);
    fn state(&self) -> State;
    fn context(&self) -> Option<Context>;
    fn created_at(&self) -> &'static Location<'static>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Queued,
    Run,
    Cancelled,
}

struct Once<F> {
    closure: RefCell<Option<F>>,
    /// `None` if the closure sees to it itself.
    inherited: Cell<Option<Inherited>>,
    state: Cell<State>,
    created_at: &'static Location<'static>,
}

impl<F: FnOnce()> Callback for Once<F> {
    fn run(&self) {
        let Some(closure) = self.closure.take() else { return };
        self.state.set(State::Run);
        match self.inherited.take() {
            Some(inherited) => inherited.run(closure),
            None => closure(),
        }
    }

    fn cancel(&self) {
        if self.state.get() == State::Queued {
            self.state.set(State::Cancelled);
            // What the closure holds is released now and not when its turn comes.
            drop(self.closure.take());
            drop(self.inherited.take());
        }
    }

    fn state(&self) -> State {
        self.state.get()
    }

    fn context(&self) -> Option<Context> {
        let inherited = self.inherited.take();
        let context = inherited.as_ref().map(Inherited::context);
        self.inherited.set(inherited);
        context
    }

    fn created_at(&self) -> &'static Location<'static> {
        self.created_at
    }
}

impl Handle {
    #[track_caller]
    pub(crate) fn new(closure: impl FnOnce() + 'static) -> Self {
        Self::with(closure, Some(Inherited::from_caller()), Location::caller())
    }

    /// Of a closure that runs in no context in particular, or sees to it itself, and was registered
    /// elsewhere.
    pub(crate) fn registered_at(
        location: &'static Location<'static>,
        closure: impl FnOnce() + 'static,
    ) -> Self {
        Self::with(closure, None, location)
    }

    fn with(
        closure: impl FnOnce() + 'static,
        inherited: Option<Inherited>,
        created_at: &'static Location<'static>,
    ) -> Self {
        Self {
            callback: Rc::new(Once {
                closure: RefCell::new(Some(closure)),
                inherited: Cell::new(inherited),
                state: Cell::new(State::Queued),
                created_at,
            }),
        }
    }

    /// Sees to it that the callback isn't called. Does nothing if it has been.
    pub fn cancel(&self) {
        self.callback.cancel();
    }

    /// Was it cancelled before it could be called?
    pub fn cancelled(&self) -> bool {
        self.callback.state() == State::Cancelled
    }

    /// A copy of the context that the callback will run in. `None` once it has been called or cancelled:
    /// what it held is let go then.
    ///
    /// # In asyncio
    ///
    /// `Handle.get_context`.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_context::ContextVar;
    /// # use ronde_executor::Executor;
    /// # let executor = Executor::new(|| {});
    ///
    /// static USER: ContextVar<&str> = ContextVar::new("user");
    /// USER.set("Ada");
    /// let handle = executor.call_soon(|| ());
    /// USER.set("Charles");
    /// assert_eq!(handle.get_context().unwrap().get(&USER), Some("Ada"));
    /// executor.run_batch();
    /// assert!(handle.get_context().is_none());
    /// ```
    pub fn get_context(&self) -> Option<Context> {
        self.callback.context()
    }

    /// Where the callback was registered.
    pub fn created_at(&self) -> &'static Location<'static> {
        self.callback.created_at()
    }

    /// Calls it, unless it has been called or cancelled. Returns the panic it ended in.
    pub(crate) fn run(&self) -> Result<(), ExceptionContext> {
        catch_unwind(AssertUnwindSafe(|| self.callback.run())).map_err(|payload| ExceptionContext {
            created_at: Some(self.callback.created_at()),
            ..ExceptionContext::new("a callback failed", Failure::Panic(PanicError::of(payload)))
        })
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.callback.state() {
            State::Queued => "",
            State::Run => " run",
            State::Cancelled => " cancelled",
        };
        write!(f, "<Handle{state} created at {}>", self.callback.created_at())
    }
}

//! Calling protocols: one at a time, from the loop, and never out of its panics.
//!
//! What is driven has `steps`: it looks at the state of things and calls the protocol with what there is
//! to tell. Whatever may have changed the state takes a [`note`]. While the steps run, that makes them look
//! again before they end; else it queues them. So no method of a transport ever calls a protocol, and no
//! protocol is called while it runs.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use ronde_context::{Context, copy_context};
use ronde_loop::{ExceptionContext, Failure, LoopHandle, PanicError};

pub(crate) struct Caller {
    event_loop: LoopHandle,
    /// What the protocol's methods run in.
    context: RefCell<Context>,
    is_running: Cell<bool>,
    is_queued: Cell<bool>,
    /// Something has changed since the steps have looked last.
    is_noted: Cell<bool>,
}

/// What calls a protocol.
pub(crate) trait Driven: 'static {
    fn caller(&self) -> &Caller;

    /// Tells the protocol what there is to tell.
    fn steps(self: &Rc<Self>);
}

/// Something may have changed.
pub(crate) fn note<D: Driven>(driven: &Rc<D>) {
    let caller = driven.caller();
    if caller.is_running.get() {
        caller.is_noted.set(true);
    } else {
        queue(driven);
    }
}

/// Has the steps run in the next turn.
pub(crate) fn queue<D: Driven>(driven: &Rc<D>) {
    let caller = driven.caller();
    if caller.event_loop.is_closed() || caller.is_queued.replace(true) {
        return;
    }
    let driven = driven.clone();
    caller.event_loop.call_soon(move || {
        driven.caller().is_queued.set(false);
        run(&driven);
    });
}

/// Runs the steps. Only the loop may call it.
pub(crate) fn run<D: Driven>(driven: &Rc<D>) {
    run_after(driven, || {});
}

/// Runs the steps after something else that calls the protocol. Only the loop may call it, and not while
/// [they run](Caller::is_running).
pub(crate) fn run_after<D: Driven>(driven: &Rc<D>, first: impl FnOnce()) {
    let caller = driven.caller();
    // Not the first one: a method of the protocol runs a loop inside ours. It will look again.
    if caller.is_running.replace(true) {
        return;
    }
    let running = Running(&caller.is_running);
    caller.look();
    caller.context.borrow_mut().run(|| {
        first();
        driven.steps();
    });
    drop(running);
    if caller.is_noted.take() {
        queue(driven);
    }
}

impl Caller {
    pub(crate) fn new(event_loop: LoopHandle) -> Self {
        Self {
            event_loop,
            context: RefCell::new(copy_context()),
            is_running: Cell::new(false),
            is_queued: Cell::new(false),
            is_noted: Cell::new(false),
        }
    }

    pub(crate) fn event_loop(&self) -> &LoopHandle {
        &self.event_loop
    }

    pub(crate) fn is_running(&self) -> bool {
        self.is_running.get()
    }

    /// The steps look at everything there is, from here on.
    pub(crate) fn look(&self) {
        self.is_noted.set(false);
    }

    /// Calls a method of a protocol. A panic is reported, and an error.
    pub(crate) fn call<R>(&self, method: &str, f: impl FnOnce() -> R) -> io::Result<R> {
        catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
            let message =
                format!("a protocol has failed in `{method}`, and its transport is aborted");
            let failure = Failure::Panic(PanicError::of(payload));
            self.event_loop.call_exception_handler(&ExceptionContext::new(message, failure));
            io::Error::other(format!("the protocol panicked in `{method}`"))
        })
    }
}

struct Running<'a>(&'a Cell<bool>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

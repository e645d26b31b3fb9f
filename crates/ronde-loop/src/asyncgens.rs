//! Async generators that are open: suspended where they have yielded, with clean-up still to do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::Poll;

use ronde_executor::{ExceptionContext, Failure, PanicError, TaskId, TaskRef};

use crate::handle::LoopHandle;

/// What a loop must know of an async generator to close it.
///
/// `ronde::AsyncGenerator` implements it. So may anything else whose clean-up awaits, and which may
/// be left behind in the middle.
pub trait OpenGenerator {
    /// Is there anything left to clean up?
    fn is_open(&self) -> bool;

    /// Where it was created.
    fn created_at(&self) -> &'static Location<'static>;

    /// Closes it. The future is awaited in a task of its own.
    fn close(self: Rc<Self>) -> CloseFuture;
}

/// The future of [`OpenGenerator::close`].
pub type CloseFuture = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error>>>>>;

/// One that was left behind, and the task that closes it.
type Left = (Rc<dyn OpenGenerator>, TaskRef);

/// The open generators of a loop.
#[derive(Default)]
pub(crate) struct AsyncGens {
    /// Those that have started, in order, and some that are gone.
    started: RefCell<Vec<Weak<dyn OpenGenerator>>>,
    /// How long `started` may become before those that are gone are removed.
    limit: Cell<usize>,
    /// Those that were left behind, in order, and some that are closed.
    left: RefCell<BTreeMap<TaskId, Left>>,
    /// How many `left` may become before those that are closed are removed.
    left_limit: Cell<usize>,
    shut_down: Cell<bool>,
}

impl AsyncGens {
    fn add(&self, generator: Weak<dyn OpenGenerator>) {
        let mut started = self.started.borrow_mut();
        if started.len() >= self.limit.get() {
            started.retain(|generator| generator.strong_count() > 0);
            self.limit.set(2 * started.len() + 16);
        }
        started.push(generator);
    }

    fn take_open(&self) -> Vec<Rc<dyn OpenGenerator>> {
        let started = self.started.take();
        started.iter().filter_map(Weak::upgrade).filter(|generator| generator.is_open()).collect()
    }

    fn add_left(&self, generator: Rc<dyn OpenGenerator>, task: TaskRef) {
        let mut left = self.left.borrow_mut();
        let mut closed = BTreeMap::new();
        if left.len() >= self.left_limit.get() {
            let all = std::mem::take(&mut *left).into_iter();
            (closed, *left) = all.partition(|(_, (_, task))| task.done());
            self.left_limit.set(2 * left.len() + 16);
        }
        left.insert(task.id(), (generator, task));
        drop(left);
        // Destructors are foreign code.
        drop(closed);
    }

    pub(crate) fn close(&self) {
        let _generators = (self.started.take(), self.left.take());
    }
}

impl LoopHandle {
    /// Says that an async generator has started, so that
    /// [`shutdown_asyncgens`](Self::shutdown_asyncgens) closes it if it is still open then.
    ///
    /// # In asyncio
    ///
    /// The loop's `firstiter` hook, see `sys.set_asyncgen_hooks`.
    pub fn register_asyncgen(&self, generator: Weak<dyn OpenGenerator>) {
        if self.shared.asyncgens.shut_down.get()
            && let Some(generator) = generator.upgrade()
        {
            let created_at = generator.created_at();
            tracing::warn!(target: "ronde", %created_at, "an async generator was started after the loop closed those that were open");
        }
        self.shared.asyncgens.add(generator);
    }

    /// Closes an async generator that nobody can close any more, because it was dropped while it
    /// was open: in a task, which is created here.
    ///
    /// A failure goes to the [exception handler](Self::set_exception_handler). On a closed loop
    /// nothing happens.
    ///
    /// # In asyncio
    ///
    /// The loop's `finalizer` hook.
    pub fn close_asyncgen(&self, generator: Rc<dyn OpenGenerator>) {
        if !self.is_closed() {
            let task = self.start_closing(&generator);
            self.shared.asyncgens.add_left(generator, task);
        }
    }

    /// Closes the async generators that are open, in the order in which they were started, each in a
    /// task of its own, and waits until they are.
    ///
    /// Failures go to the [exception handler](Self::set_exception_handler). Those that are started
    /// afterwards are warned about. `ronde::run` does this at its end.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Generators that are being closed go on with that, and a further call waits for
    /// them as well. (A cancellation, unlike a drop, goes to the task that is waited for.)
    ///
    /// # In asyncio
    ///
    /// `loop.shutdown_asyncgens`.
    pub async fn shutdown_asyncgens(&self) {
        let generators = &self.shared.asyncgens;
        generators.shut_down.set(true);
        // Closing one may leave others behind.
        loop {
            for generator in generators.take_open() {
                self.close_asyncgen(generator);
            }
            let next = generators.left.borrow().first_key_value().map(|(_, left)| left.clone());
            let Some((generator, task)) = next else { return };
            // A cancelled one is over as well.
            let _ = task.clone().await;
            let closed = generators.left.borrow_mut().remove(&task.id());
            drop(closed);
            if task.cancelled() && generator.is_open() {
                // Cancelled before it could begin.
                self.close_asyncgen(generator);
            }
        }
    }

    /// Are there async generators that [`shutdown_asyncgens`](Self::shutdown_asyncgens) would close,
    /// or wait for?
    pub fn has_open_asyncgens(&self) -> bool {
        let generators = &self.shared.asyncgens;
        let any_left = !generators.left.borrow().is_empty();
        let started = generators.started.borrow().clone();
        any_left || started.iter().filter_map(Weak::upgrade).any(|generator| generator.is_open())
    }

    /// Is `task` one of those that close an async generator?
    ///
    /// `ronde::run` doesn't cancel them at its end: it waits for them, with
    /// [`shutdown_asyncgens`](Self::shutdown_asyncgens).
    pub fn is_closing_asyncgen(&self, task: &TaskRef) -> bool {
        let left = self.shared.asyncgens.left.borrow();
        left.get(&task.id()).is_some_and(|(_, other)| other == task)
    }

    fn start_closing(&self, generator: &Rc<dyn OpenGenerator>) -> TaskRef {
        let closing = close(self.clone(), generator.clone());
        self.create_task(closing).as_ref().clone()
    }
}

/// Closes a generator, and reports what goes wrong.
async fn close(event_loop: LoopHandle, generator: Rc<dyn OpenGenerator>) {
    let created_at = generator.created_at();
    let mut closing = generator.close();
    let closed = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| closing.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(closed)) => Poll::Ready(closed.map_err(Failure::Error)),
        Err(panic) => Poll::Ready(Err(Failure::Panic(PanicError::of(panic)))),
    })
    .await;
    if let Err(failure) = closed {
        let mut context = ExceptionContext::new("closing an async generator failed", failure);
        context.created_at = Some(created_at);
        event_loop.call_exception_handler(&context);
    }
}

impl fmt::Debug for dyn OpenGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<open async generator, created at {}>", self.created_at())
    }
}

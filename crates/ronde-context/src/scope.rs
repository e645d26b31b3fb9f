//! A scope that can be cancelled from outside without cancelling the task around it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::error::Origin;
use crate::handler::{Handler, Step};
use crate::wait::{Wait, add_waiting, cancel};
use crate::{CancelledError, registers};

/// Cancels what runs inside it, and nothing else.
///
/// Timeouts and groups are made of it: [`run`](Self::run) wraps the body, and
/// [`cancel`](Self::cancel), called from a timer or from another task, delivers a cancellation to
/// the innermost handler *inside* the scope. If it comes back out of the body, it ends here, as
/// `Err`. A cancellation that is not the scope's own passes through untouched.
///
/// # Examples
///
/// ```
/// use futures_lite::future::{pending, poll_once};
/// use ronde_context::{CancelScope, CancelledError};
///
/// # futures_lite::future::block_on(async {
/// let scope = CancelScope::new();
/// let mut body = std::pin::pin!(scope.run(pending::<()>()));
/// assert_eq!(poll_once(body.as_mut()).await, None);
///
/// scope.cancel(&CancelledError::new("time is up"));
/// let outcome = body.await;
/// assert_eq!(outcome.unwrap_err().message(), Some("time is up"));
/// # });
/// ```
#[derive(Clone)]
pub struct CancelScope {
    shared: Rc<Shared>,
}

struct Shared {
    id: Cell<Option<u64>>,
    phase: Cell<Phase>,
    requested: RefCell<Option<CancelledError>>,
    /// The body may be polled once more before the request is delivered.
    one_more_poll: Cell<bool>,
    /// The request was passed on to what the body waits for, and comes back through it.
    forwarded: Cell<bool>,
    waiting: RefCell<Option<Wait>>,
    waker: RefCell<Option<Waker>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not polled yet, or suspended.
    Suspended,
    Polling,
    Finished,
}

impl Default for CancelScope {
    fn default() -> Self {
        Self::new()
    }
}

impl CancelScope {
    /// Makes a scope with nothing in it yet.
    ///
    /// ```
    /// let scope = ronde_context::CancelScope::new();
    /// assert!(!scope.is_finished());
    /// ```
    pub fn new() -> Self {
        Self {
            shared: Rc::new(Shared {
                id: Cell::new(None),
                phase: Cell::new(Phase::Suspended),
                requested: RefCell::new(None),
                one_more_poll: Cell::new(false),
                forwarded: Cell::new(false),
                waiting: RefCell::new(None),
                waker: RefCell::new(None),
            }),
        }
    }

    /// Wraps `body`. The result is `Err` if a cancellation of this scope came out of the body.
    ///
    /// A scope is for one body; a second `run` shares its requests with the first.
    ///
    /// # Cancel safety
    ///
    /// Being dropped, it drops `body`.
    pub fn run<F: Future>(&self, body: F) -> Scoped<F> {
        Scoped { shared: self.shared.clone(), handler: Handler::new(), body: Some(body) }
    }

    /// Asks for the body to be cancelled. Returns false if it is over already.
    ///
    /// If the body waits for a task or a promise, that is cancelled, and the cancellation comes
    /// back through it; else the body's task is woken and gets it at its next poll.
    pub fn cancel(&self, error: &CancelledError) -> bool {
        let shared = &self.shared;
        let error = error.clone().with_origin(self.origin());
        match shared.phase.get() {
            Phase::Finished => return false,
            // Delivered when the body suspends.
            Phase::Polling => {}
            Phase::Suspended => {
                let target = match &*shared.waiting.borrow() {
                    Some(Wait::For(target)) if !target.is_done() => Some(target.clone()),
                    _ => None,
                };
                if let Some(target) = target {
                    shared.forwarded.set(true);
                    if cancel(target, &error) {
                        return true;
                    }
                }
            }
        }
        shared.requested.borrow_mut().get_or_insert(error);
        // Not under the borrow: waking may run code of another executor.
        let waker = shared.waker.borrow().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// As [`cancel`](Self::cancel), but a body that is just finishing wins: it is polled once more,
    /// and only if it is then still suspended it gets the cancellation.
    ///
    /// Timeouts use it: what finishes together with its deadline has finished.
    pub fn cancel_unless_ready(&self, error: &CancelledError) -> bool {
        self.shared.one_more_poll.set(true);
        self.cancel(error)
    }

    /// Is the body over?
    pub fn is_finished(&self) -> bool {
        self.shared.phase.get() == Phase::Finished
    }

    /// What the scope's own cancellations carry as their origin.
    ///
    /// ```
    /// use ronde_context::{CancelScope, Origin};
    /// assert!(matches!(CancelScope::new().origin(), Origin::Scope(_)));
    /// ```
    pub fn origin(&self) -> Origin {
        Origin::Scope(self.shared.id())
    }
}

impl fmt::Debug for CancelScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelScope")
            .field("finished", &self.is_finished())
            .field("requested", &self.shared.requested.borrow().is_some())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn id(&self) -> u64 {
        thread_local!(static NEXT: Cell<u64> = const { Cell::new(0) });
        self.id.get().unwrap_or_else(|| {
            let id = NEXT.replace(NEXT.get() + 1);
            self.id.set(Some(id));
            id
        })
    }

    /// The cancellation to deliver now, if there is one.
    fn due(&self) -> Option<CancelledError> {
        let waiting = self.waiting.take();
        let requested = self.requested.take();
        if !self.forwarded.replace(false) && requested.is_none() {
            return None;
        }
        // What the body waited for may have been cancelled on our behalf, or by somebody else just
        // before our request: either way that is the error which the body would have seen.
        let through = match waiting {
            Some(Wait::For(target)) => target.take_cancelled(),
            _ => None,
        };
        Some(through.or(requested)?.with_origin(Origin::Scope(self.id())))
    }

    /// A request that arrived while the body was polled, and must be delivered now that it is
    /// suspended. Passes it on if the body waits for something that takes it.
    fn due_at_suspension(&self) -> bool {
        let Some(error) = self.requested.borrow().clone() else { return false };
        let target = match &*self.waiting.borrow() {
            Some(Wait::For(target)) if !target.is_done() => target.clone(),
            _ => return true,
        };
        if cancel(target, &error) {
            self.requested.take();
            self.forwarded.set(true);
            return false;
        }
        true
    }
}

pin_project! {
    /// The future of [`CancelScope::run`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Scoped<F> {
        shared: Rc<Shared>,
        handler: Handler,
        // `None` once the body is over.
        #[pin]
        body: Option<F>,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.shared.phase.set(Phase::Finished);
            this.handler.drop_body(this.body);
        }
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = Result<F::Output, CancelledError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let shared = &**this.shared;
        store_waker(&shared.waker, cx.waker());

        // Look at what *this* body waits for, apart from what its siblings wait for.
        let siblings = registers::take_waiting();
        // A cancellation of the whole task that is being delivered goes first.
        let one_more_poll = shared.one_more_poll.take() && !shared.forwarded.get();
        let wait = registers::anything_armed() || one_more_poll;
        let mut due = if wait { None } else { shared.due() };
        let step = loop {
            if let Some(error) = due.take() {
                registers::arm(error);
            }
            shared.phase.set(Phase::Polling);
            let step = this.handler.poll_body(this.body.as_mut(), cx);
            shared.phase.set(Phase::Suspended);
            if !matches!(step, Step::Pending) {
                break step;
            }

            *shared.waiting.borrow_mut() = registers::take_waiting();
            let origin = Origin::Scope(shared.id());
            due = registers::take_returned(|error| error.origin() == origin);
            if due.is_none() && shared.due_at_suspension() {
                due = shared.requested.take();
            }
            if due.is_none() {
                break step;
            }
        };
        registers::take_waiting();
        registers::set_waiting(siblings);

        let origin = Origin::Scope(shared.id());
        match step {
            Step::Pending => {
                if let Some(waiting) = shared.waiting.borrow().clone() {
                    add_waiting(waiting);
                }
                Poll::Pending
            }
            Step::Returned(value) => {
                shared.phase.set(Phase::Finished);
                registers::take_returned(|error| error.origin() == origin);
                Poll::Ready(Ok(value))
            }
            Step::Cancelled(error) => {
                shared.phase.set(Phase::Finished);
                if error.origin() == origin {
                    return Poll::Ready(Err(error));
                }
                // Not ours: on to the handler around us, which drops us.
                registers::raise(error);
                Poll::Pending
            }
        }
    }
}

fn store_waker(slot: &RefCell<Option<Waker>>, waker: &Waker) {
    let stale = slot.borrow().as_ref().is_none_or(|stored| !stored.will_wake(waker));
    if stale {
        // The old waker's destructor runs after the borrow has ended.
        let _old = slot.replace(Some(waker.clone()));
    }
}

//! A scope that can be cancelled from outside without cancelling the task around it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::current::current_task;
use crate::error::Origin;
use crate::handler::{Handler, Step};
use crate::wait::{Awaited, Wait, cancel, waiting_for};
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

/// A scope, for those inside it.
pub(crate) type ScopeRef = Rc<Shared>;

pub(crate) struct Shared {
    id: Cell<Option<u64>>,
    phase: Cell<Phase>,
    /// The task that it is in. Known from the first poll on.
    task: RefCell<Option<Weak<dyn Awaited>>>,
    /// The scope around it.
    around: RefCell<Option<ScopeRef>>,
    /// What was [outstanding](Self::outstanding) then.
    outstanding_before: Cell<i64>,
    /// Is the task to count the cancellation of this scope?
    counts: bool,
    is_counted: Cell<bool>,
    was_cancelled: Cell<bool>,
    request: RefCell<Request>,
    /// The body may be polled once more before the request is delivered.
    one_more_poll: Cell<bool>,
    /// A cancellation from outside that a handler inside the body has taken. If the task hasn't taken it
    /// back, it is to be raised again.
    outer: RefCell<Option<CancelledError>>,
    /// What the body is suspended on.
    waiting: RefCell<Option<Wait>>,
    /// Wakes the body. `None` also while a wake-up is on its way.
    waker: RefCell<Option<Waker>>,
}

/// A cancellation that the body hasn't got yet.
#[derive(Default)]
enum Request {
    #[default]
    None,
    /// The body gets it at its next poll.
    Made(CancelledError),
    /// What the body waits for was cancelled in its stead, and the cancellation comes back through
    /// that. It is kept in case the body stops waiting for it.
    PassedOn(CancelledError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not polled yet.
    Created,
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
        Self::counted(true)
    }

    /// As [`new`](Self::new), but the task doesn't count its cancellation (see [`Awaited::cancelling`]):
    /// for what counts it for longer than the body takes, as a group does.
    pub fn uncounted() -> Self {
        Self::counted(false)
    }

    fn counted(counts: bool) -> Self {
        Self {
            shared: Rc::new(Shared {
                id: Cell::new(None),
                phase: Cell::new(Phase::Created),
                task: RefCell::new(None),
                around: RefCell::new(None),
                outstanding_before: Cell::new(0),
                counts,
                is_counted: Cell::new(false),
                was_cancelled: Cell::new(false),
                request: RefCell::default(),
                one_more_poll: Cell::new(false),
                outer: RefCell::new(None),
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
    /// **Strict**, if `body` is. Being dropped, it drops `body`.
    pub fn run<F: Future>(&self, body: F) -> Scoped<F> {
        Scoped {
            shared: self.shared.clone(),
            handler: Handler::new(),
            raised: false,
            body: Some(body),
        }
    }

    /// Asks for the body to be cancelled. Returns false if it is over already.
    ///
    /// If the body waits for a task or a promise, that is cancelled, and the cancellation comes
    /// back through it; else the body's task is woken and gets it at its next poll. An entry in a
    /// wait list is marked at once.
    pub fn cancel(&self, error: &CancelledError) -> bool {
        let shared = &self.shared;
        let error = error.clone().with_origin(self.origin());
        match shared.phase.get() {
            Phase::Finished => return false,
            // The request is looked at when the body suspends.
            Phase::Polling => {
                shared.count();
                shared.request(error);
            }
            Phase::Created | Phase::Suspended => {
                shared.count();
                if shared.pass_on(&error) {
                    return true;
                }
                // A body that may still win keeps its place until it has been polled once more.
                if !shared.one_more_poll.get() {
                    shared.cancel_entry();
                }
                shared.request(error);
                let waker = shared.waker.take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
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

    /// How many cancellations of its task, and of the scopes around it, have been asked for and not taken
    /// back. Its own is not among them, nor are those of scopes beside it, as under `join!`.
    ///
    /// For authors of things like groups, which cancel a task again if there is something left to be
    /// cancelled for. Outside every task it is none.
    pub fn outstanding(&self) -> u32 {
        u32::try_from(self.shared.outstanding()).unwrap_or(0)
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
            .field("requested", &!matches!(*self.shared.request.borrow(), Request::None))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("id", &self.id.get()).finish_non_exhaustive()
    }
}

impl Shared {
    fn id(&self) -> u64 {
        self.id.get().unwrap_or_else(|| {
            let id = registers::unique();
            self.id.set(Some(id));
            id
        })
    }

    /// The body is polled for the first time.
    fn begin(&self) {
        let _none = self.around.replace(registers::current_scope());
        let _none = self.task.replace(current_task());
        self.outstanding_before.set(self.outstanding());
        if self.was_cancelled.get() {
            self.count();
        }
    }

    /// How many cancellations there are that this scope is in the way of: the task's own, and those of the
    /// scopes around this one. What scopes in other branches of the task are doing is not its business.
    ///
    /// Negative if the task has taken back more than was its own.
    fn outstanding(&self) -> i64 {
        let Some(task) = self.task() else { return 0 };
        let own = i64::from(task.cancelling()) - i64::from(task.cancelling_scopes());
        let mut scopes = 0;
        let mut around = self.around.borrow().clone();
        while let Some(scope) = around {
            scopes += i64::from(scope.was_cancelled.get());
            around = scope.around.borrow().clone();
        }
        own + scopes
    }

    fn task(&self) -> Option<Rc<dyn Awaited>> {
        self.task.borrow().as_ref().and_then(Weak::upgrade)
    }

    /// The task counts the first cancellation of the scope.
    fn count(&self) {
        self.was_cancelled.set(true);
        if self.counts
            && let Some(task) = self.task()
            && !self.is_counted.replace(true)
        {
            task.count_scope(true);
        }
    }

    /// The scope is over, and its cancellation is no longer counted.
    fn uncount(&self) {
        self.was_cancelled.set(false);
        if self.is_counted.take()
            && let Some(task) = self.task()
        {
            task.count_scope(false);
        }
    }

    /// A cancellation comes out of the body: does it end here? It does if this scope was cancelled, and
    /// nothing else was asked for since the body began. A scope that isn't counted, or whose body is
    /// polled in another task now, ends what is its own, unless that has cut another one short.
    fn ends_here(&self, error: &CancelledError) -> bool {
        // The closing of a generator around us is nothing that a task counts, and not ours to end.
        if !self.was_cancelled.get() || error.origin() == Origin::Close {
            return false;
        }
        let nothing_else = self.outstanding() <= self.outstanding_before.get();
        if self.is_counted.get() && self.is_in_its_task() {
            return nothing_else;
        }
        self.is_mine(error) && (nothing_else || self.outer.borrow().is_none())
    }

    fn is_in_its_task(&self) -> bool {
        match (current_task(), &*self.task.borrow()) {
            (Some(current), Some(task)) => Weak::ptr_eq(&current, task),
            _ => false,
        }
    }

    fn is_mine(&self, error: &CancelledError) -> bool {
        self.id.get().is_some_and(|id| error.origin() == Origin::Scope(id))
    }

    /// Leaves the request with the scope. The first one counts.
    fn request(&self, error: CancelledError) {
        let mut request = self.request.borrow_mut();
        if !matches!(*request, Request::Made(_)) {
            *request = Request::Made(error);
        }
    }

    fn made(&self) -> Option<CancelledError> {
        match &*self.request.borrow() {
            Request::Made(error) => Some(error.clone()),
            Request::None | Request::PassedOn(_) => None,
        }
    }

    /// Cancels what the body waits for, if there is such a thing.
    fn pass_on(&self, error: &CancelledError) -> bool {
        let waiting = self.waiting.borrow().clone();
        let passed_on = match waiting.as_ref().and_then(Wait::target) {
            Some(target) => !target.is_done() && cancel(target.clone(), error),
            None => false,
        };
        if passed_on && self.made().is_none() {
            self.request.replace(Request::PassedOn(error.clone()));
        }
        passed_on
    }

    /// Marks the wait list's entry that the body waits in, if it does.
    fn cancel_entry(&self) {
        let waiting = self.waiting.borrow().clone();
        if let Some(waiting) = waiting {
            waiting.cancel_entry();
        }
    }

    /// The cancellation to deliver at the poll that begins now. `waited` is what the body has been
    /// suspended on.
    fn due(&self, waited: Option<&Wait>) -> Option<CancelledError> {
        let request = self.request.take();
        if matches!(request, Request::None) {
            return None;
        }
        // What the body waited for may have been cancelled on our behalf, or by somebody else just
        // before our request: either way that is the error which the body would have seen.
        let target = waited.and_then(Wait::target);
        let through = target.and_then(|target| target.take_cancelled());
        let error = match (through, request) {
            (Some(error), _) | (None, Request::Made(error)) => error,
            (None, Request::PassedOn(error)) => {
                // Polled for another reason, while it is on its way? Else it has been swallowed.
                if target.is_some_and(|target| !target.is_done()) {
                    self.request.replace(Request::PassedOn(error));
                }
                return None;
            }
            (None, Request::None) => return None,
        };
        Some(error.with_origin(Origin::Scope(self.id())))
    }

    /// The body has suspended once more. A request that was passed on stays so only while the body
    /// waits for the same thing.
    fn suspended(&self, waited: Option<&Wait>) {
        let Some(target) = waited.and_then(Wait::target) else { return };
        let waiting = self.waiting.borrow().clone();
        let now = waiting.as_ref().and_then(Wait::target);
        let same = now.is_some_and(|now| Rc::ptr_eq(now, target));
        let unfinished = !target.is_done();
        let mut request = self.request.borrow_mut();
        if let Request::PassedOn(error) = &*request
            && !(same && unfinished)
        {
            *request = if unfinished { Request::Made(error.clone()) } else { Request::None };
        }
    }

    /// A request that the body must get now that it is suspended, unless what it waits for can be
    /// cancelled in its stead.
    fn due_at_suspension(&self) -> Option<CancelledError> {
        let error = self.made()?;
        self.request.take();
        if self.pass_on(&error) { None } else { Some(error) }
    }

    /// The body is over. It is woken no more, and keeps nothing alive.
    fn finish(&self) {
        self.phase.set(Phase::Finished);
        self.uncount();
        self.request.take();
        self.waiting.take();
        self.waker.take();
        registers::take_returned(|error| self.is_mine(error));
    }
}

pin_project! {
    /// The future of [`CancelScope::run`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Scoped<F> {
        shared: Rc<Shared>,
        handler: Handler,
        // Somebody else's cancellation came out of the body, and is with a handler around us that
        // is still to drop us.
        raised: bool,
        // `None` once the body is over.
        #[pin]
        body: Option<F>,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.shared.finish();
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
        if *this.raised {
            return Poll::Pending;
        }
        let shared = &*this.shared;
        store_waker(&shared.waker, cx.waker());
        if shared.phase.get() == Phase::Created {
            shared.begin();
        }

        let waited = shared.waiting.take();
        let one_more_poll = shared.one_more_poll.take() && shared.made().is_some();
        // A cancellation from further out that is being delivered goes first. What was asked for here
        // before it arrived is one with it, as several calls of a task's `cancel` are.
        // (The closing of a generator is not: in asyncio it isn't even a `CancelledError`.)
        if registers::armed_error().is_some_and(|error| error.origin() != Origin::Close) {
            shared.request.take();
        }
        let wait = registers::anything_armed() || one_more_poll;
        let due = if wait { None } else { shared.due(waited.as_ref()) };
        let mut step = shared.poll_body(this.handler, this.body.as_mut(), due, cx);
        if matches!(step, Step::Pending) {
            shared.suspended(waited.as_ref());
            if let Some(error) = shared.due_at_suspension() {
                if one_more_poll && !registers::anything_armed() {
                    step = shared.poll_body(this.handler, this.body.as_mut(), Some(error), cx);
                } else {
                    // The body has asked itself, and gets it at its next poll, as a task would.
                    shared.cancel_entry();
                    shared.request(error);
                    cx.waker().wake_by_ref();
                }
            }
        }

        match step {
            Step::Pending => {
                let waiting = shared.waiting.borrow().clone();
                if let Some(waiting) = waiting {
                    waiting_for(waiting);
                }
                Poll::Pending
            }
            Step::Returned(value) => {
                shared.finish();
                this.handler.drop_body(this.body);
                Poll::Ready(Ok(value))
            }
            Step::Cancelled(error) => {
                let ends_here = shared.ends_here(&error);
                let outer = shared.outer.take().filter(|_| shared.is_mine(&error));
                shared.finish();
                if ends_here {
                    return Poll::Ready(Err(error));
                }
                // On to the handler around us. If ours cut short how the body dealt with another one, that
                // must not be lost.
                *this.raised = true;
                registers::raise(outer.unwrap_or(error));
                Poll::Pending
            }
        }
    }
}

impl Shared {
    /// Polls the body, or delivers `due` to it. Afterwards `waiting` is what *this* body waits for,
    /// apart from what its siblings wait for.
    fn poll_body<F: Future>(
        self: &Rc<Self>,
        handler: &mut Handler,
        body: Pin<&mut Option<F>>,
        due: Option<CancelledError>,
        cx: &mut Context<'_>,
    ) -> Step<F::Output> {
        let _apart = registers::Apart::begin(self.clone());
        if let Some(error) = due {
            registers::arm(error);
        }
        let outer = registers::armed_error().filter(|error| !self.is_mine(error));
        self.phase.set(Phase::Polling);
        let step = handler.poll_body(body, cx);
        self.phase.set(Phase::Suspended);

        if outer.is_some() && !registers::anything_armed() {
            self.outer.replace(outer);
        }

        let _waited = self.waiting.replace(registers::take_waiting());
        if let Some(error) = registers::take_returned(|error| self.is_mine(error)) {
            self.request(error);
        }
        step
    }
}

fn store_waker(slot: &RefCell<Option<Waker>>, waker: &Waker) {
    let stale = slot.borrow().as_ref().is_none_or(|stored| !stored.will_wake(waker));
    if stale {
        // Cloned before the borrow begins, and the old one dropped after its end.
        let new = waker.clone();
        let _old = slot.replace(Some(new));
    }
}

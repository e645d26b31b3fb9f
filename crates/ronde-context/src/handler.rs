//! Handlers: where a cancellation that is on its way up can be caught.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::CancelledError;
use crate::registers::{self, HandlerId};

/// Runs `body` and catches a cancellation that is raised inside it.
///
/// When the task is cancelled while `body` is suspended, `body` is dropped, without being polled
/// again, and the result is `Err`. The code after the `await` can then clean up, with `.await`s of
/// its own, and either go on (the cancellation is swallowed) or
/// [`raise`](CancelledError::raise) it again, which is what it should normally do.
///
/// Of several handlers around a suspended future the innermost one gets the cancellation. Under
/// combinators that poll only what was woken (`FuturesUnordered`), a handler that they don't poll
/// isn't reached: the next one around them takes the cancellation.
///
/// # Cancel safety
///
/// **Strict**, if `body` is. Being dropped, it drops `body`, and nothing is caught: `Drop` is the hard form of cancellation.
///
/// # In asyncio
///
/// `try: await body() except asyncio.CancelledError as e: ...`
///
/// # Examples
///
/// ```
/// use ronde_context::{CancelledError, catch_cancelled};
///
/// # futures_lite::future::block_on(async {
/// assert_eq!(catch_cancelled(async { 7 }).await, Ok(7));
///
/// let caught = catch_cancelled(async { CancelledError::default().raise::<i32>().await }).await;
/// assert!(caught.is_err());
/// # });
/// ```
pub fn catch_cancelled<F: Future>(body: F) -> CatchCancelled<F> {
    CatchCancelled { handler: Handler::new(), body: Some(body) }
}

pin_project! {
    /// The future of [`catch_cancelled`].
    #[must_use = "futures do nothing unless they are awaited"]
    #[derive(Debug)]
    pub struct CatchCancelled<F> {
        handler: Handler,
        // `None` once the body is over.
        #[pin]
        body: Option<F>,
    }

    impl<F> PinnedDrop for CatchCancelled<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.handler.drop_body(this.body);
        }
    }
}

impl<F: Future> Future for CatchCancelled<F> {
    type Output = Result<F::Output, CancelledError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        match this.handler.poll_body(this.body.as_mut(), cx) {
            Step::Pending => Poll::Pending,
            Step::Returned(value) => {
                this.handler.drop_body(this.body);
                Poll::Ready(Ok(value))
            }
            Step::Cancelled(error) => Poll::Ready(Err(error)),
        }
    }
}

/// A handler's place among the others, and the rules by which it takes a cancellation.
///
/// Authors of executors meet it as the [`boundary`](Self::boundary) of a task.
#[derive(Debug)]
pub struct Handler {
    /// `None` until the first poll, and again once the body is over.
    place: Option<Place>,
    /// How many live handlers there are directly inside the body.
    inner: u32,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    id: HandlerId,
    /// The handler around it, which counts it. A future may be moved, and be polled elsewhere.
    parent: Option<HandlerId>,
}

/// What a poll of a handler's body led to.
#[derive(Debug)]
pub enum Step<T> {
    /// The body is suspended.
    Pending,
    /// The body returned.
    Returned(T),
    /// The handler took a cancellation, and the body was dropped.
    Cancelled(CancelledError),
}

impl Handler {
    pub(crate) fn new() -> Self {
        Self { place: None, inner: 0 }
    }

    /// The outermost handler of a task. Poll it between [`enter`](crate::executor::enter) and
    /// [`leave`](crate::executor::leave).
    ///
    /// ```
    /// use ronde_context::executor::{Handler, Step, enter, leave};
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    ///
    /// let mut boundary = Handler::boundary();
    /// let coroutine = pin!(Some(async { 7 }));
    /// let previous = enter();
    /// let step = boundary.poll_body(coroutine, &mut Context::from_waker(Waker::noop()));
    /// leave(previous, |_| ());
    /// assert!(matches!(step, Step::Returned(7)));
    /// ```
    pub fn boundary() -> Self {
        Self::new()
    }

    /// Polls the body, or drops it if it is this handler's turn to take an armed cancellation.
    ///
    /// A body that has returned is still there. It is the caller's to drop.
    ///
    /// # Panics
    ///
    /// When the body is over, as any future polled after its end.
    pub fn poll_body<F: Future>(
        &mut self,
        mut body: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
    ) -> Step<F::Output> {
        assert!(body.is_some(), "a finished future was polled again");
        let place =
            self.place.get_or_insert_with(|| Place { id: registers::unique(), parent: None });
        let id = place.id;
        let within = Within::enter(place, &mut self.inner);

        // Nothing in the body takes a value that would then be lost: it isn't polled at all.
        let polled = match body.as_mut().as_pin_mut() {
            Some(body) if !(registers::armed_for_innermost() && within.has_no_handlers()) => {
                body.poll(cx)
            }
            _ => Poll::Pending,
        };

        let step = match (polled, registers::take_armed_for(id)) {
            (Poll::Pending, None) => return Step::Pending,
            (Poll::Pending, Some(error)) => {
                // Destructors may ask why they run, so the cancellation stays armed meanwhile. For
                // this handler alone: what they poll, if they poll anything, must not take it.
                registers::while_taken(id, error.clone(), || body.set(None));
                Step::Cancelled(error)
            }
            (Poll::Ready(value), taken) => {
                if let Some(error) = taken {
                    registers::give_back(error);
                }
                Step::Returned(value)
            }
        };
        drop(within);
        self.unlink();
        step
    }

    /// Raises `error` inside the body, at the place where it is suspended: the innermost live
    /// handler in there gets it, or this one.
    ///
    /// It is for this body alone. If the body ends before anybody has taken it, it is gone. If it
    /// does not end, and nobody has taken it, or somebody has put it off: see
    /// [`take_back`](crate::executor::take_back).
    ///
    /// ```
    /// use ronde_context::executor::{Handler, Step};
    /// use ronde_context::{CancelledError, Origin};
    /// use std::future::pending;
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let mut handler = Handler::boundary();
    /// let mut body = pin!(Some(pending::<()>()));
    /// assert!(matches!(handler.poll_body(body.as_mut(), &mut cx), Step::Pending));
    /// handler.pause();
    ///
    /// let close = CancelledError::default().with_origin(Origin::Close);
    /// let step = handler.interrupt_body(body, close, &mut cx);
    /// assert!(matches!(step, Step::Cancelled(error) if error.origin() == Origin::Close));
    /// ```
    ///
    /// # Panics
    ///
    /// When the body is over.
    pub fn interrupt_body<F: Future>(
        &mut self,
        body: Pin<&mut Option<F>>,
        error: CancelledError,
        cx: &mut Context<'_>,
    ) -> Step<F::Output> {
        registers::arm(error.clone());
        let _not_beyond_a_panic = Disarm;
        let step = self.poll_body(body, cx);
        if !matches!(step, Step::Pending) {
            take_back(&error);
        }
        step
    }

    /// Leaves the handler around it, until the next poll, which may be anywhere else.
    ///
    /// A body that nobody waits for (a generator between two of its values) must not count among
    /// the live handlers of its surroundings: a cancellation would be looked for in it. Call it
    /// where the body was polled last.
    pub fn pause(&mut self) {
        if let Some(parent) = self.place.as_mut().and_then(|place| place.parent.take()) {
            registers::unlink(parent);
        }
    }

    /// Drops the body, if it isn't over, under this handler's own count of inner handlers.
    pub fn drop_body<F>(&mut self, mut body: Pin<&mut Option<F>>) {
        if body.is_none() {
            return;
        }
        let within = self.place.as_mut().map(|place| Within::enter(place, &mut self.inner));
        body.set(None);
        drop(within);
        self.unlink();
    }

    fn unlink(&mut self) {
        if let Some(Place { parent: Some(parent), .. }) = self.place.take() {
            registers::unlink(parent);
        }
    }
}

/// Was `error` given back during this poll? Then it is taken away from the task that would get it.
///
/// Who has raised it with [`Handler::interrupt_body`] asks after each poll of that body, and raises
/// it again at the next one. It was given back because whoever should have taken it was just done, or
/// has [put it off](CancelledError::raise_later).
///
/// ```
/// use ronde_context::CancelledError;
/// use ronde_context::executor::{enter, leave, take_back};
///
/// let error = CancelledError::new("over");
/// let previous = enter();
/// error.clone().raise_later();
/// assert!(take_back(&error));
/// assert!(!take_back(&error));
/// assert!(leave(previous, |_| ()).is_none());
/// ```
pub fn take_back(error: &CancelledError) -> bool {
    registers::take_returned(|returned| returned.is_same(error)).is_some()
}

/// Is `error` the very cancellation that `raised` is? Equal ones may be different: two generators
/// are closed with the same words.
///
/// ```
/// use ronde_context::CancelledError;
/// use ronde_context::executor::is_same;
///
/// let error = CancelledError::new("over");
/// assert!(is_same(&error, &error.clone()));
/// assert!(!is_same(&error, &CancelledError::new("over")));
/// ```
pub fn is_same(error: &CancelledError, raised: &CancelledError) -> bool {
    error.is_same(raised)
}

/// What was armed for the innermost handler is so no longer than this lives.
struct Disarm;

impl Drop for Disarm {
    fn drop(&mut self) {
        registers::disarm_innermost();
    }
}

/// While it lives, the handler is the enclosing one. Also when its body panics.
struct Within<'a> {
    id: HandlerId,
    inner: &'a mut u32,
    outside: (HandlerId, u32),
}

impl<'a> Within<'a> {
    fn enter(place: &mut Place, inner: &'a mut u32) -> Self {
        let mut outside = registers::enter_handler(place.id, *inner);
        if place.parent != Some(outside.0) {
            place.parent = Some(outside.0);
            outside.1 += 1;
        }
        Self { id: place.id, inner, outside }
    }

    /// Only true right after `enter`.
    fn has_no_handlers(&self) -> bool {
        *self.inner == 0
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        *self.inner = registers::leave_handler(self.id, self.outside);
    }
}

//! The life of a generator's body.
//!
//! ```text
//!            next                 next: yields
//!   New ------------> (polled) <----------------> Suspended
//!    |                 |    ^                         |
//!    | close           |    | woken                   | close
//!    |                 v    |                         v
//!    |               Midway +--------- close ------> Closing
//!    |                 |                              |
//!    +--> Finished <---+------ body over -------------+
//! ```
//!
//! The body has a handler around it, which takes a cancellation that no handler inside the body
//! wants: then the body is dropped, and the cancellation goes on in whoever polls. Between two
//! values the handler is paused, so that its surroundings don't look for a cancellation in here.
//!
//! Two may want the body: the owner, and the loop that closes what is open. Whoever comes second
//! finds it closing, and is woken when it is over.

use std::cell::{Cell, OnceCell, RefCell};
use std::error::Error;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use ronde_context::executor::{Handler, Step, is_same, take_back};
use ronde_context::{CancelledError, Origin, decline, is_cancelling};
use ronde_loop::{CloseFuture, LoopHandle, OpenGenerator, get_running_loop};

use super::{IgnoredCloseError, Slot};

pub(super) struct Core<T> {
    phase: Cell<Phase>,
    /// `None` while it is polled, and at the end.
    body: RefCell<Option<Body>>,
    slot: Rc<Slot<T>>,
    /// The loop that runs where the generator was started.
    event_loop: OnceCell<LoopHandle>,
    /// Who waits for the next value.
    reader: RefCell<Option<Waker>>,
    /// Who waits until it is closed.
    closers: RefCell<Vec<Waker>>,
    /// What is raised in the body to close it.
    close: OnceCell<CancelledError>,
    /// That was given back: the body gets it once more.
    put_off: Cell<bool>,
    pub(super) created_at: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    /// Being polled right now.
    Polled,
    /// Where it has yielded.
    Suspended,
    /// In an `await` of its own.
    Midway,
    /// In its clean-up.
    Closing,
    Finished,
}

struct Body {
    handler: Handler,
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Drop for Body {
    fn drop(&mut self) {
        self.handler.drop_body(Pin::new(&mut self.future));
    }
}

/// What a poll of the body led to.
enum Resumed<T> {
    Yielded(T),
    Pending,
    Returned,
    Cancelled(CancelledError),
}

impl<T: 'static> Core<T> {
    pub(super) fn new(
        body: Pin<Box<dyn Future<Output = ()>>>,
        slot: Rc<Slot<T>>,
        created_at: &'static Location<'static>,
    ) -> Rc<Self> {
        let body = Body { handler: Handler::boundary(), future: Some(body) };
        Rc::new(Self {
            phase: Cell::new(Phase::New),
            body: RefCell::new(Some(body)),
            slot,
            event_loop: OnceCell::new(),
            reader: RefCell::new(None),
            closers: RefCell::new(Vec::new()),
            close: OnceCell::new(),
            put_off: Cell::new(false),
            created_at,
        })
    }

    pub(super) fn poll_next(self: &Rc<Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.phase.get() {
            // Whatever is being raised, the next value isn't lost: the body stays where it is.
            Phase::New | Phase::Suspended if decline(cx) => return Poll::Pending,
            Phase::New => self.register(),
            Phase::Suspended | Phase::Midway => {}
            Phase::Polled | Phase::Closing | Phase::Finished => {
                // The cancellation that ended it may be on its way to a handler around us.
                return if decline(cx) { Poll::Pending } else { Poll::Ready(None) };
            }
        }
        match self.resume(None, cx) {
            Resumed::Yielded(value) => {
                self.phase.set(Phase::Suspended);
                Poll::Ready(Some(value))
            }
            Resumed::Pending => {
                self.phase.set(Phase::Midway);
                store_waker(&self.reader, cx.waker());
                Poll::Pending
            }
            Resumed::Returned => Poll::Ready(None),
            Resumed::Cancelled(error) => raise(error, cx),
        }
    }

    pub(super) async fn close(&self) -> Result<(), IgnoredCloseError> {
        let _unwinding = Unwinding { core: self, through: Phase::Closing };
        let _stopping = Stopping(self);
        poll_fn(|cx| self.poll_close(cx)).await
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<Result<(), IgnoredCloseError>> {
        self.wait_no_more(cx.waker());
        let close = match self.phase.get() {
            Phase::New => {
                self.finish();
                return Poll::Ready(Ok(()));
            }
            Phase::Suspended | Phase::Midway | Phase::Finished if decline(cx) => {
                return Poll::Pending;
            }
            Phase::Finished => return Poll::Ready(Ok(())),
            Phase::Polled => return self.wait_closed(cx),
            // A cancellation from outside goes first.
            Phase::Closing if self.put_off.get() && !is_cancelling() => {
                self.put_off.set(false);
                self.close.get().cloned()
            }
            Phase::Closing => None,
            Phase::Suspended | Phase::Midway => {
                let reader = self.reader.take();
                if let Some(reader) = reader.filter(|reader| !reader.will_wake(cx.waker())) {
                    // It finds the generator at its end.
                    reader.wake();
                }
                let close = || CancelledError::default().with_origin(Origin::Close);
                Some(self.close.get_or_init(close).clone())
            }
        };
        match self.resume(close, cx) {
            Resumed::Yielded(_) => {
                self.finish();
                Poll::Ready(Err(IgnoredCloseError { created_at: self.created_at }))
            }
            Resumed::Pending => {
                self.phase.set(Phase::Closing);
                self.wait_closed(cx)
            }
            // That of a generator around this one is not ours.
            Resumed::Cancelled(error) if !self.closes(&error) => raise(error, cx),
            Resumed::Returned | Resumed::Cancelled(_) => Poll::Ready(Ok(())),
        }
    }

    /// Polls the body; if there is something to raise in it, does that.
    fn resume(&self, raise: Option<CancelledError>, cx: &mut Context<'_>) -> Resumed<T> {
        let Some(mut body) = self.body.take() else { return Resumed::Returned };
        // If the body panics, this is the end of it.
        let over = Over(self);
        self.phase.set(Phase::Polled);
        self.slot.resume(cx.waker());
        let future = Pin::new(&mut body.future);
        let step = match raise {
            Some(error) => body.handler.interrupt_body(future, error, cx),
            None => body.handler.poll_body(future, cx),
        };
        let put_off = self.close.get().is_some_and(take_back);
        match step {
            Step::Pending => {
                let mut yielded = self.slot.take();
                if put_off {
                    // It is suspended once more, if only to yield. Here it gets what it has put off.
                    drop(yielded.take());
                    self.put_off.set(true);
                    cx.waker().wake_by_ref();
                }
                if yielded.is_some() {
                    body.handler.pause();
                }
                self.body.replace(Some(body));
                std::mem::forget(over);
                yielded.map_or(Resumed::Pending, Resumed::Yielded)
            }
            Step::Returned(()) => Resumed::Returned,
            Step::Cancelled(error) => Resumed::Cancelled(error),
        }
    }

    /// Is this what was raised in the body to close it?
    fn closes(&self, error: &CancelledError) -> bool {
        self.close.get().is_some_and(|close| is_same(error, close))
    }

    /// The body is over. If it is still there, it is dropped.
    fn finish(&self) {
        let body = self.body.take();
        let _over = Over(self);
        drop(body);
    }

    fn wait_closed<R>(&self, cx: &Context<'_>) -> Poll<R> {
        let waker = cx.waker().clone();
        self.closers.borrow_mut().push(waker);
        Poll::Pending
    }

    fn wait_no_more(&self, waiting: &Waker) {
        let mut closers = self.closers.take();
        closers.retain(|waker| !waker.will_wake(waiting));
        self.closers.replace(closers);
    }

    /// The loop closes what has started, if it is still open at the end.
    fn register(self: &Rc<Self>) {
        let Ok(event_loop) = get_running_loop() else { return };
        let this: Weak<Self> = Rc::downgrade(self);
        event_loop.register_asyncgen(this);
        // It is registered once, at its first poll.
        let _ = self.event_loop.set(event_loop);
    }

    /// The owner is gone.
    pub(super) fn leave_behind(self: &Rc<Self>) {
        if self.is_open()
            && let Some(event_loop) = self.event_loop.get()
            && !event_loop.is_closed()
        {
            event_loop.close_asyncgen(self.clone());
        }
    }

    /// To be kept while somebody waits for the next value.
    pub(super) fn unwinding(&self) -> Unwinding<'_, T> {
        Unwinding { core: self, through: Phase::Midway }
    }

    pub(super) fn state(&self) -> &'static str {
        match self.phase.get() {
            Phase::New => "not started",
            Phase::Polled => "running",
            Phase::Suspended => "suspended",
            Phase::Midway => "awaiting",
            Phase::Closing => "closing",
            Phase::Finished => "finished",
        }
    }
}

impl<T: 'static> OpenGenerator for Core<T> {
    fn is_open(&self) -> bool {
        !matches!(self.phase.get(), Phase::New | Phase::Finished)
    }

    fn created_at(&self) -> &'static Location<'static> {
        self.created_at
    }

    fn close(self: Rc<Self>) -> CloseFuture {
        Box::pin(async move {
            Core::close(&self).await.map_err(|error| -> Box<dyn Error> { Box::new(error) })
        })
    }
}

/// Marks the end of the body when it is dropped.
struct Over<'a, T>(&'a Core<T>);

impl<T> Drop for Over<'_, T> {
    fn drop(&mut self) {
        self.0.phase.set(Phase::Finished);
        self.0.closers.take().into_iter().for_each(Waker::wake);
    }
}

/// If the frame that waits for the body is dropped by a cancellation which nobody could raise inside
/// the body (a combinator has not polled us), then this is where it passes the body.
pub(super) struct Unwinding<'a, T: 'static> {
    core: &'a Core<T>,
    /// Where the body is if it is suspended inside that frame.
    through: Phase,
}

impl<T: 'static> Drop for Unwinding<'_, T> {
    fn drop(&mut self) {
        if self.core.phase.get() == self.through && is_cancelling() {
            self.core.finish();
        }
    }
}

/// Somebody stops closing, perhaps before the end: others who wait for that must do it themselves.
struct Stopping<'a, T>(&'a Core<T>);

impl<T> Drop for Stopping<'_, T> {
    fn drop(&mut self) {
        self.0.closers.take().into_iter().for_each(Waker::wake);
    }
}

fn raise<R>(error: CancelledError, cx: &mut Context<'_>) -> Poll<R> {
    Pin::new(&mut error.raise()).poll(cx)
}

fn store_waker(slot: &RefCell<Option<Waker>>, waker: &Waker) {
    let stale = slot.borrow().as_ref().is_none_or(|stored| !stored.will_wake(waker));
    if stale {
        let new = waker.clone();
        let _old = slot.replace(Some(new));
    }
}

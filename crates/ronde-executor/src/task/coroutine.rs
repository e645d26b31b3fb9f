//! The coroutine of a task, and one step of it.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use ronde_context::executor::{Frame, Handler, Step, arm, enter, leave};
use ronde_context::{CancelledError, Origin, Wait};

use super::record::{
    ABANDONED, FORWARDED, Header, INSTRUMENTED, REQUESTED, Record, STARTED, STICKY,
};
use super::reference::TaskRef;
use crate::current;
use crate::error::{PanicError, TaskError};
use crate::executor::Shared;
use crate::failure::{ExceptionContext, Failure, is_err};
use crate::spawn;

/// Gives a task its coroutine, and queues its first step or, if it is `eager`, runs it.
pub(super) fn start<F>(executor: &Rc<Shared>, record: Rc<Record<F::Output>>, future: F, eager: bool)
where
    F: Future + 'static,
    F::Output: 'static,
{
    let coroutine = Coroutine {
        reference: Some(TaskRef::new(record.clone())),
        record: Some(record.clone()),
        boundary: Handler::boundary(),
        future: Some(future),
    };
    let set_waker = |waker| *record.header.waker.borrow_mut() = Some(waker);
    if eager && executor.running.get() {
        spawn::run(executor, coroutine, set_waker);
    } else {
        spawn::spawn(executor, coroutine, set_waker);
    }
}

pin_project! {
    struct Coroutine<F: Future> {
        // `None` once the task is done.
        record: Option<Rc<Record<F::Output>>>,
        // A handle to the task. While it is polled, that is the thread's current task, and here is
        // the one that was current before.
        reference: Option<TaskRef>,
        // The outermost handler.
        boundary: Handler,
        // `None` once the task is done.
        #[pin]
        future: Option<F>,
    }
}

type Panic = Box<dyn Any + Send>;

impl<F> Future for Coroutine<F>
where
    F: Future + 'static,
    F::Output: 'static,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        let Some(record) = &*this.record else { return Poll::Ready(()) };
        record.header.count_step();
        let mut waited = record.header.waiting.take();
        current::swap_task(this.reference);
        record.header.enter_inherited();
        let previous = enter();
        let step = step(record, this.boundary, this.future, &mut waited, cx);
        let frame = leave(previous, |wait| *record.header.waiting.borrow_mut() = Some(wait));
        record.header.leave_inherited();
        current::swap_task(this.reference);

        if step.is_none()
            && frame.is_none()
            && !record.header.flags.any(REQUESTED | FORWARDED | INSTRUMENTED)
        {
            // By far the most frequent end of a step.
            return Poll::Pending;
        }
        self.settle(step, waited, frame, cx)
    }
}

impl<F> Coroutine<F>
where
    F: Future + 'static,
    F::Output: 'static,
{
    /// Ends the task, or suspends it while a cancellation is about.
    fn settle(
        mut self: Pin<&mut Self>,
        step: Option<Result<Step<F::Output>, Panic>>,
        waited: Option<Wait>,
        frame: Option<Box<Frame>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let this = self.as_mut().project();
        let Some(record) = this.record.clone() else { return Poll::Ready(()) };
        if record.header.flags.any(INSTRUMENTED) {
            step_ends(&record.header, this.reference);
        }
        // Here, too, code of others runs: values are dropped, and what the task waits for is asked
        // to cancel. Whatever happens, a task that is polled ends or is suspended.
        let settled = catch_unwind(AssertUnwindSafe(|| match step {
            None | Some(Ok(Step::Pending)) => {
                record.suspend(waited, frame, cx);
                None
            }
            Some(Ok(Step::Returned(value))) => Some(record.returned(value, frame)),
            Some(Ok(Step::Cancelled(error))) => Some(Err(TaskError::Cancelled(error))),
            Some(Err(panic)) => Some(Err(TaskError::Panicked(PanicError::of(panic)))),
        }));
        let outcome = match settled {
            Ok(None) => return Poll::Pending,
            Ok(Some(outcome)) => outcome,
            Err(panic) => Err(TaskError::Panicked(PanicError::of(self.as_mut().abort(panic)))),
        };
        record.finish(outcome);

        // This may be the last of a task that nobody kept, and the end of its value. `async-task`
        // would abort the process if that panicked inside it.
        let this = self.project();
        let last = (record, this.record.take(), this.reference.take());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(move || drop(last))) {
            let failure = Failure::Panic(PanicError::of(panic));
            current::report(&ExceptionContext::new("the result of a task panicked", failure));
        }
        Poll::Ready(())
    }

    /// Drops the coroutine after a panic outside its poll. Of two panics the first is the one.
    fn abort(self: Pin<&mut Self>, panic: Panic) -> Panic {
        let this = self.project();
        match catch_unwind(AssertUnwindSafe(|| this.boundary.drop_body(this.future))) {
            Ok(()) => panic,
            Err(_second) => panic,
        }
    }
}

/// How a step begins.
enum Delivery {
    /// The coroutine is to be polled, and finds the cancellation armed if there is one.
    Poll,
    /// The coroutine isn't to be polled any more.
    Drop(CancelledError),
}

/// Tells those who want to know. The task is the current one.
fn step_begins(header: &Header) {
    if let (Some(executor), Some(task)) = (header.executor.upgrade(), current::current_task()) {
        executor.step_begins(&task);
    }
}

/// Tells those who want to know. For them it is the current task once more.
#[cold]
fn step_ends(header: &Header, reference: &mut Option<TaskRef>) {
    let (Some(executor), Some(task)) = (header.executor.upgrade(), reference.clone()) else {
        return;
    };
    current::swap_task(reference);
    header.enter_inherited();
    executor.step_ends(&task);
    header.leave_inherited();
    current::swap_task(reference);
}

/// A step begins, and there is, or was, a cancellation about, or somebody looks on.
#[cold]
fn deliver(header: &Header, waited: Option<&Wait>) -> Result<Delivery, Panic> {
    if header.flags.any(INSTRUMENTED) {
        step_begins(header);
    }
    if !header.flags.any(REQUESTED | FORWARDED | ABANDONED) {
        return Ok(Delivery::Poll);
    }
    let abandoned = header.flags.any(ABANDONED);
    let due = catch_unwind(AssertUnwindSafe(|| header.take_due(waited)))?;
    Ok(match due {
        // Before its first step, or at the end of the executor, a coroutine isn't polled.
        Some(error) if abandoned || !header.flags.any(STARTED) => Delivery::Drop(error),
        None if abandoned => {
            Delivery::Drop(CancelledError::default().with_origin(Origin::Shutdown))
        }
        Some(error) => {
            arm(error);
            Delivery::Poll
        }
        None => Delivery::Poll,
    })
}

/// Polls the coroutine, or delivers a cancellation to it. `None` if it is suspended. Once it is
/// over, it is dropped.
#[inline]
fn step<F: Future>(
    record: &Record<F::Output>,
    boundary: &mut Handler,
    mut future: Pin<&mut Option<F>>,
    waited: &mut Option<Wait>,
    cx: &mut Context<'_>,
) -> Option<Result<Step<F::Output>, Panic>> {
    let header = &record.header;
    if header.flags.any(REQUESTED | FORWARDED | ABANDONED | INSTRUMENTED) {
        match deliver(header, waited.as_ref()) {
            Ok(Delivery::Poll) => {}
            Ok(Delivery::Drop(error)) => {
                let dropped = catch_unwind(AssertUnwindSafe(|| boundary.drop_body(future)));
                return Some(dropped.map(|()| Step::Cancelled(error)));
            }
            Err(panic) => return Some(Err(panic)),
        }
    }
    header.flags.set(STARTED);

    // A step that is the end is written here; one that isn't, which most are, moves nothing.
    let mut end = None;
    let polled = catch_unwind(AssertUnwindSafe(|| {
        match boundary.poll_body(future.as_mut(), cx) {
            Step::Pending => {}
            step => end = Some(step),
        }
        // This may be the last of what the task has waited for, and that may panic, too.
        if !header.flags.any(FORWARDED) {
            drop(waited.take());
        }
    }));
    if polled.is_ok() && end.is_none() {
        return None;
    }
    // Frames are gone before anybody hears of the outcome, as after unwinding.
    let dropped = catch_unwind(AssertUnwindSafe(|| future.set(None)));
    Some(match polled.and(dropped) {
        Ok(()) => Ok(end.unwrap_or(Step::Pending)),
        Err(panic) => match catch_unwind(AssertUnwindSafe(|| drop(end))) {
            // Of two panics the first is the one.
            Ok(()) | Err(_) => Err(panic),
        },
    })
}

impl<T: 'static> Record<T> {
    fn suspend(&self, waited: Option<Wait>, frame: Option<Box<Frame>>, cx: &Context<'_>) {
        let header = &self.header;
        let Frame { returned, poll_again, .. } = frame.map_or_else(Frame::default, |frame| *frame);
        if let Some(error) = returned
            && !header.flags.any(REQUESTED)
        {
            *header.requested.borrow_mut() = Some(error);
            header.flags.set(REQUESTED);
        }
        if header.flags.any(REQUESTED | FORWARDED) {
            header.check_forwarded(waited.as_ref());
            if header.flags.any(REQUESTED) && header.deliver_at_suspension() {
                cx.waker().wake_by_ref();
            }
        }
        if poll_again {
            cx.waker().wake_by_ref();
        }
    }

    /// A task that was asked to cancel and returns before its next suspension is cancelled, and
    /// its value is lost; but an `Err` wins. So it is in asyncio, where the message of such a
    /// cancellation, which nobody has raised, also goes to everybody who asks.
    fn returned(&self, value: T, frame: Option<Box<Frame>>) -> Result<T, TaskError> {
        match self.header.take_request().or_else(|| frame?.returned) {
            Some(error) if !is_err(&value) => {
                self.header.flags.set(STICKY);
                Err(TaskError::Cancelled(error))
            }
            _ => Ok(value),
        }
    }
}

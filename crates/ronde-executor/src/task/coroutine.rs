//! The coroutine of a task, and one step of it.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use ronde_context::executor::{Frame, Handler, Step, arm, enter, leave};
use ronde_context::{CancelledError, Origin, Wait};

use super::record::{ABANDONED, FORWARDED, REQUESTED, Record, STARTED, coroutine_name};
use super::reference::TaskRef;
use crate::current;
use crate::error::{PanicError, TaskError};
use crate::executor::Shared;
use crate::failure::{ExceptionContext, Failure, is_err};
use crate::spawn;

/// Makes the task and queues its first step.
pub(super) fn start<F>(
    executor: &Rc<Shared>,
    future: F,
    created_at: &'static Location<'static>,
) -> Rc<Record<F::Output>>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let record = Record::new(executor, coroutine_name::<F>(), created_at);
    record.header.index.set(executor.tasks.borrow_mut().insert(TaskRef::new(record.clone())));
    let coroutine = Coroutine {
        record: Some(record.clone()),
        boundary: Handler::boundary(),
        future: Some(future),
    };
    *record.header.waker.borrow_mut() = Some(spawn::spawn(executor, coroutine));
    record
}

pin_project! {
    struct Coroutine<F: Future> {
        // `None` once the task is done.
        record: Option<Rc<Record<F::Output>>>,
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
        let Some(record) = self.record.clone() else { return Poll::Ready(()) };
        let waited = record.header.waiting.take();
        let previous_task = current::replace_task(Some(TaskRef::new(record.clone())));
        let previous = enter();
        let step = self.as_mut().step(&record, waited.as_ref(), cx);
        let frame = leave(previous);
        // The last handle to the previous task can't be this one; the loop has its own.
        drop(current::replace_task(previous_task));

        // Here, too, code of others runs: values are dropped, and what the task waits for is asked
        // to cancel. Whatever happens, a task that is polled ends or is suspended.
        let settled = catch_unwind(AssertUnwindSafe(|| match step {
            Ok(Step::Pending) => {
                record.suspend(waited, frame, cx);
                None
            }
            Ok(Step::Returned(value)) => Some(record.returned(value, frame)),
            Ok(Step::Cancelled(error)) => Some(Err(TaskError::Cancelled(error))),
            Err(panic) => Some(Err(TaskError::Panicked(PanicError::of(panic)))),
        }));
        let outcome = match settled {
            Ok(None) => return Poll::Pending,
            Ok(Some(outcome)) => outcome,
            Err(panic) => Err(TaskError::Panicked(PanicError::of(self.as_mut().abort(panic)))),
        };
        record.finish(outcome);

        // This may be the last of a task that nobody kept, and the end of its value. `async-task`
        // would abort the process if that panicked inside it.
        self.project().record.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(move || drop(record))) {
            let failure = Failure::Panic(PanicError::of(panic));
            current::report(&ExceptionContext::new("the result of a task panicked", failure));
        }
        Poll::Ready(())
    }
}

impl<F> Coroutine<F>
where
    F: Future + 'static,
    F::Output: 'static,
{
    /// Polls the coroutine, or delivers a cancellation to it. Once it is over, it is dropped.
    fn step(
        self: Pin<&mut Self>,
        record: &Record<F::Output>,
        waited: Option<&Wait>,
        cx: &mut Context<'_>,
    ) -> Result<Step<F::Output>, Panic> {
        let mut this = self.project();
        let header = &record.header;
        if header.flags.any(REQUESTED | FORWARDED | ABANDONED) {
            let abandoned = header.flags.any(ABANDONED);
            let due = catch_unwind(AssertUnwindSafe(|| header.take_due(waited)))?;
            if abandoned || (due.is_some() && !header.flags.any(STARTED)) {
                // Before its first step, or at the end of the executor, a coroutine isn't polled.
                let error =
                    due.unwrap_or_else(|| CancelledError::default().with_origin(Origin::Shutdown));
                catch_unwind(AssertUnwindSafe(|| this.boundary.drop_body(this.future)))?;
                return Ok(Step::Cancelled(error));
            }
            if let Some(error) = due {
                arm(error);
            }
        }
        header.flags.set(STARTED);

        let step =
            catch_unwind(AssertUnwindSafe(|| this.boundary.poll_body(this.future.as_mut(), cx)));
        if !matches!(step, Ok(Step::Pending)) {
            // Frames are gone before anybody hears of the outcome, as after unwinding.
            catch_unwind(AssertUnwindSafe(|| this.future.set(None)))?;
        }
        step
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

impl<T: 'static> Record<T> {
    fn suspend(&self, waited: Option<Wait>, frame: Frame, cx: &Context<'_>) {
        let header = &self.header;
        *header.waiting.borrow_mut() = frame.waiting;
        if let Some(error) = frame.returned
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
        if frame.poll_again {
            cx.waker().wake_by_ref();
        }
    }

    /// A task that was asked to cancel and returns before its next suspension is cancelled, and
    /// its value is lost; but an `Err` wins. So it is in asyncio.
    fn returned(&self, value: T, frame: Frame) -> Result<T, TaskError> {
        match self.header.take_request().or(frame.returned) {
            Some(error) if !is_err(&value) => Err(TaskError::Cancelled(error)),
            _ => Ok(value),
        }
    }
}

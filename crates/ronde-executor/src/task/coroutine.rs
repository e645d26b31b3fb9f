//! The coroutine of a task, and one step of it.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use ronde_context::executor::{Frame, Handler, Step, arm, enter, leave};
use ronde_context::{CancelledError, Origin};

use super::record::{ABANDONED, FORWARDED, REQUESTED, Record, STARTED, coroutine_name};
use super::reference::TaskRef;
use crate::batch::Entry;
use crate::current;
use crate::error::{PanicError, TaskError};
use crate::executor::Shared;
use crate::failure::is_err;
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
    let coroutine =
        Coroutine { record: record.clone(), boundary: Handler::boundary(), future: Some(future) };
    let runnable = spawn::spawn(executor.remote.shared.clone(), coroutine);
    *record.header.waker.borrow_mut() = Some(runnable.waker());
    record.header.index.set(executor.tasks.borrow_mut().insert(TaskRef::new(record.clone())));
    executor.ready.push(Entry::Step(runnable));
    record
}

pin_project! {
    struct Coroutine<F: Future> {
        record: Rc<Record<F::Output>>,
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let record = self.record.clone();
        let previous_task = current::replace_task(Some(TaskRef::new(record.clone())));
        let previous = enter();
        let step = self.step(cx);
        let frame = leave(previous);
        // The last handle to the previous task can't be this one; the loop has its own.
        drop(current::replace_task(previous_task));

        let outcome = match step {
            Ok(Step::Pending) => {
                record.suspend(frame, cx);
                return Poll::Pending;
            }
            Ok(Step::Returned(value)) => record.returned(value, frame),
            Ok(Step::Cancelled(error)) => Err(TaskError::Cancelled(error)),
            Err(panic) => Err(TaskError::Panicked(PanicError::of(panic))),
        };
        record.finish(outcome);
        Poll::Ready(())
    }
}

impl<F> Coroutine<F>
where
    F: Future + 'static,
    F::Output: 'static,
{
    /// Polls the coroutine, or delivers a cancellation to it. Once it is over, it is dropped.
    fn step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Result<Step<F::Output>, Panic> {
        let mut this = self.project();
        let header = &this.record.header;
        let waiting = header.waiting.take();
        if header.flags.any(REQUESTED | FORWARDED | ABANDONED) {
            let abandoned = header.flags.any(ABANDONED);
            let due = header.take_due(waiting);
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
}

impl<T: 'static> Record<T> {
    fn suspend(&self, frame: Frame, cx: &Context<'_>) {
        let header = &self.header;
        *header.waiting.borrow_mut() = frame.waiting;
        if let Some(error) = frame.returned
            && !header.flags.any(REQUESTED)
        {
            *header.requested.borrow_mut() = Some(error);
            header.flags.set(REQUESTED);
        }
        let deliver = header.flags.any(REQUESTED) && header.deliver_at_suspension();
        if deliver || frame.poll_again {
            cx.waker().wake_by_ref();
        }
    }

    /// A task that was asked to cancel and returns before its next suspension is cancelled, and
    /// its value is lost; but an `Err` wins. So it is in asyncio.
    fn returned(&self, value: T, frame: Frame) -> Result<T, TaskError> {
        match self.header.requested.take().or(frame.returned) {
            Some(error) if !is_err(&value) => Err(TaskError::Cancelled(error)),
            _ => Ok(value),
        }
    }
}

//! Awaiting a task.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ronde_context::{Wait, decline, waiting_for};

use super::handle::Task;
use super::record::OBSERVED;
use super::reference::TaskRef;
use crate::current;
use crate::error::{InvalidStateError, TaskError};
use crate::listeners::{CallbackId, listen};

/// A place among those who wait for a task.
#[derive(Default)]
pub(crate) struct Waiter {
    place: Option<CallbackId>,
    awaits_itself: bool,
}

impl Waiter {
    pub(crate) fn place(&mut self) -> &mut Option<CallbackId> {
        &mut self.place
    }

    /// Waits until the task is done. Awaiting a task that is done doesn't suspend.
    pub(crate) fn poll(
        &mut self,
        task: &TaskRef,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), InvalidStateError>> {
        if decline(cx) {
            return Poll::Pending;
        }
        let header = task.header();
        if header.is_done() {
            self.place = None;
            return Poll::Ready(Ok(()));
        }
        if current::is_current_task(|current| current == task) {
            return self.awaits_itself(cx);
        }
        listen(&header.listeners, &mut self.place, cx.waker());
        waiting_for(Wait::For(task.to_awaited()));
        Poll::Pending
    }

    /// As in asyncio the error comes one turn later.
    fn awaits_itself(&mut self, cx: &Context<'_>) -> Poll<Result<(), InvalidStateError>> {
        if std::mem::replace(&mut self.awaits_itself, true) {
            return Poll::Ready(Err(InvalidStateError::AwaitsItself));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    pub(crate) fn forget(&mut self, task: &TaskRef) {
        if let Some(place) = self.place.take() {
            let removed = task.header().listeners.borrow_mut().remove(place);
            drop(removed);
            task.no_longer_awaited();
        }
    }
}

/// The future of awaiting a [`Task`]: it moves the result out.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Join<T> {
    task: Task<T>,
    waiter: Waiter,
}

impl<T> Join<T> {
    pub(super) fn new(task: Task<T>) -> Self {
        Self { task, waiter: Waiter::default() }
    }

    /// The task that is awaited.
    pub fn task(&self) -> &Task<T> {
        &self.task
    }
}

impl<T: 'static> Future for Join<T> {
    type Output = Result<T, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.waiter.poll(&this.task, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(())) => Poll::Ready(this.task.take_result()),
        }
    }
}

impl<T> Drop for Join<T> {
    fn drop(&mut self) {
        self.waiter.forget(&self.task);
    }
}

impl<T> fmt::Debug for Join<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Join").field(&*self.task).finish()
    }
}

/// The future of awaiting a `&Task<T>`.
#[must_use = "futures do nothing unless they are awaited"]
pub struct JoinTask<'a, T> {
    task: &'a Task<T>,
    waiter: Waiter,
}

impl<'a, T: 'static> JoinTask<'a, T> {
    pub(super) fn new(task: &'a Task<T>) -> Self {
        Self { task, waiter: Waiter::default() }
    }
}

impl<T: Clone + 'static> Future for JoinTask<'_, T> {
    type Output = Result<T, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.waiter.poll(this.task, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(())) => Poll::Ready(this.task.record().read_outcome(T::clone)),
        }
    }
}

impl<T> Drop for JoinTask<'_, T> {
    fn drop(&mut self) {
        self.waiter.forget(self.task);
    }
}

impl<T> fmt::Debug for JoinTask<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinTask").field(&**self.task).finish()
    }
}

/// The future of awaiting a [`TaskRef`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct JoinRef {
    task: TaskRef,
    waiter: Waiter,
}

impl JoinRef {
    pub(super) fn new(task: TaskRef) -> Self {
        Self { task, waiter: Waiter::default() }
    }
}

impl Future for JoinRef {
    type Output = Result<(), TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.waiter.poll(&this.task, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(())) => {
                let header = this.task.header();
                header.flags.set(OBSERVED);
                Poll::Ready(header.take_error().map_or(Ok(()), Err))
            }
        }
    }
}

impl Drop for JoinRef {
    fn drop(&mut self) {
        self.waiter.forget(&self.task);
    }
}

impl fmt::Debug for JoinRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinRef").field(&self.task).finish()
    }
}

//! Between async iterators and streams.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::AsyncIterator;
use crate::generator::{Slot, Yielder};

/// An async iterator over the items of a stream.
///
/// A stream that must be pinned goes in as `Box::pin(stream)` or `pin!(stream)`.
///
/// ```
/// use ronde::{AsyncIterator, async_iter::from_stream};
///
/// # ronde::run(async {
/// let stream = futures_lite::stream::iter([1, 2, 3]);
/// let doubled: Vec<i32> = from_stream(stream).map(|x| 2 * x).collect().await;
/// assert_eq!(doubled, [2, 4, 6]);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn from_stream<S: Stream + Unpin>(stream: S) -> FromStream<S> {
    FromStream { stream }
}

/// See [`from_stream`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct FromStream<S> {
    stream: S,
}

impl<S: Stream + Unpin> AsyncIterator for FromStream<S> {
    type Item = S::Item;

    async fn next(&mut self) -> Option<S::Item> {
        poll_fn(|cx| Pin::new(&mut self.stream).poll_next(cx)).await
    }
}

/// An async iterator as a stream: see [`AsyncIterator::into_stream`].
#[must_use = "nothing is computed unless it is iterated over"]
pub struct IntoStream<'a, T> {
    /// Iterates, and leaves each item in the slot. `None` at the end.
    body: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
    slot: Rc<Slot<T>>,
}

impl<'a, T: 'a> IntoStream<'a, T> {
    pub(super) fn new(mut items: impl AsyncIterator<Item = T> + 'a) -> Self {
        let (mut yielder, slot) = Yielder::new();
        let body = Box::pin(async move {
            while let Some(item) = items.next().await {
                yielder.yield_(item).await;
            }
        });
        Self { body: Some(body), slot }
    }
}

impl<T> Stream for IntoStream<'_, T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.slot.resume(cx.waker());
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        match body.as_mut().poll(cx) {
            Poll::Pending => self.slot.take().map_or(Poll::Pending, |item| Poll::Ready(Some(item))),
            Poll::Ready(()) => {
                self.body = None;
                Poll::Ready(None)
            }
        }
    }
}

impl<T> fmt::Debug for IntoStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoStream").field("over", &self.body.is_none()).finish_non_exhaustive()
    }
}

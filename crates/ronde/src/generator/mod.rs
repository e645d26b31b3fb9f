//! Async generators: a body that yields values with `.await`.

mod core;
mod yielder;

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;

use self::core::Core;
use crate::AsyncIterator;

pub(crate) use self::yielder::Slot;
pub use self::yielder::{Yield, Yielder};

/// Makes an async generator of a body that yields its values.
///
/// Nothing of the body runs until the first [`next`](AsyncGenerator::next); then it runs in the task
/// that calls `next`, up to its next [`yield_`](Yielder::yield_). The generator ends when the body
/// returns. A panic in the body comes out of `next`, and ends the generator.
///
/// The body must own what it uses (`'static`): a generator that is left open is closed by the loop,
/// when whoever made it may be gone.
///
/// # In asyncio
///
/// An `async def` with `yield` in it. There is no `asend` and no `athrow`: use a channel.
///
/// # Examples
///
/// ```
/// use ronde::{generator, sleep};
/// use std::time::Duration;
///
/// # ronde::run(async {
/// let mut countdown = generator(async |y| {
///     for number in [3, 2, 1] {
///         y.yield_(number).await;
///         sleep(Duration::from_millis(1)).await;
///     }
/// });
/// let mut seen = Vec::new();
/// while let Some(number) = countdown.next().await {
///     seen.push(number);
/// }
/// assert_eq!(seen, [3, 2, 1]);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
///
/// Clean-up that must happen also when nobody takes the rest goes behind a handler around the
/// `yield_`, or in the exit of an [`async_with`](crate::async_with):
///
/// ```
/// use ronde::{catch_cancelled, generator, yield_now};
///
/// # ronde::run(async {
/// let mut numbers = generator(async |y| {
///     let closed = catch_cancelled(async {
///         for number in 0.. {
///             y.yield_(number).await;
///         }
///     });
///     if let Err(close) = closed.await {
///         yield_now().await; // Whatever the clean-up has to wait for.
///         close.raise().await
///     }
/// });
/// assert_eq!(numbers.next().await, Some(0));
/// numbers.aclose().await.unwrap();
/// assert_eq!(numbers.next().await, None);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[track_caller]
pub fn generator<T: 'static>(
    body: impl AsyncFnOnce(&mut Yielder<T>) + 'static,
) -> AsyncGenerator<T> {
    let (mut yielder, slot) = Yielder::new();
    let body = Box::pin(async move { body(&mut yielder).await });
    AsyncGenerator { core: Core::new(body, slot, Location::caller()) }
}

/// Makes an async generator of a body that may fail. Its `Err` is the last value.
///
/// # Examples
///
/// ```
/// use ronde::{AsyncIterator, try_generator};
///
/// # ronde::run(async {
/// let parsed = try_generator(async |y| {
///     for word in ["1", "2", "three", "4"] {
///         y.yield_(Ok(word.parse::<u32>()?)).await;
///     }
///     Ok::<_, std::num::ParseIntError>(())
/// });
/// let numbers: Result<Vec<u32>, _> = parsed.try_collect().await;
/// assert!(numbers.is_err());
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[track_caller]
pub fn try_generator<T: 'static, E: 'static>(
    body: impl AsyncFnOnce(&mut Yielder<Result<T, E>>) -> Result<(), E> + 'static,
) -> AsyncGenerator<Result<T, E>> {
    generator(async move |y| {
        if let Err(error) = body(y).await {
            y.yield_(Err(error)).await;
        }
    })
}

/// An async generator: see [`generator`].
///
/// It is an [`AsyncIterator`] and a [`Stream`]. Where the traits of both are in scope, `map` and the like
/// are ambiguous: import one of `AsyncIterator` and `StreamExt`. `next` never is.
///
/// # A cancellation inside `next`
///
/// While the body is suspended in an `await` of its own, a cancellation of the task that waits in
/// `next` is raised inside the body first. A handler in there may take it and go on. If none does,
/// the body is dropped, the generator is at its end, and the cancellation goes on in the caller.
///
/// Between two `next`s the generator is suspended where it has yielded, and no cancellation of the
/// task touches it.
///
/// # Closing
///
/// [`aclose`](Self::aclose) has the body clean up. A generator that has started and is dropped
/// before its end is handed to its loop, which closes it in a task of its own; and what is still open
/// at the end of [`run`](crate::run) is closed there. Without a loop around, or when the loop itself
/// is closed, the body is just dropped.
///
/// # In asyncio
///
/// An asynchronous generator object.
pub struct AsyncGenerator<T: 'static> {
    core: Rc<Core<T>>,
}

impl<T> AsyncGenerator<T> {
    /// Runs the body up to its next value, or to its end: then the result is `None`, now and always.
    ///
    /// # Panics
    ///
    /// If the body panics, with its payload. The generator has ended then.
    ///
    /// # Cancel safety
    ///
    /// **Strict** for a future that is dropped: the body stays where it is and goes on at the next
    /// call. A *cancellation* is raised inside the body, and ends it unless a handler there takes it.
    ///
    /// # In asyncio
    ///
    /// `agen.__anext__`, that is, `async for`.
    pub async fn next(&mut self) -> Option<T> {
        let _unwinding = self.core.unwinding();
        std::future::poll_fn(|cx| self.core.poll_next(cx)).await
    }

    /// Closes the generator: what has been suspended at a `yield_` cleans up, and is over.
    ///
    /// One that hasn't started is dropped, one that has ended is left as it is. Otherwise a
    /// cancellation of the origin [`Close`](crate::Origin::Close) is raised where the body is
    /// suspended. Handlers inside it get it, and clean up with `await`s of their own, in the task
    /// that calls `aclose`. What remains is dropped.
    ///
    /// # Errors
    ///
    /// [`IgnoredCloseError`] if the body yields instead of ending. It is dropped then.
    ///
    /// # Panics
    ///
    /// If the body panics.
    ///
    /// # Cancel safety
    ///
    /// **Strict** for a future that is dropped: the clean-up goes on when `aclose` is called again,
    /// or when the generator is dropped. A *cancellation* is raised inside the clean-up, and goes on
    /// in the caller when it comes out.
    ///
    /// # In asyncio
    ///
    /// `agen.aclose`.
    pub async fn aclose(&mut self) -> Result<(), IgnoredCloseError> {
        self.core.close().await
    }

    /// Where the generator was created.
    pub fn created_at(&self) -> &'static Location<'static> {
        self.core.created_at
    }
}

impl<T> AsyncIterator for AsyncGenerator<T> {
    type Item = T;

    async fn next(&mut self) -> Option<T> {
        AsyncGenerator::next(self).await
    }
}

/// As a stream, it has no future that could be dropped: a handler that takes a cancellation around a
/// dropped `StreamExt::next` leaves the body where it is.
impl<T> Stream for AsyncGenerator<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.core.poll_next(cx)
    }
}

impl<T> Drop for AsyncGenerator<T> {
    fn drop(&mut self) {
        self.core.leave_behind();
    }
}

impl<T> fmt::Debug for AsyncGenerator<T> {
    /// `<AsyncGenerator suspended, created at src/main.rs:3:19>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, created_at) = (self.core.state(), self.core.created_at);
        write!(f, "<AsyncGenerator {state}, created at {created_at}>")
    }
}

/// A generator yielded a value while it was being closed.
///
/// # In asyncio
///
/// `RuntimeError: async generator ignored GeneratorExit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IgnoredCloseError {
    /// Where the generator was created.
    pub created_at: &'static Location<'static>,
}

impl fmt::Display for IgnoredCloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let created_at = self.created_at;
        write!(f, "the async generator created at {created_at} yielded while it was being closed")
    }
}

impl std::error::Error for IgnoredCloseError {}

//! The trait, and `await_all`.

use ronde_streams::{Bytes, Lines, ReadError};

use super::{
    Chain, Enumerate, Filter, FilterAsync, FilterMap, IntoStream, Map, MapAsync, Take, TakeWhile,
    Zip,
};
use crate::AsCompleted;

/// Gives one value after another, and may have to wait for each.
///
/// Write [`next`](Self::next), and `while let Some(item) = items.next().await` is Python's
/// `async for`. The adaptors make its comprehensions:
///
/// | Python | here |
/// |---|---|
/// | `[f(x) async for x in it]` | `it.map(f).collect::<Vec<_>>().await` |
/// | `{x async for x in it if p(x)}` | `it.filter(p).collect::<HashSet<_>>().await` |
/// | `{k(x): x async for x in it}` | `it.map(\|x\| (k(x), x)).collect::<HashMap<_, _>>().await` |
/// | `[await f(x) async for x in it if await p(x)]` | `it.filter_async(p).map_async(f).collect::<Vec<_>>().await` |
/// | `[await f(x) for x in xs]` | `async_iter::from_iter(xs).map_async(f).collect::<Vec<_>>().await` |
/// | `[await x for x in xs]` | [`await_all(xs).await`](await_all) |
///
/// For everything else there are the stream combinators of `futures-lite` or `futures-util`: see
/// [`into_stream`](Self::into_stream) and [`async_iter::from_stream`](crate::async_iter::from_stream).
///
/// # In asyncio
///
/// An object with `__aiter__` and `__anext__`. The end is `None` instead of `StopAsyncIteration`.
///
/// # Examples
///
/// ```
/// use ronde::{AsyncIterator, sleep};
/// use std::time::Duration;
///
/// struct Ticks(u32);
///
/// impl AsyncIterator for Ticks {
///     type Item = u32;
///
///     async fn next(&mut self) -> Option<u32> {
///         self.0 = self.0.checked_sub(1)?;
///         sleep(Duration::from_millis(1)).await;
///         Some(self.0)
///     }
/// }
///
/// # ronde::run(async {
/// let even: Vec<u32> = Ticks(6).filter(|tick| tick % 2 == 0).collect().await;
/// assert_eq!(even, [4, 2, 0]);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[allow(async_fn_in_trait)] // A task need not be `Send`, so neither need these futures.
pub trait AsyncIterator {
    /// What it gives.
    type Item;

    /// The next value, or `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// **Strict**, if nobody says otherwise: whoever implements it should see to it that a value
    /// isn't lost when the future is dropped. It isn't, if nothing is taken before the last `await`.
    async fn next(&mut self) -> Option<Self::Item>;

    /// Makes something else of each value.
    fn map<B, F: FnMut(Self::Item) -> B>(self, f: F) -> Map<Self, F>
    where
        Self: Sized,
    {
        Map { inner: self, f }
    }

    /// Makes something else of each value, by waiting: `await f(x)`.
    ///
    /// Dropped while it waits for `f`, [`next`](Self::next) loses the value that `f` has got.
    ///
    /// ```
    /// use ronde::{AsyncIterator, async_iter::from_iter, yield_now};
    ///
    /// # ronde::run(async {
    /// let squares = from_iter([1, 2, 3]).map_async(async |x: i32| {
    ///     yield_now().await;
    ///     x * x
    /// });
    /// assert_eq!(squares.collect::<Vec<_>>().await, [1, 4, 9]);
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    fn map_async<B, F: AsyncFnMut(Self::Item) -> B>(self, f: F) -> MapAsync<Self, F>
    where
        Self: Sized,
    {
        MapAsync { inner: self, f }
    }

    /// Leaves out the values for which `predicate` is false.
    fn filter<F: FnMut(&Self::Item) -> bool>(self, predicate: F) -> Filter<Self, F>
    where
        Self: Sized,
    {
        Filter { inner: self, predicate }
    }

    /// Leaves out the values for which `predicate`, which may wait, is false: `if await p(x)`.
    ///
    /// Dropped while it waits for `predicate`, [`next`](Self::next) loses the value in question.
    ///
    /// ```
    /// use ronde::{AsyncIterator, async_iter::from_iter, yield_now};
    ///
    /// # ronde::run(async {
    /// let large = from_iter([1, 20, 3, 40]).filter_async(async |x| {
    ///     yield_now().await;
    ///     *x > 10
    /// });
    /// assert_eq!(large.collect::<Vec<_>>().await, [20, 40]);
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    fn filter_async<F: AsyncFnMut(&Self::Item) -> bool>(self, predicate: F) -> FilterAsync<Self, F>
    where
        Self: Sized,
    {
        FilterAsync { inner: self, predicate }
    }

    /// Makes something else of each value, or leaves it out.
    fn filter_map<B, F: FnMut(Self::Item) -> Option<B>>(self, f: F) -> FilterMap<Self, F>
    where
        Self: Sized,
    {
        FilterMap { inner: self, f }
    }

    /// Ends after `count` values. No further one is asked for.
    fn take(self, count: usize) -> Take<Self>
    where
        Self: Sized,
    {
        Take { inner: self, left: count }
    }

    /// Ends before the first value for which `predicate` is false. That value is lost.
    fn take_while<F: FnMut(&Self::Item) -> bool>(self, predicate: F) -> TakeWhile<Self, F>
    where
        Self: Sized,
    {
        TakeWhile { inner: self, predicate, over: false }
    }

    /// Counts the values, from zero.
    fn enumerate(self) -> Enumerate<Self>
    where
        Self: Sized,
    {
        Enumerate { inner: self, count: 0 }
    }

    /// Goes on with `other` at the end.
    fn chain<I: AsyncIterator<Item = Self::Item>>(self, other: I) -> Chain<Self, I>
    where
        Self: Sized,
    {
        Chain { first: Some(self), second: other }
    }

    /// Pairs the values with those of `other`, one after the other, up to the end of either.
    fn zip<I: AsyncIterator>(self, other: I) -> Zip<Self, I>
    where
        Self: Sized,
    {
        Zip { first: self, second: other, waiting: None }
    }

    /// Calls `f` with each value, and waits for it before the next one is asked for.
    ///
    /// # Cancel safety
    ///
    /// **Data lost**: the value that `f` is dealing with. The iterator is dropped; keep it by
    /// iterating over `&mut iterator`.
    async fn for_each<F: AsyncFnMut(Self::Item)>(mut self, mut f: F)
    where
        Self: Sized,
    {
        while let Some(item) = self.next().await {
            f(item).await;
        }
    }

    /// Collects all values: into a list, a set, a map, a string.
    ///
    /// # Cancel safety
    ///
    /// **Data lost**: what has been collected is dropped. To keep it, push to a collection of your
    /// own in a `while let` loop.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde::{AsyncIterator, async_iter::from_iter};
    /// use std::collections::{BTreeMap, HashSet};
    ///
    /// # ronde::run(async {
    /// let words = || from_iter(["to", "be", "or", "not", "to", "be"]);
    /// let set: HashSet<&str> = words().collect().await;
    /// assert_eq!(set.len(), 4);
    /// let lengths: BTreeMap<_, _> = words().map(|word| (word, word.len())).collect().await;
    /// assert_eq!(lengths["not"], 3);
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    async fn collect<C: Default + Extend<Self::Item>>(mut self) -> C
    where
        Self: Sized,
    {
        let mut collection = C::default();
        while let Some(item) = self.next().await {
            collection.extend([item]);
        }
        collection
    }

    /// Collects the values of an iterator over `Result`s, up to the first `Err`.
    ///
    /// # Errors
    ///
    /// The first `Err`. What came before it is dropped, what comes after it isn't asked for.
    ///
    /// # Cancel safety
    ///
    /// **Data lost**: what has been collected is dropped.
    async fn try_collect<C, T, E>(mut self) -> Result<C, E>
    where
        Self: Sized + AsyncIterator<Item = Result<T, E>>,
        C: Default + Extend<T>,
    {
        let mut collection = C::default();
        while let Some(item) = self.next().await {
            collection.extend([item?]);
        }
        Ok(collection)
    }

    /// The same as a [`Stream`](futures_core::Stream), for the combinators of other crates.
    ///
    /// ```
    /// use futures_lite::StreamExt;
    /// use ronde::{AsyncIterator, async_iter};
    ///
    /// # ronde::run(async {
    /// let stream = AsyncIterator::into_stream(async_iter::from_iter([1, 2, 3]));
    /// assert_eq!(stream.fold(0, |sum, x| sum + x).await, 6);
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    fn into_stream<'a>(self) -> IntoStream<'a, Self::Item>
    where
        Self: Sized + 'a,
    {
        IntoStream::new(self)
    }
}

impl<I: AsyncIterator> AsyncIterator for &mut I {
    type Item = I::Item;

    async fn next(&mut self) -> Option<I::Item> {
        (**self).next().await
    }
}

impl<T: 'static> AsyncIterator for AsCompleted<T> {
    type Item = ronde_loop::Child<T>;

    async fn next(&mut self) -> Option<Self::Item> {
        AsCompleted::next(self).await
    }
}

impl AsyncIterator for Lines<'_> {
    type Item = Result<Bytes, ReadError>;

    async fn next(&mut self) -> Option<Self::Item> {
        Lines::next(self).await
    }
}

/// Awaits one after the other, in order, and collects their results.
///
/// Nothing runs at the same time, unless the awaitables are tasks, which run anyway. For futures
/// that are to run together there is [`gather_all`](crate::gather_all).
///
/// # Cancel safety
///
/// **Data lost**: the results so far and the awaitables are dropped. Tasks run on.
///
/// # In asyncio
///
/// `[await x for x in awaitables]`
///
/// # Examples
///
/// ```
/// use ronde::{await_all, create_task};
///
/// # ronde::run(async {
/// let tasks: Vec<_> = (0..3).map(|i| create_task(async move { i * 10 })).collect();
/// let results: Result<Vec<i32>, _> = await_all(tasks).await.into_iter().collect();
/// assert_eq!(results.unwrap(), [0, 10, 20]);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub async fn await_all<I>(awaitables: I) -> Vec<<I::Item as IntoFuture>::Output>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    let awaitables = awaitables.into_iter();
    let mut results = Vec::with_capacity(awaitables.size_hint().0);
    for awaitable in awaitables {
        results.push(awaitable.await);
    }
    results
}

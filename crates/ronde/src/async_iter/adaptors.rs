//! The iterators that the methods of `AsyncIterator` make.

use super::AsyncIterator;

/// An async iterator over the values of an ordinary one: the beginning of `[await f(x) for x in xs]`.
///
/// ```
/// use ronde::{AsyncIterator, async_iter::from_iter};
///
/// # ronde::run(async {
/// assert_eq!(from_iter(1..=3).collect::<Vec<_>>().await, [1, 2, 3]);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn from_iter<I: IntoIterator>(items: I) -> FromIter<I::IntoIter> {
    FromIter { items: items.into_iter() }
}

/// See [`from_iter`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct FromIter<I> {
    items: I,
}

impl<I: Iterator> AsyncIterator for FromIter<I> {
    type Item = I::Item;

    async fn next(&mut self) -> Option<I::Item> {
        self.items.next()
    }
}

/// See [`AsyncIterator::map`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct Map<I, F> {
    pub(super) inner: I,
    pub(super) f: F,
}

impl<I: AsyncIterator, B, F: FnMut(I::Item) -> B> AsyncIterator for Map<I, F> {
    type Item = B;

    async fn next(&mut self) -> Option<B> {
        self.inner.next().await.map(&mut self.f)
    }
}

/// See [`AsyncIterator::map_async`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct MapAsync<I, F> {
    pub(super) inner: I,
    pub(super) f: F,
}

impl<I: AsyncIterator, B, F: AsyncFnMut(I::Item) -> B> AsyncIterator for MapAsync<I, F> {
    type Item = B;

    async fn next(&mut self) -> Option<B> {
        let item = self.inner.next().await?;
        Some((self.f)(item).await)
    }
}

/// See [`AsyncIterator::filter`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct Filter<I, F> {
    pub(super) inner: I,
    pub(super) predicate: F,
}

impl<I: AsyncIterator, F: FnMut(&I::Item) -> bool> AsyncIterator for Filter<I, F> {
    type Item = I::Item;

    async fn next(&mut self) -> Option<I::Item> {
        loop {
            let item = self.inner.next().await?;
            if (self.predicate)(&item) {
                return Some(item);
            }
        }
    }
}

/// See [`AsyncIterator::filter_async`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct FilterAsync<I, F> {
    pub(super) inner: I,
    pub(super) predicate: F,
}

impl<I: AsyncIterator, F: AsyncFnMut(&I::Item) -> bool> AsyncIterator for FilterAsync<I, F> {
    type Item = I::Item;

    async fn next(&mut self) -> Option<I::Item> {
        loop {
            let item = self.inner.next().await?;
            if (self.predicate)(&item).await {
                return Some(item);
            }
        }
    }
}

/// See [`AsyncIterator::filter_map`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct FilterMap<I, F> {
    pub(super) inner: I,
    pub(super) f: F,
}

impl<I: AsyncIterator, B, F: FnMut(I::Item) -> Option<B>> AsyncIterator for FilterMap<I, F> {
    type Item = B;

    async fn next(&mut self) -> Option<B> {
        loop {
            let item = self.inner.next().await?;
            if let Some(value) = (self.f)(item) {
                return Some(value);
            }
        }
    }
}

/// See [`AsyncIterator::take`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct Take<I> {
    pub(super) inner: I,
    pub(super) left: usize,
}

impl<I: AsyncIterator> AsyncIterator for Take<I> {
    type Item = I::Item;

    async fn next(&mut self) -> Option<I::Item> {
        if self.left == 0 {
            return None;
        }
        let item = self.inner.next().await?;
        self.left -= 1;
        Some(item)
    }
}

/// See [`AsyncIterator::take_while`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct TakeWhile<I, F> {
    pub(super) inner: I,
    pub(super) predicate: F,
    pub(super) over: bool,
}

impl<I: AsyncIterator, F: FnMut(&I::Item) -> bool> AsyncIterator for TakeWhile<I, F> {
    type Item = I::Item;

    async fn next(&mut self) -> Option<I::Item> {
        if self.over {
            return None;
        }
        let item = self.inner.next().await?;
        self.over = !(self.predicate)(&item);
        if self.over { None } else { Some(item) }
    }
}

/// See [`AsyncIterator::enumerate`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct Enumerate<I> {
    pub(super) inner: I,
    pub(super) count: usize,
}

impl<I: AsyncIterator> AsyncIterator for Enumerate<I> {
    type Item = (usize, I::Item);

    async fn next(&mut self) -> Option<Self::Item> {
        let item = self.inner.next().await?;
        let index = self.count;
        self.count += 1;
        Some((index, item))
    }
}

/// See [`AsyncIterator::chain`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct Chain<I, J> {
    /// `None` once it has ended.
    pub(super) first: Option<I>,
    pub(super) second: J,
}

impl<I: AsyncIterator, J: AsyncIterator<Item = I::Item>> AsyncIterator for Chain<I, J> {
    type Item = I::Item;

    async fn next(&mut self) -> Option<I::Item> {
        if let Some(first) = &mut self.first {
            if let Some(item) = first.next().await {
                return Some(item);
            }
            self.first = None;
        }
        self.second.next().await
    }
}

/// See [`AsyncIterator::zip`].
#[must_use = "nothing is computed unless it is iterated over"]
#[derive(Clone, Debug)]
pub struct Zip<I: AsyncIterator, J> {
    pub(super) first: I,
    pub(super) second: J,
    /// A value of the first, for which the second has had no partner yet.
    pub(super) waiting: Option<I::Item>,
}

impl<I: AsyncIterator, J: AsyncIterator> AsyncIterator for Zip<I, J> {
    type Item = (I::Item, J::Item);

    async fn next(&mut self) -> Option<Self::Item> {
        if self.waiting.is_none() {
            self.waiting = Some(self.first.next().await?);
        }
        let second = self.second.next().await?;
        Some((self.waiting.take()?, second))
    }
}

//! What keeps the items of a queue, and in which order it gives them out.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;

/// In which order a queue gives its items out. [`Fifo`], [`Lifo`] and [`Priority`] are all there are.
pub trait Storage: sealed::Sealed {}

pub(super) mod sealed {
    pub trait Sealed {
        type Item;
        const NAME: &'static str;
        fn put(&mut self, item: Self::Item);
        fn take(&mut self) -> Option<Self::Item>;
        fn len(&self) -> usize;
    }
}

use sealed::Sealed;

/// First in, first out: the order of a [`Queue`](super::Queue).
pub struct Fifo<T> {
    items: VecDeque<T>,
}

/// Last in, first out: the order of a [`LifoQueue`](super::LifoQueue).
pub struct Lifo<T> {
    items: Vec<T>,
}

/// Smallest first: the order of a [`PriorityQueue`](super::PriorityQueue).
pub struct Priority<T> {
    items: BinaryHeap<Entry<T>>,
    next_number: u64,
}

struct Entry<T> {
    item: T,
    /// Equal items come out as they went in.
    number: u64,
}

impl<T> Storage for Fifo<T> {}
impl<T> Storage for Lifo<T> {}
impl<T: Ord> Storage for Priority<T> {}

impl<T> Sealed for Fifo<T> {
    type Item = T;
    const NAME: &'static str = "Queue";

    fn put(&mut self, item: T) {
        self.items.push_back(item);
    }

    fn take(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    fn len(&self) -> usize {
        self.items.len()
    }
}

impl<T> Sealed for Lifo<T> {
    type Item = T;
    const NAME: &'static str = "LifoQueue";

    fn put(&mut self, item: T) {
        self.items.push(item);
    }

    fn take(&mut self) -> Option<T> {
        self.items.pop()
    }

    fn len(&self) -> usize {
        self.items.len()
    }
}

impl<T: Ord> Sealed for Priority<T> {
    type Item = T;
    const NAME: &'static str = "PriorityQueue";

    fn put(&mut self, item: T) {
        let number = self.next_number;
        self.next_number += 1;
        self.items.push(Entry { item, number });
    }

    fn take(&mut self) -> Option<T> {
        self.items.pop().map(|entry| entry.item)
    }

    fn len(&self) -> usize {
        self.items.len()
    }
}

impl<T: Ord> Ord for Entry<T> {
    /// The other way round: the heap has its greatest on top.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_item = other.item.cmp(&self.item);
        by_item.then_with(|| other.number.cmp(&self.number))
    }
}

impl<T: Ord> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Ord> Eq for Entry<T> {}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self { items: VecDeque::new() }
    }
}

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T: Ord> Default for Priority<T> {
    fn default() -> Self {
        Self { items: BinaryHeap::new(), next_number: 0 }
    }
}

impl<T> fmt::Debug for Fifo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fifo").field("len", &self.items.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Lifo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifo").field("len", &self.items.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Priority<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Priority").field("len", &self.items.len()).finish_non_exhaustive()
    }
}

//! Waiters in the order in which they came: nothing but the data.

use std::task::Waker;

use slab::Slab;

/// Those who stand in line. Taking one out, wherever it stands, takes constant time; so does finding
/// the first one that is still to be woken, on the whole.
///
/// No waker is called, cloned or dropped in here: this sits in a `RefCell`, and they are foreign.
#[derive(Default)]
pub(crate) struct Waiters {
    nodes: Slab<Node>,
    first: Option<u32>,
    last: Option<u32>,
    /// Invariant: the first in line that is pending.
    first_pending: Option<u32>,
    pending: usize,
    cancelled: usize,
    next_id: u32,
}

struct Node {
    /// Tells this waiter from others that had the same place in the slab.
    id: u32,
    previous: Option<u32>,
    next: Option<u32>,
    /// How much it wants, where that matters.
    amount: usize,
    state: State,
    /// Invariant: `Some` exactly while pending.
    waker: Option<Waker>,
}

/// How far a waiter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    /// It has been chosen, and hasn't run yet.
    Woken,
    /// It is being cancelled, and hasn't run yet.
    Cancelled,
}

/// Finds a waiter again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    id: u32,
}

impl Key {
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.index) << 32 | u64::from(self.id)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        Self { index: (bits >> 32) as u32, id: bits as u32 }
    }
}

impl Waiters {
    /// How many stand in line, including those who only have to notice that they need not any more.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// Is there nobody in line who could still get something?
    pub(crate) fn all_cancelled(&self) -> bool {
        self.cancelled == self.nodes.len()
    }

    /// Adds a waiter at the end.
    ///
    /// # Panics
    ///
    /// With four billion waiters.
    pub(crate) fn push(&mut self, amount: usize, waker: Waker) -> Key {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        let index = self.nodes.insert(Node {
            id,
            previous: self.last,
            next: None,
            amount,
            state: State::Pending,
            waker: Some(waker),
        });
        let index = u32::try_from(index).expect("there are fewer than 2^32 waiters");
        match self.last {
            Some(last) => self.nodes[last as usize].next = Some(index),
            None => self.first = Some(index),
        }
        self.last = Some(index);
        self.pending += 1;
        self.first_pending.get_or_insert(index);
        Key { index, id }
    }

    pub(crate) fn state(&self, key: Key) -> Option<State> {
        self.get(key).map(|node| node.state)
    }

    /// The waker that a pending waiter left.
    pub(crate) fn waker(&mut self, key: Key) -> Option<&mut Waker> {
        let node = self.nodes.get_mut(key.index as usize).filter(|node| node.id == key.id)?;
        node.waker.as_mut()
    }

    /// Takes a waiter out. Gives its waker, to be dropped by the caller.
    pub(crate) fn remove(&mut self, key: Key) -> Option<(State, Option<Waker>)> {
        self.get(key)?;
        if self.first_pending == Some(key.index) {
            self.first_pending = self.next_pending(key.index);
        }
        let node = self.nodes.remove(key.index as usize);
        match node.previous {
            Some(previous) => self.nodes[previous as usize].next = node.next,
            None => self.first = node.next,
        }
        match node.next {
            Some(next) => self.nodes[next as usize].previous = node.previous,
            None => self.last = node.previous,
        }
        match node.state {
            State::Pending => self.pending -= 1,
            State::Cancelled => self.cancelled -= 1,
            State::Woken => {}
        }
        Some((node.state, node.waker))
    }

    /// How much the first pending waiter wants.
    pub(crate) fn next_amount(&self) -> Option<usize> {
        self.first_pending.map(|index| self.nodes[index as usize].amount)
    }

    /// Chooses the first pending waiter. The caller wakes it.
    pub(crate) fn choose_next(&mut self) -> Option<Waker> {
        self.first_pending.and_then(|index| self.settle(index, State::Woken))
    }

    /// Chooses the first in line, if that one is pending.
    pub(crate) fn choose_first(&mut self) -> Option<Waker> {
        if self.first == self.first_pending { self.choose_next() } else { None }
    }

    /// Marks a waiter as cancelled, if it is pending. The caller wakes it.
    pub(crate) fn cancel(&mut self, key: Key) -> Option<Waker> {
        self.get(key)?;
        let waker = self.settle(key.index, State::Cancelled);
        self.cancelled += usize::from(waker.is_some());
        waker
    }

    /// A waiter is pending no more. Nothing happens to one that isn't.
    fn settle(&mut self, index: u32, state: State) -> Option<Waker> {
        if self.first_pending == Some(index) {
            self.first_pending = self.next_pending(index);
        }
        let node = &mut self.nodes[index as usize];
        let waker = node.waker.take()?;
        node.state = state;
        self.pending -= 1;
        Some(waker)
    }

    /// As a waiter never becomes pending again, this passes by each of them once.
    fn next_pending(&self, index: u32) -> Option<u32> {
        let mut next = self.nodes[index as usize].next;
        while let Some(index) = next
            && self.nodes[index as usize].state != State::Pending
        {
            next = self.nodes[index as usize].next;
        }
        next
    }

    fn get(&self, key: Key) -> Option<&Node> {
        self.nodes.get(key.index as usize).filter(|node| node.id == key.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(count: usize) -> (Waiters, Vec<Key>) {
        let mut waiters = Waiters::default();
        let keys = (0..count).map(|n| waiters.push(n, Waker::noop().clone())).collect();
        (waiters, keys)
    }

    #[test]
    fn the_first_pending_one_is_found_whatever_happens_before_it() {
        let (mut waiters, keys) = line_of(5);
        assert!(waiters.cancel(keys[1]).is_some());
        assert!(waiters.choose_next().is_some());
        assert_eq!(waiters.next_amount(), Some(2));
        waiters.remove(keys[2]);
        assert_eq!(waiters.next_amount(), Some(3));
        assert!(waiters.cancel(keys[3]).is_some());
        assert_eq!(waiters.next_amount(), Some(4));
        waiters.remove(keys[4]);
        assert_eq!(waiters.next_amount(), None);
        let late = waiters.push(9, Waker::noop().clone());
        assert_eq!(waiters.next_amount(), Some(9));
        assert_eq!(waiters.state(late), Some(State::Pending));
        assert_eq!((waiters.len(), waiters.pending()), (4, 1));
    }

    #[test]
    fn the_first_in_line_is_chosen_only_if_it_is_pending() {
        let (mut waiters, keys) = line_of(2);
        assert!(waiters.cancel(keys[0]).is_some());
        assert!(waiters.choose_first().is_none());
        waiters.remove(keys[0]);
        assert!(waiters.choose_first().is_some());
        assert!(waiters.choose_first().is_none());
    }

    #[test]
    fn a_stale_key_finds_nothing() {
        let (mut waiters, keys) = line_of(1);
        waiters.remove(keys[0]);
        let new = waiters.push(0, Waker::noop().clone());
        assert_eq!(waiters.state(keys[0]), None);
        assert!(waiters.cancel(keys[0]).is_none());
        assert!(waiters.remove(keys[0]).is_none());
        assert_eq!(waiters.state(new), Some(State::Pending));
        assert_eq!(Key::from_bits(new.to_bits()), new);
    }

    #[test]
    fn a_waiter_is_cancelled_once_and_not_after_it_was_woken() {
        let (mut waiters, keys) = line_of(2);
        assert!(waiters.choose_next().is_some());
        assert!(waiters.cancel(keys[0]).is_none());
        assert!(waiters.cancel(keys[1]).is_some());
        assert!(waiters.cancel(keys[1]).is_none());
        assert!(!waiters.all_cancelled());
        waiters.remove(keys[0]);
        assert!(waiters.all_cancelled());
    }
}

//! A priority queue of slots that knows where in it each slot is.
//!
//! The entries form a heap with four children per node, laid out in one vector: the children of
//! the entry at position `p` are at `4p + 1` to `4p + 4`, and no child comes before its parent.

use std::num::NonZeroU64;
use std::time::Instant;

/// How many children a node has.
const ARITY: usize = 4;

/// What the timers are ordered by: the deadline, then the order of insertion.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Rank {
    pub(crate) deadline: Instant,
    /// Invariant: no two live timers have the same. Hence no two ranks are equal, and the heap,
    /// which by itself would put equals in any order, has but one order to give.
    pub(crate) sequence: NonZeroU64,
}

impl Rank {
    /// Tells whether a timer of this rank comes out before one of rank `other`.
    ///
    /// All three comparisons are always made. Which of two timers is the earlier is anybody's
    /// guess, so a processor that had to guess whether the next comparison is needed would be
    /// wrong every other time. Popping from ten thousand timers takes half as long for it.
    fn is_before(&self, other: &Self) -> bool {
        (self.deadline < other.deadline)
            | ((self.deadline == other.deadline) & (self.sequence < other.sequence))
    }
}

/// One live timer, as the heap sees it.
#[derive(Copy, Clone, Debug)]
struct Entry {
    rank: Rank,
    slot: usize,
}

/// The ranks of the live timers, earliest first.
///
/// It is not generic over the values, which it never touches, so a program with several kinds of
/// queue compiles it once.
pub(crate) struct Heap {
    /// Invariant: `entries[parent(p)].rank` is before `entries[p].rank` for every `p > 0`.
    entries: Vec<Entry>,
    /// Invariant: `positions[entries[p].slot] == p` for every `p`. The elements of slots that are
    /// not in the heap mean nothing.
    positions: Vec<usize>,
}

impl Heap {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), positions: Vec::new() }
    }

    /// Returns how many slots are in the heap.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the earliest deadline and the slot that it belongs to.
    pub(crate) fn first(&self) -> Option<(Instant, usize)> {
        self.entries.first().map(|entry| (entry.rank.deadline, entry.slot))
    }

    /// Returns the deadline of `slot`, which must be in the heap.
    pub(crate) fn deadline(&self, slot: usize) -> Instant {
        self.entries[self.positions[slot]].rank.deadline
    }

    /// Puts `slot`, which must not be in the heap, where `rank` belongs.
    pub(crate) fn insert(&mut self, slot: usize, rank: Rank) {
        if slot >= self.positions.len() {
            self.positions.resize(slot + 1, 0);
        }
        let entry = Entry { rank, slot };
        self.entries.push(entry);
        self.rise(self.entries.len() - 1, entry);
    }

    /// Takes out `slot`, which must be in the heap.
    pub(crate) fn remove(&mut self, slot: usize) {
        let position = self.positions[slot];
        let Some(last) = self.entries.pop() else {
            return;
        };

        // The last entry fills the gap, unless it was the one to go.
        if position < self.entries.len() {
            self.settle(position, last);
        }
    }

    /// Moves `slot`, which must be in the heap, to where `rank` belongs.
    pub(crate) fn reorder(&mut self, slot: usize, rank: Rank) {
        self.settle(self.positions[slot], Entry { rank, slot });
    }

    /// Takes out everything. Memory is kept for what comes next.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.positions.clear();
    }

    /// Puts `entry` into the gap at `position`, or wherever it belongs above or below it.
    fn settle(&mut self, position: usize, entry: Entry) {
        // An entry from elsewhere in the heap can belong on either side of the gap, for it may
        // stem from another branch; but never on both.
        if position > 0 && entry.rank.is_before(&self.entries[parent(position)].rank) {
            self.rise(position, entry);
        } else {
            self.sink(position, entry);
        }
    }

    /// Moves the gap at `position` up to where `entry` belongs, and puts it there.
    fn rise(&mut self, mut position: usize, entry: Entry) {
        while position > 0 {
            let above = self.entries[parent(position)];
            if above.rank.is_before(&entry.rank) {
                break;
            }
            self.place(position, above);
            position = parent(position);
        }
        self.place(position, entry);
    }

    /// Moves the gap at `position` down to where `entry` belongs, and puts it there.
    fn sink(&mut self, mut position: usize, entry: Entry) {
        while let Some(child) = self.first_child(position) {
            let below = self.entries[child];
            if entry.rank.is_before(&below.rank) {
                break;
            }
            self.place(position, below);
            position = child;
        }
        self.place(position, entry);
    }

    /// Returns the position of the earliest of the children, if there is one.
    fn first_child(&self, position: usize) -> Option<usize> {
        let start = position * ARITY + 1;

        // Nearly every node has all its children or none. Two independent comparisons and a final
        // are quicker than a chain of three.
        if start + ARITY <= self.entries.len() {
            let left = self.earlier(start, start + 1);
            let right = self.earlier(start + 2, start + 3);
            return Some(self.earlier(left, right));
        }
        (start..self.entries.len()).reduce(|first, child| self.earlier(first, child))
    }

    /// Returns the one of two positions whose entry comes out first.
    fn earlier(&self, left: usize, right: usize) -> usize {
        let is_right = self.entries[right].rank.is_before(&self.entries[left].rank);
        if is_right { right } else { left }
    }

    /// Writes `entry` to `position`. This is the only place where a position is recorded.
    fn place(&mut self, position: usize, entry: Entry) {
        self.entries[position] = entry;
        self.positions[entry.slot] = position;
    }
}

/// Returns the position of the parent of `position`, which must not be the top.
fn parent(position: usize) -> usize {
    (position - 1) / ARITY
}

#[cfg(test)]
impl Heap {
    /// Panics if an invariant does not hold.
    pub(crate) fn check(&self) {
        for (position, entry) in self.entries.iter().enumerate() {
            assert_eq!(self.positions[entry.slot], position);
            assert!(position == 0 || self.entries[parent(position)].rank.is_before(&entry.rank));
        }
    }

    /// Returns how many entries and how many slots fit without another allocation.
    pub(crate) fn capacity(&self) -> (usize, usize) {
        (self.entries.capacity(), self.positions.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn rank(start: Instant, seconds: u64, sequence: u64) -> Rank {
        Rank {
            deadline: start + Duration::from_secs(seconds),
            sequence: NonZeroU64::new(sequence).unwrap(),
        }
    }

    fn drain(heap: &mut Heap) -> Vec<usize> {
        let mut slots = Vec::new();
        while let Some((_, slot)) = heap.first() {
            heap.check();
            heap.remove(slot);
            slots.push(slot);
        }
        slots
    }

    #[test]
    fn ranks_compare_by_deadline_and_then_by_sequence() {
        let start = Instant::now();
        let [early, equal, late] = [rank(start, 1, 8), rank(start, 1, 9), rank(start, 2, 1)];
        assert!(early.is_before(&equal) && equal.is_before(&late) && early.is_before(&late));
        assert!(!equal.is_before(&early) && !late.is_before(&equal) && !early.is_before(&early));
    }

    #[test]
    fn entries_inserted_in_falling_order_come_out_in_rising_order() {
        let start = Instant::now();
        let mut heap = Heap::new();
        for slot in 0..100 {
            heap.insert(slot, rank(start, 100 - slot as u64, slot as u64 + 1));
            heap.check();
        }
        assert_eq!(drain(&mut heap), (0..100).rev().collect::<Vec<_>>());
    }

    /// Filling a gap with an entry of another branch can make it earlier than what is above.
    #[test]
    fn an_entry_that_fills_a_gap_rises_where_it_must() {
        let start = Instant::now();
        let mut heap = Heap::new();
        // Position 1 and its children 5 to 8 are late, position 2 and its child 9 early.
        let seconds = [0, 50, 10, 60, 60, 51, 52, 53, 54, 11];
        for (slot, &seconds) in seconds.iter().enumerate() {
            heap.insert(slot, rank(start, seconds, slot as u64 + 1));
        }

        heap.remove(5);
        heap.check();
        assert_eq!(heap.positions[9], 1);
        assert_eq!(drain(&mut heap), [0, 2, 9, 1, 6, 7, 8, 3, 4]);
    }

    #[test]
    fn every_entry_can_be_taken_out_of_every_size_of_heap() {
        let start = Instant::now();
        for size in 1..40 {
            for victim in 0..size {
                let mut heap = Heap::new();
                for slot in 0..size {
                    // Seven is coprime to the modulus: a fixed shuffle.
                    heap.insert(slot, rank(start, slot as u64 * 7 % 41, slot as u64 + 1));
                }
                heap.remove(victim);
                heap.check();

                let mut expected: Vec<_> = (0..size).filter(|&slot| slot != victim).collect();
                expected.sort_by_key(|slot| slot * 7 % 41);
                assert_eq!(drain(&mut heap), expected);
            }
        }
    }
}

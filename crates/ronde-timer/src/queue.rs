//! The queue: what the crate documentation promises, made from the slots and the heap.

use crate::heap::{Heap, Rank};
use crate::slots::Slots;
use std::fmt;
use std::num::NonZeroU64;
use std::time::Instant;

/// The timers of one event loop, in the order in which they come due.
///
/// Each timer is a value of type `T` with a deadline. The queue reads no clock and calls nobody: a
/// loop asks [`next_deadline`](Self::next_deadline) how long it may wait, then takes what is due
/// with [`pop_due`](Self::pop_due). The [crate documentation](crate) has the order and the costs.
///
/// The queue is `Send` or `Sync` if `T` is, but nothing in it waits or wakes: the thread that
/// owns it does all the work.
///
/// # In asyncio
///
/// `BaseEventLoop._scheduled`, a `heapq` of `TimerHandle`s. Two things differ. There, handles with
/// equal times come out in no particular order; here, in the order they went in. There, a
/// cancelled handle stays in the heap until it comes due or the cancelled ones are many; here, it
/// is gone at once.
///
/// # Examples
///
/// One turn of a loop that has nothing but timers:
///
/// ```
/// use ronde_timer::TimerQueue;
/// use std::time::{Duration, Instant};
///
/// let mut now = Instant::now();
/// let mut queue = TimerQueue::new();
/// queue.insert(now + Duration::from_secs(3), "third");
/// queue.insert(now + Duration::from_secs(1), "first");
/// queue.insert(now + Duration::from_secs(1), "second");
///
/// let mut log = Vec::new();
/// while let Some(deadline) = queue.next_deadline() {
///     now = deadline; // A real loop would wait.
///     while let Some(name) = queue.pop_due(now) {
///         log.push(name);
///     }
/// }
/// assert_eq!(log, ["first", "second", "third"]);
/// ```
pub struct TimerQueue<T> {
    /// Invariant: a slot is occupied exactly if it is in `heap`.
    slots: Slots<T>,
    heap: Heap,
    /// The number that was given out last, as the id of a timer or as its place among equals.
    last_number: u64,
}

/// Finds a timer in the [`TimerQueue`] that it was inserted into.
///
/// A key is plain data: copying it is free, dropping it does nothing, and it may wander to other
/// threads whatever the values are. It finds its timer until that has been popped, removed or
/// cleared away; rescheduling does not change it. Then it is stale, and stays so: a queue never
/// gives out the same key twice, however often it reuses the timer's memory.
///
/// A key is good for its own queue only. Another queue may have an equal one, and will then take
/// it for its own.
///
/// `Option<TimerKey>` is no larger than `TimerKey`.
///
/// # Examples
///
/// ```
/// use ronde_timer::TimerQueue;
/// use std::time::Instant;
///
/// let now = Instant::now();
/// let mut queue = TimerQueue::new();
/// let old = queue.insert(now, "old");
/// assert_eq!(queue.pop_due(now), Some("old"));
///
/// let new = queue.insert(now, "new");
/// assert_ne!(old, new);
/// assert_eq!(queue.remove(old), None);
/// assert_eq!(queue.remove(new), Some("new"));
/// ```
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct TimerKey {
    slot: usize,
    /// The slot's generation. It is counted for the whole queue and not for each slot: a slot that
    /// is reused in a tight loop would run through 32 bits in minutes, and a slot that forgot its
    /// count in `clear` would repeat itself.
    id: NonZeroU64,
}

impl<T> TimerQueue<T> {
    /// Creates a queue without timers. It allocates when the first one is inserted.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    ///
    /// const EMPTY: TimerQueue<String> = TimerQueue::new();
    /// assert!(EMPTY.is_empty());
    /// ```
    pub const fn new() -> Self {
        Self { slots: Slots::new(), heap: Heap::new(), last_number: 0 }
    }

    /// Inserts a timer that is due from `deadline` on, and returns the key that finds it.
    ///
    /// It goes behind all timers with the same deadline. A deadline in the past is as good as any:
    /// the timer is due at once, and comes before those with later deadlines.
    ///
    /// # In asyncio
    ///
    /// What `loop.call_at` does, given the time and the handle.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut queue = TimerQueue::new();
    /// queue.insert(now, "one");
    /// queue.insert(now, "two");
    ///
    /// assert_eq!(queue.pop_due(now), Some("one"));
    /// assert_eq!(queue.pop_due(now), Some("two"));
    /// ```
    pub fn insert(&mut self, deadline: Instant, value: T) -> TimerKey {
        // The first number a timer is given serves for both purposes.
        let id = self.next_number();
        let slot = self.slots.insert(id, value);
        self.heap.insert(slot, Rank { deadline, sequence: id });
        TimerKey { slot, id }
    }

    /// Takes out a timer before it fires, and returns its value.
    ///
    /// Returns `None` and changes nothing if the key is stale. So whoever drops a wait need not
    /// know whether its timer has fired.
    ///
    /// # In asyncio
    ///
    /// `TimerHandle.cancel`.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut queue = TimerQueue::new();
    /// let timeout = queue.insert(now, "timeout");
    ///
    /// assert_eq!(queue.remove(timeout), Some("timeout"));
    /// assert_eq!(queue.remove(timeout), None);
    /// assert_eq!(queue.pop_due(now), None);
    /// ```
    pub fn remove(&mut self, key: TimerKey) -> Option<T> {
        let value = self.slots.remove(key.slot, key.id)?;
        self.heap.remove(key.slot);
        Some(value)
    }

    /// Returns a timer's value, or `None` if the key is stale.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut queue = TimerQueue::new();
    /// let key = queue.insert(now, "value");
    /// assert_eq!(queue.get(key), Some(&"value"));
    ///
    /// queue.pop_due(now);
    /// assert_eq!(queue.get(key), None);
    /// ```
    pub fn get(&self, key: TimerKey) -> Option<&T> {
        self.slots.get(key.slot, key.id)
    }

    /// Returns a timer's value to be changed in place, or `None` if the key is stale.
    ///
    /// The timer keeps its deadline and its place in the order. A wait that is polled again
    /// exchanges its waker in this way.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut queue = TimerQueue::new();
    /// let key = queue.insert(now, 1);
    ///
    /// if let Some(value) = queue.get_mut(key) {
    ///     *value += 1;
    /// }
    /// assert_eq!(queue.pop_due(now), Some(2));
    /// ```
    pub fn get_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        self.slots.get_mut(key.slot, key.id)
    }

    /// Returns the instant from which a timer is due, or `None` if the key is stale.
    ///
    /// # In asyncio
    ///
    /// `TimerHandle.when`, which keeps its answer after the timer has fired.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut queue = TimerQueue::new();
    /// let key = queue.insert(now, ());
    /// assert_eq!(queue.deadline(key), Some(now));
    ///
    /// queue.remove(key);
    /// assert_eq!(queue.deadline(key), None);
    /// ```
    pub fn deadline(&self, key: TimerKey) -> Option<Instant> {
        self.get(key)?;
        Some(self.heap.deadline(key.slot))
    }

    /// Gives a timer another deadline, earlier or later, and tells whether it was still live.
    ///
    /// The key stays the same. In the order, the timer is as good as removed and inserted anew: it
    /// goes behind all timers with the same deadline, even if that is the deadline it had.
    ///
    /// Returns `false` and changes nothing if the key is stale.
    ///
    /// # In asyncio
    ///
    /// What `Timeout.reschedule` does by cancelling one handle and scheduling the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::{Duration, Instant};
    ///
    /// let now = Instant::now();
    /// let later = now + Duration::from_secs(1);
    /// let mut queue = TimerQueue::new();
    /// let idle = queue.insert(now, "idle");
    ///
    /// assert!(queue.reschedule(idle, later));
    /// assert_eq!(queue.pop_due(now), None);
    /// assert_eq!(queue.pop_due(later), Some("idle"));
    /// assert!(!queue.reschedule(idle, later));
    /// ```
    pub fn reschedule(&mut self, key: TimerKey, deadline: Instant) -> bool {
        let live = self.get(key).is_some();
        if live {
            let sequence = self.next_number();
            self.heap.reorder(key.slot, Rank { deadline, sequence });
        }
        live
    }

    /// Returns the earliest deadline, or `None` if there are no timers.
    ///
    /// This is exact: a timer that was removed or rescheduled has no part in it, so a loop never
    /// wakes for nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::{Duration, Instant};
    ///
    /// let now = Instant::now();
    /// let mut queue = TimerQueue::new();
    /// let key = queue.insert(now, "soon");
    /// queue.insert(now + Duration::from_secs(1), "later");
    /// assert_eq!(queue.next_deadline(), Some(now));
    ///
    /// queue.remove(key);
    /// assert_eq!(queue.next_deadline(), Some(now + Duration::from_secs(1)));
    /// ```
    pub fn next_deadline(&self) -> Option<Instant> {
        self.heap.first().map(|(deadline, _)| deadline)
    }

    /// Takes out the first timer if it is due at `now`, that is, if its deadline is not after it.
    ///
    /// Called until it returns `None`, it gives all that are due, by deadline and then in the order
    /// they went in. `now` may be any instant, also one before that of the last call. A timer
    /// inserted between two of those calls comes out in its place if it is due as well; a loop
    /// that lets values insert timers first collects what is due and then runs it.
    ///
    /// # In asyncio
    ///
    /// The loop over `_scheduled` in `BaseEventLoop._run_once`. There, a timer may fire early by
    /// the resolution of the clock; here, never.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::{Duration, Instant};
    ///
    /// let deadline = Instant::now();
    /// let mut queue = TimerQueue::new();
    /// queue.insert(deadline, "timer");
    ///
    /// assert_eq!(queue.pop_due(deadline - Duration::from_nanos(1)), None);
    /// assert_eq!(queue.pop_due(deadline), Some("timer"));
    /// ```
    pub fn pop_due(&mut self, now: Instant) -> Option<T> {
        let (deadline, slot) = self.heap.first()?;
        if deadline > now {
            return None;
        }
        self.heap.remove(slot);
        self.slots.take(slot)
    }

    /// Returns how many timers are live.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::Instant;
    ///
    /// let mut queue = TimerQueue::new();
    /// let key = queue.insert(Instant::now(), ());
    /// assert_eq!(queue.len(), 1);
    ///
    /// queue.remove(key);
    /// assert_eq!(queue.len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Tells whether no timer is live.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::Instant;
    ///
    /// let mut queue = TimerQueue::new();
    /// assert!(queue.is_empty());
    ///
    /// queue.insert(Instant::now(), ());
    /// assert!(!queue.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all timers, in no particular order. Their keys are stale from then on.
    ///
    /// The queue keeps its memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_timer::TimerQueue;
    /// use std::time::Instant;
    ///
    /// let now = Instant::now();
    /// let mut queue = TimerQueue::new();
    /// let key = queue.insert(now, "value");
    ///
    /// queue.clear();
    /// assert!(queue.is_empty());
    /// assert_eq!(queue.get(key), None);
    /// ```
    pub fn clear(&mut self) {
        // The heap first: it drops nothing that could panic in between.
        self.heap.clear();
        self.slots.clear();
    }

    /// Returns a number that is higher than all before it.
    fn next_number(&mut self) -> NonZeroU64 {
        // At one number a nanosecond, this lasts for 584 years.
        let number = self.last_number.checked_add(1).and_then(NonZeroU64::new);
        let number = number.expect("2^64 timers cannot have been inserted in a program's life");
        self.last_number = number.get();
        number
    }
}

impl<T> Default for TimerQueue<T> {
    /// Creates a queue without timers, as [`TimerQueue::new`] does.
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for TimerQueue<T> {
    /// Shows how many timers there are and when the first is due. The values need not be `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerQueue")
            .field("len", &self.len())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn capacities<T>(queue: &TimerQueue<T>) -> (usize, (usize, usize)) {
        (queue.slots.capacity(), queue.heap.capacity())
    }

    #[test]
    fn cancelled_timers_leave_no_memory_behind() {
        let start = Instant::now();
        let mut queue = TimerQueue::new();
        for step in 0..100 {
            queue.insert(start + Duration::from_secs(step), step);
        }
        let warm = capacities(&queue);

        for step in 0..10_000 {
            let key = queue.insert(start + Duration::from_millis(step * 37 % 99_000), step);
            queue.heap.check();
            assert_eq!(queue.remove(key), Some(step));
        }
        let keys: Vec<_> = (0..28).map(|step| queue.insert(start, step)).collect();
        assert!(keys.iter().all(|key| queue.reschedule(*key, start + Duration::from_secs(50))));
        queue.clear();
        for step in 0..100 {
            queue.insert(start, step);
        }
        assert_eq!(capacities(&queue), warm);
    }

    /// A generation of 32 bits would come round here, and the stale key would find a stranger.
    #[test]
    fn a_key_stays_stale_after_its_slot_was_reused_four_thousand_million_times() {
        let now = Instant::now();
        let mut queue = TimerQueue::new();
        let stale = queue.insert(now, "first");
        assert_eq!(queue.remove(stale), Some("first"));

        for round in 1..=3 {
            queue.last_number = round << 32;
            let key = queue.insert(now, "tenant");
            assert_eq!(key.slot, stale.slot);
            assert_eq!(key.id.get() as u32, stale.id.get() as u32);
            assert_eq!(queue.get(stale), None);
            assert_eq!(queue.deadline(stale), None);
            assert!(!queue.reschedule(stale, now));
            assert_eq!(queue.remove(stale), None);
            assert_eq!(queue.remove(key), Some("tenant"));
        }
    }

    #[test]
    fn equal_deadlines_keep_their_order_across_a_32_bit_boundary() {
        let now = Instant::now();
        let mut queue = TimerQueue::new();
        queue.last_number = u64::from(u32::MAX) - 2;
        for name in 0..5 {
            queue.insert(now, name);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop_due(now)).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
    }

    #[test]
    #[should_panic = "2^64 timers"]
    fn the_last_number_is_not_followed_by_the_first() {
        let mut queue = TimerQueue::new();
        queue.last_number = u64::MAX;
        queue.insert(Instant::now(), ());
    }

    #[test]
    fn an_optional_key_is_no_larger_than_a_key() {
        assert_eq!(size_of::<Option<TimerKey>>(), size_of::<TimerKey>());
    }
}

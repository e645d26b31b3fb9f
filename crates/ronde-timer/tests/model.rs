//! A timer queue equals a `Vec` sorted stably by deadline.

use proptest::prelude::*;
use ronde_timer::{TimerKey, TimerQueue};
use std::time::{Duration, Instant};

/// What can be done to a queue. Times are in nanoseconds after some start, few enough that equal
/// ones are common; `nth` chooses among all keys that were ever given out, so many are stale.
#[derive(Clone, Debug)]
enum Operation {
    Insert { deadline: u64 },
    Remove { nth: usize },
    RemoveNewest,
    Reschedule { nth: usize, deadline: u64 },
    Change { nth: usize },
    Pop { now: u64 },
    PopAll { now: u64 },
    Clear,
}

fn operation() -> impl Strategy<Value = Operation> {
    let time = || prop_oneof![0..8_u64, 0..1000_u64];
    prop_oneof![
        12 => time().prop_map(|deadline| Operation::Insert { deadline }),
        4 => any::<usize>().prop_map(|nth| Operation::Remove { nth }),
        2 => Just(Operation::RemoveNewest),
        4 => (any::<usize>(), time())
            .prop_map(|(nth, deadline)| Operation::Reschedule { nth, deadline }),
        1 => any::<usize>().prop_map(|nth| Operation::Change { nth }),
        4 => time().prop_map(|now| Operation::Pop { now }),
        1 => (0..50_u64).prop_map(|now| Operation::PopAll { now }),
        1 => prop_oneof![9 => Just(Operation::RemoveNewest), 1 => Just(Operation::Clear)],
    ]
}

/// The plainest queue there is. A timer's name is the number of keys given out before it.
#[derive(Default)]
struct Model {
    timers: Vec<Timer>,
}

#[derive(Clone)]
struct Timer {
    deadline: Instant,
    name: usize,
    changes: u32,
}

impl Model {
    fn push(&mut self, timer: Timer) {
        self.timers.push(timer);
        self.timers.sort_by_key(|timer| timer.deadline); // This sort is stable.
    }

    fn find(&mut self, name: usize) -> Option<&mut Timer> {
        self.timers.iter_mut().find(|timer| timer.name == name)
    }

    fn remove(&mut self, name: usize) -> Option<Timer> {
        let index = self.timers.iter().position(|timer| timer.name == name)?;
        Some(self.timers.remove(index))
    }

    fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let due = self.timers.first()?.deadline <= now;
        due.then(|| self.timers.remove(0))
    }
}

/// A queue, its model, and all keys that were ever given out, by the name of the timer.
struct Pair {
    start: Instant,
    queue: TimerQueue<(usize, u32)>,
    model: Model,
    keys: Vec<TimerKey>,
}

impl Pair {
    fn new() -> Self {
        let (queue, model) = (TimerQueue::new(), Model::default());
        Self { start: Instant::now(), queue, model, keys: Vec::new() }
    }

    fn at(&self, nanoseconds: u64) -> Instant {
        self.start + Duration::from_nanos(nanoseconds)
    }

    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Insert { deadline } => {
                let (deadline, name) = (self.at(deadline), self.keys.len());
                self.keys.push(self.queue.insert(deadline, (name, 0)));
                self.model.push(Timer { deadline, name, changes: 0 });
            }
            Operation::Remove { nth } => self.remove(nth),
            Operation::RemoveNewest => self.remove(self.keys.len().saturating_sub(1)),
            Operation::Reschedule { nth, deadline } => self.reschedule(nth, self.at(deadline)),
            Operation::Change { nth } => self.change(nth),
            Operation::Pop { now } => {
                self.pop(self.at(now));
            }
            Operation::PopAll { now } => while self.pop(self.at(now)) {},
            Operation::Clear => {
                self.queue.clear();
                self.model.timers.clear();
            }
        }
    }

    /// Returns the name and the key that `nth` stands for, unless none was given out so far.
    fn choose(&self, nth: usize) -> Option<(usize, TimerKey)> {
        let name = nth.checked_rem(self.keys.len())?;
        Some((name, self.keys[name]))
    }

    fn remove(&mut self, nth: usize) {
        let Some((name, key)) = self.choose(nth) else {
            return;
        };
        let expected = self.model.remove(name).map(|timer| (timer.name, timer.changes));
        assert_eq!(self.queue.remove(key), expected);
    }

    fn reschedule(&mut self, nth: usize, deadline: Instant) {
        let Some((name, key)) = self.choose(nth) else {
            return;
        };
        let timer = self.model.remove(name);
        assert_eq!(self.queue.reschedule(key, deadline), timer.is_some());
        if let Some(timer) = timer {
            self.model.push(Timer { deadline, ..timer });
        }
    }

    fn change(&mut self, nth: usize) {
        let Some((name, key)) = self.choose(nth) else {
            return;
        };
        let changes = self.queue.get_mut(key).map(|(_, changes)| changes);
        let expected = self.model.find(name).map(|timer| &mut timer.changes);
        assert_eq!(changes, expected);
        if let (Some(changes), Some(expected)) = (changes, expected) {
            *changes += 1;
            *expected += 1;
        }
    }

    /// Pops from both, and tells whether there was a timer.
    fn pop(&mut self, now: Instant) -> bool {
        let expected = self.model.pop_due(now).map(|timer| (timer.name, timer.changes));
        assert_eq!(self.queue.pop_due(now), expected);
        expected.is_some()
    }

    /// Asserts that everything that can be seen without changing it is the same in both.
    fn compare(&mut self) {
        assert_eq!(self.queue.len(), self.model.timers.len());
        assert_eq!(self.queue.is_empty(), self.model.timers.is_empty());
        let first = self.model.timers.first().map(|timer| timer.deadline);
        assert_eq!(self.queue.next_deadline(), first);
        for (name, &key) in self.keys.iter().enumerate() {
            let timer = self.model.find(name);
            let deadline = timer.as_ref().map(|timer| timer.deadline);
            assert_eq!(self.queue.deadline(key), deadline);
            let value = timer.map(|timer| (timer.name, timer.changes));
            assert_eq!(self.queue.get(key).copied(), value);
        }
    }
}

proptest! {
    #[test]
    fn random_operations_do_the_same_to_both(
        operations in prop::collection::vec(operation(), 0..300),
    ) {
        let mut pair = Pair::new();
        for operation in &operations {
            pair.apply(operation);
        }
        pair.compare();
        while pair.pop(pair.at(u64::from(u32::MAX))) {}
        pair.compare();
    }

    #[test]
    fn a_queue_can_be_trusted_after_each_operation(
        operations in prop::collection::vec(operation(), 0..60),
    ) {
        let mut pair = Pair::new();
        for operation in &operations {
            pair.apply(operation);
            pair.compare();
        }
    }
}

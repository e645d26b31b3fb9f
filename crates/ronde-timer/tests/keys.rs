//! A key finds its own timer while that is live, and nothing afterwards.

use ronde_timer::{TimerKey, TimerQueue};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Asserts that no function finds anything by `key`.
fn assert_stale<T: PartialEq + std::fmt::Debug>(queue: &mut TimerQueue<T>, key: TimerKey) {
    let before = (queue.len(), queue.next_deadline());
    assert_eq!(queue.get(key), None);
    assert_eq!(queue.get_mut(key), None);
    assert_eq!(queue.deadline(key), None);
    assert!(!queue.reschedule(key, Instant::now()));
    assert_eq!(queue.remove(key), None);
    assert_eq!((queue.len(), queue.next_deadline()), before);
}

#[test]
fn a_key_is_stale_after_its_timer_was_popped_removed_or_cleared() {
    let now = Instant::now();
    let mut queue = TimerQueue::new();

    let popped = queue.insert(now, "popped");
    assert_eq!(queue.pop_due(now), Some("popped"));
    assert_stale(&mut queue, popped);

    let removed = queue.insert(now, "removed");
    assert_eq!(queue.remove(removed), Some("removed"));
    assert_stale(&mut queue, removed);

    let cleared = queue.insert(now, "cleared");
    queue.clear();
    assert_stale(&mut queue, cleared);

    // Whoever lives in those slots now is no business of theirs.
    for value in ["a", "b", "c"] {
        queue.insert(now, value);
    }
    for key in [popped, removed, cleared] {
        assert_stale(&mut queue, key);
    }
    assert_eq!(queue.len(), 3);
}

#[test]
fn no_key_is_given_out_twice() {
    let now = Instant::now();
    let mut queue = TimerQueue::new();
    let mut keys = std::collections::HashSet::new();
    for round in 0..1000 {
        let key = queue.insert(now, round);
        assert!(keys.insert(key));
        match round % 3 {
            0 => assert_eq!(queue.pop_due(now), Some(round)),
            1 => assert_eq!(queue.remove(key), Some(round)),
            _ => queue.clear(),
        }
    }
}

#[test]
fn a_key_survives_rescheduling_and_what_happens_to_others() {
    let start = Instant::now();
    let later = start + Duration::from_secs(100);
    let mut queue = TimerQueue::new();
    let key = queue.insert(start, -1);
    for second in 0..50 {
        queue.insert(start + Duration::from_secs(second), 0);
    }
    assert!(queue.reschedule(key, later));
    while queue.pop_due(start + Duration::from_secs(50)).is_some() {}

    assert_eq!(queue.get(key), Some(&-1));
    assert_eq!(queue.deadline(key), Some(later));
    *queue.get_mut(key).unwrap() = 7;
    assert_eq!(queue.pop_due(later), Some(7));
    assert_stale(&mut queue, key);
}

#[test]
fn a_key_of_a_fuller_queue_finds_nothing_in_an_emptier_one() {
    let now = Instant::now();
    let mut fuller = TimerQueue::new();
    fuller.insert(now, ());
    let key = fuller.insert(now, ());
    assert_stale(&mut TimerQueue::<()>::new(), key);
}

#[test]
fn keys_are_plain_data_whatever_the_values_are() {
    fn plain<K: Copy + Eq + std::hash::Hash + Send + Sync + Unpin + 'static>(_: K) {}
    let mut queue = TimerQueue::new();
    plain(queue.insert(Instant::now(), Rc::new(())));
}

#[test]
fn a_value_is_dropped_exactly_once() {
    let now = Instant::now();
    let value = Rc::new(());
    let mut queue = TimerQueue::new();
    let keys: Vec<_> = (0..4).map(|_| queue.insert(now, Rc::clone(&value))).collect();

    drop(queue.remove(keys[2]));
    assert_eq!(Rc::strong_count(&value), 4);
    drop(queue.pop_due(now));
    assert_eq!(Rc::strong_count(&value), 3);
    queue.clear();
    assert_eq!(Rc::strong_count(&value), 1);
    queue.insert(now, Rc::clone(&value));
    drop(queue);
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn a_queue_whose_values_panicked_while_being_cleared_can_still_be_used() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "boom");
        }
    }

    let now = Instant::now();
    let mut queue = TimerQueue::new();
    for name in 0..3 {
        queue.insert(now, Bomb(name == 1));
    }
    panic::catch_unwind(AssertUnwindSafe(|| queue.clear())).unwrap_err();

    assert!(queue.is_empty());
    let key = queue.insert(now, Bomb(false));
    assert_eq!(queue.len(), 1);
    assert!(queue.remove(key).is_some());
    assert!(queue.pop_due(now).is_none());
}

#[test]
fn debug_output_shows_the_size_and_the_next_deadline_but_no_values() {
    struct Opaque;
    let mut queue = TimerQueue::default();
    assert_eq!(format!("{queue:?}"), "TimerQueue { len: 0, next_deadline: None, .. }");
    queue.insert(Instant::now(), Opaque);
    assert!(format!("{queue:?}").starts_with("TimerQueue { len: 1, next_deadline: Some("));
}

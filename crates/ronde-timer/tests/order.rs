//! Timers come out by deadline, and equal deadlines in the order they went in.

use ronde_timer::TimerQueue;
use std::iter;
use std::time::{Duration, Instant};

fn drain<T>(queue: &mut TimerQueue<T>, now: Instant) -> Vec<T> {
    iter::from_fn(|| queue.pop_due(now)).collect()
}

#[test]
fn timers_come_out_by_deadline_whatever_the_order_of_insertion() {
    let start = Instant::now();
    let mut queue = TimerQueue::new();
    for second in [5, 1, 4, 2, 3] {
        queue.insert(start + Duration::from_secs(second), second);
    }
    assert_eq!(drain(&mut queue, start + Duration::from_secs(3)), [1, 2, 3]);
    assert_eq!(queue.next_deadline(), Some(start + Duration::from_secs(4)));
    assert_eq!(drain(&mut queue, start + Duration::from_secs(9)), [4, 5]);
    assert_eq!(queue.next_deadline(), None);
}

#[test]
fn a_thousand_equal_deadlines_come_out_in_the_order_they_went_in() {
    let now = Instant::now();
    let mut queue = TimerQueue::new();
    for name in 0..1000 {
        queue.insert(now, name);
    }
    assert_eq!(drain(&mut queue, now), (0..1000).collect::<Vec<_>>());
}

#[test]
fn removing_some_of_many_equal_deadlines_keeps_the_order_of_the_others() {
    let now = Instant::now();
    let mut queue = TimerQueue::new();
    let keys: Vec<_> = (0..1000).map(|name| queue.insert(now, name)).collect();
    for name in (0..1000).step_by(3) {
        assert_eq!(queue.remove(keys[name]), Some(name));
    }
    let expected: Vec<_> = (0..1000).filter(|name| name % 3 != 0).collect();
    assert_eq!(drain(&mut queue, now), expected);
}

#[test]
fn a_reused_slot_does_not_inherit_the_place_of_its_last_tenant() {
    let now = Instant::now();
    let mut queue = TimerQueue::new();
    let first = queue.insert(now, "first");
    queue.insert(now, "second");
    queue.remove(first);
    queue.insert(now, "third");
    assert_eq!(drain(&mut queue, now), ["second", "third"]);
}

#[test]
fn a_rescheduled_timer_goes_behind_equal_deadlines() {
    let start = Instant::now();
    let later = start + Duration::from_secs(1);
    let mut queue = TimerQueue::new();
    let a = queue.insert(start, "a");
    let b = queue.insert(later, "b");
    queue.insert(later, "c");

    assert!(queue.reschedule(a, later)); // from before
    assert!(queue.reschedule(b, later)); // to the deadline it already has
    queue.insert(later, "d");

    assert_eq!(queue.deadline(a), Some(later));
    assert_eq!(drain(&mut queue, later), ["c", "a", "b", "d"]);
}

#[test]
fn a_timer_can_be_rescheduled_in_both_directions() {
    let start = Instant::now();
    let second = |number| start + Duration::from_secs(number);
    let mut queue = TimerQueue::new();
    let keys: Vec<_> = (0..100).map(|number| queue.insert(second(number), number)).collect();

    assert!(queue.reschedule(keys[99], start - Duration::from_nanos(1)));
    assert!(queue.reschedule(keys[0], second(200)));
    assert_eq!(queue.len(), 100);

    let order = drain(&mut queue, second(200));
    assert_eq!(order[..2], [99, 1]);
    assert_eq!(order[98..], [98, 0]);
}

#[test]
fn time_may_stand_still_or_go_back() {
    let start = Instant::now();
    let mut queue = TimerQueue::new();
    queue.insert(start, "a");
    queue.insert(start + Duration::from_secs(1), "b");
    assert_eq!(queue.pop_due(start), Some("a"));
    assert_eq!(queue.pop_due(start), None);
    assert_eq!(queue.pop_due(start - Duration::from_secs(1)), None);
    assert_eq!(queue.len(), 1);
}

#[test]
fn a_timer_inserted_while_the_due_ones_are_taken_comes_out_in_its_place() {
    let start = Instant::now();
    let mut queue = TimerQueue::new();
    queue.insert(start, "a");
    queue.insert(start, "b");
    assert_eq!(queue.pop_due(start), Some("a"));
    queue.insert(start, "c");
    queue.insert(start - Duration::from_secs(1), "overdue");
    assert_eq!(drain(&mut queue, start), ["overdue", "b", "c"]);
}

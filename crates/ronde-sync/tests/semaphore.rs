//! Semaphores: order, slots that are on their way, and what a cancelled waiter gives back.

mod common;

use std::rc::Rc;

use common::{Log, Polled, at_once, run, turns};
use ronde::{BoundedSemaphore, Semaphore, create_task};

/// Starts a task that acquires `slots`, logs `name`, and keeps them.
fn taker(
    semaphore: &Rc<Semaphore>,
    log: &Log,
    slots: usize,
    name: &'static str,
) -> ronde::Task<()> {
    let (semaphore, log) = (semaphore.clone(), log.clone());
    create_task(async move {
        semaphore.acquire_many(slots).await.forget();
        log.push(name);
    })
}

#[test]
fn slots_go_to_waiters_in_the_order_in_which_they_came() {
    let log = run(async {
        let (semaphore, log) = (Rc::new(Semaphore::new(1)), Log::default());
        let _tasks = ["a", "b", "c"].map(|name| taker(&semaphore, &log, 1, name));
        turns(1).await;
        assert_eq!(semaphore.statistics().waiting, 2);
        semaphore.release();
        semaphore.release();
        turns(1).await;
        log
    });
    assert_eq!(log.take(), ["a", "b", "c"]);
}

#[test]
fn a_released_slot_belongs_to_the_waiter_at_once() {
    run(async {
        let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::default());
        let _waiter = taker(&semaphore, &log, 1, "waiter");
        turns(1).await;
        semaphore.release();
        assert_eq!(semaphore.value(), 0);
        assert!(semaphore.try_acquire().is_err());
        turns(1).await;
        assert_eq!(log.take(), ["waiter"]);
    });
}

#[test]
fn while_a_woken_waiter_has_not_run_newcomers_queue_up_though_slots_are_free() {
    run(async {
        let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::default());
        let _waiter = taker(&semaphore, &log, 1, "waiter");
        turns(1).await;
        semaphore.release();
        semaphore.release();
        assert_eq!(semaphore.value(), 1);
        assert!(semaphore.locked());
        assert!(semaphore.try_acquire().is_err());
        semaphore.acquire().await.forget();
        log.push("newcomer");
        assert_eq!(log.take(), ["waiter", "newcomer"]);
    });
}

#[test]
fn a_woken_waiter_that_is_cancelled_gives_its_slot_to_the_next() {
    run(async {
        let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::default());
        let first = taker(&semaphore, &log, 1, "first");
        let second = taker(&semaphore, &log, 1, "second");
        turns(1).await;
        semaphore.release();
        first.cancel();
        second.await.unwrap();
        assert!(first.cancelled());
        assert_eq!((semaphore.value(), log.take()), (0, vec!["second".to_owned()]));
    });
}

#[test]
fn a_waiter_that_is_being_cancelled_is_passed_by() {
    run(async {
        let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::default());
        let first = taker(&semaphore, &log, 1, "first");
        let second = taker(&semaphore, &log, 1, "second");
        turns(1).await;
        first.cancel();
        semaphore.release();
        turns(1).await;
        assert!(first.cancelled() && second.done(), "in the same turn");
    });
}

#[test]
fn a_semaphore_is_locked_without_slots_or_while_anybody_waits() {
    run(async {
        let (semaphore, log) = (Rc::new(Semaphore::new(1)), Log::default());
        assert!(!semaphore.locked());
        let permit = semaphore.acquire().await;
        assert!(semaphore.locked());
        let waiter = taker(&semaphore, &log, 1, "waiter");
        turns(1).await;
        waiter.cancel();
        drop(permit);
        assert!(!semaphore.locked(), "the only waiter is being cancelled");
        assert!(semaphore.try_acquire().is_ok());
    });
}

#[test]
fn a_bounded_semaphore_that_is_released_too_often_stays_as_it_was() {
    let semaphore = BoundedSemaphore::new(1);
    let error = semaphore.release().unwrap_err();
    assert_eq!(error.to_string(), "a bounded semaphore of 1 was released too often");
    assert_eq!(semaphore.value(), 1);
    at_once(semaphore.acquire()).forget();
    semaphore.release().unwrap();
    assert!(semaphore.release().is_err());
    assert_eq!((semaphore.value(), semaphore.bound()), (1, 1));
}

#[test]
fn a_permit_whose_slot_was_given_back_by_hand_gives_back_none() {
    let semaphore = BoundedSemaphore::new(1);
    let permit = semaphore.try_acquire().unwrap();
    semaphore.release().unwrap();
    drop(permit);
    assert_eq!(semaphore.value(), 1);
}

#[test]
fn many_slots_are_taken_at_once_and_nobody_overtakes() {
    run(async {
        let (semaphore, log) = (Rc::new(Semaphore::new(3)), Log::default());
        let permit = semaphore.acquire_many(2).await;
        assert_eq!(permit.slots(), 2);
        let _big = taker(&semaphore, &log, 3, "big");
        let _small = taker(&semaphore, &log, 1, "small");
        turns(1).await;
        assert_eq!((semaphore.value(), log.take()), (1, vec![]));
        drop(permit);
        turns(1).await;
        assert_eq!((semaphore.value(), log.take()), (0, vec!["big".to_owned()]));
        semaphore.release();
        turns(1).await;
        assert_eq!(log.take(), ["small"]);
    });
}

#[test]
fn any_number_of_slots_is_given_back_at_once() {
    let semaphore = Semaphore::new(usize::MAX);
    drop(semaphore.try_acquire_many(usize::MAX).unwrap());
    assert_eq!(semaphore.value(), usize::MAX);

    let bounded = BoundedSemaphore::new(usize::MAX);
    let permit = bounded.try_acquire_many(usize::MAX - 1).unwrap();
    bounded.release().unwrap();
    drop(permit);
    assert_eq!(bounded.value(), usize::MAX);
}

#[test]
fn when_a_waiter_for_many_slots_is_cancelled_those_behind_it_go_on() {
    run(async {
        let (semaphore, log) = (Rc::new(Semaphore::new(2)), Log::default());
        let big = taker(&semaphore, &log, 3, "big");
        let tasks = ["a", "b", "c"].map(|name| taker(&semaphore, &log, 1, name));
        turns(1).await;
        big.cancel();
        turns(2).await;
        assert_eq!(log.take(), ["a", "b"]);
        assert!(!tasks[2].done());
    });
}

#[test]
fn no_slots_at_all_can_be_waited_for() {
    let semaphore = Semaphore::new(0);
    assert_eq!(at_once(semaphore.acquire_many(0)).slots(), 0);
    let one = Polled::waiting(semaphore.acquire());
    let mut none = Polled::waiting(semaphore.acquire_many(0));
    drop(one);
    assert!(none.poll().is_some());
}

#[test]
fn a_semaphore_says_how_it_is() {
    let semaphore = Semaphore::new(1);
    assert_eq!(format!("{semaphore:?}"), "<Semaphore [unlocked, value:1]>");
    let permit = at_once(semaphore.acquire());
    let _waiter = Polled::waiting(semaphore.acquire());
    assert_eq!(format!("{semaphore:?}"), "<Semaphore [locked, waiters:1]>");
    assert_eq!(format!("{permit:?}"), "SemaphorePermit { slots: 1, .. }");
    assert_eq!(
        semaphore.try_acquire().unwrap_err().to_string(),
        "to acquire the semaphore would be to wait"
    );
    let bounded = BoundedSemaphore::default();
    assert_eq!(format!("{bounded:?}"), "<BoundedSemaphore [unlocked, value:1]>");
}

#[test]
fn a_bounded_semaphore_has_all_its_slots_again_after_cancelled_waits() {
    run(async {
        let semaphore = Rc::new(BoundedSemaphore::new(2));
        let [takes_one, takes_many] = [(); 2].map(|()| semaphore.clone());
        let permit = semaphore.acquire_many(2).await;
        let one = create_task(async move { drop(takes_one.acquire().await) });
        let many = create_task(async move { drop(takes_many.acquire_many(2).await) });
        turns(1).await;
        // The slots belong to the first at once, and go back.
        drop(permit);
        one.cancel();
        many.cancel();
        turns(2).await;
        assert!(one.cancelled() && many.cancelled());
        assert_eq!((semaphore.value(), semaphore.locked()), (2, false));
    });
}

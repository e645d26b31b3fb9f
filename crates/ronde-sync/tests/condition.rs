//! Conditions: the lock is always taken again, and no notification is lost.

mod common;

use std::rc::Rc;

use common::{Log, Polled, at_once, run, turns};
use ronde::{Condition, Lock, LockGuard, catch_cancelled, create_task};

/// Starts a task that waits once and logs what becomes of it.
fn waiter(condition: &Rc<Condition>, log: &Log, name: &'static str) -> ronde::Task<()> {
    let (condition, log) = (condition.clone(), log.clone());
    create_task(async move {
        let (guard, outcome) = condition.acquire().await.wait_or_cancelled().await;
        assert!(condition.locked());
        log.push(format!("{name} {}", if outcome.is_ok() { "notified" } else { "cancelled" }));
        drop(guard);
        if let Err(error) = outcome {
            error.raise().await
        }
    })
}

#[test]
fn waiters_are_notified_in_order_and_go_on_one_after_the_other() {
    let log = run(async {
        let (condition, log) = (Rc::new(Condition::new(())), Log::default());
        let tasks = ["a", "b", "c"].map(|name| waiter(&condition, &log, name));
        turns(1).await;
        let guard = condition.acquire().await;
        guard.notify(2);
        turns(1).await;
        log.push("still locked");
        drop(guard);
        turns(3).await;
        assert!(!tasks[2].done());
        condition.acquire().await.notify_all();
        turns(1).await;
        assert!(tasks[2].done());
        log
    });
    assert_eq!(log.take(), ["still locked", "a notified", "b notified", "c notified"]);
}

#[test]
fn wait_for_asks_with_the_lock_held_until_the_value_is_right() {
    run(async {
        let condition = Rc::new(Condition::new(0));
        let waits = condition.clone();
        let waiter =
            create_task(
                async move { *waits.acquire().await.wait_for(|&number| number >= 2).await },
            );
        for _ in 0..2 {
            turns(1).await;
            assert!(!waiter.done());
            let mut guard = condition.acquire().await;
            *guard += 1;
            guard.notify_all();
        }
        assert_eq!(waiter.await.unwrap(), 2);
    });
}

#[test]
fn a_cancelled_waiter_has_the_lock_again_before_the_cancellation_goes_on() {
    let log = run(async {
        let (condition, log) = (Rc::new(Condition::new(())), Log::default());
        let task = waiter(&condition, &log, "waiter");
        turns(1).await;
        let guard = condition.acquire().await;
        task.cancel();
        turns(3).await;
        log.push("still locked");
        drop(guard);
        assert!(task.await.is_err());
        assert!(!condition.locked());
        log
    });
    assert_eq!(log.take(), ["still locked", "waiter cancelled"]);
}

#[test]
fn a_waiter_that_is_cancelled_again_while_it_takes_the_lock_takes_it_all_the_same() {
    let log = run(async {
        let (condition, log) = (Rc::new(Condition::new(())), Log::default());
        let waits = condition.clone();
        let said = log.clone();
        let task = create_task(async move {
            waits.acquire_raw().await;
            let error = catch_cancelled(waits.wait_raw()).await.unwrap_err();
            said.push(format!("{} {}", error.message().unwrap(), waits.locked()));
            waits.release().unwrap();
        });
        turns(1).await;
        let guard = condition.acquire().await;
        for message in ["first", "second", "third"] {
            task.cancel_msg(message);
            turns(1).await;
        }
        assert_eq!(task.cancelling(), 3);
        drop(guard);
        task.await.unwrap();
        log
    });
    assert_eq!(log.take(), ["third true"]);
}

#[test]
fn a_notification_that_reached_a_cancelled_waiter_is_passed_on() {
    let log = run(async {
        let (condition, log) = (Rc::new(Condition::new(())), Log::default());
        let tasks = ["first", "second"].map(|name| waiter(&condition, &log, name));
        turns(1).await;
        condition.acquire().await.notify(1);
        tasks[0].cancel();
        turns(3).await;
        assert!(tasks[1].done());
        log
    });
    assert_eq!(log.take(), ["first cancelled", "second notified"]);
}

#[test]
fn a_notified_waiter_that_is_cancelled_while_it_takes_the_lock_passes_its_notification_on() {
    let log = run(async {
        let (condition, log) = (Rc::new(Condition::new(())), Log::default());
        let tasks = ["first", "second"].map(|name| waiter(&condition, &log, name));
        turns(1).await;
        let guard = condition.acquire().await;
        guard.notify(1);
        turns(2).await;
        tasks[0].cancel();
        turns(2).await;
        drop(guard);
        turns(3).await;
        assert!(tasks[1].done());
        log
    });
    assert_eq!(log.take(), ["first cancelled", "second notified"]);
}

#[test]
fn a_waiter_that_is_cancelled_without_a_notification_passes_none_on() {
    let log = run(async {
        let (condition, log) = (Rc::new(Condition::new(())), Log::default());
        let tasks = ["first", "second"].map(|name| waiter(&condition, &log, name));
        turns(1).await;
        tasks[0].cancel();
        turns(3).await;
        assert!(!tasks[1].done());
        log
    });
    assert_eq!(log.take()[0], "first cancelled");
}

#[test]
fn a_cancelled_wait_of_every_form_passes_its_notification_on_and_leaves_the_lock_free() {
    for has_predicate in [false, true] {
        run(async move {
            let condition = Rc::new(Condition::new(false));
            let (waits, waits_too) = (condition.clone(), condition.clone());
            let first = create_task(async move {
                let guard = waits.acquire().await;
                match has_predicate {
                    true => drop(guard.wait_for(|&is_open| is_open).await),
                    false => drop(guard.wait().await),
                }
            });
            let second = create_task(async move {
                *waits_too.acquire().await.wait_for(|&is_open| is_open).await
            });
            turns(1).await;
            let mut guard = condition.acquire().await;
            *guard = true;
            guard.notify(1);
            drop(guard);
            first.cancel();
            assert!(second.await.unwrap(), "{has_predicate}");
            assert!(first.cancelled() && !condition.locked(), "{has_predicate}");
            assert_eq!(condition.statistics().waiting, 0, "{has_predicate}");
        });
    }
}

#[test]
fn a_task_that_is_cancelled_in_line_for_the_lock_leaves_it_to_the_next() {
    run(async {
        let condition = Rc::new(Condition::new(()));
        let [waits, by_hand, next] = [(); 3].map(|()| condition.clone());
        let guard = condition.acquire().await;
        let waiting = create_task(async move { drop(waits.acquire().await) });
        let woken = create_task(async move { by_hand.acquire_raw().await });
        let next = create_task(async move { drop(next.acquire().await) });
        turns(1).await;
        waiting.cancel();
        turns(1).await;
        assert!(waiting.cancelled());
        drop(guard);
        woken.cancel();
        next.await.unwrap();
        assert!(woken.cancelled() && !condition.locked());
    });
}

#[test]
fn a_waiter_that_is_dropped_passes_its_notification_on_and_leaves_the_lock_alone() {
    let condition = Condition::new(());
    let wait = || async {
        drop(condition.acquire().await.wait().await);
    };
    let (first, mut second) = (Polled::waiting(wait()), Polled::waiting(wait()));
    at_once(condition.acquire()).notify(1);
    drop(first);
    assert_eq!(second.wakes(), 1);
    assert!(!condition.locked());
    assert_eq!(second.poll(), Some(()));
}

#[test]
fn a_waiter_that_is_dropped_while_it_takes_the_lock_passes_its_notification_on() {
    let condition = Condition::new(());
    let wait = || async {
        drop(condition.acquire().await.wait().await);
    };
    let (mut first, second) = (Polled::waiting(wait()), Polled::waiting(wait()));
    let guard = at_once(condition.acquire());
    guard.notify(1);
    assert_eq!(first.poll(), None);
    drop(first);
    assert_eq!(second.wakes(), 1);
    assert!(condition.locked());
    drop(guard);
    assert!(!condition.locked());
}

#[test]
fn without_the_lock_nobody_waits_or_notifies() {
    let condition = Condition::new(());
    let error = at_once(condition.wait_raw()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "to wait for a condition, whose lock is released meanwhile: nobody holds the lock"
    );
    let error = condition.notify(1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "to notify those who wait for a condition: nobody holds the lock"
    );
    assert!(condition.notify_all().is_err());
    assert!(condition.release().is_err());
    let _guard = condition.try_acquire().unwrap();
    assert!(condition.try_acquire().is_err());
    let error = at_once(condition.wait_raw()).unwrap_err();
    assert!(error.is_held_by_guard());
    condition.notify_all().unwrap();
}

#[test]
fn conditions_that_share_a_lock_are_waited_for_with_one_guard() {
    run(async {
        let lock = Rc::new(Lock::new(0));
        let not_zero = Rc::new(Condition::with_lock(lock.clone()));
        let zero = Rc::new(Condition::with_lock(lock));
        let (waits, notifies) = (not_zero.clone(), zero.clone());
        let waiter = create_task(async move {
            let mut guard = waits.acquire().await.wait_for(|&number| number != 0).await;
            *guard = 0;
            let guard = guard.into_lock_guard();
            assert!(Rc::ptr_eq(waits.lock(), notifies.lock()));
            notifies.adopt(guard).unwrap().notify(1);
        });
        turns(1).await;
        let mut guard = zero.acquire().await;
        *guard = 1;
        not_zero.notify(1).unwrap();
        let guard = guard.wait_for(|&number| number == 0).await;
        assert_eq!(*guard, 0);
        drop(guard);
        waiter.await.unwrap();
        let other = Lock::new(5);
        let refused = zero.adopt(other.try_acquire().unwrap()).unwrap_err();
        assert_eq!(*refused, 5);
        LockGuard::forget(refused);
        assert!(other.locked());
    });
}

#[test]
fn a_condition_says_how_it_is() {
    let condition = Condition::new(7);
    let _waiter = Polled::waiting(async { drop(condition.acquire().await.wait().await) });
    assert_eq!(format!("{condition:?}"), "<Condition [unlocked, waiters:1]>");
    let statistics = condition.statistics();
    assert_eq!((statistics.waiting, statistics.lock.locked), (1, false));
    assert_eq!(format!("{:?}", at_once(condition.acquire())), "7");
    let other = Condition::<u8>::default();
    assert_eq!(format!("{other:?}"), "<Condition [unlocked]>");
}

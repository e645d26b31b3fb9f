//! Locks: order, handing on, and what becomes of a waiter that is cancelled.

mod common;

use std::rc::Rc;
use std::time::Duration;

use common::{Log, Polled, at_once, run, turns};
use ronde::low_level::SimulatedClock;
use ronde::{Lock, LockGuard, RunError, Runner, catch_cancelled, create_task, current_task, sleep};

/// Starts a task that acquires the lock, logs `name`, holds it for a turn, and releases it.
fn visitor(lock: &Rc<Lock>, log: &Log, name: &'static str) -> ronde::Task<()> {
    let (lock, log) = (lock.clone(), log.clone());
    create_task(async move {
        let _guard = lock.acquire().await;
        log.push(name);
        turns(1).await;
    })
}

#[test]
fn a_lock_goes_to_waiters_in_the_order_in_which_they_came() {
    let log = run(async {
        let (lock, log) = (Rc::new(Lock::new(())), Log::default());
        let tasks = ["a", "b", "c"].map(|name| visitor(&lock, &log, name));
        for task in tasks {
            task.await.unwrap();
        }
        assert!(!lock.locked());
        log
    });
    assert_eq!(log.take(), ["a", "b", "c"]);
}

#[test]
fn a_newcomer_does_not_overtake_a_woken_waiter() {
    let log = run(async {
        let (lock, log) = (Rc::new(Lock::new(())), Log::default());
        let guard = lock.acquire().await;
        let waiter = visitor(&lock, &log, "waiter");
        turns(1).await;
        drop(guard);
        assert!(!lock.locked(), "it is on its way");
        assert!(lock.try_acquire().is_err(), "but not to a newcomer");
        assert_eq!(lock.statistics().waiting, 1);
        let _guard = lock.acquire().await;
        log.push("newcomer");
        assert!(waiter.done());
        log
    });
    assert_eq!(log.take(), ["waiter", "newcomer"]);
}

#[test]
fn a_cancelled_waiter_leaves_the_line() {
    let log = run(async {
        let (lock, log) = (Rc::new(Lock::new(())), Log::default());
        let guard = lock.acquire().await;
        let [first, second] = ["first", "second"].map(|name| visitor(&lock, &log, name));
        turns(1).await;
        assert_eq!(lock.statistics().waiting, 2);
        first.cancel();
        turns(1).await;
        assert!(first.cancelled());
        assert_eq!(lock.statistics().waiting, 1);
        drop(guard);
        second.await.unwrap();
        log
    });
    assert_eq!(log.take(), ["second"]);
}

#[test]
fn a_woken_waiter_that_is_cancelled_passes_the_lock_on() {
    let log = run(async {
        let (lock, log) = (Rc::new(Lock::new(())), Log::default());
        let guard = lock.acquire().await;
        let [first, second] = ["first", "second"].map(|name| visitor(&lock, &log, name));
        turns(1).await;
        drop(guard);
        first.cancel();
        second.await.unwrap();
        assert!(first.cancelled());
        assert!(!lock.locked());
        log
    });
    assert_eq!(log.take(), ["second"]);
}

#[test]
fn a_lock_whose_waiters_are_all_being_cancelled_is_free_for_a_newcomer() {
    run(async {
        let (lock, log) = (Rc::new(Lock::new(())), Log::default());
        let guard = lock.acquire().await;
        let waiter = visitor(&lock, &log, "waiter");
        turns(1).await;
        waiter.cancel();
        drop(guard);
        assert_eq!(lock.statistics().waiting, 1, "the waiter hasn't run since");
        let guard = lock.try_acquire().expect("nobody else can have it");
        turns(2).await;
        assert!(waiter.cancelled() && lock.locked());
        drop(guard);
        assert_eq!(log.take(), [""; 0]);
    });
}

#[test]
fn a_waiter_behind_one_that_is_being_cancelled_is_not_forgotten() {
    let log = run(async {
        let (lock, log) = (Rc::new(Lock::new(())), Log::default());
        let guard = lock.acquire().await;
        let [first, second] = ["first", "second"].map(|name| visitor(&lock, &log, name));
        turns(1).await;
        first.cancel();
        drop(guard);
        second.await.unwrap();
        log
    });
    assert_eq!(log.take(), ["second"]);
}

#[test]
fn a_task_that_cancels_itself_is_passed_by_as_soon_as_it_waits() {
    run(async {
        let lock = Rc::new(Lock::new(()));
        let guard = lock.acquire().await;
        let waiter = create_task({
            let lock = lock.clone();
            async move {
                current_task().unwrap().cancel();
                let _guard = lock.acquire().await;
            }
        });
        turns(1).await;
        drop(guard);
        assert!(lock.try_acquire().is_ok(), "the one in line is as good as gone");
        turns(1).await;
        assert!(waiter.cancelled());
    });
}

#[test]
fn the_first_message_counts_for_a_waiter_and_the_last_for_a_woken_one() {
    run(async {
        let lock = Rc::new(Lock::new(()));
        let waiter = || {
            let lock = lock.clone();
            create_task(async move { catch_cancelled(lock.acquire_raw()).await.unwrap_err() })
        };
        lock.acquire_raw().await;
        let (waiting, woken) = (waiter(), waiter());
        turns(1).await;
        waiting.cancel_msg("first");
        waiting.cancel_msg("second");
        assert_eq!(waiting.await.unwrap().message(), Some("first"));
        lock.release().unwrap();
        woken.cancel_msg("first");
        woken.cancel_msg("second");
        assert_eq!(woken.await.unwrap().message(), Some("second"));
    });
}

#[test]
fn another_task_may_release_a_lock() {
    run(async {
        let lock = Rc::new(Lock::new(()));
        let holder = lock.clone();
        create_task(async move { holder.acquire_raw().await }).await.unwrap();
        assert!(lock.locked());
        lock.release().unwrap();
        assert!(!lock.locked());
    });
}

#[test]
fn a_lock_that_nobody_holds_cannot_be_released() {
    let lock = Lock::new(7);
    let error = lock.release().unwrap_err();
    assert_eq!(error.to_string(), "to release a lock: nobody holds the lock");
    assert!(!error.is_held_by_guard());
    assert!(!lock.locked());
    assert_eq!(*lock.try_acquire().unwrap(), 7);
}

#[test]
fn a_lock_that_a_guard_holds_is_released_by_the_guard_alone() {
    let lock = Lock::new(7);
    let guard = lock.try_acquire().unwrap();
    let error = lock.release().unwrap_err();
    assert_eq!(error.to_string(), "to release a lock: a guard holds the lock");
    assert!(error.is_held_by_guard());
    assert!(lock.locked());
    LockGuard::forget(guard);
    assert!(lock.locked());
    lock.release().unwrap();
    assert!(!lock.locked());
}

#[test]
fn a_released_lock_cannot_be_released_again_before_its_next_holder_runs() {
    let lock = Lock::new(());
    at_once(lock.acquire_raw());
    let mut waiter = Polled::waiting(lock.acquire_raw());
    lock.release().unwrap();
    assert!(lock.release().is_err());
    assert_eq!(waiter.poll(), Some(()));
    lock.release().unwrap();
}

#[test]
fn a_task_that_fails_releases_its_lock() {
    run(async {
        let lock = Rc::new(Lock::new(1));
        let holder = lock.clone();
        let failing = create_task(async move {
            let mut guard = holder.acquire().await;
            *guard = 2;
            panic!("on purpose");
        });
        assert!(failing.await.is_err());
        assert_eq!(*lock.acquire().await, 2);
    });
}

#[test]
fn a_lock_says_who_holds_it_and_how_many_wait() {
    run(async {
        let (lock, log) = (Rc::new(Lock::new(())), Log::default());
        assert_eq!(format!("{lock:?}"), "<Lock [unlocked]>");
        let holder = visitor(&lock, &log, "holder").named("holder");
        let waiter = visitor(&lock, &log, "waiter");
        turns(1).await;
        let said = "<Lock [locked, owner:<Task 'holder'>, waiters:1]>";
        assert_eq!(format!("{lock:?}"), said);
        assert!(format!("{waiter:?}").ends_with(&format!("wait_for={said}>")), "{waiter:?}");
        let statistics = lock.statistics();
        assert_eq!((statistics.locked, statistics.waiting), (true, 1));
        assert_eq!(statistics.owner.as_deref(), Some("<Task 'holder'>"));
        holder.await.unwrap();
        waiter.await.unwrap();
        assert_eq!(lock.statistics().owner, None);
    });
}

#[test]
fn the_owner_of_a_lock_may_have_ended() {
    run(async {
        let lock = Rc::new(Lock::new(()));
        let holder = lock.clone();
        create_task(async move { holder.acquire_raw().await }).await.unwrap();
        turns(1).await;
        assert_eq!(lock.statistics().owner.as_deref(), Some("a task that has ended"));
    });
}

#[test]
fn a_deadlock_names_the_lock_and_its_owner() {
    let runner = Runner::builder().clock(SimulatedClock::new()).build().unwrap();
    let error = runner
        .run(async {
            let lock = Rc::new(Lock::new(()));
            let holder = lock.clone();
            let forgetful = create_task(async move {
                holder.acquire_raw().await;
                std::future::pending::<()>().await;
            });
            let _forgetful = forgetful.named("forgetful");
            sleep(Duration::from_millis(1)).await;
            lock.acquire_raw().await;
        })
        .unwrap_err();
    assert!(matches!(error, RunError::Deadlock(_)), "{error}");
    let said = "<Lock [locked, owner:<Task 'forgetful'>, waiters:1]>";
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn a_timeout_takes_a_waiter_out_of_the_line() {
    run(async {
        let lock = Rc::new(Lock::new(()));
        let guard = lock.acquire().await;
        let limit = Duration::from_secs(1);
        assert!(ronde::timeout(limit, lock.acquire()).await.is_err());
        assert_eq!(lock.statistics().waiting, 0);
        drop(guard);
        assert!(ronde::timeout(limit, lock.acquire()).await.is_ok());
    });
}

#[test]
fn a_lock_is_made_of_and_ends_with_its_value() {
    let mut lock: Lock<_> = 1.into();
    *lock.get_mut() += 1;
    assert_eq!(format!("{:?}", lock.try_acquire().unwrap()), "2");
    assert_eq!(lock.into_inner(), 2);
}

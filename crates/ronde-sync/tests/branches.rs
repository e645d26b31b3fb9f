//! Several branches in one task, scopes, and requests that come at a bad moment.

mod common;

use std::rc::Rc;
use std::time::Duration;

use common::{Log, run, turns};
use futures_lite::future::{or, zip};
use futures_util::stream::{FuturesUnordered, StreamExt};
use ronde::{CancelScope, CancelledError, Event, Lock, Semaphore, catch_cancelled, create_task};

#[test]
fn a_marked_waiter_whose_cancellation_is_taken_by_another_branch_starts_over() {
    run(async {
        let (event, lock) = (Rc::new(Event::new()), Rc::new(Lock::new(())));
        let log = Log::default();
        lock.acquire_raw().await;
        let task = create_task({
            let (event, lock, log) = (event.clone(), lock.clone(), log.clone());
            async move {
                let catches = async {
                    let caught = catch_cancelled(event.wait()).await;
                    log.push(format!("caught {}", caught.is_err()));
                };
                // Polled once; later `FuturesUnordered` polls only the other branch.
                let waits = async {
                    turns(1).await;
                    lock.acquire_raw().await;
                    log.push("acquired");
                };
                let mut branches = FuturesUnordered::new();
                branches.push(futures_lite::future::FutureExt::boxed_local(catches));
                branches.push(futures_lite::future::FutureExt::boxed_local(waits));
                while branches.next().await.is_some() {}
            }
        });
        turns(3).await;
        assert_eq!(lock.statistics().waiting, 1);
        task.cancel();
        turns(1).await;
        lock.release().unwrap();
        turns(3).await;
        assert!(task.done());
        // Who takes it is a matter of `FuturesUnordered`; nobody waits for good.
        if task.cancelled() {
            assert_eq!(lock.statistics().waiting, 0);
        } else {
            assert!(lock.locked());
        }
        assert!(log.take().len() <= 2);
    });
}

#[test]
fn the_waiter_of_a_sibling_keeps_its_place_when_a_handler_beside_it_takes_the_cancellation() {
    run(async {
        let (event, semaphore) = (Rc::new(Event::new()), Rc::new(Semaphore::new(0)));
        let task = create_task({
            let (event, semaphore) = (event.clone(), semaphore.clone());
            async move {
                let caught = catch_cancelled(event.wait());
                let acquired = async { semaphore.acquire().await.forget() };
                zip(caught, acquired).await.0.is_err()
            }
        });
        turns(1).await;
        task.cancel();
        semaphore.release();
        assert!(task.await.unwrap(), "one branch was cancelled, the other has its slot");
        assert_eq!(semaphore.value(), 0);
    });
}

#[test]
fn a_waiter_that_loses_a_race_leaves_the_line() {
    run(async {
        let lock = Rc::new(Lock::new(()));
        let _guard = lock.acquire().await;
        let waits = lock.clone();
        let task = create_task(async move {
            or(waits.acquire_raw(), turns(1)).await;
            std::future::pending::<()>().await;
        });
        turns(3).await;
        assert_eq!(lock.statistics().waiting, 0);
        task.cancel();
        turns(1).await;
        assert!(task.cancelled());
    });
}

#[test]
fn a_scope_that_is_cancelled_marks_its_waiter_at_once() {
    run(async {
        let (lock, scope) = (Rc::new(Lock::new(())), CancelScope::new());
        let guard = lock.acquire().await;
        let task = create_task({
            let (lock, scope) = (lock.clone(), scope.clone());
            async move { scope.run(lock.acquire_raw()).await.is_err() }
        });
        turns(1).await;
        scope.cancel(&CancelledError::default());
        drop(guard);
        assert!(lock.try_acquire().is_ok(), "the one in line is as good as gone");
        assert!(task.await.unwrap());
        assert_eq!(lock.statistics().waiting, 0);
    });
}

#[test]
fn a_scope_that_its_own_body_cancels_marks_the_waiter_when_it_suspends() {
    run(async {
        let (lock, scope) = (Rc::new(Lock::new(())), CancelScope::new());
        let guard = lock.acquire().await;
        let task = create_task({
            let (lock, scope) = (lock.clone(), scope.clone());
            async move {
                let body = async {
                    scope.cancel(&CancelledError::default());
                    lock.acquire_raw().await;
                };
                scope.run(body).await.is_err()
            }
        });
        turns(1).await;
        drop(guard);
        assert!(lock.try_acquire().is_ok());
        assert!(task.await.unwrap());
    });
}

#[test]
fn what_is_released_together_with_a_time_limit_is_still_had() {
    run(async {
        let semaphore = Rc::new(Semaphore::new(0));
        let second = Duration::from_secs(1);
        let releases = semaphore.clone();
        let task = create_task(async move {
            ronde::sleep(second).await;
            releases.release();
        });
        let got = ronde::timeout(second, semaphore.acquire()).await.is_ok();
        task.await.unwrap();
        // Whichever timer was first: the slot is with the waiter, or free.
        let free = semaphore.value() == 1;
        assert!(got || free);
    });
}

#[test]
fn a_request_for_a_woken_waiter_can_be_withdrawn_and_one_for_a_waiting_one_cannot() {
    run(async {
        let lock = Rc::new(Lock::new(()));
        let waiter = || {
            let lock = lock.clone();
            create_task(async move { lock.acquire_raw().await })
        };
        lock.acquire_raw().await;
        let (woken, waiting) = (waiter(), waiter());
        turns(1).await;
        lock.release().unwrap();
        woken.cancel();
        woken.uncancel();
        waiting.cancel();
        waiting.uncancel();
        turns(2).await;
        assert!(woken.done() && !woken.cancelled());
        assert!(waiting.cancelled());
    });
}

#[test]
fn cancelling_a_task_that_waits_for_a_waiting_task_goes_to_the_inner_one() {
    run(async {
        let lock = Rc::new(Lock::new(()));
        let guard = lock.acquire().await;
        let inner_lock = lock.clone();
        let inner = create_task(async move { inner_lock.acquire_raw().await });
        let outer = create_task(async move { inner.await });
        turns(2).await;
        outer.cancel();
        drop(guard);
        assert!(lock.try_acquire().is_ok(), "the inner task's entry is marked");
        turns(3).await;
        assert!(outer.cancelled());
    });
}

//! The primitives under executors that know nothing of ronde.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::{Polled, at_once};
use futures_lite::future::{block_on, zip};
use ronde_context::executor::{arm, enter, leave};
use ronde_context::{CancelledError, Wait};
use ronde_sync::{Barrier, Condition, Event, Lock, LockGuard, PriorityQueue, Queue, Semaphore};
use tokio::task::{LocalSet, spawn_local, yield_now};

fn on_tokio<F: Future>(main: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    LocalSet::new().block_on(&runtime, main)
}

#[test]
fn a_lock_is_fair_under_tokio() {
    let order = Rc::new(RefCell::new(Vec::new()));
    let lock = Rc::new(Lock::new(()));
    on_tokio(async {
        let tasks: Vec<_> = (0..5)
            .map(|number| {
                let (lock, order) = (lock.clone(), order.clone());
                spawn_local(async move {
                    let _guard = lock.acquire().await;
                    yield_now().await;
                    order.borrow_mut().push(number);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
    assert_eq!(lock.statistics().owner, None);
}

#[test]
fn a_tokio_task_that_is_aborted_passes_the_lock_on() {
    on_tokio(async {
        let lock = Rc::new(Lock::new(0));
        let guard = lock.acquire().await;
        let waiter = || {
            let lock = lock.clone();
            spawn_local(async move { *lock.acquire().await += 1 })
        };
        let (first, second) = (waiter(), waiter());
        yield_now().await;
        drop(guard);
        first.abort();
        second.await.unwrap();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(*lock.acquire().await, 1);
    });
}

#[test]
fn a_queue_hands_on_everything_under_tokio() {
    let sum = on_tokio(async {
        let queue = Rc::new(Queue::new(3));
        let total = Rc::new(Lock::new(0_u32));
        for _ in 0..2 {
            let (queue, total) = (queue.clone(), total.clone());
            spawn_local(async move {
                while let Ok(item) = queue.get_item().await {
                    yield_now().await;
                    *total.acquire().await += *item;
                }
            });
        }
        for number in 1..=100 {
            queue.put(number).await.unwrap();
        }
        queue.join().await;
        queue.shutdown(false);
        *total.acquire().await
    });
    assert_eq!(sum, 5050);
}

#[test]
fn a_condition_under_block_on() {
    let condition = Condition::new(Vec::new());
    let consumer = async {
        let mut items = condition.acquire().await.wait_for(|items| items.len() == 3).await;
        items.drain(..).sum::<i32>()
    };
    let producer = async {
        for number in 1..=3 {
            let mut items = condition.acquire().await;
            items.push(number);
            items.notify_all();
            drop(items);
            futures_lite::future::yield_now().await;
        }
    };
    assert_eq!(block_on(zip(consumer, producer)).0, 6);
}

#[test]
fn a_barrier_and_an_event_under_block_on() {
    let (barrier, event) = (Barrier::new(2).unwrap(), Event::new());
    let first = async {
        event.wait().await;
        barrier.wait().await.unwrap().index()
    };
    let second = async {
        event.set();
        barrier.wait().await.unwrap().index()
    };
    let (first, second) = block_on(zip(first, second));
    assert_eq!(first + second, 1);
}

#[test]
fn a_waiter_that_is_dropped_in_line_leaves_it() {
    let lock = Lock::new(());
    let guard = at_once(lock.acquire());
    let first = Polled::waiting(lock.acquire());
    let mut second = Polled::waiting(lock.acquire());
    drop(first);
    drop(guard);
    assert_eq!(second.wakes(), 1);
    let _guard: Option<LockGuard<'_>> = Some(second.poll().unwrap());
    assert!(lock.locked());
}

#[test]
fn a_woken_waiter_that_is_dropped_passes_its_turn_on() {
    let semaphore = Semaphore::new(0);
    let first = Polled::waiting(semaphore.acquire());
    let mut second = Polled::waiting(semaphore.acquire());
    semaphore.release();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    drop(first);
    assert_eq!(second.wakes(), 1);
    assert!(second.poll().is_some());

    let queue = PriorityQueue::unbounded();
    let first = Polled::waiting(queue.get());
    let mut second = Polled::waiting(queue.get());
    queue.put_nowait(7).unwrap();
    drop(first);
    assert_eq!(second.poll(), Some(Ok(7)));
}

#[test]
fn a_waiter_is_woken_through_the_waker_of_its_last_poll() {
    let event = Event::new();
    let mut moved = Polled::waiting(event.wait());
    let mut again = Polled::waiting(std::future::pending::<()>());
    std::mem::swap(&mut moved, &mut again);
    assert!(again.poll().is_none());
    event.set();
    assert_eq!(again.wakes(), 1);
    assert_eq!(again.poll(), Some(()));
}

#[test]
fn a_waiter_that_was_not_woken_waits_on() {
    let event = Event::new();
    let mut waiter = Polled::waiting(event.wait());
    assert!(waiter.poll().is_none());
    assert_eq!(event.statistics().waiting, 1);
}

#[test]
fn a_future_that_is_never_polled_stands_in_no_line() {
    let lock = Lock::new(());
    let guard = at_once(lock.acquire());
    let never = lock.acquire();
    assert_eq!(lock.statistics().waiting, 0);
    drop((guard, never));
    assert!(!lock.locked());
}

/// Polls as an executor of ronde's does, and gives what the future waits for.
fn poll_in_task<T>(future: &mut Polled<'_, T>) -> (Option<T>, Option<Wait>) {
    let mut waiting = None;
    let previous = enter();
    let polled = future.poll();
    leave(previous, |wait| waiting = Some(wait));
    (polled, waiting)
}

#[test]
fn a_marked_waiter_that_is_polled_with_nothing_armed_starts_over_at_the_back() {
    let lock = Lock::new(());
    at_once(lock.acquire_raw());
    let mut marked = Polled::waiting(lock.acquire_raw());
    let mut other = Polled::waiting(lock.acquire_raw());
    let (_, waiting) = poll_in_task(&mut marked);
    let waiting = waiting.expect("it says what it waits for");
    assert_eq!(format!("{waiting:?}"), "<Lock [locked, waiters:2]>");
    assert!(waiting.cancel_entry());
    assert_eq!(marked.wakes(), 1);
    assert!(!waiting.cancel_entry(), "once");

    assert!(marked.poll().is_none());
    assert_eq!(lock.statistics().waiting, 2);
    lock.release().unwrap();
    assert_eq!((other.wakes(), marked.wakes()), (1, 1));
    assert_eq!(other.poll(), Some(()));
    lock.release().unwrap();
    assert_eq!(marked.poll(), Some(()));
    assert!(!waiting.cancel_entry(), "the entry is gone");
}

#[test]
fn a_marked_waiter_that_starts_over_passes_on_what_would_have_been_its_turn() {
    let lock = Lock::new(());
    at_once(lock.acquire_raw());
    let mut marked = Polled::waiting(lock.acquire_raw());
    let mut other = Polled::waiting(lock.acquire_raw());
    let (_, waiting) = poll_in_task(&mut marked);
    assert!(waiting.unwrap().cancel_entry());
    lock.release().unwrap();
    assert_eq!(other.wakes(), 0, "the first in line is marked");
    assert!(marked.poll().is_none());
    assert_eq!(other.wakes(), 1);
    assert_eq!(other.poll(), Some(()));
}

#[test]
fn while_a_cancellation_is_being_delivered_a_woken_waiter_takes_nothing() {
    let lock = Lock::new(());
    at_once(lock.acquire_raw());
    let mut waiter = Polled::waiting(lock.acquire_raw());
    lock.release().unwrap();
    let previous = enter();
    arm(CancelledError::default());
    assert!(waiter.poll().is_none());
    leave(previous, |_| ());
    assert!(!lock.locked());
    assert_eq!(waiter.poll(), Some(()));
}

#[test]
fn while_a_cancellation_is_being_delivered_newcomers_take_nothing_either() {
    let queue = Queue::new(1);
    queue.put_nowait(1).unwrap();
    let full = Queue::new(1);
    let barrier = Barrier::new(1).unwrap();
    let lock = Lock::new(());

    let previous = enter();
    arm(CancelledError::default());
    let mut get = Polled::waiting(queue.get());
    let mut put = Polled::waiting(full.put(2));
    let mut wait = Polled::waiting(barrier.wait());
    let mut acquire = Polled::waiting(lock.acquire_raw());
    leave(previous, |_| ());
    assert_eq!((queue.qsize(), full.qsize(), lock.locked()), (1, 0, false));

    assert_eq!(get.poll(), Some(Ok(1)));
    assert_eq!(put.poll(), Some(Ok(())));
    assert!(wait.poll().unwrap().is_ok());
    assert_eq!(acquire.poll(), Some(()));
}

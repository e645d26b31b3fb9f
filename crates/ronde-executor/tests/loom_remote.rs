//! Every interleaving of threads that send and an executor that waits for notifications only.
#![cfg(loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::Notify;
use loom::thread;
use ronde_executor::Executor;

/// An executor, what its notifications arrive at, and a count of the calls that it made.
fn waiting_executor() -> (Executor, Arc<Notify>, Arc<AtomicUsize>) {
    let notified = Arc::new(Notify::new());
    let notify = notified.clone();
    (Executor::new(move || notify.notify()), notified, Arc::default())
}

/// Waits for notifications, and for nothing else, until there were so many calls. A notification
/// that is lost is a deadlock, which loom reports.
fn run_until(executor: &Executor, notified: &Notify, calls: &AtomicUsize, wanted: usize) {
    while calls.load(Ordering::Relaxed) < wanted {
        notified.wait();
        executor.drain_remote();
        executor.run_batch();
    }
}

#[test]
fn no_call_waits_without_a_notification() {
    // With three threads, all interleavings would be too many.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let (executor, notified, calls) = waiting_executor();
        let threads = [(); 2].map(|()| {
            let (remote, calls) = (executor.remote(), calls.clone());
            thread::spawn(move || {
                let call = move || assert!(calls.fetch_add(1, Ordering::Relaxed) < 2);
                remote.call_soon_threadsafe(call).unwrap();
            })
        });
        run_until(&executor, &notified, &calls, 2);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_thread_that_sends_twice_is_heard_twice_and_in_order() {
    loom::model(|| {
        let (executor, notified, calls) = waiting_executor();
        let (remote, counter) = (executor.remote(), calls.clone());
        let thread = thread::spawn(move || {
            for number in 0..2 {
                let calls = counter.clone();
                let call = move || assert_eq!(calls.fetch_add(1, Ordering::Relaxed), number);
                remote.call_soon_threadsafe(call).unwrap();
            }
        });
        run_until(&executor, &notified, &calls, 2);
        thread.join().unwrap();
    });
}

#[test]
fn a_call_that_meets_the_end_is_refused_or_dropped_and_never_leaked() {
    loom::model(|| {
        let (executor, _, _) = waiting_executor();
        let (remote, held) = (executor.remote(), Arc::new(()));
        let sent = held.clone();
        let thread = thread::spawn(move || {
            let _ = remote.call_soon_threadsafe(move || drop(sent));
        });
        drop(executor);
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

#[test]
fn a_call_that_was_accepted_by_an_open_executor_is_never_stranded() {
    loom::model(|| {
        let (executor, _, _) = waiting_executor();
        let (remote, held) = (executor.remote(), Arc::new(()));
        let sent = held.clone();
        let sender = remote.clone();
        let thread = thread::spawn(move || {
            let accepted = sender.call_soon_threadsafe(move || drop(sent)).is_ok();
            accepted && !sender.is_closed()
        });
        drop(executor);
        let promised = thread.join().unwrap();
        // Although there is still a remote, and so the queue.
        assert!(!promised || Arc::strong_count(&held) == 1);
        drop(remote);
    });
}

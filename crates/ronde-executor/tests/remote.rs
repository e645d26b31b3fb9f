//! Other threads: closures and wake-ups that they send.

mod support;

use ronde_executor::{Executor, Remote};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};
use support::{Log, executor, run};

/// An executor, and something to park on until a notification comes.
fn notified_executor() -> (Executor, mpsc::Receiver<()>) {
    let (notify, notified) = mpsc::channel();
    let notify = move || {
        // Nobody may be listening any more.
        let _ = notify.send(());
    };
    (Executor::new(notify), notified)
}

/// A `!Send` value that must be dropped on the thread it was made on.
struct Homebound {
    home: ThreadId,
    dropped: Arc<AtomicUsize>,
    _not_send: std::rc::Rc<()>,
}

impl Homebound {
    fn new(dropped: &Arc<AtomicUsize>) -> Self {
        Self {
            home: thread::current().id(),
            dropped: dropped.clone(),
            _not_send: Default::default(),
        }
    }
}

impl Drop for Homebound {
    fn drop(&mut self) {
        // A panic here would abort on another thread, which is a failure too.
        assert_eq!(self.home, thread::current().id());
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_closure_from_another_thread_runs_on_this_one() {
    let (executor, notified) = notified_executor();
    let remote = executor.remote();
    let home = thread::current().id();
    thread::spawn(move || {
        remote.call_soon_threadsafe(move || assert_eq!(thread::current().id(), home)).unwrap();
    })
    .join()
    .unwrap();
    notified.recv().unwrap();
    assert_eq!(executor.run_batch(), 0, "it has only arrived");
    executor.drain_remote();
    assert_eq!(executor.run_batch(), 1);
}

#[test]
fn closures_run_in_the_order_in_which_they_were_sent() {
    let (executor, notified) = notified_executor();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    for number in 0..3 {
        let order = order.clone();
        let call = move || order.lock().unwrap().push(number);
        executor.remote().call_soon_threadsafe(call).unwrap();
    }
    assert_eq!(notified.try_iter().count(), 1, "one notification is enough");
    run(&executor);
    assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
}

#[test]
fn a_closure_can_be_cancelled_from_anywhere() {
    let executor = executor();
    let handle = executor.remote().call_soon_threadsafe(|| unreachable!()).unwrap();
    let cancelling = handle.clone();
    thread::spawn(move || cancelling.cancel()).join().unwrap();
    run(&executor);
    assert!(handle.cancelled());
}

#[test]
fn a_panic_in_a_closure_is_reported() {
    let (executor, log) = (executor(), Log::default());
    support::log_failures(&executor, &log);
    executor.remote().call_soon_threadsafe(|| panic!("oh")).unwrap();
    run(&executor);
    assert!(log.take()[0].starts_with("a callback failed: panicked: oh"));
}

#[test]
fn a_closure_that_sends_another_one_does_not_keep_the_drain_busy() {
    fn again(remote: &Remote, calls: Arc<AtomicUsize>) {
        let next = remote.clone();
        let call = move || {
            calls.fetch_add(1, Ordering::SeqCst);
            again(&next, calls);
        };
        remote.call_soon_threadsafe(call).unwrap();
    }
    let executor = executor();
    let calls = Arc::new(AtomicUsize::new(0));
    again(&executor.remote(), calls.clone());
    for expected in 1..=3 {
        executor.drain_remote();
        executor.run_batch();
        assert_eq!(calls.load(Ordering::SeqCst), expected);
    }
    executor.close();
}

#[test]
fn remotes_know_their_executor() {
    let (one, other) = (executor(), executor());
    assert!(one.remote().same_executor(&one.remote().clone()));
    assert!(!one.remote().same_executor(&other.remote()));
    assert_eq!(format!("{:?}", one.remote()), "Remote { closed: false, .. }");
}

#[test]
fn a_closure_that_is_sent_after_the_end_is_refused_and_dropped() {
    let executor = executor();
    let remote = executor.remote();
    let held = Arc::new(());
    let (accepted, refused) = (held.clone(), held.clone());
    remote.call_soon_threadsafe(move || drop(accepted)).unwrap();
    drop(executor);
    let error = remote.call_soon_threadsafe(move || drop(refused)).unwrap_err();
    assert_eq!(error.to_string(), "the event loop is closed");
    assert_eq!(Arc::strong_count(&held), 1);
}

/// A task that counts its polls and gives its waker out.
fn counting_task(executor: &Executor) -> (Waker, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (polls, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (wakers, waker) = mpsc::channel();
    let (counter, homebound) = (polls.clone(), Homebound::new(&dropped));
    executor
        .spawn(async move {
            let _homebound = homebound;
            poll_fn(|cx| {
                if counter.fetch_add(1, Ordering::SeqCst) == 0 {
                    wakers.send(cx.waker().clone()).unwrap();
                }
                Poll::<()>::Pending
            })
            .await;
        })
        .detach();
    executor.run_batch();
    (waker.recv().unwrap(), polls, dropped)
}

#[test]
fn a_waker_may_be_used_on_any_thread() {
    let (executor, notified) = notified_executor();
    let (waker, polls, _) = counting_task(&executor);
    let thread = thread::spawn(move || {
        waker.wake_by_ref();
        waker.wake();
    });
    thread.join().unwrap();
    notified.recv().unwrap();
    run(&executor);
    assert_eq!(polls.load(Ordering::SeqCst), 2, "two wake-ups of a ready task are one");
}

#[test]
fn the_future_is_dropped_at_home_whoever_has_the_last_waker() {
    for woken in [false, true] {
        let executor = executor();
        let (waker, _, dropped) = counting_task(&executor);
        let barrier = Arc::new(Barrier::new(2));
        let meeting = barrier.clone();
        let thread = thread::spawn(move || {
            if woken {
                waker.wake_by_ref();
            }
            meeting.wait();
            meeting.wait();
            waker.wake_by_ref();
            drop(waker);
        });
        barrier.wait();
        drop(executor);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        barrier.wait();
        thread.join().unwrap();
    }
}

#[test]
fn a_step_that_is_stranded_in_a_forgotten_executor_never_leaves_it() {
    let executor = executor();
    let (waker, _, dropped) = counting_task(&executor);
    let remote = executor.remote();
    thread::spawn(move || waker.wake()).join().unwrap();
    support::forget(executor);
    thread::spawn(move || drop(remote)).join().unwrap();
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
}

/// How long each stress test goes on.
const STRESS: Duration = Duration::from_millis(400);

#[test]
fn no_wake_up_is_lost_while_threads_wake_and_send() {
    const THREADS: usize = 3;
    let (executor, notified) = notified_executor();
    let (waker, polls, _) = counting_task(&executor);
    let (stop, sent, called) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (waker, remote) = (waker.clone(), executor.remote());
            let (stop, sent, called) = (stop.clone(), sent.clone(), called.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let called = called.clone();
                    let call = move || called.fetch_add(1, Ordering::Relaxed);
                    remote.call_soon_threadsafe(move || assert!(call() < usize::MAX)).unwrap();
                    sent.fetch_add(1, Ordering::Relaxed);
                    waker.wake_by_ref();
                    // Let the executor run dry, so that the next one must notify it.
                    thread::yield_now();
                }
            })
        })
        .collect();

    let deadline = Instant::now() + STRESS;
    while Instant::now() < deadline {
        // As a loop does: wait for a notification, and for nothing else.
        notified.recv_timeout(Duration::from_secs(20)).expect("a notification was lost");
        executor.drain_remote();
        executor.run_batch();
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    run(&executor);
    assert_eq!(called.load(Ordering::Relaxed), sent.load(Ordering::Relaxed));
    let before = polls.load(Ordering::Relaxed);
    assert!(before > 1);
    waker.wake();
    run(&executor);
    assert_eq!(polls.load(Ordering::Relaxed), before + 1);
}

#[test]
fn closing_while_threads_wake_drops_every_future_at_home() {
    let deadline = Instant::now() + STRESS;
    while Instant::now() < deadline {
        let executor = executor();
        let tasks: Vec<_> = (0..8).map(|_| counting_task(&executor)).collect();
        let start = Arc::new(Barrier::new(3));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let wakers: Vec<_> = tasks.iter().map(|(waker, ..)| waker.clone()).collect();
                let (start, remote) = (start.clone(), executor.remote());
                thread::spawn(move || {
                    start.wait();
                    for waker in wakers {
                        waker.wake_by_ref();
                        let _ = remote.call_soon_threadsafe(|| {});
                        drop(waker);
                    }
                })
            })
            .collect();
        let counts: Vec<_> = tasks.into_iter().map(|(_, _, dropped)| dropped).collect();
        start.wait();
        drop(executor);
        assert!(counts.iter().all(|dropped| dropped.load(Ordering::SeqCst) == 1));
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

//! A notification ends a wait: from any thread, early, late, often, and when nobody waits.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ronde_reactor::{Reactor, default_poller};
use support::{FOREVER, reactor, wait};

fn wait_at_most(reactor: &Reactor, timeout: Duration) -> Duration {
    let start = Instant::now();
    reactor.wait(Some(timeout), &mut |_| panic!("nobody listens")).unwrap();
    start.elapsed()
}

#[test]
fn a_notification_from_another_thread_ends_the_wait() {
    let reactor = reactor();
    let notifier = reactor.notifier();
    let notifying = thread::spawn(move || {
        // slow: 5 ms, so that the other thread is waiting by now; it must hold if it is not, too.
        thread::sleep(Duration::from_millis(5));
        notifier.notify();
    });
    assert!(wait_at_most(&reactor, FOREVER) < FOREVER);
    notifying.join().unwrap();
}

#[test]
fn a_notification_before_the_wait_ends_it_at_once_and_only_once() {
    let reactor = reactor();
    let notifier = reactor.notifier();
    notifier.notify();
    notifier.notify();
    assert!(wait_at_most(&reactor, FOREVER) < FOREVER);
    // Both were one notification, and it is used up.
    let short = Duration::from_millis(3);
    assert!(wait_at_most(&reactor, short) >= short);
    // The next one counts again.
    notifier.notify();
    assert!(wait_at_most(&reactor, FOREVER) < FOREVER);
}

#[test]
fn a_wait_that_only_looks_consumes_a_notification_too() {
    let reactor = reactor();
    reactor.notifier().notify();
    wait_at_most(&reactor, Duration::ZERO);
    let short = Duration::from_millis(3);
    assert!(wait_at_most(&reactor, short) >= short);
}

#[test]
fn notifying_a_reactor_that_is_gone_does_nothing() {
    let reactor = Reactor::new(default_poller().unwrap());
    let (before, after) = (reactor.notifier(), reactor.notifier());
    before.notify();
    drop(reactor);
    before.notify();
    thread::spawn(move || after.notify()).join().unwrap();
}

#[test]
fn nothing_announced_by_a_notification_is_ever_overlooked() {
    const ROUNDS: u64 = 20_000;
    let reactor = reactor();
    let announced = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (notifier, announced) = (reactor.notifier(), Arc::clone(&announced));
            thread::spawn(move || {
                for _ in 0..ROUNDS {
                    // Relaxed: the notification alone must make it visible.
                    announced.fetch_add(1, Ordering::Relaxed);
                    notifier.notify();
                }
            })
        })
        .collect();
    // A notification that was lost leaves this waiting, and `wait` would then time out.
    while announced.load(Ordering::Relaxed) < 2 * ROUNDS {
        let start = Instant::now();
        wait(&reactor);
        assert!(start.elapsed() < FOREVER);
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

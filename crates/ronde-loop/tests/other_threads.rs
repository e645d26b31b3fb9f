//! What other threads may do to a loop: send it callbacks, cancel them, and wake its tasks.

mod common;

use common::simulated;
use ronde_loop::{EventLoop, get_running_loop};
use std::future::poll_fn;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;

type Lines = Arc<Mutex<Vec<String>>>;

fn push(lines: &Lines, line: impl ToString) {
    lines.lock().unwrap().push(line.to_string());
}

fn take(lines: &Lines) -> Vec<String> {
    std::mem::take(&mut *lines.lock().unwrap())
}

fn stop() {
    get_running_loop().unwrap().stop();
}

#[test]
fn what_is_sent_before_the_run_is_called_in_it_in_order_on_the_loops_thread() {
    let lines = Lines::default();
    let event_loop = EventLoop::new().unwrap();
    let remote = event_loop.remote();
    let sent = lines.clone();
    let home = thread::current().id();
    let sender = thread::spawn(move || {
        for n in 0..3 {
            let lines = sent.clone();
            let callback = move || {
                assert_eq!(thread::current().id(), home);
                push(&lines, n);
            };
            remote.call_soon_threadsafe(callback).unwrap();
        }
        remote.call_soon_threadsafe(stop).unwrap();
    });
    sender.join().unwrap();
    assert!(take(&lines).is_empty());
    event_loop.run_forever().unwrap();
    assert_eq!(take(&lines), ["0", "1", "2"]);
}

#[test]
fn a_loop_that_sleeps_in_the_poller_is_woken() {
    let event_loop = EventLoop::new().unwrap();
    let remote = event_loop.remote();
    // The loop has no timer and nothing ready: only the other thread can end this.
    event_loop.call_soon(move || {
        thread::spawn(move || remote.call_soon_threadsafe(stop).unwrap());
    });
    event_loop.run_forever().unwrap();
}

#[test]
fn the_loops_own_thread_may_use_it_too() {
    let lines = Lines::default();
    let event_loop = simulated();
    let sent = lines.clone();
    event_loop.call_soon_threadsafe(move || push(&sent, "called")).unwrap();
    event_loop
        .run_until_complete({
            let lines = lines.clone();
            async move {
                let event_loop = get_running_loop().unwrap();
                let sent = lines.clone();
                event_loop.call_soon_threadsafe(move || push(&sent, "from a task")).unwrap();
                ronde_loop::yield_now().await;
                ronde_loop::yield_now().await;
                push(&lines, "main");
            }
        })
        .unwrap();
    assert_eq!(take(&lines), ["called", "from a task", "main"]);
}

#[test]
fn a_closed_loop_refuses() {
    let event_loop = EventLoop::new().unwrap();
    let remote = event_loop.remote();
    assert!(!remote.is_closed());
    drop(event_loop);
    let refused = thread::spawn(move || {
        assert!(remote.is_closed());
        remote.call_soon_threadsafe(|| unreachable!()).unwrap_err()
    });
    assert_eq!(refused.join().unwrap().to_string(), "the event loop is closed");
}

#[test]
fn a_callback_can_be_cancelled_from_another_thread() {
    let lines = Lines::default();
    let event_loop = simulated();
    let sent = lines.clone();
    let handle = event_loop.call_soon_threadsafe(move || push(&sent, "never")).unwrap();
    assert!(!handle.cancelled());
    let handle = thread::spawn(move || {
        handle.cancel();
        handle
    });
    let handle = handle.join().unwrap();
    assert!(handle.cancelled());
    event_loop.call_soon_threadsafe(stop).unwrap();
    event_loop.run_forever().unwrap();
    assert!(take(&lines).is_empty());
}

#[test]
fn many_threads_lose_nothing_and_each_keeps_its_order() {
    const THREADS: usize = 4;
    const CALLS: usize = 500;
    let event_loop = EventLoop::new().unwrap();
    let seen = Arc::new(Mutex::new(vec![Vec::new(); THREADS]));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (remote, seen) = (event_loop.remote(), seen.clone());
            thread::spawn(move || {
                for call in 0..CALLS {
                    let seen = seen.clone();
                    let callback = move || {
                        let mut seen = seen.lock().unwrap();
                        seen[thread].push(call);
                        if seen.iter().map(Vec::len).sum::<usize>() == THREADS * CALLS {
                            stop();
                        }
                    };
                    remote.call_soon_threadsafe(callback).unwrap();
                }
            })
        })
        .collect();
    event_loop.run_forever().unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), vec![(0..CALLS).collect::<Vec<_>>(); THREADS]);
}

#[test]
fn what_is_left_at_the_close_is_dropped_uncalled() {
    struct NotesDrop(mpsc::Sender<thread::ThreadId>);
    impl Drop for NotesDrop {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }
    let event_loop = EventLoop::new().unwrap();
    let (sender, receiver) = mpsc::channel();
    let (remote, held) = (event_loop.remote(), NotesDrop(sender));
    let callback = move || {
        let _held = held;
        unreachable!()
    };
    thread::spawn(move || remote.call_soon_threadsafe(callback).unwrap()).join().unwrap();
    event_loop.close().unwrap();
    assert_eq!(receiver.try_recv(), Ok(thread::current().id()));
}

#[test]
fn a_callback_that_panics_is_reported_like_any_other() {
    let lines = Lines::default();
    let event_loop = simulated();
    let reports = lines.clone();
    let handler = move |context: &_| push(&reports, context);
    event_loop.set_exception_handler(Some(std::rc::Rc::new(handler)));
    let remote = event_loop.remote();
    thread::spawn(move || {
        remote.call_soon_threadsafe(|| panic!("from afar")).unwrap();
        remote.call_soon_threadsafe(stop).unwrap();
    })
    .join()
    .unwrap();
    event_loop.run_forever().unwrap();
    let reports = take(&lines);
    assert_eq!(reports.len(), 1);
    assert!(reports[0].starts_with("a callback failed: panicked: from afar"), "{reports:?}");
}

#[test]
fn a_waker_wakes_its_task_from_another_thread() {
    let event_loop = EventLoop::new().unwrap();
    let woken = event_loop.run_until_complete(async {
        let mut woken = false;
        poll_fn(move |cx| {
            if std::mem::replace(&mut woken, true) {
                return Poll::Ready(thread::current().id());
            }
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        })
        .await
    });
    assert_eq!(woken.unwrap(), thread::current().id());
}

#[test]
fn a_waker_may_be_used_and_dropped_after_its_loop_is_gone() {
    let (sender, receiver) = mpsc::channel::<Waker>();
    let event_loop = EventLoop::new().unwrap();
    let task = event_loop.create_task(poll_fn(move |cx| {
        for _ in 0..3 {
            sender.send(cx.waker().clone()).unwrap();
        }
        Poll::<()>::Pending
    }));
    common::turn(&event_loop);
    drop(event_loop);
    assert!(task.cancelled());
    let mut wakers = receiver.iter();
    let (here, there, dropped) =
        (wakers.next().unwrap(), wakers.next().unwrap(), wakers.next().unwrap());
    here.wake_by_ref();
    here.wake();
    thread::spawn(move || there.wake()).join().unwrap();
    thread::spawn(move || drop(dropped)).join().unwrap();
}

//! A loop that somebody else drives, turn by turn.

mod common;

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use ronde_loop::{Direction, EventLoop, RunError, SimulatedClock, get_running_loop, sleep};

const NO_WAIT: Option<Duration> = Some(Duration::ZERO);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_turn_runs_what_is_ready_and_returns() {
    let event_loop = EventLoop::new().unwrap();
    let log = Rc::new(RefCell::new(Vec::new()));
    let outer = log.clone();
    event_loop.call_soon(move || {
        outer.borrow_mut().push("outer");
        let inner = outer.clone();
        get_running_loop().unwrap().call_soon(move || inner.borrow_mut().push("inner"));
    });
    assert!(event_loop.run_once(NO_WAIT).unwrap());
    assert_eq!(*log.borrow(), ["outer"]);
    // Between the turns the thread has no loop that runs.
    assert!(get_running_loop().is_err() && !event_loop.is_running());
    assert!(event_loop.run_once(NO_WAIT).unwrap());
    assert_eq!(*log.borrow(), ["outer", "inner"]);
    assert!(event_loop.run_once(NO_WAIT).unwrap());
}

#[test]
fn the_next_wait_is_none_until_something_is_scheduled() {
    let clock = SimulatedClock::new();
    let event_loop = EventLoop::builder().clock(clock).build().unwrap();
    assert_eq!(event_loop.next_wait(), None);
    let timer = event_loop.call_later(LONG, || {});
    assert_eq!(event_loop.next_wait(), Some(LONG));
    event_loop.call_soon(|| {});
    assert_eq!(event_loop.next_wait(), NO_WAIT);
    event_loop.run_once(NO_WAIT).unwrap();
    assert_eq!(event_loop.next_wait(), Some(LONG));
    timer.cancel();
    assert_eq!(event_loop.next_wait(), None);
    event_loop.stop();
    assert_eq!(event_loop.next_wait(), NO_WAIT);
}

#[test]
fn stop_is_said_once() {
    let event_loop = EventLoop::new().unwrap();
    event_loop.stop();
    assert!(!event_loop.run_once(None).unwrap());
    assert!(event_loop.run_once(NO_WAIT).unwrap());
}

#[test]
fn a_turn_waits_no_longer_than_it_may() {
    let event_loop = EventLoop::new().unwrap();
    let called = Rc::new(Cell::new(false));
    let call = called.clone();
    event_loop.call_later(LONG, move || call.set(true));
    event_loop.run_once(Some(Duration::from_millis(1))).unwrap();
    assert!(!called.get());
}

#[test]
fn with_a_simulated_clock_a_turn_moves_time() {
    let clock = SimulatedClock::new();
    let event_loop = EventLoop::builder().clock(clock.clone()).build().unwrap();
    let task = event_loop.create_task(sleep(LONG));
    while !task.done() {
        event_loop.run_once(NO_WAIT).unwrap();
    }
    assert_eq!(clock.elapsed(), LONG);
    assert!(matches!(event_loop.run_once(NO_WAIT), Err(RunError::Deadlock(_))));
}

#[test]
fn misuse_is_an_error() {
    let event_loop = EventLoop::new().unwrap();
    let other = EventLoop::new().unwrap();
    let inside = event_loop.run_until_complete(async move { other.run_once(NO_WAIT) });
    assert!(matches!(inside.unwrap(), Err(RunError::AlreadyRunning)));
    event_loop.close().unwrap();
    assert!(matches!(event_loop.run_once(NO_WAIT), Err(RunError::Closed)));
}

#[test]
fn a_loop_is_a_guest_in_another_ones_loop() {
    // The host is a loop, too: it waits on the descriptor that its guest waits on.
    let host = EventLoop::new().unwrap();
    let guest = EventLoop::new().unwrap();
    let Some(waits_on) = guest.waits_on() else { return };
    let waits_on = host.register_shared(waits_on.try_clone_to_owned().unwrap()).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let source = guest.register(server).unwrap();
    let reading = guest.create_task(async move {
        source.ready(Direction::Read).await.unwrap();
        "read"
    });
    guest.run_once(NO_WAIT).unwrap();
    assert_eq!(guest.next_wait(), None);

    // The host waits for its guest as for any descriptor, and then has it make its turns.
    host.run_until_complete(async move {
        client.write_all(b"x").unwrap();
        waits_on.ready(Direction::Read).await.unwrap();
    })
    .unwrap();
    while !reading.done() {
        guest.run_once(NO_WAIT).unwrap();
    }
    assert_eq!(reading.take_result().unwrap(), "read");
}

#[test]
fn a_call_from_another_thread_can_be_waited_for() {
    let guest = EventLoop::new().unwrap();
    let called = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let remote = guest.remote();
    let call = called.clone();
    std::thread::spawn(move || {
        remote
            .call_soon_threadsafe(move || call.store(true, std::sync::atomic::Ordering::SeqCst))
            .unwrap();
    });
    // It is woken by the notification, or sees the call at once.
    while !called.load(std::sync::atomic::Ordering::SeqCst) {
        guest.run_once(None).unwrap();
    }
}

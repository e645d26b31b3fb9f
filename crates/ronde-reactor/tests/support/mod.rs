//! What the tests share: a reactor, the smallest loop around it, and wakers that count.
#![allow(dead_code, unreachable_pub)] // Each test file uses some of it.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ronde_reactor::{BorrowedSource, Direction, Reactor, Source, default_poller};

/// Far longer than any test waits. One that waits this long has lost an event.
pub const FOREVER: Duration = Duration::from_secs(20);

pub fn reactor() -> Rc<Reactor> {
    Rc::new(Reactor::new(default_poller().unwrap()))
}

/// Waits for something to happen, and tells everybody.
pub fn wait(reactor: &Reactor) -> usize {
    reactor.wait(Some(FOREVER), &mut |listener| listener.call()).unwrap()
}

/// Handles what has happened already.
pub fn look(reactor: &Reactor) -> usize {
    reactor.wait(Some(Duration::ZERO), &mut |listener| listener.call()).unwrap()
}

/// Waits until somebody was told something.
pub fn wait_until_told(reactor: &Reactor) -> usize {
    loop {
        let start = std::time::Instant::now();
        match wait(reactor) {
            0 => assert!(start.elapsed() < FOREVER, "nobody was told anything"),
            told => return told,
        }
    }
}

/// Runs a future. It is polled only after its waker was woken.
pub fn block_on<F: Future>(reactor: &Reactor, future: F) -> F::Output {
    let mut future = pin!(future);
    let (waker, wakes) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        let before = wakes.count();
        while wakes.count() == before {
            wait_until_told(reactor);
        }
    }
}

/// Counts how often its waker was woken.
#[derive(Debug, Default)]
pub struct Wakes(AtomicUsize);

impl Wakes {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub fn counting_waker() -> (Waker, Arc<Wakes>) {
    let wakes = Arc::new(Wakes::default());
    (Waker::from(Arc::clone(&wakes)), wakes)
}

/// Sets a callback that counts its calls.
pub fn count_calls(source: &Source, direction: Direction) -> Rc<Cell<usize>> {
    let calls = Rc::new(Cell::new(0));
    let counter = Rc::clone(&calls);
    source.set_callback(direction, Some(Rc::new(move || counter.set(counter.get() + 1)))).unwrap();
    calls
}

pub fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    (ours, theirs)
}

/// Reads from any descriptor.
#[cfg(unix)]
pub fn read(source: BorrowedSource<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(source, buffer)?)
}

/// Writes to any descriptor.
#[cfg(unix)]
pub fn write(source: BorrowedSource<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::write(source, bytes)?)
}

/// Reads once, waiting for it, and treats a short read as a stream does.
#[cfg(unix)]
pub async fn read_some(source: &Source, buffer: &mut [u8]) -> io::Result<usize> {
    let received = source.io(Direction::Read, |socket| read(socket, buffer)).await?;
    if received < buffer.len() {
        source.clear_ready(Direction::Read);
    }
    Ok(received)
}

/// Writes everything, and treats a short write as a stream does.
#[cfg(unix)]
pub async fn write_all(source: &Source, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = source.io(Direction::Write, |socket| write(socket, bytes)).await?;
        bytes = &bytes[sent..];
        if !bytes.is_empty() {
            source.clear_ready(Direction::Write);
        }
    }
    Ok(())
}

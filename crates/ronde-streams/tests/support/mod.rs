//! What the tests have in common.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::cell::RefCell;
use std::future::Future;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use ronde_loop::{EventLoop, Task, get_running_loop, timeout, yield_now};
use ronde_streams::{OpenConnection, Server, StreamReader, StreamWriter, from_socket};

/// Runs a test on a loop of its own. A hang is a failure.
pub(crate) fn run<F>(test: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    run_on(&EventLoop::new().unwrap(), test)
}

pub(crate) fn run_on<F>(event_loop: &EventLoop, test: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    let limited = async { timeout(Duration::from_secs(60), test).await.expect("the test hangs") };
    event_loop.run_until_complete(limited).unwrap()
}

pub(crate) fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    get_running_loop().unwrap().create_task(future)
}

pub(crate) type Halves = (StreamReader, StreamWriter);

/// Two ends of a TCP connection.
pub(crate) async fn pair() -> (Halves, Halves) {
    let (ours, theirs) = std_pair();
    (from_socket(ours).await.unwrap(), from_socket(theirs).await.unwrap())
}

/// One end of a TCP connection, and the socket of the other.
pub(crate) async fn half_pair() -> (Halves, std::net::TcpStream) {
    let (ours, theirs) = std_pair();
    (from_socket(ours).await.unwrap(), theirs)
}

fn std_pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ours.set_nodelay(true).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    theirs.set_nodelay(true).unwrap();
    (ours, theirs)
}

/// A socket whose port nobody listens on, for as long as it lives.
pub(crate) fn refusing() -> (socket2::Socket, u16) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

pub(crate) fn connect(server: &Server) -> OpenConnection {
    ronde_streams::open_connection("127.0.0.1", server.local_addrs()[0].port())
}

/// Gives everything else the chance to run as far as it can.
pub(crate) async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

/// Polls once and drops what is pending.
pub(crate) async fn poll_and_drop<F: Future>(future: F) -> bool {
    let mut future = Box::pin(future);
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx))).await;
    polled.is_pending()
}

/// What went to the loop's exception handler.
#[derive(Clone, Default)]
pub(crate) struct Reports(Rc<RefCell<Vec<String>>>);

impl Reports {
    pub(crate) fn collect() -> Self {
        let reports = Self::default();
        let sink = reports.clone();
        get_running_loop().unwrap().set_exception_handler(Some(Rc::new(move |context| {
            sink.0.borrow_mut().push(context.to_string());
        })));
        reports
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

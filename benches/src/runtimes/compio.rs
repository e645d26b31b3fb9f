//! compio, with the driver that it chooses.
//!
//! It has neither queues nor locks of its own, so it has smol's here.

use std::time::Duration;

use compio::buf::BufResult;
use compio::io::{AsyncRead as _, AsyncWriteExt as _};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::JoinHandle;

pub(crate) use compio::runtime::JoinHandle as Task;
pub(crate) use compio::time::sleep;
pub(crate) use futures_lite::future::yield_now;
pub(crate) use std::rc::Rc as Shared;

use super::Runtime;
use crate::serve::{BUFFER, Service, listener};

#[path = "../text/cancel.rs"]
mod cancel;
#[path = "../text/memory.rs"]
mod memory;
#[path = "../text/start.rs"]
mod start;
#[path = "../text/sync.rs"]
mod sync;
#[path = "../text/tasks.rs"]
mod tasks;
#[path = "../text/threads.rs"]
mod threads;
#[path = "../text/timers.rs"]
mod timers;

pub(crate) const RUNTIME: Runtime = Runtime {
    name: "compio",
    prepare: || match compio::runtime::Runtime::new() {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    },
    scenarios: &[
        tasks::SCENARIOS,
        sync::SCENARIOS,
        timers::SCENARIOS,
        cancel::SCENARIOS,
        memory::SCENARIOS,
        threads::SCENARIOS,
        start::SCENARIOS,
    ],
    services: &[Service::Echo],
    serve: |_| run(serve()),
};

fn run<F: Future + 'static>(main: F) -> F::Output
where
    F::Output: 'static,
{
    let runtime = compio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { join(spawn(main)).await })
}

fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>
where
    F::Output: 'static,
{
    compio::runtime::spawn(future)
}

async fn join<T>(task: JoinHandle<T>) -> T {
    let Ok(value) = task.await else { panic!("the task panicked") };
    value
}

async fn cancel_and_join<T>(task: JoinHandle<T>) {
    assert!(task.cancel().await.is_none());
}

async fn timeout(limit: Duration, body: impl Future<Output = ()>) -> bool {
    compio::time::timeout(limit, body).await.is_ok()
}

async fn gather<F: Future<Output = ()> + 'static>(children: impl Iterator<Item = F>) {
    let tasks: Vec<_> = children.map(spawn).collect();
    for task in tasks {
        join(task).await;
    }
}

async fn blocking<T: Send + 'static>(function: impl FnOnce() -> T + Send + 'static) -> T {
    let Ok(value) = compio::runtime::spawn_blocking(function).await else {
        panic!("the function panicked")
    };
    value
}

/// A bounded channel: smol's.
struct Queue<T> {
    sender: async_channel::Sender<T>,
    receiver: async_channel::Receiver<T>,
}

impl<T> Queue<T> {
    fn new(room: usize) -> Self {
        let (sender, receiver) = async_channel::bounded(room);
        Self { sender, receiver }
    }

    async fn put(&self, item: T) {
        assert!(self.sender.send(item).await.is_ok());
    }

    async fn get(&self) -> T {
        self.receiver.recv().await.unwrap()
    }
}

struct Lock(async_lock::Mutex<()>);

impl Lock {
    fn new(value: ()) -> Self {
        Self(async_lock::Mutex::new(value))
    }

    async fn hold_over(&self, body: impl Future<Output = ()>) {
        let _guard = self.0.lock().await;
        body.await;
    }
}

async fn serve() {
    let listener = TcpListener::from_std(listener()).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        compio::runtime::spawn(echo(stream)).detach();
    }
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        let BufResult(count, read) = stream.read(buffer).await;
        if !count.is_ok_and(|count| count > 0) {
            return;
        }
        let BufResult(written, back) = stream.write_all(read).await;
        if written.is_err() {
            return;
        }
        buffer = back;
        buffer.clear();
    }
}

//! monoio, with either of its drivers.
//!
//! It has neither queues nor locks of its own, so it has smol's here. Its tasks can't be cancelled.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use monoio::blocking::DefaultThreadPool;
use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _};
use monoio::net::{TcpListener, TcpStream};
use monoio::task::JoinHandle;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

pub(crate) use futures_lite::future::yield_now;
pub(crate) use monoio::task::JoinHandle as Task;
pub(crate) use monoio::time::sleep;
pub(crate) use std::rc::Rc as Shared;

use super::Runtime;
use crate::scenario::Scenario;
use crate::serve::{BUFFER, Service, listener};

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

const SCENARIOS: &[&[Scenario]] = &[
    tasks::SCENARIOS,
    sync::SCENARIOS,
    timers::SCENARIOS,
    memory::SCENARIOS,
    threads::SCENARIOS,
    start::SCENARIOS,
];

pub(crate) const EPOLL: Runtime = Runtime {
    name: "monoio-epoll",
    prepare: || Ok(()),
    scenarios: SCENARIOS,
    services: &[Service::Echo],
    serve: |_| run(serve()),
};

pub(crate) const IO_URING: Runtime = Runtime {
    name: "monoio-uring",
    prepare: || {
        if !monoio::utils::detect_uring() {
            return Err("the kernel gives no io_uring".to_owned());
        }
        URING.store(true, Ordering::Relaxed);
        Ok(())
    },
    ..EPOLL
};

static URING: AtomicBool = AtomicBool::new(false);

fn run<F: Future + 'static>(main: F) -> F::Output
where
    F::Output: 'static,
{
    let main = async { monoio::spawn(main).await };
    let threads = Box::new(DefaultThreadPool::new(8));
    if URING.load(Ordering::Relaxed) {
        let builder = RuntimeBuilder::<IoUringDriver>::new().enable_timer();
        builder.attach_thread_pool(threads).build().unwrap().block_on(main)
    } else {
        let builder = RuntimeBuilder::<LegacyDriver>::new().enable_timer();
        builder.attach_thread_pool(threads).build().unwrap().block_on(main)
    }
}

fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>
where
    F::Output: 'static,
{
    monoio::spawn(future)
}

async fn join<T>(task: JoinHandle<T>) -> T {
    task.await
}

async fn timeout(limit: Duration, body: impl Future<Output = ()>) -> bool {
    monoio::time::timeout(limit, body).await.is_ok()
}

async fn gather<F: Future<Output = ()> + 'static>(children: impl Iterator<Item = F>) {
    let tasks: Vec<_> = children.map(spawn).collect();
    for task in tasks {
        join(task).await;
    }
}

async fn blocking<T: Send + 'static>(function: impl FnOnce() -> T + Send + 'static) -> T {
    monoio::spawn_blocking(function).await.unwrap()
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
        stream.set_nodelay(true).unwrap();
        monoio::spawn(echo(stream));
    }
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        let (count, read) = stream.read(buffer).await;
        if !count.is_ok_and(|count| count > 0) {
            return;
        }
        let (written, back) = stream.write_all(read).await;
        if written.is_err() {
            return;
        }
        buffer = back;
    }
}

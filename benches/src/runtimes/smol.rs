//! smol, with a `LocalExecutor`.

use std::cell::RefCell;
use std::io;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use smol::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use smol::{Async, LocalExecutor};

pub(crate) use futures_lite::future::yield_now;
pub(crate) use smol::Task;
pub(crate) use std::rc::Rc as Shared;

use super::Runtime;
use crate::serve::{BUFFER, Service, listener, tls};

#[path = "../text/cancel.rs"]
mod cancel;
#[path = "../text/children.rs"]
mod children;
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
    name: "smol",
    prepare: || Ok(()),
    scenarios: &[
        tasks::SCENARIOS,
        sync::SCENARIOS,
        timers::SCENARIOS,
        cancel::SCENARIOS,
        memory::SCENARIOS,
        threads::SCENARIOS,
        start::SCENARIOS,
        children::SCENARIOS,
    ],
    services: Service::ALL,
    serve: |service| run(serve(service)),
};

thread_local! {
    /// The executor of the running loop: smol leaves it to programs to hand it around.
    static EXECUTOR: RefCell<Rc<LocalExecutor<'static>>> = RefCell::default();
}

fn run<F: Future + 'static>(main: F) -> F::Output
where
    F::Output: 'static,
{
    let executor = Rc::new(LocalExecutor::new());
    EXECUTOR.set(executor.clone());
    let main = executor.spawn(main);
    smol::block_on(executor.run(main))
}

fn spawn<F: Future + 'static>(future: F) -> Task<F::Output>
where
    F::Output: 'static,
{
    EXECUTOR.with_borrow(|executor| executor.spawn(future))
}

async fn join<T>(task: Task<T>) -> T {
    task.await
}

async fn cancel_and_join<T>(task: Task<T>) {
    assert!(task.cancel().await.is_none());
}

async fn sleep(delay: Duration) {
    smol::Timer::after(delay).await;
}

async fn timeout(limit: Duration, body: impl Future<Output = ()>) -> bool {
    let done = async {
        body.await;
        true
    };
    let late = async {
        sleep(limit).await;
        false
    };
    futures_lite::future::or(done, late).await
}

async fn gather<F: Future<Output = ()> + 'static>(children: impl Iterator<Item = F>) {
    let tasks: Vec<_> = children.map(spawn).collect();
    for task in tasks {
        join(task).await;
    }
}

async fn blocking<T: Send + 'static>(function: impl FnOnce() -> T + Send + 'static) -> T {
    smol::unblock(function).await
}

async fn spawn_and_wait(program: &str) {
    assert!(smol::process::Command::new(program).status().await.unwrap().success());
}

async fn read_zeros(mebibytes: u32) {
    let size = u64::from(mebibytes) << 20;
    let mut child = smol::process::Command::new("head")
        .args(["-c", &size.to_string(), "/dev/zero"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let mut count = 0;
    loop {
        match output.read(&mut buffer).await.unwrap() {
            0 => break,
            more => count += more as u64,
        }
    }
    assert_eq!(count, size);
    child.status().await.unwrap();
}

/// A bounded channel: smol's form of a queue.
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

async fn serve(service: Service) {
    let listener = Async::new_nonblocking(listener()).unwrap();
    let acceptor = (service == Service::Tls).then(|| futures_rustls::TlsAcceptor::from(tls()));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.get_ref().set_nodelay(true).unwrap();
        let acceptor = acceptor.clone();
        spawn(async move {
            // A client that goes away is no failure of the server's.
            let _ = match (service, acceptor) {
                (Service::Lines, _) => lines(&stream).await,
                (_, Some(acceptor)) => match acceptor.accept(&stream).await {
                    Ok(stream) => echo(stream).await,
                    Err(error) => Err(error),
                },
                _ => echo(&stream).await,
            };
        })
        .detach();
    }
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
        stream.flush().await?;
    }
}

async fn lines(mut stream: &Async<std::net::TcpStream>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        stream.write_all(&line).await?;
    }
}

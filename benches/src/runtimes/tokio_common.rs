//! What both of tokio's runtimes have.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::serve::{BUFFER, Service, listener, tls};

pub(super) async fn join<T>(task: JoinHandle<T>) -> T {
    task.await.unwrap()
}

pub(super) async fn cancel_and_join<T: std::fmt::Debug>(task: JoinHandle<T>) {
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
}

pub(super) async fn timeout(limit: Duration, body: impl Future<Output = ()>) -> bool {
    tokio::time::timeout(limit, body).await.is_ok()
}

pub(super) async fn blocking<T: Send + 'static>(
    function: impl FnOnce() -> T + Send + 'static,
) -> T {
    tokio::task::spawn_blocking(function).await.unwrap()
}

pub(super) async fn spawn_and_wait(program: &str) {
    assert!(tokio::process::Command::new(program).status().await.unwrap().success());
}

pub(super) async fn read_zeros(mebibytes: u32) {
    let size = u64::from(mebibytes) << 20;
    let mut child = tokio::process::Command::new("head")
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
    child.wait().await.unwrap();
}

/// A bounded channel: tokio's form of a queue.
pub(super) struct Queue<T> {
    sender: mpsc::Sender<T>,
    receiver: Mutex<mpsc::Receiver<T>>,
}

impl<T: std::fmt::Debug> Queue<T> {
    pub(super) fn new(room: usize) -> Self {
        let (sender, receiver) = mpsc::channel(room);
        Self { sender, receiver: Mutex::new(receiver) }
    }

    pub(super) async fn put(&self, item: T) {
        self.sender.send(item).await.unwrap();
    }

    pub(super) async fn get(&self) -> T {
        // Nobody else holds it; a channel has one receiver.
        let mut receiver = self.receiver.try_lock().unwrap();
        receiver.recv().await.unwrap()
    }
}

pub(super) struct Lock(Mutex<()>);

impl Lock {
    pub(super) fn new(value: ()) -> Self {
        Self(Mutex::new(value))
    }

    pub(super) async fn hold_over(&self, body: impl Future<Output = ()>) {
        let _guard = self.0.lock().await;
        body.await;
    }
}

/// Accepts connections; `start` makes a task of each.
pub(super) async fn serve(service: Service, start: fn(Connection)) {
    let listener = TcpListener::from_std(listener()).unwrap();
    let acceptor = (service == Service::Tls).then(|| tokio_rustls::TlsAcceptor::from(tls()));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let acceptor = acceptor.clone();
        start(Box::pin(async move {
            // A client that goes away is no failure of the server's.
            let _ = match (service, acceptor) {
                (Service::Lines, _) => lines(stream).await,
                (_, Some(acceptor)) => match acceptor.accept(stream).await {
                    Ok(stream) => echo(stream).await,
                    Err(error) => Err(error),
                },
                _ => echo(stream).await,
            };
        }));
    }
}

/// One box for a connection, in all the time that it lives.
pub(super) type Connection = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

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

async fn lines(mut stream: TcpStream) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        writer.write_all(&line).await?;
    }
}

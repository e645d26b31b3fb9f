//! A TCP echo server, asked by a plain thread with blocking sockets.
//!
//! The client is the same for both: it sends one message on each connection, then reads the answers,
//! and so on. So with one connection this is the latency of a request, and with 64 the loop finds
//! many sockets ready at once.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Bench;

pub(crate) const BENCHES: &[Bench] = &[
    Bench { name: "tcp echo, 1 connection", count: 20_000, ronde: ronde::<1>, tokio: tokio::<1> },
    Bench {
        name: "tcp echo, 64 connections",
        count: 64_000,
        ronde: ronde::<64>,
        tokio: tokio::<64>,
    },
];

const MESSAGE: usize = 64;

/// Sends `count` messages in all over `connections`, and times them.
fn ask(server: SocketAddr, connections: usize, count: u32) -> Duration {
    let mut streams: Vec<_> = (0..connections)
        .map(|_| {
            let stream = TcpStream::connect(server).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        })
        .collect();
    let mut buffer = [b'x'; MESSAGE];
    let start = Instant::now();
    for _ in 0..count as usize / connections {
        for stream in &mut streams {
            stream.write_all(&buffer).unwrap();
        }
        for stream in &mut streams {
            stream.read_exact(&mut buffer).unwrap();
        }
    }
    start.elapsed()
}

/// Runs the client on a thread of its own; `done` is told when it is finished.
fn client(
    connections: usize,
    count: u32,
    done: impl FnOnce() + Send + 'static,
) -> (mpsc::Sender<SocketAddr>, std::thread::JoinHandle<Duration>) {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let took = ask(receiver.recv().unwrap(), connections, count);
        done();
        took
    });
    (sender, thread)
}

fn ronde<const CONNECTIONS: usize>(count: u32) -> Duration {
    ronde::run(async move {
        let server = ronde::start_server(
            async |reader: ronde::StreamReader, writer: ronde::StreamWriter| {
                loop {
                    let message = reader.read(4096).await?;
                    if message.is_empty() {
                        return Ok::<(), std::io::Error>(());
                    }
                    writer.write(&message);
                    writer.drain().await?;
                }
            },
            "127.0.0.1",
            0,
        )
        .await
        .unwrap();
        let (address, thread) = client(CONNECTIONS, count, || ());
        address.send(server.local_addrs()[0]).unwrap();
        let took = ronde::to_thread(move || thread.join().unwrap()).await.unwrap();
        server.close();
        took
    })
    .unwrap()
}

fn tokio<const CONNECTIONS: usize>(count: u32) -> Duration {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    crate::tokio_run(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    loop {
                        let count = stream.read(&mut buffer).await.unwrap();
                        if count == 0 {
                            return;
                        }
                        stream.write_all(&buffer[..count]).await.unwrap();
                    }
                });
            }
        });
        let (done, finished) = tokio::sync::oneshot::channel();
        let (sender, thread) = client(CONNECTIONS, count, move || done.send(()).unwrap());
        sender.send(address).unwrap();
        finished.await.unwrap();
        thread.join().unwrap()
    })
}

//! A connection that is given up leaves no socket. It counts the descriptors of the process, so it has
//! a process of its own.

#![cfg(target_os = "linux")]

mod support;

use ronde_streams::open_connection;
use support::{refusing, run, settle, spawn};

#[test]
fn a_connection_that_is_given_up_is_closed() {
    run(async {
        // Its queue is full, so that the system answers nobody.
        let (socket, port) = refusing();
        socket.listen(0).unwrap();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let _in_queue: Vec<_> = (0..4)
            .map(|_| {
                let socket =
                    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
                        .unwrap();
                socket.set_nonblocking(true).unwrap();
                let _ = socket.connect(&address.into());
                socket
            })
            .collect();
        let descriptors = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let before = descriptors();
        let task = spawn(async move { open_connection("127.0.0.1", port).await.is_ok() });
        settle().await;
        assert_eq!(descriptors(), before + 1);
        task.cancel();
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(descriptors(), before);
    });
}

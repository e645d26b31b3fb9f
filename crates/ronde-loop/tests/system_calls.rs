//! How many system calls operations on sockets cost, as strace counts them.
#![cfg(all(target_os = "linux", not(ronde_portable_poller)))]

use std::collections::HashMap;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread;

use ronde_loop::{EventLoop, Source, get_running_loop};

const ROUNDS: u64 = 2000;

/// Two tasks of one loop send each other 64 bytes in turn.
fn ping_pong(pair: impl FnOnce(&EventLoop) -> (Source, Source)) {
    let event_loop = EventLoop::new().unwrap();
    let (one, two) = pair(&event_loop);
    let handle = event_loop.handle();
    let answers = event_loop.create_task(async move {
        loop {
            let message = handle.sock_recv(&two, 1024).await.unwrap();
            if message.is_empty() {
                break;
            }
            handle.sock_sendall(&two, &message).await.unwrap();
        }
    });
    event_loop
        .run_until_complete(async move {
            let event_loop = get_running_loop().unwrap();
            let mut buffer = [0; 1024];
            for _ in 0..ROUNDS {
                event_loop.sock_sendall(&one, &[b'x'; 64]).await.unwrap();
                assert_eq!(event_loop.sock_recv_into(&one, &mut buffer).await.unwrap(), 64);
            }
            drop(one);
            answers.await.unwrap();
        })
        .unwrap();
}

#[test]
#[ignore = "it is a program that another test measures"]
fn ping_pong_over_tcp() {
    ping_pong(|event_loop| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        one.set_nodelay(true).unwrap();
        let two = listener.accept().unwrap().0;
        (event_loop.register(one).unwrap(), event_loop.register(two).unwrap())
    });
}

#[test]
#[ignore = "it is a program that another test measures"]
fn ping_pong_over_a_unix_socket() {
    ping_pong(|event_loop| {
        let (one, two) = UnixStream::pair().unwrap();
        (event_loop.register(one).unwrap(), event_loop.register(two).unwrap())
    });
}

const FILE_SIZE: u64 = 100_000_000;

#[test]
#[ignore = "it is a program that another test measures"]
fn a_large_file() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(FILE_SIZE).unwrap();
    let event_loop = EventLoop::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let ours = Rc::new(event_loop.register(ours).unwrap());
    let mut theirs = listener.accept().unwrap().0;
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; 1024 * 1024];
        while theirs.read(&mut buffer).unwrap() > 0 {}
    });
    event_loop
        .run_until_complete(async move {
            let event_loop = get_running_loop().unwrap();
            let sent = event_loop.sock_sendfile(&ours, &file).fallback(false).await;
            assert_eq!(sent.unwrap(), FILE_SIZE);
        })
        .unwrap();
    reader.join().unwrap();
}

#[test]
fn a_round_costs_each_side_a_receive_and_a_send_and_a_share_of_the_wait() {
    let counts = strace("ping_pong_over_tcp");
    println!("{counts:?}");
    let sides = 2 * ROUNDS;
    let some = ROUNDS / 20;
    assert!(count(&counts, &["recvfrom"]) < sides + some, "{counts:?}");
    assert!(count(&counts, &["sendto"]) < sides + some, "{counts:?}");
    assert!(count(&counts, &["epoll_wait", "epoll_pwait"]) < sides + some, "{counts:?}");
    assert!(count(&counts, &["epoll_ctl", "getsockopt", "getsockname"]) < some, "{counts:?}");
}

#[test]
fn over_a_unix_socket_it_costs_one_more_receive_each() {
    // A short read says nothing there: descriptors that are passed along end it.
    let counts = strace("ping_pong_over_a_unix_socket");
    println!("{counts:?}");
    let sides = 2 * ROUNDS;
    let some = ROUNDS / 20;
    assert!(count(&counts, &["recvfrom"]) < 2 * sides + some, "{counts:?}");
    assert!(count(&counts, &["sendto"]) < sides + some, "{counts:?}");
    assert!(count(&counts, &["epoll_wait", "epoll_pwait"]) < sides + some, "{counts:?}");
    assert!(count(&counts, &["epoll_ctl"]) < some, "{counts:?}");
}

#[test]
fn a_file_is_never_read_into_the_program() {
    let counts = strace("a_large_file");
    println!("{counts:?}");
    assert!(count(&counts, &["sendfile"]) > 0, "{counts:?}");
    // A send buffer takes some hundred kilobytes at a time.
    assert!(count(&counts, &["sendfile"]) < FILE_SIZE / 10_000, "{counts:?}");
    assert!(count(&counts, &["sendto", "write", "pread64"]) < 100, "{counts:?}");
}

fn count(counts: &HashMap<String, u64>, names: &[&str]) -> u64 {
    names.iter().filter_map(|name| counts.get(*name)).sum()
}

/// Calls by name, as `strace -c` counts them.
fn strace(test: &str) -> HashMap<String, u64> {
    let output = tempfile::NamedTempFile::new().unwrap();
    let status = Command::new("strace")
        .args(["-f", "-c", "-U", "calls,name", "-o"])
        .arg(output.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--test-threads=1"])
        .stdout(Stdio::null())
        .status()
        .expect("this test needs strace");
    assert!(status.success());
    let table = std::fs::read_to_string(output.path()).unwrap();
    let row = |line: &str| {
        let (count, name) = line.trim().split_once(' ')?;
        Some((name.trim().to_owned(), count.parse().ok()?))
    };
    table.lines().filter_map(row).collect()
}

//! Files sent over sockets.
#![cfg(unix)]

use std::cell::Cell;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::future::IntoFuture;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ronde_loop::socket2::{Domain, Socket, Type};
use ronde_loop::{
    EventLoop, LoopHandle, SendfileError, Source, get_running_loop, timeout, yield_now,
};

fn run<T: 'static>(main: impl AsyncFnOnce(LoopHandle) -> T + 'static) -> T {
    let event_loop = EventLoop::new().unwrap();
    event_loop.run_until_complete(async { main(get_running_loop().unwrap()).await }).unwrap()
}

fn tcp_pair(event_loop: &LoopHandle) -> (Source, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (event_loop.register(ours).unwrap(), listener.accept().unwrap().0)
}

fn unix_pair(event_loop: &LoopHandle) -> (Source, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (event_loop.register(ours).unwrap(), theirs)
}

fn file_with(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

/// No two pieces of it are the same.
fn content(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(size.div_ceil(8)).flatten().take(size).collect()
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut received = Vec::new();
        from.read_to_end(&mut received).unwrap();
        received
    })
}

#[test]
fn a_hundred_megabytes_arrive_as_they_are_while_others_run() {
    const SIZE: usize = 100_000_000;
    let expected = content(SIZE);
    let file = file_with(&expected);
    let (sent, received, turns) = run(async move |event_loop| {
        let (ours, theirs) = tcp_pair(&event_loop);
        let reader = read_all(theirs);
        let turns = Rc::new(Cell::new(0));
        let counter = turns.clone();
        let other = event_loop.create_task(async move {
            loop {
                counter.set(counter.get() + 1);
                yield_now().await;
            }
        });
        let sending = event_loop.sock_sendfile(&ours, &file);
        // Nothing is read into the program here.
        let sending = sending.fallback(!cfg!(target_os = "linux"));
        let sent = sending.await.unwrap();
        other.cancel();
        drop(ours);
        (sent, reader.join().unwrap(), turns.get())
    });
    assert_eq!(sent, SIZE as u64);
    assert!(received == expected, "the content differs");
    assert!(turns > 10, "{turns}");
}

#[test]
fn what_the_system_can_not_send_by_itself_is_read_and_sent() {
    let expected = content(3_000_000);
    let (reader, mut writer) = io::pipe().unwrap();
    let pipe = File::from(OwnedFd::from(reader));
    let filled = expected.clone();
    let filling = thread::spawn(move || writer.write_all(&filled).unwrap());
    let (sent, received) = run(async move |event_loop| {
        let (ours, theirs) = tcp_pair(&event_loop);
        let reader = read_all(theirs);
        let progress = Cell::new(7);
        let sent = event_loop.sock_sendfile(&ours, &pipe).progress(&progress).await.unwrap();
        assert_eq!(progress.get(), sent);
        drop(ours);
        (sent, reader.join().unwrap())
    });
    filling.join().unwrap();
    assert_eq!(sent, 3_000_000);
    assert!(received == expected, "the content differs");
}

#[test]
fn without_a_fallback_that_is_an_error_and_nothing_is_sent() {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"stays").unwrap();
    let pipe = File::from(OwnedFd::from(reader));
    run(async move |event_loop| {
        let (ours, mut theirs) = unix_pair(&event_loop);
        let error = event_loop.sock_sendfile(&ours, &pipe).fallback(false).await.unwrap_err();
        let SendfileError::NotAvailable(reason) = &error else { panic!("{error}") };
        assert!(reason.to_string().starts_with("the system can't send this file by itself: "));
        assert!(reason.source().is_some() && error.source().is_some());
        assert_eq!(error.sent(), 0);
        assert_eq!(io::Error::from(error).kind(), ErrorKind::Unsupported);
        drop(ours);
        assert_eq!(theirs.read(&mut [0; 10]).unwrap(), 0);
        assert_eq!((&pipe).read(&mut [0; 10]).unwrap(), 5);
    });
}

#[test]
fn a_part_of_a_file_is_sent_and_its_position_left() {
    let data = content(1_000_000);
    let mut file = file_with(&data);
    file.seek(SeekFrom::Start(10)).unwrap();
    run(async move |event_loop| {
        let end = data.len() as u64;
        for (offset, count, expected) in [
            (0, Some(0), 0..0),
            (0, Some(1), 0..1),
            (5, Some(600_000), 5..600_005),
            (999_999, None, 999_999..1_000_000),
            (0, Some(u64::MAX), 0..1_000_000),
            (end, None, 0..0),
            (end + 1000, Some(5), 0..0),
        ] {
            let (ours, theirs) = unix_pair(&event_loop);
            let reader = read_all(theirs);
            let sending = event_loop.sock_sendfile(&ours, &file).offset(offset).count(count);
            assert_eq!(sending.await.unwrap(), expected.len() as u64);
            drop(ours);
            assert!(reader.join().unwrap() == data[expected], "{offset} {count:?}");
        }
        assert_eq!((&file).stream_position().unwrap(), 10);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_whose_size_is_not_known_is_sent_to_its_end() {
    let path = "/proc/self/maps";
    assert_eq!(std::fs::metadata(path).unwrap().len(), 0);
    run(async move |event_loop| {
        let (ours, theirs) = unix_pair(&event_loop);
        let reader = read_all(theirs);
        let sent = event_loop.sock_sendfile(&ours, &File::open(path).unwrap()).await.unwrap();
        drop(ours);
        let received = reader.join().unwrap();
        assert_eq!(sent, received.len() as u64);
        assert!(String::from_utf8(received).unwrap().contains("[stack]"));
    });
}

#[test]
fn an_error_tells_how_much_was_sent() {
    let file = file_with(&content(20_000_000));
    run(async move |event_loop| {
        let (ours, theirs) = unix_pair(&event_loop);
        event_loop.call_later(Duration::from_millis(1), move || drop(theirs));
        let progress = Cell::new(0);
        let sending = event_loop.sock_sendfile(&ours, &file).progress(&progress);
        let error = sending.await.unwrap_err();
        assert!(error.sent() > 0 && error.sent() < 20_000_000);
        assert_eq!(progress.get(), error.sent());
        let shown = format!("sending a file, after {} bytes were sent: ", error.sent());
        assert!(error.to_string().starts_with(&shown), "{error}");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::BrokenPipe);

        // The same where the file is read.
        let (ours, theirs) = unix_pair(&event_loop);
        let (reader, mut writer) = io::pipe().unwrap();
        let filling = thread::spawn(move || writer.write_all(&[0; 5_000_000]));
        event_loop.call_later(Duration::from_millis(5), move || drop(theirs));
        let pipe = File::from(OwnedFd::from(reader));
        let error = event_loop.sock_sendfile(&ours, &pipe).await.unwrap_err();
        assert!(error.sent() < 5_000_000);
        assert_eq!(io::Error::from(error).kind(), ErrorKind::BrokenPipe);
        drop(pipe);
        let _ = filling.join();
    });
}

#[test]
fn what_is_dropped_or_cancelled_has_sent_what_it_has_counted() {
    run(async |event_loop| {
        let data = content(20_000_000);
        let file = Rc::new(file_with(&data));
        let (ours, theirs) = unix_pair(&event_loop);
        let (ours, progress) = (Rc::new(ours), Rc::new(Cell::new(0)));
        {
            let mut sending =
                event_loop.sock_sendfile(&ours, &file).progress(&progress).into_future();
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(sending.as_mut().poll(cx).is_pending());
        }
        let first = progress.get();
        let task = event_loop.create_task({
            let (event_loop, ours, file) = (event_loop.clone(), ours.clone(), file.clone());
            let progress = progress.clone();
            async move {
                let sending = event_loop.sock_sendfile(&ours, &file).offset(first);
                sending.progress(&progress).await.unwrap();
                unreachable!("nobody reads");
            }
        });
        // As much as fits.
        let _ = timeout(Duration::from_millis(5), std::future::pending::<()>()).await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        let second = progress.get();
        assert!(first + second > 0);
        let reader = read_all(theirs);
        let rest = event_loop.sock_sendfile(&ours, &file).offset(first + second).await.unwrap();
        assert_eq!(first + second + rest, data.len() as u64);
        drop(ours);
        assert!(reader.join().unwrap() == data, "the content differs");
    });
}

#[test]
fn what_can_not_be_sent_is_an_error() {
    run(async |event_loop| {
        let file = file_with(b"hello");
        let datagrams = event_loop.register(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let error = event_loop.sock_sendfile(&datagrams, &file).await.unwrap_err();
        assert!(matches!(error, SendfileError::NotAStream));
        assert_eq!(error.to_string(), "sending a file: the socket is not a stream");
        assert!(error.source().is_none());
        assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidInput);

        let (ours, _theirs) = unix_pair(&event_loop);
        let directory = tempfile::tempdir().unwrap();
        let unreadable = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(directory.path().join("unreadable"))
            .unwrap();
        let error = event_loop.sock_sendfile(&ours, &unreadable).await.unwrap_err();
        assert!(matches!(&error, SendfileError::Io { sent: 0, .. }), "{error}");
        assert!(error.source().is_some());

        let directory = File::open(directory.path()).unwrap();
        let error = event_loop.sock_sendfile(&ours, &directory).await.unwrap_err();
        assert_eq!(io::Error::from(error).kind(), ErrorKind::IsADirectory);

        let not_connected = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let socket = event_loop.register(not_connected).unwrap();
        assert!(event_loop.sock_sendfile(&socket, &file).await.is_err());

        // Without an executor there is nothing to read with.
        let (reader, _writer) = io::pipe().unwrap();
        let pipe = File::from(OwnedFd::from(reader));
        event_loop.shutdown_default_executor(None).await.unwrap();
        let error = event_loop.sock_sendfile(&ours, &pipe).await.unwrap_err();
        assert!(error.to_string().ends_with("the executor has been shut down"), "{error}");
    });
}

#[test]
fn a_socket_of_another_loop_is_refused() {
    let other = EventLoop::new().unwrap();
    let (ours, _theirs) = unix_pair(&other);
    run(async move |event_loop| {
        let file = file_with(b"hello");
        let error = event_loop.sock_sendfile(&ours, &file).await.unwrap_err();
        assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidInput);
    });
}

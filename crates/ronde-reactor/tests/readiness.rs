//! Readiness follows what happens to real sockets and pipes, and no end of stream is missed.
#![cfg(unix)]

mod support;

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ronde_reactor::{Direction, OwnedSource, Readiness, Source};
use socket2::{Domain, SockRef, Socket, Type};
use support::{
    block_on, count_calls, counting_waker, look, reactor, read, read_some, tcp_pair, wait,
    wait_until_told, write_all,
};

/// Every kind of byte stream: the end that is read, and the end that is written.
fn streams() -> Vec<(&'static str, OwnedSource, OwnedSource)> {
    let (tcp_reader, tcp_writer) = tcp_pair();
    let (unix_reader, unix_writer) = UnixStream::pair().unwrap();
    let (pipe_reader, pipe_writer) = rustix::pipe::pipe().unwrap();
    vec![
        ("tcp", tcp_reader.into(), tcp_writer.into()),
        ("unix", unix_reader.into(), unix_writer.into()),
        ("pipe", pipe_reader, pipe_writer),
    ]
}

#[test]
fn a_read_that_would_block_is_woken_by_the_write() {
    for (name, reader, writer) in streams() {
        let reactor = reactor();
        let source = Source::new(&reactor, reader).unwrap();
        let (waker, wakes) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        let mut buffer = [0; 8];

        let polled = source.poll_io(Direction::Read, &mut cx, |fd| read(fd, &mut buffer));
        assert!(polled.is_pending(), "{name}");
        assert!(!source.is_ready(Direction::Read), "{name}");
        assert_eq!(look(&reactor), 0, "{name}");

        rustix::io::write(&writer, b"hello").unwrap();
        assert_eq!(wait_until_told(&reactor), 1, "{name}");
        assert_eq!(wakes.count(), 1, "{name}");
        let polled = source.poll_io(Direction::Read, &mut cx, |fd| read(fd, &mut buffer));
        assert!(matches!(polled, Poll::Ready(Ok(5))), "{name}");
    }
}

#[test]
fn waits_that_are_dropped_take_nothing_and_can_be_done_again() {
    for (name, reader, writer) in streams() {
        let reactor = reactor();
        let source = Source::new(&reactor, reader).unwrap();
        let (waker, _) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        let mut buffer = [0; 8];
        {
            let mut io = pin!(source.io(Direction::Read, |fd| read(fd, &mut buffer)));
            assert!(io.as_mut().poll(&mut cx).is_pending(), "{name}");
            let mut ready = pin!(source.ready(Direction::Read));
            assert!(ready.as_mut().poll(&mut cx).is_pending(), "{name}");
            // They are dropped when there is something already.
            rustix::io::write(&writer, b"hello").unwrap();
            wait_until_told(&reactor);
        }
        block_on(&reactor, source.ready(Direction::Read)).unwrap();
        let received = source.io(Direction::Read, |fd| read(fd, &mut buffer));
        assert_eq!(block_on(&reactor, received).unwrap(), 5, "{name}");
    }
}

#[test]
fn a_full_buffer_is_woken_by_the_reader() {
    for (name, reader, writer) in streams() {
        let reactor = reactor();
        let source = Source::new(&reactor, writer).unwrap();
        while source.try_io(Direction::Write, |fd| support::write(fd, &[0; 1 << 16])).is_ok() {}
        assert!(!source.is_ready(Direction::Write), "{name}");
        let (waker, wakes) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        assert!(source.poll_ready(Direction::Write, &mut cx).is_pending(), "{name}");

        let drain = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while rustix::io::read(&reader, &mut buffer).unwrap() > 0 {}
        });
        wait_until_told(&reactor);
        assert_eq!(wakes.count(), 1, "{name}");
        assert!(source.is_ready(Direction::Write), "{name}");
        drop(source);
        drain.join().unwrap();
    }
}

/// Reads the whole stream with a buffer that every read leaves partly empty.
fn read_to_end(source: &Source) -> Vec<u8> {
    block_on(source.reactor(), async {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 64]);
        loop {
            match read_some(source, &mut buffer).await.unwrap() {
                0 => return bytes,
                received => bytes.extend_from_slice(&buffer[..received]),
            }
        }
    })
}

#[test]
fn the_end_that_came_with_the_data_is_seen_after_a_short_read() {
    for (name, reader, writer) in streams() {
        let reactor = reactor();
        let source = Source::new(&reactor, reader).unwrap();
        rustix::io::write(&writer, b"bye").unwrap();
        drop(writer);
        // Both are reported in one event, before the read.
        count_calls(&source, Direction::Read);
        wait_until_told(&reactor);
        assert_eq!(read_to_end(&source), b"bye", "{name}");
    }
}

#[test]
fn the_end_that_came_before_the_registration_is_seen() {
    for (name, reader, writer) in streams() {
        rustix::io::write(&writer, b"bye").unwrap();
        drop(writer);
        let source = Source::new(&reactor(), reader).unwrap();
        assert_eq!(read_to_end(&source), b"bye", "{name}");
    }
}

#[test]
fn the_end_that_comes_between_the_report_and_the_read_is_seen() {
    for (name, reader, writer) in streams() {
        let reactor = reactor();
        let source = Source::new(&reactor, reader).unwrap();
        source.mark_blocked(Direction::Read);
        count_calls(&source, Direction::Read);
        rustix::io::write(&writer, b"bye").unwrap();
        wait_until_told(&reactor);
        // The report was about the data alone.
        drop(writer);
        assert_eq!(read_to_end(&source), b"bye", "{name}");
    }
}

#[test]
fn the_end_that_comes_after_a_short_read_is_seen() {
    for (name, reader, writer) in streams() {
        let reactor = reactor();
        let source = Source::new(&reactor, reader).unwrap();
        rustix::io::write(&writer, b"bye").unwrap();
        let mut buffer = [0; 64];
        assert_eq!(block_on(&reactor, read_some(&source, &mut buffer)).unwrap(), 3, "{name}");
        assert!(!source.is_ready(Direction::Read), "{name}");
        let closer = thread::spawn(move || drop(writer));
        assert_eq!(read_to_end(&source), b"", "{name}");
        closer.join().unwrap();
    }
}

#[test]
fn a_half_close_ends_reading_and_leaves_writing() {
    let reactor = reactor();
    let (ours, mut theirs) = tcp_pair();
    let source = Source::new(&reactor, ours).unwrap();
    theirs.write_all(b"question").unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();

    assert_eq!(read_to_end(&source), b"question");
    assert_ne!(source.readiness(Direction::Write), Readiness::Lasting);
    block_on(&reactor, write_all(&source, b"answer")).unwrap();
    drop(source);
    let mut answer = String::new();
    theirs.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
}

#[test]
fn a_reset_makes_both_directions_ready_and_is_reported_by_io() {
    let reactor = reactor();
    let (ours, theirs) = tcp_pair();
    let source = Source::new(&reactor, ours).unwrap();
    source.mark_blocked(Direction::Read);
    source.mark_blocked(Direction::Write);
    let (waker, wakes) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    let reading = count_calls(&source, Direction::Read);
    assert!(source.poll_ready(Direction::Write, &mut cx).is_pending());
    // A connected socket is writable; that is not what this test is about.
    look(&reactor);
    source.mark_blocked(Direction::Write);
    assert!(source.poll_ready(Direction::Write, &mut cx).is_pending());
    let woken = wakes.count();

    // Closing with a linger time of zero sends RST.
    SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
    drop(theirs);
    wait_until_told(&reactor);
    assert!(reading.get() > 0);
    assert_eq!(wakes.count(), woken + 1);
    assert!(source.is_ready(Direction::Read) && source.is_ready(Direction::Write));

    let mut buffer = [0; 8];
    let error = block_on(&reactor, read_some(&source, &mut buffer)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_writer_learns_that_the_reader_is_gone() {
    for (name, reader, writer) in streams().into_iter().skip(1) {
        let reactor = reactor();
        let source = Source::new(&reactor, writer).unwrap();
        source.mark_blocked(Direction::Write);
        drop(reader);
        let error = block_on(&reactor, write_all(&source, b"anybody?")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{name}");
    }
}

#[test]
fn a_connection_is_made_although_the_socket_was_registered_before() {
    let reactor = reactor();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let source = Source::new(&reactor, socket).unwrap();
    // An unconnected socket reports a hang-up, which must not pass for a connection.
    look(&reactor);

    let address = listener.local_addr().unwrap().into();
    if let Err(error) = SockRef::from(&source).connect(&address) {
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::INPROGRESS.raw_os_error()));
        source.mark_blocked(Direction::Write);
    }
    block_on(&reactor, source.ready(Direction::Write)).unwrap();
    assert!(SockRef::from(&source).take_error().unwrap().is_none());
    assert!(SockRef::from(&source).peer_addr().is_ok());
}

#[test]
fn an_error_that_was_fetched_does_not_last() {
    let reactor = reactor();
    // A datagram to a closed port is answered by an ICMP message: an error on the socket.
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(closed.local_addr().unwrap()).unwrap();
    drop(closed);
    let source = Source::new(&reactor, socket).unwrap();
    let calls = count_calls(&source, Direction::Read);
    SockRef::from(&source).send(b"anybody?").unwrap();
    wait_until_told(&reactor);
    assert_eq!(calls.get(), 1);

    let mut buffer = [0; 8];
    let error = source.try_io(Direction::Read, |fd| read(fd, &mut buffer)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    // From here on it is a socket like any other, and a wait for it is a wait.
    let mut cx = Context::from_waker(Waker::noop());
    let polled = source.poll_io(Direction::Read, &mut cx, |fd| read(fd, &mut buffer));
    assert!(polled.is_pending());
    assert!(!source.is_ready(Direction::Read));
}

#[test]
fn urgent_data_in_the_way_does_not_hide_what_follows() {
    let reactor = reactor();
    let (ours, mut theirs) = tcp_pair();
    let source = Source::new(&reactor, ours).unwrap();
    count_calls(&source, Direction::Read);
    theirs.write_all(b"before").unwrap();
    SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
    theirs.write_all(b"after").unwrap();
    // All of it is reported, and the peer stays: no further event will come.
    wait_until_told(&reactor);

    let mut buffer = [0; 64];
    let first = block_on(&reactor, read_some(&source, &mut buffer)).unwrap();
    assert_eq!(&buffer[..first], b"before", "short, because of the urgent byte");
    let second = block_on(&reactor, read_some(&source, &mut buffer)).unwrap();
    assert_eq!(&buffer[..second], b"after");
}

#[test]
fn a_timeout_passes_and_is_not_cut_short() {
    let reactor = reactor();
    let (ours, _theirs) = tcp_pair();
    let source = Source::new(&reactor, ours).unwrap();
    look(&reactor);
    for timeout in [Duration::from_millis(3), Duration::from_micros(2_500), Duration::ZERO] {
        let start = Instant::now();
        let told = reactor.wait(Some(timeout), &mut |_| panic!("nobody listens")).unwrap();
        assert_eq!(told, 0);
        assert!(start.elapsed() >= timeout);
    }
    drop(source);
}

#[test]
fn an_event_without_a_listener_still_changes_the_readiness() {
    let reactor = reactor();
    let (ours, mut theirs) = tcp_pair();
    let source = Source::new(&reactor, ours).unwrap();
    let calls = count_calls(&source, Direction::Read);
    look(&reactor);
    source.mark_blocked(Direction::Read);
    source.set_callback(Direction::Read, None).unwrap();
    theirs.write_all(b"x").unwrap();
    // Armed by the callback on one-shot systems, reported as an edge on the others.
    assert_eq!(wait(&reactor), 0);
    assert!(source.is_ready(Direction::Read));
    assert_eq!(calls.get(), 0);
}

/// The lost wake-up hunt: two threads, sizes that never fit, short reads and writes everywhere.
#[test]
fn a_long_transfer_in_uneven_pieces_arrives_whole() {
    const TOTAL: usize = 8 << 20;
    for (name, reader, writer) in streams() {
        let sender = thread::spawn(move || {
            let reactor = reactor();
            let source = Source::new(&reactor, writer).unwrap();
            let bytes: Vec<u8> = (0..TOTAL).map(|i| (i / 7) as u8).collect();
            let mut rest = &bytes[..];
            let mut size = 1;
            while !rest.is_empty() {
                size = (size * 31 + 7) % 100_003 + 1;
                let (piece, after) = rest.split_at(size.min(rest.len()));
                block_on(&reactor, write_all(&source, piece)).unwrap();
                rest = after;
            }
        });
        let reactor = reactor();
        let source = Source::new(&reactor, reader).unwrap();
        let mut buffer = vec![0; 100_003];
        let (mut received, mut size) = (0, 1);
        loop {
            size = (size * 17 + 3) % 100_003 + 1;
            let count = block_on(&reactor, read_some(&source, &mut buffer[..size])).unwrap();
            if count == 0 {
                break;
            }
            let expected = (received..received + count).map(|i| (i / 7) as u8);
            assert!(expected.eq(buffer[..count].iter().copied()), "{name}");
            received += count;
        }
        assert_eq!(received, TOTAL, "{name}");
        sender.join().unwrap();
    }
}

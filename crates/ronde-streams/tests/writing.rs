//! When what is written goes out, what waits, and what happens at the end.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use futures_lite::AsyncWriteExt;
use ronde_loop::yield_now;
use support::{half_pair, pair, poll_and_drop, run, settle, spawn};

/// More than any socket's buffers take.
const MUCH: usize = 32 * 1024 * 1024;

#[test]
fn the_first_write_of_a_turn_goes_out_at_once_and_the_others_at_its_end() {
    run(async {
        let ((_r, writer), mut theirs) = half_pair().await;
        let mut buffer = [0; 100];
        writer.write("one");
        assert_eq!(theirs.read(&mut buffer).unwrap(), 3);
        writer.write("two, ");
        writer.writelines(["three, ", "four"]);
        assert_eq!(writer.write_buffer_size(), 16);
        yield_now().await;
        assert_eq!(writer.write_buffer_size(), 0);
        assert_eq!(theirs.read(&mut buffer).unwrap(), 16);
        assert_eq!(&buffer[..16], b"two, three, four");
        writer.write("five");
        assert_eq!(theirs.read(&mut buffer).unwrap(), 4);
    });
}

#[test]
fn lines_in_many_parts_arrive_in_order_whether_the_system_takes_them_or_not() {
    run(async {
        // More parts than the system takes at once; more bytes; parts that are empty.
        let small: Vec<String> = (0..5000).map(|number| format!("{number},")).collect();
        let large: Vec<Vec<u8>> = (0..100_u8).map(|byte| vec![byte; 300_001]).collect();
        let ((_r, writer), (reader, _w)) = pair().await;
        writer.writelines(&small);
        assert_eq!(reader.readexactly(small.concat().len()).await.unwrap(), small.concat());
        writer.writelines(&large);
        assert!(writer.write_buffer_size() > 0);
        writer.writelines(["", "after", "", " all"]);
        writer.writelines([""; 0]);
        let expected = [large.concat(), b"after all".to_vec()].concat();
        assert!(reader.readexactly(expected.len()).await.unwrap() == expected);
        // The first of a turn goes out at once, in one piece.
        yield_now().await;
        writer.writelines(["a", "b", "c"]);
        assert_eq!(writer.write_buffer_size(), 0);
        assert_eq!(reader.read(10).await.unwrap(), "abc");
        writer.close();
        writer.writelines(["dropped"]);
        assert_eq!(writer.drain().await.unwrap_err().kind(), ErrorKind::NotConnected);
    });
}

#[test]
fn lines_for_a_peer_that_is_gone_are_an_error_of_drain() {
    run(async {
        let ((_r, writer), theirs) = half_pair().await;
        socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
        drop(theirs);
        for _ in 0..3 {
            writer.writelines(["a", "b"]);
            yield_now().await;
        }
        assert!(writer.drain().await.is_err());
    });
}

#[test]
fn drain_waits_above_the_high_mark_until_the_low_one() {
    run(async {
        let ((_r, writer), (reader, _w)) = pair().await;
        assert_eq!(writer.write_buffer_limits(), (64 * 1024, 16 * 1024));
        writer.drain().await.unwrap();
        writer.write(vec![b'x'; MUCH]);
        let writer = Rc::new(writer);
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let writer = writer.clone();
                spawn(async move { writer.drain().await })
            })
            .collect();
        settle().await;
        assert!(waiters.iter().all(|waiter| !waiter.done()));
        let mut received = 0;
        while received < MUCH {
            if writer.write_buffer_size() > 16 * 1024 {
                assert!(!waiters[0].done());
            }
            received += reader.read(1 << 20).await.unwrap().len();
        }
        for waiter in waiters {
            waiter.await.unwrap().unwrap();
        }
        assert_eq!(writer.write_buffer_size(), 0);
    });
}

#[test]
fn limits_can_be_set_so_that_drain_waits_for_everything() {
    run(async {
        let ((_r, writer), (_reader, _w)) = pair().await;
        writer.set_write_buffer_limits(0, 10);
        assert_eq!(writer.write_buffer_limits(), (0, 0));
        writer.write("a");
        writer.write("b");
        assert!(poll_and_drop(writer.drain()).await);
        writer.drain().await.unwrap();
        assert_eq!(writer.write_buffer_size(), 0);
        writer.write("c");
        writer.write("d");
        writer.set_write_buffer_limits(10, 5);
        assert!(!poll_and_drop(writer.drain()).await);
    });
}

#[test]
fn much_goes_both_ways_at_once_and_arrives_whole() {
    run(async {
        let (left, right) = pair().await;
        let half = |(reader, writer): support::Halves, seed: u8| {
            let byte = move |index: usize| (index as u8).wrapping_mul(31).wrapping_add(seed);
            let sending = spawn(async move {
                let data: Vec<u8> = (0..MUCH).map(byte).collect();
                for chunk in data.chunks(100_001) {
                    writer.write(chunk);
                    writer.drain().await.unwrap();
                    assert!(writer.write_buffer_size() <= 64 * 1024);
                }
                writer.write_eof();
                writer
            });
            let other = seed ^ 1;
            let expected = move |index: usize| (index as u8).wrapping_mul(31).wrapping_add(other);
            let receiving = spawn(async move {
                let mut count = 0;
                loop {
                    let bytes = reader.read(70_000).await.unwrap();
                    if bytes.is_empty() {
                        return count;
                    }
                    assert!(bytes.iter().enumerate().all(|(i, b)| *b == expected(count + i)));
                    count += bytes.len();
                }
            });
            (sending, receiving)
        };
        let (a, b) = half(left, 0);
        let (c, d) = half(right, 1);
        assert_eq!(b.await.unwrap(), MUCH);
        assert_eq!(d.await.unwrap(), MUCH);
        let _writers = (a.await.unwrap(), c.await.unwrap());
    });
}

#[test]
fn write_eof_ends_the_output_and_leaves_the_input() {
    run(async {
        let ((reader, writer), (their_reader, their_writer)) = pair().await;
        assert!(writer.can_write_eof());
        writer.write(vec![b'x'; MUCH]);
        writer.write_eof();
        writer.write_eof();
        assert_eq!(their_reader.read_to_end().await.unwrap().len(), MUCH);
        their_writer.write("answer\n");
        assert_eq!(reader.readline().await.unwrap(), "answer\n");
        assert!(!writer.is_closing());
        writer.drain().await.unwrap();

        writer.write("too late");
        let error = writer.drain().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        writer.close();
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn close_delivers_what_was_written() {
    run(async {
        let ((_r, writer), (reader, _w)) = pair().await;
        writer.write(vec![b'x'; MUCH]);
        writer.close();
        assert!(writer.is_closing());
        writer.write("dropped");
        let closing = spawn(async move { writer.wait_closed().await.map(|()| writer) });
        settle().await;
        assert!(!closing.done());
        assert_eq!(reader.read_to_end().await.unwrap().len(), MUCH);
        let writer = closing.await.unwrap().unwrap();
        assert!(writer.local_addr().is_none() && writer.peer_addr().is_some());
        writer.close();
        writer.wait_closed().await.unwrap();
        assert_eq!(writer.drain().await.unwrap_err().kind(), ErrorKind::NotConnected);
    });
}

#[test]
fn abort_delivers_nothing_more() {
    run(async {
        let ((_r, writer), (reader, _w)) = pair().await;
        writer.write(vec![b'x'; MUCH]);
        let before = MUCH - writer.write_buffer_size();
        writer.abort();
        writer.wait_closed().await.unwrap();
        assert!(reader.read_to_end().await.unwrap().len() <= before);
        assert!(before < MUCH);
    });
}

#[test]
fn halves_that_are_dropped_without_a_close_deliver_what_was_written() {
    run(async {
        let ((_r, writer), (reader, _w)) = pair().await;
        writer.write("now, ");
        writer.write(vec![b'x'; MUCH]);
        drop((_r, writer));
        assert_eq!(reader.read_to_end().await.unwrap().len(), MUCH + 5);
    });
}

#[test]
fn one_half_goes_on_without_the_other() {
    run(async {
        let ((reader, writer), (their_reader, their_writer)) = pair().await;
        drop(reader);
        drop(their_writer);
        writer.write("hello\n");
        assert_eq!(their_reader.readline().await.unwrap(), "hello\n");
        drop(writer);
        assert!(their_reader.read_to_end().await.unwrap().is_empty());
    });
    run(async {
        let ((reader, writer), (_their_reader, their_writer)) = pair().await;
        drop(writer);
        their_writer.write("hello\n");
        assert_eq!(reader.readline().await.unwrap(), "hello\n");
        drop(reader);
        // Whoever reads is told that nobody sends any more.
        assert!(_their_reader.read_to_end().await.unwrap().is_empty());
    });
}

#[test]
fn a_peer_that_breaks_off_is_an_error_of_drain_and_of_wait_closed() {
    run(async {
        let ((reader, writer), theirs) = half_pair().await;
        let theirs = socket2::Socket::from(theirs);
        writer.write(vec![b'x'; MUCH]);
        let writer = Rc::new(writer);
        let draining = spawn({
            let writer = writer.clone();
            async move { writer.drain().await }
        });
        settle().await;
        assert!(!draining.done());
        theirs.set_linger(Some(Duration::ZERO)).unwrap();
        drop(theirs);
        let error = draining.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(error.raw_os_error().is_some(), "it is the system's own");
        assert_eq!(writer.wait_closed().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(writer.is_closing());
        assert_eq!(writer.write_buffer_size(), 0);
        for _ in 0..10 {
            writer.write("dropped");
        }
        assert!(writer.flush().await.is_err());
        assert!(reader.read(1).await.is_err());
    });
}

#[test]
fn what_a_peer_sent_before_it_broke_off_can_be_read_after_a_failed_write() {
    run(async {
        let ((reader, writer), mut theirs) = half_pair().await;
        theirs.write_all(b"413 too much\n").unwrap();
        writer.write("x");
        while theirs.set_nonblocking(true).is_ok() && theirs.read(&mut [0; 10]).is_err() {}
        // It has sent its end in good order, and takes nothing more.
        drop(theirs);
        while writer.drain().await.is_ok() {
            writer.write("xxxxxxxxxxxx");
            yield_now().await;
        }
        assert_eq!(reader.readline().await.unwrap(), "413 too much\n");
    });
}

#[test]
fn the_writer_is_an_async_write() {
    run(async {
        let ((_r, mut writer), (reader, _w)) = pair().await;
        AsyncWriteExt::write_all(&mut writer, b"hello").await.unwrap();
        AsyncWriteExt::flush(&mut writer).await.unwrap();
        assert_eq!(reader.readexactly(5).await.unwrap(), "hello");
        let sending = spawn(async move {
            AsyncWriteExt::write_all(&mut writer, &vec![b'x'; MUCH]).await.unwrap();
            AsyncWriteExt::close(&mut writer).await.unwrap();
            let error = AsyncWriteExt::write_all(&mut writer, b"x").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotConnected);
        });
        assert_eq!(reader.read_to_end().await.unwrap().len(), MUCH);
        sending.await.unwrap();
    });
}

#[test]
fn addresses_and_options_of_the_socket_are_at_hand() {
    run(async {
        let ((_r, writer), theirs) = half_pair().await;
        assert_eq!(writer.peer_addr().unwrap(), theirs.local_addr().unwrap());
        assert_eq!(writer.local_addr().unwrap(), theirs.peer_addr().unwrap());
        assert!(writer.tls().is_none());
        assert_eq!(writer.with_socket(|socket| socket.tcp_nodelay().unwrap()), Some(true));
        writer.abort();
        assert_eq!(writer.with_socket(|_| ()), None);
    });
}

#[test]
fn what_was_written_when_the_loop_ends_does_not_keep_the_socket() {
    let theirs = run(async {
        let ((_r, writer), theirs) = half_pair().await;
        writer.write("at once");
        writer.write(" and later");
        spawn(async move {
            let _writer = writer;
            std::future::pending::<()>().await;
        })
        .detach();
        theirs
    });
    let mut received = String::new();
    (&theirs).read_to_string(&mut received).unwrap();
    assert_eq!(received, "at once and later");
}

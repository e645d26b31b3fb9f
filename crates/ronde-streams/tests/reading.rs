//! What each way to read gives, and how it fails.

mod support;

use std::io::{self, ErrorKind, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_lite::AsyncRead;
use ronde_loop::TaskError;
use ronde_streams::{ReadError, StreamReader, from_socket};
use support::{half_pair, pair, poll_and_drop, run, settle, spawn};

fn fed(data: &[u8]) -> StreamReader {
    let reader = StreamReader::new();
    reader.feed_data(data);
    reader.feed_eof();
    reader
}

#[test]
fn read_waits_for_the_first_byte_and_gives_what_is_there() {
    run(async {
        let ((reader, _w), (_r, writer)) = pair().await;
        let reading = spawn(async move { (reader.read(1000).await.unwrap(), reader) });
        settle().await;
        assert!(!reading.done());
        writer.write("hello");
        let (bytes, reader) = reading.await.unwrap();
        assert_eq!(bytes, "hello");
        writer.write("abcdef");
        assert_eq!(reader.read(4).await.unwrap(), "abcd");
        assert_eq!(reader.read(4).await.unwrap(), "ef");
        assert!(reader.read(0).await.unwrap().is_empty());
        writer.close();
        assert!(reader.read(4).await.unwrap().is_empty());
        assert!(reader.read(4).await.unwrap().is_empty(), "the end stays the end");
    });
}

#[test]
fn readexactly_waits_for_all() {
    run(async {
        let ((reader, _w), (_r, writer)) = pair().await;
        let reading = spawn(async move { reader.readexactly(10).await.unwrap() });
        for part in ["ab", "cdefg", "hijklm"] {
            settle().await;
            assert!(!reading.done());
            writer.write(part);
        }
        assert_eq!(reading.await.unwrap(), "abcdefghij");
    });
}

#[test]
fn readexactly_goes_beyond_the_limit() {
    run(async {
        let ((reader, _w), (_r, writer)) = pair().await;
        writer.write(vec![b'x'; 1_000_000]);
        assert_eq!(reader.readexactly(1_000_000).await.unwrap().len(), 1_000_000);
    });
}

#[test]
fn readexactly_that_meets_the_end_gives_what_did_arrive() {
    run(async {
        let ((reader, _w), (_r, writer)) = pair().await;
        writer.write("abc");
        writer.close();
        let error = reader.readexactly(10).await.unwrap_err();
        assert_eq!(error.to_string(), "the stream ended after 3 of 10 expected bytes");
        let ReadError::Incomplete { partial, expected } = error else { panic!("{error}") };
        assert_eq!((&partial[..], expected), (&b"abc"[..], Some(10)));
        assert!(reader.read(10).await.unwrap().is_empty());
        assert!(reader.readexactly(0).await.unwrap().is_empty());
        let error = io::Error::from(reader.readexactly(1).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn readuntil_finds_a_separator_that_arrives_in_pieces() {
    run(async {
        let ((reader, _w), (_r, writer)) = pair().await;
        let reading = spawn(async move { (reader.readuntil(b"\r\n\r\n").await.unwrap(), reader) });
        for part in ["GET /\r", "\n\r", "\nrest"] {
            settle().await;
            assert!(!reading.done());
            writer.write(part);
        }
        let (head, reader) = reading.await.unwrap();
        assert_eq!(head, "GET /\r\n\r\n");
        assert_eq!(reader.read(10).await.unwrap(), "rest");
    });
}

#[test]
fn readuntil_that_meets_the_end_gives_what_was_left() {
    run(async {
        let error = fed(b"no end").readuntil(";").await.unwrap_err();
        assert!(
            matches!(&error, ReadError::Incomplete { partial, expected: None } if partial == "no end")
        );
        assert_eq!(error.to_string(), "the stream ended after 6 bytes without a separator");
    });
}

#[test]
fn readuntil_over_the_limit_leaves_all_in_the_buffer() {
    run(async {
        // The separator is there, but too far away.
        let reader = StreamReader::with_limit(3).unwrap();
        reader.feed_data(b"abcd;");
        let error = reader.readuntil(";").await.unwrap_err();
        assert!(matches!(&error, ReadError::LimitOverrun { consumed: 4, limit: 3, discarded }
            if discarded.is_empty()));
        assert_eq!(reader.readexactly(5).await.unwrap(), "abcd;");

        // It is not there yet, and it is too late already.
        reader.feed_data(b"abcdef");
        let error = reader.readuntil(";;").await.unwrap_err();
        assert!(matches!(error, ReadError::LimitOverrun { consumed: 5, limit: 3, .. }));
        assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidData);
        reader.feed_eof();
        assert_eq!(reader.read_to_end().await.unwrap(), "abcdef");
    });
}

#[test]
fn a_separator_that_begins_at_the_limit_is_within_it() {
    run(async {
        let reader = StreamReader::with_limit(4).unwrap();
        reader.feed_data(b"abcd;;");
        assert_eq!(reader.readuntil(";;").await.unwrap(), "abcd;;");
    });
}

#[test]
fn readuntil_refuses_to_look_for_nothing() {
    run(async {
        let reader = fed(b"x");
        let none: [&str; 0] = [];
        let errors = [
            reader.readuntil("").await.unwrap_err(),
            reader.readuntil_any(["a", ""]).await.unwrap_err(),
            reader.readuntil_any(none).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, ReadError::NoSeparator), "{error:?}");
            assert_eq!(error.to_string(), "a separator must have at least one byte");
            assert_eq!(std::io::Error::from(error).kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(reader.read(10).await.unwrap(), "x", "nothing was taken");
    });
}

#[test]
fn readuntil_any_takes_the_shortest_match() {
    run(async {
        // The one that ends first, however the separators are ordered.
        for separators in [["ab", "b", "cabd"], ["cabd", "b", "ab"]] {
            let reader = fed(b"xxcabdb");
            assert_eq!(reader.readuntil_any(separators).await.unwrap(), "xxcab");
            assert_eq!(reader.readuntil_any(separators).await.unwrap(), "db");
        }
        // Each arrives in pieces, and a long one that has begun does not hide a short one.
        let reader = Rc::new(StreamReader::new());
        let reading = spawn({
            let reader = reader.clone();
            async move { reader.readuntil_any(["long separator", "--"]).await }
        });
        for piece in [&b"a long sep"[..], b"arat-", b"-rest"] {
            settle().await;
            assert!(!reading.done());
            reader.feed_data(piece);
        }
        assert_eq!(reading.await.unwrap().unwrap(), "a long separat--");
    });
}

#[test]
fn readuntil_any_keeps_to_the_limit_and_leaves_all_in_the_buffer() {
    run(async {
        let reader = StreamReader::with_limit(3).unwrap();
        reader.feed_data(b"abcd;");
        let error = reader.readuntil_any(["!", ";"]).await.unwrap_err();
        assert!(matches!(error, ReadError::LimitOverrun { consumed: 4, limit: 3, .. }));
        assert_eq!(reader.readexactly(5).await.unwrap(), "abcd;");
        reader.feed_data(b"abcdefgh");
        let error = reader.readuntil_any(["!", "--"]).await.unwrap_err();
        assert!(matches!(error, ReadError::LimitOverrun { consumed: 7, limit: 3, .. }));
        reader.feed_eof();
        let rest = reader.readuntil_any(["!", "abcdefgh----"]).await.unwrap_err();
        assert!(matches!(rest, ReadError::Incomplete { partial, .. } if partial == "abcdefgh"));
    });
}

#[test]
fn a_limit_of_zero_is_refused() {
    assert_eq!(
        StreamReader::with_limit(0).unwrap_err().to_string(),
        "the limit of a reader must be at least one byte"
    );
    run(async {
        let error = ronde_streams::open_connection("127.0.0.1", 1).limit(0).await.unwrap_err();
        assert!(matches!(&error, ronde_streams::ConnectError::Limit(_)), "{error}");
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::InvalidInput);
        let starting = ronde_streams::start_server(async |_, _| {}, "127.0.0.1", 0).limit(0);
        let error = starting.await.unwrap_err();
        assert!(matches!(&error, ronde_streams::ServeError::Limit(_)), "{error}");
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn reads_of_nothing_take_nothing() {
    run(async {
        let reader = fed(b"x");
        assert!(reader.read(0).await.unwrap().is_empty());
        assert!(reader.readexactly(0).await.unwrap().is_empty());
        assert!(!reader.at_eof());
        assert_eq!(reader.read(usize::MAX).await.unwrap(), "x");
        assert!(reader.readexactly(0).await.unwrap().is_empty(), "at the end as well");
        assert!(reader.read(0).await.unwrap().is_empty());
        assert!(reader.at_eof());
    });
}

/// Gives its pieces, one at each second poll, and then an error or the end.
struct Pieces {
    pieces: Vec<&'static str>,
    is_due: bool,
    end: Option<ErrorKind>,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        self.is_due ^= true;
        if self.is_due {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.pieces.is_empty() {
            return Poll::Ready(self.end.map_or(Ok(0), |kind| Err(kind.into())));
        }
        let piece = self.pieces.remove(0).as_bytes();
        room[..piece.len()].copy_from_slice(piece);
        Poll::Ready(Ok(piece.len()))
    }
}

#[test]
fn a_reader_reads_from_any_async_read() {
    run(async {
        let pieces = Pieces { pieces: vec!["he", "llo\n", "x"], is_due: false, end: None };
        let reader = StreamReader::from_async_read(pieces);
        assert!(poll_and_drop(reader.readline()).await, "given up");
        assert_eq!(reader.readline().await.unwrap(), "hello\n");
        assert_eq!(reader.read_to_end().await.unwrap(), "x");
        assert!(reader.at_eof());

        let pieces = vec!["he", "llo"];
        let end = Some(ErrorKind::InvalidData);
        let reader = StreamReader::from_async_read(Pieces { pieces, is_due: false, end });
        assert_eq!(reader.readexactly(5).await.unwrap(), "hello");
        for _ in 0..2 {
            let error = reader.read(1).await.unwrap_err();
            assert!(
                matches!(&error, ReadError::Io(error) if error.kind() == ErrorKind::InvalidData)
            );
        }
        assert_eq!(reader.exception().unwrap().kind(), ErrorKind::InvalidData);
    });
}

#[test]
fn an_async_read_that_is_always_ready_leaves_the_loop_to_others() {
    run(async {
        let reader = StreamReader::from_async_read(futures_lite::io::repeat(b'x'));
        let reading = spawn(async move { reader.read_to_end().await.map(drop) });
        settle().await;
        reading.cancel();
        assert!(reading.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_peer_that_sends_more_than_anybody_takes_is_held_up() {
    run(async {
        let ((reader, _w), theirs) = support::half_pair().await;
        theirs.set_nonblocking(true).unwrap();
        let mut sent = 0;
        for _ in 0..100 {
            while let Ok(count) = (&theirs).write(&[b'x'; 1 << 16]) {
                sent += count;
            }
            settle().await;
        }
        // What the system's buffers take, and no more: nothing was read that nobody asked for.
        assert!(sent < 32 << 20, "{sent}");
        assert_eq!(reader.readexactly(sent).await.unwrap().len(), sent);
        assert!((&theirs).write(b"x").is_ok(), "and now it can go on");
    });
}

#[test]
fn readline_gives_lines_and_then_nothing() {
    run(async {
        let reader = fed(b"one\n\ntwo");
        for line in ["one\n", "\n", "two", ""] {
            assert_eq!(reader.readline().await.unwrap(), line);
        }
    });
}

#[test]
fn readline_over_the_limit_takes_the_line_out_and_gives_it_with_the_error() {
    run(async {
        let reader = StreamReader::with_limit(4).unwrap();
        reader.feed_data(b"too long\nshort\n!");
        let error = reader.readline().await.unwrap_err();
        let ReadError::LimitOverrun { consumed: 8, limit: 4, discarded } = error else {
            panic!("{error}")
        };
        assert_eq!(discarded, "too long\n");
        let error = reader.readline().await.unwrap_err();
        assert!(
            matches!(error, ReadError::LimitOverrun { discarded, .. } if discarded == "short\n")
        );

        // Without a newline in sight, all goes; the rest of the line comes as the next one.
        reader.feed_data(b"12345");
        let error = reader.readline().await.unwrap_err();
        assert_eq!(error.to_string(), "no separator within the limit of 4 bytes (6 looked at)");
        assert!(
            matches!(error, ReadError::LimitOverrun { discarded, .. } if discarded == "!12345")
        );
        reader.feed_data(b"67\n");
        assert_eq!(reader.readline().await.unwrap(), "67\n");
    });
}

#[test]
fn read_to_end_reads_more_than_any_limit() {
    run(async {
        let ((reader, _w), (_r, writer)) = pair().await;
        spawn(async move {
            for _ in 0..100 {
                writer.write([b'x'; 10_000]);
                writer.drain().await.unwrap();
            }
            writer.close();
        })
        .detach();
        assert_eq!(reader.read_to_end().await.unwrap().len(), 1_000_000);
    });
}

#[test]
fn lines_end_at_the_end_and_go_on_after_a_line_over_the_limit() {
    run(async {
        let reader = StreamReader::with_limit(4).unwrap();
        reader.feed_data(b"a\nmuch too long\nb\nrest");
        reader.feed_eof();
        let mut lines = reader.lines();
        assert_eq!(lines.next().await.unwrap().unwrap(), "a\n");
        assert!(matches!(lines.next().await, Some(Err(ReadError::LimitOverrun { .. }))));
        assert_eq!(lines.next().await.unwrap().unwrap(), "b\n");
        assert_eq!(lines.next().await.unwrap().unwrap(), "rest");
        assert!(lines.next().await.is_none());
        assert!(lines.next().await.is_none());
    });
}

#[test]
fn lines_are_a_stream_and_end_after_a_failure() {
    run(async {
        let reader = StreamReader::new();
        reader.feed_data(b"one\n");
        reader.set_exception(ErrorKind::ConnectionReset.into());
        let lines: Vec<_> = futures_lite::StreamExt::collect(reader.lines()).await;
        assert_eq!(lines[0].as_ref().unwrap(), "one\n");
        assert!(
            matches!(&lines[1], Err(ReadError::Io(e)) if e.kind() == ErrorKind::ConnectionReset)
        );
        assert_eq!(lines.len(), 2);
    });
}

#[test]
fn a_second_reader_is_refused_while_the_first_one_waits() {
    run(async {
        let ((reader, _w), (_r, writer)) = pair().await;
        let reader = std::rc::Rc::new(reader);
        let first = spawn({
            let reader = reader.clone();
            async move { reader.readline().await.unwrap() }
        });
        settle().await;
        assert!(matches!(reader.read(1).await, Err(ReadError::Busy)));
        assert!(matches!(reader.readexactly(1).await, Err(ReadError::Busy)));
        assert!(matches!(reader.readuntil("x").await, Err(ReadError::Busy)));
        assert!(matches!(reader.readline().await, Err(ReadError::Busy)));
        let error = reader.read_to_end().await.unwrap_err();
        assert_eq!(error.to_string(), "another task is reading from this stream already");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::ResourceBusy);
        assert!(matches!(reader.lines().next().await, Some(Err(ReadError::Busy))));
        assert!(!reader.at_eof());

        writer.write("line\nmore");
        assert_eq!(first.await.unwrap(), "line\n");
        assert_eq!(reader.read(10).await.unwrap(), "more");
    });
}

#[test]
fn a_read_that_is_dropped_makes_room_for_the_next() {
    run(async {
        let ((reader, _w), (_r, writer)) = pair().await;
        assert!(poll_and_drop(reader.readexactly(3)).await);
        writer.write("abc");
        assert_eq!(reader.readexactly(3).await.unwrap(), "abc");
    });
}

#[test]
fn a_reset_comes_after_what_arrived_before_it() {
    run(async {
        let ((reader, writer), theirs) = half_pair().await;
        (&theirs).write_all(b"last words").unwrap();
        assert_eq!(reader.read(4).await.unwrap(), "last");
        let theirs = socket2::Socket::from(theirs);
        theirs.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(theirs);
        assert_eq!(reader.read(6).await.unwrap(), " words");
        let error = reader.read(1).await.unwrap_err();
        assert!(matches!(&error, ReadError::Io(e) if e.kind() == ErrorKind::ConnectionReset));
        assert!(error.to_string().starts_with("reading from a connection: "), "{error}");
        assert_eq!(reader.exception().unwrap().kind(), ErrorKind::ConnectionReset);
        assert!(writer.is_closing());
        assert_eq!(writer.wait_closed().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(writer.drain().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(reader.read(1).await.is_err(), "a failure stays");
    });
}

#[test]
fn at_eof_sees_an_end_that_nobody_has_read_yet() {
    run(async {
        let ((reader, _w), theirs) = half_pair().await;
        assert!(!reader.at_eof());
        (&theirs).write_all(b"x").unwrap();
        drop(theirs);
        // What the loop reports must first arrive.
        assert_eq!(reader.read(1).await.unwrap(), "x");
        while !reader.at_eof() {
            ronde_loop::yield_now().await;
        }
        assert!(reader.read(1).await.unwrap().is_empty());
    });
}

#[test]
fn a_waiting_reader_hears_of_the_close_of_its_own_side() {
    run(async {
        for abort in [false, true] {
            let ((reader, writer), _theirs) = half_pair().await;
            let reading = spawn(async move { reader.read(1).await });
            settle().await;
            if abort {
                writer.abort()
            } else {
                writer.close()
            }
            assert!(reading.await.unwrap().unwrap().is_empty());
        }
    });
}

#[test]
fn a_peer_that_sends_without_end_leaves_the_loop_to_others() {
    run(async {
        let ((reader, _w), theirs) = half_pair().await;
        let sender = std::thread::spawn(move || while (&theirs).write_all(&[0; 65536]).is_ok() {});
        let reading =
            spawn(async move { while !reader.read(1 << 20).await.unwrap().is_empty() {} });
        for _ in 0..100 {
            ronde_loop::yield_now().await;
        }
        assert!(!reading.done());
        reading.cancel();
        assert!(reading.await.is_err());
        drop(_w);
        sender.join().unwrap();
    });
}

#[test]
fn the_reader_is_an_async_read_and_an_async_buf_read() {
    // Not for the whole file: `AsyncBufReadExt::lines` would hide the reader's own.
    use futures_lite::{AsyncBufReadExt, AsyncReadExt};
    run(async {
        let mut reader = fed(b"one two\nthree\nfour");
        let mut word = [0; 4];
        AsyncReadExt::read_exact(&mut reader, &mut word).await.unwrap();
        assert_eq!(&word, b"one ");
        let mut line = String::new();
        AsyncBufReadExt::read_line(&mut reader, &mut line).await.unwrap();
        assert_eq!(line, "two\n");
        // What was lent out and not consumed is still there for the other methods.
        assert!(!reader.at_eof());
        assert_eq!(reader.readline().await.unwrap(), "three\n");
        let mut rest = Vec::new();
        AsyncReadExt::read_to_end(&mut reader, &mut rest).await.unwrap();
        assert_eq!(rest, b"four");
    });
}

#[cfg(unix)]
#[test]
fn a_unix_socket_will_do_too() {
    run(async {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let (reader, writer) = from_socket(ours).await.unwrap();
        (&theirs).write_all(b"hello\n").unwrap();
        assert_eq!(reader.readline().await.unwrap(), "hello\n");
        assert_eq!((writer.peer_addr(), writer.local_addr()), (None, None));
    });
}

#[test]
#[should_panic(expected = "`feed_data` after `feed_eof`")]
fn nothing_can_be_fed_after_the_end() {
    fed(b"").feed_data(b"x");
}

#[test]
fn after_a_panic_of_what_it_reads_from_a_stream_fails_rather_than_waits() {
    struct Panics;
    impl AsyncRead for Panics {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<std::io::Result<usize>> {
            panic!("a bug of its own");
        }
    }
    run(async {
        let reader = Rc::new(StreamReader::from_async_read(Panics));
        let event_loop = ronde_loop::get_running_loop().unwrap();
        let first = {
            let reader = reader.clone();
            event_loop.create_task(async move { reader.readline().await.map(drop) })
        };
        let Err(TaskError::Panicked(panic)) = first.await else { panic!() };
        assert_eq!(panic.message(), "a bug of its own");
        let error = reader.readline().await.unwrap_err();
        assert!(error.to_string().contains("has panicked"), "{error}");
    });
}

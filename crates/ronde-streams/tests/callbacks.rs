//! Readers and writers for those who are called instead of waiting.

mod support;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;

use futures_lite::AsyncBufReadExt;
use futures_lite::io::Cursor;
use ronde_loop::yield_now;
use ronde_streams::{ReadError, StreamReader};
use support::{half_pair, run, settle, spawn};

type Callback = Option<Rc<dyn Fn()>>;

/// Counts its calls.
fn counter() -> (Rc<Cell<usize>>, Callback) {
    let calls = Rc::new(Cell::new(0));
    let count = calls.clone();
    (calls, Some(Rc::new(move || count.set(count.get() + 1))))
}

async fn until(mut is_true: impl FnMut() -> bool) {
    while !is_true() {
        yield_now().await;
    }
}

#[test]
fn a_read_that_never_waits_gives_what_is_there_and_tells_nothing_from_the_end() {
    run(async {
        let ((reader, _writer), mut theirs) = half_pair().await;
        assert_eq!(reader.try_read(100).unwrap(), None);
        let mut room = [0; 4];
        assert_eq!(reader.try_read_into(&mut room).unwrap(), None);
        theirs.write_all(b"hello, world").unwrap();
        let mut first = None;
        until(|| {
            first = reader.try_read(5).unwrap();
            first.is_some() || reader.at_eof()
        })
        .await;
        assert_eq!(first.unwrap(), "hello");
        // The rest is in the buffer, and comes first.
        theirs.write_all(b"!").unwrap();
        assert_eq!(reader.try_read_into(&mut room).unwrap(), Some(4));
        assert_eq!(&room, b", wo");
        assert_eq!(reader.try_read_into(&mut []).unwrap(), Some(0));
        assert_eq!(reader.try_read(0).unwrap().unwrap(), "");
        assert_eq!(reader.try_read(100).unwrap().unwrap(), "rld");
        drop(theirs);
        let mut received: Vec<u8> = Vec::new();
        until(|| match reader.try_read_into(&mut room).unwrap() {
            Some(0) => true,
            Some(bytes) => {
                received.extend(&room[..bytes]);
                false
            }
            None => reader.at_eof(),
        })
        .await;
        assert_eq!(received, b"!");
        assert_eq!(reader.try_read(100).unwrap().unwrap(), "");
    });
}

#[test]
fn it_is_busy_while_a_task_reads_and_has_what_was_lent_and_not_taken() {
    run(async {
        let ((reader, _writer), mut theirs) = half_pair().await;
        let reader = Rc::new(reader);
        let waiting = {
            let reader = reader.clone();
            spawn(async move { reader.readline().await })
        };
        settle().await;
        assert!(matches!(reader.try_read(1), Err(ReadError::Busy)));
        assert!(matches!(reader.try_read_into(&mut [0]), Err(ReadError::Busy)));
        theirs.write_all(b"line\nrest").unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), "line\n");

        let mut reader = Rc::try_unwrap(reader).unwrap();
        while reader.fill_buf().await.unwrap().len() < 4 {}
        AsyncBufReadExt::consume(&mut reader, 1);
        assert_eq!(reader.try_read_into(&mut [0]).unwrap(), Some(1));
        assert_eq!(reader.try_read(100).unwrap().unwrap(), "st");
    });
}

#[test]
fn the_readers_callback_is_called_for_what_arrives_and_for_the_end() {
    run(async {
        let ((reader, _writer), mut theirs) = half_pair().await;
        let (calls, callback) = counter();
        reader.set_callback(callback).unwrap();
        while reader.try_read(100).unwrap().is_some() {}
        let before = calls.get();
        theirs.write_all(b"x").unwrap();
        until(|| calls.get() > before).await;
        assert_eq!(reader.try_read(100).unwrap().unwrap(), "x");
        assert_eq!(reader.try_read(100).unwrap(), None);
        let before = calls.get();
        drop(theirs);
        until(|| calls.get() > before).await;
        assert_eq!(reader.try_read(100).unwrap().unwrap(), "");
    });
}

#[test]
fn a_callback_that_is_removed_or_whose_connection_is_over_is_dropped() {
    run(async {
        let ((reader, writer), mut theirs) = half_pair().await;
        let (calls, callback) = counter();
        reader.set_callback(callback).unwrap();
        settle().await;
        assert_eq!(Rc::strong_count(&calls), 2);
        reader.set_callback(None).unwrap();
        assert_eq!(Rc::strong_count(&calls), 1);
        let before = calls.get();
        theirs.write_all(b"x").unwrap();
        settle().await;
        assert_eq!(calls.get(), before);

        let (calls, callback) = counter();
        reader.set_callback(callback).unwrap();
        writer.abort();
        assert_eq!(Rc::strong_count(&calls), 1);
        reader.set_callback(counter().1).unwrap();
        reader.set_callback(None).unwrap();
    });
}

#[test]
fn readers_of_anything_else_do_not_call_back() {
    let reader = StreamReader::new();
    let error = reader.set_callback(counter().1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    reader.set_callback(None).unwrap();
    let reader = StreamReader::from_async_read(Cursor::new("x"));
    assert_eq!(reader.set_callback(counter().1).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(reader.try_read(10).unwrap(), None);
}

#[test]
fn the_writers_callback_hears_of_a_full_buffer_of_room_and_of_the_end() {
    run(async {
        let ((_reader, writer), mut theirs) = half_pair().await;
        let (writer, log) = (Rc::new(writer), Rc::new(RefCell::new(Vec::new())));
        let (weak, states) = (Rc::downgrade(&writer), log.clone());
        let callback = move || {
            let writer = weak.upgrade().unwrap();
            states.borrow_mut().push((writer.is_full(), writer.is_closed()));
        };
        writer.set_callback(Some(Rc::new(callback))).unwrap();
        writer.write("small");
        assert!(log.borrow().is_empty() && !writer.is_full());
        writer.write(vec![b'x'; 12_000_000]);
        assert_eq!(log.take(), [(true, false)]);
        writer.write("more");
        assert!(log.borrow().is_empty() && !writer.is_closed());
        let closing = writer.clone();
        spawn(async move {
            closing.drain().await.unwrap();
            closing.close();
        })
        .detach();
        let count = move || std::io::copy(&mut theirs, &mut std::io::sink()).unwrap();
        let event_loop = ronde_loop::get_running_loop().unwrap();
        let received = event_loop.run_in_executor(None, count).unwrap();
        assert_eq!(received.await.unwrap(), 12_000_009);
        until(|| writer.is_closed()).await;
        assert_eq!(log.take(), [(false, false), (false, true)]);
        assert!(writer.exception().is_none());
    });
}

#[test]
fn marks_that_are_moved_are_news_and_so_is_a_failure() {
    run(async {
        let ((reader, writer), theirs) = half_pair().await;
        writer.write(vec![b'x'; 12_000_000]);
        let (calls, callback) = counter();
        writer.set_callback(callback).unwrap();
        assert_eq!(calls.get(), 0, "what holds already is not told");
        writer.set_write_buffer_limits(100_000_000, 100_000_000);
        assert_eq!((calls.get(), writer.is_full()), (1, false));
        writer.set_write_buffer_limits(10, 5);
        assert_eq!((calls.get(), writer.is_full()), (2, true));
        drop(theirs);
        until(|| writer.exception().is_some()).await;
        assert!(calls.get() > 2 && !writer.is_full());
        assert!(reader.try_read(10).is_err());
        let before = calls.get();
        writer.set_callback(None).unwrap();
        writer.abort();
        assert_eq!(calls.get(), before);
    });
}

#[test]
fn what_a_peer_sent_before_it_broke_off_is_there_right_after_the_failed_write() {
    run(async {
        let ((reader, writer), mut theirs) = half_pair().await;
        assert_eq!(reader.try_read(100).unwrap(), None);
        writer.write("never read");
        settle().await;
        theirs.write_all(b"no").unwrap();
        drop(theirs);
        while writer.exception().is_none() {
            writer.write("x");
        }
        assert_eq!(reader.try_read_into(&mut [0]).unwrap(), Some(1));
        assert_eq!(reader.try_read(100).unwrap().unwrap(), "o");
    });
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_reads_any_more_is_over_without_a_write() {
    use ronde_streams::StreamWriter;
    run(async {
        let (mut output, input) = std::io::pipe().unwrap();
        let writer = StreamWriter::from_pipe(input).unwrap();
        let (calls, callback) = counter();
        writer.set_callback(callback).unwrap();
        writer.write("x");
        output.read_exact(&mut [0]).unwrap();
        settle().await;
        assert!(!writer.is_closed());
        drop(output);
        until(|| writer.is_closed()).await;
        assert_eq!(calls.get(), 1);
        assert!(writer.exception().is_none());
    });
}

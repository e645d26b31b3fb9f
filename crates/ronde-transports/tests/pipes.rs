//! The transports of pipes, which have one direction.

#![cfg(unix)]

mod support;

use std::io::{ErrorKind, Read, Write};

use ronde_transports::{Transport, connect_read_pipe, connect_write_pipe};
use support::{Record, Recorder, pattern, poll_and_drop, run, settle, spawn, until};

struct Ends {
    reading: Transport,
    writing: Transport,
    read: Record,
    written: Record,
}

async fn pipe() -> Ends {
    let (output, input) = rustix::pipe::pipe().unwrap();
    let (read, written) = (Record::default(), Record::default());
    let recorder = Recorder(read.clone());
    let (reading, handle) = connect_read_pipe(|| recorder, output).await.unwrap();
    assert_eq!(handle.with(|recorder| recorder.0.log()), ["made"]);
    let recorder = Recorder(written.clone());
    let (writing, _) = connect_write_pipe(|| recorder, input).await.unwrap();
    assert_eq!(written.log(), ["made"]);
    Ends { reading, writing, read, written }
}

#[test]
fn much_goes_through_with_flow_control_and_closing_delivers() {
    run(async {
        let Ends { reading, writing, read, written } = pipe().await;
        reading.pause_reading();
        writing.set_write_buffer_limits(1000, 100).unwrap();
        writing.write(pattern(1_000_000));
        assert_eq!(written.log(), ["made"], "not called inside of write");
        until(|| written.count("pause") == 1).await;
        settle().await;
        assert_eq!(read.received_bytes(), 0);
        writing.close();
        assert!(writing.is_closing());
        reading.resume_reading();
        reading.wait_closed().await;
        writing.wait_closed().await;
        assert!(read.received() == pattern(1_000_000));
        assert_eq!(read.log(), ["made", "eof", "lost"]);
        assert_eq!(written.log().last().unwrap(), "lost");
    });
}

#[test]
fn the_end_closes_whatever_eof_received_says() {
    run(async {
        let Ends { reading, writing, read, written } = pipe().await;
        read.keep_open();
        assert!(writing.can_write_eof() && !reading.can_write_eof());
        writing.writelines(["a", "b"]);
        writing.write_eof();
        reading.wait_closed().await;
        writing.wait_closed().await;
        assert_eq!(read.received(), b"ab");
        assert_eq!(read.log(), ["made", "eof", "lost"]);
        assert_eq!(written.log(), ["made", "lost"]);
    });
}

#[test]
fn that_nobody_reads_any_more_is_noticed_without_a_write() {
    run(async {
        let Ends { reading, writing, read, written } = pipe().await;
        reading.close();
        assert!(!read.is_lost(), "not called inside of close");
        read.lost().await;
        writing.wait_closed().await;
        assert_eq!(read.log(), ["made", "lost"]);
        assert_eq!(written.log(), ["made", "lost"]);
    });
}

#[test]
fn what_nobody_reads_any_more_is_a_broken_pipe() {
    run(async {
        let Ends { reading, writing, written, .. } = pipe().await;
        reading.pause_reading();
        writing.write(vec![b'x'; 1_000_000]);
        settle().await;
        reading.abort();
        writing.wait_closed().await;
        assert_eq!(written.error().unwrap().kind(), ErrorKind::BrokenPipe);
        assert_eq!(written.log(), ["made", "pause", "lost with an error"]);
    });
}

#[test]
fn the_wrong_direction_is_of_no_effect() {
    run(async {
        let Ends { reading, writing, read, .. } = pipe().await;
        reading.write("dropped");
        reading.writelines(["dropped"]);
        reading.write_eof();
        reading.drain().await.unwrap();
        reading.set_write_buffer_limits(10, 5).unwrap();
        assert_eq!((reading.write_buffer_size(), reading.write_buffer_limits()), (0, (0, 0)));
        assert!(reading.peer_addr().is_none() && reading.tls().is_none());
        writing.pause_reading();
        writing.resume_reading();
        writing.write("kept");
        until(|| read.received() == b"kept").await;
        assert!(!reading.is_closing() && !writing.is_closing());
        assert!(format!("{reading:?}").starts_with("<Transport open"));
    });
}

#[test]
fn aborting_does_not_deliver() {
    run(async {
        let Ends { reading, writing, read, written } = pipe().await;
        reading.pause_reading();
        writing.write(vec![b'x'; 1_000_000]);
        settle().await;
        writing.abort();
        writing.wait_closed().await;
        assert_eq!(written.log(), ["made", "pause", "lost"]);
        reading.resume_reading();
        reading.wait_closed().await;
        assert!(read.received_bytes() < 1_000_000);
    });
}

#[test]
fn a_regular_file_is_refused_and_no_protocol_is_made() {
    run(async {
        let factory = || -> Recorder { panic!("there is nothing to make one for") };
        let file = tempfile::tempfile().unwrap();
        assert!(connect_read_pipe(factory, file.try_clone().unwrap()).await.is_err());
        assert!(connect_write_pipe(factory, file).await.is_err());
    });
}

#[test]
fn one_that_is_given_up_is_closed() {
    run(async {
        for is_cancelled in [false, true] {
            let (output, input) = std::io::pipe().unwrap();
            let reading = connect_read_pipe(|| Recorder(Record::default()), output);
            let (mut theirs, ours) = std::io::pipe().unwrap();
            let writing = connect_write_pipe(|| Recorder(Record::default()), ours);
            if is_cancelled {
                let reading = spawn(async move { reading.await.map(drop) });
                let writing = spawn(async move { writing.await.map(drop) });
                ronde_loop::yield_now().await;
                reading.cancel();
                writing.cancel();
                assert!(reading.await.unwrap_err().is_cancelled());
                assert!(writing.await.unwrap_err().is_cancelled());
            } else {
                assert!(poll_and_drop(Box::pin(reading)).await);
                assert!(poll_and_drop(Box::pin(writing)).await);
            }
            settle().await;
            assert_eq!((&input).write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
        }
    });
}

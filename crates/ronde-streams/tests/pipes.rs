//! Pipes, whose ends are readers and writers too.

#![cfg(unix)]

mod support;

use std::io::ErrorKind;

use ronde_streams::{LimitError, ReadError, StreamReader, StreamWriter};
use support::{run, settle, spawn};

fn pipe() -> (StreamReader, StreamWriter) {
    let (output, input) = rustix::pipe::pipe().unwrap();
    (StreamReader::from_pipe(output).unwrap(), StreamWriter::from_pipe(input).unwrap())
}

#[test]
fn much_goes_through_with_backpressure_and_write_eof_ends_it() {
    run(async {
        let (reader, writer) = pipe();
        let sending = spawn(async move {
            for _ in 0..1000 {
                writer.write([b'x'; 10_000]);
                writer.drain().await.unwrap();
            }
            writer.write_eof();
            writer.wait_closed().await.unwrap();
        });
        assert_eq!(reader.read_to_end().await.unwrap().len(), 10_000_000);
        sending.await.unwrap();
    });
}

#[test]
fn a_reader_waits_and_sees_the_end_when_the_writer_is_dropped() {
    run(async {
        let (reader, writer) = pipe();
        let reading = spawn(async move { reader.read_to_end().await.unwrap() });
        settle().await;
        writer.write("some");
        settle().await;
        assert!(!reading.done());
        drop(writer);
        assert_eq!(reading.await.unwrap(), "some");
    });
}

#[test]
fn a_pipe_that_nobody_reads_is_broken() {
    run(async {
        let (reader, writer) = pipe();
        writer.write(vec![b'x'; 1_000_000]);
        let draining = spawn(async move { writer.drain().await });
        settle().await;
        assert!(!draining.done());
        drop(reader);
        assert_eq!(draining.await.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_pipe_s_reader_has_the_limit_that_it_was_made_with() {
    run(async {
        let (output, input) = rustix::pipe::pipe().unwrap();
        let reader = StreamReader::from_pipe_with_limit(output, 4).unwrap();
        assert_eq!(reader.limit(), 4);
        let writer = StreamWriter::from_pipe(input).unwrap();
        writer.write("too long\n");
        assert!(matches!(reader.readline().await, Err(ReadError::LimitOverrun { limit: 4, .. })));

        let (output, _input) = rustix::pipe::pipe().unwrap();
        let error = StreamReader::from_pipe_with_limit(output, 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.get_ref().unwrap().is::<LimitError>(), "{error:?}");
    });
}

#[test]
fn a_file_is_no_pipe() {
    run(async {
        let error = StreamReader::from_pipe(tempfile::tempfile().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    });
}

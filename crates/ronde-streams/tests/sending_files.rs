//! Files sent over streams, between what is written before and after.
#![cfg(unix)]

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::error::Error as _;
use std::fs::File;
use std::future::{Future, IntoFuture};
use std::io::{self, ErrorKind, Write};
use std::rc::Rc;

use certificates::authority;
use ronde_loop::SendfileError;
use ronde_streams::{StreamReader, StreamWriter, open_connection, start_server};
use support::{pair, poll_and_drop, run, settle, spawn};

const SIZE: usize = 20_000_000;

fn content() -> Vec<u8> {
    (0..SIZE / 4).flat_map(|word| (word as u32).wrapping_mul(0x9e37_79b9).to_le_bytes()).collect()
}

fn file_with(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

fn kind(error: SendfileError) -> ErrorKind {
    io::Error::from(error).kind()
}

#[test]
fn a_file_comes_between_what_was_written_before_and_what_was_meanwhile() {
    let (expected, received, sent) = run(async {
        let data = content();
        let file = file_with(&data);
        let ((_, writer), (reader, _peer)) = pair().await;
        let writer = Rc::new(writer);
        writer.write("before ");
        writer.write("it ");
        let sending = spawn({
            let writer = writer.clone();
            async move { writer.sendfile(&file).fallback(!cfg!(target_os = "linux")).await }
        });
        settle().await;
        writer.write(" meanwhile");
        writer.writelines([" and", " more"]);
        assert_eq!(writer.write_buffer_size(), 19);
        // It is sent when the file is.
        writer.write_eof();
        let received = reader.read_to_end().await.unwrap();
        let sent = sending.await.unwrap().unwrap();
        let expected = [b"before it ", &data[..], b" meanwhile and more"].concat();
        (expected, received, sent)
    });
    assert_eq!(sent, SIZE as u64);
    assert!(received == expected, "the content differs");
}

#[test]
fn a_part_of_a_file_is_sent() {
    run(async {
        let file = file_with(b"0123456789");
        let ((_, writer), (reader, _peer)) = pair().await;
        assert_eq!(writer.sendfile(&file).offset(2).count(3).await.unwrap(), 3);
        assert_eq!(writer.sendfile(&file).offset(9).await.unwrap(), 1);
        assert_eq!(writer.sendfile(&file).count(0).await.unwrap(), 0);
        writer.write("!");
        writer.close();
        assert_eq!(reader.read_to_end().await.unwrap(), "2349!");
    });
}

#[test]
fn over_tls_the_file_is_read_and_written() {
    run(async {
        let data = content();
        let file = Rc::new(file_with(&data));
        let handler = async move |_: StreamReader, writer: StreamWriter| {
            let error = writer.sendfile(&file).fallback(false).await.unwrap_err();
            assert!(matches!(&error, SendfileError::NotAvailable(_)), "{error}");
            assert!(error.source().is_some());
            writer.write("before ");
            assert_eq!(writer.sendfile(&file).await.unwrap(), SIZE as u64);
            assert_eq!(writer.sendfile(&file).offset(4).count(4).await.unwrap(), 4);
            writer.write(" after");
        };
        let tls = authority().certify("localhost").server();
        let server = start_server(handler, "127.0.0.1", 0).tls(tls).await.unwrap();
        let port = server.local_addrs()[0].port();
        let client = open_connection("localhost", port).tls(authority().client());
        let (reader, _writer) = client.await.unwrap();
        let received = reader.read_to_end().await.unwrap();
        let expected = [b"before ", &data[..], &data[4..8], b" after"].concat();
        assert!(received == expected, "the content differs");
        server.close();
    });
}

#[test]
fn a_pipe_takes_a_file_as_well() {
    run(async {
        let (reader, writer) = io::pipe().unwrap();
        let reader = StreamReader::from_pipe(reader).unwrap();
        let writer = StreamWriter::from_pipe(writer).unwrap();
        let file = file_with(b"through a pipe");
        assert_eq!(writer.sendfile(&file).await.unwrap(), 14);
        drop(writer);
        assert_eq!(reader.read_to_end().await.unwrap(), "through a pipe");
    });
}

#[test]
fn closing_delivers_the_file_and_aborting_does_not() {
    run(async {
        let data = content();
        let file = Rc::new(file_with(&data));
        let send = |writer: &Rc<StreamWriter>| {
            let (writer, file) = (writer.clone(), file.clone());
            spawn(async move { writer.sendfile(&file).await })
        };
        let ((_r, writer), (reader, _peer)) = pair().await;
        let writer = Rc::new(writer);
        let sending = send(&writer);
        settle().await;
        writer.close();
        let received = reader.read_to_end().await.unwrap();
        assert!(received == data, "the content differs");
        assert_eq!(sending.await.unwrap().unwrap(), SIZE as u64);
        writer.wait_closed().await.unwrap();

        let ((_r, writer), (_reader, _peer)) = pair().await;
        let writer = Rc::new(writer);
        let sending = send(&writer);
        settle().await;
        writer.abort();
        // Nobody reads, and yet it ends.
        let error = sending.await.unwrap().unwrap_err();
        assert!(error.sent() < SIZE as u64);
        assert_eq!(kind(error), ErrorKind::NotConnected);
    });
}

#[test]
fn a_connection_that_is_closed_or_lost_takes_no_file() {
    run(async {
        let file = file_with(b"hello");
        let ((_r, writer), _peer) = pair().await;
        writer.close();
        assert_eq!(kind(writer.sendfile(&file).await.unwrap_err()), ErrorKind::NotConnected);

        let ((_r, writer), _peer) = pair().await;
        writer.write_eof();
        assert_eq!(kind(writer.sendfile(&file).await.unwrap_err()), ErrorKind::NotConnected);

        let data = content();
        let large = file_with(&data);
        let ((_r, writer), (reader, peer)) = pair().await;
        let ending = spawn(async move {
            settle().await;
            peer.abort();
            drop(reader);
        });
        let error = writer.sendfile(&large).await.unwrap_err();
        assert!(error.sent() < SIZE as u64);
        let reasons = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(reasons.contains(&kind(error)));
        ending.await.unwrap();
    });
}

#[test]
fn two_files_at_once_are_an_error_of_the_second() {
    run(async {
        let file = file_with(&content());
        let ((_r, writer), (reader, _peer)) = pair().await;
        let mut first = writer.sendfile(&file).into_future();
        settle_with(first.as_mut()).await;
        let error = writer.sendfile(&file).await.unwrap_err();
        assert_eq!(kind(error), ErrorKind::ResourceBusy);
        let received = spawn(receive(reader, SIZE));
        assert_eq!(first.await.unwrap(), SIZE as u64);
        assert_eq!(received.await.unwrap(), SIZE);
    });
}

/// Polls it once, which begins it.
async fn settle_with<F: Future + Unpin>(mut future: F) {
    let polled = std::future::poll_fn(|cx| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut future).poll(cx).is_ready())
    });
    assert!(!polled.await);
}

async fn receive(reader: StreamReader, size: usize) -> usize {
    let mut count = 0;
    while count < size {
        count += reader.read(1 << 16).await.unwrap().len();
    }
    count
}

#[test]
fn what_is_written_after_a_file_that_was_given_up_is_sent() {
    run(async {
        let file = Rc::new(file_with(&content()));
        let ((_r, writer), (reader, _peer)) = pair().await;
        let writer = Rc::new(writer);
        assert!(poll_and_drop(writer.sendfile(&file).into_future()).await);
        let task = spawn({
            let (writer, file) = (writer.clone(), file.clone());
            async move { writer.sendfile(&file).await.map(drop) }
        });
        settle().await;
        writer.write("after");
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        writer.close();
        let received = reader.read_to_end().await.unwrap();
        assert!(received.ends_with(b"after"));
        assert!(received.len() < 2 * SIZE);
    });
}

//! How a connection of TLS ends.

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::cell::RefCell;
use std::future::Future;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use certificates::authority;
use ronde_loop::{EventLoop, SimulatedClock, get_running_loop, yield_now};
use ronde_streams::{ConnectError, TlsError, TlsOptions, open_connection, start_server};
use support::{Halves, connect, run, run_on, settle, spawn};

const MUCH: usize = 8 * 1024 * 1024;

/// More than any socket's buffers take.
const TOO_MUCH: usize = 32 * 1024 * 1024;

/// Two ends of a TLS connection, the client's first. The client gives up closing after 20 s.
async fn pair() -> (Halves, Halves) {
    let accepted = Rc::new(RefCell::new(None));
    let handler = {
        let accepted = accepted.clone();
        async move |reader, writer| *accepted.borrow_mut() = Some((reader, writer))
    };
    let tls = authority().certify("localhost").server();
    let server = start_server(handler, "127.0.0.1", 0).tls(tls).await.unwrap();
    let limit = Duration::from_secs(20);
    let tls = authority().client().server_name("localhost");
    let client = connect(&server).tls(tls).tls_shutdown_timeout(limit).await.unwrap();
    while accepted.borrow().is_none() {
        yield_now().await;
    }
    server.close();
    (client, accepted.take().unwrap())
}

fn run_simulated<F: Future<Output = ()> + 'static>(test: F) {
    run_on(&EventLoop::builder().clock(SimulatedClock::new()).build().unwrap(), test);
}

#[test]
fn a_client_that_never_reads_delivers_what_it_wrote_though_it_was_sent_tickets() {
    run(async {
        let ((reader, writer), (their_reader, _their_writer)) = pair().await;
        writer.write(vec![b'x'; MUCH]);
        writer.close();
        drop((reader, writer));
        // The server takes its time, so that a reset would overtake the bytes.
        settle().await;
        let mut received = 0;
        loop {
            let bytes = their_reader.read(50_000).await.unwrap();
            if bytes.is_empty() {
                break;
            }
            received += bytes.len();
            yield_now().await;
        }
        assert_eq!(received, MUCH, "all of it, and a clean end");
    });
}

#[test]
fn a_peer_that_ends_as_well_ends_the_wait() {
    run(async {
        let ((_reader, writer), (their_reader, their_writer)) = pair().await;
        writer.write("goodbye");
        writer.close();
        assert!(writer.is_closing());
        let closing = spawn(async move { writer.wait_closed().await });
        settle().await;
        assert!(!closing.done(), "the peer has said nothing yet");
        assert_eq!(their_reader.read_to_end().await.unwrap(), "goodbye");
        their_writer.write("what nobody will read");
        their_writer.close();
        their_writer.wait_closed().await.unwrap();
        closing.await.unwrap().unwrap();
    });
}

#[test]
fn a_peer_that_does_not_end_is_waited_for_until_the_limit() {
    run_simulated(async {
        let ((_reader, writer), (their_reader, _their_writer)) = pair().await;
        let start = get_running_loop().unwrap().time();
        writer.write("goodbye");
        writer.close();
        writer.wait_closed().await.unwrap();
        let took = get_running_loop().unwrap().time() - start;
        assert_eq!(took, Duration::from_secs(20));
        assert_eq!(their_reader.read_to_end().await.unwrap(), "goodbye");
    });
}

#[test]
fn what_could_not_be_sent_until_the_limit_is_an_error() {
    run_simulated(async {
        let ((_reader, writer), _theirs) = pair().await;
        writer.write(vec![b'x'; TOO_MUCH]);
        writer.close();
        let error = writer.wait_closed().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let text = error.to_string();
        assert!(text.starts_with("closing TLS took longer than 20s: "), "{text}");
        assert!(text.ends_with(" bytes were not sent"), "{text}");
    });
}

#[test]
fn a_connection_that_outlives_its_loop_can_be_closed_and_dropped() {
    let loops = [EventLoop::new().unwrap(), EventLoop::new().unwrap()];
    for (event_loop, closes_first) in loops.into_iter().zip([true, false]) {
        let (ours, theirs) = run_on(&event_loop, pair());
        event_loop.close().unwrap();
        // There is no loop to limit the end, and nobody to wait for it.
        if closes_first {
            ours.1.close();
            assert!(ours.1.is_closing());
        }
        drop((ours, theirs));
    }
}

#[test]
fn an_abort_waits_for_nothing() {
    run(async {
        let ((_reader, writer), (their_reader, _their_writer)) = pair().await;
        writer.close();
        writer.abort();
        writer.wait_closed().await.unwrap();
        // The notification was sent before.
        assert!(their_reader.read_to_end().await.unwrap().is_empty());

        let ((_reader, writer), (their_reader, _their_writer)) = pair().await;
        writer.abort();
        assert!(their_reader.read_to_end().await.is_err(), "that is no clean end");
    });
}

#[test]
fn a_wait_for_the_end_that_is_cancelled_can_be_done_again() {
    run(async {
        let ((_reader, writer), theirs) = pair().await;
        let writer = Rc::new(writer);
        writer.close();
        let waiting = spawn({
            let writer = writer.clone();
            async move { writer.wait_closed().await }
        });
        settle().await;
        waiting.cancel();
        assert!(waiting.await.unwrap_err().is_cancelled());
        drop(theirs);
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn options_that_are_no_good_are_told_before_anybody_is_connected_to() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "nothing").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        for (file, expected) in [
            (
                folder.path().join("none.pem"),
                "reading certificates from FILE: No such file or directory",
            ),
            (empty, "there is no certificate in FILE"),
            (folder.path().to_owned(), "reading certificates from FILE: Is a directory"),
        ] {
            let tls = TlsOptions::new().cafile(&file);
            let error = open_connection("127.0.0.1", port).tls(tls).await.unwrap_err();
            assert!(matches!(&error, ConnectError::Tls { source: TlsError::Options { .. }, .. }));
            let expected = expected.replace("FILE", file.to_str().unwrap());
            assert_eq!(error.to_string(), format!("the TLS options for 127.0.0.1: {expected}"));
            assert_eq!(std::io::Error::from(error).kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn one_limit_covers_the_look_up_the_connection_and_the_handshake() {
    run_simulated(async {
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = mute.local_addr().unwrap().port();
        let limit = Duration::from_secs(3);
        let tls = authority().client();
        let connecting = open_connection("localhost", port).tls(tls).connect_timeout(limit);
        let error = connecting.await.unwrap_err();
        assert!(matches!(&error, ConnectError::Timeout { .. }));
        assert_eq!(
            error.to_string(),
            format!("connecting to localhost:{port} took longer than 3s")
        );
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::TimedOut);

        // One that is fast enough.
        let plain = open_connection("127.0.0.1", port).connect_timeout(limit);
        assert!(plain.await.is_ok());
    });
}

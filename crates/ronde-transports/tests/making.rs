//! Making a transport: when the protocol hears of it, and what happens if nothing comes of it.

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::cell::Cell;
use std::future::pending;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use certificates::authority;
use ronde_context::ContextVar;
use ronde_loop::{EventLoop, SimulatedClock};
use ronde_streams::{AddressFamily, ConnectError, TlsError};
use ronde_transports::{
    Buffered, BufferedProtocol, Protocol, Transport, connect_accepted_socket, create_connection,
};
use support::{End, Record, Recorder, Reports, poll_and_drop, run, run_on, settle, spawn, until};

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn socket_pair() -> (TcpStream, TcpStream) {
    let (listener, port) = listener();
    let ours = TcpStream::connect(("127.0.0.1", port)).unwrap();
    (ours, listener.accept().unwrap().0)
}

/// A factory that must not be called.
fn no_factory() -> Recorder {
    panic!("there is nothing to make a protocol for")
}

#[test]
fn a_refused_connection_is_an_error_and_no_protocol_is_made() {
    run(async {
        let (listener, port) = listener();
        drop(listener);
        let error = create_connection(no_factory, "127.0.0.1", port).await.unwrap_err();
        assert!(matches!(error, ConnectError::Connect { .. }), "{error}");
        let error = create_connection(no_factory, "no-such-host.invalid", 1).await.unwrap_err();
        assert!(matches!(error, ConnectError::Resolve { .. }), "{error}");
        #[cfg(unix)]
        {
            let connecting = ronde_transports::create_unix_connection(no_factory, "/no/such/path");
            assert!(matches!(connecting.await.unwrap_err(), ConnectError::Path { .. }));
        }
    });
}

#[test]
fn options_reach_the_connection() {
    run(async {
        let (listener, port) = listener();
        let record = Record::default();
        let recorder = Recorder(record.clone());
        let connecting = create_connection(|| recorder, "localhost", port)
            .family(AddressFamily::V4)
            .local_addr("127.0.0.2:0".parse().unwrap())
            .happy_eyeballs_delay(None)
            .interleave(0)
            .nodelay(false)
            .keep_alive(true)
            .connect_timeout(Duration::from_secs(30));
        let (transport, _) = connecting.await.unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer, transport.local_addr().unwrap());
        assert_eq!(peer.ip().to_string(), "127.0.0.2");
        assert_eq!(transport.peer_addr().unwrap().port(), port);
        transport
            .with_socket(|socket| {
                assert!(socket.keepalive().unwrap() && !socket.tcp_nodelay().unwrap());
            })
            .unwrap();
        assert!(transport.tls().is_none());
    });
}

#[test]
fn a_handshake_that_fails_is_an_error_and_no_protocol_is_made() {
    run(async {
        let (client, accepted) = socket_pair();
        let options = authority().certify("localhost").server();
        let accepting = spawn(async move {
            connect_accepted_socket(no_factory, accepted).accept_tls(options).await.map(drop)
        });
        let tls = authority().client().server_name("example.org");
        let error = connect_accepted_socket(no_factory, client).tls(tls).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
        let error = accepting.await.unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
    });
}

#[test]
fn a_handshake_has_a_limit_on_both_sides() {
    let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
    let test = async {
        let (client, accepted) = socket_pair();
        let options = authority().certify("localhost").server();
        let limit = Duration::from_secs(5);
        let error = connect_accepted_socket(no_factory, accepted)
            .accept_tls(options)
            .tls_handshake_timeout(limit)
            .tls_shutdown_timeout(limit)
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectError::HandshakeTimeout { limit: l, .. } if l == limit));
        drop(client);
        let (client, _accepted) = socket_pair();
        let tls = authority().client().server_name("localhost");
        let connecting = connect_accepted_socket(no_factory, client).tls(tls);
        let error = connecting.tls_handshake_timeout(limit).await.unwrap_err();
        assert!(matches!(error, ConnectError::HandshakeTimeout { limit: l, .. } if l == limit));
    };
    event_loop.run_until_complete(test).unwrap();
}

#[test]
fn one_that_is_given_up_leaves_no_connection_behind() {
    run(async {
        let record = Record::default();
        for is_cancelled in [false, true] {
            let (ours, mut theirs) = socket_pair();
            let recorder = Recorder(record.clone());
            let connecting = connect_accepted_socket(|| recorder, ours);
            if is_cancelled {
                let connecting = spawn(async move { connecting.await.map(drop) });
                // Two turns more, and it would be done.
                ronde_loop::yield_now().await;
                connecting.cancel();
                assert!(connecting.await.unwrap_err().is_cancelled());
            } else {
                assert!(poll_and_drop(connecting).await);
            }
            settle().await;
            // It may have been told of the beginning, and is told of the end then.
            assert!(matches!(&record.log()[..], [] | [_, _]), "{:?}", record.log());
            assert_eq!(record.is_lost(), !record.log().is_empty());
            assert_eq!(theirs.read(&mut [0]).unwrap(), 0, "it is closed");
        }
        let (_listener, port) = listener();
        assert!(poll_and_drop(create_connection(no_factory, "127.0.0.1", port)).await);
    });
}

#[test]
fn what_has_arrived_already_comes_after_connection_made() {
    run(async {
        let (ours, mut theirs) = socket_pair();
        theirs.write_all(b"early").unwrap();
        drop(theirs);
        let record = Record::default();
        let recorder = Recorder(record.clone());
        let (transport, handle) = connect_accepted_socket(|| recorder, ours).await.unwrap();
        assert_eq!(record.log()[0], "made");
        transport.wait_closed().await;
        assert_eq!(record.received(), b"early");
        assert_eq!(record.log(), ["made", "eof", "lost"]);
        handle.with(|recorder| assert_eq!(recorder.0.log().len(), 3));
    });
}

/// Does something in `connection_made`.
struct Beginner<F>(F, Record);

impl<F: FnMut(&Transport) + 'static> Protocol for Beginner<F> {
    fn connection_made(&mut self, transport: &Transport) {
        self.1.push("made");
        (self.0)(transport);
    }

    fn data_received(&mut self, data: &[u8]) {
        self.1.data(data);
    }

    fn connection_lost(&mut self, error: Option<std::io::Error>) {
        self.1.push(if error.is_some() { "lost with an error" } else { "lost" });
    }
}

#[test]
fn a_transport_can_be_used_in_connection_made() {
    run(async {
        let (ours, mut theirs) = socket_pair();
        let record = Record::default();
        let begin = |transport: &Transport| {
            transport.write("hello");
            transport.close();
        };
        let protocol = Beginner(begin, record.clone());
        let (transport, _) = connect_accepted_socket(|| protocol, ours).await.unwrap();
        transport.wait_closed().await;
        let mut received = String::new();
        theirs.read_to_string(&mut received).unwrap();
        assert_eq!(received, "hello");
        assert_eq!(record.log(), ["made", "lost"]);

        let (ours, mut theirs) = socket_pair();
        theirs.write_all(b"data").unwrap();
        let record = Record::default();
        let protocol = Beginner(Transport::pause_reading, record.clone());
        let (transport, _) = connect_accepted_socket(|| protocol, ours).await.unwrap();
        settle().await;
        assert_eq!(record.received_bytes(), 0, "it was paused from the beginning");
        transport.resume_reading();
        until(|| record.received() == b"data").await;
    });
}

#[test]
fn a_panic_in_connection_made_ends_the_connection() {
    run(async {
        let reports = Reports::collect();
        let (ours, mut theirs) = socket_pair();
        let record = Record::default();
        let protocol = Beginner(|_: &Transport| panic!("no luck"), record.clone());
        let (transport, _) = connect_accepted_socket(|| protocol, ours).await.unwrap();
        transport.wait_closed().await;
        assert_eq!(record.log(), ["made", "lost with an error"]);
        assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
        assert!(reports.take()[0].starts_with("a protocol has failed in `connection_made`"));
    });
}

#[test]
fn methods_run_in_the_context_in_which_the_transport_was_made() {
    static NAME: ContextVar<&'static str> = ContextVar::new("name");
    run(async {
        let (ours, mut theirs) = socket_pair();
        let seen: Rc<Cell<Option<&'static str>>> = Rc::default();
        let sink = seen.clone();
        NAME.set("the creator's");
        let record = Record::default();
        record.on_data(move |_, _| {
            sink.set(NAME.get());
            NAME.set("the protocol's");
        });
        let recorder = Recorder(record.clone());
        let _transport = connect_accepted_socket(|| recorder, ours).await.unwrap();
        NAME.set("another");
        for expected in ["the creator's", "the protocol's"] {
            theirs.write_all(b"x").unwrap();
            until(|| seen.get() == Some(expected)).await;
        }
        assert_eq!(NAME.get(), Some("another"));
    });
}

#[test]
fn methods_are_not_part_of_a_task() {
    run(async {
        let (ours, mut theirs) = socket_pair();
        let record = Record::default();
        record.on_data(|_, _| assert!(ronde_loop::current_task().is_none()));
        let recorder = Recorder(record.clone());
        let (transport, _) = connect_accepted_socket(|| recorder, ours).await.unwrap();
        theirs.write_all(b"x").unwrap();
        until(|| record.received_bytes() > 0).await;
        assert!(!transport.is_closing());
    });
}

/// Has no room for anything.
struct NoRoom(Record);

impl BufferedProtocol for NoRoom {
    fn get_buffer(&mut self, _size_hint: usize) -> &mut [u8] {
        &mut []
    }

    fn buffer_updated(&mut self, _bytes: usize) {
        unreachable!()
    }

    fn connection_lost(&mut self, error: Option<std::io::Error>) {
        self.0.push(error.unwrap().to_string());
    }
}

#[test]
fn an_empty_buffer_ends_the_connection() {
    run(async {
        let (ours, mut theirs) = socket_pair();
        theirs.write_all(b"x").unwrap();
        let record = Record::default();
        let protocol = NoRoom(record.clone());
        let (transport, _) = connect_accepted_socket(|| Buffered(protocol), ours).await.unwrap();
        transport.wait_closed().await;
        assert_eq!(record.log(), ["the protocol's `get_buffer` gave an empty buffer"]);
    });
}

#[test]
fn what_a_peer_sent_before_it_broke_off_is_delivered_after_a_failed_write() {
    run(async {
        let (ours, mut theirs) = socket_pair();
        let record = Record::default();
        let recorder = Recorder(record.clone());
        let (transport, _) = connect_accepted_socket(|| recorder, ours).await.unwrap();
        transport.write("a request that is never read");
        // The answer arrives, and then a reset, before the loop looks again.
        theirs.write_all(b"no, thank you").unwrap();
        drop(theirs);
        for _ in 0..3 {
            transport.write("more of it");
        }
        transport.wait_closed().await;
        assert_eq!(record.received(), b"no, thank you");
        let kind = record.error().map(|error| error.kind());
        assert!(
            matches!(kind, Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)),
            "{kind:?}"
        );
    });
}

#[test]
fn tls_that_is_cut_off_is_an_error() {
    run(async {
        let (client, accepted) = socket_pair();
        let (cut, options) =
            (accepted.try_clone().unwrap(), authority().certify("localhost").server());
        let (ours, theirs) = (Record::default(), Record::default());
        let recorder = Recorder(theirs.clone());
        let accepting = spawn(async move {
            connect_accepted_socket(|| recorder, accepted).accept_tls(options).await.map(drop)
        });
        let tls = authority().client().server_name("localhost");
        let recorder = Recorder(ours.clone());
        connect_accepted_socket(|| recorder, client).tls(tls).await.unwrap();
        accepting.await.unwrap().unwrap();
        let theirs = End::of(theirs).await;
        cut.shutdown(std::net::Shutdown::Write).unwrap();
        ours.lost().await;
        assert_eq!(ours.log(), ["made", "lost with an error"]);
        assert_eq!(ours.error().unwrap().kind(), ErrorKind::UnexpectedEof);
        theirs.transport.abort();
    });
}

#[test]
fn what_a_user_of_the_handle_brings_about_is_called_later() {
    run(async {
        let (ours, _theirs) = socket_pair();
        let record = Record::default();
        let recorder = Recorder(record.clone());
        let (transport, handle) = connect_accepted_socket(|| recorder, ours).await.unwrap();
        transport.set_write_buffer_limits(10, 0).unwrap();
        handle.with(|_| transport.write(vec![b'x'; 12_000_000]));
        assert_eq!(record.count("pause"), 0);
        until(|| record.count("pause") == 1).await;
        handle.with(|_| transport.abort());
        assert!(!record.is_lost());
        record.lost().await;
    });
}

#[test]
#[should_panic(expected = "`ProtocolHandle::with` while the protocol is in use")]
fn a_handle_is_of_no_use_inside_itself() {
    run(async {
        let (ours, _theirs) = socket_pair();
        let recorder = Recorder(Record::default());
        let (_transport, handle) = connect_accepted_socket(|| recorder, ours).await.unwrap();
        handle.with(|_| handle.with(|_| ()));
    });
}

#[test]
fn a_loop_that_runs_while_a_protocol_is_in_use_calls_it_later() {
    let event_loop = EventLoop::new().unwrap();
    let (ours, mut theirs) = socket_pair();
    let record = Record::default();
    let recorder = Recorder(record.clone());
    let making = async { connect_accepted_socket(|| recorder, ours).await };
    let (_transport, handle) = run_on(&event_loop, making).unwrap();
    handle.with(|_| {
        theirs.write_all(b"hello").unwrap();
        run_on(&event_loop, settle());
        assert_eq!(record.received_bytes(), 0);
    });
    let received = record.clone();
    run_on(&event_loop, async move { until(|| received.received() == b"hello").await });
}

#[test]
fn waiting_for_room_and_for_the_end_can_be_given_up() {
    run(async {
        let (ours, _theirs) = socket_pair();
        let recorder = Recorder(Record::default());
        let (transport, _) = connect_accepted_socket(|| recorder, ours).await.unwrap();
        transport.write(vec![b'x'; 12_000_000]);
        assert!(poll_and_drop(transport.drain()).await);
        assert!(poll_and_drop(transport.wait_closed()).await);
        let waiter = transport.clone();
        let waiting = spawn(async move {
            waiter.drain().await.unwrap();
            pending::<()>().await
        });
        let waiter = transport.clone();
        let second = spawn(async move { waiter.wait_closed().await });
        settle().await;
        for task in [waiting, second] {
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        assert!(!transport.is_closing());
        transport.abort();
    });
}

#[test]
fn tls_options_without_a_name_are_refused() {
    run(async {
        #[cfg(unix)]
        {
            let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            let connecting = connect_accepted_socket(no_factory, ours).tls(authority().client());
            let error = connecting.await.unwrap_err();
            assert!(matches!(error, ConnectError::Tls { source: TlsError::Options { .. }, .. }));
        }
    });
}

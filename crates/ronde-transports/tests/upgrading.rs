//! Changing to TLS on a transport that is in use.

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use certificates::authority;
use ronde_streams::{ConnectError, TlsError};
use ronde_transports::{Buffered, BufferedProtocol, Transport, connect_accepted_socket};
use support::{End, Record, Recorder, pattern, poll_and_drop, run, settle, spawn, until};

fn socket_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (ours, listener.accept().unwrap().0)
}

async fn end(socket: TcpStream) -> End {
    let record = Record::default();
    let recorder = Recorder(record.clone());
    connect_accepted_socket(|| recorder, socket).await.unwrap();
    End::of(record).await
}

async fn pair() -> (End, End) {
    let (ours, theirs) = socket_pair();
    (end(ours).await, end(theirs).await)
}

/// A server that changes to TLS when it is told to, and a client that does not wait for its answer.
#[test]
fn what_arrives_after_the_call_belongs_to_tls() {
    run(async {
        let (client, server) = pair().await;
        let options = authority().certify("localhost").server();
        let record = server.record.clone();
        server.record.on_data(move |transport, data| {
            if data == b"STARTTLS" {
                // The call alone decides where the bytes go, whenever it is awaited.
                let upgrade = transport.accept_tls(options.clone());
                transport.write("220");
                let record = record.clone();
                spawn(async move {
                    settle().await;
                    upgrade.await.unwrap();
                    record.push("over TLS");
                })
                .detach();
            }
        });
        client.transport.write("STARTTLS");
        until(|| client.record.received() == b"220").await;
        let tls = authority().client().server_name("localhost");
        client.transport.start_tls(tls).await.unwrap();
        client.transport.write("secret");
        until(|| server.record.received().ends_with(b"secret")).await;
        assert_eq!(server.record.received(), b"STARTTLSsecret");
        assert_eq!(server.record.log(), ["made", "over TLS"]);
        assert!(server.transport.tls().is_some());
        client.transport.close();
        server.record.lost().await;
        assert_eq!(server.record.log(), ["made", "over TLS", "eof", "lost"]);
    });
}

/// Takes so many bytes and no more.
struct Exactly {
    transport: Transport,
    bytes: Vec<u8>,
    filled: usize,
}

impl BufferedProtocol for Exactly {
    fn get_buffer(&mut self, _size_hint: usize) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    fn buffer_updated(&mut self, bytes: usize) {
        self.filled += bytes;
        if self.filled == self.bytes.len() {
            self.transport.pause_reading();
        }
    }
}

#[test]
fn what_was_written_before_goes_out_as_it_is() {
    run(async {
        let (client, server) = pair().await;
        let transport = server.transport.clone();
        let exactly = Exactly { transport, bytes: vec![0; 1000], filled: 0 };
        let exactly = server.transport.set_protocol(Buffered(exactly));
        client.transport.write(pattern(1000));
        let tls = authority().client().server_name("localhost");
        let upgrading = client.transport.start_tls(tls);
        let upgrading = spawn(async move { upgrading.await });
        until(|| exactly.with(|exactly| exactly.filled == 1000)).await;
        assert!(exactly.with(|exactly| exactly.bytes == pattern(1000)));

        server.transport.set_protocol(Recorder(server.record.clone()));
        let options = authority().certify("localhost").server();
        server.transport.accept_tls(options).await.unwrap();
        upgrading.await.unwrap().unwrap();
        client.transport.write("secret");
        settle().await;
        assert_eq!(server.record.received_bytes(), 0, "it is still paused");
        server.transport.resume_reading();
        until(|| server.record.received() == b"secret").await;
    });
}

#[test]
fn one_that_is_not_awaited_goes_on_reading() {
    run(async {
        let (client, server) = pair().await;
        let upgrade = server.transport.accept_tls(authority().certify("localhost").server());
        client.transport.write("plain");
        settle().await;
        assert_eq!(server.record.received_bytes(), 0);
        assert!(format!("{upgrade:?}").starts_with("UpgradeToTls"));
        drop(upgrade);
        until(|| server.record.received() == b"plain").await;
        assert!(server.transport.tls().is_none() && !server.transport.is_closing());
    });
}

#[test]
fn a_second_one_is_refused_and_changes_nothing() {
    run(async {
        let (client, server) = pair().await;
        let options = || authority().certify("localhost").server();
        let tls = || authority().client().server_name("localhost");
        let accepting = server.transport.accept_tls(options());
        let accepting = spawn(async move { accepting.await });
        let first = client.transport.start_tls(tls());
        let first = spawn(async move { first.await });
        ronde_loop::yield_now().await;
        let error = client.transport.start_tls(tls()).await.unwrap_err();
        assert!(
            matches!(
                error,
                ConnectError::Busy | ConnectError::Tls { source: TlsError::AlreadyStarted, .. }
            ),
            "{error}"
        );
        first.await.unwrap().unwrap();
        accepting.await.unwrap().unwrap();
        let error = client.transport.start_tls(tls()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls { source: TlsError::AlreadyStarted, .. }));
        server.transport.write("still here");
        until(|| client.record.received() == b"still here").await;
    });
}

#[test]
fn a_failed_handshake_loses_the_connection_and_says_why() {
    run(async {
        let (ours, mut theirs) = socket_pair();
        let server = end(ours).await;
        theirs.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let options = authority().certify("localhost").server();
        let error = server.transport.accept_tls(options).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
        server.record.lost().await;
        assert_eq!(server.record.log(), ["made", "lost with an error"]);
        assert_eq!(server.record.error().unwrap().kind(), ErrorKind::InvalidData);
    });
}

async fn upgrading(transport: &Transport) -> Result<(), ConnectError> {
    let tls = authority().client().server_name("localhost");
    transport.start_tls(tls).await
}

#[test]
fn a_handshake_that_is_given_up_closes_the_connection() {
    run(async {
        for is_cancelled in [false, true] {
            let (ours, mut theirs) = socket_pair();
            let client = end(ours).await;
            let transport = client.transport.clone();
            if is_cancelled {
                let upgrading = spawn(async move { upgrading(&transport).await });
                settle().await;
                upgrading.cancel();
                assert!(upgrading.await.unwrap_err().is_cancelled());
            } else {
                let upgrade = Box::pin(async move { upgrading(&transport).await });
                assert!(poll_and_drop(upgrade).await);
            }
            client.record.lost().await;
            assert!(theirs.read_to_end(&mut Vec::new()).is_ok());
        }
    });
}

#[test]
fn limits_apply() {
    run(async {
        let (ours, _theirs) = socket_pair();
        let client = end(ours).await;
        let limit = std::time::Duration::from_millis(1);
        let tls = authority().client().server_name("localhost");
        let upgrade =
            client.transport.start_tls(tls).handshake_timeout(limit).shutdown_timeout(limit);
        let error = upgrade.await.unwrap_err();
        assert!(matches!(error, ConnectError::HandshakeTimeout { limit: l, .. } if l == limit));
        client.record.lost().await;
        assert_eq!(client.record.log(), ["made", "lost with an error"]);
    });
}

#[cfg(unix)]
#[test]
fn pipes_do_not_speak_tls() {
    run(async {
        let (output, _input) = rustix::pipe::pipe().unwrap();
        let recorder = Recorder(Record::default());
        let reading = ronde_transports::connect_read_pipe(|| recorder, output).await;
        let (transport, _) = reading.unwrap();
        let error = upgrading(&transport).await.unwrap_err();
        assert!(matches!(error, ConnectError::Io { .. }), "{error}");
        assert!(!transport.is_closing());
    });
}

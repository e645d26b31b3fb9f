//! Changing to TLS on a connection that is in use.

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use certificates::authority;
use futures_lite::AsyncBufReadExt;
use ronde_loop::{EventLoop, JobHandle, SimulatedClock, get_running_loop};
use ronde_streams::rustls::pki_types::pem::PemObject;
use ronde_streams::rustls::pki_types::{CertificateDer, ServerName};
use ronde_streams::rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use ronde_streams::{ConnectError, ReadError, TlsError, TlsInfo};
use support::{half_pair, pair, run, run_on, settle, spawn};

fn client() -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority().pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(ronde_streams::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

/// A client on another thread that does not wait for the answer to its command: what TLS says first is in
/// the same segment.
fn hasty_client(mut socket: std::net::TcpStream) -> JobHandle<String> {
    let talk = move || {
        let mut tls = client();
        let mut first = b"STARTTLS\n".to_vec();
        tls.write_tls(&mut first).unwrap();
        assert!(first.len() > 100, "the greeting is in it");
        socket.write_all(&first).unwrap();
        let mut answer = [0; 4];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"220\n");
        let mut stream = Stream::new(&mut tls, &mut socket);
        stream.write_all(b"hello\n").unwrap();
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    };
    get_running_loop().unwrap().run_in_executor(None, talk).unwrap()
}

/// Waits until all that the client sent first has been received, and not only its command.
async fn received(reader: &mut ronde_streams::StreamReader) {
    loop {
        let buffered = AsyncBufReadExt::fill_buf(reader).await.unwrap().len();
        if buffered > 100 {
            return;
        }
    }
}

#[test]
fn what_a_client_says_too_early_belongs_to_tls() {
    run(async {
        let ((mut reader, writer), socket) = half_pair().await;
        let client = hasty_client(socket);
        received(&mut reader).await;
        assert_eq!(reader.readline().await.unwrap(), "STARTTLS\n");
        writer.write("220\n");
        writer.accept_tls(authority().certify("localhost").server()).await.unwrap();
        let line = reader.readline().await.unwrap();
        writer.write(line.to_ascii_uppercase());
        assert_eq!(client.await.unwrap(), "HELLO\n");
    });
}

#[test]
fn so_does_what_was_lent_to_an_async_buf_read_and_not_taken() {
    run(async {
        let ((mut reader, writer), socket) = half_pair().await;
        let client = hasty_client(socket);
        received(&mut reader).await;
        let mut line = String::new();
        AsyncBufReadExt::read_line(&mut reader, &mut line).await.unwrap();
        assert_eq!(line, "STARTTLS\n");
        assert!(AsyncBufReadExt::fill_buf(&mut reader).await.unwrap().len() > 100);
        writer.write("220\n");
        writer.accept_tls(authority().certify("localhost").server()).await.unwrap();
        line.clear();
        AsyncBufReadExt::read_line(&mut reader, &mut line).await.unwrap();
        writer.write(line.to_ascii_uppercase());
        assert_eq!(client.await.unwrap(), "HELLO\n");
    });
}

#[test]
fn what_is_said_early_in_plain_is_no_tls_to_a_server() {
    run(async {
        let ((reader, writer), mut socket) = half_pair().await;
        socket.write_all(b"STARTTLS\nMAIL FROM:<somebody@example.org>\n").unwrap();
        assert_eq!(reader.readline().await.unwrap(), "STARTTLS\n");
        let accepting = writer.accept_tls(authority().certify("localhost").server());
        let error = accepting.await.unwrap_err();
        assert!(matches!(&error, ConnectError::Tls { source: TlsError::NotTls(_), .. }), "{error}");
        assert!(writer.is_closing());
    });
}

#[test]
fn a_client_takes_nothing_that_was_said_in_plain_for_an_answer_over_tls() {
    run(async {
        let ((reader, writer), mut socket) = half_pair().await;
        socket.write_all(b"220 go ahead\n250 evil\n").unwrap();
        assert_eq!(reader.readline().await.unwrap(), "220 go ahead\n");
        let error = writer.start_tls(authority().client()).await.unwrap_err();
        assert!(matches!(
            &error,
            ConnectError::Tls { source: TlsError::EarlyPlaintext { bytes: 9 }, .. }
        ));
        assert_eq!(
            error.to_string(),
            "TLS with 127.0.0.1: 9 bytes that the peer sent before TLS began have not been read"
        );
        assert!(writer.is_closing());
        // It was told nothing about TLS.
        assert_eq!(socket.read(&mut [0; 10]).unwrap_or(0), 0);
    });
}

/// Both ends of a connection change to TLS.
async fn upgraded() -> (support::Halves, support::Halves) {
    let (ours, theirs) = pair().await;
    let accepting = spawn(async move {
        theirs.1.accept_tls(authority().certify("localhost").server()).await.unwrap();
        theirs
    });
    ours.1.start_tls(authority().client().server_name("localhost")).await.unwrap();
    (ours, accepting.await.unwrap())
}

#[test]
fn tls_can_begin_once_only() {
    run(async {
        let (ours, theirs) = upgraded().await;
        let tls = authority().client().server_name("localhost");
        for error in [
            ours.1.start_tls(tls).await.unwrap_err(),
            theirs.1.accept_tls(authority().certify("localhost").server()).await.unwrap_err(),
        ] {
            assert_eq!(
                error.to_string(),
                "TLS with 127.0.0.1: TLS is spoken on this connection already"
            );
        }
        ours.1.write("as before\n");
        assert_eq!(theirs.0.readline().await.unwrap(), "as before\n");
    });
}

#[test]
fn tls_cannot_begin_while_somebody_reads_nor_be_read_before_it_has_begun() {
    run(async {
        let ((reader, writer), (their_reader, their_writer)) = pair().await;
        let reader = Rc::new(reader);
        let reading = spawn({
            let reader = reader.clone();
            async move { reader.readline().await }
        });
        settle().await;
        let tls = authority().client().server_name("localhost");
        let error = writer.start_tls(tls.clone()).await.unwrap_err();
        assert!(matches!(&error, ConnectError::Busy), "{error}");
        assert!(error.to_string().starts_with("TLS can't begin while another task reads"));
        assert_eq!(io::Error::from(error).kind(), ErrorKind::ResourceBusy);
        their_writer.write("in plain\n");
        assert_eq!(reading.await.unwrap().unwrap(), "in plain\n", "it is as it was");

        let starting = spawn(async move { writer.start_tls(tls).await.map(|()| writer) });
        settle().await;
        assert!(matches!(reader.read(1).await, Err(ReadError::Busy)));
        their_writer.accept_tls(authority().certify("localhost").server()).await.unwrap();
        let writer = starting.await.unwrap().unwrap();
        writer.write("over TLS\n");
        assert_eq!(their_reader.readline().await.unwrap(), "over TLS\n");
    });
}

#[test]
fn an_upgrade_has_a_limit() {
    let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
    run_on(&event_loop, async {
        let limit = Duration::from_secs(7);
        let ((_reader, writer), _theirs) = half_pair().await;
        let tls = authority().client();
        let error = writer.start_tls(tls).handshake_timeout(limit).await.unwrap_err();
        assert_eq!(error.to_string(), "TLS with 127.0.0.1: the handshake did not end within 7s");
        assert!(writer.is_closing());
        let ((_reader, writer), _theirs) = half_pair().await;
        let tls = authority().certify("localhost").server();
        let error = writer.accept_tls(tls).handshake_timeout(limit).await.unwrap_err();
        assert!(matches!(error, ConnectError::HandshakeTimeout { .. }));
    });
}

#[test]
fn tls_cannot_begin_on_a_connection_that_is_over() {
    run(async {
        let ((_reader, writer), _theirs) = half_pair().await;
        writer.write_eof();
        let error = writer.start_tls(authority().client()).await.unwrap_err();
        let expected = "TLS with 127.0.0.1: the connection is closed, or its output has ended";
        assert_eq!(error.to_string(), expected);
    });
}

#[test]
fn options_that_are_no_good_are_told_before_tls_begins() {
    run(async {
        let ((_reader, writer), mut theirs) = half_pair().await;
        let tls = ronde_streams::TlsOptions::new().cafile("/no/such/file");
        let error = writer.start_tls(tls).await.unwrap_err();
        assert!(error.to_string().contains("certificates from /no/such/file: No such"), "{error}");
        assert_eq!(theirs.read(&mut [0; 10]).unwrap(), 0);
    });
}

async fn cancel_upgrade<F: Future + 'static>(upgrade: F)
where
    F::Output: 'static,
{
    let upgrade = spawn(upgrade);
    settle().await;
    assert!(!upgrade.done());
    upgrade.cancel();
    assert!(upgrade.await.is_err_and(|error| error.is_cancelled()));
}

#[test]
fn an_upgrade_that_is_cancelled_closes_the_connection_and_delivers_what_went_before() {
    run(async {
        for is_server in [false, true] {
            let ((_reader, writer), mut theirs) = half_pair().await;
            let writer = Rc::new(writer);
            writer.write("in plain");
            let upgraded = writer.clone();
            cancel_upgrade(async move {
                let server = authority().certify("localhost").server();
                match is_server {
                    true => upgraded.accept_tls(server).await.is_ok(),
                    false => upgraded.start_tls(authority().client()).await.is_ok(),
                }
            })
            .await;
            assert!(writer.is_closing());
            let mut received = Vec::new();
            theirs.read_to_end(&mut received).unwrap();
            assert!(received.starts_with(b"in plain"), "{received:?}");
        }
    });
}

#[test]
fn an_upgraded_connection_tells_what_was_agreed_on_and_half_closes() {
    run(async {
        let (ours, theirs) = upgraded().await;
        assert!(ours.1.tls().as_ref().and_then(TlsInfo::version).is_some());
        assert!(ours.1.can_write_eof());
        ours.1.write("question");
        ours.1.write_eof();
        assert_eq!(theirs.0.read_to_end().await.unwrap(), "question");
        theirs.1.write("answer");
        theirs.1.write_eof();
        assert_eq!(ours.0.read_to_end().await.unwrap(), "answer");
    });
}

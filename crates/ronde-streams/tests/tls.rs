//! TLS, between clients and servers of our own.

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::error::Error as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use certificates::{Authority, Pem, authority, self_signed, self_signed_for_years};
use ronde_loop::{EventLoop, SimulatedClock, timeout, yield_now};
use ronde_streams::rustls::ProtocolVersion;
use ronde_streams::{
    ConnectError, OpenConnection, ReadError, Server, StreamReader, StreamWriter, TlsError,
    TlsOptions, TlsServerOptions, from_socket, open_connection, start_server,
};
use support::{Halves, Reports, run, run_on, spawn};

const MUCH: usize = 8 * 1024 * 1024;

async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<(), ReadError> {
    loop {
        let bytes = reader.read(1 << 16).await?;
        if bytes.is_empty() {
            return Ok(());
        }
        writer.write(bytes);
        writer.drain().await?;
    }
}

async fn serve(tls: TlsServerOptions) -> Server {
    start_server(echo, "127.0.0.1", 0).tls(tls).await.unwrap()
}

async fn serve_localhost() -> Server {
    serve(authority().certify("localhost").server()).await
}

/// To `localhost`, for which the certificates are, though it listens on one address only.
fn connect(server: &Server, tls: TlsOptions) -> OpenConnection {
    open_connection("localhost", server.local_addrs()[0].port()).tls(tls)
}

async fn refusal(pem: Pem, tls: TlsOptions) -> TlsError {
    let reports = Reports::collect();
    let server = serve(pem.server()).await;
    let error = connect(&server, tls).await.unwrap_err();
    assert!(error.to_string().starts_with("TLS with localhost: "), "{error}");
    assert!(error.source().is_some());
    // The server goes on, and nothing was reported.
    server.close();
    server.wait_closed().await;
    assert!(reports.take().is_empty());
    let ConnectError::Tls { source, .. } = error else { panic!("{error}") };
    source
}

/// Two ends of a TLS connection, the client's first.
async fn pair() -> (Halves, Halves) {
    let send = Rc::new(std::cell::RefCell::new(None));
    let handler = {
        let send = send.clone();
        async move |reader, writer| *send.borrow_mut() = Some((reader, writer))
    };
    let tls = authority().certify("localhost").server();
    let server = start_server(handler, "127.0.0.1", 0).tls(tls).await.unwrap();
    let client = connect(&server, authority().client()).await.unwrap();
    loop {
        if let Some(halves) = send.borrow_mut().take() {
            server.close();
            return (client, halves);
        }
        yield_now().await;
    }
}

/// Accepts on a listener of the standard library's, without keeping the loop from running.
async fn accept(listener: &TcpListener) -> std::net::TcpStream {
    listener.set_nonblocking(true).unwrap();
    loop {
        match listener.accept() {
            Ok((socket, _)) => return socket,
            Err(_) => yield_now().await,
        }
    }
}

#[test]
fn what_is_said_arrives_and_both_sides_know_what_was_agreed_on() {
    run(async {
        let ((reader, writer), (their_reader, their_writer)) = pair().await;
        writer.write("hello\n");
        assert_eq!(their_reader.readline().await.unwrap(), "hello\n");
        their_writer.writelines(["good ", "day\n"]);
        assert_eq!(reader.readline().await.unwrap(), "good day\n");

        let (ours, theirs) = (writer.tls().unwrap(), their_writer.tls().unwrap());
        assert_eq!(ours.version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(ours.version(), theirs.version());
        assert!(ours.cipher_suite().is_some());
        assert_eq!(ours.cipher_suite(), theirs.cipher_suite());
        assert_eq!(ours.peer_certificates().len(), 1);
        assert!(theirs.peer_certificates().is_empty());
        assert_eq!((ours.alpn(), theirs.server_name()), (None, Some("localhost")));
        assert!(format!("{ours:?}").contains("TLSv1_3"));
    });
}

#[test]
fn much_goes_both_ways_at_once() {
    run(async {
        let server = serve_localhost().await;
        let (reader, writer) = connect(&server, authority().client()).await.unwrap();
        let sending = spawn(async move {
            let data: Vec<u8> = (0..MUCH).map(|index| (index % 251) as u8).collect();
            for chunk in data.chunks(100_000) {
                writer.write(chunk);
                writer.drain().await.unwrap();
            }
            writer.write_eof();
            writer
        });
        let received = reader.read_to_end().await.unwrap();
        assert_eq!(received.len(), MUCH);
        assert!(received.iter().enumerate().all(|(index, byte)| *byte == (index % 251) as u8));
        let writer = sending.await.unwrap();
        writer.close();
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn write_eof_ends_one_direction_only() {
    run(async {
        let ((reader, writer), (their_reader, their_writer)) = pair().await;
        assert!(writer.can_write_eof());
        writer.write("that's all");
        writer.write_eof();
        assert_eq!(their_reader.read_to_end().await.unwrap(), "that's all");
        assert!(their_reader.at_eof());
        their_writer.write("I see\n");
        assert_eq!(reader.readline().await.unwrap(), "I see\n");
        their_writer.close();
        assert_eq!(reader.read_to_end().await.unwrap(), "");
    });
}

#[test]
fn an_end_without_a_notification_is_an_error() {
    run(async {
        let ((reader, writer), (their_reader, their_writer)) = pair().await;
        their_writer.write("cut o");
        assert_eq!(reader.readexactly(5).await.unwrap(), "cut o");
        their_writer.abort();
        drop(their_reader);
        let error = reader.read(1).await.unwrap_err();
        assert!(matches!(&error, ReadError::Io(error) if error.kind() == ErrorKind::UnexpectedEof));
        assert!(error.to_string().contains("without a TLS close notification"), "{error}");
        assert!(writer.wait_closed().await.is_err());
    });
}

#[test]
fn alpn_chooses_a_protocol() {
    run(async {
        let tls = authority().certify("localhost").server().alpn(["http/1.1", "h2"]);
        let server = serve(tls).await;
        let client = authority().client().alpn(["h2", "http/1.1"]);
        let (_reader, writer) = connect(&server, client).await.unwrap();
        assert_eq!(writer.tls().unwrap().alpn(), Some(&b"http/1.1"[..]));

        let error = connect(&server, authority().client().alpn(["spdy"])).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "TLS with localhost: the peer refused: no application protocol in common"
        );
    });
}

#[test]
fn a_certificate_of_an_unknown_issuer_is_refused() {
    run(async {
        let other = Authority::new("somebody else").certify("localhost");
        let error = refusal(other, authority().client()).await;
        assert!(matches!(error, TlsError::UnknownIssuer(_)), "{error:?}");
        assert_eq!(error.to_string(), "the certificate is from an issuer that we don't know");
        // By default, the platform's roots.
        let error = refusal(authority().certify("localhost"), TlsOptions::new()).await;
        assert!(matches!(error, TlsError::UnknownIssuer(_)), "{error:?}");
    });
}

#[test]
fn a_self_signed_certificate_is_refused_unless_it_is_a_root() {
    run(async {
        for is_authority in [false, true] {
            let pem = self_signed(is_authority);
            let error = refusal(pem, authority().client()).await;
            assert!(matches!(error, TlsError::SelfSigned(_)), "{error:?}");
            assert_eq!(
                error.to_string(),
                "the certificate is self-signed, and not one of those that are trusted"
            );
        }
        for is_authority in [false, true] {
            let pem = self_signed(is_authority);
            let server = serve(pem.server()).await;
            let trusting = TlsOptions::new().root_certificates_pem(pem.chain);
            let (reader, writer) = connect(&server, trusting.clone()).await.unwrap();
            writer.write("hello");
            assert_eq!(reader.readexactly(5).await.unwrap(), "hello");
            // Its name must be right all the same.
            let error = connect(&server, trusting.server_name("example.org")).await.unwrap_err();
            assert!(
                matches!(&error, ConnectError::Tls { source: TlsError::WrongName(_), .. }),
                "{error}"
            );
        }
    });
}

#[test]
fn a_certificate_that_is_trusted_for_itself_must_be_in_its_time() {
    run(async {
        for (from, to) in [(1980, 1990), (3000, 3010)] {
            let pem = self_signed_for_years(from, to);
            let trusting = TlsOptions::new().root_certificates_pem(pem.chain.clone());
            let error = refusal(pem, trusting).await;
            assert!(matches!(error, TlsError::Expired(_) | TlsError::NotValidYet(_)), "{error:?}");
            assert_eq!(matches!(error, TlsError::Expired(_)), to < 2000);
        }
    });
}

#[test]
fn a_certificate_that_is_listed_itself_needs_nobody_who_vouches_for_it() {
    run(async {
        let pem = authority().certify("localhost");
        let server = serve(pem.server()).await;
        let trusting = TlsOptions::new().root_certificates_pem(pem.chain);
        connect(&server, trusting).await.unwrap();
        // Not so one of the same issuer that is not listed.
        let other = authority().certify("localhost");
        let trusting = TlsOptions::new().root_certificates_pem(other.chain);
        assert!(connect(&server, trusting).await.is_err());
    });
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    run(async {
        let error = refusal(authority().certify("example.org"), authority().client()).await;
        assert!(matches!(error, TlsError::WrongName(_)), "{error:?}");
        assert_eq!(
            error.to_string(),
            "the certificate is for another name: localhost was asked for, it is for example.org"
        );
        let server = serve(authority().certify("example.org").server()).await;
        connect(&server, authority().client().server_name("example.org")).await.unwrap();
    });
}

#[test]
fn a_certificate_for_an_address_will_do() {
    run(async {
        let server = serve(authority().certify("127.0.0.1").server()).await;
        let port = server.local_addrs()[0].port();
        open_connection("127.0.0.1", port).tls(authority().client()).await.unwrap();
    });
}

#[test]
fn a_certificate_out_of_its_time_is_refused() {
    run(async {
        let past = authority().certify_for_years("localhost", 1990, 2000);
        let error = refusal(past, authority().client()).await;
        assert!(matches!(error, TlsError::Expired(_)), "{error:?}");
        assert_eq!(error.to_string(), "the certificate has expired");
        let future = authority().certify_for_years("localhost", 3000, 3001);
        let error = refusal(future, authority().client()).await;
        assert!(matches!(error, TlsError::NotValidYet(_)), "{error:?}");
        assert_eq!(error.to_string(), "the certificate is not valid yet");
    });
}

#[test]
fn a_server_that_does_not_speak_tls_is_told_apart() {
    run(async {
        let plain = start_server(
            async |_reader, writer: StreamWriter| {
                writer.write("HTTP/1.1 400 Bad Request\r\n\r\n");
                _reader.read_to_end().await.map(drop).ok();
            },
            "127.0.0.1",
            0,
        );
        let plain = plain.await.unwrap();
        let error = connect(&plain, authority().client()).await.unwrap_err();
        assert_eq!(error.to_string(), "TLS with localhost: the peer does not speak TLS");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidData);

        let closing = start_server(async |_r, _w| {}, "127.0.0.1", 0).await.unwrap();
        let error = connect(&closing, authority().client()).await.unwrap_err();
        let ConnectError::Tls { source, .. } = &error else { panic!("{error}") };
        assert!(matches!(source, TlsError::ClosedByPeer | TlsError::Io(_)), "{source:?}");
    });
}

#[test]
fn a_client_that_does_not_speak_tls_is_told_so_and_disturbs_nobody() {
    run(async {
        let reports = Reports::collect();
        let server = serve_localhost().await;
        let (other, other_writer) = connect(&server, authority().client()).await.unwrap();
        let port = server.local_addrs()[0].port();
        let (reader, writer) = open_connection("127.0.0.1", port).await.unwrap();
        writer.write("GET / HTTP/1.1\r\n\r\n");
        let alert = reader.read_to_end().await.unwrap();
        // A record of type 21 is an alert, of level 2: fatal.
        assert_eq!((alert[0], alert[5]), (21, 2), "{alert:?}");

        other_writer.write("still here");
        assert_eq!(other.readexactly(10).await.unwrap(), "still here");
        assert_eq!(server.connections(), 1);
        assert!(reports.take().is_empty());
    });
}

#[test]
fn a_server_hears_why_a_client_refused_its_certificate() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = spawn(async move {
            open_connection("localhost", port).tls(TlsOptions::new()).await.map(drop)
        });
        // The client's side speaks first, and then sends an alert: both are seen on the wire.
        let socket = accept(&listener).await;
        let (reader, writer) = from_socket(socket).await.unwrap();
        let hello = reader.read(1 << 14).await.unwrap();
        assert_eq!(hello[0], 22, "a handshake record");
        writer.write("this is not TLS");
        let alert = reader.read(1 << 14).await.unwrap();
        assert_eq!((alert[0], alert[5]), (21, 2), "{alert:?}");
        assert!(client.await.unwrap().is_err());
    });
}

#[test]
fn a_handshake_that_takes_too_long_ends_the_connection() {
    let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
    run_on(&event_loop, async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let limit = Duration::from_secs(20);
        let connecting = open_connection("127.0.0.1", port).tls(authority().client());
        let error = connecting.tls_handshake_timeout(limit).await.unwrap_err();
        assert_eq!(error.to_string(), "TLS with 127.0.0.1: the handshake did not end within 20s");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::TimedOut);

        let tls = authority().certify("localhost").server();
        let server = start_server(echo, "127.0.0.1", 0).tls(tls).tls_handshake_timeout(limit);
        let server = server.await.unwrap();
        let mut client = std::net::TcpStream::connect(server.local_addrs()[0]).unwrap();
        ronde_loop::sleep(Duration::from_secs(10)).await;
        assert_eq!(server.connections(), 1);
        ronde_loop::sleep(Duration::from_secs(11)).await;
        assert_eq!(server.connections(), 0);
        assert_eq!(client.read(&mut [0; 10]).unwrap(), 0);
        client.write_all(b"x").ok();
    });
}

#[test]
fn a_handshake_can_be_given_up() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = spawn(async move {
            open_connection("127.0.0.1", port).tls(authority().client()).await.map(drop)
        });
        let (reader, _writer) = from_socket(accept(&listener).await).await.unwrap();
        // Its first message is there, and no answer.
        assert!(!reader.read(1).await.unwrap().is_empty());
        task.cancel();
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        reader.read_to_end().await.unwrap();
    });
}

#[test]
fn a_read_over_tls_that_is_given_up_loses_nothing() {
    run(async {
        let ((reader, _w), (_r, their_writer)) = pair().await;
        their_writer.write("half ");
        let limit = Duration::from_millis(20);
        assert!(timeout(limit, reader.readline()).await.is_err());
        their_writer.write("way\n");
        assert_eq!(reader.readline().await.unwrap(), "half way\n");
    });
}

#[test]
fn a_client_can_show_a_certificate_of_its_own() {
    use ronde_streams::rustls::pki_types::pem::PemObject;
    use ronde_streams::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use ronde_streams::rustls::server::WebPkiClientVerifier;
    use ronde_streams::rustls::{RootCertStore, ServerConfig, crypto::ring::default_provider};
    run(async {
        let provider = std::sync::Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority().pem.as_bytes()).unwrap()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build();
        let pem = authority().certify("localhost");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.unwrap())
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(pem.chain.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).unwrap(),
            )
            .unwrap();
        let handler = async |_reader: StreamReader, writer: StreamWriter| {
            let count = writer.tls().unwrap().peer_certificates().len();
            writer.write(count.to_string());
        };
        let tls = TlsServerOptions::from_config(config.into());
        let server = start_server(handler, "127.0.0.1", 0).tls(tls).await.unwrap();
        let me = authority().certify("me");
        let client = authority().client().identity_pem(me.chain, me.key);
        let (reader, _writer) = connect(&server, client).await.unwrap();
        assert_eq!(reader.read_to_end().await.unwrap(), "1");

        // In TLS 1.3 a client learns after the handshake that it should have shown one.
        let (reader, writer) = connect(&server, authority().client()).await.unwrap();
        let error = reader.read(1).await.unwrap_err();
        assert!(error.to_string().contains("it wants a certificate from us"), "{error}");
        assert!(writer.is_closing());
    });
}

#[test]
fn a_configuration_of_rustls_will_do() {
    use ronde_streams::rustls::pki_types::{CertificateDer, pem::PemObject};
    use ronde_streams::rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
    run(async {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority().pem.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(default_provider().into())
            .with_protocol_versions(&[&ronde_streams::rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = serve_localhost().await;
        let tls = TlsOptions::from_config(config.into());
        let (reader, writer) = connect(&server, tls).await.unwrap();
        assert_eq!(writer.tls().unwrap().version(), Some(ProtocolVersion::TLSv1_2));
        writer.write("hello");
        assert_eq!(reader.readexactly(5).await.unwrap(), "hello");
    });
}

#[test]
fn roots_can_come_from_a_file() {
    run(async {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(authority().pem.as_bytes()).unwrap();
        let server = serve_localhost().await;
        let tls = TlsOptions::new().cafile(file.path());
        for _ in 0..2 {
            connect(&server, tls.clone()).await.unwrap();
        }

        let error = connect(&server, TlsOptions::new().cafile("/no/such/file")).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(
            text,
            "the TLS options for localhost: reading certificates from /no/such/file: \
             No such file or directory"
        );
    });
}

#[test]
fn options_that_are_no_good_are_told_in_words() {
    run(async {
        let server = serve_localhost().await;
        for (tls, expected) in [
            (TlsOptions::new().root_certificates_pem("nothing"), "there is no certificate"),
            (
                authority().client().server_name("not a name"),
                "\"not a name\" can't be a server's name",
            ),
            (
                authority().client().identity_pem(authority().pem.clone(), "nothing"),
                "the private key can't be read",
            ),
        ] {
            let error = connect(&server, tls).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(matches!(&error, ConnectError::Tls { source: TlsError::Options { .. }, .. }));
        }
    });
    let (one, other) = (authority().certify("a"), authority().certify("b"));
    let error = TlsServerOptions::from_pem(&one.chain, &other.key).unwrap_err();
    assert!(error.to_string().starts_with("the certificate and its key: "), "{error}");
    assert!(TlsServerOptions::from_pem("", &other.key).is_err());
}

#[test]
fn a_connection_in_use_can_change_to_tls() {
    run(async {
        let handler = async |reader: StreamReader, writer: StreamWriter| {
            assert_eq!(reader.readline().await.unwrap(), "STARTTLS\n");
            writer.write("220 go ahead\n");
            let tls = authority().certify("localhost").server();
            if writer.accept_tls(tls).await.is_ok() {
                let line = reader.readline().await.unwrap();
                writer.write(line.to_ascii_uppercase());
            }
        };
        let server = start_server(handler, "127.0.0.1", 0).await.unwrap();
        let port = server.local_addrs()[0].port();
        let upgrade = async |tls: TlsOptions| {
            let (reader, writer) = open_connection("127.0.0.1", port).await.unwrap();
            writer.write("STARTTLS\n");
            assert_eq!(reader.readline().await.unwrap(), "220 go ahead\n");
            let outcome = writer.start_tls(tls).await;
            (reader, writer, outcome)
        };
        let (reader, writer, outcome) =
            upgrade(authority().client().server_name("localhost")).await;
        outcome.unwrap();
        assert!(writer.tls().is_some());
        writer.write("hello\n");
        assert_eq!(reader.read_to_end().await.unwrap(), "HELLO\n");

        let (_reader, writer, outcome) = upgrade(authority().client()).await;
        assert!(matches!(
            outcome.unwrap_err(),
            ConnectError::Tls { source: TlsError::WrongName(_), .. }
        ));
        assert!(writer.is_closing());
    });
}

#[test]
fn an_upgrade_that_is_given_up_closes_the_connection() {
    run(async {
        let ((_reader, writer), _theirs) = support::half_pair().await;
        let limit = Duration::from_millis(20);
        assert!(timeout(limit, writer.start_tls(authority().client())).await.is_err());
        assert!(writer.is_closing());
    });
}

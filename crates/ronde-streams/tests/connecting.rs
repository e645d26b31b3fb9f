//! Opening connections, and the ways in which that fails.

mod support;

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::net::TcpListener;

use ronde_streams::{AddressFamily, ConnectError, open_connection};
use support::{refusing, run};

#[test]
fn a_name_is_resolved_and_connected_to() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (_reader, writer) = open_connection("localhost", address.port()).await.unwrap();
        assert_eq!(writer.peer_addr(), Some(address));
        assert_eq!(writer.with_socket(|socket| socket.tcp_nodelay().unwrap()), Some(true));
    });
}

#[test]
fn every_attempt_is_in_the_error() {
    run(async {
        let (_refusing, port) = refusing();
        let error = open_connection("localhost", port).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("connecting to localhost:{port}: ")), "{text}");
        assert!(text.contains(&format!("127.0.0.1:{port}: Connection refused")), "{text}");
        assert!(!text.contains("os error"), "{text}");
        assert!(error.source().is_some());
        let ConnectError::Connect { host, attempts, .. } = &error else { panic!("{error:?}") };
        assert_eq!(host, "localhost");
        assert_eq!(attempts.len(), text.matches(&format!(":{port}: ")).count() - 1);
        assert!(attempts.iter().all(|(_, error)| error.kind() == ErrorKind::ConnectionRefused));
        assert_eq!(io::Error::from(error).kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_name_that_does_not_exist_is_told_apart() {
    run(async {
        let error = open_connection("no-such-host.invalid", 80).await.unwrap_err();
        assert!(
            matches!(&error, ConnectError::Resolve { host, .. } if host == "no-such-host.invalid")
        );
        assert!(error.to_string().starts_with("looking up no-such-host.invalid: "), "{error}");
        assert!(error.source().is_some());
    });
}

#[test]
fn a_sole_address_is_not_repeated_and_ipv6_is_in_brackets() {
    let attempts = vec![("[::1]:1".parse().unwrap(), ErrorKind::ConnectionRefused.into())];
    let error = ConnectError::Connect { host: "::1".into(), port: 1, attempts };
    assert_eq!(error.to_string(), "connecting to [::1]:1: connection refused");
}

#[test]
fn the_local_address_can_be_chosen() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let local = "127.0.0.1:0".parse().unwrap();
        let (_r, writer) = open_connection("127.0.0.1", port).local_addr(local).await.unwrap();
        assert_eq!(writer.local_addr().unwrap().ip(), local.ip());

        // An address that isn't ours.
        let local = "192.0.2.1:0".parse().unwrap();
        let error = open_connection("127.0.0.1", port).local_addr(local).await.unwrap_err();
        let ConnectError::Connect { attempts, .. } = &error else { panic!("{error:?}") };
        assert_eq!(attempts[0].1.kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn a_name_with_one_address_shows_it_and_an_address_is_shown_once() {
    run(async {
        let (_refusing, port) = refusing();
        let error = open_connection("127.0.0.1", port).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("connecting to 127.0.0.1:{port}: Connection refused")
        );
        let named = open_connection("localhost", port).family(AddressFamily::V4);
        assert_eq!(
            named.await.unwrap_err().to_string(),
            format!("connecting to localhost:{port}: 127.0.0.1:{port}: Connection refused")
        );
    });
}

#[test]
fn one_address_can_be_tried_after_the_other() {
    run(async {
        let (_refusing, port) = refusing();
        let connecting = open_connection("localhost", port).happy_eyeballs_delay(None);
        let error = connecting.interleave(0).await.unwrap_err();
        assert!(error.to_string().contains("Connection refused"), "{error}");
    });
}

#[test]
fn what_cannot_be_waited_for_is_refused() {
    run(async {
        let file = tempfile::tempfile().unwrap();
        let error = ronde_streams::from_socket(file).await.unwrap_err();
        assert!(
            matches!(&error, ConnectError::Io { source, .. } if source.kind() == ErrorKind::Unsupported)
        );
        assert!(error.to_string().starts_with("registering a socket with the event loop: "));
        assert_eq!(io::Error::from(error).kind(), ErrorKind::Unsupported);
    });
}

#[test]
fn errors_go_wherever_errors_go() {
    fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_an_error::<ConnectError>();
    is_an_error::<ronde_streams::ServeError>();
    is_an_error::<ronde_streams::ReadError>();
    is_an_error::<ronde_streams::TlsError>();
}

//! Unix sockets: their names, their files, and the ways in which they fail.

#![cfg(unix)]

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use certificates::authority;
use ronde_loop::{EventLoop, SimulatedClock};
use ronde_streams::{
    ConnectError, ReadError, ServeError, Server, StartServer, StreamReader, StreamWriter, TlsError,
    open_unix_connection, start_unix_server,
};
use support::{run, run_on};

async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<(), ReadError> {
    while let Some(line) = reader.lines().next().await {
        writer.write(line?);
    }
    Ok(())
}

async fn serve(path: impl Into<PathBuf>) -> Server {
    start_unix_server(echo, path).await.unwrap()
}

/// A folder, and a place for a socket in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    (folder, path)
}

async fn is_answered(path: &Path) -> bool {
    let Ok((reader, writer)) = open_unix_connection(path).await else { return false };
    writer.write("hello\n");
    reader.readline().await.unwrap() == "hello\n"
}

async fn refusal_of(path: impl Into<PathBuf>) -> (ErrorKind, String) {
    let path = path.into();
    let error = open_unix_connection(&path).await.unwrap_err();
    let text = error.to_string();
    assert!(std::error::Error::source(&error).is_some());
    let ConnectError::Path { path: named, source } = &error else { panic!("{error:?}") };
    assert_eq!(*named, path);
    let kind = source.kind();
    assert_eq!(io::Error::from(error).kind(), kind);
    (kind, text)
}

async fn refusal_to_serve(path: impl Into<PathBuf>) -> (ErrorKind, String) {
    let path = path.into();
    let error = start_unix_server(echo, &path).await.unwrap_err();
    let text = error.to_string();
    assert!(std::error::Error::source(&error).is_some());
    let ServeError::BindPath { path: named, source } = &error else { panic!("{error:?}") };
    assert_eq!(*named, path);
    let kind = source.kind();
    assert_eq!(io::Error::from(error).kind(), kind);
    (kind, text)
}

#[test]
fn both_sides_know_the_path_and_each_other() {
    run(async {
        let (_folder, path) = place();
        let seen = std::rc::Rc::new(std::cell::Cell::new(None));
        let handler = {
            let seen = seen.clone();
            async move |reader: StreamReader, writer: StreamWriter| {
                seen.set(Some((writer.local_path(), writer.peer_path())));
                writer.write(reader.readline().await.unwrap());
            }
        };
        let server = start_unix_server(handler, &path).limit(100).await.unwrap();
        let (reader, writer) = open_unix_connection(&path).limit(7).await.unwrap();
        assert_eq!(reader.limit(), 7);
        assert_eq!((writer.peer_path(), writer.local_path()), (Some(path.clone()), None));
        assert_eq!((writer.peer_addr(), writer.local_addr()), (None, None));
        assert!(server.local_addrs().is_empty() && server.is_serving());
        assert_eq!(server.local_paths(), std::slice::from_ref(&path));
        assert!(format!("{server:?}").contains(&format!("local_paths: [{path:?}]")), "{server:?}");
        #[cfg(target_os = "linux")]
        {
            let credentials = writer.peer_credentials().unwrap();
            assert_eq!(credentials.pid, std::process::id().cast_signed());
            assert_eq!(credentials.uid, rustix::process::getuid().as_raw());
        }
        writer.write("hello\n");
        assert_eq!(reader.read_to_end().await.unwrap(), "hello\n");
        assert_eq!(seen.take(), Some((Some(path), None)));
        writer.abort();
        assert_eq!(writer.peer_path(), None);
        server.close();
        assert!(server.local_paths().is_empty());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn credentials_are_for_unix_sockets() {
    run(async {
        let ((_reader, writer), _theirs) = support::half_pair().await;
        assert_eq!(writer.peer_credentials(), None);
        assert_eq!((writer.peer_path(), writer.local_path()), (None, None));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_begins_with_nul_is_abstract() {
    run(async {
        let name = format!("\0ronde-{}-{:p}", std::process::id(), &());
        let server = serve(&name).await;
        assert!(is_answered(Path::new(&name)).await);
        let (kind, text) = refusal_to_serve(&name).await;
        assert_eq!(kind, ErrorKind::AddrInUse, "an abstract name is not taken over");
        assert_eq!(text, format!("listening on @{}: Address already in use", &name[1..]));
        let (_reader, writer) = open_unix_connection(&name).await.unwrap();
        assert_eq!(writer.peer_path().unwrap(), Path::new(&name));
        server.close();
        let (kind, text) = refusal_of(&name).await;
        assert_eq!(kind, ErrorKind::ConnectionRefused);
        assert_eq!(text, format!("connecting to @{}: Connection refused", &name[1..]));
    });
}

#[test]
fn a_socket_that_was_left_behind_is_replaced() {
    run(async {
        let (_folder, path) = place();
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        assert_eq!(refusal_of(&path).await.0, ErrorKind::ConnectionRefused);
        let _server = serve(&path).await;
        assert!(is_answered(&path).await);
    });
}

#[test]
fn a_socket_that_somebody_listens_on_is_left_to_them() {
    run(async {
        let (_folder, path) = place();
        let first = serve(&path).await;
        let (kind, text) = refusal_to_serve(&path).await;
        assert_eq!(kind, ErrorKind::AddrInUse);
        assert_eq!(text, format!("listening on {}: Address already in use", path.display()));
        assert!(is_answered(&path).await);
        first.close();
        assert!(!path.exists());
        // Not only one of our own, and not only one that accepts.
        let silent = UnixListener::bind(&path).unwrap();
        assert_eq!(refusal_to_serve(&path).await.0, ErrorKind::AddrInUse);
        drop(silent);
        let _second = serve(&path).await;
        assert!(is_answered(&path).await);
    });
}

#[test]
fn the_file_of_a_successor_is_left_to_it_and_the_first_ones_connections_stay() {
    run(async {
        let (_folder, path) = place();
        let first = serve(&path).await;
        let (reader, writer) = open_unix_connection(&path).await.unwrap();
        writer.write("accepted\n");
        reader.readline().await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = serve(&path).await;
        first.close();
        assert!(path.exists(), "it is another file by now");
        assert!(is_answered(&path).await);
        writer.write("still\n");
        assert_eq!(reader.readline().await.unwrap(), "still\n");
        second.close();
        assert!(!path.exists());
    });
}

#[test]
fn a_file_that_is_no_socket_is_left_as_it_was() {
    run(async {
        let (folder, path) = place();
        std::fs::write(&path, "precious").unwrap();
        let (kind, text) = refusal_to_serve(&path).await;
        assert_eq!(kind, ErrorKind::AlreadyExists);
        let reason = "there is a file of that name, and it is not a socket";
        assert_eq!(text, format!("listening on {}: {reason}", path.display()));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        assert_eq!(refusal_to_serve(folder.path()).await.0, ErrorKind::AlreadyExists);
        assert_eq!(refusal_of(&path).await.0, ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_path_that_leads_nowhere_is_named() {
    run(async {
        let (folder, path) = place();
        let (kind, text) = refusal_of(&path).await;
        assert_eq!(kind, ErrorKind::NotFound);
        assert_eq!(text, format!("connecting to {}: No such file or directory", path.display()));
        let inside = folder.path().join("no/such/folder");
        let (kind, text) = refusal_to_serve(&inside).await;
        assert_eq!(kind, ErrorKind::NotFound);
        assert_eq!(text, format!("listening on {}: No such file or directory", inside.display()));
    });
}

#[test]
fn a_path_that_no_socket_can_have_is_told_in_words() {
    run(async {
        let long = "/tmp/".to_owned() + &"x".repeat(200);
        for (kind, text) in [refusal_of(&long).await, refusal_to_serve(&long).await] {
            assert_eq!(kind, ErrorKind::InvalidFilename);
            assert!(text.contains("the path has 205 bytes, which is more than"), "{text}");
        }
        for (path, expected) in [("", "the path is empty"), ("a\0b", "there is a NUL in the path")]
        {
            for (kind, text) in [refusal_of(path).await, refusal_to_serve(path).await] {
                assert_eq!(kind, ErrorKind::InvalidInput);
                assert!(text.ends_with(expected), "{text}");
            }
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_where_nobody_may_make_a_socket_is_named() {
    run(async {
        // Not even for the superuser.
        let (kind, text) = refusal_to_serve("/sys/ronde-socket").await;
        assert!(
            matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem),
            "{text}"
        );
        assert!(text.starts_with("listening on /sys/ronde-socket: "), "{text}");
    });
}

#[test]
fn the_file_is_removed_when_the_server_is_closed_or_the_loop() {
    let (_folder, path) = place();
    let end_of_loop = path.clone();
    run(async move {
        let server = serve(&path).await;
        assert!(std::fs::metadata(&path).unwrap().file_type().is_socket());
        server.close();
        assert!(!path.exists());
        // It may be gone already.
        let server = serve(&path).await;
        std::fs::remove_file(&path).unwrap();
        server.close();
        // Somebody may have put another file there.
        let server = serve(&path).await;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        server.close();
        assert!(path.exists());
        std::fs::remove_file(&path).unwrap();
        // Or nobody wants it removed.
        let server = start_unix_server(echo, &path).cleanup_socket(false).await.unwrap();
        server.close();
        assert!(path.exists());
        serve(&path).await;
    });
    assert!(!end_of_loop.exists());
}

#[test]
fn the_file_of_a_listener_that_was_handed_in_stays_unless_one_says_otherwise() {
    run(async {
        for cleanup in [None, Some(true)] {
            let (_folder, path) = place();
            let listener = UnixListener::bind(&path).unwrap();
            let mut starting = StartServer::from_listener(echo, listener);
            if let Some(cleanup) = cleanup {
                starting = starting.cleanup_socket(cleanup);
            }
            let server = starting.await.unwrap();
            assert!(is_answered(&path).await);
            server.close();
            assert_eq!(path.exists(), cleanup.is_none());
        }
    });
}

#[test]
fn a_server_that_does_not_serve_yet_refuses_until_it_does() {
    run(async {
        let (_folder, path) = place();
        let server = start_unix_server(echo, &path).start_serving(false).await.unwrap();
        assert!(!server.is_serving());
        assert_eq!(refusal_of(&path).await.0, ErrorKind::ConnectionRefused);
        server.start_serving().unwrap();
        server.start_serving().unwrap();
        assert!(server.is_serving() && is_answered(&path).await);
        server.close();

        let server = start_unix_server(echo, &path).start_serving(false).await.unwrap();
        server.close();
        assert!(!path.exists(), "it has its file from the start");
    });
}

#[test]
fn a_start_that_fails_leaves_no_file() {
    run(async {
        let (_folder, path) = place();
        assert!(start_unix_server(echo, &path).limit(0).await.is_err());
        assert!(!path.exists());
    });
}

#[test]
fn a_queue_that_stays_full_meets_the_limit() {
    let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
    run_on(&event_loop, async {
        let (_folder, path) = place();
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let _first = open_unix_connection(&path).await.unwrap();
        let limit = Duration::from_secs(30);
        let error = open_unix_connection(&path).connect_timeout(limit).await.unwrap_err();
        let expected = format!("connecting to {} took longer than 30s", path.display());
        assert_eq!(error.to_string(), expected);
        assert_eq!(io::Error::from(error).kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn tls_is_spoken_over_a_unix_socket_for_a_name() {
    run(async {
        let (_folder, path) = place();
        let tls = authority().certify("localhost").server();
        let server = start_unix_server(echo, &path).tls(tls).await.unwrap();
        let tls = authority().client();
        let named = open_unix_connection(&path).tls(tls.clone().server_name("localhost"));
        let (reader, writer) = named.await.unwrap();
        writer.write("hello\n");
        assert_eq!(reader.readline().await.unwrap(), "hello\n");
        writer.close();
        writer.wait_closed().await.unwrap();

        let error = open_unix_connection(&path).tls(tls).await.unwrap_err();
        assert!(matches!(&error, ConnectError::Tls { source: TlsError::Options { .. }, .. }));
        let expected = format!(
            "the TLS options for {}: nothing says which name the certificate must be for: give a \
             server name",
            path.display()
        );
        assert_eq!(error.to_string(), expected);
        server.close();
        server.wait_closed().await;
    });
}

#[test]
fn pythons_client_is_answered() {
    run(async {
        let (_folder, path) = place();
        let _server = serve(&path).await;
        let script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); \
                      s.sendall(b'hi\\n'); print(s.recv(9))";
        let path = path.to_str().unwrap().to_owned();
        let job = ronde_loop::get_running_loop().unwrap().run_in_executor(None, move || {
            let python = std::process::Command::new("python3").args(["-c", script, &path]).output();
            String::from_utf8(python.expect("this test needs python3").stdout).unwrap()
        });
        assert_eq!(job.unwrap().await.unwrap(), "b'hi\\n'\n");
    });
}

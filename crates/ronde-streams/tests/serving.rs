//! Servers: where they listen, what becomes of their connections, and how they end.

mod support;

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::rc::Rc;

use ronde_loop::{EventLoop, current_task, get_running_loop, yield_now};
use ronde_streams::{
    ServeError, StartServer, StreamReader, StreamWriter, open_connection, start_server,
};
use support::{Reports, connect, run, settle, spawn};

async fn echo(reader: StreamReader, writer: StreamWriter) {
    loop {
        let bytes = reader.read(1 << 16).await.unwrap();
        if bytes.is_empty() {
            return;
        }
        writer.write(bytes);
        writer.drain().await.unwrap();
    }
}

#[test]
fn each_connection_has_a_task_that_is_named_after_the_peer() {
    run(async {
        let name = Rc::new(RefCell::new(String::new()));
        let handler = {
            let name = name.clone();
            async move |_reader: StreamReader, _writer: StreamWriter| {
                *name.borrow_mut() = current_task().unwrap().name().to_string();
            }
        };
        let server = start_server(handler, "127.0.0.1", 0).await.unwrap();
        let (reader, writer) = connect(&server).await.unwrap();
        assert!(reader.read(1).await.unwrap().is_empty(), "closed at the handler's end");
        assert_eq!(*name.borrow(), format!("conn {}", writer.local_addr().unwrap()));
    });
}

#[test]
fn many_connections_at_once_are_all_served() {
    run(async {
        // All can wait in the system's queue, of which seven at a time are accepted.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = StartServer::from_listener(echo, listener).backlog(7).await.unwrap();
        let clients: Vec<_> = (0..100_u8)
            .map(|index| {
                let connecting = connect(&server);
                spawn(async move {
                    let (reader, writer) = connecting.await.unwrap();
                    writer.write([index; 1000]);
                    assert_eq!(reader.readexactly(1000).await.unwrap(), [index; 1000][..]);
                    (reader, writer)
                })
            })
            .collect();
        let mut open = Vec::new();
        for client in clients {
            open.push(client.await.unwrap());
        }
        assert_eq!(server.connections(), 100);
        drop(open);
        server.close();
        server.wait_closed().await;
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn failures_of_handlers_are_reported_and_close_their_connection_only() {
    run(async {
        let reports = Reports::collect();
        let handler = async |reader: StreamReader, writer: StreamWriter| -> Result<(), String> {
            loop {
                match &reader.readline().await.unwrap()[..] {
                    b"err\n" => return Err("sorry".into()),
                    b"panic\n" => panic!("alas"),
                    b"" => return Ok(()),
                    line => writer.write(line),
                }
            }
        };
        let server = start_server(handler, "127.0.0.1", 0).await.unwrap();
        let (other, other_writer) = connect(&server).await.unwrap();
        for (word, expected) in [("err", "Err"), ("panic", "alas")] {
            let (reader, writer) = connect(&server).await.unwrap();
            writer.write("before\n");
            writer.write(format!("{word}\n"));
            assert_eq!(reader.read_to_end().await.unwrap(), "before\n");
            settle().await;
            let reported = reports.take();
            assert_eq!(reported.len(), 1, "{reported:?}");
            assert!(
                reported[0].contains(expected) && reported[0].contains("conn 127.0.0.1:"),
                "{reported:?}"
            );
        }
        other_writer.write("still here\n");
        assert_eq!(other.readline().await.unwrap(), "still here\n");
    });
}

#[test]
fn an_address_in_use_is_named() {
    run(async {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = start_server(echo, "127.0.0.1", address.port()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("listening on {address}: Address already in use"));
        assert!(
            matches!(&error, ServeError::Bind { source, .. } if source.kind() == ErrorKind::AddrInUse)
        );
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::AddrInUse);

        let error = start_server(echo, "192.0.2.1", 0).await.unwrap_err();
        assert!(error.to_string().starts_with("listening on 192.0.2.1:0: "), "{error}");
        let error = start_server(echo, "no-such-host.invalid", 0).await.unwrap_err();
        assert!(error.to_string().starts_with("looking up no-such-host.invalid: "), "{error}");
    });
}

#[test]
fn all_addresses_of_a_name_get_the_same_port() {
    run(async {
        for host in ["", "localhost", "0.0.0.0"] {
            let server = start_server(echo, host, 0).await.unwrap();
            let addresses = server.local_addrs();
            assert!(!addresses.is_empty());
            for address in &addresses {
                assert_eq!(address.port(), addresses[0].port());
                let to = if address.is_ipv6() { "::1" } else { "127.0.0.1" };
                let (reader, writer) = open_connection(to, address.port()).await.unwrap();
                writer.write("hello");
                assert_eq!(reader.readexactly(5).await.unwrap(), "hello");
            }
            server.close();
        }
    });
}

#[test]
fn a_port_can_be_shared() {
    run(async {
        let first = start_server(echo, "127.0.0.1", 0).reuse_port(true).await.unwrap();
        let port = first.local_addrs()[0].port();
        let _second = start_server(echo, "127.0.0.1", port).reuse_port(true).await.unwrap();
        assert!(start_server(echo, "127.0.0.1", port).await.is_err());
    });
}

#[test]
fn a_port_can_be_used_again_at_once() {
    run(async {
        let server = start_server(async |_, _| {}, "127.0.0.1", 0).await.unwrap();
        let (reader, _writer) = connect(&server).await.unwrap();
        let port = server.local_addrs()[0].port();
        assert!(reader.read(1).await.unwrap().is_empty());
        server.close();
        // The server's side closed first, so its connection lingers.
        start_server(async |_, _| {}, "127.0.0.1", port).await.unwrap();
    });
}

#[cfg(unix)]
#[test]
fn a_unix_listener_will_do_too() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let server = StartServer::from_listener(echo, listener).await.unwrap();
        let socket = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let (reader, writer) = ronde_streams::from_socket(socket).await.unwrap();
        writer.write("hello");
        assert_eq!(reader.readexactly(5).await.unwrap(), "hello");
        assert_eq!((server.local_addrs(), server.connections()), (vec![], 1));
    });
}

#[test]
fn close_stops_listening_and_leaves_connections_open() {
    run(async {
        let server = start_server(echo, "127.0.0.1", 0).await.unwrap();
        let connecting = connect(&server);
        let (reader, writer) = connect(&server).await.unwrap();
        writer.write("1");
        reader.readexactly(1).await.unwrap();
        server.close();
        server.close();
        assert!(!server.is_serving());
        assert!(connecting.await.is_err());
        writer.write("2");
        assert_eq!(reader.readexactly(1).await.unwrap(), "2");
        writer.close();
        server.wait_closed().await;
    });
}

#[test]
fn clients_can_be_closed_and_aborted() {
    run(async {
        for abort in [false, true] {
            let server = start_server(echo, "127.0.0.1", 0).await.unwrap();
            let (reader, writer) = connect(&server).await.unwrap();
            writer.write("x");
            reader.readexactly(1).await.unwrap();
            assert_eq!(server.connections(), 1);
            server.close();
            if abort {
                server.abort_clients()
            } else {
                server.close_clients()
            }
            assert!(reader.read(1).await.unwrap().is_empty());
            server.wait_closed().await;
        }
    });
}

#[test]
fn a_connection_counts_until_its_handler_is_done_and_it_is_closed() {
    run(async {
        let kept = Rc::new(RefCell::new(None));
        let handler = {
            let kept = kept.clone();
            async move |reader, writer| *kept.borrow_mut() = Some((reader, writer))
        };
        let server = start_server(handler, "127.0.0.1", 0).await.unwrap();
        let _client = connect(&server).await.unwrap();
        while kept.borrow().is_none() {
            yield_now().await;
        }
        settle().await;
        assert_eq!(server.connections(), 1, "the handler is done, its connection is not");
        drop(kept.take());
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn serve_forever_is_for_one_task_and_ends_with_the_server() {
    run(async {
        let server = start_server(echo, "127.0.0.1", 0).await.unwrap();
        let serving = spawn({
            let server = server.clone();
            async move { server.serve_forever().await }
        });
        settle().await;
        let error = server.serve_forever().await.unwrap_err();
        assert!(matches!(error, ServeError::AlreadyServing));
        server.close();
        serving.await.unwrap().unwrap();
        let error = server.serve_forever().await.unwrap_err();
        assert_eq!(error.to_string(), "the server is closed");
    });
}

#[test]
fn a_server_serves_without_its_handle() {
    run(async {
        let connecting = connect(&start_server(echo, "127.0.0.1", 0).await.unwrap());
        let (reader, writer) = connecting.await.unwrap();
        writer.write("x");
        assert_eq!(reader.readexactly(1).await.unwrap(), "x");
    });
}

#[test]
fn a_client_that_is_gone_before_it_is_accepted_does_no_harm() {
    run(async {
        let server = start_server(echo, "127.0.0.1", 0).await.unwrap();
        for _ in 0..10 {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.connect(&server.local_addrs()[0].into()).unwrap();
            socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        }
        let reports = Reports::collect();
        let (reader, writer) = connect(&server).await.unwrap();
        writer.write("x");
        assert_eq!(reader.readexactly(1).await.unwrap(), "x");
        let others = reports.take();
        assert!(others.iter().all(|report| report.contains("ConnectionReset")), "{others:?}");
    });
}

#[test]
fn a_blocking_client_on_another_thread_is_served_by_one_loop() {
    let event_loop = EventLoop::new().unwrap();
    support::run_on(&event_loop, async {
        let server = start_server(echo, "127.0.0.1", 0).await.unwrap();
        let address = server.local_addrs()[0];
        let client = get_running_loop().unwrap().run_in_executor(None, move || {
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            let sent: Vec<u8> = (0..3_000_000_u32).map(|index| index as u8).collect();
            let mut writing = socket.try_clone().unwrap();
            let data = sent.clone();
            let writer = std::thread::spawn(move || {
                writing.write_all(&data).unwrap();
                writing.shutdown(std::net::Shutdown::Write).unwrap();
            });
            let mut received = Vec::new();
            socket.read_to_end(&mut received).unwrap();
            writer.join().unwrap();
            received == sent
        });
        assert!(client.unwrap().await.unwrap());
    });
}

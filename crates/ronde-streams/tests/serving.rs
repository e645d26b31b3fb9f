//! Servers: where they listen, what becomes of their connections, and how they end.

mod support;

use std::cell::RefCell;
use std::future::{Future, pending};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use ronde_context::catch_cancelled;
use ronde_loop::{EventLoop, SimulatedClock, current_task, get_running_loop, sleep, yield_now};
use ronde_streams::{
    AddressFamily, ServeError, Server, StartServer, StreamReader, StreamWriter, open_connection,
    start_server,
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

#[cfg(target_os = "linux")] // Elsewhere a machine need not have 127.0.0.2.
#[test]
fn a_server_may_listen_on_several_hosts() {
    run(async {
        // What is named twice is listened on once.
        let hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.1"];
        let server = start_server(echo, hosts, 0).await.unwrap();
        let addresses = server.local_addrs();
        assert_eq!(addresses.len(), 2, "{addresses:?}");
        assert_eq!(addresses[0].port(), addresses[1].port());
        for address in addresses {
            let host = address.ip().to_string();
            let (reader, writer) = open_connection(host, address.port()).await.unwrap();
            writer.write("hello");
            assert_eq!(reader.readexactly(5).await.unwrap(), "hello");
        }
        drop(start_server(echo, &hosts[..1], 0).await.unwrap());
        drop(start_server(echo, vec![String::from("127.0.0.1")], 0).await.unwrap());

        let error = start_server(echo, ["127.0.0.1", "no-such-host.invalid"], 0).await.unwrap_err();
        assert!(error.to_string().starts_with("looking up no-such-host.invalid: "), "{error}");
        let nowhere = start_server(echo, Vec::<String>::new(), 0).await.unwrap_err();
        assert_eq!(std::io::Error::from(nowhere).kind(), ErrorKind::AddrNotAvailable);
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

#[test]
fn a_server_binds_at_once_and_listens_when_it_is_told_to() {
    run(async {
        let starting = start_server(echo, "127.0.0.1", 0).start_serving(false);
        let server = starting.await.unwrap();
        assert!(!server.is_serving());
        assert!(connect(&server).await.is_err());
        // The address is taken all the same.
        let port = server.local_addrs()[0].port();
        assert_ne!(port, 0);
        server.start_serving().unwrap();
        assert!(server.is_serving());
        let (reader, writer) = connect(&server).await.unwrap();
        writer.write("x");
        assert_eq!(reader.readexactly(1).await.unwrap(), "x");

        server.close();
        assert!(matches!(server.start_serving(), Err(ServeError::Closed)));
        let idle = start_server(echo, "127.0.0.1", port).start_serving(false).await.unwrap();
        idle.close();
        assert!(idle.local_addrs().is_empty());
        idle.wait_closed().await;
    });
}

#[test]
fn serve_forever_and_a_scope_begin_to_serve() {
    run(async {
        let server = start_server(echo, "127.0.0.1", 0).start_serving(false).await.unwrap();
        let serving = spawn({
            let server = server.clone();
            async move { server.serve_forever().await }
        });
        settle().await;
        assert!(server.is_serving());
        server.close();
        serving.await.unwrap().unwrap();

        let server = start_server(echo, "127.0.0.1", 0).start_serving(false).await.unwrap();
        assert!(server.serve(async |server| server.is_serving()).await.unwrap());
        let error = server.serve(async |_| unreachable!()).await.unwrap_err();
        assert!(matches!(error, ServeError::Closed));
    });
}

#[test]
fn a_port_that_somebody_else_was_faster_to_listen_on_is_an_error_of_start_serving() {
    run(async {
        let late = start_server(echo, "127.0.0.1", 0).start_serving(false).await.unwrap();
        let port = late.local_addrs()[0].port();
        let _fast = start_server(echo, "127.0.0.1", port).await.unwrap();
        let error = late.start_serving().unwrap_err();
        assert_eq!(error.to_string(), "waiting for connections: Address already in use");
        assert!(!late.is_serving() && late.local_addrs().is_empty());
    });
}

#[test]
fn options_of_sockets_reach_the_sockets() {
    run(async {
        let sides = Rc::new(RefCell::new(Vec::new()));
        let look = |writer: &StreamWriter| {
            let options = |socket: socket2::SockRef<'_>| {
                (socket.keepalive().unwrap(), socket.tcp_nodelay().unwrap())
            };
            writer.with_socket(options).unwrap()
        };
        let handler = {
            let sides = sides.clone();
            async move |_: StreamReader, writer: StreamWriter| {
                sides.borrow_mut().push(look(&writer))
            }
        };
        for (keep_alive, nodelay) in [(false, true), (true, false)] {
            let starting = start_server(handler.clone(), "127.0.0.1", 0).backlog(3);
            let server = starting.keep_alive(keep_alive).nodelay(nodelay).await.unwrap();
            let connecting = connect(&server).keep_alive(keep_alive).nodelay(nodelay);
            let (reader, writer) = connecting.await.unwrap();
            assert_eq!(look(&writer), (keep_alive, nodelay));
            reader.read_to_end().await.unwrap();
            assert_eq!(sides.take(), [(keep_alive, nodelay)]);
            let mut count = 0;
            server.with_sockets(|socket| {
                assert!(socket.reuse_address().unwrap());
                count += 1;
            });
            assert_eq!(count, 1);
            assert!(server.get_loop().is_running());
            server.close();
            server.with_sockets(|_| panic!("it is closed"));
        }
        let server = start_server(echo, "127.0.0.1", 0).reuse_address(false).await.unwrap();
        server.with_sockets(|socket| assert!(!socket.reuse_address().unwrap()));
        // A socket that came from elsewhere gets the options as well.
        let socket = std::net::TcpStream::connect(server.local_addrs()[0]).unwrap();
        let (_reader, writer) = ronde_streams::from_socket(socket).keep_alive(true).await.unwrap();
        assert_eq!(look(&writer), (true, true));
    });
}

#[test]
fn one_family_can_be_chosen() {
    run(async {
        let starting = start_server(echo, "", 0).family(AddressFamily::V4);
        let server = starting.await.unwrap();
        assert!(server.local_addrs().iter().all(|address| address.is_ipv4()));
        let port = server.local_addrs()[0].port();
        let v4 = open_connection("localhost", port).family(AddressFamily::V4);
        let (_reader, writer) = v4.await.unwrap();
        assert!(writer.peer_addr().unwrap().is_ipv4());

        let error = start_server(echo, "127.0.0.1", 0).family(AddressFamily::V6).await.unwrap_err();
        assert!(error.to_string().contains("no address of the family"), "{error}");
        let v6 = open_connection("127.0.0.1", port).family(AddressFamily::V6);
        let error = v6.await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("connecting to 127.0.0.1:{port}: the host has no address that could be tried")
        );
    });
}

/// What a handler of [`patient`] has come to.
type Log = Rc<RefCell<Vec<&'static str>>>;

/// A server whose handlers answer lines, and say goodbye when they are cancelled.
async fn patient() -> (Server, Log) {
    let log = Log::default();
    let handler = {
        let log = log.clone();
        async move |reader: StreamReader, writer: StreamWriter| match catch_cancelled(
            reader.readline(),
        )
        .await
        {
            Ok(Ok(line)) => {
                writer.write(line);
                log.borrow_mut().push("answered");
            }
            Ok(Err(error)) => panic!("{error}"),
            Err(cancelled) => {
                sleep(Duration::from_secs(1)).await;
                writer.write("goodbye\n");
                log.borrow_mut().push(if cancelled.message().is_some() { "told" } else { "?" });
            }
        }
    };
    (start_server(handler, "127.0.0.1", 0).await.unwrap(), log)
}

async fn wait_accepted(server: &Server, count: usize) {
    while server.connections() < count {
        yield_now().await;
    }
}

fn run_simulated<F: Future<Output = ()> + 'static>(test: F) {
    let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
    support::run_on(&event_loop, test);
}

#[test]
fn a_shutdown_gives_time_and_then_cancels_and_waits_for_the_clean_up() {
    run_simulated(async {
        let (server, log) = patient().await;
        let (in_time, in_time_writer) = connect(&server).await.unwrap();
        let (late, _late_writer) = connect(&server).await.unwrap();
        wait_accepted(&server, 2).await;
        let shutting_down = spawn({
            let server = server.clone();
            async move { server.shutdown(Duration::from_secs(10)).await }
        });
        sleep(Duration::from_secs(9)).await;
        assert!(!server.is_serving() && server.connections() == 2 && log.borrow().is_empty());
        in_time_writer.write("last words\n");
        assert_eq!(in_time.read_to_end().await.unwrap(), "last words\n");
        assert_eq!(shutting_down.await.unwrap(), 1, "one was late");
        assert_eq!(*log.borrow(), ["answered", "told"]);
        assert_eq!(late.read_to_end().await.unwrap(), "goodbye\n");
        assert_eq!(server.connections(), 0);
        assert_eq!(server.shutdown(Duration::ZERO).await, 0);
    });
}

#[test]
fn a_shutdown_ends_connections_whose_handler_is_done_and_whose_peer_takes_nothing() {
    run_simulated(async {
        let handler =
            async |_: StreamReader, writer: StreamWriter| writer.write(vec![0; 50_000_000]);
        let server = start_server(handler, "127.0.0.1", 0).await.unwrap();
        let (_reader, _writer) = connect(&server).await.unwrap();
        wait_accepted(&server, 1).await;
        assert_eq!(server.shutdown(Duration::from_secs(5)).await, 1);
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn handlers_can_be_cancelled_and_nothing_is_reported() {
    run_simulated(async {
        let reports = Reports::collect();
        let (server, log) = patient().await;
        let (reader, _writer) = connect(&server).await.unwrap();
        wait_accepted(&server, 1).await;
        settle().await;
        server.cancel_handlers();
        assert_eq!(reader.read_to_end().await.unwrap(), "goodbye\n");
        assert!(server.is_serving(), "it goes on");
        settle().await;
        assert_eq!((server.connections(), log.take()), (0, vec!["told"]));
        server.cancel_handlers();
        assert!(reports.take().is_empty());
    });
}

#[test]
fn a_scope_closes_the_server_and_waits_however_its_body_ends() {
    run(async {
        let (server, log) = patient().await;
        let answer = server.serve(async |server| {
            let (reader, writer) = connect(server).await.unwrap();
            wait_accepted(server, 1).await;
            writer.write("hello\n");
            // The connection is left to the scope's end.
            spawn(async move {
                assert_eq!(reader.readline().await.unwrap(), "hello\n");
                drop(writer);
            })
            .detach();
            Err::<(), _>("a value like any other")
        });
        assert_eq!(answer.await.unwrap(), Err("a value like any other"));
        assert_eq!((server.is_serving(), server.connections()), (false, 0));
        assert_eq!(*log.borrow(), ["answered"]);

        let (server, log) = patient().await;
        let (reader, _writer) = connect(&server).await.unwrap();
        let panicking = spawn({
            let server = server.clone();
            async move {
                let body = async |server: &Server| {
                    wait_accepted(server, 1).await;
                    panic!("alas");
                };
                server.serve(body).await.unwrap()
            }
        });
        let error = panicking.await.unwrap_err();
        assert!(error.to_string().contains("alas"), "{error}");
        assert_eq!((server.is_serving(), server.connections()), (false, 0));
        assert_eq!(*log.borrow(), ["answered"], "its stream has ended");
        assert!(reader.read_to_end().await.unwrap().is_empty());
    });
}

#[test]
fn a_panic_while_the_sockets_are_looked_at_does_not_lose_them() {
    run(async {
        let starting = start_server(echo, "127.0.0.1", 0).start_serving(false);
        let server = starting.await.unwrap();
        let looked = AssertUnwindSafe(|| server.with_sockets(|_| panic!("alas")));
        assert!(catch_unwind(looked).is_err());
        assert_eq!(server.local_addrs().len(), 1);
        server.start_serving().unwrap();
        assert!(connect(&server).await.is_ok());
    });
}

#[test]
fn a_panic_of_a_scopes_body_goes_on_though_the_wait_for_clients_is_cancelled() {
    run(async {
        let handler = async |_reader, _writer| pending::<()>().await;
        let server = start_server(handler, "127.0.0.1", 0).await.unwrap();
        let _client = connect(&server).await.unwrap();
        let panicking = spawn({
            let server = server.clone();
            async move {
                let body = async |server: &Server| {
                    wait_accepted(server, 1).await;
                    panic!("alas");
                };
                server.serve(body).await.unwrap()
            }
        });
        while server.is_serving() {
            yield_now().await;
        }
        settle().await;
        panicking.cancel();
        let error = panicking.await.unwrap_err();
        assert!(error.to_string().contains("alas"), "{error}");
    });
}

#[test]
fn closing_clients_delivers_what_was_written_and_aborting_them_does_not() {
    const MUCH: usize = 32 << 20;
    run(async {
        for abort in [false, true] {
            let handler = async |reader: StreamReader, writer: StreamWriter| {
                writer.write(vec![b'x'; MUCH]);
                reader.read_to_end().await.map(drop)
            };
            let server = start_server(handler, "127.0.0.1", 0).await.unwrap();
            let (reader, _writer) = connect(&server).await.unwrap();
            wait_accepted(&server, 1).await;
            settle().await;
            server.close();
            if abort {
                server.abort_clients();
                server.wait_closed().await;
                assert!(reader.read_to_end().await.is_ok_and(|all| all.len() < MUCH));
            } else {
                server.close_clients();
                assert_eq!(reader.read_to_end().await.unwrap().len(), MUCH);
                server.wait_closed().await;
            }
        }
    });
}

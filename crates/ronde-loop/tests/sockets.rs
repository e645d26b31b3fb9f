//! Operations on sockets: `sock_recv`, `sock_sendall` and their kin.
#![cfg(unix)]

mod common;

use std::cell::Cell;
use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use common::turn;
use ronde_loop::socket2::{Domain, SockAddr, SockRef, Socket, Type};
use ronde_loop::{EventLoop, LoopHandle, Source, get_running_loop, sleep, yield_now};

fn run<T: 'static>(main: impl AsyncFnOnce(LoopHandle) -> T + 'static) -> T {
    let event_loop = EventLoop::new().unwrap();
    event_loop.run_until_complete(async { main(get_running_loop().unwrap()).await }).unwrap()
}

/// Two connected TCP sockets: one on the loop, the other in the test's hands.
fn tcp_pair(event_loop: &LoopHandle) -> (Source, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (event_loop.register(ours).unwrap(), listener.accept().unwrap().0)
}

fn unix_pair(event_loop: &LoopHandle) -> (Source, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (event_loop.register(ours).unwrap(), theirs)
}

fn udp(event_loop: &LoopHandle) -> (Source, std::net::SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (event_loop.register(socket).unwrap(), address)
}

/// Polls once, expects the future to be pending, and drops it.
fn drop_while_pending<F: Future>(future: F) {
    let mut future = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[test]
fn what_a_peer_sends_is_received_and_then_the_end() {
    run(async |event_loop| {
        for _ in 0..2 {
            let (ours, mut theirs) = tcp_pair(&event_loop);
            theirs.write_all(b"hello").unwrap();
            assert_eq!(event_loop.sock_recv(&ours, 3).await.unwrap(), b"hel");
            assert_eq!(event_loop.sock_recv(&ours, 1024).await.unwrap(), b"lo");
            drop(theirs);
            assert_eq!(event_loop.sock_recv(&ours, 1024).await.unwrap(), b"");
            assert_eq!(event_loop.sock_recv(&ours, 1024).await.unwrap(), b"");
        }
    });
}

#[test]
fn receiving_waits_for_what_comes_later() {
    run(async |event_loop| {
        let (ours, mut theirs) = tcp_pair(&event_loop);
        for round in 0..3_u8 {
            let sender = event_loop.call_later(Duration::from_millis(1), {
                let mut theirs = theirs.try_clone().unwrap();
                move || theirs.write_all(&[round; 10]).unwrap()
            });
            assert_eq!(event_loop.sock_recv(&ours, 1024).await.unwrap(), [round; 10]);
            assert!(!sender.cancelled());
        }
        theirs.write_all(b"into a buffer").unwrap();
        let mut buffer = [0; 64];
        let received = event_loop.sock_recv_into(&ours, &mut buffer).await.unwrap();
        assert_eq!(&buffer[..received], b"into a buffer");
    });
}

#[test]
fn asking_for_nothing_gives_nothing() {
    run(async |event_loop| {
        let (ours, mut theirs) = unix_pair(&event_loop);
        theirs.write_all(b"hello").unwrap();
        assert_eq!(event_loop.sock_recv(&ours, 0).await.unwrap(), b"");
        assert_eq!(event_loop.sock_recv_into(&ours, &mut []).await.unwrap(), 0);
        event_loop.sock_sendall(&ours, b"").await.unwrap();
        assert_eq!(event_loop.sock_recv(&ours, 9).await.unwrap(), b"hello");
    });
}

#[test]
fn a_very_large_request_is_served_with_what_is_there() {
    run(async |event_loop| {
        let (ours, mut theirs) = unix_pair(&event_loop);
        theirs.write_all(b"little").unwrap();
        assert_eq!(event_loop.sock_recv(&ours, usize::MAX).await.unwrap(), b"little");
    });
}

#[test]
fn a_reset_is_an_error() {
    run(async |event_loop| {
        let (ours, theirs) = tcp_pair(&event_loop);
        SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
        drop(theirs);
        let error = event_loop.sock_recv(&ours, 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn all_is_sent_to_a_peer_that_reads_slowly() {
    run(async |event_loop| {
        let (tcp, over_tcp) = tcp_pair(&event_loop);
        let (unix, over_unix) = unix_pair(&event_loop);
        let pairs: [(Source, Box<dyn Read + Send>); 2] =
            [(tcp, Box::new(over_tcp)), (unix, Box::new(over_unix))];
        for (ours, mut theirs) in pairs {
            let data: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
            let reader = std::thread::spawn(move || {
                let mut received = Vec::new();
                theirs.read_to_end(&mut received).unwrap();
                received
            });
            event_loop.sock_sendall(&ours, &data).await.unwrap();
            SockRef::from(&ours).shutdown(Shutdown::Write).unwrap();
            assert!(reader.join().unwrap() == data);
        }
    });
}

#[test]
fn an_error_tells_how_much_was_sent() {
    run(async |event_loop| {
        let (ours, theirs) = unix_pair(&event_loop);
        event_loop.call_later(Duration::from_millis(1), move || drop(theirs));
        let data = vec![0; 5_000_000];
        let error = event_loop.sock_sendall(&ours, &data).await.unwrap_err();
        assert!(error.sent > 0 && error.sent < data.len(), "{error}");
        assert_eq!(error.size, data.len());
        let expected = format!("sending 5000000 bytes, of which {} were sent: ", error.sent);
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn datagrams_are_received_one_by_one_with_their_senders() {
    run(async |event_loop| {
        let (server, server_address) = udp(&event_loop);
        let (client, client_address) = udp(&event_loop);
        // The first is short, which must not hide that there are more.
        for text in ["one", "", "three"] {
            let sent = event_loop.sock_sendto(&client, text.as_bytes(), server_address).await;
            assert_eq!(sent.unwrap(), text.len());
        }
        for text in ["one", "", "three"] {
            let (data, sender) = event_loop.sock_recvfrom(&server, 1024).await.unwrap();
            assert_eq!(data, text.as_bytes());
            assert_eq!(sender.as_socket(), Some(client_address));
        }
        // The same through `sock_recv`, which serves streams as well.
        for text in ["one", "two"] {
            event_loop.sock_sendto(&client, text.as_bytes(), server_address).await.unwrap();
        }
        assert_eq!(event_loop.sock_recv(&server, 1024).await.unwrap(), b"one");
        assert_eq!(event_loop.sock_recv(&server, 1024).await.unwrap(), b"two");
    });
}

#[test]
fn a_datagram_that_is_too_long_is_cut_and_one_that_can_not_be_sent_is_an_error() {
    run(async |event_loop| {
        let (socket, address) = udp(&event_loop);
        event_loop.sock_sendto(&socket, b"0123456789", address).await.unwrap();
        event_loop.sock_sendto(&socket, b"next", address).await.unwrap();
        assert_eq!(event_loop.sock_recvfrom(&socket, 3).await.unwrap().0, b"012");
        assert_eq!(event_loop.sock_recvfrom(&socket, 0).await.unwrap().0, b"");

        let error = event_loop.sock_sendto(&socket, &[0; 70_000], address).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MSGSIZE.raw_os_error()));
    });
}

#[test]
fn that_nobody_listens_is_told_to_a_connected_udp_socket() {
    run(async |event_loop| {
        let (socket, _) = udp(&event_loop);
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        event_loop.sock_connect(&socket, nobody).await.unwrap();
        event_loop.sock_sendall(&socket, b"hello?").await.unwrap();
        let error = event_loop.sock_recv(&socket, 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn unix_datagrams_have_senders_with_paths_names_or_neither() {
    run(async |event_loop| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server");
        let server = event_loop.register(UnixDatagram::bind(&path).unwrap()).unwrap();

        let named = directory.path().join("client");
        let client = UnixDatagram::bind(&named).unwrap();
        client.send_to(b"named", &path).unwrap();
        let (data, sender) = event_loop.sock_recvfrom(&server, 100).await.unwrap();
        assert_eq!((&data[..], sender.as_pathname()), (&b"named"[..], Some(&*named)));
        // The address is good for an answer.
        event_loop.sock_sendto(&server, b"answer", sender).await.unwrap();
        let mut answer = [0; 10];
        assert_eq!(client.recv(&mut answer).unwrap(), 6);

        UnixDatagram::unbound().unwrap().send_to(b"unnamed", &path).unwrap();
        let mut buffer = [0; 100];
        let (count, sender) = event_loop.sock_recvfrom_into(&server, &mut buffer).await.unwrap();
        assert_eq!((&buffer[..count], sender.is_unnamed()), (&b"unnamed"[..], true));

        #[cfg(target_os = "linux")]
        {
            let name = format!("\0ronde-{}", std::process::id());
            let client = Socket::new(Domain::UNIX, Type::DGRAM, None).unwrap();
            client.bind(&SockAddr::unix(&name).unwrap()).unwrap();
            client.send_to(b"abstract", &SockAddr::unix(&path).unwrap()).unwrap();
            let (_, sender) = event_loop.sock_recvfrom(&server, 100).await.unwrap();
            assert_eq!(sender.as_abstract_namespace(), Some(&name.as_bytes()[1..]));
        }
    });
}

#[test]
fn a_socket_connects_and_the_listener_accepts() {
    run(async |event_loop| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listener = event_loop.register(listener).unwrap();
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let client = event_loop.register(client).unwrap();
        event_loop.sock_connect(&client, address).await.unwrap();

        let (connection, peer) = event_loop.sock_accept(&listener).await.unwrap();
        assert_eq!(peer, SockRef::from(&client).local_addr().unwrap());
        // It waits, as a socket of the standard library does.
        assert!(
            !rustix::fs::fcntl_getfl(&connection).unwrap().contains(rustix::fs::OFlags::NONBLOCK)
        );
        let connection = event_loop.register(connection).unwrap();
        event_loop.sock_sendall(&connection, b"welcome").await.unwrap();
        assert_eq!(event_loop.sock_recv(&client, 100).await.unwrap(), b"welcome");

        // Once more, to the same address: it is there. To another: it isn't.
        event_loop.sock_connect(&client, address).await.unwrap();
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = event_loop.sock_connect(&client, elsewhere).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::ISCONN.raw_os_error()));
    });
}

#[test]
fn nobody_there_is_an_error() {
    run(async |event_loop| {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let socket = event_loop.register(socket).unwrap();
        let error = event_loop.sock_connect(&socket, nobody).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

        let directory = tempfile::tempdir().unwrap();
        let nowhere = SockAddr::unix(directory.path().join("nothing")).unwrap();
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let socket = event_loop.register(socket).unwrap();
        let error = event_loop.sock_connect(&socket, nowhere).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn connecting_waits_for_a_place_in_the_queue_of_a_unix_socket() {
    run(async |event_loop| {
        let directory = tempfile::tempdir().unwrap();
        let address = SockAddr::unix(directory.path().join("socket")).unwrap();
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&address).unwrap();
        listener.listen(1).unwrap();
        let mut waiting = Vec::new();
        loop {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            if socket.connect(&address).is_err() {
                break;
            }
            waiting.push(socket);
        }
        let late = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let late = event_loop.register(late).unwrap();
        let accepting = event_loop.call_later(Duration::from_millis(3), move || {
            drop(listener.accept().unwrap());
            std::mem::forget(listener);
        });
        event_loop.sock_connect(&late, address).await.unwrap();
        assert!(accepting.when() <= event_loop.time());
    });
}

#[test]
fn a_connect_that_was_given_up_can_be_taken_up_again() {
    run(async |event_loop| {
        // The queue holds two: the third is answered only when there is a place again.
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut clients = Vec::new();
        let late = loop {
            let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let client = event_loop.register(client).unwrap();
            let mut connecting = Box::pin(event_loop.sock_connect(&client, address.clone()));
            let limit = ronde_loop::timeout(Duration::from_millis(50), connecting.as_mut()).await;
            drop(connecting);
            match limit {
                Ok(connected) => connected.unwrap(),
                Err(_) => break client,
            }
            clients.push(client);
        };
        drop_while_pending(event_loop.sock_connect(&late, address.clone()));
        let task = event_loop.create_task({
            let event_loop = event_loop.clone();
            async move {
                event_loop.sock_connect(&late, address).await.unwrap();
                late
            }
        });
        yield_now().await;
        for _ in 0..clients.len() {
            listener.accept().unwrap();
        }
        // The system tries again after a second.
        let late = task.await.unwrap();
        assert!(SockRef::from(&late).peer_addr().is_ok());
    });
}

#[test]
fn what_is_dropped_while_it_waits_has_taken_nothing() {
    run(async |event_loop| {
        let (ours, mut theirs) = tcp_pair(&event_loop);
        let mut buffer = [0; 10];
        drop_while_pending(event_loop.sock_recv(&ours, 10));
        drop_while_pending(event_loop.sock_recv_into(&ours, &mut buffer));
        theirs.write_all(b"whole").unwrap();
        assert_eq!(event_loop.sock_recv(&ours, 10).await.unwrap(), b"whole");

        let (socket, address) = udp(&event_loop);
        drop_while_pending(event_loop.sock_recvfrom(&socket, 10));
        drop_while_pending(event_loop.sock_recvfrom_into(&socket, &mut buffer));
        event_loop.sock_sendto(&socket, b"whole", address).await.unwrap();
        assert_eq!(event_loop.sock_recvfrom(&socket, 10).await.unwrap().0, b"whole");

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listener = event_loop.register(listener).unwrap();
        drop_while_pending(event_loop.sock_accept(&listener));
        let client = TcpStream::connect(address).unwrap();
        let (_, peer) = event_loop.sock_accept(&listener).await.unwrap();
        assert_eq!(peer.as_socket().unwrap(), client.local_addr().unwrap());

        // A full socket takes nothing of what is dropped.
        let (ours, mut theirs) = unix_pair(&event_loop);
        let mut sent = 0;
        let filled = ronde_loop::timeout(Duration::from_millis(20), async {
            loop {
                sent += event_loop.sock_send(&ours, &[7; 1000]).await.unwrap();
            }
        });
        assert!(filled.await.is_err());
        drop_while_pending(event_loop.sock_send(&ours, &[8; 1000]));
        drop_while_pending(event_loop.sock_sendall(&ours, &[8; 1000]));
        drop(ours);
        let mut received = Vec::new();
        theirs.read_to_end(&mut received).unwrap();
        assert_eq!(received.len(), sent);
        assert!(received.iter().all(|byte| *byte == 7));

        // The same for datagrams.
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("full");
        let server = UnixDatagram::bind(&path).unwrap();
        let address = SockAddr::unix(&path).unwrap();
        drop((ours, theirs));
        let client = event_loop.register(UnixDatagram::unbound().unwrap()).unwrap();
        let mut count = 0;
        let filled = ronde_loop::timeout(Duration::from_millis(20), async {
            loop {
                event_loop.sock_sendto(&client, b"7", address.clone()).await.unwrap();
                count += 1;
            }
        });
        assert!(filled.await.is_err());
        drop_while_pending(event_loop.sock_sendto(&client, b"8", address));
        server.set_nonblocking(true).unwrap();
        let mut byte = [0];
        for _ in 0..count {
            server.recv(&mut byte).unwrap();
            assert_eq!(&byte, b"7");
        }
        assert_eq!(server.recv(&mut byte).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_task_that_is_cancelled_has_taken_nothing() {
    let event_loop = EventLoop::new().unwrap();
    let handle = event_loop.handle();
    let (ours, mut theirs) = tcp_pair(&handle);
    let ours = Rc::new(ours);
    let receive = || {
        let (handle, ours) = (handle.clone(), ours.clone());
        async move { handle.sock_recv(&ours, 10).await.unwrap() }
    };
    let task = event_loop.create_task(receive());
    turn(&event_loop);
    assert_eq!(format!("{:?}", task.waiting_for().unwrap()), "a socket to be readable");
    // The data is there before the cancellation is delivered.
    theirs.write_all(b"whole").unwrap();
    task.cancel();
    turn(&event_loop);
    turn(&event_loop);
    assert!(task.cancelled());
    assert_eq!(event_loop.run_until_complete(receive()).unwrap(), b"whole");
}

#[test]
fn a_peer_that_always_has_more_does_not_keep_the_loop_for_itself() {
    run(async |event_loop| {
        let (ours, mut theirs) = unix_pair(&event_loop);
        theirs.write_all(&[1; 1000]).unwrap();
        let others = Rc::new(Cell::new(0));
        let counter = others.clone();
        event_loop
            .create_task(async move {
                loop {
                    counter.set(counter.get() + 1);
                    yield_now().await;
                }
            })
            .detach();
        let before = others.get();
        for _ in 0..1000 {
            event_loop.sock_recv(&ours, 1).await.unwrap();
        }
        assert!(others.get() - before >= 1000 / 32 - 1, "{}", others.get());
    });
}

#[test]
fn a_socket_of_another_loop_is_refused() {
    let other = EventLoop::new().unwrap();
    let (ours, _theirs) = unix_pair(&other);
    run(async move |event_loop| {
        let refused = |error: io::Error| {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), "the socket is registered with another event loop");
        };
        let address = SockAddr::unix("/tmp/any").unwrap();
        refused(event_loop.sock_recv(&ours, 1).await.unwrap_err());
        refused(event_loop.sock_recv_into(&ours, &mut [0]).await.unwrap_err());
        refused(event_loop.sock_recvfrom(&ours, 1).await.unwrap_err());
        refused(event_loop.sock_recvfrom_into(&ours, &mut [0]).await.unwrap_err());
        refused(event_loop.sock_send(&ours, b"1").await.unwrap_err());
        refused(event_loop.sock_sendall(&ours, b"1").await.unwrap_err().source);
        refused(event_loop.sock_sendto(&ours, b"1", address.clone()).await.unwrap_err());
        refused(event_loop.sock_connect(&ours, address).await.unwrap_err());
        refused(event_loop.sock_accept(&ours).await.unwrap_err());
    });
}

#[test]
fn debug_mode_refuses_a_blocking_socket() {
    let event_loop = EventLoop::builder().debug(true).build().unwrap();
    let handle = event_loop.handle();
    event_loop
        .run_until_complete(async move {
            let (ours, mut theirs) = unix_pair(&handle);
            theirs.write_all(b"hello").unwrap();
            SockRef::from(&ours).set_nonblocking(false).unwrap();
            let error = handle.sock_recv(&ours, 10).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().starts_with("the socket must be non-blocking"), "{error}");
            SockRef::from(&ours).set_nonblocking(true).unwrap();
            assert_eq!(handle.sock_recv(&ours, 10).await.unwrap(), b"hello");
        })
        .unwrap();
}

#[test]
fn something_that_is_no_socket_is_an_error() {
    run(async |event_loop| {
        let (reader, _writer) = io::pipe().unwrap();
        let pipe = event_loop.register(reader).unwrap();
        let error = event_loop.sock_recv(&pipe, 1).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NOTSOCK.raw_os_error()));
        assert!(event_loop.sock_accept(&pipe).await.is_err());
    });
}

#[test]
fn two_tasks_use_the_two_directions_of_one_socket() {
    run(async |event_loop| {
        let (ours, theirs) = tcp_pair(&event_loop);
        let theirs = event_loop.register(theirs).unwrap();
        let echo = event_loop.create_task({
            let event_loop = event_loop.clone();
            async move {
                while let data @ [_, ..] = &*event_loop.sock_recv(&theirs, 65_536).await.unwrap() {
                    event_loop.sock_sendall(&theirs, data).await.unwrap();
                }
            }
        });
        let ours = Rc::new(ours);
        let sender = event_loop.create_task({
            let (event_loop, ours) = (event_loop.clone(), ours.clone());
            async move {
                event_loop.sock_sendall(&ours, &vec![5; 3_000_000]).await.unwrap();
                SockRef::from(&*ours).shutdown(Shutdown::Write).unwrap();
            }
        });
        let mut received = 0;
        loop {
            let data = event_loop.sock_recv(&ours, 65_536).await.unwrap();
            if data.is_empty() {
                break;
            }
            received += data.len();
        }
        assert_eq!(received, 3_000_000);
        sender.await.unwrap();
        echo.await.unwrap();
        assert!(ours.as_fd().try_clone_to_owned().is_ok());
    });
}

#[test]
fn a_listener_at_a_path_accepts() {
    run(async |event_loop| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = event_loop.register(UnixListener::bind(&path).unwrap()).unwrap();
        let handle = event_loop.clone();
        let accepting = event_loop.create_task(async move {
            let (connection, peer) = handle.sock_accept(&listener).await.unwrap();
            assert!(peer.is_unnamed());
            connection
        });
        sleep(Duration::from_millis(1)).await;
        let mut client = UnixStream::connect(&path).unwrap();
        let connection = event_loop.register(accepting.await.unwrap()).unwrap();
        event_loop.sock_sendall(&connection, b"hello").await.unwrap();
        let mut received = [0; 5];
        client.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"hello");
    });
}

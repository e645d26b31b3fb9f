//! Datagrams: sent, received, refused, held up.

mod support;

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::rc::Rc;

use ronde_streams::AddressFamily;
use ronde_transports::{
    DatagramAddr, DatagramProtocol, DatagramTransport, EndpointError, ProtocolHandle, SendError,
    create_datagram_endpoint,
};
use support::{Reports, poll_and_drop, run, settle, spawn, until};

type OnDatagram = Box<dyn FnMut(&DatagramTransport, &[u8])>;

/// Takes records of what it is called with.
#[derive(Default)]
struct Recorder {
    transport: Option<DatagramTransport>,
    log: Rc<RefCell<Vec<String>>>,
    datagrams: Vec<(Vec<u8>, DatagramAddr)>,
    on_datagram: Option<OnDatagram>,
}

impl Recorder {
    fn push(&self, line: impl Into<String>) {
        self.log.borrow_mut().push(line.into());
    }
}

impl DatagramProtocol for Recorder {
    fn connection_made(&mut self, transport: &DatagramTransport) {
        self.push("made");
        self.transport = Some(transport.clone());
    }

    fn datagram_received(&mut self, data: &[u8], from: &DatagramAddr) {
        assert!(self.transport.is_some());
        self.datagrams.push((data.to_vec(), from.clone()));
        if let (Some(on_datagram), Some(transport)) = (&mut self.on_datagram, &self.transport) {
            on_datagram(transport, data);
        }
    }

    fn error_received(&mut self, error: io::Error) {
        self.push(format!("error {:?}", error.kind()));
    }

    fn pause_writing(&mut self) {
        self.push("pause");
    }

    fn resume_writing(&mut self) {
        self.push("resume");
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        self.push(if error.is_some() { "lost with an error" } else { "lost" });
    }
}

type Endpoint = (DatagramTransport, ProtocolHandle<Recorder>);

async fn receiver() -> Endpoint {
    let endpoint = create_datagram_endpoint(Recorder::default).local_addr("127.0.0.1", 0).await;
    endpoint.unwrap()
}

async fn connected_to(transport: &DatagramTransport) -> Endpoint {
    let port = transport.local_addr().unwrap().port();
    let endpoint = create_datagram_endpoint(Recorder::default).remote_addr("127.0.0.1", port).await;
    endpoint.unwrap()
}

fn log(protocol: &ProtocolHandle<Recorder>) -> Vec<String> {
    protocol.with(|recorder| recorder.log.borrow().clone())
}

fn received(protocol: &ProtocolHandle<Recorder>) -> Vec<Vec<u8>> {
    protocol.with(|recorder| recorder.datagrams.iter().map(|(data, _)| data.clone()).collect())
}

#[test]
fn datagrams_arrive_whole_empty_ones_too_and_can_be_answered() {
    run(async {
        let (ours, ours_protocol) = receiver().await;
        let (theirs, theirs_protocol) = receiver().await;
        assert_eq!(log(&ours_protocol), ["made"], "before the function returns");
        let address = theirs.local_addr().unwrap();
        let large = vec![b'x'; 60_000];
        ours.sendto("one", address).unwrap();
        ours.sendto("", address).unwrap();
        ours.sendto(&large, DatagramAddr::from(address)).unwrap();
        until(|| received(&theirs_protocol).len() == 3).await;
        assert_eq!(received(&theirs_protocol), [b"one".to_vec(), Vec::new(), large]);
        let from = theirs_protocol.with(|recorder| recorder.datagrams[0].1.clone());
        assert_eq!(from.ip(), ours.local_addr());
        theirs.sendto("answer", &from).unwrap();
        until(|| received(&ours_protocol) == [b"answer"]).await;
        assert!(ours.peer_addr().is_none());
    });
}

#[test]
fn a_connected_endpoint_sends_without_an_address_and_hears_from_nobody_else() {
    run(async {
        let (server, server_protocol) = receiver().await;
        let (client, client_protocol) = connected_to(&server).await;
        assert_eq!(client.peer_addr(), server.local_addr());
        client.send("plain").unwrap();
        client.sendto("with its address", server.local_addr().unwrap()).unwrap();
        until(|| received(&server_protocol).len() == 2).await;

        let address = client.local_addr().unwrap();
        let (stranger, _) = receiver().await;
        stranger.sendto("from a stranger", address).unwrap();
        server.sendto("from the server", address).unwrap();
        until(|| !received(&client_protocol).is_empty()).await;
        settle().await;
        assert_eq!(received(&client_protocol), [b"from the server"]);
    });
}

#[test]
fn a_wrong_address_and_a_missing_one_are_errors_of_the_call() {
    run(async {
        let (server, server_protocol) = receiver().await;
        let (client, client_protocol) = connected_to(&server).await;
        let given: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let error = client.sendto("lost", given).unwrap_err();
        let connected_to = DatagramAddr::Ip(server.local_addr().unwrap());
        assert_eq!(error, SendError::WrongAddress { given: given.into(), connected_to });
        assert!(error.to_string().starts_with("sending a datagram to 127.0.0.1:1: "));
        assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidInput);
        let error = server.send("lost").unwrap_err();
        assert_eq!(error, SendError::NoAddress);
        assert_eq!(io::Error::from(error).kind(), ErrorKind::NotConnected);
        settle().await;
        assert_eq!(log(&client_protocol), ["made"]);
        assert!(received(&server_protocol).is_empty());
    });
}

#[test]
fn that_nobody_listens_is_told_to_a_connected_endpoint_which_goes_on() {
    run(async {
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = gone.local_addr().unwrap();
        drop(gone);
        let client = create_datagram_endpoint(Recorder::default)
            .remote_addr("127.0.0.1", address.port())
            .await;
        let (client, protocol) = client.unwrap();
        client.send("is anybody there?").unwrap();
        until(|| log(&protocol).len() == 2).await;
        assert_eq!(log(&protocol), ["made", "error ConnectionRefused"]);

        let server = create_datagram_endpoint(Recorder::default)
            .local_addr("127.0.0.1", address.port())
            .await;
        let (_server, server_protocol) = server.unwrap();
        client.send("now?").unwrap();
        until(|| received(&server_protocol) == [b"now?"]).await;
        assert!(!client.is_closing());
    });
}

#[test]
fn what_the_system_refuses_to_send_is_told_and_not_inside_of_the_call() {
    run(async {
        let (server, server_protocol) = receiver().await;
        let address = server.local_addr().unwrap();
        server.sendto(vec![0; 70_000], address).unwrap();
        assert_eq!(log(&server_protocol), ["made"]);
        until(|| log(&server_protocol).len() == 2).await;
        assert!(log(&server_protocol)[1].starts_with("error "), "{:?}", log(&server_protocol));
        server.sendto("small", address).unwrap();
        until(|| received(&server_protocol) == [b"small"]).await;
    });
}

#[test]
fn methods_may_be_called_inside_of_the_protocols_own() {
    run(async {
        let (server, protocol) = receiver().await;
        let address = server.local_addr().unwrap();
        protocol.with(|recorder| {
            let log = recorder.log.clone();
            recorder.on_datagram = Some(Box::new(move |transport, data| {
                if data == b"again" {
                    transport.sendto("the last one", address).unwrap();
                    transport.sendto(vec![0; 70_000], address).unwrap();
                    return;
                }
                transport.close();
                log.borrow_mut().push("closed".to_owned());
            }));
        });
        server.sendto("again", address).unwrap();
        server.wait_closed().await;
        let log = log(&protocol);
        assert_eq!(log.len(), 4, "{log:?}");
        assert!(log[1].starts_with("error "));
        assert_eq!(log[2..], ["closed", "lost"]);
    });
}

#[test]
fn after_the_end_sends_are_dropped_and_nothing_is_received() {
    run(async {
        let (server, protocol) = receiver().await;
        let address = server.local_addr().unwrap();
        let (client, client_protocol) = connected_to(&server).await;
        client.close();
        client.close();
        assert!(client.is_closing());
        assert_eq!(log(&client_protocol), ["made"], "not called inside of close");
        client.wait_closed().await;
        for _ in 0..10 {
            client.send("into the void").unwrap();
        }
        client.abort();
        assert!(client.local_addr().is_none());
        assert_eq!(log(&client_protocol), ["made", "lost"]);
        server.abort();
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"too late", address).unwrap();
        server.wait_closed().await;
        settle().await;
        assert_eq!(log(&protocol), ["made", "lost"]);
        assert!(received(&protocol).is_empty());
        assert!(server.protocol::<Recorder>().is_none());
        assert!(format!("{server:?}").starts_with("<DatagramTransport lost"));
    });
}

#[test]
fn a_protocol_that_panics_ends_its_endpoint_and_nothing_else() {
    run(async {
        let reports = Reports::collect();
        let (server, protocol) = receiver().await;
        let (other, other_protocol) = receiver().await;
        protocol.with(|recorder| recorder.on_datagram = Some(Box::new(|_, _| panic!("no luck"))));
        other.sendto("go", server.local_addr().unwrap()).unwrap();
        server.wait_closed().await;
        assert_eq!(log(&protocol), ["made", "lost with an error"]);
        let [report] = &reports.take()[..] else { panic!("one report") };
        assert!(report.starts_with("a protocol has failed in `datagram_received`"), "{report}");
        other.sendto("to myself", other.local_addr().unwrap()).unwrap();
        until(|| received(&other_protocol) == [b"to myself"]).await;
    });
}

#[test]
fn another_protocol_can_take_over() {
    run(async {
        let (server, first) = receiver().await;
        let second = server.set_protocol(Recorder::default());
        second.with(|recorder| recorder.transport = Some(server.clone()));
        assert!(server.protocol::<Recorder>().is_some() && server.protocol::<String>().is_none());
        server.sendto("hello", server.local_addr().unwrap()).unwrap();
        until(|| received(&second) == [b"hello"]).await;
        server.close();
        server.wait_closed().await;
        assert_eq!(log(&second), ["lost"]);
        assert_eq!(log(&first), ["made"]);
    });
}

#[test]
fn several_endpoints_may_share_a_port_if_all_say_so() {
    run(async {
        let sharing = |port| {
            let endpoint = create_datagram_endpoint(Recorder::default);
            endpoint.local_addr("127.0.0.1", port).reuse_port(true)
        };
        let (first, _first) = sharing(0).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let (second, _second) = sharing(port).await.unwrap();
        assert_eq!(first.local_addr(), second.local_addr());
        let endpoint = create_datagram_endpoint(Recorder::default).local_addr("127.0.0.1", port);
        let error = endpoint.await.unwrap_err();
        assert!(matches!(&error, EndpointError::Bind { .. }), "{error}");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn broadcasts_are_only_sent_if_allowed() {
    run(async {
        let everybody: SocketAddr = "255.255.255.255:9".parse().unwrap();
        let (forbidden, protocol) = receiver().await;
        forbidden.sendto("all", everybody).unwrap();
        until(|| log(&protocol).len() == 2).await;
        assert_eq!(log(&protocol)[1], "error PermissionDenied");

        let endpoint = create_datagram_endpoint(Recorder::default).local_addr("127.0.0.1", 0);
        let (allowed, _) = endpoint.allow_broadcast(true).await.unwrap();
        assert!(allowed.with_socket(|socket| socket.broadcast().unwrap()).unwrap());

        // On the loopback interface, whose broadcast address is the only one that is always there.
        let everybody = create_datagram_endpoint(Recorder::default).local_addr("", 0);
        let (everybody, received_by_all) = everybody.family(AddressFamily::V4).await.unwrap();
        let port = everybody.local_addr().unwrap().port();
        allowed.sendto("all", SocketAddr::from(([127, 255, 255, 255], port))).unwrap();
        until(|| received(&received_by_all) == [b"all"]).await;
    });
}

#[test]
fn what_is_sent_to_a_group_arrives_at_those_who_have_joined() {
    run(async {
        let group = Ipv4Addr::new(239, 192, 7, 7);
        let endpoint = create_datagram_endpoint(Recorder::default).local_addr("0.0.0.0", 0);
        let joining = endpoint.join_multicast_v4(group, Ipv4Addr::LOCALHOST);
        let (member, protocol) = joining.await.unwrap();
        let port = member.local_addr().unwrap().port();
        let (sender, _sender) = receiver().await;
        let sends_here = |socket: socket2::SockRef<'_>| {
            socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?;
            socket.set_multicast_loop_v4(true)
        };
        sender.with_socket(sends_here).unwrap().unwrap();
        sender.sendto("to the group", SocketAddr::from((group, port))).unwrap();
        until(|| received(&protocol) == [b"to the group"]).await;

        let endpoint = create_datagram_endpoint(Recorder::default).local_addr("0.0.0.0", 0);
        let no_group = endpoint.join_multicast_v4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
        let error = no_group.await.unwrap_err();
        assert!(error.to_string().starts_with("joining a multicast group: "), "{error}");
    });
}

#[test]
fn an_endpoint_without_addresses_has_one_of_the_systems_choice() {
    run(async {
        let (server, protocol) = receiver().await;
        let (client, _client) = create_datagram_endpoint(Recorder::default).await.unwrap();
        client.sendto("hello", server.local_addr().unwrap()).unwrap();
        until(|| received(&protocol) == [b"hello"]).await;
        let v6 = create_datagram_endpoint(Recorder::default).family(AddressFamily::V6).await;
        let Ok((v6, _protocol)) = v6 else { return };
        assert!(v6.local_addr().unwrap().is_ipv6());
    });
}

#[test]
fn a_socket_that_is_there_already_keeps_its_addresses() {
    run(async {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server.local_addr().unwrap()).unwrap();
        let endpoint = create_datagram_endpoint(Recorder::default).socket(socket);
        let (transport, protocol) = endpoint.await.unwrap();
        assert_eq!(transport.peer_addr(), Some(server.local_addr().unwrap()));
        transport.send("hello").unwrap();
        let mut room = [0; 10];
        let (size, from) = server.recv_from(&mut room).unwrap();
        assert_eq!(&room[..size], b"hello");
        server.send_to(b"answer", from).unwrap();
        until(|| received(&protocol) == [b"answer"]).await;
    });
}

#[test]
fn hosts_that_do_not_resolve_or_do_not_go_together_are_errors() {
    run(async {
        let endpoint = create_datagram_endpoint(Recorder::default);
        let error = endpoint.remote_addr("no-such-host.invalid", 1).await.unwrap_err();
        assert!(
            matches!(&error, EndpointError::Resolve { host, .. } if host == "no-such-host.invalid")
        );
        let endpoint = create_datagram_endpoint(Recorder::default);
        let error = endpoint.local_addr("127.0.0.1", 0).remote_addr("::1", 1).await.unwrap_err();
        assert!(matches!(&error, EndpointError::Family { .. }));
        assert_eq!(
            error.to_string(),
            "making a datagram endpoint at 127.0.0.1:0 to ::1:1: there are no addresses of the \
             same family"
        );
        let endpoint = create_datagram_endpoint(Recorder::default).local_addr("127.0.0.1", 0);
        let error = endpoint.family(AddressFamily::V6).await.unwrap_err();
        assert!(matches!(error, EndpointError::Family { .. }));
    });
}

#[test]
fn an_endpoint_that_is_given_up_while_it_is_made_leaves_nothing_behind() {
    run(async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let sink = log.clone();
        let factory = move || Recorder { log: sink, ..Recorder::default() };
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        assert!(poll_and_drop(create_datagram_endpoint(factory).socket(socket)).await);
        settle().await;
        assert!(log.borrow().is_empty(), "{log:?}");
        UdpSocket::bind(address).unwrap();

        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let endpoint = create_datagram_endpoint(Recorder::default).socket(socket);
        let making = spawn(async move { endpoint.await.map(drop) });
        making.cancel();
        assert!(making.await.unwrap_err().is_cancelled());
        settle().await;
        UdpSocket::bind(address).unwrap();
    });
}

#[test]
fn waiting_for_the_end_can_be_given_up() {
    run(async {
        let (server, _protocol) = receiver().await;
        assert!(poll_and_drop(server.wait_closed()).await);
        let waiter = server.clone();
        let waiting = spawn(async move { waiter.wait_closed().await });
        settle().await;
        waiting.cancel();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert!(!server.is_closing());
    });
}

#[cfg(unix)]
mod unix {
    use super::*;

    #[test]
    fn unix_sockets_can_be_connected_and_held_up() {
        run(async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("socket");
            let blocked = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
            let endpoint = create_datagram_endpoint(Recorder::default).remote_path(&path);
            let (client, protocol) = endpoint.await.unwrap();
            assert_eq!(client.peer_path().unwrap(), path);
            client.set_write_buffer_limits(500, 100).unwrap();
            assert_eq!(client.write_buffer_limits(), (500, 100));
            assert!(client.set_write_buffer_limits(1, 2).is_err());
            let mut sent = 0;
            while client.write_buffer_size() <= 500 {
                client.send([b'x'; 42]).unwrap();
                sent += 1;
            }
            assert_eq!(log(&protocol), ["made"], "not called inside of send");
            until(|| log(&protocol).len() == 2).await;
            client.close();
            assert!(client.is_closing());
            settle().await;
            assert_eq!(log(&protocol), ["made", "pause"], "close delivers first");
            let mut room = [0; 100];
            blocked.set_nonblocking(true).unwrap();
            let mut received = 0;
            while received < sent {
                match blocked.recv(&mut room) {
                    Ok(42) => received += 1,
                    Ok(other) => panic!("{other}"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
                ronde_loop::yield_now().await;
            }
            client.wait_closed().await;
            assert_eq!(log(&protocol), ["made", "pause", "resume", "lost"]);
        });
    }

    #[test]
    fn so_can_those_that_are_not_connected() {
        run(async {
            let directory = tempfile::tempdir().unwrap();
            let (path, own) = (directory.path().join("socket"), directory.path().join("own"));
            let blocked = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
            let endpoint = create_datagram_endpoint(Recorder::default).local_path(&own);
            let (client, protocol) = endpoint.await.unwrap();
            assert_eq!(client.local_path().unwrap(), own);
            let mut sent = 0;
            while client.write_buffer_size() == 0 {
                client.sendto("x", path.as_path()).unwrap();
                sent += 1;
            }
            assert_eq!(client.write_buffer_size(), 9, "an empty one would count, too");
            let mut room = [0; 100];
            blocked.set_nonblocking(true).unwrap();
            let mut received = 0;
            while received < sent {
                match blocked.recv_from(&mut room) {
                    Ok((1, from)) => {
                        assert_eq!(from.as_pathname(), Some(own.as_path()));
                        received += 1;
                    }
                    other => {
                        assert_eq!(other.unwrap_err().kind(), ErrorKind::WouldBlock);
                    }
                }
                ronde_loop::yield_now().await;
            }
            assert_eq!(client.write_buffer_size(), 0);
            blocked.send_to(b"answer", &own).unwrap();
            until(|| super::received(&protocol) == [b"answer"]).await;
            let from = protocol.with(|recorder| recorder.datagrams[0].1.clone());
            assert_eq!(from.path(), Some(path.as_path()));

            client.sendto("x", directory.path().join("nobody")).unwrap();
            until(|| log(&protocol).len() == 2).await;
            assert_eq!(log(&protocol)[1], "error NotFound");
            client.abort();
            client.wait_closed().await;
            assert_eq!(log(&protocol)[2..], ["lost"]);
        });
    }

    #[test]
    fn aborting_drops_what_is_in_the_queue() {
        run(async {
            let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
            let endpoint = create_datagram_endpoint(Recorder::default).socket(ours);
            let (client, protocol) = endpoint.await.unwrap();
            while client.write_buffer_size() == 0 {
                client.send("x").unwrap();
            }
            client.abort();
            assert_eq!(client.write_buffer_size(), 0);
            client.wait_closed().await;
            assert_eq!(log(&protocol), ["made", "lost"]);
            drop(theirs);
        });
    }

    #[test]
    fn a_socket_that_was_left_behind_is_replaced_and_one_in_use_is_not() {
        run(async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("socket");
            drop(std::os::unix::net::UnixDatagram::bind(&path).unwrap());
            let endpoint = || create_datagram_endpoint(Recorder::default);
            let (server, protocol) = endpoint().local_path(&path).await.unwrap();
            let error = endpoint().local_path(&path).await.unwrap_err();
            assert!(matches!(&error, EndpointError::Bind { .. }), "{error}");
            assert_eq!(io::Error::from(error).kind(), ErrorKind::AddrInUse);
            let (client, _client) = endpoint().remote_path(&path).await.unwrap();
            client.send("hello").unwrap();
            until(|| received(&protocol) == [b"hello"]).await;
            let from = protocol.with(|recorder| recorder.datagrams[0].1.clone());
            assert_eq!(from, DatagramAddr::Unnamed);
            server.sendto("nobody", &from).unwrap();
            until(|| log(&protocol).len() == 2).await;
            assert_eq!(log(&protocol)[1], "error InvalidInput");

            let nowhere = endpoint().remote_path(directory.path().join("nobody")).await;
            let error = nowhere.unwrap_err();
            assert!(matches!(&error, EndpointError::Connect { .. }), "{error}");
            let long = endpoint().local_path("x".repeat(200)).await.unwrap_err();
            assert_eq!(io::Error::from(long).kind(), ErrorKind::InvalidFilename);
        });
    }
}

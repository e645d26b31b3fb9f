//! Servers whose connections have protocols.

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use certificates::authority;
use ronde_loop::{EventLoop, SimulatedClock};
use ronde_streams::{Server, StartServer};
use ronde_transports::{create_connection, create_server, protocol_handler};
use support::{Record, Recorder, Reports, poll_and_drop, run, run_on, settle, spawn, until};

/// The records of all the protocols that a factory has made.
#[derive(Clone, Default)]
struct Records(Rc<RefCell<Vec<Record>>>);

impl Records {
    fn factory(&self) -> impl Fn() -> Recorder + 'static {
        let records = self.clone();
        move || {
            let record = Record::default();
            records.0.borrow_mut().push(record.clone());
            Recorder(record)
        }
    }

    fn get(&self, index: usize) -> Record {
        self.0.borrow()[index].clone()
    }

    async fn made(&self, count: usize) {
        let is_made = |record: &Record| record.log().first().is_some_and(|line| line == "made");
        until(|| self.0.borrow().iter().filter(|record| is_made(record)).count() == count).await;
    }
}

fn port(server: &Server) -> u16 {
    server.local_addrs()[0].port()
}

fn client(server: &Server) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port(server))).unwrap()
}

#[test]
fn each_connection_has_a_protocol_of_its_own() {
    run(async {
        let records = Records::default();
        let server = create_server(records.factory(), "127.0.0.1", 0).await.unwrap();
        assert!(server.is_serving());
        let mut clients = [client(&server), client(&server), client(&server)];
        records.made(3).await;
        assert_eq!(server.connections(), 3);
        for (index, client) in clients.iter_mut().enumerate() {
            client.write_all(&[index as u8; 3]).unwrap();
        }
        for index in 0..3 {
            let record = records.get(index);
            until(|| record.received_bytes() == 3).await;
            let transport = record.made().await;
            let peer = transport.peer_addr().unwrap();
            let number = record.received()[0];
            assert_eq!(clients[usize::from(number)].local_addr().unwrap(), peer);
        }
        drop(clients);
        until(|| server.connections() == 0).await;
    });
}

#[test]
fn closing_leaves_connections_alone_and_waiting_waits_for_them() {
    run(async {
        let records = Records::default();
        let server = create_server(records.factory(), "127.0.0.1", 0).await.unwrap();
        let mut client = client(&server);
        records.made(1).await;
        server.close();
        assert!(!server.is_serving() && server.local_addrs().is_empty());
        assert!(poll_and_drop(server.wait_closed()).await);
        client.write_all(b"still here").unwrap();
        let record = records.get(0);
        until(|| record.received() == b"still here").await;
        drop(client);
        server.wait_closed().await;
        assert_eq!(record.log(), ["made", "eof", "lost"]);
    });
}

#[test]
fn closing_the_clients_delivers_and_aborting_them_does_not_wait() {
    run(async {
        for aborts in [false, true] {
            let records = Records::default();
            let server = create_server(records.factory(), "127.0.0.1", 0).await.unwrap();
            let mut client = client(&server);
            records.made(1).await;
            let record = records.get(0);
            record.made().await.write("goodbye");
            server.close();
            if aborts {
                server.abort_clients();
            } else {
                server.close_clients();
            }
            assert!(record.made().await.is_closing());
            server.wait_closed().await;
            assert_eq!(record.log(), ["made", "lost"]);
            let mut received = String::new();
            client.read_to_string(&mut received).unwrap();
            assert_eq!(received, "goodbye", "it was sent at once");
        }
    });
}

#[test]
fn closing_the_clients_over_tls_waits_for_their_answer() {
    run(async {
        let records = Records::default();
        let options = authority().certify("localhost").server();
        let starting = create_server(records.factory(), "127.0.0.1", 0).tls(options);
        let server = starting.await.unwrap();
        let record = Record::default();
        let recorder = Recorder(record.clone());
        let tls = authority().client().server_name("localhost");
        let connecting = create_connection(|| recorder, "127.0.0.1", port(&server)).tls(tls);
        let (client, _) = connecting.await.unwrap();
        records.made(1).await;
        records.get(0).made().await.write("goodbye");
        server.close();
        server.close_clients();
        server.wait_closed().await;
        client.wait_closed().await;
        assert_eq!(record.received(), b"goodbye");
        assert_eq!(record.log(), ["made", "eof", "lost"]);
        assert_eq!(records.get(0).log(), ["made", "lost"]);
    });
}

#[test]
fn a_shutdown_closes_the_transports_of_those_who_stay() {
    let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
    run_on(&event_loop, async {
        let records = Records::default();
        let server = create_server(records.factory(), "127.0.0.1", 0).await.unwrap();
        let mut client = client(&server);
        records.made(1).await;
        assert_eq!(server.shutdown(Duration::from_secs(10)).await, 1);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        let record = records.get(0);
        record.lost().await;
        assert_eq!(record.log(), ["made", "lost"]);
    });
}

#[test]
fn serving_can_begin_later_and_ends_with_the_task() {
    run(async {
        let records = Records::default();
        let starting = create_server(records.factory(), "127.0.0.1", 0).start_serving(false);
        let server = starting.await.unwrap();
        assert!(!server.is_serving());
        server.start_serving().unwrap();
        let serving = {
            let server = server.clone();
            spawn(async move { server.serve_forever().await })
        };
        let _client = client(&server);
        records.made(1).await;
        serving.cancel();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert!(!server.is_serving());
        assert_eq!(records.get(0).log(), ["made", "lost"]);
    });
}

#[test]
fn a_listener_that_is_there_already_is_served_by_a_handler() {
    run(async {
        let records = Records::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let handler = protocol_handler(records.factory());
        let server = StartServer::from_listener(handler, listener).await.unwrap();
        let _client = client(&server);
        records.made(1).await;
    });
}

#[test]
fn a_factory_that_panics_loses_its_connection_and_no_other() {
    run(async {
        let reports = Reports::collect();
        let records = Records::default();
        let (factory, calls) = (records.factory(), std::cell::Cell::new(0));
        let factory = move || {
            calls.set(calls.get() + 1);
            assert!(calls.get() != 1, "no luck");
            factory()
        };
        let server = create_server(factory, "127.0.0.1", 0).await.unwrap();
        let mut first = client(&server);
        first.set_nonblocking(true).unwrap();
        until(|| first.read(&mut [0]).is_ok_and(|bytes| bytes == 0)).await;
        let _second = client(&server);
        records.made(1).await;
        let [report] = &reports.take()[..] else { panic!("one report") };
        assert!(report.contains("no luck"), "{report}");
    });
}

#[test]
fn a_client_that_fails_at_tls_has_no_protocol() {
    run(async {
        let records = Records::default();
        let options = authority().certify("localhost").server();
        let starting = create_server(records.factory(), "127.0.0.1", 0).tls(options);
        let server = starting.await.unwrap();
        let mut client = client(&server);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        client.set_nonblocking(true).unwrap();
        let mut answer = Vec::new();
        until(|| client.read_to_end(&mut answer).is_ok()).await;
        until(|| server.connections() == 0).await;
        settle().await;
        assert!(records.0.borrow().is_empty());
    });
}

#[test]
fn a_start_that_is_given_up_leaves_no_socket_behind() {
    run(async {
        let records = Records::default();
        let starting = create_server(records.factory(), "localhost", 0);
        assert!(poll_and_drop(starting).await);
    });
}

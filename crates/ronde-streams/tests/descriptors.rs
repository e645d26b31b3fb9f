//! A system without descriptors. It lowers a limit of the process, so it has a process of its own.

#![cfg(unix)]

mod support;

use std::io::{Read, Write};
use std::time::Duration;

use ronde_loop::{EventLoop, SimulatedClock, sleep};
use ronde_streams::{ConnectError, StreamReader, StreamWriter, open_connection, start_server};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::Reports;

#[test]
fn accepting_rests_while_there_are_no_descriptors_and_loses_nobody() {
    let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
    support::run_on(&event_loop, async {
        let reports = Reports::collect();
        let echo = async |reader: StreamReader, writer: StreamWriter| {
            while let Some(Ok(line)) = reader.lines().next().await {
                writer.write(line);
            }
        };
        let server = start_server(echo, "127.0.0.1", 0).await.unwrap();
        let address = server.local_addrs()[0];
        let (reader, writer) = open_connection("127.0.0.1", address.port()).await.unwrap();
        writer.write("one\n");
        assert_eq!(reader.readline().await.unwrap(), "one\n");

        let mut waiting: Vec<_> =
            (0..3).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let before = getrlimit(Resource::Nofile);
        // Descriptors 0 to 2 are taken, so no number is left.
        setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..before }).unwrap();
        sleep(Duration::from_secs(10)).await;

        let reported = reports.take();
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert!(reported[0].starts_with("the system is out of resources"), "{reported:?}");
        let error = open_connection("127.0.0.1", address.port()).await.unwrap_err();
        assert!(matches!(&error, ConnectError::Connect { .. }), "{error}");
        assert!(error.to_string().contains("Too many open files"), "{error}");
        // The connection that is there is as it was.
        writer.write("two\n");
        assert_eq!(reader.readline().await.unwrap(), "two\n");
        assert_eq!(server.connections(), 1);

        setrlimit(Resource::Nofile, before).unwrap();
        sleep(Duration::from_secs(2)).await;
        assert_eq!(server.connections(), 4);
        for client in &mut waiting {
            client.write_all(b"three\n").unwrap();
        }
        for client in &mut waiting {
            client.set_nonblocking(true).unwrap();
            let mut answer = [0; 6];
            while client.read_exact(&mut answer).is_err() {
                ronde_loop::yield_now().await;
            }
            assert_eq!(&answer, b"three\n");
        }
        assert!(reports.take().is_empty());
    });
}

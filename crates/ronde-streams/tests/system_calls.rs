//! How many system calls a request costs, as strace counts them.

#![cfg(all(target_os = "linux", not(ronde_portable_poller)))]

mod support;

use std::collections::HashMap;
use std::process::Command;

use ronde_streams::{StreamReader, StreamWriter, open_connection, start_server};
use support::run;

const REQUESTS: u64 = 2000;

/// Runs under strace, started by the test below.
#[test]
#[ignore = "it is the program that the other test measures"]
fn ping_pong() {
    run(async {
        let echo = async |reader: StreamReader, writer: StreamWriter| {
            loop {
                let request = reader.read(1024).await.unwrap();
                if request.is_empty() {
                    break;
                }
                writer.write(request);
                writer.drain().await.unwrap();
            }
        };
        let server = start_server(echo, "127.0.0.1", 0).await.unwrap();
        let port = server.local_addrs()[0].port();
        let (reader, writer) = open_connection("127.0.0.1", port).await.unwrap();
        for _ in 0..REQUESTS {
            writer.write([b'x'; 64]);
            assert_eq!(reader.readexactly(64).await.unwrap().len(), 64);
        }
    });
}

#[test]
fn a_request_costs_each_side_one_receive_and_one_send_and_a_share_of_the_wait() {
    let counts = strace("ping_pong");
    // Both sides of the connection are on the one loop.
    let sides = 2 * REQUESTS;
    let some = REQUESTS / 20;
    println!("{counts:?}");
    let count = |names: &[&str]| names.iter().filter_map(|name| counts.get(*name)).sum::<u64>();
    assert!(count(&["recvfrom"]) < sides + some, "{counts:?}");
    assert!(count(&["sendto"]) < sides + some, "{counts:?}");
    assert!(count(&["epoll_wait", "epoll_pwait"]) < sides + some, "{counts:?}");
    let others: u64 = counts
        .iter()
        .filter(|(name, _)| {
            !["recvfrom", "sendto", "epoll_wait", "epoll_pwait", "total"].contains(&name.as_str())
        })
        .map(|(_, count)| count)
        .sum();
    assert!(others < 1000, "what is left is the start of the process: {counts:?}");
}

/// Calls by name, as `strace -c` counts them.
fn strace(test: &str) -> HashMap<String, u64> {
    let output = tempfile::NamedTempFile::new().unwrap();
    let status = Command::new("strace")
        .args(["-f", "-c", "-U", "calls,name", "-o"])
        .arg(output.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--test-threads=1"])
        .stdout(std::process::Stdio::null())
        .status()
        .expect("this test needs strace");
    assert!(status.success());
    let table = std::fs::read_to_string(output.path()).unwrap();
    table
        .lines()
        .filter_map(|line| {
            let (count, name) = line.trim().split_once(' ')?;
            Some((name.trim().to_owned(), count.parse().ok()?))
        })
        .collect()
}

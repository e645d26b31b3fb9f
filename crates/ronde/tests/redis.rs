//! The Redis client of the examples: against a real server, and against one that says what it is told.

#![cfg(unix)]
#![allow(dead_code)] // The example uses all of it.

#[path = "../examples/redis/client.rs"]
mod client;
#[path = "../examples/redis/error.rs"]
mod error;
#[path = "../examples/redis/link.rs"]
mod link;
#[path = "../examples/redis/resp.rs"]
mod resp;
#[path = "../examples/redis/server.rs"]
mod server;

use std::future::Future;
use std::time::Duration;

use client::Client;
use error::RedisError;
use resp::{MalformedReply, Parser, Value};
use ronde::{
    StreamReader, StreamWriter, catch_cancelled, create_task, gather_all, run, start_server,
    timeout, yield_now,
};
use server::Server;

fn with_server<F: Future + 'static>(test: impl FnOnce(Server) -> F + 'static) -> F::Output {
    run(async {
        let server = Server::start().await.unwrap();
        test(server.expect("`cargo xtask setup` installs redis-server")).await
    })
    .unwrap()
}

/// A client of a server that answers each command with the next of `replies`, and then ends.
async fn told(replies: &'static [&'static [u8]]) -> Client {
    let server = start_server(
        async move |reader: StreamReader, writer: StreamWriter| {
            for reply in replies {
                // No command here has more than one word.
                for _ in 0..3 {
                    reader.readline().await?;
                }
                writer.write(reply);
                writer.drain().await?;
            }
            Ok::<(), ronde::ReadError>(())
        },
        "127.0.0.1",
        0,
    );
    let server = server.await.unwrap();
    let client = Client::connect("127.0.0.1", server.local_addrs()[0].port()).await.unwrap();
    create_task(async move { server.wait_closed().await }).detach();
    client
}

#[test]
fn replies_of_every_kind_are_parsed_wherever_they_are_cut() {
    let bytes = b"+OK\r\n-ERR no\r\n:-7\r\n$4\r\na\r\nb\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n*3\r\n:1\r\n*2\r\n+a\r\n$-1\r\n$1\r\nz\r\n";
    let expected = [
        Value::Simple("OK".into()),
        Value::Error("ERR no".into()),
        Value::Integer(-7),
        Value::Bulk(b"a\r\nb".into()),
        Value::Nil,
        Value::Nil,
        Value::Array(vec![]),
        Value::Bulk(vec![]),
        Value::Array(vec![
            Value::Integer(1),
            Value::Array(vec![Value::Simple("a".into()), Value::Nil]),
            Value::Bulk(b"z".into()),
        ]),
    ];
    for piece in 1..=bytes.len() {
        let mut parser = Parser::default();
        let mut values = Vec::new();
        for piece in bytes.chunks(piece) {
            parser.feed(piece);
            while let Some(value) = parser.next().unwrap() {
                values.push(value);
            }
        }
        assert_eq!(values, expected, "in pieces of {piece} bytes");
    }
}

#[test]
fn what_is_no_reply_is_an_error() {
    let parsed = |bytes: &[u8]| {
        let mut parser = Parser::default();
        parser.feed(bytes);
        parser.next()
    };
    assert_eq!(parsed(b"hello\r\n"), Err(MalformedReply::Kind(b'h')));
    assert_eq!(parsed(b"\r\n"), Err(MalformedReply::Kind(b'\r')));
    assert_eq!(parsed(b":x\r\n"), Err(MalformedReply::Number("x".into())));
    assert_eq!(parsed(b"$-2\r\n"), Err(MalformedReply::Number("-2".into())));
    assert_eq!(parsed(b"*many\r\n"), Err(MalformedReply::Number("many".into())));
    assert_eq!(parsed(b"$1\r\nabc"), Err(MalformedReply::End));
    assert_eq!(parsed(b"$999999999999\r\n"), Err(MalformedReply::TooLong(512 * 1024 * 1024)));
    assert_eq!(parsed(&[b'+'; 70_000]), Err(MalformedReply::TooLong(64 * 1024)));
    assert_eq!(parsed(&b"*1\r\n".repeat(40)), Err(MalformedReply::TooDeep(32)));
    // So many elements are asked for, and no room is taken for them.
    assert_eq!(parsed(b"*9999999999\r\n:1\r\n"), Ok(None));
}

#[test]
fn commands_of_many_tasks_share_a_connection() {
    with_server(async |server| {
        let client = Client::connect_unix(server.path()).await.unwrap();
        let tasks = (0..1000).map(|number| {
            let client = client.clone();
            create_task(async move {
                let key = format!("key {number}");
                client.set(&key, number.to_string()).await.unwrap();
                client.get(&key).await.unwrap().unwrap()
            })
        });
        let values = gather_all(tasks.collect::<Vec<_>>()).await.unwrap();
        let expected: Vec<_> =
            (0..1000).map(|number: i32| number.to_string().into_bytes()).collect();
        assert_eq!(values, expected);
        client.close().await;
        assert!(matches!(client.incr("n").await, Err(RedisError::Closed)));
        server.stop().await;
    });
}

#[test]
fn more_than_the_system_takes_waits_until_it_does() {
    with_server(async |server| {
        let client = Client::connect_unix(server.path()).await.unwrap();
        let large: Vec<u8> = (0..8_000_000_u32).map(|number| number as u8).collect();
        let tasks = (0..8).map(|number| {
            let (client, large) = (client.clone(), large.clone());
            create_task(async move { client.set(&format!("large {number}"), large).await })
        });
        for stored in gather_all(tasks.collect::<Vec<_>>()).await.unwrap() {
            stored.unwrap();
        }
        assert!(client.get("large 7").await.unwrap().unwrap() == large);
        server.stop().await;
    });
}

#[test]
fn a_caller_that_is_cancelled_leaves_the_replies_of_the_others_in_order() {
    with_server(async |server| {
        let client = Client::connect_unix(server.path()).await.unwrap();
        client.set("key", "value").await.unwrap();
        // The server answers nothing before the time of the first one is over.
        let blocked = {
            let client = client.clone();
            create_task(async move { client.call(&["BLPOP", "nothing", "0.2"]).await })
        };
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let client = client.clone();
                create_task(catch_cancelled(async move { client.get("key").await }))
            })
            .collect();
        yield_now().await;
        yield_now().await;
        assert_eq!(client.in_flight(), 11);
        blocked.cancel();
        for task in tasks.iter().step_by(2) {
            task.cancel();
        }
        for (number, task) in tasks.into_iter().enumerate() {
            let outcome = task.await.unwrap();
            match number % 2 {
                0 => assert!(outcome.is_err()),
                _ => assert_eq!(outcome.unwrap().unwrap().unwrap(), b"value"),
            }
        }
        assert_eq!((client.in_flight(), client.incr("n").await.unwrap()), (0, 1));
        server.stop().await;
    });
}

#[test]
fn a_server_that_ends_fails_every_command_in_flight() {
    with_server(async |server| {
        let client = Client::connect_unix(server.path()).await.unwrap();
        let blocked: Vec<_> = (0..3)
            .map(|_| {
                let client = client.clone();
                create_task(async move { client.call(&["BLPOP", "nothing", "0"]).await })
            })
            .collect();
        yield_now().await;
        yield_now().await;
        server.stop().await;
        for task in blocked {
            let failed = task.await.unwrap().unwrap_err();
            assert!(matches!(failed, RedisError::Closed | RedisError::Lost(_)), "{failed:?}");
        }
        assert!(client.get("key").await.is_err());
    });
}

#[test]
fn a_subscriber_that_takes_nothing_makes_the_server_wait_and_loses_nothing() {
    with_server(async |server| {
        let publisher = Client::connect_unix(server.path()).await.unwrap();
        let subscriber = Client::connect_unix(server.path()).await.unwrap();
        let news = subscriber.subscribe("news").await.unwrap();
        let text = "x".repeat(1000);
        let publishing = (0..2000).map(|number| {
            let (publisher, text) = (publisher.clone(), text.clone());
            create_task(async move { publisher.publish("news", &format!("{number} {text}")).await })
        });
        gather_all(publishing.collect::<Vec<_>>()).await.unwrap();
        for number in 0..2000 {
            let message = String::from_utf8(news.next().await.unwrap()).unwrap();
            assert!(message.starts_with(&format!("{number} x")), "message {number}");
        }
        let waiting = timeout(Duration::from_millis(10), news.next()).await;
        assert!(waiting.is_err());
        news.close().await;
        assert!(matches!(news.next().await, Err(RedisError::Closed)));
        server.stop().await;
    });
}

#[test]
fn an_error_of_the_server_is_that_of_its_command_alone() {
    with_server(async |server| {
        let client = Client::connect_unix(server.path()).await.unwrap();
        client.set("text", "no number").await.unwrap();
        let refused = client.incr("text").await.unwrap_err();
        assert!(matches!(&refused, RedisError::Refused(words) if words.starts_with("ERR ")));
        assert!(matches!(client.call(&["NONSENSE"]).await, Err(RedisError::Refused(_))));
        assert_eq!(client.del(&["text", "nothing"]).await.unwrap(), 1);
        server.stop().await;
    });
}

#[test]
fn a_server_that_does_not_keep_to_the_protocol_is_left() {
    run(async {
        let client = told(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"]).await;
        let failed = client.call(&["PING"]).await;
        assert!(matches!(failed, Err(RedisError::Malformed(MalformedReply::Kind(b'H')))));
        // The first reason is the one that everybody hears.
        assert!(matches!(client.call(&["PING"]).await, Err(RedisError::Malformed(_))));

        let client = told(&[b"+PONG\r\n+PONG\r\n"]).await;
        assert_eq!(client.call(&["PING"]).await.unwrap(), Value::Simple("PONG".into()));
        assert!(matches!(client.call(&["PING"]).await, Err(RedisError::Unexpected(_))));
    })
    .unwrap();
}

#[test]
fn a_connection_that_ends_within_a_reply_is_closed() {
    run(async {
        let client = told(&[b"$10\r\nhalf"]).await;
        assert!(matches!(client.call(&["PING"]).await, Err(RedisError::Closed)));
    })
    .unwrap();
}

//! What programs use: functions that are awaited.

use std::path::PathBuf;
use std::rc::Rc;

use ronde::ConnectError;
use ronde::low_level::{
    CreateConnection, ProtocolHandle, Transport, create_connection, create_unix_connection,
};

use crate::error::RedisError;
use crate::link::Link;
use crate::resp::{Value, command};

/// A connection to a server. Clones share it, and many tasks may use it at once.
#[derive(Clone)]
pub(crate) struct Client {
    transport: Transport,
    link: ProtocolHandle<Link>,
}

impl Client {
    pub(crate) async fn connect(host: &str, port: u16) -> Result<Self, ConnectError> {
        Self::of(create_connection(Link::default, host, port)).await
    }

    pub(crate) async fn connect_unix(path: impl Into<PathBuf>) -> Result<Self, ConnectError> {
        Self::of(create_unix_connection(Link::default, path)).await
    }

    async fn of(connecting: CreateConnection<fn() -> Link>) -> Result<Self, ConnectError> {
        let (transport, link) = connecting.await?;
        Ok(Self { transport, link })
    }

    // quote: call
    /// Sends any command, and waits for its reply.
    ///
    /// Cancelled, the command may have been done all the same; the replies of others stay theirs.
    pub(crate) async fn call<T: AsRef<[u8]>>(&self, words: &[T]) -> Result<Value, RedisError> {
        let bytes = command(words);
        let writable = self.link.with(|link| link.writable.clone());
        writable.wait().await;
        let reply = self.link.with(|link| link.send(&bytes));
        reply.await.expect("nobody but this task can cancel the promise")
    }
    // end quote

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, RedisError> {
        match self.call(&["GET", key]).await? {
            Value::Bulk(value) => Ok(Some(value)),
            Value::Nil => Ok(None),
            other => Err(RedisError::Unexpected(other)),
        }
    }

    pub(crate) async fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), RedisError> {
        match self.call(&[b"SET", key.as_bytes(), value.as_ref()]).await? {
            Value::Simple(_) => Ok(()),
            other => Err(RedisError::Unexpected(other)),
        }
    }

    pub(crate) async fn incr(&self, key: &str) -> Result<i64, RedisError> {
        integer(self.call(&["INCR", key]).await?)
    }

    /// Deletes keys, and says how many there were.
    pub(crate) async fn del(&self, keys: &[&str]) -> Result<i64, RedisError> {
        integer(self.call(&[&["DEL"], keys].concat()).await?)
    }

    /// Sends a message, and says how many have got it.
    pub(crate) async fn publish(&self, channel: &str, message: &str) -> Result<i64, RedisError> {
        integer(self.call(&["PUBLISH", channel, message]).await?)
    }

    /// Makes the connection one that gets messages, and nothing else.
    pub(crate) async fn subscribe(self, channel: &str) -> Result<Subscription, RedisError> {
        // From the reply on, which is the first that it gets, all are messages.
        self.link.with(|link| link.messages = Some(Default::default()));
        self.call(&["SUBSCRIBE", channel]).await?;
        Ok(Subscription { client: self })
    }

    /// How many commands wait for their replies.
    pub(crate) fn in_flight(&self) -> usize {
        self.link.with(|link| link.in_flight())
    }

    /// Sends what was written, and closes. What has no reply by then fails.
    pub(crate) async fn close(&self) {
        self.transport.close();
        self.transport.wait_closed().await;
    }
}

fn integer(value: Value) -> Result<i64, RedisError> {
    match value {
        Value::Integer(number) => Ok(number),
        other => Err(RedisError::Unexpected(other)),
    }
}

/// A connection that gets messages.
pub(crate) struct Subscription {
    client: Client,
}

impl Subscription {
    // quote: next
    /// The next message.
    ///
    /// A subscriber that takes none for a while makes the server wait, and at last its publishers.
    pub(crate) async fn next(&self) -> Result<Vec<u8>, RedisError> {
        let link = &self.client.link;
        let has_messages: Rc<ronde::Event> = link.with(|link| link.has_messages.clone());
        loop {
            has_messages.wait().await;
            if let Some(value) = link.with(Link::take_message) {
                return text_of(value);
            }
            if let Some(error) = link.with(|link| link.ended()) {
                return Err(error);
            }
        }
    }
    // end quote

    pub(crate) async fn close(&self) {
        self.client.close().await;
    }
}

/// What is published: `["message", channel, text]`.
fn text_of(value: Value) -> Result<Vec<u8>, RedisError> {
    if let Value::Array(parts) = &value
        && let [_, _, Value::Bulk(text)] = &parts[..]
    {
        return Ok(text.clone());
    }
    Err(RedisError::Unexpected(value))
}

//! The protocol: what the loop calls with what a connection has to tell.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use ronde::low_level::{Protocol, Transport};
use ronde::{Event, Promise};

use crate::error::RedisError;
use crate::resp::{Parser, Value};

/// How many messages may wait for a subscriber before the server is made to wait.
pub(crate) const MOST_MESSAGES: usize = 64;

// quote: link
/// One connection, as its tasks and its protocol share it.
#[derive(Default)]
pub(crate) struct Link {
    transport: Option<Transport>,
    parser: Parser,
    /// Who waits for a reply, in the order of the commands: that of the replies.
    waiting: VecDeque<Promise<Result<Value, RedisError>>>,
    /// Set while the transport takes more.
    pub(crate) writable: Rc<Event>,
    /// Why there will be no more replies.
    ended: Option<RedisError>,
    /// `Some` once the connection is one of a subscriber.
    pub(crate) messages: Option<VecDeque<Value>>,
    /// Set while there are messages, and at the end.
    pub(crate) has_messages: Rc<Event>,
}
// end quote

// quote: protocol
impl Protocol for Link {
    fn connection_made(&mut self, transport: &Transport) {
        self.transport = Some(transport.clone());
        self.writable.set();
    }

    fn data_received(&mut self, data: &[u8]) {
        self.parser.feed(data);
        loop {
            match self.parser.next() {
                Ok(Some(value)) => self.reply(value),
                Ok(None) => return,
                Err(error) => return self.abort(RedisError::Malformed(error)),
            }
        }
    }

    fn pause_writing(&mut self) {
        self.writable.clear();
    }

    fn resume_writing(&mut self) {
        self.writable.set();
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        self.end(match error {
            Some(error) => RedisError::Lost(Arc::new(error)),
            None => RedisError::Closed,
        });
    }
}
// end quote

impl Link {
    // quote: send
    /// Sends a command, and gives the promise of its reply.
    pub(crate) fn send(&mut self, command: &[u8]) -> Promise<Result<Value, RedisError>> {
        let reply = Promise::new();
        match (&self.ended, &self.transport) {
            (None, Some(transport)) => {
                transport.write(command);
                self.waiting.push_back(reply.clone());
            }
            (ended, _) => {
                let ended = ended.clone().unwrap_or(RedisError::Closed);
                reply.set_exception(ended).expect("the promise is new");
            }
        }
        reply
    }

    fn reply(&mut self, value: Value) {
        if let Some(messages) = &mut self.messages
            && self.waiting.is_empty()
        {
            messages.push_back(value);
            self.has_messages.set();
            if messages.len() >= MOST_MESSAGES {
                self.transport.iter().for_each(Transport::pause_reading);
            }
            return;
        }
        match self.waiting.pop_front() {
            // Whoever waited may have been cancelled, and the promise with it. Its place is what counts.
            Some(reply) => drop(reply.set_result(match value {
                Value::Error(words) => Err(RedisError::Refused(words)),
                value => Ok(value),
            })),
            None => self.abort(RedisError::Unexpected(value)),
        }
    }
    // end quote

    /// The next message, if there is one. A reader that had to wait goes on when most are taken.
    pub(crate) fn take_message(&mut self) -> Option<Value> {
        let messages = self.messages.as_mut()?;
        let message = messages.pop_front();
        if messages.len() <= MOST_MESSAGES / 2 {
            self.transport.iter().for_each(Transport::resume_reading);
        }
        if messages.is_empty() && self.ended.is_none() {
            self.has_messages.clear();
        }
        message
    }

    /// How many commands have no reply yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn ended(&self) -> Option<RedisError> {
        self.ended.clone()
    }

    fn abort(&mut self, why: RedisError) {
        self.transport.iter().for_each(Transport::abort);
        self.end(why);
    }

    // quote: end
    /// Nothing more will arrive. The first reason is the one.
    fn end(&mut self, why: RedisError) {
        let why = self.ended.get_or_insert(why).clone();
        for reply in self.waiting.drain(..) {
            let _cancelled_meanwhile = reply.set_exception(why.clone());
        }
        // Whoever waits to write or to read finds out now.
        self.writable.set();
        self.has_messages.set();
    }
    // end quote
}

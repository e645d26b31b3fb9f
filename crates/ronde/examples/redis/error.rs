//! What can go wrong with a command.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::resp::{MalformedReply, Value};

/// A command has no result.
#[derive(Clone, Debug)]
pub(crate) enum RedisError {
    /// The server has refused it, with these words.
    Refused(String),
    /// The server has answered with another kind of value than this command has.
    Unexpected(Value),
    /// The server doesn't keep to the protocol.
    Malformed(MalformedReply),
    /// The connection is closed. Whether the server has done what it was asked for is not known.
    Closed,
    /// The connection was lost. Whether the server has done what it was asked for is not known.
    Lost(Arc<io::Error>),
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(words) => write!(f, "the server refuses: {words}"),
            Self::Unexpected(value) => write!(f, "an answer that doesn't fit: {value:?}"),
            Self::Malformed(_) => f.write_str("the server doesn't talk RESP"),
            Self::Closed => f.write_str("the connection is closed"),
            Self::Lost(_) => f.write_str("the connection is lost"),
        }
    }
}

impl std::error::Error for RedisError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            Self::Lost(error) => Some(&**error),
            Self::Refused(_) | Self::Unexpected(_) | Self::Closed => None,
        }
    }
}

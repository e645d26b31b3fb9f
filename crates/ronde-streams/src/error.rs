//! What can go wrong.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::tls::TlsError;

/// Why a connection could not be opened.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_streams::{ConnectError, open_connection};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let error = open_connection("no-such-host.invalid", 80).await.unwrap_err();
/// assert!(matches!(error, ConnectError::Resolve { .. }));
/// assert!(error.to_string().starts_with("looking up no-such-host.invalid: "));
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host's name could not be resolved.
    Resolve {
        /// The host that was asked for.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// None of the host's addresses could be connected to.
    Connect {
        /// The host that was asked for.
        host: String,
        /// The port that was asked for.
        port: u16,
        /// Every address that was tried, and what became of it, in the order of the attempts.
        attempts: Vec<(SocketAddr, io::Error)>,
    },
    /// The connection was made, but the TLS handshake failed.
    Tls {
        /// The host that was asked for.
        host: String,
        /// What was wrong.
        source: TlsError,
    },
    /// The connection was made, but the TLS handshake did not end in time.
    HandshakeTimeout {
        /// The host that was asked for.
        host: String,
        /// The time that it had.
        limit: Duration,
    },
    /// The system refused something else: to register the socket, say.
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, source } => write!(f, "looking up {host}: {}", plain(source)),
            Self::Connect { host, port, attempts } => {
                write!(f, "connecting to {}", HostPort(host, *port))?;
                if attempts.is_empty() {
                    f.write_str(": the host has no address that could be tried")?;
                }
                for (index, (address, error)) in attempts.iter().enumerate() {
                    let separator = if index == 0 { ": " } else { "; " };
                    write!(f, "{separator}{address}: {}", plain(error))?;
                }
                Ok(())
            }
            Self::Tls { host, source } => write!(f, "TLS with {host}: {source}"),
            Self::HandshakeTimeout { host, limit } => {
                write!(f, "TLS with {host}: the handshake did not end within {limit:?}")
            }
            Self::Io { doing, source } => write!(f, "{doing}: {}", plain(source)),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve { source, .. } | Self::Io { source, .. } => Some(source),
            // One cause can be given, and the last attempt's is as good as any. All are in `attempts`.
            Self::Connect { attempts, .. } => Some(&attempts.last()?.1),
            Self::Tls { source, .. } => Some(source),
            Self::HandshakeTimeout { .. } => None,
        }
    }
}

impl From<ConnectError> for io::Error {
    /// The kind is that of the last attempt, `TimedOut` for a handshake that took too long, and
    /// `InvalidData` for other failures of TLS.
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Resolve { source, .. } | ConnectError::Io { source, .. } => source.kind(),
            ConnectError::Connect { attempts, .. } => {
                attempts.last().map_or(io::ErrorKind::AddrNotAvailable, |(_, error)| error.kind())
            }
            ConnectError::Tls { .. } => io::ErrorKind::InvalidData,
            ConnectError::HandshakeTimeout { .. } => io::ErrorKind::TimedOut,
        };
        Self::new(kind, error)
    }
}

/// Why a server could not be started, or could not serve.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The host's name could not be resolved.
    Resolve {
        /// The host that was asked for.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// An address could not be listened on.
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The server's certificate or key is of no use.
    Tls {
        /// What was wrong.
        source: TlsError,
    },
    /// The system refused something else.
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The server has been closed.
    Closed,
    /// Another task is in [`serve_forever`](crate::Server::serve_forever) already.
    AlreadyServing,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, source } => write!(f, "looking up {host}: {}", plain(source)),
            Self::Bind { address, source } => {
                write!(f, "listening on {address}: {}", plain(source))
            }
            Self::Tls { source } => write!(f, "setting up TLS for a server: {source}"),
            Self::Io { doing, source } => write!(f, "{doing}: {}", plain(source)),
            Self::Closed => f.write_str("the server is closed"),
            Self::AlreadyServing => f.write_str("another task is in `serve_forever` already"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve { source, .. } | Self::Bind { source, .. } | Self::Io { source, .. } => {
                Some(source)
            }
            Self::Tls { source } => Some(source),
            Self::Closed | Self::AlreadyServing => None,
        }
    }
}

impl From<ServeError> for io::Error {
    fn from(error: ServeError) -> Self {
        let kind = match &error {
            ServeError::Resolve { source, .. }
            | ServeError::Bind { source, .. }
            | ServeError::Io { source, .. } => source.kind(),
            ServeError::Tls { .. } => io::ErrorKind::InvalidInput,
            ServeError::Closed => io::ErrorKind::NotConnected,
            ServeError::AlreadyServing => io::ErrorKind::ResourceBusy,
        };
        Self::new(kind, error)
    }
}

/// Why a read has no result.
///
/// # In asyncio
///
/// `IncompleteReadError`, `LimitOverrunError`, `RuntimeError` and `OSError`, in this order.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream ended before all was there that was asked for.
    Incomplete {
        /// What did arrive. It is no longer in the stream's buffer.
        partial: Bytes,
        /// How many bytes were asked for, if it was a number.
        expected: Option<usize>,
    },
    /// What was asked for is longer than the reader's limit.
    LimitOverrun {
        /// How many bytes were looked at, without the separator.
        consumed: usize,
        /// The limit.
        limit: usize,
        /// What [`readline`](crate::StreamReader::readline) took out of the buffer. Empty after
        /// [`readuntil`](crate::StreamReader::readuntil), which leaves all where it is.
        discarded: Bytes,
    },
    /// Another task is reading from this stream already.
    Busy,
    /// The connection failed.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { partial, expected: Some(expected) } => {
                write!(f, "the stream ended after {} of {expected} expected bytes", partial.len())
            }
            Self::Incomplete { partial, expected: None } => {
                write!(f, "the stream ended after {} bytes without a separator", partial.len())
            }
            Self::LimitOverrun { consumed, limit, .. } => {
                write!(f, "no separator within the limit of {limit} bytes ({consumed} looked at)")
            }
            Self::Busy => f.write_str("another task is reading from this stream already"),
            Self::Io(error) => write!(f, "reading from a connection: {}", plain(error)),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ReadError> for io::Error {
    /// `UnexpectedEof` for an incomplete read, `InvalidData` for one over the limit, `ResourceBusy`
    /// for one beside another, and the connection's own error as it is.
    fn from(error: ReadError) -> Self {
        let kind = match error {
            ReadError::Io(error) => return error,
            ReadError::Incomplete { .. } => io::ErrorKind::UnexpectedEof,
            ReadError::LimitOverrun { .. } => io::ErrorKind::InvalidData,
            ReadError::Busy => io::ErrorKind::ResourceBusy,
        };
        Self::new(kind, error)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The failure of a connection, which everybody who asks is told.
#[derive(Clone, Debug)]
pub(crate) struct Lost(Arc<io::Error>);

impl Lost {
    pub(crate) fn new(error: io::Error) -> Self {
        Self(Arc::new(error))
    }

    pub(crate) fn kind(&self) -> io::ErrorKind {
        self.0.kind()
    }

    /// As good as the original: the same system's error, or one of the same kind around it.
    pub(crate) fn to_error(&self) -> io::Error {
        match self.0.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.0.kind(), self.clone()),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Lost {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.0.get_ref() {
            Some(inner) => Some(inner),
            None => Some(&*self.0),
        }
    }
}

/// An error of the system's in words, without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(code) = error.raw_os_error()
        && let Some(stripped) = text.strip_suffix(&format!(" (os error {code})"))
    {
        text.truncate(stripped.len());
    }
    text
}

/// `host:port`, with an IPv6 address in brackets.
struct HostPort<'a>(&'a str, u16);

impl fmt::Display for HostPort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(host, port) = self;
        if host.contains(':') && !host.starts_with('[') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

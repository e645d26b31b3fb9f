//! What can go wrong.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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
    /// A Unix socket could not be connected to.
    ///
    /// The kind of the source tells why: `NotFound` if there is no such file, `ConnectionRefused` if
    /// nobody listens on it any more or it is no socket, `PermissionDenied`, `InvalidFilename` if the
    /// path is too long.
    Path {
        /// The path that was asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection was not made, its TLS handshake included, within the
    /// [time that it had](crate::OpenConnection::connect_timeout).
    Timeout {
        /// What was being connected to: a host and its port, or a path.
        to: String,
        /// The time that it had.
        limit: Duration,
    },
    /// The options of TLS are no good, or the handshake failed.
    ///
    /// With [`TlsError::Options`] nothing has been connected to.
    Tls {
        /// The host that was asked for, or the path of a Unix socket.
        host: String,
        /// What was wrong.
        source: TlsError,
    },
    /// The connection was made, but the TLS handshake did not end in time.
    HandshakeTimeout {
        /// The host that was asked for, or the path of a Unix socket.
        host: String,
        /// The time that it had.
        limit: Duration,
    },
    /// TLS can't begin while another task reads from the connection. The connection is as it was.
    Busy,
    /// The limit of the reader is no good.
    Limit(LimitError),
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
                let to = HostPort(host, *port).to_string();
                write!(f, "connecting to {to}")?;
                if let [(address, error)] = &attempts[..]
                    && address.to_string() == to
                {
                    return write!(f, ": {}", plain(error));
                }
                if attempts.is_empty() {
                    f.write_str(": the host has no address that could be tried")?;
                }
                for (index, (address, error)) in attempts.iter().enumerate() {
                    let separator = if index == 0 { ": " } else { "; " };
                    write!(f, "{separator}{address}: {}", plain(error))?;
                }
                Ok(())
            }
            Self::Path { path, source } => {
                write!(f, "connecting to {}: {}", ShownPath(path), plain(source))
            }
            Self::Timeout { to, limit } => {
                write!(f, "connecting to {to} took longer than {limit:?}")
            }
            Self::Tls { host, source: source @ TlsError::Options { .. } } => {
                write!(f, "the TLS options for {host}: {source}")
            }
            Self::Tls { host, source } => write!(f, "TLS with {host}: {source}"),
            Self::HandshakeTimeout { host, limit } => {
                write!(f, "TLS with {host}: the handshake did not end within {limit:?}")
            }
            Self::Busy => f.write_str(
                "TLS can't begin while another task reads from the connection: it would take what \
                 belongs to TLS",
            ),
            Self::Limit(error) => error.fmt(f),
            Self::Io { doing, source } => write!(f, "{doing}: {}", plain(source)),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve { source, .. } | Self::Path { source, .. } | Self::Io { source, .. } => {
                Some(source)
            }
            // One cause can be given, and the last attempt's is as good as any. All are in `attempts`.
            Self::Connect { attempts, .. } => Some(&attempts.last()?.1),
            Self::Tls { source, .. } => Some(source),
            Self::HandshakeTimeout { .. } | Self::Timeout { .. } | Self::Busy | Self::Limit(_) => {
                None
            }
        }
    }
}

impl From<ConnectError> for io::Error {
    /// The kind is that of the last attempt, `TimedOut` for what took too long, `InvalidInput` for
    /// options that are no good, and `InvalidData` for other failures of TLS.
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Resolve { source, .. }
            | ConnectError::Path { source, .. }
            | ConnectError::Io { source, .. } => source.kind(),
            ConnectError::Connect { attempts, .. } => {
                attempts.last().map_or(io::ErrorKind::AddrNotAvailable, |(_, error)| error.kind())
            }
            ConnectError::Tls { source: TlsError::Options { .. }, .. } | ConnectError::Limit(_) => {
                io::ErrorKind::InvalidInput
            }
            ConnectError::Tls { .. } => io::ErrorKind::InvalidData,
            ConnectError::HandshakeTimeout { .. } | ConnectError::Timeout { .. } => {
                io::ErrorKind::TimedOut
            }
            ConnectError::Busy => io::ErrorKind::ResourceBusy,
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
    /// A Unix socket could not be made and listened on.
    ///
    /// The kind of the source tells why: `AlreadyExists` if there is a file in its place that is no
    /// socket, `NotFound` if there is no such directory, `PermissionDenied`, `AddrInUse` if
    /// somebody listens there, `InvalidFilename` if the path is too long.
    BindPath {
        /// The path.
        path: PathBuf,
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
    /// The limit of the readers is no good.
    Limit(LimitError),
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
            Self::BindPath { path, source } => {
                write!(f, "listening on {}: {}", ShownPath(path), plain(source))
            }
            Self::Limit(error) => error.fmt(f),
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
            Self::Resolve { source, .. }
            | Self::Bind { source, .. }
            | Self::BindPath { source, .. }
            | Self::Io { source, .. } => Some(source),
            Self::Tls { source } => Some(source),
            Self::Limit(_) | Self::Closed | Self::AlreadyServing => None,
        }
    }
}

impl From<ServeError> for io::Error {
    fn from(error: ServeError) -> Self {
        let kind = match &error {
            ServeError::Resolve { source, .. }
            | ServeError::Bind { source, .. }
            | ServeError::BindPath { source, .. }
            | ServeError::Io { source, .. } => source.kind(),
            ServeError::Tls { .. } | ServeError::Limit(_) => io::ErrorKind::InvalidInput,
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
/// `IncompleteReadError`, `LimitOverrunError`, `RuntimeError`, `ValueError` and `OSError`, in this
/// order.
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
    /// [`readuntil`](crate::StreamReader::readuntil) was given no separator, or an empty one.
    NoSeparator,
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
            Self::NoSeparator => f.write_str("a separator must have at least one byte"),
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
    /// for one beside another, `InvalidInput` without a separator, and the connection's own error as it is.
    fn from(error: ReadError) -> Self {
        let kind = match error {
            ReadError::Io(error) => return error,
            ReadError::Incomplete { .. } => io::ErrorKind::UnexpectedEof,
            ReadError::LimitOverrun { .. } => io::ErrorKind::InvalidData,
            ReadError::Busy => io::ErrorKind::ResourceBusy,
            ReadError::NoSeparator => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A reader's limit is zero: it could not read a line.
///
/// # In asyncio
///
/// `ValueError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitError;

impl LimitError {
    pub(crate) fn check(limit: usize) -> Result<(), Self> {
        if limit == 0 { Err(Self) } else { Ok(()) }
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the limit of a reader must be at least one byte")
    }
}

impl std::error::Error for LimitError {}

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
pub(crate) struct HostPort<'a>(pub(crate) &'a str, pub(crate) u16);

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

/// A path, or the name of an abstract socket as other tools show it: `@name`.
pub(crate) struct ShownPath<'a>(pub(crate) &'a Path);

impl fmt::Display for ShownPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string_lossy();
        match text.strip_prefix('\0') {
            Some(name) => write!(f, "@{}", name.escape_debug()),
            None => text.fmt(f),
        }
    }
}

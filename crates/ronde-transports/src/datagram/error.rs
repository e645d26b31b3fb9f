//! What can go wrong with datagrams.

use std::fmt;
use std::io;

use super::DatagramAddr;

/// Why a datagram endpoint could not be made.
///
/// # In asyncio
///
/// `OSError` and `ValueError`.
#[derive(Debug)]
#[non_exhaustive]
pub enum EndpointError {
    /// The name of a host could not be resolved.
    Resolve {
        /// The host that was asked for.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The local and the remote host have no addresses of one family, which was asked for or may be any.
    Family {
        /// The local host, if one was asked for.
        local: Option<String>,
        /// The remote host, if one was asked for.
        remote: Option<String>,
    },
    /// The local address could not be had. If there are several, this is the first.
    Bind {
        /// The address.
        address: DatagramAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The remote address could not be connected to. If there are several, this is the first.
    Connect {
        /// The address.
        address: DatagramAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something else: an option, or to register the socket.
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, source } => write!(f, "looking up {host}: {source}"),
            Self::Family { local, remote } => {
                f.write_str("making a datagram endpoint")?;
                if let Some(local) = local {
                    write!(f, " at {local}")?;
                }
                if let Some(remote) = remote {
                    write!(f, " to {remote}")?;
                }
                f.write_str(": there are no addresses of the same family")
            }
            Self::Bind { address, source } => {
                write!(f, "making a datagram endpoint at {address}: {source}")
            }
            Self::Connect { address, source } => {
                write!(f, "connecting a datagram endpoint to {address}: {source}")
            }
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl std::error::Error for EndpointError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve { source, .. }
            | Self::Bind { source, .. }
            | Self::Connect { source, .. }
            | Self::Io { source, .. } => Some(source),
            Self::Family { .. } => None,
        }
    }
}

impl From<EndpointError> for io::Error {
    /// The kind is the system's; `AddrNotAvailable` without a common family.
    fn from(error: EndpointError) -> Self {
        let kind = match &error {
            EndpointError::Resolve { source, .. }
            | EndpointError::Bind { source, .. }
            | EndpointError::Connect { source, .. }
            | EndpointError::Io { source, .. } => source.kind(),
            EndpointError::Family { .. } => io::ErrorKind::AddrNotAvailable,
        };
        Self::new(kind, error)
    }
}

/// Why a datagram can't be sent that way. It was not sent.
///
/// What the system has against it is told by
/// [`error_received`](crate::DatagramProtocol::error_received).
///
/// # In asyncio
///
/// `ValueError` and `TypeError`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The endpoint is connected, and to another address.
    WrongAddress {
        /// The address that was given.
        given: DatagramAddr,
        /// The one that it is connected to.
        connected_to: DatagramAddr,
    },
    /// The endpoint isn't connected, so an address is needed.
    NoAddress,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongAddress { given, connected_to } => write!(
                f,
                "sending a datagram to {given}: the endpoint is connected to {connected_to}"
            ),
            Self::NoAddress => f.write_str(
                "sending a datagram without an address: the endpoint is not connected, use `sendto`",
            ),
        }
    }
}

impl std::error::Error for SendError {}

impl From<SendError> for io::Error {
    /// The kind is `InvalidInput`, or `NotConnected` without an address.
    fn from(error: SendError) -> Self {
        let kind = match &error {
            SendError::WrongAddress { .. } => io::ErrorKind::InvalidInput,
            SendError::NoAddress => io::ErrorKind::NotConnected,
        };
        Self::new(kind, error)
    }
}

//! The addresses of datagrams.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use socket2::SockAddr;

use crate::sys;

/// Where a datagram comes from, or goes to.
///
/// # Examples
///
/// ```
/// use ronde_transports::DatagramAddr;
/// use std::net::SocketAddr;
///
/// let address: SocketAddr = "127.0.0.1:53".parse().unwrap();
/// let datagram_address = DatagramAddr::from(address);
/// assert_eq!(datagram_address.ip(), Some(address));
/// assert_eq!(datagram_address.to_string(), "127.0.0.1:53");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatagramAddr {
    /// An address of the internet.
    Ip(SocketAddr),
    /// The path of a Unix socket. The name of an abstract one begins with NUL.
    Path(PathBuf),
    /// A Unix socket that has no name. Nobody can answer it.
    Unnamed,
}

impl DatagramAddr {
    /// The address of the internet, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Path(_) | Self::Unnamed => None,
        }
    }

    /// The path, if it is a Unix socket that has one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Ip(_) | Self::Unnamed => None,
        }
    }

    pub(crate) fn to_system(&self) -> io::Result<SockAddr> {
        match self {
            Self::Ip(address) => Ok((*address).into()),
            Self::Path(path) => sys::path_address(path),
            Self::Unnamed => {
                let error = "a socket without a name can't be sent to";
                Err(io::Error::new(io::ErrorKind::InvalidInput, error))
            }
        }
    }
}

impl From<SocketAddr> for DatagramAddr {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl From<&Path> for DatagramAddr {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<PathBuf> for DatagramAddr {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&Self> for DatagramAddr {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

impl fmt::Display for DatagramAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Path(path) => path.to_string_lossy().replace('\0', "@").fmt(f),
            Self::Unnamed => f.write_str("a socket without a name"),
        }
    }
}

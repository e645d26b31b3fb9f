//! Windows: sockets only.

use std::io;
use std::os::windows::io::AsRawSocket;

use ronde_reactor::{BorrowedSource, OwnedSource};
use rustix::net::{SendFlags, SocketAddrAny};
use socket2::SockAddr;

/// Sends as much as the system takes now.
pub(crate) fn send(socket: BorrowedSource<'_>, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, data, SendFlags::empty())?)
}

/// There are no Unix datagrams.
pub(crate) fn unix_address(_address: SocketAddrAny) -> Option<SockAddr> {
    None
}

/// Did a `connect` that doesn't wait begin well, or had it begun before?
pub(crate) fn is_connecting(error: &io::Error) -> bool {
    const WSAEALREADY: i32 = 10037;
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(WSAEALREADY)
}

/// Did a `connect` fail because the socket is connected?
pub(crate) fn is_connected(error: &io::Error) -> bool {
    const WSAEISCONN: i32 = 10056;
    error.raw_os_error() == Some(WSAEISCONN)
}

/// The number that the socket is known by.
pub(crate) type RawSource = std::os::windows::io::RawSocket;

pub(crate) fn raw(source: BorrowedSource<'_>) -> RawSource {
    source.as_raw_socket()
}

/// Another handle to the same socket.
pub(crate) fn duplicate(source: BorrowedSource<'_>) -> io::Result<OwnedSource> {
    source.try_clone_to_owned()
}

/// Does the system not know a socket of this number?
pub(crate) fn is_not_open(error: &io::Error) -> bool {
    const WSAENOTSOCK: i32 = 10038;
    error.raw_os_error() == Some(WSAENOTSOCK)
}

/// The system doesn't tell.
pub(crate) fn is_nonblocking(_source: BorrowedSource<'_>) -> bool {
    true
}

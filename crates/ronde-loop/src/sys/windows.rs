//! Windows: sockets only.

use std::io;

use ronde_reactor::BorrowedSource;
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

/// The system doesn't tell.
pub(crate) fn is_nonblocking(_source: BorrowedSource<'_>) -> bool {
    true
}

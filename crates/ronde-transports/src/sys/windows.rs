//! Windows: through the standard library and socket2.

use std::io;
use std::net::UdpSocket;
use std::path::Path;

use ronde_loop::BorrowedSource;
use socket2::{SockAddr, SockRef, Socket};

use crate::datagram::DatagramAddr;

/// Receives a datagram, and says where it comes from.
pub(crate) fn receive_from(
    source: BorrowedSource<'_>,
    room: &mut [u8],
) -> io::Result<(usize, DatagramAddr)> {
    // The standard library receives into initialised memory, but only through a socket of its own.
    let socket = UdpSocket::from(source.try_clone_to_owned()?);
    let (bytes, from) = socket.recv_from(room)?;
    Ok((bytes, DatagramAddr::Ip(from)))
}

/// There are no datagrams between Unix sockets here.
pub(crate) fn path_address(_path: &Path) -> io::Result<SockAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// As [`path_address`].
pub(crate) fn bind_path(_socket: &Socket, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Does nothing: there is no such option.
pub(crate) fn set_reuse_port(_socket: &SockRef<'_>) -> io::Result<()> {
    Ok(())
}

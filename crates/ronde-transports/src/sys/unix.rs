//! Unix: through rustix.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use ronde_loop::BorrowedSource;
use rustix::net::{RecvFlags, SocketAddrAny, SocketAddrUnix, recvfrom};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::datagram::DatagramAddr;

/// Receives a datagram, and says where it comes from.
pub(crate) fn receive_from(
    source: BorrowedSource<'_>,
    room: &mut [u8],
) -> io::Result<(usize, DatagramAddr)> {
    let (_, bytes, from) = recvfrom(source, room, RecvFlags::empty())?;
    Ok((bytes, from.map_or(DatagramAddr::Unnamed, address)))
}

fn address(from: SocketAddrAny) -> DatagramAddr {
    if let Ok(address) = SocketAddr::try_from(from.clone()) {
        return DatagramAddr::Ip(address);
    }
    let Ok(address) = SocketAddrUnix::try_from(from) else { return DatagramAddr::Unnamed };
    // The name of an abstract socket has no file, and begins with NUL.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = address.abstract_name() {
        let bytes = [b"\0", name].concat();
        return DatagramAddr::Path(PathBuf::from(OsStr::from_bytes(&bytes)));
    }
    match address.path() {
        Some(path) => DatagramAddr::Path(PathBuf::from(OsStr::from_bytes(path.to_bytes()))),
        None => DatagramAddr::Unnamed,
    }
}

/// The address of a Unix socket.
pub(crate) fn path_address(path: &Path) -> io::Result<SockAddr> {
    SockAddr::unix(path).map_err(|_| {
        let error = "the path is longer than the system allows for a socket, or has a NUL in it";
        io::Error::new(io::ErrorKind::InvalidFilename, error)
    })
}

/// Binds a socket to a path, in place of one that was left behind there.
pub(crate) fn bind_path(socket: &Socket, path: &Path) -> io::Result<()> {
    let address = path_address(path)?;
    let is_socket = fs::metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && is_left_behind(&address)? {
        fs::remove_file(path)?;
    }
    socket.bind(&address)
}

/// Does nobody receive there? That shows only when one tries to connect.
fn is_left_behind(address: &SockAddr) -> io::Result<bool> {
    let outcome = Socket::new(Domain::UNIX, Type::DGRAM, None)?.connect(address);
    Ok(outcome.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}

/// Lets several sockets receive at the same address.
pub(crate) fn set_reuse_port(socket: &SockRef<'_>) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_reuseport(&**socket, true)?)
}

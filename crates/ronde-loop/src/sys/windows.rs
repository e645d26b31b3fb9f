//! Windows: sockets only.

use std::fs::File;
use std::io;
use std::os::windows::io::AsRawSocket;

use ronde_reactor::{BorrowedSource, OwnedSource};
use rustix::net::{SendFlags, SocketAddrAny};
use socket2::SockAddr;

use crate::resolve::{AddrInfoFlags, NameInfoFlags};

/// Sends as much as the system takes now.
pub(crate) fn send(socket: BorrowedSource<'_>, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, data, SendFlags::empty())?)
}

/// There is `TransmitFile`, which waits.
pub(crate) fn sendfile(
    _socket: BorrowedSource<'_>,
    _file: &File,
    _offset: u64,
    _size: usize,
) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn is_sendfile_unavailable(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// Reads at a position, where the file's own is afterwards.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
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

/// The system's numbers for what `getaddrinfo` is to do, from `ws2tcpip.h`.
pub(crate) fn addrinfo_flags(flags: AddrInfoFlags) -> i32 {
    sum([
        (flags.passive, 0x1),
        (flags.canonical_name, 0x2),
        (flags.numeric_host, 0x4),
        (flags.numeric_service, 0x8),
        (flags.v4_mapped, 0x800),
        (flags.all, 0x100),
        (flags.address_config, 0x400),
    ])
}

/// The system's numbers for what `getnameinfo` is to do, from `ws2tcpip.h`.
pub(crate) fn nameinfo_flags(flags: NameInfoFlags) -> i32 {
    sum([
        (flags.numeric_host, 0x2),
        (flags.numeric_service, 0x8),
        (flags.name_required, 0x4),
        (flags.datagram, 0x10),
        (flags.short_local_name, 0x1),
    ])
}

fn sum<const N: usize>(flags: [(bool, i32); N]) -> i32 {
    flags.into_iter().filter(|(on, _)| *on).fold(0, |sum, (_, flag)| sum | flag)
}

//! Unix: through rustix.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

use ronde_reactor::{BorrowedSource, OwnedSource};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;
use rustix::net::{SendFlags, SocketAddrAny, SocketAddrUnix};
use socket2::SockAddr;

use crate::resolve::{AddrInfoFlags, NameInfoFlags};

/// A peer that is gone is an error of the call, not a signal that ends the program. Where the flag
/// doesn't exist, socket2 sets the option of the same effect when it makes the socket.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: SendFlags = SendFlags::empty();

/// Sends as much as the system takes now.
pub(crate) fn send(socket: BorrowedSource<'_>, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, data, SEND_FLAGS)?)
}

/// Has the system send up to `size` bytes of a file, as much as the socket takes now. Nothing is its end.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn sendfile(
    socket: BorrowedSource<'_>,
    file: &File,
    mut offset: u64,
    size: usize,
) -> io::Result<usize> {
    Ok(rustix::fs::sendfile(socket, file, Some(&mut offset), size)?)
}

/// Other systems have calls of that name, each with arguments of its own.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn sendfile(
    _socket: BorrowedSource<'_>,
    _file: &File,
    _offset: u64,
    _size: usize,
) -> io::Result<usize> {
    Err(Errno::NOSYS.into())
}

/// Did `sendfile` fail because the system can't do it with this file?
pub(crate) fn is_sendfile_unavailable(error: &io::Error) -> bool {
    let reasons = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::SPIPE];
    Errno::from_io_error(error).is_some_and(|errno| reasons.contains(&errno))
}

/// Reads at a position, whatever the file's own is.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// The address of a Unix socket, if it is one.
pub(crate) fn unix_address(address: SocketAddrAny) -> Option<SockAddr> {
    let address = SocketAddrUnix::try_from(address).ok()?;
    let name = match address.path_bytes() {
        Some(path) => path.to_vec(),
        None => abstract_name(&address),
    };
    SockAddr::unix(OsStr::from_bytes(&name)).ok()
}

/// With the NUL that it begins with; empty if there is none.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(address: &SocketAddrUnix) -> Vec<u8> {
    address.abstract_name().map(|name| [b"\0", name].concat()).unwrap_or_default()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_name(_address: &SocketAddrUnix) -> Vec<u8> {
    Vec::new()
}

/// Did a `connect` that doesn't wait begin well, or had it begun before?
pub(crate) fn is_connecting(error: &io::Error) -> bool {
    let begun = [Errno::INPROGRESS, Errno::ALREADY];
    Errno::from_io_error(error).is_some_and(|errno| begun.contains(&errno))
}

/// Did a `connect` fail because the socket is connected?
pub(crate) fn is_connected(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::ISCONN)
}

/// The number that the descriptor is known by.
pub(crate) type RawSource = std::os::fd::RawFd;

pub(crate) fn raw(source: BorrowedSource<'_>) -> RawSource {
    source.as_raw_fd()
}

/// Another descriptor of the same open file.
pub(crate) fn duplicate(source: BorrowedSource<'_>) -> io::Result<OwnedSource> {
    source.try_clone_to_owned()
}

/// Does the system not know a descriptor of this number?
pub(crate) fn is_not_open(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::BADF)
}

/// Do calls on it return instead of waiting?
pub(crate) fn is_nonblocking(source: BorrowedSource<'_>) -> bool {
    fcntl_getfl(source).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK))
}

/// The system's numbers for what `getaddrinfo` is to do.
pub(crate) fn addrinfo_flags(flags: AddrInfoFlags) -> i32 {
    // Not every system knows these two.
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    const V4_MAPPED: (i32, i32) = (libc::AI_V4MAPPED, libc::AI_ALL);
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    const V4_MAPPED: (i32, i32) = (0, 0);

    sum([
        (flags.passive, libc::AI_PASSIVE),
        (flags.canonical_name, libc::AI_CANONNAME),
        (flags.numeric_host, libc::AI_NUMERICHOST),
        (flags.numeric_service, libc::AI_NUMERICSERV),
        (flags.v4_mapped, V4_MAPPED.0),
        (flags.all, V4_MAPPED.1),
        (flags.address_config, libc::AI_ADDRCONFIG),
    ])
}

/// The system's numbers for what `getnameinfo` is to do.
pub(crate) fn nameinfo_flags(flags: NameInfoFlags) -> i32 {
    sum([
        (flags.numeric_host, libc::NI_NUMERICHOST),
        (flags.numeric_service, libc::NI_NUMERICSERV),
        (flags.name_required, libc::NI_NAMEREQD),
        (flags.datagram, libc::NI_DGRAM),
        (flags.short_local_name, libc::NI_NOFQDN),
    ])
}

fn sum<const N: usize>(flags: [(bool, i32); N]) -> i32 {
    flags.into_iter().filter(|(on, _)| *on).fold(0, |sum, (_, flag)| sum | flag)
}

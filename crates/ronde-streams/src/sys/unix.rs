//! Unix: through rustix.

use std::io;

use ronde_loop::BorrowedSource;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::Socket;

use super::Io;

/// A peer that is gone is an error of the call, not a signal that ends the program. Where the flag
/// doesn't exist, socket2 sets the option of the same effect when it makes the socket.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: SendFlags = SendFlags::empty();

/// How bytes are moved through a socket.
pub(crate) const SOCKET: Io = Io { receive, send, is_pipe: false };

/// How bytes are moved through a pipe. Writing to one that nobody reads is an error, for Rust's runtime
/// has programs ignore the signal that it would be otherwise.
pub(crate) const PIPE: Io = Io {
    receive: |io, room| Ok(rustix::io::read(io, room)?),
    send: |io, data| Ok(rustix::io::write(io, data)?),
    is_pipe: true,
};

/// Receives what is there, at most as much as fits.
fn receive(source: BorrowedSource<'_>, room: &mut [u8]) -> io::Result<usize> {
    let (received, _) = rustix::net::recv(source, room, RecvFlags::empty())?;
    Ok(received)
}

/// Sends as much as the system takes now.
fn send(source: BorrowedSource<'_>, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(source, data, SEND_FLAGS)?)
}

/// Lets a server listen on an address on which connections of an earlier one still linger.
pub(crate) fn set_reuse_address(socket: &Socket, on: bool) -> io::Result<()> {
    socket.set_reuse_address(on)
}

/// Did a `connect` that doesn't wait begin well?
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::INPROGRESS)
}

/// Did `accept` fail for want of descriptors or memory, so that it may go well later?
pub(crate) fn is_out_of_resources(error: &io::Error) -> bool {
    let scarce = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| scarce.contains(&errno))
}

/// Lets several sockets listen on the same address, and share what comes in.
pub(crate) fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_reuseport(socket, true)?)
}

/// Does the system lack the whole family of an address?
pub(crate) fn is_family_unsupported(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT)
}

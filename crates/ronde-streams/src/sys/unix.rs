//! Unix: through rustix.

use std::fs::File;
use std::io::{self, IoSlice};

use ronde_loop::BorrowedSource;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use socket2::Socket;

use super::Io;

/// A peer that is gone is an error of the call, not a signal that ends the program. Where the flag
/// doesn't exist, socket2 sets the option of the same effect when it makes the socket.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: SendFlags = SendFlags::empty();

/// How bytes are moved through a socket.
pub(crate) const SOCKET: Io = Io { receive, send, send_parts, short_is_all: true, is_pipe: false };

/// How bytes are moved through a pipe. Writing to one that nobody reads is an error, for Rust's runtime
/// has programs ignore the signal that it would be otherwise.
pub(crate) const PIPE: Io = Io {
    receive: |io, room| Ok(rustix::io::read(io, room)?),
    send: |io, data| Ok(rustix::io::write(io, data)?),
    send_parts: |io, parts| Ok(rustix::io::writev(io, parts)?),
    short_is_all: true,
    is_pipe: true,
};

/// How bytes are moved through a terminal.
pub(crate) const TERMINAL: Io = Io { short_is_all: false, ..PIPE };

/// How bytes are moved through one direction of a socket that is not in non-blocking mode.
pub(crate) const SHARED_SOCKET: Io = Io {
    receive: |io, room| Ok(rustix::net::recv(io, room, RecvFlags::DONTWAIT)?.0),
    send: |io, data| Ok(rustix::net::send(io, data, SEND_FLAGS.union(SendFlags::DONTWAIT))?),
    send_parts: |io, parts| {
        let flags = SEND_FLAGS.union(SendFlags::DONTWAIT);
        Ok(rustix::net::sendmsg(io, parts, &mut SendAncillaryBuffer::default(), flags)?)
    },
    short_is_all: true,
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

/// The same for data in parts. The system takes a limited number of them.
fn send_parts(source: BorrowedSource<'_>, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut nothing = SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(source, parts, &mut nothing, SEND_FLAGS)?)
}

/// Blocks the thread until `file` takes more.
pub(crate) fn wait_writable(file: &File) -> io::Result<()> {
    match poll(&mut [PollFd::new(file, PollFlags::OUT)], None) {
        Err(Errno::INTR) | Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Is it a pipe, or something else that one can write to?
pub(crate) fn is_fifo(source: BorrowedSource<'_>) -> bool {
    rustix::fs::fstat(source)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Lets a server listen on an address on which connections of an earlier one still linger.
pub(crate) fn set_reuse_address(socket: &Socket, on: bool) -> io::Result<()> {
    socket.set_reuse_address(on)
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

/// Who is at the other end of a Unix socket. Made by
/// [`StreamWriter::peer_credentials`](crate::StreamWriter::peer_credentials).
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCredentials {
    /// The process. It may have ended since, and its number may be another's by now.
    pub pid: i32,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

#[cfg(target_os = "linux")]
pub(crate) fn peer_credentials(socket: &socket2::SockRef<'_>) -> Option<PeerCredentials> {
    let address = socket.local_addr().ok()?;
    let found =
        address.is_unix().then(|| rustix::net::sockopt::socket_peercred(&**socket))?.ok()?;
    Some(PeerCredentials {
        pid: found.pid.as_raw_nonzero().get(),
        uid: found.uid.as_raw(),
        gid: found.gid.as_raw(),
    })
}

/// Reads at a position, or from where the file is if it has no positions. Blocks.
pub(crate) fn read_at(file: &File, room: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match std::os::unix::fs::FileExt::read_at(file, room, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::NotSeekable => {
                return io::Read::read(&mut &*file, room);
            }
            outcome => return outcome,
        }
    }
}

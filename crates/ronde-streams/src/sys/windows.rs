//! Windows: through socket2.

use std::fs::File;
use std::io::{self, IoSlice, Read};

use ronde_loop::BorrowedSource;
use socket2::{SockRef, Socket};

use super::Io;

/// How bytes are moved through a socket.
pub(crate) const SOCKET: Io = Io { receive, send, send_parts, short_is_all: true, is_pipe: false };

/// Receives what is there, at most as much as fits.
fn receive(source: BorrowedSource<'_>, room: &mut [u8]) -> io::Result<usize> {
    (&*SockRef::from(&source)).read(room)
}

/// Sends as much as the system takes now.
fn send(source: BorrowedSource<'_>, data: &[u8]) -> io::Result<usize> {
    SockRef::from(&source).send(data)
}

/// The same for data in parts.
fn send_parts(source: BorrowedSource<'_>, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    SockRef::from(&source).send_vectored(parts)
}

/// Files are never non-blocking here.
pub(crate) fn wait_writable(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Does nothing: the option of that name lets two servers share an address here, and the problem
/// that it solves elsewhere doesn't exist.
pub(crate) fn set_reuse_address(_socket: &Socket, _on: bool) -> io::Result<()> {
    Ok(())
}

/// Did `accept` fail for want of sockets or memory, so that it may go well later?
pub(crate) fn is_out_of_resources(error: &io::Error) -> bool {
    const WSAEMFILE: i32 = 10024;
    const WSAENOBUFS: i32 = 10055;
    matches!(error.raw_os_error(), Some(WSAEMFILE | WSAENOBUFS))
}

/// Does nothing: there is no such option.
pub(crate) fn set_reuse_port(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

/// Does the system lack the whole family of an address?
pub(crate) fn is_family_unsupported(error: &io::Error) -> bool {
    const WSAEAFNOSUPPORT: i32 = 10047;
    error.raw_os_error() == Some(WSAEAFNOSUPPORT)
}

/// Reads at a position, or from where the file is if it has no positions. Blocks.
pub(crate) fn read_at(file: &File, room: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match std::os::windows::fs::FileExt::seek_read(file, room, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::NotSeekable => {
                return io::Read::read(&mut &*file, room);
            }
            outcome => return outcome,
        }
    }
}

//! Windows: a source is a socket.

use std::io;
use std::net::TcpStream;
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, OwnedSocket};

use crate::Source;

/// What a [`Source`] owns: a socket here, a file descriptor on Unix.
pub type OwnedSource = OwnedSocket;

/// What I/O is done on: a borrowed socket here, a borrowed file descriptor on Unix.
pub type BorrowedSource<'a> = BorrowedSocket<'a>;

/// What has a socket to lend: everything that is [`AsSocket`].
///
/// So that a function can ask for it by one name on every platform.
pub trait AsSource {
    /// Lends the socket.
    fn as_source(&self) -> BorrowedSource<'_>;
}

impl<T: AsSocket + ?Sized> AsSource for T {
    fn as_source(&self) -> BorrowedSource<'_> {
        self.as_socket()
    }
}

impl AsSocket for Source {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.borrow()
    }
}

/// Lends the source; the same call on every platform.
pub(crate) fn borrow(source: &OwnedSource) -> BorrowedSource<'_> {
    source.as_socket()
}

/// The source's number, as the system has it.
pub(crate) fn number(source: &OwnedSource) -> u64 {
    source.as_raw_socket() as u64
}

/// Is it the same socket?
pub(crate) fn is_same(source: &OwnedSource, other: BorrowedSource<'_>) -> bool {
    source.as_raw_socket() == other.as_raw_socket()
}

/// Is it known to be a TCP socket? Nothing is lost by a no but a call that would have been saved.
pub(crate) fn is_tcp(_source: &OwnedSource) -> bool {
    false
}

/// Makes reads and writes return `WouldBlock` instead of waiting.
///
/// The standard library has this call only on its own socket types. `TcpStream` is a plain
/// wrapper, so the socket passes through it whatever kind it is.
pub(crate) fn set_nonblocking(source: OwnedSource) -> io::Result<OwnedSource> {
    let stream = TcpStream::from(source);
    stream.set_nonblocking(true)?;
    Ok(OwnedSource::from(stream))
}

/// Says in words what the poller's refusal of a new source means; Windows' own words serve.
pub(crate) fn explain_refusal(error: io::Error) -> io::Error {
    error
}

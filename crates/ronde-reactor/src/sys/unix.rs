//! Unix: a source is a file descriptor.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};

use crate::Source;

/// What a [`Source`] owns: a file descriptor here, a socket on Windows.
pub type OwnedSource = OwnedFd;

/// What I/O is done on: a borrowed file descriptor here, a borrowed socket on Windows.
pub type BorrowedSource<'a> = BorrowedFd<'a>;

/// What has a file descriptor to lend: everything that is [`AsFd`].
///
/// So that a function can ask for it by one name on every platform.
pub trait AsSource {
    /// Lends the descriptor.
    fn as_source(&self) -> BorrowedSource<'_>;
}

impl<T: AsFd + ?Sized> AsSource for T {
    fn as_source(&self) -> BorrowedSource<'_> {
        self.as_fd()
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.borrow()
    }
}

/// Lends the source; the same call on every platform.
pub(crate) fn borrow(source: &OwnedSource) -> BorrowedSource<'_> {
    source.as_fd()
}

/// The source's number, as the system and its tools have it.
pub(crate) fn number(source: &OwnedSource) -> u64 {
    // An open descriptor's number is never negative.
    u64::from(source.as_raw_fd().unsigned_abs())
}

/// Is it the same descriptor? Another descriptor of the same open file is not.
pub(crate) fn is_same(source: &OwnedSource, other: BorrowedSource<'_>) -> bool {
    source.as_raw_fd() == other.as_raw_fd()
}

/// Is it a TCP socket, or something else that is not even a socket?
pub(crate) fn is_tcp(source: &OwnedSource) -> bool {
    let is_stream = sockopt::socket_type(source).is_ok_and(|found| found == SocketType::STREAM);
    let internet = [AddressFamily::INET, AddressFamily::INET6];
    is_stream && getsockname(source).is_ok_and(|name| internet.contains(&name.address_family()))
}

/// Makes reads and writes return `WouldBlock` instead of waiting.
///
/// `FIONBIO` does in one system call what `F_GETFL` and `F_SETFL` do in two, and works on every
/// kind of descriptor that can be registered.
pub(crate) fn set_nonblocking(source: OwnedSource) -> io::Result<OwnedSource> {
    rustix::io::ioctl_fionbio(&source, true)?;
    Ok(source)
}

/// Says in words what the poller's refusal of a new source means.
///
/// The codes of `epoll_ctl(2)` mislead: `EPERM` is not about permissions and `ENOSPC` not about a
/// disk.
pub(crate) fn explain_refusal(error: io::Error) -> io::Error {
    use rustix::io::Errno;
    match Errno::from_io_error(&error) {
        Some(Errno::PERM) => io::Error::new(
            io::ErrorKind::Unsupported,
            "a regular file or directory is always ready and cannot be waited for; \
             read and write it on another thread",
        ),
        Some(Errno::NOSPC) => io::Error::new(
            error.kind(),
            "the system's limit on registered descriptors is reached \
             (see /proc/sys/fs/epoll/max_user_watches)",
        ),
        _ => error,
    }
}

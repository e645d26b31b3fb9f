//! The system calls that move bytes.
//!
//! This is the only place where the platform is chosen. Each file offers the same names, but for pipes,
//! which only Unix has.

use std::io::{self, IoSlice};

use ronde_loop::BorrowedSource;

/// How bytes are moved.
#[derive(Clone, Copy)]
pub(crate) struct Io {
    /// Receives what is there, at most as much as fits.
    pub(crate) receive: fn(BorrowedSource<'_>, &mut [u8]) -> io::Result<usize>,
    /// Sends as much as the system takes now.
    pub(crate) send: fn(BorrowedSource<'_>, &[u8]) -> io::Result<usize>,
    /// The same for data in parts.
    pub(crate) send_parts: fn(BorrowedSource<'_>, &[IoSlice<'_>]) -> io::Result<usize>,
    /// A read that gives less than there is room for says that there is no more. Not so on a
    /// terminal, which gives a line at a time.
    pub(crate) short_is_all: bool,
    /// A pipe has one direction, and no options.
    pub(crate) is_pipe: bool,
}

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    PIPE, SHARED_SOCKET, SOCKET, TERMINAL, is_family_unsupported, is_fifo, is_out_of_resources,
    read_at, set_reuse_address, set_reuse_port, wait_writable,
};

#[cfg(target_os = "linux")]
pub use unix::PeerCredentials;
#[cfg(target_os = "linux")]
pub(crate) use unix::peer_credentials;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    SOCKET, is_family_unsupported, is_out_of_resources, read_at, set_reuse_address, set_reuse_port,
    wait_writable,
};

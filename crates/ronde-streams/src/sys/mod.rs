//! The system calls that move bytes.
//!
//! This is the only place where the platform is chosen. Each file offers the same names, but for pipes,
//! which only Unix has.

use std::io;

use ronde_loop::BorrowedSource;

/// How bytes are moved.
#[derive(Clone, Copy)]
pub(crate) struct Io {
    /// Receives what is there, at most as much as fits.
    pub(crate) receive: fn(BorrowedSource<'_>, &mut [u8]) -> io::Result<usize>,
    /// Sends as much as the system takes now.
    pub(crate) send: fn(BorrowedSource<'_>, &[u8]) -> io::Result<usize>,
    /// A pipe has one direction, and no options.
    pub(crate) is_pipe: bool,
}

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    PIPE, SOCKET, is_family_unsupported, is_in_progress, is_out_of_resources, set_reuse_address,
    set_reuse_port,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    SOCKET, is_family_unsupported, is_in_progress, is_out_of_resources, set_reuse_address,
    set_reuse_port,
};

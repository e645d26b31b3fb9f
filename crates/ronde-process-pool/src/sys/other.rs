//! Where there are no pairs of sockets. Making a worker fails, and says so.

use std::io;
use std::net::TcpStream;

use ronde_loop::OwnedSource;
use ronde_process::Stdio;

/// A worker's end.
pub(crate) type Socket = TcpStream;

pub(crate) fn socket_and_stdin() -> io::Result<(OwnedSource, Stdio)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn take_stdin() -> io::Result<Socket> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn ignore_interrupts() -> io::Result<()> {
    Ok(())
}

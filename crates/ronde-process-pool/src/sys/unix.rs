//! Unix: a pair of sockets, one of which the worker finds as its standard input.
//!
//! That needs no descriptor number that both have to agree on, nor one that other children inherit.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use ronde_loop::OwnedSource;
use ronde_process::Stdio;
use signal_hook::consts::SIGINT;

/// A worker's end.
pub(crate) type Socket = UnixStream;

/// The program's end, and what is to be the worker's standard input.
pub(crate) fn socket_and_stdin() -> io::Result<(OwnedSource, Stdio)> {
    let (ours, theirs) = UnixStream::pair()?;
    Ok((ours.into(), OwnedFd::from(theirs).into()))
}

/// A worker's end. Its standard input is empty from now on.
pub(crate) fn take_stdin() -> io::Result<Socket> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(socket.into())
}

/// Ctrl-C in a terminal reaches all processes there. A worker leaves the decision to its program.
pub(crate) fn ignore_interrupts() -> io::Result<()> {
    // A handler that does nothing that matters: unlike an ignored signal, it isn't inherited by what
    // a job starts.
    signal_hook::flag::register(SIGINT, Arc::default()).map(drop)
}

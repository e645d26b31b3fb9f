//! What is called with the output of a child process, and its end.

use std::fmt;
use std::io;

use super::SubprocessTransport;

/// One of the three pipes that a child process may have.
///
/// # In asyncio
///
/// The number of the descriptor in the child: 0, 1 or 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[doc(alias = "fd")]
pub enum Pipe {
    /// Its standard input, descriptor 0.
    Stdin = 0,
    /// Its standard output, descriptor 1.
    Stdout = 1,
    /// Its error output, descriptor 2.
    Stderr = 2,
}

impl Pipe {
    pub(super) const ALL: [Self; 3] = [Self::Stdin, Self::Stdout, Self::Stderr];
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdin => "stdin",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

/// Code that is called with the output of a child process, and its end.
///
/// A transport calls [`connection_made`](Self::connection_made) first, and
/// [`connection_lost`](Self::connection_lost) last: when the child has ended and all its pipes are closed.
/// As a [`Protocol`](crate::Protocol) is, it is called by the loop, never from within a method of the
/// transport, and one method at a time. A panic in one is reported, and the child is killed.
///
/// # In asyncio
///
/// `asyncio.SubprocessProtocol`, with the methods of `asyncio.BaseProtocol`.
///
/// # Examples
///
/// See [`subprocess_exec`](crate::subprocess_exec).
pub trait SubprocessProtocol: 'static {
    /// The child is started. `transport` is a handle to it, to be cloned and kept.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.connection_made`.
    fn connection_made(&mut self, transport: &SubprocessTransport) {
        let _ = transport;
    }

    /// Something has arrived from an output of the child.
    ///
    /// # In asyncio
    ///
    /// `SubprocessProtocol.pipe_data_received`.
    fn pipe_data_received(&mut self, pipe: Pipe, data: &[u8]) {
        let _ = (pipe, data);
    }

    /// A pipe is closed, by the child, by all that it has started and that has it, or from here. It is an
    /// error if what was written to its input can't be delivered any more.
    ///
    /// # In asyncio
    ///
    /// `SubprocessProtocol.pipe_connection_lost`.
    fn pipe_connection_lost(&mut self, pipe: Pipe, error: Option<io::Error>) {
        let _ = (pipe, error);
    }

    /// The child has ended: [`returncode`](SubprocessTransport::returncode) tells how. There may be more to
    /// come from its pipes.
    ///
    /// # In asyncio
    ///
    /// `SubprocessProtocol.process_exited`.
    fn process_exited(&mut self) {}

    /// The buffer of the child's input has grown above its high-water mark: stop writing. It is called as
    /// [`Protocol::pause_writing`](crate::Protocol::pause_writing) is.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.pause_writing`.
    fn pause_writing(&mut self) {}

    /// The buffer of the child's input has fallen to the low-water mark: go on writing.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.resume_writing`.
    fn resume_writing(&mut self) {}

    /// The child has ended, and all its pipes are closed. There is an error only if this protocol has
    /// panicked.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.connection_lost`.
    fn connection_lost(&mut self, error: Option<io::Error>) {
        let _ = error;
    }
}

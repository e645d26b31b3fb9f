//! The transport of a child process.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use ronde_loop::LoopHandle;
use ronde_process::{ReturnCode, Signal, SignalError};

use super::link::Link;
use super::{Pipe, SubprocessProtocol};
use crate::protocol::ProtocolHandle;
use crate::transport::Transport;

/// A handle to a child process that has a protocol called with its output and its end.
///
/// Clones are handles to the same child. The loop owns it until the child has ended and its pipes are
/// closed: a task named after it waits for that. When that task is cancelled, as it is when the program
/// ends, or the loop is closed, the transport is [closed](Self::close).
///
/// # In asyncio
///
/// `asyncio.SubprocessTransport`.
///
/// # Examples
///
/// See [`subprocess_exec`](crate::subprocess_exec).
#[derive(Clone)]
pub struct SubprocessTransport {
    link: Rc<Link>,
}

impl SubprocessTransport {
    pub(super) fn of(link: Rc<Link>) -> Self {
        Self { link }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Its process id. That of the shell, for a command of the shell.
    ///
    /// # In asyncio
    ///
    /// `SubprocessTransport.get_pid`.
    #[must_use]
    #[doc(alias = "get_pid")]
    pub fn pid(&self) -> u32 {
        self.link.process().pid()
    }

    /// How it ended. `None` while it runs.
    ///
    /// # In asyncio
    ///
    /// `SubprocessTransport.get_returncode`.
    #[must_use]
    #[doc(alias = "get_returncode")]
    pub fn returncode(&self) -> Option<ReturnCode> {
        self.link.process().returncode()
    }

    /// The transport of one of its pipes, to write to its input, or to pause an output. `None` if that is
    /// no pipe, and when all is over. Its protocol is none of yours.
    ///
    /// # In asyncio
    ///
    /// `SubprocessTransport.get_pipe_transport`.
    #[must_use]
    #[doc(alias = "get_pipe_transport")]
    pub fn pipe_transport(&self, pipe: Pipe) -> Option<Transport> {
        self.link.pipe(pipe)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// As [`Process::send_signal`](ronde_process::Process::send_signal).
    ///
    /// # In asyncio
    ///
    /// `SubprocessTransport.send_signal`.
    pub fn send_signal(&self, signal: Signal) -> Result<(), SignalError> {
        self.link.process().send_signal(signal)
    }

    /// Asks it to end: see [`Process::terminate`](ronde_process::Process::terminate).
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal).
    ///
    /// # In asyncio
    ///
    /// `SubprocessTransport.terminate`.
    pub fn terminate(&self) -> Result<(), SignalError> {
        self.link.process().terminate()
    }

    /// Ends it: see [`Process::kill`](ronde_process::Process::kill).
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal).
    ///
    /// # In asyncio
    ///
    /// `SubprocessTransport.kill`.
    pub fn kill(&self) -> Result<(), SignalError> {
        self.link.process().kill()
    }

    /// Closes its pipes, and kills it if it runs. The protocol hears of all that.
    ///
    /// # In asyncio
    ///
    /// `SubprocessTransport.close`.
    pub fn close(&self) {
        self.link.close();
    }

    /// Is it closed, or over?
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.is_closing`.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.link.is_closing()
    }

    /// Waits until [`connection_lost`](SubprocessProtocol::connection_lost) was called.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** It only looks.
    ///
    /// # In asyncio
    ///
    /// There is no such method.
    pub async fn wait_closed(&self) {
        self.link.lost().await;
    }

    /// Has another protocol called from now on.
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.set_protocol`.
    pub fn set_protocol<P: SubprocessProtocol>(&self, protocol: P) -> ProtocolHandle<P> {
        let shared = Rc::new(RefCell::new(protocol));
        self.link.set_protocol((shared.clone(), shared.clone()));
        ProtocolHandle::new(shared)
    }

    /// The protocol that is called, if it is a `P`. `None` also when all is over.
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.get_protocol`.
    #[must_use]
    #[doc(alias = "get_protocol")]
    pub fn protocol<P: 'static>(&self) -> Option<ProtocolHandle<P>> {
        self.link.protocol()
    }

    /// The loop that calls the protocol.
    #[must_use]
    pub fn get_loop(&self) -> LoopHandle {
        self.link.event_loop().clone()
    }
}

/// Two are equal if they are handles to the same child.
impl PartialEq for SubprocessTransport {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.link, &other.link)
    }
}

impl Eq for SubprocessTransport {}

impl fmt::Debug for SubprocessTransport {
    /// `<SubprocessTransport pid=1234 running>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<SubprocessTransport pid={}", self.pid())?;
        match self.returncode() {
            None => f.write_str(" running")?,
            Some(returncode) => write!(f, " ended ({returncode})")?,
        }
        f.write_str(if self.link.is_lost() { " lost>" } else { ">" })
    }
}

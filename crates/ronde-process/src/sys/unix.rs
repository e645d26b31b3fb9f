//! Unix.

use std::ffi::OsStr;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

use async_process::Child;
use ronde_streams::{StreamReader, StreamWriter};
use rustix::io::Errno;
use rustix::process::{Pid, kill_process, kill_process_group};

use ronde_loop::Signal;

/// What a child can have as one of its three streams.
pub(crate) type Handle = OwnedFd;

/// A second handle to the standard output of this program.
pub(crate) fn own_stdout() -> io::Result<Handle> {
    io::stdout().as_fd().try_clone_to_owned()
}

pub(crate) fn shell(command: &OsStr) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    shell
}

/// Has the child lead a process group of its own.
pub(crate) fn lead_group(command: &mut Command) {
    command.process_group(0);
}

pub(crate) fn has_nul(text: &OsStr) -> bool {
    text.as_bytes().contains(&0)
}

pub(crate) fn has_equals(text: &OsStr) -> bool {
    text.as_bytes().contains(&b'=')
}

pub(crate) fn signal_of(status: ExitStatus) -> Option<Signal> {
    status.signal().map(Signal::new)
}

/// Signals a process which is not reaped yet, and its whole group if asked to.
pub(crate) fn send_signal(child: &mut Child, signal: Signal, to_group: bool) -> io::Result<()> {
    let named = rustix::process::Signal::from_named_raw(signal.number());
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (Some(signal), Some(pid)) = (named, pid) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    match if to_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) } {
        // A program that ignores `SIGCHLD` has its children reaped by the system: it has just died.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn reader(pipe: PipeReader, limit: usize) -> io::Result<StreamReader> {
    StreamReader::from_pipe_with_limit(pipe, limit)
}

pub(crate) fn writer(pipe: PipeWriter) -> io::Result<StreamWriter> {
    StreamWriter::from_pipe(pipe)
}

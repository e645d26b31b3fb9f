//! Windows. There are no signals, and no process groups that could be ended as one; pipes can't be
//! waited for as sockets can, so the loop has none.

use std::ffi::OsStr;
use std::io::{self, PipeReader, PipeWriter};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Command, ExitStatus};

use async_process::Child;
use ronde_streams::{StreamReader, StreamWriter};

use ronde_loop::Signal;

/// What a child can have as one of its three streams.
pub(crate) type Handle = OwnedHandle;

/// A second handle to the standard output of this program.
pub(crate) fn own_stdout() -> io::Result<Handle> {
    io::stdout().as_handle().try_clone_to_owned()
}

pub(crate) fn shell(command: &OsStr) -> Command {
    let mut shell = Command::new("cmd.exe");
    shell.arg("/C").raw_arg(command);
    shell
}

/// Has the child lead a process group of its own: Ctrl-C doesn't reach it then.
pub(crate) fn lead_group(command: &mut Command) {
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

pub(crate) fn has_nul(text: &OsStr) -> bool {
    text.encode_wide().any(|unit| unit == 0)
}

pub(crate) fn has_equals(text: &OsStr) -> bool {
    // A leading one is how `cmd.exe` remembers the directory of each drive.
    text.encode_wide().skip(1).any(|unit| unit == u16::from(b'='))
}

pub(crate) fn signal_of(_status: ExitStatus) -> Option<Signal> {
    None
}

/// Ends the process, which is all that there is.
pub(crate) fn send_signal(child: &mut Child, signal: Signal, to_group: bool) -> io::Result<()> {
    if to_group || !matches!(signal, Signal::KILL | Signal::TERM) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    child.kill()
}

pub(crate) fn reader(_pipe: PipeReader, _limit: usize) -> io::Result<StreamReader> {
    Err(no_pipes())
}

pub(crate) fn writer(_pipe: PipeWriter) -> io::Result<StreamWriter> {
    Err(no_pipes())
}

fn no_pipes() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "on Windows a loop can't wait for a pipe")
}

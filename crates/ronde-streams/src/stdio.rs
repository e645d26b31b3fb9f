//! The program's own input and output as streams.
//!
//! The mode of an open file, non-blocking or not, belongs to all who have it open: to the shell that
//! started the program, say, or to the next program in the pipe. A program that makes its standard input
//! non-blocking breaks theirs. So that mode is never touched:
//!
//! - A **pipe** or a **terminal** is opened again through `/proc/self/fd`, which gives an open file of our
//!   own, to be waited for by the loop.
//! - A **socket** can't be opened again, but knows calls that don't wait whatever the mode.
//! - A **regular file**, or a device that is always ready, is read and written at once.
//! - **Else**, as where there is no `/proc`, a thread reads, and writes are made at once.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
#[cfg(target_os = "linux")]
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use ronde_loop::{LoopHandle, get_running_loop};
use rustix::fs::OFlags;

use crate::blocking::{AtOnce, OnThread};
use crate::connection::Connection;
use crate::reader::{DEFAULT_LIMIT, StreamReader};
use crate::sys;
use crate::writer::StreamWriter;

/// The program's standard input, as a stream.
///
/// It may be anything: a pipe, a terminal, a socket, a file. Other programs that have the same input
/// don't notice that it is read here: its mode stays as it is.
///
/// Each call makes a reader with a buffer of its own, so make one and keep it: what one has in its buffer
/// is hidden from the others, and from [`std::io::stdin`]. It reads ahead what there is when it is asked,
/// and never more. Dropping it doesn't close the descriptor.
///
/// # Errors
///
/// If the system refuses it: to duplicate the descriptor, say.
///
/// # Panics
///
/// Outside a running event loop.
///
/// # In asyncio
///
/// `loop.connect_read_pipe(..., sys.stdin)`, which leaves the descriptor non-blocking for everybody, and
/// can't read files.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_streams::{stdin, stdout};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let (input, output) = (stdin()?, stdout()?);
/// let mut lines = input.lines();
/// while let Some(line) = lines.next().await {
///     output.write(line?.to_ascii_uppercase());
///     output.drain().await?;
/// }
/// # std::io::Result::Ok(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[doc(alias = "connect_read_pipe")]
#[track_caller]
pub fn stdin() -> io::Result<StreamReader> {
    let event_loop = running_loop();
    Ok(StreamReader::of(input(&event_loop, io::stdin().as_fd())?, DEFAULT_LIMIT))
}

/// The program's standard output, as a stream.
///
/// It may be anything, as [`stdin`] may. What is written to a file is written at once, however long that
/// takes; that also holds for pipes and terminals where the system can't open them again (anywhere but
/// on Linux).
///
/// What was written when the loop ends is delivered as far as the system takes it: await
/// [`flush`](StreamWriter::flush) or [`drain`](StreamWriter::drain) to be sure. Closing or dropping the
/// writer doesn't close the descriptor, so whoever reads a pipe sees its end when the program ends.
///
/// It doesn't know of what [`print!`] has in its buffer.
///
/// # Errors
///
/// If the system refuses it: to duplicate the descriptor, say.
///
/// # Panics
///
/// Outside a running event loop.
///
/// # In asyncio
///
/// `loop.connect_write_pipe(..., sys.stdout)`, which leaves the descriptor non-blocking for everybody,
/// and can't write to files.
///
/// # Examples
///
/// See [`stdin`].
#[doc(alias = "connect_write_pipe")]
#[track_caller]
pub fn stdout() -> io::Result<StreamWriter> {
    let event_loop = running_loop();
    Ok(StreamWriter::of(output(&event_loop, io::stdout().as_fd())?))
}

/// The program's standard error output, as a stream. As [`stdout`].
///
/// # Errors
///
/// As [`stdout`].
///
/// # Panics
///
/// As [`stdout`].
///
/// # In asyncio
///
/// `loop.connect_write_pipe(..., sys.stderr)`.
#[track_caller]
pub fn stderr() -> io::Result<StreamWriter> {
    let event_loop = running_loop();
    Ok(StreamWriter::of(output(&event_loop, io::stderr().as_fd())?))
}

#[track_caller]
fn running_loop() -> LoopHandle {
    get_running_loop().expect("standard streams belong to a running event loop")
}

type Shared = std::rc::Rc<Connection>;

fn input(event_loop: &LoopHandle, fd: BorrowedFd<'_>) -> io::Result<Shared> {
    let ours = fd.try_clone_to_owned()?;
    Ok(match Kind::of(&ours)? {
        Kind::File => at_once(ours),
        Kind::Socket => shared_socket(event_loop, ours)?,
        Kind::Pipe => match reopened(event_loop, fd, OFlags::RDONLY, sys::PIPE) {
            Some(connection) => connection,
            None => on_thread(ours)?,
        },
        Kind::Terminal => match reopened(event_loop, fd, OFlags::RDONLY, sys::TERMINAL) {
            Some(connection) => connection,
            None => on_thread(ours)?,
        },
        Kind::Other => match event_loop.register_shared(ours.try_clone()?) {
            // It is always ready, so to read never takes long.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => at_once(ours),
            _ => on_thread(ours)?,
        },
    })
}

fn output(event_loop: &LoopHandle, fd: BorrowedFd<'_>) -> io::Result<Shared> {
    let ours = fd.try_clone_to_owned()?;
    let reopened = match Kind::of(&ours)? {
        Kind::Socket => return shared_socket(event_loop, ours),
        Kind::Pipe => reopened(event_loop, fd, OFlags::WRONLY, sys::PIPE),
        Kind::Terminal => reopened(event_loop, fd, OFlags::WRONLY, sys::TERMINAL),
        Kind::File | Kind::Other => None,
    };
    Ok(reopened.unwrap_or_else(|| Connection::direct(event_loop.clone(), File::from(ours))))
}

fn at_once(fd: OwnedFd) -> Shared {
    Connection::foreign(Box::pin(AtOnce(File::from(fd))))
}

fn on_thread(fd: OwnedFd) -> io::Result<Shared> {
    Ok(Connection::foreign(Box::pin(OnThread::start(fd)?)))
}

fn shared_socket(event_loop: &LoopHandle, socket: OwnedFd) -> io::Result<Shared> {
    let source = event_loop.register_shared(socket)?;
    Ok(Connection::one_way(event_loop.clone(), source, sys::SHARED_SOCKET))
}

/// Opens what a descriptor stands for once more. `None` if the system can't do that.
fn reopened(
    event_loop: &LoopHandle,
    fd: BorrowedFd<'_>,
    access: OFlags,
    io: sys::Io,
) -> Option<Shared> {
    let mut options = OpenOptions::new();
    options.read(access == OFlags::RDONLY).write(access == OFlags::WRONLY);
    // To open the end of a pipe whose other end is gone must not wait for another one.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    options.custom_flags(flags.cast_signed());
    let again = options.open(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    let source = event_loop.register(again).ok()?;
    Some(Connection::one_way(event_loop.clone(), source, io))
}

enum Kind {
    File,
    Pipe,
    Terminal,
    Socket,
    Other,
}

impl Kind {
    fn of(fd: &OwnedFd) -> io::Result<Self> {
        let metadata = File::from(fd.try_clone()?).metadata()?;
        let file_type = metadata.file_type();
        Ok(if file_type.is_file() {
            Self::File
        } else if file_type.is_fifo() {
            Self::Pipe
        } else if file_type.is_socket() {
            Self::Socket
        } else if fd.is_terminal() && !is_multiplexer(&metadata) {
            Self::Terminal
        } else {
            Self::Other
        })
    }
}

/// Is it the device `/dev/ptmx`, which is another terminal each time it is opened?
#[cfg(target_os = "linux")]
fn is_multiplexer(device: &Metadata) -> bool {
    let device = device.rdev();
    (rustix::fs::major(device), rustix::fs::minor(device)) == (5, 2)
}

/// Nothing can be opened again here, so that it makes no difference.
#[cfg(not(target_os = "linux"))]
fn is_multiplexer(_device: &Metadata) -> bool {
    false
}

//! What can go wrong.

use std::fmt;
use std::io;
use std::path::PathBuf;

use ronde_streams::ReadError;

use crate::returncode::ReturnCode;
use ronde_loop::Signal;

/// Why a program could not be started.
///
/// # In asyncio
///
/// `FileNotFoundError`, `PermissionError` and other kinds of `OSError`, and `ValueError`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_process::{SpawnError, create_subprocess_exec};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let error = create_subprocess_exec("no-such-program").await.unwrap_err();
/// assert_eq!(error.to_string(), "starting no-such-program: there is no such program");
///
/// let error = create_subprocess_exec("true").current_dir("/nowhere").await.unwrap_err();
/// assert!(matches!(error, SpawnError::Directory { .. }));
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no such program.
    NotFound {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program may not be run: its file is not executable, say.
    NotAllowed {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program can't be run in the directory that was asked for: it is missing, no directory, or may
    /// not be entered.
    Directory {
        /// The program.
        program: PathBuf,
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something that was asked for can't be: a text with a zero byte in it, say.
    Argument {
        /// The program.
        program: PathBuf,
        /// What, and what is wrong with it.
        problem: String,
    },
    /// One of the three streams could not be made: there may be no descriptors left.
    Stdio {
        /// The program.
        program: PathBuf,
        /// Which one: `stdin`, `stdout` or `stderr`.
        stream: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something else: no memory, no more processes, no descriptors left, arguments
    /// that are too long.
    Io {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SpawnError {
    /// The program that could not be started.
    #[must_use]
    pub fn program(&self) -> &std::path::Path {
        match self {
            Self::NotFound { program, .. }
            | Self::NotAllowed { program, .. }
            | Self::Directory { program, .. }
            | Self::Argument { program, .. }
            | Self::Stdio { program, .. }
            | Self::Io { program, .. } => program,
        }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "starting {}: ", self.program().display())?;
        match self {
            // One without a slash was looked for in the directories of `PATH`.
            Self::NotFound { program, .. } if program.is_absolute() && program.exists() => {
                f.write_str("the program is there, but not the interpreter that its file names")
            }
            Self::NotFound { .. } => f.write_str("there is no such program"),
            Self::NotAllowed { source, .. } => write!(f, "it may not be run: {}", plain(source)),
            Self::Directory { directory, source, .. } => {
                write!(f, "its directory {}: {}", directory.display(), plain(source))
            }
            Self::Argument { problem, .. } => f.write_str(problem),
            Self::Stdio { stream, source, .. } => {
                write!(f, "making its {stream}: {}", plain(source))
            }
            Self::Io { source, .. } => write!(f, "{}", plain(source)),
        }
    }
}

impl std::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotFound { source, .. }
            | Self::NotAllowed { source, .. }
            | Self::Directory { source, .. }
            | Self::Stdio { source, .. }
            | Self::Io { source, .. } => Some(source),
            Self::Argument { .. } => None,
        }
    }
}

impl From<SpawnError> for io::Error {
    /// The kind is the system's; `InvalidInput` for an argument.
    fn from(error: SpawnError) -> Self {
        let kind = match &error {
            SpawnError::NotFound { source, .. }
            | SpawnError::NotAllowed { source, .. }
            | SpawnError::Directory { source, .. }
            | SpawnError::Stdio { source, .. }
            | SpawnError::Io { source, .. } => source.kind(),
            SpawnError::Argument { .. } => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

/// Why a signal could not be sent.
///
/// # In asyncio
///
/// `ProcessLookupError`, `PermissionError`, `ValueError`.
#[derive(Debug)]
#[non_exhaustive]
pub enum SignalError {
    /// The process has ended, so there is nobody to signal.
    Ended {
        /// Its process id, which may be another's by now.
        pid: u32,
        /// How it ended.
        returncode: ReturnCode,
    },
    /// The process shares the group of this program, so its tree can't be killed alone:
    /// [`own_process_group`](crate::CreateSubprocess::own_process_group) was not asked for.
    NoGroup {
        /// Its process id.
        pid: u32,
    },
    /// The system refused: there is no such signal, or the process has changed its user.
    Io {
        /// Its process id.
        pid: u32,
        /// The signal.
        signal: Signal,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { pid, returncode } => {
                write!(f, "signalling process {pid}: it has ended ({returncode})")
            }
            Self::NoGroup { pid } => {
                write!(f, "killing the tree of process {pid}: it has no process group of its own")
            }
            Self::Io { pid, signal, source } => {
                write!(f, "sending {signal} to process {pid}: {}", plain(source))
            }
        }
    }
}

impl std::error::Error for SignalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Ended { .. } | Self::NoGroup { .. } => None,
        }
    }
}

impl From<SignalError> for io::Error {
    /// `NotFound` for a process that has ended, `InvalidInput` without a group, else the system's.
    fn from(error: SignalError) -> Self {
        let kind = match &error {
            SignalError::Ended { .. } => io::ErrorKind::NotFound,
            SignalError::NoGroup { .. } => io::ErrorKind::InvalidInput,
            SignalError::Io { source, .. } => source.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why [`communicate`](crate::Process::communicate) has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommunicateError {
    /// There is input to give, but its stdin is no pipe, or somebody has taken it.
    NoStdin {
        /// The process id.
        pid: u32,
    },
    /// There is input to give, but the child's input is ended already: by an earlier call, say.
    InputEnded {
        /// The process id.
        pid: u32,
    },
    /// An output could not be read.
    Read {
        /// The process id.
        pid: u32,
        /// Which one: `stdout` or `stderr`.
        stream: &'static str,
        /// Why. It is [`Busy`](ReadError::Busy) if another task is reading it.
        source: ReadError,
    },
}

impl fmt::Display for CommunicateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStdin { pid } => {
                write!(f, "giving input to process {pid}: its stdin is no pipe, or was taken")
            }
            Self::InputEnded { pid } => {
                write!(f, "giving input to process {pid}: its stdin was closed already")
            }
            Self::Read { pid, stream, source } => {
                write!(f, "reading the {stream} of process {pid}: {source}")
            }
        }
    }
}

impl std::error::Error for CommunicateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::NoStdin { .. } | Self::InputEnded { .. } => None,
        }
    }
}

impl From<CommunicateError> for io::Error {
    /// `InvalidInput`, or the kind of the failed read.
    fn from(error: CommunicateError) -> Self {
        let kind = match &error {
            CommunicateError::Read { source: ReadError::Io(source), .. } => source.kind(),
            CommunicateError::Read { .. } => io::ErrorKind::Other,
            CommunicateError::NoStdin { .. } | CommunicateError::InputEnded { .. } => {
                io::ErrorKind::InvalidInput
            }
        };
        Self::new(kind, error)
    }
}

/// An error of the system without its number, which says nothing to a reader.
fn plain(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(code) = error.raw_os_error()
        && let Some(stripped) = text.strip_suffix(&format!(" (os error {code})"))
    {
        text.truncate(stripped.len());
    }
    text
}

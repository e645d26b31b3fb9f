//! How a child ended.

use std::fmt;
use std::io;
use std::process::ExitStatus;

use crate::sys;
use ronde_loop::Signal;

/// How a child process ended.
///
/// # In asyncio
///
/// `Process.returncode`, one number for all: see [`as_i32`](Self::as_i32).
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_process::{ReturnCode, Signal, create_subprocess_shell};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let process = create_subprocess_shell("exit 3").await?;
/// assert_eq!(process.wait().await, ReturnCode::Exited(3));
///
/// let process = create_subprocess_shell("kill -TERM $$").await?;
/// let returncode = process.wait().await;
/// assert_eq!(returncode, ReturnCode::Signaled(Signal::TERM));
/// assert_eq!(returncode.as_i32(), -15);
/// assert_eq!(returncode.to_string(), "killed by SIGTERM");
/// # Ok::<(), ronde_process::SpawnError>(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReturnCode {
    /// It ended by itself, with this exit code: 0 for success.
    Exited(i32),
    /// A signal ended it.
    Signaled(Signal),
    /// It ended, but somebody else was told how: the program ignores `SIGCHLD`, or another part of
    /// it waits for every child that there is.
    Unknown,
}

impl ReturnCode {
    /// Did it end by itself, with code 0?
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }

    /// The exit code, if it ended by itself.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            Self::Signaled(_) | Self::Unknown => None,
        }
    }

    /// The signal that ended it, if one did.
    #[must_use]
    pub fn signal(self) -> Option<Signal> {
        match self {
            Self::Signaled(signal) => Some(signal),
            Self::Exited(_) | Self::Unknown => None,
        }
    }

    /// As asyncio has it: the exit code, `-N` for signal N, and 255 if it is unknown.
    #[must_use]
    pub fn as_i32(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => -signal.number(),
            Self::Unknown => 255,
        }
    }

    pub(crate) fn of(status: io::Result<ExitStatus>) -> Self {
        let Ok(status) = status else { return Self::Unknown };
        match (status.code(), sys::signal_of(status)) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Signaled(signal),
            (None, None) => Self::Unknown,
        }
    }
}

/// `exit code 0`, `killed by SIGTERM`, or `ended, nobody knows how`.
impl fmt::Display for ReturnCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signaled(signal) => write!(f, "killed by {signal}"),
            Self::Unknown => f.write_str("ended, nobody knows how"),
        }
    }
}

//! What a child has as its standard streams.

use std::fmt;
use std::io;
use std::process;

use ronde_streams::{StreamReader, StreamWriter};

use crate::sys::{self, Handle};

/// What a child process has as its standard input, output or error output.
///
/// A [`File`](std::fs::File) is turned into one by `into`, and so are the ends of a pipe of [`std::io::pipe`], and, on
/// Unix, every owned descriptor.
///
/// # In asyncio
///
/// `None`, `subprocess.DEVNULL`, `subprocess.PIPE`, `subprocess.STDOUT`, and files.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_process::{Stdio, create_subprocess_shell};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let process = create_subprocess_shell("echo fine; echo bad >&2")
///     .stdin(Stdio::null())
///     .stdout(Stdio::piped())
///     .stderr(Stdio::stdout())
///     .await?;
/// let output = process.communicate().await?;
/// assert_eq!(output.stdout.unwrap(), "fine\nbad\n");
/// assert_eq!(output.stderr, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub struct Stdio(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    Inherit,
    Null,
    Piped,
    Stdout,
    Handle(Handle),
}

impl Stdio {
    /// That of this program. The default.
    #[must_use]
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// Nothing to read, and what is written vanishes.
    #[doc(alias = "DEVNULL")]
    #[must_use]
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// A pipe, whose other end is a stream of the [`Process`](crate::Process).
    #[doc(alias = "PIPE")]
    #[must_use]
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// For the error output: wherever the output goes.
    #[doc(alias = "STDOUT")]
    #[must_use]
    pub fn stdout() -> Self {
        Self(Kind::Stdout)
    }
}

impl<T: Into<Handle>> From<T> for Stdio {
    fn from(handle: T) -> Self {
        Self(Kind::Handle(handle.into()))
    }
}

impl fmt::Debug for Stdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The child's end of one of its streams.
pub(crate) enum ChildEnd {
    Inherit,
    Null,
    Handle(Handle),
}

/// Makes the child's input, and our end of it.
pub(crate) fn input(stdio: Stdio) -> io::Result<(ChildEnd, Option<StreamWriter>)> {
    Ok(match stdio.0 {
        Kind::Piped => {
            let (theirs, ours) = io::pipe()?;
            (ChildEnd::Handle(theirs.into()), Some(sys::writer(ours)?))
        }
        Kind::Inherit | Kind::Stdout => (ChildEnd::Inherit, None),
        Kind::Null => (ChildEnd::Null, None),
        Kind::Handle(handle) => (ChildEnd::Handle(handle), None),
    })
}

/// Makes an output of the child, and our end of it. It may go where `stdout` goes.
pub(crate) fn output(
    stdio: Stdio,
    stdout: Option<&ChildEnd>,
    limit: usize,
) -> io::Result<(ChildEnd, Option<StreamReader>)> {
    Ok(match (stdio.0, stdout) {
        (Kind::Piped, _) => {
            let (ours, theirs) = io::pipe()?;
            (ChildEnd::Handle(theirs.into()), Some(sys::reader(ours, limit)?))
        }
        (Kind::Stdout, Some(stdout)) => (stdout.second()?, None),
        (Kind::Inherit | Kind::Stdout, _) => (ChildEnd::Inherit, None),
        (Kind::Null, _) => (ChildEnd::Null, None),
        (Kind::Handle(handle), _) => (ChildEnd::Handle(handle), None),
    })
}

impl ChildEnd {
    /// A second one to the same end.
    fn second(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Inherit => Self::Handle(sys::own_stdout()?),
            Self::Null => Self::Null,
            Self::Handle(handle) => Self::Handle(handle.try_clone()?),
        })
    }
}

impl From<ChildEnd> for process::Stdio {
    fn from(end: ChildEnd) -> Self {
        match end {
            ChildEnd::Inherit => Self::inherit(),
            ChildEnd::Null => Self::null(),
            ChildEnd::Handle(handle) => handle.into(),
        }
    }
}

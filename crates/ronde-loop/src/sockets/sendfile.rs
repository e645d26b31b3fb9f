//! `sock_sendfile`.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use ronde_reactor::{Direction, Source};
use socket2::{SockRef, Type};

use crate::handle::LoopHandle;
use crate::sleep::yield_now;
use crate::sys;

/// How much one call is asked to send. It copies that much, at the most, while nothing else runs.
const AT_ONCE: u64 = 1024 * 1024;

/// How much is read at once where the system can't send files by itself, as in asyncio
/// (`SENDFILE_FALLBACK_READBUFFER_SIZE`).
const READ_AT_ONCE: u64 = 256 * 1024;

impl LoopHandle {
    /// Sends a file over a connected stream socket, waiting as often as need be. Gives the number of bytes.
    ///
    /// On Linux the system does it by itself, with `sendfile(2)`: nothing is copied into the program. Elsewhere, and
    /// for files that the system can't do it with, the file is read in the default executor, in pieces of
    /// 256 KiB, and sent. Await the result, after setting options if need be.
    ///
    /// The position of the file is neither used nor changed; what can't be read at a position, such as a pipe, is read
    /// from where it is. A file that is not in memory is read from its disk while the call lasts, and the loop
    /// waits for that.
    ///
    /// # Errors
    ///
    /// - [`SendfileError::Io`] if reading or sending fails. It tells how much was sent before.
    /// - [`SendfileError::NotAvailable`], without a [fallback](SockSendFile::fallback) only.
    /// - [`SendfileError::NotAStream`] if the socket is one for datagrams.
    ///
    /// # Cancel safety
    ///
    /// **Data lost.** How much was sent is not known then, unless somebody keeps
    /// [the count](SockSendFile::progress).
    ///
    /// # In asyncio
    ///
    /// `loop.sock_sendfile`. There, the file's position is at the end of what was sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::{fs::File, io::{Read, Write}, os::unix::net::UnixStream};
    /// # EventLoop::new()?.run_until_complete(async {
    /// # let (ours, mut theirs) = UnixStream::pair()?;
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("page");
    /// std::fs::write(&path, "a page, and more")?;
    ///
    /// let event_loop = get_running_loop().unwrap();
    /// let socket = event_loop.register(ours)?;
    /// let page = File::open(&path)?;
    /// let sent = event_loop.sock_sendfile(&socket, &page).offset(2).count(4).await?;
    /// assert_eq!(sent, 4);
    ///
    /// drop(socket);
    /// let mut received = String::new();
    /// theirs.read_to_string(&mut received)?;
    /// assert_eq!(received, "page");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?.unwrap();
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn sock_sendfile<'a>(&self, socket: &'a Source, file: &'a File) -> SockSendFile<'a> {
        SockSendFile {
            event_loop: self.clone(),
            socket,
            file,
            offset: 0,
            count: None,
            fallback: true,
            progress: None,
        }
    }
}

/// A file that is yet to be sent: see [`LoopHandle::sock_sendfile`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct SockSendFile<'a> {
    event_loop: LoopHandle,
    socket: &'a Source,
    file: &'a File,
    offset: u64,
    count: Option<u64>,
    fallback: bool,
    progress: Option<&'a Cell<u64>>,
}

impl<'a> SockSendFile<'a> {
    /// Where in the file to begin, in bytes. Default: at its beginning. Behind its end there is nothing to send.
    pub fn offset(mut self, bytes: u64) -> Self {
        self.offset = bytes;
        self
    }

    /// How many bytes to send, at the most. Default: all that there are.
    pub fn count(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.count = bytes.into();
        self
    }

    /// Whether to read the file and send what was read, if the system can't send it by itself. Default: yes. If not,
    /// that is [`SendfileError::NotAvailable`].
    pub fn fallback(mut self, on: bool) -> Self {
        self.fallback = on;
        self
    }

    /// Keeps the number of bytes sent so far in `count`, also for when this is cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::{EventLoop, get_running_loop, timeout};
    /// # use std::{cell::Cell, fs::File, os::unix::net::UnixStream, time::Duration};
    /// # EventLoop::new()?.run_until_complete(async {
    /// # let (ours, _theirs) = UnixStream::pair().unwrap();
    /// # let file = tempfile::tempfile().unwrap();
    /// file.set_len(100_000_000).unwrap();
    /// let event_loop = get_running_loop().unwrap();
    /// let socket = event_loop.register(ours).unwrap();
    /// let sent = Cell::new(0);
    /// let sending = event_loop.sock_sendfile(&socket, &file).progress(&sent);
    /// // Nobody reads.
    /// let outcome = timeout(Duration::from_millis(1), sending.into_future()).await;
    /// assert!(outcome.is_err());
    /// assert!(sent.get() > 0 && sent.get() < 100_000_000);
    /// # })?;
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn progress(mut self, count: &'a Cell<u64>) -> Self {
        self.progress = Some(count);
        self
    }

    async fn send(self) -> Result<u64, SendfileError> {
        let failed = |source| SendfileError::Io { sent: 0, source };
        self.event_loop.check_socket(self.socket).map_err(failed)?;
        if SockRef::from(self.socket).r#type().map_err(failed)? != Type::STREAM {
            return Err(SendfileError::NotAStream);
        }
        let mut sent = Sent::new(self.progress);
        match self.by_the_system(&mut sent).await {
            Err(SendfileError::NotAvailable(_)) if self.fallback => self.by_hand(&mut sent).await?,
            outcome => outcome?,
        }
        Ok(sent.count)
    }

    /// How much is to be sent next: no more than `at_once`.
    fn next(&self, sent: &Sent<'_>, at_once: u64) -> usize {
        let left = self.count.map_or(at_once, |count| count - sent.count);
        // It is at most `at_once`.
        left.min(at_once) as usize
    }

    async fn by_the_system(&self, sent: &mut Sent<'_>) -> Result<(), SendfileError> {
        loop {
            let size = self.next(sent, AT_ONCE);
            if size == 0 {
                return Ok(());
            }
            let offset = self.offset.saturating_add(sent.count);
            let outcome = self
                .event_loop
                .on_socket(self.socket, Direction::Write, |socket| {
                    sys::sendfile(socket, self.file, offset, size)
                })
                .await;
            match outcome {
                Ok(0) => return Ok(()),
                Ok(count) => sent.add(count),
                Err(reason) if sent.count == 0 && sys::is_sendfile_unavailable(&reason) => {
                    let error = SendfileNotAvailableError { reason };
                    return Err(SendfileError::NotAvailable(error));
                }
                Err(source) => return Err(sent.failed(source)),
            }
            // The socket has taken all, and would take more. Others have their turn first.
            if outcome.is_ok_and(|count| count == size) {
                yield_now().await;
            }
        }
    }

    async fn by_hand(&self, sent: &mut Sent<'_>) -> Result<(), SendfileError> {
        let file = Arc::new(self.file.try_clone().map_err(|error| sent.failed(error))?);
        let mut buffer = Vec::new();
        loop {
            let size = self.next(sent, READ_AT_ONCE);
            if size == 0 {
                return Ok(());
            }
            let offset = self.offset.saturating_add(sent.count);
            let file = file.clone();
            let read = move || {
                let mut buffer: Vec<u8> = buffer;
                buffer.resize(size, 0);
                let count = read_at(&file, &mut buffer, offset)?;
                buffer.truncate(count);
                io::Result::Ok(buffer)
            };
            let job = self.event_loop.run_in_executor(None, read);
            let job = job.map_err(|error| sent.failed(io::Error::other(error)))?;
            let read = job.await.map_err(io::Error::from).and_then(|read| read);
            buffer = read.map_err(|error| sent.failed(error))?;
            if buffer.is_empty() {
                return Ok(());
            }
            let mut left = &*buffer;
            while !left.is_empty() {
                let taken = self.event_loop.sock_send(self.socket, left).await;
                let taken = taken.map_err(|error| sent.failed(error))?;
                sent.add(taken);
                left = &left[taken..];
            }
        }
    }
}

impl<'a> IntoFuture for SockSendFile<'a> {
    type Output = Result<u64, SendfileError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// How much was sent so far.
struct Sent<'a> {
    count: u64,
    progress: Option<&'a Cell<u64>>,
}

impl<'a> Sent<'a> {
    fn new(progress: Option<&'a Cell<u64>>) -> Self {
        let mut sent = Self { count: 0, progress };
        sent.add(0);
        sent
    }

    fn add(&mut self, count: usize) {
        self.count += count as u64;
        if let Some(progress) = self.progress {
            progress.set(self.count);
        }
    }

    fn failed(&self, source: io::Error) -> SendfileError {
        SendfileError::Io { sent: self.count, source }
    }
}

/// Reads at a position, or from where the file is if it has no positions. Blocks.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match sys::read_at(file, buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::NotSeekable => {
                return io::Read::read(&mut &*file, buffer);
            }
            outcome => return outcome,
        }
    }
}

/// Why a file could not be sent. From [`sock_sendfile`](LoopHandle::sock_sendfile).
#[derive(Debug)]
#[non_exhaustive]
pub enum SendfileError {
    /// The system can't send this file by itself, and the fallback was declined.
    NotAvailable(SendfileNotAvailableError),
    /// The socket is one for datagrams.
    NotAStream,
    /// Reading or sending has failed.
    Io {
        /// How many bytes were sent before.
        sent: u64,
        /// What the system said.
        source: io::Error,
    },
}

impl SendfileError {
    /// How many bytes were sent before.
    #[must_use]
    pub fn sent(&self) -> u64 {
        match self {
            Self::Io { sent, .. } => *sent,
            Self::NotAvailable(_) | Self::NotAStream => 0,
        }
    }
}

impl fmt::Display for SendfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAvailable(error) => error.fmt(f),
            Self::NotAStream => f.write_str("sending a file: the socket is not a stream"),
            Self::Io { sent, source } => {
                write!(f, "sending a file, after {sent} bytes were sent: {source}")
            }
        }
    }
}

impl std::error::Error for SendfileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // It is shown as this.
            Self::NotAvailable(error) => error.source(),
            Self::NotAStream => None,
            Self::Io { source, .. } => Some(source),
        }
    }
}

/// The reason, without the count.
impl From<SendfileError> for io::Error {
    fn from(error: SendfileError) -> Self {
        match error {
            SendfileError::Io { source, .. } => source,
            SendfileError::NotAvailable(_) => Self::new(io::ErrorKind::Unsupported, error),
            SendfileError::NotAStream => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}

/// The system can't send this file by itself.
///
/// # In asyncio
///
/// `asyncio.SendfileNotAvailableError`.
#[derive(Debug)]
pub struct SendfileNotAvailableError {
    reason: io::Error,
}

impl SendfileNotAvailableError {
    /// Makes one, for those who send files over something of their own.
    #[must_use]
    pub fn new(reason: io::Error) -> Self {
        Self { reason }
    }
}

impl fmt::Display for SendfileNotAvailableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the system can't send this file by itself: {}", self.reason)
    }
}

impl std::error::Error for SendfileNotAvailableError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}

//! Sending files over streams.

use std::fmt;
use std::fs::File;
use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use ronde_loop::{LoopHandle, SendfileError, SendfileNotAvailableError, get_running_loop};

use crate::connection::{Connection, FileTurn};
use crate::sys;
use crate::writer::StreamWriter;

/// How much is read at once where the file goes through the program.
const READ_AT_ONCE: u64 = 256 * 1024;

impl StreamWriter {
    /// Sends a file, after all that was written before, and waits until the system has taken it. Gives the number of
    /// bytes.
    ///
    /// Over a plain socket on Linux the system does it by itself: see
    /// [`sock_sendfile`](LoopHandle::sock_sendfile). Elsewhere, and over TLS, the file is read in the default
    /// executor and written. What is written meanwhile comes after the file. Await the result, after
    /// setting options if need be.
    ///
    /// # Errors
    ///
    /// - [`SendfileError::Io`] if reading fails, or the connection. It tells how much of the file was sent before.
    ///   The kind of its source is [`NotConnected`](io::ErrorKind::NotConnected) if the connection is
    ///   closed, and [`ResourceBusy`](io::ErrorKind::ResourceBusy) if another file is being sent.
    /// - [`SendfileError::NotAvailable`], without a [fallback](SendFile::fallback) only.
    ///
    /// # Panics
    ///
    /// When polled outside a running event loop.
    ///
    /// # Cancel safety
    ///
    /// **Data lost.** A part of the file was sent then, and nobody knows how much. Close the connection, or give it the
    /// time that it needs.
    ///
    /// # In asyncio
    ///
    /// `loop.sendfile`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use std::fs::File;
    /// use ronde_streams::{open_connection, start_server};
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("page");
    /// std::fs::write(&path, "a page\n")?;
    /// let page = File::open(&path)?;
    /// let server = start_server(
    ///     async move |_, writer| {
    ///         writer.write("HTTP/1.0 200 OK\r\n\r\n");
    ///         writer.sendfile(&page).await.map(drop)
    ///     },
    ///     "127.0.0.1",
    ///     0,
    /// )
    /// .await?;
    ///
    /// let port = server.local_addrs()[0].port();
    /// let (reader, _writer) = open_connection("127.0.0.1", port).await?;
    /// assert_eq!(reader.read_to_end().await?, "HTTP/1.0 200 OK\r\n\r\na page\n");
    /// # server.close();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?.unwrap();
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn sendfile<'a>(&'a self, file: &'a File) -> SendFile<'a> {
        SendFile { connection: self.connection(), file, offset: 0, count: None, fallback: true }
    }
}

/// A file that is yet to be sent: see [`StreamWriter::sendfile`].
#[must_use = "nothing is sent until it is awaited"]
pub struct SendFile<'a> {
    connection: &'a Connection,
    file: &'a File,
    offset: u64,
    count: Option<u64>,
    fallback: bool,
}

impl<'a> SendFile<'a> {
    /// Where in the file to begin, in bytes. Default: at its beginning.
    pub fn offset(mut self, bytes: u64) -> Self {
        self.offset = bytes;
        self
    }

    /// How many bytes to send, at the most. Default: all that there are.
    pub fn count(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.count = bytes.into();
        self
    }

    /// Whether to read the file and write what was read, where the system can't send it by itself. Default: yes. If not,
    /// that is [`SendfileError::NotAvailable`].
    pub fn fallback(mut self, on: bool) -> Self {
        self.fallback = on;
        self
    }

    async fn send(self) -> Result<u64, SendfileError> {
        let turn = poll_fn(|cx| self.connection.poll_begin_file(cx)).await;
        match turn.map_err(|error| failed(0, error))? {
            Some(turn) => self.past_the_output(&turn).await,
            None if self.fallback => self.through_the_output().await,
            None => {
                let reason = "it goes over TLS, or not to a socket";
                let reason = io::Error::new(io::ErrorKind::Unsupported, reason);
                Err(SendfileError::NotAvailable(SendfileNotAvailableError::new(reason)))
            }
        }
    }

    async fn past_the_output(&self, turn: &FileTurn<'_>) -> Result<u64, SendfileError> {
        let sent = std::cell::Cell::new(0);
        let sending = turn.event_loop.sock_sendfile(&turn.source, self.file);
        let sending = sending.offset(self.offset).count(self.count).fallback(self.fallback);
        let mut sending = pin!(sending.progress(&sent).into_future());
        poll_fn(|cx| {
            // Who aborts the connection does not wait for a peer that doesn't read.
            if let Poll::Ready(error) = self.connection.poll_lost(cx) {
                return Poll::Ready(Err(failed(sent.get(), error)));
            }
            sending.as_mut().poll(cx)
        })
        .await
    }

    async fn through_the_output(&self) -> Result<u64, SendfileError> {
        let event_loop = get_running_loop().expect("files are sent by a running event loop");
        let file = self.file.try_clone().map_err(|error| failed(0, error))?;
        let file = Arc::new(file);
        let mut sent = 0;
        loop {
            let left = self.count.map_or(READ_AT_ONCE, |count| count - sent);
            let size = left.min(READ_AT_ONCE) as usize;
            if size == 0 {
                return Ok(sent);
            }
            let failed = |error| failed(sent, error);
            let offset = self.offset.saturating_add(sent);
            let piece = read(&event_loop, &file, offset, size).await.map_err(failed)?;
            if piece.is_empty() {
                poll_fn(|cx| self.connection.poll_flush(cx)).await.map_err(failed)?;
                return Ok(sent);
            }
            self.connection.write(&piece);
            poll_fn(|cx| self.connection.poll_drain(cx)).await.map_err(failed)?;
            sent += piece.len() as u64;
        }
    }
}

impl<'a> IntoFuture for SendFile<'a> {
    type Output = Result<u64, SendfileError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for SendFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFile")
            .field("file", self.file)
            .field("offset", &self.offset)
            .field("count", &self.count)
            .field("fallback", &self.fallback)
            .finish_non_exhaustive()
    }
}

/// Reads a piece of a file in the default executor.
async fn read(
    event_loop: &LoopHandle,
    file: &Arc<File>,
    offset: u64,
    size: usize,
) -> io::Result<Vec<u8>> {
    let file = file.clone();
    let read = move || {
        let mut piece = vec![0; size];
        let count = sys::read_at(&file, &mut piece, offset)?;
        piece.truncate(count);
        Ok(piece)
    };
    event_loop.run_in_executor(None, read).map_err(io::Error::other)?.await?
}

fn failed(sent: u64, source: io::Error) -> SendfileError {
    SendfileError::Io { sent, source }
}

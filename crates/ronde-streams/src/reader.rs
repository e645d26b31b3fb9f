//! The reading half of a connection.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_io::{AsyncBufRead, AsyncRead};
use memchr::memmem;
use ronde_context::decline;
#[cfg(unix)]
use ronde_loop::OwnedSource;

use crate::connection::{Connection, ReadTurn};
use crate::error::{LimitError, ReadError};
use crate::lines::Lines;

/// How many bytes a line, or anything up to a separator, may have by default.
pub const DEFAULT_LIMIT: usize = 64 * 1024;

/// The reading half of a connection.
///
/// It reads from the socket when somebody asks for something that is not in its buffer, and only
/// then: a peer that sends more than anybody takes is held up by the system's flow control. All
/// methods give [`Bytes`], which share the buffer's memory instead of copying it.
///
/// Only one task can read at a time; a second one gets [`ReadError::Busy`]. It is `!Send`: the loop's
/// thread is the only one that can use it.
///
/// Dropping it leaves the [`StreamWriter`](crate::StreamWriter) as it is. When both are dropped, the
/// connection is closed as by [`close`](crate::StreamWriter::close).
///
/// # In asyncio
///
/// `asyncio.StreamReader`. There, the loop reads ahead up to twice the limit even if nobody asks, so an
/// end or a failure is known earlier.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// # use ronde_streams::StreamReader;
/// # EventLoop::new()?.run_until_complete(async {
/// let reader = StreamReader::new();
/// reader.feed_data(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\nbody");
/// reader.feed_eof();
///
/// assert_eq!(reader.readline().await.unwrap(), "GET / HTTP/1.1\r\n");
/// assert_eq!(reader.readuntil(b"\r\n\r\n").await.unwrap(), "Host: example.org\r\n\r\n");
/// assert_eq!(reader.read_to_end().await.unwrap(), "body");
/// assert!(reader.at_eof());
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub struct StreamReader {
    connection: Rc<Connection>,
    limit: usize,
    /// What `poll_fill_buf` lent out last and `consume` did not take, if the connection agrees.
    lent: Bytes,
}

impl StreamReader {
    /// Makes a reader without a connection, to be fed by hand.
    ///
    /// For tests, and for transports of one's own.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a reader without a connection is no default")]
    pub fn new() -> Self {
        Self::of(Connection::fed(), DEFAULT_LIMIT)
    }

    /// Makes a reader without a connection and with another limit.
    ///
    /// # Errors
    ///
    /// [`LimitError`] if the limit is zero.
    ///
    /// # In asyncio
    ///
    /// `StreamReader(limit)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_streams::StreamReader;
    /// assert_eq!(StreamReader::with_limit(100)?.limit(), 100);
    /// assert!(StreamReader::with_limit(0).is_err());
    /// # Ok::<(), ronde_streams::LimitError>(())
    /// ```
    pub fn with_limit(limit: usize) -> Result<Self, LimitError> {
        LimitError::check(limit)?;
        Ok(Self::of(Connection::fed(), limit))
    }

    /// Reads from anything that can be read from.
    ///
    /// It reads from `input` when somebody asks for more than there is. A read that is dropped loses
    /// nothing if `input` keeps to the contract of [`AsyncRead`]: what it gives is in the buffer.
    ///
    /// # In asyncio
    ///
    /// A `StreamReaderProtocol` with a transport of one's own.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::StreamReader;
    /// use futures_lite::io::Cursor;
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// let reader = StreamReader::from_async_read(Cursor::new("one\ntwo\n"));
    /// assert_eq!(reader.readline().await.unwrap(), "one\n");
    /// assert_eq!(reader.read_to_end().await.unwrap(), "two\n");
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[must_use]
    #[doc(alias = "StreamReaderProtocol")]
    pub fn from_async_read(input: impl AsyncRead + 'static) -> Self {
        Self::of(Connection::foreign(Box::pin(input)), DEFAULT_LIMIT)
    }

    /// Reads from a pipe: from the output of a child process, say.
    ///
    /// It is put into non-blocking mode. Dropping the reader closes it.
    ///
    /// # Errors
    ///
    /// If the loop can't wait for it.
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    ///
    /// # In asyncio
    ///
    /// `loop.connect_read_pipe`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// use ronde_streams::{StreamReader, StreamWriter};
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// let (output, input) = rustix::pipe::pipe()?;
    /// let reader = StreamReader::from_pipe(output)?;
    /// let writer = StreamWriter::from_pipe(input)?;
    /// writer.write("through a pipe");
    /// writer.close();
    /// assert_eq!(reader.read_to_end().await.unwrap(), "through a pipe");
    /// # std::io::Result::Ok(())
    /// # })?.unwrap();
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[cfg(unix)]
    #[doc(alias = "connect_read_pipe")]
    #[track_caller]
    pub fn from_pipe(pipe: impl Into<OwnedSource>) -> io::Result<Self> {
        Self::from_pipe_with_limit(pipe, DEFAULT_LIMIT)
    }

    /// As [`from_pipe`](Self::from_pipe), with another [limit](Self::limit).
    ///
    /// # Errors
    ///
    /// As [`from_pipe`](Self::from_pipe), and [`InvalidInput`](io::ErrorKind::InvalidInput), with a
    /// [`LimitError`] inside, if the limit is zero.
    ///
    /// # Panics
    ///
    /// Outside a running event loop.
    #[cfg(unix)]
    #[track_caller]
    pub fn from_pipe_with_limit(pipe: impl Into<OwnedSource>, limit: usize) -> io::Result<Self> {
        LimitError::check(limit)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Self::of(crate::connect::pipe(pipe.into())?, limit))
    }

    pub(crate) fn of(connection: Rc<Connection>, limit: usize) -> Self {
        connection.add_half();
        Self { connection, limit, lent: Bytes::new() }
    }

    /// How many bytes a line, or anything up to a separator, may have.
    ///
    /// ```
    /// # use ronde_streams::StreamReader;
    /// assert_eq!(StreamReader::new().limit(), 64 * 1024);
    /// ```
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Reads up to `max` bytes, waiting until there is at least one.
    ///
    /// Empty [`Bytes`] mean that the stream has ended, or that `max` is zero.
    ///
    /// # Errors
    ///
    /// - [`ReadError::Busy`] if another task is already reading from this stream.
    /// - [`ReadError::Io`] if the connection failed. What came before that is given first.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Bytes leave the buffer only in the poll that gives them.
    ///
    /// # In asyncio
    ///
    /// `StreamReader.read(n)`; for `read(-1)` see [`read_to_end`](Self::read_to_end).
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::StreamReader;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let reader = StreamReader::new();
    /// reader.feed_data(b"hello");
    /// reader.feed_eof();
    /// assert_eq!(reader.read(3).await.unwrap(), "hel");
    /// assert_eq!(reader.read(1024).await.unwrap(), "lo");
    /// assert!(reader.read(1024).await.unwrap().is_empty());
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "recv")]
    pub async fn read(&self, max: usize) -> Result<Bytes, ReadError> {
        let _turn = self.begin_read()?;
        poll_fn(|cx| {
            if decline(cx) {
                return Poll::Pending;
            }
            if max > 0 {
                ready!(self.poll_some(cx))?;
            }
            Poll::Ready(Ok(self.connection.with_input(|input| input.take(max.min(input.len())))))
        })
        .await
    }

    /// Reads up to `max` bytes, if there are any: it never waits.
    ///
    /// `None` says that there is nothing now. Empty [`Bytes`] mean that the stream has ended, or that `max`
    /// is zero. Of the readers that read from [anything](Self::from_async_read) it gives what is in the
    /// buffer.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # In asyncio
    ///
    /// What a protocol's `data_received` is given.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_streams::StreamReader;
    /// let reader = StreamReader::new();
    /// assert_eq!(reader.try_read(100).unwrap(), None);
    /// reader.feed_data(b"hello");
    /// assert_eq!(reader.try_read(100).unwrap().unwrap(), "hello");
    /// reader.feed_eof();
    /// assert_eq!(reader.try_read(100).unwrap().unwrap(), "");
    /// ```
    #[doc(alias = "try_recv")]
    #[doc(alias = "data_received")]
    pub fn try_read(&self, max: usize) -> Result<Option<Bytes>, ReadError> {
        let _turn = self.begin_read()?;
        if max == 0 {
            return Ok(Some(Bytes::new()));
        }
        let more = self.connection.try_fill()?;
        Ok(more.map(|_| self.connection.with_input(|input| input.take(max.min(input.len())))))
    }

    /// Reads into `target`, if there is something to read: it never waits.
    ///
    /// Returns how many bytes that were, as [`try_read`](Self::try_read): `None` says that there is nothing
    /// now, and zero that the stream has ended, or that there is no room in `target`. If the buffer is
    /// empty, and no TLS is spoken, the system fills `target` itself, and nothing is copied.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # In asyncio
    ///
    /// What fills the buffer of a `BufferedProtocol`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_streams::StreamReader;
    /// let reader = StreamReader::new();
    /// let mut target = [0; 4];
    /// assert_eq!(reader.try_read_into(&mut target).unwrap(), None);
    /// reader.feed_data(b"hello");
    /// assert_eq!(reader.try_read_into(&mut target).unwrap(), Some(4));
    /// assert_eq!(&target, b"hell");
    /// ```
    #[doc(alias = "recv_into")]
    pub fn try_read_into(&self, target: &mut [u8]) -> Result<Option<usize>, ReadError> {
        let _turn = self.begin_read()?;
        Ok(self.connection.try_read_into(target)?)
    }

    /// Has `callback` called, through the loop, when there may be something to read; `None` removes it.
    ///
    /// For those who are called instead of waiting, as a protocol is. The callback then calls
    /// [`try_read`](Self::try_read) or [`try_read_into`](Self::try_read_into) until there is nothing now;
    /// if it stops earlier, it must come back by itself, as by `call_soon`. After setting it, call them
    /// as well: there may be something already.
    ///
    /// It is called for whatever arrives, and for the end and failures that the peer brings about. It is
    /// not called when the connection is closed or aborted from here. The loop owns it: it lives until it
    /// is removed or the connection is over. There is one per reader. A task may read as well, but not
    /// while the callback does.
    ///
    /// # Errors
    ///
    /// - [`Unsupported`](io::ErrorKind::Unsupported) for readers of anything but sockets and pipes.
    /// - If the system can't be asked to report what arrives.
    ///
    /// # In asyncio
    ///
    /// What the transport does for its protocol.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::{EventLoop, Promise};
    /// # use ronde_streams::from_socket;
    /// # use std::{io::Write, os::unix::net::UnixStream, rc::Rc};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let (ours, mut theirs) = UnixStream::pair().unwrap();
    /// let (reader, _writer) = from_socket(ours).await.unwrap();
    /// let (reader, received) = (Rc::new(reader), Promise::new());
    ///
    /// let (weak, promise) = (Rc::downgrade(&reader), received.clone());
    /// let callback = move || {
    ///     let Some(reader) = weak.upgrade() else { return };
    ///     while let Some(bytes) = reader.try_read(100).unwrap() {
    ///         let _ = promise.set_result(bytes);
    ///     }
    /// };
    /// reader.set_callback(Some(Rc::new(callback))).unwrap();
    ///
    /// theirs.write_all(b"hello").unwrap();
    /// assert_eq!(received.await.unwrap(), "hello");
    /// # })?;
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn set_callback(&self, callback: Option<Rc<dyn Fn()>>) -> io::Result<()> {
        self.connection.set_read_callback(callback)
    }

    /// Reads until the stream ends.
    ///
    /// The [limit](Self::limit) doesn't apply: a peer that never ends fills the memory.
    ///
    /// # Errors
    ///
    /// - [`ReadError::Busy`] if another task is already reading from this stream.
    /// - [`ReadError::Io`] if the connection failed. What came before that stays in the buffer.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** All stays in the buffer until the stream ends.
    ///
    /// # In asyncio
    ///
    /// `StreamReader.read()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::StreamReader;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let reader = StreamReader::new();
    /// reader.feed_data(b"all ");
    /// reader.feed_data(b"of it");
    /// reader.feed_eof();
    /// assert_eq!(reader.read_to_end().await.unwrap(), "all of it");
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub async fn read_to_end(&self) -> Result<Bytes, ReadError> {
        let _turn = self.begin_read()?;
        poll_fn(|cx| {
            while ready!(self.connection.poll_fill(cx))? {}
            Poll::Ready(Ok(self.connection.with_input(|input| input.take(input.len()))))
        })
        .await
    }

    /// Waits until the stream ends, and takes nothing: all stays in the buffer, for the reads that
    /// follow.
    ///
    /// It is [`read_to_end`](Self::read_to_end) in two steps, for who waits for several streams at once
    /// and wants the bytes of none before all have ended.
    ///
    /// # Errors
    ///
    /// As [`read_to_end`](Self::read_to_end).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** It takes nothing.
    ///
    /// # In asyncio
    ///
    /// There is no such method.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::StreamReader;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let reader = StreamReader::new();
    /// reader.feed_data(b"all of it");
    /// reader.feed_eof();
    /// reader.buffer_to_end().await.unwrap();
    /// assert_eq!(reader.read(3).await.unwrap(), "all");
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub async fn buffer_to_end(&self) -> Result<(), ReadError> {
        let _turn = self.begin_read()?;
        poll_fn(|cx| {
            while ready!(self.connection.poll_fill(cx))? {}
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Reads exactly `n` bytes, waiting until they have all arrived.
    ///
    /// With `0` the call returns at once. The [limit](Self::limit) doesn't apply.
    ///
    /// # Errors
    ///
    /// - [`ReadError::Incomplete`] if the stream ends first. It carries the bytes that did arrive.
    /// - [`ReadError::Busy`] if another task is already reading from this stream.
    /// - [`ReadError::Io`] if the connection failed.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Bytes leave the buffer only once all `n` are there.
    ///
    /// # In asyncio
    ///
    /// `StreamReader.readexactly`. `n` cannot be negative, so there is no `ValueError`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::{ReadError, StreamReader};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let reader = StreamReader::new();
    /// reader.feed_data(b"hello, world");
    /// assert_eq!(reader.readexactly(5).await.unwrap(), "hello");
    /// reader.feed_eof();
    /// let error = reader.readexactly(100).await.unwrap_err();
    /// assert!(matches!(error, ReadError::Incomplete { partial, .. } if partial == ", world"));
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "read_exact")]
    #[doc(alias = "read_exactly")]
    pub async fn readexactly(&self, n: usize) -> Result<Bytes, ReadError> {
        let _turn = self.begin_read()?;
        poll_fn(|cx| {
            if decline(cx) {
                return Poll::Pending;
            }
            while self.connection.with_input(|input| input.len()) < n {
                if !ready!(self.connection.poll_fill(cx))? {
                    return Poll::Ready(Err(self.incomplete(Some(n))));
                }
            }
            Poll::Ready(Ok(self.connection.with_input(|input| input.take(n))))
        })
        .await
    }

    /// Reads a line, with its newline.
    ///
    /// If the stream ends first, what is left comes without one; empty [`Bytes`] mean that nothing
    /// is left.
    ///
    /// # Errors
    ///
    /// - [`ReadError::LimitOverrun`] if the line is longer than the [limit](Self::limit). The line
    ///   is taken out of the buffer, or all of the buffer if its end is not there yet. The error
    ///   carries what was taken. The rest of the line, if any, will come as the next one.
    /// - [`ReadError::Busy`] if another task is already reading from this stream.
    /// - [`ReadError::Io`] if the connection failed.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Bytes leave the buffer only once the line is complete.
    ///
    /// # In asyncio
    ///
    /// `StreamReader.readline`. There, a line over the limit is a `ValueError`, and lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::StreamReader;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let reader = StreamReader::new();
    /// reader.feed_data(b"one\ntwo");
    /// reader.feed_eof();
    /// assert_eq!(reader.readline().await.unwrap(), "one\n");
    /// assert_eq!(reader.readline().await.unwrap(), "two");
    /// assert_eq!(reader.readline().await.unwrap(), "");
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "read_line")]
    pub async fn readline(&self) -> Result<Bytes, ReadError> {
        let _turn = self.begin_read()?;
        let mut scanned = 0;
        poll_fn(|cx| self.poll_line(cx, &mut scanned)).await
    }

    /// Reads up to and with `separator`.
    ///
    /// # Errors
    ///
    /// - [`ReadError::Incomplete`] if the stream ends first. It carries what was left.
    /// - [`ReadError::LimitOverrun`] if the separator does not begin within the
    ///   [limit](Self::limit). All stays in the buffer, so [`readexactly`](Self::readexactly) can
    ///   take it.
    /// - [`ReadError::NoSeparator`] if `separator` is empty.
    /// - [`ReadError::Busy`] if another task is already reading from this stream.
    /// - [`ReadError::Io`] if the connection failed.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Bytes leave the buffer only once the separator is there.
    ///
    /// # In asyncio
    ///
    /// `StreamReader.readuntil`. For a tuple of separators see
    /// [`readuntil_any`](Self::readuntil_any).
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::{ReadError, StreamReader};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let reader = StreamReader::with_limit(4).unwrap();
    /// reader.feed_data(b"key: value; ");
    /// assert_eq!(reader.readuntil(": ").await.unwrap(), "key: ");
    ///
    /// let error = reader.readuntil("; ").await.unwrap_err();
    /// assert!(matches!(error, ReadError::LimitOverrun { consumed: 5, limit: 4, .. }));
    /// assert_eq!(reader.readexactly(7).await.unwrap(), "value; ");
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "read_until")]
    pub async fn readuntil(&self, separator: impl AsRef<[u8]>) -> Result<Bytes, ReadError> {
        self.read_until_one_of(&[separator.as_ref()]).await
    }

    /// Reads up to and with one of `separators`: the one that ends first.
    ///
    /// # Errors
    ///
    /// As [`readuntil`](Self::readuntil). It is [`ReadError::NoSeparator`] if there is none, or one
    /// of them is empty.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** Bytes leave the buffer only once a separator is there.
    ///
    /// # In asyncio
    ///
    /// `StreamReader.readuntil` with a tuple.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::StreamReader;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let reader = StreamReader::new();
    /// reader.feed_data(b"one\r\ntwo\nthree;");
    /// assert_eq!(reader.readuntil_any(["\n", "\r\n", ";"]).await.unwrap(), "one\r\n");
    /// assert_eq!(reader.readuntil_any(["\n", "\r\n", ";"]).await.unwrap(), "two\n");
    /// assert_eq!(reader.readuntil_any(["\n", "\r\n", ";"]).await.unwrap(), "three;");
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "readuntil")]
    pub async fn readuntil_any<S: AsRef<[u8]>>(
        &self,
        separators: impl IntoIterator<Item = S>,
    ) -> Result<Bytes, ReadError> {
        let separators: Vec<S> = separators.into_iter().collect();
        let separators: Vec<&[u8]> = separators.iter().map(AsRef::as_ref).collect();
        self.read_until_one_of(&separators).await
    }

    async fn read_until_one_of(&self, separators: &[&[u8]]) -> Result<Bytes, ReadError> {
        if separators.is_empty() || separators.iter().any(|separator| separator.is_empty()) {
            return Err(ReadError::NoSeparator);
        }
        let _turn = self.begin_read()?;
        let mut scanned = 0;
        poll_fn(|cx| self.poll_until(cx, separators, &mut scanned)).await
    }

    /// The lines of the stream, one after the other.
    ///
    /// # In asyncio
    ///
    /// `async for line in reader`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::StreamReader;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let reader = StreamReader::new();
    /// reader.feed_data(b"one\ntwo\n");
    /// reader.feed_eof();
    ///
    /// let mut lines = reader.lines();
    /// let mut lengths = Vec::new();
    /// while let Some(line) = lines.next().await {
    ///     lengths.push(line.unwrap().len());
    /// }
    /// assert_eq!(lengths, [4, 4]);
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "__aiter__")]
    pub fn lines(&self) -> Lines<'_> {
        Lines::new(self)
    }

    /// Has the stream ended, and is the buffer empty?
    ///
    /// If nothing is in the buffer, it looks whether something has arrived. It never waits.
    ///
    /// ```
    /// # use ronde_streams::StreamReader;
    /// let reader = StreamReader::new();
    /// assert!(!reader.at_eof());
    /// reader.feed_eof();
    /// assert!(reader.at_eof());
    /// ```
    #[must_use]
    pub fn at_eof(&self) -> bool {
        !self.connection.has_lent() && !self.connection.is_reading() && self.connection.at_eof()
    }

    /// Appends to the buffer of a reader that is fed by hand, and wakes whoever reads.
    ///
    /// # Panics
    ///
    /// After [`feed_eof`](Self::feed_eof).
    #[track_caller]
    pub fn feed_data(&self, data: &[u8]) {
        self.connection.feed_data(data);
    }

    /// Ends a reader that is fed by hand.
    pub fn feed_eof(&self) {
        self.connection.feed_eof();
    }

    /// Ends a reader that is fed by hand with a failure. What is in the buffer is given first.
    pub fn set_exception(&self, error: io::Error) {
        self.connection.set_exception(error);
    }

    /// The failure of the connection, if it has failed.
    ///
    /// ```
    /// # use ronde_streams::StreamReader;
    /// let reader = StreamReader::new();
    /// assert!(reader.exception().is_none());
    /// reader.set_exception(std::io::ErrorKind::ConnectionReset.into());
    /// assert_eq!(reader.exception().unwrap().kind(), std::io::ErrorKind::ConnectionReset);
    /// ```
    #[must_use]
    pub fn exception(&self) -> Option<io::Error> {
        self.connection.exception()
    }

    fn begin_read(&self) -> Result<ReadTurn<'_>, ReadError> {
        self.connection.begin_read()
    }

    /// Waits until the buffer has something, or the stream has ended.
    fn poll_some(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.with_input(|input| input.is_empty()) {
            ready!(self.connection.poll_fill(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// No separator begins in the first `scanned` bytes, as far as is known.
    fn poll_until(
        &self,
        cx: &mut Context<'_>,
        separators: &[&[u8]],
        scanned: &mut usize,
    ) -> Poll<Result<Bytes, ReadError>> {
        if decline(cx) {
            return Poll::Pending;
        }
        let longest = separators.iter().map(|separator| separator.len()).max().unwrap_or(0);
        loop {
            let found = self.connection.with_input(|input| {
                match find_first(&input.data()[*scanned..], separators) {
                    Some((start, end)) if *scanned + start <= self.limit => {
                        Ok(input.take(*scanned + end))
                    }
                    Some((start, _)) => Err(*scanned + start),
                    None => {
                        *scanned = (input.len() + 1).saturating_sub(longest);
                        Err(*scanned)
                    }
                }
            });
            let consumed = match found {
                Ok(bytes) => return Poll::Ready(Ok(bytes)),
                Err(consumed) => consumed,
            };
            if consumed > self.limit {
                let (limit, discarded) = (self.limit, Bytes::new());
                return Poll::Ready(Err(ReadError::LimitOverrun { consumed, limit, discarded }));
            }
            if !ready!(self.connection.poll_fill(cx))? {
                return Poll::Ready(Err(self.incomplete(None)));
            }
        }
    }

    pub(crate) fn poll_line(
        &self,
        cx: &mut Context<'_>,
        scanned: &mut usize,
    ) -> Poll<Result<Bytes, ReadError>> {
        Poll::Ready(match ready!(self.poll_until(cx, &[b"\n"], scanned)) {
            Err(ReadError::Incomplete { partial, expected: None }) => Ok(partial),
            Err(ReadError::LimitOverrun { consumed, limit, .. }) => {
                let discarded = self.connection.with_input(|input| {
                    let has_end = input.data().get(consumed) == Some(&b'\n');
                    input.take(if has_end { consumed + 1 } else { input.len() })
                });
                Err(ReadError::LimitOverrun { consumed, limit, discarded })
            }
            other => other,
        })
    }

    /// As a read, but for one poll: for the traits whose methods are polled.
    pub(crate) fn poll_as_read<R>(
        &self,
        f: impl FnOnce() -> Poll<Result<R, ReadError>>,
    ) -> Poll<Result<R, ReadError>> {
        let _turn = self.begin_read()?;
        f()
    }

    fn incomplete(&self, expected: Option<usize>) -> ReadError {
        let partial = self.connection.with_input(|input| input.take(input.len()));
        ReadError::Incomplete { partial, expected }
    }
}

/// Where the separator that ends first begins and ends. Of two that end together, the shorter one counts.
fn find_first(data: &[u8], separators: &[&[u8]]) -> Option<(usize, usize)> {
    let found = separators.iter().filter_map(|separator| {
        let start = find(data, separator)?;
        Some((start, start + separator.len()))
    });
    found.min_by_key(|(start, end)| (*end, std::cmp::Reverse(*start)))
}

fn find(data: &[u8], separator: &[u8]) -> Option<usize> {
    match separator {
        [byte] => memchr::memchr(*byte, data),
        _ => memmem::find(data, separator),
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.connection.drop_half();
    }
}

/// An error of a read becomes an [`io::Error`] as by its `From`.
impl AsyncRead for StreamReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if decline(cx) {
            return Poll::Pending;
        }
        let polled = self.poll_as_read(|| {
            if !target.is_empty() {
                ready!(self.poll_some(cx))?;
            }
            Poll::Ready(Ok(self.connection.with_input(|input| input.copy_to(target))))
        });
        polled.map_err(io::Error::from)
    }
}

impl AsyncBufRead for StreamReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if decline(cx) {
            return Poll::Pending;
        }
        let this = self.get_mut();
        if !this.connection.has_lent() {
            let filled = ready!(this.poll_as_read(|| {
                ready!(this.poll_some(cx))?;
                Poll::Ready(Ok(this.connection.lend()))
            }));
            this.lent = filled?;
        }
        Poll::Ready(Ok(&this.lent))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.connection.consume(count);
        let _consumed = self.lent.split_to(count);
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("connection", &self.connection)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

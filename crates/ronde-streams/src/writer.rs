//! The writing half of a connection.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_io::AsyncWrite;
use ronde_context::decline;
#[cfg(unix)]
use ronde_loop::OwnedSource;

use crate::connect;
use crate::connection::Connection;
#[cfg(target_os = "linux")]
use crate::sys::{self, PeerCredentials};
use crate::tls::{TlsInfo, TlsOptions, TlsServerOptions};
use crate::upgrade::StartTls;

/// The writing half of a connection.
///
/// [`write`](Self::write) never waits: it sends what the system takes and buffers the rest, which the
/// loop sends when it can. [`drain`](Self::drain) waits while the buffer is full, so call it after
/// writing a lot, else a slow peer fills the memory.
///
/// What is written in one turn of the loop leaves together: the first write goes out at once, what
/// follows at the turn's end.
///
/// A failure of the connection is kept, and told by `drain`, `flush` and `wait_closed`.
///
/// Dropping it leaves the [`StreamReader`](crate::StreamReader) as it is, and says nothing to the
/// peer. When both are dropped, the connection is closed as by [`close`](Self::close): what was
/// written is still delivered. It is `!Send`: the loop's thread is the only one that can use it.
///
/// # In asyncio
///
/// `asyncio.StreamWriter`. There, dropping it without `close` is a `ResourceWarning`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_streams::{open_connection, start_server};
///
/// # EventLoop::new()?.run_until_complete(async {
/// let server = start_server(
///     async |reader, writer| {
///         while let Ok(line) = reader.readline().await {
///             if line.is_empty() {
///                 break;
///             }
///             writer.write(line);
///             writer.drain().await?;
///         }
///         std::io::Result::Ok(())
///     },
///     "127.0.0.1",
///     0,
/// )
/// .await
/// .unwrap();
///
/// let port = server.local_addrs()[0].port();
/// let (reader, writer) = open_connection("127.0.0.1", port).await.unwrap();
/// writer.write("hello\n");
/// assert_eq!(reader.readline().await.unwrap(), "hello\n");
/// writer.close();
/// writer.wait_closed().await.unwrap();
/// server.close();
/// server.wait_closed().await;
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub struct StreamWriter {
    connection: Rc<Connection>,
}

impl StreamWriter {
    /// Writes to a pipe: to the input of a child process, say.
    ///
    /// It is put into non-blocking mode. [`write_eof`](Self::write_eof) and dropping the writer close it,
    /// after what was written. When nobody reads from the pipe any more, the error is
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
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
    /// `loop.connect_write_pipe`.
    ///
    /// # Examples
    ///
    /// See [`StreamReader::from_pipe`](crate::StreamReader::from_pipe).
    #[cfg(unix)]
    #[doc(alias = "connect_write_pipe")]
    #[track_caller]
    pub fn from_pipe(pipe: impl Into<OwnedSource>) -> io::Result<Self> {
        Ok(Self::of(connect::pipe(pipe.into())?))
    }

    pub(crate) fn of(connection: Rc<Connection>) -> Self {
        connection.add_half();
        Self { connection }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Writes `data`: sends it, or buffers what can't be sent at once. Never waits.
    ///
    /// On a connection that is closed or lost, or after [`write_eof`](Self::write_eof), `data` is
    /// dropped, and [`drain`](Self::drain) gives an error; from the fifth time on a warning is
    /// logged as well.
    ///
    /// # In asyncio
    ///
    /// `StreamWriter.write`.
    ///
    /// # Examples
    ///
    /// See [`StreamWriter`].
    #[doc(alias = "send")]
    #[doc(alias = "write_all")]
    pub fn write(&self, data: impl AsRef<[u8]>) {
        self.connection.write(data.as_ref());
    }

    /// Writes all of `lines`, as by one [`write`](Self::write), but without putting them together first
    /// if the system takes them at once. It adds no newlines.
    ///
    /// # In asyncio
    ///
    /// `StreamWriter.writelines`.
    ///
    /// # Examples
    ///
    /// See [`start_server`](crate::start_server).
    pub fn writelines<T: AsRef<[u8]>>(&self, lines: impl IntoIterator<Item = T>) {
        self.connection.write_all(lines);
    }

    /// Has `callback` called when the state of the output has changed; `None` removes it.
    ///
    /// For those who are called instead of waiting. It is called when the buffer has got
    /// [full](Self::is_full) or has room again, when the connection has [failed](Self::exception), and
    /// when it is [over](Self::is_closed). The writer of a pipe also learns, where the system tells (on
    /// Unix), that nobody reads from it any more: then it is closed, or has failed if there was something
    /// left to write.
    ///
    /// It is called at once: also inside [`write`](Self::write), [`close`](Self::close) and their like, as
    /// their last act. So it had better only take a note, or queue what is to be done. It is not called for
    /// what holds already when it is set. There is one per connection; it lives until it is removed or the
    /// connection is dropped.
    ///
    /// # Errors
    ///
    /// If the system can't be asked to report the end of a pipe. The callback is set, and hears of
    /// everything else.
    ///
    /// # In asyncio
    ///
    /// `pause_writing`, `resume_writing` and `connection_lost` of a protocol.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::from_socket;
    /// # use std::{cell::RefCell, os::unix::net::UnixStream, rc::Rc};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let (ours, theirs) = UnixStream::pair().unwrap();
    /// let (_reader, writer) = from_socket(ours).await.unwrap();
    /// let (writer, log) = (Rc::new(writer), Rc::new(RefCell::new(Vec::new())));
    ///
    /// let (weak, states) = (Rc::downgrade(&writer), log.clone());
    /// let callback = move || {
    ///     let Some(writer) = weak.upgrade() else { return };
    ///     states.borrow_mut().push((writer.is_full(), writer.is_closed()));
    /// };
    /// writer.set_callback(Some(Rc::new(callback))).unwrap();
    ///
    /// writer.write(vec![b'x'; 10_000_000]);
    /// writer.abort();
    /// assert_eq!(log.take(), [(true, false), (false, true)]);
    /// # drop(theirs);
    /// # })?;
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "pause_writing")]
    #[doc(alias = "resume_writing")]
    pub fn set_callback(&self, callback: Option<Rc<dyn Fn()>>) -> io::Result<()> {
        self.connection.set_write_callback(callback)
    }

    /// Was the high-water mark exceeded, and is the buffer not back at the low one? Then
    /// [`drain`](Self::drain) waits.
    ///
    /// # In asyncio
    ///
    /// Between `pause_writing` and `resume_writing`.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.connection.is_full()
    }

    /// Is the connection over: closed, with all that was written sent, or aborted? Then
    /// [`wait_closed`](Self::wait_closed) doesn't wait.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// The failure of the connection, if it has failed.
    ///
    /// After a write that failed, what the peer has sent before can still be read: the connection is not
    /// [over](Self::is_closed) yet.
    #[must_use]
    pub fn exception(&self) -> Option<io::Error> {
        self.connection.exception()
    }

    /// Has TLS spoken from here on, as a client.
    ///
    /// Both halves go on as before, over TLS. What was written before goes out as it is. Nobody may be
    /// reading meanwhile. The certificate must be for the options'
    /// [server name](TlsOptions::server_name), or for the peer's address. Await the result, after setting
    /// limits if need be.
    ///
    /// # Errors
    ///
    /// The connection is closed then, except after the last two.
    ///
    /// - [`ConnectError::Tls`](crate::ConnectError::Tls) and
    ///   [`ConnectError::HandshakeTimeout`](crate::ConnectError::HandshakeTimeout), as
    ///   [`open_connection`](crate::open_connection).
    /// - [`TlsError::EarlyPlaintext`](crate::TlsError::EarlyPlaintext) if the peer sent more in plain
    ///   than has been read: what a client takes for the peer's must have come over TLS.
    /// - [`TlsError::AlreadyStarted`](crate::TlsError::AlreadyStarted) if TLS is spoken already.
    /// - [`ConnectError::Busy`](crate::ConnectError::Busy) if another task reads from the connection.
    ///
    /// # Panics
    ///
    /// When polled outside a running event loop.
    ///
    /// # Cancel safety
    ///
    /// **Data lost.** A handshake that is given up can't be taken up again: the connection is closed at
    /// once. Give it the time that it needs, or shield it.
    ///
    /// # In asyncio
    ///
    /// `StreamWriter.start_tls`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use ronde_streams::{TlsOptions, open_connection};
    ///
    /// let (reader, writer) = open_connection("mail.example.org", 25).await?;
    /// // ...
    /// writer.write("STARTTLS\r\n");
    /// let answer = reader.readline().await?;
    /// assert!(answer.starts_with(b"220"));
    /// writer.start_tls(TlsOptions::new().server_name("mail.example.org")).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "starttls")]
    pub fn start_tls(&self, options: TlsOptions) -> StartTls {
        StartTls::client(self.connection.clone(), options)
    }

    /// Has TLS spoken from here on, as a server: the other side of [`start_tls`](Self::start_tls).
    ///
    /// What was received and not read belongs to TLS: a client may begin before it has our answer.
    ///
    /// # Errors
    ///
    /// As [`start_tls`](Self::start_tls). What was received early and isn't TLS is
    /// [`TlsError::NotTls`](crate::TlsError::NotTls).
    ///
    /// # Panics
    ///
    /// As [`start_tls`](Self::start_tls).
    ///
    /// # Cancel safety
    ///
    /// **Data lost.** As [`start_tls`](Self::start_tls).
    ///
    /// # In asyncio
    ///
    /// `loop.start_tls(server_side=True)`.
    pub fn accept_tls(&self, options: TlsServerOptions) -> StartTls {
        StartTls::server(self.connection.clone(), options)
    }

    /// Waits until the buffer has room again: until it has fallen to the low-water mark, if it was
    /// above the high-water mark.
    ///
    /// Returns at once otherwise. That is not to say that all has been sent; see
    /// [`flush`](Self::flush). Any number of tasks may wait.
    ///
    /// # Errors
    ///
    /// - The connection's own error, if it failed.
    /// - [`NotConnected`](io::ErrorKind::NotConnected) if something was written after the connection
    ///   was closed here, or after [`write_eof`](Self::write_eof).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** What was written is sent whether or not somebody waits.
    ///
    /// # In asyncio
    ///
    /// `StreamWriter.drain`.
    ///
    /// # Examples
    ///
    /// See [`StreamWriter`].
    pub async fn drain(&self) -> io::Result<()> {
        poll_fn(|cx| self.connection.poll_drain(cx)).await
    }

    /// Waits until the system has taken all that was written.
    ///
    /// # Errors
    ///
    /// As [`drain`](Self::drain).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** What was written is sent whether or not somebody waits.
    ///
    /// # In asyncio
    ///
    /// There is no such method; `transport.set_write_buffer_limits(0)` makes `drain` do this.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::from_socket;
    /// # use std::os::unix::net::UnixStream;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let (ours, theirs) = UnixStream::pair().unwrap();
    /// let (_reader, writer) = from_socket(ours).await.unwrap();
    /// writer.write("first, ");
    /// writer.write("second");
    /// assert_eq!(writer.write_buffer_size(), 6, "the second goes out at the end of the turn");
    /// writer.flush().await.unwrap();
    /// assert_eq!(writer.write_buffer_size(), 0);
    /// # drop(theirs);
    /// # })?;
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| self.connection.poll_flush(cx)).await
    }

    /// Ends the output after all that was written; the peer reads the end of the stream.
    ///
    /// Reading goes on. Over TLS, the end is announced by a close notification.
    ///
    /// # In asyncio
    ///
    /// `StreamWriter.write_eof`. There, TLS can't do it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::EventLoop;
    /// # use ronde_streams::from_socket;
    /// # use std::{io::Read, os::unix::net::UnixStream};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let (ours, mut theirs) = UnixStream::pair().unwrap();
    /// let (_reader, writer) = from_socket(ours).await.unwrap();
    /// assert!(writer.can_write_eof());
    /// writer.write("that's all");
    /// writer.write_eof();
    ///
    /// let mut received = String::new();
    /// theirs.read_to_string(&mut received).unwrap();
    /// assert_eq!(received, "that's all");
    /// # })?;
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[doc(alias = "shutdown")]
    pub fn write_eof(&self) {
        self.connection.write_eof();
    }

    /// Can the output be ended while reading goes on? Always, here.
    ///
    /// # In asyncio
    ///
    /// `StreamWriter.can_write_eof`, which says no over TLS.
    #[must_use]
    pub fn can_write_eof(&self) -> bool {
        true
    }

    /// Closes the connection, after what was written is sent.
    ///
    /// It does not wait; see [`wait_closed`](Self::wait_closed). Reads give what is in the buffer,
    /// and then the end.
    ///
    /// # In asyncio
    ///
    /// `StreamWriter.close`.
    ///
    /// # Examples
    ///
    /// See [`StreamWriter`].
    pub fn close(&self) {
        self.connection.close();
    }

    /// Closes the connection at once. What was written and not sent is dropped.
    ///
    /// # In asyncio
    ///
    /// `writer.transport.abort`.
    pub fn abort(&self) {
        self.connection.abort();
    }

    /// Is the connection closed, about to be, or lost?
    ///
    /// # In asyncio
    ///
    /// `StreamWriter.is_closing`.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.connection.is_closing()
    }

    /// Waits until the connection is over: closed, with all that was written sent, or lost.
    ///
    /// It does not close it; see [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// The connection's own error, if it failed.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** The connection closes whether or not somebody waits.
    ///
    /// # In asyncio
    ///
    /// `StreamWriter.wait_closed`.
    ///
    /// # Examples
    ///
    /// See [`StreamWriter`].
    pub async fn wait_closed(&self) -> io::Result<()> {
        poll_fn(|cx| self.connection.poll_closed(cx)).await
    }

    /// The address of the peer. `None` if it has none, as on a Unix socket.
    ///
    /// # In asyncio
    ///
    /// `writer.get_extra_info('peername')`.
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "peername")]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection.peer_addr()
    }

    /// The path of the peer's Unix socket. `None` if it has none, as most clients, on other sockets, and
    /// when the connection is closed. The name of an abstract socket begins with NUL.
    ///
    /// # In asyncio
    ///
    /// `writer.get_extra_info('peername')`.
    #[cfg(unix)]
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "peername")]
    pub fn peer_path(&self) -> Option<PathBuf> {
        crate::unix::path_of(&self.with_socket(|socket| socket.peer_addr().ok())??)
    }

    /// The path of our own Unix socket, as [`peer_path`](Self::peer_path).
    ///
    /// # In asyncio
    ///
    /// `writer.get_extra_info('sockname')`.
    #[cfg(unix)]
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "sockname")]
    pub fn local_path(&self) -> Option<PathBuf> {
        crate::unix::path_of(&self.with_socket(|socket| socket.local_addr().ok())??)
    }

    /// Who is at the other end of a Unix socket: the process that has connected, or that listens.
    /// `None` on other sockets, when the connection is closed, and for a process whose number can't be told
    /// here, as that of one outside to a container with process numbers of its own.
    ///
    /// # In asyncio
    ///
    /// `writer.get_extra_info('socket')` and `getsockopt(SO_PEERCRED)`.
    #[cfg(target_os = "linux")]
    #[must_use]
    #[doc(alias = "SO_PEERCRED")]
    pub fn peer_credentials(&self) -> Option<PeerCredentials> {
        self.with_socket(|socket| sys::peer_credentials(&socket))?
    }

    /// Our own address. `None` if there is none, as on a Unix socket, and when the connection is
    /// closed.
    ///
    /// # In asyncio
    ///
    /// `writer.get_extra_info('sockname')`.
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "sockname")]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.connection.local_addr()
    }

    /// What the two sides of a TLS connection have agreed on. `None` without TLS.
    ///
    /// # In asyncio
    ///
    /// `writer.get_extra_info('ssl_object')` and its kin.
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "peercert")]
    pub fn tls(&self) -> Option<TlsInfo> {
        self.connection.tls_info()
    }

    /// Calls `f` with the socket, to set options on it. `None` when the connection is closed.
    ///
    /// # In asyncio
    ///
    /// `writer.get_extra_info('socket')`.
    #[doc(alias = "get_extra_info")]
    pub fn with_socket<R>(&self, f: impl FnOnce(socket2::SockRef<'_>) -> R) -> Option<R> {
        self.connection.with_socket(f)
    }

    /// How many bytes wait to be sent.
    ///
    /// # In asyncio
    ///
    /// `transport.get_write_buffer_size`.
    #[must_use]
    pub fn write_buffer_size(&self) -> usize {
        self.connection.buffered_output()
    }

    /// Sets the marks of the buffer: [`drain`](Self::drain) waits above `high` bytes, until there are
    /// no more than `low`.
    ///
    /// The default is 64 KiB and 16 KiB. A `low` above `high` counts as `high`.
    ///
    /// # In asyncio
    ///
    /// `transport.set_write_buffer_limits`.
    pub fn set_write_buffer_limits(&self, high: usize, low: usize) {
        self.connection.set_limits(high, low);
    }

    /// The marks of the buffer, as `(high, low)`.
    ///
    /// # In asyncio
    ///
    /// `transport.get_write_buffer_limits`, which gives the low one first.
    #[must_use]
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        self.connection.limits()
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.connection.writer_is_dropped();
        self.connection.drop_half();
    }
}

/// `poll_write` waits while the buffer is full, as [`drain`](StreamWriter::drain), and then takes all.
/// `poll_close` is [`close`](StreamWriter::close) and [`wait_closed`](StreamWriter::wait_closed).
impl AsyncWrite for StreamWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.connection.poll_drain(cx))?;
        if !self.connection.takes_writes() {
            let error = "a write to a connection that is closed";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, error)));
        }
        self.connection.write(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if decline(cx) {
            return Poll::Pending;
        }
        self.connection.close();
        self.connection.poll_closed(cx)
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter").field("connection", &self.connection).finish()
    }
}

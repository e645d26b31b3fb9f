//! `sock_sendall`, `sock_sendto` and `sock_send`.

use std::fmt;
use std::io;

use ronde_reactor::{BorrowedSource, Direction, Source};
use socket2::{SockAddr, SockRef};

use crate::handle::LoopHandle;
use crate::sys;

impl LoopHandle {
    /// Sends some of `data` over a connected socket, waiting until the system takes any. Returns how many
    /// bytes it has taken; of a datagram, all.
    ///
    /// # Errors
    ///
    /// - What the system says, [`BrokenPipe`](io::ErrorKind::BrokenPipe) for example. No signal is raised.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput), as [`sock_recv`](Self::sock_recv).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** What is sent is counted in the same poll.
    ///
    /// # In asyncio
    ///
    /// There is only `loop.sock_sendall`, which doesn't tell how much it has sent when it is cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::os::unix::net::UnixStream;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let (ours, _theirs) = UnixStream::pair()?;
    /// let event_loop = get_running_loop().unwrap();
    /// let socket = event_loop.register(ours)?;
    ///
    /// let data = vec![0; 10_000_000];
    /// let sent = event_loop.sock_send(&socket, &data).await?;
    /// assert!(sent > 0 && sent < data.len());
    /// # std::io::Result::Ok(())
    /// # })?.unwrap();
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub async fn sock_send(&self, socket: &Source, data: &[u8]) -> io::Result<usize> {
        let sent =
            self.on_socket(socket, Direction::Write, |socket| sys::send(socket, data)).await?;
        if sent < data.len() {
            socket.clear_ready_if_tcp(Direction::Write);
        }
        Ok(sent)
    }

    /// Sends all of `data` over a connected socket, waiting as often as need be.
    ///
    /// # Errors
    ///
    /// [`SendAllError`], as [`sock_send`](Self::sock_send). It tells how much was sent before.
    ///
    /// # Cancel safety
    ///
    /// **Data lost.** How much was sent is not known then. Use [`sock_send`](Self::sock_send) where it
    /// matters.
    ///
    /// # In asyncio
    ///
    /// `loop.sock_sendall`. There, an error doesn't tell how much was sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::os::unix::net::UnixStream;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let (ours, theirs) = UnixStream::pair()?;
    /// let event_loop = get_running_loop().unwrap();
    /// let socket = event_loop.register(ours)?;
    /// event_loop.sock_sendall(&socket, b"hello").await?;
    ///
    /// drop(theirs);
    /// let error = event_loop.sock_sendall(&socket, b"too late").await.unwrap_err();
    /// assert_eq!(error.sent, 0);
    /// assert_eq!(error.source.kind(), std::io::ErrorKind::BrokenPipe);
    /// # std::io::Result::Ok(())
    /// # })?.unwrap();
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub async fn sock_sendall(&self, socket: &Source, data: &[u8]) -> Result<(), SendAllError> {
        let mut sent = 0;
        while sent < data.len() {
            match self.sock_send(socket, &data[sent..]).await {
                Ok(count) => sent += count,
                Err(source) => return Err(SendAllError { sent, size: data.len(), source }),
            }
        }
        Ok(())
    }

    /// Sends a datagram to `address`, waiting until the system takes it. Returns its length.
    ///
    /// # Errors
    ///
    /// - What the system says: that the datagram is too long, that there is no way to the address, that a
    ///   Unix socket is not there.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput), as [`sock_recv`](Self::sock_recv).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** The datagram is sent in the poll that returns, or not at all.
    ///
    /// # In asyncio
    ///
    /// `loop.sock_sendto`.
    ///
    /// # Examples
    ///
    /// See [`sock_recvfrom`](Self::sock_recvfrom).
    pub async fn sock_sendto(
        &self,
        socket: &Source,
        data: &[u8],
        address: impl Into<SockAddr>,
    ) -> io::Result<usize> {
        let address = address.into();
        let send = |socket: BorrowedSource<'_>| SockRef::from(&socket).send_to(data, &address);
        self.on_socket(socket, Direction::Write, send).await
    }
}

/// Not all could be sent. From [`sock_sendall`](LoopHandle::sock_sendall).
#[derive(Debug)]
#[non_exhaustive]
pub struct SendAllError {
    /// How many bytes were sent before.
    pub sent: usize,
    /// How many there were to send.
    pub size: usize,
    /// Why there were no more.
    pub source: io::Error,
}

impl fmt::Display for SendAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, size, source } = self;
        write!(f, "sending {size} bytes, of which {sent} were sent: {source}")
    }
}

impl std::error::Error for SendAllError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The reason, without the count.
impl From<SendAllError> for io::Error {
    fn from(error: SendAllError) -> Self {
        error.source
    }
}

//! `sock_recv` and its kin, and `sock_accept`.

use std::io;
use std::net::SocketAddr;

use ronde_reactor::{BorrowedSource, Direction, Source};
use rustix::net::{RecvFlags, SocketAddrAny, recv, recvfrom};
use socket2::{SockAddr, SockRef, Socket};

use crate::handle::LoopHandle;
use crate::sys;

impl LoopHandle {
    /// Receives up to `max_bytes` bytes from a connected socket, waiting until there are some.
    ///
    /// Nothing at all is the end of a stream. A datagram that is longer is cut.
    ///
    /// # Errors
    ///
    /// - What the system says, [`ConnectionReset`](io::ErrorKind::ConnectionReset) for example.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if the socket is registered with another loop, or,
    ///   in debug mode, if it is no longer in non-blocking mode.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** What is received is returned in the same poll.
    ///
    /// # In asyncio
    ///
    /// `loop.sock_recv`, with a socket that is non-blocking but not registered: each wait there registers
    /// it and takes it off again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::net::{TcpListener, TcpStream};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    ///
    /// let event_loop = get_running_loop().unwrap();
    /// let server = event_loop.register(listener.accept()?.0)?;
    /// let client = event_loop.register(client)?;
    /// event_loop.sock_sendall(&client, b"hello").await?;
    /// assert_eq!(event_loop.sock_recv(&server, 1024).await?, b"hello");
    ///
    /// drop(client);
    /// assert_eq!(event_loop.sock_recv(&server, 1024).await?, b"", "the end");
    /// # std::io::Result::Ok(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn sock_recv(&self, socket: &Source, max_bytes: usize) -> io::Result<Vec<u8>> {
        let receive = |socket: BorrowedSource<'_>| {
            self.shared.with_scratch(max_bytes, |room| {
                let size = room.len();
                let ((received, _), _) = recv(socket, room, RecvFlags::empty())?;
                Ok((received.to_vec(), received.len() < size))
            })
        };
        self.receive(socket, receive).await
    }

    /// Receives from a connected socket into `buffer`, waiting until there is something, and returns how
    /// many bytes that were.
    ///
    /// Zero is the end of a stream. A datagram that is longer than the buffer is cut.
    ///
    /// # Errors
    ///
    /// As [`sock_recv`](Self::sock_recv).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** What is received is in the buffer only when its length is returned.
    ///
    /// # In asyncio
    ///
    /// `loop.sock_recv_into`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::{io::Write, os::unix::net::UnixStream};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let (ours, mut theirs) = UnixStream::pair()?;
    /// let event_loop = get_running_loop().unwrap();
    /// let socket = event_loop.register(ours)?;
    /// theirs.write_all(b"hello")?;
    ///
    /// let mut buffer = [0; 1024];
    /// let received = event_loop.sock_recv_into(&socket, &mut buffer).await?;
    /// assert_eq!(&buffer[..received], b"hello");
    /// # std::io::Result::Ok(())
    /// # })?.unwrap();
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub async fn sock_recv_into(&self, socket: &Source, buffer: &mut [u8]) -> io::Result<usize> {
        let receive = |socket: BorrowedSource<'_>| {
            let (received, _) = recv(socket, &mut *buffer, RecvFlags::empty())?;
            Ok((received, received < buffer.len()))
        };
        self.receive(socket, receive).await
    }

    /// Receives a datagram of up to `max_bytes` bytes, waiting until there is one. Also tells from whom.
    ///
    /// A datagram that is longer is cut, and an empty one is a datagram like any other. A sender that has
    /// no name, as is usual for Unix sockets, is an address that
    /// [is unnamed](SockAddr::is_unnamed); so is one that is neither an internet nor a Unix address.
    ///
    /// # Errors
    ///
    /// As [`sock_recv`](Self::sock_recv). On a connected UDP socket, that the peer's port was closed is told
    /// as [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** A datagram is returned in the poll that receives it.
    ///
    /// # In asyncio
    ///
    /// `loop.sock_recvfrom`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::net::UdpSocket;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let event_loop = get_running_loop().unwrap();
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// let address = socket.local_addr()?;
    /// let socket = event_loop.register(socket)?;
    ///
    /// event_loop.sock_sendto(&socket, b"note to self", address).await?;
    /// let (datagram, sender) = event_loop.sock_recvfrom(&socket, 1024).await?;
    /// assert_eq!(datagram, b"note to self");
    /// assert_eq!(sender.as_socket(), Some(address));
    /// # std::io::Result::Ok(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn sock_recvfrom(
        &self,
        socket: &Source,
        max_bytes: usize,
    ) -> io::Result<(Vec<u8>, SockAddr)> {
        let receive = |socket: BorrowedSource<'_>| {
            self.shared.with_scratch(max_bytes, |room| {
                let ((received, _), _, sender) = recvfrom(socket, room, RecvFlags::empty())?;
                Ok((received.to_vec(), sender))
            })
        };
        let (received, sender) = self.on_socket(socket, Direction::Read, receive).await?;
        Ok((received, address(sender)?))
    }

    /// Receives a datagram into `buffer`, waiting until there is one, and returns its length and its sender.
    ///
    /// See [`sock_recvfrom`](Self::sock_recvfrom).
    ///
    /// # Errors
    ///
    /// As `sock_recvfrom`.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** A datagram is returned in the poll that receives it.
    ///
    /// # In asyncio
    ///
    /// `loop.sock_recvfrom_into`. Its `nbytes` is a slice of the buffer.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::net::UdpSocket;
    /// # EventLoop::new()?.run_until_complete(async {
    /// let event_loop = get_running_loop().unwrap();
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// let address = socket.local_addr()?;
    /// let socket = event_loop.register(socket)?;
    /// event_loop.sock_sendto(&socket, b"too long", address).await?;
    ///
    /// let mut buffer = [0; 1024];
    /// let (length, _) = event_loop.sock_recvfrom_into(&socket, &mut buffer[..3]).await?;
    /// assert_eq!(&buffer[..length], b"too", "the rest is lost");
    /// # std::io::Result::Ok(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn sock_recvfrom_into(
        &self,
        socket: &Source,
        buffer: &mut [u8],
    ) -> io::Result<(usize, SockAddr)> {
        let receive = |socket: BorrowedSource<'_>| {
            let (count, _, sender) = recvfrom(socket, &mut *buffer, RecvFlags::empty())?;
            Ok((count, sender))
        };
        let (count, sender) = self.on_socket(socket, Direction::Read, receive).await?;
        Ok((count, address(sender)?))
    }

    /// Accepts a connection from a listening socket, waiting until there is one. Also tells from whom.
    ///
    /// The new socket is not registered, and waits in its calls as one of the standard library's does:
    /// hand it to [`register`](Self::register), here or on another thread's loop, or make a
    /// `TcpStream` of it. A client that has given up in the meantime is passed over.
    ///
    /// # Errors
    ///
    /// - What the system says. If it has no descriptors or memory left, the connection stays in the
    ///   system's queue: rest a little before trying again.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput), as [`sock_recv`](Self::sock_recv).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** A connection is returned in the poll that accepts it.
    ///
    /// # In asyncio
    ///
    /// `loop.sock_accept`. There, the new socket is non-blocking.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::net::{TcpListener, TcpStream};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let event_loop = get_running_loop().unwrap();
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let listener = event_loop.register(listener)?;
    ///
    /// let client = TcpStream::connect(address)?;
    /// let (connection, peer) = event_loop.sock_accept(&listener).await?;
    /// assert_eq!(peer.as_socket(), Some(client.local_addr()?));
    ///
    /// connection.set_tcp_nodelay(true)?;
    /// let connection = event_loop.register(connection)?;
    /// event_loop.sock_sendall(&connection, b"welcome").await?;
    /// # std::io::Result::Ok(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn sock_accept(&self, listener: &Source) -> io::Result<(Socket, SockAddr)> {
        let accept = |listener: BorrowedSource<'_>| {
            loop {
                match SockRef::from(&listener).accept() {
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    outcome => return outcome,
                }
            }
        };
        self.on_socket(listener, Direction::Read, accept).await
    }

    /// Receives, and takes note if the socket had less than there was room for, as `receive` tells.
    async fn receive<R>(
        &self,
        socket: &Source,
        receive: impl FnMut(BorrowedSource<'_>) -> io::Result<(R, bool)>,
    ) -> io::Result<R> {
        let (received, is_short) = self.on_socket(socket, Direction::Read, receive).await?;
        if is_short {
            socket.clear_ready_if_tcp(Direction::Read);
        }
        Ok(received)
    }
}

fn address(sender: Option<SocketAddrAny>) -> io::Result<SockAddr> {
    let known = sender.and_then(|sender| match SocketAddr::try_from(sender.clone()) {
        Ok(sender) => Some(sender.into()),
        Err(_) => sys::unix_address(sender),
    });
    known.map_or_else(|| SockAddr::unix(""), Ok)
}

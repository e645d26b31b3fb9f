//! `sock_connect`.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use ronde_context::decline;
use ronde_reactor::{Direction, Source};
use socket2::{SockAddr, SockRef};

use crate::handle::LoopHandle;
use crate::sleep::sleep;
use crate::sys;

impl LoopHandle {
    /// Connects a socket to `address`, waiting until the connection is there.
    ///
    /// A name is resolved first, with [`getaddrinfo`](Self::getaddrinfo). If the queue of a Unix socket's
    /// listener is full, this waits for a place.
    ///
    /// # Errors
    ///
    /// - What the system says, [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) for example. The
    ///   socket is best closed then: not every system lets it try again.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput), as [`sock_recv`](Self::sock_recv).
    ///
    /// # Panics
    ///
    /// Outside a running event loop, if it has to wait for a place in the queue of a Unix socket.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** The system goes on connecting; calling again, with the same address, waits for its
    /// end. To give up, drop the socket.
    ///
    /// # In asyncio
    ///
    /// `loop.sock_connect`. There it also resolves names, and takes a full queue for a success.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::net::TcpListener;
    /// use ronde_loop::socket2::{Domain, Socket, Type};
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let address = listener.local_addr()?;
    /// let event_loop = get_running_loop().unwrap();
    /// let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    /// let socket = event_loop.register(socket)?;
    /// event_loop.sock_connect(&socket, address).await?;
    /// event_loop.sock_sendall(&socket, b"hello").await?;
    /// # std::io::Result::Ok(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn sock_connect(
        &self,
        socket: &Source,
        address: impl Into<SockAddr>,
    ) -> io::Result<()> {
        const LONGEST_REST: Duration = Duration::from_millis(100);
        self.check_socket(socket)?;
        let address = address.into();
        let mut rest = Duration::from_millis(1);
        loop {
            let mut is_begun = false;
            match poll_fn(|cx| self.poll_connect(socket, &address, &mut is_begun, cx)).await {
                // Nobody tells when the queue no longer is full. A blocking connect would wait.
                Err(error) if address.is_unix() && error.kind() == io::ErrorKind::WouldBlock => {
                    sleep(rest).await;
                    rest = (rest * 2).min(LONGEST_REST);
                }
                outcome => return outcome,
            }
        }
    }

    fn poll_connect(
        &self,
        socket: &Source,
        address: &SockAddr,
        is_begun: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if decline(cx) {
            return Poll::Pending;
        }
        if !*is_begun {
            match SockRef::from(socket).connect(address) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) if sys::is_connecting(&error) => *is_begun = true,
                Err(error) if sys::is_connected(&error) => {
                    return Poll::Ready(if is_peer(socket, address) { Ok(()) } else { Err(error) });
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
            // A socket that is not even being connected is reported as hung up, which no longer holds.
            // There is nothing to read yet, and if there is, that is reported.
            socket.mark_blocked(Direction::Read);
            socket.mark_blocked(Direction::Write);
        }
        loop {
            match socket.poll_ready(Direction::Write, cx) {
                Poll::Pending => {
                    self.shared.wait_for(Direction::Write);
                    return Poll::Pending;
                }
                Poll::Ready(ready) => ready?,
            }
            match connected(socket) {
                // The report was about something else.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    socket.mark_blocked(Direction::Write);
                }
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

/// Was the connection made, after it was begun?
fn connected(socket: &Source) -> io::Result<()> {
    let socket = SockRef::from(socket);
    match socket.take_error()? {
        Some(error) => Err(error),
        None => socket.peer_addr().map(drop),
    }
}

/// Is the socket connected to `address`, as by a call that was given up?
fn is_peer(socket: &Source, address: &SockAddr) -> bool {
    SockRef::from(socket).peer_addr().is_ok_and(|peer| peer == *address)
}

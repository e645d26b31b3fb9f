//! The transport of datagrams.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::rc::Rc;

use ronde_loop::LoopHandle;
use socket2::SockRef;

use super::link::Link;
use super::{DatagramAddr, DatagramProtocol, SendError};
use crate::error::WaterMarkError;
use crate::link::Stage;
use crate::protocol::ProtocolHandle;

/// A handle to an endpoint that sends datagrams, and has a protocol called with those that arrive.
///
/// Clones are handles to the same endpoint. The loop owns it until it is closed. As with a
/// [`Transport`](crate::Transport), its methods don't wait, and don't call the protocol.
///
/// # In asyncio
///
/// `asyncio.DatagramTransport`.
///
/// # Examples
///
/// See [`create_datagram_endpoint`](crate::create_datagram_endpoint).
#[derive(Clone)]
pub struct DatagramTransport {
    link: Rc<Link>,
}

impl DatagramTransport {
    pub(crate) fn of(link: Rc<Link>) -> Self {
        Self { link }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Sends a datagram to the address that the endpoint is connected to. It may be empty.
    ///
    /// If the system doesn't take it now, it goes into a queue. What the system has against it is told by
    /// [`error_received`](DatagramProtocol::error_received): it is too large, say. On an endpoint that is
    /// closed it is dropped; from the fifth time on a warning is logged.
    ///
    /// # Errors
    ///
    /// [`SendError::NoAddress`] if the endpoint isn't connected.
    ///
    /// # In asyncio
    ///
    /// `DatagramTransport.sendto(data)`.
    #[doc(alias = "sendto")]
    pub fn send(&self, data: impl AsRef<[u8]>) -> Result<(), SendError> {
        if self.link.remote().is_none() {
            return Err(SendError::NoAddress);
        }
        self.link.send(data.as_ref(), None);
        Ok(())
    }

    /// Sends a datagram to an address. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// [`SendError::WrongAddress`] if the endpoint is connected to another one.
    ///
    /// # In asyncio
    ///
    /// `DatagramTransport.sendto(data, addr)`.
    #[doc(alias = "send_to")]
    pub fn sendto(
        &self,
        data: impl AsRef<[u8]>,
        address: impl Into<DatagramAddr>,
    ) -> Result<(), SendError> {
        let given = address.into();
        match self.link.remote() {
            None => self.link.send(data.as_ref(), Some(given)),
            Some(connected_to) if *connected_to == given => self.link.send(data.as_ref(), None),
            Some(connected_to) => {
                let connected_to = connected_to.clone();
                return Err(SendError::WrongAddress { given, connected_to });
            }
        }
        Ok(())
    }

    /// Closes the endpoint after what is in the queue is sent. Nothing more is received.
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.close`.
    pub fn close(&self) {
        self.link.close();
    }

    /// Closes the endpoint at once. What is in the queue is dropped.
    ///
    /// # In asyncio
    ///
    /// `DatagramTransport.abort`.
    pub fn abort(&self) {
        self.link.abort();
    }

    /// Is it closed, or about to be?
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.is_closing`.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.link.stage() != Stage::Open
    }

    /// Waits until [`connection_lost`](DatagramProtocol::connection_lost) was called. It does not close the
    /// endpoint.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** It only looks.
    ///
    /// # In asyncio
    ///
    /// There is no such method.
    pub async fn wait_closed(&self) {
        self.link.lost().await;
    }

    /// Has another protocol called from now on.
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.set_protocol`.
    pub fn set_protocol<P: DatagramProtocol>(&self, protocol: P) -> ProtocolHandle<P> {
        let shared = Rc::new(RefCell::new(protocol));
        self.link.set_protocol((shared.clone(), shared.clone()));
        ProtocolHandle::new(shared)
    }

    /// The protocol that is called, if it is a `P`. `None` also when the endpoint is closed.
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.get_protocol`.
    #[must_use]
    #[doc(alias = "get_protocol")]
    pub fn protocol<P: 'static>(&self) -> Option<ProtocolHandle<P>> {
        self.link.protocol()
    }

    /// How many bytes wait in the queue. Each datagram counts eight bytes more than it has.
    ///
    /// # In asyncio
    ///
    /// `get_write_buffer_size`.
    #[must_use]
    #[doc(alias = "get_write_buffer_size")]
    pub fn write_buffer_size(&self) -> usize {
        self.link.size()
    }

    /// Sets the water marks of the queue, as
    /// [`Transport::set_write_buffer_limits`](crate::Transport::set_write_buffer_limits).
    ///
    /// # Errors
    ///
    /// [`WaterMarkError`] if `high` is below `low`.
    ///
    /// # In asyncio
    ///
    /// `set_write_buffer_limits`.
    pub fn set_write_buffer_limits(
        &self,
        high: impl Into<Option<usize>>,
        low: impl Into<Option<usize>>,
    ) -> Result<(), WaterMarkError> {
        let (high, low) = WaterMarkError::resolve(high.into(), low.into())?;
        self.link.set_marks(high, low);
        Ok(())
    }

    /// The water marks of the queue, as `(high, low)`.
    ///
    /// # In asyncio
    ///
    /// `get_write_buffer_limits`, which gives the low one first.
    #[must_use]
    #[doc(alias = "get_write_buffer_limits")]
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        self.link.marks()
    }

    /// Our own address. `None` on a Unix socket, and when the endpoint is closed.
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('sockname')`.
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "sockname")]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.with_socket(|socket| socket.local_addr().ok()?.as_socket())?
    }

    /// The address that the endpoint is connected to. `None` if it is not, or to a Unix socket.
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('peername')`.
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "peername")]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.link.remote()?.ip()
    }

    /// The path of our own Unix socket. `None` if it has none, on other sockets, and when the endpoint is
    /// closed.
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('sockname')`.
    #[cfg(unix)]
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "sockname")]
    pub fn local_path(&self) -> Option<PathBuf> {
        let path = |socket: SockRef<'_>| Some(socket.local_addr().ok()?.as_pathname()?.to_owned());
        self.with_socket(path)?
    }

    /// The path of the Unix socket that the endpoint is connected to, if it is.
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('peername')`.
    #[cfg(unix)]
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "peername")]
    pub fn peer_path(&self) -> Option<PathBuf> {
        self.link.remote()?.path().map(ToOwned::to_owned)
    }

    /// Calls `f` with the socket, to set options on it: how far multicast goes, say. `None` when the
    /// endpoint is closed.
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('socket')`.
    #[doc(alias = "get_extra_info")]
    pub fn with_socket<R>(&self, f: impl FnOnce(SockRef<'_>) -> R) -> Option<R> {
        let source = self.link.source()?;
        Some(f(SockRef::from(&*source)))
    }

    /// The loop that calls the protocol.
    #[must_use]
    pub fn get_loop(&self) -> LoopHandle {
        self.link.event_loop().clone()
    }
}

/// Two are equal if they are handles to the same endpoint.
impl PartialEq for DatagramTransport {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.link, &other.link)
    }
}

impl Eq for DatagramTransport {}

impl fmt::Debug for DatagramTransport {
    /// `<DatagramTransport open local=127.0.0.1:5000 unsent=0>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.link.stage() {
            Stage::Open => "open",
            Stage::Closing => "closing",
            Stage::Lost => "lost",
        };
        write!(f, "<DatagramTransport {stage}")?;
        if let Some(local) = self.local_addr() {
            write!(f, " local={local}")?;
        }
        if let Some(remote) = self.link.remote() {
            write!(f, " peer={remote}")?;
        }
        write!(f, " unsent={}>", self.write_buffer_size())
    }
}

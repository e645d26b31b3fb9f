//! The transport of a byte stream.

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::rc::Rc;

use ronde_loop::LoopHandle;
#[cfg(target_os = "linux")]
use ronde_streams::PeerCredentials;
use ronde_streams::{TlsInfo, TlsOptions, TlsServerOptions};

use crate::error::WaterMarkError;
use crate::link::{Link, Stage};
use crate::protocol::{ProtocolHandle, StreamProtocol};
use crate::upgrade::UpgradeToTls;

/// A handle to the connection that a protocol is called for: over TCP, a Unix socket, TLS, or a pipe.
///
/// Clones are handles to the same connection. All its methods can be called at any time, from a task, a
/// callback, or the protocol's own methods. None of them waits, but for those that are `async`, and none
/// of them calls the protocol: that happens when the method of the protocol that is running has returned,
/// or else in the next turn of the loop.
///
/// The loop owns a transport that reads or closes, so it lives without a handle. One that is paused and to
/// which nobody has a handle is dropped, and its connection closed; in debug mode that is a warning of
/// `tracing`, and so is a transport that is open when its loop is closed.
///
/// The transport of a pipe has one direction. Reading from the end for writing gives nothing, and what is
/// written to the end for reading is dropped, with a warning.
///
/// # In asyncio
///
/// `asyncio.Transport`, and `ReadTransport` and `WriteTransport` for pipes. `get_extra_info` is a method for
/// each thing there is to ask.
///
/// # Examples
///
/// See [`create_connection`](crate::create_connection).
#[derive(Clone)]
#[doc(alias = "BaseTransport")]
#[doc(alias = "ReadTransport")]
#[doc(alias = "WriteTransport")]
pub struct Transport {
    link: Rc<Link>,
}

impl Transport {
    pub(crate) fn of(link: Rc<Link>) -> Self {
        Self { link }
    }

    pub(crate) fn link(&self) -> &Rc<Link> {
        &self.link
    }
}

/// Writing.
impl Transport {
    /// Writes `data`: sends it, or buffers what can't be sent at once. Never waits.
    ///
    /// What is written in one turn of the loop leaves together. A protocol that writes much stops when its
    /// [`pause_writing`](crate::Protocol::pause_writing) is called, else a slow peer fills the memory.
    ///
    /// On a transport that is closed or lost, or after [`write_eof`](Self::write_eof), `data` is dropped;
    /// from the fifth time on a warning is logged.
    ///
    /// # In asyncio
    ///
    /// `WriteTransport.write`.
    #[doc(alias = "send")]
    pub fn write(&self, data: impl AsRef<[u8]>) {
        match self.link.writer() {
            Some(writer) => writer.write(data),
            None => self.not_writable(),
        }
    }

    /// Writes all of `lines`, as by one [`write`](Self::write), but without putting them together first
    /// if the system takes them at once. It adds no newlines.
    ///
    /// # In asyncio
    ///
    /// `WriteTransport.writelines`.
    pub fn writelines<T: AsRef<[u8]>>(&self, lines: impl IntoIterator<Item = T>) {
        match self.link.writer() {
            Some(writer) => writer.writelines(lines),
            None => self.not_writable(),
        }
    }

    fn not_writable(&self) {
        tracing::warn!(target: "ronde", "a write to a pipe's end for reading was dropped");
    }

    /// Ends the output after all that was written; the peer reads the end of the stream.
    ///
    /// Reading goes on. A pipe is closed by it.
    ///
    /// # In asyncio
    ///
    /// `WriteTransport.write_eof`. There, TLS can't do it.
    #[doc(alias = "shutdown")]
    pub fn write_eof(&self) {
        if let Some(writer) = self.link.writer() {
            writer.write_eof();
        }
    }

    /// Can the output be ended while reading goes on? Always, here, if there is an output.
    ///
    /// # In asyncio
    ///
    /// `WriteTransport.can_write_eof`, which says no over TLS.
    #[must_use]
    pub fn can_write_eof(&self) -> bool {
        self.link.writer().is_some_and(|writer| writer.can_write_eof())
    }

    /// How many bytes wait to be sent.
    ///
    /// # In asyncio
    ///
    /// `WriteTransport.get_write_buffer_size`.
    #[must_use]
    #[doc(alias = "get_write_buffer_size")]
    pub fn write_buffer_size(&self) -> usize {
        self.link.writer().map_or(0, |writer| writer.write_buffer_size())
    }

    /// Sets the water marks: above `high` bytes in the buffer
    /// [`pause_writing`](crate::Protocol::pause_writing) is called, and when there are no more than `low`
    /// again [`resume_writing`](crate::Protocol::resume_writing).
    ///
    /// A mark that is `None` follows from the other: `low` is a quarter of `high`. If both are, they are
    /// 64 KiB and 16 KiB, the default. With a `high` of zero, every byte that can't be sent at once pauses.
    ///
    /// # Errors
    ///
    /// [`WaterMarkError`] if `high` is below `low`. The marks stay as they were.
    ///
    /// # In asyncio
    ///
    /// `WriteTransport.set_write_buffer_limits`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::EventLoop;
    /// # use ronde_transports::{Protocol, connect_accepted_socket};
    /// # use std::os::unix::net::UnixStream;
    /// # struct Mute;
    /// # impl Protocol for Mute {}
    /// # EventLoop::new()?.run_until_complete(async {
    /// # let (ours, _theirs) = UnixStream::pair().unwrap();
    /// let (transport, _) = connect_accepted_socket(|| Mute, ours).await.unwrap();
    /// transport.set_write_buffer_limits(1000, None).unwrap();
    /// assert_eq!(transport.write_buffer_limits(), (1000, 250));
    /// assert!(transport.set_write_buffer_limits(10, 20).is_err());
    /// # })?;
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn set_write_buffer_limits(
        &self,
        high: impl Into<Option<usize>>,
        low: impl Into<Option<usize>>,
    ) -> Result<(), WaterMarkError> {
        let (high, low) = WaterMarkError::resolve(high.into(), low.into())?;
        if let Some(writer) = self.link.writer() {
            writer.set_write_buffer_limits(high, low);
        }
        Ok(())
    }

    /// The water marks, as `(high, low)`. Zeros of a pipe's end for reading.
    ///
    /// # In asyncio
    ///
    /// `WriteTransport.get_write_buffer_limits`, which gives the low one first.
    #[must_use]
    #[doc(alias = "get_write_buffer_limits")]
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        self.link.writer().map_or((0, 0), |writer| writer.write_buffer_limits())
    }

    /// Waits until the buffer has room again, for tasks that write: as
    /// [`StreamWriter::drain`](ronde_streams::StreamWriter::drain).
    ///
    /// # Errors
    ///
    /// As [`StreamWriter::drain`](ronde_streams::StreamWriter::drain).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** What was written is sent whether or not somebody waits.
    ///
    /// # In asyncio
    ///
    /// There is no such method. Those who need it make it of `pause_writing` and `resume_writing`.
    pub async fn drain(&self) -> io::Result<()> {
        match self.link.writer() {
            Some(writer) => writer.drain().await,
            None => Ok(()),
        }
    }
}

/// Reading.
impl Transport {
    /// Stops reading, at once: the protocol is not called with anything until
    /// [`resume_reading`](Self::resume_reading), not even with what has arrived already. A peer that goes
    /// on sending is held up by the system's flow control.
    ///
    /// The end of the peer isn't seen meanwhile either. Pausing twice is fine.
    ///
    /// # In asyncio
    ///
    /// `ReadTransport.pause_reading`.
    pub fn pause_reading(&self) {
        self.link.set_paused(true);
    }

    /// Goes on reading. No effect if it isn't paused.
    ///
    /// # In asyncio
    ///
    /// `ReadTransport.resume_reading`.
    pub fn resume_reading(&self) {
        self.link.set_paused(false);
    }

    /// Is it open, and not paused?
    ///
    /// # In asyncio
    ///
    /// `ReadTransport.is_reading`.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        !self.is_closing() && !self.link.is_paused()
    }
}

/// The end.
impl Transport {
    /// Closes the connection after what was written is sent. Nothing more is read.
    ///
    /// When that is done, [`connection_lost`](crate::Protocol::connection_lost) is called, with `None`.
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.close`.
    pub fn close(&self) {
        self.link.close();
    }

    /// Closes the connection at once. What was written and not sent is dropped.
    ///
    /// Then [`connection_lost`](crate::Protocol::connection_lost) is called, with `None`.
    ///
    /// # In asyncio
    ///
    /// `WriteTransport.abort`.
    pub fn abort(&self) {
        self.link.abort();
    }

    /// Is it closed, about to be, or lost?
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.is_closing`.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.link.is_closing()
    }

    /// Waits until [`connection_lost`](crate::Protocol::connection_lost) was called. It does not close
    /// the transport.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** It only looks.
    ///
    /// # In asyncio
    ///
    /// There is no such method. Protocols there set a future in `connection_lost`.
    pub async fn wait_closed(&self) {
        self.link.lost().await;
    }
}

/// The protocol.
impl Transport {
    /// Has another protocol called from now on.
    ///
    /// Everything that has not been delivered goes to the new one: called in `data_received`, that is what
    /// follows after the present call. The new one isn't told `connection_made`: give it what it needs. A
    /// [`Protocol`](crate::Protocol) may follow a [`BufferedProtocol`](crate::BufferedProtocol), and the
    /// other way round. On a transport that is lost it is never called.
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.set_protocol`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use ronde_loop::EventLoop;
    /// # use std::{io::Write, os::unix::net::UnixStream};
    /// use ronde_transports::{Protocol, Transport, connect_accepted_socket};
    ///
    /// #[derive(Default)]
    /// struct Greeting(Option<Transport>);
    ///
    /// impl Protocol for Greeting {
    ///     fn connection_made(&mut self, transport: &Transport) {
    ///         self.0 = Some(transport.clone());
    ///     }
    ///
    ///     fn data_received(&mut self, data: &[u8]) {
    ///         assert_eq!(data, b"hello");
    ///         self.0.as_ref().unwrap().set_protocol(Talk::default());
    ///     }
    /// }
    ///
    /// #[derive(Default)]
    /// struct Talk(Vec<u8>);
    ///
    /// impl Protocol for Talk {
    ///     fn data_received(&mut self, data: &[u8]) {
    ///         self.0.extend(data);
    ///     }
    /// }
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// let (ours, mut theirs) = UnixStream::pair().unwrap();
    /// let (transport, _) = connect_accepted_socket(Greeting::default, ours).await.unwrap();
    /// theirs.write_all(b"hello").unwrap();
    /// while transport.protocol::<Talk>().is_none() {
    ///     ronde_loop::yield_now().await;
    /// }
    /// let talk = transport.protocol::<Talk>().unwrap();
    /// theirs.write_all(b"how are you?").unwrap();
    /// drop(theirs);
    /// transport.wait_closed().await;
    /// assert_eq!(talk.with(|talk| talk.0.clone()), b"how are you?");
    /// # })?;
    /// # }
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn set_protocol<P: StreamProtocol>(&self, protocol: P) -> ProtocolHandle<P::Protocol> {
        let (shared, target) = protocol.share();
        self.link.set_target(target);
        ProtocolHandle::new(shared)
    }

    /// The protocol that is called, if it is a `P` (inside [`Buffered`](crate::Buffered), perhaps). `None`
    /// also when the transport is lost.
    ///
    /// # In asyncio
    ///
    /// `BaseTransport.get_protocol`.
    ///
    /// # Examples
    ///
    /// See [`set_protocol`](Self::set_protocol).
    #[must_use]
    #[doc(alias = "get_protocol")]
    pub fn protocol<P: 'static>(&self) -> Option<ProtocolHandle<P>> {
        self.link.target()?.downcast()
    }

    /// Has TLS spoken from here on, as a client.
    ///
    /// Reading stops with this call, so all that arrives from now on belongs to TLS. What was written before
    /// goes out as it is. The same transport then goes on, over TLS, and so does its protocol, which isn't
    /// told `connection_made` again. Await the result, in a task, after setting limits if need be. Dropping
    /// it before it is awaited goes on reading.
    ///
    /// The certificate must be for the options' [server name](TlsOptions::server_name), or for the peer's
    /// address.
    ///
    /// # Errors
    ///
    /// As [`StreamWriter::start_tls`](ronde_streams::StreamWriter::start_tls). The transport is lost then,
    /// except if TLS had [already started](ronde_streams::TlsError::AlreadyStarted) or
    /// [is starting](ronde_streams::ConnectError::Busy).
    ///
    /// # Panics
    ///
    /// When polled outside a running event loop.
    ///
    /// # Cancel safety
    ///
    /// **Data lost.** A handshake that is given up can't be taken up again: the connection is closed at
    /// once.
    ///
    /// # In asyncio
    ///
    /// `loop.start_tls`, which returns another transport.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use ronde_loop::get_running_loop;
    /// # use ronde_streams::TlsOptions;
    /// # use ronde_transports::{Protocol, Transport};
    /// struct Mail(Transport);
    ///
    /// impl Protocol for Mail {
    ///     fn data_received(&mut self, data: &[u8]) {
    ///         if data.starts_with(b"220") {
    ///             let options = TlsOptions::new().server_name("mail.example.org");
    ///             let upgrade = self.0.start_tls(options);
    ///             let transport = self.0.clone();
    ///             let task = async move {
    ///                 if upgrade.await.is_ok() {
    ///                     transport.write("EHLO client.example.org\r\n");
    ///                 }
    ///             };
    ///             get_running_loop().unwrap().create_task(task).detach();
    ///         }
    ///     }
    /// }
    /// ```
    #[doc(alias = "starttls")]
    pub fn start_tls(&self, options: TlsOptions) -> UpgradeToTls {
        UpgradeToTls::client(self, options)
    }

    /// Has TLS spoken from here on, as a server: the other side of [`start_tls`](Self::start_tls).
    ///
    /// # Errors
    ///
    /// As [`start_tls`](Self::start_tls).
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
    pub fn accept_tls(&self, options: TlsServerOptions) -> UpgradeToTls {
        UpgradeToTls::server(self, options)
    }
}

/// What is known about the connection.
impl Transport {
    /// The address of the peer. `None` if it has none, as on a Unix socket.
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('peername')`.
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "peername")]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.link.writer()?.peer_addr()
    }

    /// Our own address. `None` if there is none, as on a Unix socket, and when the connection is over.
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('sockname')`.
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "sockname")]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.link.writer()?.local_addr()
    }

    /// The path of the peer's Unix socket. `None` if it has none, as most clients, on other sockets, and
    /// when the connection is over.
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('peername')`.
    #[cfg(unix)]
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "peername")]
    pub fn peer_path(&self) -> Option<PathBuf> {
        self.link.writer()?.peer_path()
    }

    /// The path of our own Unix socket, as [`peer_path`](Self::peer_path).
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('sockname')`.
    #[cfg(unix)]
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "sockname")]
    pub fn local_path(&self) -> Option<PathBuf> {
        self.link.writer()?.local_path()
    }

    /// Who is at the other end of a Unix socket, as
    /// [`StreamWriter::peer_credentials`](ronde_streams::StreamWriter::peer_credentials).
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('socket')` and `getsockopt(SO_PEERCRED)`.
    #[cfg(target_os = "linux")]
    #[must_use]
    #[doc(alias = "SO_PEERCRED")]
    pub fn peer_credentials(&self) -> Option<PeerCredentials> {
        self.link.writer()?.peer_credentials()
    }

    /// What the two sides of a TLS connection have agreed on. `None` without TLS.
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('ssl_object')`, `'cipher'`, `'peercert'` and their kin.
    #[must_use]
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "peercert")]
    #[doc(alias = "cipher")]
    pub fn tls(&self) -> Option<TlsInfo> {
        self.link.writer()?.tls()
    }

    /// Calls `f` with the socket, to set options on it. `None` when the connection is over, and of a
    /// pipe's end for reading.
    ///
    /// # In asyncio
    ///
    /// `get_extra_info('socket')`.
    #[doc(alias = "get_extra_info")]
    pub fn with_socket<R>(&self, f: impl FnOnce(socket2::SockRef<'_>) -> R) -> Option<R> {
        self.link.writer()?.with_socket(f)
    }

    /// The loop that calls the protocol.
    #[must_use]
    pub fn get_loop(&self) -> LoopHandle {
        self.link.event_loop().clone()
    }
}

/// Two are equal if they are handles to the same connection.
impl PartialEq for Transport {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.link, &other.link)
    }
}

impl Eq for Transport {}

impl fmt::Debug for Transport {
    /// `<Transport open peer=127.0.0.1:5000 reading unsent=0>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.link.stage() {
            Stage::Open if self.is_closing() => "closing",
            Stage::Open => "open",
            Stage::Closing => "closing",
            Stage::Lost => "lost",
        };
        write!(f, "<Transport {stage}")?;
        if let Some(peer) = self.peer_addr() {
            write!(f, " peer={peer}")?;
        }
        if self.is_reading() {
            f.write_str(" reading")?;
        }
        write!(f, " unsent={}>", self.write_buffer_size())
    }
}

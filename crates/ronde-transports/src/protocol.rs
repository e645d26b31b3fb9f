//! Protocols: what transports call.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;

use crate::transport::Transport;

/// Code that is called with what happens on a connection.
///
/// A transport calls, in this order: [`connection_made`](Self::connection_made) once; then
/// [`data_received`](Self::data_received), [`pause_writing`](Self::pause_writing) and
/// [`resume_writing`](Self::resume_writing) as often as it takes, and at most once
/// [`eof_received`](Self::eof_received); then [`connection_lost`](Self::connection_lost) once. All are
/// called by the loop and never from within a method of the transport: so a method may write, close,
/// pause or [switch the protocol](Transport::set_protocol), and is not called again while it runs. What
/// follows from it is called when it has returned.
///
/// All methods have a default that does nothing. A method that panics ends the connection: the panic goes
/// to the loop's exception handler, the transport is [aborted](Transport::abort), and `connection_lost` is
/// told. The loop and all other connections go on.
///
/// The methods run in a copy of the context in which the transport was made: see
/// [`ContextVar`](ronde_context::ContextVar). They are not part of a task. What has to wait is done in one
/// that they create.
///
/// # In asyncio
///
/// `asyncio.Protocol`, with the methods of `asyncio.BaseProtocol`.
///
/// # Examples
///
/// ```
/// use ronde_transports::{Protocol, Transport};
///
/// /// Answers each line with its length.
/// #[derive(Default)]
/// struct Lengths {
///     transport: Option<Transport>,
///     line: usize,
/// }
///
/// impl Protocol for Lengths {
///     fn connection_made(&mut self, transport: &Transport) {
///         self.transport = Some(transport.clone());
///     }
///
///     fn data_received(&mut self, data: &[u8]) {
///         let Some(transport) = &self.transport else { return };
///         for byte in data {
///             match byte {
///                 b'\n' => transport.write(format!("{}\n", std::mem::take(&mut self.line))),
///                 _ => self.line += 1,
///             }
///         }
///     }
/// }
/// ```
#[doc(alias = "BaseProtocol")]
pub trait Protocol: 'static {
    /// The connection is there. `transport` is a handle to it, to be cloned and kept.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.connection_made`.
    fn connection_made(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Something has arrived. It may be any part of what the peer has sent, one byte at least.
    ///
    /// # In asyncio
    ///
    /// `Protocol.data_received`.
    fn data_received(&mut self, data: &[u8]) {
        let _ = data;
    }

    /// The peer will send no more. `true` keeps the transport open, to write to; `false`, the default,
    /// closes it. Over TLS, and of a pipe, it is closed in any case.
    ///
    /// # In asyncio
    ///
    /// `Protocol.eof_received`.
    fn eof_received(&mut self) -> bool {
        false
    }

    /// The buffer of the transport has grown above its high-water mark: stop writing.
    ///
    /// It is called soon after the write that went too far: when the method that has written returns, or
    /// else in the next turn of the loop. If the buffer has shrunk again by then, it isn't called.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.pause_writing`, which is called inside `write`.
    fn pause_writing(&mut self) {}

    /// The buffer has fallen to the low-water mark: go on writing. It follows each
    /// [`pause_writing`](Self::pause_writing), unless the connection is lost first.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.resume_writing`.
    fn resume_writing(&mut self) {}

    /// The connection is over: closed or aborted from here, or ended by the peer, or, with an error, lost.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.connection_lost`.
    fn connection_lost(&mut self, error: Option<io::Error>) {
        let _ = error;
    }
}

/// A [`Protocol`] that says where what arrives is to be put.
///
/// The system fills its buffer, and nothing is copied. (Over TLS it is filled with what was decrypted.) To
/// make a transport with one, wrap it: [`Buffered`]. The methods that both traits have are the same.
///
/// # In asyncio
///
/// `asyncio.BufferedProtocol`.
///
/// # Examples
///
/// ```
/// use ronde_transports::BufferedProtocol;
///
/// /// Wants to have records of eight bytes.
/// #[derive(Default)]
/// struct Records {
///     record: [u8; 8],
///     filled: usize,
///     count: usize,
/// }
///
/// impl BufferedProtocol for Records {
///     fn get_buffer(&mut self, _size_hint: usize) -> &mut [u8] {
///         &mut self.record[self.filled..]
///     }
///
///     fn buffer_updated(&mut self, bytes: usize) {
///         self.filled += bytes;
///         if self.filled == self.record.len() {
///             self.filled = 0;
///             self.count += 1;
///         }
///     }
/// }
/// ```
pub trait BufferedProtocol: 'static {
    /// As [`Protocol::connection_made`].
    fn connection_made(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Gives the buffer that is to be filled next. It may have any size but none: an empty one ends the
    /// connection, as a panic would.
    ///
    /// `size_hint` is how many bytes are worth having room for. There need not be anything to fill the
    /// buffer with: then [`buffer_updated`](Self::buffer_updated) isn't called, and this is called again
    /// later.
    ///
    /// # In asyncio
    ///
    /// `BufferedProtocol.get_buffer`, whose hint is always -1.
    fn get_buffer(&mut self, size_hint: usize) -> &mut [u8];

    /// The first `bytes` of the buffer were filled, one at least.
    ///
    /// # In asyncio
    ///
    /// `BufferedProtocol.buffer_updated`.
    fn buffer_updated(&mut self, bytes: usize);

    /// As [`Protocol::eof_received`].
    fn eof_received(&mut self) -> bool {
        false
    }

    /// As [`Protocol::pause_writing`].
    fn pause_writing(&mut self) {}

    /// As [`Protocol::resume_writing`].
    fn resume_writing(&mut self) {}

    /// As [`Protocol::connection_lost`].
    fn connection_lost(&mut self, error: Option<io::Error>) {
        let _ = error;
    }
}

/// Makes a transport use a [`BufferedProtocol`].
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// # use ronde_loop::EventLoop;
/// # use std::{io::Write, os::unix::net::UnixStream};
/// use ronde_transports::{Buffered, BufferedProtocol, connect_accepted_socket};
///
/// #[derive(Default)]
/// struct Collect {
///     bytes: Vec<u8>,
///     filled: usize,
/// }
///
/// impl BufferedProtocol for Collect {
///     fn get_buffer(&mut self, size_hint: usize) -> &mut [u8] {
///         self.bytes.resize(self.filled + size_hint, 0);
///         &mut self.bytes[self.filled..]
///     }
///
///     fn buffer_updated(&mut self, bytes: usize) {
///         self.filled += bytes;
///     }
/// }
///
/// # EventLoop::new()?.run_until_complete(async {
/// let (ours, mut theirs) = UnixStream::pair().unwrap();
/// let factory = || Buffered(Collect::default());
/// let (transport, protocol) = connect_accepted_socket(factory, ours).await.unwrap();
/// theirs.write_all(b"hello").unwrap();
/// drop(theirs);
/// transport.wait_closed().await;
/// assert_eq!(protocol.with(|protocol| protocol.bytes[..protocol.filled].to_vec()), b"hello");
/// # })?;
/// # }
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffered<P>(pub P);

/// What a stream transport can call: a [`Protocol`], or a [`BufferedProtocol`] in [`Buffered`].
///
/// There are no others.
pub trait StreamProtocol: Sized + 'static {
    /// The protocol itself, not in [`Buffered`].
    type Protocol: 'static;

    #[doc(hidden)]
    fn share(self) -> (Rc<RefCell<Self::Protocol>>, Target);
}

impl<P: Protocol> StreamProtocol for P {
    type Protocol = P;

    fn share(self) -> (Rc<RefCell<P>>, Target) {
        let shared = Rc::new(RefCell::new(self));
        (shared.clone(), Target::Plain(shared.clone(), shared))
    }
}

impl<P: BufferedProtocol> StreamProtocol for Buffered<P> {
    type Protocol = P;

    fn share(self) -> (Rc<RefCell<P>>, Target) {
        let shared = Rc::new(RefCell::new(self.0));
        (shared.clone(), Target::Buffered(shared.clone(), shared))
    }
}

/// The protocol that a transport calls at present. The second of each is the same as the first, to be
/// cast to its own type.
///
/// Nobody outside can make one: that is what keeps others from implementing [`StreamProtocol`].
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "nobody outside can name it")]
pub enum Target {
    Plain(Rc<RefCell<dyn Protocol>>, Rc<dyn Any>),
    Buffered(Rc<RefCell<dyn BufferedProtocol>>, Rc<dyn Any>),
}

impl Target {
    pub(crate) fn downcast<P: 'static>(&self) -> Option<ProtocolHandle<P>> {
        let (Self::Plain(_, any) | Self::Buffered(_, any)) = self;
        Some(ProtocolHandle::new(any.clone().downcast().ok()?))
    }

    /// Does anybody else use the protocol at this moment?
    pub(crate) fn is_in_use(&self) -> bool {
        match self {
            Self::Plain(protocol, _) => protocol.try_borrow_mut().is_err(),
            Self::Buffered(protocol, _) => protocol.try_borrow_mut().is_err(),
        }
    }

    pub(crate) fn connection_made(&self, transport: &Transport) {
        match self {
            Self::Plain(protocol, _) => protocol.borrow_mut().connection_made(transport),
            Self::Buffered(protocol, _) => protocol.borrow_mut().connection_made(transport),
        }
    }

    pub(crate) fn eof_received(&self) -> bool {
        match self {
            Self::Plain(protocol, _) => protocol.borrow_mut().eof_received(),
            Self::Buffered(protocol, _) => protocol.borrow_mut().eof_received(),
        }
    }

    pub(crate) fn pause_writing(&self) {
        match self {
            Self::Plain(protocol, _) => protocol.borrow_mut().pause_writing(),
            Self::Buffered(protocol, _) => protocol.borrow_mut().pause_writing(),
        }
    }

    pub(crate) fn resume_writing(&self) {
        match self {
            Self::Plain(protocol, _) => protocol.borrow_mut().resume_writing(),
            Self::Buffered(protocol, _) => protocol.borrow_mut().resume_writing(),
        }
    }

    pub(crate) fn connection_lost(&self, error: Option<io::Error>) {
        match self {
            Self::Plain(protocol, _) => protocol.borrow_mut().connection_lost(error),
            Self::Buffered(protocol, _) => protocol.borrow_mut().connection_lost(error),
        }
    }
}

/// A handle to a protocol that a transport calls.
///
/// Cheap to clone. It keeps the protocol alive, also when the connection is over: so its state can be
/// looked at afterwards.
///
/// # In asyncio
///
/// The protocol itself, as `create_connection` returns it.
///
/// # Examples
///
/// See [`create_connection`](crate::create_connection).
pub struct ProtocolHandle<P> {
    protocol: Rc<RefCell<P>>,
}

impl<P> ProtocolHandle<P> {
    pub(crate) fn new(protocol: Rc<RefCell<P>>) -> Self {
        Self { protocol }
    }

    /// Calls `f` with the protocol.
    ///
    /// `f` may use the transport. What follows from that is called in the next turn of the loop.
    ///
    /// # Panics
    ///
    /// Inside one of the protocol's own methods, which have `self`, and inside another `with`.
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(&mut P) -> R) -> R {
        match self.protocol.try_borrow_mut() {
            Ok(mut protocol) => f(&mut protocol),
            Err(_) => panic!(
                "`ProtocolHandle::with` while the protocol is in use: inside its own methods use \
                 `self`, inside another `with` its argument"
            ),
        }
    }
}

impl<P> Clone for ProtocolHandle<P> {
    fn clone(&self) -> Self {
        Self { protocol: self.protocol.clone() }
    }
}

impl<P> fmt::Debug for ProtocolHandle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProtocolHandle<{}>", std::any::type_name::<P>())
    }
}

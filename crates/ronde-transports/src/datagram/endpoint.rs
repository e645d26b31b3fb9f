//! Making endpoints for datagrams.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;

use ronde_loop::{LoopHandle, OwnedSource, get_running_loop};
use ronde_streams::AddressFamily;
use socket2::{Domain, SockRef, Socket, Type};

use super::link::Link;
use super::{DatagramAddr, DatagramProtocol, DatagramTransport, EndpointError};
use crate::protocol::ProtocolHandle;
use crate::sys;

/// Makes an endpoint that sends datagrams, and has a protocol called with those that arrive.
///
/// With a [local address](CreateDatagramEndpoint::local_addr) it receives there; with a
/// [remote one](CreateDatagramEndpoint::remote_addr) it is *connected*: it sends to that address and
/// receives from nowhere else, and learns when nobody listens there. Without either it has an address
/// that the system chooses, of IPv4 if no [family](CreateDatagramEndpoint::family) is asked for.
///
/// `factory` makes the protocol, once the socket is there. Await the result, after setting options if need
/// be: it gives the transport, and a handle to the protocol.
/// [`connection_made`](DatagramProtocol::connection_made) has been called by then.
///
/// # Errors
///
/// [`EndpointError`], which says what was being done. The factory isn't called then.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Strict.** Dropped before its end, it leaves no socket behind.
///
/// # In asyncio
///
/// `loop.create_datagram_endpoint`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::{EventLoop, Promise};
/// use ronde_transports::{
///     DatagramAddr, DatagramProtocol, DatagramTransport, create_datagram_endpoint,
/// };
///
/// #[derive(Default)]
/// struct Echo(Option<DatagramTransport>);
///
/// impl DatagramProtocol for Echo {
///     fn connection_made(&mut self, transport: &DatagramTransport) {
///         self.0 = Some(transport.clone());
///     }
///
///     fn datagram_received(&mut self, data: &[u8], from: &DatagramAddr) {
///         self.0.as_ref().unwrap().sendto(data, from).unwrap();
///     }
/// }
///
/// struct Client(Promise<Vec<u8>>);
///
/// impl DatagramProtocol for Client {
///     fn datagram_received(&mut self, data: &[u8], _from: &DatagramAddr) {
///         let _ = self.0.set_result(data.to_vec());
///     }
/// }
///
/// # EventLoop::new()?.run_until_complete(async {
/// let (server, _) =
///     create_datagram_endpoint(Echo::default).local_addr("127.0.0.1", 0).await?;
/// let port = server.local_addr().unwrap().port();
///
/// let answer = Promise::new();
/// let protocol = Client(answer.clone());
/// let (client, _) =
///     create_datagram_endpoint(|| protocol).remote_addr("127.0.0.1", port).await?;
/// client.send("hello").unwrap();
/// assert_eq!(answer.await.unwrap(), b"hello");
/// server.close();
/// # Ok::<(), ronde_transports::EndpointError>(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn create_datagram_endpoint<F, P>(factory: F) -> CreateDatagramEndpoint<F>
where
    F: FnOnce() -> P,
    P: DatagramProtocol,
{
    CreateDatagramEndpoint {
        factory,
        local: None,
        remote: None,
        socket: None,
        family: None,
        options: Options::default(),
    }
}

/// An endpoint that is yet to be made: see [`create_datagram_endpoint`].
#[must_use = "no endpoint is made until it is awaited"]
pub struct CreateDatagramEndpoint<F> {
    factory: F,
    local: Option<Target>,
    remote: Option<Target>,
    socket: Option<OwnedSource>,
    family: Option<AddressFamily>,
    options: Options,
}

#[derive(Debug)]
enum Target {
    Host(String, u16),
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has datagrams between files"))]
    Path(PathBuf),
}

#[derive(Debug, Default)]
struct Options {
    reuse_port: bool,
    broadcast: bool,
    groups: Vec<Group>,
}

#[derive(Clone, Copy, Debug)]
enum Group {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, u32),
}

/// One of the pairs of addresses that may do.
type Pair = (Option<DatagramAddr>, Option<DatagramAddr>);

impl<F> CreateDatagramEndpoint<F> {
    /// Receives at this address. `host` is an address, or a name; an empty one stands for all addresses of
    /// the machine. Port `0` lets the system choose one.
    pub fn local_addr(mut self, host: impl Into<String>, port: u16) -> Self {
        self.local = Some(Target::Host(host.into(), port));
        self
    }

    /// Connects to this address: sends to it, and receives from nowhere else.
    pub fn remote_addr(mut self, host: impl Into<String>, port: u16) -> Self {
        self.remote = Some(Target::Host(host.into(), port));
        self
    }

    /// Receives at a Unix socket. One that was left behind at `path` is replaced; the file stays when the
    /// endpoint is closed. A `path` that begins with NUL is a name in Linux' abstract namespace.
    #[cfg(unix)]
    pub fn local_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.local = Some(Target::Path(path.into()));
        self
    }

    /// Connects to a Unix socket.
    #[cfg(unix)]
    pub fn remote_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.remote = Some(Target::Path(path.into()));
        self
    }

    /// Uses a socket of datagrams that is there already, bound and connected as it is. It is put into
    /// non-blocking mode. Addresses that are given are of no effect then; the other options are.
    ///
    /// # In asyncio
    ///
    /// `sock=`.
    #[doc(alias = "sock")]
    pub fn socket(mut self, socket: impl Into<OwnedSource>) -> Self {
        self.socket = Some(socket.into());
        self
    }

    /// Uses addresses of one family only.
    pub fn family(mut self, family: AddressFamily) -> Self {
        self.family = Some(family);
        self
    }

    /// Shares the local address with other sockets that do the same. Off by default. Where the system can't
    /// do that, it has no effect.
    #[doc(alias = "SO_REUSEPORT")]
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.options.reuse_port = on;
        self
    }

    /// Allows to send to a broadcast address. Off by default.
    #[doc(alias = "SO_BROADCAST")]
    pub fn allow_broadcast(mut self, on: bool) -> Self {
        self.options.broadcast = on;
        self
    }

    /// Receives what is sent to a group, on the interface that has the given address; on one that the
    /// system chooses if that is [unspecified](Ipv4Addr::UNSPECIFIED). May be called for several groups.
    ///
    /// How datagrams are *sent* to a group is set on the
    /// [socket](DatagramTransport::with_socket): `set_multicast_if_v4`, `set_multicast_ttl_v4`,
    /// `set_multicast_loop_v4`.
    ///
    /// # In asyncio
    ///
    /// `sock.setsockopt(IPPROTO_IP, IP_ADD_MEMBERSHIP, ...)`.
    #[doc(alias = "IP_ADD_MEMBERSHIP")]
    pub fn join_multicast_v4(mut self, group: Ipv4Addr, interface: Ipv4Addr) -> Self {
        self.options.groups.push(Group::V4(group, interface));
        self
    }

    /// Receives what is sent to a group, on the interface with the given index; on one that the system
    /// chooses if that is zero. May be called for several groups.
    ///
    /// # In asyncio
    ///
    /// `sock.setsockopt(IPPROTO_IPV6, IPV6_JOIN_GROUP, ...)`.
    #[doc(alias = "IPV6_JOIN_GROUP")]
    pub fn join_multicast_v6(mut self, group: Ipv6Addr, interface: u32) -> Self {
        self.options.groups.push(Group::V6(group, interface));
        self
    }

    async fn create<P>(self) -> Result<(DatagramTransport, ProtocolHandle<P>), EndpointError>
    where
        F: FnOnce() -> P,
        P: DatagramProtocol,
    {
        let event_loop = get_running_loop().expect("transports belong to a running event loop");
        let (socket, remote) = match self.socket {
            Some(socket) => {
                self.options.set(&SockRef::from(&socket))?;
                let remote = peer_of(&SockRef::from(&socket));
                (socket, remote)
            }
            None => {
                let pairs = pairs(&event_loop, self.local, self.remote, self.family).await?;
                let (socket, remote) = self.options.open_first(pairs)?;
                (socket.into(), remote)
            }
        };
        let source = event_loop.register(socket);
        let source = source.map_err(failed("registering a socket with the event loop"))?;
        let shared = Rc::new(RefCell::new((self.factory)()));
        let link = Link::new(&event_loop, source, remote, (shared.clone(), shared.clone()));
        let making = Making(Some(DatagramTransport::of(link)));
        making.transport().link().made().await;
        Ok((making.succeed(), ProtocolHandle::new(shared)))
    }
}

/// The pairs of a local and a remote address that can go together, in the order of the resolver.
async fn pairs(
    event_loop: &LoopHandle,
    local: Option<Target>,
    remote: Option<Target>,
    family: Option<AddressFamily>,
) -> Result<Vec<Pair>, EndpointError> {
    let shown = |target: &Option<Target>| target.as_ref().map(ToString::to_string);
    let (shown_local, shown_remote) = (shown(&local), shown(&remote));
    let locals = addresses(event_loop, local).await?;
    let remotes = addresses(event_loop, remote).await?;
    let fits = |address: &DatagramAddr| match (family, address.ip()) {
        (Some(AddressFamily::V4), Some(address)) => address.is_ipv4(),
        (Some(AddressFamily::V6), Some(address)) => address.is_ipv6(),
        (Some(_), None) => false,
        (None, _) => true,
    };
    let pairs: Vec<Pair> = match (locals, remotes) {
        (None, None) => {
            let any: SocketAddr = match family {
                Some(AddressFamily::V6) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                _ => (Ipv4Addr::UNSPECIFIED, 0).into(),
            };
            vec![(Some(any.into()), None)]
        }
        (Some(locals), None) => {
            locals.into_iter().filter(fits).map(|local| (Some(local), None)).collect()
        }
        (None, Some(remotes)) => {
            remotes.into_iter().filter(fits).map(|remote| (None, Some(remote))).collect()
        }
        (Some(locals), Some(remotes)) => {
            let mut pairs = Vec::new();
            for local in locals.iter().filter(|local| fits(local)) {
                let same = remotes.iter().filter(|remote| domain(remote) == domain(local));
                pairs.extend(same.map(|remote| (Some(local.clone()), Some(remote.clone()))));
            }
            pairs
        }
    };
    if pairs.is_empty() {
        return Err(EndpointError::Family { local: shown_local, remote: shown_remote });
    }
    Ok(pairs)
}

async fn addresses(
    event_loop: &LoopHandle,
    target: Option<Target>,
) -> Result<Option<Vec<DatagramAddr>>, EndpointError> {
    let (host, port) = match target {
        None => return Ok(None),
        Some(Target::Path(path)) => return Ok(Some(vec![DatagramAddr::Path(path)])),
        Some(Target::Host(host, port)) => (host, port),
    };
    if host.is_empty() {
        let all: [SocketAddr; 2] =
            [(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()];
        return Ok(Some(all.map(DatagramAddr::Ip).to_vec()));
    }
    match event_loop.getaddrinfo(&*host, port).addresses().await {
        Ok(addresses) => Ok(Some(addresses.into_iter().map(DatagramAddr::Ip).collect())),
        Err(error) => Err(EndpointError::Resolve { host, source: error.into() }),
    }
}

fn domain(address: &DatagramAddr) -> Domain {
    match address.ip() {
        Some(address) => Domain::for_address(address),
        None => Domain::UNIX,
    }
}

impl Options {
    /// Opens a socket for the first pair that can be had.
    fn open_first(
        &self,
        pairs: Vec<Pair>,
    ) -> Result<(Socket, Option<DatagramAddr>), EndpointError> {
        let mut first = None;
        for (local, remote) in pairs {
            match self.open(local.as_ref(), remote.as_ref()) {
                Ok(socket) => return Ok((socket, remote)),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or(EndpointError::Family { local: None, remote: None }))
    }

    fn open(
        &self,
        local: Option<&DatagramAddr>,
        remote: Option<&DatagramAddr>,
    ) -> Result<Socket, EndpointError> {
        let domain = local.or(remote).map_or(Domain::IPV4, domain);
        let socket = Socket::new(domain, Type::DGRAM, None).map_err(failed("making a socket"))?;
        // Before it is bound, for the port to be shared.
        self.set_before(&SockRef::from(&socket))?;
        if let Some(local) = local {
            let bound = match local {
                DatagramAddr::Path(path) => sys::bind_path(&socket, path),
                _ => local.to_system().and_then(|address| socket.bind(&address)),
            };
            bound.map_err(|source| EndpointError::Bind { address: local.clone(), source })?;
        }
        if let Some(remote) = remote {
            let connected = remote.to_system().and_then(|address| socket.connect(&address));
            connected
                .map_err(|source| EndpointError::Connect { address: remote.clone(), source })?;
        }
        self.join(&SockRef::from(&socket))?;
        Ok(socket)
    }

    fn set(&self, socket: &SockRef<'_>) -> Result<(), EndpointError> {
        self.set_before(socket)?;
        self.join(socket)
    }

    fn set_before(&self, socket: &SockRef<'_>) -> Result<(), EndpointError> {
        if self.reuse_port {
            sys::set_reuse_port(socket).map_err(failed("sharing a port"))?;
        }
        if self.broadcast {
            socket.set_broadcast(true).map_err(failed("allowing to send broadcasts"))?;
        }
        Ok(())
    }

    fn join(&self, socket: &SockRef<'_>) -> Result<(), EndpointError> {
        for group in &self.groups {
            let joined = match group {
                Group::V4(group, interface) => socket.join_multicast_v4(group, interface),
                Group::V6(group, interface) => socket.join_multicast_v6(group, *interface),
            };
            joined.map_err(failed("joining a multicast group"))?;
        }
        Ok(())
    }
}

fn failed(doing: &'static str) -> impl Fn(io::Error) -> EndpointError {
    move |source| EndpointError::Io { doing, source }
}

/// Whom a socket is connected to.
fn peer_of(socket: &SockRef<'_>) -> Option<DatagramAddr> {
    let address = socket.peer_addr().ok()?;
    Some(match (address.as_socket(), address.as_pathname()) {
        (Some(address), _) => DatagramAddr::Ip(address),
        (None, Some(path)) => DatagramAddr::Path(path.to_owned()),
        (None, None) => DatagramAddr::Unnamed,
    })
}

/// Aborts a transport that nobody has been given.
struct Making(Option<DatagramTransport>);

impl Making {
    fn transport(&self) -> &DatagramTransport {
        self.0.as_ref().expect("it is there until the end")
    }

    fn succeed(mut self) -> DatagramTransport {
        self.0.take().expect("it is there until the end")
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(transport) = &self.0 {
            transport.abort();
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Path(path) => DatagramAddr::Path(path.clone()).fmt(f),
        }
    }
}

impl<F, P> IntoFuture for CreateDatagramEndpoint<F>
where
    F: FnOnce() -> P + 'static,
    P: DatagramProtocol,
{
    type Output = Result<(DatagramTransport, ProtocolHandle<P>), EndpointError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.create())
    }
}

impl<F> fmt::Debug for CreateDatagramEndpoint<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateDatagramEndpoint")
            .field("local", &self.local)
            .field("remote", &self.remote)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

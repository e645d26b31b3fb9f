//! From names to addresses.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use socket2::{Protocol, Type};

use super::error::{ResolveError, ResolveErrorKind};
use crate::handle::LoopHandle;

impl LoopHandle {
    /// Finds the addresses of a host, and what sockets can be made for them.
    ///
    /// `None` for a host stands for this machine: for addresses to connect to, or to listen on if the
    /// request is [passive](GetAddrInfo::passive). Without a
    /// [socket type](GetAddrInfo::socket_type), each address comes once for each. An address in text
    /// form, in brackets or not, is not looked up. Await the result, after setting options if need be, or
    /// ask for the [addresses](GetAddrInfo::addresses) alone.
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: its [kind](ResolveErrorKind) tells whether the name doesn't exist, or whether it
    /// is worth trying again.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** A look-up that has begun runs on in its thread, and its result is dropped.
    ///
    /// # In asyncio
    ///
    /// `loop.getaddrinfo`. There, look-ups share the default executor with the program's blocking work, and
    /// names that are not ASCII are encoded first.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// use ronde_loop::{AddressFamily, ResolveErrorKind};
    /// use ronde_loop::socket2::{Domain, Socket, Type};
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// let event_loop = get_running_loop().unwrap();
    /// let found = event_loop
    ///     .getaddrinfo("localhost", 80)
    ///     .family(AddressFamily::V4)
    ///     .socket_type(Type::STREAM)
    ///     .await?;
    /// assert_eq!(found[0].address, ([127, 0, 0, 1], 80).into());
    ///
    /// // Whatever it is, there is a socket for it.
    /// let info = &found[0];
    /// let domain = Domain::for_address(info.address);
    /// let socket = Socket::new(domain, info.socket_type, Some(info.protocol)).unwrap();
    ///
    /// let error = event_loop.getaddrinfo("no-such-host.invalid", 80).await.unwrap_err();
    /// assert!(error.to_string().starts_with("looking up no-such-host.invalid: "));
    /// # let _ = (socket, ResolveErrorKind::NotFound);
    /// # Ok::<(), ronde_loop::ResolveError>(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn getaddrinfo<'a>(&self, host: impl Into<Option<&'a str>>, port: u16) -> GetAddrInfo {
        GetAddrInfo {
            event_loop: self.clone(),
            request: AddrInfoRequest {
                host: host.into().map(str::to_owned),
                service: Service::Port(port),
                family: None,
                socket_type: None,
                protocol: None,
                flags: AddrInfoFlags::default(),
            },
        }
    }
}

/// A look-up of a host that is yet to be made: see [`LoopHandle::getaddrinfo`].
#[derive(Debug)]
#[must_use = "nothing is looked up until it is awaited"]
pub struct GetAddrInfo {
    event_loop: LoopHandle,
    request: AddrInfoRequest,
}

impl GetAddrInfo {
    /// A service by its name, as `http`, in place of the port.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.request.service = Service::Name(name.into());
        self
    }

    /// Addresses of this family only. By default, both.
    pub fn family(mut self, family: AddressFamily) -> Self {
        self.request.family = Some(family);
        self
    }

    /// Sockets of this type only. By default, any.
    #[doc(alias = "SOCK_STREAM")]
    #[doc(alias = "SOCK_DGRAM")]
    pub fn socket_type(mut self, socket_type: Type) -> Self {
        self.request.socket_type = Some(socket_type);
        self
    }

    /// Sockets of this protocol only. By default, any.
    #[doc(alias = "proto")]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.request.protocol = Some(protocol);
        self
    }

    /// Without a host: addresses to listen on.
    #[doc(alias = "AI_PASSIVE")]
    pub fn passive(mut self, on: bool) -> Self {
        self.request.flags.passive = on;
        self
    }

    /// Also find the host's [official name](AddrInfo::canonical_name).
    #[doc(alias = "AI_CANONNAME")]
    pub fn canonical_name(mut self, on: bool) -> Self {
        self.request.flags.canonical_name = on;
        self
    }

    /// Look nothing up: the host is an address in text form, or an error.
    #[doc(alias = "AI_NUMERICHOST")]
    pub fn numeric_host(mut self, on: bool) -> Self {
        self.request.flags.numeric_host = on;
        self
    }

    /// The [service](Self::service) is a number in text form, or an error.
    #[doc(alias = "AI_NUMERICSERV")]
    pub fn numeric_service(mut self, on: bool) -> Self {
        self.request.flags.numeric_service = on;
        self
    }

    /// With [`AddressFamily::V6`]: IPv4 addresses in IPv6 form for a host that has no others.
    #[doc(alias = "AI_V4MAPPED")]
    pub fn v4_mapped(mut self, on: bool) -> Self {
        self.request.flags.v4_mapped = on;
        self
    }

    /// With [`v4_mapped`](Self::v4_mapped): also for a host that has others.
    #[doc(alias = "AI_ALL")]
    pub fn all(mut self, on: bool) -> Self {
        self.request.flags.all = on;
        self
    }

    /// Only addresses of families that this machine has an address of itself, `localhost` aside.
    #[doc(alias = "AI_ADDRCONFIG")]
    pub fn address_config(mut self, on: bool) -> Self {
        self.request.flags.address_config = on;
        self
    }

    /// Finds the addresses alone, each once, in the order of the resolver.
    ///
    /// # Errors
    ///
    /// As [`getaddrinfo`](LoopHandle::getaddrinfo).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** A look-up that has begun runs on in its thread, and its result is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let event_loop = get_running_loop().unwrap();
    /// let found = event_loop.getaddrinfo("[::1]", 80).addresses().await?;
    /// assert_eq!(found, ["[::1]:80".parse().unwrap()]);
    /// # Ok::<(), ronde_loop::ResolveError>(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn addresses(mut self) -> Result<Vec<SocketAddr>, ResolveError> {
        // One entry for each address is enough.
        self.request.socket_type.get_or_insert(Type::STREAM);
        let mut addresses = Vec::new();
        for info in self.look_up().await? {
            if !addresses.contains(&info.address) {
                addresses.push(info.address);
            }
        }
        Ok(addresses)
    }

    async fn look_up(self) -> Result<Vec<AddrInfo>, ResolveError> {
        let Self { event_loop, request } = self;
        if let Some(found) = request.literal() {
            return Ok(found);
        }
        match event_loop.resolver() {
            Some(resolver) => resolver.getaddrinfo(&event_loop, request).await,
            None => Err(ResolveError::closed(&request)),
        }
    }
}

impl IntoFuture for GetAddrInfo {
    type Output = Result<Vec<AddrInfo>, ResolveError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.look_up())
    }
}

/// What is asked of a [`Resolver`](crate::Resolver).
///
/// Shown as the host, or as the service if there is no host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddrInfoRequest {
    /// The host. `None` is this machine.
    pub host: Option<String>,
    /// The port, or what has one.
    pub service: Service,
    /// The family that addresses are wanted of, if not of any.
    pub family: Option<AddressFamily>,
    /// The type that sockets are wanted of, if not of any.
    pub socket_type: Option<Type>,
    /// The protocol that sockets are wanted of, if not of any.
    pub protocol: Option<Protocol>,
    /// The rest.
    pub flags: AddrInfoFlags,
}

impl AddrInfoRequest {
    /// The answer, if the host is an address in text form and nothing is asked that isn't in it.
    fn literal(&self) -> Option<Vec<AddrInfo>> {
        let host = self.host.as_deref()?;
        let unbracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let ip: IpAddr = unbracketed.unwrap_or(host).parse().ok()?;
        let Service::Port(port) = self.service else { return None };
        let address = SocketAddr::new(ip, port);
        let is_of_family = self.family.is_none_or(|family| family.has(&address));
        if !is_of_family || self.flags.canonical_name {
            return None;
        }
        let kinds = [
            (Type::STREAM, Protocol::TCP),
            (Type::DGRAM, Protocol::UDP),
            // Of a raw socket, the protocol is open.
            (Type::RAW, Protocol::from(0)),
        ];
        let is_wanted = |(socket_type, protocol): &(Type, Protocol)| {
            self.socket_type.is_none_or(|wanted| wanted == *socket_type)
                && self.protocol.is_none_or(|wanted| wanted == *protocol)
        };
        let found: Vec<_> = kinds
            .into_iter()
            .filter(is_wanted)
            .map(|(socket_type, protocol)| AddrInfo::new(address, socket_type, protocol))
            .collect();
        (!found.is_empty()).then_some(found)
    }
}

impl fmt::Display for AddrInfoRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, &self.service) {
            (Some(host), _) => f.write_str(host),
            (None, Service::Port(port)) => write!(f, "port {port}"),
            (None, Service::Name(name)) => write!(f, "the service {name}"),
        }
    }
}

/// A port, or the name of a service that has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// The port.
    Port(u16),
    /// The name, as `http`, or a number in text form.
    Name(String),
}

/// What else a look-up is to do: see the methods of [`GetAddrInfo`] of the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the methods of `GetAddrInfo` have the documentation")]
pub struct AddrInfoFlags {
    pub passive: bool,
    pub canonical_name: bool,
    pub numeric_host: bool,
    pub numeric_service: bool,
    pub v4_mapped: bool,
    pub all: bool,
    pub address_config: bool,
}

/// An address, and what socket can be made for it. From [`LoopHandle::getaddrinfo`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddrInfo {
    /// The address.
    pub address: SocketAddr,
    /// The type of socket.
    pub socket_type: Type,
    /// The protocol.
    pub protocol: Protocol,
    /// The host's official name, in the first entry, if it was [asked for](GetAddrInfo::canonical_name).
    pub canonical_name: Option<String>,
}

impl AddrInfo {
    /// An entry without a name, for a [`Resolver`](crate::Resolver) to give.
    #[must_use]
    pub fn new(address: SocketAddr, socket_type: Type, protocol: Protocol) -> Self {
        Self { address, socket_type, protocol, canonical_name: None }
    }
}

/// One of the two families of internet addresses.
///
/// # In asyncio
///
/// `socket.AF_INET` and `socket.AF_INET6`.
///
/// # Examples
///
/// ```
/// use ronde_loop::AddressFamily;
///
/// let address = "[::1]:80".parse().unwrap();
/// assert!(AddressFamily::V6.has(&address));
/// assert!(!AddressFamily::V4.has(&address));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "AF_INET")]
#[doc(alias = "AF_INET6")]
pub enum AddressFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl AddressFamily {
    /// Is `address` of this family?
    #[must_use]
    pub fn has(self, address: &SocketAddr) -> bool {
        address.is_ipv6() == (self == Self::V6)
    }
}

impl ResolveError {
    fn closed(request: &AddrInfoRequest) -> Self {
        Self::new(ResolveErrorKind::Unavailable, request, "the event loop is closed")
    }
}

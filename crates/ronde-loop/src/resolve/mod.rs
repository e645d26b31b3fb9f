//! Names of hosts: asyncio's `getaddrinfo` and `getnameinfo`.
//!
//! The system's functions block, so they run on threads: a [`SystemResolver`] has a few of its own, so that
//! a program's blocking work can't keep names from being resolved, nor slow names keep that from being done.
//! A loop can be given [another resolver](crate::Builder::resolver).

mod addrinfo;

mod error;

mod nameinfo;

mod system;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::handle::LoopHandle;

pub use addrinfo::{AddrInfo, AddrInfoFlags, AddrInfoRequest, AddressFamily, GetAddrInfo, Service};
pub use error::{ResolveError, ResolveErrorKind};
pub use nameinfo::{GetNameInfo, NameInfo, NameInfoFlags, NameInfoRequest};
pub use system::SystemResolver;

/// What finds the addresses of names, and the names of addresses.
///
/// A loop has [one](crate::Builder::resolver), by default a [`SystemResolver`]. A resolver may be shared by
/// the loops of a thread.
///
/// # Examples
///
/// ```
/// use ronde_loop::{
///     AddrInfo, AddrInfoRequest, EventLoop, LoopHandle, NameInfo, NameInfoRequest, ResolveError,
///     ResolveErrorKind, ResolveFuture, Resolver, Service, get_running_loop,
/// };
/// use ronde_loop::socket2::{Protocol, Type};
/// use std::rc::Rc;
///
/// /// Knows one host.
/// #[derive(Debug)]
/// struct OneHost;
///
/// impl Resolver for OneHost {
///     fn getaddrinfo<'a>(
///         &'a self,
///         _event_loop: &'a LoopHandle,
///         request: AddrInfoRequest,
///     ) -> ResolveFuture<'a, Vec<AddrInfo>> {
///         let port = if let Service::Port(port) = request.service { port } else { 0 };
///         let found = match request.host.as_deref() {
///             Some("database") => {
///                 let address = ([192, 0, 2, 7], port).into();
///                 Ok(vec![AddrInfo::new(address, Type::STREAM, Protocol::TCP)])
///             }
///             _ => Err(ResolveError::new(ResolveErrorKind::NotFound, &request, "not the database")),
///         };
///         Box::pin(std::future::ready(found))
///     }
///
///     fn getnameinfo<'a>(
///         &'a self,
///         _event_loop: &'a LoopHandle,
///         request: NameInfoRequest,
///     ) -> ResolveFuture<'a, NameInfo> {
///         let error = ResolveError::new(ResolveErrorKind::NotFound, &request, "no names here");
///         Box::pin(std::future::ready(Err(error)))
///     }
/// }
///
/// let event_loop = EventLoop::builder().resolver(Rc::new(OneHost)).build()?;
/// event_loop.run_until_complete(async {
///     let event_loop = get_running_loop().unwrap();
///     let found = event_loop.getaddrinfo("database", 5432).await.unwrap();
///     assert_eq!(found[0].address.to_string(), "192.0.2.7:5432");
///
///     let error = event_loop.getaddrinfo("elsewhere", 80).await.unwrap_err();
///     assert_eq!(error.to_string(), "looking up elsewhere: not the database");
/// })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub trait Resolver: fmt::Debug {
    /// Finds the addresses of a host. `event_loop` is the loop that waits.
    ///
    /// Addresses in text form don't get here, unless the request wants more than the address.
    fn getaddrinfo<'a>(
        &'a self,
        event_loop: &'a LoopHandle,
        request: AddrInfoRequest,
    ) -> ResolveFuture<'a, Vec<AddrInfo>>;

    /// Finds the name of an address. `event_loop` is the loop that waits.
    fn getnameinfo<'a>(
        &'a self,
        event_loop: &'a LoopHandle,
        request: NameInfoRequest,
    ) -> ResolveFuture<'a, NameInfo>;
}

/// What a [`Resolver`] gives: a future on the heap.
pub type ResolveFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, ResolveError>> + 'a>>;

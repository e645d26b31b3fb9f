//! From addresses to names.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::Pin;

use super::error::{ResolveError, ResolveErrorKind};
use crate::handle::LoopHandle;

impl LoopHandle {
    /// Finds the name of an address's host, and of the service at its port.
    ///
    /// What has no name is given in text form instead, unless
    /// [that is an error](GetNameInfo::name_required). Await the result, after setting options if need be.
    ///
    /// # Errors
    ///
    /// As [`getaddrinfo`](Self::getaddrinfo).
    ///
    /// # Cancel safety
    ///
    /// **Strict.** A look-up that has begun runs on in its thread, and its result is dropped.
    ///
    /// # In asyncio
    ///
    /// `loop.getnameinfo`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # EventLoop::new()?.run_until_complete(async {
    /// let event_loop = get_running_loop().unwrap();
    /// let name = event_loop
    ///     .getnameinfo(([127, 0, 0, 1], 80))
    ///     .numeric_host(true)
    ///     .numeric_service(true)
    ///     .await?;
    /// assert_eq!((&*name.host, &*name.service), ("127.0.0.1", "80"));
    /// # Ok::<(), ronde_loop::ResolveError>(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn getnameinfo(&self, address: impl Into<SocketAddr>) -> GetNameInfo {
        GetNameInfo {
            event_loop: self.clone(),
            request: NameInfoRequest { address: address.into(), flags: NameInfoFlags::default() },
        }
    }
}

/// A look-up of an address that is yet to be made: see [`LoopHandle::getnameinfo`].
#[derive(Debug)]
#[must_use = "nothing is looked up until it is awaited"]
pub struct GetNameInfo {
    event_loop: LoopHandle,
    request: NameInfoRequest,
}

impl GetNameInfo {
    /// The host in text form, without a look-up.
    #[doc(alias = "NI_NUMERICHOST")]
    pub fn numeric_host(mut self, on: bool) -> Self {
        self.request.flags.numeric_host = on;
        self
    }

    /// The service in text form: the port's number.
    #[doc(alias = "NI_NUMERICSERV")]
    pub fn numeric_service(mut self, on: bool) -> Self {
        self.request.flags.numeric_service = on;
        self
    }

    /// A host without a name is an error.
    #[doc(alias = "NI_NAMEREQD")]
    pub fn name_required(mut self, on: bool) -> Self {
        self.request.flags.name_required = on;
        self
    }

    /// The service is one of UDP, where its name may be another.
    #[doc(alias = "NI_DGRAM")]
    pub fn datagram(mut self, on: bool) -> Self {
        self.request.flags.datagram = on;
        self
    }

    /// A host of the local domain without that domain's name.
    #[doc(alias = "NI_NOFQDN")]
    pub fn short_local_name(mut self, on: bool) -> Self {
        self.request.flags.short_local_name = on;
        self
    }

    async fn look_up(self) -> Result<NameInfo, ResolveError> {
        let Self { event_loop, request } = self;
        match event_loop.resolver() {
            Some(resolver) => resolver.getnameinfo(&event_loop, request).await,
            None => {
                let error = "the event loop is closed";
                Err(ResolveError::new(ResolveErrorKind::Unavailable, &request, error))
            }
        }
    }
}

impl IntoFuture for GetNameInfo {
    type Output = Result<NameInfo, ResolveError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.look_up())
    }
}

/// What is asked of a [`Resolver`](crate::Resolver). Shown as the address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameInfoRequest {
    /// The address.
    pub address: SocketAddr,
    /// The rest.
    pub flags: NameInfoFlags,
}

impl fmt::Display for NameInfoRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// What else a look-up is to do: see the methods of [`GetNameInfo`] of the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the methods of `GetNameInfo` have the documentation")]
pub struct NameInfoFlags {
    pub numeric_host: bool,
    pub numeric_service: bool,
    pub name_required: bool,
    pub datagram: bool,
    pub short_local_name: bool,
}

/// The name of a host and of a service. From [`LoopHandle::getnameinfo`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameInfo {
    /// The host, or its address in text form.
    pub host: String,
    /// The service, or its port in text form.
    pub service: String,
}

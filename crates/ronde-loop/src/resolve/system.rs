//! The system's own resolver, on threads.

use std::fmt;
use std::io;
use std::rc::Rc;

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind};
use socket2::{Domain, Protocol, Type};

use super::{
    AddrInfo, AddrInfoRequest, AddressFamily, NameInfo, NameInfoRequest, ResolveError,
    ResolveErrorKind, ResolveFuture, Resolver, Service,
};
use crate::handle::LoopHandle;
use crate::job::{JobError, JobExecutor};
use crate::sys;
use crate::thread_pool::ThreadPool;

/// How many names can be looked up at once. A look-up takes half a minute if no name server answers.
const THREADS: usize = 8;

/// What looks names up as other programs do: in the system's files, and at its name servers.
///
/// The functions of the system block, so they run on threads: on up to eight of this resolver's own, which
/// are started as they are needed, or [elsewhere](Self::on).
///
/// # Examples
///
/// ```
/// use ronde_loop::{EventLoop, SystemResolver, ThreadPool, get_running_loop};
/// use std::rc::Rc;
///
/// let one_by_one = ThreadPool::builder().max_workers(1).build()?;
/// let resolver = SystemResolver::on(Rc::new(one_by_one));
/// let event_loop = EventLoop::builder().resolver(Rc::new(resolver)).build()?;
/// event_loop.run_until_complete(async {
///     let found = get_running_loop().unwrap().getaddrinfo("localhost", 80).await.unwrap();
///     assert!(found[0].address.ip().is_loopback());
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SystemResolver {
    executor: Rc<dyn JobExecutor>,
}

impl SystemResolver {
    /// Makes a resolver with threads of its own. They are called `ronde_resolver_0` and so on.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Rc::new(ThreadPool::with(THREADS, "ronde_resolver".to_owned())))
    }

    /// Makes a resolver that works in `executor`.
    #[must_use]
    pub fn on(executor: Rc<dyn JobExecutor>) -> Self {
        Self { executor }
    }

    async fn run<T: Send + 'static>(
        &self,
        event_loop: &LoopHandle,
        subject: &(impl fmt::Display + ?Sized),
        look_up: impl FnOnce() -> Result<T, LookupError> + Send + 'static,
    ) -> Result<T, ResolveError> {
        let failed = |error: JobError| {
            let kind = match error {
                JobError::Submit(_) => ResolveErrorKind::Unavailable,
                _ => ResolveErrorKind::Other,
            };
            ResolveError::new(kind, &subject, error)
        };
        let job = event_loop.run_in_executor(Some(&*self.executor), look_up);
        let job = job.map_err(|error| failed(error.into()))?;
        let found = job.await.map_err(failed)?;
        found.map_err(|error| ResolveError::new(kind_of(&error), &subject, reason_of(error)))
    }
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolver for SystemResolver {
    fn getaddrinfo<'a>(
        &'a self,
        event_loop: &'a LoopHandle,
        request: AddrInfoRequest,
    ) -> ResolveFuture<'a, Vec<AddrInfo>> {
        Box::pin(async move {
            let subject = request.to_string();
            self.run(event_loop, &subject, move || getaddrinfo(&request)).await
        })
    }

    fn getnameinfo<'a>(
        &'a self,
        event_loop: &'a LoopHandle,
        request: NameInfoRequest,
    ) -> ResolveFuture<'a, NameInfo> {
        Box::pin(async move {
            let look_up = move || {
                let flags = sys::nameinfo_flags(request.flags);
                let (host, service) = dns_lookup::getnameinfo(&request.address, flags)?;
                Ok(NameInfo { host, service })
            };
            self.run(event_loop, &request.address, look_up).await
        })
    }
}

/// Blocks.
fn getaddrinfo(request: &AddrInfoRequest) -> Result<Vec<AddrInfo>, LookupError> {
    let domain = request.family.map(|family| match family {
        AddressFamily::V4 => Domain::IPV4,
        AddressFamily::V6 => Domain::IPV6,
    });
    let hints = AddrInfoHints {
        flags: sys::addrinfo_flags(request.flags),
        address: domain.map_or(0, i32::from),
        socktype: request.socket_type.map_or(0, i32::from),
        protocol: request.protocol.map_or(0, i32::from),
    };
    let service = match &request.service {
        Service::Port(port) => port.to_string(),
        Service::Name(name) => name.clone(),
    };
    let found = dns_lookup::getaddrinfo(request.host.as_deref(), Some(&service), Some(hints))?;
    let info = |info: io::Result<dns_lookup::AddrInfo>| {
        let info = info?;
        Ok(AddrInfo {
            address: info.sockaddr,
            socket_type: Type::from(info.socktype),
            protocol: Protocol::from(info.protocol),
            canonical_name: info.canonname,
        })
    };
    found.map(info).collect()
}

fn kind_of(error: &LookupError) -> ResolveErrorKind {
    match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData => ResolveErrorKind::NotFound,
        LookupErrorKind::Again => ResolveErrorKind::TryAgain,
        LookupErrorKind::Fail => ResolveErrorKind::Failed,
        LookupErrorKind::Badflags | LookupErrorKind::Family | LookupErrorKind::Socktype => {
            ResolveErrorKind::InvalidRequest
        }
        LookupErrorKind::Service => ResolveErrorKind::UnknownService,
        _ => ResolveErrorKind::Other,
    }
}

/// What the system says, without what we say ourselves.
fn reason_of(error: LookupError) -> Box<dyn std::error::Error + Send + Sync> {
    let text = error.to_string();
    match text.strip_prefix("failed to lookup address information: ") {
        Some(reason) => reason.into(),
        None => io::Error::from(error).into(),
    }
}

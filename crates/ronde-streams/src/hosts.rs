//! The hosts that a server listens on.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ronde_loop::LoopHandle;

use crate::error::ServeError;

/// One host, or several: what [`start_server`](crate::start_server) listens on.
///
/// It is made of a string, or of an array, a slice or a `Vec` of strings. An empty string stands for all
/// addresses of the machine.
///
/// # In asyncio
///
/// The argument `host` of `asyncio.start_server`: a string or a sequence of strings.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_streams::start_server;
///
/// # EventLoop::new()?.run_until_complete(async {
/// let server = start_server(async |_, _| {}, ["127.0.0.1", "::1"], 0).await?;
/// for address in server.local_addrs() {
///     assert!(address.ip().is_loopback());
/// }
/// # Ok::<(), ronde_streams::ServeError>(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// For messages.
    pub(crate) fn shown(&self) -> String {
        self.0.join(", ")
    }

    /// The addresses of all of them, each once.
    pub(crate) async fn addresses(
        &self,
        event_loop: &LoopHandle,
        port: u16,
    ) -> Result<Vec<SocketAddr>, ServeError> {
        let mut addresses = Vec::new();
        for host in &self.0 {
            let found = if host.is_empty() {
                vec![(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()]
            } else {
                let looked_up = event_loop.getaddrinfo(&**host, port).addresses().await;
                looked_up.map_err(|error| ServeError::Resolve {
                    host: host.clone(),
                    source: error.into(),
                })?
            };
            for address in found {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Ok(addresses)
    }
}

impl From<&str> for Hosts {
    fn from(host: &str) -> Self {
        Self(vec![host.to_owned()])
    }
}

impl From<&String> for Hosts {
    fn from(host: &String) -> Self {
        Self(vec![host.clone()])
    }
}

impl From<String> for Hosts {
    fn from(host: String) -> Self {
        Self(vec![host])
    }
}

impl<S: Into<String>> From<Vec<S>> for Hosts {
    fn from(hosts: Vec<S>) -> Self {
        Self(hosts.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Hosts {
    fn from(hosts: [S; N]) -> Self {
        Self(hosts.into_iter().map(Into::into).collect())
    }
}

impl<S: Clone + Into<String>> From<&[S]> for Hosts {
    fn from(hosts: &[S]) -> Self {
        Self(hosts.iter().cloned().map(Into::into).collect())
    }
}

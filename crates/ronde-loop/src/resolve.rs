//! Names of hosts.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::handle::LoopHandle;

impl LoopHandle {
    /// Resolves a host's name, in the default executor. An address in text form is not looked up.
    ///
    /// # Errors
    ///
    /// What the system's resolver says, and [`SubmitError`](crate::SubmitError) as an `io::Error`.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** A look-up that has begun runs on in its thread, and its result is dropped.
    ///
    /// # In asyncio
    ///
    /// `loop.getaddrinfo`.
    pub async fn getaddrinfo(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if let Ok(ip) = literal.unwrap_or(host).parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let host = host.to_owned();
        let job = self
            .run_in_executor(None, move || {
                let found: io::Result<Vec<_>> =
                    (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
                found
            })
            .map_err(io::Error::other)?;
        job.await?
    }
}

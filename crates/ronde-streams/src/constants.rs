//! The limits and times that hold unless a connection or a server is told otherwise.
//!
//! They are asyncio's own. Where there is a parameter, its documentation names it.

use std::time::Duration;

/// How long accepting rests when the system has no descriptors or memory left.
pub const ACCEPT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Which write to a connection that is gone is the first to be warned of.
pub const LOG_THRESHOLD_FOR_CONNLOST_WRITES: u32 = 5;

/// How long a TLS handshake may take:
/// [`StartServer::tls_handshake_timeout`](crate::StartServer::tls_handshake_timeout).
#[doc(alias = "SSL_HANDSHAKE_TIMEOUT")]
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the end of TLS may take:
/// [`StartServer::tls_shutdown_timeout`](crate::StartServer::tls_shutdown_timeout).
#[doc(alias = "SSL_SHUTDOWN_TIMEOUT")]
pub const TLS_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// Writers wait in `drain` above this many bytes.
#[doc(alias = "FLOW_CONTROL_HIGH_WATER_SSL_WRITE")]
pub const HIGH_WATER: usize = 64 * 1024;

/// Writers that wait in `drain` go on at this many bytes.
pub const LOW_WATER: usize = 16 * 1024;

pub use crate::reader::DEFAULT_LIMIT;

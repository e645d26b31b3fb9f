//! The times and limits that hold unless something is told otherwise.
//!
//! # In asyncio
//!
//! `asyncio.constants`, which isn't documented there. Not all of it has a use here.

use std::time::Duration;

/// How long the end of a run waits for the jobs in the default executor.
pub const THREAD_JOIN_TIMEOUT: Duration = Duration::from_secs(300);

pub use ronde_loop::SLOW_CALLBACK_DURATION;
pub use ronde_streams::constants::{
    ACCEPT_RETRY_DELAY, DEFAULT_LIMIT, HIGH_WATER, LOG_THRESHOLD_FOR_CONNLOST_WRITES, LOW_WATER,
    TLS_HANDSHAKE_TIMEOUT, TLS_SHUTDOWN_TIMEOUT,
};

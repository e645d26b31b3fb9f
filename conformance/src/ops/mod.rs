//! The operations, by kind.

mod callbacks;
mod composites;
mod plain;

use std::time::Duration;

/// The language counts time in milliseconds.
pub(crate) fn duration(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

//! The operations, by kind.

mod callbacks;
mod composites;
mod generators;
mod groups;
mod limits;
mod managers;
mod plain;
mod primitives;

use std::time::Duration;

pub(crate) use generators::Generator;
pub(crate) use primitives::Primitives;

/// The language counts time in milliseconds.
pub(crate) fn duration(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

//! What differs from platform to platform: the calls on sockets and descriptors.
//!
//! This is the only place where the platform is chosen. Each file offers the same few names.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

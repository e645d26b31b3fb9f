//! The platform's name for "a thing that can be waited for": a descriptor or a socket.
//!
//! This is the only place where the platform is chosen. Each file offers the same few names, and
//! nothing above it asks which platform it runs on.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{AsSource, BorrowedSource, OwnedSource};
#[cfg(unix)]
pub(crate) use unix::{borrow, explain_refusal, is_same, is_tcp, number, set_nonblocking};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{AsSource, BorrowedSource, OwnedSource};
#[cfg(windows)]
pub(crate) use windows::{borrow, explain_refusal, is_same, is_tcp, number, set_nonblocking};

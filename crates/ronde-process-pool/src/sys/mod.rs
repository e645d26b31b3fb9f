//! The socket between the program and a worker.
//!
//! This is the only place where the platform is chosen. Each file offers the same names.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{Socket, ignore_interrupts, socket_and_stdin, take_stdin};

#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
pub(crate) use other::{Socket, ignore_interrupts, socket_and_stdin, take_stdin};

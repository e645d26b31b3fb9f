//! The system calls that move bytes.
//!
//! This is the only place where the platform is chosen. Each file offers the same functions.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    is_family_unsupported, is_in_progress, is_out_of_resources, receive, send, set_reuse_address,
    set_reuse_port,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    is_family_unsupported, is_in_progress, is_out_of_resources, receive, send, set_reuse_address,
    set_reuse_port,
};

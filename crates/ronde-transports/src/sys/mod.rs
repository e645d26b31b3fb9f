//! What differs between platforms. This is the only place where one is chosen; each file offers the same
//! names.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{bind_path, path_address, receive_from, set_reuse_port};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{bind_path, path_address, receive_from, set_reuse_port};

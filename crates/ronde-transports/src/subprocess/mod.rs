//! Child processes: what is called with their output and their end, and how they are started.

mod link;
mod protocol;
mod start;
mod transport;

pub use protocol::{Pipe, SubprocessProtocol};
pub use start::{ConnectSubprocess, subprocess_exec, subprocess_shell};
pub use transport::SubprocessTransport;

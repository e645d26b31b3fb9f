//! Transports and protocols

#![forbid(unsafe_code)]

mod protocol;

mod transport;

mod connect;

mod serve;

#[cfg(unix)]
mod pipes;

mod upgrade;

mod datagram;

mod subprocess;

mod error;

mod link;

mod caller;

mod scratch;

mod waiters;

mod sys;

#[cfg(unix)]
pub use connect::create_unix_connection;
pub use connect::{CreateConnection, connect_accepted_socket, create_connection};
pub use datagram::{
    CreateDatagramEndpoint, DatagramAddr, DatagramProtocol, DatagramTransport, EndpointError,
    SendError, create_datagram_endpoint,
};
pub use error::WaterMarkError;
#[cfg(unix)]
pub use pipes::{connect_read_pipe, connect_write_pipe};
pub use protocol::{Buffered, BufferedProtocol, Protocol, ProtocolHandle, StreamProtocol};
#[cfg(unix)]
pub use serve::create_unix_server;
pub use serve::{create_server, protocol_handler};
pub use subprocess::{
    ConnectSubprocess, Pipe, SubprocessProtocol, SubprocessTransport, subprocess_exec,
    subprocess_shell,
};
pub use transport::Transport;
pub use upgrade::UpgradeToTls;

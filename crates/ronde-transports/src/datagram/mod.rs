//! Datagrams: what is called with them, what sends them, and how an endpoint is made.

mod address;
mod endpoint;
mod error;
mod link;
mod protocol;
mod transport;

pub use address::DatagramAddr;
pub use endpoint::{CreateDatagramEndpoint, create_datagram_endpoint};
pub use error::{EndpointError, SendError};
pub use protocol::DatagramProtocol;
pub use transport::DatagramTransport;

//! What is called with datagrams.

use std::io;

use super::{DatagramAddr, DatagramTransport};

/// Code that is called with the datagrams that arrive at an endpoint.
///
/// As a [`Protocol`](crate::Protocol) is, it is called by the loop, never from within a method of the
/// transport, and one method at a time. A panic ends the endpoint and is reported.
///
/// # In asyncio
///
/// `asyncio.DatagramProtocol`, with the methods of `asyncio.BaseProtocol`.
///
/// # Examples
///
/// See [`create_datagram_endpoint`](crate::create_datagram_endpoint).
pub trait DatagramProtocol: 'static {
    /// The endpoint is there. `transport` is a handle to it, to be cloned and kept.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.connection_made`.
    fn connection_made(&mut self, transport: &DatagramTransport) {
        let _ = transport;
    }

    /// A datagram has arrived. It may be empty.
    ///
    /// # In asyncio
    ///
    /// `DatagramProtocol.datagram_received`.
    fn datagram_received(&mut self, data: &[u8], from: &DatagramAddr) {
        let _ = (data, from);
    }

    /// An earlier datagram could not be sent, or was refused: nobody listens where a connected endpoint
    /// sends to, say ([`ConnectionRefused`](io::ErrorKind::ConnectionRefused)). The endpoint goes on.
    ///
    /// # In asyncio
    ///
    /// `DatagramProtocol.error_received`.
    fn error_received(&mut self, error: io::Error) {
        let _ = error;
    }

    /// The queue of datagrams that the system doesn't take yet has grown above its high-water mark: stop
    /// sending. It is called as [`Protocol::pause_writing`](crate::Protocol::pause_writing) is.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.pause_writing`.
    fn pause_writing(&mut self) {}

    /// The queue has fallen to the low-water mark: go on sending.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.resume_writing`.
    fn resume_writing(&mut self) {}

    /// The endpoint is closed, or, with an error, has failed.
    ///
    /// # In asyncio
    ///
    /// `BaseProtocol.connection_lost`.
    fn connection_lost(&mut self, error: Option<io::Error>) {
        let _ = error;
    }
}

//! Transports and protocols: code that is called when something arrives.
//!
//! For authors of frameworks, and for programs that come from asyncio's low-level API. Most programs are
//! better served by streams and [`Process`](ronde_process::Process), which are awaited: `ronde_streams` and
//! `ronde_process`. Here nothing waits. What is called must keep its place between two calls by itself; in
//! return no task runs for what arrives, and the system may fill a buffer of yours. (The connections of a
//! server have a task each, which only waits for their end.)
//!
//! - A **protocol** is a value of yours with methods for what may happen: [`Protocol`],
//!   [`BufferedProtocol`], [`DatagramProtocol`], [`SubprocessProtocol`].
//! - A **transport** is a handle to the other side, to write to, to pause and to close: [`Transport`],
//!   [`DatagramTransport`], [`SubprocessTransport`].
//! - A **factory** makes the protocol, when there is something for it to do.
//!
//! ```
//! # use ronde_loop::EventLoop;
//! use ronde_transports::{Protocol, Transport, create_connection, create_server};
//!
//! #[derive(Default)]
//! struct Shout(Option<Transport>);
//!
//! impl Protocol for Shout {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         self.0 = Some(transport.clone());
//!     }
//!
//!     fn data_received(&mut self, data: &[u8]) {
//!         let transport = self.0.as_ref().unwrap();
//!         transport.write(data.to_ascii_uppercase());
//!         transport.close();
//!     }
//! }
//!
//! #[derive(Default)]
//! struct Client(String);
//!
//! impl Protocol for Client {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         transport.write("hello");
//!     }
//!
//!     fn data_received(&mut self, data: &[u8]) {
//!         self.0.push_str(std::str::from_utf8(data).unwrap());
//!     }
//! }
//!
//! # EventLoop::new()?.run_until_complete(async {
//! let server = create_server(Shout::default, "127.0.0.1", 0).await.unwrap();
//! let port = server.local_addrs()[0].port();
//! let (transport, client) = create_connection(Client::default, "127.0.0.1", port).await.unwrap();
//! transport.wait_closed().await;
//! assert_eq!(client.with(|client| client.0.clone()), "HELLO");
//! # })?;
//! # Ok::<(), ronde_loop::RunError>(())
//! ```
//!
//! # Where from
//!
//! | | one connection | a server |
//! |---|---|---|
//! | TCP, and TLS over it | [`create_connection`] | [`create_server`] |
//! | Unix sockets | `create_unix_connection` | `create_unix_server` |
//! | a socket that is there | [`connect_accepted_socket`] | [`protocol_handler`] |
//! | datagrams | [`create_datagram_endpoint`] | the same |
//! | pipes | `connect_read_pipe`, `connect_write_pipe` | |
//! | child processes | [`subprocess_exec`], [`subprocess_shell`] | |
//!
//! All of them call `connection_made` before they return. The options of TLS and the errors are those of
//! `ronde_streams` and `ronde_process`, on which this stands.
//!
//! # When a protocol is called
//!
//! By the loop, and by nothing else: no method of a transport calls one. So a protocol's method may call
//! any method of its transport, and is not called again while it runs. What follows from it, a
//! `pause_writing` say, or a `connection_lost`, is called when it has returned; what follows from a call out
//! of a task or a callback, in the next turn of the loop.
//!
//! - `connection_made` is the first call, `connection_lost` the last; each happens once.
//! - `pause_writing` and `resume_writing` alternate.
//! - After `pause_reading` nothing is delivered, whatever has arrived.
//! - After `set_protocol` everything that was not delivered goes to the new protocol.
//! - A method that panics is reported to the loop's exception handler. Its transport is aborted, and its
//!   `connection_lost` gets an error.
//!
//! # From outside
//!
//! Functions that make a transport also give a [`ProtocolHandle`], to look at the protocol and to change it.
//! What a protocol has to tell the tasks of a program it puts into a [`Promise`](ronde_loop::Promise) or a
//! queue that it was made with, as in the example of [`create_connection`].
//!
//! # The end of the loop
//!
//! A loop that is closed takes its transports with it: connections are closed, protocols dropped, without
//! another call. In debug mode each is a warning.
//!
//! # Inside
//!
//! `caller.rs` is the part to read first: how protocols are called, one at a time and never out of a panic.
//! `link.rs` is a connection and its protocol, `datagram/link.rs` and `subprocess/link.rs` are its like.
//! `upgrade.rs` changes to TLS. Platforms differ in `sys/`.
//!
//! # Elsewhere
//!
//! Buffers, sockets, TLS and servers are those of `ronde-streams`; children those of `ronde-process`.

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

/// Makes the example of the README a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

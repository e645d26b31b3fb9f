//! TCP, Unix and TLS streams for an event loop.
//!
//! [`open_connection`] connects and [`start_server`] listens; [`open_unix_connection`] and
//! [`start_unix_server`] do the same with Unix sockets. All give a [`StreamReader`] and a
//! [`StreamWriter`] per connection: two halves that share it, and can live in different tasks.
//! [`stdin`], [`stdout`] and [`stderr`] give one half each.
//!
//! ```
//! # use ronde_loop::EventLoop;
//! use ronde_streams::{ReadError, open_connection, start_server};
//!
//! # EventLoop::new()?.run_until_complete(async {
//! let shout = async |reader: ronde_streams::StreamReader, writer: ronde_streams::StreamWriter| {
//!     while let Some(line) = reader.lines().next().await {
//!         writer.write(line?.to_ascii_uppercase());
//!         writer.drain().await?;
//!     }
//!     Ok::<(), ReadError>(())
//! };
//! let server = start_server(shout, "127.0.0.1", 0).await.unwrap();
//!
//! let port = server.local_addrs()[0].port();
//! let (reader, writer) = open_connection("127.0.0.1", port).await.unwrap();
//! writer.write("hello\n");
//! assert_eq!(reader.readline().await.unwrap(), "HELLO\n");
//! # })?;
//! # Ok::<(), ronde_loop::RunError>(())
//! ```
//!
//! # Reading and writing
//!
//! - A **read** is a future that completes when what it asks for is in the buffer. The buffer belongs
//!   to the connection, so a read that is dropped half way loses nothing. The socket is read only
//!   when somebody asks for more than there is.
//! - A **write** never waits: it sends what the system takes and buffers the rest, which the loop sends
//!   when it can, without a task. What is written in one turn leaves together. **Draining** is
//!   waiting while the buffer is full; it is what slows a writer down to the speed of its peer.
//! - **Closing** delivers what was written; **aborting** does not. Dropping both halves closes.
//!
//! # TLS
//!
//! [`OpenConnection::tls`] and [`StartServer::tls`]; the halves are the same types, and behave in the
//! same way. A stream that ends without TLS' own notification was cut off, and that is an error.
//! [`StreamWriter::start_tls`] and [`StreamWriter::accept_tls`] change to TLS later.
//!
//! [Closing](StreamWriter::close) a connection of TLS waits in the background until the peer has ended it,
//! too, [30 s](OpenConnection::tls_shutdown_timeout) at the most. A socket that is closed with bytes in it
//! that nobody has read, as the tickets that a server sends to each client, makes the peer's system throw
//! away what the peer has not read yet.
//!
//! # Costs
//!
//! On Linux a request costs its receive, its send, and a share of an `epoll_wait`. What a reader gives
//! shares the memory of the buffer, which is used again when the bytes are dropped. An idle connection
//! keeps 8 KiB for reading, once it has read something.
//!
//! # Inside
//!
//! `connection.rs` is what both halves share: the socket, the buffers, the states, and who sends
//! when. TLS is a state machine between the buffers and the socket. `happy_eyeballs.rs` races
//! addresses, `server.rs` accepts. Platforms differ in `sys/`; `unix.rs` has the names and files of Unix
//! sockets, `stdio.rs` the standard streams.
//!
//! # Elsewhere
//!
//! The loop, its sockets' readiness and the look-up of names belong to `ronde-loop`; child processes,
//! whose pipes are readers and writers too, to `ronde-process`.

#![forbid(unsafe_code)]

mod connect;
mod sendfile;

mod serve;

mod reader;
mod writer;

mod lines;

mod server;

mod error;

mod tls;

mod upgrade;

mod connection;

pub mod constants;

mod buffer;

mod happy_eyeballs;
mod hosts;

#[cfg(unix)]
mod unix;

#[cfg(unix)]
mod stdio;

#[cfg(unix)]
mod blocking;

mod sys;

#[cfg(unix)]
pub use connect::open_unix_connection;
pub use ronde_loop::AddressFamily;

pub use connect::{OpenConnection, from_socket, open_connection};
pub use error::{ConnectError, LimitError, ReadError, ServeError};
#[cfg(unix)]
pub use hosts::Hosts;
pub use lines::Lines;
pub use reader::{DEFAULT_LIMIT, StreamReader};
pub use sendfile::SendFile;
pub use serve::start_unix_server;
pub use serve::{StartServer, start_server};
pub use server::Server;
#[cfg(unix)]
pub use stdio::{stderr, stdin, stdout};
#[cfg(target_os = "linux")]
pub use sys::PeerCredentials;
pub use tls::{TlsError, TlsInfo, TlsOptions, TlsServerOptions};
pub use upgrade::StartTls;
pub use writer::StreamWriter;

pub use bytes::Bytes;
pub use rustls;

/// The README's example is tested too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

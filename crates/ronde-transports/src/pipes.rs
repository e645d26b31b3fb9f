//! Transports of pipes.

use std::io;

use ronde_loop::{OwnedSource, get_running_loop};
use ronde_streams::{StreamReader, StreamWriter};

use crate::connect::make;
use crate::protocol::{ProtocolHandle, StreamProtocol};
use crate::transport::Transport;

/// Has a protocol called with what comes through a pipe: its [`data_received`](crate::Protocol::data_received),
/// [`eof_received`](crate::Protocol::eof_received), and [`connection_lost`](crate::Protocol::connection_lost),
/// which follows at once, whatever `eof_received` says.
///
/// The pipe is put into non-blocking mode, and closed with the transport. `factory` makes the protocol.
/// [`connection_made`](crate::Protocol::connection_made) has been called when this returns.
///
/// # Errors
///
/// If the loop can't wait for it, as for a regular file. The factory isn't called then.
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Data lost.** Dropped before its end, it closes the pipe.
///
/// # In asyncio
///
/// `loop.connect_read_pipe`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::EventLoop;
/// use ronde_transports::{Protocol, Transport, connect_read_pipe, connect_write_pipe};
///
/// #[derive(Default)]
/// struct Collect(Vec<u8>);
///
/// impl Protocol for Collect {
///     fn data_received(&mut self, data: &[u8]) {
///         self.0.extend(data);
///     }
/// }
///
/// struct Idle;
/// impl Protocol for Idle {}
///
/// # EventLoop::new()?.run_until_complete(async {
/// let (output, input) = rustix::pipe::pipe()?;
/// let (reading, protocol) = connect_read_pipe(Collect::default, output).await?;
/// let (writing, _) = connect_write_pipe(|| Idle, input).await?;
/// writing.write("through a pipe");
/// writing.close();
/// reading.wait_closed().await;
/// assert_eq!(protocol.with(|collect| collect.0.clone()), b"through a pipe");
/// # std::io::Result::Ok(())
/// # })?.unwrap();
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub async fn connect_read_pipe<P: StreamProtocol>(
    factory: impl FnOnce() -> P,
    pipe: impl Into<OwnedSource>,
) -> io::Result<(Transport, ProtocolHandle<P::Protocol>)> {
    let event_loop = get_running_loop().expect("transports belong to a running event loop");
    let reader = StreamReader::from_pipe(pipe)?;
    let (shared, target) = factory().share();
    let transport = make(&event_loop, Some(reader), None, target).await;
    Ok((transport, ProtocolHandle::new(shared)))
}

/// Makes a transport that writes to a pipe.
///
/// Its protocol learns of the state of the buffer, and of the end: also, where the system tells, when nobody
/// reads from the pipe any more. That is a [`BrokenPipe`](io::ErrorKind::BrokenPipe) if there was
/// something left to write. Otherwise as [`connect_read_pipe`].
///
/// # Errors
///
/// As [`connect_read_pipe`].
///
/// # Panics
///
/// When polled outside a running event loop.
///
/// # Cancel safety
///
/// **Data lost.** Dropped before its end, it closes the pipe.
///
/// # In asyncio
///
/// `loop.connect_write_pipe`.
///
/// # Examples
///
/// See [`connect_read_pipe`].
pub async fn connect_write_pipe<P: StreamProtocol>(
    factory: impl FnOnce() -> P,
    pipe: impl Into<OwnedSource>,
) -> io::Result<(Transport, ProtocolHandle<P::Protocol>)> {
    let event_loop = get_running_loop().expect("transports belong to a running event loop");
    let writer = StreamWriter::from_pipe(pipe)?;
    let (shared, target) = factory().share();
    let transport = make(&event_loop, None, Some(writer), target).await;
    Ok((transport, ProtocolHandle::new(shared)))
}

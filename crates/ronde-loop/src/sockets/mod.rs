//! Operations on sockets, one at a time: asyncio's `sock_` methods.
//!
//! They work on a [`Source`], a socket that was [registered](LoopHandle::register) before and stays so.
//! That is what makes them safe and cheap:
//!
//! - The future of an operation borrows the source, so the socket can't be closed under it.
//! - A wait is no system call to begin and none to end. On Linux an operation that must wait costs itself
//!   and the loop's one `epoll_wait`; what is there already costs the operation alone.
//! - The loop tells when a socket is ready, and the operation is done then, in the poll that returns its
//!   result. So a buffer may be borrowed, and dropping the future takes nothing from the socket.
//!
//! A task that never has to wait gives way to the others after each [`OPERATIONS_WITHOUT_WAIT`]th
//! operation, so that a peer that always has more to send doesn't keep the loop for itself.

mod connecting;

mod receiving;

mod sendfile;

mod sending;

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::task::{Context, Poll};

use ronde_context::{Wait, decline, waiting_for};
use ronde_reactor::{BorrowedSource, Direction, Source};

use crate::handle::{LoopHandle, Shared};
use crate::sys;

pub use sendfile::{SendfileError, SendfileNotAvailableError, SockSendFile};
pub use sending::SendAllError;

/// What is received into before it is known how much it is. One for each loop, made when it is first
/// needed: so nothing is allocated for a socket that has nothing yet, nor too much for one that has.
pub(crate) type Scratch = Option<Box<[MaybeUninit<u8>]>>;

/// No datagram is longer, and of a stream, the rest is received next time.
const SCRATCH_SIZE: usize = 256 * 1024;

/// How many operations may be done without a wait before a task gives way.
const OPERATIONS_WITHOUT_WAIT: u8 = 32;

impl LoopHandle {
    /// Does `operation` as soon as it can be done, and takes nothing from the socket before.
    async fn on_socket<R>(
        &self,
        socket: &Source,
        direction: Direction,
        mut operation: impl FnMut(BorrowedSource<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        self.check_socket(socket)?;
        poll_fn(|cx| {
            if decline(cx) || self.shared.gives_way(cx) {
                return Poll::Pending;
            }
            let polled = socket.poll_io(direction, cx, &mut operation);
            match polled {
                Poll::Ready(_) => self.shared.count_operation(),
                Poll::Pending => self.shared.wait_for(direction),
            }
            polled
        })
        .await
    }

    /// Refuses what would wait for ever, or make the loop wait.
    fn check_socket(&self, socket: &Source) -> io::Result<()> {
        if !std::ptr::eq(&**socket.reactor(), &*self.shared.reactor) {
            return Err(invalid("the socket is registered with another event loop"));
        }
        if self.get_debug() && !sys::is_nonblocking(socket.borrow()) {
            return Err(invalid(
                "the socket must be non-blocking: somebody has changed the mode that `register` \
                 has set, or it was registered as shared",
            ));
        }
        Ok(())
    }
}

impl Shared {
    /// Is it time for others to run? Then the task is queued behind them.
    pub(crate) fn gives_way(&self, cx: &Context<'_>) -> bool {
        let gives_way = self.operations_without_wait.get() >= OPERATIONS_WITHOUT_WAIT;
        if gives_way {
            self.operations_without_wait.set(0);
            cx.waker().wake_by_ref();
        }
        gives_way
    }

    /// Calls `receive` with room for `max_bytes`, or with as much as there is.
    fn with_scratch<R>(
        &self,
        max_bytes: usize,
        receive: impl FnOnce(&mut [MaybeUninit<u8>]) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut scratch = self.scratch.borrow_mut();
        let scratch = scratch.get_or_insert_with(|| Box::new_uninit_slice(SCRATCH_SIZE));
        receive(&mut scratch[..max_bytes.min(SCRATCH_SIZE)])
    }

    pub(crate) fn count_operation(&self) {
        self.operations_without_wait.set(self.operations_without_wait.get() + 1);
    }

    fn wait_for(&self, direction: Direction) {
        self.operations_without_wait.set(0);
        waiting_for(Wait::Leaf(match direction {
            Direction::Read => "a socket to be readable",
            Direction::Write => "a socket to be writable",
        }));
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

//! Input that can't be waited for by a loop.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_io::AsyncRead;
use ronde_context::{Wait, waiting_for};
use ronde_loop::{OutsideWait, get_running_loop};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Reads from what is always ready.
pub(crate) struct AtOnce(pub(crate) File);

impl AsyncRead for AtOnce {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.0.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return Poll::Ready(read),
            }
        }
    }
}

/// Has a thread wait and read.
///
/// It takes nothing unless it is asked, and nothing any more when this is dropped: it waits for input
/// without taking it first. It does not wait for the thread, which may be held up by somebody else who
/// has taken what it was told of.
pub(crate) struct OnThread {
    shared: Arc<Shared>,
    /// While the thread is asked: a loop with a simulated clock must know that something may come.
    outside: Option<OutsideWait>,
    /// When it is closed, the thread's wait ends.
    _running: OwnedFd,
}

struct Shared {
    state: Mutex<State>,
    asked: Condvar,
}

struct State {
    stage: Stage,
    waker: Option<Waker>,
}

enum Stage {
    Idle,
    Asked,
    Read(io::Result<Vec<u8>>),
    Stopped,
}

impl OnThread {
    pub(crate) fn start(input: OwnedFd) -> io::Result<Self> {
        let (stopped, running) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let state = Mutex::new(State { stage: Stage::Idle, waker: None });
        let shared = Arc::new(Shared { state, asked: Condvar::new() });
        let theirs = shared.clone();
        thread::Builder::new()
            .name("ronde-input".to_owned())
            .spawn(move || theirs.serve(&File::from(input), &stopped))?;
        Ok(Self { shared, outside: None, _running: running })
    }
}

impl AsyncRead for OnThread {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let outside = self.outside.take();
        // Wakers are foreign code: not while the lock is held.
        let waker = cx.waker().clone();
        let mut state = self.shared.lock();
        match std::mem::replace(&mut state.stage, Stage::Idle) {
            Stage::Read(Ok(mut data)) => {
                let count = data.len().min(room.len());
                room[..count].copy_from_slice(&data[..count]);
                if count < data.len() {
                    data.drain(..count);
                    state.stage = Stage::Read(Ok(data));
                }
                Poll::Ready(Ok(count))
            }
            Stage::Read(Err(error)) => Poll::Ready(Err(error)),
            Stage::Idle | Stage::Asked | Stage::Stopped => {
                state.stage = Stage::Asked;
                let old = state.waker.replace(waker);
                drop(state);
                drop(old);
                self.shared.asked.notify_one();
                let wait = || Some(get_running_loop().ok()?.wait_outside());
                self.outside = outside.or_else(wait);
                waiting_for(Wait::Leaf("input"));
                Poll::Pending
            }
        }
    }
}

impl Drop for OnThread {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stage = Stage::Stopped;
        let waker = state.waker.take();
        drop(state);
        drop(waker);
        self.shared.asked.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the thread does.
    fn serve(&self, input: &File, stopped: &OwnedFd) {
        while self.wait_asked() {
            let Some(read) = read(input, stopped) else { return };
            let mut state = self.lock();
            if matches!(state.stage, Stage::Stopped) {
                return;
            }
            state.stage = Stage::Read(read);
            let waker = state.waker.take();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Waits until there is something to do; `false` says that there will not be.
    fn wait_asked(&self) -> bool {
        let mut state = self.lock();
        loop {
            match state.stage {
                Stage::Asked => return true,
                Stage::Stopped => return false,
                Stage::Idle | Stage::Read(_) => {
                    state = self.asked.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// Waits for input and reads it. `None` if nobody wants it any more.
fn read(mut input: &File, stopped: &OwnedFd) -> Option<io::Result<Vec<u8>>> {
    let mut data = vec![0; 8 * 1024];
    loop {
        let mut waits = [PollFd::new(input, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut waits, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Some(Err(error.into())),
        }
        if !waits[1].revents().is_empty() {
            return None;
        }
        match input.read(&mut data) {
            Ok(count) => {
                data.truncate(count);
                return Some(Ok(data));
            }
            // Somebody else was faster, or a signal came.
            Err(error)
                if [io::ErrorKind::Interrupted, io::ErrorKind::WouldBlock]
                    .contains(&error.kind()) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

impl fmt::Debug for OnThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnThread")
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;

    use futures_lite::future::block_on;

    use super::*;

    fn read_some(input: &mut OnThread, room: &mut [u8]) -> io::Result<usize> {
        block_on(poll_fn(|cx| Pin::new(&mut *input).poll_read(cx, room)))
    }

    #[test]
    fn a_thread_reads_what_it_is_asked_for_and_nothing_else() {
        let (output, mut input) = io::pipe().unwrap();
        let mut reader = OnThread::start(output.try_clone().unwrap().into()).unwrap();
        input.write_all(b"hello").unwrap();
        let mut room = [0; 3];
        assert_eq!(read_some(&mut reader, &mut room).unwrap(), 3);
        assert_eq!(read_some(&mut reader, &mut room).unwrap(), 2);
        assert_eq!(&room[..2], b"lo");

        // Asked, given up, and dropped before there was anything: it takes nothing.
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut reader).poll_read(&mut cx, &mut room).is_pending());
        let shared = reader.shared.clone();
        drop(reader);
        while Arc::strong_count(&shared) > 1 {
            thread::yield_now();
        }
        input.write_all(b"more").unwrap();
        drop(input);
        let mut rest = String::new();
        (&output).read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "more");
    }

    #[test]
    fn the_end_is_told_and_stays() {
        let (output, input) = io::pipe().unwrap();
        let mut reader = OnThread::start(output.into()).unwrap();
        drop(input);
        for _ in 0..2 {
            assert_eq!(read_some(&mut reader, &mut [0; 3]).unwrap(), 0);
        }
    }

    #[test]
    fn a_loop_is_woken_by_the_thread_and_a_read_that_is_cancelled_loses_nothing() {
        let (output, mut input) = io::pipe().unwrap();
        let event_loop = ronde_loop::EventLoop::new().unwrap();
        let handle = event_loop.handle();
        event_loop
            .run_until_complete(async move {
                let reader = OnThread::start(output.into()).unwrap();
                let reader = std::rc::Rc::new(crate::StreamReader::from_async_read(reader));
                let reading = handle.create_task({
                    let reader = reader.clone();
                    async move { reader.readline().await }
                });
                ronde_loop::yield_now().await;
                input.write_all(b"half").unwrap();
                assert_eq!(reader.read(1).await.unwrap_err().to_string(), BUSY);
                reading.cancel();
                assert!(reading.await.unwrap_err().is_cancelled());
                input.write_all(b" way\nrest").unwrap();
                assert_eq!(reader.readline().await.unwrap(), "half way\n");
                drop(input);
                assert_eq!(reader.read_to_end().await.unwrap(), "rest");
            })
            .unwrap();
    }

    #[test]
    fn a_simulated_clock_waits_for_the_thread() {
        let (output, mut input) = io::pipe().unwrap();
        let clock = ronde_loop::SimulatedClock::new();
        let event_loop = ronde_loop::EventLoop::builder().clock(clock).build().unwrap();
        let reading = async move {
            let reader = OnThread::start(output.into()).unwrap();
            let reader = crate::StreamReader::from_async_read(reader);
            let late = thread::spawn(move || {
                // slow: the loop must have nothing to do meanwhile
                thread::sleep(std::time::Duration::from_millis(100));
                input.write_all(b"late\n").unwrap();
            });
            let line = reader.readline().await.unwrap();
            late.join().unwrap();
            line
        };
        // It would be a deadlock if nothing could come from outside.
        assert_eq!(event_loop.run_until_complete(reading).unwrap(), "late\n");
    }

    const BUSY: &str = "another task is reading from this stream already";

    #[test]
    fn a_directory_is_an_error() {
        let directory = File::open("/").unwrap();
        let mut reader = OnThread::start(directory.into()).unwrap();
        assert!(read_some(&mut reader, &mut [0; 3]).is_err());
    }
}

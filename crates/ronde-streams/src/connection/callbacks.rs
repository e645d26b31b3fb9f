//! For those who are called back instead of waiting: reads that never wait, and news of the output.

use std::io;
use std::rc::Rc;

use ronde_loop::{Direction, Source};

use super::Connection;
use super::state::{Phase, Received, State};
#[cfg(unix)]
use crate::sys;

/// What the writer's callback is told changes of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    is_paused: bool,
    is_lost: bool,
    is_closed: bool,
}

impl News {
    fn of(state: &State) -> Self {
        Self {
            is_paused: state.paused,
            is_lost: state.lost.is_some(),
            is_closed: state.phase == Phase::Closed,
        }
    }
}

impl Connection {
    /// Has `callback` called when there may be something to read.
    pub(crate) fn set_read_callback(&self, callback: Option<Rc<dyn Fn()>>) -> io::Result<()> {
        let source = {
            let state = self.state.borrow();
            if matches!(state.phase, Phase::Closing | Phase::Closed) {
                // Nothing will be read any more, and the end may wait with a callback of its own.
                return Ok(());
            }
            state.source.clone()
        };
        match (source, callback) {
            (Some(source), callback) => source.set_callback(Direction::Read, callback).map(drop),
            (None, None) => Ok(()),
            (None, Some(_)) => {
                let error = "only the readers of sockets and pipes call back";
                Err(io::Error::new(io::ErrorKind::Unsupported, error))
            }
        }
    }

    /// Receives until there is input. `false` says that there will be none, `None` that there is
    /// none now.
    pub(crate) fn try_fill(&self) -> io::Result<Option<bool>> {
        self.take_lent_back();
        loop {
            {
                let mut state = self.state.borrow_mut();
                if !state.input.is_empty() {
                    return Ok(Some(true));
                }
                if let Some(end) = state.input_end() {
                    return end.map(|()| Some(false));
                }
                if !state.source.as_ref().is_some_and(|source| state.may_receive(source)) {
                    return Ok(None);
                }
                state.receives_without_wait = 0;
            }
            if matches!(self.receive()?, Received::Nothing) {
                return Ok(None);
            }
        }
    }

    /// The same, and copies into `target` what there is. What can go there without a detour does.
    pub(crate) fn try_read_into(&self, target: &mut [u8]) -> io::Result<Option<usize>> {
        if target.is_empty() {
            return Ok(Some(0));
        }
        self.take_lent_back();
        let received = {
            let mut state = self.state.borrow_mut();
            if state.can_receive_into() { Some(state.receive_into(target)) } else { None }
        };
        match received {
            Some(Ok(received)) => Ok(received),
            Some(Err(error)) => Err(self.lose(error)),
            None => Ok(self
                .try_fill()?
                .map(|more| if more { self.with_input(|input| input.copy_to(target)) } else { 0 })),
        }
    }

    /// Has `callback` called when what is known about the output has changed.
    pub(crate) fn set_write_callback(&self, callback: Option<Rc<dyn Fn()>>) -> io::Result<()> {
        let watches = callback.is_some();
        let old = self.write_callback.replace(callback);
        drop(old);
        let source = {
            let mut state = self.state.borrow_mut();
            state.told = News::of(&state);
            state.source.clone()
        };
        match source {
            Some(source) => self.watch_pipe(&source, watches),
            None => Ok(()),
        }
    }

    /// Calls back if there is something new to tell. It is the last thing that a method does.
    pub(super) fn tell(&self) {
        {
            let mut state = self.state.borrow_mut();
            let news = News::of(&state);
            if news == state.told {
                return;
            }
            state.told = news;
        }
        let callback = self.write_callback.borrow().clone();
        if let Some(callback) = callback {
            callback();
        }
    }

    /// A pipe tells whoever writes to it when nobody reads from it any more.
    #[cfg(unix)]
    fn watch_pipe(&self, source: &Source, on: bool) -> io::Result<()> {
        if !self.is_pipe || !sys::is_fifo(source.borrow()) || self.is_closing() {
            return Ok(());
        }
        let this = self.this.clone();
        let callback = move || {
            if let Some(this) = this.upgrade() {
                this.look_for_hang_up();
            }
        };
        let callback: Option<Rc<dyn Fn()>> = on.then(|| Rc::new(callback) as Rc<dyn Fn()>);
        source.set_callback(Direction::Read, callback).map(drop)
    }

    #[cfg(not(unix))]
    fn watch_pipe(&self, _source: &Source, _on: bool) -> io::Result<()> {
        Ok(())
    }

    /// A pipe's end for writing can't be read from: a report that it can tells of its end.
    #[cfg(unix)]
    fn look_for_hang_up(&self) {
        let (source, has_unsent) = {
            let state = self.state.borrow();
            (state.source.clone(), state.has_unsent())
        };
        let Some(source) = source else { return };
        if source.readiness(Direction::Read) != ronde_loop::Readiness::Lasting {
            return;
        }
        if has_unsent {
            self.lose(io::ErrorKind::BrokenPipe.into());
        } else {
            self.abort();
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.state.borrow().paused
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.borrow().phase == Phase::Closed
    }
}

impl State {
    /// Is there nothing between the source and whoever reads?
    fn can_receive_into(&self) -> bool {
        self.input.is_empty() && self.tls.is_none() && self.input_end().is_none()
    }

    /// Is it worth a try? After a write that failed it is: the loop may not have heard yet of what the peer
    /// has sent before.
    fn may_receive(&self, source: &Source) -> bool {
        source.is_ready(Direction::Read) || self.lost.is_some()
    }

    /// Receives once, past the input's buffer.
    fn receive_into(&mut self, target: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(source) = &self.source else { return Ok(None) };
        if !self.may_receive(source) {
            return Ok(None);
        }
        match source.try_io(Direction::Read, |source| (self.io.receive)(source, target)) {
            Ok(received) => {
                if received < target.len() && self.io.short_is_all {
                    source.clear_ready(Direction::Read);
                }
                self.ended = received == 0;
                Ok(Some(received))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

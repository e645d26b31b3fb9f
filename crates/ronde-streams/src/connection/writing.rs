//! Sending: at once, at the end of the turn, or when the system takes more.

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use ronde_context::{Wait, decline, waiting_for};
use ronde_loop::Direction;

use super::state::{Flush, Phase, State};
use super::{Connection, wake};
use crate::constants::LOG_THRESHOLD_FOR_CONNLOST_WRITES;

/// How many parts the systems take in one call (`IOV_MAX`).
const PARTS_AT_ONCE: usize = 1024;

impl Connection {
    /// Sends `data`, now or at the end of the turn or when the socket takes it.
    pub(crate) fn write(&self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let mut state = self.state.borrow_mut();
        if !state.takes_writes() {
            drop(state);
            return self.drop_write();
        }
        if state.tls.is_none() && state.flush == Flush::Idle {
            // The common case: nothing is in the way, and nothing needs to be copied.
            match state.send(data) {
                Ok(sent) if sent == data.len() => {
                    state.flush = Flush::TurnEnd;
                    drop(state);
                    return self.call_at_turn_end();
                }
                Ok(sent) => state.output.extend(&data[sent..]),
                Err(error) => {
                    drop(state);
                    self.lose_output(error);
                    return;
                }
            }
            drop(state);
            return self.wait_writable(Flush::TurnEnd);
        }
        state.append(data);
        self.flush_soon(state);
    }

    /// Sends all of `parts`, together.
    pub(crate) fn write_all<T: AsRef<[u8]>>(&self, parts: impl IntoIterator<Item = T>) {
        // The parts come from foreign code, which may use this very connection: so collect first.
        let parts: Vec<T> = parts.into_iter().collect();
        let parts: Vec<IoSlice<'_>> =
            parts.iter().map(|part| IoSlice::new(part.as_ref())).collect();
        let size: usize = parts.iter().map(|part| part.len()).sum();
        if size == 0 {
            return;
        }
        let mut state = self.state.borrow_mut();
        if !state.takes_writes() {
            drop(state);
            return self.drop_write();
        }
        let mut sent = 0;
        if state.tls.is_none() && state.flush == Flush::Idle && state.source.is_some() {
            match state.send_parts(&parts[..parts.len().min(PARTS_AT_ONCE)], size) {
                Ok(count) => sent = count,
                Err(error) => {
                    drop(state);
                    self.lose_output(error);
                    return;
                }
            }
            if sent > 0 {
                state.flush = Flush::TurnEnd;
            }
        }
        if sent < size {
            let mut skip = sent;
            for part in parts {
                let rest = part.get(skip..).unwrap_or_default();
                skip = skip.saturating_sub(part.len());
                state.append(rest);
            }
            state.note_size();
        }
        match sent {
            0 => self.flush_soon(state),
            _ if sent == size => {
                drop(state);
                self.call_at_turn_end();
            }
            _ => {
                drop(state);
                self.wait_writable(Flush::TurnEnd);
            }
        }
    }

    /// Something was appended to the output.
    pub(super) fn flush_soon(&self, mut state: std::cell::RefMut<'_, State>) {
        state.note_size();
        let is_idle = state.flush == Flush::Idle;
        drop(state);
        if is_idle {
            self.flush(Flush::TurnEnd);
        } else {
            self.tell();
        }
    }

    pub(super) fn call_at_turn_end(&self) {
        if let Some(event_loop) = &self.event_loop {
            event_loop.call_at_turn_end(self.at_turn_end.clone());
        }
    }

    pub(super) fn drop_write(&self) {
        let mut state = self.state.borrow_mut();
        state.dropped_writes = state.dropped_writes.saturating_add(1);
        if state.dropped_writes >= LOG_THRESHOLD_FOR_CONNLOST_WRITES {
            tracing::warn!(
                target: "ronde",
                peer = self.peer.map(tracing::field::display),
                "a write to a connection that is closed or lost was dropped: see what `drain` says"
            );
        }
    }

    pub(super) fn turn_ends(&self) {
        {
            let mut state = self.state.borrow_mut();
            if state.flush != Flush::TurnEnd {
                return;
            }
            if !state.has_unsent() {
                state.flush = Flush::Idle;
                return;
            }
        }
        self.flush(Flush::Idle);
    }

    /// Sends the output. When all is sent, `then` is next.
    pub(super) fn flush(&self, then: Flush) {
        let sent = {
            let mut state = self.state.borrow_mut();
            if state.flush == Flush::File {
                // It comes first. Whoever sends it calls this again.
                return;
            }
            state.send_output()
        };
        match sent {
            Ok(true) => self.all_is_sent(then),
            Ok(false) => self.wait_writable(then),
            Err(error) => {
                self.lose_output(error);
            }
        }
    }

    /// The system took less than there is: has the reactor call back when it takes more.
    pub(super) fn wait_writable(&self, then: Flush) {
        loop {
            let (source, waiters) = {
                let mut state = self.state.borrow_mut();
                state.flush = Flush::Writable;
                state.note_size();
                let Some(source) = state.source.clone() else { return };
                (source, state.waiters_if_resumed())
            };
            wake(waiters);
            let Some(this) = self.this.upgrade().filter(|_| self.can_wait()) else {
                let error = io::Error::other("the event loop was closed before all was sent");
                self.lose_output(error);
                return self.abort();
            };
            let callback = move || this.is_writable();
            match source.set_callback(Direction::Write, Some(Rc::new(callback))) {
                Ok(false) => return self.tell(),
                Ok(true) => {}
                Err(error) => {
                    self.lose_output(error);
                    return;
                }
            }
            // It became writable in the meantime, or has an error to tell.
            let sent = self.state.borrow_mut().send_output();
            match sent {
                Ok(true) => return self.all_is_sent(then),
                Ok(false) => {}
                Err(error) => {
                    self.lose_output(error);
                    return;
                }
            }
        }
    }

    /// A loop that is closed never calls back.
    pub(super) fn can_wait(&self) -> bool {
        self.event_loop.as_ref().is_some_and(|event_loop| !event_loop.is_closed())
    }

    pub(super) fn is_writable(&self) {
        let sent = {
            let mut state = self.state.borrow_mut();
            if state.flush != Flush::Writable {
                return;
            }
            state.send_output()
        };
        match sent {
            Ok(true) => self.all_is_sent(Flush::Idle),
            // The callback is still set.
            Ok(false) => {
                let (source, waiters) = {
                    let state = &mut *self.state.borrow_mut();
                    (state.source.clone(), state.waiters_if_resumed())
                };
                wake(waiters);
                if source.is_some_and(|source| source.is_ready(Direction::Write)) {
                    return self.wait_writable(Flush::Idle);
                }
                self.tell();
            }
            Err(error) => {
                self.lose_output(error);
            }
        }
    }

    pub(super) fn all_is_sent(&self, then: Flush) {
        let (source, was_waiting, closed, lingers, waiters) = {
            let mut state = self.state.borrow_mut();
            let was_waiting = state.flush == Flush::Writable;
            state.flush = then;
            state.paused = false;
            let source = state.source.clone();
            if state.phase == Phase::HalfClosing {
                state.phase = Phase::HalfClosed;
                state.shut_down_sending();
            }
            let lingers = state.phase == Phase::Closing && state.must_linger();
            let closed = (state.phase == Phase::Closing && !lingers).then(|| state.end());
            if lingers {
                state.shut_down_sending();
            }
            (source, was_waiting, closed, lingers, std::mem::take(&mut state.waiters))
        };
        if was_waiting && let Some(source) = source {
            // Removing a callback never fails.
            let _ = source.set_callback(Direction::Write, None);
        }
        drop(closed);
        wake(waiters);
        if lingers {
            self.linger();
        } else if then == Flush::TurnEnd {
            self.call_at_turn_end();
        }
        self.tell();
    }

    /// Waits until the output is small again.
    pub(crate) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_output(cx, |state| !state.paused)
    }

    /// Waits until all output is sent.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_output(cx, |state| !state.has_unsent())
    }

    pub(super) fn poll_output(
        &self,
        cx: &mut Context<'_>,
        enough: impl FnOnce(&State) -> bool,
    ) -> Poll<io::Result<()>> {
        if decline(cx) {
            return Poll::Pending;
        }
        let mut state = self.state.borrow_mut();
        if let Some(lost) = &state.lost {
            return Poll::Ready(Err(lost.to_error()));
        }
        if state.dropped_writes > 0 {
            let error =
                "the connection was closed, or its output ended, before something was written";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, error)));
        }
        if enough(&state) {
            return Poll::Ready(Ok(()));
        }
        state.add_waiter(cx);
        let wait = state.source.as_ref().map(|source| source.wait(Direction::Write));
        waiting_for(wait.unwrap_or(Wait::Leaf("room for the output of a stream")));
        Poll::Pending
    }

    pub(crate) fn takes_writes(&self) -> bool {
        self.state.borrow().takes_writes()
    }

    pub(crate) fn buffered_output(&self) -> usize {
        self.state.borrow().output.len()
    }

    pub(crate) fn set_limits(&self, high: usize, low: usize) {
        let waiters = {
            let mut state = self.state.borrow_mut();
            (state.high_water, state.low_water) = (high, low.min(high));
            state.note_size();
            state.waiters_if_resumed()
        };
        wake(waiters);
        self.tell();
    }

    pub(crate) fn limits(&self) -> (usize, usize) {
        let state = self.state.borrow();
        (state.high_water, state.low_water)
    }
}

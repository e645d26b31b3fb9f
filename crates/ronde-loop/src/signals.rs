//! Signals: callbacks and tasks that wait for them.
//!
//! A loop that wants signals has a [`Listener`] of `ronde-signal`, whose descriptor is registered like any
//! other, for as long as it wants any. So a loop that wants none pays nothing, and when the last one is
//! given up, or the loop is closed, the signals do again what they did before.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use ronde_context::{Wait, decline, waiting_for};
use ronde_reactor::{Direction, Source};
use ronde_signal::{Arrival, Listener, Signal, SignalHandlerError};

use crate::handle::{LoopHandle, Shared};
use crate::repeated::Repeated;

impl LoopHandle {
    /// Calls `callback` in the loop each time `signal` arrives, in place of what the signal does by default.
    ///
    /// An earlier handler of this loop for the same signal is replaced. Any loop in any thread may have one,
    /// also several of them for the same signal: each is called. The callback may do what any callback may;
    /// it runs in a copy of the context of the caller, and a panic in it goes to the
    /// [exception handler](Self::set_exception_handler).
    ///
    /// When the last handler in the program is removed, or its loop closed, the signal does again what it did
    /// before the first: its default action, or nothing if it was ignored. Handlers of other libraries and of
    /// the program's own for the same signal are called as well, all the time.
    ///
    /// A handler for Ctrl-C, [`Signal::INT`], takes the place of what a runner does with it, which is to cancel the
    /// main task.
    ///
    /// # Errors
    ///
    /// [`SignalHandlerError`]:
    ///
    /// - [`Invalid`](SignalHandlerError::Invalid) if there is no such signal.
    /// - [`Uncatchable`](SignalHandlerError::Uncatchable) for [`Signal::KILL`] and [`Signal::STOP`].
    /// - [`Fault`](SignalHandlerError::Fault) for signals like [`Signal::SEGV`].
    /// - [`Io`](SignalHandlerError::Io) if the system has no descriptors or memory left.
    ///
    /// # Panics
    ///
    /// If the loop is closed.
    ///
    /// # In asyncio
    ///
    /// `loop.add_signal_handler`. There, only the main thread's loop can have one, and the program's own handler is
    /// lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// use ronde_loop::Signal;
    /// # use rustix::process::{getpid, kill_process};
    ///
    /// let event_loop = EventLoop::new()?;
    /// event_loop.add_signal_handler(Signal::USR1, || get_running_loop().unwrap().stop())?;
    /// event_loop.call_soon(|| {
    ///     kill_process(getpid(), rustix::process::Signal::USR1).unwrap();
    /// });
    /// event_loop.run_forever()?;
    /// assert!(event_loop.remove_signal_handler(Signal::USR1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn add_signal_handler(
        &self,
        signal: Signal,
        callback: impl FnMut() + 'static,
    ) -> Result<(), SignalHandlerError> {
        assert!(!self.is_closed(), "`add_signal_handler` on a closed event loop");
        let listening = self.listening(signal)?;
        if let Err(error) = listening.listener.listen(signal) {
            self.shared.stop_listening_if_idle();
            return Err(error);
        }
        let repeated = Rc::new(Repeated::new(callback));
        let replaced = listening.handlers.borrow_mut().insert(signal, repeated);
        if let Some(replaced) = replaced {
            replaced.remove();
        }
        Ok(())
    }

    /// Removes this loop's handler for `signal`. Was there one?
    ///
    /// # In asyncio
    ///
    /// `loop.remove_signal_handler`. There, the default action is restored whatever there was before.
    ///
    /// # Examples
    ///
    /// See [`add_signal_handler`](Self::add_signal_handler).
    pub fn remove_signal_handler(&self, signal: Signal) -> bool {
        let Some(listening) = self.shared.signals.borrow().clone() else { return false };
        let removed = listening.handlers.borrow_mut().remove(&signal);
        listening.let_go_of(signal, &self.shared);
        removed.map(|handler| handler.remove()).is_some()
    }

    /// Has tasks wait for signals: each that arrives from here on can be [received](Signals::recv).
    ///
    /// As long as the result lives, the signals don't do what they do by default. See
    /// [`add_signal_handler`](Self::add_signal_handler); both may be used for the same signal, and there may
    /// be several of these, each of which is told.
    ///
    /// # Errors
    ///
    /// As `add_signal_handler`. Then none of the signals is listened for.
    ///
    /// # Panics
    ///
    /// If the loop is closed.
    ///
    /// # In asyncio
    ///
    /// `loop.add_signal_handler` with a callback that sets an event.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// use ronde_loop::Signal;
    /// # use rustix::process::{getpid, kill_process};
    ///
    /// # EventLoop::new()?.run_until_complete(async {
    /// let event_loop = get_running_loop().unwrap();
    /// let mut signals = event_loop.signals([Signal::HUP, Signal::TERM])?;
    /// kill_process(getpid(), rustix::process::Signal::HUP).unwrap();
    /// loop {
    ///     match signals.recv().await {
    ///         // Reads its configuration again.
    ///         Signal::HUP => kill_process(getpid(), rustix::process::Signal::TERM).unwrap(),
    ///         signal => {
    ///             assert_eq!(signal, Signal::TERM);
    ///             break;
    ///         }
    ///     }
    /// }
    /// # Ok::<(), ronde_loop::SignalHandlerError>(())
    /// # })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn signals(
        &self,
        signals: impl IntoIterator<Item = Signal>,
    ) -> Result<Signals, SignalHandlerError> {
        assert!(!self.is_closed(), "`signals` of a closed event loop");
        let queue = Rc::new(Queue { signals: signals.into_iter().collect(), ..Queue::default() });
        // Dropped on the way out, it lets go of what it has got hold of so far.
        let made = Signals { queue: queue.clone(), event_loop: Rc::downgrade(&self.shared) };
        for signal in &queue.signals {
            let listening = self.listening(*signal)?;
            listening.add_queue(&queue);
            listening.listener.listen(*signal)?;
        }
        Ok(made)
    }

    /// Calls `callback` once, should `signal` arrive while no loop has a handler for it. Gives `None` if another
    /// loop has this already.
    ///
    /// It is made for runners and their Ctrl-C: the first one is a request to end, which the callback passes on,
    /// and after it the signal does what it does by default, at once and whatever the loop is doing. So the
    /// second one ends a program that doesn't react. Dropping the result restores what was before.
    ///
    /// # Errors
    ///
    /// As [`add_signal_handler`](Self::add_signal_handler).
    ///
    /// # Panics
    ///
    /// If the loop is closed.
    ///
    /// # In asyncio
    ///
    /// What `asyncio.Runner` does with `signal.signal`, unless the program has a handler for SIGINT. Here, a
    /// handler of the program's own is called as well.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// use ronde_loop::Signal;
    /// # use rustix::process::{getpid, kill_process};
    ///
    /// let event_loop = EventLoop::new()?;
    /// let stop = || get_running_loop().unwrap().stop();
    /// let fallback = event_loop.add_signal_fallback(Signal::INT, stop)?;
    /// assert!(fallback.is_some());
    /// kill_process(getpid(), rustix::process::Signal::INT)?;
    /// event_loop.run_forever()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn add_signal_fallback(
        &self,
        signal: Signal,
        callback: impl FnMut() + 'static,
    ) -> Result<Option<SignalFallback>, SignalHandlerError> {
        assert!(!self.is_closed(), "`add_signal_fallback` on a closed event loop");
        let listening = self.listening(signal)?;
        let is_set = listening.listener.set_fallback(signal);
        if !matches!(is_set, Ok(true)) {
            self.shared.stop_listening_if_idle();
            return is_set.map(|_| None);
        }
        let repeated = Rc::new(Repeated::new(callback));
        listening.fallbacks.borrow_mut().insert(signal, repeated);
        Ok(Some(SignalFallback { signal, event_loop: Rc::downgrade(&self.shared) }))
    }

    /// What the loop listens with, made if it isn't there. `signal` is for the error.
    fn listening(&self, signal: Signal) -> Result<Rc<Listening>, SignalHandlerError> {
        if let Some(listening) = &*self.shared.signals.borrow() {
            return Ok(listening.clone());
        }
        let failed = |source| SignalHandlerError::Io { signal, source };
        let listener = Listener::new().map_err(failed)?;
        let descriptor = listener.as_fd().try_clone_to_owned().map_err(failed)?;
        let source = self.register(descriptor).map_err(failed)?;
        let listening = Rc::new(Listening {
            source,
            listener,
            handlers: RefCell::default(),
            fallbacks: RefCell::default(),
            queues: RefCell::default(),
        });
        let weak = (Rc::downgrade(&listening), Rc::downgrade(&self.shared));
        let look = move || {
            if let (Some(listening), Some(event_loop)) = (weak.0.upgrade(), weak.1.upgrade()) {
                listening.look(&event_loop);
            }
        };
        let set = listening.source.set_callback(Direction::Read, Some(Rc::new(look)));
        set.map_err(failed)?;
        self.shared.signals.replace(Some(listening.clone()));
        Ok(listening)
    }
}

impl Shared {
    /// Lets go of the listener if nothing is listened for: else a loop with a simulated clock would wait for it.
    fn stop_listening_if_idle(&self) {
        let is_idle = self.signals.borrow().as_ref().is_some_and(|it| it.is_idle());
        if is_idle {
            let listening = self.signals.take();
            drop(listening);
        }
    }
}

/// What a loop listens with, as long as it listens.
pub(crate) struct Listening {
    source: Source,
    listener: Listener,
    handlers: RefCell<BTreeMap<Signal, Rc<Repeated>>>,
    fallbacks: RefCell<BTreeMap<Signal, Rc<Repeated>>>,
    queues: RefCell<Vec<Rc<Queue>>>,
}

impl Listening {
    /// Nobody here may want the signal any more.
    fn let_go_of(&self, signal: Signal, event_loop: &Shared) {
        if !self.is_wanted(signal) {
            self.listener.stop_listening(signal);
        }
        event_loop.stop_listening_if_idle();
    }

    fn is_wanted(&self, signal: Signal) -> bool {
        self.handlers.borrow().contains_key(&signal)
            || self.queues.borrow().iter().any(|queue| queue.signals.contains(&signal))
    }

    fn is_idle(&self) -> bool {
        self.handlers.borrow().is_empty()
            && self.queues.borrow().is_empty()
            && self.fallbacks.borrow().is_empty()
    }

    fn add_queue(&self, queue: &Rc<Queue>) {
        let mut queues = self.queues.borrow_mut();
        if !queues.iter().any(|other| Rc::ptr_eq(other, queue)) {
            queues.push(queue.clone());
        }
    }

    /// Signals have arrived: whoever wants them is called or woken.
    fn look(&self, event_loop: &Shared) {
        for Arrival { signal, count } in self.listener.take() {
            let handler = self.handlers.borrow().get(&signal).cloned();
            if let Some(handler) = handler {
                let call: Rc<dyn Fn()> = Rc::new(move || handler.call());
                (0..count).for_each(|_| event_loop.executor.call_repeated(call.clone()));
            }
            let queues = self.queues.borrow().clone();
            queues.iter().for_each(|queue| queue.push(signal, count));
        }
        let is_told = |(signal, _): &(&Signal, _)| self.listener.take_fallback(**signal);
        let told: Vec<_> =
            self.fallbacks.borrow().iter().filter(is_told).map(|it| it.1.clone()).collect();
        for fallback in told {
            event_loop.executor.call_repeated(Rc::new(move || fallback.call()));
        }
    }
}

/// Signals that tasks wait for. From [`LoopHandle::signals`].
///
/// What arrives while nobody receives is kept: one entry and a count for each signal. It is also a
/// [`Stream`], which never ends.
pub struct Signals {
    queue: Rc<Queue>,
    event_loop: Weak<Shared>,
}

impl Signals {
    /// Receives the next signal, waiting until one arrives.
    ///
    /// They come in the order in which they arrived, as far as the loop has seen it: of several that arrived while
    /// it was busy, the one with the lowest number comes first, and those that are the same come together.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** A signal is taken in the poll that returns it.
    ///
    /// # Examples
    ///
    /// See [`LoopHandle::signals`].
    pub async fn recv(&mut self) -> Signal {
        poll_fn(|cx| self.queue.poll(cx)).await
    }

    /// Gives a signal that has arrived, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, Signal};
    /// let event_loop = EventLoop::new()?;
    /// let mut signals = event_loop.signals([Signal::USR2])?;
    /// assert_eq!(signals.recv_nowait(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_nowait(&mut self) -> Option<Signal> {
        self.queue.pop()
    }
}

impl Stream for Signals {
    type Item = Signal;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Signal>> {
        self.queue.poll(cx).map(Some)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let Some(event_loop) = self.event_loop.upgrade() else { return };
        let Some(listening) = event_loop.signals.borrow().clone() else { return };
        listening.queues.borrow_mut().retain(|queue| !Rc::ptr_eq(queue, &self.queue));
        self.queue.signals.iter().for_each(|signal| listening.let_go_of(*signal, &event_loop));
        event_loop.stop_listening_if_idle();
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").field("signals", &self.queue.signals).finish_non_exhaustive()
    }
}

/// What has arrived for one [`Signals`].
#[derive(Default)]
struct Queue {
    signals: Vec<Signal>,
    /// Each signal once, with how often it has arrived.
    arrived: RefCell<VecDeque<(Signal, u32)>>,
    waker: RefCell<Option<Waker>>,
}

impl Queue {
    fn push(&self, signal: Signal, count: u32) {
        if !self.signals.contains(&signal) {
            return;
        }
        {
            let mut arrived = self.arrived.borrow_mut();
            match arrived.iter_mut().find(|(other, _)| *other == signal) {
                Some((_, sum)) => *sum = sum.saturating_add(count),
                None => arrived.push_back((signal, count)),
            }
        }
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn pop(&self) -> Option<Signal> {
        let mut arrived = self.arrived.borrow_mut();
        let (signal, count) = arrived.front_mut()?;
        let signal = *signal;
        *count -= 1;
        if *count == 0 {
            arrived.pop_front();
        }
        Some(signal)
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Signal> {
        if decline(cx) {
            return Poll::Pending;
        }
        if let Some(signal) = self.pop() {
            return Poll::Ready(signal);
        }
        // Foreign code, both to clone and to drop: nothing is borrowed meanwhile.
        let waker = cx.waker().clone();
        let replaced = self.waker.replace(Some(waker));
        drop(replaced);
        waiting_for(Wait::Leaf("a signal"));
        Poll::Pending
    }
}

/// Is called for a signal that nobody has a handler for, until it is dropped. From
/// [`LoopHandle::add_signal_fallback`].
#[must_use = "it is removed when this is dropped"]
pub struct SignalFallback {
    signal: Signal,
    event_loop: Weak<Shared>,
}

impl Drop for SignalFallback {
    fn drop(&mut self) {
        let Some(event_loop) = self.event_loop.upgrade() else { return };
        let Some(listening) = event_loop.signals.borrow().clone() else { return };
        listening.listener.remove_fallback(self.signal);
        let removed = listening.fallbacks.borrow_mut().remove(&self.signal);
        event_loop.stop_listening_if_idle();
        if let Some(removed) = removed {
            removed.remove();
        }
    }
}

impl fmt::Debug for SignalFallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalFallback").field("signal", &self.signal).finish_non_exhaustive()
    }
}

//! What a datagram transport is inside: a socket, a queue, and the protocol that is called.
//!
//! The stages are those of a stream's [link](crate::link), and so are the steps. The reader's callback owns
//! it while it is open, the writer's while there is a queue.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ronde_loop::{CloseListener, Direction, LoopHandle, Source};
use socket2::SockRef;

use super::{DatagramAddr, DatagramProtocol, DatagramTransport};
use crate::caller::{Caller, Driven, note, queue, run};
use crate::link::Stage;
use crate::protocol::ProtocolHandle;
use crate::scratch::with_scratch;
use crate::sys;
use crate::waiters::Waiters;

/// How many datagrams are received before others have their turn.
const RECEIVES_AT_ONCE: usize = 32;

/// What a datagram in the queue counts besides its bytes, as in asyncio: empty ones take memory, too.
const HEADER: usize = 8;

/// How many errors are kept to be told. A program that goes on sending without giving the loop its turn
/// learns nothing new from more of them.
const MOST_ERRORS: usize = 64;

/// Sends to an endpoint that is closed are dropped in silence up to this many, as in asyncio
/// (`LOG_THRESHOLD_FOR_CONNLOST_WRITES`).
const SILENT_SENDS: u32 = 4;

/// How long it takes until a receiver whose queue was full is tried again, where nobody tells when it no
/// longer is.
const RETRY_DELAY: Duration = Duration::from_millis(5);

pub(super) type Shared = Rc<RefCell<dyn DatagramProtocol>>;

pub(crate) struct Link {
    this: Weak<Self>,
    caller: Caller,
    /// `None` once it is over.
    source: RefCell<Option<Rc<Source>>>,
    /// Whom it is connected to.
    remote: Option<DatagramAddr>,
    /// The second is the same as the first, to be cast to its own type. `None` once it is lost.
    protocol: RefCell<Option<(Shared, Rc<dyn Any>)>>,
    stage: Cell<Stage>,
    is_made: Cell<bool>,
    /// What the system does not take yet.
    unsent: RefCell<VecDeque<(Vec<u8>, Option<DatagramAddr>)>>,
    /// How much that is.
    size: Cell<usize>,
    marks: Cell<(usize, usize)>,
    is_full: Cell<bool>,
    told_full: Cell<bool>,
    /// What is to be told of datagrams that could not be sent.
    errors: RefCell<VecDeque<io::Error>>,
    dropped_sends: Cell<u32>,
    failure: RefCell<Option<io::Error>>,
    waiters: Waiters,
}

impl Link {
    pub(super) fn new(
        event_loop: &LoopHandle,
        source: Source,
        remote: Option<DatagramAddr>,
        protocol: (Shared, Rc<dyn Any>),
    ) -> Rc<Self> {
        let link = Rc::new_cyclic(|this: &Weak<Self>| Self {
            this: this.clone(),
            caller: Caller::new(event_loop.clone()),
            source: RefCell::new(Some(Rc::new(source))),
            remote,
            protocol: RefCell::new(Some(protocol)),
            stage: Cell::new(Stage::Open),
            is_made: Cell::new(false),
            unsent: RefCell::default(),
            size: Cell::new(0),
            marks: Cell::new((64 * 1024, 16 * 1024)),
            is_full: Cell::new(false),
            told_full: Cell::new(false),
            errors: RefCell::default(),
            dropped_sends: Cell::new(0),
            failure: RefCell::default(),
            waiters: Waiters::default(),
        });
        let listener: Weak<dyn CloseListener> = link.this.clone();
        event_loop.watch_close(listener);
        queue(&link);
        link
    }

    pub(super) fn event_loop(&self) -> &LoopHandle {
        self.caller.event_loop()
    }

    pub(super) fn remote(&self) -> Option<&DatagramAddr> {
        self.remote.as_ref()
    }

    pub(super) fn source(&self) -> Option<Rc<Source>> {
        self.source.borrow().clone()
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.get()
    }

    pub(super) fn size(&self) -> usize {
        self.size.get()
    }

    pub(super) fn marks(&self) -> (usize, usize) {
        self.marks.get()
    }

    pub(super) fn set_marks(&self, high: usize, low: usize) {
        self.marks.set((high, low));
        self.note_size(self.size.get());
    }

    pub(super) fn set_protocol(&self, protocol: (Shared, Rc<dyn Any>)) {
        if self.stage.get() == Stage::Lost {
            return;
        }
        let old = self.protocol.replace(Some(protocol));
        // Only here: its destructor is foreign code.
        drop(old);
    }

    pub(super) fn protocol<P: 'static>(&self) -> Option<ProtocolHandle<P>> {
        let any = self.protocol.borrow().as_ref()?.1.clone();
        Some(ProtocolHandle::new(any.downcast().ok()?))
    }

    fn shared(&self) -> Option<Shared> {
        Some(self.protocol.borrow().as_ref()?.0.clone())
    }

    pub(super) fn send(&self, data: &[u8], to: Option<DatagramAddr>) {
        if self.stage.get() != Stage::Open {
            return self.drop_send();
        }
        if !self.unsent.borrow().is_empty() {
            return self.enqueue(data, to);
        }
        match self.send_now(data, to.as_ref()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let is_to_path = matches!(to, Some(DatagramAddr::Path(_)));
                self.enqueue(data, to);
                self.wait_for_room(is_to_path);
            }
            Err(error) => self.keep_error(error),
        }
    }

    /// Sends what is in the queue when the system takes it.
    fn wait_for_room(&self, is_to_path: bool) {
        if !is_to_path {
            return self.call_back_for_output(true);
        }
        // It is the receiver's queue that is full, of which the system tells only those that are connected
        // to it.
        let Some(this) = self.this.upgrade().filter(|_| !self.event_loop().is_closed()) else {
            return;
        };
        self.event_loop().call_later(RETRY_DELAY, move || this.flush());
    }

    fn send_now(&self, data: &[u8], to: Option<&DatagramAddr>) -> io::Result<()> {
        let Some(source) = self.source() else { return Ok(()) };
        let to = to.map(DatagramAddr::to_system).transpose()?;
        source.try_io(Direction::Write, |socket| {
            let socket = SockRef::from(&socket);
            match &to {
                Some(address) => socket.send_to(data, address),
                None => socket.send(data),
            }
        })?;
        Ok(())
    }

    fn enqueue(&self, data: &[u8], to: Option<DatagramAddr>) {
        self.unsent.borrow_mut().push_back((data.to_vec(), to));
        self.note_size(self.size.get() + data.len() + HEADER);
    }

    fn note_size(&self, size: usize) {
        self.size.set(size);
        let (high, low) = self.marks.get();
        let is_full = if size > high { true } else { self.is_full.get() && size > low };
        if self.is_full.replace(is_full) != is_full {
            self.note();
        }
    }

    fn keep_error(&self, error: io::Error) {
        let mut errors = self.errors.borrow_mut();
        if errors.len() < MOST_ERRORS {
            errors.push_back(error);
        }
        drop(errors);
        self.note();
    }

    fn drop_send(&self) {
        self.dropped_sends.set(self.dropped_sends.get().saturating_add(1));
        if self.dropped_sends.get() > SILENT_SENDS {
            tracing::warn!(target: "ronde", "a datagram for an endpoint that is closed was dropped");
        }
    }

    /// The system takes more: sends what it takes.
    fn flush(&self) {
        loop {
            let Some((data, to)) = self.unsent.borrow_mut().pop_front() else { break };
            match self.send_now(&data, to.as_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let is_to_path = matches!(to, Some(DatagramAddr::Path(_)));
                    self.unsent.borrow_mut().push_front((data, to));
                    if is_to_path {
                        self.wait_for_room(true);
                    }
                    return;
                }
                outcome => {
                    self.note_size(self.size.get() - data.len() - HEADER);
                    if let Err(error) = outcome {
                        self.keep_error(error);
                    }
                }
            }
        }
        self.call_back_for_output(false);
        if self.stage.get() == Stage::Closing {
            self.note();
        }
    }

    pub(super) fn close(&self) {
        if self.stage.get() == Stage::Open {
            self.call_back_for_input(false);
            self.stage.set(Stage::Closing);
            self.note();
        }
    }

    pub(super) fn abort(&self) {
        if self.stage.get() == Stage::Lost {
            return;
        }
        self.call_back_for_input(false);
        self.stage.set(Stage::Closing);
        self.unsent.take();
        self.size.set(0);
        self.note();
    }

    fn fail(&self, error: io::Error) {
        self.failure.borrow_mut().get_or_insert(error);
        self.abort();
    }

    fn note(&self) {
        if let Some(this) = self.this.upgrade() {
            note(&this);
        }
    }

    fn call_back_for_input(&self, on: bool) {
        let this = on.then(|| self.this.upgrade()).flatten();
        let callback = this.map(|this| Rc::new(move || run(&this)) as Rc<dyn Fn()>);
        self.call_back(Direction::Read, callback);
    }

    fn call_back_for_output(&self, on: bool) {
        let this = on.then(|| self.this.upgrade()).flatten();
        let callback = this.map(|this| Rc::new(move || this.flush()) as Rc<dyn Fn()>);
        self.call_back(Direction::Write, callback);
    }

    fn call_back(&self, direction: Direction, callback: Option<Rc<dyn Fn()>>) {
        let Some(source) = self.source() else { return };
        match source.set_callback(direction, callback) {
            // It became writable in the meantime.
            Ok(true) if direction == Direction::Write && self.size.get() > 0 => self.flush(),
            Ok(_) => {}
            Err(error) => self.fail(error),
        }
    }

    fn make(&self) {
        self.is_made.set(true);
        if let (Some(protocol), Some(this)) = (self.shared(), self.this.upgrade()) {
            let transport = DatagramTransport::of(this);
            self.try_call("connection_made", || protocol.borrow_mut().connection_made(&transport));
        }
        self.waiters.wake();
        if self.stage.get() == Stage::Open {
            self.call_back_for_input(true);
        }
    }

    /// Calls the protocol. If it panics, that is the end.
    fn try_call(&self, method: &str, f: impl FnOnce()) {
        self.caller.call(method, f).unwrap_or_else(|error| self.fail(error));
    }

    fn tell_of_output(&self) {
        let Some(protocol) = self.shared() else { return };
        loop {
            let Some(error) = self.errors.borrow_mut().pop_front() else { break };
            self.try_call("error_received", || protocol.borrow_mut().error_received(error));
        }
        let is_full = self.is_full.get();
        if self.stage.get() == Stage::Lost || self.told_full.replace(is_full) == is_full {
            return;
        }
        if is_full {
            self.try_call("pause_writing", || protocol.borrow_mut().pause_writing());
        } else {
            self.try_call("resume_writing", || protocol.borrow_mut().resume_writing());
        }
    }

    fn is_over(&self) -> bool {
        self.stage.get() == Stage::Closing && self.unsent.borrow().is_empty()
    }

    /// Receives a datagram, and calls the protocol with it. `false` if there is none now.
    fn receive(&self) -> bool {
        let (Some(source), Some(protocol)) = (self.source(), self.shared()) else { return false };
        with_scratch(|scratch| {
            match source.try_io(Direction::Read, |socket| sys::receive_from(socket, scratch)) {
                Ok((bytes, from)) => self.try_call("datagram_received", || {
                    protocol.borrow_mut().datagram_received(&scratch[..bytes], &from);
                }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => self.try_call("error_received", || {
                    protocol.borrow_mut().error_received(error);
                }),
            }
            true
        })
    }

    fn end(&self) {
        let error = self.failure.take();
        if let Some(protocol) = self.let_go().filter(|_| self.is_made.get()) {
            let lost = || protocol.0.borrow_mut().connection_lost(error);
            // Reported already, and there is nothing left to abort.
            let _ = self.caller.call("connection_lost", lost);
        }
        self.waiters.wake();
    }

    /// Lets go of everything. Returns the protocol that was called.
    fn let_go(&self) -> Option<(Shared, Rc<dyn Any>)> {
        self.stage.set(Stage::Lost);
        let source = self.source.take();
        drop(source);
        self.unsent.take();
        self.protocol.take()
    }

    /// Waits until `connection_made` was called, or will never be.
    pub(super) async fn made(&self) {
        let is_made = || self.is_made.get() || self.stage.get() == Stage::Lost;
        self.waiters.wait("an endpoint to be made", is_made).await;
    }

    /// Waits until `connection_lost` was called, or never will be.
    pub(super) async fn lost(&self) {
        self.waiters.wait("an endpoint to be closed", || self.stage.get() == Stage::Lost).await;
    }
}

impl Driven for Link {
    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn steps(self: &Rc<Self>) {
        if self.stage.get() == Stage::Lost {
            return;
        }
        if self.shared().is_some_and(|protocol| protocol.try_borrow_mut().is_err()) {
            // Somebody runs a loop while using the protocol. It is for later.
            return queue(self);
        }
        if !self.is_made.get() && self.stage.get() == Stage::Open {
            self.make();
        }
        for _ in 0..RECEIVES_AT_ONCE {
            self.caller.look();
            self.tell_of_output();
            if self.is_over() {
                return self.end();
            }
            if self.stage.get() != Stage::Open || !self.receive() {
                return;
            }
        }
        queue(self);
    }
}

impl CloseListener for Link {
    fn loop_closes(self: Rc<Self>) {
        if self.stage.get() == Stage::Lost {
            return;
        }
        if self.event_loop().get_debug() {
            let transport = DatagramTransport::of(self.clone());
            tracing::warn!(target: "ronde", "a transport was open when its loop was closed: {transport:?}");
        }
        let protocol = self.let_go();
        drop(protocol);
    }
}

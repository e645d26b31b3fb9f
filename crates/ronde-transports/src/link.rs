//! What a stream transport is inside: a connection, and the protocol that is called with what it does.
//!
//! ```text
//!            the loop's turn             close, abort, the peer's end, a failure
//!   (made) ------------------> Open -------------------------------> Closing
//!             connection_made                                           |
//!                                        the connection is over,        v
//!                                        in a turn of the loop        Lost
//!                                                              connection_lost
//! ```
//!
//! [`steps`](Driven::steps) has the order: first what the output has to tell, then the end, then what there
//! is to read. The connection's two callbacks lead there: the reader's, by the reactor, directly; the
//! writer's, which may be called inside a `write`, through a [`note`].
//!
//! # Who owns it
//!
//! While it reads, the reader's callback, which the loop has. While it closes, the writer's. So neither
//! needs a handle. One that does not read, and to which nobody has a handle, can't do anything any more:
//! it is dropped, and the connection closed. A protocol that has a handle to its own transport makes a
//! ring, which `connection_lost` opens, or else the end of the loop.

mod reading;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::{Rc, Weak};

use ronde_loop::{CloseListener, LoopHandle};
use ronde_streams::{StreamReader, StreamWriter};

use crate::caller::{Caller, Driven, note, queue, run};
use crate::protocol::Target;
use crate::transport::Transport;
use crate::waiters::Waiters;

use self::reading::Input;

/// How often it is read before others have their turn.
const READS_AT_ONCE: usize = 8;

pub(crate) struct Link {
    this: Weak<Self>,
    caller: Caller,
    /// A pipe has one of the two. The end of a pipe for reading is closed by dropping the reader. It is in an
    /// `Rc` so that nothing is borrowed while it is used.
    reader: RefCell<Option<Rc<StreamReader>>>,
    writer: Option<StreamWriter>,
    /// `None` once the connection is lost.
    target: RefCell<Option<Target>>,
    stage: Cell<Stage>,
    /// Has `connection_made` been called?
    is_made: Cell<bool>,
    /// Whoever wanted to have it doesn't any more.
    is_given_up: Cell<bool>,
    /// Does somebody want it not to read?
    is_paused: Cell<bool>,
    /// How many changes to TLS are under way, which read for themselves.
    upgrades: Cell<usize>,
    is_tls: Cell<bool>,
    /// The peer will send no more.
    has_ended: Cell<bool>,
    /// Was `pause_writing` the last that the protocol heard of the output?
    told_full: Cell<bool>,
    /// Is the reader's callback set?
    has_callback: Cell<bool>,
    /// Why it was aborted, if the reason was found here.
    failure: RefCell<Option<io::Error>>,
    /// Whoever waits for it to be made, or to be lost.
    waiters: Waiters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    Closing,
    Lost,
}

impl Link {
    /// Makes one that calls `connection_made` in the next turn.
    pub(crate) fn new(
        event_loop: &LoopHandle,
        reader: Option<StreamReader>,
        writer: Option<StreamWriter>,
        target: Target,
    ) -> Rc<Self> {
        let is_tls = writer.as_ref().is_some_and(|writer| writer.tls().is_some());
        let link = Rc::new_cyclic(|this: &Weak<Self>| Self {
            this: this.clone(),
            caller: Caller::new(event_loop.clone()),
            reader: RefCell::new(reader.map(Rc::new)),
            writer,
            target: RefCell::new(Some(target)),
            stage: Cell::new(Stage::Open),
            is_made: Cell::new(false),
            is_given_up: Cell::new(false),
            is_paused: Cell::new(false),
            upgrades: Cell::new(0),
            is_tls: Cell::new(is_tls),
            has_ended: Cell::new(false),
            told_full: Cell::new(false),
            has_callback: Cell::new(false),
            failure: RefCell::default(),
            waiters: Waiters::default(),
        });
        let listener: Weak<dyn CloseListener> = link.this.clone();
        event_loop.watch_close(listener);
        link.watch_output(false);
        queue(&link);
        link
    }

    pub(crate) fn event_loop(&self) -> &LoopHandle {
        self.caller.event_loop()
    }

    pub(crate) fn writer(&self) -> Option<&StreamWriter> {
        self.writer.as_ref()
    }

    fn reader(&self) -> Option<Rc<StreamReader>> {
        self.reader.borrow().clone()
    }

    pub(crate) fn target(&self) -> Option<Target> {
        self.target.borrow().clone()
    }

    /// Calls another protocol from now on.
    pub(crate) fn set_target(&self, target: Target) {
        if self.stage.get() == Stage::Lost {
            return;
        }
        let old = self.target.replace(Some(target));
        // Only here: its destructor is foreign code.
        drop(old);
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.stage.get() != Stage::Open
            || self.failure.borrow().is_some()
            || self.writer().is_some_and(|writer| writer.is_closing())
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused.get()
    }

    pub(crate) fn set_paused(&self, on: bool) {
        if self.is_paused.replace(on) != on {
            self.look_for_input();
        }
    }

    /// A change to TLS begins, and will read what comes.
    pub(crate) fn begin_upgrade(&self) {
        self.upgrades.set(self.upgrades.get() + 1);
        self.look_for_input();
    }

    pub(crate) fn end_upgrade(&self) {
        self.upgrades.set(self.upgrades.get() - 1);
        self.is_tls.set(self.writer().is_some_and(|writer| writer.tls().is_some()));
        self.look_for_input();
    }

    /// Ends it, when all is sent.
    pub(crate) fn close(&self) {
        if self.stage.get() != Stage::Open {
            return;
        }
        // Before the connection closes: it may then wait for the peer with a callback of its own.
        self.call_back_for_input(false);
        self.stage.set(Stage::Closing);
        if let Some(writer) = self.writer() {
            // From here on it is what owns us.
            self.watch_output(true);
            writer.close();
        }
        self.note();
    }

    /// Ends it now.
    pub(crate) fn abort(&self) {
        if self.stage.get() == Stage::Lost {
            return;
        }
        self.call_back_for_input(false);
        self.stage.set(Stage::Closing);
        if let Some(writer) = self.writer() {
            writer.abort();
        }
        self.note();
    }

    /// Ends it now, for nobody has been given a handle to it.
    pub(crate) fn give_up(&self) {
        self.is_given_up.set(true);
        self.abort();
    }

    /// Ends it now, and says why.
    pub(crate) fn fail(&self, error: io::Error) {
        self.failure.borrow_mut().get_or_insert(error);
        self.abort();
    }

    fn note(&self) {
        if let Some(this) = self.this.upgrade() {
            note(&this);
        }
    }

    /// Hears of changes of the output; as its owner, if it is closing.
    fn watch_output(&self, owns: bool) {
        let Some(writer) = self.writer() else { return };
        let (weak, owned) = (self.this.clone(), owns.then(|| self.this.upgrade()).flatten());
        let callback: Rc<dyn Fn()> = Rc::new(move || {
            let _ = &owned;
            if let Some(this) = weak.upgrade() {
                note(&this);
            }
        });
        if let Err(error) = writer.set_callback(Some(callback)) {
            // It only hears of the end of a pipe later: when something is written.
            tracing::debug!(target: "ronde", %error, "the end of a pipe can't be watched");
        }
    }

    /// Does it read, as far as we are concerned?
    fn wants_input(&self) -> bool {
        self.stage.get() == Stage::Open
            && self.is_made.get()
            && !self.is_paused.get()
            && self.upgrades.get() == 0
            && !self.has_ended.get()
            && self.reader.borrow().is_some()
    }

    /// Whether it reads may have changed.
    fn look_for_input(&self) {
        let wants = self.wants_input();
        self.call_back_for_input(wants);
        if wants {
            self.note();
        }
    }

    fn call_back_for_input(&self, on: bool) {
        if self.has_callback.replace(on) == on {
            return;
        }
        let Some(reader) = self.reader() else { return };
        let callback = on.then(|| self.this.upgrade()).flatten().map(|this| {
            let callback: Rc<dyn Fn()> = Rc::new(move || run(&this));
            callback
        });
        if let Err(error) = reader.set_callback(callback) {
            self.has_callback.set(false);
            self.fail(error);
        }
    }

    /// The first step. `false` if it came to nothing.
    fn make(&self) -> bool {
        if self.is_given_up.get() {
            // No protocol has heard of it, and none will.
            self.let_go();
            return false;
        }
        self.is_made.set(true);
        if let (Some(target), Some(this)) = (self.target(), self.this.upgrade()) {
            let transport = Transport::of(this);
            let made = self.caller.call("connection_made", || target.connection_made(&transport));
            made.unwrap_or_else(|error| self.fail(error));
        }
        self.waiters.wake();
        self.call_back_for_input(self.wants_input());
        true
    }

    /// Tells whether the output is full, if that is new.
    fn tell_of_output(&self) {
        let Some(writer) = self.writer() else { return };
        let is_full = writer.is_full();
        if self.stage.get() == Stage::Lost || self.told_full.replace(is_full) == is_full {
            return;
        }
        let Some(target) = self.target() else { return };
        let told = if is_full {
            self.caller.call("pause_writing", || target.pause_writing())
        } else if !writer.is_closed() && !self.has_failed() {
            self.caller.call("resume_writing", || target.resume_writing())
        } else {
            // It has no more room than before. It is over.
            Ok(())
        };
        told.unwrap_or_else(|error| self.fail(error));
    }

    /// Is there nothing left to send or to wait for?
    fn is_over(&self) -> bool {
        match self.writer() {
            Some(writer) => writer.is_closed(),
            None => self.stage.get() != Stage::Open || self.has_failed(),
        }
    }

    /// A write that failed leaves what has arrived before to be read.
    fn has_failed(&self) -> bool {
        self.exception().is_some()
    }

    fn exception(&self) -> Option<io::Error> {
        match self.writer() {
            Some(writer) => writer.exception(),
            None => self.reader()?.exception(),
        }
    }

    /// The last step.
    fn end(&self) {
        let error = self.failure.take().or_else(|| self.exception());
        let target = self.let_go();
        if let Some(target) = target {
            let lost = self.caller.call("connection_lost", || target.connection_lost(error));
            // Reported already, and there is nothing left to abort.
            let _ = lost;
        }
        self.waiters.wake();
    }

    /// Lets go of everything. Returns the protocol that was called.
    fn let_go(&self) -> Option<Target> {
        self.call_back_for_input(false);
        self.stage.set(Stage::Lost);
        if let Some(writer) = self.writer() {
            writer.abort();
            // Removing one never fails.
            let _ = writer.set_callback(None);
        } else {
            let reader = self.reader.take();
            drop(reader);
        }
        let target = self.target.take();
        self.waiters.wake();
        target
    }

    /// Waits until `connection_made` was called, or will never be.
    pub(crate) async fn made(&self) {
        let is_made = || self.is_made.get() || self.stage.get() == Stage::Lost;
        self.waiters.wait("a connection to be made", is_made).await;
    }

    /// Waits until `connection_lost` was called, or never will be.
    pub(crate) async fn lost(&self) {
        self.waiters.wait("a connection to be lost", || self.stage.get() == Stage::Lost).await;
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
        if self.target.borrow().as_ref().is_some_and(|target| target.is_in_use()) {
            // Somebody runs a loop while using the protocol. It is for later.
            return queue(self);
        }
        if !self.is_made.get() && !self.make() {
            return;
        }
        for _ in 0..READS_AT_ONCE {
            self.caller.look();
            self.tell_of_output();
            let has_failed = self.has_failed();
            if self.is_over() || (has_failed && !self.wants_input()) {
                return self.end();
            }
            if !self.wants_input() || self.is_closing() && !has_failed {
                return;
            }
            match self.read() {
                Input::Some => {}
                // What has arrived before the failure was read.
                Input::Nothing if has_failed => return self.end(),
                Input::Nothing => return,
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
            let transport = Transport::of(self.clone());
            tracing::warn!(target: "ronde", "a transport was open when its loop was closed: {transport:?}");
        }
        let target = self.let_go();
        drop(target);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.stage.get() == Stage::Open && self.is_made.get() && self.event_loop().get_debug() {
            let peer = self.writer().and_then(|writer| writer.peer_addr());
            tracing::warn!(
                target: "ronde",
                peer = peer.map(tracing::field::display),
                "a transport that does not read was dropped while it was open: close it"
            );
            // As dropping both halves does, but with one warning.
            if let Some(writer) = self.writer() {
                writer.close();
            }
        }
    }
}

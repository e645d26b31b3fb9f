//! What the transport of a child process is inside: the child, its pipes, and the protocol that is called.
//!
//! Each pipe is a stream transport, whose protocol is a [`PipeProtocol`]: it passes on what it hears. A task
//! waits for the child's end. Both own the link, so it lives until the child has ended and all pipes are
//! closed; and that is when `connection_lost` is called.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::{Rc, Weak};

use ronde_loop::{CloseListener, LoopHandle};
use ronde_process::Process;

use super::{Pipe, SubprocessProtocol, SubprocessTransport};
use crate::caller::{Caller, Driven, note, queue, run_after};
use crate::link::Link as StreamLink;
use crate::protocol::{Protocol, ProtocolHandle, StreamProtocol};
use crate::transport::Transport;
use crate::waiters::Waiters;

type Shared = Rc<RefCell<dyn SubprocessProtocol>>;

pub(crate) struct Link {
    this: Weak<Self>,
    caller: Caller,
    process: Process,
    pipes: RefCell<[Option<Transport>; 3]>,
    /// The second is the same as the first, to be cast to its own type. `None` once it is lost.
    protocol: RefCell<Option<(Shared, Rc<dyn Any>)>>,
    /// What could not be told when it happened.
    events: RefCell<VecDeque<Event>>,
    /// How many pipes are open, as far as the protocol knows.
    open_pipes: Cell<usize>,
    is_made: Cell<bool>,
    has_exited: Cell<bool>,
    told_exit: Cell<bool>,
    is_closed: Cell<bool>,
    is_lost: Cell<bool>,
    failure: RefCell<Option<io::Error>>,
    waiters: Waiters,
}

/// What a pipe has to tell.
enum Event {
    Data(Pipe, Vec<u8>),
    Lost(Pipe, Option<io::Error>),
    Pause,
    Resume,
}

impl Link {
    pub(super) fn new(
        event_loop: &LoopHandle,
        mut process: Process,
        protocol: (Shared, Rc<dyn Any>),
    ) -> Rc<Self> {
        let (stdin, stdout, stderr) =
            (process.take_stdin(), process.take_stdout(), process.take_stderr());
        let link = Rc::new_cyclic(|this: &Weak<Self>| Self {
            this: this.clone(),
            caller: Caller::new(event_loop.clone()),
            process,
            pipes: RefCell::default(),
            protocol: RefCell::new(Some(protocol)),
            events: RefCell::default(),
            open_pipes: Cell::new(0),
            is_made: Cell::new(false),
            has_exited: Cell::new(false),
            told_exit: Cell::new(false),
            is_closed: Cell::new(false),
            is_lost: Cell::new(false),
            failure: RefCell::default(),
            waiters: Waiters::default(),
        });
        let listener: Weak<dyn CloseListener> = link.this.clone();
        event_loop.watch_close(listener);
        // Before the pipes are: so the protocol hears of the child before it hears of them.
        queue(&link);
        let input = stdin.map(|writer| (None, Some(writer)));
        let outputs = [stdout, stderr].map(|reader| reader.map(|reader| (Some(reader), None)));
        let halves = [input].into_iter().chain(outputs);
        for (pipe, halves) in Pipe::ALL.into_iter().zip(halves) {
            let Some((reader, writer)) = halves else { continue };
            let (_, target) = PipeProtocol { link: link.clone(), pipe }.share();
            let stream = StreamLink::new(event_loop, reader, writer, target);
            link.pipes.borrow_mut()[pipe as usize] = Some(Transport::of(stream));
            link.open_pipes.set(link.open_pipes.get() + 1);
        }
        link.watch();
        link
    }

    /// Waits for the child's end, in a task that owns the link.
    fn watch(self: &Rc<Self>) {
        let watching = Watching(self.clone());
        let task = self.event_loop().create_task(async move {
            watching.0.process.wait().await;
            watching.0.has_exited.set(true);
            note(&watching.0);
        });
        task.named(format!("subprocess {}", self.process.pid())).detach();
    }

    pub(super) fn event_loop(&self) -> &LoopHandle {
        self.caller.event_loop()
    }

    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    pub(super) fn pipe(&self, pipe: Pipe) -> Option<Transport> {
        self.pipes.borrow()[pipe as usize].clone()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closed.get() || self.is_lost.get()
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.get()
    }

    pub(super) fn set_protocol(&self, protocol: (Shared, Rc<dyn Any>)) {
        if self.is_lost.get() {
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

    /// Closes the pipes, and kills the child if it runs.
    pub(super) fn close(&self) {
        if self.is_closed.replace(true) {
            return;
        }
        let pipes = self.pipes.borrow().clone();
        for pipe in pipes.iter().flatten() {
            pipe.close();
        }
        // Fails if it has ended, which is as well.
        let _ = self.process.kill();
    }

    fn fail(&self, error: io::Error) {
        self.failure.borrow_mut().get_or_insert(error);
        let pipes = self.pipes.borrow().clone();
        for pipe in pipes.iter().flatten() {
            pipe.abort();
        }
        self.close();
    }

    /// Calls the protocol. If it panics, that is the end.
    fn try_call(&self, method: &str, f: impl FnOnce()) {
        self.caller.call(method, f).unwrap_or_else(|error| self.fail(error));
    }

    /// Can the protocol be called at once?
    fn is_free(&self) -> bool {
        !self.caller.is_running()
            && self.is_made.get()
            && self.events.borrow().is_empty()
            && self.shared().is_some_and(|protocol| protocol.try_borrow_mut().is_ok())
    }

    /// A pipe has something to tell. It is called by the loop.
    fn take(self: &Rc<Self>, event: Event) {
        self.events.borrow_mut().push_back(event);
        if self.caller.is_running() {
            note(self);
        } else {
            run_after(self, || {});
        }
    }

    fn take_data(self: &Rc<Self>, pipe: Pipe, data: &[u8]) {
        match self.shared() {
            Some(protocol) if self.is_free() => run_after(self, || {
                self.try_call("pipe_data_received", || {
                    protocol.borrow_mut().pipe_data_received(pipe, data);
                });
            }),
            _ => self.take(Event::Data(pipe, data.to_vec())),
        }
    }

    fn tell(&self, protocol: &Shared, event: Event) {
        match event {
            Event::Data(pipe, data) => self.try_call("pipe_data_received", || {
                protocol.borrow_mut().pipe_data_received(pipe, &data);
            }),
            Event::Lost(pipe, error) => {
                self.open_pipes.set(self.open_pipes.get() - 1);
                self.try_call("pipe_connection_lost", || {
                    protocol.borrow_mut().pipe_connection_lost(pipe, error);
                });
            }
            Event::Pause => {
                self.try_call("pause_writing", || protocol.borrow_mut().pause_writing());
            }
            Event::Resume => {
                self.try_call("resume_writing", || protocol.borrow_mut().resume_writing());
            }
        }
    }

    fn end(&self) {
        self.is_lost.set(true);
        let error = self.failure.take();
        if let Some((protocol, _)) = self.protocol.take() {
            let lost = || protocol.borrow_mut().connection_lost(error);
            // Reported already, and there is nothing left to end.
            let _ = self.caller.call("connection_lost", lost);
        }
        self.pipes.take();
        self.waiters.wake();
    }

    /// Waits until `connection_made` was called, or will never be.
    pub(super) async fn made(&self) {
        let is_made = || self.is_made.get() || self.is_lost.get();
        self.waiters.wait("a child process to be started", is_made).await;
    }

    /// Waits until `connection_lost` was called, or never will be.
    pub(super) async fn lost(&self) {
        self.waiters.wait("a child process and its pipes to end", || self.is_lost.get()).await;
    }
}

impl Driven for Link {
    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn steps(self: &Rc<Self>) {
        let Some(protocol) = self.shared() else { return };
        if protocol.try_borrow_mut().is_err() {
            // Somebody runs a loop while using the protocol. It is for later.
            return queue(self);
        }
        if !self.is_made.replace(true) {
            let transport = SubprocessTransport::of(self.clone());
            self.try_call("connection_made", || protocol.borrow_mut().connection_made(&transport));
            self.waiters.wake();
        }
        loop {
            self.caller.look();
            // It may be another one by now.
            let Some(protocol) = self.shared() else { return };
            let event = self.events.borrow_mut().pop_front();
            if let Some(event) = event {
                self.tell(&protocol, event);
            } else if self.has_exited.get() && !self.told_exit.replace(true) {
                self.try_call("process_exited", || protocol.borrow_mut().process_exited());
            } else {
                break;
            }
        }
        if self.told_exit.get() && self.open_pipes.get() == 0 {
            self.end();
        }
    }
}

impl CloseListener for Link {
    fn loop_closes(self: Rc<Self>) {
        if self.is_lost.replace(true) {
            return;
        }
        if self.event_loop().get_debug() {
            tracing::warn!(
                target: "ronde",
                "the transport of process {} was open when its loop was closed",
                self.process.pid()
            );
        }
        let left = (self.protocol.take(), self.pipes.take());
        drop(left);
    }
}

/// A task that waits for the child's end. If it is dropped before, the child is killed.
struct Watching(Rc<Link>);

impl Drop for Watching {
    fn drop(&mut self) {
        if !self.0.has_exited.get() {
            self.0.close();
        }
    }
}

/// Passes on what a pipe's transport says.
struct PipeProtocol {
    link: Rc<Link>,
    pipe: Pipe,
}

impl Protocol for PipeProtocol {
    fn data_received(&mut self, data: &[u8]) {
        self.link.take_data(self.pipe, data);
    }

    fn pause_writing(&mut self) {
        self.link.take(Event::Pause);
    }

    fn resume_writing(&mut self) {
        self.link.take(Event::Resume);
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        self.link.take(Event::Lost(self.pipe, error));
    }
}

//! The record of a task: everything but its coroutine.

use std::any::{Any, type_name};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use ronde_context::executor::ContextSlot;
use ronde_context::{Awaited, CancelledError, Context, Wait, copy_context};
use tracing::Span;

use super::reference::TaskRef;
use crate::batch::Entry;
use crate::callback::Handle;
use crate::current;
use crate::error::{InvalidStateError, TaskError};
use crate::executor::Shared;
use crate::failure::{ExceptionContext, Failure, is_err};
use crate::inherited::{current_span, enter_span, exit_span};
use crate::listeners::{Listener, Listeners};

/// What to call when the task is done, and where that was asked for.
pub(crate) type DoneCallback = (Box<dyn FnOnce(&TaskRef)>, &'static Location<'static>);

/// A task's record, with room for its value.
pub(crate) struct Record<T> {
    pub(crate) header: Header,
    pub(crate) value: RefCell<Option<T>>,
}

/// The part of a record that doesn't depend on the type of the result.
///
/// What every step touches comes first, to be in one cache line.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) state: Cell<State>,
    pub(crate) flags: Flags,
    /// How many cancellations were asked for and not taken back.
    pub(crate) cancelling: Cell<u32>,
    /// How many of these are those of scopes in the task.
    pub(crate) cancelling_scopes: Cell<u32>,
    /// How many steps it has made.
    pub(crate) steps: Cell<u64>,
    /// What the coroutine is suspended on. Invariant: `None` once done, lest a chain of finished
    /// tasks hold one another and be dropped by recursion.
    pub(crate) waiting: RefCell<Option<Wait>>,
    /// Wakes the task. It keeps the allocation of the coroutine alive until the task is done.
    pub(crate) waker: RefCell<Option<Waker>>,
    /// Invariant: `Some` while `REQUESTED` is set, and else only while `FORWARDED` is: then it is
    /// what was passed on.
    pub(crate) requested: RefCell<Option<CancelledError>>,
    pub(crate) listeners: RefCell<Listeners<DoneCallback>>,
    /// Why there is no value. Invariant: `Some` exactly in the states `Cancelled` and `Panicked`.
    pub(crate) error: RefCell<Option<TaskError>>,
    /// What the task runs in. While it is polled, here is what ran before.
    pub(crate) context: ContextSlot,
    /// The span that the task was created in. `None` if nobody traces.
    pub(crate) span: Option<Box<Span>>,
    pub(crate) number: u64,
    /// The number of the task that created it, or zero.
    pub(crate) parent: u64,
    /// How long its steps took, in nanoseconds, as far as that was measured.
    pub(crate) busy: Cell<u64>,
    pub(crate) executor: Weak<Shared>,
    /// Where the task is in `Shared::tasks`.
    pub(crate) index: Cell<usize>,
    /// The type of the coroutine. Trimmed only when somebody asks: spawning is hot.
    pub(crate) coroutine_type: &'static str,
    pub(crate) created_at: &'static Location<'static>,
    /// `None` means `Task-<number>`, which is only put together when somebody asks.
    pub(crate) name: RefCell<Option<Rc<str>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Returned,
    Cancelled,
    Panicked,
}

/// All that is rare, in one word, so that the usual poll makes one test.
#[derive(Default)]
pub(crate) struct Flags(Cell<u16>);

/// A cancellation waits to be delivered.
pub(crate) const REQUESTED: u16 = 1;
/// The request stands: a later one doesn't replace its message. It was made while the task was
/// suspended, where asyncio would have cancelled the future at once. In a task that is done: everybody
/// gets the message.
pub(crate) const STICKY: u16 = 1 << 1;
/// A cancellation was passed on to what the task waits for.
pub(crate) const FORWARDED: u16 = 1 << 2;
/// The executor is being closed: the coroutine is dropped at its next step.
pub(crate) const ABANDONED: u16 = 1 << 3;
/// Somebody has looked at the outcome.
pub(crate) const OBSERVED: u16 = 1 << 4;
/// The first step has been made.
pub(crate) const STARTED: u16 = 1 << 5;
/// Whether the task fails is to be known also when its value has been moved out.
pub(crate) const WATCHED: u16 = 1 << 6;
/// A watched task has returned an `Err`.
pub(crate) const FAILED: u16 = 1 << 7;
/// Somebody wants to know of each step: see `instruments.rs`.
pub(crate) const INSTRUMENTED: u16 = 1 << 8;

impl Flags {
    #[inline]
    pub(crate) fn any(&self, mask: u16) -> bool {
        self.0.get() & mask != 0
    }

    #[inline]
    pub(crate) fn set(&self, mask: u16) {
        self.0.set(self.0.get() | mask);
    }

    #[inline]
    pub(crate) fn clear(&self, mask: u16) {
        self.0.set(self.0.get() & !mask);
    }
}

/// A record whose type of result is forgotten.
pub(crate) trait AnyTask: Awaited {
    fn header(&self) -> &Header;
    fn awaited(self: Rc<Self>) -> Rc<dyn Awaited>;
    fn any(self: Rc<Self>) -> Rc<dyn Any>;
    /// Did it panic, or return an `Err`?
    fn has_failed(&self) -> bool;
}

impl<T: 'static> AnyTask for Record<T> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn awaited(self: Rc<Self>) -> Rc<dyn Awaited> {
        self
    }

    fn any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn has_failed(&self) -> bool {
        match self.header.state.get() {
            State::Panicked => true,
            State::Returned if self.header.flags.any(FAILED) => true,
            State::Returned => self.value.borrow().as_ref().is_some_and(is_err),
            State::Pending | State::Cancelled => false,
        }
    }
}

impl<T: 'static> Record<T> {
    pub(crate) fn new(
        executor: &Rc<Shared>,
        coroutine_type: &'static str,
        created_at: &'static Location<'static>,
        context: Option<Context>,
    ) -> Rc<Self> {
        Rc::new(Self {
            header: Header {
                number: executor.next_task_number(),
                parent: current::current_number(executor),
                steps: Cell::new(0),
                busy: Cell::new(0),
                executor: Rc::downgrade(executor),
                coroutine_type,
                created_at,
                context: ContextSlot::of(context.unwrap_or_else(copy_context)),
                span: current_span(),
                name: RefCell::new(None),
                state: Cell::new(State::Pending),
                flags: Flags::default(),
                cancelling: Cell::new(0),
                cancelling_scopes: Cell::new(0),
                index: Cell::new(usize::MAX),
                requested: RefCell::new(None),
                waiting: RefCell::new(None),
                waker: RefCell::new(None),
                error: RefCell::new(None),
                listeners: RefCell::new(Listeners::new()),
            },
            value: RefCell::new(None),
        })
    }

    /// The task is done, with an outcome. Queues whoever waits for it, in order of registration.
    pub(crate) fn finish(self: &Rc<Self>, outcome: Result<T, TaskError>) {
        let header = &self.header;
        header.state.set(match &outcome {
            Ok(_) => State::Returned,
            Err(TaskError::Cancelled(_)) => State::Cancelled,
            Err(_) => State::Panicked,
        });
        match outcome {
            Ok(value) => {
                if header.flags.any(WATCHED) && is_err(&value) {
                    header.flags.set(FAILED);
                }
                *self.value.borrow_mut() = Some(value);
            }
            Err(error) => *header.error.borrow_mut() = Some(error),
        }
        header.flags.clear(REQUESTED | FORWARDED);
        header.requested.take();
        header.waiting.take();
        header.waker.take();

        let executor = header.executor.upgrade();
        if let Some(executor) = &executor {
            let _task = executor.tasks.borrow_mut().try_remove(header.index.get());
            if header.flags.any(INSTRUMENTED) {
                executor.task_done(&TaskRef::new(self.clone()));
            }
        }
        let listeners = header.listeners.borrow_mut().take();
        for listener in listeners {
            match listener {
                Listener::Waker(waker) => waker.wake(),
                Listener::Callback(callback) => {
                    if let Some(executor) = &executor {
                        executor.ready.push(self.callback_entry(callback));
                    }
                }
            }
        }
    }

    fn callback_entry(self: &Rc<Self>, (callback, added_at): DoneCallback) -> Entry {
        let task = TaskRef::new(self.clone());
        Entry::Callback(Handle::registered_at(added_at, move || callback(&task)))
    }

    /// Moves the outcome out. The value is there once.
    pub(crate) fn take_outcome(&self) -> Result<T, TaskError> {
        self.header.check_outcome()?;
        self.value.take().ok_or(InvalidStateError::Taken.into())
    }

    /// The outcome, with the value as `read` sees it.
    pub(crate) fn read_outcome<R>(&self, read: impl FnOnce(&T) -> R) -> Result<R, TaskError> {
        self.header.check_outcome()?;
        self.value.borrow().as_ref().map(read).ok_or(InvalidStateError::Taken.into())
    }
}

impl Header {
    /// It never reaches the end of the number, so nothing checks for that.
    #[inline]
    pub(crate) fn count_step(&self) {
        self.steps.set(self.steps.get().wrapping_add(1));
    }

    pub(crate) fn add_busy_time(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.busy.set(self.busy.get().saturating_add(took));
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state.get() != State::Pending
    }

    /// `Ok` if the task returned.
    fn check_outcome(&self) -> Result<(), TaskError> {
        if !self.is_done() {
            return Err(InvalidStateError::Pending.into());
        }
        self.flags.set(OBSERVED);
        match self.take_error() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The error that the task ended with. A cancellation's message goes to the first who asks,
    /// unless it sticks.
    pub(crate) fn take_error(&self) -> Option<TaskError> {
        let mut error = self.error.borrow_mut();
        let taken = error.clone();
        if let Some(TaskError::Cancelled(cancelled)) = &mut *error
            && !self.flags.any(STICKY)
        {
            *cancelled = std::mem::take(cancelled).without_message();
        }
        taken
    }

    /// A step begins: it runs in the task's own context and span.
    #[inline]
    pub(crate) fn enter_inherited(&self) {
        self.context.enter();
        if let Some(span) = &self.span {
            enter_span(span);
        }
    }

    /// The step is over. Panics have been caught in it.
    #[inline]
    pub(crate) fn leave_inherited(&self) {
        if let Some(span) = &self.span {
            exit_span(span);
        }
        self.context.enter();
    }

    /// The name of the coroutine: an `async` block's type is a closure of the function it is in.
    pub(crate) fn coroutine(&self) -> &'static str {
        self.coroutine_type.trim_end_matches("::{{closure}}")
    }

    pub(crate) fn name(&self) -> Rc<str> {
        match &*self.name.borrow() {
            Some(name) => name.clone(),
            None => format!("Task-{}", self.number).into(),
        }
    }

    /// `<Task pending name='Task-1' coro=<app::main> created at src/main.rs:7:5` and what follows.
    pub(crate) fn write_debug(
        &self,
        f: &mut fmt::Formatter<'_>,
        result: Option<&dyn fmt::Debug>,
    ) -> fmt::Result {
        let state = match self.state.get() {
            State::Pending if self.cancelling.get() > 0 => "cancelling",
            State::Pending => "pending",
            State::Cancelled => "cancelled",
            State::Returned | State::Panicked => "finished",
        };
        write!(f, "<Task {state} name='{}' coro=<{}>", self.name(), self.coroutine())?;
        write!(f, " created at {}", self.created_at)?;
        let waiting = self.waiting.borrow().clone();
        if let Some(waiting) = waiting {
            write!(f, " wait_for={waiting:?}")?;
        }
        if let Some(TaskError::Panicked(panic)) = &*self.error.borrow() {
            write!(f, " exception={panic:?}")?;
        }
        if let Some(result) = result {
            write!(f, " result={result:?}")?;
        }
        f.write_str(">")
    }
}

impl<T> Drop for Record<T> {
    /// Reports a failure that nobody ever looked at.
    fn drop(&mut self) {
        let header = &self.header;
        if header.flags.any(OBSERVED) {
            return;
        }
        let failure = match header.state.get() {
            State::Panicked => match header.error.take() {
                Some(TaskError::Panicked(panic)) => Failure::Panic(panic),
                _ => return,
            },
            State::Returned if self.value.get_mut().as_ref().is_some_and(is_err) => {
                Failure::Err { type_name: type_name::<T>() }
            }
            _ => return,
        };
        let context = ExceptionContext {
            created_at: Some(header.created_at),
            ..ExceptionContext::new(
                format!("the failure of task '{}' was never looked at", header.name()),
                failure,
            )
        };
        match header.executor.upgrade() {
            Some(executor) => executor.call_exception_handler(&context),
            None => context.report(),
        }
    }
}

//! What the coroutines of one program share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use ronde::low_level::{Handle, LoopHandle, TimerHandle};
use ronde::{AsChild, CallbackId, Child, ChildRef, IntoChild, Promise, Task, TaskId, current_task};

use crate::interp;
use crate::ops::{Generator, Primitives};
use crate::parse::Code;
use crate::trace::Trace;
use crate::value::{Exc, Outcome};

pub(crate) struct Runtime {
    pub(crate) code: Rc<Code>,
    pub(crate) event_loop: LoopHandle,
    pub(crate) trace: Trace,
    pub(crate) primitives: Primitives,
    /// Every task, in order of creation. Nothing is released before the program's end.
    pub(crate) tasks: RefCell<Vec<Rc<TaskVar>>>,
    /// Those whose names begin with `$`.
    pub(crate) slots: Variables,
    /// Every future that has a label, in order.
    futures: RefCell<Vec<Promise<Outcome>>>,
    /// Those generators that were left open.
    pub(crate) generators: RefCell<Vec<Generator>>,
    globals: RefCell<HashMap<String, i64>>,
}

/// The variables of one activation of a coroutine, or of the whole program.
#[derive(Default)]
pub(crate) struct Variables {
    things: RefCell<HashMap<String, Thing>>,
    handles: RefCell<HashMap<String, AnyHandle>>,
}

/// What a variable holds.
#[derive(Clone)]
pub(crate) enum Thing {
    Task(Rc<TaskVar>),
    /// A plain future, or a `gather` or `shield` that was not awaited on the spot.
    Future(Rc<FutureVar>),
}

pub(crate) struct TaskVar {
    pub(crate) task: Task<Outcome>,
    pub(crate) callbacks: DoneCallbacks,
}

pub(crate) struct FutureVar {
    pub(crate) promise: Promise<Outcome>,
    pub(crate) label: String,
    pub(crate) callbacks: DoneCallbacks,
}

/// The done callbacks that were registered, by message.
pub(crate) type DoneCallbacks = RefCell<Vec<(String, CallbackId)>>;

#[derive(Clone)]
pub(crate) enum AnyHandle {
    Soon(Handle),
    Later(TimerHandle),
}

impl Runtime {
    pub(crate) fn new(code: Rc<Code>, event_loop: LoopHandle, trace: Trace) -> Rc<Self> {
        Rc::new(Self {
            primitives: Primitives::new(&code.decl),
            code,
            event_loop,
            trace,
            tasks: RefCell::default(),
            slots: Variables::default(),
            futures: RefCell::default(),
            generators: RefCell::default(),
            globals: RefCell::default(),
        })
    }

    /// Starts a coroutine as a task.
    pub(crate) fn create_task(self: &Rc<Self>, coro: &str, name: Option<&str>) -> Rc<TaskVar> {
        let created = self.create_task_with::<Infallible>(coro, name, |future| {
            Ok(self.event_loop.create_task(future))
        });
        created.unwrap_or_else(|never| match never {})
    }

    /// Starts a coroutine as a task, in a way that may be refused.
    pub(crate) fn create_task_with<E>(
        self: &Rc<Self>,
        coro: &str,
        name: Option<&str>,
        create: impl FnOnce(Pin<Box<dyn Future<Output = Outcome>>>) -> Result<Task<Outcome>, E>,
    ) -> Result<Rc<TaskVar>, E> {
        let task = create(Box::pin(interp::coroutine(self.clone(), coro.to_owned())))?;
        Ok(self.label(task, name))
    }

    /// Gives a task its name and its number.
    pub(crate) fn label(&self, task: Task<Outcome>, name: Option<&str>) -> Rc<TaskVar> {
        let mut tasks = self.tasks.borrow_mut();
        let name = name.map_or_else(|| format!("T{}", tasks.len() + 1), str::to_owned);
        let var = Rc::new(TaskVar { task: task.named(name), callbacks: RefCell::default() });
        tasks.push(var.clone());
        var
    }

    /// What a task has raised.
    pub(crate) fn exception_of(&self, task: TaskId) -> Exc {
        let tasks = self.tasks.borrow();
        let var = tasks.iter().find(|var| var.task.id() == task);
        let outcome = var.expect("every task is in here").task.result();
        outcome.map_err(Exc::from).and_then(|outcome| outcome).expect_err("it has failed")
    }

    /// Gives a future its label.
    pub(crate) fn label_future(&self, promise: Promise<Outcome>) -> Thing {
        let mut futures = self.futures.borrow_mut();
        futures.push(promise.clone());
        let label = format!("F{}", futures.len());
        Thing::Future(Rc::new(FutureVar { promise, label, callbacks: RefCell::default() }))
    }

    /// The variable `self`.
    pub(crate) fn current(&self) -> Option<Thing> {
        let current = current_task()?;
        let tasks = self.tasks.borrow();
        tasks.iter().find(|var| *var.task == current).cloned().map(Thing::Task)
    }

    pub(crate) fn global(&self, name: &str) -> i64 {
        self.globals.borrow().get(name).copied().unwrap_or(0)
    }

    pub(crate) fn set_global(&self, name: &str, value: i64) {
        self.globals.borrow_mut().insert(name.to_owned(), value);
        self.trace.line(&format!("set {name} {value}"));
    }

    /// Releases everything: tasks refer to the runtime, and it refers to them.
    pub(crate) fn clear(&self) {
        // What nobody looked at would be reported otherwise.
        self.futures.take().iter().for_each(|promise| drop(promise.with_result(|_| ())));
        let _tasks = self.tasks.take();
        let _generators = self.generators.take();
        let _things = self.slots.things.take();
        let _handles = self.slots.handles.take();
    }
}

impl Variables {
    pub(crate) fn get(&self, name: &str) -> Option<Thing> {
        self.things.borrow().get(name).cloned()
    }

    pub(crate) fn set(&self, name: &str, thing: Thing) {
        let _previous = self.things.borrow_mut().insert(name.to_owned(), thing);
    }

    pub(crate) fn handle(&self, name: &str) -> Option<AnyHandle> {
        self.handles.borrow().get(name).cloned()
    }

    pub(crate) fn set_handle(&self, name: &str, handle: AnyHandle) {
        let _previous = self.handles.borrow_mut().insert(name.to_owned(), handle);
    }
}

/// To be given to something like `gather`.
impl IntoChild for Thing {
    type Value = Outcome;

    fn into_child(self) -> Child<Outcome> {
        match &self {
            Thing::Task(var) => (&var.task).into_child(),
            Thing::Future(var) => (&var.promise).into_child(),
        }
    }
}

/// To be given to `wait`.
impl AsChild for Thing {
    fn as_child(&self) -> ChildRef {
        match self {
            Thing::Task(var) => var.task.as_child(),
            Thing::Future(var) => var.promise.as_child(),
        }
    }
}

impl Thing {
    pub(crate) fn name(&self) -> String {
        match self {
            Thing::Task(var) => var.task.name().to_string(),
            Thing::Future(var) => var.label.clone(),
        }
    }

    pub(crate) fn done(&self) -> bool {
        match self {
            Thing::Task(var) => var.task.done(),
            Thing::Future(var) => var.promise.done(),
        }
    }

    pub(crate) fn cancelled(&self) -> bool {
        match self {
            Thing::Task(var) => var.task.cancelled(),
            Thing::Future(var) => var.promise.cancelled(),
        }
    }

    pub(crate) fn cancel(&self, message: Option<&str>) -> bool {
        match (self, message) {
            (Thing::Task(var), None) => var.task.cancel(),
            (Thing::Task(var), Some(message)) => var.task.cancel_msg(message),
            (Thing::Future(var), None) => var.promise.cancel(),
            (Thing::Future(var), Some(message)) => var.promise.cancel_msg(message),
        }
    }

    /// What it ended with, or the exception that asking for it raises.
    pub(crate) fn result(&self) -> Outcome {
        match self {
            Thing::Task(var) => var.task.result()?,
            Thing::Future(var) => var.promise.result()?,
        }
    }

    /// Waits for it.
    pub(crate) async fn wait(&self) -> Outcome {
        match self {
            Thing::Task(var) => (&var.task).await?,
            Thing::Future(var) => (&var.promise).await?,
        }
    }

    /// What it ended with, without the message of a cancellation: asking for that would take it.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.cancelled() {
            return Err(Exc::Cancelled(Default::default()));
        }
        self.result()
    }

    pub(crate) fn callbacks(&self) -> &DoneCallbacks {
        match self {
            Thing::Task(var) => &var.callbacks,
            Thing::Future(var) => &var.callbacks,
        }
    }

    pub(crate) fn add_done_callback(&self, callback: impl FnOnce() + 'static) -> CallbackId {
        match self {
            Thing::Task(var) => var.task.add_done_callback(|_| callback()),
            Thing::Future(var) => var.promise.add_done_callback(|_| callback()),
        }
    }

    pub(crate) fn remove_done_callback(&self, id: CallbackId) -> bool {
        match self {
            Thing::Task(var) => var.task.remove_done_callback(id),
            Thing::Future(var) => var.promise.remove_done_callback(id),
        }
    }
}

impl AnyHandle {
    pub(crate) fn cancel(&self) {
        match self {
            AnyHandle::Soon(handle) => handle.cancel(),
            AnyHandle::Later(handle) => handle.cancel(),
        }
    }
}

//! What can be known of each step beyond what is always kept, for those who ask for it.
//!
//! All of it is off by default, and then costs nothing: a task has a flag, and the test for it is one
//! that each step makes anyway, together with others.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ronde_context::Context;

use crate::current;
use crate::error::PanicError;
use crate::executor::{Executor, Shared};
use crate::failure::{ExceptionContext, Failure};
use crate::task::{INSTRUMENTED, TaskRef};

/// Changes how each task is created: see [`Executor::set_task_factory`].
pub type TaskFactory = Rc<dyn Fn(&mut NewTask<'_>)>;

/// A task that is being created, as a [`TaskFactory`] gets it. Derefs to the task: see
/// [`set_name`](TaskRef::set_name), for example.
#[derive(Debug)]
pub struct NewTask<'a> {
    task: &'a TaskRef,
    eager: bool,
}

impl NewTask<'_> {
    /// The task. Its first step is still to come.
    pub fn task(&self) -> &TaskRef {
        self.task
    }

    /// Is its first step to run at once? See [`TaskBuilder::eager`](crate::TaskBuilder::eager).
    pub fn is_eager(&self) -> bool {
        self.eager
    }

    /// Has the first step run at once, or not.
    pub fn set_eager(&mut self, eager: bool) {
        self.eager = eager;
    }

    /// Has the task run in another context than the one it was created in.
    pub fn set_context(&mut self, context: Context) {
        self.task.header().context.replace(context);
    }
}

impl Deref for NewTask<'_> {
    type Target = TaskRef;

    fn deref(&self) -> &TaskRef {
        self.task
    }
}

/// Is told of the life of every task: see [`Executor::set_task_observer`].
///
/// Each method does nothing unless it is overridden. They are called on the executor's thread, in the
/// middle of things, so they should be quick. They may use the executor; a panic in one goes to the
/// exception handler, and changes nothing else.
///
/// # In asyncio
///
/// There is no such thing. Frameworks replace the task class by way of a task factory.
pub trait TaskObserver {
    /// A task has been created. Its first step comes later, even if it is eager.
    fn created(&self, task: &TaskRef) {
        _ = task;
    }

    /// A step of the task begins. It is the current task, and its context is entered.
    fn before_step(&self, task: &TaskRef) {
        _ = task;
    }

    /// A step of the task is over: it is suspended, or about to be done. It is still the current task.
    fn after_step(&self, task: &TaskRef) {
        _ = task;
    }

    /// The task is done. Who waits for it will hear of it in the turns that follow.
    fn done(&self, task: &TaskRef) {
        _ = task;
    }
}

/// Is told what runs, as it begins and ends: see [`Executor::set_entry_watch`].
pub trait EntryWatch {
    /// A step or a callback begins, perhaps inside another one: an eager task's first step does.
    fn begins(&self, entry: RunningEntry<'_>);

    /// What began last is over.
    fn ends(&self);
}

/// What runs right now.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum RunningEntry<'a> {
    /// A step of a task.
    Task(&'a TaskRef),
    /// A callback.
    #[non_exhaustive]
    Callback {
        /// Where it was registered, if that is known.
        created_at: Option<&'static Location<'static>>,
    },
}

impl fmt::Display for RunningEntry<'_> {
    /// `task 'name' (app::main, created at src/main.rs:7:5)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(task) => {
                let (name, coroutine, created_at) =
                    (task.name(), task.coroutine(), task.created_at());
                write!(f, "task '{name}' ({coroutine}, created at {created_at})")
            }
            Self::Callback { created_at: Some(location) } => {
                write!(f, "the callback created at {location}")
            }
            Self::Callback { created_at: None } => f.write_str("a callback"),
        }
    }
}

#[derive(Default)]
pub(crate) struct Instruments {
    /// Is there a factory? Are steps looked at? Read whenever a task is created.
    on: Cell<u8>,
    factory: RefCell<Option<TaskFactory>>,
    observer: RefCell<Option<Rc<dyn TaskObserver>>>,
    watch: RefCell<Option<Rc<dyn EntryWatch>>>,
    /// Are tasks to know how long they have run?
    timing: Cell<bool>,
    /// What takes as long as this is reported.
    slow: Cell<Option<Duration>>,
    /// What is under way, innermost last.
    open: RefCell<Vec<Open>>,
}

const FACTORY: u8 = 1;
const STEPS: u8 = 2;

struct Open {
    what: What,
    began: Option<Instant>,
    watch: Option<Rc<dyn EntryWatch>>,
}

#[derive(PartialEq)]
enum What {
    Task(TaskRef),
    Callback(Option<&'static Location<'static>>),
}

impl What {
    fn of(entry: RunningEntry<'_>) -> Self {
        match entry {
            RunningEntry::Task(task) => Self::Task(task.clone()),
            RunningEntry::Callback { created_at } => Self::Callback(created_at),
        }
    }

    fn entry(&self) -> RunningEntry<'_> {
        match self {
            Self::Task(task) => RunningEntry::Task(task),
            Self::Callback(created_at) => RunningEntry::Callback { created_at: *created_at },
        }
    }
}

impl Instruments {
    /// Is anything on that concerns tasks that are created?
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.on.get() != 0
    }

    /// Are steps and callbacks looked at?
    #[inline]
    pub(crate) fn steps(&self) -> bool {
        self.on.get() & STEPS != 0
    }

    fn observe(&self, executor: &Shared, call: impl FnOnce(&dyn TaskObserver)) {
        let observer = self.observer.borrow().clone();
        if let Some(observer) = observer
            && let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(&*observer)))
        {
            let failure = Failure::Panic(PanicError::of(panic));
            let context = ExceptionContext::new("a task observer failed", failure);
            executor.call_exception_handler(&context);
        }
    }

    fn begin(&self, entry: RunningEntry<'_>) {
        let watch = self.watch.borrow().clone();
        if let Some(watch) = &watch {
            watch.begins(entry);
        }
        let timed = self.timing.get() || self.slow.get().is_some();
        let what = What::of(entry);
        // The clock is read late, and at the end early: what is measured is the step.
        let began = timed.then(Instant::now);
        self.open.borrow_mut().push(Open { what, began, watch });
    }

    /// `entry` is over. Nothing happens if its beginning was not seen, because this was turned on
    /// meanwhile.
    fn end(&self, entry: RunningEntry<'_>) {
        let now = Instant::now();
        let what = What::of(entry);
        let open = self.open.borrow_mut().pop_if(|open| open.what == what);
        let Some(Open { began, watch, .. }) = open else { return };
        if let Some(watch) = watch {
            watch.ends();
        }
        let Some(took) = began.map(|began| now.duration_since(began)) else { return };
        if let RunningEntry::Task(task) = entry {
            task.header().add_busy_time(took);
        }
        if self.slow.get().is_some_and(|limit| took >= limit) {
            report_slow(entry, took);
        }
    }

    /// Has `watch` know of what is under way, which may be the step that sets it.
    fn set_watch(&self, executor: &Rc<Shared>, watch: Option<Rc<dyn EntryWatch>>) {
        let mut open = self.open.take();
        for entry in open.iter_mut().rev() {
            if let Some(watch) = entry.watch.take() {
                watch.ends();
            }
        }
        if open.is_empty()
            && let Some(task) = current::current_task()
            && task.header().executor.as_ptr() == Rc::as_ptr(executor)
        {
            open.push(Open { what: What::Task(task), began: None, watch: None });
        }
        if let Some(watch) = &watch {
            for entry in &mut open {
                watch.begins(entry.what.entry());
                entry.watch = Some(watch.clone());
            }
        }
        let _nothing = self.open.replace(open);
        let _previous = self.watch.replace(watch);
        self.settle(executor);
    }

    /// After a change: do steps have to be looked at?
    fn settle(&self, executor: &Shared) {
        let has_factory = self.factory.borrow().is_some();
        let steps = self.timing.get()
            || self.slow.get().is_some()
            || self.observer.borrow().is_some()
            || self.watch.borrow().is_some();
        self.on.set(u8::from(has_factory) * FACTORY + u8::from(steps) * STEPS);
        for (_, task) in executor.tasks.borrow().iter() {
            if steps {
                task.header().flags.set(INSTRUMENTED);
            } else {
                task.header().flags.clear(INSTRUMENTED);
            }
        }
        if !steps {
            let open = self.open.take();
            open.iter().filter_map(|open| open.watch.as_ref()).for_each(|watch| watch.ends());
        }
    }
}

fn report_slow(entry: RunningEntry<'_>, took: Duration) {
    if tracing::dispatcher::has_been_set() {
        tracing::warn!(target: "ronde", ?took, "{entry} blocked the loop for {took:?}");
    } else {
        eprintln!("ronde: {entry} blocked the loop for {took:?}");
    }
}

impl Shared {
    /// A task is there, and hasn't started. Returns whether it is to be eager.
    #[cold]
    pub(crate) fn task_created(&self, task: &TaskRef, eager: bool) -> bool {
        if self.instruments.steps() {
            task.header().flags.set(INSTRUMENTED);
        }
        let factory = self.instruments.factory.borrow().clone();
        let mut new = NewTask { task, eager };
        if let Some(factory) = factory
            && let Err(panic) = catch_unwind(AssertUnwindSafe(|| factory(&mut new)))
        {
            let failure = Failure::Panic(PanicError::of(panic));
            self.call_exception_handler(&ExceptionContext::new("the task factory failed", failure));
        }
        self.instruments.observe(self, |observer| observer.created(task));
        new.eager
    }

    #[cold]
    pub(crate) fn step_begins(&self, task: &TaskRef) {
        self.instruments.observe(self, |observer| observer.before_step(task));
        self.instruments.begin(RunningEntry::Task(task));
    }

    #[cold]
    pub(crate) fn step_ends(&self, task: &TaskRef) {
        self.instruments.end(RunningEntry::Task(task));
        self.instruments.observe(self, |observer| observer.after_step(task));
    }

    #[cold]
    pub(crate) fn task_done(&self, task: &TaskRef) {
        self.instruments.observe(self, |observer| observer.done(task));
    }

    /// Runs something that is no step of a task, and looks at it.
    #[cold]
    pub(crate) fn run_callback_watched<R>(
        &self,
        created_at: Option<&'static Location<'static>>,
        callback: impl FnOnce() -> R,
    ) -> R {
        let entry = RunningEntry::Callback { created_at };
        self.instruments.begin(entry);
        let result = catch_unwind(AssertUnwindSafe(callback));
        self.instruments.end(entry);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Executor {
    /// Sets what changes how each task is created; `None` leaves all as it is.
    ///
    /// It is called with every task that is created on this executor, by whichever function, before it
    /// starts, and may give it another name or context, add a done callback, or have it start eagerly.
    /// Without a factory this costs one test. To see each step there is
    /// [`set_task_observer`](Self::set_task_observer). A panic in it goes to the exception handler, and
    /// the task starts all the same.
    ///
    /// ```
    /// # use ronde_executor::Executor;
    /// use std::rc::Rc;
    ///
    /// let executor = Executor::new(|| {});
    /// executor.set_task_factory(Some(Rc::new(|new| new.set_name(format!("job {}", new.id())))));
    /// assert_eq!(&*executor.spawn(async {}).name(), "job 1");
    /// # executor.run_batch();
    /// ```
    pub fn set_task_factory(&self, factory: Option<TaskFactory>) {
        let _previous = self.shared.instruments.factory.replace(factory);
        self.shared.instruments.settle(&self.shared);
    }

    /// The factory that was set, if one was.
    pub fn task_factory(&self) -> Option<TaskFactory> {
        self.shared.instruments.factory.borrow().clone()
    }

    /// Sets who is told of the life of every task; `None` is nobody, which costs nothing.
    ///
    /// ```
    /// # use ronde_executor::{Executor, TaskObserver, TaskRef};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// #[derive(Default)]
    /// struct Log(RefCell<Vec<String>>);
    ///
    /// impl TaskObserver for Log {
    ///     fn before_step(&self, task: &TaskRef) {
    ///         self.0.borrow_mut().push(format!("{} runs", task.name()));
    ///     }
    ///     fn done(&self, task: &TaskRef) {
    ///         self.0.borrow_mut().push(format!("{} is done", task.name()));
    ///     }
    /// }
    ///
    /// let (executor, log) = (Executor::new(|| {}), Rc::new(Log::default()));
    /// executor.set_task_observer(Some(log.clone()));
    /// executor.spawn(async {}).detach();
    /// executor.run_batch();
    /// assert_eq!(log.0.take(), ["Task-1 runs", "Task-1 is done"]);
    /// ```
    pub fn set_task_observer(&self, observer: Option<Rc<dyn TaskObserver>>) {
        let _previous = self.shared.instruments.observer.replace(observer);
        self.shared.instruments.settle(&self.shared);
    }

    /// The observer that was set, if one was.
    pub fn task_observer(&self) -> Option<Rc<dyn TaskObserver>> {
        self.shared.instruments.observer.borrow().clone()
    }

    /// Sets who is told what runs: for those who notice when something runs for too long.
    ///
    /// It is told at once of the task that sets it, and of the end of what runs when it is replaced. It
    /// must not run tasks or callbacks itself.
    pub fn set_entry_watch(&self, watch: Option<Rc<dyn EntryWatch>>) {
        self.shared.instruments.set_watch(&self.shared, watch);
    }

    /// Who is told what runs, if anybody is.
    pub fn entry_watch(&self) -> Option<Rc<dyn EntryWatch>> {
        self.shared.instruments.watch.borrow().clone()
    }

    /// Has each task know how long it has run: [`TaskRef::busy_time`]. That is two readings of the
    /// clock at every step and every callback.
    pub fn set_timing(&self, timing: bool) {
        self.shared.instruments.timing.set(timing);
        self.shared.instruments.settle(&self.shared);
    }

    /// Has each step and each callback reported that takes as long as `limit`: by name and place, as a
    /// warning of `tracing` or, in a program without a subscriber, on the standard error output. `None`
    /// reports nothing. With a limit, tasks know how long they have run, too.
    pub fn set_slow_limit(&self, limit: Option<Duration>) {
        self.shared.instruments.slow.set(limit);
        self.shared.instruments.settle(&self.shared);
    }

    /// Runs something that is no entry of the queue as if it were a callback: for those who watch, and
    /// for [`set_slow_limit`](Self::set_slow_limit).
    ///
    /// # Panics
    ///
    /// If `callback` does.
    pub fn run_watched<R>(&self, callback: impl FnOnce() -> R) -> R {
        if self.shared.instruments.steps() {
            self.shared.run_callback_watched(None, callback)
        } else {
            callback()
        }
    }
}

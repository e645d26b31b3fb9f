//! Debug mode, hooks, and reports of what all the tasks are doing.

use std::rc::Rc;
use std::time::Duration;

use ronde_executor::{
    ExceptionContext, FutureCallGraph, TaskFactory, TaskObserver, TaskRef, WaitCycle, current_task,
};

use crate::handle::{LoopHandle, Shared};

/// How long a callback or a step of a task may take before debug mode tells of it, to begin with.
///
/// # In asyncio
///
/// The default of `loop.slow_callback_duration`.
pub const SLOW_CALLBACK_DURATION: Duration = Duration::from_millis(100);

impl Shared {
    pub(crate) fn set_debug(&self, debug: bool) {
        self.debug.set(debug);
        self.executor.set_slow_limit(debug.then(|| self.slow_callback_duration.get()));
    }
}

impl LoopHandle {
    /// Is debug mode on?
    pub fn get_debug(&self) -> bool {
        self.shared.debug.get()
    }

    /// Turns debug mode on or off. It begins with what [`Builder::debug`](crate::Builder::debug) says,
    /// or the variable `RONDE_DEBUG`.
    ///
    /// In debug mode each callback and each step of a task that blocks the loop for
    /// [`slow_callback_duration`](Self::slow_callback_duration) or longer is reported when it is over:
    /// the task by its name, its coroutine and the place where it was created, the callback by the place
    /// where it was registered. The report is a warning of `tracing` with the target `ronde`, or, in a
    /// program without a subscriber, a line on the standard error output. And each task knows how long it
    /// has run: [`TaskRef::busy_time`]. What is reported *while* it blocks is a matter for a
    /// [`StallWatchdog`](crate::StallWatchdog).
    ///
    /// What is dropped while it is open is told of as well: a connection that nobody has closed, or whose
    /// last output wasn't sent yet; a child process that runs and that nobody waits for.
    ///
    /// The price is two readings of the clock for each step and each callback. Without debug mode there is
    /// none.
    ///
    /// # In asyncio
    ///
    /// `loop.set_debug`. Some of what debug mode is for there is always on here, as the places where tasks
    /// and callbacks were created, and some is a matter of types: calls from a wrong thread don't compile,
    /// and the compiler warns of a future that isn't awaited.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use std::time::Duration;
    /// let event_loop = EventLoop::new()?;
    /// event_loop.set_debug(true);
    /// event_loop.run_until_complete(async {
    ///     std::thread::sleep(Duration::from_millis(101)); // It should be `sleep(..).await`.
    /// })?;
    /// // ronde: task 'Task-1' (app::main, created at src/main.rs:3:16) blocked the loop for 101.1ms
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn set_debug(&self, debug: bool) {
        self.shared.set_debug(debug);
    }

    /// In debug mode, tells of what is probably a mistake of the program, as of a connection that is dropped
    /// while it is open: a warning of `tracing`, or a line on the standard error output. For those who build
    /// on the loop. Without debug mode, `message` isn't asked whether there is anything to tell.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// let event_loop = EventLoop::builder().debug(true).build()?;
    /// let door_is_open = true;
    /// event_loop.warn_in_debug(|| door_is_open.then(|| "a door was dropped open".to_owned()));
    /// event_loop.set_debug(false);
    /// event_loop.warn_in_debug(|| unreachable!());
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn warn_in_debug(&self, message: impl FnOnce() -> Option<String>) {
        if !self.get_debug() {
            return;
        }
        let Some(message) = message() else { return };
        if tracing::dispatcher::has_been_set() {
            tracing::warn!(target: "ronde", "{message}");
        } else {
            eprintln!("ronde: {message}");
        }
    }

    /// How long a callback or a step of a task may take before debug mode tells of it.
    pub fn slow_callback_duration(&self) -> Duration {
        self.shared.slow_callback_duration.get()
    }

    /// Sets how long a callback or a step of a task may take before debug mode tells of it. Default:
    /// [`SLOW_CALLBACK_DURATION`].
    ///
    /// # In asyncio
    ///
    /// `loop.slow_callback_duration`, an attribute.
    pub fn set_slow_callback_duration(&self, duration: Duration) {
        self.shared.slow_callback_duration.set(duration);
        self.shared.set_debug(self.get_debug());
    }

    /// Has each task know how long it has run, [`TaskRef::busy_time`], also without debug mode.
    pub fn set_timing(&self, timing: bool) {
        self.shared.executor.set_timing(timing);
    }

    /// Sets what changes how each task is created; `None` leaves all as it is.
    ///
    /// It is called with every task that is created on this loop, by whichever function, before it starts.
    /// It may give it another name or context, add a done callback, or have it start eagerly: see
    /// [`NewTask`](crate::NewTask). A panic in it goes to the exception handler, and the task starts all
    /// the same. For each step of each task there is [`set_task_observer`](Self::set_task_observer).
    ///
    /// # In asyncio
    ///
    /// `loop.set_task_factory`. There the factory makes the task, of any class. Here there is one kind of
    /// task, and what classes of one's own are for is in what a factory and an observer may do.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, eager_task_factory};
    /// let event_loop = EventLoop::new()?;
    /// event_loop.set_task_factory(Some(eager_task_factory()));
    /// event_loop.run_until_complete(async {
    ///     let task = ronde_loop::get_running_loop().unwrap().create_task(async { 7 });
    ///     assert!(task.done());
    /// })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn set_task_factory(&self, factory: Option<TaskFactory>) {
        self.shared.executor.set_task_factory(factory);
    }

    /// The factory that was set, if one was.
    pub fn get_task_factory(&self) -> Option<TaskFactory> {
        self.shared.executor.task_factory()
    }

    /// Sets who is told of the life of every task: its creation, each of its steps, its end. `None` is
    /// nobody, which costs nothing.
    pub fn set_task_observer(&self, observer: Option<Rc<dyn TaskObserver>>) {
        self.shared.executor.set_task_observer(observer);
    }

    /// The observer that was set, if one was.
    pub fn get_task_observer(&self) -> Option<Rc<dyn TaskObserver>> {
        self.shared.executor.task_observer()
    }

    /// What happens by default with a failure that nobody else sees: [`ExceptionContext::report`]. An
    /// exception handler may call it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::EventLoop;
    /// # use std::rc::Rc;
    /// let event_loop = EventLoop::new()?;
    /// let handle = event_loop.handle();
    /// event_loop.set_exception_handler(Some(Rc::new(move |context| {
    ///     if !context.message.contains("accept") {
    ///         handle.default_exception_handler(context);
    ///     }
    /// })));
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn default_exception_handler(&self, context: &ExceptionContext) {
        context.report();
    }

    /// A table of all tasks that are not done, in the order of their creation: for people to read.
    ///
    /// For each its number, its name, how far it is, how many steps it has made, how long they took if that
    /// was measured, the task that created it, the function that it comes from, what it waits for, and the
    /// tasks that wait for it. Below stand the circles of tasks that wait for one another, if there are any.
    ///
    /// # In asyncio
    ///
    /// `python -m asyncio ps PID`, which looks into another process. A program that is to be looked at
    /// prints this itself, when it is asked to in whatever way suits it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # let event_loop = EventLoop::new()?;
    /// # event_loop.run_until_complete(async {
    /// println!("{}", get_running_loop().unwrap().format_tasks());
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn format_tasks(&self) -> String {
        self.shared.executor.format_tasks()
    }

    /// All tasks that are not done as a tree: below each stands what it waits for.
    ///
    /// It begins with the tasks that nobody waits for. Circles, which have no such beginning, follow, and
    /// are told once more at the end, link by link.
    ///
    /// # In asyncio
    ///
    /// `python -m asyncio pstree PID`. See [`format_tasks`](Self::format_tasks).
    pub fn format_task_tree(&self) -> String {
        self.shared.executor.format_task_tree()
    }

    /// The circles of tasks that wait for one another: none of them goes on unless something breaks the
    /// circle. See [`find_cycles`](crate::find_cycles).
    pub fn find_cycles(&self) -> Vec<WaitCycle> {
        self.shared.executor.find_cycles()
    }
}

/// A factory that has every task begin at once: see
/// [`TaskBuilder::eager`](crate::TaskBuilder::eager).
///
/// # In asyncio
///
/// `asyncio.eager_task_factory`.
pub fn eager_task_factory() -> TaskFactory {
    Rc::new(|new| new.set_eager(true))
}

/// A task, or the current one, and everything that waits for it: see [`TaskRef::call_graph`]. `None`
/// where there is no current task.
///
/// # In asyncio
///
/// `asyncio.capture_call_graph`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::{EventLoop, capture_call_graph, current_task};
/// # let event_loop = EventLoop::new()?;
/// # event_loop.run_until_complete(async {
/// let graph = capture_call_graph(None).unwrap();
/// assert_eq!(Some(graph.future), current_task());
/// assert!(graph.awaited_by.is_empty());
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn capture_call_graph(task: Option<&TaskRef>) -> Option<FutureCallGraph> {
    let task = task.cloned().or_else(current_task)?;
    Some(task.call_graph())
}

/// As [`capture_call_graph`], as text; empty where there is no current task.
///
/// # In asyncio
///
/// `asyncio.format_call_graph`.
///
/// # Examples
///
/// ```
/// # use ronde_loop::{EventLoop, format_call_graph};
/// # let event_loop = EventLoop::new()?;
/// # event_loop.run_until_complete(async {
/// assert!(format_call_graph(None).starts_with("* Task(name='Task-1', id=1)\n  + Call stack:"));
/// # })?;
/// # Ok::<(), ronde_loop::RunError>(())
/// ```
pub fn format_call_graph(task: Option<&TaskRef>) -> String {
    capture_call_graph(task).map_or_else(String::new, |graph| graph.to_string())
}

/// Prints what [`format_call_graph`] gives to the standard output.
///
/// # In asyncio
///
/// `asyncio.print_call_graph`.
pub fn print_call_graph(task: Option<&TaskRef>) {
    println!("{}", format_call_graph(task));
}

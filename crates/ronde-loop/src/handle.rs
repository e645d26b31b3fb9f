//! A handle to the loop, for the code that runs on it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use ronde_executor::{
    ClosedError, CurrentGuard, ExceptionContext, ExceptionHandler, Executor, Handle, Remote,
    RemoteHandle, Task, TaskBuilder, TaskRef,
};
use ronde_reactor::{BorrowedSource, OwnedSource, Reactor, Source};
use ronde_timer::TimerQueue;

use crate::asyncgens::AsyncGens;
use crate::at_close::CloseListeners;
use crate::clock::Clock;
use crate::debugging::SLOW_CALLBACK_DURATION;
use crate::descriptors::Descriptors;
use crate::job::{Job, JobExecutor, JobHandle, Jobs, Out, SubmitError};
use crate::outside::{ClockHold, Outside, OutsideWait};
use crate::random::RandomSource;
use crate::resolve::{Resolver, SystemResolver};
use crate::sockets::Scratch;
use crate::thread_pool::ThreadPool;
use crate::threadsafe::RemoteTasks;
use crate::timeout::TimeoutError;
use crate::timer_handle::TimerHandle;

/// A handle to an event loop, for code that runs on its thread.
///
/// Cheap to clone. It doesn't keep the loop open: see [`is_closed`](Self::is_closed). For other
/// threads there is [`remote`](Self::remote).
///
/// # In asyncio
///
/// What `asyncio.get_running_loop` gives.
#[derive(Clone)]
pub struct LoopHandle {
    pub(crate) shared: Rc<Shared>,
}

pub(crate) struct Shared {
    /// No two loops of a process have the same. A timer's key is only good on its own loop.
    pub(crate) id: u64,
    pub(crate) executor: Executor,
    pub(crate) reactor: Rc<Reactor>,
    pub(crate) timers: RefCell<TimerQueue<Timer>>,
    pub(crate) clock: Rc<dyn Clock>,
    pub(crate) running: Cell<bool>,
    pub(crate) stopping: Cell<bool>,
    pub(crate) debug: Cell<bool>,
    pub(crate) slow_callback_duration: Cell<Duration>,
    pub(crate) entries_since_wait: Cell<usize>,
    /// How many operations on sockets were done since one had to wait, or gave way.
    pub(crate) operations_without_wait: Cell<u8>,
    pub(crate) at_turn_end: RefCell<Vec<Rc<dyn Fn()>>>,
    pub(crate) jobs: Jobs,
    pub(crate) asyncgens: AsyncGens,
    pub(crate) close_listeners: CloseListeners,
    pub(crate) outside: Outside,
    pub(crate) descriptors: Descriptors,
    #[cfg(unix)]
    pub(crate) signals: RefCell<Option<Rc<crate::signals::Listening>>>,
    pub(crate) remote_tasks: RemoteTasks,
    pub(crate) scratch: RefCell<Scratch>,
    job_executor: RefCell<Option<Rc<dyn JobExecutor>>>,
    job_executor_shut_down: Cell<bool>,
    resolver: RefCell<Option<Rc<dyn Resolver>>>,
    random: RefCell<Box<dyn RandomSource>>,
}

/// What a timer does when it is due.
pub(crate) enum Timer {
    Wake(Waker),
    Call(Handle),
}

impl Shared {
    pub(crate) fn new(
        reactor: Rc<Reactor>,
        clock: Rc<dyn Clock>,
        job_executor: Option<Rc<dyn JobExecutor>>,
        resolver: Option<Rc<dyn Resolver>>,
        random: Box<dyn RandomSource>,
        debug: bool,
    ) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let notifier = reactor.notifier();
        let shared = Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            executor: Executor::new(move || notifier.notify()),
            reactor,
            timers: RefCell::new(TimerQueue::new()),
            clock,
            running: Cell::new(false),
            stopping: Cell::new(false),
            debug: Cell::new(false),
            slow_callback_duration: Cell::new(SLOW_CALLBACK_DURATION),
            entries_since_wait: Cell::new(0),
            operations_without_wait: Cell::new(0),
            at_turn_end: RefCell::new(Vec::new()),
            jobs: Jobs::default(),
            asyncgens: AsyncGens::default(),
            close_listeners: CloseListeners::default(),
            outside: Outside::default(),
            descriptors: Descriptors::default(),
            #[cfg(unix)]
            signals: RefCell::default(),
            remote_tasks: RemoteTasks::default(),
            scratch: RefCell::default(),
            job_executor: RefCell::new(job_executor),
            job_executor_shut_down: Cell::new(false),
            resolver: RefCell::new(resolver),
            random: RefCell::new(random),
        };
        shared.set_debug(debug);
        shared
    }

    pub(crate) fn close(&self) {
        // Their clean-up can't wait any more, which is not what most programs mean.
        for task in self.executor.all_tasks() {
            tracing::warn!(target: "ronde", "a task was unfinished when its loop was closed: {task:?}");
        }
        self.executor.close();
        for failure in self.close_listeners.close() {
            self.executor.call_exception_handler(&failure);
        }
        self.remote_tasks.close();
        self.drop_timers();
        self.asyncgens.close();
        let _callbacks = self.at_turn_end.take();
        self.descriptors.close();
        #[cfg(unix)]
        drop(self.signals.take());
        self.reactor.drop_listeners();
        if let Some(executor) = self.job_executor.take() {
            executor.close();
        }
        let _resolver = self.resolver.take();
    }

    /// Drops the timers, and what their callbacks hold, whoever has a handle to them.
    fn drop_timers(&self) {
        let mut timers = self.timers.take();
        while let Some(deadline) = timers.next_deadline() {
            if let Some(Timer::Call(handle)) = timers.pop_due(deadline) {
                handle.cancel();
            }
        }
    }

    /// `now + delay`, or the end of time as far as anybody can tell.
    pub(crate) fn deadline_after(&self, delay: Duration) -> Instant {
        const A_CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
        let now = self.clock.now();
        now.checked_add(delay).unwrap_or_else(|| now + A_CENTURY)
    }
}

impl LoopHandle {
    /// Queues a callback for the next turn.
    ///
    /// It runs in a copy of the context of the caller: see [`ContextVar`](ronde_context::ContextVar).
    /// Callbacks run in the order in which they were queued. A panic in one goes to the
    /// [exception handler](Self::set_exception_handler), and the loop goes on.
    ///
    /// # Panics
    ///
    /// If the loop is closed.
    #[track_caller]
    pub fn call_soon(&self, callback: impl FnOnce() + 'static) -> Handle {
        self.shared.executor.call_soon(callback)
    }

    /// Calls `callback` after `delay`, through the ready queue.
    ///
    /// Timers that are due together are called in the same turn, by deadline; those with the same
    /// deadline in order of registration. None is called early.
    ///
    /// # Panics
    ///
    /// If the loop is closed.
    ///
    /// # In asyncio
    ///
    /// `loop.call_later`. There, a timer may be called early, by the resolution of the clock.
    #[track_caller]
    pub fn call_later(&self, delay: Duration, callback: impl FnOnce() + 'static) -> TimerHandle {
        self.call_at(self.shared.deadline_after(delay), callback)
    }

    /// Calls `callback` at a time of the loop's [clock](Self::time); in the next turn if that is
    /// past.
    ///
    /// # Panics
    ///
    /// If the loop is closed.
    #[track_caller]
    pub fn call_at(&self, when: Instant, callback: impl FnOnce() + 'static) -> TimerHandle {
        assert!(!self.is_closed(), "`call_at` on a closed event loop");
        let handle = self.shared.executor.make_handle(callback);
        let key = self.shared.timers.borrow_mut().insert(when, Timer::Call(handle.clone()));
        TimerHandle::new(&self.shared, key, handle, when)
    }

    /// Queues a callback from any thread. This form is for the loop's own thread; other threads use
    /// a [`remote`](Self::remote), which is `Send`.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] if the loop is closed.
    #[track_caller]
    pub fn call_soon_threadsafe(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<RemoteHandle, ClosedError> {
        self.remote().call_soon_threadsafe(callback)
    }

    /// The loop as other threads see it.
    pub fn remote(&self) -> Remote {
        self.shared.executor.remote()
    }

    /// Calls `callback` at the end of the current turn, after everything that runs in it.
    ///
    /// Writers use it to send what was written in one turn together. Outside of a turn, the end of
    /// the next one is meant.
    pub fn call_at_turn_end(&self, callback: Rc<dyn Fn()>) {
        self.shared.at_turn_end.borrow_mut().push(callback);
    }

    /// Starts a task. Its first step runs in the next turn.
    ///
    /// # Panics
    ///
    /// If the loop is closed.
    #[track_caller]
    #[must_use = "dropping a task detaches it: call `detach` to say so"]
    pub fn create_task<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.shared.executor.spawn(future)
    }

    /// Starts a task with a name, in a context, or eagerly, as the builder has it.
    ///
    /// # Panics
    ///
    /// If the loop is closed.
    ///
    /// # In asyncio
    ///
    /// The keyword arguments of `loop.create_task`.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_loop::{EventLoop, TaskBuilder};
    ///
    /// let event_loop = EventLoop::new()?;
    /// let builder = TaskBuilder::new().named("answer");
    /// let task = event_loop.create_task_with(builder, async { 42 });
    /// assert_eq!(&*task.name(), "answer");
    /// assert_eq!(event_loop.run_until_complete(task)?, 42);
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    #[track_caller]
    #[must_use = "dropping a task detaches it: call `detach` to say so"]
    pub fn create_task_with<F>(&self, builder: TaskBuilder, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        builder.create_task_on(&self.shared.executor, future)
    }

    /// Makes this the loop that new tasks of the thread belong to, until the guard is dropped.
    ///
    /// Inside a running loop it always is. Outside, this serves those who prepare tasks for a loop
    /// that is yet to run.
    pub fn enter(&self) -> CurrentGuard {
        self.shared.executor.make_current()
    }

    /// The tasks that are not done, in the order of their creation.
    pub fn all_tasks(&self) -> Vec<TaskRef> {
        self.shared.executor.all_tasks()
    }

    /// Registers a socket or a pipe, for as long as the [`Source`] lives.
    ///
    /// # Errors
    ///
    /// Those of the system: no memory, no watches left, a descriptor that can't be waited for.
    pub fn register(&self, io: impl Into<OwnedSource>) -> io::Result<Source> {
        Source::new(&self.shared.reactor, io)
    }

    /// Registers a socket or a pipe that others have open too, and leaves its mode as it is: see
    /// [`Source::new_shared`].
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    pub fn register_shared(&self, io: impl Into<OwnedSource>) -> io::Result<Source> {
        Source::new_shared(&self.shared.reactor, io)
    }

    /// The time of the loop's clock.
    pub fn time(&self) -> Instant {
        self.shared.clock.now()
    }

    /// Is the loop's clock a simulated one, which jumps to the next deadline when nothing is ready?
    pub fn has_simulated_clock(&self) -> bool {
        self.shared.clock.is_simulated()
    }

    /// Stops the loop at the end of this turn. If it isn't running, its next run makes one turn.
    pub fn stop(&self) {
        self.shared.stopping.set(true);
    }

    /// How long a turn of the loop would wait at the most: not at all if something is ready, else until the
    /// next deadline; `None` if there is none. For hosts of a loop: see
    /// [`EventLoop::run_once`](crate::EventLoop::run_once).
    ///
    /// Events and other threads may end the wait before.
    pub fn next_wait(&self) -> Option<Duration> {
        self.shared.next_wait()
    }

    /// What becomes readable when there is something for the loop to do: I/O, or a call from another
    /// thread. A host polls it beside its own descriptors: see
    /// [`EventLoop::run_once`](crate::EventLoop::run_once).
    ///
    /// `None` if the poller has no such thing: on Windows, and with a poller that doesn't say. A host can
    /// then make turns with a short limit, or wait for the loop on another thread.
    pub fn waits_on(&self) -> Option<BorrowedSource<'_>> {
        self.shared.reactor.waits_on()
    }

    /// Is the loop running?
    pub fn is_running(&self) -> bool {
        self.shared.running.get()
    }

    /// Is the loop closed?
    pub fn is_closed(&self) -> bool {
        self.shared.executor.is_closed()
    }

    /// A random number, from the loop's [source](crate::Builder::random).
    pub fn random(&self) -> u64 {
        self.shared.random.borrow_mut().next_u64()
    }

    /// Sets what is called with failures that nobody else sees; `None` brings back the default,
    /// [`ExceptionContext::report`].
    pub fn set_exception_handler(&self, handler: Option<ExceptionHandler>) {
        self.shared.executor.set_exception_handler(handler);
    }

    /// The handler that was set, if one was.
    pub fn get_exception_handler(&self) -> Option<ExceptionHandler> {
        self.shared.executor.exception_handler()
    }

    /// Sets what hears of failures that nobody else sees besides the exception handler, whichever that
    /// is, and after it: for those who end the program.
    pub fn watch_failures(&self, watch: Option<ExceptionHandler>) {
        self.shared.executor.watch_failures(watch);
    }

    /// Calls the exception handler.
    pub fn call_exception_handler(&self, context: &ExceptionContext) {
        self.shared.executor.call_exception_handler(context);
    }

    /// Runs `function` in an executor: the given one, or the loop's own thread pool.
    ///
    /// It is submitted at once. Dropping the [`JobHandle`] before the function has begun removes it;
    /// afterwards it runs on, and its result is dropped.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] if the executor has been shut down, or no thread could be started.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # let event_loop = EventLoop::new()?;
    /// # event_loop.run_until_complete(async {
    /// let job = get_running_loop().unwrap().run_in_executor(None, || 6 * 7).unwrap();
    /// assert_eq!(job.await.unwrap(), 42);
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub fn run_in_executor<T: Send + 'static>(
        &self,
        executor: Option<&dyn JobExecutor>,
        function: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JobHandle<T>, SubmitError> {
        match executor {
            Some(executor) => {
                let (job, handle) = self.make_job(function);
                executor.submit(job)?;
                Ok(handle)
            }
            None => {
                let executor = self.default_executor().ok_or(SubmitError::ShutDown)?;
                let group = self.shared.jobs.default_group();
                let (job, handle) = self.shared.jobs.make(function, self.to_notify(), Some(group));
                executor.submit(job)?;
                Ok(handle)
            }
        }
    }

    /// Sets the executor that blocking work goes to by default.
    ///
    /// The previous one isn't closed.
    pub fn set_default_executor(&self, executor: Rc<dyn JobExecutor>) {
        let _previous = self.shared.job_executor.replace(Some(executor));
    }

    /// Closes the default executor, and waits until the jobs that this loop has out there are done,
    /// at most for `timeout`. The loop runs meanwhile: a job may well wait for something that a task
    /// does.
    ///
    /// What is submitted afterwards is refused. `Runner::close` does this at the end of a program.
    /// With a simulated clock, time stands still while jobs are out, so the limit is of no effect.
    ///
    /// # Errors
    ///
    /// [`TimeoutError`] if the time is up. The jobs run on.
    ///
    /// # Cancel safety
    ///
    /// **Strict.** The executor stays closed, and the jobs run on.
    ///
    /// # In asyncio
    ///
    /// `loop.shutdown_default_executor`, which warns when the time is up.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_loop::{EventLoop, get_running_loop};
    /// # use std::time::Duration;
    /// # let event_loop = EventLoop::new()?;
    /// # event_loop.run_until_complete(async {
    /// let event_loop = get_running_loop().unwrap();
    /// let job = event_loop.run_in_executor(None, || 6 * 7).unwrap();
    /// event_loop.shutdown_default_executor(Duration::from_secs(60)).await.unwrap();
    /// assert_eq!(job.await.unwrap(), 42);
    /// assert!(event_loop.run_in_executor(None, || ()).is_err());
    /// # })?;
    /// # Ok::<(), ronde_loop::RunError>(())
    /// ```
    pub async fn shutdown_default_executor(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<(), TimeoutError> {
        self.shared.job_executor_shut_down.set(true);
        let executor = self.shared.job_executor.borrow().clone();
        if let Some(executor) = executor {
            executor.close();
        }
        let (job, done) = self.make_job(|| ());
        self.shared.jobs.run_after_default_group(job);
        // It can't fail: the last of the jobs runs it, or the loop just did.
        match timeout.into() {
            None => drop(done.await),
            Some(limit) => drop(crate::timeout(limit, done).await?),
        }
        Ok(())
    }

    /// Keeps a simulated clock from moving while the result lives; no effect on other clocks.
    ///
    /// For work outside the loop whose end is the next event, whatever the timers say: another
    /// process computes something, say, and will write to a pipe. [Jobs](Self::run_in_executor) have
    /// this built in. Where time may go on meanwhile there is [`wait_outside`](Self::wait_outside).
    ///
    /// While it lives, no timer comes due: a task that has it and sleeps waits for ever.
    ///
    /// # In asyncio
    ///
    /// There is no such thing, nor a simulated clock.
    pub fn hold_clock(&self) -> ClockHold {
        self.shared.outside.hold()
    }

    /// Says that, while the result lives, something outside of the loop is waited for, which will
    /// wake a task from another thread: the end of a child process, say.
    ///
    /// Only a loop with a simulated clock wants to know. It treats what is outside as it treats a socket:
    /// it looks whether something has come, and moves its time if not; and where there is no time to
    /// move to, it waits instead of reporting a deadlock. To have time stand still there is
    /// [`hold_clock`](Self::hold_clock).
    ///
    /// # In asyncio
    ///
    /// There is no such thing, nor a simulated clock.
    pub fn wait_outside(&self) -> OutsideWait {
        self.shared.outside.wait()
    }

    /// A job that is out from now on, and the way to its result.
    pub(crate) fn make_job<T: Send + 'static>(
        &self,
        function: impl FnOnce() -> T + Send + 'static,
    ) -> (Job, JobHandle<T>) {
        self.shared.jobs.make(function, self.to_notify(), None)
    }

    /// Counts a task on another loop as a job that is out: its end is the next event.
    pub(crate) fn count_remote_task(&self) -> Out {
        self.shared.jobs.count(self.to_notify(), None)
    }

    /// Whom to tell when a job is no longer out: a loop that waits for that to move its clock.
    fn to_notify(&self) -> Option<Remote> {
        self.shared.clock.is_simulated().then(|| self.remote())
    }

    /// `None` if the loop is closed.
    pub(crate) fn resolver(&self) -> Option<Rc<dyn Resolver>> {
        if self.is_closed() {
            return None;
        }
        let mut resolver = self.shared.resolver.borrow_mut();
        Some(resolver.get_or_insert_with(|| Rc::new(SystemResolver::new())).clone())
    }

    /// `None` if it has been shut down, or the loop is closed.
    fn default_executor(&self) -> Option<Rc<dyn JobExecutor>> {
        if self.is_closed() || self.shared.job_executor_shut_down.get() {
            return None;
        }
        let mut executor = self.shared.job_executor.borrow_mut();
        Some(executor.get_or_insert_with(|| Rc::new(ThreadPool::new())).clone())
    }
}

impl PartialEq for LoopHandle {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for LoopHandle {}

impl fmt::Debug for LoopHandle {
    /// `<EventLoop running=false closed=false debug=false>`, as asyncio has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (running, closed, debug) = (self.is_running(), self.is_closed(), self.get_debug());
        write!(f, "<EventLoop running={running} closed={closed} debug={debug}>")
    }
}

//! A loop for several runs, and the orderly end of one.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use ronde_context::executor::ContextSlot;
use ronde_context::{CancelledError, Context, Origin, copy_context};
use ronde_loop::{
    Child, Clock, EventLoop, ExceptionContext, Failure, IntoChild, LoopHandle, RunError, TaskRef,
    UnobservedFailure,
};

use crate::constants::THREAD_JOIN_TIMEOUT;
use crate::failures::{FailurePolicy, Failures};
use crate::interrupt::Interrupt;

/// An event loop for one or several runs of a main task.
///
/// [`close`](Self::close) does the orderly end that [`run`](crate::run) does by itself. Dropping a
/// runner closes the loop without it: what is suspended is dropped where it is.
///
/// # In asyncio
///
/// `asyncio.Runner`.
///
/// # Examples
///
/// ```
/// use ronde::Runner;
///
/// let runner = Runner::new()?;
/// let greeting = runner.run(async { "hello" })?;
/// let name = runner.run(async { "world" })?;
/// runner.close()?;
/// assert_eq!(format!("{greeting} {name}"), "hello world");
/// # Ok::<(), ronde::RunError>(())
/// ```
pub struct Runner {
    event_loop: EventLoop,
    /// What the main tasks run in, one after the other.
    context: RefCell<Context>,
    /// `None` if they are only reported.
    failures: Option<Failures>,
    handle_ctrl_c: bool,
}

impl Runner {
    /// Makes a runner with a loop of the default kind.
    ///
    /// # Errors
    ///
    /// [`RunError::AlreadyRunning`] inside a running loop; [`RunError::Io`] if the system has no
    /// descriptors left for the loop.
    pub fn new() -> Result<Self, RunError> {
        Self::builder().build()
    }

    /// Makes a runner with other parameters.
    pub fn builder() -> RunnerBuilder {
        RunnerBuilder {
            event_loop: EventLoop::builder(),
            handle_ctrl_c: None,
            on_unobserved_failure: FailurePolicy::default(),
        }
    }

    /// Runs `main`, a future or a task of this loop, and returns its output.
    ///
    /// Other tasks stay with the loop, and go on in the next run. All main tasks of a runner run in one
    /// [context](crate::Context), a copy of the one that the runner was made in: what the first sets,
    /// the second sees.
    ///
    /// # Errors
    ///
    /// As [`run`](crate::run), and [`RunError::Closed`] after `close`.
    ///
    /// # Panics
    ///
    /// If `main` panics, with its payload.
    #[track_caller]
    pub fn run<M: IntoChild>(&self, main: M) -> Result<M::Value, RunError> {
        self.check_can_run()?;
        let _current = self.event_loop.enter();
        let child = self.create(main);
        let interrupt = if self.handle_ctrl_c {
            Interrupt::watch(&self.event_loop, child.as_ref().clone())
                .map_err(|source| RunError::Io { doing: "watching for Ctrl-C", source })?
        } else {
            None
        };
        // `None` for a promise, which has no context and counts no cancellations.
        let task = child.task().cloned();
        self.set_main(task.clone());
        let outcome = self.event_loop.run_until_complete(child);
        self.set_main(None);
        let interrupted = interrupt.as_ref().is_some_and(Interrupt::has_arrived);
        drop(interrupt);
        // What it has set is there in the next run.
        if let Some(task) = &task {
            self.context.replace(task.context());
        }
        if let Some(failure) = self.take_failure() {
            return Err(RunError::UnobservedFailure(failure));
        }
        match outcome {
            // Whichever cancellation the task has ended with: if nobody else has asked for one, it is
            // because of Ctrl-C.
            Err(RunError::Cancelled(error))
                if error.origin() == Origin::Interrupt
                    || interrupted && task.is_none_or(|task| task.uncancel() == 0) =>
            {
                Err(RunError::Interrupted)
            }
            outcome => outcome,
        }
    }

    fn set_main(&self, main: Option<TaskRef>) {
        if let Some(failures) = &self.failures {
            failures.set_main(main);
        }
    }

    fn take_failure(&self) -> Option<UnobservedFailure> {
        self.failures.as_ref().and_then(Failures::take)
    }

    /// The runner's loop.
    pub fn get_loop(&self) -> LoopHandle {
        self.event_loop.handle()
    }

    /// Ends in an orderly way: cancels the tasks that are left, in the order of their creation,
    /// runs the loop until they are done, closes the async generators that are open, runs it on until
    /// the jobs in the default executor are done (five minutes at the most), and closes it. Closing
    /// twice is fine.
    ///
    /// Tasks that fail now are reported through the loop's exception handler. Tasks that are created
    /// now aren't waited for.
    ///
    /// # Errors
    ///
    /// [`RunError::AlreadyRunning`] inside a running loop; [`RunError::Deadlock`], with a simulated
    /// clock, if a task's clean-up never ends; [`RunError::UnobservedFailure`] if a task failed now, and
    /// [that ends the program](RunnerBuilder::on_unobserved_failure).
    pub fn close(&self) -> Result<(), RunError> {
        if self.event_loop.is_closed() {
            return Ok(());
        }
        self.check_can_run()?;
        let cancelled = self.cancel_all_tasks().and_then(|()| self.close_generators());
        let outcome = cancelled.and_then(|()| self.join_default_executor());
        self.event_loop.close()?;
        outcome?;
        match self.take_failure() {
            Some(failure) => Err(RunError::UnobservedFailure(failure)),
            None => Ok(()),
        }
    }

    /// Makes a task of what is to be run, in the runner's context.
    #[track_caller]
    fn create<M: IntoChild>(&self, main: M) -> Child<M::Value> {
        let _current = self.event_loop.enter();
        // Not in a closure, which would hide the caller's location.
        let context = ContextSlot::of(self.context.take());
        context.enter();
        let child = main.into_child();
        context.enter();
        self.context.replace(context.copy());
        child
    }

    #[track_caller]
    pub(crate) fn run_and_close<M: IntoChild>(&self, main: M) -> Result<M::Value, RunError> {
        self.check_can_run()?;
        let main = self.create(main);
        match catch_unwind(AssertUnwindSafe(|| self.run(main))) {
            Ok(outcome) => {
                let closed = self.close();
                // What went wrong first says more.
                let output = outcome?;
                closed.map(|()| output)
            }
            Err(panic) => {
                // The panic is on its way already; the deadlock of a clean-up would hide it.
                let _ = self.close();
                resume_unwind(panic)
            }
        }
    }

    fn cancel_all_tasks(&self) -> Result<(), RunError> {
        let mut tasks = self.event_loop.all_tasks();
        // Whoever closes a generator is cleaning up already.
        tasks.retain(|task| !self.event_loop.is_closing_asyncgen(task));
        if tasks.is_empty() {
            return Ok(());
        }
        // So that what is cancelled here calls nobody at once, as it wouldn't in the loop.
        let _current = self.event_loop.enter();
        let left = Rc::new(Cell::new(tasks.len()));
        for task in &tasks {
            task.cancel_with(CancelledError::default().with_origin(Origin::Shutdown));
            let (event_loop, left) = (self.get_loop(), left.clone());
            task.add_done_callback(move |task| {
                report_failure(&event_loop, task);
                left.set(left.get() - 1);
                if left.get() == 0 {
                    let handle = event_loop.clone();
                    event_loop.call_soon(move || handle.stop());
                }
            });
        }
        // Somebody may call `stop` meanwhile.
        while left.get() > 0 {
            self.event_loop.run_forever()?;
        }
        Ok(())
    }

    fn close_generators(&self) -> Result<(), RunError> {
        // Somebody may call `stop` or cancel the task meanwhile: then there are still some open.
        while self.event_loop.has_open_asyncgens() {
            let event_loop = self.get_loop();
            let closed = self
                .event_loop
                .run_until_complete(async move { event_loop.shutdown_asyncgens().await });
            if !matches!(closed, Ok(()) | Err(RunError::Stopped | RunError::Cancelled(_))) {
                return closed;
            }
        }
        Ok(())
    }

    /// The loop runs meanwhile: a job may be waiting for it.
    fn join_default_executor(&self) -> Result<(), RunError> {
        let event_loop = self.get_loop();
        let joining = self.event_loop.create_task(async move {
            event_loop.shutdown_default_executor(THREAD_JOIN_TIMEOUT).await
        });
        joining.set_name("shutdown of the default executor");
        loop {
            match self.event_loop.run_until_complete(&joining) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(_)) => {
                    let problem = "jobs in the default executor outlive their loop";
                    tracing::warn!(target: "ronde", "{problem}");
                    return Ok(());
                }
                // Somebody may call `stop` meanwhile.
                Err(RunError::Stopped) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn check_can_run(&self) -> Result<(), RunError> {
        if self.event_loop.is_closed() {
            return Err(RunError::Closed);
        }
        if ronde_loop::get_running_loop().is_ok() {
            return Err(RunError::AlreadyRunning);
        }
        Ok(())
    }
}

/// A task that failed while it was being cancelled at the end has nobody to tell.
///
/// Only a panic is looked at here. An `Err` is left as it is, so that it is reported with its type
/// when the task is dropped, unless somebody has a look at it until then.
fn report_failure(event_loop: &LoopHandle, task: &TaskRef) {
    if task.panicked()
        && let Ok(Some(panic)) = task.exception()
    {
        let mut context = ExceptionContext::new(
            "a task failed while it was cancelled at the end of the program",
            Failure::Panic(panic),
        );
        context.task = Some(task.clone());
        event_loop.call_exception_handler(&context);
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("event_loop", &self.event_loop)
            .field("handle_ctrl_c", &self.handle_ctrl_c)
            .finish()
    }
}

/// The parameters of a [`Runner`].
#[derive(Debug)]
#[must_use]
pub struct RunnerBuilder {
    event_loop: ronde_loop::Builder,
    /// `None`: it depends on the clock.
    handle_ctrl_c: Option<bool>,
    on_unobserved_failure: FailurePolicy,
}

impl RunnerBuilder {
    /// Is Ctrl-C to cancel the main task? Default: yes, unless the clock is simulated: such a loop
    /// finds out when nothing can happen any more, and Ctrl-C always may.
    ///
    /// It does so only on the program's main thread, for one runner at a time, and while no loop has a
    /// [handler](ronde_loop::LoopHandle#method.add_signal_handler) for it. A handler that the program has by other
    /// means is called as well.
    pub fn handle_ctrl_c(mut self, handle: bool) -> Self {
        self.handle_ctrl_c = Some(handle);
        self
    }

    /// What a failure that nobody looks at does. Default: it is reported.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde::{FailurePolicy, RunError, Runner, create_task, sleep};
    /// use std::time::Duration;
    ///
    /// let runner = Runner::builder().on_unobserved_failure(FailurePolicy::EndProgram).build()?;
    /// let ended = runner.run(async {
    ///     create_task(async { Err::<(), _>("lost") }).detach();
    ///     sleep(Duration::from_secs(60)).await;
    /// });
    /// assert!(matches!(ended, Err(RunError::UnobservedFailure(_))));
    /// runner.close()?;
    /// # Ok::<(), RunError>(())
    /// ```
    pub fn on_unobserved_failure(mut self, policy: FailurePolicy) -> Self {
        self.on_unobserved_failure = policy;
        self
    }

    /// The loop's clock; see [`SimulatedClock`](crate::low_level::SimulatedClock).
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.event_loop = self.event_loop.clock(clock);
        self
    }

    /// Debug mode: see [`Builder::debug`](crate::low_level::Builder::debug).
    pub fn debug(mut self, debug: bool) -> Self {
        self.event_loop = self.event_loop.debug(debug);
        self
    }

    /// All other parameters of the loop.
    pub fn event_loop(mut self, builder: ronde_loop::Builder) -> Self {
        self.event_loop = builder;
        self
    }

    /// Makes the runner.
    ///
    /// # Errors
    ///
    /// As [`Runner::new`].
    pub fn build(self) -> Result<Runner, RunError> {
        if ronde_loop::get_running_loop().is_ok() {
            return Err(RunError::AlreadyRunning);
        }
        let event_loop = self.event_loop.build()?;
        let failures = (self.on_unobserved_failure == FailurePolicy::EndProgram)
            .then(|| Failures::watch(&event_loop));
        let simulated = event_loop.has_simulated_clock();
        Ok(Runner {
            event_loop,
            failures,
            context: RefCell::new(copy_context()),
            handle_ctrl_c: self.handle_ctrl_c.unwrap_or(!simulated),
        })
    }
}

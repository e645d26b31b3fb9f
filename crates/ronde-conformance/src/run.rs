//! Starts a program, and ends it as `asyncio.run` does.

use std::cell::Cell;
use std::rc::Rc;

use ronde::low_level::{EventLoop, ExceptionContext, Failure, LoopHandle, SimulatedClock};
use ronde::{RunError, gather_all};

use crate::ops::Generator;
use crate::parse::Program;
use crate::runtime::{Runtime, TaskVar, Thing};
use crate::trace::{Trace, names};
use crate::value::{Value, shown};

/// Runs a program to its end and gives its trace.
///
/// # Panics
///
/// If the program refers to what it doesn't have, as to a coroutine or a lock.
pub fn run(program: &Program) -> Vec<String> {
    let clock = SimulatedClock::new();
    let event_loop = EventLoop::builder()
        .clock(clock.clone())
        .random_seed(0)
        .build()
        .expect("the system has a descriptor left");
    let rt = Runtime::new(program.code.clone(), event_loop.handle(), Trace::new(clock));
    report_callback_errors(&rt);

    match play(&rt, &event_loop) {
        Ok(()) => {}
        Err(RunError::Deadlock(deadlock)) => {
            let left = names(deadlock.tasks.into_iter().map(|task| task.name));
            rt.trace.line(&format!("deadlock {left}"));
        }
        Err(error) => panic!("the loop stopped: {error}"),
    }
    rt.trace.line("end");
    let lines = rt.trace.finish();
    rt.clear();
    lines
}

fn play(rt: &Rc<Runtime>, event_loop: &EventLoop) -> Result<(), RunError> {
    let main = rt.create_task("main", None);
    rt.slots.set("$main", Thing::Task(main.clone()));
    let handle = event_loop.handle();
    main.task.add_done_callback(move |_| handle.stop());
    event_loop.run_forever()?;
    let outcome = Thing::Task(main).result();
    rt.trace.line(&format!("main {}", shown(&outcome)));

    let tasks = rt.tasks.borrow().clone();
    let left: Vec<_> = tasks.into_iter().filter(|var| !var.task.done()).collect();
    if !left.is_empty() {
        cancel_all(event_loop, &left);
        event_loop.run_forever()?;
    }
    for task in left {
        let name = task.task.name();
        let outcome = shown(&Thing::Task(task).outcome());
        rt.trace.line(&format!("leftover {name} {outcome}"));
    }
    close_generators(rt, event_loop)
}

/// Closes what is left suspended: a task each, and one that gathers them.
fn close_generators(rt: &Rc<Runtime>, event_loop: &EventLoop) -> Result<(), RunError> {
    let open = rt.generators.take();
    if open.is_empty() {
        return Ok(());
    }
    let gathering = rt.clone();
    let task = event_loop.create_task(async move {
        let close = |mut generator: Generator| {
            let task = gathering.event_loop.create_task(async move { generator.close().await });
            Thing::Task(gathering.label(task, None))
        };
        let closing: Vec<_> = open.into_iter().map(close).collect();
        let _outcomes = gather_all(closing).return_exceptions().await;
        Ok(Value::Ok)
    });
    let task = rt.label(task, None);
    let handle = event_loop.handle();
    task.task.add_done_callback(move |_| handle.stop());
    event_loop.run_forever()
}

/// Cancels tasks, and stops the loop the turn after the last one is done, as gathering them would.
fn cancel_all(event_loop: &LoopHandle, tasks: &[Rc<TaskVar>]) {
    // A promise that is cancelled calls its callbacks through the loop that is current.
    let _current = event_loop.enter();
    for var in tasks {
        var.task.cancel();
    }
    let pending = Rc::new(Cell::new(tasks.len()));
    for var in tasks {
        let (event_loop, pending) = (event_loop.clone(), pending.clone());
        var.task.add_done_callback(move |_| {
            pending.set(pending.get() - 1);
            if pending.get() == 0 {
                event_loop.clone().call_soon(move || event_loop.stop());
            }
        });
    }
}

/// Prints what callbacks raise. They raise it as a panic.
fn report_callback_errors(rt: &Rc<Runtime>) {
    let weak = Rc::downgrade(rt);
    let handler = move |context: &ExceptionContext| {
        if let Failure::Panic(panic) = &context.failure
            && context.task.is_none()
            && let Some(rt) = weak.upgrade()
        {
            rt.trace.line(&format!("callback_error !{}", panic.message()));
        }
    };
    rt.event_loop.set_exception_handler(Some(Rc::new(handler)));
}

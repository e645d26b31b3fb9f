//! Starts a program, and ends it as `asyncio.run` does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ronde_loop::{EventLoop, ExceptionContext, Failure, LoopHandle, RunError, SimulatedClock};

use crate::parse::Program;
use crate::runtime::{Runtime, TaskVar, Thing};
use crate::trace::{Trace, names};
use crate::value::shown;

/// A program that takes more turns than this never ends.
const MOST_TURNS: u32 = 20_000;

/// Runs a program to its end and gives its trace.
///
/// # Panics
///
/// If the program is malformed, uses what is [`unsupported`](crate::unsupported), or doesn't end.
pub fn run(program: &Program) -> Vec<String> {
    let code = program.code().unwrap_or_else(|error| panic!("{error}"));
    let clock = SimulatedClock::new();
    let event_loop = EventLoop::builder()
        .clock(clock.clone())
        .random_seed(0)
        .build()
        .expect("the system has a descriptor left");
    let rt = Runtime::new(code, event_loop.handle(), Trace::new(clock));
    report_callback_errors(&rt);
    limit_turns(event_loop.handle(), Cell::new(0));

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
    let left = Rc::new(RefCell::new(Vec::new()));
    main.task.add_done_callback({
        let (rt, left) = (rt.clone(), left.clone());
        move |_| stop_and_cancel_the_rest(&rt, left)
    });
    event_loop.run_forever()?;
    let outcome = Thing::Task(main).result();
    rt.trace.line(&format!("main {}", shown(&outcome)));

    let left = left.take();
    if !left.is_empty() {
        event_loop.run_forever()?;
    }
    for task in left {
        let name = task.task.name();
        let outcome = shown(&Thing::Task(task).outcome());
        rt.trace.line(&format!("leftover {name} {outcome}"));
    }
    Ok(())
}

/// The main task is done: stops the loop after this turn, and cancels what is left then.
///
/// At the end of the turn, and not after it, because a promise needs a running loop to call its
/// callbacks.
fn stop_and_cancel_the_rest(rt: &Rc<Runtime>, left: Rc<RefCell<Vec<Rc<TaskVar>>>>) {
    rt.event_loop.stop();
    let rt = rt.clone();
    rt.event_loop.clone().call_at_turn_end(Rc::new(move || {
        let tasks = rt.tasks.borrow().iter().filter(|var| !var.task.done()).cloned().collect();
        cancel_all(&rt.event_loop, &tasks);
        left.replace(tasks);
    }));
}

/// Cancels tasks, and stops the loop the turn after the last one is done, as gathering them would.
fn cancel_all(event_loop: &LoopHandle, tasks: &Vec<Rc<TaskVar>>) {
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

/// Panics if the loop goes on and on.
fn limit_turns(event_loop: LoopHandle, turns: Cell<u32>) {
    event_loop.clone().call_at_turn_end(Rc::new(move || {
        assert!(turns.get() < MOST_TURNS, "the program doesn't end");
        limit_turns(event_loop.clone(), Cell::new(turns.get() + 1));
    }));
}

//! What goes wrong is told in words: loops and handles that are used where, or when, they can't be.

mod common;

use common::{Log, SECOND, simulated, turn};
use ronde_loop::{
    Direction, EventLoop, LoopHandle, Promise, RunError, SubmitError, Task, TaskBuilder, TaskError,
    TaskRef, TimerHandle, get_running_loop, sleep,
};
use std::future::{Future, pending};
use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};

/// What `f` panics with.
fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { panic!("it did not panic") };
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap()
}

/// Compiles only if the type is not `Send`: else both implementations of the trait would fit.
macro_rules! not_send {
    ($($type:ty),* $(,)?) => {$({
        trait Ambiguous<A> {
            fn name() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: ?Sized + Send> Ambiguous<u8> for T {}
        <$type as Ambiguous<_>>::name();
    })*};
}

#[test]
fn what_belongs_to_a_loop_cannot_reach_another_thread() {
    not_send!(EventLoop, LoopHandle, TimerHandle, Task<()>, TaskRef, Promise<()>);
    not_send!(ronde_loop::Handle, ronde_loop::Source, ronde_loop::StallWatchdog);
}

#[test]
fn where_no_loop_runs_tasks_and_sleeps_say_so() {
    let created = panic_of(|| TaskBuilder::new().create_task(async {}));
    assert_eq!(created, "a task was created outside a running event loop");
    let mut cx = Context::from_waker(Waker::noop());
    let slept = panic_of(|| pin!(sleep(SECOND)).poll(&mut cx));
    assert_eq!(slept, "`sleep` was polled outside a running event loop");
    let error = get_running_loop().unwrap_err();
    assert_eq!(error.to_string(), "no event loop is running on this thread");
}

#[test]
fn a_handle_whose_loop_is_gone_refuses_what_it_cannot_do_and_answers_the_rest() {
    let event_loop = simulated();
    let (handle, timer) = (event_loop.handle(), event_loop.call_later(SECOND, || unreachable!()));
    let task = event_loop.create_task(pending::<u8>());
    let done = event_loop.create_task(async { 7 });
    turn(&event_loop);
    drop(event_loop);

    assert!(handle.is_closed() && !handle.is_running());
    assert_eq!(panic_of(|| handle.call_soon(|| ())), "`call_soon` on a closed event loop");
    let called_at = panic_of(|| handle.call_later(SECOND, || ()));
    assert_eq!(called_at, "`call_at` on a closed event loop");
    let created = panic_of(|| handle.create_task(async {}));
    assert_eq!(created, "a task was created on a closed event loop");
    let refused = handle.call_soon_threadsafe(|| ()).unwrap_err();
    assert_eq!(refused.to_string(), "the event loop is closed");
    assert!(matches!(handle.run_in_executor(None, || ()), Err(SubmitError::ShutDown)));

    assert!(handle.all_tasks().is_empty() && handle.find_cycles().is_empty());
    assert_eq!(handle.format_task_tree(), "");
    handle.set_debug(true);
    handle.set_task_factory(None);
    handle.stop();
    timer.cancel();
    assert!(timer.cancelled());
    assert!(task.cancelled() && !task.cancel());
    assert!(task.waits_on().is_empty() && task.call_graph().awaited_by.is_empty());
    assert_eq!(done.result().unwrap(), 7);
}

#[test]
fn a_source_and_a_promise_outlive_their_loop() {
    let event_loop = simulated();
    let source = event_loop.register(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    let promise = Promise::new();
    let waiting = event_loop.create_task(promise.clone().into_future());
    turn(&event_loop);
    drop(event_loop);
    assert!(waiting.cancelled());
    promise.set_result(1).unwrap();
    assert_eq!(promise.result().unwrap(), 1);
    assert!(source.is_ready(Direction::Write));
}

#[test]
fn a_task_of_a_loop_that_is_gone_can_be_awaited_on_another() {
    let first = simulated();
    let task = first.create_task(pending::<()>());
    turn(&first);
    drop(first);
    let outcome = simulated().run_until_complete(async move { task.await }).unwrap();
    assert!(matches!(outcome, Err(TaskError::Cancelled(_))));
}

#[test]
fn a_second_loop_in_a_callback_is_refused_and_the_first_goes_on() {
    let log = Log::default();
    let event_loop = simulated();
    let lines = log.clone();
    event_loop.call_soon(move || {
        let second = EventLoop::new().unwrap();
        lines.push(second.run_forever().unwrap_err());
        // It may be closed, as it doesn't run.
        second.close().unwrap();
        lines.push("closed");
    });
    event_loop.call_soon(log.pushes("next"));
    turn(&event_loop);
    let refused = "an event loop is running on this thread already: await the future instead";
    assert_eq!(log.take(), [refused, "closed", "next"]);
}

#[test]
fn a_loop_that_a_task_closes_from_within_says_that_it_is_running() {
    let event_loop = std::rc::Rc::new(simulated());
    let inner = event_loop.clone();
    event_loop.call_soon(move || {
        assert!(matches!(inner.close(), Err(RunError::AlreadyRunning)));
    });
    turn(&event_loop);
    event_loop.close().unwrap();
    assert!(matches!(event_loop.run_forever(), Err(RunError::Closed)));
}

#[test]
fn a_turn_whose_callbacks_all_panic_is_a_turn_like_any_other() {
    let event_loop = simulated();
    let log = Log::default();
    let reports = log.clone();
    event_loop.set_exception_handler(Some(std::rc::Rc::new(move |context| {
        reports.push(&context.message);
    })));
    event_loop.set_debug(true);
    event_loop.call_soon(|| panic!("one"));
    event_loop.call_later(std::time::Duration::ZERO, || panic!("two"));
    event_loop.call_at_turn_end(std::rc::Rc::new(|| panic!("three")));
    turn(&event_loop);
    turn(&event_loop);
    let expected =
        ["a callback failed", "a callback failed", "a callback at the end of a turn failed"];
    assert_eq!(log.take(), expected);
}

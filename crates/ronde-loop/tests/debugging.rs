//! Debug mode, hooks of the loop, the default exception handler, and deadlocks told link by link.

mod common;

use common::{Log, SECOND, simulated, turn};
use ronde_loop::{
    Direction, EventLoop, ExceptionContext, Failure, RunError, SLOW_CALLBACK_DURATION,
    TaskObserver, TaskRef, capture_call_graph, eager_task_factory, format_call_graph,
    get_running_loop, sleep,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the messages of all events.
#[derive(Clone, Default)]
struct Messages(Arc<Mutex<Vec<String>>>);

impl Messages {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Visit for &Messages {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Messages {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "ronde"
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut &*self);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn in_debug_mode_what_is_slow_is_told_with_its_name_and_its_place() {
    let messages = Messages::default();
    let _logging = tracing::subscriber::set_default(messages.clone());
    let event_loop = simulated();
    assert!(!event_loop.get_debug());
    assert_eq!(event_loop.slow_callback_duration(), SLOW_CALLBACK_DURATION);
    // Then everything is slow.
    event_loop.set_slow_callback_duration(Duration::ZERO);
    assert_eq!(event_loop.slow_callback_duration(), Duration::ZERO);
    event_loop.call_soon(|| {});
    turn(&event_loop);
    assert!(messages.take().is_empty(), "it isn't debug mode");

    event_loop.set_debug(true);
    event_loop.call_soon(|| {});
    let soon = line!() - 1;
    event_loop.call_later(Duration::ZERO, || {});
    event_loop.create_task(async {}).named("worker").detach();
    event_loop.call_at_turn_end(Rc::new(|| {}));
    turn(&event_loop);
    let told = messages.take();
    let starts = [
        format!("the callback created at {}:{soon}:16 blocked the loop for ", file!()),
        "task 'worker' (debugging::in_debug_mode_what_is_slow".to_owned(),
        format!("the callback created at {}:{}:16 blocked", file!(), soon + 2),
        "a callback blocked the loop for".to_owned(),
    ];
    assert_eq!(told.len(), starts.len(), "{told:?}");
    assert!(told.iter().zip(&starts).all(|(told, start)| told.starts_with(start)), "{told:?}");
    assert!(told[1].contains(&format!("created at {}:{}:16) blocked", file!(), soon + 3)));

    event_loop.set_slow_callback_duration(Duration::MAX);
    event_loop.call_soon(|| {});
    turn(&event_loop);
    event_loop.set_slow_callback_duration(Duration::ZERO);
    event_loop.set_debug(false);
    event_loop.call_soon(|| {});
    turn(&event_loop);
    assert!(messages.take().is_empty());
}

#[test]
fn a_callback_of_a_descriptor_is_told_with_the_place_where_it_was_set() {
    let messages = Messages::default();
    let _logging = tracing::subscriber::set_default(messages.clone());
    let event_loop = EventLoop::new().unwrap();
    event_loop.set_debug(true);
    event_loop.set_slow_callback_duration(Duration::ZERO);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let source = event_loop.register(socket).unwrap();
    let fails = || {
        get_running_loop().unwrap().stop();
        panic!("no luck");
    };
    source.set_callback(Direction::Write, Some(Rc::new(fails))).unwrap();
    let place = format!("created at {}:{}:12", file!(), line!() - 1);
    event_loop.run_forever().unwrap();
    let told = messages.take();
    assert!(told[0].starts_with(&format!("the callback {place} blocked the loop for")), "{told:?}");
    assert_eq!(told[1], format!("a callback failed: panicked: no luck ({place})"));
}

#[test]
fn a_loop_may_begin_in_debug_mode_in_which_tasks_know_how_long_they_ran() {
    let event_loop = EventLoop::builder().debug(true).build().unwrap();
    assert!(event_loop.get_debug());
    let work = || async {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1) {}
    };
    let task = event_loop.create_task(work());
    turn(&event_loop);
    assert!(task.busy_time() >= Duration::from_millis(1));

    event_loop.set_debug(false);
    let task = event_loop.create_task(work());
    turn(&event_loop);
    assert_eq!(task.busy_time(), Duration::ZERO);
    event_loop.set_timing(true);
    let task = event_loop.create_task(work());
    turn(&event_loop);
    assert!(task.busy_time() >= Duration::from_millis(1));
}

#[test]
fn a_factory_has_all_tasks_of_the_loop_begin_at_once() {
    let event_loop = simulated();
    assert!(event_loop.get_task_factory().is_none());
    event_loop.set_task_factory(Some(eager_task_factory()));
    assert!(event_loop.get_task_factory().is_some());
    event_loop
        .run_until_complete(async {
            let event_loop = get_running_loop().unwrap();
            assert!(event_loop.create_task(async {}).done());
            event_loop.set_task_factory(None);
            assert!(!event_loop.create_task(async {}).done());
        })
        .unwrap();
}

#[test]
fn an_observer_is_told_of_the_tasks_of_its_loop() {
    struct Names(Log);
    impl TaskObserver for Names {
        fn done(&self, task: &TaskRef) {
            self.0.push(format!("{} {}", task.name(), task.steps()));
        }
    }
    let (event_loop, log) = (simulated(), Log::default());
    event_loop.set_task_observer(Some(Rc::new(Names(log.clone()))));
    assert!(event_loop.get_task_observer().is_some());
    event_loop.run_until_complete(sleep(SECOND)).unwrap();
    assert_eq!(log.take(), ["Task-1 2"]);
    event_loop.set_task_observer(None);
    event_loop.run_until_complete(sleep(SECOND)).unwrap();
    assert!(log.take().is_empty());
}

fn context() -> ExceptionContext {
    let error = std::io::Error::other("no descriptors left");
    ExceptionContext::new("accept failed", Failure::Error(Box::new(error)))
}

#[test]
fn a_handler_may_leave_a_failure_to_the_default_one() {
    let messages = Messages::default();
    let _logging = tracing::subscriber::set_default(messages.clone());
    let event_loop = simulated();
    let handle = event_loop.handle();
    event_loop.set_exception_handler(Some(Rc::new(move |context| {
        handle.default_exception_handler(context);
    })));
    event_loop.call_exception_handler(&context());
    assert_eq!(messages.take(), ["accept failed: no descriptors left"]);
}

#[test]
fn of_a_handler_that_panics_both_failures_are_told_by_the_default_one() {
    let messages = Messages::default();
    let _logging = tracing::subscriber::set_default(messages.clone());
    let event_loop = simulated();
    event_loop.set_exception_handler(Some(Rc::new(|_| panic!("no luck"))));
    event_loop.call_exception_handler(&context());
    let expected =
        ["accept failed: no descriptors left", "the exception handler panicked: panicked: no luck"];
    assert_eq!(messages.take(), expected);
}

#[test]
fn a_deadlock_names_the_circle() {
    let event_loop = simulated();
    let handle = event_loop.handle();
    let last: Rc<RefCell<Option<ronde_loop::Task<()>>>> = Rc::default();
    let other = last.clone();
    let first = handle.create_task(async move {
        let other = other.take().unwrap();
        let _cancelled = other.await;
    });
    let second = handle.create_task(async move { drop(first.named("first").await) });
    last.replace(Some(second.named("second")));
    let Err(RunError::Deadlock(deadlock)) = event_loop.run_forever() else { panic!() };
    let circle = "'first' waits for <Task 'second'>\n'second' waits for <Task 'first'>";
    assert_eq!(deadlock.cycles, [circle]);
    let told = deadlock.to_string();
    let end = "\n  in a circle:\n    'first' waits for <Task 'second'>\n    \
               'second' waits for <Task 'first'>";
    assert!(told.ends_with(end), "{told}");
}

#[test]
fn a_call_graph_is_that_of_the_current_task_unless_another_is_given() {
    assert!(capture_call_graph(None).is_none());
    assert_eq!(format_call_graph(None), "");
    let event_loop = simulated();
    let (given, current) = event_loop
        .run_until_complete(async {
            let sleeper = get_running_loop().unwrap().create_task(sleep(SECOND)).named("sleeper");
            sleep(Duration::ZERO).await;
            (format_call_graph(Some(&sleeper)), format_call_graph(None))
        })
        .unwrap();
    assert!(given.starts_with("* Task(name='sleeper', id=2)"), "{given}");
    assert!(given.ends_with(", waits for a timer"), "{given}");
    assert!(current.ends_with(", runs right now"), "{current}");
}

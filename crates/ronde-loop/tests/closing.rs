//! Closing a loop: what is left is dropped, here and now, on the loop's own thread.

mod common;

use common::{Log, SECOND, simulated, turn};
use ronde_loop::{EventLoop, RunError, ThreadPool, sleep};
use std::future::pending;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[test]
fn closing_twice_is_fine() {
    let event_loop = simulated();
    event_loop.close().unwrap();
    event_loop.close().unwrap();
    assert!(event_loop.is_closed());
}

#[test]
fn a_running_loop_cannot_be_closed() {
    let event_loop = Rc::new(simulated());
    let inner = event_loop.clone();
    event_loop
        .run_until_complete(async move {
            assert!(matches!(inner.close(), Err(RunError::AlreadyRunning)));
            sleep(SECOND).await;
        })
        .unwrap();
    assert!(!event_loop.is_closed());
}

#[test]
fn what_is_left_is_dropped_on_the_loops_thread() {
    struct NotesThread(mpsc::Sender<thread::ThreadId>);
    impl Drop for NotesThread {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }
    let (sender, receiver) = mpsc::channel();
    let notes_thread = || NotesThread(sender.clone());

    let event_loop = simulated();
    let (soon, later, suspended, not_begun) =
        (notes_thread(), notes_thread(), notes_thread(), notes_thread());
    event_loop
        .create_task(async move {
            let _suspended = suspended;
            pending::<()>().await;
        })
        .detach();
    turn(&event_loop);
    event_loop.create_task(async move { drop(not_begun) }).detach();
    event_loop.call_soon(move || drop(soon));
    event_loop.call_later(SECOND, move || drop(later));

    event_loop.close().unwrap();
    let threads: Vec<_> = receiver.try_iter().collect();
    assert_eq!(threads, [thread::current().id(); 4]);
}

#[test]
fn a_suspended_task_is_dropped_where_it_is_and_ends_cancelled() {
    let log = Log::default();
    let event_loop = simulated();
    let held = log.on_drop("dropped");
    let task = event_loop.create_task(async move {
        let _held = held;
        sleep(SECOND).await;
    });
    turn(&event_loop);
    event_loop.close().unwrap();
    assert_eq!(log.take(), ["dropped"]);
    assert!(task.cancelled());
    assert!(event_loop.all_tasks().is_empty());
}

/// Keeps the messages of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Visit for &Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        assert_eq!(field.name(), "message");
        self.0.lock().unwrap().push(format!("{value:?}"));
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN && metadata.target() == "ronde"
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
fn tasks_that_are_unfinished_when_their_loop_is_closed_are_warned_of_by_name() {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(warnings.clone());
    let event_loop = simulated();
    event_loop.create_task(async {}).named("done").detach();
    event_loop.create_task(pending::<()>()).named("suspended").detach();
    turn(&event_loop);
    event_loop.create_task(async {}).named("not begun").detach();
    event_loop.close().unwrap();
    event_loop.close().unwrap();
    let warnings = warnings.0.lock().unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let starts = |warning: &str, name: &str| {
        let told = "a task was unfinished when its loop was closed: <Task pending name='";
        warning.starts_with(&format!("{told}{name}'"))
    };
    assert!(starts(&warnings[0], "suspended") && starts(&warnings[1], "not begun"), "{warnings:?}");
}

#[test]
fn a_callback_that_is_dropped_releases_what_it_holds_though_its_handle_lives() {
    let log = Log::default();
    let event_loop = simulated();
    let (soon, later) = (log.on_drop("soon"), log.on_drop("later"));
    let handle = event_loop.call_soon(move || drop(soon));
    let timer = event_loop.call_later(SECOND, move || drop(later));
    event_loop.close().unwrap();
    assert_eq!(log.take(), ["soon", "later"]);
    assert!(handle.cancelled());
    assert!(timer.cancelled());
    timer.cancel();
}

#[test]
fn dropping_the_loop_closes_it() {
    let log = Log::default();
    let event_loop = simulated();
    let (handle, remote) = (event_loop.handle(), event_loop.remote());
    let held = log.on_drop("dropped");
    event_loop.call_soon(move || drop(held));
    drop(event_loop);
    assert!(handle.is_closed());
    assert_eq!(log.take(), ["dropped"]);
    assert!(remote.call_soon_threadsafe(|| {}).is_err());
}

#[test]
fn destructors_that_run_while_the_loop_closes_may_use_tasks() {
    struct Canceller(ronde_loop::TaskRef);
    impl Drop for Canceller {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }
    let event_loop = simulated();
    let other = event_loop.create_task(pending::<()>());
    let canceller = Canceller((&other).into());
    let task = event_loop.create_task(async move {
        let _canceller = canceller;
        pending::<()>().await;
    });
    turn(&event_loop);
    event_loop.close().unwrap();
    assert!(task.cancelled() && other.cancelled());
}

#[test]
fn the_default_executor_is_shut_down() {
    let pool = Rc::new(ThreadPool::new());
    let event_loop = EventLoop::builder().executor(pool.clone()).build().unwrap();
    event_loop.close().unwrap();
    let other = simulated();
    let refused = other.run_in_executor(Some(&*pool), || ());
    assert!(refused.is_err());
    // And the closed loop takes no work of its own.
    assert!(event_loop.run_in_executor(None, || ()).is_err());
}

#[test]
#[should_panic(expected = "closed event loop")]
fn a_closed_loop_takes_no_callbacks() {
    let event_loop = simulated();
    event_loop.close().unwrap();
    event_loop.call_soon(|| {});
}

#[test]
#[should_panic(expected = "closed event loop")]
fn a_closed_loop_takes_no_tasks() {
    let event_loop = simulated();
    event_loop.close().unwrap();
    event_loop.create_task(async {}).detach();
}

struct Listener(Log, &'static str);

impl ronde_loop::CloseListener for Listener {
    fn loop_closes(self: Rc<Self>) {
        self.0.push(self.1);
        assert_ne!(self.1, "fails");
    }
}

fn watch(event_loop: &EventLoop, log: &Log, name: &'static str) -> Rc<Listener> {
    let listener = Rc::new(Listener(log.clone(), name));
    let weak: std::rc::Weak<Listener> = Rc::downgrade(&listener);
    event_loop.watch_close(weak);
    listener
}

#[test]
fn listeners_hear_of_the_end_in_order_and_once_unless_they_are_gone() {
    let (event_loop, log) = (simulated(), Log::default());
    let _first = watch(&event_loop, &log, "first");
    drop(watch(&event_loop, &log, "gone"));
    let _second = watch(&event_loop, &log, "second");
    event_loop.close().unwrap();
    event_loop.close().unwrap();
    assert_eq!(log.take(), ["first", "second"]);
    let _late = watch(&event_loop, &log, "late");
    event_loop.close().unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn a_listener_that_panics_is_reported_and_the_others_hear_of_the_end() {
    let (event_loop, log) = (simulated(), Log::default());
    let reports = log.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |context| {
        reports.push(context.message.clone());
    })));
    let _fails = watch(&event_loop, &log, "fails");
    let _second = watch(&event_loop, &log, "second");
    event_loop.close().unwrap();
    assert_eq!(log.take(), ["fails", "second", "a listener to the end of the loop failed"]);
}

#[test]
fn listeners_that_are_gone_are_forgotten_along_the_way() {
    let (event_loop, log) = (simulated(), Log::default());
    let first = watch(&event_loop, &log, "first");
    for _ in 0..1000 {
        drop(watch(&event_loop, &log, "gone"));
    }
    event_loop.close().unwrap();
    assert_eq!(log.take(), ["first"]);
    assert_eq!(Rc::weak_count(&first), 0);
}

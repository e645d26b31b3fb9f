//! Hooks: what changes how tasks are created, who is told of their steps, and reports of slow ones.

mod support;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ronde_context::{Context, ContextVar};
use ronde_executor::{
    EntryWatch, Executor, Promise, RunningEntry, TaskBuilder, TaskObserver, TaskRef, current_task,
};
use support::Log;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

struct LogSteps(Log);

impl TaskObserver for LogSteps {
    fn created(&self, task: &TaskRef) {
        self.0.push(format!("created {}", task.name()));
    }

    fn before_step(&self, task: &TaskRef) {
        assert_eq!(current_task().as_ref(), Some(task));
        self.0.push(format!("before {}", task.name()));
    }

    fn after_step(&self, task: &TaskRef) {
        assert_eq!(current_task().as_ref(), Some(task));
        self.0.push(format!("after {}", task.name()));
    }

    fn done(&self, task: &TaskRef) {
        assert!(task.done());
        self.0.push(format!("done {}", task.name()));
    }
}

fn observed() -> (Executor, Log) {
    let (executor, log) = (Executor::new(|| {}), Log::default());
    executor.set_task_observer(Some(Rc::new(LogSteps(log.clone()))));
    (executor, log)
}

async fn yield_now() {
    futures_lite::future::yield_now().await;
}

#[test]
fn an_observer_is_told_of_each_step_and_of_the_end() {
    let (executor, log) = observed();
    let inner = log.clone();
    let task = executor.spawn(async move {
        inner.push("first");
        yield_now().await;
        inner.push("second");
    });
    executor.run_batch();
    executor.run_batch();
    assert!(task.done());
    let expected = [
        "created Task-1",
        "before Task-1",
        "first",
        "after Task-1",
        "before Task-1",
        "second",
        "after Task-1",
        "done Task-1",
    ];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_task_that_is_cancelled_before_it_began_has_no_step_of_its_own_code() {
    let (executor, log) = observed();
    let task = executor.spawn(async { unreachable!() });
    task.cancel();
    executor.run_batch();
    assert!(task.cancelled());
    assert_eq!(log.take(), ["created Task-1", "before Task-1", "after Task-1", "done Task-1"]);
}

#[test]
fn a_step_that_panics_has_an_end_too() {
    let (executor, log) = observed();
    let task = executor.spawn(async { panic!("on purpose") });
    executor.run_batch();
    assert!(task.exception().unwrap().is_some());
    assert_eq!(log.take(), ["created Task-1", "before Task-1", "after Task-1", "done Task-1"]);
}

#[test]
fn the_first_step_of_an_eager_task_is_inside_that_of_its_parent() {
    let (executor, log) = observed();
    let task = executor.spawn(async {
        TaskBuilder::new().named("inner").eager().create_task(async {}).await.unwrap();
    });
    executor.run_batch();
    assert!(task.done());
    let expected = [
        "created Task-1",
        "before Task-1",
        // The builder's name is there from the beginning.
        "created inner",
        "before inner",
        "after inner",
        "done inner",
        "after Task-1",
        "done Task-1",
    ];
    assert_eq!(log.take(), expected);
}

#[test]
fn an_observer_that_is_set_within_a_step_sees_the_next_one() {
    let (executor, log) = (Executor::new(|| {}), Log::default());
    let weak = executor.downgrade();
    let observer = Rc::new(LogSteps(log.clone()));
    executor
        .spawn(async move {
            let set = |observer| weak.upgrade().unwrap().set_task_observer(observer);
            set(Some(observer as Rc<dyn TaskObserver>));
            yield_now().await;
            set(None);
            yield_now().await;
        })
        .detach();
    while executor.run_batch() > 0 {}
    // It was set in the middle of the one and removed in the middle of the other.
    assert_eq!(log.take(), ["after Task-1", "before Task-1"]);
    assert!(executor.task_observer().is_none());
}

#[test]
fn a_hook_that_panics_is_reported_and_the_task_runs_all_the_same() {
    struct Panics;
    impl TaskObserver for Panics {
        fn before_step(&self, _: &TaskRef) {
            panic!("no luck");
        }
    }
    let (executor, log) = (Executor::new(|| {}), Log::default());
    let reports = log.clone();
    executor.set_exception_handler(Some(Rc::new(move |context| reports.push(context))));
    executor.set_task_observer(Some(Rc::new(Panics)));
    executor.set_task_factory(Some(Rc::new(|_| panic!("none either"))));
    let task = executor.spawn(async { 7 });
    executor.run_batch();
    assert_eq!(task.result().unwrap(), 7);
    let expected = [
        "the task factory failed: panicked: none either",
        "a task observer failed: panicked: no luck",
    ];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_factory_may_change_the_name_the_context_and_the_start() {
    static USER: ContextVar<&str> = ContextVar::new("user");
    let (executor, log) = (Executor::new(|| {}), Log::default());
    assert!(executor.task_factory().is_none());
    let seen = log.clone();
    executor.set_task_factory(Some(Rc::new(move |new| {
        seen.push(format!("{} {}", new.name(), new.is_eager()));
        let mut context = Context::new();
        context.run(|| USER.set("Ada"));
        new.set_context(context);
        new.set_eager(true);
        new.set_name("made here");
        assert_eq!(new.task().steps(), 0);
    })));
    assert!(executor.task_factory().is_some());
    let outer = executor.spawn(async {
        let task = TaskBuilder::new().named("asked for").create_task(async { USER.get() });
        assert!(task.done(), "it is eager");
        task.result().unwrap()
    });
    executor.run_batch();
    assert_eq!(outer.result().unwrap(), Some("Ada"));
    assert_eq!(&*outer.name(), "made here");
    assert_eq!(log.take(), ["Task-1 false", "asked for false"]);
    executor.set_task_factory(None);
    assert_eq!(&*executor.spawn(async {}).name(), "Task-3");
}

/// Keeps the messages of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Visit for &Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
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
fn what_is_slow_is_named_with_the_place_it_comes_from() {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(warnings.clone());
    let executor = Executor::new(|| {});
    // Then everything is slow.
    executor.set_slow_limit(Some(Duration::ZERO));
    executor.spawn(async {}).named("tortoise").detach();
    executor.call_soon(|| {});
    let line = line!() - 1;
    executor.run_batch();
    let warned = warnings.take();
    assert_eq!(warned.len(), 2, "{warned:?}");
    let task = "task 'tortoise' (observing::what_is_slow_is_named_with_the_place_it_comes_from, \
                created at ";
    assert!(warned[0].starts_with(task), "{warned:?}");
    let place = format!("{}:{}:14) blocked the loop for ", file!(), line - 1);
    assert!(warned[0].contains(&place), "{warned:?}");
    let callback = format!("the callback created at {}:{line}:14 blocked the loop for ", file!());
    assert!(warned[1].starts_with(&callback), "{warned:?}");

    executor.set_slow_limit(Some(Duration::MAX));
    executor.spawn(async {}).detach();
    executor.run_batch();
    executor.set_slow_limit(None);
    executor.spawn(async {}).detach();
    executor.run_batch();
    assert!(warnings.take().is_empty());
}

#[test]
fn a_done_callback_and_one_from_elsewhere_are_told_with_the_place_of_the_call() {
    let (executor, log) = (Executor::new(|| {}), Log::default());
    support::log_failures(&executor, &log);
    let task = executor.spawn(async {});
    task.add_done_callback(|_| panic!("one"));
    let line = line!() - 1;
    let promise = Promise::new();
    promise.add_done_callback(|_| panic!("two"));
    executor.enter(|| promise.set_result(())).unwrap();
    executor.remote().call_soon_threadsafe(|| panic!("three")).unwrap();
    support::run(&executor);
    task.add_done_callback(|_| panic!("four"));
    support::run(&executor);
    let expected = [
        format!("a callback failed: panicked: two (created at {}:{}:13)", file!(), line + 3),
        format!("a callback failed: panicked: three (created at {}:{}:23)", file!(), line + 5),
        format!("a callback failed: panicked: one (created at {}:{line}:10)", file!()),
        format!("a callback failed: panicked: four (created at {}:{}:10)", file!(), line + 7),
    ];
    assert_eq!(log.take(), expected);
}

#[test]
fn what_is_slow_outside_of_the_queue_is_told_as_a_callback() {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(warnings.clone());
    let executor = Executor::new(|| {});
    assert_eq!(executor.run_watched(|| 1), 1);
    executor.set_slow_limit(Some(Duration::ZERO));
    assert_eq!(executor.run_watched(|| 2), 2);
    let warned = warnings.take();
    assert_eq!(warned.len(), 1);
    assert!(warned[0].starts_with("a callback blocked the loop for"), "{warned:?}");
}

/// Computes for a while.
fn while_away(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {}
}

#[test]
fn a_task_knows_how_long_it_ran_only_where_that_is_measured() {
    let executor = Executor::new(|| {});
    let compute = || async { while_away(Duration::from_millis(1)) };
    let unmeasured = executor.spawn(compute());
    executor.run_batch();
    assert_eq!(unmeasured.busy_time(), Duration::ZERO);
    executor.set_timing(true);
    let measured = executor.spawn(compute());
    executor.run_batch();
    assert!(measured.busy_time() >= Duration::from_millis(1));
    assert_eq!(measured.info().busy_time, measured.busy_time());
}

#[derive(Default)]
struct WatchLog(RefCell<Vec<String>>);

impl EntryWatch for WatchLog {
    fn begins(&self, entry: RunningEntry<'_>) {
        let what = match entry {
            RunningEntry::Task(task) => task.name().to_string(),
            _ => "callback".to_owned(),
        };
        self.0.borrow_mut().push(what);
    }

    fn ends(&self) {
        self.0.borrow_mut().push("end".to_owned());
    }
}

#[test]
fn a_watch_knows_of_what_is_under_way_when_it_is_set_and_of_its_end_when_it_is_not() {
    let executor = Executor::new(|| {});
    let watch = Rc::new(WatchLog::default());
    let (weak, log) = (executor.downgrade(), watch.clone());
    executor.call_soon(|| {});
    executor
        .spawn(async move {
            let executor = weak.upgrade().unwrap();
            executor.set_entry_watch(Some(log.clone()));
            assert_eq!(log.0.take(), ["Task-1"]);
            executor.call_soon(|| {});
            yield_now().await;
            assert_eq!(log.0.take(), ["end", "callback", "end", "Task-1"]);
            executor.set_entry_watch(None);
            assert_eq!(log.0.take(), ["end"]);
        })
        .detach();
    executor.run_batch();
    executor.call_soon(|| {});
    executor.run_batch();
    assert!(watch.0.take().is_empty() && executor.entry_watch().is_none());
}

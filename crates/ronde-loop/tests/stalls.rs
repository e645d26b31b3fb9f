//! A watchdog that tells of a blocked loop while it is blocked.
//!
//! Nothing here depends on how fast anything is: what blocks does so until it has been told of.

mod common;

use common::simulated;
use ronde_loop::{
    BlockedEntry, BlockedThread, EventLoop, LoopHandle, Stall, StallWatchdog, TaskBuilder,
    get_running_loop, sleep, yield_now,
};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const LIMIT: Duration = Duration::from_millis(5);

fn watched(event_loop: &LoopHandle) -> (StallWatchdog, Receiver<Stall>) {
    let (sender, receiver) = channel();
    let told = move |stall: &Stall| drop(sender.send(stall.clone()));
    (event_loop.watch_stalls(LIMIT).on_stall(told).start().unwrap(), receiver)
}

fn task_name(entry: &BlockedEntry) -> &str {
    match entry {
        BlockedEntry::Task { name, .. } => name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_task_that_blocks_is_named_while_it_does() {
    let event_loop = EventLoop::new().unwrap();
    let (_watchdog, stalls) = watched(&event_loop);
    let line = line!() + 1;
    let main = event_loop.create_task(async move {
        yield_now().await;
        // Only a report ends this.
        stalls.recv().unwrap()
    });
    let stall = event_loop.run_until_complete(main.named("culprit")).unwrap();
    assert!(stall.blocked_for >= LIMIT);
    let [BlockedEntry::Task { name, coroutine, created_at, parent, .. }] = &*stall.entries else {
        panic!("{stall:?}")
    };
    assert_eq!((&**name, created_at.line(), *parent), ("culprit", line, None));
    assert_eq!(*coroutine, "stalls::a_task_that_blocks_is_named_while_it_does");
    let told = stall.to_string();
    assert!(told.starts_with("task 'culprit' (stalls::a_task_that_blocks"), "{told}");
    assert!(told.contains(") has blocked the loop for "), "{told}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_tells_whether_the_thread_sleeps_or_computes() {
    let event_loop = EventLoop::new().unwrap();
    let (_watchdog, stalls) = watched(&event_loop);
    let sleeps = |stall: &Stall| matches!(stall.thread, BlockedThread::Sleeping { .. });
    let sleeping =
        event_loop.run_until_complete(async move { stalls.iter().find(sleeps).unwrap() }).unwrap();
    assert!(sleeping.to_string().contains("its thread sleeps in the kernel"), "{sleeping}");

    let (_watchdog, stalls) = watched(&event_loop);
    let computing = event_loop
        .run_until_complete(async move {
            loop {
                // On a busy machine it may be waiting for the processor, which is no sleep either.
                match stalls.try_recv() {
                    Ok(stall) if stall.thread == BlockedThread::Running => return stall,
                    _ => std::hint::spin_loop(),
                }
            }
        })
        .unwrap();
    assert!(computing.to_string().ends_with("its thread uses the processor"), "{computing}");
}

#[test]
fn a_callback_that_blocks_is_told_with_the_place_where_it_was_registered() {
    let event_loop = EventLoop::new().unwrap();
    let (_watchdog, stalls) = watched(&event_loop);
    event_loop.call_soon(move || {
        let stall = stalls.recv().unwrap();
        let [BlockedEntry::Callback { created_at, .. }] = &*stall.entries else { panic!() };
        assert!(created_at.unwrap().file().ends_with("stalls.rs"));
        assert!(stall.to_string().starts_with("the callback created at "), "{stall}");
        get_running_loop().unwrap().stop();
    });
    event_loop.run_forever().unwrap();
}

#[test]
fn it_sees_the_step_in_which_it_was_started_and_an_eager_task_inside_of_it() {
    let event_loop = EventLoop::new().unwrap();
    let stall = event_loop
        .run_until_complete(async {
            let (_watchdog, stalls) = watched(&get_running_loop().unwrap());
            let has_both = |stall: &Stall| stall.entries.len() == 2;
            let blocks = async move { stalls.iter().find(has_both).unwrap() };
            let inner = TaskBuilder::new().named("inner").eager().create_task(blocks);
            inner.result().unwrap()
        })
        .unwrap();
    let names: Vec<_> = stall.entries.iter().map(task_name).collect();
    assert_eq!(names, ["Task-1", "inner"]);
    assert!(stall.to_string().contains(", and in it task 'inner' ("), "{stall}");
}

#[test]
fn a_long_stall_is_told_of_again_each_time_that_it_has_doubled() {
    let event_loop = EventLoop::new().unwrap();
    let (_watchdog, stalls) = watched(&event_loop);
    let all: Vec<_> =
        event_loop.run_until_complete(async move { stalls.iter().take(3).collect() }).unwrap();
    assert!(all[1].blocked_for >= all[0].blocked_for * 2);
    assert!(all[2].blocked_for >= all[1].blocked_for * 2);
}

#[test]
fn one_whose_callback_panics_goes_on() {
    let event_loop = EventLoop::new().unwrap();
    let (sender, stalls): (Sender<()>, _) = channel();
    let told = move |_: &Stall| {
        sender.send(()).unwrap();
        panic!("on purpose");
    };
    let _watchdog = event_loop.watch_stalls(LIMIT).on_stall(told).start().unwrap();
    let told = event_loop.run_until_complete(async move { stalls.iter().take(2).count() });
    assert_eq!(told.unwrap(), 2);
}

#[test]
fn where_nothing_blocks_nothing_is_told_and_dropping_it_ends_the_thread() {
    let event_loop = simulated();
    let (sender, stalls) = channel();
    let told = move |stall: &Stall| sender.send(stall.clone()).unwrap();
    let limit = Duration::from_secs(3600);
    let watchdog = event_loop.watch_stalls(limit).on_stall(told).start().unwrap();
    event_loop.run_until_complete(sleep(limit * 10)).unwrap();
    drop(watchdog);
    assert!(stalls.recv().is_err(), "its callback is gone, and never was called");
}

#[test]
fn the_second_takes_the_place_of_the_first_and_outlives_it() {
    let event_loop = EventLoop::new().unwrap();
    let (first, silent) = watched(&event_loop);
    let (_second, stalls) = watched(&event_loop);
    drop(first);
    event_loop.run_until_complete(async move { drop(stalls.recv().unwrap()) }).unwrap();
    assert!(silent.try_recv().is_err());
}

#[test]
fn one_may_outlive_its_loop() {
    let event_loop = simulated();
    let (watchdog, _stalls) = watched(&event_loop);
    assert_eq!(format!("{watchdog:?}"), "StallWatchdog");
    let builder = event_loop.watch_stalls(LIMIT);
    drop(event_loop);
    drop(watchdog);
    drop(builder.start().unwrap());
}

/// Keeps the messages of errors.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

impl Visit for &Errors {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR && metadata.target() == "ronde"
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
fn the_report_goes_to_where_the_events_of_the_loops_thread_go() {
    let errors = Errors::default();
    let _logging = tracing::subscriber::set_default(errors.clone());
    let event_loop = EventLoop::new().unwrap();
    let (_watchdog, stalls) = watched(&event_loop);
    let stall = event_loop.run_until_complete(async move { stalls.recv().unwrap() }).unwrap();
    assert_eq!(errors.0.lock().unwrap()[0], stall.to_string());
}

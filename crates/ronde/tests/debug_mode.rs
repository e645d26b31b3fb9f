//! What debug mode tells of a program's mistakes.
#![cfg(unix)] // Its children are programs of Unix.

use std::sync::{Arc, Mutex};

use ronde::subprocess::{Process, Stdio};
use ronde::{Runner, create_subprocess_exec};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps the messages of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

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
        // A machine that is busy may make anything slow.
        let told = Warnings::default();
        event.record(&mut &told);
        let mut told = std::mem::take(&mut *told.0.lock().unwrap());
        told.retain(|message| !message.contains("blocked the loop"));
        self.0.lock().unwrap().extend(told);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Drops a child that runs, and lets it end. Returns what was told.
fn drop_a_child(debug: bool, forget: impl AsyncFnOnce(Process) + 'static) -> Vec<String> {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(warnings.clone());
    let runner = Runner::builder().debug(debug).build().unwrap();
    runner
        .run(async move {
            let cat = create_subprocess_exec("cat").stdin(Stdio::piped());
            let mut process = cat.await.unwrap();
            let stdin = process.take_stdin().unwrap();
            forget(process).await;
            stdin.close();
        })
        .unwrap();
    runner.close().unwrap();
    let told = warnings.0.lock().unwrap();
    told.clone()
}

#[test]
fn a_child_that_runs_and_that_nobody_waits_for_is_told_of() {
    let told = drop_a_child(true, async |process| drop(process));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("a child process was dropped while it runs: <Process "),
        "{told:?}"
    );
    assert!(drop_a_child(false, async |process| drop(process)).is_empty());
}

#[test]
fn one_that_is_killed_and_awaited_is_not() {
    let told = drop_a_child(true, async |process| {
        process.kill().unwrap();
        process.wait().await;
    });
    assert!(told.is_empty(), "{told:?}");
}

//! tokio's runtime of several threads, here two.

use tokio::task::{JoinHandle, JoinSet};

pub(crate) use std::sync::Arc as Shared;
pub(crate) use tokio::task::JoinHandle as Task;
pub(crate) use tokio::task::yield_now;
pub(crate) use tokio::time::sleep;

use super::Runtime;
use super::tokio_common::{
    Lock, Queue, blocking, cancel_and_join, join, read_zeros, spawn_and_wait, timeout,
};
use crate::serve::Service;

#[path = "../text/cancel.rs"]
mod cancel;
#[path = "../text/children.rs"]
mod children;
#[path = "../text/groups.rs"]
mod groups;
#[path = "../text/memory.rs"]
mod memory;
#[path = "../text/start.rs"]
mod start;
#[path = "../text/sync.rs"]
mod sync;
#[path = "../text/tasks.rs"]
mod tasks;
#[path = "../text/threads.rs"]
mod threads;
#[path = "../text/timers.rs"]
mod timers;

pub(crate) const RUNTIME: Runtime = Runtime {
    name: "tokio-2-workers",
    prepare: || Ok(()),
    scenarios: &[
        tasks::SCENARIOS,
        sync::SCENARIOS,
        timers::SCENARIOS,
        cancel::SCENARIOS,
        groups::SCENARIOS,
        memory::SCENARIOS,
        threads::SCENARIOS,
        start::SCENARIOS,
        children::SCENARIOS,
    ],
    services: Service::ALL,
    serve: |service| run(super::tokio_common::serve(service, |connection| drop(spawn(connection)))),
};

fn run<F: Future + Send + 'static>(main: F) -> F::Output
where
    F::Output: Send + 'static,
{
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    // In a worker, where its tasks are at home.
    runtime.block_on(async { tokio::spawn(main).await.unwrap() })
}

fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

async fn gather<F: Future<Output = ()> + Send + 'static>(children: impl Iterator<Item = F>) {
    let tasks: Vec<_> = children.map(spawn).collect();
    for task in tasks {
        join(task).await;
    }
}

async fn group<F: Future<Output = ()> + Send + 'static>(children: impl Iterator<Item = F>) {
    let mut set = JoinSet::new();
    for child in children {
        set.spawn(child);
    }
    while let Some(joined) = set.join_next().await {
        joined.unwrap();
    }
}

//! ronde, with what [`ronde::run`] gives.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use ronde::{Task, sleep, yield_now};
pub(crate) use std::rc::Rc as Shared;

use super::Runtime;
use crate::scenario::Scenario;
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

mod callbacks;
mod clock;
mod server;

pub(crate) const RUNTIME: Runtime = Runtime {
    name: "ronde",
    prepare: || Ok(()),
    scenarios: &[
        tasks::SCENARIOS,
        sync::SCENARIOS,
        timers::SCENARIOS,
        cancel::SCENARIOS,
        groups::SCENARIOS,
        callbacks::SCENARIOS,
        memory::SCENARIOS,
        threads::SCENARIOS,
        start::SCENARIOS,
        children::SCENARIOS,
    ],
    services: Service::ALL,
    serve: server::serve,
};

/// The scenarios whose instructions repeat: no other thread or process takes part.
pub(crate) const REPEATING: &[&[Scenario]] = &[
    tasks::SCENARIOS,
    sync::SCENARIOS,
    timers::SCENARIOS,
    cancel::SCENARIOS,
    groups::SCENARIOS,
    callbacks::SCENARIOS,
];

/// Whether loops have a clock that does not depend on the machine.
static SIMULATED: AtomicBool = AtomicBool::new(false);

/// From now on, time jumps to the next timer when there is nothing else to do.
///
/// So the same work takes the same number of instructions, each time.
pub(crate) fn simulate_time() {
    SIMULATED.store(true, Ordering::Relaxed);
}

fn run<T: 'static>(main: impl Future<Output = T> + 'static) -> T {
    if !SIMULATED.load(Ordering::Relaxed) {
        return ronde::run(main).unwrap();
    }
    let runner = ronde::Runner::builder().clock(clock::WholeSeconds::new()).build().unwrap();
    let value = runner.run(main).unwrap();
    runner.close().unwrap();
    value
}

fn spawn<F: Future + 'static>(future: F) -> ronde::Task<F::Output> {
    ronde::create_task(future)
}

async fn join<T: 'static>(task: ronde::Task<T>) -> T {
    task.await.unwrap()
}

async fn cancel_and_join<T: 'static>(task: ronde::Task<T>) {
    task.cancel();
    assert!(matches!(task.await, Err(ronde::TaskError::Cancelled(_))));
}

async fn gather<F: Future<Output = ()> + 'static>(children: impl Iterator<Item = F>) {
    ronde::gather_all(children).await.unwrap();
}

async fn group<F: Future<Output = ()> + 'static>(children: impl Iterator<Item = F>) {
    ronde::task_group(async |group| {
        for child in children {
            group.create_task(child);
        }
    })
    .await
    .unwrap();
}

async fn timeout(limit: Duration, body: impl Future<Output = ()>) -> bool {
    ronde::timeout(limit, body).await.is_ok()
}

async fn blocking<T: Send + 'static>(function: impl FnOnce() -> T + Send + 'static) -> T {
    ronde::to_thread(function).await.unwrap()
}

async fn spawn_and_wait(program: &str) {
    let child = ronde::create_subprocess_exec(program).await.unwrap();
    assert!(child.wait().await.success());
}

async fn read_zeros(mebibytes: u32) {
    let size = u64::from(mebibytes) << 20;
    let child = ronde::create_subprocess_exec("head")
        .args(["-c", &size.to_string(), "/dev/zero"])
        .stdout(ronde::subprocess::Stdio::piped())
        .await
        .unwrap();
    let output = child.stdout().expect("it is a pipe");
    let mut count = 0;
    loop {
        let bytes = output.read(64 * 1024).await.unwrap();
        if bytes.is_empty() {
            break;
        }
        count += bytes.len() as u64;
    }
    assert_eq!(count, size);
    child.wait().await;
}

struct Queue<T>(ronde::Queue<T>);

impl<T> Queue<T> {
    fn new(room: usize) -> Self {
        Self(ronde::Queue::new(room))
    }

    async fn put(&self, item: T) {
        self.0.put(item).await.unwrap();
    }

    async fn get(&self) -> T {
        self.0.get().await.unwrap()
    }
}

struct Lock(ronde::Lock<()>);

impl Lock {
    fn new(value: ()) -> Self {
        Self(ronde::Lock::new(value))
    }

    async fn hold_over(&self, body: impl Future<Output = ()>) {
        let _guard = self.0.acquire().await;
        body.await;
    }
}

//! ronde, with what [`ronde::run`] gives.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use ronde::{sleep, yield_now};
pub(crate) use std::rc::Rc as Shared;

use super::Runtime;

#[path = "../text/cancel.rs"]
mod cancel;
#[path = "../text/groups.rs"]
mod groups;
#[path = "../text/sync.rs"]
mod sync;
#[path = "../text/tasks.rs"]
mod tasks;
#[path = "../text/timers.rs"]
mod timers;

mod callbacks;
mod clock;

pub(crate) const RUNTIME: Runtime = Runtime {
    name: "ronde",
    scenarios: &[
        tasks::SCENARIOS,
        sync::SCENARIOS,
        timers::SCENARIOS,
        cancel::SCENARIOS,
        groups::SCENARIOS,
        callbacks::SCENARIOS,
    ],
};

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

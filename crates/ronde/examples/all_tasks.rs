//! All tasks of a loop that are not done yet, the main task among them.
//!
//! `all_tasks` lists them in the order of their creation. Each tells its name, and the coroutine
//! that it runs.

use std::time::Duration;

use ronde::{NoRunningLoopError, all_tasks, create_task, sleep, yield_now};

async fn work(number: u32) {
    println!("task {number} is running");
    sleep(Duration::from_millis(200)).await;
}

#[ronde::main]
async fn main() -> Result<(), NoRunningLoopError> {
    println!("main coroutine started");
    let started: Vec<_> = (0..10).map(|number| create_task(work(number))).collect();
    yield_now().await; // Tasks begin when the task that creates them gives way.

    for task in all_tasks()? {
        println!("> {}, {}", task.name(), task.coroutine());
    }
    for task in started {
        task.await.expect("`work` neither panics nor is cancelled");
    }
    Ok(())
}

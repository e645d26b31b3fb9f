//! A task is asked to cancel, and does.
//!
//! `cancel` only asks: it returns whether the task was still there to be asked. The cancellation is
//! delivered when the task has its next turn, and then the task is done.

use std::time::Duration;

use ronde::{create_task, sleep};

async fn work() {
    println!("executing the task");
    sleep(Duration::from_secs(1)).await;
    println!("never printed");
}

#[ronde::main]
async fn main() {
    println!("main coroutine started");
    let task = create_task(work());
    sleep(Duration::from_millis(100)).await;

    println!("was canceled: {}", task.cancel());
    sleep(Duration::from_millis(100)).await;
    println!("canceled: {}", task.cancelled());
    println!("main coroutine done");
}

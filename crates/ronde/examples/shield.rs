//! A task that is not cancelled with the one that waits for it.
//!
//! A cancellation goes from a task on to what that task waits for. `shield` stops it there: the
//! waiting ends, and the task behind the shield runs on to its end.

use std::time::Duration;

use ronde::{TaskRef, create_task, shield, sleep};

async fn work(number: u32) -> u32 {
    sleep(Duration::from_millis(400)).await;
    number
}

async fn cancel(task: TaskRef) {
    sleep(Duration::from_millis(100)).await;
    println!("cancelled: {}", task.cancel());
}

#[ronde::main]
async fn main() {
    let task = create_task(work(1));
    let shielded = create_task(shield(&task));
    create_task(cancel(TaskRef::clone(&shielded))).detach();

    match (&shielded).await {
        Ok(result) => println!("got: {result:?}"),
        Err(_) => println!("shielded was cancelled"),
    }
    sleep(Duration::from_millis(500)).await;
    println!("shielded: {shielded:?}");
    println!("task: {task:?}");
}

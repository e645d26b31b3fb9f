//! A function that blocks, run in a thread so that the loop goes on meanwhile.
//!
//! `to_thread` starts when it is awaited. As a task of its own it starts by itself, while the main
//! coroutine does something else.

use std::error::Error;
use std::thread;
use std::time::Duration;

use ronde::{create_task, to_thread, yield_now};

fn blocking_work() {
    println!("Task starting");
    thread::sleep(Duration::from_millis(500)); // This blocks its thread, but not the loop.
    println!("Task done");
}

#[ronde::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Main running the blocking task");
    let task = create_task(to_thread(blocking_work));
    println!("Main doing other things");
    yield_now().await; // Now the task runs, and hands the function to a thread.
    task.await??;
    Ok(())
}

//! Many coroutines at the same time, and one await for all of them.
//!
//! `gather_all` makes a task of each coroutine and waits until all are done. Ten naps of half a
//! second take half a second together.

use std::time::Duration;

use ronde::{TaskError, gather_all, sleep};

async fn work(number: u32) {
    println!(">task {number} executing");
    sleep(Duration::from_millis(500)).await;
}

#[ronde::main]
async fn main() -> Result<(), TaskError> {
    println!("main starting");
    gather_all((0..10).map(work)).await?;
    println!("main done");
    Ok(())
}

//! A coroutine that takes too long is given up.
//!
//! When the time is up, `wait_for` cancels what it waits for: the coroutine is dropped where it
//! is suspended, and never gets to its last line.

use std::time::Duration;

use ronde::{TimeoutError, sleep, wait_for};

async fn work() {
    let time = Duration::from_millis(fastrand::u64(1000..2000));
    println!(">task got {:.3}", time.as_secs_f64());
    sleep(time).await;
    println!(">task done");
}

#[ronde::main]
async fn main() {
    match wait_for(work(), Duration::from_millis(200)).await {
        Ok(()) => println!("The task was quick enough"),
        Err(TimeoutError { .. }) => println!("Gave up waiting, task canceled"),
    }
}

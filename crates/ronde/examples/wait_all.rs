//! Ten tasks take a random time each; `wait` waits until all are done.
//!
//! They are done in the order of their times, not in that of their creation. `wait` leaves the
//! results with the tasks, so that each can be asked afterwards. With `return_when` and `timeout` it
//! returns earlier, and tells which tasks are still pending.

use std::time::Duration;

use ronde::{create_task, sleep, wait};

async fn work(number: u32) {
    let time = Duration::from_millis(fastrand::u64(0..1000));
    sleep(time).await;
    println!(">task {number} done with {:.3}", time.as_secs_f64());
}

#[ronde::main]
async fn main() {
    let tasks: Vec<_> = (0..10).map(|number| create_task(work(number))).collect();
    let waited = wait(&tasks).await;
    assert_eq!(waited.done.len(), 10);
    println!("All done");
}

//! A task that is cancelled cleans up, with awaits of its own, and is cancelled all the same.

use std::time::Duration;

use ronde::{catch_cancelled, create_task, sleep};

#[ronde::main]
async fn main() {
    let worker = create_task(async {
        if let Err(cancelled) = catch_cancelled(sleep(Duration::from_secs(3600))).await {
            sleep(Duration::from_millis(10)).await;
            println!("tidied up");
            cancelled.raise().await
        }
    });
    ronde::yield_now().await;
    worker.cancel();
    println!("{:?}", worker.await);
}

//! A coroutine that starts later, while the program goes on.
//!
//! A coroutine does nothing until it is awaited. So `delayed` can take any coroutine, sleep first,
//! and only then let it run. As a task of its own it does so in the background.

use std::time::Duration;

use ronde::{TaskError, create_task, sleep};

async fn delayed<F: Future>(delay: Duration, coroutine: F) -> F::Output {
    sleep(delay).await;
    coroutine.await
}

async fn report(message: &str) -> usize {
    println!("report: {message}");
    message.len()
}

#[ronde::main]
async fn main() -> Result<(), TaskError> {
    println!("main starts a report that is due later");
    let task = create_task(delayed(Duration::from_millis(500), report("it is time")));

    for step in 1..=3 {
        println!("main works, step {step}");
        sleep(Duration::from_millis(10)).await;
    }
    println!("the report had {} characters", task.await?);
    Ok(())
}

//! Functions that are called when a task is done.
//!
//! A callback gets the task, and can ask how it ended. Callbacks run on the loop, in the order in
//! which they were added, and one that was added in vain can be removed.

use std::time::Duration;

use ronde::{TaskRef, create_task, sleep};

async fn work() {
    sleep(Duration::from_millis(100)).await;
}

fn report(task: &TaskRef) {
    let how = if task.cancelled() { "was cancelled" } else { "is done" };
    println!("{} {how}", task.name());
}

#[ronde::main]
async fn main() {
    let finished = create_task(work()).named("the first");
    finished.add_done_callback(report);
    finished.add_done_callback(|_| println!("and this callback runs after the other"));

    let cancelled = create_task(work()).named("the second");
    cancelled.add_done_callback(report);
    cancelled.cancel();

    let quiet = create_task(work()).named("the third");
    let callback = quiet.add_done_callback(report);
    println!("a callback was removed: {}", quiet.remove_done_callback(callback));

    ronde::wait([&finished, &cancelled, &quiet]).await;

    // To one that is done, a callback can still be added: it runs in the loop's next turn.
    finished.add_done_callback(|task| println!("{} was done before", task.name()));
    println!("main gives way");
    ronde::yield_now().await;
}
